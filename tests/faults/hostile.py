"""An upstream that speaks nothing but what a test gives it, byte by byte."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
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
        server.requests.append(connection.recv(65536).decode("latin-1"))
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
