"""Worker processes on one port, and the supervisor that restarts them.

Each worker has a socket of its own on the shared port (`SO_REUSEPORT`), so that the system spreads
connections evenly. The sockets belong to the supervisor: while a worker that died, or left as it
was told to, is replaced, its connections wait. So all can be restarted without losing a request:
each is told to stop when the one before was replaced.

One that is told to stop while it still starts hears of it when it serves: it answers those who
wait, and leaves in order.

One that dies again and again before it has served for a while is started more and more rarely, and
then no more: what makes it die will not go away by itself.
"""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final, cast

import structlog

from gateway.errors import CommandError
from gateway.observability import metrics_folder
from gateway.server import leaving, listening

_log = structlog.get_logger(__name__)
_spawn = multiprocessing.get_context("spawn")

_TICK: Final = 0.2
# Seconds that a worker must have lived for its death to be an accident and not what it always does.
_SETTLED: Final = 10.0
# So many deaths before that, one after another, are the last.
_MOST_DEATHS: Final = 5
# Seconds before the third start, doubled each time; the second comes at once.
_PAUSE: Final = 0.25

# What would end a worker that cannot end in order yet.
_ENDING: Final = {signal.SIGTERM, signal.SIGINT}

REFUSED: Final = 78
"""Exit code (EX_CONFIG of sysexits.h) of work that has said why it cannot be done like this."""

Work = Callable[[socket.socket], int]


class Workers:
    """Runs `work` in one process per socket, and again when one dies.

    Args:
        work: serves on a socket until SIGTERM, and returns the exit code; must be picklable.
        sockets: one for each worker.
        patience: seconds that workers get to end after SIGTERM.
        farewell: bytes for those who wait, at the end, where no worker is to answer them.
    """

    def __init__(
        self, work: Work, sockets: Sequence[socket.socket], patience: float, farewell: bytes
    ) -> None:
        self._workers = [_Worker(work, each, number) for number, each in enumerate(sockets, 1)]
        self._patience = patience
        self._farewell = farewell
        self._told = self._insisted = False

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code.

        It is 1 when a worker has said at its first start that it cannot be done.

        Raises:
            CommandError: a worker has died too often. The others were stopped in order.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        leaving.heed()
        try:
            while not self._told:
                for each in self._workers:
                    each.look_after()
                # Not `time.sleep`, which fails where only the time of day is shifted (libfaketime).
                alive = [each.process.sentinel for each in self._workers if each.process]
                wait(alive, _TICK)
        except _Refused:
            return 1
        finally:
            self._end()
        return 0

    def _told_to_stop(self, signal_: int, _: FrameType | None) -> None:
        # No event: its lock may be held just now by the very thread that this interrupts.
        self._insisted |= self._told and signal_ == signal.SIGINT
        self._told = True

    def _end(self) -> None:
        """Tell all workers to stop, and close the port of each that has not done so itself."""
        deadline = time.monotonic() + self._patience
        left: dict[int, _Worker] = {}
        for each in self._workers:
            if each.process is None:
                listening.turn_away(each.socket, self._farewell)
            else:
                each.process.terminate()
                left[each.process.sentinel] = each
        while left:
            if self._insisted:
                # Again and again: one that has not yet heard of the first may take both for one.
                for each in left.values():
                    if each.process is not None and each.process.pid is not None:
                        os.kill(each.process.pid, signal.SIGINT)
            patience = deadline - time.monotonic()
            ended = wait(left, max(0.0, min(patience, _TICK)))
            for sentinel in ended or (list(left) if patience <= 0 else []):
                worker = left.pop(cast("int", sentinel))
                if worker.process is not None:
                    if not ended:
                        _log.error("worker_killed", pid=worker.process.pid)
                        worker.process.kill()
                    worker.process.join()
                listening.turn_away(worker.socket, self._farewell)


class _Refused(Exception):
    """A worker cannot start with these settings, and has said why."""


class _Worker:
    """One worker through all its lives; `process` is the present one, None between two."""

    def __init__(self, work: Work, own: socket.socket, number: int) -> None:
        self.process: SpawnProcess | None = None
        self.socket = own
        self._work = work
        self._number = number
        self._lives = 0
        self._begun = 0.0
        self._deaths = 0
        self._pause_ends = 0.0

    def look_after(self) -> None:
        """Start it, if it is time to, and see whether it has died.

        Raises:
            _Refused: it has refused to start, the first time.
            CommandError: it has died too often.
        """
        if self.process is not None:
            if self.process.is_alive():
                return
            self._bury(self.process)
        if time.monotonic() >= self._pause_ends:
            self._start()

    def _start(self) -> None:
        self._lives += 1
        self._begun = time.monotonic()
        process = _spawn.Process(
            target=_run, args=(self._work, self.socket, self._number), daemon=False
        )
        # It inherits what is blocked; Python's own helper, when started, would unblock it.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            process.start()
        except OSError as error:
            # There is no memory for it, or there are too many processes.
            _log.error("worker_not_started", worker=self._number, reason=str(error))
            self._count_death(f"as it could not be started: {error}")
        else:
            self.process = process
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _bury(self, process: SpawnProcess) -> None:
        process.join()
        self.process = None
        code = process.exitcode or 0
        metrics_folder.forget(process.pid or 0)
        if code == 0:
            _log.warning("worker_left", worker=self._number, pid=process.pid)
            listening.listen_again(self.socket)
            return
        _log.error("worker_died", worker=self._number, pid=process.pid, exit_code=code)
        if code == REFUSED and self._lives == 1:
            raise _Refused
        by_signal = f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else ""
        self._count_death(by_signal or f"with exit code {code}")

    def _count_death(self, how: str) -> None:
        """Decide when it is started again.

        Raises:
            CommandError: it has died too often.
        """
        now = time.monotonic()
        if now - self._begun >= _SETTLED:
            self._deaths = 0
        self._deaths += 1
        if self._deaths == _MOST_DEATHS:
            raise CommandError(
                f"worker {self._number} has died {_MOST_DEATHS} times in a row within"
                f" {_SETTLED:.0f} seconds of its start, at last {how}; what was logged before"
                " says more"
            )
        self._pause_ends = now + _PAUSE * (2 ** (self._deaths - 1) - 1)


def _run(work: Work, own: socket.socket, number: int) -> None:
    # Ctrl-C reaches the whole group; the supervisor decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # SIGTERM stays blocked until the server can obey it.
    threading.Thread(target=_leave_with_the_supervisor, daemon=True).start()
    with metrics_folder.joined(number):
        code = work(own)
    raise SystemExit(code)


def _leave_with_the_supervisor() -> None:
    """Stop in order when the supervisor was killed: nobody else could stop or replace this one."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None  # noqa: S101 - it has started this process
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)
