"""Several processes that serve one port, and the process that looks after them.

Each worker has a socket of its own on the shared port (`SO_REUSEPORT`), so that the system spreads
connections evenly. The sockets belong to the supervisor: while a worker that died is replaced, its
connections wait.
"""

import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final

import structlog

_log = structlog.get_logger(__name__)
_spawn = multiprocessing.get_context("spawn")

_TICK: Final = 0.2
# A worker that dies younger than this would die again at once.
_YOUNG: Final = 1.0
_METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

Work = Callable[[socket.socket], int]


class Workers:
    """Runs `work` in one process per socket, and again when one dies.

    Args:
        work: serves on a socket until SIGTERM, and returns the exit code; must be picklable.
        sockets: one for each worker.
        patience: seconds that workers get to end after SIGTERM.
    """

    def __init__(self, work: Work, sockets: Sequence[socket.socket], patience: float) -> None:
        self._work = work
        self._sockets = sockets
        self._patience = patience
        self._stop = threading.Event()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code.

        It is 1 when a worker cannot start: then the others are stopped too.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        started = [self._start(each) for each in self._sockets]
        code = 0
        while not self._stop.wait(_TICK):
            for place, (process, since) in enumerate(started):
                if process.is_alive():
                    continue
                self._buried(process)
                if time.monotonic() - since < _YOUNG or process.exitcode == 1:
                    code = 1
                    self._stop.set()
                    break
                started[place] = self._start(self._sockets[place])
        self._end([process for process, _ in started])
        return code

    def _start(self, listening: socket.socket) -> tuple[SpawnProcess, float]:
        process = _spawn.Process(target=_run, args=(self._work, listening), daemon=False)
        process.start()
        return process, time.monotonic()

    def _told_to_stop(self, _: int, __: FrameType | None) -> None:
        self._stop.set()

    def _buried(self, process: SpawnProcess) -> None:
        process.join()
        _log.error("worker_died", pid=process.pid, exit_code=process.exitcode)
        if _METRICS_FOLDER in os.environ:
            from prometheus_client.multiprocess import (  # noqa: PLC0415 - only with metrics
                mark_process_dead,
            )

            mark_process_dead(process.pid)  # type: ignore[no-untyped-call] # the library's own gap

    def _end(self, processes: Sequence[SpawnProcess]) -> None:
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + self._patience
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                _log.error("worker_killed", pid=process.pid)
                process.kill()
                process.join()


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """Return `count` sockets that listen on one port.

    Raises:
        OSError: there is no such address, or the port is taken by somebody else.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return [_listening(family, host, port) for _ in range(count)]


@contextmanager
def shared_metrics(*, wanted: bool) -> Iterator[None]:
    """Give the workers a folder in which they count together."""
    if not wanted:
        yield
        return
    folder = tempfile.mkdtemp(prefix="number-gateway-metrics-")
    os.environ[_METRICS_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[_METRICS_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


def _listening(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Accepted connections inherit it; without it an answer may wait 40 ms for the client's ACK.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.bind((host, port))
    made.listen(2048)
    return made


def _run(work: Work, listening: socket.socket) -> None:
    # Ctrl-C reaches the whole group; the supervisor decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_the_supervisor, daemon=True).start()
    raise SystemExit(work(listening))


def _leave_with_the_supervisor() -> None:
    """Stop in order when the supervisor was killed: nobody else could stop or replace this one."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None  # noqa: S101 - it has started this process
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)
