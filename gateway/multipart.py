"""Parts of multipart/mixed: for increments, and for subscriptions as Apollo's clients read them.

A part is only known to be whole when the next boundary is there, so each is sent with the boundary
behind it.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final

import orjson

from gateway.protocol import IncrementalFormat
from gateway.subscriptions import Feed

INCREMENTAL_TYPES: Final[Mapping[IncrementalFormat, str]] = {
    "pending": 'multipart/mixed; boundary="-"; incrementalSpec=v0.2',
    "paths": 'multipart/mixed; boundary="-"; deferSpec=20220824',
}
SUBSCRIPTION_TYPE: Final = 'multipart/mixed; boundary="-"; subscriptionSpec=1.0'
_HEAD: Final = b"\r\ncontent-type: application/json; charset=utf-8\r\n\r\n"
_BOUNDARY: Final = b"\r\n---"

HEARTBEAT: Final = _HEAD + b"{}" + _BOUNDARY
"""A sign of life between the events of a subscription: clients skip it."""
SIGN_OF_LIFE: Final = _HEAD + b'{"hasNext":true}' + _BOUNDARY
"""A sign of life between increments. Clients take the first part for the initial result, so it can
only come behind that."""


async def frames(parts: AsyncGenerator[Mapping[str, Any], None]) -> AsyncIterator[bytes]:
    """Yield JSON objects as parts, and the end."""
    opening = b"---"
    async with aclosing(parts):
        async for part in parts:
            yield opening + _HEAD + orjson.dumps(part) + _BOUNDARY
            opening = b""
    yield b"--\r\n"


async def payloads(feed: Feed) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield a subscription's responses in the envelope that Apollo's protocol puts around them.

    Empty parts, which clients skip, come at once and when the subscription is in force.
    """
    yield {}
    async with aclosing(feed):
        async for emission in feed:
            told = emission.response is not None
            yield {"payload": orjson.Fragment(emission.json)} if told else {}
