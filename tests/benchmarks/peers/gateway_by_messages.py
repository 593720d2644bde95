"""The gateway as servers other than uvicorn run it, and uvicorn below middleware: by messages alone."""

from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Scope, Send

from tests.benchmarks.peers.gateway_on_asgi import create_app as create_gateway


def create_app() -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the gateway's application below a middleware that does nothing."""
    gateway = create_gateway()

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def pass_on(message: Message) -> None:
            await send(message)

        await gateway(scope, receive, pass_on)

    return middleware
