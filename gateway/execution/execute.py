"""Runs an operation: graphql-core's executor over the schema's resolvers."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType

from gateway.documents.documents import coded
from gateway.error_codes import ErrorCode
from gateway.errors import GatewayError
from gateway.execution import executors
from gateway.execution._compat import is_of_an_argument
from gateway.execution.compiled_queries import FORESEEN, Run, compiled_for
from gateway.execution.error_order import in_order
from gateway.execution.projecting_executor import FastExecutor
from gateway.execution.projection import Projector
from gateway.execution.request import Port, Request
from gateway.waiting import without_frames

_log = structlog.get_logger(__name__)
_COMPILED = (OperationType.QUERY, OperationType.MUTATION)
MASKED = "Something went wrong in the gateway; its log has more under this request id."


class Executing(NamedTuple):
    """What all executions of a process share.

    Attributes:
        schema: what is executed against.
        projector: compiles what is plain in queries.
        executed: is told what was executed (kind, name, digest) and the response.
        fell_back: counts what went wrong on the compiled way and should not have, by its kind.
    """

    schema: GraphQLSchema
    projector: Projector
    executed: Callable[[tuple[str, str, str], Mapping[str, Any]], None]
    fell_back: Callable[[str], None]


async def run(
    shared: Executing, request: Request, context: Port, request_id: str
) -> dict[str, Any]:
    """Execute a query or mutation and return the response object: `data`, `errors`.

    `data` is missing when nothing could be executed (an invalid operation or invalid variables).
    In the end reads are given up that nobody waits for.

    Args:
        shared: what it is executed with.
        request: what is executed.
        context: the port of the schema.
        request_id: names the request in logs.
    """
    document = request.document
    fast = request.operation.kind in _COMPILED and context.fast and not document.errors
    response: dict[str, Any] | None = None
    try:
        if fast:
            compiled = request.operation.compiled or compiled_for(
                shared.schema, shared.projector, document, request.operation
            )
            # A detailed trace tells every field that asked, more than is known of shared answers.
            traced = request.explanation == "trace"
            found = None if traced else compiled.find(request.variables)
            if found is not None:
                query, values = found
                try:
                    if query.ends:  # It needs no coroutine of its own.
                        data = query.finish(await query.begin(context, values))
                    else:
                        data = await Run(query, values, context).data()
                    response = {"data": data}
                except FORESEEN as error:
                    without_frames(error)
                    context.begin_again()
                except Exception as error:  # noqa: BLE001 - graphql-core will raise it properly
                    _note_fallback(error, request_id, shared.fell_back)
                    context.begin_again()
        if response is None:
            response = await _by_graphql_core(shared, request, context, request_id, fast=fast)
    finally:
        context.cancel()
    shared.executed(request.operation.described, response)
    if request.explanation == "trace":
        await asyncio.sleep(0)  # What nobody waits for any more was sent all the same.
        response["extensions"] = {"upstream": context.report()}
    return response


async def _by_graphql_core(
    shared: Executing, request: Request, context: Port, request_id: str, *, fast: bool
) -> dict[str, Any]:
    """Execute an operation by graphql-core; `fast`: with what is plain read at once."""
    document = request.document
    if document.errors or document.whole is None:
        return refused(document.errors)
    options: dict[str, Any] = {}
    if fast:
        gave_up = partial(_note_fallback, request_id=request_id, fell_back=shared.fell_back)
        options = {"kind": FastExecutor, "gave_up": gave_up}
    # The plain `execute` refuses schemas that have @defer; `whole` is free of it.
    executor = executors.for_request(shared.schema, document.whole, request, context, **options)
    result = await executors.outcome(executor)
    return respond(cast("ExecutionResult", result), request_id)


def _note_fallback(error: Exception, request_id: str, fell_back: Callable[[str], None]) -> None:
    """Count and log what nobody has foreseen: the client gets its answer, only later."""
    kind = type(error).__name__
    fell_back(kind)
    _log.error("compiled_query_failed", request_id=request_id, kind=kind, exc_info=error)


def refused(errors: Iterable[GraphQLError]) -> dict[str, Any]:
    """Return the response object of an operation of which nothing was executed."""
    return {"errors": [error.formatted for error in errors]}


def respond(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    """Return a result as a response object, its errors masked and in order."""
    response: dict[str, Any] = {}
    if result.errors:
        told = [
            shown(error, request_id).formatted for error in in_order(result.errors, result.data)
        ]
        for error in result.errors:
            without_frames(error.original_error)
            without_frames(error)
        response["errors"] = told
    if result.data is not None or not _refused(result):
        response["data"] = result.data
    return response


def shown(error: GraphQLError, request_id: str) -> GraphQLError:
    """Return an error as clients may see it: ours as they are, anything else masked and logged."""
    original = error.original_error
    if original is None or isinstance(original, GraphQLError):
        # Of what is raised at a field, only what is wrong with its arguments is the client's.
        is_input = error.path is None or is_of_an_argument(error)
        return coded(
            error, ErrorCode.BAD_USER_INPUT if is_input else ErrorCode.INTERNAL_SERVER_ERROR
        )
    if isinstance(original, GatewayError):
        return error
    _log.error("resolver_failed", request_id=request_id, path=error.path, exc_info=original)
    return GraphQLError(
        MASKED,
        nodes=error.nodes,
        path=error.path,
        extensions={"code": ErrorCode.INTERNAL_SERVER_ERROR, "requestId": request_id},
    )


def _refused(result: ExecutionResult) -> bool:
    """Whether execution never began: all errors are of the request, none of a field."""
    return bool(result.errors) and all(error.path is None for error in result.errors or ())
