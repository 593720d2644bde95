"""Client disconnects over ASGI, where only who waits for a message hears of them."""

import asyncio

from starlette.types import Receive

from gateway.transport.exchange import Exchange

# Answers that take less are not worth the price of watching for the client.
_PATIENCE = 0.05


class Watched(Exchange):
    """A request whose client is watched as soon as something runs that ends with it.

    Attributes:
        receive: hears of the client's going.
        watching: does so, when it has begun.
    """

    receive: Receive
    watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to watch, if it is time: before, the messages are those of the body."""
        if self.watching is None and self.is_reading:
            self.watching = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.hang_up()


class Hangups:
    """Watches for clients that disconnect. One per process.

    Most answers are ready before it would pay to watch their clients. So a request only joins a
    set, and a tick looks now and then who is still there: watching begins one to two ticks late.
    """

    def __init__(self) -> None:
        self._young: set[Watched] = set()
        self._old: set[Watched] = set()
        self._ticking = False

    def watch(self, request: Watched) -> None:
        """Tell an exchange when its client disconnects, from when on it is answered."""
        self._young.add(request)
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(_PATIENCE, self._tick)

    def end(self, request: Watched) -> None:
        """Watch no more."""
        self._young.discard(request)
        self._old.discard(request)
        if request.watching is not None:
            request.watching.cancel()

    def _tick(self) -> None:
        for each in self._old:
            each.watch()
        self._old |= self._young
        self._young = set()
        self._ticking = bool(self._old)
        if self._ticking:
            asyncio.get_running_loop().call_later(_PATIENCE, self._tick)
