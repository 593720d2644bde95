"""Setting up a machine: what is missing is said in one clear line."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def copy() -> Iterator[Path]:
    """A checkout with nothing but the set-up script, where everybody may go."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for one user.
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tools").mkdir()
        shutil.copy(ROOT / "tools" / "setup.sh", folder / "tools")
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
