"""An upstream that speaks nothing but what a test gives it, byte by byte."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Hostile:
    """A server that answers every request with the same bytes.

    Attributes:
        url: where it listens.
        requests: what it was sent, as text, one per connection.
    """

    url: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def hostile(pieces: Sequence[bytes], *, pause: float = 0.0) -> Iterator[Hostile]:
    """Answer every connection with `pieces`, `pause` seconds between them, and close it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Hostile(f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listening, server, pieces, pause)).start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _accept(
    listening: socket.socket, server: Hostile, pieces: Sequence[bytes], pause: float
) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            answer = (connection, server, pieces, pause)
            threading.Thread(target=_answer, args=answer, daemon=True).start()


def _answer(
    connection: socket.socket, server: Hostile, pieces: Sequence[bytes], pause: float
) -> None:
    with connection, suppress(OSError):
        request = connection.recv(65536).decode("latin-1")
        if not request:
            return  # It was opened to be ready, and was not needed.
        server.requests.append(request)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Keeping:
    """A server that keeps its connections, and may say more on them than it was asked.

    Attributes:
        url: where it listens.
        opened: how many connections there were.
        connections: the requests of each on which there were any.
        answering: how many requests are not answered with all that will be said.
    """

    url: str
    opened: int = 0
    connections: list[list[str]] = field(default_factory=list)
    answering: int = 0


@contextmanager
def keeping(answer: Callable[[str, int], Sequence[bytes]]) -> Iterator[Keeping]:
    """Answer each request with the pieces that `answer` returns, each in a segment of its own.

    `answer` is told the request and how many came before it on its connection.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Keeping(f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=_keep, args=(listening, server, answer), daemon=True).start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _keep(
    listening: socket.socket, server: Keeping, answer: Callable[[str, int], Sequence[bytes]]
) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(
                target=_converse, args=(connection, server, answer), daemon=True
            ).start()


def _converse(
    connection: socket.socket, server: Keeping, answer: Callable[[str, int], Sequence[bytes]]
) -> None:
    requests: list[str] = []
    server.opened += 1
    with connection, suppress(OSError):
        while request := connection.recv(65536).decode("latin-1"):
            if not requests:
                server.connections.append(requests)
            requests.append(request)
            server.answering += 1
            try:
                for index, piece in enumerate(answer(request, len(requests) - 1)):
                    if index:
                        time.sleep(0.02)
                    connection.sendall(piece)
            finally:
                server.answering -= 1
