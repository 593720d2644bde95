"""The comparison: `python -m tests.benchmarks [--short | --quick | --store]`. See README.md here."""

import argparse
import contextlib
import datetime as dt
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from tests.benchmarks import load, report, servers, sharing
from tests.benchmarks.compare import MismatchError, check_equal, let_learn
from tests.benchmarks.load import LoadError, Measured
from tests.benchmarks.operations import OPERATIONS, SMALL
from tests.benchmarks.rows import ROWS, Row
from tests.benchmarks.servers import Peer, Server, ServerError

_RESULTS: Final = Path(__file__).with_name("results")


def say(text: str) -> None:
    """Tell the person who waits how far the run is."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class _Load(NamedTuple):
    """What is asked of one server in every round of a row, and for how long."""

    row: Row
    peer: Peer
    server: Server
    url: str
    requests: Path
    seconds: float


class Comparison:
    """One run over the chosen rows and peers.

    Rounds alternate between the servers and go through all rows, so that a machine that gets faster
    or slower over time does so for all of them.
    """

    def __init__(self, rows: Sequence[Row], rounds: int, seconds: float) -> None:
        self._rows = rows
        self._rounds = rounds
        self._seconds = seconds
        self._began = time.monotonic()
        self.results = report.Results()

    def run(self, peers: Sequence[Peer]) -> None:
        """Start upstream and peers, check that they agree, then measure.

        Raises:
            MismatchError, LoadError, ServerError: see there.
        """
        with contextlib.ExitStack() as stack:
            upstream = stack.enter_context(servers.upstream())
            running: dict[Peer, Server] = {}
            for peer in peers:
                if reason := peer.prepare():
                    self.results.skipped[peer.label] = reason
                    self._say(f"skipped: {peer.label}: {reason}")
                    continue
                running[peer] = stack.enter_context(peer.serving(upstream.url))
                if peer.graphql:
                    let_learn(running[peer], SMALL)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            loads = []
            for row in self._rows:
                asked = [(peer, running[peer]) for peer in row.peers if peer in running]
                calls = check_equal(row.operation, asked, upstream)
                self.results.calls |= {(row.name, name): n for name, n in calls.items()}
                self._say(f"{row.name}: all answers equal")
                loads += [
                    self._warm_up(row, peer, server, folder)
                    for peer, server in asked
                    if (row.name, peer.name) in self.results.calls
                ]
            self._say(f"{len(loads)} loads in each of {self._rounds} rounds")
            asked_upstream = dict.fromkeys(((one.row.name, one.peer.name) for one in loads), 0)
            for number in range(self._rounds):
                for one in loads:
                    calls_made = self._measure(one, number, upstream)
                    asked_upstream[one.row.name, one.peer.name] += calls_made
            for one in loads:
                cell = one.row.name, one.peer.name
                begun = sum(each.requests + one.row.connections for each in self._of(cell))
                made = self.results.loaded_calls[cell] = asked_upstream[cell] / begun
                # Answers of a gateway that refuses are as long as those of one that asks.
                if made < one.row.operation.calls / 2:
                    message = f"{cell}: {made:.2f} upstream calls for a request under load"
                    raise LoadError(message)
            self.results.memory = {
                peer.label: server.peak_memory() for peer, server in running.items()
            }

    def _of(self, cell: report.Cell) -> list[Measured]:
        return self.results.rounds.setdefault(cell, [])

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        say(f"{minutes:02d}:{seconds:02d} {text}")

    def _measure(self, one: _Load, number: int, upstream: Server) -> int:
        """Keep what one load showed; return how many calls it cost the upstream."""
        servers.forget_calls(upstream)
        before = one.server.processor_seconds()
        measured = load.run(
            one.url,
            one.requests,
            one.seconds,
            cpu=servers.cores()[1],
            place=number * 509,
            connections=one.row.connections,
        )
        one.server.wait_until_idle()
        used = one.server.processor_seconds() - before
        begun = measured.requests + one.row.connections
        measured = replace(measured, processor=used / begun * 1e6)
        self._keep(one.row, one.peer, measured)
        self._say(
            f"round {number + 1}/{self._rounds}, {one.row.name}, {one.peer.label}:"
            f" {measured.rate:,.0f}/s, {measured.processor:,.0f} µs,"
            f" p50 {measured.p50:.1f} ms, p99 {measured.p99:.1f} ms"
        )
        return servers.upstream_calls(upstream)

    def _warm_up(self, row: Row, peer: Peer, server: Server, folder: Path) -> _Load:
        file = load.write_requests(folder, row.operation, plain=not peer.graphql)
        url = server.url + ("/graphql" if peer.graphql else "")
        cpu = servers.cores()[1]
        warm = load.run(url, file, min(2, self._seconds), cpu=cpu, connections=row.connections)
        server.wait_until_idle()
        few = warm.requests < 2 * row.connections
        seconds = max(3 * self._seconds, 5) if few else self._seconds
        return _Load(row, peer, server, url, file, seconds)

    def _keep(self, row: Row, peer: Peer, measured: Measured) -> None:
        if not measured.requests:
            message = f"{row.name}: {peer.label} finished no request in its time"
            raise LoadError(message)
        rounds = self._of((row.name, peer.name))
        # An error is an answer of another size: the check before the load only saw a few.
        if rounds and not 0.5 < measured.size / rounds[0].size < 2:
            message = f"{row.name}: {peer.label} began to answer something else under load"
            raise LoadError(message)
        rounds.append(measured)


def _system() -> str:
    """Return the name of the system: whose Python it is decides how it was compiled."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _facts(rounds: int, seconds: float) -> dict[str, str]:
    node = shutil.which("node")
    version = subprocess.check_output([node, "--version"], text=True).strip() if node else "none"
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "when": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": f"{cpu}; server on core {servers.cores()[0]}, two processes on"
        f" {servers.cores_of(2)}, the rest on {servers.cores()[1]}",
        "load average before": f"{os.getloadavg()[0]:.1f} (a quiet machine has 0)",
        "Python": f"{platform.python_version()} on {_system()}",
        "Node": version,
        "load": f"wrk, {load.CONNECTIONS} connections, 256 in small-256, one where documents were"
        " never seen",
        "rounds": f"{rounds} of {seconds:g} s for each server in turn",
    }


def main() -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="rounds of 1 s each; about 8 minutes")
    parser.add_argument("--quick", action="store_true", help="one round of 1 s each; 2 minutes")
    parser.add_argument("--store", action="store_true", help="what the shared store costs, alone")
    parser.add_argument(
        "--rounds", type=int, help="alternating rounds (default 5; 24 of the store)"
    )
    parser.add_argument(
        "--seconds", type=float, help="length of one measurement (default 3; 0.25 of the store)"
    )
    parser.add_argument("--peers", default="", help="parts of names, by comma (default all)")
    parser.add_argument("--operations", default="", help="rows, by comma (default all)")
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder of the report")
    chosen = parser.parse_args()
    names = chosen.operations.split(",")
    if chosen.store:
        operations = [one for one in OPERATIONS if one.name in names] or OPERATIONS[:1]
        sharing.report(operations, chosen.rounds or 24, chosen.seconds or 0.25, chosen.output)
        return 0
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    seconds = chosen.seconds or (1 if chosen.quick or chosen.short else 3)
    wanted = [part.lower() for part in chosen.peers.split(",")]
    rows = [row for row in ROWS if not chosen.operations or row.name in names]
    peers = [
        peer
        for peer in dict.fromkeys(peer for row in rows for peer in row.peers)
        if any(part in peer.name.lower() for part in wanted)
    ]
    if servers.cores()[0] == servers.cores()[1]:
        say("only one core: server, upstream and generator share it, and ratios mean little")
    facts = _facts(rounds, seconds)
    comparison = Comparison(rows, rounds, seconds)
    try:
        load.generator()
        comparison.run(peers)
    except (LoadError, MismatchError, ServerError) as problem:
        say(f"stopped: {problem}")
        return 1
    name = "quick" if chosen.quick else "comparison"
    chosen.output.mkdir(parents=True, exist_ok=True)
    text = report.markdown(comparison.results, facts, f"{name}.svg")
    (chosen.output / f"{name}.md").write_text(text)
    report.draw(comparison.results, chosen.output / f"{name}.svg")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
