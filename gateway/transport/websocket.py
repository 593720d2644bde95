"""GraphQL over WebSocket: the `graphql-transport-ws` protocol.

    connection_init ─▶ connection_ack        once, within the init wait; carries the credentials,
                                             which the upstream must accept (4403; 1013: later)
    subscribe ─▶ next … ─▶ complete | error  any number side by side, each with an id
    ping ─▶ pong                             in both directions

When the token expires that the client showed, its subscriptions are told, what else it had begun
comes to its end, and the connection is closed (4403): a new token needs a new connection.

While a client says nothing it is sent a ping now and then (`keep_alive`): browsers hide the pings
of the WebSocket protocol itself (`gateway/server/websocket_limits.py`) from their pages. Whether a
pong comes is looked at there only, as not every client answers here.

A connection begins over raw ASGI. Where the gateway's own server is below, it is handed over to it
after the introduction: messages are then told to it (`Wire`), and it needs no task of its own.

The old protocol (subprotocol `graphql-ws`) has other names for the same messages; it is spoken only
when the operator asks for it.

Source: PROTOCOL.md of the npm package graphql-ws; the close codes are its own.
"""

import asyncio
import math
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any, Final, NamedTuple, NoReturn, Protocol

import orjson
import structlog
from graphql import OperationType
from msgspec import Struct
from starlette.types import Message, Receive, Scope, Send

from gateway.auth.caller import EXPIRED, Caller
from gateway.auth.connection_shares import Held, Shares
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
from gateway.observability.activity import Activity
from gateway.observability.refusals_below_http import Kind
from gateway.observability.watchers import Observation
from gateway.pipeline import subscriptions
from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.subscriptions import Emission, Member
from gateway.transport import negotiation
from gateway.transport.client_addresses import current, share_of
from gateway.transport.exchange import headers_of
from gateway.transport.outflow import Outflow
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


class Expired(Closed):
    """The token has expired that the connection was opened with, which is nobody's fault."""

    def __init__(self) -> None:
        super().__init__(CloseCode.FORBIDDEN, f"Forbidden: {EXPIRED}")


class Wire(Connection, Protocol):
    """A WebSocket as a server has it that tells what comes, without a task that waits for it."""

    def hand_over(self, taker: "Taker") -> None:
        """Tell `taker` of what comes from now on, and ping the client by itself."""

    def write(self, text: bytes) -> None:
        """Send a message."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Close it."""

    def alive(self) -> None:
        """Hear that the client has answered a ping that is a message."""

    def hold(self) -> None:
        """Tell of no message until `go_on`."""

    def go_on(self) -> None:
        """Tell of messages again."""


class Taker(Protocol):
    """Who is told what comes on a WebSocket.

    Attributes:
        ping: the text of a ping that is a message; None where the client knows none.
    """

    ping: bytes | None

    def take(self, content: bytes) -> None:
        """Take a message."""

    def gone(self) -> None:
        """Hear that the client is gone."""


WIRE: Final = "gateway.wire"
"""Where in the scope the wire is, if there is one."""


class SocketOptions(Struct, frozen=True):
    """How WebSockets are served; see the settings of the same names."""

    legacy_websocket: bool
    socket_init_wait: float
    socket_operations: int
    frame_limit: int
    keep_alive: float
    send_timeout: float
    subscriber_queue: int


class WebSockets(Struct, frozen=True):
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
            if await connection.run():
                return  # It goes on without this task.
        except Closed as closed:
            self.note(closed, current.get())
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(self.options.send_timeout):
                    await send(_close(closed.code, closed.reason))
        except BaseException:
            await connection.stop()
            raise
        await connection.stop()

    def note(self, closed: Closed, address: str | None) -> None:
        """Count, of connections that are closed, those of clients that may be hostile."""
        kind = None if isinstance(closed, Expired) else _COUNTED.get(closed.code)
        if kind is not None:
            self.observation.refused(kind, address, reason=closed.reason)


class _Connection:
    """One WebSocket and the operations on it."""

    __slots__ = (
        "_address",
        "_begun",
        "_below",
        "_caller",
        "_dialect",
        "_expiry",
        "_failure",
        "_has_expired",
        "_headers",
        "_held",
        "_operations",
        "_outbox",
        "_receive",
        "_request_id",
        "_send",
        "_server",
        "_wire",
        "_wishes",
        "ping",
    )

    def __init__(
        self,
        server: WebSockets,
        dialect: Dialect,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._server = server
        self._dialect = dialect
        self._headers = headers = headers_of(scope["headers"])
        self._below: Connection | None = scope.get(CONNECTION)
        self._wire: Wire | None = scope.get(WIRE)
        self._outbox: Outbox | None = None
        self._receive: Receive | None = receive
        self._send: Send | None = send
        self._request_id = negotiation.request_id(headers.get("x-request-id", ""))
        self._address = current.get()
        self._caller: Caller | None = None
        self._wishes: tuple[str, ...] = ()
        self._held: Held | None = None
        self._operations: dict[str, asyncio.Task[None] | _Subscription] = {}
        self._failure: asyncio.Future[None] | None = None
        # How many operations were begun and have not ended.
        self._begun = 0
        self._expiry: asyncio.TimerHandle | None = None
        self._has_expired = False
        self.ping = None if dialect.ping is None else orjson.dumps({"type": dialect.ping})

    @property
    def options(self) -> SocketOptions:
        """How WebSockets are served."""
        return self._server.options

    @property
    def pipeline(self) -> Pipeline:
        """Runs operations."""
        return self._server.pipeline

    async def run(self) -> bool:
        """Answer messages until the client goes; True when the wire tells of them from now on.

        Raises:
            Closed: the client broke the protocol, was not let in, or is too slow.
        """
        shares = self._server.shares
        if self.pipeline.draining.refuses:
            await self._turn_away(ShuttingDown())
            return False
        try:
            unknown = shares.unverified.held(share_of(current.get()))
        except RateLimited as error:
            self._server.observation.refused("websocket_strangers", current.get())
            await self._turn_away(error)
            return False
        with unknown:
            assert self._send is not None  # noqa: S101 - it was not handed over
            await self._send({"type": "websocket.accept", "subprotocol": self._dialect.subprotocol})
            caller = await self._introduction()
            if caller is None:
                return False
            try:
                self._held = shares.callers.held(caller.principal)
            except RateLimited as error:
                await self._refuse_connection(error, CloseCode.TRY_LATER, error.message)
        self._caller = caller
        self._headers = {}
        self._outbox = self._server.unsent.outbox(caller.principal, self._below)
        await self.send_text(orjson.dumps({"type": "connection_ack"}))
        self._expiry = caller.at_expiry(self._expire)
        if self._wire is not None:
            self._receive = self._send = None
            self._wire.hand_over(self)
            return True
        self._failure = asyncio.get_running_loop().create_future()
        while (content := await self._content_or_failure()) is not None:
            await self._answer(_message(content, self.options.frame_limit), len(content))
        return False

    async def _turn_away(self, error: RateLimited | ShuttingDown) -> None:
        """Refuse the handshake: an open connection would have to be closed by both sides."""
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"retry-after", str(math.ceil(error.retry_after)).encode()),
        ]
        start = {"type": "websocket.http.response.start", "status": 503, "headers": headers}
        assert self._send is not None  # noqa: S101 - it was not handed over
        await self._send(start)
        body = orjson.dumps(refusal(error))
        await self._send({"type": "websocket.http.response.body", "body": body})

    async def stop(self) -> None:
        """Stop everything that still runs."""
        await asyncio.gather(*self._end(), return_exceptions=True)

    def _end(self) -> list[asyncio.Task[None]]:
        """Begin to stop everything; return the tasks that are yet to end."""
        self._has_expired = False  # It ends already.
        operations = list(self._operations.values())
        for each in operations:
            each.cancel()
        if self._held is not None:
            self._held.end()
        if self._expiry is not None:
            self._expiry.cancel()
        if self._failure is not None:
            self._failure.cancel()
        return [each for each in operations if isinstance(each, asyncio.Task)]

    # On a wire ----------------------------------------------------------------------------------

    def take(self, content: bytes) -> None:
        """See `Taker`."""
        wire, outbox = self._wire, self._outbox
        assert wire is not None  # noqa: S101 - it tells
        assert outbox is not None  # noqa: S101 - nothing is told before connection_init
        try:
            reply = self._handle(_message(content, self.options.frame_limit), len(content))
        except Closed as closed:
            self._close(closed)
            return
        if reply is not None:
            wire.write(reply)
        if outbox.is_full:
            wire.hold()
            waiting = asyncio.ensure_future(outbox.room())
            waiting.add_done_callback(lambda _: wire.go_on())

    def gone(self) -> None:
        """See `Taker`."""
        self._end()

    def _close(self, closed: Closed) -> None:
        """End a connection that was handed over."""
        wire = self._wire
        if wire is not None and not wire.is_gone:
            self._server.note(closed, self._address)
            wire.close(closed.code, closed.reason)
        self._end()

    # Messages -----------------------------------------------------------------------------------

    async def _content(self) -> bytes | None:
        """Return the next message as it came; None when the client is gone."""
        if self._outbox is not None and self._outbox.is_full:
            # What waits is bounded: a client that reads nothing is not listened to either.
            await self._outbox.room()
        assert self._receive is not None  # noqa: S101 - it was not handed over
        received = await self._receive()
        if received["type"] == "websocket.disconnect":
            return None
        text = received.get("text")
        return (received.get("bytes") or b"") if text is None else text.encode()

    async def _content_or_failure(self) -> bytes | None:
        """Return the next message; raise when an operation had to give the connection up."""
        assert self._failure is not None  # noqa: S101 - see `run`
        receiving = asyncio.ensure_future(self._content())
        waiting: set[asyncio.Future[Any]] = {receiving, self._failure}
        silence = self.options.keep_alive
        while True:
            done, _ = await asyncio.wait(
                waiting, timeout=silence, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                break
            if self.ping is not None:
                await self.send_text(self.ping)
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
            async with asyncio.timeout(self.options.socket_init_wait):
                while True:
                    content = await self._content()
                    if content is None:
                        return None
                    message = _message(content, self.options.frame_limit)
                    if message["type"] not in {self._dialect.ping, "pong"}:
                        break
                    # Both sides may ping at any time.
                    await self._answer(message, len(content))
        except TimeoutError:
            raise Closed(CloseCode.TOO_SLOW, "Connection initialisation timeout") from None
        if message["type"] != "connection_init":
            raise Closed(CloseCode.UNAUTHORIZED, "Unauthorized: send connection_init first")
        payload = message.get("payload") or {}
        if not isinstance(payload, dict):
            raise Closed(CloseCode.BAD_MESSAGE, "The payload of connection_init must be an object")
        try:
            caller = await self._authenticate(payload)
            # What stays open, perhaps for days, is not for whoever makes a name up.
            await self.pipeline.verify(caller)
            # Many may have waited for the same proof.
            await self.pipeline.turns.turn(caller.principal)
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
            await self.send_text(orjson.dumps({"type": "connection_error", "payload": payload}))
        raise Closed(code, reason)

    async def _authenticate(self, payload: Mapping[str, Any]) -> Caller:
        """Let the client in: browsers cannot set headers, so `connection_init` may carry them."""
        sent = {name.lower(): value for name, value in payload.items() if isinstance(value, str)}
        for name, value in payload.items():
            # An account that is named in no way that can be read must not pass for none named.
            if name.lower() == _ACCOUNT and value is not None:
                sent[_ACCOUNT] = str(value)
        self._wishes = tuple(each[_EXPLAIN] for each in (self._headers, sent) if _EXPLAIN in each)
        return await self.pipeline.authenticate({**self._headers, **sent})

    async def _answer(self, message: Mapping[str, Any], size: int) -> None:
        reply = self._handle(message, size)
        if reply is not None:
            await self.send_text(reply)

    def _handle(self, message: Mapping[str, Any], size: int) -> bytes | None:
        """Take a message of `size` bytes; return what is to be sent at once, if anything is.

        Raises:
            Closed: the client broke the protocol, or is leaving.
        """
        kind, dialect = message["type"], self._dialect
        if kind == dialect.subscribe:
            return self._subscribe(message, size)
        if kind == dialect.unsubscribe:
            operation = self._operations.pop(_id(message), None)
            if operation is not None:
                operation.cancel()
        elif kind == dialect.ping:
            payload = {"payload": message["payload"]} if "payload" in message else {}
            return orjson.dumps({"type": "pong", **payload})
        elif kind == "pong":
            if self._wire is not None:
                self._wire.alive()
        elif kind == dialect.farewell:
            raise Closed(CloseCode.NORMAL, "Goodbye")
        elif kind == "connection_init":
            raise Closed(CloseCode.TWICE_INTRODUCED, "Too many initialisation requests")
        else:
            raise Closed(CloseCode.BAD_MESSAGE, f"Unknown message type {quoted(kind, 40)}")
        return None

    # Operations ---------------------------------------------------------------------------------

    def _subscribe(self, message: Mapping[str, Any], size: int) -> bytes | None:
        name = _id(message)
        if name in self._operations:
            raise Closed(CloseCode.DUPLICATE_ID, f"Subscriber for {name[:40]} already exists")
        if len(self._operations) >= self.options.socket_operations:
            most = self.options.socket_operations
            error = LimitExceeded(
                f"More than {most} operations at once.", limit="operations", allowed=most
            )
            return self.refused(name, refusal(error)["errors"])
        try:
            params = negotiation.read_object(message.get("payload"))
        except BadRequest as error:
            raise Closed(CloseCode.BAD_MESSAGE, error.message) from None
        task = asyncio.create_task(self._operate(name, params, size))
        self._operations[name] = task
        task.add_done_callback(lambda task: self._done(name, task))
        return None

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        if self._operations.get(name) is task:
            del self._operations[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def release(self, name: str) -> None:
        """Let the client use the id of an operation again."""
        self._operations.pop(name, None)

    def fail(self, error: BaseException) -> None:
        """Give the connection up, as an operation had to."""
        if isinstance(error, OSError):  # It could not be sent.
            error = Closed(CloseCode.GONE, "The client is gone")
        if not isinstance(error, Closed):
            kind = type(error).__name__
            _log.error("operation_failed", request_id=self._request_id, kind=kind, exc_info=error)
            error = Closed(CloseCode.INTERNAL, "Something went wrong in the gateway")
        if self._failure is None:
            self._close(error)
        elif not self._failure.done():
            self._failure.set_exception(error)

    def _expire(self) -> None:
        """Let the connection end, as the token has expired that it was opened with."""
        self._has_expired = True
        self._end_if_over()

    def _end_if_over(self) -> None:
        """End when the token has expired, and what had begun before has come to its end."""
        if self._has_expired and not self._begun:
            self.fail(Expired())

    async def _operate(self, name: str, params: Params, size: int) -> None:
        """Run one operation, which came in `size` bytes, and send what it yields."""
        assert self._outbox is not None  # noqa: S101 - nothing runs before connection_init
        current.set(self._address)
        telemetry = self._server.observation.telemetry
        self._outbox.keep(size)
        self._begun += 1
        watched = telemetry.operation(self._request_id)
        follows = False
        try:
            follows = await self._run(name, params, size, watched)
        finally:
            if not follows:
                self.ended(size, watched)

    def ended(self, size: int, watched: Activity | None) -> None:
        """Note the end of an operation that came in `size` bytes."""
        assert self._outbox is not None  # noqa: S101 - nothing runs before connection_init
        self._outbox.keep(-size)
        if watched is not None:
            self._server.observation.telemetry.operated(watched)
        self._begun -= 1
        self._end_if_over()

    async def _run(self, name: str, params: Params, size: int, watched: Activity | None) -> bool:
        """Run an operation to its end; or return True when it is a subscription in force."""
        assert self._caller is not None  # noqa: S101 - nothing runs before connection_init
        assert self._outbox is not None  # noqa: S101
        try:
            request = await self.pipeline.request(params, self._caller, self._wishes)
        except GatewayError as error:
            await self._refuse(name, refusal(error)["errors"])
            return False
        except BadRequest as error:
            extensions = {"code": ErrorCode.BAD_REQUEST}
            await self._refuse(name, [{"message": error.message, "extensions": extensions}])
            return False
        follows = subscriptions.is_followed(request)
        endless = request.kind is OperationType.SUBSCRIPTION
        guessed = 0 if endless else guess(request.cost, request.document.text)
        try:
            pending = await self._outbox.begin(guessed)
        except GatewayError as error:
            await self._refuse(name, refusal(error)["errors"])
            return False
        if follows:
            subscription = _Subscription(self, name, self._caller, pending, size, watched)
            await subscription.begin(request)
            return True
        try:
            if endless:
                await self._yield(name, request, self._caller, pending)
                return False
            # The end waits until all of an answer is sent: clients repeat what was not completed.
            with self.pipeline.draining:
                await self._yield(name, request, self._caller, pending)
        finally:
            pending.end()
        return False

    async def _yield(self, name: str, request: Request, caller: Caller, pending: Pending) -> None:
        feed = subscriptions.feed(self.pipeline, request, caller, self._request_id, None)
        async with aclosing(feed):
            async for emission in feed:
                content = emission.json
                if content is None:
                    continue
                if emission.refused:
                    await self._refuse(name, orjson.loads(content)["errors"])
                    return
                text = self.next_text(name, content)
                pending.finished(len(content))
                # What waits is there once: as the text of the message.
                del emission, content
                await self.send_text(text)
                del text
                await pending.taken()
        # From here on the client may use the id again.
        self._operations.pop(name, None)
        await self.send_text(_complete(name))

    async def _refuse(self, name: str, errors: list[Any]) -> None:
        self._operations.pop(name, None)
        await self.send_text(self.refused(name, errors))

    def refused(self, name: str, errors: list[Any]) -> bytes:
        """Return the message that an operation has come to nothing."""
        payload = errors if self._dialect is TRANSPORT else errors[0]
        return orjson.dumps({"type": "error", "id": name, "payload": payload})

    def next_text(self, name: str, payload: bytes) -> bytes:
        """Return the message of a response."""
        head = b'{"type":"%s","id":%s,"payload":' % (
            self._dialect.next.encode(),
            orjson.dumps(name),
        )
        return b"".join((head, payload, b"}"))

    def write(self, text: bytes) -> bool:
        """Send a message at once; False when that is not possible now."""
        wire = self._wire
        if wire is None or wire.write_paused or wire.is_gone:
            return False
        wire.write(text)
        return True

    async def send_text(self, text: bytes) -> None:
        """Send a message.

        Raises:
            Closed: the client does not take it.
        """
        try:
            async with asyncio.timeout(self.options.send_timeout):
                if self._send is not None:
                    await self._send({"type": "websocket.send", "text": text.decode()})
                    return
                wire = self._wire
                assert wire is not None  # noqa: S101 - it was handed over
                while wire.write_paused:
                    await wire.drain()
                if wire.is_gone:
                    raise Closed(CloseCode.GONE, "The client is gone")
                wire.write(text)
        except TimeoutError:
            raise Closed(CloseCode.TOO_SLOW, "The client is too slow") from None

    async def follow(self, request: Request, member: Member) -> None:
        """Let a subscription begin."""
        await member.begin(self.pipeline, request, self._request_id, None)

    def begun(self, name: str, subscription: "_Subscription") -> None:
        """Keep a subscription that is in force in place of the task that has begun it."""
        self._operations[name] = subscription


class _Subscription(Outflow):
    """One that is in force, or about to be: a `gateway.pipeline.subscriptions.Listener`."""

    __slots__ = ("_connection", "_is_over", "_member", "_name", "_size", "_watched")

    def __init__(
        self,
        connection: _Connection,
        name: str,
        caller: Caller,
        pending: Pending,
        size: int,
        watched: Activity | None,
    ) -> None:
        options = connection.options
        super().__init__(pending, options.subscriber_queue, options.send_timeout)
        self._connection = connection
        self._name = name
        self._size = size
        self._watched = watched
        self._member: Member | None = Member(self, caller)
        self._is_over = False

    async def begin(self, request: Request) -> None:
        """Return when it is in force, or over; it then lets go of all by itself."""
        assert self._member is not None  # noqa: S101 - it has not ended
        try:
            await self._connection.follow(request, self._member)
        except BaseException:
            self.pending.end()
            self._member.leave()
            self.stop()
            raise
        if not self._is_over:
            self._connection.begun(self._name, self)

    def tell(self, emission: Emission) -> None:
        """See `Listener`."""
        if emission.json is None:
            return
        if emission.refused:
            errors = orjson.loads(emission.json)["errors"]
            self._is_over = True
            self._connection.release(self._name)
            self.put(self._connection.refused(self._name, errors), last=True)
        else:
            self.put(self._connection.next_text(self._name, emission.json))

    def end(self) -> None:
        """See `Listener`."""
        if not self._is_over:
            self._is_over = True
            self._connection.release(self._name)
            self.put(_complete(self._name), last=True)
        self.sent()

    def cancel(self) -> None:
        """End it, as the client wants no more or is gone."""
        member, self._member = self._member, None
        if member is None:
            return
        member.leave()
        self.stop()
        self.pending.end()
        self._connection.ended(self._size, self._watched)

    # What is sent -------------------------------------------------------------------------------

    def write(self, content: bytes) -> bool:
        """See `Outflow`."""
        return self._connection.write(content)

    async def send(self, content: bytes) -> None:
        """See `Outflow`."""
        await self._connection.send_text(content)

    def sent(self) -> None:
        """See `Outflow`; what is over ends now."""
        if self._is_over and not self.is_behind:
            self.cancel()

    def failed(self, error: Exception) -> None:
        """See `Outflow`."""
        self._connection.release(self._name)
        self.cancel()
        self._connection.fail(error)


def close_reason(text: str) -> str:
    """Return what a close frame holds of a text: it has 125 bytes, two of them for the code."""
    return text.encode()[:123].decode(errors="ignore")


def _close(code: CloseCode, reason: str) -> Message:
    return {"type": "websocket.close", "code": code, "reason": close_reason(reason)}


def _message(content: bytes, limit: int) -> dict[str, Any]:
    """Read a message of at most `limit` bytes.

    Raises:
        Closed: it is none.
    """
    if len(content) > limit:
        raise Closed(CloseCode.TOO_LARGE, f"A message is larger than {limit} bytes")
    try:
        message = negotiation.read_json(content, "A message")
    except BadRequest as error:
        raise Closed(CloseCode.BAD_MESSAGE, error.message) from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Closed(CloseCode.BAD_MESSAGE, "A message must be an object with a type")
    return message


def _complete(name: str) -> bytes:
    return orjson.dumps({"type": "complete", "id": name})


def _id(message: Mapping[str, Any]) -> str:
    name = message.get("id")
    if not isinstance(name, str) or not name:
        raise Closed(CloseCode.BAD_MESSAGE, "The message needs an id")
    return name
