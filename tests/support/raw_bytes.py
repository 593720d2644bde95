"""Bytes over a bare socket: what no well-behaved HTTP client would send."""

import base64
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.support.sandbox_in_thread import SandboxAccount
from tests.support.waiting import PATIENCE

HANDSHAKE = (
    "upgrade: websocket",
    "connection: Upgrade",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version: 13",
    "sec-websocket-protocol: graphql-transport-ws",
)
"""Headers that open a WebSocket."""


class Reply(NamedTuple):
    """An HTTP answer; `closed` tells whether the server then hung up, `seconds` when it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool
    seconds: float

    def error(self) -> dict[str, Any]:
        """Return the only error of an answer, which must be JSON in GraphQL's form."""
        assert self.headers["content-type"].startswith(("application/json", "application/graphql"))
        [error] = json.loads(self.body)["errors"]
        assert isinstance(error["message"], str)
        assert isinstance(error["extensions"]["code"], str)
        return dict(error)


@contextmanager
def connected(url: str, *, seconds: float = PATIENCE) -> Iterator[socket.socket]:
    """A TCP connection to a server."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=seconds) as connection:
        yield connection


def head(*headers: str, method: str = "POST", path: str = "/graphql") -> bytes:
    """Return a request's head with these headers besides Host."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: localhost", *headers, "", ""]).encode()


def posted(body: bytes, account: SandboxAccount) -> bytes:
    """Return a whole GraphQL request as `account`."""
    pair = base64.b64encode(":".join(account.auth).encode()).decode()
    kind = "content-type: application/json"
    return head(kind, f"authorization: Basic {pair}", f"content-length: {len(body)}") + body


def is_refused(url: str) -> bool:
    """Whether nobody listens there."""
    try:
        with connected(url):
            return False
    except ConnectionRefusedError:
        return True


def frame(opcode: int, content: bytes = b"", *, last: bool = True) -> bytes:
    """Return a WebSocket's frame, masked with zeros."""
    size = len(content)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 2**16:
        length = bytes([0x80 | 126]) + struct.pack(">H", size)
    else:
        length = bytes([0x80 | 127]) + struct.pack(">Q", size)
    return bytes([last << 7 | opcode]) + length + bytes(4) + content


def read_reply(connection: socket.socket) -> Reply | None:
    """Read one answer; None when the server hangs up without a word."""
    began = time.monotonic()
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65_536)
            if not chunk:
                return None
            received += chunk
        top, _, body = received.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        while len(body) < int(headers["content-length"]):
            body += connection.recv(65_536)
        closed = headers.get("connection") == "close"
        return Reply(int(first.split()[1]), headers, body, closed, time.monotonic() - began)
    except ConnectionResetError:
        return None


def converse(url: str, sent: bytes, *, on_continue: bytes = b"") -> bytes:
    """Send something, and more when it is asked for; return all that comes until the end."""
    received = b""
    with connected(url) as connection:
        connection.sendall(sent)
        while chunk := connection.recv(65_536):
            received += chunk
            if on_continue and b"100 Continue\r\n\r\n" in received:
                connection.sendall(on_continue)
                on_continue = b""
    return received


def send(url: str, *pieces: bytes, pause: float = 0.0) -> Reply | None:
    """Send pieces with pauses between them and return the answer."""
    with connected(url) as connection:
        for index, piece in enumerate(pieces):
            if index and pause:
                time.sleep(pause)
            try:
                connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
        return read_reply(connection)
