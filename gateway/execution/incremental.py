"""Incremental delivery: @defer and @stream, in the two forms that clients read.

graphql-core writes the current form: every increment names a pending entry by id. Clients of 2022
(`deferSpec=20220824`) want a path in every increment instead.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, Literal, TypeAlias

from graphql import (
    DirectiveNode,
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    GraphQLDeferDirective,
    GraphQLError,
    GraphQLSchema,
    GraphQLStreamDirective,
    InlineFragmentNode,
    SelectionSetNode,
)

from gateway.execution import execute, executors
from gateway.execution._compat import (
    ExperimentalIncrementalExecutionResults,
    get_argument_values,
)
from gateway.execution.error_order import in_order
from gateway.execution.request import Port, Request

# How increments are written: as graphql-js 17 does (`pending`, ids), or as clients of 2022 read
# them (a path in every increment). Clients that name neither, such as urql, read the paths.
IncrementalFormat: TypeAlias = Literal["pending", "paths"]

Payload: TypeAlias = dict[str, Any]
_DIRECTIVES: Final = {"defer": GraphQLDeferDirective, "stream": GraphQLStreamDirective}


async def run(
    schema: GraphQLSchema,
    request: Request,
    context: Port,
    request_id: str,
    form: IncrementalFormat,
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield the initial result and then each increment; the last one says `hasNext: false`."""
    document = request.document
    if document.errors or document.ast is None:
        yield _only(execute.refused(document.errors), form)
        return
    try:
        executor = executors.for_request(schema, document.ast, request, context)
        if not isinstance(executor, list):
            # graphql-core would notice when the field around it, maybe a purchase, is done.
            refusal = _refusal(executor)
            executor = executor if refusal is None else [refusal]
        result = await executors.outcome(executor)
        if isinstance(result, ExecutionResult):
            yield _traced(_only(execute.respond(result, request_id), form), context)
            return
        pending: dict[str, Payload] = {}
        async with aclosing(_payloads(result, request_id)) as payloads:
            async for payload in payloads:
                shown = payload if form == "pending" else _with_paths(payload, pending)
                yield _traced(shown, context)
    finally:
        context.cancel()


def _refusal(executor: executors.Prepared) -> GraphQLError | None:
    """Return what is wrong with how something is to be deferred or streamed."""
    for node in _directives(executor, executor.operation.selection_set, set()):
        if node.name.value not in _DIRECTIVES:
            continue
        try:
            kind = _DIRECTIVES[node.name.value]
            arguments = get_argument_values(kind, node, executor.variable_values)
        except GraphQLError as error:
            return error
        count = arguments.get("initialCount", 0)
        if arguments["if"] and (count is None or count < 0):
            return GraphQLError(f"initialCount: {count} is not 0 or more.", node)
    return None


def _directives(
    executor: executors.Prepared, selected: SelectionSetNode | None, seen: set[str]
) -> Iterator[DirectiveNode]:
    """Yield the directives in what is selected, but for what is left out; fragments once."""
    for node in selected.selections if selected else ():
        if not executors.is_included(executor, node):
            continue
        yield from node.directives or ()
        if isinstance(node, FieldNode | InlineFragmentNode):
            yield from _directives(executor, node.selection_set, seen)
        elif isinstance(node, FragmentSpreadNode) and (name := node.name.value) not in seen:
            seen.add(name)
            fragment = executor.fragment_definitions[name]
            yield from _directives(executor, fragment.selection_set, seen)


def _only(response: Payload, form: IncrementalFormat) -> Payload:
    """Return an answer that has no increments as its only payload."""
    # Where nothing was executed there is no `data`, but Apollo iOS reads no first part without it,
    # and so would not see the errors.
    if form == "paths":
        response.setdefault("data", None)
    return response | {"hasNext": False}


def _traced(payload: Payload, context: Port) -> Payload:
    """Return a payload; the last one with the upstream calls, if the client wants to know."""
    if payload["hasNext"] or not context.is_traced:
        return payload
    return payload | {"extensions": {"upstream": context.report()}}


async def _payloads(
    result: ExperimentalIncrementalExecutionResults, request_id: str
) -> AsyncGenerator[Payload, None]:
    """Yield graphql-core's payloads with their errors masked."""
    initial = result.initial_result
    initial.errors = _shown(initial.errors, request_id, initial.data)
    # Errors first, as everywhere.
    formatted = dict(initial.formatted)
    yield {key: formatted[key] for key in sorted(formatted, key=lambda key: key != "errors")}
    async with aclosing(result.subsequent_results) as updates:
        async for update in updates:
            for part in (*(update.incremental or ()), *(update.completed or ())):
                part.errors = _shown(part.errors, request_id)
            yield dict(update.formatted)


def _shown(
    errors: Sequence[GraphQLError] | None, request_id: str, data: object = None
) -> list[GraphQLError] | None:
    if not errors:
        return None
    return [execute.shown(error, request_id) for error in in_order(errors, data)]


def _with_paths(payload: Payload, pending: dict[str, Payload]) -> Payload:
    """Return a payload in the form of 2022; `pending` remembers what ids stand for.

    Attributes of the form: `{incremental: [{path, label, data | items, errors}], hasNext}`.
    """
    new = [{**entry, "sent": None} for entry in payload.pop("pending", ())]
    pending.update({entry["id"]: entry for entry in new})
    if "data" in payload:
        _count(new, [], payload["data"])
    increments = []
    for increment in payload.pop("incremental", ()):
        each = _one(increment, pending)
        increments.append(each)
        if "data" in each:
            _count(new, each["path"], each["data"])
        else:
            *path, start = each["path"]
            for index, item in enumerate(each["items"], start):
                _count(new, [*path, index], item)
    increments += [
        _failed(pending[each["id"]], each["errors"])
        for each in payload.pop("completed", ())
        if each.get("errors")
    ]
    # Also when nothing comes but the end: Apollo iOS takes a part without either key for an error.
    if "data" not in payload:
        payload["incremental"] = increments
    return payload


def _one(increment: Payload, pending: Mapping[str, Payload]) -> Payload:
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


def _failed(entry: Payload, errors: Sequence[Any]) -> Payload:
    """Return the increment that says why no more comes of a pending entry."""
    named: Payload = {"label": entry["label"]} if "label" in entry else {}
    named["errors"] = errors
    if entry["sent"] is None:
        return {**named, "path": entry["path"], "data": None}
    return {**named, "path": [*entry["path"], entry["sent"]], "items": None}


def _count(entries: Sequence[Payload], path: Sequence[str | int], data: object) -> None:
    """Note how many items of lists to be streamed came with the data at a path.

    That is the index of the next item; None stays for what is deferred.
    """
    for entry in entries:
        if entry["sent"] is None and entry["path"][: len(path)] == path:
            found = _at(data, entry["path"][len(path) :])
            if isinstance(found, list):
                entry["sent"] = len(found)


def _at(data: Any, path: Sequence[str | int]) -> Any:  # noqa: ANN401 - JSON
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data
