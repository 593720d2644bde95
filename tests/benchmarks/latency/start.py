"""How soon a gateway answers after its start, beside what it was; alone, and with its sandbox."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.benchmarks.latency.page import Bound, Part
from tests.benchmarks.startup import first_answer, first_answer_with_sandbox, in_turn, rows_of
from tests.support.paths import ROOT
from tests.support.sandbox_in_thread import running_sandbox

# Before anybody had looked at how long a start takes.
_BEFORE: Final = "b140869"
_SHARE: Final = 0.6
_MOST: Final = 2.0


def measure(*, short: bool) -> Part:
    """Measure both ways to start, in turns with the old checkout."""
    times = 3 if short else 11
    with _checkout(_BEFORE) as before, running_sandbox() as sandbox:
        alone = in_turn(lambda checkout: first_answer(sandbox, checkout), before, times)
        both = in_turn(first_answer_with_sandbox, before, times)
    return Part(
        "start",
        "From the start of a process to the first answer",
        f"Seconds, the median of {times} starts of each, commit {_BEFORE} and now in turns. The processor time"
        " is that of the gateway's own process, which tells more on a busy machine. The sandbox has its 100,000"
        " numbers.",
        ("First answer", _BEFORE, "Now", "Share"),
        [*rows_of("a gateway", alone), *rows_of("a gateway with its sandbox", both)],
        [
            Bound("first answer, share", alone.ours.seconds / alone.other.seconds, _SHARE),
            Bound("first answer with the sandbox", both.ours.seconds, _MOST, "s"),
        ],
    )


@contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    """Have the files of a commit in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "files.tar"
        subprocess.run(
            ["git", "archive", "--output", str(archive), commit, "gateway", "schema"],  # noqa: S607
            check=True,
            cwd=ROOT,
        )
        subprocess.run(["tar", "--extract", "--file", archive, "--directory", folder], check=True)  # noqa: S607
        yield Path(folder)
