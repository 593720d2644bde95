"""Limits below WebSocket messages: how many frames, and how slow a client may be.

uvicorn answers every ping, also of a client that reads no answers; gathers any number of fragments,
which may be empty; waits for ever for a reader; and refuses handshakes in plain text. This is its
protocol class with these edges taken off.
"""

import asyncio
import logging
import secrets
from http import HTTPStatus
from typing import Any, ClassVar, Final, cast

import orjson

from gateway.error_codes import ErrorCode
from gateway.errors import failure
from gateway.observability.refusals_below_http import Kind, RefusalsBelowHttp, uncounted
from gateway.server._websocket_compat import (
    ASGISendEvent,
    ClientDisconnected,
    CloseCode,
    Frame,
    Headers,
    Opcode,
    Request,
    Response,
    ServerProtocol,
    WebSocketsSansIOProtocol,
    apply_mask,
)
from gateway.server.beats import Beats
from gateway.server.flow import Gate
from gateway.server.http_limits import ReaderWatch
from gateway.settings.model import Settings
from gateway.transport.unsent import CONNECTION
from gateway.transport.websocket import WIRE, Taker, close_reason

# uvicorn logs a traceback for each text that is not UTF-8: a flood would fill the disk with them.
_SERIOUS = logging.getLogger("uvicorn.error.websocket")
_SERIOUS.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError))
)

# A frame can be as small as six bytes: so much is parsed before what came is counted.
_SLICE = 4096
_MOST_FRAGMENTS = 1000
# Pings, pongs and fragments that one client may send in so many seconds. Messages are slowed down
# by their answers; these cost their sender next to nothing.
_MOST_FRAMES = 5000
_WINDOW = 10.0
# Seconds for a client to answer that a WebSocket is closed: until then it takes a connection.
_CLOSING = 1.0
# The first byte of a whole text, and the sizes from which its length takes two and eight bytes.
_TEXT: Final = 0x81
_MEDIUM, _LONG = 126, 2**16
# That of a whole pong, the bytes of a frame before its content, and what the second one has besides
# the length.
_PONG = 0x8A
_SMALL: Final = frozenset({_TEXT, _PONG})
_LEAST, _MASKED = 6, 0x80
_PONG_MESSAGE: Final = b'{"type":"pong"}'
_LEAVING = "This process is shutting down: connect again"


def socket_class(
    settings: Settings, refused: RefusalsBelowHttp | None = None
) -> type["GuardedSocket"]:
    """Return the protocol class for `uvicorn.Config(ws=…)`; `refused` counts who is refused."""
    refusals = refused or uncounted()

    class Socket(GuardedSocket):
        write_timeout = settings.write_timeout
        keep_alive = settings.keep_alive
        refused = refusals
        beats = Beats(settings.keep_alive, GuardedSocket.beat)
        deadlines = Beats(settings.write_timeout, GuardedSocket.keepalive_timeout)

    return Socket


class _Handshakes(ServerProtocol):
    """Refuses handshakes in the form of a GraphQL error.

    Attributes:
        reason: why the application refuses this one; "" when it does not say.
    """

    reason = ""

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """Return the answer to a handshake that is refused."""
        status = HTTPStatus(status)
        message = text.strip() or self.reason or f"The WebSocket is refused: {status.phrase}."
        forbidden = status is HTTPStatus.FORBIDDEN
        code = ErrorCode.FORBIDDEN if forbidden else ErrorCode.BAD_REQUEST
        body = orjson.dumps(failure(message, code))
        headers = Headers(
            [
                ("content-type", "application/json; charset=utf-8"),
                ("content-length", str(len(body))),
                ("x-content-type-options", "nosniff"),
                ("connection", "close"),
            ]
        )
        return Response(status.value, status.phrase, headers, body)


class _Told:
    """In place of a queue of messages for an application: tells a taker that the client is gone."""

    __slots__ = ("_taker",)

    def __init__(self, taker: Taker) -> None:
        self._taker: Taker | None = taker

    def put_nowait(self, _: object) -> None:
        """Take the last message."""
        taker, self._taker = self._taker, None
        if taker is not None:
            taker.gone()


class GuardedSocket(WebSocketsSansIOProtocol):
    """One WebSocket of a client, which may be slow, careless or hostile."""

    write_timeout: ClassVar[float]
    keep_alive: ClassVar[float]
    refused: ClassVar[RefusalsBelowHttp]
    beats: ClassVar["Beats[GuardedSocket]"]
    deadlines: ClassVar["Beats[GuardedSocket]"]
    # Who is told of messages, once the connection was handed over; and of the bytes that have come,
    # those that are to be read later.
    _taker: Taker | None = None
    _on_hold = False
    _unread = b""
    # Whether the latest ping that was a message was answered.
    _was_answered = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self.logger = _SERIOUS
        # uvicorn pings, and closes when no pong comes. Browsers answer by themselves; a client that
        # does not is as one that does not read.
        self.ping_interval, self.ping_timeout = self.keep_alive, self.write_timeout
        self.close_timeout = _CLOSING
        self.conn = self._handshakes = _Handshakes(
            # Compression of messages takes 40 KiB of each connection.
            extensions=[],
            max_size=self.config.ws_max_size,
            logger=self.logger,
        )
        self._watch: ReaderWatch | None = None
        self._frames_since = 0.0
        self._frames = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection over; whatever waits to be read by the client counts as a pause."""
        super().connection_made(transport)
        self.writable = cast("asyncio.Event", Gate())
        self.transport.set_write_buffer_limits(high=0)
        self._watch = ReaderWatch(self.loop, self.transport, self.write_timeout, self.refused)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection's timers."""
        if self._watch is not None:
            self._watch.stop()
        self.beats.leave(self)
        self.deadlines.leave(self)
        self._taker = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close, as the process ends, and say that clients may come back at once."""
        if self.handshake_complete and not self.close_sent:
            code = CloseCode.SERVICE_RESTART
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code.value})
            self.conn.send_close(code, _LEAVING)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()

    def handle_connect(self, event: Request) -> None:
        """Hand a handshake to the application, which may have to know the connection itself."""
        super().handle_connect(event)
        if self.close_sent:
            self._note("websocket_handshake")
        else:
            self.scope[CONNECTION] = self  # type: ignore[typeddict-unknown-key] # ours
            self.scope[WIRE] = self  # type: ignore[typeddict-unknown-key] # ours

    async def run_asgi(self) -> None:
        """Run the application, to its end or until it hands the connection over."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        if self._taker is None and self.close_timer is None:
            self.transport.close()

    # Handed over: a `gateway.transport.websocket.Wire` ------------------------------------------

    def hand_over(self, taker: Taker) -> None:
        """Tell `taker` of what comes from now on; what only the handshake needed is forgotten."""
        waiting = self.queue
        self._taker = taker
        self.queue = cast("asyncio.Queue[Any]", _Told(taker))
        self.stop_keepalive()
        self.beats.watch(self)
        del self.scope, self.request, self.response, self.app_state
        while not waiting.empty():
            message: Any = waiting.get_nowait()
            if message["type"] == "websocket.disconnect":
                taker.gone()
                return
            text = message.get("text")
            taker.take(message["bytes"] if text is None else text.encode())
        self.go_on()

    def write(self, text: bytes) -> None:
        """Send a message."""
        if self.close_sent or self.transport.is_closing():
            return
        size = len(text)
        if size < _MEDIUM:
            head = bytes((_TEXT, size))
        elif size < _LONG:
            head = b"%c\x7e%b" % (_TEXT, size.to_bytes(2, "big"))
        else:
            head = b"%c\x7f%b" % (_TEXT, size.to_bytes(8, "big"))
        self.transport.write(head + text)

    def close(self, code: int, reason: str) -> None:
        """Close it."""
        if self.close_sent or self.transport.is_closing():
            return
        self.beats.leave(self)
        self.conn.send_close(code, close_reason(reason))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def alive(self) -> None:
        """Hear that the client has answered a ping that is a message."""
        self._was_answered = True

    def hold(self) -> None:
        """Tell of no message until `go_on`."""
        self._on_hold = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def go_on(self) -> None:
        """Tell of messages again."""
        self._on_hold = False
        data, self._unread = self._unread, b""
        if self.transport.is_closing():
            return
        if data:
            self.data_received(data)
        if not self._on_hold and self.writable.is_set() and not self.transport.is_closing():
            self.transport.resume_reading()

    def beat(self) -> None:
        """Ping the client: by a message, and by a frame where that was not answered before.

        Browsers answer frames by themselves, also of a page that sleeps; and not every client
        answers messages.
        """
        taker = self._taker
        if taker is None or self.close_sent or self.transport.is_closing():
            return
        self.beats.watch(self)
        if taker.ping is not None:
            self.write(taker.ping)
        if self._was_answered:
            self._was_answered = False
            return
        if self.pending_ping_payload is None:
            self.pending_ping_payload = payload = secrets.token_bytes(4)
            self.conn.send_ping(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.deadlines.watch(self)

    def send_receive_event_to_app(self) -> None:
        """Tell of a message."""
        taker = self._taker
        if taker is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            try:
                data.decode()
            except UnicodeDecodeError:
                self.conn.send_close(CloseCode.INVALID_DATA)
                self.handle_parser_exception()
                return
        self.beats.watch(self)
        taker.take(bytes(data))

    # Slowness -----------------------------------------------------------------------------------

    @property
    def write_paused(self) -> bool:
        """See `gateway.transport.unsent.Connection`."""
        return not self.writable.is_set()

    async def drain(self) -> None:
        """See `gateway.transport.unsent.Connection`."""
        await self.writable.wait()

    @property
    def is_gone(self) -> bool:
        """See `gateway.transport.unsent.Connection`."""
        return self.transport.is_closing()

    def cut(self) -> None:
        """See `gateway.transport.unsent.Connection`."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """Take nothing more from a client that does not read: pings would be answered, too."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()
        if self._watch is not None:
            self._watch.start()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._watch is not None:
            self._watch.stop()
        super().resume_writing()
        if self._taker is not None:
            if not self._on_hold:
                self.go_on()
        elif not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; why a handshake is refused is told to whoever shook hands.

        Raises:
            ClientDisconnected: the client is gone, or was cut off.
        """
        if message["type"] == "websocket.send" and (self.close_sent or self.transport.is_closing()):
            raise ClientDisconnected
        if message["type"] == "websocket.close" and not self.handshake_complete:
            self._handshakes.reason = message.get("reason") or ""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # uvicorn would complain that there was no answer to it.
            self.handshake_complete = True

    async def receive(self) -> Any:  # noqa: ANN401 - an ASGI message
        """Return the next message; reading goes on only while the client reads, too."""
        message = await super().receive()
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    # Frames -------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Parse what came bit by bit, until it is too much."""
        if self._taker is not None and not (self.frames or self.conn.reader.buffer):
            data = self._take_small(data)
        for start in range(0, len(data), _SLICE):
            if self.transport.is_closing():
                return
            if self._taker is not None and (self._on_hold or not self.writable.is_set()):
                self._unread += data[start:]
                return
            super().data_received(data[start : start + _SLICE])
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # The head was refused before it was a request.
            self._note("websocket_handshake")
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def _take_small(self, data: bytes) -> bytes:
        """Take the whole small frames that come first, as most do alone; return the rest.

        The library's parser takes as long for an answer to a ping as all else that is done for it.
        """
        at, end = 0, min(len(data), _SLICE)
        while end - at >= _LEAST and self.writable.is_set() and not self._on_hold:
            kind, start = data[at], at + _LEAST
            stop = start + data[at + 1] - _MASKED
            if kind not in _SMALL or not start <= stop <= min(end, start + _MEDIUM - 1):
                break
            content = apply_mask(data[start:stop], data[start - 4 : start])
            if kind == _PONG:
                self.handle_pong(Frame(Opcode.PONG, content))
            elif content == _PONG_MESSAGE:
                self.beats.watch(self)
                self.alive()
            else:
                self.frames, self.curr_msg_data_type = [content], "text"
                self.send_receive_event_to_app()
            at = stop
            if self.close_sent or self.transport.is_closing():
                return b""
        return data[at:]

    def handle_cont(self, event: Frame) -> None:
        """Gather a fragment."""
        if len(self.frames) >= _MOST_FRAGMENTS:
            self._refuse(f"A message has more than {_MOST_FRAGMENTS} fragments")
        elif self._counted():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Send the answer."""
        if self._counted():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Take a sign of life."""
        if not self._counted():
            return
        if self._taker is None:
            super().handle_pong(event)
        elif bytes(event.data) == self.pending_ping_payload:
            self.pending_ping_payload = None
            self.deadlines.leave(self)

    def _counted(self) -> bool:
        """Count a frame; tell whether it may be taken."""
        now = self.loop.time()
        if now - self._frames_since > _WINDOW:
            self._frames_since, self._frames = now, 0
        self._frames += 1
        if self._frames > _MOST_FRAMES:
            self._refuse("Too many control frames and fragments")
        return not self.transport.is_closing()

    def handle_parser_exception(self) -> None:
        """Close: what came is no frame, or no text."""
        self._note("websocket_frames")
        super().handle_parser_exception()

    def _note(self, kind: Kind) -> None:
        self.refused(kind, self.client and self.client[0])

    def _refuse(self, reason: str) -> None:
        """Close; the application learns that the client is gone."""
        if self.transport.is_closing():
            return
        self._note("websocket_frames")
        code = CloseCode.POLICY_VIOLATION
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": code.value, "reason": reason}
        )
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
