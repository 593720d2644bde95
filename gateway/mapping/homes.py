"""PURE: which of an account's two APIs tells a field of its numbers, and which a selection needs.

Where an account has the catalog, every field of its numbers has one home, read from the tables of
`records.py`, and is always shown as its home tells it: a number has the same fields by whatever
route it comes. Where an account has no catalog, core tells everything that can be told.

    Home.CATALOG  any answer of the catalog; also what both tell, since they may differ
    Home.LISTED   the catalog's lists and purchases alone, not its answer for one number
    Home.CORE     the 2010-04-01 API alone, or every answer of it and only lists of the catalog

What is the same everywhere, such as the sid, has no home: any answer will do. What a list of the
catalog tells of each of its numbers, as core does, core is not asked for beside it.
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final, TypeAlias

import msgspec

from gateway.mapping._compat import to_camel_case
from gateway.mapping.records import (
    CATALOG,
    CORE,
    TABLES,
    Alternative,
    Leaf,
    NestedObject,
    Table,
    View,
)
from schema.enums import Source
from schema.selections import SelectedFields


class Home(enum.Flag):
    """Answers of the upstream that are needed, or that tell a field."""

    CATALOG = 1
    LISTED = 2
    CORE = 4

    # Enum's own hashes the name, in Python; each of them is one object.
    __hash__ = object.__hash__


NOWHERE: Final = Home(0)
# To find a member by its class takes a tenth of a microsecond.
OF_CATALOG: Final = Home.CATALOG
# What no answer leaves out, and what is the same in all.
_ANYWHERE = frozenset({"id", "sid", "account_sid", "phone_number"})
# Fields that depend on where a number belongs, and look at it themselves.
_OF_ITS_PLACE: Mapping[str, Home] = {
    "PhoneNumber.monthlyPrice": Home.CATALOG,
    "PhoneNumber.similarAvailable": Home.CATALOG,
}


def _told(table: Table, typename: str, home: Home) -> Iterator[tuple[str, Home]]:
    """Yield the fields that one API tells from `typename` on, each with its home there."""
    for name, field in table[typename].items():
        if not isinstance(field, Alternative) and field.inferred:
            continue
        if isinstance(field, NestedObject):
            there = Home.LISTED if field.listed_only else home
            yield from _told(table, field.typename, there)
        elif not (typename == "PhoneNumber" and name in _ANYWHERE):
            listed_only = isinstance(field, Leaf) and field.listed_only
            yield f"{typename}.{to_camel_case(name)}", Home.LISTED if listed_only else home


def _homes() -> dict[str, Home]:
    homes = {**dict(_told(CORE, "PhoneNumber", Home.CORE)), **_OF_ITS_PLACE}
    for name, home in _told(CATALOG, "PhoneNumber", Home.CATALOG):
        if home is Home.CATALOG or name not in homes:
            homes[name] = home
    return homes


HOMES: Final[Mapping[str, Home]] = _homes()
"""The home of each field that has one, as `Type.field`."""
TOLD_BY_CORE: Final = frozenset(name for name, _ in _told(CORE, "PhoneNumber", Home.CORE))
"""The fields that core tells, whether their home is there or not."""

# The types whose fields are set by the first steps of a setting's path.
_SECTIONS: Mapping[str, str] = {
    name: field.typename
    for table in (CORE["PhoneNumber"], CORE["Configuration"])
    for name, field in table.items()
    if isinstance(field, NestedObject)
}
_NAME = "friendlyName"


@lru_cache(maxsize=4096)
def needed(selected: SelectedFields) -> Home:
    """Return the answers that are needed for what is selected of numbers."""
    found = NOWHERE
    for each in selected:
        found |= HOMES.get(each, NOWHERE)
    return found


_Read: TypeAlias = Callable[[View], object]


def _listed_too(typename: str, *above: str) -> Iterator[tuple[str, _Read]]:
    """Yield what the catalog's lists tell as core does, each with what reads it."""
    for name, field in CATALOG[typename].items():
        place = f"{typename}.{to_camel_case(name)}"
        if isinstance(field, NestedObject):
            yield from _listed_too(field.typename, *above, *field.keys[-1:])
        elif isinstance(field, Leaf) and field.listed_only and place in TOLD_BY_CORE:
            yield place, _reader(field.keys[-1], *above)


def _reader(key: str, *above: str) -> _Read:
    """Return what reads one value in a block that is not decoded yet, and nothing else there."""
    block, value = attrgetter(".".join(above)), attrgetter(key)
    kind = msgspec.defstruct("OneValue", [(key, object, None)])
    decode = msgspec.json.Decoder(kind).decode
    return lambda number: value(decode(block(number.raw)))


_LISTED_TOO: Final = dict(_listed_too("PhoneNumber"))


@lru_cache(maxsize=4096)
def _apart(selected: SelectedFields) -> tuple[Home, Sequence[_Read]]:
    """Return what is needed beside a list that tells what it can, and what reads that in it."""
    read = [read for name, read in _LISTED_TOO.items() if name in selected]
    return needed(selected.difference(_LISTED_TOO)), read


def needed_beside_list(selected: SelectedFields, listed: Iterable[View]) -> Home:
    """Return the answers that are needed for what is selected of numbers that the catalog listed.

    What lists tell as core does is taken from there, if the list tells it of each number.
    """
    needs, read = _apart(selected)
    if not read:
        return needs
    try:
        told = all(each(number) for number in listed for each in read)
    except (AttributeError, TypeError, msgspec.DecodeError):
        told = False  # There is no such block, or it is not as the API promises.
    return needs if told else needed(selected)


def fields_set(settings: Mapping[str, object]) -> SelectedFields:
    """Return the fields that show settings which were given a value, as `voice.trunkSid`.

    What was cleared may show what the upstream falls back to.
    """
    found: set[str] = set()
    for path, value in settings.items():
        section, _, name = path.rpartition(".")
        if value not in {None, ""}:
            found.add(f"{_SECTIONS.get(section, 'Configuration')}.{name}")
    if f"Configuration.{_NAME}" in found:
        found.add(f"PhoneNumber.{_NAME}")
    return frozenset(found)


def fields_told(selected: SelectedFields, home: Home) -> list[str]:
    """Return, of what is selected of numbers, the fields with this home, as clients write them."""
    return sorted(each.partition(".")[2] for each in selected if HOMES.get(each, NOWHERE) & home)


# Numbers for sale ---------------------------------------------------------------------------------

_FOR_SALE: Final[Mapping[Source, frozenset[str]]] = {
    source: frozenset(name for name, _ in _told(table, "AvailablePhoneNumber", NOWHERE))
    for source, table in TABLES.items()
}


@lru_cache(maxsize=1024)
def only_catalog_tells(selected: SelectedFields) -> tuple[str, ...]:
    """Return, of what is selected of numbers for sale, what the catalog tells and core does not.

    Fields are written as clients write them.
    """
    found = selected & _FOR_SALE[Source.CATALOG] - _FOR_SALE[Source.CORE]
    return tuple(sorted(each.partition(".")[2] for each in found))
