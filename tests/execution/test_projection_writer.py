"""The functions that projections are written as can be read, and are as their writer's page says."""

import textwrap

from graphql import GraphQLObjectType, parse
from graphql.execution import Executor
from graphql.execution.collect_fields import collect_fields

from gateway.execution import projection_writer
from gateway.execution.plain_fields import Selection, select
from gateway.execution.projection import Projector
from gateway.mapping.records import VIEWS
from schema import build_schema
from schema.enums import Source

SCHEMA = build_schema()._schema


def selected(fields: str) -> Selection:
    """Return a selection of a number."""
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


def test_the_function_made_for_a_selection_is_the_one_that_the_writer_shows() -> None:
    page = projection_writer.__doc__ or ""
    shown = [textwrap.dedent(block) for block in page.split("\n\n") if block.startswith("    ")]
    fields, function = shown
    kind = VIEWS[Source.CATALOG]["PhoneNumber"]
    written = projection_writer.write(selected(fields), kind, Projector())
    assert written.text.rstrip() == function.rstrip()
    assert set(written.names) >= {"missing", "k1", "k2", "k5", "k6", "k7"}
