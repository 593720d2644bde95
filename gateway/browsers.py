"""What concerns browsers: forged requests, other origins, names of this host, security headers.

A page of another site can make a visitor's browser send *simple* requests here without asking: GETs
and posts of forms. What is not simple must be asked for first (a preflight), and is granted to the
listed origins only. So a request is taken when its form shows that it was not simple, by the rule
of Apollo Router: a content type other than the three of forms, or one of two headers.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import protocol, telemetry
from gateway.exchange import EXTRA_HEADERS
from gateway.settings import Settings

_FORMS = frozenset(
    {b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b""}
)
_PROOFS = (b"apollo-require-preflight", b"x-apollo-operation-name")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_SHARED = (
    (b"access-control-expose-headers", b"x-request-id, retry-after, etag, www-authenticate"),
    (b"vary", b"Origin"),
)
_ALLOWED_HEADERS = (
    b"authorization, content-type, accept, x-account-sid, x-request-id, x-gateway-explain,"
    b" last-event-id, if-none-match, apollo-require-preflight, x-apollo-operation-name,"
    b" traceparent, tracestate"
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS),
    (b"access-control-max-age", b"600"),
)


class Browsers:
    """Stands in front of the endpoint and keeps browsers from being used against it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._allow = (
            b"allow",
            b"GET, HEAD, POST, OPTIONS" if settings.get_requests else b"POST, OPTIONS",
        )
        self._csrf = settings.csrf_prevention
        self._origins = frozenset(settings.cors_origins)
        # Open mode trusts whoever reaches this machine. A name that an attacker has made to point
        # here would let a web page do that, so only the machine's own names are answered.
        self._hosts = _LOOPBACK if settings.auth == "open" else frozenset[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if scope["type"] == "websocket":
            if self._hosted(headers) and self._same_or_listed(origin, headers):
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            return
        shared = self._sharing(origin)
        if not self._hosted(headers):
            named = (_request_id(headers), *shared)
            await _refuse(send, 421, "This server does not go by that name.", "BAD_REQUEST", named)
        elif scope["method"] == "OPTIONS":
            granted = (*shared, *_PREFLIGHT) if shared else ()
            await _respond(send, 204, (self._allow, *granted), b"")
        elif self._csrf and _is_simple(scope["method"], headers):
            message = (
                "Refused: a web page of another site could have made a browser send this. Send the"
                " header apollo-require-preflight: true, or content-type: application/json."
            )
            named = (_request_id(headers), *shared)
            await _refuse(send, 400, message, "CSRF_PREVENTED", named)
        else:
            scope[EXTRA_HEADERS] = (*_SECURITY, *shared) if shared else _SECURITY
            await self._app(scope, receive, send)

    def _hosted(self, headers: Mapping[bytes, bytes]) -> bool:
        # Only clients of HTTP/1.0 may name none, and no browser is one.
        return not self._hosts or b"host" not in headers or _host(headers) in self._hosts

    def _listed(self, origin: str) -> bool:
        return origin in self._origins or "*" in self._origins

    def _same_or_listed(self, origin: str, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a WebSocket may be opened; programs other than browsers send no origin."""
        if not origin:
            return True
        host = headers.get(b"host", b"").decode("latin-1").lower()
        return _authority(origin) == host or self._listed(origin)

    def _sharing(self, origin: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers that let a page of `origin` read the answer; none if it must not."""
        if not origin or not self._listed(origin):
            return ((b"vary", b"Origin"),) if self._origins else ()
        return ((b"access-control-allow-origin", origin.encode("latin-1")), *_SHARED)


def _is_simple(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser would send this across origins without a preflight.

    Posts of forms are left to the endpoint, which takes nothing but JSON.
    """
    if method not in {"GET", "HEAD"}:
        return False
    media = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    return media in _FORMS and not any(headers.get(proof) for proof in _PROOFS)


def _authority(origin: str) -> str | None:
    """Return host and port of an origin; None when it cannot be read."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _request_id(headers: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    proposed = headers.get(b"x-request-id", b"").decode("latin-1")
    return b"x-request-id", protocol.request_id(proposed).encode()


def _host(headers: Mapping[bytes, bytes]) -> str:
    """Return the name in the Host header, without a port."""
    try:
        return urlsplit("//" + headers.get(b"host", b"").decode("latin-1")).hostname or ""
    except ValueError:
        return ""


async def _refuse(
    send: Send, status: int, message: str, code: str, shared: tuple[tuple[bytes, bytes], ...]
) -> None:
    body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
    content = (b"content-type", b"application/json; charset=utf-8")
    await _respond(send, status, (content, *shared), body)


async def _respond(
    send: Send, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> None:
    every = [*headers, *_SECURITY]
    telemetry.answered(status, dict(headers).get(b"x-request-id", b"").decode())
    if status != 204:  # noqa: PLR2004 - No Content
        every.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})
