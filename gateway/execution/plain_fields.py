"""Plain fields of a selection: those whose values can be had without calling anything.

A plain field takes no arguments and has no resolver: its value is an attribute of the object, or a
place in an upstream record that a mapping table names.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    is_leaf_type,
)
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.execution._compat import CollectedFields, FieldDetails, is_attribute
from gateway.mapping.filters import to_field

Details: TypeAlias = list[FieldDetails]
# Fields of all types of a schema; of a few schemas, as tests have them.
_MOST_MEMBERS: Final = 4096
_INCREMENTAL: Final = frozenset({"stream", "defer"})


class NotPlain(Exception):
    """A value that only graphql-core knows what to do with."""


FORESEEN: Final = (NotPlain, GatewayError, GraphQLError)
"""What a projection gives up for: values that are not plain, and errors of the fields' own."""


class Collector(Protocol):
    """What knows what is selected below fields: graphql-core's executor, or `Collecting`."""

    def collect_subfields(self, kind: GraphQLObjectType, details: Details, /) -> CollectedFields:
        """Return the fields that are selected of objects of type `kind`, the values of a field."""


class Selected(NamedTuple):
    """A plain field of a selection: its type, and what is selected below it."""

    attribute: str
    type: GraphQLOutputType
    below: "Selection | None"


class Selection(Struct, frozen=True):
    """Plain fields of one object type by response name, in order.

    `__typename` is an empty attribute; None keeps the place of a field that is not plain.
    """

    type: GraphQLObjectType
    fields: Mapping[str, Selected | None]


def select(collector: Collector, kind: GraphQLObjectType, details: Details) -> Selection | None:
    """Return the tree of plain fields below `details`; None when not all of them are plain."""
    groups, deferred, _ = collector.collect_subfields(kind, details)
    if deferred:
        return None
    fields: dict[str, Selected] = {}
    for name, group in groups.items():
        selected = plain(collector, kind, group)
        if selected is None:
            return None
        fields[name] = selected
    return Selection(kind, fields)


def plain(collector: Collector, kind: GraphQLObjectType, group: Details) -> Selected | None:
    """Return a field of a selection if it and everything below it is plain."""
    known = _member(kind, group[0].node.name.value)
    if known is None:
        return None
    for one in group:
        for directive in one.node.directives or ():
            if directive.name.value in _INCREMENTAL:
                return None
    if known.below is None:
        return known.selected
    below = select(collector, known.below, group)
    return known.selected._replace(below=below) if below else None


class _Member(NamedTuple):
    """A field that may be plain: what it is without what is below, and the type of that."""

    selected: Selected
    below: GraphQLObjectType | None


@lru_cache(maxsize=_MOST_MEMBERS)
def _member(kind: GraphQLObjectType, name: str) -> _Member | None:
    """Return a field of a type; None if it is not plain, whatever is below."""
    if name == "__typename":
        return _Member(Selected("", GraphQLString, None), None)
    definition = kind.fields.get(name)
    if definition is None or definition.args or not is_attribute(definition.resolve):
        return None
    inner = item_type(definition.type)
    selected = Selected(to_field(name), definition.type, None)
    if is_leaf_type(inner):
        return _Member(selected, None)
    return _Member(selected, inner) if isinstance(inner, GraphQLObjectType) else None


def item_type(kind: GraphQLOutputType) -> GraphQLOutputType:
    """Return the type inside lists and non-null marks."""
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    return kind
