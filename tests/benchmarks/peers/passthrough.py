"""The plain proxy: raw ASGI, the same HTTP client as the gateway, no GraphQL.

It shows what receiving a request, asking the upstream and answering cost by themselves. Under
`/purchase/` it makes two calls and keeps what the gateway keeps of a purchase, in the gateway's own
journal and as durably; under `/journal/` it does that alone.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson

from gateway.upstream.connections import Response, target
from gateway.upstream.dialling import Dialler
from gateway.upstream.pools import Connections
from gateway.upstream.proxies import Origin
from gateway.writes.file_journal import FileJournal
from tests.benchmarks import data
from tests.benchmarks.servers import RECORDS

_PURCHASE, _JOURNAL = "/purchase/", "/journal/"
_NUMBERS: Final = "/Numbers/ActiveNumbers"
_FORM: Final = "application/x-www-form-urlencoded"
_END: Final = "\r\n"
_DAY: Final = 86400.0


def _entry(claim: str, state: str, outcome: str = "") -> bytes:
    """Return an entry of the journal, as long as the gateway's are."""
    entry = {"state": state, "digest": "0" * 64, "owner": f"held-{'0' * 32}", "until": 1.0}
    return orjson.dumps({**entry, "sent": 1.0, "outcome": outcome, "claim": claim})


async def _kept(journal: FileJournal, buy: Callable[[], Awaitable[bytes]]) -> bytes:
    """Buy, and keep the intent before and the outcome after that."""
    hold = journal.hold_at_hand() or await journal.hold()
    key, claim = os.urandom(32).hex(), os.urandom(16).hex()
    claimed, sent = _entry(claim, "claimed"), _entry(claim, "sent")
    await journal.open(key, claimed, ttl=_DAY)
    await journal.replace(key, claimed, sent, ttl=_DAY)
    body = await buy()
    await journal.replace(key, sent, _entry(claim, "done", body.decode()), ttl=_DAY)
    hold.is_named = False
    hold.end()
    return body


def create_app() -> Any:
    """Return an ASGI application that forwards GET requests to `$BENCH_UPSTREAM`."""
    origin = Origin.of(os.environ["BENCH_UPSTREAM"])
    connections = Connections(Dialler(2), body_limit=2**26)

    journal = FileJournal(Path(os.environ[RECORDS]))
    some = data.instance_body(0, data.LIST_SIZE)
    host = f"Host: {origin.authority}\r\n"

    async def nothing() -> bytes:
        return some

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        fields = host
        for name, value in scope["headers"]:
            if name == b"authorization":
                fields += f"Authorization: {value.decode()}\r\n"

        async def send_on(line: str, form: str = "") -> Response:
            message = f"{line} HTTP/1.1\r\n{fields}{form or _END}".encode()
            return await connections.to(origin).send(message, within=10)

        async def send_form(number: str) -> bytes:
            form = f"PhoneNumber={number}"
            typed = f"Content-Type: {_FORM}\r\nContent-Length: {len(form)}\r\n\r\n{form}"
            return (await send_on(f"POST {_NUMBERS}", typed)).body

        path = scope["raw_path"].decode()
        status = 200
        if path.startswith(_PURCHASE):
            number = quote(path.removeprefix(_PURCHASE), safe="%")
            await send_on(f"GET {_NUMBERS}?PhoneNumber={number}&PageSize=1")
            body = await _kept(journal, lambda: send_form(number))
        elif path.startswith(_JOURNAL):
            body = await _kept(journal, nothing)
        else:
            where = target(origin, path, scope["query_string"].decode())
            status, _, body = await send_on(f"GET {where}")
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
