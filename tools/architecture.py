"""Renews the tree and the arrows in docs/architecture.md: `python -m tools.architecture`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT
from tests.test_architecture import ARROWS, FOR_ALL

# In the order in which a request meets them, then what they lean on.
ROOMS = (
    *("settings", "server", "transport", "pipeline", "auth", "documents", "planning", "execution"),
    *("resolvers", "numbers", "writes", "events", "mapping", "upstream", "storage"),
    *("observability", "cli", "explorer", "sandbox"),
)
_SANDBOX = ["api", "rules", "http", "world", "control"]
_PAGE = ROOT / "docs" / "architecture.md"
_BEGIN, _END = "<!-- made from the code: begin -->", "<!-- end -->"


def main() -> None:
    """Write the page anew."""
    _PAGE.write_text(renewed(_PAGE.read_text()))


def renewed(page: str) -> str:
    """Return the page with the tree and the arrows as they are now."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return "\n".join((f"{before}{_BEGIN}", *_made(), f"{_END}{after}"))


def _made() -> Iterator[str]:
    """Yield the lines that are made from the code."""
    yield "## The tree"
    yield ""
    yield "```text"
    yield "schema/"
    yield from _modules(ROOT / "schema", "    ")
    yield "gateway/"
    yield from _modules(ROOT / "gateway", "    ")
    for room in ROOMS:
        yield f"    {room}/"
        yield from _modules(ROOT / "gateway" / room, "        ")
        if room == "sandbox":
            for inner in _SANDBOX:
                yield f"        {inner}/"
                yield from _modules(ROOT / "gateway" / room / inner, "            ")
    yield "```"
    yield ""
    yield "## The arrows"
    yield ""
    everywhere = ", ".join(f"`{each}`" for each in sorted(FOR_ALL))
    yield f"What a room may import beside itself; {everywhere} all may. `schema` imports nothing of"
    yield "`gateway`, and no HTTP library."
    yield ""
    yield "| room | what it is for | may import |"
    yield "|---|---|---|"
    for room in ROOMS:
        said = ast.get_docstring(_tree(ROOT / "gateway" / room / "__init__.py")) or ""
        allowed = ", ".join(ARROWS.get(room, "").split()) or "nothing"
        yield f"| `{room}` | {' '.join(said.split())} | {allowed} |"


def _modules(folder: Path, indent: str) -> Iterator[str]:
    """Yield a line for each module of a folder, with the first sentence of its docstring."""
    for path in sorted(folder.glob("*.py")):
        if path.stem not in {"__init__", "__main__"}:
            said = (ast.get_docstring(_tree(path)) or "").partition("\n\n")[0]
            name = f"{indent}{path.name}"
            yield f"{name:<36} {' '.join(said.removeprefix('PURE: ').split())}"


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


if __name__ == "__main__":
    main()
