"""The app of `docs/clients.md`, built once: its snippets as files, compiled as a developer would."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.node import CLIENTS, require_node
from tests.support.waiting import PATIENCE

ROOT = CLIENTS.parent.parent
BUILD = CLIENTS / "build"
APP = BUILD / "app"
# What Relay's compiler left of a document in a module: the name, under which the artifact is.
_RELAY_TAG = re.compile(
    r"graphql `\s*(?:query|mutation|subscription|fragment) (\w+).*?`", re.DOTALL
)
_SNIPPET = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets() -> Mapping[str, str]:
    """Return the named snippets of the page for frontend developers, by file name."""
    return dict(_SNIPPET.findall((ROOT / "docs" / "clients.md").read_text()))


def tool(name: str, *arguments: str, cwd: Path = APP) -> None:
    """Run a tool of the installed packages; its failure fails the test."""
    path = CLIENTS / "node_modules" / ".bin" / name
    done = subprocess.run(  # noqa: S603 - tools of our own choice
        [str(path), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{name}:\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def app() -> Path:
    """The folder of the app, with generated types, Relay's artifacts and manifests, compiled."""
    require_node()
    shutil.rmtree(BUILD, ignore_errors=True)
    for name, text in snippets().items():
        if name.endswith(".py"):
            continue
        path = APP / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    answers = (CLIENTS / "jobs" / "answers.ts").read_text().replace("= `", "= graphql`")
    answers = answers.replace("releasedId", "releasedId @deleteRecord")
    relay = APP / "src" / "relay"
    (relay / "answers.ts").write_text(f'import {{ graphql }} from "relay-runtime";\n{answers}')
    shutil.copy(ROOT / "schema" / "schema.graphql", APP)
    (APP / "persisted-queries.json").write_text("{}")
    (APP / "package.json").write_text('{"type": "module"}')
    tool("graphql-codegen", "--config", "codegen.ts")
    tool("relay-compiler", "relay.config.json")
    tool("generate-persisted-query-manifest")
    tool("tsc", "--project", "tsconfig.json", cwd=CLIENTS)
    for module in (BUILD / "out" / "build" / "app" / "src" / "relay").rglob("*.js"):
        module.write_text(bundled(module.read_text()))
    return APP


def bundled(module: str) -> str:
    """Do what a bundler does for Relay: put artifacts in the place of documents, find modules."""
    names: list[str] = _RELAY_TAG.findall(module)
    imports = [f'import {name}_ from "./__generated__/{name}.graphql.js";\n' for name in names]
    whole = "".join(imports) + _RELAY_TAG.sub(r"\1_", module)
    return re.sub(r"\.graphql(?=['\"])", ".graphql.js", whole)
