"""The plain proxy: raw ASGI, the same HTTP client as the gateway, no GraphQL.

It shows what receiving a request, asking the upstream and answering cost by themselves.
"""

import os
from typing import Any, Final

import httpx
from httpx_aiohttp import AiohttpTransport

_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None)


def create_app() -> Any:
    """Return an ASGI application that forwards GET requests to `$BENCH_UPSTREAM`."""
    upstream = os.environ["BENCH_UPSTREAM"]
    transport: AiohttpTransport | None = None

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        nonlocal transport
        if scope["type"] != "http":
            return
        if transport is None:
            transport = AiohttpTransport(limits=_LIMITS, verify=False, trust_env=False)
        path = scope["raw_path"].decode()
        query = scope["query_string"].decode()
        url = f"{upstream}{path}?{query}" if query else upstream + path
        headers = [pair for pair in scope["headers"] if pair[0] == b"authorization"]
        answer = await transport.handle_async_request(httpx.Request("GET", url, headers=headers))
        body = await answer.aread()
        await answer.aclose()
        head = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return app
