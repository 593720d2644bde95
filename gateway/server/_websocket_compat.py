"""The same of uvicorn and websockets for WebSockets, which are loaded for the first one alone.

`tests/install/test_private_parts.py` asserts each of them, too.
"""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # It was built without a compiler.
    from websockets.utils import apply_mask

__all__ = [
    "ASGISendEvent",
    "ClientDisconnected",
    "CloseCode",
    "Frame",
    "Headers",
    "Opcode",
    "Request",
    "Response",
    "ServerProtocol",
    "WebSocketsSansIOProtocol",
    "apply_mask",
]
