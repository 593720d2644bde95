"""What concerns browsers: forged requests, other origins, names of this host, security headers.

A page of another site can make a visitor's browser send *simple* requests here without asking: GETs
and posts of forms. What is not simple must be asked for first (a preflight), and is granted to the
listed origins only. So a request is taken when its form shows that it was not simple, by the rule
of Apollo Router: a content type other than the three of forms, or one of two headers.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import orjson
import structlog
from msgspec import Struct

from gateway.error_codes import ErrorCode
from gateway.errors import failure
from gateway.settings.loopback import is_loopback
from gateway.transport import negotiation
from gateway.transport.exchange import Answer, Exchange, FixedHeaders

_log = structlog.get_logger(__name__)

_FORMS = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""})
_PROOFS = ("apollo-require-preflight", "x-apollo-operation-name")
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


class BrowserOptions(Struct, frozen=True):
    """What browsers may do; see the settings of the same names."""

    auth: str | None
    get_requests: bool
    csrf_prevention: bool
    cors_origins: tuple[str, ...]
    cors_headers: tuple[str, ...]


class Browsers:
    """Keeps browsers from being used against the endpoint.

    Args:
        options: what browsers may do.
        loopback_pages: pages that this machine serves, on whatever port, are let in, too.
    """

    def __init__(self, options: BrowserOptions, *, loopback_pages: bool = False) -> None:
        self._loopback_pages = loopback_pages
        self._allowed_headers = dict.fromkeys([*_OWN_HEADERS, *options.cors_headers])
        self._preflight = {
            "access-control-allow-methods": "GET, POST",
            "access-control-allow-headers": ", ".join(self._allowed_headers),
            "access-control-max-age": "600",
        }
        self._logged: set[str] = set()
        self._allow = {
            "allow": "GET, HEAD, POST, OPTIONS" if options.get_requests else "POST, OPTIONS"
        }
        self._csrf = options.csrf_prevention
        self._origins = frozenset(options.cors_origins)
        # Whom an answer is not shared with; where it may be with others, caches must know that.
        vary = ((b"vary", b"Origin"),) if self._origins or loopback_pages else ()
        self._unshared = FixedHeaders((*_SECURITY, *vary))
        # Open mode trusts whoever reaches this machine. A name that an attacker has made to point
        # here would let a web page do that, so only the machine's own names are answered.
        self._loopback_hosts = options.auth == "open"

    def check(self, exchange: Exchange) -> Answer | None:
        """Return the answer to a request that comes no further; None to go on.

        In any case the head has the headers of its answers that concern browsers, after this.
        """
        head = exchange.head
        headers = head.headers
        origin = headers.get("origin", "")
        head.fixed = self._sharing(origin) if origin else self._unshared
        if self._loopback_hosts and not self._hosted(headers):
            return _refuse(exchange, 421, _NOT_OURS, ErrorCode.BAD_REQUEST)
        if head.verb == "OPTIONS":
            return self._options(origin, exchange)
        if self._csrf and head.method == "GET" and _is_simple(headers):
            message = (
                "Refused: a web page of another site could have made a browser send this. Send the"
                " header apollo-require-preflight: true, or content-type: application/json."
            )
            return _refuse(exchange, 400, message, ErrorCode.CSRF_PREVENTED)
        return None

    def check_origin(self, headers: Mapping[str, str]) -> str | None:
        """Return why a page may not open a WebSocket, or steer the sandbox; None if it may."""
        if not self._hosted(headers):
            return _NOT_OURS
        origin = headers.get("origin", "")
        return None if self._same_or_listed(origin, headers) else self._refused(origin)

    def _options(self, origin: str, exchange: Exchange) -> Answer:
        """Answer a preflight, or whoever else asks for options."""
        headers = exchange.head.headers
        if self._listed(origin):
            asked = headers.get("access-control-request-headers", "").lower()
            self._note_headers(each.strip() for each in asked.split(","))
            return Answer(204, self._allow | self._preflight, exchange.head.fixed, b"")
        if origin and "access-control-request-method" in headers:
            return _refuse(exchange, 403, self._refused(origin), ErrorCode.FORBIDDEN, self._allow)
        return Answer(204, dict(self._allow), exchange.head.fixed, b"")

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

    def _hosted(self, headers: Mapping[str, str]) -> bool:
        # Only clients of HTTP/1.0 may name none, and no browser is one.
        return not self._loopback_hosts or "host" not in headers or is_loopback(_host(headers))

    def _listed(self, origin: str) -> bool:
        return bool(origin) and (
            origin in self._origins
            or "*" in self._origins
            or (self._loopback_pages and _is_loopback_page(origin))
        )

    def _same_or_listed(self, origin: str, headers: Mapping[str, str]) -> bool:
        """Whether a WebSocket may be opened; programs other than browsers send no origin."""
        if not origin:
            return True
        return _authority(origin) == headers.get("host", "").lower() or self._listed(origin)

    def _sharing(self, origin: str) -> FixedHeaders:
        """Return the headers of an answer, with those that let a page of `origin` read it."""
        if not self._listed(origin):
            return self._unshared
        return _shared_with(origin)


@lru_cache(maxsize=64)
def _shared_with(origin: str) -> FixedHeaders:
    allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
    return FixedHeaders((*_SECURITY, allowed, *_SHARED))


def _is_simple(headers: Mapping[str, str]) -> bool:
    """Whether a browser would send a GET or HEAD across origins without a preflight.

    Posts of forms are left to the endpoint, which takes nothing but JSON.
    """
    media = headers.get("content-type", "").split(";")[0].strip().lower()
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


def _host(headers: Mapping[str, str]) -> str:
    """Return the name in the Host header, without a port."""
    try:
        return urlsplit("//" + headers.get("host", "")).hostname or ""
    except ValueError:
        return ""


def _refuse(
    exchange: Exchange,
    status: int,
    message: str,
    code: ErrorCode,
    more: Mapping[str, str] | None = None,
) -> Answer:
    headers = {
        "content-type": negotiation.CONTENT_TYPES[negotiation.JSON],
        **(more or {}),
        "x-request-id": exchange.request_id,
    }
    return Answer(status, headers, exchange.head.fixed, orjson.dumps(failure(message, code)))
