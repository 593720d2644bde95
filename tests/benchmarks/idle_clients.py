"""Thousands of clients of subscriptions in one process, as lean as they can be: raw sockets.

Started by `idle.py`; reads commands as lines of JSON and answers each by one, when it is done:

    {"do": "open", "kind": "websocket" | "events", "count": N}   all are subscribed
    {"do": "close"}                                              all are closed
    {"do": "expect"}                                             from now on events are noted
    {"do": "received", "within": S}                              how many have one; when the last came
    {"do": "ask", "query": Q}                                    one more asks this, again and again
    {"do": "asked"}                                              it ends; how long each answer took

Pings are answered as `graphql-ws` and browsers do. Times are of the system's monotonic clock, which
all processes share.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import uvloop
from websockets.frames import Opcode

from tests.support.raw_bytes import HANDSHAKE, frame, head

_PATIENCE: Final = 120.0
# Of one address so many connections can be made to one port, and a few are in use elsewhere.
_PORTS: Final = 20_000


def posted(query: str, authorization: str, *headers: str) -> bytes:
    """Return a whole request by POST; `query` is its body, as JSON."""
    own = f"authorization: {authorization}", f"content-length: {len(query)}"
    return head("content-type: application/json", *own, *headers) + query.encode()


class Clients:
    """What all clients are told, and what has become of them."""

    def __init__(self, target: Mapping[str, Any]) -> None:
        self.host, self.port = target["host"], target["port"]
        query = json.dumps({"query": target["query"]})
        self.streamed = posted(query, target["authorization"], "accept: text/event-stream")
        self.upgrade = head(*HANDSHAKE, method="GET")
        payload = {"Authorization": target["authorization"]}
        self.init = json.dumps({"type": "connection_init", "payload": payload}).encode()
        self.subscribe = json.dumps(
            {"id": "1", "type": "subscribe", "payload": json.loads(query)}
        ).encode()
        self.open: set[Client] = set()
        self.received: dict[Client, float] = {}
        self.lost = 0

    async def connect(self, kind: str, number: int, gate: asyncio.Semaphore) -> None:
        """Open one and return when it is subscribed."""
        loop = asyncio.get_running_loop()
        client = (Socket if kind == "websocket" else Events)(self)
        source = (f"127.0.0.{1 + number // _PORTS}", 0)
        async with gate:
            await loop.create_connection(
                lambda: client,
                self.host,
                self.port,
                local_addr=source if source[0][-1] != "1" else None,
            )
            await client.subscribed


class Client(asyncio.Protocol):
    """One client."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self.unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = transport  # type: ignore[assignment]
        self.clients.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is gone."""
        self.clients.lost += self in self.clients.open
        self.clients.open.discard(self)
        if not self.subscribed.done():
            self.subscribed.set_exception(exc or ConnectionResetError(self.unread[:300]))

    def note(self) -> None:
        """Note an event."""
        self.clients.received.setdefault(self, time.monotonic())


class Events(Client):
    """One that reads server-sent events."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(self.clients.streamed)

    def data_received(self, data: bytes) -> None:
        if not self.subscribed.done():
            self.unread += data
            if b": following" not in self.unread:
                return
            self.subscribed.set_result(None)
            self.unread = b""
        if b"event: next" in data:
            self.note()


class Socket(Client):
    """One that speaks graphql-transport-ws."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(self.clients.upgrade)

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if self.unread.startswith(b"HTTP/1.1"):
            head, end, rest = self.unread.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.transport.abort()
                return
            self.unread = rest
            self.transport.write(frame(Opcode.TEXT, self.clients.init))
        while len(self.unread) > 1:
            size, start = self.unread[1], 2
            if size == 126:
                size, start = int.from_bytes(self.unread[2:4], "big"), 4
            if len(self.unread) < start + size:
                return
            opcode, content = self.unread[0] & 15, self.unread[start : start + size]
            self.unread = self.unread[start + size :]
            self.take(opcode, content)

    def take(self, opcode: int, content: bytes) -> None:
        """Take a frame."""
        if opcode == Opcode.PING:
            self.transport.write(frame(Opcode.PONG, content))
        elif b'"type":"ping"' in content:
            self.transport.write(frame(Opcode.TEXT, b'{"type":"pong"}'))
        elif b'"type":"connection_ack"' in content:
            self.transport.write(frame(Opcode.TEXT, self.clients.subscribe))
            # It is in force when an answer to what was sent behind it is here, as it is in order.
            self.transport.write(frame(Opcode.TEXT, b'{"type":"ping"}'))
        elif b'"type":"pong"' in content:
            if not self.subscribed.done():
                self.subscribed.set_result(None)
        elif b'"type":"next"' in content:
            self.note()
        else:
            self.transport.abort()


class Asking:
    """One more client, which asks the same again and again on one connection, with short pauses."""

    def __init__(self, target: Mapping[str, Any], query: str) -> None:
        self._target = target
        self._request = posted(json.dumps({"query": query}), target["authorization"])
        self._task = asyncio.create_task(self._run())
        self.took: list[float] = []
        self.refused = 0

    async def end(self) -> None:
        """Let it end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(
                    self._target["host"], self._target["port"]
                )
                try:
                    while await self._ask(reader, writer):
                        pass
                finally:
                    writer.close()
            self.refused += 1

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.02)
        began = time.monotonic()
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        if not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body:
            return False
        self.took.append(time.monotonic() - began)
        return True


class _Commands:
    """What can be asked for."""

    def __init__(self, target: Mapping[str, Any]) -> None:
        self.clients = Clients(target)
        self._target = target
        self._asking: Asking | None = None

    async def open(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Open many."""
        gate = asyncio.Semaphore(asked.get("at_once", 100))
        first = len(self.clients.open)
        opening = [
            self.clients.connect(asked["kind"], first + each, gate)
            for each in range(asked["count"])
        ]
        done = await asyncio.gather(*opening, return_exceptions=True)
        failed = [each for each in done if each is not None]
        return {"failed": len(failed), "first": str(failed[:1])}

    async def close(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Close all."""
        ending, self.clients.open = self.clients.open, set()
        for each in ending:
            each.transport.abort()
        return {}

    async def expect(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Forget who has an event."""
        self.clients.received.clear()
        return {}

    async def received(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until all have one."""
        end = time.monotonic() + asked["within"]
        while len(self.clients.received) < len(self.clients.open) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return {"last": max(self.clients.received.values(), default=0.0)}

    async def ask(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to ask; return when it was answered once, on a connection that is there then."""
        self._asking = asking = Asking(self._target, asked["query"])
        while not asking.took:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        return {}

    async def asked(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Ask no more."""
        assert self._asking is not None
        await self._asking.end()
        return {"times": self._asking.took, "refused": self._asking.refused}


async def serve() -> None:
    """Do what is asked for, line by line."""
    loop = asyncio.get_running_loop()
    commands = _Commands(json.loads(sys.stdin.readline()))
    clients = commands.clients
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        began = time.monotonic()
        said = await getattr(commands, asked["do"])(asked)
        said |= {"open": len(clients.open), "lost": clients.lost, "took": time.monotonic() - began}
        said["received"] = len(clients.received)
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(serve())
