"""GraphQL over HTTP on any ASGI server: a thin adaptor around `Endpoint`.

It makes an exchange of what the server says of a request, feeds it, and sends its answer.

uvicorn looks at each header of an answer by regular expression, and writes its head and its body
apart. Where the server is seen to be uvicorn, with nothing wrapped around it, a body that is here
is taken, and a small answer written in one piece, without its messages: a sixth of a small query.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

import structlog
from starlette.types import Message, Receive, Scope, Send

from gateway.transport._compat import Cycle, cycle_of
from gateway.transport.client_addresses import UNKNOWN
from gateway.transport.exchange import (
    COPIED,
    Answer,
    FixedHeaders,
    Head,
    Heads,
    Stream,
    write_now,
)
from gateway.transport.graphql_endpoint import Endpoint
from gateway.transport.hangups import Hangups, Watched
from gateway.transport.unsent import CONNECTION

_log = structlog.get_logger(__name__)


class GraphQLOverAsgi:
    """Answers HTTP requests to `/graphql`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._hangups = Hangups()
        self._heads: Heads[tuple[object, ...]] = Heads()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Return the answering of one request."""
        text = scope["method"], scope["query_string"], *map(tuple, scope["headers"])
        head = self._heads.get(text)
        if head is None:
            head = Head(scope["method"], scope["query_string"], scope["headers"])
            self._heads.keep(text, head)
        exchange = _AsgiExchange(self._hangups, head, scope, receive, send)
        exchange.task = self._task()
        return self._endpoint.serve(exchange)

    def _task(self) -> "asyncio.Task[Any]":
        """Return the running task; to ask for its loop each time takes a system call."""
        task = None if self._loop is None else asyncio.current_task(self._loop)
        if task is None:  # This is another loop than before.
            self._loop = asyncio.get_running_loop()
            task = asyncio.current_task(self._loop)
            assert task is not None  # noqa: S101 - this is called by a coroutine
        return task


def peer_of(scope: Scope) -> str:
    """Return the address that a connection comes from."""
    client = scope.get("client")
    return str(client[0]) if client else UNKNOWN


class _AsgiExchange(Watched):
    """See `Exchange`."""

    def __init__(
        self, hangups: Hangups, head: Head, scope: Scope, receive: Receive, send: Send
    ) -> None:
        super().__init__(head, peer_of(scope), scope.get(CONNECTION))
        self.receive = receive
        self._send = send
        self._hangups = hangups
        self._cycle = cycle = cycle_of(receive, send)
        if cycle is not None and _has_whole_body(cycle):
            self.feed(bytes(cycle.body), more=False)
            cycle.body.clear()
        hangups.watch(self)

    async def more(self) -> None:
        """Wait for more of the body; a client that waits to be told to send it (100) is told."""
        message = await self.receive()
        if message["type"] == "http.disconnect":
            self.hang_up()
        else:
            self.feed(message.get("body", b""), more=message.get("more_body", False))

    def write(self, answer: Answer) -> Awaitable[None] | None:
        """See `Exchange`."""
        cycle = self._cycle
        is_small = len(answer.body) < COPIED and self.head.verb != "HEAD"
        if cycle is None or not is_small or not _may_write(cycle):
            return self._write(answer)
        write_now(cycle.transport, cycle, answer, cycle.default_headers, b"\r\n", answer.body)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return None

    async def _write(self, answer: Answer) -> None:
        try:
            await self._send(_start(answer.status, answer.headers, answer.fixed))
            await self._send({"type": "http.response.body", "body": answer.body})
        except RuntimeError:
            connection = self.connection
            if connection is None or not connection.is_gone:
                raise
            # That is how the loop says that it does not write to a closed connection.
            await gone(self.receive)

    async def stream(self, stream: Stream) -> None:
        """Send a stream."""
        self._hangups.end(self)
        bodiless = self.head.verb == "HEAD"
        await send_stream(
            stream, self.receive, self._send, request_id=self.request_id, bodiless=bodiless
        )

    def end(self) -> None:
        """Watch for the client no more."""
        self._hangups.end(self)


def _has_whole_body(cycle: Cycle) -> bool:
    """Whether all of the body is here, and the client need not be told to send it."""
    awaited = cycle.more_body or cycle.waiting_for_100_continue
    return not (awaited or cycle.disconnected or cycle.flow.read_paused)


def _may_write(cycle: Cycle) -> bool:
    """Whether an answer can be written now, and uvicorn would note it nowhere."""
    waits = cycle.disconnected or cycle.flow.write_paused or cycle.transport.is_closing()
    return not (waits or cycle.access_log)


async def send_stream(
    stream: Stream, receive: Receive, send: Send, *, request_id: str, bodiless: bool
) -> None:
    """Send what a stream yields, piece by piece, until it ends or the client goes.

    Args:
        stream: its `held` is left to whoever has it.
        receive: hears of the client's going.
        send: takes the messages of the answer.
        request_id: of the request, for the log.
        bodiless: it answers HEAD, so nothing of it is sent.
    """
    chunks, pending, early = stream.chunks, stream.pending, stream.early
    try:
        await send(_start(stream.status, stream.headers, stream.fixed))
        if bodiless:
            await send(_piece(b"", more=False))
            return
        leaving = asyncio.ensure_future(gone(receive))
        following = asyncio.ensure_future(_next(stream))
        try:
            while True:
                done, _ = await asyncio.wait(
                    {leaving, following},
                    timeout=stream.keep_alive,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if leaving in done:
                    return
                chunk = stream.sign_of_life
                if following in done:
                    following_chunk = following.result()
                    if following_chunk is None:
                        break
                    chunk, early = following_chunk, True
                    following = asyncio.ensure_future(_next(stream))
                elif not early:
                    continue
                pending.finished(len(chunk))
                async with asyncio.timeout(stream.send_timeout):
                    await send(_piece(chunk, more=True))
                pending.is_taken()
            await send(_piece(b"", more=False))
        except TimeoutError:
            _log.warning("slow_client_cut_off", request_id=request_id)
        finally:
            await _cancel(leaving, following)
    finally:
        await chunks.aclose()


async def gone(receive: Receive) -> None:
    """Return when the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(status: int, headers: Mapping[str, str], fixed: FixedHeaders) -> Message:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": [*raw, *fixed.pairs]}


def _piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _next(stream: Stream) -> bytes | None:
    """Return the next piece; None at the end."""
    return await anext(stream.chunks, None)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
