"""PURE: an owned number of which two answers tell: each field as its home tells it.

Read like any other view. A field whose answer could not be had raises why; one whose answer does
not know the number is null.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias, cast

from gateway.mapping._compat import to_camel_case
from gateway.mapping.homes import HOMES, NOWHERE, TOLD_BY_CORE, Home
from gateway.mapping.records import CATALOG, CORE, NestedObject, View, listed_price, subclass
from schema.enums import Source

Part: TypeAlias = View | Exception | None
"""An answer's view of an object; why there is none; None where it has no such object."""
Parts: TypeAlias = Mapping[Home, Part]


TOLD_OF_ALL: Final = frozenset({"PhoneNumber.source", "PhoneNumber.monthlyPrice"})
"""What no single answer tells of a number that several tell of."""


def place_of(typename: str, name: str) -> str:
    """Return the name of a field, as `Type.field`, by its name in Python."""
    return f"{typename}.{to_camel_case(name)}"


class Homes:
    """The home of every field, where some that core tells are taken from there.

    Attributes:
        of: the home of each field that has one, as `Type.field`.
        below: the homes of what is below each nested object.
    """

    def __init__(self, from_core: frozenset[str] = frozenset()) -> None:
        self.of = {**HOMES, **dict.fromkeys(from_core & TOLD_BY_CORE, Home.CORE)}
        self.below: dict[str, Home] = {}
        self._add("PhoneNumber")

    def _add(self, typename: str) -> Home:
        found = NOWHERE
        for name, nested in _FIELDS[typename].items():
            place = place_of(typename, name)
            if nested:
                self.below[place] = self._add(nested)
            found |= self.below[place] if nested else self.of.get(place, NOWHERE)
        return found


@lru_cache(maxsize=64)
def homes_with(from_core: frozenset[str]) -> Homes:
    """Return the homes where these fields, of those that core tells, are taken from core."""
    return Homes(from_core)


class Filled(View, kw_only=True):
    """An object of which several answers tell.

    Attributes:
        parts: the answers, of which at least one is a view.
        homes: which of them tells what.
    """

    parts: Parts
    homes: Homes


def filled(parts: Parts, homes: Homes) -> View:
    """Return a number of which several answers tell, one of which at least is a view."""
    return _filled("PhoneNumber", parts, homes)


def _filled(typename: str, parts: Parts, homes: Homes) -> Filled:
    first = next(each for each in parts.values() if isinstance(each, View))
    return _VIEWS[typename](first.raw, first.home, parts=parts, homes=homes)


def _source(view: Filled) -> Source:
    """Return which family answered: the catalog, if both did."""
    sources = {part.source for part in view.parts.values() if isinstance(part, View)}
    return Source.CATALOG if Source.CATALOG in sources else Source.CORE


def _leaf(typename: str, name: str) -> Callable[[Filled], object]:
    place = place_of(typename, name)

    def read(view: Filled) -> object:
        home = view.homes.of.get(place)
        if home is None:
            part: Part = next(each for each in view.parts.values() if isinstance(each, View))
        else:
            part = view.parts.get(home)
        if isinstance(part, Exception):
            raise part.with_traceback(None)  # Each field raises it.
        return None if part is None else getattr(part, name)

    return read


def _nested(typename: str, name: str, below: str) -> Callable[[Filled], object]:
    place = place_of(typename, name)

    def read(view: Filled) -> object:
        homes = view.homes.below[place]
        parts = {
            home: getattr(part, name) if isinstance(part, View) else part
            for home, part in view.parts.items()
            if home in homes
        }
        if any(isinstance(part, View) for part in parts.values()):
            return _filled(below, parts, view.homes)
        problem = next((part for part in parts.values() if part is not None), None)
        if problem is not None:
            raise cast("Exception", problem).with_traceback(None)
        return None

    return read


def _fields() -> dict[str, dict[str, str | None]]:
    """Return the fields of each type of a number, with the type of those that are nested."""
    found: dict[str, dict[str, str | None]] = {}
    todo = ["PhoneNumber"]
    while todo:
        typename = todo.pop()
        fields = {
            name: field.typename if isinstance(field, NestedObject) else None
            for table in (CATALOG, CORE)
            for name, field in table.get(typename, {}).items()
        }
        found[typename] = fields
        todo += [nested for nested in fields.values() if nested]
    return found


def _view(typename: str, fields: Mapping[str, str | None]) -> type[Filled]:
    members: dict[str, object] = {"typename": typename}
    members["source"] = property(_source)
    for name, nested in fields.items():
        if name != "source":
            read = _nested(typename, name, nested) if nested else _leaf(typename, name)
            members[name] = property(read)
    if typename == "PhoneNumber":
        members["monthly_price"] = property(listed_price)
    return subclass(Filled, f"Filled{typename}", members)


_FIELDS: Final = _fields()
_VIEWS: Final[Mapping[str, type[Filled]]] = {
    typename: _view(typename, fields) for typename, fields in _FIELDS.items()
}
