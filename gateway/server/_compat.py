"""The parts of uvicorn and websockets that they do not document, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them, and the attributes of these classes that
the room's own subclasses use.
"""

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
    "forget_signal",
    "get_remote_addr",
]


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol class for HTTP/1, which tells which request is being answered."""

    running: RequestResponseCycle | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)


def forget_signal(server: uvicorn.Server, number: int) -> None:
    """Keep a server from sending itself, after its end, a signal that it has obeyed."""
    server._captured_signals.remove(number)  # noqa: SLF001 - it has no public name
