"""The ASGI application: what stands on every path, and under whose address it is done."""

from typing import Any, Final

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.transport.client_addresses import Addresses, current

GRAPHQL: Final = "/graphql"


class Application(Starlette):
    """Passes HTTP requests to `/graphql` straight to the endpoint, which lets no exception out.

    Starlette's middleware and router take as long as reading the upstream's answer. Whatever is
    done there for a client, its refusal too, is done under its address.
    """

    def __init__(
        self,
        *,
        addresses: Addresses,
        graphql: ASGIApp,
        **options: Any,  # noqa: ANN401 - Starlette's
    ) -> None:
        super().__init__(**options)
        self._addresses = addresses
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan" or scope["path"] != GRAPHQL:
            await super().__call__(scope, receive, send)
            return
        current.set(self._addresses.of(scope))
        if scope["type"] == "http":
            await self._graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
