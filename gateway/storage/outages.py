"""Outages of what must be remembered: told when one begins and when it is over, counted by cause.

A server that is full or has become a replica still answers reads. So an outage that has begun ends
only when something could be written; that is tried now and then, whether or not anybody asks.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, Protocol

import structlog

from gateway.storage.store import Cause, StoreUnavailable
from gateway.storage.store_advice import Advice

_log = structlog.get_logger(__name__)
# Seconds between two tries to write while nothing is amiss, and while something is.
_PROBE_EVERY: Final = 2.0
_TRY_AGAIN: Final = 1.0
_PATIENCE: Final = 2.0
_ADVISE_EVERY: Final = 10.0
# Where an answer shows that the cause is gone.
_GONE_WITH_AN_ANSWER: Final[frozenset[Cause]] = frozenset(
    {"unreachable", "timeout", "loading", "denied", "missing", "locked"}
)


class Keeper(Protocol):
    """Something that keeps what must be remembered. Both methods may raise StoreUnavailable."""

    async def ping(self) -> None:
        """Return when it answers; costs next to nothing."""

    async def probe(self) -> None:
        """Return when something has been written to it."""

    async def advice(self) -> list[Advice]:
        """Return what speaks against trusting it with what must not be forgotten."""


class Outages:
    """Watches one keeper.

    Args:
        count: is told the cause of each failure.

    Attributes:
        cause: why nothing can be written now; None when nothing is known to be amiss.
        advice: what speaks against the keeper though it works.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self.cause: Cause | None = None
        self.advice: list[Advice] = []
        self._count = count
        self._keeper: Keeper | None = None
        self._told: set[Cause] = set()
        self._probe_at = 0.0
        self._advise_at = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None

    def watch(self, keeper: Keeper) -> None:
        """Watch `keeper` from now on."""
        self._keeper = keeper

    def begin(self) -> None:
        """Look once now, so that what is amiss is told before anybody needs it."""
        if self._keeper is not None:
            self._asking = _start(self._ask(self._keeper))

    def note(self, error: StoreUnavailable) -> None:
        """Note that something could not be kept or read."""
        self._count(error.cause)
        self.cause = error.cause
        if error.cause not in self._told:
            self._told.add(error.cause)
            _log.error("storage_failed", cause=error.cause, problem=str(error))
        if self._waiting is None and self._keeper is not None:
            # It outlives the request that has met the failure.
            self._waiting = _start(self._wait(self._keeper))

    async def look(self) -> Cause | None:
        """Return why nothing can be written; whoever asks meanwhile waits for the same answer.

        Each look asks whether it answers. Something is written every few seconds at most, however
        many ask.
        """
        if self._keeper is None:
            return None
        if self._asking is None or self._asking.done():
            self._asking = _start(self._ask(self._keeper))
        await asyncio.shield(self._asking)
        return self.cause

    async def aclose(self) -> None:
        """Stop looking."""
        tasks = [each for each in (self._asking, self._waiting) if each is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, keeper: Keeper) -> None:
        if not await self._works(keeper.ping()):
            return
        if time.monotonic() >= self._probe_at or self.cause in _GONE_WITH_AN_ANSWER:
            await self._try(keeper)

    async def _wait(self, keeper: Keeper) -> None:
        """Try to write until that works."""
        try:
            while self.cause is not None:
                await asyncio.sleep(_TRY_AGAIN)
                if self.cause is not None:
                    await self._try(keeper)
        finally:
            self._waiting = None

    async def _try(self, keeper: Keeper) -> None:
        """Write something, and note the end of an outage if that works."""
        self._probe_at = time.monotonic() + _PROBE_EVERY
        if not await self._works(keeper.probe()):
            return
        if self.cause is not None:
            _log.info("storage_works_again", causes=sorted(self._told))
            self.cause = None
            self._told.clear()
            # It may have come back as another server, or with other settings.
            self._advise_at = 0.0
        if time.monotonic() >= self._advise_at:
            self._advise_at = time.monotonic() + _ADVISE_EVERY
            await self._works(self._advise(keeper))

    async def _advise(self, keeper: Keeper) -> None:
        known = {each.about for each in self.advice}
        self.advice = await keeper.advice()
        for each in self.advice:
            if each.about not in known:
                _log.warning("storage_not_safe", about=each.about, problem=each.message)

    async def _works(self, asking: Coroutine[Any, Any, None]) -> bool:
        """Tell whether the keeper does what it is asked; a failure it has noted itself."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await asking
        except StoreUnavailable:
            return False
        except TimeoutError:
            self.note(StoreUnavailable(f"no answer within {_PATIENCE:g} s", cause="timeout"))
            return False
        return True


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run something on nobody's behalf: not of the request that happens to be at work."""
    return asyncio.get_running_loop().create_task(work, context=Context())
