"""What idle subscribers cost, how soon they hear of a change, and what it is like when all come back.

    python -m tests.benchmarks.idle                     # all of it, about 5 minutes
    python -m tests.benchmarks.idle --only idle --clients 2000 --kinds events

idle    memory and processor time of clients of which nothing is heard: the resident memory of the
        process with all of them less that with the first tenth, by how many more they are; and the
        processor's time while nothing happens
events  from the answer to a mutation to when the last of many equal subscribers has its event
storm   thousands of clients connect at the same time, while another goes on asking

The clients are raw sockets in a process of their own, on the same machine. Each is subscribed to the
changes of one account; callers have the same rights.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

from tests.benchmarks import data
from tests.support import loopback
from tests.support.gateway_process import PROGRAM, before, served
from tests.support.paths import ROOT
from tests.support.process_memory import processor_seconds, resident
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_sandbox

_RESULTS: Final = Path(__file__).with_name("results") / "idle.json"
# Files beside those of clients.
_OTHERS: Final = 300
_CHANGES: Final = (
    "subscription { phoneNumberChanged { id kind accountSid numberId number"
    " phoneNumber { sid friendlyName } } }"
)
_CONFIGURE: Final = (
    "mutation ($input: ConfigurePhoneNumberInput!) { configurePhoneNumber(input: $input)"
    " { phoneNumber { friendlyName } userErrors { message } } }"
)
_SMALL: Final = "{ phoneNumbers(first: 1) { nodes { sid phoneNumber } } }"
NAMES: Final = {"websocket": "WebSocket", "events": "server-sent events"}


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


class _Clients:
    """The process of the clients."""

    def __init__(self, url: str, account: SandboxAccount) -> None:
        address = urlsplit(url)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.idle_clients"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        target = {"host": address.hostname, "port": address.port, "query": _CHANGES}
        self._write(target | {"authorization": data.basic(*account.auth)})

    def do(self, what: str, **more: Any) -> dict[str, Any]:
        """Have something done; return what the clients say of it."""
        self.begin(what, **more)
        return self.done()

    def begin(self, what: str, **more: Any) -> None:
        """Let something begin."""
        self._write({"do": what, **more})

    def done(self) -> dict[str, Any]:
        """Return what they say of what was begun."""
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert not said.get("failed"), said
        return said

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _write(self, said: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(said) + "\n")
        self._process.stdin.flush()


class _Bench:
    """A gateway with room for many clients, these, and who asks besides."""

    def __init__(self, url: str, pid: int, account: SandboxAccount, clients: _Clients) -> None:
        self.clients = clients
        self.account = account
        self.url = url
        self._pid = pid
        self.http = loopback.Client(timeout=60, auth=account.auth)

    def ask(self, query: str, **variables: Any) -> Any:
        """Run an operation."""
        body = {"query": query, "variables": variables}
        answer = self.http.post(f"{self.url}/graphql", json=body)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert "errors" not in said, said
        return said["data"]

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        return resident(self._pid)

    @property
    def processor(self) -> float:
        """Seconds of processor time so far."""
        return processor_seconds(self._pid)


@contextmanager
def _bench(sandbox: RunningSandbox, most: int) -> Iterator[_Bench]:
    account = sandbox.create_account(catalog=False, owned=3)
    limits = dict.fromkeys(
        ("CONNECTION_LIMIT", "CALLER_CONNECTIONS", "UNVERIFIED_CONNECTIONS"), str(2 * most + 100)
    )
    variables = before(sandbox) | {f"GATEWAY_{name}": value for name, value in limits.items()}
    with (
        TemporaryDirectory() as folder,
        served(folder=Path(folder), program=[*PROGRAM], **variables) as (url, process),
    ):
        clients = _Clients(url, account)
        try:
            bench = _Bench(url, process.pid, account, clients)
            bench.ask(_SMALL)
            yield bench
        finally:
            clients.end()


def idle(sandbox: RunningSandbox, kind: str, count: int, seconds: float) -> dict[str, Any]:
    """Measure memory and processor time of idle clients."""
    with _bench(sandbox, count) as bench:
        few, opened = max(1, count // 10), 0
        held: list[int] = []
        for goal in (few, count):
            took = 0.0
            while opened < goal:
                some = min(goal - opened, 1000)
                took += bench.clients.do("open", kind=kind, count=some)["took"]
                opened += some
                _say(f"idle, {kind}: {opened} of {count} clients are open")
            time.sleep(2)
            held.append(bench.memory)
        each = (held[1] - held[0]) / (count - few)
        began, used = time.monotonic(), bench.processor
        while time.monotonic() < began + seconds:
            time.sleep(min(10, seconds))
            _say(f"idle, {kind}: {time.monotonic() - began:.0f} of {seconds:.0f} s have passed")
        share = (bench.processor - used) / (time.monotonic() - began)
        said = bench.clients.do("expect")
        assert (said["open"], said["lost"]) == (count, 0), said
        return {
            "clients": count,
            "KiB each": round(each / 1024, 1),
            "processor %": round(100 * share, 2),
            "MiB in all": round(held[1] / 2**20),
            "ms to connect one": round(1000 * took / (count - few), 2),
        }


def events(sandbox: RunningSandbox, kind: str, count: int, times: int) -> dict[str, Any]:
    """Measure how soon all of equal subscribers have an event."""
    with _bench(sandbox, count) as bench:
        sid = bench.ask(_SMALL)["phoneNumbers"]["nodes"][0]["sid"]
        bench.clients.do("open", kind=kind, count=count)
        delays, used = [], []
        time.sleep(2)
        for each in range(times + 1):
            bench.clients.do("expect")
            before_it = bench.processor
            settings = {"sid": sid, "configuration": {"friendlyName": f"Name {each}"}}
            told = bench.ask(_CONFIGURE, input=settings)["configurePhoneNumber"]
            answered = time.monotonic()
            assert told["userErrors"] == [], told
            said = bench.clients.do("received", within=10)
            assert said["received"] == count, said
            if each:  # The first is what compiles.
                delays.append(1000 * (said["last"] - answered))
                used.append(1000 * (bench.processor - before_it))
            _say(f"events, {kind}: the last after {1000 * (said['last'] - answered):.0f} ms")
            time.sleep(0.5)
        return {
            "clients": count,
            "ms until the last": round(statistics.median(delays), 1),
            "at most": round(max(delays), 1),
            "ms of processor": round(statistics.median(used)),
        }


def storm(sandbox: RunningSandbox, kind: str, count: int) -> dict[str, Any]:
    """Measure what others feel while all clients connect anew at once."""
    with _bench(sandbox, count) as bench:
        other = _Clients(bench.url, sandbox.create_account(catalog=False, owned=1))
        try:
            bench.clients.do("open", kind=kind, count=count)
            _say(f"storm, {kind}: {count} clients are open")
            bench.clients.do("close")
            other.do("ask", query=_SMALL)
            time.sleep(4)
            calm = other.do("asked")
            other.do("ask", query=_SMALL)
            used = bench.processor
            told = bench.clients.do("open", kind=kind, count=count, at_once=count)
            used = bench.processor - used
            felt = other.do("asked")
        finally:
            other.end()
        _say(f"storm, {kind}: all are back after {told['took']:.1f} s")
        return {
            "clients": count,
            "s until all are back": round(told["took"], 1),
            "s of processor": round(used, 1),
            "requests of others": len(felt["times"]),
            "refused": felt["refused"],
            **_percentiles("others", felt["times"]),
            **_percentiles("others, calm", calm["times"]),
        }


def _percentiles(name: str, took: Sequence[float]) -> dict[str, float]:
    known = sorted(took)
    rank = {"p50": 0.5, "p99": 0.99}
    return {
        f"{name}, ms {each}": round(1000 * known[min(len(known) - 1, int(len(known) * share))], 1)
        for each, share in rank.items()
    }


def check_files(most: int) -> None:
    """Exit, and say why, when too few files may be open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = most + _OTHERS
    if hard < needed:
        sys.exit(
            f"{most} clients need {needed} open files in one process, and this machine allows"
            f" {hard}: raise the limit (`ulimit -n {needed}` as root), or use --clients {hard - _OTHERS}."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="idle,events,storm", help="which parts")
    parser.add_argument("--kinds", default="websocket,events", help="which subscriptions")
    parser.add_argument("--clients", type=int, default=10_000, help="that are idle")
    parser.add_argument("--equal", type=int, default=1_000, help="that hear of an event")
    parser.add_argument("--storm", type=int, default=5_000, help="that come back at once")
    parser.add_argument("--seconds", type=float, default=30, help="for which they are idle")
    parser.add_argument("--output", type=Path, default=_RESULTS)
    chosen = parser.parse_args(arguments)
    parts = chosen.only.split(",")
    most = max(
        chosen.clients * ("idle" in parts),
        chosen.equal * ("events" in parts),
        chosen.storm * ("storm" in parts),
    )
    check_files(most)
    found: dict[str, dict[str, Any]] = {}
    with running_sandbox() as sandbox:
        for kind in chosen.kinds.split(","):
            of_kind = found.setdefault(NAMES[kind], {})
            if "idle" in parts:
                of_kind["idle"] = idle(sandbox, kind, chosen.clients, chosen.seconds)
            if "events" in parts:
                of_kind["events"] = events(sandbox, kind, chosen.equal, times=7)
            if "storm" in parts:
                of_kind["storm"] = storm(sandbox, kind, chosen.storm)
            for part, figures in of_kind.items():
                _say(f"{NAMES[kind]}, {part}: {figures}")
    chosen.output.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
