"""Machines restarted one after the other under load: `python -m tests.benchmarks.rolling`.

The two machines of docs/deployment.md, first behind nginx, then behind HAProxy, both as the page has
them. While clients ask, buy and release, one machine is stopped and started after the other. Each
request must be answered, nothing be bought twice, and subscribers by WebSocket and by server-sent
events, who come back with the last id that they saw, must be told of everything.
"""

import argparse
import asyncio
import base64
import collections
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx

from tests.benchmarks.report import keep_chapter, table
from tests.benchmarks.soak import Soak, sandbox_of_its_own
from tests.docs.two_machines import Site, TwoMachines, haproxy, nginx
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

_HERE: Final = Path(__file__).parent
_CLIENTS: Final = 8
_PAUSE: Final = 0.05
# Between one restart and the next.
_REST: Final = 2.0
_PATIENCE: Final = 60.0
_TO_BUY: Final = 3000
_LAST_EVENTS: Final = 5.0
_OK: Final = 200
_BEHIND: Final[dict[str, Callable[[Site], AbstractContextManager[str]]]] = {
    "nginx": nginx,
    "HAProxy": haproxy,
}
_FOLLOW: Final = "subscription { phoneNumberChanged { id kind number } }"
_KINDS: Final = {"bought": "PURCHASED", "released": "RELEASED"}


class Follower:
    """A subscriber that comes back with the last id that it saw."""

    def __init__(self, http: aiohttp.ClientSession, url: str, authorization: str) -> None:
        self._http = http
        self._url = f"{url}/graphql"
        self._headers = {"Authorization": authorization}
        self._last = ""
        self.began = asyncio.Event()
        self.heard = asyncio.Event()
        self.not_told: set[tuple[str, str]] = set()
        self.told: collections.Counter[tuple[str, str]] = collections.Counter()
        self.returns = 0

    async def by_events(self) -> None:
        """Follow by server-sent events, for ever."""
        while True:
            headers = {**self._headers, "Accept": "text/event-stream"}
            if self._last:
                headers["Last-Event-ID"] = self._last
            try:
                async with self._http.post(
                    self._url, json={"query": _FOLLOW}, headers=headers
                ) as answer:
                    if answer.status != _OK:
                        self.told["error", f"{answer.status}: {await answer.text()}"] += 1
                    async for line in answer.content:
                        if line.startswith(b": following"):
                            self.began.set()
                        if line.startswith(b"data: {"):
                            self._note(json.loads(line[6:]))
            except aiohttp.ClientError:
                pass
            self.returns += 1
            await asyncio.sleep(_PAUSE)

    async def by_websocket(self, last: str) -> None:
        """Follow by WebSocket what happened after the event `last`, for ever."""
        self._last = last
        while True:
            try:
                async with self._http.ws_connect(
                    self._url, protocols=["graphql-transport-ws"], headers=self._headers
                ) as socket:
                    await socket.send_json({"type": "connection_init"})
                    async for message in socket:
                        said = json.loads(message.data)
                        if said["type"] == "connection_ack":
                            seen = {"lastEventId": self._last}
                            payload = {"query": _FOLLOW, "extensions": seen}
                            await socket.send_json(
                                {"type": "subscribe", "id": "1", "payload": payload}
                            )
                        if said["type"] == "ping":
                            await socket.send_json({"type": "pong"})
                        if said["type"] == "next":
                            self._note(said["payload"])
            except aiohttp.ClientError:
                pass
            self.returns += 1
            await asyncio.sleep(_PAUSE)

    @property
    def last(self) -> str:
        """The id of the last event seen."""
        return self._last

    def _note(self, payload: dict[str, Any]) -> None:
        if "errors" in payload:
            self.told["error", payload["errors"][0]["extensions"]["code"]] += 1
            return
        change = payload["data"]["phoneNumberChanged"]
        self._last = change["id"]
        self.told[change["kind"], change["number"]] += 1
        self.heard.set()


async def _restart_in_turn(site: TwoMachines, until: float) -> list[float]:
    """Restart A, B, A …; return how long each took."""
    took = []
    while time.monotonic() < until:
        for machine in (site.a, site.b):
            await asyncio.sleep(_REST)
            began = time.monotonic()
            code = await asyncio.to_thread(machine.stop)
            assert code == 0, machine.log.read_text()[-2000:]
            machine.start()
            await asyncio.to_thread(machine.wait_until_ready)
            took.append(time.monotonic() - began)
    return took


async def _load(
    site: TwoMachines, url: str, account: SandboxAccount, numbers: Sequence[str], seconds: float
) -> tuple[Soak, list[float], list[Follower]]:
    authorization = "Basic " + base64.b64encode(":".join(account.auth).encode()).decode()
    connector = aiohttp.TCPConnector(ssl=site.trust())
    timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        soak = Soak(http, f"{url}/graphql", authorization)
        await soak.prepare(numbers)
        followers = [Follower(http, url, authorization) for _ in range(2)]
        by_events, by_websocket = followers
        following = [asyncio.create_task(by_events.by_events())]
        await asyncio.wait_for(by_events.began.wait(), _PATIENCE)
        until = time.monotonic() + seconds
        restarting = asyncio.create_task(_restart_in_turn(site, until))
        clients = [asyncio.create_task(soak.client(until, _PAUSE)) for _ in range(_CLIENTS)]
        await asyncio.wait_for(by_events.heard.wait(), _PATIENCE)
        # It is told of what happens from here on, as nothing says when its subscription is in force.
        by_websocket.not_told = set(by_events.told)
        following.append(asyncio.create_task(by_websocket.by_websocket(by_events.last)))
        await asyncio.gather(*clients)
        took = await restarting
        await soak.settle()
        await asyncio.sleep(_LAST_EVENTS)
        for each in following:
            each.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        return soak, took, followers


def measure(name: str, seconds: float) -> tuple[dict[str, str], list[str]]:
    """Run the load behind one balancer; return what was measured, and what was wrong with it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sandbox_of_its_own() as upstream,
        httpx.Client(base_url=upstream, trust_env=False) as control,
    ):
        sandbox = RunningSandbox(upstream, control)
        account = sandbox.create_account(catalog=True, owned=200)
        for_sale = sandbox.inventory("US", "local", ["phone_number"])[:_TO_BUY]
        limits = {"GATEWAY_PURCHASES_PER_DAY": "0", "GATEWAY_REQUESTS_PER_MINUTE": "0"}
        with (
            TwoMachines(Path(folder), upstream, limits).running() as site,
            _BEHIND[name](site) as url,
        ):
            numbers = [each["phone_number"] for each in for_sale]
            soak, took, followers = asyncio.run(_load(site, url, account, numbers, seconds))
        ledger = [each for each in sandbox.ledger() if each["account_sid"] == account.sid]
    return _judge(soak, took, followers, ledger)


def _judge(
    soak: Soak, took: list[float], followers: list[Follower], ledger: list[dict[str, Any]]
) -> tuple[dict[str, str], list[str]]:
    tally = soak.tally
    done = collections.Counter(
        (_KINDS[each["action"]], each["phone_number"])
        for each in ledger
        if each["action"] in _KINDS
    )
    bought = collections.Counter(
        {number: n for (kind, number), n in done.items() if kind == "PURCHASED"}
    )
    told = collections.Counter(tally.bought)
    wrong = [f"{kind}: {count:,} times" for kind, count in tally.errors.items()]
    wrong += [f"{number} was bought {count} times" for number, count in bought.items() if count > 1]
    wrong += [
        f"{number}: bought, and not told, or the reverse"
        for number in (told - bought) + (bought - told)
    ]
    ways = ("by server-sent events", "by WebSocket")
    missed = {
        way: set(done) - set(one.told) - one.not_told
        for way, one in zip(ways, followers, strict=True)
    }
    wrong += [f"{way}: {each} was not told" for way, lost in missed.items() for each in lost]
    wrong += [
        f"a subscriber was told {each}"
        for one in followers
        for each in one.told
        if each[0] == "error"
    ]
    return {
        "restarts": f"{len(took)}",
        "longest restart, s": f"{max(took):.1f}",
        "requests": f"{len(tally.seconds):,}",
        "longest request, ms": f"{max(tally.seconds) * 1e3:.0f}",
        "not answered": f"{tally.errors.total():,}",
        "bought": f"{bought.total():,}",
        "released": f"{done.total() - bought.total():,}",
        "events missed, server-sent events / WebSocket": " / ".join(
            f"{len(each)}" for each in missed.values()
        ),
        "came back, server-sent events / WebSocket": " / ".join(
            f"{each.returns}" for each in followers
        ),
    }, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it behind both, print and keep the table; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rolling", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2, help="behind each balancer (2)")
    parser.add_argument("--output", type=Path, default=_HERE / "SOAK.md", help="where to keep it")
    options = parser.parse_args(arguments)
    columns, wrong = [], []
    for name in _BEHIND:
        measured, amiss = measure(name, options.minutes * 60)
        columns.append(measured)
        wrong += [f"{name}: {each}" for each in amiss]
    rows = [(name, *(each[name] for each in columns)) for name in columns[0]]
    text = (
        f"# Rolling restart\n\nTwo machines as on the page of the deployment, {_CLIENTS} clients,"
        f" {options.minutes:g} minutes behind each balancer; one machine after the other is"
        f" restarted.\n\n{table(('', *_BEHIND), rows)}\n"
    )
    sys.stdout.write(text)
    keep_chapter(options.output, text)
    for each in wrong:
        sys.stderr.write(f"WRONG: {each}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
