"""Clients that ask for much and read nothing of it, in each way there is to ask.

All over bare sockets, whose buffers are small: what their client does not read, the gateway has.
"""

import base64
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from tests.support.raw_bytes import head
from tests.support.sandbox_in_thread import SandboxAccount

# Long texts cost little to give.
_TEXTS: Final = " ".join(f"d{each}: description" for each in range(29))
_MUCH: Final = f"__schema {{ types {{ fields {{ {_TEXTS} }} }} }}"
LARGE: Final = f"{{ {_MUCH} }}"
_LATE: Final = f"{{ __typename ... @defer {{ {_MUCH} }} }}"
_CHANGES: Final = "subscription { phoneNumberChanged { kind phoneNumber { sid friendlyName } } }"
_BUFFER: Final = 4096


def _frame(**message: Any) -> bytes:
    """Return a WebSocket message in a frame whose mask changes nothing."""
    text = json.dumps(message).encode()
    size = bytes([128 + len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2)
    return b"\x81" + size + bytes(4) + text


def _post(body: object, *headers: str) -> bytes:
    content = json.dumps(body).encode()
    return head("content-type: application/json", f"content-length: {len(content)}", *headers) + (
        content
    )


def _over_websocket(connection: socket.socket, authorization: str, count: int) -> None:
    headers = ("connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13")
    protocol = "sec-websocket-protocol: graphql-transport-ws"
    key = f"sec-websocket-key: {base64.b64encode(bytes(16)).decode()}"
    connection.sendall(head(*headers, protocol, key, method="GET"))
    assert b"101" in connection.recv(1024)
    connection.sendall(
        _frame(type="connection_init", payload={"authorization": authorization})
        + b"".join(
            _frame(type="subscribe", id=str(each), payload={"query": LARGE})
            for each in range(count)
        )
    )


def _by_post(body: object, *headers: str) -> Callable[[socket.socket, str, int], None]:
    def ask(connection: socket.socket, authorization: str, count: int) -> None:
        connection.sendall(_post(body, f"authorization: {authorization}", *headers) * count)

    return ask


def _tiny(connection: socket.socket, _authorization: str, count: int) -> None:
    connection.sendall(head(method="GET", path="/nowhere") * (count * 100))


def _in_lists(connection: socket.socket, authorization: str, count: int) -> None:
    asked = _post([{"query": LARGE}] * 10, f"authorization: {authorization}")
    connection.sendall(asked * (count // 10))


WAYS: Final[Mapping[str, Callable[[socket.socket, str, int], None]]] = MappingProxyType(
    {
        "websocket": _over_websocket,
        "pipeline": _by_post({"query": LARGE}),
        "events": _by_post({"query": LARGE}, "accept: text/event-stream"),
        "parts": _by_post({"query": _LATE}, "accept: multipart/mixed"),
        "changes": _by_post({"query": _CHANGES}, "accept: text/event-stream"),
        "lists": _in_lists,
        "tiny": _tiny,
    }
)


@contextmanager
def unread(
    url: str, account: SandboxAccount, way: str, *, connections: int, count: int
) -> Iterator[None]:
    """Ask on so many connections for so many answers each, and keep them open unread."""
    user = base64.b64encode(":".join(account.auth).encode()).decode()
    parts = urlsplit(url)
    with ExitStack() as stack:
        for _ in range(connections):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            connection.settimeout(30)
            connection.connect((parts.hostname, parts.port))
            WAYS[way](connection, f"Basic {user}", count)
        yield
