"""What one client can do to the memory of all: `python -m tests.benchmarks.harm`.

First, subscriptions that live long: 100,000 events are delivered, over WebSockets and as server-sent
events, and memory must stay where it was. Then a standing attack: in a process that may not have
much memory, everything is asked for in every way and nothing of it read, again and again, while
somebody else asks small questions and must be answered.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from resource import RLIMIT_AS, prlimit
from statistics import quantiles
from typing import Final

import aiohttp
import httpx

from tests.benchmarks.report import keep_chapter, table
from tests.benchmarks.soak import sandbox_of_its_own
from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.process_memory import resident
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.unread import LARGE, WAYS, unread

_HERE: Final = Path(__file__).parent
_READERS: Final = 50
_WARM: Final = 0.2
_MOST_GROWTH: Final = 0.05
_AT_ONCE: Final = 10
_MIB: Final = 2**20
# Beyond what it has after its first answers.
_ADDRESSES: Final = 512 * _MIB
_MOST_HELD: Final = 192 * _MIB
_ROUND: Final = 30.0

_CHANGES: Final = """subscription { phoneNumberChanged { id kind accountSid numberId number phoneNumber {
  sid phoneNumber friendlyName type lifecycle account { sid } geography { isoCountry region }
  capabilities { voice { enabled } sms { enabled } mms { enabled } }
  configuration { friendlyName voice { url method } sms { url method } } } } }"""
_CONFIGURE: Final = """mutation ($sid: ID!, $name: String!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: $name } }) {
    userErrors { code } } }"""


class Readers:
    """Subscribers that read what comes, and count it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, authorization: str) -> None:
        self._http = http
        self._url = url
        self._headers = {"Authorization": authorization}
        self.following = 0
        self.delivered = 0

    async def over_websockets(self) -> None:
        """Follow on one WebSocket."""
        async with self._http.ws_connect(
            self._url, protocols=["graphql-transport-ws"], headers=self._headers
        ) as connection:
            await connection.send_json({"type": "connection_init"})
            await connection.receive()
            subscription = {"type": "subscribe", "id": "1", "payload": {"query": _CHANGES}}
            await connection.send_json(subscription)
            self.following += 1
            async for message in connection:
                self.delivered += '"next"' in message.data[:20]
                if '"ping"' in message.data[:20]:
                    await connection.send_json({"type": "pong"})

    async def as_events(self) -> None:
        """Follow as server-sent events."""
        headers = {**self._headers, "accept": "text/event-stream"}
        async with self._http.post(self._url, json={"query": _CHANGES}, headers=headers) as answer:
            async for line in answer.content:
                self.following += line == b": following\n"
                self.delivered += line == b"event: next\n"

    async def change(self, sid: str, names: range) -> None:
        """Change a number so many times, and wait until everybody knows."""
        before = self.delivered
        for name in names:
            variables = {"sid": sid, "name": str(name)}
            body = {"query": _CONFIGURE, "variables": variables}
            async with self._http.post(self._url, json=body, headers=self._headers) as answer:
                told = await answer.json()
            assert told["data"]["configurePhoneNumber"]["userErrors"] == [], told
        await _until(lambda: self.delivered >= before + len(names) * _READERS)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - many tasks have a part in it
        await asyncio.sleep(0.01)


@asynccontextmanager
async def _reading(way: str, url: str, account: SandboxAccount) -> AsyncIterator[Readers]:
    timeout, connector = aiohttp.ClientTimeout(total=None), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        readers = Readers(http, f"{url}/graphql", aiohttp.encode_basic_auth(*account.auth))
        read = readers.over_websockets if way == "WebSocket" else readers.as_events
        tasks = [asyncio.create_task(read()) for _ in range(_READERS)]
        await _until(lambda: readers.following == _READERS)
        await asyncio.sleep(1)  # A WebSocket does not tell since when it follows.
        yield readers
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _deliver(
    way: str, gateway: GatewayProcess, account: SandboxAccount, sid: str, events: int
) -> tuple[int, int, int]:
    """Deliver so many events; return how many came, and the memory once warm and in the end."""
    pid, changes = gateway.process.pid, events // _READERS
    warm = 0
    async with _reading(way, gateway.asked.url, account) as readers:
        for first in range(0, changes, _AT_ONCE):
            await readers.change(sid, range(first, first + _AT_ONCE))
            if not warm and first >= changes * _WARM:
                warm = resident(pid)
        return readers.delivered, warm, resident(pid)


def deliver(sandbox: RunningSandbox, events: int) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Deliver events in both ways; return what was measured, and what was wrong with it."""
    rows: list[tuple[str, str, str]] = []
    wrong = []
    for way in ("WebSocket", "server-sent events"):
        account = sandbox.create_account()
        sid = sandbox.put_number(account.sid)["sid"]
        with (
            tempfile.TemporaryDirectory() as folder,
            # What is kept for a while is at its full size before memory is first looked at.
            gateway_process(sandbox, Path(folder), event_memory=5, idempotency_memory=5) as gateway,
        ):
            came, warm, end = asyncio.run(_deliver(way, gateway, account, sid, events))
        growth = end / warm - 1
        shown = f"{warm / _MIB:.1f}", f"{end / _MIB:.1f} ({growth:+.1%})"
        rows.append((f"{came:,} events, {_READERS} readers, {way}", *shown))
        if growth > _MOST_GROWTH:
            wrong.append(f"{way}: memory grew by {growth:.1%}")
    return rows, wrong


def attack(sandbox: RunningSandbox, seconds: float) -> tuple[list[tuple[str, str]], list[str]]:
    """Ask for all and read nothing; return what was measured, and what was wrong with it."""
    greedy, restless = sandbox.create_account(), sandbox.create_account()
    sid = sandbox.put_number(restless.sid)["sid"]
    took: list[float] = []
    held: list[int] = []
    rounds = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        gateway_process(sandbox, Path(folder), batch_limit=10) as gateway,
    ):
        asked, pid = gateway.asked, gateway.process.pid
        asked.post({"query": LARGE}, account=greedy)
        asked.query("{ account { sid } }")
        before = resident(pid)
        addresses = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0]) * 4096
        most = addresses + _ADDRESSES
        prlimit(pid, RLIMIT_AS, (most, most))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rounds += 1
            with ExitStack() as stack:
                for way in WAYS:
                    caller = restless if way == "changes" else greedy
                    stack.enter_context(unread(asked.url, caller, way, connections=20, count=50))
                until = min(end, time.monotonic() + _ROUND)
                while time.monotonic() < until:
                    began = time.monotonic()
                    asked.query("{ account { sid } }")
                    took.append(time.monotonic() - began)
                    variables = {"sid": sid, "name": str(len(took))}
                    asked.query(_CONFIGURE, variables, account=restless)
                    held.append(resident(pid) - before)
    hundredths = quantiles(took, n=100)
    return [
        ("rounds of attack, in all ways at once", f"{rounds}"),
        ("others' questions answered", f"{len(took):,}"),
        (
            "p50 / p99 / longest, ms",
            f"{hundredths[49] * 1e3:.0f} / {hundredths[98] * 1e3:.0f} / {max(took) * 1e3:.0f}",
        ),
        ("most memory beyond that at start, MiB", f"{max(held) / _MIB:.1f}"),
        ("the same in the last round, MiB", f"{max(held[-len(held) // rounds :]) / _MIB:.1f}"),
    ], ["memory is not bounded"] if max(held) > _MOST_HELD else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both, print and keep the tables; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.harm", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="to deliver, each way")
    parser.add_argument("--minutes", type=float, default=5, help="of attack (5)")
    parser.add_argument("--output", type=Path, default=_HERE / "SOAK.md", help="where to keep it")
    options = parser.parse_args(arguments)
    with sandbox_of_its_own() as url, httpx.Client(base_url=url, trust_env=False) as control:
        sandbox = RunningSandbox(url, control)
        delivered, wrong = deliver(sandbox, options.events)
        attacked, amiss = attack(sandbox, options.minutes * 60)
    wrong += amiss
    text = (
        "# Harm\n\nSubscriptions that live long; memory in MiB, once warm and in the end:\n\n"
        + table(("delivered", "warm", "end"), delivered)
        + f"\n\nA standing attack of {options.minutes:g} minutes, nothing of which is read, on a"
        f" process that may address {_ADDRESSES // _MIB} MiB more than at start:\n\n"
        + table(("", "measured"), attacked)
        + "\n"
    )
    sys.stdout.write(text)
    keep_chapter(options.output, text)
    for each in wrong:
        sys.stderr.write(f"WRONG: {each}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
