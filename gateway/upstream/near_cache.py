"""In-process layer over the shared response cache, invalidated by messages.

Answers are kept under names that never mean another answer: a change gives them new names, by
raising a generation. So only generations can become wrong. Whoever raises one says so to all, and
they forget it at once. A process that does not hear, because its connection to the store broke,
forgets all and asks the store each time, until it hears again. As a connection can be silent for a
while before it is known to be broken, a generation is asked for again after a second in any case.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final

from gateway.storage.recent import Recent
from gateway.storage.store import Listening, Store, StoreUnavailable

_CHANNEL: Final = "generations"
_GENERATION_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 60.0
_MOST_GENERATIONS: Final = 10_000
_MOST_BYTES: Final = 16 * 2**20
_LARGEST: Final = _MOST_BYTES // 16
# What an entry takes besides its value.
_ENTRY_BYTES: Final = 300


class NearCache:
    """Generations and answers, in front of the store; bounded in number and bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._joining: asyncio.Task[None] | None = None
        self._listening: Listening | None = None
        self._session = 0
        self._changes = 0
        self._generations: Recent[str, tuple[bytes, float]] = Recent(_MOST_GENERATIONS)
        self._answers: Recent[str, tuple[bytes, float]] = Recent(
            _MOST_BYTES // _ENTRY_BYTES, (lambda kept: len(kept[0]) + _ENTRY_BYTES, _MOST_BYTES)
        )

    def generation_at_hand(self, name: str) -> bytes | None:
        """Return a generation if it need not be asked for."""
        kept = self._generations.get(name) if self._hears() else None
        return None if kept is None or kept[1] < time.monotonic() else kept[0]

    async def generation(self, name: str) -> bytes:
        """Return a generation; b"" if it has not been raised lately.

        Raises:
            StoreUnavailable: it cannot be asked for.
        """
        kept = self.generation_at_hand(name)
        if kept is not None:
            return kept
        session, changes, now = self._session, self._changes, time.monotonic()
        found = await self._store.get(name) or b""
        # Was it read before it changed? Then it was heard of meanwhile, or nothing is heard.
        if self._hears() and (session, changes) == (self._session, self._changes):
            self._generations.keep(name, (found, now + _GENERATION_SECONDS))
        return found

    async def set_generation(self, name: str, value: bytes, *, ttl: float) -> None:
        """Give a generation a value that it never had, in all processes.

        Raises:
            StoreUnavailable: not all may know of it.
        """
        await self._store.set(name, value, ttl=ttl)
        self._forget(name)
        await self._store.publish(_CHANNEL, name.encode())

    def answer(self, key: str) -> bytes | None:
        """Return an answer if it is at hand."""
        kept = self._answers.use(key) if self._hears() else None
        if kept is None:
            return None
        if kept[1] < time.monotonic():
            self._answers.forget(key)
            return None
        return kept[0]

    def keep_answer(self, key: str, value: bytes, seconds: float) -> None:
        """Keep an answer at hand that is good for so long, or for a shorter time."""
        if seconds <= 0 or len(value) > _LARGEST or not self._hears():
            return
        self._answers.keep(key, (value, time.monotonic() + min(seconds, _ANSWER_SECONDS)))

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        if self._joining is not None:
            self._joining.cancel()
            with suppress(asyncio.CancelledError):
                await self._joining

    def _hears(self) -> bool:
        """Whether changes are heard of; what was kept before they were is forgotten."""
        if self._listening is None:
            if self._joining is None:
                self._joining = asyncio.get_running_loop().create_task(self._join())
            return False
        session = self._listening.session
        if session != self._session:
            self._session = session
            self._generations.clear()
            self._answers.clear()
        return session != 0

    async def _join(self) -> None:
        with suppress(StoreUnavailable):
            self._listening = await self._store.listen(_CHANNEL, self._heard)

    def _heard(self, message: bytes) -> None:
        self._forget(message.decode(errors="replace"))

    def _forget(self, name: str) -> None:
        self._changes += 1
        self._generations.forget(name)
