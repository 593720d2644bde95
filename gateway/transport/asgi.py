"""One HTTP request over raw ASGI, and the two ways to answer it: whole, or as a stream."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn

import structlog
from starlette.types import Message, Receive, Scope, Send

from gateway.errors import BadRequest
from gateway.observability import activity
from gateway.transport import compression, negotiation
from gateway.transport.negotiation import AcceptedTypes
from gateway.transport.unsent import Pending

_log = structlog.get_logger(__name__)
# Compressing more than this takes long enough to disturb others, so a thread does it.
_THREAD_FROM = 256 * 1024
_NOT_MODIFIED = 304
_VARY = "Accept, Accept-Encoding"
# Where in the scope those headers are that answers get from what stands before the endpoint.
EXTRA_HEADERS = "gateway.extra_headers"


class Exchange:
    """A request and its answer.

    Attributes:
        method: of the request; GET for HEAD, too, which gets the same answer without its body.
        headers: of the request, by lower-case name.
        request_id: the client's own if it sent a usable one.
        accepted: what the client can read; plain JSON until that is found out.
        extra: headers that the answer gets besides the usual ones.
        started: the answer is on its way.
    """

    __slots__ = (
        "_bodiless",
        "_send",
        "accepted",
        "extra",
        "headers",
        "method",
        "receive",
        "request_id",
        "scope",
        "started",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self._send = send
        self._bodiless = scope["method"] == "HEAD"
        self.method: str = "GET" if self._bodiless else scope["method"]
        self.headers = headers_of(scope)
        self.request_id = negotiation.request_id(self.headers.get("x-request-id", ""))
        self.accepted = AcceptedTypes()
        self.extra: dict[str, str] = {}
        self.started = False

    def check_size(self, limit: int) -> None:
        """Raise BadRequest (413) if the head says that the body is larger than `limit` bytes."""
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            _too_large(limit)

    async def body(self, limit: int) -> bytes:
        """Read the request's body; a client that waits for a word to send it (100) gets that.

        Raises:
            BadRequest: it is larger than `limit` bytes (413), or the client went away.
        """
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest(400, "The client went away.")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                _too_large(limit)
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def answer(self, status: int, body: bytes, *, compress_from: int) -> None:
        """Send a whole answer, compressed if it is large and the client likes that."""
        headers = {
            "content-type": negotiation.CONTENT_TYPES[self.accepted.media_type],
            "x-request-id": self.request_id,
            "cache-control": "no-store",
            "vary": _VARY,
            **self.extra,
        }
        if status != _NOT_MODIFIED and 0 < compress_from <= len(body):
            coding = compression.coding(self.headers.get("accept-encoding", ""))
            if coding is not None:
                headers["content-encoding"] = coding
                compress = compression.CODINGS[coding]
                large = len(body) > _THREAD_FROM
                body = await asyncio.to_thread(compress, body) if large else compress(body)
        if status == _NOT_MODIFIED:  # It has no body of its own.
            body = b""
            del headers["content-type"]
        else:
            headers["content-length"] = str(len(body))
        self.started = True
        await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def stream(
        self,
        chunks: AsyncIterator[bytes],
        content_type: str,
        *,
        sign_of_life: bytes,
        early: bool = True,
        keep_alive: float,
        send_timeout: float,
        pending: Pending,
    ) -> None:
        """Send what `chunks` yields, piece by piece, until it ends or the client goes.

        Args:
            chunks: an async generator; it is closed in any case.
            content_type: the answer's media type with its parameters.
            sign_of_life: is sent after `keep_alive` seconds of silence, so that proxies do not
                take the connection for dead.
            early: it may come before the first piece, too.
            keep_alive: see there.
            send_timeout: a client that does not take a piece within it is cut off.
            pending: is told what waits for the client.
        """
        headers = {
            "content-type": content_type,
            "x-request-id": self.request_id,
            "cache-control": "no-store",
            "vary": _VARY,
            # Nginx would hold back what is not yet a full buffer.
            "x-accel-buffering": "no",
            **self.extra,
        }
        self.started = True
        await self._start(200, headers)
        if self._bodiless:
            await self._send(_piece(b"", more=False))
            await _close(chunks)
            return
        gone = asyncio.ensure_future(self.gone())
        following = asyncio.ensure_future(_next(chunks))
        try:
            while True:
                done, _ = await asyncio.wait(
                    {gone, following}, timeout=keep_alive, return_when=asyncio.FIRST_COMPLETED
                )
                if gone in done:
                    return
                chunk = sign_of_life
                if following in done:
                    following_chunk = following.result()
                    if following_chunk is None:
                        break
                    chunk, early = following_chunk, True
                    following = asyncio.ensure_future(_next(chunks))
                elif not early:
                    continue
                pending.finished(len(chunk))
                async with asyncio.timeout(send_timeout):
                    await self._send(_piece(chunk, more=True))
                pending.sent()
            await self._send(_piece(b"", more=False))
        except TimeoutError:
            _log.warning("slow_client_cut_off", request_id=self.request_id)
        finally:
            await _cancel(gone, following)
            await _close(chunks)

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        raw += self.scope.get(EXTRA_HEADERS, ())
        activity.answered(status, self.request_id)
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def gone(self) -> None:
        """Return when the client goes away."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request or handshake by lower-case name; repeated ones as a list."""
    raw = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) < len(raw):
        for name in headers:
            values = [
                value.decode("latin-1") for each, value in raw if each.decode("latin-1") == name
            ]
            headers[name] = ", ".join(values)
    return headers


def _piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _too_large(limit: int) -> NoReturn:
    raise BadRequest(413, f"The body is larger than {limit} bytes.")


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    """Return the next piece; None at the end."""
    return await anext(chunks, None)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
