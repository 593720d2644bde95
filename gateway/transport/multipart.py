"""Parts of multipart/mixed: for increments, and for subscriptions as Apollo's clients read them.

A part is only known to be whole when the next boundary is there, so each is sent with the boundary
behind it. The first boundary begins with CRLF like all others, because Apollo iOS looks for no
other form; RFC 2046 (5.1.1) allows it: what precedes the first boundary is a preamble, here empty.
"""

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, NamedTuple

import orjson

from gateway.execution.incremental import IncrementalFormat
from gateway.pipeline.subscriptions import Feed


class Protocol(NamedTuple):
    """What the parts of an answer are.

    Attributes:
        name: the parameter of the content type that says so.
        sign_of_life: JSON of a part that says nothing.
    """

    name: str
    sign_of_life: bytes


# Apollo iOS takes a part without `data` and `incremental` for an error, and ends. Clients take the
# first part for the initial result, so this can only come behind that.
_NO_INCREMENT: Final = b'{"incremental":[],"hasNext":true}'
INCREMENTAL: Final[Mapping[IncrementalFormat, Protocol]] = {
    "pending": Protocol("incrementalSpec=v0.2", _NO_INCREMENT),
    "paths": Protocol("deferSpec=20220824", _NO_INCREMENT),
}
SUBSCRIPTION: Final = Protocol("subscriptionSpec=1.0", b"{}")
_HEAD: Final = b"\r\ncontent-type: application/json; charset=utf-8\r\n\r\n"


class Multipart:
    """One answer in parts.

    Attributes:
        content_type: of the answer. The boundary is quoted, and of letters and digits alone, as
            each client has its own idea of what else may be in it.
        sign_of_life: a part that clients skip.
    """

    def __init__(self, protocol: Protocol) -> None:
        # Some clients look for it without CRLF before it, so it must not be in the data either;
        # whoever can choose what is in the data must not be able to guess it.
        boundary = secrets.token_hex(16)
        self.content_type = f'multipart/mixed; boundary="{boundary}"; {protocol.name}'
        self._boundary = f"\r\n--{boundary}".encode()
        self.sign_of_life = self._part(protocol.sign_of_life)

    async def frames(
        self, parts: AsyncGenerator[Mapping[str, Any], None]
    ) -> AsyncGenerator[bytes, None]:
        """Yield JSON objects as parts, and the end."""
        opening = self._boundary
        async with aclosing(parts):
            async for part in parts:
                yield opening + self._part(orjson.dumps(part))
                opening = b""
        yield b"--\r\n"

    def _part(self, content: bytes) -> bytes:
        return _HEAD + content + self._boundary


async def payloads(feed: Feed) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield a subscription's responses in the envelope that Apollo's protocol puts around them.

    Empty parts, which clients skip, come at once and when the subscription is in force.
    """
    yield {}
    async with aclosing(feed):
        async for emission in feed:
            yield {} if emission.json is None else {"payload": orjson.Fragment(emission.json)}
