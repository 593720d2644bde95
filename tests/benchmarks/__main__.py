"""The comparison: `python -m tests.benchmarks [--quick | --store]`. See README.md here."""

import argparse
import contextlib
import datetime as dt
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from tests.benchmarks import load, report, servers, sharing
from tests.benchmarks.compare import MismatchError, check_equal
from tests.benchmarks.load import LoadError, Measured
from tests.benchmarks.operations import OPERATIONS, Operation
from tests.benchmarks.servers import PEERS, Peer, Server, ServerError

_RESULTS: Final = Path(__file__).with_name("results")
_SLOW: Final = 2 * load.CONNECTIONS
"""A server that answers fewer requests than this while it warms up is measured longer."""


def say(text: str) -> None:
    """Tell the person who waits how far the run is."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class _Load(NamedTuple):
    """What is asked of one server in every round, and for how long."""

    peer: Peer
    server: Server
    url: str
    requests: Path
    seconds: float


class Comparison:
    """One run over the chosen peers and operations.

    Rounds alternate between the servers, so that a machine that gets faster or slower over time
    does so for all of them.
    """

    def __init__(self, operations: list[Operation], rounds: int, seconds: float) -> None:
        self._operations = operations
        self._rounds = rounds
        self._seconds = seconds
        self.results = report.Results()

    def run(self, peers: list[Peer]) -> None:
        """Start upstream and peers, check that they agree, then measure.

        Raises:
            MismatchError, LoadError, ServerError: see there.
        """
        with contextlib.ExitStack() as stack:
            upstream = stack.enter_context(servers.upstream())
            running = []
            for peer in peers:
                if reason := peer.prepare():
                    self.results.skipped[peer.name] = reason
                    say(f"skipped: {peer.name}: {reason}")
                    continue
                server = stack.enter_context(peer.serving(upstream.url, servers.cores()[0]))
                running.append((peer, server))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for operation in self._operations:
                calls = check_equal(operation, running, upstream)
                self.results.calls |= {(operation.name, name): n for name, n in calls.items()}
                say(f"{operation.name}: all answers equal")
            for operation in self._operations:
                self._measure(operation, running, upstream, folder)
            self.results.memory = {peer.name: server.peak_memory() for peer, server in running}

    def _measure(
        self,
        operation: Operation,
        running: list[tuple[Peer, Server]],
        upstream: Server,
        folder: Path,
    ) -> None:
        loads = [
            self._warm_up(operation, peer, server, folder)
            for peer, server in running
            if (operation.name, peer.name) in self.results.calls
        ]
        asked = dict.fromkeys((one.peer.name for one in loads), 0)
        cpu = servers.cores()[1]
        for round_number in range(self._rounds):
            for one in loads:
                name = one.peer.name
                servers.forget_calls(upstream)
                place = round_number * 509
                measured = load.run(one.url, one.requests, one.seconds, cpu=cpu, place=place)
                one.server.wait_until_idle()
                asked[name] += servers.upstream_calls(upstream)
                self._keep(operation, one.peer, measured)
                say(
                    f"{operation.name}, round {round_number + 1}/{self._rounds}, {name}: "
                    f"{measured.rate:,.0f}/s, p50 {measured.p50:.1f} ms, p99 {measured.p99:.1f} ms"
                )
        for name, calls in asked.items():
            cell = operation.name, name
            begun = sum(one.requests + load.CONNECTIONS for one in self.results.rounds[cell])
            self.results.loaded_calls[cell] = calls / begun

    def _warm_up(self, operation: Operation, peer: Peer, server: Server, folder: Path) -> _Load:
        file = load.write_requests(folder, operation, plain=not peer.graphql)
        url = server.url + ("/graphql" if peer.graphql else "")
        warm = load.run(url, file, min(2, self._seconds), cpu=servers.cores()[1])
        server.wait_until_idle()
        seconds = max(3 * self._seconds, 5) if warm.requests < _SLOW else self._seconds
        return _Load(peer, server, url, file, seconds)

    def _keep(self, operation: Operation, peer: Peer, measured: Measured) -> None:
        if not measured.requests:
            message = f"{operation.name}: {peer.name} finished no request in its time"
            raise LoadError(message)
        rounds = self.results.rounds.setdefault((operation.name, peer.name), [])
        # An error is an answer of another size: the check before the load only saw a few.
        if rounds and not 0.5 < measured.size / rounds[0].size < 2:
            message = f"{operation.name}: {peer.name} began to answer something else under load"
            raise LoadError(message)
        rounds.append(measured)


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
        "machine": f"{cpu}; server on core {servers.cores()[0]}, the rest on {servers.cores()[1]}",
        "load average before": f"{os.getloadavg()[0]:.1f} (a quiet machine has 0)",
        "Python": platform.python_version(),
        "Node": version,
        "load": f"wrk, {load.CONNECTIONS} connections",
        "rounds": f"{rounds} of {seconds:g} s for each server in turn",
    }


def main() -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, under a minute")
    parser.add_argument("--store", action="store_true", help="what the shared store costs, alone")
    parser.add_argument(
        "--rounds", type=int, help="alternating rounds (default 5; 24 of the store)"
    )
    parser.add_argument(
        "--seconds", type=float, help="length of one measurement (default 3; 0.25 of the store)"
    )
    parser.add_argument("--peers", default="", help="parts of names, by comma (default all)")
    parser.add_argument("--operations", default="", help="names, by comma (default all)")
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder of the report")
    chosen = parser.parse_args()
    names = chosen.operations.split(",")
    operations = [one for one in OPERATIONS if not chosen.operations or one.name in names]
    if chosen.store:
        operations = operations if chosen.operations else operations[:1]
        sharing.report(operations, chosen.rounds or 24, chosen.seconds or 0.25, chosen.output)
        return 0
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    seconds = chosen.seconds or (1 if chosen.quick else 3)
    wanted = [part.lower() for part in chosen.peers.split(",")]
    peers = [peer for peer in PEERS if any(part in peer.name.lower() for part in wanted)]
    if servers.cores()[0] == servers.cores()[1]:
        say("only one core: server, upstream and generator share it, and ratios mean little")
    facts = _facts(rounds, seconds)
    comparison = Comparison(operations, rounds, seconds)
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
