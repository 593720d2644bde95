"""The schema as clients see it."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from schema import build_schema as build
from schema.connection import NodeId, decode_id, encode_id
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


def test_ids_survive_the_round_trip() -> None:
    node = NodeId("PhoneNumber", "AC" + "0" * 32, "PN" + "f" * 32)
    assert decode_id(encode_id(node)) == node


@pytest.mark.parametrize(
    "opaque", ["", "x", "====", "é", "UGhvbmU", "\N{SNOWMAN}" * 9, "YTpiOmM6ZA"]
)
def test_what_is_no_id_of_ours_is_recognised(opaque: str) -> None:
    assert decode_id(opaque) is None
