"""One HTTP request and the forms of its answer, apart from any server: bytes in, bytes out.

An adaptor (`asgi.py`, `gateway/server/lean_http.py`) makes a `Head` of what comes before the body
and an `Exchange` of its own kind of both, and sends what `Endpoint` answers: whole, or as a stream.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Generic, NoReturn, Protocol, TypeVar

from gateway.auth.caller import Caller
from gateway.auth.connection_shares import Held
from gateway.draining import Draining
from gateway.errors import BadRequest
from gateway.pipeline.subscriptions import Listener, Member
from gateway.transport import compression, negotiation
from gateway.transport.negotiation import AcceptedTypes
from gateway.transport.unsent import Connection, Pending

T = TypeVar("T")
Text = TypeVar("Text", bound=Hashable)
Pair = tuple[bytes, bytes]

Beginning = Callable[[Listener], Coroutine[Any, Any, Member]]

COPIED: Final = 16 * 1024
"""Bytes of a body that is copied behind its head; what is longer goes beside it."""
_STATUS_LINES = {
    each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus
}
NOT_MODIFIED = 304
NO_CONTENT = 204
_BODILESS = frozenset({NO_CONTENT, NOT_MODIFIED})
_PLAIN_JSON = AcceptedTypes()
# Bytes of all heads that are kept; one has a few hundred.
_MOST_BYTES = 128 * 1024
# What differs from request to request.
_PASSING = frozenset({"x-request-id", "traceparent"})
_NOTHING: Mapping[str, str] = MappingProxyType({})
_VARY = "Accept, Accept-Encoding"


class FixedHeaders:
    """Headers that many answers have.

    Attributes:
        pairs: names and values.
        text: the same as lines.
    """

    __slots__ = ("pairs", "text")

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.pairs = tuple(pairs)
        self.text = b"".join(b"%s: %s\r\n" % pair for pair in self.pairs)


NONE = FixedHeaders(())


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Answer:
    """A whole answer.

    Attributes:
        status: of HTTP.
        headers: by name; those of `fixed` come besides.
        fixed: see there.
        body: empty where the status allows none; not sent as the answer to HEAD.
        pending: is told when the body is sent; None for a small one.
    """

    __slots__ = ("body", "fixed", "headers", "pending", "status")

    def __init__(
        self, status: int, headers: dict[str, str], fixed: FixedHeaders, body: bytes
    ) -> None:
        self.status = status
        self.headers = headers
        self.fixed = fixed
        if status in _BODILESS:
            body = b""
        else:
            headers["content-length"] = str(len(body))
        self.body = body
        self.pending: Pending | None = None


@dataclass(slots=True, kw_only=True)
class Stream:
    """An answer in pieces, until there are no more, or the client goes.

    Attributes:
        status: of HTTP.
        headers: by name; those of `fixed` come besides.
        fixed: see there.
        chunks: the pieces; closed in any case.
        sign_of_life: is sent after `keep_alive` seconds of silence, so that proxies do not take the
            connection for dead.
        early: it may come before the first piece, too.
        keep_alive: see there.
        send_timeout: seconds; a client that does not take a piece within them is cut off.
        pending: is told what waits for the client.
        held: is held as long as it is sent.
        begin: of a subscription by server-sent events, lets it begin for a listener, instead of
            `chunks`, where the adaptor needs no task that waits for it.
        most_waiting: responses to it that may wait for the client.
    """

    headers: dict[str, str]
    fixed: FixedHeaders
    chunks: AsyncGenerator[bytes, None]
    sign_of_life: bytes
    early: bool
    keep_alive: float
    send_timeout: float
    pending: Pending
    held: Held | Draining
    status: int = 200
    begin: Beginning | None = None
    most_waiting: int = 0


class Head:
    """The head of a request, and what can be known from it alone.

    Clients repeat their heads byte by byte, so one may serve many requests: see `Heads`.

    Attributes:
        verb: the request's method.
        method: the same, but GET for HEAD, which gets the same answer without its body.
        query_string: of the request's target.
        raw: the headers as they came, names in lower case.
        headers: the same by name, repeated ones as a list.
        length: bytes of the body, as they say; 0 if they do not.
        request_id: the client's own; "" if it sent none that can be used.
        is_checked: nothing that it says is refused; `accepted`, `fixed` and `usual` are found out.
        accepted: what the client can read; plain JSON until that is found out.
        takes_whole: what is no subscription is answered whole.
        fixed: headers that the answer gets whatever it is.
        usual: those, and what a whole answer has besides, unless something else is said.
        caller: who asks, where that is told by the head as long as the process lives.
    """

    __slots__ = (
        "accepted",
        "caller",
        "fixed",
        "headers",
        "is_checked",
        "length",
        "method",
        "query_string",
        "raw",
        "request_id",
        "takes_whole",
        "usual",
        "verb",
    )

    def __init__(self, verb: str, query_string: bytes, raw: Sequence[Pair]) -> None:
        self.verb = verb
        self.method = "GET" if verb == "HEAD" else verb
        self.query_string = query_string
        self.raw = raw
        self.headers = headers_of(raw)
        declared = self.headers.get("content-length", "")
        self.length = int(declared) if declared.isdecimal() else 0
        self.request_id = negotiation.usable_id(self.headers.get("x-request-id", ""))
        self.is_checked = self.takes_whole = False
        self.accepted = _PLAIN_JSON
        self.fixed = self.usual = NONE
        self.caller: Caller | None = None

    def check_size(self, limit: int) -> None:
        """Raise BadRequest (413) if it says that the body is larger than `limit` bytes."""
        if self.length > limit:
            _reject_size(limit)


class Heads(Generic[Text]):
    """Heads that are kept by what they were read from; all are forgotten when there is no room.

    They are in memory alone, as they hold what clients prove by who they are.
    """

    def __init__(self) -> None:
        self._kept: dict[Text, Head] = {}
        self._size = 0
        self.get = self._kept.get

    def keep(self, text: Text, head: Head) -> None:
        """Keep one, unless it cannot come again."""
        if head.verb != "POST" or not _PASSING.isdisjoint(head.headers):
            return
        size = len(head.query_string) + sum(len(name) + len(value) for name, value in head.raw)
        self._size += size
        if self._size > _MOST_BYTES:
            self._kept.clear()
            self._size = size
        self._kept[text] = head


class Exchange:
    """A request and what is found out about its answer; how it comes and goes adaptors know.

    Attributes:
        head: what came before the body.
        peer: the address that the connection comes from.
        connection: what the server knows of it.
        request_id: names the request in logs; the client's own if it sent a usable one.
        extra: headers that the answer gets besides, or instead of, the usual ones.
        is_gone: nobody waits for the answer any more.
        task: answers it; set by the adaptor.
        reads: the task does nothing now but what ends with the client.
        whole: the body; None until all of it is here.
    """

    task: "asyncio.Task[Any]"
    # What few requests need is made when they do.
    _chunks: list[bytes] | None = None
    _size = 0
    # Others than its own task that read for it.
    _reading: tuple["asyncio.Task[Any]", ...] = ()

    def __init__(
        self, head: Head, peer: str, connection: Connection | None, whole: bytes | None = None
    ) -> None:
        self.head = head
        self.peer = peer
        self.connection = connection
        self.request_id = head.request_id or negotiation.new_id()
        self.whole = whole
        self.is_gone = self.reads = False
        self.extra = _NOTHING

    # What an adaptor does -----------------------------------------------------------------------

    async def more(self) -> None:
        """Return when more of the body was fed, or the client has gone."""
        raise NotImplementedError

    def write(self, answer: Answer) -> Awaitable[None] | None:
        """Send a whole answer; None when nothing is to be waited for."""
        raise NotImplementedError

    async def stream(self, stream: Stream) -> None:
        """Send a stream, to its end or the client's."""
        raise NotImplementedError

    def end(self) -> None:
        """Let go of the request: all is done that will be."""

    # The body ---------------------------------------------------------------------------------

    def feed(self, chunk: bytes, *, more: bool) -> None:
        """Take a piece of the body, and whether there is more."""
        self._size += len(chunk)
        if self._chunks is not None:
            self._chunks.append(chunk)
        elif more:
            self._chunks = [chunk]
        if not more:
            self.whole = chunk if self._chunks is None else b"".join(self._chunks)
            self._chunks = None

    def check_body(self, limit: int) -> None:
        """See whether a body that is not whole can still become one.

        Raises:
            BadRequest: it is larger than `limit` bytes (413), or the client went away.
        """
        if self._size > limit:
            _reject_size(limit)
        if self.is_gone:
            raise BadRequest(400, "The client went away.")

    # The client ---------------------------------------------------------------------------------

    @property
    def is_reading(self) -> bool:
        """Whether something is under way that ends when the client goes."""
        return self.reads or bool(self._reading)

    def hang_up(self) -> None:
        """Note that the client has gone: what only reads for it is let go, the rest goes on."""
        if self.is_gone:
            return
        self.is_gone = True
        for task in self._reading:
            task.cancel()
        if self.reads:
            self.task.cancel()

    async def unless_gone(self, reading: Coroutine[Any, Any, T]) -> T:
        """Return what `reading` does; cancel it when the client goes.

        Raises:
            ClientGone: it went.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        if self.is_gone:
            raise ClientGone
        self._reading = (*self._reading, task)
        try:
            return await reading
        except asyncio.CancelledError:
            if self.is_let_go(task):
                raise ClientGone from None
            raise
        finally:
            self._reading = tuple(each for each in self._reading if each is not task)

    def is_let_go(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task was cancelled because the client has gone; then it is so no longer."""
        if self.is_gone:
            task.uncancel()
        return self.is_gone

    # The answer ---------------------------------------------------------------------------------

    def say(self, headers: Mapping[str, str]) -> None:
        """Give the answer these headers, besides or instead of the usual ones."""
        self.extra = {**self.extra, **headers}

    def coding(self, size: int, compress_from: int) -> str | None:
        """Return how an answer of `size` bytes is compressed: if it is large, as the client likes.

        Args:
            size: in bytes.
            compress_from: the smallest that is; 0 for none.
        """
        if not 0 < compress_from <= size:
            return None
        return compression.coding(self.head.headers.get("accept-encoding", ""))

    def answer(self, status: int, body: bytes, coding: str | None = None) -> Answer:
        """Return a whole answer, compressed if a coding is given."""
        head = self.head
        if coding is None and not self.extra and head.is_checked and status != NOT_MODIFIED:
            return Answer(status, {"x-request-id": self.request_id}, head.usual, body)
        headers = {
            **_usual(negotiation.CONTENT_TYPES[head.accepted.media_type]),
            "x-request-id": self.request_id,
            **self.extra,
        }
        if status == NOT_MODIFIED:  # It has no body of its own.
            del headers["content-type"]
        elif coding is not None:
            headers["content-encoding"] = coding
            body = compression.CODINGS[coding](body)
        return Answer(status, headers, head.fixed, body)

    def stream_headers(self, content_type: str) -> dict[str, str]:
        """Return the headers of a stream."""
        return {
            **_usual(content_type),
            "x-request-id": self.request_id,
            # Nginx would hold back what is not yet a full buffer.
            "x-accel-buffering": "no",
            **self.extra,
        }


def _reject_size(limit: int) -> NoReturn:
    raise BadRequest(413, f"The body is larger than {limit} bytes.")


@lru_cache(maxsize=64)
def usual_headers(media_type: str, fixed: FixedHeaders) -> FixedHeaders:
    """Return the headers of a whole answer of a type that are always the same, with `fixed`."""
    usual = _usual(negotiation.CONTENT_TYPES[media_type]).items()
    return FixedHeaders((*((name.encode(), value.encode()) for name, value in usual), *fixed.pairs))


def _usual(content_type: str) -> dict[str, str]:
    """Return the headers of all answers, of which nothing else is said."""
    return {"content-type": content_type, "cache-control": "no-store", "vary": _VARY}


class Kept(Protocol):
    """Who knows whether a connection goes on after an answer."""

    keep_alive: bool


def write_now(
    transport: asyncio.WriteTransport,
    kept: Kept,
    answer: Answer | Stream,
    more: Iterable[Pair],
    *rest: bytes,
) -> None:
    """Write the head of an answer as HTTP/1.1 has it, and what follows it, in one go.

    Args:
        transport: takes it.
        kept: an answer that says so ends its connection.
        answer: has a status and headers.
        more: headers that a server adds to all answers.
        rest: the empty line that ends the head, and a body; more headers may come before.
    """
    headers = answer.headers
    kept.keep_alive = kept.keep_alive and headers.get("connection") != "close"
    if not kept.keep_alive:
        headers["connection"] = "close"
    lines = ""
    for name, value in headers.items():
        lines += f"{name}: {value}\r\n"
    pieces = [_STATUS_LINES[answer.status], answer.fixed.text, lines.encode("latin-1")]
    if more:
        pieces += map(b"%s: %s\r\n".__mod__, more)
    pieces += rest
    if len(rest[-1]) < COPIED:
        transport.write(b"".join(pieces))
    else:
        transport.writelines(pieces)


def headers_of(raw: Sequence[Pair]) -> dict[str, str]:
    """Return the headers of a request or handshake by lower-case name; repeated ones as a list."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) < len(raw):
        for name in headers:
            values = [
                value.decode("latin-1") for each, value in raw if each.decode("latin-1") == name
            ]
            headers[name] = ", ".join(values)
    return headers
