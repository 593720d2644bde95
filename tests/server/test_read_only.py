"""A machine on which nothing can be written: what is needed is said, and everything else works."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import loopback
from tests.support.gateway_process import before, run, served
from tests.support.sandbox_in_thread import RunningSandbox

PAGE = {"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"}
# Makes every file system read-only, but for the folders that come before `--`, which are new.
_SCRIPT = """
mount --make-rprivate /
while read -r _ point _; do
    case $point in /proc* | /sys*) continue ;; esac
    mount -o remount,ro,bind "$point" 2>/dev/null
done </proc/mounts
while [ "$1" != -- ]; do
    mount -t tmpfs tmpfs "$1"
    shift
done
shift
exec "$@"
"""


def read_only(*but: Path) -> Sequence[str]:
    """Return a command that runs another where nothing can be written but in new folders."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        pytest.skip("only root may mount file systems read-only, and with `unshare`")
    inside = [unshare, "--mount", "sh", "-c", _SCRIPT, "read-only", *map(str, but), "--"]
    trial = subprocess.run([*inside, "true"], check=False, capture_output=True)  # noqa: S603
    if trial.returncode:
        pytest.skip("this system lets nobody mount file systems")
    return inside


def test_workers_that_can_count_nowhere_say_what_to_set(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    arguments = ("serve", "--port", "0", "--workers", "2")
    # It has no HOME either.
    variables = {"GATEWAY_METRICS": "true"} | before(sandbox)
    done = run(tmp_path, *arguments, inside=read_only(), variables=variables, code=1)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        "number-gateway: several workers count their metrics in files, and a folder for them can be"
        f" made nowhere (/dev/shm, {tmp_path}/.number-gateway): set TMPDIR or GATEWAY_DATA_DIR to a"
        " folder that can be written, or GATEWAY_METRICS=false"
    )
    assert "set GATEWAY_DATA_DIR to a folder that can be written" in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


def test_where_only_data_dir_can_be_written_workers_count_and_the_sandbox_sorts(
    tmp_path: Path,
) -> None:
    (data := tmp_path / "data").mkdir()
    arguments = ("--workers", "2", "--sandbox", "--sandbox-port", "0")
    variables = {"GATEWAY_METRICS": "true", "GATEWAY_DATA_DIR": str(data)}
    inside = read_only(data)
    with (
        served(*arguments, folder=tmp_path, inside=inside, **variables) as (url, process),
        loopback.Client(base_url=url) as client,
    ):
        assert len(client.post("/graphql", json=PAGE).json()["data"]["phoneNumbers"]["nodes"]) == 1
        assert client.get("/readyz").json()["ready"] is True
        assert "gateway_operations_total" in client.get("/metrics").text
    assert process.returncode == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
