"""Limits below HTTP: how many connections, how many headers, and how slow a client may be.

uvicorn waits for ever for headers, bodies and readers, keeps any number of headers, answers
malformed requests in plain text, takes requests for no host or two, and sends chunks to clients of
HTTP/1.0. This is its protocol class with these edges taken off; every refusal is JSON in the form
of a GraphQL error, after which the connection is closed.

At the limit of connections, or when few open files are left, the one makes room whose client has
let us wait longest. Where none has, a connection more may ask only how the process is: whoever
finds no answer to that would end it.
"""

import asyncio
import logging
import math
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, NamedTuple, NoReturn

import orjson

from gateway.draining import Draining
from gateway.error_codes import ErrorCode
from gateway.errors import SOME_TIME, ShuttingDown, failure
from gateway.observability.refusals_below_http import Kind, RefusalsBelowHttp, uncounted
from gateway.server import open_files
from gateway.server._compat import ASGISendEvent, RequestResponseCycle, get_remote_addr
from gateway.server.beats import Beats
from gateway.server.door import Door
from gateway.server.event_stream import EventStream
from gateway.server.head_keeper import HeadKeeper
from gateway.settings.model import Settings
from gateway.transport.exchange import Heads
from gateway.transport.graphql_endpoint import Endpoint

# What is answered whatever else there is to do; and how many may ask for it beyond the limit.
_ALWAYS = frozenset({b"/healthz", b"/readyz", b"/metrics"})
_RESERVE = 20
# Seconds for which a client may let us wait, before it has to make room for others.
_GRACE = 1.0
# Seconds for which a client may be about to ask that was just answered, or has just come.
_JUST_NOW = 0.4
_JUST_COME = 2.0
# Seconds for which a connection beyond the limit is kept, so that it can ask; and how many are kept
# for that at most, as they may come faster.
_MOMENT = 0.1
_MOST_RESERVED = 200
_TOO_MANY = "There are too many connections."
_STATUS: Final[Mapping[Kind, HTTPStatus]] = {
    "connection_limit": HTTPStatus.SERVICE_UNAVAILABLE,
    "open_files": HTTPStatus.SERVICE_UNAVAILABLE,
    "head_timeout": HTTPStatus.REQUEST_TIMEOUT,
    "body_timeout": HTTPStatus.REQUEST_TIMEOUT,
    "head_size": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "bad_host": HTTPStatus.BAD_REQUEST,
    "bad_request": HTTPStatus.BAD_REQUEST,
    "bad_expectation": HTTPStatus.EXPECTATION_FAILED,
}
# uvicorn warns of each request that cannot be read, which a flood would fill the disk with.
_SERIOUS = logging.getLogger("uvicorn.error.http")
_SERIOUS.setLevel(logging.ERROR)
# Requests can be as small as 26 bytes: so much is parsed before it is seen whether one waits.
_SLICE = 4096
# What a name, an address and a port are made of (RFC 9110, 7.2; RFC 3986, 3.2.2).
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")


class WireLimits(NamedTuple):
    """What one process bears. Times are in seconds, sizes in bytes."""

    headers: int
    header_bytes: int
    header_timeout: float
    body_timeout: float
    write_timeout: float

    @classmethod
    def of(cls, settings: Settings) -> "WireLimits":
        """Return the limits that the settings ask for."""
        return cls(
            headers=settings.header_limit,
            header_bytes=settings.header_bytes_limit,
            header_timeout=settings.header_timeout,
            body_timeout=settings.body_timeout,
            write_timeout=settings.write_timeout,
        )


def protocol_class(
    settings: Settings,
    draining: Draining | None = None,
    refused: RefusalsBelowHttp | None = None,
    answers: Endpoint | None = None,
) -> type["GuardedProtocol"]:
    """Return the protocol class for `uvicorn.Config(http=…)`.

    Args:
        settings: what one process bears.
        draining: knows when connections are kept no longer; without it they always are.
        refused: counts and logs who is refused.
        answers: is asked straight for what is sent to `/graphql`; without it, over ASGI.
    """
    end, refusals = draining or Draining(0), refused or uncounted()

    class Protocol(GuardedProtocol):
        __slots__ = ()
        limits = WireLimits.of(settings)
        crowd = Crowd(settings.connection_limit, open_files.allowed())
        door = Door()
        draining = end
        refused = refusals
        endpoint = answers
        heads = Heads()
        beats = Beats(settings.keep_alive, EventStream.beat)

    return Protocol


class _Refused(Exception):
    """Raised within the parser: the request's head is not acceptable."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Crowd:
    """The connections of one process beyond its limit, or for which it has no files.

    Args:
        limit: how many connections are let in.
        files: how many files the process may open.

    Attributes:
        reserved: those that may only ask how the process is, and why; the oldest first.
    """

    def __init__(self, limit: int, files: int) -> None:
        self.reserved: dict[GuardedProtocol, Kind] = {}
        kept_back = open_files.kept_back(files)
        self._limit = min(limit, files - kept_back)
        self._binds: Kind = "connection_limit" if limit == self._limit else "open_files"
        self._last_file = files - kept_back // 2
        self._most_reserved = min(_MOST_RESERVED, kept_back // 3)
        self._timer: asyncio.TimerHandle | None = None

    def excess(self, count: int, transport: asyncio.Transport) -> Kind | None:
        """Return which limit the newest of `count` connections is beyond; None for none."""
        if count - len(self.reserved) > self._limit:
            return self._binds
        # A file has the lowest number that is free, so a high one tells that others took them.
        if transport.get_extra_info("socket").fileno() >= self._last_file:
            return "open_files"
        return None

    def admit(self, new: "GuardedProtocol", kind: Kind, others: Iterable[object]) -> None:
        """Make room for a new connection; or let it ask only how the process is."""
        now = new.loop.time()
        waiting = [
            each
            for each in others
            if isinstance(each, GuardedProtocol)
            and each.waits_since < now - _GRACE
            and each not in self.reserved
        ]
        if waiting:
            min(waiting, key=lambda each: each.waits_since).make_room(kind)
            return
        self.reserved[new] = kind
        self._thin_out(new.loop)

    def _thin_out(self, loop: asyncio.AbstractEventLoop) -> None:
        """Turn the oldest away, when there are too many that have had the time to ask."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while len(self.reserved) > min(_RESERVE, self._most_reserved):
            oldest = next(iter(self.reserved))
            left = oldest.waits_since + _MOMENT - loop.time()
            if left > 0 and len(self.reserved) <= self._most_reserved:
                self._timer = loop.call_later(min(left, _MOMENT), self._thin_out, loop)
                return
            oldest.turn_away(self.reserved.pop(oldest))


class ReaderWatch:
    """Cuts off a client that reads nothing of what waits for it."""

    __slots__ = ("_loop", "_patience", "_refused", "_timer", "_transport")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        patience: float,
        refused: RefusalsBelowHttp,
    ) -> None:
        self._refused = refused
        self._loop = loop
        self._transport = transport
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch, when nothing more will be written until the client has read."""
        left = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(self._patience, self._look, left)

    def stop(self) -> None:
        """The client has caught up, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, left: int) -> None:
        """See whether anything was read since `left` bytes waited."""
        if self._transport.get_write_buffer_size() < left:
            self.start()
            return
        self._timer = None
        client = get_remote_addr(self._transport)
        self._refused("slow_reader", client and client[0])
        self._transport.abort()


class _ClosingSend:
    """Sends an answer after which the connection is closed.

    Its end is the end of the body when nothing else tells: HTTP/1.0 knows no chunks (RFC 9112,
    6.1).
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._knows_chunks = cycle.scope["http_version"] >= "1.1"
        self._ends_by_closing = False

    async def __call__(self, message: ASGISendEvent) -> None:
        """Send a message."""
        cycle = self._cycle
        if message["type"] == "http.response.start":
            # Not told to send its body, the client may yet do so, or send its next request.
            cycle.keep_alive = cycle.keep_alive and not cycle.waiting_for_100_continue
            names = {name.lower() for name, _ in message.get("headers", ())}
            if not self._knows_chunks and b"content-length" not in names:
                self._ends_by_closing, cycle.chunked_encoding = True, False
        elif message["type"] == "http.response.body" and self._ends_by_closing:
            # uvicorn compares what is sent with what was announced.
            cycle.expected_content_length = len(message.get("body", b""))
        await self._send(message)


class GuardedProtocol(HeadKeeper):
    """One connection of a client, which may be slow, careless or hostile."""

    limits: ClassVar[WireLimits]
    crowd: ClassVar[Crowd]
    door: ClassVar[Door]
    draining: ClassVar[Draining]
    refused: ClassVar[RefusalsBelowHttp]
    __slots__ = (
        "_head_bytes",
        "_idling",
        "_is_whole",
        "_last_words",
        "_patience",
        "_receiving",
        "_refusal",
        "_unparsed",
        "_watch",
        "came",
        "waits_since",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self.logger = _SERIOUS
        self._patience: asyncio.TimerHandle | None = None
        self._idling: asyncio.TimerHandle | None = None
        self._watch: ReaderWatch | None = None
        self._head_bytes = 0
        self._receiving = False
        # Nothing has come of a request that is not here as a whole.
        self._is_whole = True
        self._refusal: _Refused | None = None
        # A refusal that waits until all that was asked before it is answered.
        self._last_words: bytes | None = None
        # When it was let in, for ever in the future if it asked after the end was announced; and
        # since when the client has been waited for: for ever in the future while it is not.
        self.came = self.waits_since = math.inf
        self._unparsed = b""

    # Connections --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        self._watch = ReaderWatch(self.loop, transport, self.limits.write_timeout, self.refused)
        self.came = self.loop.time()
        if self.door.enter(self):
            self._expect_rest()
            self.waits_since = self.came
        else:
            self.flow.pause_reading()
        beyond = self.crowd.excess(len(self.connections), transport)
        if beyond is not None:
            self.crowd.admit(self, beyond, self.connections)

    def begin(self) -> None:
        """Read what the client asks, which has had to wait for others."""
        if not self.transport.is_closing():
            self._expect_rest()
            self.came = self.waits_since = self.loop.time()
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection's timers."""
        self._cancel_patience()
        if self._idling is not None:
            self._idling.cancel()
        self.crowd.reserved.pop(self, None)
        self.resume_writing()
        super().connection_lost(exc)
        # uvicorn tells the latest request alone, which may be behind the one that is answered.
        if self.running is not None and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()

    def make_room(self, kind: Kind) -> None:
        """Close, as the client has been waited for in vain."""
        self._note(kind)
        # It counts no more from this moment on.
        self.connections.discard(self)
        self._cancel_patience()
        self._head_is_late()

    def turn_away(self, kind: Kind) -> None:
        """Refuse the connection: there are too many."""
        self._refuse(kind, _TOO_MANY)

    def keep_no_longer(self) -> None:
        """Close after the answer that is under way, and say so in it."""
        cycle = self.latest()
        if cycle is not None:
            cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close as soon as nothing is under way.

        Who has just come, or was just answered, may be about to ask, and is to be answered, too.
        """
        if self._busy() is not None or self.loop.time() - self.waits_since > _JUST_NOW:
            super().shutdown()

    def may_ask(self, told: float) -> bool:
        """Whether a request may be on its way, as the client has only now been let in, or answered.

        Args:
            told: who came, or asked, since this time of the loop's clock is taken for that until it
                is answered.
        """
        soon = _JUST_COME if self.came == self.waits_since else _JUST_NOW
        return self.came >= told or 0 <= self.loop.time() - self.waits_since <= soon

    # Heads --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read what came; the first bytes of a head start its time.

        While a request waits for the answers to those before it, nothing behind it is read: a
        client that sends many at once is to have no more than it sends in memory.
        """
        # Requests are still taken, none is under way, and nothing has come of the next.
        is_next = (
            self._is_whole
            and self.waits_since < math.inf
            and self._last_words is None
            and not self.draining.announced
            and self not in self.crowd.reserved
            and not self.transport.is_closing()
        )
        if is_next and self.begin_whole(data):
            if self._patience is not None:
                self._cancel_patience()
            self.waits_since = math.inf
            return
        for start in range(0, len(data), _SLICE):
            if self.transport.is_closing() or self._last_words is not None:
                return
            if self.pipeline:
                self._unparsed += data[start:]
                self.flow.pause_reading()
                return
            self._is_whole = self._is_whole and start > 0
            super().data_received(data[start : start + _SLICE])
        if not (self._is_whole or self._patience or self.transport.is_closing()):
            self._expect_rest()
        if is_next and self._is_whole:
            self.keep_head(data)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over: from here on its time is for the WebSocket to measure."""
        self._cancel_patience()
        self._is_whole = True
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_whole = False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take the target, which is part of the head."""
        self.url += url
        self._head_bytes += len(url)
        if self._head_bytes > self.limits.header_bytes:
            self._reject_size()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, and keep it while there are not too many.

        Blanks around a value are none of it (RFC 9110, 5.5); the parser leaves those behind it.
        What is expected is looked at when all are here.
        """
        self._head_bytes += len(name) + len(value)
        limits = self.limits
        if self._head_bytes > limits.header_bytes or len(self.headers) >= limits.headers:
            self._reject_size()
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """Start the request, and the time that its body may take."""
        if self.is_declined():
            self._head_bytes = 0
            return
        version = self.parser.get_http_version()
        self._check_head(version)
        if self._patience is not None:
            self._cancel_patience()
        self._head_bytes = 0
        self._receiving = True
        super().on_headers_complete()
        self.waits_since = math.inf
        cycle = self.latest()
        if self.draining.announced:
            # It is heard out until it is answered: only some steps later is it seen to be work.
            self.came = math.inf
        if self in self.crowd.reserved or self.draining.announced:
            self.keep_no_longer()
        if cycle is not None and (version < "1.1" or cycle.waiting_for_100_continue):
            cycle.send = _ClosingSend(cycle)  # type: ignore[method-assign]

    def on_message_complete(self) -> None:
        """The whole request is here: nothing is waited for any more."""
        if self._declined:
            return
        if self._patience is not None:
            self._cancel_patience()
        self._receiving = False
        self._is_whole = True
        super().on_message_complete()

    def _check_head(self, version: str) -> None:
        """Refuse a head that does not say for whom it is, or expects what nobody here does."""
        beyond = self.crowd.reserved.get(self)
        if beyond is not None and self.url.partition(b"?")[0] not in _ALWAYS:
            self._reject(beyond, _TOO_MANY)
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
                if hosts > 1 or not _HOST.fullmatch(value):
                    self._reject("bad_host", "There must be one Host, a name.")
            elif name == b"expect":
                self._check_expectations(value)
        if not hosts and version >= "1.1":
            self._reject("bad_host", "The header Host is missing.")
        if version < "1.1":
            # It knows no 100, and is not asked to wait for one (RFC 9110, 10.1.1).
            self.expect_100_continue = False

    def _check_expectations(self, value: bytes) -> None:
        """Take a list of expectations (RFC 9110, 10.1.1); uvicorn knows but the value alone."""
        expected = {each.strip().lower() for each in value.split(b",")} - {b""}
        if expected - {b"100-continue"}:
            self._reject("bad_expectation", "Only 100-continue can be expected.")
        self.expect_100_continue = self.expect_100_continue or bool(expected)

    def _reject_size(self) -> NoReturn:
        limits = self.limits
        if self._head_bytes > limits.header_bytes:
            self._reject("head_size", f"The head is larger than {limits.header_bytes} bytes.")
        self._reject("head_size", f"There are more than {limits.headers} headers.")

    def _reject(self, kind: Kind, message: str) -> NoReturn:
        """Stop the parser; what it raises from its callbacks it only passes on wrapped."""
        self._refusal = _Refused(kind, message)
        raise self._refusal

    def _expect_rest(self) -> None:
        """Bound the time until what is missing of a request is there."""
        limits = self.limits
        self._patience = (
            self.loop.call_later(limits.body_timeout, self._body_is_late)
            if self._receiving
            else self.loop.call_later(limits.header_timeout, self._head_is_late)
        )

    # Slowness -----------------------------------------------------------------------------------

    def _head_is_late(self) -> None:
        self._patience = None
        if self._busy() is not None:
            return  # A pipelined request begins while the one before it is being answered.
        if not self._head_bytes:
            self.transport.close()  # Nothing was asked, so there is nothing to answer.
            return
        self._refuse("head_timeout", "The request's head took too long.")

    def _body_is_late(self) -> None:
        self._patience = None
        cycle = self.latest()
        if cycle is not None and cycle.response_started:
            self._note("body_timeout")
            self.transport.close()
        else:
            self._refuse("body_timeout", "The request's body took too long.")

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: see to it that it reads at all."""
        super().pause_writing()
        if self._watch is not None:
            self._watch.start()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._watch is not None:
            self._watch.stop()
        super().resume_writing()

    def _busy(self) -> RequestResponseCycle | None:
        cycle = self.latest()
        return cycle if cycle is not None and not cycle.response_complete else None

    def _cancel_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    # Refusals -----------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser cannot read."""
        if self._refusal is not None:
            self._refuse(self._refusal.kind, self._refusal.message)
        else:
            self._refuse("bad_request", msg)

    def _note(self, kind: Kind) -> None:
        self.refused(kind, self.client and self.client[0])

    def _refuse(self, kind: Kind, message: str) -> None:
        """Answer in JSON and close, once all earlier requests of the connection are answered."""
        self._cancel_patience()
        if self.transport.is_closing():
            return
        self._note(kind)
        status = _STATUS[kind]
        cycle = self._busy()
        if cycle is not None and (self.pipeline or not self._receiving):
            if self._receiving:
                self.pipeline.popleft()  # The request that is refused; it has not begun.
            self._last_words = _refusal(status, message)
            return
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        self._close_with(_refusal(status, message))

    def on_response_complete(self) -> None:
        """Go on with the next request, or with the refusal that ends the connection."""
        self.server_state.total_requests += 1
        if self.pipeline:
            if not self.transport.is_closing():
                self.flow.resume_reading()
                self._start_asgi_task(*self.pipeline.pop())
            if self.pipeline:
                self.flow.pause_reading()
                return
        else:
            self.waits_since = self.loop.time()
            if self.transport.is_closing():
                return
            if self.flow.read_paused:
                self.flow.resume_reading()
            if self._last_words is not None:
                self._close_with(self._last_words)
            elif self._idling is None:
                self._close_after(self.timeout_keep_alive)
        if self._unparsed:
            data, self._unparsed = self._unparsed, b""
            self.data_received(data)

    def _close_after(self, seconds: float) -> None:
        self._idling = self.loop.call_later(seconds, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """Close the connection if nothing was asked for long. One timer serves many requests."""
        self._idling = None
        if self.transport.is_closing():
            return
        since = self.waits_since if self._is_whole else math.inf
        left = min(since - self.loop.time(), 0) + self.timeout_keep_alive
        if left > 0:
            self._close_after(left)
        else:
            self.transport.close()

    def _close_with(self, words: bytes) -> None:
        self.transport.write(words)
        self.transport.close()


def _refusal(status: HTTPStatus, message: str, code: ErrorCode | None = None) -> bytes:
    """Return a whole answer after which the connection is closed."""
    more: dict[str, object] = {}
    later = ""
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        more["retryAfterMs"] = math.ceil(SOME_TIME * 1000)
        code = code or ErrorCode.RATE_LIMITED
        later = f"retry-after: {math.ceil(SOME_TIME)}\r\n"
    body = orjson.dumps(failure(message, code or ErrorCode.BAD_REQUEST, **more))
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: application/json; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        "x-content-type-options: nosniff\r\n"
        f"{later}"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


FAREWELL: Final = _refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(ShuttingDown()), ShuttingDown.code)
"""Told to whoever has got in but is not served any more."""
