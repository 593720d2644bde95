"""The parts of Strawberry that it does not document, as far as the schema needs them.

`tests/install/test_private_parts.py` asserts each of them.
"""

from typing import Any, Final

import strawberry
from graphql import GraphQLField, GraphQLInputObjectType, GraphQLResolveInfo, GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema_directives import OneOf
from strawberry.types.enum import EnumValueDefinition
from strawberry.types.scalar import ScalarDefinition

__all__ = [
    "EnumValueDefinition",
    "OneOf",
    "ScalarDefinition",
    "core_schema",
    "directives_of",
    "has_resolver",
    "mark_one_of",
    "resolve_info",
]

_DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Return graphql-core's schema inside Strawberry's."""
    return schema._schema  # noqa: SLF001 - it has no public name


def directives_of(part: Any) -> tuple[object, ...]:  # noqa: ANN401 - a field or a type
    """Return the directives of a part of graphql-core's schema."""
    return tuple(getattr(part.extensions.get(_DEFINITION), "directives", None) or ())


def has_resolver(field: GraphQLField) -> bool:
    """Whether a field of graphql-core's schema has a resolver; others are attributes."""
    return getattr(field.extensions.get(_DEFINITION), "base_resolver", None) is not None


def resolve_info(info: strawberry.Info[Any, Any]) -> GraphQLResolveInfo[Any]:
    """Return graphql-core's own account of the field that is resolved."""
    return info._raw_info  # noqa: SLF001 - fragments have no public name


def mark_one_of(schema: strawberry.Schema) -> None:
    """Let graphql-core know which inputs take exactly one of their fields.

    Strawberry has a directive for it, and a rule of validation that does not see what variables
    bring; graphql-core has it in introspection, validation and coercion.
    """
    for kind in core_schema(schema).type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            kind.is_one_of = any(isinstance(each, OneOf) for each in directives_of(kind))
