"""Projections that nothing is made for beforehand: read field by field, as it is selected.

A function that is written for a selection (`projection_writer.py`) takes a tenth of the time of
reading it, and some milliseconds to be made. A document that was not seen before may never come
again; so its answer is read. What is read is the same, and what gives up gives up for the same.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLOutputType,
    GraphQLScalarType,
)

from gateway.execution.plain_fields import NotPlain, Selected, Selection
from gateway.execution.projection_writer import STRINGS, KnownNames
from gateway.mapping.filled import Filled
from gateway.mapping.records import TABLES, Field, Leaf, NestedObject, View

_Get: TypeAlias = Callable[[Any], Any]
# Types and attributes of the schema; those of a few schemas at once, as tests have them.
_MOST_LEAVES: Final = 4096


class _Block(NamedTuple):
    """Objects that numbers have in common: what they are projected to, by the bytes of `key`."""

    key: str
    known: dict[bytes, Any]


class _Step(NamedTuple):
    """What is done for a field: its value is got, and completed where it is not so already.

    Attributes:
        complete: completes a leaf; None where there is nothing to do.
        selected: of an object, or of several.
        block: where it is one that numbers have in common.
    """

    name: str
    get: _Get
    complete: _Get | None = None
    selected: Selected | None = None
    block: _Block | None = None


class Reader:
    """Reads selections of some objects, of which it remembers what is equal."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: dict[tuple[int, type], list[_Step]] = {}

    def read(self, selection: Selection, source: object) -> dict[str, Any]:
        """Return the projection of an object, with None in the places of fields that are not plain.

        Raises:
            NotPlain: only graphql-core knows what it is.
        """
        kind = source.__class__
        steps = self._steps.get((id(selection), kind)) or self._plan(selection, kind)
        made: dict[str, Any] = {}
        for name, get, complete, selected, block in steps:
            if selected is not None:
                made[name] = self._below(selected, get, block, source)
            else:
                value = get(source)
                made[name] = value if complete is None else complete(value)
        return made

    def _plan(self, selection: Selection, kind: type) -> list[_Step]:
        table: Mapping[str, Field] = {}
        if issubclass(kind, View):
            if kind.typename != selection.type.name:
                raise NotPlain
            if not issubclass(kind, Filled):
                table = TABLES[kind.source][kind.typename]
        steps = self._steps[id(selection), kind] = []
        for name, selected in selection.fields.items():
            if selected is None or not selected.attribute:
                steps.append(_Step(name, _always(selected and selection.type.name)))
            elif selected.below is None:
                steps.append(_Step(name, *_leaf(kind, selected.attribute, selected.type)))
            else:
                get, entry = _getter(kind, selected.attribute), table.get(selected.attribute)
                block = None
                if isinstance(entry, NestedObject) and entry.repeats:
                    block = _Block(entry.keys[0], {})
                steps.append(_Step(name, get, None, selected, block))
        return steps

    def _below(self, selected: Selected, get: _Get, block: _Block | None, source: Any) -> Any:  # noqa: ANN401 - JSON
        if block is not None:
            content = getattr(source.raw, block.key)
            if content.__class__ is msgspec.Raw:
                content = bytes(content)
                if content not in block.known:
                    block.known[content] = self._completed(selected, selected.type, get(source))
                return block.known[content]
        return self._completed(selected, selected.type, get(source))

    def _completed(self, selected: Selected, kind: GraphQLOutputType, value: object) -> Any:  # noqa: ANN401 - JSON
        if isinstance(kind, GraphQLNonNull):
            kind = kind.of_type
            if value is None:
                raise NotPlain
        if value is None:
            return None
        if isinstance(kind, GraphQLList):
            if not isinstance(value, list | tuple):
                raise NotPlain
            return [self._completed(selected, kind.of_type, each) for each in value]
        if selected.below is None:
            raise NotPlain
        return self.read(selected.below, value)


def _always(value: object) -> _Get:
    return lambda _: value


def _getter(kind: type, attribute: str) -> _Get:
    """Return what gets an attribute of objects of one class."""
    if not issubclass(kind, View):
        return attrgetter(attribute)
    member = getattr(kind, attribute)
    if isinstance(member, property) and member.fget is not None:
        return member.fget
    return _always(member)


@lru_cache(maxsize=_MOST_LEAVES)
def _leaf(kind: type, attribute: str, wanted: GraphQLOutputType) -> tuple[_Get, _Get | None]:
    """Return what gets a leaf of objects of one class, and what completes it; None for nothing."""
    if not issubclass(kind, View):
        return _getter(kind, attribute), _complete(wanted, is_read=False)
    entry = None if issubclass(kind, Filled) else TABLES[kind.source][kind.typename].get(attribute)
    if isinstance(wanted, GraphQLEnumType) and isinstance(entry, Leaf) and len(entry.keys) == 1:
        return _member(entry, wanted), None
    return _getter(kind, attribute), _complete(wanted, is_read=True)


def _member(entry: Leaf, wanted: GraphQLEnumType) -> _Get:
    """Return what gets the name of an enum's member, by how the upstream spells it."""
    there = attrgetter(f"raw.{entry.keys[0]}")
    names = KnownNames(getattr(entry.read, "names", {}), entry.read, wanted.coerce_output_value)

    def named(view: View) -> Any:  # noqa: ANN401 - a name, or None
        value = there(view)
        is_usual = value is None or value.__class__ is str
        return names[value] if is_usual else names.look_up(value)

    return named


def _complete(wanted: GraphQLOutputType, *, is_read: bool) -> _Get | None:
    """Return what completes a leaf; where it `is_read` from a record, strings are such already."""
    if isinstance(wanted, GraphQLNonNull):
        within = _complete(wanted.of_type, is_read=is_read)

        def required(value: object) -> Any:  # noqa: ANN401 - JSON
            completed = value if within is None else within(value)
            if completed is None:
                raise NotPlain
            return completed

        return required
    if isinstance(wanted, GraphQLList):
        each = _complete(wanted.of_type, is_read=is_read)

        def listed(value: Any) -> Any:  # noqa: ANN401 - JSON
            return value if value is None or each is None else [each(item) for item in value]

        return listed
    if not isinstance(wanted, GraphQLScalarType | GraphQLEnumType):
        raise NotPlain
    if is_read and wanted.name in STRINGS:
        return None
    output = wanted.coerce_output_value

    def shown(value: object) -> Any:  # noqa: ANN401 - JSON
        return None if value is None else output(value)

    return shown
