"""The schema as clients see it."""

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from schema import build_schema as build
from tests.support.paths import ROOT

SDL = ROOT / "schema" / "schema.graphql"


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Yield everything that must have a description, with it."""
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        yield name, kind.description
        if isinstance(kind, GraphQLEnumType):
            for label, value in kind.values.items():
                yield f"{name}.{label}", value.description
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for label, field in kind.fields.items():
                yield f"{name}.{label}", field.description
                for argument, definition in field.args.items():
                    yield f"{name}.{label}({argument})", definition.description
        if isinstance(kind, GraphQLInputObjectType):
            for label, entry in kind.fields.items():
                yield f"{name}.{label}", entry.description


def test_the_committed_schema_is_the_one_in_the_code() -> None:
    assert SDL.read_text() == build().as_str() + "\n", "run: number-gateway schema > " + str(SDL)


def test_the_committed_schema_can_be_built_by_other_tools() -> None:
    assert build_schema(SDL.read_text()).query_type is not None


def test_everything_in_the_schema_has_a_description() -> None:
    bare = [name for name, text in described(build()._schema) if not (text or "").strip()]
    assert bare == []
