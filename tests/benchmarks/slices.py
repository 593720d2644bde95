"""Load in short slices: a closed loop of connections that can be let go and stopped at once.

wrk measures for a second at least, in which a machine's speed may change by more than what is to be
measured. A slice takes a fraction of that, and ends when the last answer has come, so that what the
server did in it can be told from what it did in the next.
"""

import asyncio
import re
from collections.abc import Sequence
from itertools import cycle
from typing import Final, cast

from tests.benchmarks.load import AUTHORIZATION, CONNECTIONS, LoadError

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def rendered(bodies: Sequence[bytes]) -> list[bytes]:
    """Return GraphQL bodies as whole HTTP requests."""
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {AUTHORIZATION}\r\n"
        "Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: "
    )
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


class Load:
    """The connections to one server."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.requests = cycle(requests)
        self.goes = False
        self.answered = 0
        self._connections: list[_Connection] = []

    async def connect(self, port: int) -> None:
        """Open the connections to a server on loopback."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", port
            )
            self._connections.append(connection)

    async def slice(self, seconds: float) -> int:
        """Put load on the server, wait until nothing is under way, and return how much it answered.

        Raises:
            LoadError: a connection broke, or the answer to a request was not 200.
        """
        self.answered, self.goes = 0, True
        idle = [connection.begin() for connection in self._connections]
        await asyncio.sleep(seconds)
        self.goes = False
        await asyncio.gather(*idle)
        return self.answered

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.transport.close()


class _Connection(asyncio.Protocol):
    """Sends the next request when an answer is complete, as long as the load goes."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self._load = load
        self._idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of `asyncio.Transport` without deriving from it.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        if not self._idle.done():
            self._idle.set_exception(LoadError("the server hung up"))

    def begin(self) -> asyncio.Future[None]:
        self._idle = asyncio.get_running_loop().create_future()
        self.transport.write(next(self._load.requests))
        return self._idle

    def data_received(self, data: bytes) -> None:
        self._unread += data
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._unread, 0, end + 2)
        if not self._unread.startswith(b"HTTP/1.1 200") or length is None:
            self._idle.set_exception(LoadError(f"the server answered {self._unread[:80]!r}"))
        elif len(self._unread) >= end + 4 + int(length[1]):
            self._unread = b""
            self._load.answered += 1
            if self._load.goes:
                self.transport.write(next(self._load.requests))
            elif not self._idle.done():
                self._idle.set_result(None)
