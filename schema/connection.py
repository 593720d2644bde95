"""Relay connections: pages of numbers with cursors.

Cursors are made and read by the gateway (they wrap the upstream's own page references); here are
only their types.
"""

import strawberry
from strawberry import field

from schema.directives import part
from schema.enums import BranchErrorCode, NumberType
from schema.nodes import Account, AvailablePhoneNumber, PhoneNumber


@strawberry.type(description="Where a page of a connection stands.", directives=[part()])
class PageInfo:
    has_next_page: bool = field(description="There is more behind `endCursor`.")
    has_previous_page: bool = field(description="Something comes before `startCursor`.")
    start_cursor: str | None = field(
        description="Where to go back from, with `before`: cursor of the first edge, null without"
        " edges; or of where the gateway stopped looking towards the list's start, see"
        " `PhoneNumberConnection.exhaustive`."
    )
    end_cursor: str | None = field(
        description="Where to go on, with `after`: cursor of the last edge, null without edges; or"
        " of where the gateway stopped looking, see `exhaustive` of the connection."
    )


@strawberry.type(description="An owned number and its place in the list.", directives=[part()])
class PhoneNumberEdge:
    cursor: str = field(
        description="Opaque; pass it as `after` to continue behind this number, or as `before` to"
        " go back from it."
    )
    node: PhoneNumber = field(description="The number.")


@strawberry.type(description="A page of owned numbers.", directives=[part()])
class PhoneNumberConnection:
    edges: list[PhoneNumberEdge] = field(description="The numbers with their cursors.")
    nodes: list[PhoneNumber] = field(description="The numbers alone.")
    page_info: PageInfo = field(description="Where this page stands.")
    exhaustive: bool = field(
        description="The account is known to have no matching number beyond this page, in the"
        " direction in which it is read. False: there may be more; while `hasNextPage`, ask for the"
        " next page. By what the upstream does not filter by, the gateway filters itself, over up"
        " to 5,000 numbers for a page: then a page can have fewer numbers than asked for, or none,"
        " and `pageInfo` tells from where to look on. False, too, when numbers up to there were"
        " left out of which it is not known whether they match, see `PhoneNumberFilter.lata`."
    )


@strawberry.type(description="An account and its place in the list.", directives=[part()])
class AccountEdge:
    cursor: str = field(
        description="Opaque; pass it as `after` to continue behind this account, or as `before` to"
        " go back from it."
    )
    node: Account = field(description="The account.")


@strawberry.type(description="A page of accounts.", directives=[part()])
class AccountConnection:
    edges: list[AccountEdge] = field(description="The accounts with their cursors.")
    nodes: list[Account] = field(description="The accounts alone.")
    page_info: PageInfo = field(description="Where this page stands.")


@strawberry.type(
    description="An available number and its place in the result.", directives=[part()]
)
class AvailablePhoneNumberEdge:
    cursor: str = field(description="Opaque; pass it as `after` to continue behind this number.")
    node: AvailablePhoneNumber = field(description="The number.")


@strawberry.type(
    description="One of the searches that a list-valued filter fans out into, failed.",
    directives=[part()],
)
class BranchError:
    type: NumberType = field(description="The kind of number that was searched.")
    area_code: str | None = field(
        description="The area code that was searched, when one was given."
    )
    message: str = field(description="What went wrong.")
    code: BranchErrorCode = field(description="The reason, for programs.")


@strawberry.type(description="A page of numbers that can be bought.", directives=[part()])
class AvailablePhoneNumberConnection:
    edges: list[AvailablePhoneNumberEdge] = field(description="The numbers with their cursors.")
    nodes: list[AvailablePhoneNumber] = field(description="The numbers alone.")
    page_info: PageInfo = field(description="Where this page stands.")
    exhaustive: bool = field(
        description="The upstream is known to have no matching number beyond those counted here."
        " False: there may be more. While `hasNextPage`, ask for the next page, also behind one"
        " with fewer numbers than asked for, or none: what the upstream does not filter by, the"
        " gateway looks for over up to 5,000 numbers of a search at a time. Then ask for less at"
        " once: add `areaCodes`, `region`, `locality` or digits to `contains`."
    )
    branch_errors: list[BranchError] = field(
        description="Searches of a fan-out (`types`, `areaCodes`) that failed; the others are kept."
    )
