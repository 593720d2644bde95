"""The table of faults: made from the tests' marks and from what the tests saw."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

README = Path(__file__).parent / "README.md"
SEEN: dict[str, str] = {}
"""What came of each fault in this run, by the test's id."""

_HEAD = """# Faults tried

Every fault is injected at the sandbox, or by a server or a signal of the test's own, over real
HTTP. This file is written by `pytest tests/faults --write-fault-table`; a test holds it current.
"""


class Line(NamedTuple):
    """One fault: the module that tries it, what goes wrong, what must and what did come of it."""

    module: str
    what: str
    expected: str
    seen: str

    @property
    def text(self) -> str:
        """The line as Markdown."""
        return f"| {self.what} | {self.expected} | {self.seen} |"


def expected(item: pytest.Item) -> str:
    """Return what the mark of a test expects."""
    mark = item.get_closest_marker("fault")
    assert mark is not None, f"{item.nodeid} has no mark `fault`"
    return str(mark.kwargs["expected"])


def lines(items: Sequence[pytest.Item]) -> list[Line]:
    """Return the lines of the tests that are marked, in their order; unseen ones as expected."""
    found: dict[Line, None] = {}
    for item in items:
        mark = item.get_closest_marker("fault")
        if mark is None:
            continue
        module = item.nodeid.partition("::")[0].rpartition("/")[2]
        family = item.callspec.params.get("family", "") if hasattr(item, "callspec") else ""
        what = f"{mark.args[0]} ({family.lower()})" if family else str(mark.args[0])
        outcome = SEEN.get(item.nodeid, expected(item))
        found[Line(module, what, expected(item), outcome)] = None
    return list(found)


def write(found: Sequence[Line]) -> None:
    """Write the table."""
    parts = [_HEAD]
    for module, group in groupby(found, key=lambda line: line.module):
        parts += [f"## `{module}`\n", "| fault | expected | seen |", "|---|---|---|"]
        parts += [line.text for line in group]
        parts.append("")
    README.write_text("\n".join(parts))
