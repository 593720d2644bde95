"""Answers as tables: the first list in them, or their fields."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_WIDEST: Final = 48


def rows_of(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the first list of objects in `data`, each by dotted column names.

    Of a connection these are its nodes. Without a list, `data` itself is the only row.
    """
    found = _first_list(data)
    return [dict(flat(each)) for each in ([data] if found is None else found)]


def flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the scalars of a JSON value with their dotted names; lists of scalars are joined."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from flat(each, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(str(dict(flat(each))) if each else "" for each in value)
    elif value is None:
        yield name, ""
    elif isinstance(value, bool):
        yield name, str(value).lower()
    else:
        yield name, str(value)


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as text with aligned columns; on a terminal they are cut to its width."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    widths = [
        min(_WIDEST, max(len(line[place]) for line in lines)) for place in range(len(columns))
    ]
    text = [
        "  ".join(_fit(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    if sys.stdout.isatty():
        across = shutil.get_terminal_size().columns
        text = [line[:across] for line in text]
    return "\n".join(text) + "\n"


def _fit(cell: str, width: int) -> str:
    cell = cell.replace("\n", " ")
    return f"{cell[: width - 1]}…" if len(cell) > width else f"{cell:<{width}}"


def _first_list(value: object) -> list[Any] | None:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("edges"), list):
        return [each.get("node", each) for each in value["edges"]]
    found = (_first_list(each) for each in value.values())
    return next((each for each in found if each is not None), None)
