"""How long an answer may be kept, from the `@cacheControl` hints of the schema."""

from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)

from schema.cache_hints import CacheControl
from schema.directives import directive_of


def max_age(schema: GraphQLSchema, document: DocumentNode) -> int:
    """Return for how many seconds the answer to any operation of a valid document holds.

    It is the least of the hints of its fields; a root field without a hint counts as 0.
    """
    types = TypeInfo(schema)
    ages = _Ages(schema, types)
    visit(document, TypeInfoVisitor(types, ages))
    return min(ages.found, default=0)


@lru_cache(maxsize=4)
def _hints(schema: GraphQLSchema) -> dict[tuple[str, str], int]:
    """Return the hints by type and field."""
    found: dict[tuple[str, str], int] = {}
    for kind in schema.type_map.values():
        for name, field in kind.fields.items() if isinstance(kind, GraphQLObjectType) else ():
            directive = directive_of(field, CacheControl)
            if directive is not None:
                found[kind.name, name] = directive.max_age
    return found


class _Ages(Visitor):
    def __init__(self, schema: GraphQLSchema, types: TypeInfo) -> None:
        super().__init__()
        self.found: list[int] = []
        self._hints = _hints(schema)
        self._roots = {schema.query_type, schema.mutation_type, schema.subscription_type}
        self._types = types

    def enter_field(self, node: FieldNode, *_: Any) -> None:  # noqa: ANN401 - the visitor's form
        parent = self._types.get_parent_type()
        name = node.name.value
        if parent is None or name == "__typename":
            return
        hint = self._hints.get((parent.name, name))
        if hint is not None or parent in self._roots:
            self.found.append(hint or 0)
