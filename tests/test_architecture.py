"""The house: which rooms there are, what each may import, and that nothing stands outside them.

All imports count: at the top, late ones inside functions, and those for the type checker alone.
"""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT

# A room may import the rooms behind it; discreet, errors, waiting, draining, settings and schema all
# may.
ARROWS = {
    "settings": "",
    "storage": "",
    "mapping": "",
    "explorer": "",
    "documents": "storage",
    "upstream": "mapping storage",
    "execution": "documents mapping",
    "auth": "mapping storage upstream",
    "numbers": "auth mapping upstream",
    "events": "mapping storage upstream",
    "writes": "auth numbers mapping storage upstream",
    "planning": "auth documents execution numbers writes mapping upstream",
    "resolvers": "auth numbers writes events mapping upstream",
    "observability": "events writes storage upstream",
    "pipeline": "auth documents planning execution resolvers numbers writes events mapping storage"
    " upstream observability",
    "transport": "pipeline auth documents execution observability",
    "app": "transport pipeline auth documents planning execution resolvers numbers writes events"
    " mapping storage upstream observability explorer",
    "server": "app transport auth documents observability writes sandbox",
    "cli": "server app transport pipeline auth documents planning execution resolvers numbers"
    " writes events mapping storage upstream observability explorer",
    "__main__": "cli server",
}
FOR_ALL = {"discreet", "draining", "error_codes", "errors", "schema", "settings", "waiting"}
SANDBOX_ARROWS = {
    "world": "",
    "http": "world",
    "rules": "http world",
    "api": "rules http world",
    "control": "http world",
    "application": "control api rules http world",
}
SANDBOX_FOR_ALL = {"options", "switches"}
# Who may import the settings themselves: all else is handed what it takes of them.
MAY_KNOW_SETTINGS = {"settings", "app", "server", "cli"}
# What stands beside the rooms.
ALONE = {
    "__init__",
    "__main__",
    "app",
    "discreet",
    "draining",
    "error_codes",
    "errors",
    "waiting",
}
SANDBOX_ALONE = {"__init__", "application", *SANDBOX_FOR_ALL}
# The types of a graph name each other, and their resolvers name what gives such types.
RECURSIVE_GRAPH = {"schema.nodes", "schema.connection", "schema.read_port"}
# Of libraries that are used below their surface, what they document; all else of them is taken in
# a room's `_compat.py` alone, and asserted in `tests/install/test_private_parts.py`.
DOCUMENTED = {
    "graphql": "graphql graphql.utilities",
    "strawberry": "strawberry strawberry.scalars strawberry.schema.config"
    " strawberry.schema_directive",
    "uvicorn": "uvicorn",
    "websockets": "",
    "prometheus_client": "prometheus_client",
}
HTTP_LIBRARIES = {"aiohttp", "httpx", "requests", "starlette", "urllib", "uvicorn"}


def modules(package: str) -> dict[str, Path]:
    """Return the modules of a package by dotted name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        if "node_modules" not in path.parts:
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules("gateway") | modules("schema")


def imports(path: Path) -> set[str]:
    """Return all that a module imports, wherever in it: modules by dotted name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {each for each in inner if each in MODULES} or {node.module}
            if any(each not in MODULES for each in inner):
                found.add(node.module)
    return found


@cache
def all_imports() -> dict[str, set[str]]:
    """Return what each module imports; not found before a test asks, as each process would."""
    return {name: imports(path) for name, path in MODULES.items()}


def room(name: str, *, depth: int = 1) -> str:
    """Return the room of a module: the part of its name at `depth`; "" for the package itself."""
    parts = name.split(".")
    if depth == 1 and parts[0] != "gateway":
        return parts[0]
    return parts[depth] if len(parts) > depth else ""


def test_every_module_stands_in_a_room_that_says_what_it_is_for() -> None:
    beside = {path.stem for path in (ROOT / "gateway").glob("*.py")}
    assert beside == ALONE
    assert {path.stem for path in (ROOT / "gateway/sandbox").glob("*.py")} == SANDBOX_ALONE
    rooms = {room(name) for name in MODULES if name.startswith("gateway.")}
    assert rooms == {*ARROWS, *(ALONE - {"__init__"}), "sandbox"}
    for path in (
        *(ROOT / "gateway").glob("*/__init__.py"),
        *ROOT.glob("gateway/sandbox/*/__init__.py"),
    ):
        said = ast.get_docstring(ast.parse(path.read_text()))
        assert said, path
        if path.parent.name != "sandbox":
            assert len(said.splitlines()) <= 2, path


def test_a_room_imports_only_what_its_arrows_allow() -> None:
    wrong = []
    for name, targets in all_imports().items():
        if not name.startswith("gateway.") or name.startswith("gateway.sandbox"):
            continue
        allowed = {*ARROWS.get(room(name), "").split(), *FOR_ALL, room(name), ""}
        if room(name) in {"discreet", "errors", "waiting", "draining", "settings"}:
            allowed = {room(name), "errors", "error_codes", ""}
        ours = {each for each in targets if each.partition(".")[0] in {"gateway", "schema"}}
        wrong += [f"{name} → {each}" for each in ours if room(each) not in allowed]
    assert wrong == []


def test_settings_are_known_where_parts_are_put_together_alone() -> None:
    knowing = {
        room(name) for name, targets in all_imports().items() if "gateway.settings.model" in targets
    }
    assert knowing == MAY_KNOW_SETTINGS


def test_the_sandbox_shares_nothing_and_has_rooms_of_its_own() -> None:
    wrong = []
    for name, targets in all_imports().items():
        ours = {each for each in targets if each.startswith(("gateway", "schema"))}
        if not name.startswith("gateway.sandbox"):
            continue
        own = room(name, depth=2)
        allowed = {*SANDBOX_ARROWS.get(own, "").split(), *SANDBOX_FOR_ALL, own}
        if own == "":
            allowed |= {"application"}
        wrong += [
            f"{name} → {each}"
            for each in ours
            if not each.startswith("gateway.sandbox.") or room(each, depth=2) not in allowed
        ]
    assert wrong == []


def test_the_schema_imports_neither_the_gateway_nor_an_http_library() -> None:
    for name in modules("schema"):
        roots = {each.partition(".")[0] for each in all_imports()[name]}
        exempt = {"urllib"} if name == "schema.scalars" else set()  # urllib.parse only reads URLs
        assert not roots & ({"gateway"} | HTTP_LIBRARIES) - exempt, name


def test_there_is_no_circle_of_imports_but_that_of_a_recursive_graph() -> None:
    graph = {
        name: {
            each
            for each in targets
            if each in MODULES
            and each != name
            and not {each, name} <= RECURSIVE_GRAPH
            # That a module lies in a package is no import of it.
            and not name.startswith(f"{each}.")
        }
        for name, targets in all_imports().items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")


def test_no_two_modules_have_the_same_name() -> None:
    names = Counter(
        path.stem
        for name, path in MODULES.items()
        if name.startswith("gateway.")
        if path.stem not in {"__init__", "_compat"}
    )
    assert {name for name, count in names.items() if count > 1} == set()


_LOADED = """
import os, sys
import schema, gateway.settings.model, starlette.applications, structlog, httpx, uvicorn
import redis.asyncio, jwt, prometheus_client, msgspec, orjson, phonenumbers
for room in {rooms!r}:
    sys.stdout.flush()
    if os.fork() == 0:
        for name in {modules!r}[room]:
            __import__(name)
        print(room, *sorted(each for each in sys.modules if each.startswith('gateway.')))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


def test_importing_a_room_loads_only_what_its_arrows_allow() -> None:
    rooms = [each for each in ARROWS if each not in {"__main__", "server", "cli"}]
    inside = {each: [name for name in MODULES if room(name) == each] for each in rooms}
    inside["observability"].remove("gateway.observability.otel_spans")  # An extra of its own.
    script = _LOADED.format(rooms=rooms, modules=inside)
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == rooms
    for own, *loaded in lines:
        allowed = {own, *FOR_ALL}
        pending = [own]
        while pending:
            more = set(ARROWS.get(pending.pop(), "").split()) - allowed
            allowed |= more
            pending += more
        assert {room(each) for each in loaded} <= allowed, own


def imported_at_once(start: str) -> set[str]:
    """Return what is imported together with a module of ours, by whatever that imports itself."""
    found, pending = {start}, [start]
    while pending:
        for node in ast.parse(MODULES[pending.pop()].read_text()).body:
            names = []
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
            fresh = set(names) - found
            found |= fresh
            pending += fresh & set(MODULES)
    return found


def test_a_gateway_loads_no_library_for_what_most_do_not_ask_for() -> None:
    loaded = imported_at_once("gateway.app") | imported_at_once("gateway.server.serve")
    libraries = {each.partition(".")[0] for each in loaded}
    assert {"uvicorn", "graphql", "msgspec"} <= libraries
    assert libraries & {"redis", "httpx", "jwt", "opentelemetry", "prometheus_client"} == set()


def test_the_sandbox_as_a_server_and_its_process_load_nothing_of_the_gateway() -> None:
    allowed = {"", "draining", "error_codes", "errors", "sandbox", "server"}
    for start in ("gateway.server.sandbox_server", "gateway.server.sandbox_process"):
        loaded = imported_at_once(start)
        assert {room(each) for each in loaded if each in MODULES} <= allowed, start
        assert not {"gateway.server.serve", "gateway.server.http_limits"} & loaded, start


def test_what_a_library_does_not_document_is_taken_in_one_module_of_a_room() -> None:
    wrong = []
    for name, targets in all_imports().items():
        own = name.rpartition(".")[0]
        for each in targets:
            allowed = DOCUMENTED.get(each.partition(".")[0])
            if each.endswith("_compat") and each.rpartition(".")[0] not in {own, name}:
                wrong.append(f"{name} → {each}")
            elif allowed is not None and not name.endswith("_compat"):
                wrong += [f"{name} → {each}"] if each not in allowed.split() else []
    assert wrong == []


def test_private_attributes_and_words_of_libraries_are_read_in_those_modules_alone() -> None:
    for name, path in MODULES.items():
        if name.endswith("_compat") or name.startswith("gateway.sandbox"):
            continue
        text = path.read_text()
        assert "noqa: SLF001" not in text, name
        for node in ast.walk(ast.parse(text)):
            # `error.message.startswith(…)`, `"…" in str(error)`
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                asked = ast.unparse(node.func)
                assert not asked.endswith((".message.startswith", ".message.endswith")), name
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
                searched = ast.unparse(node.comparators[0])
                assert not searched.endswith((".message", ".msg", "str(error)")), name


def test_the_page_about_the_architecture_shows_the_tree_and_the_arrows_as_they_are() -> None:
    from tools.architecture import renewed  # noqa: PLC0415 - it reads the arrows from this module

    page = (ROOT / "docs/architecture.md").read_text()
    assert renewed(page) == page


def test_the_executors_paths_end_at_the_resolvers() -> None:
    """Below them a field that asks is a plain text; see `schema/info.py`."""
    for name, path in modules("gateway").items():
        if not name.startswith("gateway.execution."):
            assert not any(each.startswith("graphql.pyutils") for each in imports(path)), name
