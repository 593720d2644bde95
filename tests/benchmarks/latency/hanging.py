"""One account's upstream hangs: what the callers of another one notice."""

import sys
import time
from statistics import median
from typing import Final

from tests.benchmarks import data, servers
from tests.benchmarks.compare import fetch, let_learn
from tests.benchmarks.latency import open_loop
from tests.benchmarks.latency.open_loop import Latencies
from tests.benchmarks.latency.page import Bound, Part
from tests.benchmarks.operations import SMALL
from tests.benchmarks.servers import GATEWAY
from tests.benchmarks.upstream import HANGING_PATH

_RATE, _RATE_OF_HANGING = 100, 100
_WAIT: Final = 0.1
_SAMPLES: Final = 2000
_BASIC: Final = data.basic(data.OTHER_ACCOUNT)
_QUIET, _HANGS = "answers", "hangs"


def measure(*, short: bool) -> Part:
    """Measure one account beside the other, which is well and not, in turn, in one gateway."""
    seconds, rounds = (6, 2) if short else (10, 6)
    measured: dict[str, list[Latencies]] = {_QUIET: [], _HANGS: []}
    bodies = [SMALL.body(each) for each in SMALL.samples(_SAMPLES)]
    with (
        servers.upstream(delay=_WAIT) as upstream,
        GATEWAY.serving(upstream.url) as gateway,
    ):
        let_learn(gateway, SMALL)
        other = open_loop.posts(gateway.url, bodies, _BASIC)
        requests = open_loop.posts(gateway.url, bodies)
        for number in range(rounds):
            for name, switch in ((_QUIET, "off"), (_HANGS, "on")):
                with open_loop.beside(gateway.url, other, _RATE_OF_HANGING):
                    time.sleep(1)  # What the other account asks first shows whose it is.
                    fetch(f"{upstream.url}{HANGING_PATH}?{switch}", None)
                    # Past the first timeouts, and the breaker that they open.
                    one = open_loop.run(gateway.url, requests, _RATE, seconds, warm=6)
                gateway.wait_until_idle()
                measured[name].append(one)
                sys.stderr.write(
                    f"  round {number + 1} of {rounds}, the other account's upstream {name}: p50"
                    f" {one.at(0.5):.1f} ms, p99 {one.at(0.99):.1f} ms, {one.failed} failed\n"
                )

    def middle(name: str, share: float) -> float:
        return median(each.at(share) for each in measured[name])

    failed = {name: sum(each.failed for each in all_) for name, all_ in measured.items()}
    rows = [
        (
            name,
            *(f"{middle(name, share):.1f}" for share in (0.5, 0.9, 0.99)),
            str(failed[name]),
        )
        for name in measured
    ]
    return Part(
        "hanging",
        "An account whose upstream hangs",
        f"{_RATE} reads a second of one account, whose upstream answers within {1000 * _WAIT:.0f} ms; and"
        f" {_RATE_OF_HANGING} a second of another one, in the same gateway, whose upstream answers as"
        f" well, or takes requests and never answers. Milliseconds of the first, medians of {rounds} rounds in one"
        " gateway.",
        ("the other account's upstream", "p50", "p90", "p99", "failed"),
        rows,
        [
            Bound(
                "p99 beside one that hangs",
                median(
                    hangs.at(0.99) / quiet.at(0.99)
                    for hangs, quiet in zip(measured[_HANGS], measured[_QUIET], strict=True)
                ),
                1.1,
            ),
            Bound("failed beside one that hangs", failed[_HANGS], 0.5),
        ],
    )
