"""404 and 405 for paths that are not served, in the form of a GraphQL error."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import failure


async def _refused(_: Request, error: Exception) -> Response:
    """Say what is wrong: no such path, or no such method there."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    return _answer(HTTPStatus(error.status_code), "BAD_REQUEST", error.headers)


async def _failed(_: Request, __: Exception) -> Response:
    """Say nothing of what went wrong; the server logs it."""
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", None)


def _answer(status: HTTPStatus, code: str, headers: Mapping[str, str] | None) -> Response:
    return JSONResponse(
        failure(f"{status.phrase}.", code),
        status,
        {"x-content-type-options": "nosniff", **(headers or {})},
        "application/json; charset=utf-8",
    )


HANDLERS: Final[Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]] = {
    HTTPException: _refused,
    Exception: _failed,
}
