"""What the gateway adds to its upstream's own time: open-loop load beside a plain proxy and Mercurius."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import orjson

from tests.benchmarks import servers
from tests.benchmarks.compare import fetch, let_learn
from tests.benchmarks.latency import open_loop
from tests.benchmarks.latency.open_loop import Latencies
from tests.benchmarks.latency.page import Bound, Part
from tests.benchmarks.operations import NESTED, SMALL, Operation
from tests.benchmarks.servers import GATEWAY, MERCURIUS_26, PLAIN, Peer, Server

_RATE: Final = 200
_WAITS: Final = (50, 100, 300)
# Asked for once each in the seconds that do not count: what the upstream renders anew takes it time.
_SAMPLES: Final = 300
_WARM: Final = 1.5
# All take turns: the machine is not as fast in one minute as in another.
_SECONDS, _ROUNDS = 1, 4
_OWN: Final = "the upstream itself"
# All ask as one account, of which there are some hundred calls at once in the second wave.
_MANY: Final = {
    "GATEWAY_CONCURRENCY": "1000",
    "GATEWAY_CONCURRENCY_MOST": "1000",
    "GATEWAY_CONCURRENCY_LIMIT": "2000",
    "GATEWAY_EXPLAIN": "true",
    "BENCH_CONNECTIONS": "1000",
}

_Measured = dict[tuple[int, str, str], Latencies]
"""By the upstream's milliseconds, the operation, and who was asked."""


def _roomy(peer: Peer) -> Peer:
    return replace(peer, environment=lambda url: {**peer.environment(url), **_MANY})


_PEERS: Final = tuple(map(_roomy, (GATEWAY, PLAIN, MERCURIUS_26)))


def measure(*, short: bool) -> Part:
    """Measure all servers over upstreams of each kind, in turn."""
    rounds = _ROUNDS if short else 10 * _ROUNDS
    measured: dict[tuple[int, str, str], list[Latencies]] = {}
    waves = {}
    for wait in _WAITS:
        with _running(wait) as (upstream, running):
            waves[wait] = _waves(running[GATEWAY.name])
            asked = [(SMALL, _OWN, upstream), *((SMALL, *each) for each in running.items())]
            asked += [
                (NESTED, name, server) for name, server in running.items() if name != PLAIN.name
            ]
            for _ in range(rounds):
                for operation, name, server in asked:
                    requests = _requests(operation, name, server)
                    with _on_its_core():
                        one = open_loop.run(server.url, requests, _RATE, _SECONDS, _WARM)
                    measured.setdefault((wait, operation.name, name), []).append(one)
            for operation, name, _ in asked:
                together = _together(measured[wait, operation.name, name])
                _say(f"{wait} ms, {operation.name}, {name}", together)
    whole = {key: _together(all_) for key, all_ in measured.items()}
    return _part(whole, waves, _SECONDS * rounds)


@contextlib.contextmanager
def _on_its_core() -> Iterator[None]:
    """Keep the generator off the core of the server, whose caches it would empty."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {servers.cores()[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _running(wait: int) -> Iterator[tuple[Server, dict[str, Server]]]:
    """Run an upstream and all servers before it."""
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(servers.upstream(delay=wait / 1000))
        running = {}
        for peer in _PEERS:
            if reason := peer.prepare():
                sys.stderr.write(f"  skipped: {peer.name}: {reason}\n")
                continue
            server = running[peer.name] = stack.enter_context(peer.serving(upstream.url))
            if peer.graphql:
                let_learn(server, SMALL)
        yield upstream, running


def _requests(operation: Operation, name: str, server: Server) -> list[bytes]:
    samples = operation.samples(_SAMPLES)
    if name in {_OWN, PLAIN.name}:
        assert operation.plain_path is not None
        return open_loop.gets(server.url, [operation.plain_path(each) for each in samples])
    return open_loop.posts(server.url, [operation.body(each) for each in samples])


def _together(rounds: list[Latencies]) -> Latencies:
    return Latencies(
        sorted(each for one in rounds for each in one.all),
        sum(one.failed for one in rounds),
        max(one.late for one in rounds),
    )


def _say(what: str, one: Latencies) -> None:
    sys.stderr.write(
        f"  {what}: p50 {one.at(0.5):.2f} ms, p99 {one.at(0.99):.2f} ms, {one.failed} failed,"
        f" sent up to {one.late:.2f} ms late\n"
    )


def _waves(gateway: Server) -> int:
    """Return in how many waves a nested query asks: calls that begin after others have ended."""
    variables = NESTED.samples(1, seed=2)[0]
    body = {"query": NESTED.query, "variables": variables, "extensions": {"explain": "trace"}}
    answer = orjson.loads(fetch(f"{gateway.url}/graphql", orjson.dumps(body)))
    calls: list[dict[str, Any]] = answer["extensions"]["upstream"]["calls"]
    waves, ends = 0, 0.0
    for call in sorted(calls, key=lambda each: float(each["startMs"])):
        if call["outcome"] != "sent":
            continue
        if not waves or call["startMs"] >= ends:
            waves += 1
            ends = call["startMs"] + call["durationMs"]
    return waves


def _part(measured: _Measured, waves: dict[int, int], seconds: float) -> Part:
    rows, bounds = [], []
    for (wait, operation, name), one in measured.items():
        own = measured[wait, SMALL.name, _OWN]
        times = 1 if operation == SMALL.name else waves[wait]
        more = one.at(0.5) - times * own.at(0.5), one.at(0.99) - times * own.at(0.99)
        rows.append(
            (
                f"{wait} ms, {operation}",
                name,
                f"{one.at(0.5):.2f}",
                f"{one.at(0.99):.2f}",
                *("" if name == _OWN else f"{each:+.2f}" for each in more),
                str(one.failed),
            )
        )
        if name != GATEWAY.name:
            continue
        if operation == SMALL.name:
            bounds += [
                Bound(f"p50 above {wait} ms", more[0], 0.5, "ms"),
                Bound(f"p99 above {wait} ms", more[1], 3, "ms"),
            ]
        else:
            bounds += [
                Bound(f"nested, above 2 x {wait} ms", one.at(0.5) - 2 * own.at(0.5), 3, "ms"),
                Bound(f"nested, waves at {wait} ms", waves[wait], 2),
            ]
    return Part(
        "added",
        "What is added to the upstream's own time",
        f"{_RATE} requests a second at fixed times, {seconds:g} s for each, of which all take turns every"
        f" {_SECONDS} s; a latency is from the time at"
        " which a request was to leave to the last byte of its answer, in milliseconds. The upstream"
        " answers after 50, 100 or 300 ms; its own time is measured by the same client in the same"
        " run. *more* is what is above that, for nested above twice that: it asks for a page, and then"
        " for what is for sale near each number. Server on one core, generator and upstream on the other.",
        ("upstream, operation", "asked", "p50", "p99", "p50 more", "p99 more", "failed"),
        rows,
        bounds,
        {
            name: one.curve
            for (wait, what, name), one in measured.items()
            if wait == 100 and what == SMALL.name
        },
    )
