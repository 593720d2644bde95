"""Compiled input types read what graphql-core and Strawberry read of the same, and refuse the rest."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
)
from graphql.utilities import coerce_input_value
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gateway.execution._compat import GraphQLCoreConverter, convert_argument, definition_of
from gateway.execution.compiled_inputs import Unfit, coercer, converter
from schema import build_schema

SCHEMA = build_schema()._schema
CONVERTER: GraphQLCoreConverter = definition_of(SCHEMA).schema_converter
INPUTS = sorted(
    name for name, kind in SCHEMA.type_map.items() if isinstance(kind, GraphQLInputObjectType)
)
# Values that some scalar takes, and others that none does.
LEAVES = st.sampled_from(
    [
        *("+14155550100", "PN" + "1" * 32, "AC" + "2" * 32, "US", "https://example.com/x", "12.50"),
        *("", "x", "false", 0, 1, -1, 2**40, 1.5, True, False, None, [], {}, ["x"], {"x": 1}),
    ]
)


def values(kind: GraphQLInputType, depth: int = 4) -> st.SearchStrategy[Any]:
    """Return a strategy for JSON that is mostly of a type."""
    if isinstance(kind, GraphQLNonNull):
        return values(kind.of_type, depth)
    if isinstance(kind, GraphQLList):
        items = values(kind.of_type, depth - 1)
        return st.one_of(st.lists(items, max_size=3), items, LEAVES)
    if isinstance(kind, GraphQLEnumType):
        return st.one_of(st.sampled_from([*kind.values]), LEAVES)
    if not isinstance(kind, GraphQLInputObjectType) or not depth:
        return LEAVES
    required = {
        name: values(each.type, depth - 1)
        for name, each in kind.fields.items()
        if isinstance(each.type, GraphQLNonNull)
    }
    optional = {
        name: values(each.type, depth - 1)
        for name, each in kind.fields.items()
        if name not in required
    }
    fitting = st.fixed_dictionaries(required, optional=optional)
    odd = st.fixed_dictionaries({}, optional={**required, **optional, "unknown": LEAVES})
    return st.one_of(fitting, fitting, odd, LEAVES)


def read(
    value: object, coerce: Callable[[Any], Any], convert: Callable[[Any], Any] | None
) -> object:
    """Return what compiled functions make of a value; `Undefined` when it is unfit."""
    try:
        coerced = coerce(value)
    except Unfit:
        return Undefined
    return coerced if convert is None else convert(coerced)


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_is_read_as_the_libraries_read_it(name: str) -> None:
    kind: Any = SCHEMA.type_map[name]
    made = definition_of(kind).origin
    coerce, convert = coercer(kind), converter(kind, made, CONVERTER)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(values(kind))
    def check(value: object) -> None:
        expected = coerce_input_value(value, kind)
        event("unfit" if expected is Undefined else "read")
        if expected is not Undefined:
            expected = convert_argument(expected, made, CONVERTER.scalar_registry, CONVERTER.config)
        assert read(value, coerce, convert) == expected

    check()


@pytest.mark.parametrize("value", [None, "x", ["x", None], [["x"]], 7])
def test_lists_and_what_stands_for_one_are_read_alike(value: object) -> None:
    text: Any = SCHEMA.type_map["String"]
    for kind in (GraphQLList(text), GraphQLNonNull(GraphQLList(GraphQLNonNull(text)))):
        assert read(value, coercer(kind), None) == coerce_input_value(value, kind)
