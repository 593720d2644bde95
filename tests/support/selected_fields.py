"""Selections of a number's plain fields, as the executor finds them in a document."""

from graphql import GraphQLObjectType, parse
from graphql.execution import Executor
from graphql.execution.collect_fields import collect_fields

from gateway.execution.plain_fields import Selection, select
from schema import build_schema

SCHEMA = build_schema()._schema


def selected(fields: str) -> Selection:
    """Return a selection of a number, written as in a document: `{ sid }`."""
    document = parse(f'{{ phoneNumber(sid: "PN") {fields} }}')
    executor = Executor.build(SCHEMA, document)
    query, kind = SCHEMA.query_type, SCHEMA.type_map["PhoneNumber"]
    assert isinstance(executor, Executor)
    assert isinstance(query, GraphQLObjectType)
    assert isinstance(kind, GraphQLObjectType)
    groups = collect_fields(
        SCHEMA, executor.fragments, executor.variable_values, query, executor.operation
    ).grouped_field_set
    selection = select(executor, kind, groups["phoneNumber"])
    assert selection is not None
    return selection
