"""What watching costs: `python -m tests.benchmarks.telemetry [--rounds 24 --seconds 0.25]`.

The processor time that the gateway spends on a request, without and with each kind of telemetry, in
short alternating slices of load on one process that has all of them. Of the processor, because that
hardly depends on what else runs. Writes `tests/benchmarks/results/telemetry.md`.
"""

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks.operations import OPERATIONS, Operation
from tests.benchmarks.report import table
from tests.benchmarks.watched import OFF, WAYS
from tests.benchmarks.ways import Pair, measure

_RESULT: Final = Path(__file__).parent / "results/telemetry.md"


class _Collector(BaseHTTPRequestHandler):
    """Takes spans, as a collector of OpenTelemetry does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def costs(operation: Operation, rounds: int, seconds: float) -> dict[str, list[Pair]]:
    """Return what a request costs with nothing watched and in each way, side by side."""
    with _collector() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector}
        return measure(operation, "watching", rounds, seconds, environment)


def _cell(pairs: Sequence[Pair]) -> str:
    more = median(pair.other.cost / pair.first.cost for pair in pairs) - 1
    return f"{median(pair.other.cost for pair in pairs):.0f} µs ({more:+.1%})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.telemetry")
    parser.add_argument("--rounds", type=int, default=24, help="pairs of slices for each way")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a slice of load")
    parser.add_argument("--operations", default="small,wide,nested", help="which to measure")
    parser.add_argument("--output", type=Path, default=_RESULT, help="where to keep the table")
    options = parser.parse_args(arguments)
    wanted = options.operations.split(",")
    columns = {
        each.name: costs(each, options.rounds, options.seconds)
        for each in OPERATIONS
        if each.name in wanted
    }
    rows = [(way, *(_cell(each[way]) for each in columns.values())) for way in WAYS if way != OFF]
    text = (
        "# What watching costs\n\n`python -m tests.benchmarks.telemetry`: the gateway's processor"
        f" time for a request, median of {options.rounds} slices of {options.seconds:g} s; in"
        " brackets by how much it exceeds that of a slice with nothing watched just before or"
        f" after, the median too; {os.cpu_count()} cores. The last row shows how exact that is."
        " Spans leave every five seconds, beyond most slices: what sending those that are kept"
        " costs is not in here.\n\n"
        f"{table(('', *columns), rows)}\n"
    )
    sys.stdout.write(text)
    options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
