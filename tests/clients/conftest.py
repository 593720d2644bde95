"""The app of `docs/clients.md`, built once: its snippets as files, compiled as a developer would."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.node import CLIENTS, require_node

ROOT = CLIENTS.parent.parent
BUILD = CLIENTS / "build"
APP = BUILD / "app"
_SNIPPET = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets() -> Mapping[str, str]:
    """Return the named snippets of the page for frontend developers, by file name."""
    return dict(_SNIPPET.findall((ROOT / "docs" / "clients.md").read_text()))


def tool(name: str, *arguments: str, cwd: Path = APP) -> None:
    """Run a tool of the installed packages; its failure fails the test."""
    path = CLIENTS / "node_modules" / ".bin" / name
    done = subprocess.run(  # noqa: S603 - tools of our own choice
        [str(path), *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{name}:\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def app() -> Path:
    """The folder of the app, with generated types, Relay's artifacts and manifests, compiled."""
    require_node()
    shutil.rmtree(BUILD, ignore_errors=True)
    for name, text in snippets().items():
        path = APP / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(ROOT / "schema" / "schema.graphql", APP)
    (APP / "persisted-queries.json").write_text("{}")
    (APP / "package.json").write_text('{"type": "module"}')
    tool("graphql-codegen", "--config", "codegen.ts")
    tool("relay-compiler", "relay.config.json")
    tool("generate-persisted-query-manifest")
    tool("tsc", "--project", "tsconfig.json", cwd=CLIENTS)
    return APP
