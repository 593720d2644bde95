"""A real HTTP proxy: tinyproxy, as Debian has it, on a free port.

with tinyproxy(tmp_path, "BasicAuth somebody secret") as proxy:
    bare_settings(proxy=proxy.url("somebody:secret"))
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway_process import free_port
from tests.support.programs import require
from tests.support.waiting import PATIENCE, until


@dataclass(frozen=True)
class Tinyproxy:
    """A proxy that listens on a port; what it does is in its log."""

    port: int
    process: subprocess.Popen[bytes]
    _log: Path

    def url(self, who: str = "", scheme: str = "http") -> str:
        """Return its URL, for somebody with a password."""
        return f"{scheme}://{who}{'@' if who else ''}127.0.0.1:{self.port}"

    def asked(self, host: str) -> int:
        """Return how often it was asked for the way to a host and port."""
        return self._log.read_text().count(f"CONNECT {host} ")

    def kill(self) -> None:
        """End it and all its connections at once."""
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def tinyproxy(folder: Path, *lines: str) -> Iterator[Tinyproxy]:
    """Run it in `folder`, with lines of a configuration besides what it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log, file = free_port(), folder / "log", folder / "tinyproxy.conf"
    usual = (f"Port {port}", "Listen 127.0.0.1", "Timeout 600", "MaxClients 200")
    file.write_text("\n".join((*usual, f'LogFile "{log}"', "LogLevel Connect", *lines, "")))
    command = [require("tinyproxy"), "-d", "-c", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - found on the path
    try:
        until(lambda: _answers(port))
        yield Tinyproxy(port, process, log)
    finally:
        process.kill()
        process.wait(PATIENCE)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
