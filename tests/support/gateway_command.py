"""`number-gateway serve` as a process of its own, for tests of what only processes show."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.sandbox_in_thread import RunningSandbox

ROOT = Path(__file__).parents[2]


@contextmanager
def served(
    *arguments: str, folder: Path, inside: Sequence[str] = (), **variables: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `serve` with `arguments` in `folder` until the end; give its base URL and the process.

    `inside` is a command that runs it, in its own place.
    """
    log = (folder / "log").open("a")
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*inside, sys.executable, "-m", "gateway", "serve", "--port", "0", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    log.close()
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield line.split()[-1].removesuffix("/graphql"), process
    finally:
        process.terminate()
        process.communicate(timeout=40)


def few_files(most: int) -> list[str]:
    """Return a command that runs another, which may open no more than `most` files."""
    return ["sh", "-c", f'ulimit -n {most} && exec "$@"', "sh"]


def before(sandbox: RunningSandbox) -> dict[str, str]:
    """Return the variables of a gateway in front of `sandbox` whose clients bring credentials."""
    return {
        "GATEWAY_AUTH": "pass-through",
        "GATEWAY_CATALOG_URL": sandbox.url,
        "GATEWAY_CORE_URL": sandbox.url,
    }
