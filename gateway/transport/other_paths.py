"""What stands on every path but the endpoint's, by Starlette, and for whom a WebSocket opens."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.error_codes import ErrorCode
from gateway.transport.asgi import peer_of
from gateway.transport.browser_security import Browsers
from gateway.transport.client_addresses import Addresses, current
from gateway.transport.exchange import headers_of
from gateway.transport.graphql_endpoint import GRAPHQL
from gateway.transport.not_served import HANDLERS, refusal, refuse_path, refuse_socket
from gateway.transport.websocket import WebSockets


def other_paths(routes: Sequence[BaseRoute]) -> ASGIApp:
    """Return the application of these routes, which refuses what is none of them."""
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.router.redirect_slashes, app.router.default = False, refuse_path
    return app


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
