"""Routes of the explorer: one page, its settings, and the files that npm built into `static/`.

No state is kept here: the page is a client of `/graphql` like any other. What it may load is fixed
by a content security policy, and a test proves that no request leaves the origin.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.explorer.building import waiting_page
from gateway.settings.loopback import is_loopback

STATIC: Final = Path(__file__).parent / "static"

# The editor writes style elements as it goes, hence 'unsafe-inline' for styles; scripts are files
# of ours without exception, and nothing is evaluated. 'self' covers the WebSocket, too.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "worker-src 'self'; "
    "style-src 'self' 'unsafe-inline'; "
    "font-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

# Browsers heed this on pages that nobody on the way can have changed, and complain of it on others.
_ISOLATION: Final = {"Cross-Origin-Opener-Policy": "same-origin"}

# Every built file has the hash of its content in its name.
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
# How compressed copies of a file are called, by their coding.
_COPIES: Final = {"br": ".br", "gzip": ".gz"}
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff2": "font/woff2",
}


ChooseCoding: TypeAlias = Callable[[str], str | None]


def explorer_routes(
    *,
    graphql_path: str = "/graphql",
    prefill: Callable[[], dict[str, object]] | None = None,
    static: Path = STATIC,
    choose: ChooseCoding = lambda _: None,
) -> list[BaseRoute]:
    """Return the routes of the explorer: `/`, `/explorer/config.json`, `/explorer/assets/…`.

    Args:
        graphql_path: Where GraphQL is served, for operations and subscriptions.
        prefill: Called for each page load; its entries go into the page's settings. Known are
            `sandbox` (`{"accounts": [{"sid", "authToken", "role", "ownerSid"}], "url"}`, the one to
            act as first, and where the sandbox is; or None), `auth` (what the gateway wants of
            clients: `pass-through`, `tokens` or `open`), `explain` (whether it answers
            `X-Gateway-Explain`) and `subscriptionsPath`.
        static: Folder of the built page; without an `index.html` in it, the page says how far the
            build is, or how to build, and appears when it is there.
        choose: Tells by an Accept-Encoding header which of the codings `br` and `gzip` a file is to
            be sent in, where the build has made such a copy; None for as it is.
    """

    async def page(request: Request) -> Response:
        built = static / "index.html"
        if not built.is_file():
            headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", "Retry-After": "2"}
            waiting = waiting_page(static.with_name("build.json"), graphql_path)
            return HTMLResponse(waiting, status_code=503, headers=headers)
        return _page(request, built, choose)

    async def config(_request: Request) -> Response:
        settings: dict[str, object] = {
            "graphqlPath": graphql_path,
            "subscriptionsPath": graphql_path,
            "sandbox": None,
            "auth": "pass-through",
            "explain": True,
        }
        if prefill is not None:
            settings |= prefill()
        return JSONResponse(settings, headers={**SECURITY_HEADERS, "Cache-Control": "no-store"})

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        path = static / "assets" / name
        # A plain file name reaches the folder and nothing above or below it.
        if Path(name).name != name or path.suffix not in _MEDIA_TYPES or not path.is_file():
            return Response(status_code=404, headers=SECURITY_HEADERS)
        return _file(request, path, {"Cache-Control": _IMMUTABLE}, choose)

    return [
        Route("/", page),
        Route("/explorer/config.json", config),
        Route("/explorer/assets/{name}", asset),
    ]


def _page(request: Request, path: Path, choose: ChooseCoding) -> Response:
    """Serve a page that must be looked up anew each time, since it names the hashed files."""
    etag = f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}"'
    headers = {"Cache-Control": "no-cache", "ETag": etag}
    if request.url.scheme == "https" or is_loopback(request.url.hostname or ""):
        headers |= _ISOLATION
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={**SECURITY_HEADERS, **headers})
    return _file(request, path, headers, choose)


def _file(
    request: Request, path: Path, headers: Mapping[str, str], choose: ChooseCoding
) -> Response:
    """Send `path`, or the compressed copy of it that the client prefers and the build has made."""
    sent = {**SECURITY_HEADERS, **headers, "Vary": "Accept-Encoding"}
    body = path
    coding = choose(request.headers.get("accept-encoding", ""))
    if coding is not None:
        copy = path.with_name(path.name + _COPIES[coding])
        if copy.is_file():
            body = copy
            sent["Content-Encoding"] = coding
    media_type = _MEDIA_TYPES[path.suffix]
    return FileResponse(body, headers=sent, media_type=media_type)
