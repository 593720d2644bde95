"""Answers as rows of cells, and rows as CSV and as tables.

A cell is text. Of a list it has all elements, joined by `;`. What a spreadsheet would run as a
formula gets an apostrophe in front, unless it is asked for as it is; docs/command-line.md says how
to take it off again.
"""

import csv
import io
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.cli.selections import Selected
from gateway.observability.printable import printable

# Fields whose lists tell what went wrong; they are no rows.
PROBLEMS: Final = frozenset({"userErrors", "branchErrors"})

Path = tuple[str, ...]
_WIDEST: Final = 48

# Spreadsheets skip blanks, marks and quotes in front of a formula, and know its first character in
# full width, too. Where `;` separates cells, what follows it is a cell of its own; so is what
# follows a tab or a line break. Numbers are none, and E.164 looks like a number. What begins with
# an apostrophe gets a second one, so that one can always be taken off.
_SKIPPED: Final = (
    '[\\x00-\\x20\\x7f-\\xa0\\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"]'
)
_NUMBER: Final = r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?:[;\t\r\n]|\Z)"
_RUN: Final = re.compile(
    rf"\A(?=[\t\r\n])|(?<![^;\t\r\n])(?='|(?!{_NUMBER}){_SKIPPED}*[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
_IN_LISTS: Final = re.compile(r"[;\\]")


class Rows(NamedTuple):
    """Rows of cells under their columns."""

    columns: list[str]
    cells: list[list[str]]


def rows_of(data: Mapping[str, Any], selected: Mapping[str, Selected]) -> Rows:
    """Return the first list of objects in an answer; of a connection these are its nodes.

    Without a list, `data` itself is the only row; without any value there is none. Columns are what
    was selected, so that they do not depend on which values are null; those that conditions of the
    operation (`@skip`) left out are missing.
    """
    values, fields = _first_list(data, selected) or ([data], selected)
    if values == [data] and all(each is None for each in data.values()):
        return Rows([], [])
    paths = [path for path in leaves(fields) if _is_there(values, path)]
    return rows(values, paths)


def rows(values: Sequence[Any], paths: Sequence[Path]) -> Rows:
    """Return a row for each of `values`, with a cell for each of `paths`."""
    return Rows(
        [".".join(path) for path in paths],
        [[_cell(each, path) for path in paths] for each in values],
    )


def csv_of(found: Rows, *, header: bool, raw: bool) -> str:
    """Return rows as CSV; `raw` leaves formulas as they are."""
    out = io.StringIO()
    plain = csv.writer(out, lineterminator="\n")
    # A carriage return would end the row, if its cell had no quotes.
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    if header:
        plain.writerow(found.columns)
    for cells in found.cells:
        written = cells if raw else list(map(without_formulas, cells))
        (quoted if "\r" in "".join(written) else plain).writerow(written)
    # JSON may say half a pair of characters, which no file can hold.
    return out.getvalue().encode(errors="backslashreplace").decode()


def table(found: Rows, *, raw: bool) -> str:
    """Return rows as text with aligned columns; on a terminal they are cut to its width."""
    if not found.columns:
        return ""
    cells = found.cells if raw else [list(map(without_formulas, row)) for row in found.cells]
    lines = [
        found.columns,
        *([printable(each.replace("\n", " ")) for each in row] for row in cells),
    ]
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(_fit(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    if sys.stdout.isatty():
        across = shutil.get_terminal_size().columns
        text = [line[:across] for line in text]
    return "\n".join(text) + "\n"


def without_formulas(cell: str) -> str:
    """Put an apostrophe before all that a spreadsheet would run, and before apostrophes."""
    return _RUN.sub("'", cell)


def _fit(cell: str, width: int) -> str:
    return f"{cell[: width - 1]}…" if len(cell) > width else f"{cell:<{width}}"


def _cell(value: object, path: Path) -> str:
    texts = list(_texts(value, path))
    if _is_list(value, path):
        return ";".join(_IN_LISTS.sub(r"\\\g<0>", each) for each in texts)
    return texts[0]


def _texts(value: object, path: Path) -> Iterator[str]:
    """Yield the values at the end of `path`, several where lists are on the way."""
    if isinstance(value, list):
        for each in value:
            yield from _texts(each, path)
    elif path and isinstance(value, dict):
        yield from _texts(value.get(path[0]), path[1:])
    elif value is None:
        yield ""
    elif isinstance(value, str):
        yield value
    else:
        yield json.dumps(value, ensure_ascii=False)


def _is_list(value: object, path: Path) -> bool:
    for name in path:
        if not isinstance(value, dict):
            break
        value = value.get(name)
    return isinstance(value, list)


def _is_there(value: object, path: Path) -> bool:
    """Return whether an answer has the field at `path`, or nothing that could have it."""
    having = [value]
    for name in path:
        objects = [each for each in _flat(having) if isinstance(each, dict)]
        having = [each[name] for each in objects if name in each]
        if objects and not having:
            return False
    return True


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def leaves(fields: Mapping[str, Selected]) -> Iterator[Path]:
    """Yield where the values of a selection are that have no fields of their own."""
    for name, each in fields.items():
        if each.field in PROBLEMS:
            continue
        if not each.fields:
            yield (name,)
        yield from ((name, *path) for path in leaves(each.fields))


def _first_list(
    value: object, fields: Mapping[str, Selected]
) -> tuple[list[Any], Mapping[str, Selected]] | None:
    if not isinstance(value, dict):
        return None
    for name, each in fields.items():
        if not each.fields or each.field in PROBLEMS:
            continue
        inner = value.get(name)
        if isinstance(inner, list):
            return _nodes(inner, each)
        if found := _first_list(inner, each.fields):
            return found
    return None


def _nodes(values: list[Any], selected: Selected) -> tuple[list[Any], Mapping[str, Selected]]:
    """Return the nodes of edges; of other lists, their elements."""
    node = next((name for name, each in selected.fields.items() if each.field == "node"), None)
    if selected.field != "edges" or node is None:
        return values, selected.fields
    return [each and each[node] for each in values], selected.fields[node].fields
