"""The plain proxy: raw ASGI, the same HTTP client as the gateway, no GraphQL.

It shows what receiving a request, asking the upstream and answering cost by themselves; and under
`/purchase/` what two calls with a line written to disk between them do.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from gateway.upstream.connections import Connections, Response, target
from gateway.upstream.dialling import Dialler
from gateway.upstream.proxies import Origin
from tests.benchmarks.servers import RECORDS

_PURCHASE: Final = "/purchase/"
_NUMBERS: Final = "/Numbers/ActiveNumbers"
_FORM: Final = "application/x-www-form-urlencoded"
_END: Final = "\r\n"


def _journal() -> sqlite3.Connection:
    """Return a file of records that is as durable as the gateway's."""
    sql = sqlite3.connect(Path(os.environ[RECORDS]) / "journal.sqlite", isolation_level=None)
    sql.execute("PRAGMA journal_mode = WAL")
    sql.execute("PRAGMA synchronous = FULL")
    sql.execute("CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT)")
    return sql


def create_app() -> Any:
    """Return an ASGI application that forwards GET requests to `$BENCH_UPSTREAM`."""
    origin = Origin.of(os.environ["BENCH_UPSTREAM"])
    connections = Connections(Dialler(2), body_limit=2**26)

    journal = _journal()

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        fields = f"Host: {origin.authority}\r\n"
        for name, value in scope["headers"]:
            if name == b"authorization":
                fields += f"Authorization: {value.decode()}\r\n"

        async def send_on(line: str, form: str = "") -> Response:
            message = f"{line} HTTP/1.1\r\n{fields}{form or _END}".encode()
            return await connections.send(origin, message, within=10)

        path = scope["raw_path"].decode()
        if path.startswith(_PURCHASE):
            number = quote(path.removeprefix(_PURCHASE), safe="%")
            await send_on(f"GET {_NUMBERS}?PhoneNumber={number}&PageSize=1")
            journal.execute("INSERT INTO entries VALUES (?, ?)", (uuid4().hex, number))
            form = f"PhoneNumber={number}"
            typed = f"Content-Type: {_FORM}\r\nContent-Length: {len(form)}\r\n\r\n{form}"
            answer = await send_on(f"POST {_NUMBERS}", typed)
        else:
            where = target(origin, path, scope["query_string"].decode())
            answer = await send_on(f"GET {where}")
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    return app
