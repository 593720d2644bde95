"""Client disconnects: reads in flight are cancelled, mutations go on."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")

# Answers that take less are not worth the price of watching for the client.
_PATIENCE = 0.05


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Hangups:
    """Watches for clients that disconnect. One per process.

    Most answers are ready before it would pay to watch their clients. So a request only joins a
    set, and a tick looks now and then who is still there: watching begins one to two ticks late.
    """

    def __init__(self) -> None:
        self._young: set[_Watch] = set()
        self._old: set[_Watch] = set()
        self._ticking = False

    async def unless_gone(self, work: Coroutine[Any, Any, T], receive: Receive) -> T:
        """Return what `work` returns; cancel it when the client disconnects.

        The body must have been read from `receive` before.

        Raises:
            ClientGone: the client disconnected.
        """
        watch = _Watch(receive)
        self._young.add(watch)
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(_PATIENCE, self._tick)
        try:
            return await work
        except asyncio.CancelledError:
            if not watch.gone or watch.answering is None:
                raise
            watch.answering.uncancel()
            raise ClientGone from None
        finally:
            self._young.discard(watch)
            self._old.discard(watch)
            watch.end()

    def _tick(self) -> None:
        for watch in self._old:
            watch.begin()
        self._old, self._young = self._young, set()
        self._ticking = bool(self._old)
        if self._ticking:
            asyncio.get_running_loop().call_later(_PATIENCE, self._tick)


class _Watch:
    __slots__ = ("_receive", "_watching", "answering", "gone")

    def __init__(self, receive: Receive) -> None:
        self.answering = asyncio.current_task()
        self.gone = False
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._watching = asyncio.ensure_future(self._run())

    def end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _run(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self.answering is not None:
            self.answering.cancel()
