"""Plain fields of a selection: those whose values can be had without calling anything.

A plain field takes no arguments and has no resolver: its value is an attribute of the object, or a
place in an upstream record that a mapping table names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    is_leaf_type,
)

from gateway.errors import GatewayError
from gateway.execution._compat import Executor, FieldDetails, is_attribute
from gateway.mapping.filters import to_field

Details: TypeAlias = list[FieldDetails]
_INCREMENTAL = frozenset({"stream", "defer"})


class NotPlain(Exception):
    """A value that only graphql-core knows what to do with."""


FORESEEN: Final = (NotPlain, GatewayError, GraphQLError)
"""What a projection gives up for: values that are not plain, and errors of the fields' own."""


class Selected(NamedTuple):
    """A plain field of a selection: its type, and what is selected below it."""

    attribute: str
    type: GraphQLOutputType
    below: "Selection | None"


@dataclass(frozen=True, slots=True)
class Selection:
    """Plain fields of one object type by response name, in order.

    `__typename` is an empty attribute; None keeps the place of a field that is not plain.
    """

    type: GraphQLObjectType
    fields: Mapping[str, Selected | None]


def select(executor: Executor[Any], kind: GraphQLObjectType, details: Details) -> Selection | None:
    """Return the tree of plain fields below `details`; None when not all of them are plain."""
    groups, deferred, _ = executor.collect_subfields(kind, details)
    if deferred:
        return None
    fields: dict[str, Selected] = {}
    for name, group in groups.items():
        selected = plain(executor, kind, group)
        if selected is None:
            return None
        fields[name] = selected
    return Selection(kind, fields)


def plain(executor: Executor[Any], kind: GraphQLObjectType, group: Details) -> Selected | None:
    """Return a field of a selection if it and everything below it is plain."""
    node = group[0].node
    name = node.name.value
    if name == "__typename":
        return Selected("", GraphQLString, None)
    definition = kind.fields.get(name)
    if definition is None or definition.args or not is_attribute(definition.resolve):
        return None
    directives = (each.name.value for one in group for each in one.node.directives or ())
    if not _INCREMENTAL.isdisjoint(directives):
        return None
    inner = item_type(definition.type)
    if is_leaf_type(inner):
        return Selected(to_field(name), definition.type, None)
    if not isinstance(inner, GraphQLObjectType):
        return None
    below = select(executor, inner, group)
    return Selected(to_field(name), definition.type, below) if below else None


def item_type(kind: GraphQLOutputType) -> GraphQLOutputType:
    """Return the type inside lists and non-null marks."""
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    return kind
