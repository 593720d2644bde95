"""Incremental delivery: @defer and @stream, in the two forms that clients read.

graphql-core writes the current form: every increment names a pending entry by id. Clients of 2022
(`deferSpec=20220824`) want a path in every increment instead.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias

from graphql import ExecutionResult, GraphQLError, GraphQLSchema
from graphql.execution import (
    ExperimentalIncrementalExecutionResults,
    experimental_execute_incrementally,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway import execution
from gateway.context import RequestContext
from gateway.protocol import IncrementalFormat

Payload: TypeAlias = dict[str, Any]


async def run(
    schema: GraphQLSchema,
    request: execution.Request,
    context: RequestContext,
    request_id: str,
    form: IncrementalFormat,
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield the initial result and then each increment; the last one says `hasNext: false`."""
    document = request.document
    if document.errors or document.ast is None:
        yield {"errors": [error.formatted for error in document.errors], "hasNext": False}
        return
    try:
        result = experimental_execute_incrementally(
            schema,
            document.ast,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
            executor_class=StrawberryGraphQLCoreExecutionContext,
            operation_extensions=request.extensions,
            hide_suggestions=document.discreet,
        )
        if not isinstance(result, ExecutionResult | ExperimentalIncrementalExecutionResults):
            result = await result
        if isinstance(result, ExecutionResult):
            yield execution.respond(result, request_id) | {"hasNext": False}
            return
        pending: dict[str, Payload] = {}
        async with aclosing(_payloads(result, request_id)) as payloads:
            async for payload in payloads:
                yield payload if form == "pending" else _with_paths(payload, pending)
    finally:
        context.reader.cancel()


async def _payloads(
    result: ExperimentalIncrementalExecutionResults, request_id: str
) -> AsyncGenerator[Payload, None]:
    """Yield graphql-core's payloads with their errors masked."""
    initial = result.initial_result
    initial.errors = _shown(initial.errors, request_id)
    # Errors first, as everywhere.
    formatted = dict(initial.formatted)
    yield {key: formatted[key] for key in sorted(formatted, key=lambda key: key != "errors")}
    async with aclosing(result.subsequent_results) as updates:
        async for update in updates:
            for part in (*(update.incremental or ()), *(update.completed or ())):
                part.errors = _shown(part.errors, request_id)
            yield dict(update.formatted)


def _shown(errors: Sequence[GraphQLError] | None, request_id: str) -> list[GraphQLError] | None:
    return [execution.shown(error, request_id) for error in errors] if errors else None


def _with_paths(payload: Payload, pending: dict[str, Payload]) -> Payload:
    """Return a payload in the form of 2022; `pending` remembers what ids stand for.

    Attributes of the form: `{incremental: [{path, label, data | items, errors}], hasNext}`.
    """
    for entry in payload.pop("pending", ()):
        # How many items of a stream have gone out: the next one's index.
        sent = _length(payload.get("data"), entry["path"])
        pending[entry["id"]] = {**entry, "sent": sent}
    increments = [_one(each, pending) for each in payload.pop("incremental", ())]
    failed = [
        {"path": pending[each["id"]]["path"], "data": None, "errors": each["errors"]}
        for each in payload.pop("completed", ())
        if each.get("errors")
    ]
    if increments or failed:
        payload["incremental"] = increments + failed
    return payload


def _one(increment: Payload, pending: dict[str, Payload]) -> Payload:
    entry = pending[increment["id"]]
    named: Payload = {"label": entry["label"]} if "label" in entry else {}
    if increment.get("errors"):
        named["errors"] = increment["errors"]
    path = [*entry["path"], *increment.get("subPath", ())]
    if "items" not in increment:
        return {**named, "path": path, "data": increment["data"]}
    start = entry["sent"]
    entry["sent"] += len(increment["items"])
    return {**named, "path": [*path, start], "items": increment["items"]}


def _length(data: Any, path: Sequence[str | int]) -> int:  # noqa: ANN401 - JSON
    """Return the length of the list at a path; 0 when there is none."""
    for step in path:
        if data is None:
            return 0
        data = data[step]
    return len(data) if isinstance(data, list) else 0
