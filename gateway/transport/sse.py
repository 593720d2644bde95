"""Server-sent events, as the GraphQL-SSE protocol has them in "distinct connections" mode."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from gateway.pipeline.subscriptions import Emission, Feed
from gateway.transport.outflow import Outflow
from gateway.transport.unsent import Pending

CONTENT_TYPE: Final = "text/event-stream; charset=utf-8"
# A comment: clients skip it.
SIGN_OF_LIFE: Final = b":\n\n"
# Another, so that programs can tell from when on they miss nothing.
_FOLLOWING: Final = b": following\n\n"
COMPLETE: Final = b"event: complete\ndata:\n\n"


async def frames(feed: Feed) -> AsyncGenerator[bytes, None]:
    """Yield the frames of a feed: `next` for every response, `complete` at the end.

    Frames carry the id of their event, so that a client that comes back with `Last-Event-ID` gets
    what it missed.
    """
    async with aclosing(feed):
        async for emission in feed:
            yield frame(emission)
    yield COMPLETE


def frame(emission: Emission) -> bytes:
    """Return the frame of a response."""
    if emission.json is None:
        return _FOLLOWING
    name = f"id: {emission.id}\n".encode() if emission.id is not None else b""
    return b"event: next\n%sdata: %s\n\n" % (name, emission.json)


class Told(Outflow):
    """The events of a subscription: a `gateway.pipeline.subscriptions.Listener`.

    Attributes:
        over: is done when there will be no more, or the client is gone.
    """

    __slots__ = ("_ends", "over")

    def __init__(self, pending: Pending, most: int, patience: float) -> None:
        super().__init__(pending, most, patience)
        self._ends = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, emission: Emission) -> None:
        """See `Listener`."""
        if not self.over.done():
            self.put(frame(emission), last=emission.refused)

    def end(self) -> None:
        """See `Listener`."""
        if not self.over.done():
            self._ends = True
            self.put(COMPLETE, last=True)
            self.sent()

    def gone(self) -> None:
        """Hear that the client is gone."""
        if not self.over.done():
            self.over.set_result(None)

    def sent(self) -> None:
        """See `Outflow`; what ends is over now."""
        if self._ends and not self.is_behind:
            self.gone()
