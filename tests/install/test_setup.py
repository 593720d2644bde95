"""Setting up a machine: what is missing is said in one clear line."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.fixture
def copy() -> Iterator[Path]:
    """A checkout with nothing but the set-up script, where everybody may go."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for one user.
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tools").mkdir()
        for script in ("setup.sh", "ticking.sh"):
            shutil.copy(ROOT / "tools" / script, folder / "tools")
        (folder / "pyproject.toml").touch()
        yield folder


def path_without(folder: Path, *hidden: str) -> str:
    """Return a PATH on which the shell's usual commands are found, and `hidden` are not."""
    tools = folder / "bin"
    tools.mkdir()
    for name in ("dirname", "id", "cat"):
        found = shutil.which(name)
        assert found is not None
        assert name not in hidden
        (tools / name).symlink_to(found)
    return str(tools)


def test_a_missing_python_is_one_clear_line(copy: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "tools/setup.sh"],
        cwd=copy,
        env={"PATH": path_without(copy, "python3")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "number-gateway: Python 3.11 or newer is needed: install it, or name it with PYTHON=…\n"
    )


def test_a_folder_that_cannot_be_written_to_is_one_clear_line(copy: Path) -> None:
    command = ["/bin/sh", "tools/setup.sh"]
    if os.geteuid() == 0:
        # Root may write everywhere: ask as nobody.
        setpriv = shutil.which("setpriv")
        assert setpriv is not None
        command = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    copy.chmod(0o555)
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)  # noqa: S603
    copy.chmod(0o755)
    assert done.returncode == 1
    assert done.stderr.startswith("number-gateway: this folder cannot be written to:")
    assert done.stderr.count("\n") == 1


PROGRAMS = {
    "curl": "curl",
    "faketime": "faketime",
    "chromium": "chromium",
    "python3-venv": "python3",
    "nginx": "nginx",
    "haproxy": "haproxy",
    "tinyproxy": "tinyproxy",
    "prometheus": "promtool",
    "libatomic1": "node",
}
"""The programs that work when a package is there."""


@pytest.mark.parametrize("there", [[], *([each] for each in PROGRAMS), [*PROGRAMS]], ids=str)
def test_on_debian_root_installs_what_tests_lack_and_nothing_else(
    copy: Path, there: list[str]
) -> None:
    shutil.copy(ROOT / "tools" / "setup-tests.sh", copy / "tools")
    path = path_without(copy, *PROGRAMS.values())
    tools, sbin = Path(path), copy / "sbin"
    sbin.mkdir()
    for name in ("chmod", "rm"):
        (tools / name).symlink_to(str(shutil.which(name)))
    script = "#!/bin/sh\n"
    driver = copy / ".venv/lib/python3.99/site-packages/playwright/driver"
    driver.mkdir(parents=True)
    fakes = {tools / name: script for each, name in PROGRAMS.items() if each in there}
    fakes |= {
        tools / "id": script + "echo 0\n",
        tools / "npm": script,
        tools / "apt-get": f'{script}echo "$@" >> installed\n',
        tools / "python3": f"{script}exit {0 if 'python3-venv' in there else 1}\n",
        driver / "node": f"{script}exit {0 if 'libatomic1' in there else 127}\n",
    }
    for file, text in fakes.items():
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "tools/setup-tests.sh"],
        cwd=copy,
        env={"PATH": path, "SYSTEM_PYTHON": str(tools / "python3"), "SYSTEM_SBIN": str(sbin)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    log = copy / "installed"
    lines = log.read_text().splitlines() if log.exists() else []
    installed = {line.split()[-1] for line in lines if line.startswith("install ")}
    assert installed == PROGRAMS.keys() - set(there)
    # Servers were not to start by themselves; that was said only for as long as it took.
    assert not list(sbin.iterdir())
