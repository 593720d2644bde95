"""Runs an operation as a feed of responses: a subscription's events, or the one answer."""

import asyncio
import time
from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from inspect import isawaitable
from typing import Any, NamedTuple, Self, TypeAlias, cast

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationType,
    create_source_event_stream,
    execute_subscription_event,
    located_error,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.auth.caller import Caller
from gateway.errors import GatewayError, Unauthenticated, refusal
from gateway.execution import execute
from gateway.execution.json_encoding import encode
from gateway.execution.request import Request
from gateway.observability import activity
from gateway.pipeline.pipeline import Service
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
    service: Service,
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
            yield Emission.of(await service.execute(request, caller, request_id))
        except GatewayError as error:
            yield Emission.of(refusal(error))
        return
    context = service.context(caller)
    activity.note(request.described, {})
    last = request.extensions.get("lastEventId") if last_event_id is None else last_event_id
    context.last_event_id = None if last is None else str(last)
    source = await _source(service, request, context)
    if isinstance(source, ExecutionResult):
        yield Emission.of(execute.respond(source, request_id))
        return
    executor, events = source
    following = asyncio.ensure_future(anext(events, None))
    confirmed = asyncio.ensure_future(context.following.wait())
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
            await service.turns.turn(caller.principal)
            # Each event has a deadline and loaders of its own.
            each = _executor_of_event(executor, event, service.context(caller))
            result = execute_subscription_event(each)
            if not isinstance(result, ExecutionResult):
                result = await result
            yield Emission.of(execute.respond(result, request_id), event.id)
    except Exception as error:  # noqa: BLE001 - masked like every error of a resolver
        shown = execute.shown(_located(error, request), request_id)
        yield Emission.of({"errors": [shown.formatted]})
    finally:
        following.cancel()
        confirmed.cancel()
        await asyncio.gather(following, confirmed, return_exceptions=True)
        await events.aclose()


async def _source(
    service: Service, request: Request, context: RequestContext
) -> (
    tuple[StrawberryGraphQLCoreExecutionContext, AsyncGenerator[PhoneNumberEvent, None]]
    | ExecutionResult
):
    """Return the events of a subscription and what runs it on each; or why it cannot be run."""
    executor = _executor(service, request, context)
    if isinstance(executor, ExecutionResult):
        return executor
    source = create_source_event_stream(executor)
    if isawaitable(source):
        source = await source
    if isinstance(source, ExecutionResult):
        return source
    return executor, cast("AsyncGenerator[PhoneNumberEvent, None]", source)


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


def _executor(
    service: Service, request: Request, context: RequestContext
) -> StrawberryGraphQLCoreExecutionContext | ExecutionResult:
    """Return what runs the operation; the errors when it cannot be run."""
    document = request.document
    if document.errors or document.whole is None:
        return ExecutionResult(None, list(document.errors))
    executor = StrawberryGraphQLCoreExecutionContext.build(
        service.schema,
        document.whole,
        context_value=context,
        raw_variable_values=request.variables,
        operation_name=request.operation_name,
        operation_extensions=request.extensions,
        hide_suggestions=document.discreet,
    )
    if isinstance(executor, list):
        return ExecutionResult(None, executor)
    return cast("StrawberryGraphQLCoreExecutionContext", executor)


def _executor_of_event(
    executor: StrawberryGraphQLCoreExecutionContext,
    event: PhoneNumberEvent,
    context: RequestContext,
) -> StrawberryGraphQLCoreExecutionContext:
    """Return what runs a subscription's operation on one of its events."""
    each = executor.build_per_event_executor(event)
    each.context_value = context
    # graphql-core remembers selections by the identity of lists that it makes anew for each event,
    # and shares that memory between events, so that it would grow as long as the subscription
    # lives: see docs/contributing.md.
    each._relevant_sub_fields = {}  # noqa: SLF001 - it has no public name
    return cast("StrawberryGraphQLCoreExecutionContext", each)


def _located(error: Exception, request: Request) -> GraphQLError:
    """Return the end of an event stream as an error of its field, the only one at the root."""
    operation = request.document.operation(request.operation_name)
    selected = list(operation.selection_set.selections) if operation else []
    names = [each.alias or each.name for each in selected if isinstance(each, FieldNode)]
    return located_error(error, selected[:1], [name.value for name in names[:1]])
