"""Accounts, limits and countries: implements `schema.read_port.Accounts`."""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar, cast

from gateway.auth import rate_limits
from gateway.auth.caller import Caller
from gateway.auth.rate_limits import Spending
from gateway.mapping import purchase_requirements
from gateway.numbers.accounts import Accounts
from gateway.numbers.country_rules import CountryRules
from gateway.numbers.list_pages import page_of
from gateway.numbers.lookups import (
    AccountLookup,
    RateLimitLookup,
    SubaccountList,
)
from gateway.resolvers.recounting import Recount
from gateway.waiting import begun
from schema.connection import AccountConnection
from schema.enums import EndUser, NumberType
from schema.info import FieldPath
from schema.nodes import Account, Allowance, Country, RateLimit
from schema.values import NumberPrice, NumberToBuy, PurchaseRequirement, Requirements

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class AccountResolvers:
    """Resolves accounts, countries and their rules, and what is left of a caller's limits."""

    def __init__(
        self,
        accounts: Accounts,
        rules: CountryRules,
        caller: Caller,
        spending: Spending,
        recount: Recount | None = None,
    ) -> None:
        self._accounts = accounts
        self._rules = rules
        self._caller = caller
        self._spending = spending
        self._recount = recount

    async def account(self, sid: str | None, *, at: FieldPath) -> Account | None:
        """See `schema.read_port.Accounts`."""
        return await self._account(sid, at, 1)

    def accounts_of(
        self, sids: Sequence[str], *, at: FieldPath
    ) -> Sequence[Awaitable[Account | None]]:
        """See `schema.read_port.Accounts`."""
        return _begin_each(sids, lambda sid, fields: self._account(sid, at, fields))

    async def _account(self, sid: str | None, at: FieldPath, fields: int) -> Account | None:
        asked = AccountLookup.parse(self._caller, sid=sid)
        return cast("Account | None", await self._accounts.one(asked.account, *[at] * fields))

    async def subaccounts(
        self,
        account: Account,
        *,
        at: FieldPath,
        **page: Any,  # noqa: ANN401 - see `PageRequest.parse`
    ) -> AccountConnection:
        """See `schema.read_port.Accounts`."""
        asked = SubaccountList.of(account.sid, **page)
        sees = None if self._caller.accounts is None else self._caller.may_see
        listed = await self._accounts.subaccounts(asked, sees, at)
        if self._recount is not None:
            self._recount("Account.subaccounts", len(listed.items))
        return cast("AccountConnection", page_of(listed))

    async def rate_limit(self, account_sid: str | None) -> RateLimit:
        """See `schema.read_port.Accounts`."""
        asked = RateLimitLookup.parse(self._caller, account_sid=account_sid)
        requests, purchases = await self._spending.left(self._caller, asked.account)
        return RateLimit(requests=_allowance(requests), purchases=_allowance(purchases))

    async def countries(self, *, at: FieldPath) -> list[Country]:
        """See `schema.read_port.Accounts`."""
        found = await self._accounts.countries(at)
        if self._recount is not None:
            self._recount("Query.countries", len(found))
        return cast("list[Country]", found)

    async def country(self, code: str, *, at: FieldPath) -> Country | None:
        """See `schema.read_port.Accounts`."""
        return cast("Country | None", await self._accounts.country(code, at))

    async def prices(self, country: Country, *, at: FieldPath) -> list[NumberPrice] | None:
        """See `schema.read_port.Accounts`."""
        return await self._rules.prices(country.code, at)

    async def requirements(
        self,
        country: str | None,
        *,
        type: NumberType | None,  # noqa: A002 - the argument's name in the schema
        end_user: EndUser,
        at: FieldPath,
    ) -> Requirements | None:
        """See `schema.read_port.Accounts`."""
        return await self._requirements((country, type), end_user, at, 1)

    def requirements_of(
        self,
        kinds: Sequence[tuple[str | None, NumberType | None]],
        *,
        end_user: EndUser,
        at: FieldPath,
    ) -> Sequence[Awaitable[Requirements | None]]:
        """See `schema.read_port.Accounts`."""
        return _begin_each(
            kinds, lambda kind, fields: self._requirements(kind, end_user, at, fields)
        )

    async def _requirements(
        self,
        kind: tuple[str | None, NumberType | None],
        end_user: EndUser,
        at: FieldPath,
        fields: int,
    ) -> Requirements | None:
        country, type_ = kind
        if country is None or type_ is None:
            return None
        return await self._rules.requirements(country, type_, end_user, *[at] * fields)

    async def to_buy(
        self, number: NumberToBuy, *, end_user: EndUser, at: FieldPath
    ) -> list[PurchaseRequirement]:
        """See `schema.read_port.Accounts`."""
        law = await self.requirements(number.country, type=number.type, end_user=end_user, at=at)
        return purchase_requirements.requirements(number, law)


def _begin_each(
    keys: Sequence[K], begin: Callable[[K, int], Coroutine[Any, Any, T]]
) -> Sequence[Awaitable[T]]:
    """Begin what is asked for by each key, once for equal ones: it is told how many there are."""
    coming = {key: begun(begin(key, fields)) for key, fields in Counter(keys).items()}
    return [coming[key] for key in keys]


def _allowance(left: rate_limits.Remaining | None) -> Allowance | None:
    if left is None:
        return None
    return Allowance(
        limit=left.limit,
        window_seconds=round(left.window),
        remaining=left.remaining,
        full_in_ms=math.ceil(left.full_in * 1000),
    )
