"""Descriptions are for frontend developers: in their words, and with a way forward."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from schema import build_core_schema

SCHEMA = build_core_schema()
# Words of whoever builds the gateway. `Source` explains them, where they are values.
JARGON = re.compile(r"\b(famil(y|ies)|catalogs?|core)\b", re.IGNORECASE)
EXPLAINED = {"Source", "Source.CATALOG", "Source.CORE"}


class Part(NamedTuple):
    """A part of the schema."""

    coordinate: str
    description: str | None
    deprecation: str | None


def parts() -> Iterator[Part]:
    """Yield all that has, or may have, a description."""
    for name, kind in SCHEMA.type_map.items():
        if not name.startswith("__"):
            yield Part(name, kind.description, None)
            for each, part in (getattr(kind, "fields", None) or {}).items():
                yield from described(f"{name}.{each}", part)
            for each, part in (getattr(kind, "values", None) or {}).items():
                yield from described(f"{name}.{each}", part)
    for directive in SCHEMA.directives:
        yield from described(f"@{directive.name}", directive)


def described(coordinate: str, part: Any) -> Iterator[Part]:
    """Yield a part, and its arguments."""
    yield Part(coordinate, part.description, getattr(part, "deprecation_reason", None))
    for name, argument in getattr(part, "args", {}).items():
        yield from described(f"{coordinate}({name}:)", argument)


PARTS = list(parts())


def test_descriptions_have_no_words_that_only_who_builds_the_gateway_knows() -> None:
    told = {
        each.coordinate: each.description
        for each in PARTS
        if JARGON.search(f"{each.description} {each.deprecation}")
    }
    assert {name: text for name, text in told.items() if name not in EXPLAINED} == {}


def test_every_deprecation_says_what_to_use_instead() -> None:
    """It begins with what to do, and what it names is there."""
    names = {re.split(r"[.(@:)]", each.coordinate)[-1] for each in PARTS}
    for each in PARTS:
        if each.deprecation is not None:
            assert re.match(r"(Use|Set|Read|Ask for) `", each.deprecation), each
            named = re.findall(r"`(\w+)`", each.deprecation)
            assert set(named) <= names, each
