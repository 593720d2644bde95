"""What concerns browsers: forged requests, other origins, names of this host, security headers.

A page of another site can make a visitor's browser send *simple* requests here without asking: GETs
and posts of forms. What is not simple must be asked for first (a preflight), and is granted to the
listed origins only. So a request is taken when its form shows that it was not simple, by the rule
of Apollo Router: a content type other than the three of forms, or one of two headers.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import orjson
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.error_codes import CloseCode, ErrorCode
from gateway.errors import failure
from gateway.observability import activity
from gateway.settings.loopback import is_loopback
from gateway.transport import negotiation
from gateway.transport.asgi import EXTRA_HEADERS

_log = structlog.get_logger(__name__)

_FORMS = frozenset(
    {b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b""}
)
_PROOFS = (b"apollo-require-preflight", b"x-apollo-operation-name")
_ORIGIN = re.compile(r"https?://(?:([a-z0-9.]+)|\[([0-9a-f:.]+)\])(?::[0-9]{1,5})?")
_NOT_OURS: Final = "This server does not go by that name."
# Refusals that are the same as an earlier one are not logged again; nor are more than these.
_MOST_LOGGED: Final = 100

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
# What the gateway itself reads; `cors_headers` has what else pages may send.
_OWN_HEADERS = (
    *("authorization", "content-type", "accept", "x-account-sid", "x-request-id"),
    *("x-gateway-explain", "last-event-id", "if-none-match"),
    *("apollo-require-preflight", "x-apollo-operation-name"),
)


@dataclass(frozen=True)
class BrowserOptions:
    """What browsers may do; see the settings of the same names."""

    auth: str | None
    get_requests: bool
    csrf_prevention: bool
    cors_origins: tuple[str, ...]
    cors_headers: tuple[str, ...]


class Browsers:
    """Stands in front of the endpoint and keeps browsers from being used against it."""

    def __init__(
        self, app: ASGIApp, options: BrowserOptions, *, loopback_pages: bool = False
    ) -> None:
        """Guard an application.

        Args:
            app: the endpoint.
            options: what browsers may do.
            loopback_pages: pages that this machine serves, on whatever port, are let in, too.
        """
        self._app = app
        self._loopback_pages = loopback_pages
        self._allowed_headers = dict.fromkeys([*_OWN_HEADERS, *options.cors_headers])
        self._preflight = (
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", ", ".join(self._allowed_headers).encode()),
            (b"access-control-max-age", b"600"),
        )
        self._logged: set[str] = set()
        self._allow = (
            b"allow",
            b"GET, HEAD, POST, OPTIONS" if options.get_requests else b"POST, OPTIONS",
        )
        self._csrf = options.csrf_prevention
        self._origins = frozenset(options.cors_origins)
        # Open mode trusts whoever reaches this machine. A name that an attacker has made to point
        # here would let a web page do that, so only the machine's own names are answered.
        self._loopback_hosts = options.auth == "open"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if scope["type"] == "websocket":
            if self._hosted(headers) and self._same_or_listed(origin, headers):
                await self._app(scope, receive, send)
            else:
                reason = self._refused(origin) if self._hosted(headers) else _NOT_OURS
                await receive()
                await send({"type": "websocket.close", "code": CloseCode.POLICY, "reason": reason})
            return
        shared = self._sharing(origin)
        if not self._hosted(headers):
            named = (_request_id(headers), *shared)
            await _refuse(send, 421, _NOT_OURS, ErrorCode.BAD_REQUEST, named)
        elif scope["method"] == "OPTIONS":
            await self._options(origin, headers, shared, send)
        elif self._csrf and _is_simple(scope["method"], headers):
            message = (
                "Refused: a web page of another site could have made a browser send this. Send the"
                " header apollo-require-preflight: true, or content-type: application/json."
            )
            named = (_request_id(headers), *shared)
            await _refuse(send, 400, message, ErrorCode.CSRF_PREVENTED, named)
        else:
            scope[EXTRA_HEADERS] = (*_SECURITY, *shared) if shared else _SECURITY
            await self._app(scope, receive, send)

    async def _options(
        self,
        origin: str,
        headers: Mapping[bytes, bytes],
        shared: tuple[tuple[bytes, bytes], ...],
        send: Send,
    ) -> None:
        """Answer a preflight, or whoever else asks for options."""
        if self._listed(origin):
            asked = headers.get(b"access-control-request-headers", b"").decode("latin-1").lower()
            self._note_headers(each.strip() for each in asked.split(","))
            await _respond(send, 204, (self._allow, *shared, *self._preflight), b"")
        elif origin and b"access-control-request-method" in headers:
            named = (self._allow, _request_id(headers), *shared)
            await _refuse(send, 403, self._refused(origin), ErrorCode.FORBIDDEN, named)
        else:
            await _respond(send, 204, (self._allow, *shared), b"")

    def _refused(self, origin: str) -> str:
        """Log that pages of an origin were refused; return what to tell them."""
        origin = origin[:200]
        self._log_once("origin_refused", origin=origin, hint="list it in cors_origins")
        return (
            f"Pages of {origin} may not use this gateway: list that origin in the setting"
            " cors_origins (GATEWAY_CORS_ORIGINS)."
        )

    def _note_headers(self, asked: Iterable[str]) -> None:
        """Log which headers a page wants to send and may not: the browser alone will tell."""
        refused = sorted({each for each in asked if each} - self._allowed_headers.keys())
        if refused and "*" not in self._allowed_headers:
            names = ", ".join(refused)[:200]
            self._log_once("headers_refused", headers=names, hint="list them in cors_headers")

    def _log_once(self, event: str, **details: str) -> None:
        name = f"{event} {details}"
        if name not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(name)
            _log.warning(event, **details)

    def _hosted(self, headers: Mapping[bytes, bytes]) -> bool:
        # Only clients of HTTP/1.0 may name none, and no browser is one.
        return not self._loopback_hosts or b"host" not in headers or is_loopback(_host(headers))

    def _listed(self, origin: str) -> bool:
        return bool(origin) and (
            origin in self._origins
            or "*" in self._origins
            or (self._loopback_pages and _is_loopback_page(origin))
        )

    def _same_or_listed(self, origin: str, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a WebSocket may be opened; programs other than browsers send no origin."""
        if not origin:
            return True
        host = headers.get(b"host", b"").decode("latin-1").lower()
        return _authority(origin) == host or self._listed(origin)

    def _sharing(self, origin: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers that let a page of `origin` read the answer; none if it must not."""
        if not self._listed(origin):
            return ((b"vary", b"Origin"),) if self._origins or self._loopback_pages else ()
        return ((b"access-control-allow-origin", origin.encode("latin-1")), *_SHARED)


def _is_simple(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser would send this across origins without a preflight.

    Posts of forms are left to the endpoint, which takes nothing but JSON.
    """
    if method not in {"GET", "HEAD"}:
        return False
    media = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    return media in _FORMS and not any(headers.get(proof) for proof in _PROOFS)


def _is_loopback_page(origin: str) -> bool:
    found = _ORIGIN.fullmatch(origin)
    return found is not None and is_loopback(found[1] or found[2])


def _authority(origin: str) -> str | None:
    """Return host and port of an origin; None when it cannot be read."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _request_id(headers: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    proposed = headers.get(b"x-request-id", b"").decode("latin-1")
    return b"x-request-id", negotiation.request_id(proposed).encode()


def _host(headers: Mapping[bytes, bytes]) -> str:
    """Return the name in the Host header, without a port."""
    try:
        return urlsplit("//" + headers.get(b"host", b"").decode("latin-1")).hostname or ""
    except ValueError:
        return ""


async def _refuse(
    send: Send, status: int, message: str, code: ErrorCode, shared: tuple[tuple[bytes, bytes], ...]
) -> None:
    body = orjson.dumps(failure(message, code))
    content = (b"content-type", b"application/json; charset=utf-8")
    await _respond(send, status, (content, *shared), body)


async def _respond(
    send: Send, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> None:
    every = [*headers, *_SECURITY]
    activity.answered(status, dict(headers).get(b"x-request-id", b"").decode())
    if status != 204:  # noqa: PLR2004 - No Content
        every.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})
