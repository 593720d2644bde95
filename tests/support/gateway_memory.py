"""Gateways in a process of their own, whose memory can be looked at."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.sandbox_in_thread import RunningSandbox

MEMORY_SHOWS: Final = Path("/proc/self/statm").exists()


@contextmanager
def gateway_process(sandbox: RunningSandbox, **environment: str) -> Iterator[tuple[int, str]]:
    """Run a gateway that clients bring credentials to: its process's id and its URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if "TWILIO" not in name}
    command = [
        *(sys.executable, "-m", "gateway", "serve", "--port", str(port)),
        *("--auth", "pass-through", "--catalog-url", sandbox.url, "--core-url", sandbox.url),
    ]
    running = subprocess.Popen(  # noqa: S603 - our own module
        command,
        env=inherited | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield running.pid, f"http://127.0.0.1:{port}"
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)


def resident(pid: int) -> int:
    """Return how many bytes of memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text(encoding="ascii").split()[0]) for each in threads) / 1e9
