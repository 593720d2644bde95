"""Tails: of an upstream's reads one in a hundred takes 2 s; with hedged reads, and without."""

import sys
from dataclasses import replace
from typing import Final

from tests.benchmarks import servers
from tests.benchmarks.compare import let_learn
from tests.benchmarks.latency import open_loop
from tests.benchmarks.latency.open_loop import Latencies
from tests.benchmarks.latency.page import Bound, Part
from tests.benchmarks.operations import SMALL
from tests.benchmarks.servers import GATEWAY, Peer

_RATE: Final = 200
_USUAL, _SLOW, _SHARE = 0.1, 2.0, 0.01
_AFTER: Final = 0.2
_SAMPLES: Final = 2000
_OFF, _ON = "never", f"after {_AFTER:g} s"


def _peer(after: float) -> Peer:
    return replace(
        GATEWAY,
        environment=lambda url: {**GATEWAY.environment(url), "GATEWAY_HEDGE_AFTER": str(after)},
    )


def measure(*, short: bool) -> Part:
    """Measure both, one after the other, over the same upstream."""
    seconds = 12 if short else 60
    measured: dict[str, tuple[Latencies, float]] = {}
    slow = ("--slow", str(_SLOW), "--slow-share", str(_SHARE))
    bodies = [SMALL.body(each) for each in SMALL.samples(_SAMPLES)]
    with servers.upstream(*slow, delay=_USUAL) as upstream:
        for name, after in ((_OFF, 0.0), (_ON, _AFTER)):
            with _peer(after).serving(upstream.url) as gateway:
                let_learn(gateway, SMALL)
                servers.forget_calls(upstream)
                requests = open_loop.posts(gateway.url, bodies)
                one = open_loop.run(gateway.url, requests, _RATE, seconds)
                gateway.wait_until_idle()
                calls = servers.upstream_calls(upstream) / (_RATE * (seconds + 1))
                measured[name] = one, calls
                sys.stderr.write(
                    f"  hedged {name}: p50 {one.at(0.5):.1f} ms, p99 {one.at(0.99):.1f} ms,"
                    f" {calls:.4f} calls a read, {one.failed} failed\n"
                )
    rows = [
        (
            name,
            *(f"{one.at(share):.0f}" for share in (0.5, 0.98, 0.99, 0.995, 0.999)),
            f"{calls:.3f}",
            str(one.failed),
        )
        for name, (one, calls) in measured.items()
    ]
    one, calls = measured[_ON]
    return Part(
        "hedged",
        "Tails, and reads that are sent twice",
        f"{_RATE} reads a second at fixed times for {seconds} s, each of another number. The upstream"
        f" takes {1000 * _USUAL:.0f} ms, and {_SLOW:g} s for {100 * _SHARE:g} % of what it is asked."
        " Milliseconds from the time at which a request was to leave.",
        ("sent once more", "p50", "p98", "p99", "p99.5", "p99.9", "calls a read", "failed"),
        rows,
        [
            Bound("p99 with hedged reads", one.at(0.99), 350, "ms"),
            Bound("calls of a read, hedged", calls, 1.03),
            Bound("calls of a read, not hedged", measured[_OFF][1], 1.0),
        ],
        {f"sent once more {name}": one.curve for name, (one, _) in measured.items()},
    )
