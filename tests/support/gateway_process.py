"""`number-gateway` as a process of its own, for what only processes show: signals, memory, output.

with served(folder=tmp_path, **before(sandbox)) as (url, process):
    loopback.get(f"{url}/readyz")

A process knows no setting of whoever runs the tests: of the environment it is given `PATH` alone.
Wherever a test need not kill the gateway or read what it prints, `gateway_in_thread` is quicker.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import loopback
from tests.support.forked_command import ForkedProcess, run_forked
from tests.support.gateway_in_thread import RunningGateway
from tests.support.paths import ROOT
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import PATIENCE, until

PROGRAM: Final = (sys.executable, "-m", "gateway")
_PIPES: Final = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a process that finds the gateway and is told `variables`."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}


def before(sandbox: RunningSandbox) -> dict[str, str]:
    """Return the variables of a gateway in front of `sandbox` whose clients bring credentials."""
    return {
        "GATEWAY_AUTH": "pass-through",
        "GATEWAY_CATALOG_URL": sandbox.url,
        "GATEWAY_CORE_URL": sandbox.url,
    }


def few_files(most: int) -> list[str]:
    """Return a command that runs another, which may open no more than `most` files."""
    return ["sh", "-c", f'ulimit -n {most} && exec "$@"', "sh"]


def free_port() -> int:
    """Return a port that was free a moment ago, for what cannot be told to choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def start(
    folder: Path,
    *arguments: str,
    inside: Sequence[str] = (),
    program: Sequence[str] = PROGRAM,
    variables: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen[str]:
    """Start the command line in `folder`.

    Args:
        folder: where it runs.
        arguments: the command and its options.
        inside: a command that runs it, in its own place.
        program: what is run instead of this checkout.
        variables: settings and the like, for its environment.
        options: of `subprocess.Popen`; what it prints goes into pipes unless they say where.
    """
    return subprocess.Popen(  # noqa: S603 - our own command
        [*inside, *program, *arguments],
        cwd=folder,
        env=environment(**(variables or {})),
        text=True,
        **_PIPES | options,
    )


@contextmanager
def started(
    *arguments: str, folder: Path = ROOT, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Start the command line and kill it at the end, if it still runs; `options` as for `start`."""
    process = start(folder, *arguments, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], mark: str) -> str:
    """Return what the process prints up to a line with `mark`."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if mark in line:
            return printed
    pytest.fail(f"it ended without printing {mark!r}: {printed}")


def run(
    folder: Path,
    *arguments: str,
    code: int = 0,
    stdin: str = "",
    inside: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, and expect exit code `code`; arguments as for `start`."""
    if inside:
        with start(
            folder, *arguments, inside=inside, variables=variables, stdin=subprocess.PIPE
        ) as process:
            out, err = process.communicate(stdin, timeout=PATIENCE)
            done = subprocess.CompletedProcess(arguments, process.returncode, out, err)
    else:
        done = run_forked(folder, arguments, environment(**(variables or {})), stdin)
    assert done.returncode == code, done.stderr + done.stdout
    return done


@contextmanager
def served(
    *arguments: str,
    folder: Path,
    inside: Sequence[str] = (),
    program: Sequence[str] = PROGRAM,
    **variables: str,
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `serve` with `arguments` in `folder` until the end; give its base URL and the process.

    Its log goes into the file `log` there; `inside` and `program` as for `start`. With this checkout
    it is a fork, unless `inside` or a variable says how the interpreter starts. Workers never are.
    """
    command = ("serve", "--port", "0", *arguments)
    log = folder / "log"
    process: subprocess.Popen[str]
    if program is PROGRAM and not inside and not {"LD_PRELOAD", "PYTHONPATH"} & variables.keys():
        process = ForkedProcess(folder, command, environment(**variables), log)
    else:
        with log.open("a") as errors:
            process = start(
                folder, *command, inside=inside, program=program, variables=variables, stderr=errors
            )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        yield line.split()[-1].removesuffix("/graphql"), process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@contextmanager
def served_with_sandbox(
    *arguments: str, folder: Path, **variables: str
) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """Run `serve --sandbox`; give the base URLs of both, and the process.

    It gives them as soon as they are printed, which is before they are served.
    """
    with served("--sandbox", "--sandbox-port", "0", *arguments, folder=folder, **variables) as (
        url,
        process,
    ):
        line = read_until(process, "Sandbox").splitlines()[-1]
        yield url, line.split()[1], process


def children(pid: int) -> list[int]:
    """Return the ids of the worker processes."""
    found = []
    for each in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        with suppress(FileNotFoundError):  # It has ended meanwhile.
            # Besides them there is Python's resource tracker, and what is not yet either of both.
            if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes():
                found.append(each)
    return found


def until_workers_serve(process: subprocess.Popen[str], count: int) -> None:
    """Wait until `count` workers serve; that the first has answered says nothing of the second."""
    until(lambda: sum(map(_serves, children(process.pid))) == count)


def _serves(worker: int) -> bool:
    """Whether it obeys SIGTERM, and at once, which is so as soon as it serves."""
    return has_signal(worker, "SigCgt") and not has_signal(worker, "SigBlk")


def has_signal(pid: int, mask: str, number: signal.Signals = signal.SIGTERM) -> bool:
    """Whether a signal is in a mask of a process: SigCgt those it catches, ShdPnd those that wait."""
    with suppress(FileNotFoundError, ProcessLookupError):  # It has ended meanwhile.
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{mask}:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


@dataclass(frozen=True)
class GatewayProcess:
    """A gateway as an operator runs it, to be killed and to be told to stop."""

    asked: RunningGateway
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        """Tell it to stop, and do not wait."""
        self.process.send_signal(signal.SIGTERM)

    def peak_memory(self) -> int:
        """Return the most memory that it has had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@contextmanager
def gateway_process(
    sandbox: RunningSandbox,
    folder: Path,
    *arguments: str,
    **settings: object,
) -> Iterator[GatewayProcess]:
    """Serve in front of `sandbox`, be asked as its parent account, and be killed at the end.

    Args:
        sandbox: the upstream.
        folder: where it runs and keeps its records; it is made.
        arguments: of `serve`.
        settings: fields of `Settings`, or variables whose names are in capitals; they go through
            the environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    variables = before(sandbox) | {"GATEWAY_DATA_DIR": "data"}
    for name, value in settings.items():
        variables[name if name.isupper() else f"GATEWAY_{name.upper()}"] = str(value)
    with (
        served(*arguments, folder=folder, **variables) as (url, process),
        loopback.Client() as http,
    ):
        account = sandbox.accounts()["parent"]
        try:
            yield GatewayProcess(RunningGateway(url, sandbox, account, http), process)
        finally:
            process.kill()
