"""The GraphQL endpoint: all rules for HTTP requests to `/graphql`, apart from any server.

A request goes through these steps, in `Endpoint.respond`:

    keep out what is forged ▶ negotiate ▶ check the head ▶ read ▶ authenticate
    ▶ find the document ▶ run ▶ answer, whole or as a stream

Subscriptions and incremental answers leave as streams (`sse.py`, `multipart.py`); WebSockets go
their own way from the start (`websocket.py`).
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping
from contextlib import aclosing
from itertools import groupby
from typing import Any, Final

import msgspec
import orjson
import structlog
from graphql import OperationType
from msgspec import Struct

from gateway.auth.caller import Caller
from gateway.auth.connection_shares import Shares
from gateway.documents.parameters import Params
from gateway.error_codes import ErrorCode
from gateway.errors import (
    BadRequest,
    GatewayError,
    RateLimited,
    ShuttingDown,
    SlowConsumer,
    Unauthenticated,
    failure,
    refusal,
)
from gateway.execution import incremental
from gateway.execution.execute import MASKED
from gateway.execution.json_encoding import encode
from gateway.execution.request import Request
from gateway.observability import activity
from gateway.observability.activity import Telemetry
from gateway.pipeline import subscriptions
from gateway.pipeline.pipeline import Pipeline
from gateway.pipeline.subscriptions import Listener, Member
from gateway.transport import http_caching, multipart, negotiation, sse
from gateway.transport.browser_security import Browsers
from gateway.transport.client_addresses import Addresses, current
from gateway.transport.exchange import (
    NOT_MODIFIED,
    Answer,
    Beginning,
    ClientGone,
    Exchange,
    Head,
    Stream,
    usual_headers,
)
from gateway.transport.multipart import Multipart
from gateway.transport.negotiation import Delivery
from gateway.transport.unsent import SMALL, Outbox, Pending, Unsent, guess

GRAPHQL: Final = "/graphql"
"""Where it is."""
_log = structlog.get_logger(__name__)
_EXPLAIN = "x-gateway-explain"
# To find a member by its class takes a tenth of a microsecond.
_QUERY: Final = OperationType.QUERY
_SUBSCRIPTION: Final = OperationType.SUBSCRIPTION
# Compressing more than this takes long enough to disturb others, so a thread does it.
_THREAD_FROM = 256 * 1024


class EndpointOptions(Struct, frozen=True):
    """How requests are read and answered; see the settings of the same names."""

    get_requests: bool
    body_limit: int
    batch_limit: int
    compress_from: int
    keep_alive: float
    send_timeout: float


class Endpoint:
    """Answers GraphQL over HTTP: whole, as server-sent events, or in parts.

    Args:
        pipeline: runs operations.
        browsers: keeps pages of other sites out.
        addresses: tells who a client is that comes through a proxy.
        telemetry: is told of requests.
        unsent: counts what waits to be read by clients.
        shares: how many streams a caller may have.
        options: how requests are read and answered.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        browsers: Browsers,
        addresses: Addresses,
        telemetry: Telemetry,
        unsent: Unsent,
        shares: Shares,
        options: EndpointOptions,
    ) -> None:
        self._pipeline = pipeline
        self._browsers = browsers
        self._addresses = addresses
        self._telemetry = telemetry
        self._unsent = unsent
        self._shares = shares
        self._options = options
        # Bytes below which an answer is neither compressed nor counted.
        self._whole_below = min(options.compress_from or SMALL, SMALL)

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request: the whole life of it, for the task that an adaptor makes for it."""
        raw = exchange.head.raw
        current.set(self._addresses.of(exchange.peer, raw))
        watched = self._telemetry.request(raw)
        try:
            answer = await self.respond(exchange)
            if answer is None:
                return
            if watched is not None:
                watched.status = answer.status
                watched.request_id = answer.headers.get("x-request-id", "")
            if isinstance(answer, Stream):
                try:
                    with answer.held:
                        await exchange.stream(answer)
                finally:
                    answer.pending.end()
                return
            pending = answer.pending
            try:
                sending = exchange.write(answer)
                del answer  # While it waits, it is in the connection's buffer only.
                if sending is not None:
                    await sending
                if pending is not None:
                    await pending.taken()
            finally:
                if pending is not None:
                    pending.end()
        except Exception as error:
            # Too late for an answer, so the adaptor's server is to cut the connection.
            self._log_failure(exchange, error)
            raise
        finally:
            if watched is not None:
                self._telemetry.answered(watched)
            exchange.end()

    async def respond(self, exchange: Exchange) -> Answer | Stream | None:
        """Return the answer to a request; None when nobody waits for it any more.

        It does no input or output with the client but to wait for more of the body. Of what it
        returns, a stream's `held` and an answer's `pending` are to be let go when it is sent.
        """
        pipeline, head = self._pipeline, exchange.head
        try:
            if not head.is_checked and (refused := self._check(exchange)) is not None:
                return refused
            params = self._read(exchange) or await self._read_on(exchange)
            caller = head.caller
            if caller is None:
                caller = pipeline.caller_at_hand(head.headers)
                caller = caller or await pipeline.authenticate(head.headers)
                if pipeline.authenticator.lasts:
                    head.caller = caller
            if isinstance(params, list):
                return await self._batch(exchange, params, caller)
            wishes = _wishes(head) if _EXPLAIN in head.headers else ()
            request = pipeline.request_at_hand(params, caller, wishes)
            if request is None:
                request = await pipeline.request(params, caller, wishes)
            return await self._delivered(exchange, params, request, caller)
        except ClientGone:
            return None
        except asyncio.CancelledError:
            if not exchange.is_let_go(exchange.task):
                raise
            return None
        except Exception as error:  # noqa: BLE001 - what nobody has thought of is logged there
            return self._refuse(exchange, error)

    # Steps --------------------------------------------------------------------------------------

    def _check(self, exchange: Exchange) -> Answer | None:
        """Find out what the client reads; return the answer to a request that comes no further.

        Raises:
            BadRequest: something is wrong that can be seen before the body.
        """
        refused, head = self._browsers.check(exchange), exchange.head
        if refused is not None:
            return refused
        head.accepted = negotiation.accepted(head.headers.get("accept", ""))
        match head.method:
            case "GET" if self._options.get_requests:
                pass
            case "POST":
                negotiation.check_content_type(head.headers.get("content-type", ""))
                if head.headers.get("content-encoding", "identity") != "identity":
                    accepted = {"accept-encoding": "identity"}
                    raise BadRequest(415, "Send the body uncompressed.", accepted)
                head.check_size(self._options.body_limit)
            case _:
                allowed = "GET, HEAD, POST" if self._options.get_requests else "POST"
                raise BadRequest(405, f"{head.verb} is not used here.", {"allow": allowed})
        head.takes_whole = head.accepted.single and not head.accepted.parts
        head.usual = usual_headers(head.accepted.media_type, head.fixed)
        head.is_checked = True
        return None

    async def _read_on(self, exchange: Exchange) -> Params | list[Params | BadRequest]:
        """Return what is asked, when the rest of the body is here."""
        params: Params | list[Params | BadRequest] | None = None
        if "expect" in exchange.head.headers:
            # It waits to be told to send its body (100-continue), as waiting for more does: not in
            # vain.
            await self._pipeline.authenticate(exchange.head.headers)
            params = self._read(exchange)
        while params is None:
            await exchange.more()
            params = self._read(exchange)
        return params

    def _read(self, exchange: Exchange) -> Params | list[Params | BadRequest] | None:
        """Return what is asked; None until the body is whole."""
        if exchange.head.method == "GET":
            return negotiation.read_get(exchange.head.query_string)
        body = exchange.whole
        if body is None or len(body) > self._options.body_limit:
            exchange.check_body(self._options.body_limit)
            return None
        return negotiation.read_post(body, batch_limit=self._options.batch_limit)

    def _delivered(
        self, exchange: Exchange, params: Params, request: Request, caller: Caller
    ) -> Coroutine[Any, Any, Answer | Stream | None]:
        """Return what answers an operation in the form that the client reads."""
        head, kind = exchange.head, request.operation.kind
        if head.method == "GET":
            _check_kind(request)
        if head.takes_whole and kind is not _SUBSCRIPTION:
            return self._single(exchange, params, request, caller)
        match _delivery(exchange, request):
            case Delivery.SINGLE:
                return self._single(exchange, params, request, caller)
            case Delivery.EVENTS:
                return self._events(exchange, request, caller)
            case Delivery.PARTS:
                return self._parts(exchange, request, caller)

    def _running(
        self, exchange: Exchange, request: Request, caller: Caller
    ) -> Coroutine[Any, Any, dict[str, Any] | bytes]:
        """Return the run of an operation, which ends with the client if it only reads.

        Raises:
            ClientGone: the client has gone, and it only reads.
        """
        if exchange.is_gone and request.kind is _QUERY:
            raise ClientGone
        running = self._pipeline.execute(request, caller, exchange.request_id)
        return exchange.unless_gone(running) if request.kind is _QUERY else running

    def _refuse(self, exchange: Exchange, error: Exception) -> Answer:
        """Return the answer to a request that comes to nothing; mask what nobody has thought of."""
        match error:
            case BadRequest():
                exchange.say(error.headers)
                status, response = error.status, failure(error.message, ErrorCode.BAD_REQUEST)
            case ShuttingDown():
                later = str(math.ceil(error.retry_after))
                exchange.say({"retry-after": later, "connection": "close"})
                status, response = 503, refusal(error)
            case Unauthenticated():
                exchange.say({"www-authenticate": self._pipeline.authenticator.challenge})
                status, response = 401, failure(error.message, error.code)
            case RateLimited() | SlowConsumer():
                exchange.say({"retry-after": str(math.ceil(error.retry_after))})
                status, response = 429, refusal(error)
            case GatewayError():
                response = refusal(error)
                activity.note_refusal(response)
                status = negotiation.status_of(response, exchange.head.accepted.media_type)
            case _:
                self._log_failure(exchange, error)
                status = 500
                response = failure(MASKED, GatewayError.code)
        body = orjson.dumps(response)
        return exchange.answer(status, body, self._coding(exchange, body))

    @staticmethod
    def _log_failure(exchange: Exchange, error: Exception) -> None:
        kind, request_id = type(error).__name__, exchange.request_id
        _log.error("request_failed", request_id=request_id, kind=kind, exc_info=error)

    def _coding(self, exchange: Exchange, body: bytes) -> str | None:
        return exchange.coding(len(body), self._options.compress_from)

    async def _large(
        self, exchange: Exchange, status: int, body: bytes, pending: Pending
    ) -> Answer:
        """Return an answer that counts until it is taken; very large ones a thread compresses."""
        pending.finished(len(body))
        coding = self._coding(exchange, body)
        if coding is None or len(body) <= _THREAD_FROM:
            answer = exchange.answer(status, body, coding)
        else:
            answer = await asyncio.to_thread(exchange.answer, status, body, coding)
        answer.pending = pending
        return answer

    # Ways to deliver ----------------------------------------------------------------------------

    async def _single(
        self,
        exchange: Exchange,
        params: Params,
        request: Request,
        caller: Caller,
    ) -> Answer | None:
        draining, size = self._pipeline.draining, guess(request.cost, request.document.text)
        pending = None if size < SMALL else await self._outbox(exchange, caller).begin(size)
        try:
            if request.operation.kind is _QUERY:
                if exchange.is_gone:
                    return None
                exchange.reads = True
            draining.requests += 1
            try:
                response = await self._pipeline.execute(request, caller, exchange.request_id)
            finally:
                draining.requests -= 1
                exchange.reads = False
            body = encode(response)
            status = negotiation.status_of(response, exchange.head.accepted.media_type)
            del response  # While the answer waits, it is there as JSON only.
            persisted = not params.query and exchange.head.method == "GET"
            may_be_cached = persisted or request.document.max_age
            if may_be_cached and self._is_cached(exchange, request, body, persisted=persisted):
                status = NOT_MODIFIED
            if pending is None and len(body) < self._whole_below:
                return exchange.answer(status, body)
            pending = pending or Pending(self._outbox(exchange, caller), 0)
            return await self._large(exchange, status, body, pending)
        except BaseException:
            if pending is not None:
                pending.end()
            raise

    def _outbox(self, exchange: Exchange, caller: Caller) -> Outbox:
        return self._unsent.outbox(caller.principal, exchange.connection)

    def _is_cached(
        self, exchange: Exchange, request: Request, body: bytes, *, persisted: bool
    ) -> bool:
        """Add what caches need to know of an answer; tell whether the client has it already."""
        age = request.document.max_age
        is_query = request.kind is _QUERY
        if not is_query or request.explanation or http_caching.has_errors(body):
            return False
        exchange.say(http_caching.headers(body, age, persisted=persisted))
        return http_caching.is_known(exchange.extra, exchange.head.headers.get("if-none-match", ""))

    async def _prepared(
        self, exchange: Exchange, params: Params | BadRequest, caller: Caller
    ) -> Request | dict[str, Any]:
        """Return what an entry of a list wants to run; the answer when it cannot be run."""
        if isinstance(params, BadRequest):
            return failure(params.message, ErrorCode.BAD_REQUEST)
        try:
            request = await self._pipeline.request(params, caller, _wishes(exchange.head))
        except GatewayError as error:
            return refusal(error)
        except BadRequest as error:
            return failure(error.message, ErrorCode.BAD_REQUEST)
        if request.kind is _SUBSCRIPTION:
            return failure("Subscriptions cannot be part of a list.", ErrorCode.BAD_REQUEST)
        return request

    async def _batch(
        self, exchange: Exchange, batch: list[Params | BadRequest], caller: Caller
    ) -> Answer:
        """Run operations: those that write one after another, queries between them side by side."""

        async def run(request: Request | dict[str, Any]) -> dict[str, Any] | bytes:
            if isinstance(request, dict):
                activity.note_refusal(request)
                return request
            try:
                if _size(request) >= SMALL:
                    await self._pipeline.turns.turn(caller.principal)
                return await self._running(exchange, request, caller)
            except ClientGone:
                return {}  # What stands behind it may write, and is done all the same.
            except GatewayError as error:
                return refusal(error)

        with self._pipeline.draining:  # What is to be done is done, also what has not begun yet.
            requests = await asyncio.gather(
                *(self._prepared(exchange, params, caller) for params in batch)
            )
            for place, error in self._pipeline.too_much_together(requests, caller).items():
                requests[place] = refusal(error)
            size = sum(_size(each) for each in requests if isinstance(each, Request))
            pending = await self._outbox(exchange, caller).begin(size)
            try:
                answers: list[dict[str, Any] | bytes] = []
                for _, together in groupby(enumerate(requests), _turn):
                    answers += await asyncio.gather(*(run(request) for _, request in together))
                body = _listed(answers)
                del answers
                return await self._large(exchange, 200, body, pending)
            except BaseException:
                pending.end()
                raise

    async def _events(self, exchange: Exchange, request: Request, caller: Caller) -> Stream:
        frames = sse.frames(self._feed(exchange, request, caller))
        content_type, beat = sse.CONTENT_TYPE, sse.SIGN_OF_LIFE
        stream = await self._stream(exchange, request, caller, frames, content_type, beat)
        if subscriptions.is_followed(request):
            stream.begin = self._beginning(exchange, request, caller)
            stream.most_waiting = self._pipeline.options.subscriber_queue
        return stream

    def _beginning(self, exchange: Exchange, request: Request, caller: Caller) -> Beginning:
        last_event = _last_event(exchange)
        pipeline, request_id = self._pipeline, exchange.request_id

        async def begin(listener: Listener) -> Member:
            member = Member(listener, caller)
            try:
                await member.begin(pipeline, request, request_id, last_event)
            except BaseException:
                member.leave()
                raise
            return member

        return begin

    async def _parts(self, exchange: Exchange, request: Request, caller: Caller) -> Stream:
        if request.kind is _SUBSCRIPTION:
            payloads = multipart.payloads(self._feed(exchange, request, caller))
            answer = Multipart(multipart.SUBSCRIPTION)
        else:
            form, request_id = exchange.head.accepted.incremental, exchange.request_id
            context = self._pipeline.context(caller, request, request_id)
            results = incremental.run(self._pipeline.schema, request, context, request_id, form)
            payloads = _noted(request, results)
            answer = Multipart(multipart.INCREMENTAL[form])
        parts, content_type = answer.frames(payloads), answer.content_type
        beat = answer.sign_of_life
        return await self._stream(exchange, request, caller, parts, content_type, beat, early=False)

    def _feed(self, exchange: Exchange, request: Request, caller: Caller) -> subscriptions.Feed:
        return subscriptions.feed(
            self._pipeline, request, caller, exchange.request_id, _last_event(exchange)
        )

    async def _stream(
        self,
        exchange: Exchange,
        request: Request,
        caller: Caller,
        chunks: AsyncGenerator[bytes, None],
        content_type: str,
        sign_of_life: bytes,
        *,
        early: bool = True,
    ) -> Stream:
        endless = request.kind is _SUBSCRIPTION
        # The end waits until all of an answer is sent: clients repeat what was not completed.
        size = 0 if endless else _size(request)
        pending = await self._outbox(exchange, caller).begin(size)
        try:
            held = (
                self._shares.callers.held(caller.principal) if endless else self._pipeline.draining
            )
        except BaseException:
            pending.end()
            raise
        return Stream(
            headers=exchange.stream_headers(content_type),
            fixed=exchange.head.fixed,
            chunks=chunks,
            sign_of_life=sign_of_life,
            early=early,
            keep_alive=self._options.keep_alive,
            send_timeout=self._options.send_timeout,
            pending=pending,
            held=held,
        )


def _wishes(head: Head) -> list[str]:
    """Return what the client wants explained: each header, lest one hide another."""
    name = _EXPLAIN.encode()
    return [value.decode("latin-1") for each, value in head.raw if each == name]


def _last_event(exchange: Exchange) -> str | None:
    """Return the event that a client says it had last."""
    return exchange.head.headers.get("last-event-id") or None


def _size(request: Request) -> int:
    """Return about how large the answer will be, in bytes."""
    return guess(request.cost, request.document.text)


def _delivery(exchange: Exchange, request: Request) -> Delivery:
    accepted = exchange.head.accepted
    if request.explanation == "plan":
        # A single result, also of what would else be a stream.
        return Delivery.EVENTS if accepted.events and not accepted.single else Delivery.SINGLE
    return accepted.delivery(request.kind, incremental=request.document.incremental)


async def _noted(
    request: Request, payloads: AsyncGenerator[Mapping[str, Any], None]
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield the payloads of an incremental answer; note in the end what came of all."""
    data: Any = None
    errors: list[Any] = []
    try:
        async with aclosing(payloads):
            async for payload in payloads:
                data = payload.get("data", data)
                late = (*payload.get("incremental", ()), *payload.get("completed", ()))
                for each in (payload, *late):
                    errors += each.get("errors", ())
                yield payload
    finally:
        response = {"errors": errors, "data": data}
        activity.note(request.described, response)


def _listed(answers: Iterable[dict[str, Any] | bytes]) -> bytes:
    """Return the answers to a list of operations as JSON."""
    return encode([msgspec.Raw(each) if isinstance(each, bytes) else each for each in answers])


def _turn(placed: tuple[int, Request | dict[str, Any]]) -> int:
    """Return the same for neighbours of a list that may run together: only what writes is alone."""
    place, request = placed
    writes = isinstance(request, Request) and request.kind is OperationType.MUTATION
    return place if writes else -1


def _check_kind(request: Request) -> None:
    if request.kind is OperationType.MUTATION:
        raise BadRequest(405, "GET is not for mutations; send this by POST.", {"allow": "POST"})
