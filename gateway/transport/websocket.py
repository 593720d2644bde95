"""GraphQL over WebSocket: the `graphql-transport-ws` protocol over raw ASGI.

    connection_init ─▶ connection_ack        once, within the init wait; carries the credentials,
                                             which the upstream must accept (4403; 1013: later)
    subscribe ─▶ next … ─▶ complete | error  any number side by side, each with an id
    ping ─▶ pong                             in both directions

While a client says nothing it is sent a ping now and then (`keep_alive`): browsers hide the pings
of the WebSocket protocol itself (`frames.py`) from their pages. Whether a pong comes is looked at
there only, as not every client answers here.

The old protocol (subprotocol `graphql-ws`) has other names for the same messages; it is spoken only
when the operator asks for it.

Source: PROTOCOL.md of the npm package graphql-ws; the close codes are its own.
"""

import asyncio
import math
from collections.abc import Mapping
from contextlib import ExitStack, aclosing, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn

import orjson
import structlog
from graphql import OperationType
from starlette.types import Message, Receive, Scope, Send

from gateway.auth.caller import Caller
from gateway.auth.connection_shares import Shares
from gateway.documents.parameters import Params
from gateway.error_codes import CloseCode, ErrorCode
from gateway.errors import (
    SOME_TIME,
    BadRequest,
    DeadlineExceeded,
    GatewayError,
    LimitExceeded,
    RateLimited,
    ShuttingDown,
    UpstreamError,
    refusal,
)
from gateway.execution.request import Request
from gateway.observability.refusals_below_http import Kind
from gateway.observability.watchers import Observation
from gateway.pipeline import subscriptions
from gateway.pipeline.pipeline import Pipeline
from gateway.transport import negotiation
from gateway.transport.client_addresses import current, share_of
from gateway.transport.exchange import headers_of
from gateway.transport.unsent import CONNECTION, Connection, Outbox, Pending, Unsent, guess
from schema.scalars import quoted

_log = structlog.get_logger(__name__)
_EXPLAIN = "x-gateway-explain"
_ACCOUNT: Final = "x-account-sid"
_COUNTED: Final[Mapping[CloseCode, Kind]] = {
    CloseCode.FORBIDDEN: "websocket_forbidden",
    CloseCode.TOO_SLOW: "websocket_late",
}


class Dialect(NamedTuple):
    """A subprotocol's names for messages; None for what it does not have."""

    subprotocol: str
    subscribe: str
    unsubscribe: str
    next: str
    ping: str | None
    farewell: str | None


TRANSPORT: Final = Dialect("graphql-transport-ws", "subscribe", "complete", "next", "ping", None)
LEGACY: Final = Dialect("graphql-ws", "start", "stop", "data", None, "connection_terminate")


class Closed(Exception):
    """The connection must end with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class SocketOptions:
    """How WebSockets are served; see the settings of the same names."""

    legacy_websocket: bool
    socket_init_wait: float
    socket_operations: int
    frame_limit: int
    keep_alive: float
    send_timeout: float


@dataclass(frozen=True)
class WebSockets:
    """Serves WebSockets.

    Attributes:
        pipeline: runs operations.
        unsent: counts what waits to be read by clients.
        shares: how many connections strangers and callers may have.
        observation: watches.
        options: how WebSockets are served.
    """

    pipeline: Pipeline
    unsent: Unsent
    shares: Shares
    observation: Observation
    options: SocketOptions

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until either side ends it."""
        await receive()  # websocket.connect
        dialects = [TRANSPORT, LEGACY] if self.options.legacy_websocket else [TRANSPORT]
        offered = scope.get("subprotocols", [])
        dialect = next((each for each in dialects if each.subprotocol in offered), None)
        if dialect is None:
            await send({"type": "websocket.accept"})
            await send(_close(CloseCode.SUBPROTOCOL, "Subprotocol not acceptable"))
            return
        connection = _Connection(self, dialect, scope, receive, send)
        try:
            await connection.run()
        except Closed as closed:
            if (kind := _COUNTED.get(closed.code)) is not None:
                self.observation.refused(kind, current.get(), reason=closed.reason)
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(self.options.send_timeout):
                    await send(_close(closed.code, closed.reason))
        finally:
            await connection.stop()


class _Connection:
    """One WebSocket and the operations on it."""

    def __init__(
        self,
        server: WebSockets,
        dialect: Dialect,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._server = server
        self._pipeline = server.pipeline
        self._options = server.options
        self._dialect = dialect
        self._heartbeats = {dialect.ping, "pong"}
        self._headers = headers = headers_of(scope["headers"])
        self._below: Connection | None = scope.get(CONNECTION)
        self._outbox: Outbox | None = None
        self._size = 0
        self._receive = receive
        self._send = send
        self._request_id = negotiation.request_id(headers.get("x-request-id", ""))
        self._caller: Caller | None = None
        self._wishes: list[str] = []
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Answer messages until the client goes.

        Raises:
            Closed: the client broke the protocol, was not let in, or is too slow.
        """
        shares = self._server.shares
        if self._pipeline.draining.refuses:
            await self._turn_away(ShuttingDown())
            return
        with ExitStack() as known, ExitStack() as unknown:
            try:
                unknown.enter_context(shares.unverified.held(share_of(current.get())))
            except RateLimited as error:
                self._server.observation.refused("websocket_strangers", current.get())
                await self._turn_away(error)
                return
            await self._send({"type": "websocket.accept", "subprotocol": self._dialect.subprotocol})
            caller = await self._introduction()
            if caller is None:
                return
            try:
                known.enter_context(shares.callers.held(caller.principal))
            except RateLimited as error:
                await self._refuse_connection(error, CloseCode.TRY_LATER, error.message)
            unknown.close()
            self._caller = caller
            self._outbox = self._server.unsent.outbox(caller.principal, self._below)
            await self._tell({"type": "connection_ack"})
            while (message := await self._message_or_failure()) is not None:
                await self._handle(message)

    async def _turn_away(self, error: RateLimited | ShuttingDown) -> None:
        """Refuse the handshake: an open connection would have to be closed by both sides."""
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"retry-after", str(math.ceil(error.retry_after)).encode()),
        ]
        start = {"type": "websocket.http.response.start", "status": 503, "headers": headers}
        await self._send(start)
        body = orjson.dumps(refusal(error))
        await self._send({"type": "websocket.http.response.body", "body": body})

    async def stop(self) -> None:
        """Stop everything that still runs."""
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._failure.cancel()

    # Messages -----------------------------------------------------------------------------------

    async def _message(self) -> dict[str, Any] | None:
        """Return the next message; None when the client is gone."""
        if self._outbox is not None and self._outbox.is_full:
            # What waits is bounded: a client that reads nothing is not listened to either.
            await self._outbox.room()
        received = await self._receive()
        if received["type"] == "websocket.disconnect":
            return None
        text = received.get("text")
        content = (received.get("bytes") or b"") if text is None else text.encode()
        if len(content) > self._options.frame_limit:
            raise Closed(
                CloseCode.TOO_LARGE, f"A message is larger than {self._options.frame_limit} bytes"
            )
        self._size = len(content)
        try:
            message = negotiation.read_json(content, "A message")
        except BadRequest as error:
            raise Closed(CloseCode.BAD_MESSAGE, error.message) from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Closed(CloseCode.BAD_MESSAGE, "A message must be an object with a type")
        return message

    async def _message_or_failure(self) -> dict[str, Any] | None:
        """Return the next message; raise when an operation had to give the connection up."""
        receiving = asyncio.ensure_future(self._message())
        waiting: set[asyncio.Future[Any]] = {receiving, self._failure}
        silence = self._options.keep_alive
        while True:
            done, _ = await asyncio.wait(
                waiting, timeout=silence, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                break
            if self._dialect.ping is not None:
                await self._tell({"type": self._dialect.ping})
        if self._failure.done():
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            self._failure.result()
        return await receiving

    async def _introduction(self) -> Caller | None:
        """Return who the client is; None when it goes without saying so.

        Raises:
            Closed: it does not say so in time, or not credibly.
        """
        try:
            async with asyncio.timeout(self._options.socket_init_wait):
                # Both sides may ping at any time.
                while (message := await self._message()) and message["type"] in self._heartbeats:
                    await self._handle(message)
        except TimeoutError:
            raise Closed(CloseCode.TOO_SLOW, "Connection initialisation timeout") from None
        if message is None:
            return None
        if message["type"] != "connection_init":
            raise Closed(CloseCode.UNAUTHORIZED, "Unauthorized: send connection_init first")
        payload = message.get("payload") or {}
        if not isinstance(payload, dict):
            raise Closed(CloseCode.BAD_MESSAGE, "The payload of connection_init must be an object")
        try:
            caller = await self._authenticate(payload)
            # What stays open, perhaps for days, is not for whoever makes a name up.
            await self._pipeline.verify(caller)
        except (DeadlineExceeded, UpstreamError) as error:
            if isinstance(error, DeadlineExceeded) or error.transient:
                later = error.details.setdefault("retryAfterMs", math.ceil(SOME_TIME * 1000))
                reason = f"Try again in {later} ms: {error.message}"
                await self._refuse_connection(error, CloseCode.TRY_LATER, reason)
            await self._refuse_connection(error, CloseCode.FORBIDDEN, f"Forbidden: {error.message}")
        except GatewayError as error:
            await self._refuse_connection(error, CloseCode.FORBIDDEN, "Forbidden")
        return caller

    async def _refuse_connection(
        self, error: GatewayError, code: CloseCode, reason: str
    ) -> NoReturn:
        if self._dialect is LEGACY:
            payload = refusal(error)["errors"][0]
            await self._tell({"type": "connection_error", "payload": payload})
        raise Closed(code, reason)

    async def _authenticate(self, payload: Mapping[str, Any]) -> Caller:
        """Let the client in: browsers cannot set headers, so `connection_init` may carry them."""
        sent = {name.lower(): value for name, value in payload.items() if isinstance(value, str)}
        for name, value in payload.items():
            # An account that is named in no way that can be read must not pass for none named.
            if name.lower() == _ACCOUNT and value is not None:
                sent[_ACCOUNT] = str(value)
        self._wishes = [each[_EXPLAIN] for each in (self._headers, sent) if _EXPLAIN in each]
        return await self._pipeline.authenticate({**self._headers, **sent})

    async def _handle(self, message: Mapping[str, Any]) -> None:
        kind, dialect = message["type"], self._dialect
        if kind == dialect.subscribe:
            await self._subscribe(message)
        elif kind == dialect.unsubscribe:
            task = self._operations.pop(_id(message), None)
            if task is not None:
                task.cancel()
        elif kind == dialect.ping:
            payload = {"payload": message["payload"]} if "payload" in message else {}
            await self._tell({"type": "pong", **payload})
        elif kind == dialect.farewell:
            raise Closed(CloseCode.NORMAL, "Goodbye")
        elif kind == "connection_init":
            raise Closed(CloseCode.TWICE_INTRODUCED, "Too many initialisation requests")
        elif kind != "pong":
            raise Closed(CloseCode.BAD_MESSAGE, f"Unknown message type {quoted(kind, 40)}")

    # Operations ---------------------------------------------------------------------------------

    async def _subscribe(self, message: Mapping[str, Any]) -> None:
        name = _id(message)
        if name in self._operations:
            raise Closed(CloseCode.DUPLICATE_ID, f"Subscriber for {name[:40]} already exists")
        if len(self._operations) >= self._options.socket_operations:
            most = self._options.socket_operations
            error = LimitExceeded(
                f"More than {most} operations at once.", limit="operations", allowed=most
            )
            await self._refuse(name, refusal(error)["errors"])
            return
        try:
            params = negotiation.read_object(message.get("payload"))
        except BadRequest as error:
            raise Closed(CloseCode.BAD_MESSAGE, error.message) from None
        task = asyncio.create_task(self._operate(name, params, self._size))
        self._operations[name] = task
        task.add_done_callback(lambda task: self._done(name, task))

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        if self._operations.get(name) is task:
            del self._operations[name]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, OSError):  # It could not be sent.
            error = Closed(CloseCode.GONE, "The client is gone")
        if not isinstance(error, Closed):
            kind = type(error).__name__
            _log.error("operation_failed", request_id=self._request_id, kind=kind, exc_info=error)
            error = Closed(CloseCode.INTERNAL, "Something went wrong in the gateway")
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _operate(self, name: str, params: Params, size: int) -> None:
        """Run one operation, which came in `size` bytes, and send what it yields."""
        assert self._outbox is not None  # noqa: S101 - nothing runs before connection_init
        self._outbox.keep(size)
        try:
            with self._server.observation.telemetry.operation(self._request_id):
                await self._run(name, params)
        finally:
            self._outbox.keep(-size)

    async def _run(self, name: str, params: Params) -> None:
        assert self._caller is not None  # noqa: S101 - nothing runs before connection_init
        assert self._outbox is not None  # noqa: S101
        try:
            request = await self._pipeline.request(params, self._caller, self._wishes)
        except GatewayError as error:
            await self._refuse(name, refusal(error)["errors"])
            return
        except BadRequest as error:
            extensions = {"code": ErrorCode.BAD_REQUEST}
            await self._refuse(name, [{"message": error.message, "extensions": extensions}])
            return
        endless = request.kind is OperationType.SUBSCRIPTION
        size = 0 if endless else guess(request.cost, request.document.text)
        try:
            pending = await self._outbox.begin(size)
        except GatewayError as error:
            await self._refuse(name, refusal(error)["errors"])
            return
        try:
            # The end waits until all of an answer is sent: clients repeat what was not completed.
            with nullcontext() if endless else self._pipeline.draining:
                await self._follow(name, request, self._caller, pending)
        finally:
            pending.end()

    async def _follow(self, name: str, request: Request, caller: Caller, pending: Pending) -> None:
        feed = subscriptions.feed(self._pipeline, request, caller, self._request_id, None)
        async with aclosing(feed):
            async for emission in feed:
                content = emission.json
                if content is None:
                    continue
                if emission.refused:
                    await self._refuse(name, orjson.loads(content)["errors"])
                    return
                payload = orjson.Fragment(content)
                told = {"type": self._dialect.next, "id": name, "payload": payload}
                text = orjson.dumps(told).decode()
                pending.finished(len(content))
                # What waits is there once: as the text of the message.
                del emission, content, payload, told
                await self._send_text(text)
                del text
                await pending.taken()
        # From here on the client may use the id again.
        self._operations.pop(name, None)
        await self._tell({"type": "complete", "id": name})

    async def _refuse(self, name: str, errors: list[Any]) -> None:
        self._operations.pop(name, None)
        payload = errors if self._dialect is TRANSPORT else errors[0]
        await self._tell({"type": "error", "id": name, "payload": payload})

    async def _tell(self, message: Mapping[str, Any]) -> None:
        """Send a message.

        Raises:
            Closed: the client does not take it.
        """
        await self._send_text(orjson.dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._options.send_timeout):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise Closed(CloseCode.TOO_SLOW, "The client is too slow") from None


def _close(code: CloseCode, reason: str) -> Message:
    # A control frame holds 125 bytes, two of them for the code.
    reason = reason.encode()[:123].decode(errors="ignore")
    return {"type": "websocket.close", "code": code, "reason": reason}


def _id(message: Mapping[str, Any]) -> str:
    name = message.get("id")
    if not isinstance(name, str) or not name:
        raise Closed(CloseCode.BAD_MESSAGE, "The message needs an id")
    return name
