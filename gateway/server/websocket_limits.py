"""Limits below WebSocket messages: how many frames, and how slow a client may be.

uvicorn answers every ping, also of a client that reads no answers; gathers any number of fragments,
which may be empty; waits for ever for a reader; and refuses handshakes in plain text. This is its
protocol class with these edges taken off.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, ClassVar

import orjson

from gateway.error_codes import ErrorCode
from gateway.errors import failure
from gateway.observability.refusals_below_http import Kind, RefusalsBelowHttp, uncounted
from gateway.server._compat import (
    ASGISendEvent,
    ClientDisconnected,
    CloseCode,
    Frame,
    Headers,
    Request,
    Response,
    ServerProtocol,
    WebSocketsSansIOProtocol,
)
from gateway.server.http_limits import ReaderWatch
from gateway.settings.model import Settings
from gateway.transport.unsent import CONNECTION

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


class GuardedSocket(WebSocketsSansIOProtocol):
    """One WebSocket of a client, which may be slow, careless or hostile."""

    write_timeout: ClassVar[float]
    keep_alive: ClassVar[float]
    refused: ClassVar[RefusalsBelowHttp]

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
        self.transport.set_write_buffer_limits(high=0)
        self._watch = ReaderWatch(self.loop, self.transport, self.write_timeout, self.refused)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection's timer."""
        if self._watch is not None:
            self._watch.stop()
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
        if not self.read_paused and not self.transport.is_closing():
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
        for start in range(0, len(data), _SLICE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _SLICE])
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # The head was refused before it was a request.
            self._note("websocket_handshake")
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

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
        if self._counted():
            super().handle_pong(event)

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
