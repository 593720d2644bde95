"""Answers as they go out on the connection, and ways to break one.

ASGI has no way to reset a connection. Under uvicorn the `send` that an application receives is a
method of its request cycle (in `httptools_impl.py` and `h11_impl.py` alike), which knows the
transport. So this works only when nothing wraps `send` on the way: the sandbox is the outermost
application. Where there is no transport, as under an in-process ASGI client, breaking the
connection raises `ConnectionResetError` out of the application instead.
"""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NO_LINGER = struct.pack("ii", 1, 0)
_CHUNK = 64 * 1024
# Answers that end with their headers, and whose length is not stated.
_WITHOUT_BODY = frozenset({204, 304})

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Answer:
    """A complete answer that has not been sent yet."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str, value: str) -> None:
        """Sets a header, replacing any of that name."""
        key = name.lower().encode()
        self.headers = [pair for pair in self.headers if pair[0].lower() != key]
        self.headers.append((key, value.encode("latin-1")))


async def capture(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """Runs an application and holds its answer back."""
    answer = Answer(500, [], b"")

    async def hold(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")

    await app(scope, receive, hold)
    return answer


async def send_answer(send: Send, answer: Answer) -> None:
    """Sends the whole answer."""
    await _start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})


async def send_more(send: Send, answer: Answer, behind: bytes) -> None:
    """Sends the whole answer and, in the segment that ends it, what nobody asked for."""
    await _start(send, answer)
    body = answer.body + behind
    cycle = getattr(send, "__self__", None)
    if cycle is not None:
        # uvicorn compares what is sent with what was announced.
        cycle.expected_content_length = len(body)
    await send({"type": "http.response.body", "body": body})


async def send_slowly(send: Send, answer: Answer, seconds: float, pieces: int = 20) -> None:
    """Sends the answer in pieces spread over some seconds."""
    await _start(send, answer)
    size = max(1, -(-len(answer.body) // pieces))
    for start in range(0, len(answer.body), size):
        await asyncio.sleep(seconds / pieces)
        piece = answer.body[start : start + size]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def send_huge(send: Send, answer: Answer, size: int) -> None:
    """Sends `{"items": "xxx…"}` of about `size` bytes without ever holding it in memory."""
    head, tail = b'{"items": "', b'"}'
    answer.header("content-type", "application/json")
    answer.header("content-length", str(len(head) + size + len(tail)))
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": head, "more_body": True})
    for start in range(0, size, _CHUNK):
        filler = b"x" * min(_CHUNK, size - start)
        await send({"type": "http.response.body", "body": filler, "more_body": True})
    await send({"type": "http.response.body", "body": tail})


async def send_half(send: Send, receive: Receive, answer: Answer) -> None:
    """Announces the whole body, sends half of it and closes the connection."""
    await _start(send, answer)
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    _transport(send).close()
    await _gone(receive)


async def reset(send: Send, receive: Receive) -> None:
    """Resets the TCP connection: the peer gets RST, not an orderly end."""
    transport = _transport(send)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Closing with a linger time of zero sends RST. The peer may have closed it before us.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await _gone(receive)


def _transport(send: Send) -> asyncio.Transport:
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        message = "the sandbox broke the connection"
        raise ConnectionResetError(message)
    found: asyncio.Transport = transport
    return found


async def _gone(receive: Receive) -> None:
    """Waits until the server knows: returning earlier would make it complain about a missing
    answer.
    """
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, answer: Answer) -> None:
    if answer.status in _WITHOUT_BODY:
        answer.body = b""
        answer.headers = [pair for pair in answer.headers if pair[0].lower() != b"content-length"]
    else:
        answer.header("content-length", str(len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
