"""Commands in processes that need not import the gateway: they are forks of one that has done so.

An import takes longer than what most commands do. All else is as in a process that was started: its
folder, its environment, its standard streams and how it ends.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from gateway.cli.main import main

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["gateway.app", "gateway.server.serve", __name__])


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
        streams = Path(name)
        (streams / "stdin").write_text(stdin, "utf-8")
        process = _FORKS.Process(target=_run, args=(folder, arguments, dict(environment), streams))
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"it did not end: {arguments}")
        code = process.exitcode
        process.close()
        out, err = ((streams / each).read_text("utf-8") for each in ("stdout", "stderr"))
    return CompletedProcess(arguments, code, out, err)


def _run(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str], streams: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, (name, mode) in enumerate(_STREAMS):
        with (streams / name).open(mode) as file:
            os.dup2(file.fileno(), number)
        setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    sys.exit(main(arguments))
