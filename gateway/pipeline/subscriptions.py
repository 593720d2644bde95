"""Runs an operation as a feed of responses: a subscription's events, or the one answer."""

import asyncio
import time
from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, Self, TypeAlias

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationType,
    located_error,
)

from gateway.auth.caller import Caller
from gateway.errors import GatewayError, Unauthenticated, refusal
from gateway.execution import execute, executors
from gateway.execution.json_encoding import encode
from gateway.execution.request import Request
from gateway.observability import activity
from gateway.pipeline.pipeline import Pipeline
from gateway.resolvers.request_context import RequestContext
from schema.phone_number_event import PhoneNumberEvent


class Emission(NamedTuple):
    """One response of a feed, as JSON: what it was made of takes several times the memory.

    Attributes:
        json: None announces that the subscription is in force: nothing from here on is missed.
        id: of the event that it reports, to come back to; None when it reports none.
        refused: whether nothing was executed: there are only errors.
    """

    json: bytes | None
    id: str | None = None
    refused: bool = False

    @classmethod
    def of(cls, response: dict[str, Any] | bytes, name: str | None = None) -> Self:
        """Return a response, which may report the event with this id."""
        if isinstance(response, bytes):
            return cls(response, name)
        return cls(encode(response), name, "data" not in response)


Feed: TypeAlias = AsyncGenerator[Emission, None]


async def feed(
    pipeline: Pipeline,
    request: Request,
    caller: Caller,
    request_id: str,
    last_event_id: str | None,
) -> Feed:
    """Yield the responses to an operation of any kind; errors are responses, too.

    A subscription goes on behind `last_event_id`, which may also come as `lastEventId` in the
    request's extensions. Those are the same at every return, so the argument counts more.
    """
    if request.kind is not OperationType.SUBSCRIPTION or request.explanation == "plan":
        try:
            yield Emission.of(await pipeline.execute(request, caller, request_id))
        except GatewayError as error:
            yield Emission.of(refusal(error))
        return
    context = pipeline.context(caller)
    activity.note(request.described, {})
    last = request.extensions.get("lastEventId") if last_event_id is None else last_event_id
    context.events.last_event_id = None if last is None else str(last)
    source = await _source(pipeline, request, context)
    if isinstance(source, ExecutionResult):
        yield Emission.of(execute.respond(source, request_id))
        return
    executor, events = source
    following = asyncio.ensure_future(anext(events, None))
    confirmed = asyncio.ensure_future(context.events.following.wait())
    waiting: set[asyncio.Future[Any]] = {following, confirmed}
    try:
        while True:
            done = await _before(caller.expires, waiting)
            waiting -= done
            if confirmed in done:
                yield Emission(None)
            if following not in done:
                continue
            event = following.result()
            if event is None:
                break
            following = asyncio.ensure_future(anext(events, None))
            waiting.add(following)
            # What is changed once may have to be told on many streams.
            await pipeline.turns.turn(caller.principal)
            # Each event has a deadline and loaders of its own.
            result = await executors.answer_event(executor, event, pipeline.context(caller))
            yield Emission.of(execute.respond(result, request_id), event.id)
    except Exception as error:  # noqa: BLE001 - masked like every error of a resolver
        shown = execute.shown(_located(error, request), request_id)
        yield Emission.of(execute.refused([shown]))
    finally:
        following.cancel()
        confirmed.cancel()
        await asyncio.gather(following, confirmed, return_exceptions=True)
        await events.aclose()


async def _source(
    pipeline: Pipeline, request: Request, context: RequestContext
) -> tuple[executors.Prepared, AsyncGenerator[PhoneNumberEvent, None]] | ExecutionResult:
    """Return the events of a subscription and what runs it on each; or why it cannot be run."""
    document = request.document
    if document.errors or document.whole is None:
        return ExecutionResult(None, list(document.errors))
    executor = executors.for_request(pipeline.schema, document.whole, request, context)
    if isinstance(executor, list):
        return ExecutionResult(None, executor)
    source = await executors.events_of(executor)
    return source if isinstance(source, ExecutionResult) else (executor, source)


async def _before(
    expires: float | None, waiting: AbstractSet[asyncio.Future[Any]]
) -> set[asyncio.Future[Any]]:
    """Return which of the futures are done, as soon as one is.

    Raises:
        Unauthenticated: the caller's token, good until `expires`, ran out before there was one,
            or before one that waits could be told.
    """
    left = None if expires is None else expires - time.time()
    if left is not None and left <= 0:
        raise Unauthenticated("The token has expired.")
    done, _ = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    if not done:
        raise Unauthenticated("The token has expired.")
    return done


def _located(error: Exception, request: Request) -> GraphQLError:
    """Return the end of an event stream as an error of its field, the only one at the root."""
    syntax = request.document.syntax
    operation = syntax and syntax.definition(request.operation_name)
    selected = list(operation.selection_set.selections) if operation else []
    names = [each.alias or each.name for each in selected if isinstance(each, FieldNode)]
    return located_error(error, selected[:1], [name.value for name in names[:1]])
