"""GraphQL over HTTP on uvicorn's protocol class: a thin adaptor around `Endpoint`, without ASGI.

For `/graphql` the protocol class makes an exchange of a request itself, without ASGI's scope and
messages, and writes its answer in one piece. Connections, pipelining, time limits and the end of
the process are uvicorn's and `http_limits.py`'s all the same: a request is to them as uvicorn's own
are. To uvicorn and ASGI are left all other paths, upgrades, clients of HTTP/1.0 or that wait for a
word to send their body (100-continue); and whatever becomes a stream, from then on.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar, Final

from gateway.server._compat import ASGI3Application, HttpProtocol, RequestResponseCycle, asgi_parts
from gateway.server.beats import Beats
from gateway.server.event_stream import EventStream
from gateway.server.flow import Flow
from gateway.transport.asgi import send_stream
from gateway.transport.client_addresses import UNKNOWN
from gateway.transport.exchange import Answer, Beginning, Exchange, Head, Stream, write_now
from gateway.transport.graphql_endpoint import GRAPHQL, Endpoint
from gateway.transport.unsent import CONNECTION

_PATH: Final = GRAPHQL.encode()
# Is told of a request that is answered.
_UNHEARD: Final = asyncio.Event()


class LeanProtocol(HttpProtocol):
    """uvicorn's protocol class, which hands requests to `/graphql` straight to an endpoint.

    Attributes:
        endpoint: answers them; without it all is left to uvicorn.
        beats: gives signs of life on streams.
    """

    endpoint: ClassVar[Endpoint | None] = None
    beats: ClassVar[Beats[EventStream]]
    __slots__ = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        self.flow = Flow(transport)  # type: ignore[assignment] # it is as uvicorn's own

    def on_message_begin(self) -> None:
        """Begin a request; what ASGI needs of it is made when it is known to."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Begin to answer a request, or queue it behind those before it."""
        path, _, query = self.url.partition(b"?")
        if self.endpoint is None or path != _PATH or not self._is_plain(query):
            self._leave_to_uvicorn()
            return
        before = self.latest()
        head = Head(self.parser.get_method().decode("ascii"), query, self.headers)
        self.cycle = cycle = LeanCycle(self, self.endpoint, head)
        cycle.keep_alive = self.parser.should_keep_alive()
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who is being answered, and forget who waits behind it."""
        super().connection_lost(exc)
        while self.pipeline:
            cycle, _ = self.pipeline.pop()
            if isinstance(cycle, LeanCycle):
                cycle.end()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if isinstance(cycle, LeanCycle):
            self.running = cycle
            cycle.start()
        else:
            super()._start_asgi_task(cycle, app)

    def _is_plain(self, query: bytes) -> bool:
        return not (
            self.expect_100_continue
            or b"#" in query
            or self.parser.get_http_version() != "1.1"
            or self.parser.should_upgrade()
        )

    def _leave_to_uvicorn(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        self.scope[CONNECTION] = self  # type: ignore[typeddict-unknown-key] # ours
        super().on_headers_complete()


class LeanCycle(Exchange, RequestResponseCycle):
    """One request and its answer, to the endpoint as well as to uvicorn.

    The protocol class puts what comes of the body into `body`, sets `more_body` and `disconnected`,
    and tells so by `message_event.set()`. What uvicorn's own cycle has besides is for messages of
    ASGI, and set for a stream only.
    """

    waiting_for_100_continue = False
    _more: asyncio.Future[None] | None = None
    _events: EventStream | None = None  # There are some while a subscription is followed.

    def __init__(
        self, protocol: LeanProtocol, endpoint: Endpoint, head: Head, whole: bytes | None = None
    ) -> None:
        peer = protocol.client[0] if protocol.client else UNKNOWN
        Exchange.__init__(self, head, peer, protocol, whole)
        self._protocol = protocol
        self._endpoint = endpoint
        self.message_event = self  # type: ignore[assignment] # for its `set`
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False
        self._is_under_way = False
        self.more_body = whole is None
        if whole is None:
            self.body = bytearray()

    def start(self) -> None:
        """Begin to answer."""
        protocol = self._protocol
        if not self.more_body and self.whole is None:
            self._feed()  # It has waited behind others.
        self._is_under_way = True
        self.task = task = protocol.loop.create_task(self._endpoint.serve(self))
        protocol.tasks.add(task)

    def set(self) -> None:
        """Take what has come of the body, or that the client has gone."""
        if not self._is_under_way:
            return
        if self.disconnected:
            self.hang_up()
            if self._events is not None:
                self._events.gone()
        elif not self.more_body:
            self._feed()
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def more(self) -> None:
        """See `Exchange`."""
        if not self.body:
            self._more = self._protocol.loop.create_future()
            await self._more
        if self.body:
            self._feed()

    def _feed(self) -> None:
        self.feed(bytes(self.body), more=self.more_body)
        self.body.clear()
        self._protocol.flow.resume_reading()  # It was paused if that was much.

    def write(self, answer: Answer) -> Awaitable[None] | None:
        """See `Exchange`."""
        protocol = self._protocol
        if self.disconnected or protocol.transport.is_closing():
            return None
        if protocol.flow.write_paused:
            return self._write_later(answer)
        more = protocol.server_state.default_headers
        body = b"" if self.head.verb == "HEAD" else answer.body
        write_now(protocol.transport, self, answer, more, b"\r\n", body)
        self._complete()
        return None

    async def _write_later(self, answer: Answer) -> None:
        await self._protocol.flow.drain()
        self.write(answer)

    async def stream(self, stream: Stream) -> None:
        """See `Exchange`: all but the events of subscriptions is sent over ASGI."""
        verb, is_gone = self.head.verb, self.disconnected
        if stream.begin is not None and verb != "HEAD":
            await self._follow(stream, stream.begin)
            return
        parts = asgi_parts(self._protocol, verb, keep_alive=self.keep_alive)
        RequestResponseCycle.__init__(self, **parts)
        self.more_body, self.disconnected = False, is_gone
        messages: Any = self.receive, self.send
        try:
            bodiless = verb == "HEAD"
            await send_stream(stream, *messages, request_id=self.request_id, bodiless=bodiless)
        finally:
            self.on_response = _UNHEARD.set  # As uvicorn does: it refers to the connection.

    async def _follow(self, stream: Stream, begin: Beginning) -> None:
        protocol = self._protocol
        await stream.chunks.aclose()
        self.response_started = True
        self._events = EventStream(protocol, protocol.beats, stream, self.request_id)
        try:
            is_whole = await self._events.follow(begin, self, stream)
        finally:
            self._events = None
        if is_whole:
            self._complete()

    def _complete(self) -> None:
        self.response_started = self.response_complete = True
        if not self.keep_alive:
            self._protocol.transport.close()
        self._protocol.on_response_complete()

    def end(self) -> None:
        """See `Exchange`."""
        protocol, self.connection, self.message_event = self._protocol, None, _UNHEARD
        del self._protocol
        if self._is_under_way:
            self._is_under_way = False
            protocol.tasks.discard(self.task)
            if not self.response_complete:  # Its client has gone, or something went wrong.
                protocol.transport.close()
