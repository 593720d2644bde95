"""The queries."""

from typing import Annotated, cast

import strawberry
from strawberry import argument, field
from strawberry.scalars import ID

from schema.bounds import MOST_IDS, USUAL_FIRST
from schema.cache_hints import HOUR, CacheControl
from schema.connection import AvailablePhoneNumberConnection, PhoneNumberConnection
from schema.directives import Cost, ListSize, Scope, needs, paged, searches
from schema.enums import AvailablePhoneNumberOrder, NumberType
from schema.info import Info
from schema.inputs import (
    AvailablePhoneNumberFilter,
    PhoneNumberFilter,
    PhoneNumberIdentifier,
)
from schema.nodes import (
    Account,
    After,
    Before,
    Country,
    First,
    FirstOrLast,
    Last,
    Node,
    PhoneNumber,
    RateLimit,
)
from schema.read_port import ReadPort
from schema.scalars import CountryCode

AccountSid = Annotated[
    ID | None, argument(description="The account to ask for; the caller's own when absent.")
]
# What is named by its id alone may be looked for in more than one place.
_LOOKED_FOR = Cost(weight="2")


@strawberry.type(description="What can be read.")
class Query:
    @field(
        description="One owned number, by its sid; null when the account has no such number.",
        directives=[needs(Scope.NUMBERS_READ)],
    )
    def phone_number(
        self,
        info: Info[ReadPort, None],
        sid: Annotated[ID, argument(description="The number's sid: its `id`.")],
        account_sid: AccountSid = None,
    ) -> PhoneNumber | None:
        return info.context.numbers.phone_number(  # type: ignore[return-value] # it is awaited
            sid=sid, account_sid=account_sid, at=info.at, selected=info.selected
        )

    @field(
        description="One owned number, by its sid or by the number itself; null when the account"
        " has no such number.",
        directives=[needs(Scope.NUMBERS_READ)],
    )
    async def phone_number_by_identifier(
        self,
        info: Info[ReadPort, None],
        identifier: Annotated[PhoneNumberIdentifier, argument(description="Which number.")],
        account_sid: AccountSid = None,
    ) -> PhoneNumber | None:
        return await info.context.numbers.phone_number_by_identifier(
            identifier, account_sid=account_sid, at=info.at, selected=info.selected
        )

    @field(
        description="The numbers that an account owns; null only with an error. What is bought or"
        " released between two pages makes no gap: a page continues behind the number that `after`"
        " names, or before that of `before`. When that number and the fifteen before it, or behind"
        " it, are all gone, numbers of its page may come again.",
        directives=[paged("first", "last"), needs(Scope.NUMBERS_READ)],
    )
    async def phone_numbers(
        self,
        info: Info[ReadPort, None],
        filter: Annotated[  # noqa: A002 - the argument's name in the schema
            PhoneNumberFilter | None, argument(description="Which of them.")
        ] = None,
        first: FirstOrLast = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account_sid: AccountSid = None,
    ) -> PhoneNumberConnection | None:
        return await info.context.numbers.phone_numbers(
            filter,
            first=first,
            after=after,
            last=last,
            before=before,
            account_sid=account_sid,
            at=info.at,
            selected=info.selected,
        )

    @field(
        description="Numbers that can be bought now; null only with an error. The upstream has no"
        " pages of these: each page is a new search, and continues behind the number that `after`"
        " names, so that what is bought in between makes no gap. Where the upstream cuts a search"
        " off (`exhaustive: false`) or changes its order, a number may be left out or come again.",
        directives=[paged("first"), searches(), needs(Scope.NUMBERS_READ)],
    )
    async def available_phone_numbers(
        self,
        info: Info[ReadPort, None],
        country: Annotated[CountryCode, argument(description="The country to search in.")],
        types: Annotated[
            list[NumberType] | None,
            argument(description="Kinds of numbers, `[LOCAL]` when absent; several are merged."),
        ] = None,
        filter: Annotated[  # noqa: A002 - the argument's name in the schema
            AvailablePhoneNumberFilter | None, argument(description="Which of them.")
        ] = None,
        order_by: Annotated[
            AvailablePhoneNumberOrder | None,
            argument(
                description="The order, the upstream's own when absent. It holds among the numbers"
                " that the upstream gives to this search, and to the narrower ones that are made"
                " when it cuts it off: while `exhaustive` is false, nearer ones may be missing."
            ),
        ] = None,
        first: First = USUAL_FIRST,
        after: After = None,
        account_sid: AccountSid = None,
    ) -> AvailablePhoneNumberConnection | None:
        return await info.context.search.available_phone_numbers(
            country,
            types=types,
            filter=filter,
            order_by=order_by,
            first=first,
            after=after,
            account_sid=account_sid,
            at=info.at,
            selected=info.selected,
        )

    @field(
        description="The countries in which the account can buy numbers; null only with an error.",
        directives=[
            CacheControl(max_age=HOUR),
            ListSize(assumed_size=60),
            needs(Scope.NUMBERS_READ),
        ],
    )
    async def countries(self, info: Info[ReadPort, None]) -> list[Country] | None:
        return await info.context.accounts.countries(at=info.at)

    @field(
        description="One country; null when the account cannot buy numbers there.",
        directives=[CacheControl(max_age=HOUR), needs(Scope.NUMBERS_READ)],
    )
    async def country(
        self,
        info: Info[ReadPort, None],
        code: Annotated[CountryCode, argument(description="The country's code.")],
    ) -> Country | None:
        return await info.context.accounts.country(code, at=info.at)

    @field(
        description="An account; the caller's own without `sid`.",
        directives=[needs(Scope.ACCOUNTS_READ)],
    )
    async def account(
        self,
        info: Info[ReadPort, None],
        sid: Annotated[ID | None, argument(description="The account's sid: its `id`.")] = None,
    ) -> Account | None:
        return await info.context.accounts.account(sid, at=info.at)

    @field(
        description="Any object with an `id`, by that id; an account needs `accounts:read`, too. A"
        " number is looked for where the gateway last saw it, then in the caller's account, then in"
        " its active subaccounts; null when it is in none of them. When these are more than may be"
        " asked (setting `subaccount_calls`), an error says so.",
        directives=[_LOOKED_FOR, needs(Scope.NUMBERS_READ)],
    )
    async def node(
        self,
        info: Info[ReadPort, None],
        id: Annotated[ID, argument(description="The object's id.")],  # noqa: A002
    ) -> Node | None:
        [found] = await info.context.objects.nodes(
            [id], argument="id", at=info.at, selected=info.selected
        )
        if isinstance(found, Exception):
            raise found
        return found

    @field(
        description="Several objects by their ids, in order; null for each that is not there,"
        " and null with an error of its own for each that cannot be had. Accounts need"
        " `accounts:read`, too. Numbers are looked for as by `node`, all at once.",
        directives=[
            _LOOKED_FOR,
            ListSize(slicing_arguments=["ids"]),
            needs(Scope.NUMBERS_READ),
        ],
    )
    async def nodes(
        self,
        info: Info[ReadPort, None],
        ids: Annotated[list[ID], argument(description=f"The objects' ids, up to {MOST_IDS}.")],
    ) -> list[Node | None] | None:
        # Errors among them become errors at their places.
        found = await info.context.objects.nodes(
            ids, argument="ids", at=info.at, selected=info.selected
        )
        return cast("list[Node | None]", found)

    @field(
        description="What the gateway still lets the caller do, now that this was counted; null"
        " only with an error."
    )
    async def rate_limit(
        self, info: Info[ReadPort, None], account_sid: AccountSid = None
    ) -> RateLimit | None:
        return await info.context.accounts.rate_limit(account_sid)
