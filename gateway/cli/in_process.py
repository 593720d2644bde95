"""Asks an ASGI application in this process, and unlike httpx's own way reads what comes at once."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.types import ASGIApp, Message


class InProcess(httpx.AsyncBaseTransport):
    """The way to an application, for an HTTP client."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer once it begins."""
        url = request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "root_path": "",
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": (url.host, url.port),
        }
        body: list[Message] = [{"type": "http.request", "body": await request.aread()}]
        gone = asyncio.Event()

        async def receive() -> Message:
            if body:
                return body.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        messages: asyncio.Queue[Message | None] = asyncio.Queue()

        async def answer() -> None:
            try:
                await self._app(scope, receive, messages.put)
            finally:
                messages.put_nowait(None)

        stream = _Stream(messages, gone, asyncio.ensure_future(answer()))
        start = await stream.next()
        return httpx.Response(start["status"], headers=start["headers"], stream=stream)


class _Stream(httpx.AsyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(
        self,
        messages: "asyncio.Queue[Message | None]",
        gone: asyncio.Event,
        answering: "asyncio.Future[None]",
    ) -> None:
        self._messages = messages
        self._gone = gone
        self._answering = answering

    async def next(self) -> Message:
        """Return what the application says next."""
        message = await self._messages.get()
        if message is None:
            await self._answering
            raise httpx.RemoteProtocolError("the answer ended early")
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self.next()
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def aclose(self) -> None:
        """Tell the application that nobody reads on, and let it end."""
        self._gone.set()
        await asyncio.gather(self._answering, return_exceptions=True)
