"""The wheel, in an environment that has nothing else, runs everything."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
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
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment in which only the wheel was asked for."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, str(wheel)], check=False, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def test_the_wheel_carries_both_packages_their_data_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"schema/schema.graphql", "schema/py.typed", "gateway/py.typed"} <= names
    assert {f"gateway/sandbox/data/{each}.csv" for each in ("countries", "rate_centers")} <= names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "gateway/explorer/web/")) for name in names)
    assert "gateway/explorer/static/index.html" in names, "build it first: make explorer"


def test_in_an_empty_environment_everything_runs(installed: Path, tmp_path: Path) -> None:
    program = str(installed / "number-gateway")
    environment = {"PATH": os.environ["PATH"]}

    def run(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - our own command
            [program, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert run("schema") == (ROOT / "schema" / "schema.graphql").read_text()
    assert "port" in run("settings")
    server = subprocess.Popen(  # noqa: S603 - our own command
        [program, "serve", "--sandbox", "--port", "0", "--sandbox-port", "0", "--numbers", "500"],
        cwd=tmp_path,
        env=environment | {"GATEWAY_METRICS": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = server.stdout.readline().split()[-1].removesuffix("/graphql")
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
            found = client.post("/graphql", json=PAGE).json()["data"]["phoneNumbers"]["nodes"]
            assert len(found) == 1
            assert client.get("/readyz").json()["ready"] is True
            assert "gateway_operations_total" in client.get("/metrics").text
            assert client.get("/").status_code == 200
        assert found[0]["sid"] in run("query", "--url", f"{url}/graphql", _file(tmp_path))
    finally:
        server.terminate()
        _, errors = server.communicate(timeout=40)
    assert (server.returncode, errors) == (0, "")


def test_the_recipe_for_the_wheel_builds_the_explorer_first() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^wheel: .*\bexplorer\b.*\n\t\.venv/bin/pip wheel ", makefile, re.MULTILINE)
    assert "make wheel" in (ROOT / "docs" / "deployment.md").read_text()


def _file(folder: Path) -> str:
    path = folder / "page.graphql"
    path.write_text(PAGE["query"])
    return str(path)
