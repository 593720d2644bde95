"""Refusals beside the endpoint, in the form of a GraphQL error: paths, methods and handshakes."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway.error_codes import ErrorCode
from gateway.errors import failure
from gateway.transport.graphql_endpoint import GRAPHQL

_NO_SUCH_PATH: Final = f"Nothing is served under this path: send GraphQL to {GRAPHQL}."


async def _refused(request: Request, error: Exception) -> Response:
    """Say what is wrong: no such path, or no such method there."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.NOT_FOUND:
        return refusal(status, _NO_SUCH_PATH, ErrorCode.PATH_NOT_FOUND)
    said = f"{request.method} is not used here: send GraphQL to {GRAPHQL}."
    return refusal(status, said, ErrorCode.BAD_REQUEST, error.headers)


async def refuse_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse what is sent to a path that is not served; a WebSocket before it is opened.

    Raises:
        HTTPException: 404, for the handler.
    """
    if scope["type"] != "websocket":
        raise HTTPException(HTTPStatus.NOT_FOUND)
    answer = refusal(HTTPStatus.NOT_FOUND, _NO_SUCH_PATH, ErrorCode.PATH_NOT_FOUND)
    await refuse_socket(scope, receive, send, answer)


async def refuse_socket(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    """Answer the handshake of a WebSocket, which is not opened, by HTTP."""
    socket = WebSocket(scope, receive, send)
    await socket.receive()
    await socket.send_denial_response(answer)


async def _failed(_: Request, __: Exception) -> Response:
    """Say nothing of what went wrong; the server logs it."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return refusal(status, f"{status.phrase}.", ErrorCode.INTERNAL_SERVER_ERROR)


def refusal(
    status: HTTPStatus, said: str, code: ErrorCode, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer in the form of a GraphQL error."""
    return JSONResponse(
        failure(said, code),
        status,
        {"x-content-type-options": "nosniff", **(headers or {})},
        "application/json; charset=utf-8",
    )


HANDLERS: Final[Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]] = {
    HTTPException: _refused,
    Exception: _failed,
}
