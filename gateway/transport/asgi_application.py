"""The ASGI application: what stands on every path, and under whose address it is done."""

from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from gateway.error_codes import ErrorCode
from gateway.transport.asgi import GraphQLOverAsgi, peer_of
from gateway.transport.browser_security import Browsers
from gateway.transport.client_addresses import Addresses, current
from gateway.transport.exchange import headers_of
from gateway.transport.not_served import GRAPHQL, refusal, refuse_socket
from gateway.transport.websocket import WebSockets


class Application(Starlette):
    """Passes HTTP requests to `/graphql` straight to the endpoint, which lets no exception out.

    Starlette's middleware and router take as long as reading the upstream's answer.
    """

    def __init__(
        self,
        *,
        graphql: GraphQLOverAsgi,
        **options: Any,  # noqa: ANN401 - Starlette's
    ) -> None:
        super().__init__(**options)
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and _is_graphql(scope):
            await self._graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _is_graphql(scope: Scope) -> bool:
    # Below a prefix (`root_path`) some servers have it before the path, and some have taken it off.
    path: str = scope["path"]
    return path == GRAPHQL or path == scope.get("root_path", "") + GRAPHQL


def socket_route(sockets: WebSockets, browsers: Browsers, addresses: Addresses) -> WebSocketRoute:
    """Return the route of GraphQL over WebSocket, for whom browsers may open one."""

    class Door:
        """An application; Starlette takes a function for an endpoint of another kind."""

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raw = scope["headers"]
            current.set(addresses.of(peer_of(scope), raw))
            said = browsers.check_origin(headers_of(raw))
            if said is None:
                await sockets.serve(scope, receive, send)
                return
            answer = refusal(HTTPStatus.FORBIDDEN, said, ErrorCode.FORBIDDEN)
            await refuse_socket(scope, receive, send, answer)

    return WebSocketRoute(GRAPHQL, Door())
