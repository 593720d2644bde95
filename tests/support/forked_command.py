"""Commands in processes that need not import the gateway: they are forks of one that has done so.

An import takes longer than what most commands do, and most of what a server takes to start. All else
is as in a process that was started: its folder, its environment, its standard streams and how it
ends.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from gateway.cli.main import main
from tests.support.waiting import PATIENCE

_MODES: Final = ("r", "w", "a")
_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.warm_imports", __name__])


def run_forked(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str], stdin: str
) -> CompletedProcess[str]:
    """Run the command line in `folder` to its end.

    Args:
        folder: where it runs.
        arguments: the command and its options.
        environment: all that it knows.
        stdin: what it reads from there.

    Raises:
        TimeoutError: it did not end within a minute.
    """
    with tempfile.TemporaryDirectory() as name:
        streams = [Path(name) / each for each in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(stdin.encode("utf-8", "surrogateescape"))
        process = _FORKS.Process(target=_run, args=(folder, arguments, dict(environment), streams))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"it did not end: {arguments}")
        code = process.exitcode
        process.close()
        out, err = (each.read_text("utf-8") for each in streams[1:])
    return CompletedProcess(arguments, code, out, err)


class ForkedProcess(subprocess.Popen[str]):
    """A command that runs on in a fork, to be treated as one that `Popen` started."""

    def __init__(
        self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        """Start it in `folder`.

        Args:
            folder: where it runs.
            arguments: the command and its options.
            environment: all that it knows.
            log: the file behind which its standard error is written.
        """
        with tempfile.TemporaryDirectory() as name:
            printed = Path(name) / "stdout"
            os.mkfifo(printed)
            streams = (Path(os.devnull), printed, log)
            work = (folder, arguments, dict(environment), streams)
            self._process = _FORKS.Process(target=_run, args=work)
            self._process.start()
            # Each of the two waits for the other to open it.
            self.stdout = printed.open("r", encoding="utf-8")
        self.stdin = self.stderr = None
        self.args = list(arguments)
        self.pid = self._process.pid or 0
        self.returncode = None

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return how.

        Raises:
            TimeoutExpired: it did not end in so many seconds.
        """
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def communicate(self, _: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        """Wait until it has ended; return the rest of what it printed, which is little."""
        self.wait(timeout)
        assert self.stdout is not None
        with self.stdout:
            return ("" if self.stdout.closed else self.stdout.read()), ""


def _run(
    folder: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[Path],
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, (path, mode) in enumerate(zip(streams, _MODES, strict=True)):
        with path.open(mode) as file:
            os.dup2(file.fileno(), number)
        setattr(
            sys,
            ("stdin", "stdout", "stderr")[number],
            os.fdopen(number, mode, encoding="utf-8", closefd=False),
        )
    sys.exit(main(arguments))
