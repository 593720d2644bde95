"""The ASGI application: what stands on every path."""

import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.transport.asgi import GraphQLOverAsgi
from gateway.transport.graphql_endpoint import GRAPHQL


class Application:
    """Passes HTTP requests to `/graphql` straight to the endpoint, which lets no exception out.

    Starlette's middleware and router, which are for all else, take as long as reading the
    upstream's answer; they are loaded when somebody asks for something else.

    Args:
        graphql: the endpoint.
        others: makes what answers all else.
        lifespan: keeps all at work.

    Attributes:
        state: what it consists of, for who runs it.
    """

    def __init__(
        self,
        graphql: GraphQLOverAsgi,
        others: Callable[[], ASGIApp],
        lifespan: Callable[[], AbstractAsyncContextManager[None]],
        **state: Any,  # noqa: ANN401 - parts of all kinds
    ) -> None:
        self._graphql = graphql
        self._make_others = others
        self.lifespan = lifespan
        self.state = SimpleNamespace(**state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and _is_graphql(scope):
            await self._graphql(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._others(scope, receive, send)

    @cached_property
    def _others(self) -> ASGIApp:
        return self._make_others()

    async def _live(self, receive: Receive, send: Send) -> None:
        """Begin and end when the server says so."""
        await receive()
        begun = False
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                begun = True
                await receive()
        except BaseException:
            step = "shutdown" if begun else "startup"
            await send({"type": f"lifespan.{step}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def _is_graphql(scope: Scope) -> bool:
    # Below a prefix (`root_path`) some servers have it before the path, and some have taken it off.
    path: str = scope["path"]
    return path == GRAPHQL or path == scope.get("root_path", "") + GRAPHQL
