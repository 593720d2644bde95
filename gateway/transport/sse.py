"""Server-sent events, as the GraphQL-SSE protocol has them in "distinct connections" mode."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from gateway.pipeline.subscriptions import Emission, Feed

CONTENT_TYPE: Final = "text/event-stream; charset=utf-8"
# A comment: clients skip it.
SIGN_OF_LIFE: Final = b":\n\n"
# Another, so that programs can tell from when on they miss nothing.
_FOLLOWING: Final = b": following\n\n"
_COMPLETE: Final = b"event: complete\ndata:\n\n"


async def frames(feed: Feed) -> AsyncGenerator[bytes, None]:
    """Yield the frames of a feed: `next` for every response, `complete` at the end.

    Frames carry the id of their event, so that a client that comes back with `Last-Event-ID` gets
    what it missed.
    """
    async with aclosing(feed):
        async for emission in feed:
            yield _frame(emission)
    yield _COMPLETE


def _frame(emission: Emission) -> bytes:
    if emission.json is None:
        return _FOLLOWING
    name = f"id: {emission.id}\n".encode() if emission.id is not None else b""
    return b"event: next\n%sdata: %s\n\n" % (name, emission.json)
