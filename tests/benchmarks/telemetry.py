"""What watching costs: `python -m tests.benchmarks.telemetry [--rounds 5 --seconds 3]`.

The processor time that the gateway spends on a request, without and with each kind of telemetry, in
alternating rounds; of the processor, because that hardly depends on what else runs. The table is
printed, and kept in TELEMETRY.md.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks import load, servers
from tests.benchmarks.operations import OPERATIONS, Operation
from tests.benchmarks.report import table
from tests.benchmarks.servers import GATEWAY

_HERE: Final = Path(__file__).parent
_TICK_MICROSECONDS: Final = 10_000
_WAYS: Final[dict[str, dict[str, str]]] = {
    "off": {"GATEWAY_LOG_REQUESTS": "none"},
    "default (failed requests are logged)": {},
    "every request logged": {"GATEWAY_LOG_REQUESTS": "all"},
    "metrics": {"GATEWAY_METRICS": "true"},
    "metrics and every request logged": {
        "GATEWAY_METRICS": "true",
        "GATEWAY_LOG_REQUESTS": "all",
    },
    "traces, 1 of 20 (default)": {"GATEWAY_TRACES": "true"},
    "metrics, and traces of 1 of 20": {"GATEWAY_METRICS": "true", "GATEWAY_TRACES": "true"},
    "traces, all": {"GATEWAY_TRACES": "true", "GATEWAY_TRACES_RATIO": "1"},
}


def cost(operation: Operation, rounds: int, seconds: float) -> dict[str, tuple[float, float]]:
    """Return the processor time per request for each way of watching, in microseconds, and beside
    that without: the median over rounds of the ratios within each, since machines drift.
    """
    times: defaultdict[str, list[float]] = defaultdict(list)
    with servers.upstream() as upstream, tempfile.TemporaryDirectory() as folder:
        requests = load.write_requests(Path(folder), operation, plain=False)
        own, other = servers.cores()
        for _ in range(rounds):
            for way, variables in _WAYS.items():
                peer = dataclasses.replace(
                    GATEWAY,
                    # Nobody collects these spans; making and dropping them is what is measured.
                    environment=lambda _, more=variables: {  # type: ignore[misc] # bound now
                        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
                        "GATEWAY_REQUESTS_PER_MINUTE": "0",
                        **more,
                    },
                )
                with peer.serving(upstream.url, own) as gateway:
                    url = f"{gateway.url}/graphql"
                    load.run(url, requests, 1, cpu=other)
                    before = gateway.ticks()
                    measured = load.run(url, requests, seconds, cpu=other)
                    ticks = gateway.ticks() - before
                    times[way].append(ticks * _TICK_MICROSECONDS / measured.requests)
    return {
        way: (median(each), median(map(truediv, each, times["off"]))) for way, each in times.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.telemetry")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--output", type=Path, default=_HERE / "TELEMETRY.md", help="its file")
    options = parser.parse_args(arguments)
    columns = {
        each.name: cost(each, options.rounds, options.seconds)
        for each in OPERATIONS
        if each.name in {"small", "wide"}
    }
    rows = [
        (
            way,
            *(
                f"{column[way][0]:.0f} µs ({column[way][1] - 1:+.1%})"
                for column in columns.values()
            ),
        )
        for way in _WAYS
    ]
    text = (
        "# What watching costs\n\n`python -m tests.benchmarks.telemetry`: processor time of the"
        f" gateway for a request, the median of {options.rounds} rounds of {options.seconds:g} s,"
        f" {os.cpu_count()} cores; in brackets, the median of the ratios to `off` in the same round."
        " Most of what a span costs is OpenTelemetry's own library writing it down for the"
        " collector; `traces_ratio` says how many there are.\n\n"
        f"{table(('', *columns), rows)}\n"
    )
    sys.stdout.write(text)
    options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
