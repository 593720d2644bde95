"""The arrows between modules: `gateway` imports `schema`, never the reverse, and there are no cycles."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HTTP_LIBRARIES = {"aiohttp", "httpx", "httpx_aiohttp", "requests", "starlette", "urllib", "uvicorn"}


def modules(package: str) -> dict[str, Path]:
    """Return the modules of a package by dotted name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, *, at_import_time: bool = False) -> set[str]:
    """Return what a module imports; with `at_import_time`, only what importing it executes."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    skipped: set[int] = set()
    for node in ast.walk(tree):
        late = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if at_import_time and (late or typing_only):
            skipped |= {id(child) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_schema_imports_neither_the_gateway_nor_an_http_library() -> None:
    for name, path in modules("schema").items():
        roots = {each.partition(".")[0] for each in imports(path)}
        exempt = {"urllib"} if name == "schema.scalars" else set()  # urllib.parse only reads URLs
        assert not roots & ({"gateway"} | HTTP_LIBRARIES) - exempt, name


def test_the_sandbox_shares_nothing_with_the_rest() -> None:
    for name, path in modules("gateway").items():
        ours = {each for each in imports(path) if each.startswith(("gateway", "schema"))}
        if name.startswith("gateway.sandbox"):
            assert all(each.startswith("gateway.sandbox") for each in ours), name
        elif name != "gateway.server.serve":
            assert not any(each.startswith("gateway.sandbox") for each in ours), name


@pytest.mark.parametrize("package", ["schema", "gateway"])
def test_imports_have_no_cycles(package: str) -> None:
    known = modules(package)
    graph = {
        name: {
            each for each in imports(path, at_import_time=True) if each in known and each != name
        }
        for name, path in known.items()
    }
    # A package's own page imports its modules; that a module names its package is no cycle.
    for name, targets in graph.items():
        graph[name] = {each for each in targets if not name.startswith(f"{each}.")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' → '.join(error.args[1])}")


def test_importing_the_gateway_loads_neither_sandbox_nor_command_line() -> None:
    script = "import gateway, gateway.app, sys; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "gateway.app" in loaded
    assert not any(
        name.startswith(("gateway.sandbox", "gateway.cli.main", "tests")) for name in loaded
    )
