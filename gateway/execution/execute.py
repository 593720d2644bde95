"""Runs an operation: graphql-core's executor over the schema's resolvers."""

from collections.abc import Iterable
from typing import Any, cast
from weakref import WeakKeyDictionary

import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType

from gateway.documents.documents import Document, coded
from gateway.error_codes import ErrorCode
from gateway.errors import GatewayError
from gateway.execution import executors
from gateway.execution._compat import is_of_an_argument
from gateway.execution.compiled_queries import Queries
from gateway.execution.projecting_executor import FastExecutor
from gateway.execution.projection import Projections
from gateway.execution.request import Port, Request

_log = structlog.get_logger(__name__)
_MASKED = "Something went wrong in the gateway; its log has more under this request id."


class Compiled:
    """What has been compiled for one document."""

    __slots__ = ("projections", "queries")

    def __init__(self) -> None:
        self.projections = Projections()
        self.queries = Queries()


# By document, and as long as it lives.
_compiled: WeakKeyDictionary[Document, Compiled] = WeakKeyDictionary()


def compiled_for(document: Document) -> Compiled:
    """Return what has been compiled for a document, and where more of that is kept."""
    compiled = _compiled.get(document)
    if compiled is None:
        compiled = _compiled[document] = Compiled()
    return compiled


async def run(
    schema: GraphQLSchema, request: Request, context: Port, request_id: str
) -> dict[str, Any]:
    """Execute a query or mutation and return the response object: `data`, `errors`.

    `data` is missing when nothing could be executed (an invalid operation or invalid variables).
    """
    document = request.document
    if document.errors or document.whole is None:
        return refused(document.errors)
    fast = context.fast and request.kind is OperationType.QUERY
    # A detailed trace tells every field that asked, which is more than is known of shared answers.
    if fast and not context.is_traced:
        query = compiled_for(document).queries.find(
            schema, document.whole, request.operation_name, request.variables, document.conditions
        )
        if query is not None:
            try:
                return {"data": await query(context)}
            except Exception:  # noqa: BLE001 - whatever it is, graphql-core will raise it properly
                context.begin_again()
                context.alone = False
    options: dict[str, Any] = {}
    if fast:
        options = {
            "kind": FastExecutor,
            "projections": compiled_for(document).projections,
            "conditions": document.conditions,
        }
    # The plain `execute` refuses schemas that have @defer; `whole` is free of it.
    executor = executors.for_request(schema, document.whole, request, context, **options)
    result = await executors.outcome(executor)
    return respond(cast("ExecutionResult", result), request_id)


def refused(errors: Iterable[GraphQLError]) -> dict[str, Any]:
    """Return the response object of an operation of which nothing was executed."""
    return {"errors": [error.formatted for error in errors]}


def respond(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    """Return a result as a response object, its errors masked."""
    response: dict[str, Any] = {}
    if result.errors:
        response["errors"] = [shown(error, request_id).formatted for error in result.errors]
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
        _MASKED,
        nodes=error.nodes,
        path=error.path,
        extensions={"code": ErrorCode.INTERNAL_SERVER_ERROR, "requestId": request_id},
    )


def _refused(result: ExecutionResult) -> bool:
    """Whether execution never began: all errors are of the request, none of a field."""
    return bool(result.errors) and all(error.path is None for error in result.errors or ())
