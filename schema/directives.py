"""Directives on the schema's own fields: cost, list size, fan-out and required scopes.

`@cost` and `@listSize` follow the GraphQL Cost Directives specification, `@requiresScopes` is
Apollo's. The gateway's limits on documents, its prices
and its authorisation read them from the schema; nothing of this is written down a second time.
"""

import enum
from typing import Any, TypeVar

import strawberry
from strawberry.schema_directive import Location

from schema._compat import directives_of
from schema.bounds import USUAL_FIRST

Directive = TypeVar("Directive")


class Scope(enum.StrEnum):
    """What a token may allow its bearer."""

    NUMBERS_READ = "numbers:read"
    NUMBERS_CONFIGURE = "numbers:configure"
    NUMBERS_PURCHASE = "numbers:purchase"
    NUMBERS_TRANSFER = "numbers:transfer"
    NUMBERS_RELEASE = "numbers:release"
    ACCOUNTS_READ = "accounts:read"


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.OBJECT],
    name="cost",
    description="What one such field or object adds to an operation's cost; objects cost 1 unless"
    " said otherwise, scalars nothing.",
)
class Cost:
    weight: str = strawberry.directive_field(name="weight")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="How long a list can be: `assumedSize`, or what one of `slicingArguments` says (a"
    " number, or the length of a list). With `sizedFields` it is not about the field"
    " itself but about these lists below it. Unless `requireOneSlicingArgument` is false, exactly"
    " one of the slicing arguments has a value.",
)
class ListSize:
    assumed_size: int | None = strawberry.directive_field(
        name="assumedSize", default=strawberry.UNSET
    )
    slicing_arguments: list[str] | None = strawberry.directive_field(
        name="slicingArguments", default=strawberry.UNSET
    )
    sized_fields: list[str] | None = strawberry.directive_field(
        name="sizedFields", default=strawberry.UNSET
    )
    require_one_slicing_argument: bool | None = strawberry.directive_field(
        name="requireOneSlicingArgument", default=strawberry.UNSET
    )


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="fanOut",
    description="Lists of which each combination of items is searched for by itself: the field's"
    " cost is that of one search and 1, times the number of combinations.",
)
class FanOut:
    arguments: list[str] = strawberry.directive_field(name="arguments")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="requiresScopes",
    description="Scopes that a token needs for this field: all of one of the inner lists.",
)
class RequiresScopes:
    scopes: list[list[str]] = strawberry.directive_field(name="scopes")


def needs(scope: Scope) -> RequiresScopes:
    """Return the directive of a field that needs `scope`."""
    return RequiresScopes(scopes=[[scope.value]])


def part() -> Cost:
    """Return the directive of an object that costs nothing beyond the one that it is a part of."""
    return Cost(weight="0")


def searches() -> FanOut:
    """Return the directive of a search for numbers: the upstream takes one kind and area code."""
    return FanOut(arguments=["types", "filter.areaCodes"])


def paged(*arguments: str) -> ListSize:
    """Return the directive of a connection: one of `arguments` says how many it holds."""
    return ListSize(
        assumed_size=USUAL_FIRST,
        slicing_arguments=[*arguments],
        sized_fields=["edges", "nodes"],
        require_one_slicing_argument=False,
    )


def directive_of(part: Any, kind: type[Directive]) -> Directive | None:  # noqa: ANN401 - any part
    """Return the directive of a kind that a field or type of graphql-core's schema has."""
    return next((each for each in directives_of(part) if isinstance(each, kind)), None)
