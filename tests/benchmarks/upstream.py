"""The static upstream: answers as fast as Python can, so that it never is the bottleneck.

A bare `asyncio.Protocol` that reads request lines and writes bytes rendered once per URL. Understood
are GET without a body, POST of a form that buys a number, and `DELETE /_bench/calls`, which sets the counters to zero; `GET
/_bench/calls` shows them, and `/_bench/hanging?on` begins and `?off` ends that `data.OTHER_ACCOUNT` is
never answered. Run it with `python -m tests.benchmarks.upstream --port 8100`.
"""

import argparse
import asyncio
import math
import random
import re
import signal
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import uvloop

from tests.benchmarks import data

CALLS_PATH: Final = "/_bench/calls"
HANGING_PATH: Final = "/_bench/hanging"
_OWN_SID, _OTHER_SID = data.ACCOUNT.encode(), data.OTHER_ACCOUNT.encode()
_OTHER: Final = f"Authorization: {data.basic(data.OTHER_ACCOUNT)}".encode()
_INSTANCES: Final = "/Numbers/ActiveNumbers/"
_LIST: Final = "/Numbers/ActiveNumbers"
_KEPT_ANSWERS: Final = 50_000
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class StaticUpstream:
    """What the upstream answers, and how often it was asked.

    `owned` is the length of each list of owned numbers; `base` stands before paths in paging links.
    """

    def __init__(self, owned: int = data.LIST_SIZE, base: str = "http://127.0.0.1") -> None:
        self._owned = owned
        self._base = base
        self._kept: dict[str, tuple[str, bytes]] = {}
        self._lists: dict[tuple[int, int, int], bytes] = {}
        self.calls = {"instance": 0, "list": 0, "search": 0, "purchase": 0, "other": 0}

    def answer(self, method: str, target: str, form: str = "") -> bytes:
        """Return the whole HTTP response to `method` on `target` (path and query)."""
        if target.startswith(HANGING_PATH):
            return _response(HTTPStatus.OK, b"{}")
        if target == CALLS_PATH:
            if method == "DELETE":
                self.calls = dict.fromkeys(self.calls, 0)
            return _response(HTTPStatus.OK, orjson.dumps(self.calls))
        asked = f"{target} {form}" if method == "POST" else target
        kept = self._kept.get(asked)
        if kept is None:
            if len(self._kept) >= _KEPT_ANSWERS:
                self._kept.clear()
            kept = self._sell(form) if method == "POST" else self._render(target)
            self._kept[asked] = kept
        kind, response = kept
        self.calls[kind] += 1
        return response

    def render_lists(self, *sizes: int) -> None:
        """Render the first page of every list ahead, so that no server waits for it."""
        for size in sizes:
            for variant in range(data.VARIANTS):
                self._list(variant, 0, size)

    def _list(self, variant: int, page: int, size: int) -> bytes:
        key = variant, page, size
        if key not in self._lists:
            body = data.list_body(variant, self._owned, page, size, self._base)
            self._lists[key] = _response(HTTPStatus.OK, body)
        return self._lists[key]

    def _sell(self, form: str) -> tuple[str, bytes]:
        index = data.index_of(dict(parse_qsl(form))["PhoneNumber"])
        return "purchase", _response(HTTPStatus.CREATED, data.instance_body(index, self._owned))

    def _render(self, target: str) -> tuple[str, bytes]:
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        size = int(query.get("PageSize", data.LIST_SIZE))
        if url.path == _LIST and "PhoneNumber" in query:
            return "list", _response(HTTPStatus.OK, data.empty_body(f"{self._base}{target}"))
        if url.path == _LIST:
            variant = data.variant_of(query.get("Geography.PostalCode", ""))
            page = int(query.get("Page", 0))
            return "list", self._list(variant, page, size)
        if url.path.startswith(_INSTANCES):
            index = int(url.path.removeprefix(_INSTANCES).removeprefix("PN"), 16)
            return "instance", _response(HTTPStatus.OK, data.instance_body(index, self._owned))
        match url.path.split("/"):
            case ["", "2010-04-01", "Accounts", account, "AvailablePhoneNumbers", "US", _]:
                center, lata = query.get("InRateCenter", ""), query.get("InLata", "")
                body = data.search_body(account, center, lata, size)
                return "search", _response(HTTPStatus.OK, body)
        body = orjson.dumps({"code": 20404, "message": "not found", "status": 404})
        return "other", _response(HTTPStatus.NOT_FOUND, body)


def _response(status: HTTPStatus, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Slowness:
    """How long answers wait, to play a slow upstream.

    Args:
        delay: seconds before each answer.
        slow: seconds before some of them.
        share: how many of them, at random.

    Attributes:
        is_hanging: the other account is not answered.
    """

    def __init__(
        self,
        delay: float = 0,
        *,
        slow: float = 0,
        share: float = 0,
    ) -> None:
        self._delay = delay
        self._slow = slow
        self._share = share
        self.is_hanging = False
        self._chance = random.Random(1)  # noqa: S311 - load, not secrets

    def wait(self, *, other: bool) -> float:
        """Return the seconds before an answer, to the `other` account or not; infinite for never."""
        if other and self.is_hanging:
            return math.inf
        if self._share and self._chance.random() < self._share:
            return self._slow
        return self._delay


_AT_ONCE: Final = Slowness()


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests may arrive in pieces or several at once."""

    _transport: asyncio.Transport

    def __init__(self, upstream: StaticUpstream, slowness: Slowness = _AT_ONCE) -> None:
        self._upstream = upstream
        self._slowness = slowness
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        # uvloop's transports have the methods of `asyncio.Transport` without deriving from it.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            method, target, _ = self._unread.split(b"\r\n", 1)[0].decode().split(" ")
            other = _OTHER in self._unread[:end]
            begin = whole = end + 4
            if method == "POST" and (length := _LENGTH.search(self._unread, 0, end + 2)):
                whole += int(length[1])
                if len(self._unread) < whole:
                    return
            form = self._unread[begin:whole].decode()
            self._unread = self._unread[whole:]
            if target.startswith(HANGING_PATH):
                self._slowness.is_hanging = target.endswith("?on")
            response = self._upstream.answer(method, target, form)
            if other:
                response = response.replace(_OWN_SID, _OTHER_SID)
            wait = 0 if target.startswith("/_bench/") else self._slowness.wait(other=other)
            if not wait:
                self._transport.write(response)
            elif wait < math.inf:
                asyncio.get_running_loop().call_later(wait, self._send, response)

    def _send(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


async def serve(port: int, owned: int, slowness: Slowness) -> None:
    """Serve on loopback `port` until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    upstream = StaticUpstream(owned, f"http://127.0.0.1:{port}")
    if owned == data.LIST_SIZE:
        upstream.render_lists(data.LIST_SIZE, data.NESTED_SIZE)
    server = await loop.create_server(
        lambda: Connection(upstream, slowness), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await stop.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Static stand-in for the phone-number API.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--owned", type=int, default=data.LIST_SIZE, help="numbers in a list")
    parser.add_argument("--delay", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--slow", type=float, default=0, help="seconds before some answers")
    parser.add_argument("--slow-share", type=float, default=0, help="how many of them")
    chosen = parser.parse_args()
    slowness = Slowness(
        chosen.delay,
        slow=chosen.slow,
        share=chosen.slow_share,
    )
    uvloop.run(serve(chosen.port, chosen.owned, slowness))


if __name__ == "__main__":
    main()
