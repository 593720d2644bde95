"""HTTP/1.1 to the upstream: connections that are kept alive, and answers read whole.

httptools parses. What general clients do besides (cookies, redirects, repeating requests by
themselves, URLs taken apart and put together again) must not happen here, or cost more time than
all the rest: of a small operation, the exchange with aiohttp below httpx was a third.
"""

import asyncio
import select
import ssl
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import quote

import httptools

from gateway.upstream.dialling import NotConnected
from gateway.upstream.proxies import Origin

_HEAD_LIMIT: Final = 64 * 1024
# What a head without headers counts: the upstream could announce its answer for ever.
_LEAST_HEAD: Final = 64
_FIRST_FINAL: Final = 200
_LINE_END: Final = b"\r\n"
# What may stand in a request line as it is; the rest is percent-encoded.
_SAFE: Final = "%/:?#[]@!$&'()*+,;=~-._"


class ConnectionBroke(Exception):
    """The connection ended, or spoke no HTTP, before the answer was whole.

    Attributes:
        status: of the answer, when its head had come.
    """

    def __init__(self, status: int | None = None) -> None:
        super().__init__("the connection broke")
        self.status = status


class AnswerRefused(Exception):
    """The answer is larger, or packed in another way, than was asked for.

    Attributes:
        status: its HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


Headers: TypeAlias = Mapping[bytes, bytes]
"""Headers as they came, by lower-case name; of one that is repeated, the last."""


class Response(NamedTuple):
    """An answer: status, headers, and the body, unpacked."""

    status: int
    headers: Headers
    body: bytes


class Asking(Protocol):
    """Who is told what comes of a request, once, by the connection that it was sent on."""

    def answered(self, status: int, headers: Headers, body: bytes) -> None:
        """Take the answer."""

    def failed(self, error: Exception) -> None:
        """Take why there is none: TimeoutError, NotConnected, ConnectionBroke or AnswerRefused."""


def target(origin: Origin, path: str, query: str) -> str:
    """Return what stands in the request line, free of anything that could end it."""
    made = f"{origin.path}{path}?{query}" if query else origin.path + path
    return made if made.isascii() and made.isprintable() and " " not in made else quote(made, _SAFE)


class Home(Protocol):
    """Where a connection is kept."""

    def keep(self, connection: "Connection") -> None:
        """Keep it for the next request."""

    def forget(self, connection: "Connection") -> None:
        """Note that it is gone."""


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request.

    Attributes:
        loop: it is for tasks of this one.
        idle_since: when its last answer was whole, by the loop's clock.
        tls: what is known of its encryption; None when it has none.
    """

    def __init__(self, home: Home, body_limit: int) -> None:
        self.loop = asyncio.get_running_loop()  # To ask for it each time takes a system call.
        self.idle_since = 0.0
        self.tls: ssl.SSLObject | None = None
        self._home = home
        self._body_limit = body_limit
        self._transport: asyncio.Transport | None = None
        self._readable: Callable[[], object] = bool
        self._parser = httptools.HttpResponseParser(self)
        self._asking: Asking | None = None
        self._until = 0.0
        self._clock: asyncio.TimerHandle | None = None
        self._headers: dict[bytes, bytes] = {}
        self._head_size = 0
        self._status: int | None = None
        self._interim = False
        self._until_end = False
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def is_silent(self) -> bool:
        """Whether it is open, and nothing has come that would pass for the next answer.

        The loop need not have read it yet.
        """
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._readable()

    def ask(self, message: bytes, asking: Asking, until: float) -> None:
        """Send a request; `asking` is told what comes of it, until a time of the loop's clock."""
        transport = self._transport
        if transport is None or transport.is_closing():
            asking.failed(NotConnected("the connection was just lost"))
            return
        self._asking = asking
        self._headers = {}
        self._head_size = self._size = 0
        self._status = None
        self._interim = self._until_end = False
        self._pieces = []
        self._until = until
        if self._clock is None:
            self._clock = self.loop.call_at(until, self._look_at_clock)
        elif until < self._clock.when():
            self._clock.cancel()
            self._clock = self.loop.call_at(until, self._look_at_clock)
        transport.write(message)

    def leave(self) -> None:
        """Tell nobody what comes: the connection is of no use any more."""
        self._asking = None
        self.close()

    def close(self) -> None:
        """End it, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def _look_at_clock(self) -> None:
        """Give up what takes too long. One timer serves many requests: most end long before."""
        self._clock = None
        if self._asking is None:
            return
        if self.loop.time() < self._until:
            self._clock = self.loop.call_at(self._until, self._look_at_clock)
        else:
            self._fail(TimeoutError())

    # What the event loop tells ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = transport  # type: ignore[assignment] # uvloop's derive from no common class
        self.tls = transport.get_extra_info("ssl_object")
        self._readable = _looking_at(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Parse what came.

        The parser passes over the ends of lines between answers, which may be extra. So the last
        byte is fed apart: an answer that is whole before it has something behind it.
        """
        both = len(data) > 1 and data[-1] in _LINE_END
        for part in (data[:-1], data[-1:]) if both else (data,):
            # What comes without having been asked for may be the beginning of the next one's
            # answer, whoever that is.
            if self._asking is None:
                self.close()
                return
            try:
                self._parser.feed_data(part)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade):
                self._fail(ConnectionBroke())  # Unless it failed for a reason that was told before.

    def connection_lost(self, exc: Exception | None) -> None:
        """See whether the end of the connection is the end of the answer."""
        self._home.forget(self)
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        if self._asking is not None and exc is None and self._until_end:
            self._done()
        else:
            self._fail(ConnectionBroke(self._status))

    # What the parser tells ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Count what begins; nothing may, once the answer is whole."""
        if self._asking is None:
            raise ConnectionBroke
        self._head_size += _LEAST_HEAD
        if self._head_size > _HEAD_LIMIT:
            raise ConnectionBroke

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, while they are not too many; those behind a body tell nothing."""
        self._head_size += len(name) + len(value)
        if self._head_size > _HEAD_LIMIT:
            raise ConnectionBroke
        if self._status is None:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Note what the answer is, and where its body will end."""
        status = self._parser.get_status_code()
        self._interim = status < _FIRST_FINAL
        if self._interim:
            return
        self._status = status
        headers = self._headers
        framed = b"content-length" in headers or b"transfer-encoding" in headers
        self._until_end = not framed and status not in {204, 304}

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body, while it is not too large."""
        self._size += len(piece)
        if self._size > self._body_limit:
            self._fail(_too_large(self._status))
            raise ConnectionBroke
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Hand the answer over; what came so far may only have announced it."""
        if self._interim:
            self._headers = {}
            return
        # An answer that comes before the whole request was sent is not to be followed by another.
        transport = self._transport
        unsent = transport is not None and transport.get_write_buffer_size() > 0
        if unsent or not self._parser.should_keep_alive():
            self.close()
        self._done()

    # ----------------------------------------------------------------------------------------------

    def _done(self) -> None:
        """Hand the answer over, and keep the connection if it goes on."""
        asking, self._asking = self._asking, None
        if asking is None:
            return
        pieces, headers, status = self._pieces, self._headers, self._status or 0
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        try:
            packing = headers.get(b"content-encoding")
            if packing is not None:
                body = _unpacked(body, packing.strip().lower(), self._body_limit, status)
        except (AnswerRefused, ConnectionBroke) as error:
            self.close()
            asking.failed(error)
            return
        if self._transport is not None and not self._transport.is_closing():
            self._home.keep(self)
        asking.answered(status, headers, body)

    def _fail(self, error: Exception) -> None:
        """Give the answer up, and the connection with it."""
        asking, self._asking = self._asking, None
        self._pieces = []  # An error keeps its frames alive for a while.
        self.close()
        if asking is not None:
            asking.failed(error)


def _looking_at(file: int) -> Callable[[], object]:
    """Return a function that tells whether something can be read from a socket, without waiting."""
    if not hasattr(select, "poll"):  # pragma: no cover - Windows has none
        return lambda: select.select([file], (), (), 0)[0]
    look = select.poll()
    look.register(file, select.POLLIN)
    return partial(look.poll, 0)


def _unpacked(body: bytes, packing: bytes, limit: int, status: int) -> bytes:
    """Unpack a body, never to more than `limit` bytes.

    Only what was asked for is accepted: packings can be nested, and then a few bytes unpack to any
    size within one step.
    """
    if packing == b"identity":
        return body
    if packing != b"gzip":
        message = "The upstream's answer is packed in a way that was not asked for."
        raise AnswerRefused(message, status)
    if not body:
        return body
    unpacker = zlib.decompressobj(wbits=31)  # 31: gzip
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise ConnectionBroke(status) from None
    if len(unpacked) > limit:
        raise _too_large(status)
    if not unpacker.eof:
        raise ConnectionBroke(status)
    return unpacked


def _too_large(status: int | None) -> AnswerRefused:
    return AnswerRefused("The upstream's answer is larger than the gateway accepts.", status or 0)
