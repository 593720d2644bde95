"""The GraphQL schema that clients see; it knows no HTTP and no upstream (`…_port.py`)."""

from functools import cache

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from schema._compat import core_schema, mark_one_of
from schema.info import Info
from schema.mutation import Mutation
from schema.nodes import Account, AvailablePhoneNumber, PhoneNumber
from schema.query import Query
from schema.scalars import SCALARS
from schema.subscription import Subscription


@cache  # It takes longer than all else that a gateway is made of, and knows none.
def build_schema() -> strawberry.Schema:
    """Return the whole schema; resolvers find a `Port` in `info.context`."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=(PhoneNumber, AvailablePhoneNumber, Account),
        config=StrawberryConfig(
            scalar_map=SCALARS,
            info_class=Info,
            enable_experimental_incremental_execution=True,
        ),
    )
    mark_one_of(schema)
    return schema


def build_core_schema() -> GraphQLSchema:
    """Return the whole schema as graphql-core's, which validates and executes."""
    return core_schema(build_schema())
