"""How soon it is there: `python -m tests.benchmarks.startup [OTHER_CHECKOUT]`.

From the start of the process to the first answer, the sandbox with all its numbers, and the first
paint of the explorer: each the best of several, beside what is promised on a machine of its own.
Exits with 1 when a promise was not kept.

With another checkout, such as an older one, its first answers and these in turn, and the medians.
"""

import argparse
import http.client
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from playwright.sync_api import sync_playwright

from tests.benchmarks import data
from tests.benchmarks.report import table
from tests.explorer import chromium
from tests.support.gateway_process import environment, free_port, started
from tests.support.paths import ROOT
from tests.support.process_memory import processor_seconds
from tests.support.sandbox_in_thread import RunningSandbox, running_sandbox

_TIMES: Final = 5
_PATIENCE: Final = 60.0
_QUERY: Final = b'{"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"}'
_JSON: Final = {"Content-Type": "application/json"}
_FIRST_PAINT: Final = "performance.getEntriesByName('first-contentful-paint')"
_SANDBOX: Final = (
    "from gateway.sandbox import SandboxSettings, create_sandbox; create_sandbox(SandboxSettings())"
)


class _Promise(NamedTuple):
    name: str
    seconds: float
    measure: Callable[[RunningSandbox], float]


class Took(NamedTuple):
    """From the start of a process to its first answer.

    Attributes:
        seconds: as a clock has it.
        processor: seconds of processor time of the gateway's own process.
    """

    seconds: float
    processor: float


class InTurn(NamedTuple):
    """The medians of two checkouts that were started in turn."""

    other: Took
    ours: Took


def first_answer(sandbox: RunningSandbox, checkout: Path = ROOT) -> Took:
    """Return how long a gateway takes to its first page of numbers, in front of a sandbox."""
    upstream = ("--catalog-url", sandbox.url, "--core-url", sandbox.url)
    headers = {"Authorization": data.basic(*sandbox.accounts()["parent"].auth)}
    return _first(checkout, headers, "--auth", "pass-through", *upstream)


def first_answer_with_sandbox(checkout: Path = ROOT) -> Took:
    """Return how long `serve --sandbox` takes to its first page, with all numbers of the sandbox."""
    return _first(checkout, {}, "--sandbox", "--sandbox-port", "0")


def in_turn(measure: Callable[[Path], Took], other: Path, times: int) -> InTurn:
    """Measure another checkout and this one in turn, after a start of each that compiles it."""
    took: dict[Path, list[Took]] = {other: [], ROOT: []}
    for at in range(times + 1):
        for checkout in (other, ROOT) if at % 2 else (ROOT, other):
            took[checkout].append(measure(checkout))
    return InTurn(*(Took(*map(median, zip(*took[each][1:], strict=True))) for each in took))


def _first(checkout: Path, headers: dict[str, str], *arguments: str) -> Took:
    port = free_port()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--port", str(port), *arguments],
            cwd=folder,
            env=environment(PYTHONPATH=str(checkout)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while time.monotonic() < began + _PATIENCE:
                with suppress(ConnectionRefusedError):
                    _ask(port, headers)
                    return Took(time.monotonic() - began, processor_seconds(process.pid))
                time.sleep(0.002)
        finally:
            process.terminate()
            process.wait()
    raise TimeoutError(checkout)


def _ask(port: int, headers: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("POST", "/graphql", _QUERY, {**headers, **_JSON})
        answer = connection.getresponse().read()
    finally:
        connection.close()
    assert b'"sid"' in answer, answer


def _sandbox_start(_: RunningSandbox) -> float:
    """Return the seconds of processor time in which the sandbox makes its numbers."""
    before = _children_seconds()
    subprocess.run([sys.executable, "-c", _SANDBOX], check=True, timeout=_PATIENCE)
    return _children_seconds() - before


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _first_paint(sandbox: RunningSandbox) -> float:
    """Return the seconds until a browser without a cache shows the first of the explorer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    upstream = ["--catalog-url", sandbox.url, "--core-url", sandbox.url]
    with (
        started("serve", "--auth", "pass-through", "--port", str(port), *upstream) as process,
        sync_playwright() as playwright,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        browser = playwright.chromium.launch(
            executable_path=chromium.installed(), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(url)
        page.wait_for_function(f"{_FIRST_PAINT}[0]")
        milliseconds: float = page.evaluate(f"{_FIRST_PAINT}[0].startTime")
        browser.close()
    return milliseconds / 1000


_PROMISES: Final = (
    _Promise("gateway: first answer", 1.5, lambda sandbox: first_answer(sandbox).seconds),
    _Promise(
        "gateway with its sandbox: first answer", 2.0, lambda _: first_answer_with_sandbox().seconds
    ),
    _Promise("sandbox: 100,000 numbers (processor time)", 3.0, _sandbox_start),
    _Promise("explorer: first paint", 1.0, _first_paint),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.startup")
    parser.add_argument("other", type=Path, nargs="?", help="another checkout, to compare with")
    other: Path | None = parser.parse_args(arguments).other
    with running_sandbox() as sandbox:
        return _compare(sandbox, other.absolute()) if other else _measure(sandbox)


def _measure(sandbox: RunningSandbox) -> int:
    kept = True
    sys.stdout.write("| what | best of 5, s | promised, s |\n| --- | ---: | ---: |\n")
    for promise in _PROMISES:
        best = min(promise.measure(sandbox) for _ in range(_TIMES))
        kept = kept and best < promise.seconds
        sys.stdout.write(f"| {promise.name} | {best:.2f} | {promise.seconds:g} |\n")
    return 0 if kept else 1


def _compare(sandbox: RunningSandbox, other: Path) -> int:
    alone = in_turn(lambda checkout: first_answer(sandbox, checkout), other, _TIMES)
    both = in_turn(first_answer_with_sandbox, other, _TIMES)
    rows = [
        *rows_of("a gateway", alone),
        *rows_of("a gateway with its sandbox", both),
    ]
    sys.stdout.write(table(("first answer", "other, s", "ours, s", "ours ÷ other"), rows) + "\n")
    return 0


def rows_of(name: str, medians: InTurn) -> list[tuple[str, str, str, str]]:
    """Return lines of a table with the medians of both, and what they are to each other."""
    return [
        (f"{name}, {clock}", f"{other:.2f}", f"{ours:.2f}", f"{ours / other:.2f}")
        for clock, other, ours in zip(
            ("by the clock", "processor time"), medians.other, medians.ours, strict=True
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
