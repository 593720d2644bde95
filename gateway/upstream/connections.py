"""HTTP/1.1 to the upstream: connections that are kept alive, and answers read whole.

httptools parses. What general clients do besides (cookies, redirects, repeating requests by
themselves, URLs taken apart and put together again) must not happen here, or cost more time than
all the rest: of a small operation, the exchange with aiohttp below httpx was a third.
"""

import asyncio
import select
import socket
import ssl
import zlib
from collections import defaultdict, deque
from collections.abc import Callable
from functools import cached_property, partial
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import httptools
import httpx
from aiohappyeyeballs import start_connection

_HEAD_LIMIT: Final = 64 * 1024
# What a head without headers counts: the upstream could announce its answer for ever.
_LEAST_HEAD: Final = 64
_EYEBALLS_DELAY: Final = 0.25
_FIRST_FINAL: Final = 200
_LINE_END: Final = b"\r\n"
# What may stand in a request line as it is; the rest is percent-encoded.
_SAFE: Final = "%/:?#[]@!$&'()*+,;=~-._"


class NotConnected(Exception):
    """The upstream could not be reached: nothing was sent. The text says why, for operators."""


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


class Response(NamedTuple):
    """An answer: status, headers by lower-case name, and the body, unpacked."""

    status: int
    headers: dict[str, str]
    body: bytes


class Origin(NamedTuple):
    """A base URL, taken apart once."""

    host: str
    port: int
    secure: bool
    path: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Return the origin and path prefix of a base URL."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host = parts.hostname or ""
        return cls(host, parts.port or (443 if secure else 80), secure, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def target(origin: Origin, path: str, query: str) -> str:
    """Return what stands in the request line, free of anything that could end it."""
    made = f"{origin.path}{path}?{query}" if query else origin.path + path
    return made if made.isascii() and made.isprintable() and " " not in made else quote(made, _SAFE)


class Connections:
    """Connections to any number of origins. One per process; for tasks of one loop.

    Args:
        connect_timeout: seconds for TCP and TLS together.
        body_limit: bytes of a body, as it comes and unpacked.
        keep: seconds that a connection is kept when nobody uses it.
    """

    def __init__(self, *, connect_timeout: float, body_limit: int, keep: float = 30.0) -> None:
        self._connect_timeout = connect_timeout
        self._body_limit = body_limit
        self._keep = keep
        self._idle: defaultdict[Origin, deque[_Connection]] = defaultdict(deque)
        self._all: set[_Connection] = set()

    async def send(
        self,
        origin: Origin,
        message: bytes,
        *,
        within: float,
        may_leave: Callable[[], bool] | None = None,
    ) -> Response:
        """Send a request as it is and return the answer.

        It is sent once. When this is cancelled, or takes too long, its connection is closed.

        Raises:
            TimeoutError: `within` seconds were not enough.
            NotConnected: nothing was sent.
            ConnectionBroke: it may have been received.
            AnswerRefused: the answer is not one that can be used.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        connection = self._kept(origin, loop.time())
        if connection is None:
            async with asyncio.timeout_at(end):
                connection = await self._connected(origin)
        # What this process slept through, it notices only now.
        if loop.time() >= end or (may_leave is not None and not may_leave()):
            self._idle[origin].append(connection)
            raise NotConnected("there was a connection too late")
        answer = connection.ask(message)
        late = loop.call_at(end, connection.give_up)
        try:
            response = await answer
        except BaseException:
            connection.close()
            raise
        finally:
            late.cancel()
        if connection.is_open:
            connection.idle_since = loop.time()
            self._idle[origin].append(connection)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in list(self._all):
            connection.close()
        # Transports close in the loop's next steps; those with TLS say good-bye first.
        await asyncio.sleep(0)

    def forget(self, connection: "_Connection") -> None:
        """Note that a connection is gone."""
        self._all.discard(connection)

    def _kept(self, origin: Origin, now: float) -> "_Connection | None":
        """Return the connection that was used last; close those that were idle too long."""
        idle = self._idle[origin]
        while idle and (not idle[0].is_open or now - idle[0].idle_since > self._keep):
            idle.popleft().close()
        while idle:
            connection = idle.pop()
            if connection.is_open and connection.is_silent:
                return connection
            connection.close()
        return None

    async def _connected(self, origin: Origin) -> "_Connection":
        loop = asyncio.get_running_loop()
        plain: socket.socket | None = None
        try:
            async with asyncio.timeout(self._connect_timeout):
                addresses = await loop.getaddrinfo(
                    origin.host, origin.port, type=socket.SOCK_STREAM
                )
                plain = await start_connection(addresses, happy_eyeballs_delay=_EYEBALLS_DELAY)
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, self._body_limit),
                    sock=plain,
                    ssl=self._tls if origin.secure else None,
                    server_hostname=origin.host if origin.secure else None,
                )
        except BaseException as error:
            if plain is not None:
                plain.close()
            if isinstance(error, TimeoutError):
                took = f"it took longer than {self._connect_timeout:g} s to connect"
                raise NotConnected(took) from None
            if isinstance(error, OSError | UnicodeError):
                raise NotConnected(str(error)) from None
            raise
        self._all.add(connection)
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Trusts what httpx trusts, or what SSL_CERT_FILE names."""
        return httpx.create_ssl_context()


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, pool: Connections, body_limit: int) -> None:
        self.idle_since = 0.0
        self._pool = pool
        self._body_limit = body_limit
        self._transport: asyncio.Transport | None = None
        self._readable: Callable[[], object] = bool
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Response] | None = None
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._status: int | None = None
        self._interim = False
        self._until_end = False
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come that the loop did not read yet: it would pass for an answer."""
        return not self._readable()

    def ask(self, message: bytes) -> asyncio.Future[Response]:
        """Send a request; the future is of its answer."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            answer.set_exception(ConnectionBroke())
            return answer
        self._answer = answer
        self._begin()
        self._transport.write(message)
        return answer

    def give_up(self) -> None:
        """Wait no longer."""
        self._fail(TimeoutError())

    def close(self) -> None:
        """End it, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop tells ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = transport  # type: ignore[assignment] # uvloop's derive from no common class
        self._readable = _looking_at(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Parse what came.

        The parser passes over the ends of lines between answers, which may be extra. So the last
        byte is fed apart: an answer that is whole before it has something behind it.
        """
        if len(data) > 1 and data[-1] in _LINE_END:
            self._feed(data[:-1])
            data = data[-1:]
        self._feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See whether the end of the connection is the end of the answer."""
        self._pool.forget(self)
        if self._answer is not None and exc is None and self._until_end:
            self._done()
        else:
            self._fail(ConnectionBroke(self._status))

    # What the parser tells ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Count what begins; nothing may, once the answer is whole."""
        if self._answer is None:
            raise ConnectionBroke
        self._count(_LEAST_HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, while they are not too many; those behind a body tell nothing."""
        self._count(len(name) + len(value))
        if self._status is not None:
            return
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note what the answer is, and where its body will end."""
        status = self._parser.get_status_code()
        self._interim = status < _FIRST_FINAL
        if self._interim:
            return
        self._status = status
        headers = self._headers
        framed = "content-length" in headers or "transfer-encoding" in headers
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
        keep = self._parser.should_keep_alive() and not self._unsent
        self._done()
        if not keep:
            self.close()

    # ----------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        """Parse; what comes without having been asked for ends the connection.

        It may be the beginning of the next one's answer, whoever that is.
        """
        if self._answer is None:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(ConnectionBroke())  # Unless it failed for a reason that was told before.

    @property
    def _unsent(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > _HEAD_LIMIT:
            raise ConnectionBroke

    def _begin(self) -> None:
        self._headers = {}
        self._head_size = self._size = 0
        self._status = None
        self._interim = self._until_end = False
        self._pieces = []

    def _done(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        pieces, status = self._pieces, self._status or 0
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        try:
            packing = self._headers.get("content-encoding")
            if packing is not None:
                body = _unpacked(body, packing.strip().lower(), self._body_limit, status)
        except (AnswerRefused, ConnectionBroke) as error:
            answer.set_exception(error)
        else:
            answer.set_result(Response(status, self._headers, body))

    def _fail(self, error: Exception) -> None:
        """Give the answer up, and the connection with it."""
        answer, self._answer = self._answer, None
        self._pieces = []  # An error keeps its frames alive for a while.
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.close()


def _looking_at(file: int) -> Callable[[], object]:
    """Return a function that tells whether something can be read from a socket, without waiting."""
    if not hasattr(select, "poll"):  # pragma: no cover - Windows has none
        return lambda: select.select([file], (), (), 0)[0]
    look = select.poll()
    look.register(file, select.POLLIN)
    return partial(look.poll, 0)


def _unpacked(body: bytes, packing: str, limit: int, status: int) -> bytes:
    """Unpack a body, never to more than `limit` bytes.

    Only what was asked for is accepted: packings can be nested, and then a few bytes unpack to any
    size within one step.
    """
    if packing == "identity":
        return body
    if packing != "gzip":
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
