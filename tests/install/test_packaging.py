"""The wheel runs everything: in an environment with nothing else, and as the pages install it."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import loopback
from tests.support.gateway_process import served
from tests.support.paths import ROOT

SYSTEM_PYTHON = Path("/usr/bin/python3")
PAGE = {"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)  # noqa: S603
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment in which only the wheel was asked for."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    for arguments in (
        ("venv", str(folder)),
        ("pip", "install", "--python", str(folder), str(wheel)),
    ):
        done = subprocess.run(  # noqa: S603 - from the group `dev`
            [sys.executable, "-m", "uv", "--no-config", *arguments],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment made as the page says, by the system's Python."""
    problem = _problem_of_the_systems_python()
    if problem is not None:
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    page = (ROOT / "docs" / "deployment.md").read_text()
    (block,) = (
        each
        for each in re.findall(r"```(?:sh|console)\n(.*?)```", page, re.DOTALL)
        if "--require-hashes" in each
    )
    folder = tmp_path_factory.mktemp("installed")
    (folder / "requirements.lock").symlink_to(ROOT / "requirements.lock")
    (folder / "dist").mkdir()
    (folder / "dist" / wheel.name).symlink_to(wheel)
    script = block.replace("make wheel\n", "").replace("/opt/number-gateway", str(folder / "opt"))
    assert "python3 -m venv" in script
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euc", script],  # noqa: S607
        cwd=folder,
        env=os.environ
        | {
            "PATH": f"{SYSTEM_PYTHON.parent}:{os.environ['PATH']}",
            # Most of what is installed is never run here. (PIP_NO_COMPILE=1 means the opposite.)
            "PIP_COMPILE": "0",
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "opt" / "bin"


def test_the_wheel_carries_both_packages_their_data_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"schema/schema.graphql", "schema/py.typed", "gateway/py.typed"} <= names
    assert {
        f"gateway/sandbox/world/data/{each}.csv" for each in ("countries", "rate_centers")
    } <= names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "gateway/explorer/web/")) for name in names)
    assert "gateway/explorer/static/index.html" in names, "build it first: make explorer"


def test_in_an_empty_environment_everything_runs(alone: Path, tmp_path: Path) -> None:
    assert run(alone, tmp_path, "schema") == (ROOT / "schema" / "schema.graphql").read_text()
    assert "port" in run(alone, tmp_path, "settings")
    serve_and_query(alone, tmp_path, GATEWAY_METRICS="true")


def test_the_documented_installation_runs_on_the_systems_python(
    installed: Path, tmp_path: Path
) -> None:
    # Nobody takes the traces, and that would be told: none is kept. How they are sent is
    # `tests/observability`'s.
    none = {"GATEWAY_TRACES": "true", "GATEWAY_TRACES_RATIO": "0"}
    serve_and_query(installed, tmp_path, GATEWAY_METRICS="true", **none)
    check = [str(installed / "pip"), "check", "--disable-pip-version-check"]
    assert subprocess.run(check, check=True, capture_output=True, text=True).stdout == (  # noqa: S603
        "No broken requirements found.\n"
    )
    made_by = run(installed, tmp_path, "-c", "import sys; print(sys.base_prefix)", program="python")
    assert made_by.strip() == "/usr"


def run(programs: Path, folder: Path, *arguments: str, program: str = "number-gateway") -> str:
    """Return what a program of an environment prints, run in `folder`."""
    return subprocess.run(  # noqa: S603 - our own command
        [str(programs / program), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def serve_and_query(programs: Path, folder: Path, **variables: str) -> None:
    """Serve from an environment, and ask the server as clients do and with `query`."""
    own = {"PYTHONPATH": ""} | variables
    program = [str(programs / "number-gateway")]
    arguments = ("--sandbox", "--sandbox-port", "0", "--numbers", "500")
    with (
        served(*arguments, folder=folder, program=program, **own) as (url, server),
        loopback.Client(base_url=url) as client,
    ):
        found = client.post("/graphql", json=PAGE).json()["data"]["phoneNumbers"]["nodes"]
        assert len(found) == 1
        assert client.get("/readyz").json()["ready"] is True
        assert "gateway_operations_total" in client.get("/metrics").text
        assert client.get("/").status_code == 200
        page = folder / "page.graphql"
        page.write_text(PAGE["query"])
        told = run(programs, folder, "query", "--url", f"{url}/graphql", str(page))
        assert found[0]["sid"] in told
    assert (server.returncode, (folder / "log").read_text()) == (0, "")


def test_the_recipe_for_the_wheel_builds_the_explorer_first() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^wheel: .*\bexplorer\b.*\n\t\.venv/bin/pip wheel ", makefile, re.MULTILINE)
    assert "make wheel" in (ROOT / "docs" / "deployment.md").read_text()


def _problem_of_the_systems_python() -> str | None:
    """Return why the system's Python cannot run the gateway, or None."""
    trial = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    if not SYSTEM_PYTHON.exists():
        return f"there is no {SYSTEM_PYTHON}"
    done = subprocess.run([str(SYSTEM_PYTHON), "-c", trial], check=False, capture_output=True)  # noqa: S603
    return f"{SYSTEM_PYTHON} is older than 3.11, or lacks python3-venv" if done.returncode else None
