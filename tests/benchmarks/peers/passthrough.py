"""The plain proxy: raw ASGI, the same HTTP client as the gateway, no GraphQL.

It shows what receiving a request, asking the upstream and answering cost by themselves.
"""

import os
from typing import Any

from gateway.upstream.connections import Connections, Origin, target


def create_app() -> Any:
    """Return an ASGI application that forwards GET requests to `$BENCH_UPSTREAM`."""
    origin = Origin.of(os.environ["BENCH_UPSTREAM"])
    connections = Connections(connect_timeout=2, body_limit=2**26)

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        where = target(origin, scope["raw_path"].decode(), scope["query_string"].decode())
        head = f"GET {where} HTTP/1.1\r\nHost: {origin.authority}\r\n"
        for name, value in scope["headers"]:
            if name == b"authorization":
                head += f"Authorization: {value.decode()}\r\n"
        answer = await connections.send(origin, f"{head}\r\n".encode(), within=10)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    return app
