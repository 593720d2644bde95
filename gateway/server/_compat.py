"""The parts of uvicorn that it does not document, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them, and the attributes of these classes that
the room's own subclasses use.
"""

import asyncio
import sys
from typing import Any

import httptools
import uvicorn
from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr

__all__ = [
    "ASGI3Application",
    "ASGISendEvent",
    "HttpProtocol",
    "RequestResponseCycle",
    "asgi_parts",
    "forget_signal",
    "get_remote_addr",
]


class _Queue(list[tuple[RequestResponseCycle, ASGI3Application]]):
    """Requests that wait for others before them, of which there are few: the next is the last.

    An empty deque takes ten times the memory, for each connection.
    """

    def appendleft(self, request: tuple[RequestResponseCycle, ASGI3Application]) -> None:
        """Add one that comes after all others."""
        self.insert(0, request)

    def popleft(self) -> tuple[RequestResponseCycle, ASGI3Application]:
        """Take the one that would come after all others."""
        return self.pop(0)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol class for HTTP/1, which tells what is under way on its connection.

    It is a `gateway.transport.unsent.Connection`.
    """

    # In slots, as are those of the classes below: an object with more than 30 attributes besides
    # takes 1 KiB more.
    __slots__ = ("_declined", "_fed", "running")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self.running: RequestResponseCycle | None = None
        # A head that asked for another protocol, as it is without that; and what it was read from.
        self._declined = b""
        self._fed = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        self.pipeline = _Queue()  # type: ignore[assignment] # as a deque, as far as it is used

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        self._fed = data
        super().data_received(data)

    def is_declined(self) -> bool:
        """Whether the head that was read asks for a protocol that is none of ours.

        Then it is read once more, as if it did not (RFC 9110, 7.8). The parser passes over the body
        of such a request, with which Java's client and curl ask for HTTP/2.
        """
        if not self.parser.should_upgrade() or self._get_upgrade() in {None, b"websocket"}:
            return False
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                kept = (each for each in value.split(b",") if each.strip().lower() != b"upgrade")
                lines.append(b"connection: %s" % b",".join(kept).strip())
            elif name != b"upgrade":
                lines.append(b"%s: %s" % (name, value))
        self._declined = b"\r\n".join([*lines, b"", b""])
        return True

    def _unsupported_upgrade_warning(self) -> None:
        ended = sys.exc_info()[1]
        if not self._declined or ended is None:
            super()._unsupported_upgrade_warning()
            return
        head, self._declined = self._declined, b""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        HttpProtocol.data_received(self, head + self._fed[ended.args[0] :])

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
