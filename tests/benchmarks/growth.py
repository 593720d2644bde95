"""How the gateway grows and lasts: `python -m tests.benchmarks.growth [--minutes 5]`.

Three measurements, each on a gateway of its own: the time per number from 50 to 10,000 numbers, a
thousand slow upstream calls at once, and memory under load for some minutes.
"""

import argparse
import asyncio
import base64
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

import aiohttp
import orjson

from tests.benchmarks import data, load, servers
from tests.benchmarks.load import AUTHORIZATION, LoadError
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.report import table
from tests.benchmarks.servers import GATEWAY, Server

_RESULTS: Final = Path(__file__).with_name("results")
_SIZES: Final = (50, 100, 250, 500, 1000)
_ALL: Final = 10_000
_SLOW_CALLS: Final = 1000
_ACCOUNTS: Final = 25
_PAGE: Final = """\
query Page($first: Int!, $after: String) {
  phoneNumbers(first: $first, after: $after) {
    nodes { sid phoneNumber friendlyName type lifecycle }
    pageInfo { hasNextPage endCursor }
  }
}
"""


def sizes(repeats: int = 7) -> str:
    """Measure answers of growing length, and all numbers over pages; return Markdown."""
    rows = []
    with (
        servers.upstream(owned=_ALL) as upstream,
        GATEWAY.serving(upstream.url) as gateway,
    ):
        per_item = {}
        for size in _SIZES:
            asyncio.run(_pages(gateway, size, size))
            times = [asyncio.run(_pages(gateway, size, size)) for _ in range(repeats)]
            per_item[size] = median(times) / size * 1e6
            rows.append((f"{size:,}", f"{median(times) * 1e3:.1f}", f"{per_item[size]:.1f}"))
        before = gateway.peak_memory()
        # The first time over, the upstream renders its pages.
        seconds = min(asyncio.run(_pages(gateway, _ALL, max(_SIZES))) for _ in range(3))
        per_item[_ALL] = seconds / _ALL * 1e6
        rows.append((f"{_ALL:,} in pages", f"{seconds * 1e3:.1f}", f"{per_item[_ALL]:.1f}"))
        after = gateway.peak_memory()
    growth = per_item[_ALL] / per_item[_SIZES[0]]
    text = (
        f"Time per number at {_ALL:,} is {growth:.2f} times that at {_SIZES[0]}:"
        f" {_verdict(growth, 1.5)}. Peak memory is {before:.0f} MiB before the pages of"
        f" {max(_SIZES):,} and {after:.0f} MiB after them."
    )
    return _section("Growth", table(("numbers", "ms", "µs per number"), rows), text)


async def _pages(gateway: Server, total: int, page: int) -> float:
    """Follow cursors until `total` numbers came; return the seconds that took.

    Raises:
        LoadError: an error came, or a number twice or too few of them.
    """
    headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
    seen: set[str] = set()
    after = None
    async with aiohttp.ClientSession(headers=headers) as session:
        spent = 0.0
        while len(seen) < total:
            body = {"query": _PAGE, "variables": {"first": page, "after": after}}
            started = time.perf_counter()
            async with session.post(gateway.url + "/graphql", data=orjson.dumps(body)) as response:
                raw = await response.read()
            spent += time.perf_counter() - started
            answer = orjson.loads(raw)
            if "errors" in answer:
                raise LoadError(f"a page of {page}: {str(answer)[:500]}")
            connection = answer["data"]["phoneNumbers"]
            fresh = {node["sid"] for node in connection["nodes"]} - seen
            if len(fresh) != page:
                raise LoadError(f"{len(fresh)} new numbers on a page of {page}")
            seen |= fresh
            after = connection["pageInfo"]["endCursor"]
    return spent


def slow_calls() -> str:
    """Ask for a thousand numbers at once from an upstream that takes a second; return Markdown."""
    with (
        servers.upstream(delay=1) as upstream,
        GATEWAY.serving(upstream.url) as gateway,
    ):
        seconds = asyncio.run(_ask_all(gateway, _SLOW_CALLS))
        memory = gateway.peak_memory()
    text = (
        f"{_SLOW_CALLS:,} operations at once from {_ACCOUNTS} accounts, upstream calls of 1 s: all"
        f" answered after {seconds:.2f} s: {_verdict(seconds, 3)}."
        f" Peak memory is {memory:.0f} MiB: {_verdict(memory, 300)}."
    )
    return _section("Slow upstream", text)


async def _ask_all(gateway: Server, count: int) -> float:
    """Ask for `count` different numbers at once, spread over accounts; return the seconds.

    Accounts differ because the upstream limits the calls of each one, and the gateway with it.
    """
    small = next(operation for operation in OPERATIONS if operation.name == "small")

    async def ask(session: aiohttp.ClientSession, place: int) -> Any:
        account = f"AC{place % _ACCOUNTS:032x}"
        basic = base64.b64encode(f"{account}:{data.TOKEN}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        body = small.body({"sid": data.number_sid(place)})
        async with session.post(gateway.url + "/graphql", data=body, headers=headers) as response:
            return orjson.loads(await response.read())

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        started = time.perf_counter()
        answers = await asyncio.gather(*(ask(session, place) for place in range(count)))
        seconds = time.perf_counter() - started
    failed = [answer for answer in answers if "errors" in answer]
    if failed:
        raise LoadError(f"{len(failed)} of {count} slow operations failed: {str(failed[0])[:500]}")
    return seconds


def endurance(minutes: float) -> str:
    """Keep all operations going in turn for `minutes`, watching memory; return Markdown."""
    samples: list[tuple[float, float]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.upstream() as upstream,
        GATEWAY.serving(upstream.url) as gateway,
    ):
        files = [load.write_requests(Path(folder), one, plain=False) for one in OPERATIONS]
        started = time.monotonic()
        served = 0
        while (elapsed := time.monotonic() - started) < minutes * 60:
            served += sum(_some_load(gateway, file, len(samples)) for file in files)
            samples.append((elapsed, gateway.memory()))
            sys.stderr.write(f"{elapsed:5.0f} s, {served:,} operations, {samples[-1][1]:.1f} MiB\n")
        peak = gateway.peak_memory()
    grown = growth_after_warmup([memory for _, memory in samples])
    shown = samples[:: max(1, len(samples) // 10)]
    rows = [(f"{at:.0f}", f"{memory:.1f}") for at, memory in shown]
    text = (
        f"{served:,} operations in {minutes:g} minutes. From the second third to the last, memory"
        f" grew by {grown:.1f} MiB: {_verdict(grown, 3)}."
        f" Peak memory is {peak:.0f} MiB: {_verdict(peak, 100)}."
    )
    return _section("Endurance", table(("second", "MiB"), rows), text)


def _some_load(gateway: Server, requests: Path, turn: int) -> int:
    url = gateway.url + "/graphql"
    measured = load.run(url, requests, 3, cpu=servers.cores()[1], place=turn * 509)
    return measured.requests


def growth_after_warmup(samples: Sequence[float]) -> float:
    """Return the mean of the last third less that of the second; the first third is warm-up."""
    third = len(samples) // 3
    if not third:
        return 0.0
    return mean(samples[-third:]) - mean(samples[-2 * third : -third])


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *parts])


def _verdict(value: float, bound: float) -> str:
    return f"{'met' if value <= bound else 'not met'} (bound {bound:g})"


def main() -> int:
    """Run the chosen measurements; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="of endurance (default 5)")
    parser.add_argument("--only", default="sizes,slow,endurance", help="which, by comma")
    parser.add_argument("--output", type=Path, default=_RESULTS / "growth.md")
    chosen = parser.parse_args()
    parts: dict[str, Callable[[], str]] = {
        "sizes": sizes,
        "slow": slow_calls,
        "endurance": lambda: endurance(chosen.minutes),
    }
    text = ["# Growth and endurance"]
    status = 0
    for name in chosen.only.split(","):
        try:
            text.append(parts[name]())
        except LoadError as problem:
            text.append(f"## {name}\n\nFailed: {problem}")
            status = 1
        sys.stderr.write(f"{text[-1]}\n\n")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text("\n\n".join(text) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
