"""What watching costs: `python -m tests.benchmarks.telemetry [--rounds 12 --seconds 1]`.

The processor time that the gateway spends on a request, without and with each kind of telemetry, in
alternating rounds; of the processor, because that hardly depends on what else runs. The table is
printed; it is worth keeping only from a machine whose speed does not drift.
"""

import argparse
import contextlib
import dataclasses
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks import load, servers
from tests.benchmarks.operations import OPERATIONS, Operation
from tests.benchmarks.report import table
from tests.benchmarks.servers import GATEWAY, Peer

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


def cost(operation: Operation, rounds: int, seconds: float) -> dict[str, float]:
    """Return the processor time per request for each way of watching, in microseconds.

    All gateways stand by while one is under load, so that rounds are short; of each the least
    of all rounds counts, because what else the machine does can only add to it.
    """
    times: defaultdict[str, list[float]] = defaultdict(list)
    own, other = servers.cores()
    with contextlib.ExitStack() as running:
        upstream = running.enter_context(servers.upstream())
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        requests = load.write_requests(folder, operation, plain=False)
        gateways = {
            way: running.enter_context(_peer(variables).serving(upstream.url, own))
            for way, variables in _WAYS.items()
        }
        for gateway in gateways.values():
            load.run(f"{gateway.url}/graphql", requests, 1, cpu=other)
        for _ in range(rounds):
            for way, gateway in gateways.items():
                before = gateway.ticks()
                measured = load.run(f"{gateway.url}/graphql", requests, seconds, cpu=other)
                ticks = gateway.ticks() - before
                times[way].append(ticks * _TICK_MICROSECONDS / measured.requests)
    return {way: min(each) for way, each in times.items()}


def _peer(variables: dict[str, str]) -> Peer:
    """Return the gateway with these settings."""
    environment = {
        # Nobody collects these spans; making and dropping them is what is measured.
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "GATEWAY_REQUESTS_PER_MINUTE": "0",
        **variables,
    }
    return dataclasses.replace(GATEWAY, environment=lambda _: environment)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.telemetry")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--output", type=Path, help="where to keep the table")
    options = parser.parse_args(arguments)
    columns = {each.name: cost(each, options.rounds, options.seconds) for each in OPERATIONS}
    rows = [
        (
            way,
            *(
                f"{column[way]:.0f} µs ({column[way] / column['off'] - 1:+.1%})"
                for column in columns.values()
            ),
        )
        for way in _WAYS
    ]
    text = (
        "# What watching costs\n\n`python -m tests.benchmarks.telemetry`: processor time of the"
        f" gateway for a request, the least of {options.rounds} alternating rounds of"
        f" {options.seconds:g} s, {os.cpu_count()} cores."
        " Most of what a span costs is OpenTelemetry's own library writing it down for the"
        " collector; `traces_ratio` says how many there are.\n\n"
        f"{table(('', *columns), rows)}\n"
    )
    sys.stdout.write(text)
    if options.output is not None:
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
