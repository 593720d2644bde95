"""The GraphQL endpoint: one ASGI application for `/graphql`.

A request goes through these steps, in `Endpoint._serve`:

    negotiate ▶ check the head ▶ read ▶ authenticate ▶ find the document ▶ run ▶ answer

Subscriptions and incremental answers leave as streams (`sse.py`, `multipart.py`); WebSockets go
their own way from the start (`websocket.py`).
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
import orjson
import structlog
from graphql import OperationType
from starlette.types import Receive, Scope, Send

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
from gateway.execution.json_encoding import encode
from gateway.execution.request import Request
from gateway.observability import activity
from gateway.pipeline import subscriptions
from gateway.pipeline.pipeline import Pipeline
from gateway.transport import http_caching, multipart, negotiation, sse
from gateway.transport.asgi import Exchange
from gateway.transport.hangups import ClientGone, Hangups
from gateway.transport.multipart import Multipart
from gateway.transport.negotiation import Delivery
from gateway.transport.unsent import CONNECTION, SMALL, Outbox, Pending, Unsent, guess
from gateway.transport.websocket import WebSockets

_log = structlog.get_logger(__name__)
_EXPLAIN = "x-gateway-explain"


@dataclass(frozen=True)
class EndpointOptions:
    """How requests are read and answered; see the settings of the same names."""

    get_requests: bool
    body_limit: int
    batch_limit: int
    compress_from: int
    keep_alive: float
    send_timeout: float


class Endpoint:
    """Answers GraphQL over HTTP, WebSocket, server-sent events and multipart."""

    def __init__(
        self,
        pipeline: Pipeline,
        unsent: Unsent,
        shares: Shares,
        sockets: WebSockets,
        options: EndpointOptions,
    ) -> None:
        """Answer with what `pipeline` yields.

        Args:
            pipeline: runs operations.
            unsent: counts what waits to be read by clients.
            shares: how many streams a caller may have.
            sockets: serves WebSockets.
            options: how requests are read and answered.
        """
        self._pipeline = pipeline
        self._unsent = unsent
        self._shares = shares
        self._sockets = sockets
        self._options = options
        self._hangups = Hangups()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one WebSocket."""
        if scope["type"] == "websocket":
            await self._sockets.serve(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._serve(exchange)
        except BadRequest as error:
            exchange.extra |= error.headers
            await self._fail(exchange, error.status, error.message, ErrorCode.BAD_REQUEST)
        except ClientGone:
            return
        except ShuttingDown as error:
            exchange.extra |= {
                "retry-after": str(math.ceil(error.retry_after)),
                "connection": "close",
            }
            await self._answer(exchange, 503, orjson.dumps(refusal(error)))
        except Unauthenticated as error:
            exchange.extra["www-authenticate"] = self._pipeline.authenticator.challenge
            await self._fail(exchange, 401, error.message, error.code)
        except (RateLimited, SlowConsumer) as error:
            exchange.extra["retry-after"] = str(math.ceil(error.retry_after))
            await self._answer(exchange, 429, orjson.dumps(refusal(error)))
        except GatewayError as error:
            response = refusal(error)
            status = negotiation.status_of(response, exchange.accepted.media_type)
            await self._answer(exchange, status, orjson.dumps(response))
        except Exception as error:  # noqa: BLE001 - it is logged there
            await self._failed(exchange, error)

    async def _serve(self, exchange: Exchange) -> None:
        exchange.accepted = negotiation.accepted(exchange.headers.get("accept", ""))
        self._check_head(exchange)
        if "expect" in exchange.headers:
            # It waits to be told to send its body (100-continue), which reading does: not in vain.
            await self._pipeline.authenticate(exchange.headers)
        params = await self._read(exchange)
        caller = await self._pipeline.authenticate(exchange.headers)
        if isinstance(params, list):
            await self._batch(exchange, params, caller)
            return
        request = await self._pipeline.request(params, caller, _wishes(exchange))
        _check_method(exchange, request)
        match _delivery(exchange, request):
            case Delivery.SINGLE:
                await self._single(exchange, params, request, caller)
            case Delivery.EVENTS:
                await self._events(exchange, request, caller)
            case Delivery.PARTS:
                await self._parts(exchange, request, caller)

    # Steps --------------------------------------------------------------------------------------

    def _check_head(self, exchange: Exchange) -> None:
        """Raise BadRequest for what can be seen before the body: 405, 413, 415."""
        match exchange.method:
            case "GET" if self._options.get_requests:
                return
            case "POST":
                negotiation.check_content_type(exchange.headers.get("content-type", ""))
                if exchange.headers.get("content-encoding", "identity") != "identity":
                    accepted = {"accept-encoding": "identity"}
                    raise BadRequest(415, "Send the body uncompressed.", accepted)
                exchange.check_size(self._options.body_limit)
            case _:
                allowed = "GET, HEAD, POST" if self._options.get_requests else "POST"
                method = exchange.scope["method"]
                raise BadRequest(405, f"{method} is not used here.", {"allow": allowed})

    async def _read(self, exchange: Exchange) -> Params | list[Params | BadRequest]:
        if exchange.method == "GET":
            return negotiation.read_get(exchange.scope["query_string"])
        body = await exchange.body(self._options.body_limit)
        return negotiation.read_post(body, batch_limit=self._options.batch_limit)

    async def _run(
        self, exchange: Exchange, request: Request, caller: Caller
    ) -> dict[str, Any] | bytes:
        running = self._pipeline.execute(request, caller, exchange.request_id)
        with self._pipeline.draining:
            if request.kind is OperationType.QUERY:
                return await self._hangups.unless_gone(running, exchange.receive)
            return await running

    async def _answer(self, exchange: Exchange, status: int, body: bytes) -> None:
        await exchange.answer(status, body, compress_from=self._options.compress_from)

    async def _failed(self, exchange: Exchange, error: Exception) -> None:
        """Mask and log what nobody has thought of: the last line of defence."""
        connection = exchange.scope.get(CONNECTION)
        if isinstance(error, RuntimeError) and connection is not None and connection.is_gone:
            # That is how the loop says that it does not write to a closed connection.
            await exchange.gone()
            return
        kind, request_id = type(error).__name__, exchange.request_id
        _log.error("request_failed", request_id=request_id, kind=kind, exc_info=error)
        if exchange.started:
            raise error
        message = "Something went wrong in the gateway; its log has more under this request id."
        await self._fail(exchange, 500, message, GatewayError.code)

    async def _fail(self, exchange: Exchange, status: int, message: str, code: ErrorCode) -> None:
        """Answer a request that is refused before GraphQL comes into it."""
        await self._answer(exchange, status, orjson.dumps(failure(message, code)))

    # Ways to deliver ----------------------------------------------------------------------------

    async def _single(
        self,
        exchange: Exchange,
        params: Params,
        request: Request,
        caller: Caller,
    ) -> None:
        pending: Pending | None = None
        size = _size(request)
        if size >= SMALL:
            pending = await self._outbox(exchange, caller).begin(size)
        try:
            response = await self._run(exchange, request, caller)
            body = response if isinstance(response, bytes) else encode(response)
            if pending is None and len(body) >= SMALL:
                pending = Pending(self._outbox(exchange, caller), 0)
            if pending is not None:
                pending.finished(len(body))
            status = negotiation.status_of(response, exchange.accepted.media_type)
            del response  # While the answer waits, it is there as JSON only.
            await self._whole(exchange, params, request, status, body)
            del body
            if pending is not None:
                await pending.taken()
        finally:
            if pending is not None:
                pending.end()

    def _outbox(self, exchange: Exchange, caller: Caller) -> Outbox:
        connection = exchange.scope.get(CONNECTION)
        return self._unsent.outbox(caller.principal, connection)

    async def _whole(
        self,
        exchange: Exchange,
        params: Params,
        request: Request,
        status: int,
        body: bytes,
    ) -> None:
        """Send the one answer to an operation, with what caches need to know."""
        is_query = request.kind is OperationType.QUERY
        if is_query and not request.explanation and not http_caching.has_errors(body):
            persisted = exchange.method == "GET" and not params.query
            age = request.document.max_age
            exchange.extra |= http_caching.headers(body, age, persisted=persisted)
            if http_caching.is_known(exchange.extra, exchange.headers.get("if-none-match", "")):
                status = 304
        await self._answer(exchange, status, body)

    async def _prepared(
        self, exchange: Exchange, params: Params | BadRequest, caller: Caller
    ) -> Request | dict[str, Any]:
        """Return what an entry of a list wants to run; the answer when it cannot be run."""
        if isinstance(params, BadRequest):
            return failure(params.message, ErrorCode.BAD_REQUEST)
        try:
            request = await self._pipeline.request(params, caller, _wishes(exchange))
        except GatewayError as error:
            return refusal(error)
        except BadRequest as error:
            return failure(error.message, ErrorCode.BAD_REQUEST)
        if request.kind is OperationType.SUBSCRIPTION:
            return failure("Subscriptions cannot be part of a list.", ErrorCode.BAD_REQUEST)
        return request

    async def _batch(
        self, exchange: Exchange, batch: list[Params | BadRequest], caller: Caller
    ) -> None:
        """Run operations: those that write one after another, queries between them side by side."""

        async def run(request: Request | dict[str, Any]) -> dict[str, Any] | bytes:
            if isinstance(request, dict):
                return request
            try:
                if _size(request) >= SMALL:
                    await self._pipeline.turns.turn(caller.principal)
                return await self._run(exchange, request, caller)
            except GatewayError as error:
                return refusal(error)

        with self._pipeline.draining:  # What is to be done is done, also what has not begun yet.
            requests = await asyncio.gather(
                *(self._prepared(exchange, params, caller) for params in batch)
            )
            size = sum(_size(each) for each in requests if isinstance(each, Request))
            pending = await self._outbox(exchange, caller).begin(size)
            try:
                answers: list[dict[str, Any] | bytes] = []
                for _, together in groupby(enumerate(requests), _turn):
                    answers += await asyncio.gather(*(run(request) for _, request in together))
                body = _listed(answers)
                del answers
                pending.finished(len(body))
                await self._answer(exchange, 200, body)
                await pending.taken()
            finally:
                pending.end()

    async def _events(self, exchange: Exchange, request: Request, caller: Caller) -> None:
        frames = sse.frames(self._feed(exchange, request, caller))
        content_type, beat = sse.CONTENT_TYPE, sse.SIGN_OF_LIFE
        await self._stream(exchange, request, caller, frames, content_type, beat)

    async def _parts(self, exchange: Exchange, request: Request, caller: Caller) -> None:
        if request.kind is OperationType.SUBSCRIPTION:
            payloads = multipart.payloads(self._feed(exchange, request, caller))
            answer = Multipart(multipart.SUBSCRIPTION)
        else:
            form, request_id = exchange.accepted.incremental, exchange.request_id
            context = self._pipeline.admitted(request, caller)
            results = incremental.run(self._pipeline.schema, request, context, request_id, form)
            payloads = _noted(request, results)
            answer = Multipart(multipart.INCREMENTAL[form])
        parts, content_type = answer.frames(payloads), answer.content_type
        beat = answer.sign_of_life
        await self._stream(exchange, request, caller, parts, content_type, beat, early=False)

    def _feed(self, exchange: Exchange, request: Request, caller: Caller) -> subscriptions.Feed:
        last_event = exchange.headers.get("last-event-id") or None
        return subscriptions.feed(self._pipeline, request, caller, exchange.request_id, last_event)

    async def _stream(
        self,
        exchange: Exchange,
        request: Request,
        caller: Caller,
        chunks: AsyncIterator[bytes],
        content_type: str,
        sign_of_life: bytes,
        *,
        early: bool = True,
    ) -> None:
        endless = request.kind is OperationType.SUBSCRIPTION
        # The end waits until all of an answer is sent: clients repeat what was not completed.
        size = 0 if endless else _size(request)
        pending = await self._outbox(exchange, caller).begin(size)
        try:
            with (
                self._shares.callers.held(caller.principal) if endless else self._pipeline.draining
            ):
                await exchange.stream(
                    chunks,
                    content_type,
                    sign_of_life=sign_of_life,
                    early=early,
                    keep_alive=self._options.keep_alive,
                    send_timeout=self._options.send_timeout,
                    pending=pending,
                )
        finally:
            pending.end()


def _wishes(exchange: Exchange) -> list[str]:
    """Return what the client wants explained: each header, lest one hide another."""
    if _EXPLAIN not in exchange.headers:
        return []
    name = _EXPLAIN.encode()
    return [value.decode("latin-1") for each, value in exchange.scope["headers"] if each == name]


def _size(request: Request) -> int:
    """Return about how large the answer will be, in bytes."""
    return guess(request.cost, request.document.text)


def _delivery(exchange: Exchange, request: Request) -> Delivery:
    accepted = exchange.accepted
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


def _check_method(exchange: Exchange, request: Request) -> None:
    if exchange.method == "GET" and request.kind is OperationType.MUTATION:
        raise BadRequest(405, "GET is not for mutations; send this by POST.", {"allow": "POST"})
