"""The parts of uvicorn and websockets that they do not document, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them, and the attributes of these classes that
the room's own subclasses use.
"""

import asyncio
from typing import Any

import uvicorn
from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected, get_remote_addr
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

__all__ = [
    "ASGI3Application",
    "ASGISendEvent",
    "ClientDisconnected",
    "CloseCode",
    "Frame",
    "Headers",
    "HttpProtocol",
    "Request",
    "RequestResponseCycle",
    "Response",
    "ServerProtocol",
    "WebSocketsSansIOProtocol",
    "asgi_parts",
    "forget_signal",
    "get_remote_addr",
]


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol class for HTTP/1, which tells what is under way on its connection.

    It is a `gateway.transport.unsent.Connection`.
    """

    running: RequestResponseCycle | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def latest(self) -> RequestResponseCycle | None:
        """Return the latest request; None before the first, as uvicorn does not say."""
        return self.cycle

    @property
    def write_paused(self) -> bool:
        """Whether the system does not take more now."""
        return self.flow.write_paused

    async def drain(self) -> None:
        """Return when the system has taken what was written."""
        await self.flow.drain()

    @property
    def is_gone(self) -> bool:
        """Whether the connection has ended, or is about to."""
        return self.transport.is_closing()

    def cut(self) -> None:
        """End it at once."""
        self.transport.abort()


def asgi_parts(protocol: HttpProtocol, method: str, *, keep_alive: bool) -> dict[str, Any]:
    """Return what a `RequestResponseCycle` of a connection is made of, for what has been read."""
    return {
        "scope": {"method": method, "http_version": "1.1"},  # All that it uses of it.
        "transport": protocol.transport,
        "flow": protocol.flow,
        "logger": protocol.logger,
        "access_logger": protocol.access_logger,
        "access_log": False,
        "default_headers": protocol.server_state.default_headers,
        "message_event": asyncio.Event(),
        "expect_100_continue": False,
        "keep_alive": keep_alive,
        "on_response": protocol.on_response_complete,
    }


def forget_signal(server: uvicorn.Server, number: int) -> None:
    """Keep a server from sending itself, after its end, a signal that it has obeyed."""
    server._captured_signals.remove(number)  # noqa: SLF001 - it has no public name
