"""404 and 405 for paths that are not served, in the form of a GraphQL error."""

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
from gateway.transport.asgi_application import GRAPHQL

_NO_SUCH_PATH: Final = f"Nothing is served under this path: send GraphQL to {GRAPHQL}."


async def _refused(request: Request, error: Exception) -> Response:
    """Say what is wrong: no such path, or no such method there."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.NOT_FOUND:
        return _answer(status, _NO_SUCH_PATH, ErrorCode.PATH_NOT_FOUND)
    said = f"{request.method} is not used here: send GraphQL to {GRAPHQL}."
    return _answer(status, said, ErrorCode.BAD_REQUEST, error.headers)


async def refuse_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse what is sent to a path that is not served; a WebSocket before it is opened.

    Raises:
        HTTPException: 404, for the handler.
    """
    if scope["type"] != "websocket":
        raise HTTPException(HTTPStatus.NOT_FOUND)
    socket = WebSocket(scope, receive, send)
    await socket.receive()
    answer = _answer(HTTPStatus.NOT_FOUND, _NO_SUCH_PATH, ErrorCode.PATH_NOT_FOUND)
    await socket.send_denial_response(answer)


async def _failed(_: Request, __: Exception) -> Response:
    """Say nothing of what went wrong; the server logs it."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _answer(status, f"{status.phrase}.", ErrorCode.INTERNAL_SERVER_ERROR)


def _answer(
    status: HTTPStatus, said: str, code: ErrorCode, headers: Mapping[str, str] | None = None
) -> Response:
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
