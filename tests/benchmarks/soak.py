"""Endurance with everything going wrong now and then: `python -m tests.benchmarks.soak`.

Mixed load on a gateway in front of the sandbox, whose faults change every few seconds: first in one
process, then in two that share a Valkey. Every purchase has a key, and is asked for again with the
same key when its outcome is not known. What the gateway says it bought must be what was bought.
"""

import argparse
import asyncio
import collections
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

import aiohttp

from tests.benchmarks.report import keep_chapter, table
from tests.support.gateway_process import served
from tests.support.paths import ROOT
from tests.support.valkey_process import valkey_server

_HERE: Final = Path(__file__).parent
_CLIENTS: Final = 12
_FAULT_SECONDS: Final = 4.0
_MOST_GROWTH: Final = 0.05
_WARM: Final = 180.0
_UNKNOWN: Final = {"OUTCOME_UNKNOWN", "IN_PROGRESS"}
_TRIES: Final = 8
# Longer than a breaker stays open.
_SETTLING: Final = 40.0

_LIST: Final = """query Numbers($first: Int!) { phoneNumbers(first: $first) { nodes {
  sid phoneNumber friendlyName type capabilities { voice { enabled } sms { enabled } }
  geography { region postalCode } configuration { voice { url } } } } }"""
_ONE: Final = """query Number($sid: ID!) { phoneNumber(sid: $sid) {
  sid phoneNumber friendlyName account { friendlyName } } }"""
_SEARCH: Final = """query Search($region: String!) {
  availablePhoneNumbers(country: "US", filter: { region: $region }, first: 20) { nodes {
    phoneNumber geography { locality rateCenter } capabilities { sms { enabled } } } } }"""
_NESTED: Final = """query Similar { phoneNumbers(first: 5) { nodes { sid
  similarAvailable(within: REGION, first: 2) { nodes { phoneNumber } } } } }"""
_CONFIGURE: Final = """mutation Configure($sid: ID!, $name: String!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: $name } }) {
    phoneNumber { friendlyName } userErrors { code } } }"""
_BUY: Final = """mutation Buy($number: E164!, $key: String!) {
  purchasePhoneNumber(input: { phoneNumber: $number, idempotencyKey: $key }) {
    phoneNumber { sid } userErrors { code } } }"""
_RELEASE: Final = """mutation Release($sid: ID!, $number: E164!) {
  releasePhoneNumber(input: { sid: $sid, confirmPhoneNumber: $number }) {
    releasedId userErrors { code } } }"""
_REGIONS: Final = ("CA", "NY", "TX", "WA", "FL", "IL", "MA", "CO")

# What happens to single calls, here and there; those of writes leave it open what became of them.
_MISHAPS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "429"},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500, "method": "POST", "commit": True},
    {"kind": "lost-answer", "method": "POST"},
    {"kind": "latency", "latency_ms": 700},
    {"kind": "reset"},
    {"kind": "truncate", "method": "GET"},
    {"kind": "malformed", "method": "GET"},
    {"kind": "html"},
    {"kind": "null-items", "method": "GET"},
    {"kind": "wrong-shape", "method": "GET"},
)
# And now and then everything fails for a while, so that breakers open.
_OUTAGE: Final[dict[str, Any]] = {"kind": "status", "status": 503, "count": 30}
_OUTAGE_EVERY: Final = 15


@dataclass
class Tally:
    """What was asked, and what came of it."""

    seconds: list[float] = field(default_factory=list)
    errors: collections.Counter[str] = field(default_factory=collections.Counter)
    bought: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    """Numbers whose purchase may have happened, with its key."""
    released: int = 0


class Soak:
    """The clients, and what they share."""

    def __init__(self, http: aiohttp.ClientSession, url: str, authorization: str) -> None:
        self._http = http
        self._url = url
        self._headers = {"Authorization": authorization}
        self.tally = Tally()
        self._sids: list[str] = []
        self._ours: collections.deque[tuple[str, str]] = collections.deque()
        self._wanted: Iterator[str] = iter(())

    async def prepare(self, numbers: Sequence[str]) -> None:
        """Note which numbers may be bought, and look up some that can be asked about."""
        self._wanted = iter(numbers)
        data = await self._ask(_LIST, {"first": 200})
        self._sids = [each["sid"] for each in data["phoneNumbers"]["nodes"]]

    async def client(self, until: float, pause: float) -> None:
        """Ask one thing after the other."""
        deeds: list[tuple[Callable[[], Awaitable[object]], int]] = [
            (lambda: self._ask(_LIST, {"first": random.choice((5, 20, 50))}), 30),  # noqa: S311
            (lambda: self._ask(_ONE, {"sid": random.choice(self._sids)}), 30),  # noqa: S311
            (lambda: self._ask(_SEARCH, {"region": random.choice(_REGIONS)}), 15),  # noqa: S311
            (lambda: self._ask(_NESTED, {}), 5),
            (self._configure, 10),
            (self._buy, 6),
            (self._release, 4),
        ]
        ways, weights = zip(*deeds, strict=True)
        while time.monotonic() < until:
            began = time.monotonic()
            await random.choices(ways, weights)[0]()  # noqa: S311
            self.tally.seconds.append(time.monotonic() - began)
            await asyncio.sleep(pause)

    async def _configure(self) -> None:
        sid = random.choice(self._sids)  # noqa: S311
        await self._mutate(_CONFIGURE, {"sid": sid, "name": uuid4().hex[:12]})

    async def _buy(self) -> None:
        number = next(self._wanted, None)
        if number is not None:
            # Until it is known, it may have been bought.
            self.tally.unknown[number] = uuid4().hex
            await self._settle(number)

    async def settle(self) -> None:
        """Ask again, with their keys, for the purchases whose outcome is not known."""
        patience = _in(_SETTLING)
        while self.tally.unknown and time.monotonic() < patience:
            for number in list(self.tally.unknown):
                await self._settle(number)

    async def _settle(self, number: str) -> None:
        variables = {"number": number, "key": self.tally.unknown[number]}
        for _ in range(_TRIES):
            payload = await self._mutate(_BUY, variables)
            if payload is not None:
                if payload["phoneNumber"] is not None:
                    self.tally.bought.append(number)
                    self._ours.append((payload["phoneNumber"]["sid"], number))
                if not {each["code"] for each in payload["userErrors"]} & _UNKNOWN:
                    del self.tally.unknown[number]
                    return
            # Whatever happened, the key makes asking again safe.
            await asyncio.sleep(0.3)

    async def _release(self) -> None:
        if len(self._ours) > _CLIENTS:
            sid, number = self._ours.popleft()
            payload = await self._mutate(_RELEASE, {"sid": sid, "number": number})
            self.tally.released += payload is not None and payload["releasedId"] is not None

    async def _mutate(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        data = await self._ask(query, variables)
        payload = next(iter(data.values()), None) if data else None
        for each in payload["userErrors"] if payload else ():
            self.tally.errors[f"user error {each['code']}"] += 1
        return payload

    async def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        try:
            async with self._http.post(self._url, json=body, headers=self._headers) as answer:
                response = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self.tally.errors[type(error).__name__] += 1
            return {}
        for each in response.get("errors", ()):
            self.tally.errors[each["extensions"]["code"]] += 1
        data: dict[str, Any] = response.get("data") or {}
        return data


@contextmanager
def sandbox_of_its_own() -> Iterator[str]:
    command = [sys.executable, "-m", "gateway", "sandbox", "--port", "0", "--exit-with-stdin"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=20)


def _memory(pid: int) -> float:
    """Return the resident memory of a process and its children, in MiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0.0
    for each in [pid, *map(int, children)]:
        for line in Path(f"/proc/{each}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) / 1024
    return total


async def _faults(http: aiohttp.ClientSession, sandbox: str, until: float) -> None:
    for turn in itertools.count(1):
        if time.monotonic() > until:
            break
        faults = [
            {**each, "skip": random.randrange(200 if each.get("method") != "POST" else 20)}  # noqa: S311
            for each in _MISHAPS
        ]
        if turn % _OUTAGE_EVERY == 0:
            faults.append(_OUTAGE)
        async with http.put(f"{sandbox}/_sandbox/faults", json={"faults": faults}) as answer:
            answer.raise_for_status()
        await asyncio.sleep(_FAULT_SECONDS)


async def _load(
    sandbox: str, url: str, pid: int, seconds: float, pause: float
) -> tuple[Tally, float, float, list[dict[str, Any]]]:
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        async with http.get(f"{sandbox}/_sandbox/accounts") as answer:
            accounts = (await answer.json())["accounts"]
        parent = next(each for each in accounts if each["role"] == "parent")
        inventory = {"country": "US", "type": "local", "fields": "phone_number"}
        async with http.get(f"{sandbox}/_sandbox/inventory", params=inventory) as answer:
            numbers = [each["phone_number"] for each in await answer.json()]
        random.shuffle(numbers)
        authorization = aiohttp.encode_basic_auth(parent["sid"], parent["auth_token"])
        soak = Soak(http, f"{url}/graphql", authorization)
        await soak.prepare(numbers)
        # What is loaded at first use, and caches that fill up, are no leak: measure after. It is
        # the database of idempotency keys that takes longest, until its page cache is full.
        warm = min(_WARM, seconds / 3)
        showing = asyncio.create_task(_show(soak.tally, seconds))
        await asyncio.gather(*_clients(soak, warm, pause), _faults(http, sandbox, _in(warm)))
        start = _memory(pid)
        rest = seconds - warm
        await asyncio.gather(*_clients(soak, rest, pause), _faults(http, sandbox, _in(rest)))
        showing.cancel()
        async with http.delete(f"{sandbox}/_sandbox/faults") as answer:
            answer.raise_for_status()
        end = _memory(pid)
        await soak.settle()
        async with http.get(f"{sandbox}/_sandbox/ledger") as answer:
            ledger = (await answer.json())["entries"]
    return soak.tally, start, end, ledger


async def _show(tally: Tally, seconds: float) -> None:
    """Show how far it is: a bar on a terminal, a line now and then elsewhere."""
    began, terminal = time.monotonic(), sys.stderr.isatty()
    while True:
        await asyncio.sleep(1 if terminal else 30)
        past = time.monotonic() - began
        filled = min(20, int(20 * past / seconds))
        line = f"{past:.0f} of {seconds:.0f} s, {len(tally.seconds):,} requests"
        bar = f"\r[{'#' * filled:-<20}] {line} " if terminal else f"{line}\n"
        sys.stderr.write(bar)
        sys.stderr.flush()


def _in(seconds: float) -> float:
    return time.monotonic() + seconds


def _clients(soak: Soak, seconds: float, pause: float) -> list[Awaitable[None]]:
    return [soak.client(_in(seconds), pause) for _ in range(_CLIENTS)]


def measure(workers: int, seconds: float, pause: float) -> tuple[dict[str, str], list[str]]:
    """Run the load on so many workers; return what was measured, and what was wrong with it."""
    with tempfile.TemporaryDirectory() as name, sandbox_of_its_own() as sandbox:
        folder = Path(name)
        (folder / "valkey").mkdir()
        variables = {
            "GATEWAY_AUTH": "pass-through",
            "GATEWAY_CATALOG_URL": sandbox,
            "GATEWAY_CORE_URL": sandbox,
            "GATEWAY_METRICS": "true",
            # What is kept for a while is at its full size before memory is first looked at.
            "GATEWAY_EVENT_MEMORY": "20",
        }
        with nullcontext() if workers == 1 else valkey_server(folder / "valkey") as store:
            if store is not None:
                variables["GATEWAY_STORE_URL"] = store.url
            arguments = ("--workers", str(workers))
            with served(*arguments, folder=folder, **variables) as (url, process):
                tally, start, end, ledger = asyncio.run(
                    _load(sandbox, url, process.pid, seconds, pause)
                )
    # A number may be bought, released and bought again; never twice without a release between.
    bought = collections.Counter(
        each["phone_number"] for each in ledger if each["action"] == "bought"
    )
    told = collections.Counter(tally.bought)
    wrong = [f"{number} was bought {count} times" for number, count in bought.items() if count > 1]
    wrong += [f"{number} was told to be bought, and was not" for number in told - bought]
    wrong += [
        f"{number} was bought, and not told"
        for number in bought - told
        if number not in tally.unknown
    ]
    growth = end / start - 1
    if growth > _MOST_GROWTH:
        wrong.append(f"memory grew by {growth:.1%}")
    hundredths = quantiles(tally.seconds, n=100)
    return {
        "requests": f"{len(tally.seconds):,}",
        "per second": f"{len(tally.seconds) / seconds:.0f}",
        "p50 / p99, ms": f"{hundredths[49] * 1e3:.0f} / {hundredths[98] * 1e3:.0f}",
        "errors": ", ".join(f"{kind} {n:,}" for kind, n in tally.errors.most_common()) or "none",
        "memory at start, MiB": f"{start:.1f}",
        "memory at end, MiB": f"{end:.1f} ({growth:+.1%})",
        "purchases told": f"{sum(told.values()):,}",
        "purchases in the ledger": f"{sum(bought.values()):,}",
        "outcome still unknown at the end": f"{len(tally.unknown)}",
        "released": f"{tally.released:,}",
    }, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both, print and keep the table; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of each of the two runs (10)")
    parser.add_argument("--pause", type=float, default=0.05, help="of a client, in seconds (0.05)")
    parser.add_argument("--output", type=Path, default=_HERE / "SOAK.md", help="where to keep it")
    options = parser.parse_args(arguments)
    columns, wrong = [], []
    for workers in (1, 2):
        measured, amiss = measure(workers, options.minutes * 60, options.pause)
        columns.append(measured)
        wrong += [f"{workers} process(es): {each}" for each in amiss]
    rows = [(name, *(each[name] for each in columns)) for name in columns[0]]
    text = table(("", "one process", "two processes and Valkey"), rows)
    text = (
        f"# Soak\n\n`make soak`, {options.minutes:g} minutes each, {_CLIENTS} clients, faults that"
        f" change every {_FAULT_SECONDS:g} s, {os.cpu_count()} cores.\n\n{text}\n"
    )
    sys.stdout.write(text)
    keep_chapter(options.output, text)
    for each in wrong:
        sys.stderr.write(f"WRONG: {each}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
