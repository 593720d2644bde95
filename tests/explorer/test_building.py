"""`make run` serves before the explorer is built: the build is told of, bounded, and leaves nothing."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support import loopback
from tests.support.paths import ROOT

# A registry that answers when the test lets it.
NPM = """#!/bin/sh
case "$1" in
    ci)
        echo $$ > "$FAKE/pid"
        [ -e "$FAKE/broken" ] && { echo "npm error: no registry" >&2; exit 7; }
        while ! [ -e "$FAKE/go" ]; do sleep 0.1; done ;;
    run)
        mkdir -p "$EXPLORER_OUT"
        echo "<h1>The explorer itself</h1>" > "$EXPLORER_OUT/index.html" ;;
esac
"""


class Checkout:
    """A copy of the source tree that nobody has built, with a registry of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fake = folder / "fake"
        self.static = folder / "gateway" / "explorer" / "static"
        not_copied = shutil.ignore_patterns("node_modules", "static*", "build.*")
        for name in ("gateway", "schema", "tools"):
            shutil.copytree(ROOT / name, folder / name, ignore=not_copied)
        for name in ("Makefile", "pyproject.toml", "README.md"):
            shutil.copy2(ROOT / name, folder)
        # Packages are those of this run, but for a Node.js; that they are set up is said anew.
        (folder / ".venv" / "bin").mkdir(parents=True)
        own = Path(sys.prefix)
        for each in (*own.iterdir(), *(own / "bin").iterdir()):
            if not each.name.startswith((".ready", "bin", "node", "npm")):
                (folder / ".venv" / each.relative_to(own)).symlink_to(each)
        (folder / ".venv" / ".ready-run").touch()
        self.fake.mkdir()
        for name, text in {"node": "#!/bin/sh\n", "npm": NPM}.items():
            (self.fake / name).write_text(text)
            (self.fake / name).chmod(0o755)

    @contextmanager
    def running(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command here, and at the end stop it and its group, as a terminal does."""
        kept = {name: each for name, each in os.environ.items() if name != "MAKEFLAGS"}
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            cwd=self.folder,
            env=kept
            | {
                "PATH": f"{self.fake}:{kept['PATH']}",
                "PYTHONPATH": str(self.folder),
                "FAKE": str(self.fake),
            }
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=60)

    def build(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Build to the end."""
        with self.running(sys.executable, "tools/build_explorer.py", **environment) as process:
            out, _ = process.communicate(timeout=60)
            return subprocess.CompletedProcess([], process.returncode, out)

    def npm(self) -> int:
        """Return the process of npm, as soon as it runs."""
        until(lambda: (self.fake / "pid").exists() and (self.fake / "pid").read_text().strip())
        return int((self.fake / "pid").read_text())


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def has_ended(process: int) -> bool:
    """Return whether a process is gone, or waits only to be buried."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of the source tree that nobody has built."""
    return Checkout(tmp_path)


def test_make_run_serves_at_once_and_its_page_appears_by_itself(
    checkout: Checkout, browser: Browser
) -> None:
    options = "ARGS=--port 0 --sandbox-port 0 --numbers 500"
    with checkout.running("make", "run", options) as process:
        assert process.stdout is not None
        printed = ""
        while "Explorer  http" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        url = printed.rpartition("Explorer  ")[2].strip()
        npm = checkout.npm()
        assert loopback.get(f"{url}healthz").is_success
        page = browser.new_page()
        page.goto(url)
        expect(page.get_by_role("heading")).to_have_text("The explorer is being built")
        expect(page.get_by_text("installing npm packages 0 of ")).to_be_visible()
        (checkout.fake / "go").touch()
        expect(page.get_by_role("heading")).to_have_text("The explorer itself", timeout=60_000)
        page.close()
        while "Explorer: built" not in printed:
            printed += process.stdout.readline()
        assert "Explorer: installing npm packages …" in printed
    assert has_ended(npm)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_build_ends_when_the_terminal_says_so(checkout: Checkout, number: signal.Signals) -> None:
    options = "ARGS=--port 0 --sandbox-port 0 --numbers 500"
    with checkout.running("make", "run", options) as process:
        npm = checkout.npm()
        os.killpg(process.pid, number)
        until(lambda: has_ended(npm))


def test_a_build_ends_with_the_gateway_that_it_was_for(checkout: Checkout) -> None:
    options = "ARGS=--port 0 --sandbox-port 0 --numbers 500"
    with checkout.running("make", "run", options):
        npm = checkout.npm()
        build = Path(f"/proc/{npm}/stat").read_text().rpartition(")")[2].split()[1]
        gateway = Path(f"/proc/{build}/cmdline").read_text().split("\0")[-2]
        os.kill(int(gateway), signal.SIGKILL)
        until(lambda: has_ended(npm))


def test_a_page_stays_until_the_next_one_is_whole(checkout: Checkout) -> None:
    checkout.static.mkdir()
    (checkout.static / "index.html").write_text("The page of yesterday")
    with checkout.running(sys.executable, "tools/build_explorer.py") as process:
        checkout.npm()
        assert (checkout.static / "index.html").read_text() == "The page of yesterday"
        (checkout.fake / "go").touch()
        assert process.wait(60) == 0
    assert "itself" in (checkout.static / "index.html").read_text()
    # And what is built is not built again.
    assert checkout.build().stdout == ""


def test_two_commands_do_not_build_at_once(checkout: Checkout) -> None:
    build = (sys.executable, "tools/build_explorer.py")
    with checkout.running(*build) as one:
        npm = checkout.npm()
        with checkout.running(*build) as two:
            assert two.stdout is not None
            assert two.stdout.readline() == "Explorer: another command builds it already\n"
            (checkout.fake / "go").touch()
            assert (one.wait(60), two.wait(60)) == (0, 0)
    assert checkout.npm() == npm, "it was installed once"


@pytest.mark.parametrize(
    ("broken", "seconds", "why"),
    [
        (True, "60", "installing npm packages failed with exit code 7"),
        (False, "1", "installing npm packages took too long, and was stopped after 1 s"),
    ],
)
def test_a_build_that_fails_or_takes_too_long_is_told(
    checkout: Checkout, broken: bool, seconds: str, why: str
) -> None:
    if broken:
        (checkout.fake / "broken").touch()
    done = checkout.build(EXPLORER_BUILD_SECONDS=seconds)
    assert done.returncode == 1
    assert f"Explorer: not built: {why}" in done.stdout
    assert "`make explorer` tries again" in done.stdout
    assert ("npm error: no registry" in done.stdout) == broken
    assert why in (checkout.static.parent / "build.json").read_text()
    started = checkout.fake / "pid"
    assert not started.exists() or has_ended(int(started.read_text()))
