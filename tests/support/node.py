"""Node.js for tests: the JavaScript clients of `tests/clients`, which `make test` installs."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.paths import TESTS
from tests.support.waiting import PATIENCE

CLIENTS = TESTS / "clients"


def require_node(package: str = "graphql") -> str:
    """Return the path of Node.js; skip the test without it or a package, but fail in CI."""
    node = shutil.which("node")
    missing = None
    if node is None:
        missing = "Node.js is not installed"
    elif not (CLIENTS / "node_modules" / package).is_dir():
        missing = "the JavaScript clients are not installed: run tools/setup-tests.sh"
    if missing is None:
        assert node is not None
        return node
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def run_node(
    *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = PATIENCE
) -> str:
    """Run a script in `tests/clients` and return what it writes; its failure fails the test."""
    done = subprocess.run(  # noqa: S603 - our own scripts
        [require_node(), *arguments],
        cwd=CLIENTS,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{arguments[0]}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def node_json(
    *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = PATIENCE
) -> Any:
    """Run a script that writes JSON and return that."""
    return json.loads(run_node(*arguments, environment=environment, timeout=timeout))
