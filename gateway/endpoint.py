"""The GraphQL endpoint: one ASGI application for `/graphql`."""

import secrets
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from gateway import execution, protocol
from gateway.errors import GatewayError, TooManyCalls, Unauthenticated
from gateway.hangup import ClientGone, unless_gone
from gateway.protocol import BadRequest, Params
from gateway.service import Service

_log = structlog.get_logger(__name__)


class Endpoint:
    """Answers GraphQL over HTTP."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = _headers(scope)
        request_id = secrets.token_hex(16)
        extra = {"x-request-id": request_id, "cache-control": "no-store", "vary": "Accept"}
        media_type = protocol.JSON
        try:
            media_type = protocol.response_type(headers.get("accept", ""))
            params = await self._params(scope, headers, receive)
            with self._service.draining.request():
                response = await self._answer(
                    params, headers, request_id, receive, scope["method"] == "GET"
                )
            status = protocol.status_of(response, media_type)
        except BadRequest as error:
            status, response = error.status, _failure(error.message, "BAD_REQUEST")
            extra |= error.headers
        except TooManyCalls as error:
            response = {"errors": [{"message": error.message, "extensions": error.extensions}]}
            status = protocol.status_of(response, media_type)
        except Unauthenticated as error:
            status, response = 401, _failure(error.message, error.code)
            extra["www-authenticate"] = 'Basic realm="number-gateway"'
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the last line of defence: masked and logged
            _log.exception("request_failed", request_id=request_id, kind=type(error).__name__)
            status, response = 500, _failure("Something went wrong in the gateway.", _INTERNAL)
        await _respond(send, status, response, media_type, extra)

    async def _params(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Params:
        match scope["method"]:
            case "GET":
                return protocol.read_get(scope["query_string"])
            case "POST":
                body = await self._body(receive)
                return protocol.read_post(body, headers.get("content-type", ""))
            case method:
                raise BadRequest(405, f"{method} is not used here.", {"allow": "GET, POST"})

    async def _body(self, receive: Receive) -> bytes:
        limit = self._service.settings.body_limit
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest(400, "The client went away.")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise BadRequest(413, f"The body is larger than {limit} bytes.")
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def _answer(
        self,
        params: Params,
        headers: Mapping[str, str],
        request_id: str,
        receive: Receive,
        only_queries: bool,  # noqa: FBT001 - GET, by the method
    ) -> dict[str, Any] | bytes:
        if self._service.draining:
            raise BadRequest(503, "This process is shutting down: ask again.", _LEAVING)
        credential = self._service.authenticator.credential(
            headers.get("authorization", ""), headers.get("x-account-sid", "")
        )
        document = self._service.documents.get(params.query)
        if only_queries and document.ast and not document.is_query(params.operation_name):
            raise BadRequest(405, "GET is for queries only; send this by POST.", {"allow": "POST"})
        request = execution.Request(
            document, params.operation_name, params.variables, params.extensions
        )
        wish = headers.get("x-gateway-explain", "")
        running = self._service.execute(request, credential, request_id, wish=wish)
        if document.is_query(params.operation_name):
            return await unless_gone(running, receive)
        return await running


_INTERNAL = GatewayError.code
_LEAVING = {"retry-after": "1", "connection": "close"}


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _failure(message: str, code: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


async def _respond(
    send: Send, status: int, response: object, media_type: str, headers: Mapping[str, str]
) -> None:
    body = response if isinstance(response, bytes) else orjson.dumps(response)
    named = {
        "content-type": f"{media_type}; charset=utf-8",
        "content-length": str(len(body)),
        **headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
