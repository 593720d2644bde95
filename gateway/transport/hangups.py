"""Client disconnects over ASGI, where only who waits for a message hears of them."""

import asyncio

from starlette.types import Receive

from gateway.transport.exchange import Exchange

# Answers that take less are not worth the price of watching for the client.
_PATIENCE = 0.05


class Hangups:
    """Watches for clients that disconnect. One per process.

    Most answers are ready before it would pay to watch their clients. So a request only joins a
    set, and a tick looks now and then who is still there: watching begins one to two ticks late.
    """

    def __init__(self) -> None:
        self._young: set[Watch] = set()
        self._old: set[Watch] = set()
        self._ticking = False

    def watch(self, exchange: Exchange, receive: Receive) -> "Watch":
        """Tell an exchange when its client disconnects, from when on it is answered."""
        watch = Watch(exchange, receive)
        self._young.add(watch)
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(_PATIENCE, self._tick)
        return watch

    def end(self, watch: "Watch") -> None:
        """Watch no more."""
        self._young.discard(watch)
        self._old.discard(watch)
        watch.end()

    def _tick(self) -> None:
        for watch in self._old:
            watch.begin()
        self._old |= self._young
        self._young = set()
        self._ticking = bool(self._old)
        if self._ticking:
            asyncio.get_running_loop().call_later(_PATIENCE, self._tick)


class Watch:
    """One request; watched as soon as something runs that ends with its client."""

    __slots__ = ("_exchange", "_receive", "_watching")

    def __init__(self, exchange: Exchange, receive: Receive) -> None:
        self._exchange = exchange
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to watch, if it is time: before, the messages are those of the body."""
        if self._watching is None and self._exchange.is_reading:
            self._watching = asyncio.ensure_future(self._run())

    def end(self) -> None:
        """Stop to watch."""
        if self._watching is not None:
            self._watching.cancel()

    async def _run(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._exchange.hang_up()
