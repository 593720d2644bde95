"""How soon it is there: `python -m tests.benchmarks.startup`.

From the start of the process to the first answer, the sandbox with all its numbers, and the first
paint of the explorer: each the best of several, beside what is promised on a machine of its own.
Exits with 1 when a promise was not kept.
"""

import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import httpx
from playwright.sync_api import sync_playwright

from tests.support.gateway_process import free_port, started
from tests.support.sandbox_in_thread import RunningSandbox, running_sandbox

_TIMES: Final = 5
_PATIENCE: Final = 60.0
_FIRST_PAINT: Final = "performance.getEntriesByName('first-contentful-paint')"
_SANDBOX: Final = (
    "from gateway.sandbox import SandboxSettings, create_sandbox; create_sandbox(SandboxSettings())"
)


class _Promise(NamedTuple):
    name: str
    seconds: float
    measure: Callable[[RunningSandbox], float]


def _first_answer(sandbox: RunningSandbox) -> float:
    """Return the seconds from the start of a gateway to its first page of numbers."""
    query = {"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"}
    account = sandbox.accounts()["parent"]
    port = free_port()
    url = f"http://127.0.0.1:{port}/graphql"
    upstream = ["--catalog-url", sandbox.url, "--core-url", sandbox.url]
    began = time.monotonic()
    with started("serve", "--auth", "pass-through", "--port", str(port), *upstream):
        while time.monotonic() < began + _PATIENCE:
            with suppress(httpx.TransportError):
                answer = httpx.post(url, json=query, auth=account.auth, trust_env=False)
                took = time.monotonic() - began
                assert answer.json()["data"]["phoneNumbers"]["nodes"]
                return took
            time.sleep(0.01)
    raise TimeoutError(url)


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
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with (
        started("serve", "--auth", "pass-through", "--port", str(port), *upstream) as process,
        sync_playwright() as playwright,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.wait_for_function(f"{_FIRST_PAINT}[0]")
        milliseconds: float = page.evaluate(f"{_FIRST_PAINT}[0].startTime")
        browser.close()
    return milliseconds / 1000


_PROMISES: Final = (
    _Promise("gateway: first answer", 1.5, _first_answer),
    _Promise("sandbox: 100,000 numbers (processor time)", 3.0, _sandbox_start),
    _Promise("explorer: first paint", 1.0, _first_paint),
)


def main() -> int:
    """Measure, print a table, and return the exit code."""
    kept = True
    sys.stdout.write("| what | best of 5, s | promised, s |\n| --- | ---: | ---: |\n")
    with running_sandbox() as sandbox:
        for promise in _PROMISES:
            best = min(promise.measure(sandbox) for _ in range(_TIMES))
            kept = kept and best < promise.seconds
            sys.stdout.write(f"| {promise.name} | {best:.2f} | {promise.seconds:g} |\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
