"""The table of faults is the tests' own."""

import pytest

from tests.faults import table


def test_the_table_lists_every_fault_that_is_tried(request: pytest.FixtureRequest) -> None:
    """In a run of some tests only, their lines must be there; `lines` are of what is collected."""
    written = table.README.read_text()
    lines = table.lines(request.session.items)
    assert [line.text for line in lines if line.text not in written] == []
    modules = {line.module for line in lines}
    complete = {path.name for path in table.README.parent.glob("test_*.py")} - modules
    if not complete - {"test_readme.py"}:
        rows = [row for row in written.splitlines() if row.startswith("| ")]
        known = {line.text for line in lines} | {"| fault | expected | seen |"}
        assert [row for row in rows if row not in known] == []


def test_what_was_seen_is_what_was_expected() -> None:
    rows = [row.split(" | ") for row in table.README.read_text().splitlines() if row[:2] == "| "]
    assert len(rows) > 50
    assert [
        row for row in rows[1:] if row[0] != "| fault" and row[1] != row[2].removesuffix(" |")
    ] == []
