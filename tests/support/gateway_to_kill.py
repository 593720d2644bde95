"""A gateway in a process of its own, to be killed and to be told to stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox

_ROOT = Path(__file__).parents[2]

# Seconds that a slow machine may take beyond what is promised. Faults last longer than the promise
# and this together, so that a promise that is broken is seen.
LATE = 3.5


@dataclass(frozen=True)
class GatewayProcess:
    """A gateway as an operator runs it."""

    asked: RunningGateway
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

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
    sandbox: RunningSandbox, data: Path, *options: str, **settings: object
) -> Iterator[GatewayProcess]:
    """Run `number-gateway serve` in front of `sandbox`; `settings` go through the environment."""
    environment: Mapping[str, str] = {
        **os.environ,
        "GATEWAY_DATA_DIR": str(data),
        **{f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()},
    }
    command = [
        *(sys.executable, "-m", "gateway", "serve", "--port", "0", "--auth", "pass-through"),
        *("--catalog-url", sandbox.url, "--core-url", sandbox.url, *options),
    ]
    process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
        command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[1].removesuffix("/graphql")
        with httpx.Client(timeout=60.0, trust_env=False) as http:
            account = sandbox.accounts()["parent"]
            yield GatewayProcess(RunningGateway(url, sandbox, account, http), process)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def until(condition: Any, *, seconds: float = 30.0) -> None:
    """Wait until `condition()` holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)
