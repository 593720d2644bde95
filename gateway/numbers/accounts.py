"""Accounts and countries, as one request sees them. Both are known to the core family only."""

from collections.abc import Callable, Sequence
from functools import partial

from gateway.errors import UpstreamMalformed, UpstreamNotFound, believe_missing
from gateway.mapping.records import View, view
from gateway.numbers.list_pages import Slice, UpstreamList, read_slice
from gateway.numbers.lookup_strategy import Sizes
from gateway.numbers.lookups import SubaccountList
from gateway.numbers.relay_pages import Places
from gateway.upstream.families import CORE, MAX_PAGE_SIZE, MOST_PAGES, UpstreamPage
from gateway.upstream.flights import Reader
from gateway.upstream.ownership import check_owner
from schema.enums import AccountStatus, AccountType, Source
from schema.info import FieldPath


class AccountCounts:
    """What lists that were read have told of accounts: facts for plans and costs.

    They are kept by the fingerprint of the credentials that read them, and so are told to nobody
    who has not been told by the upstream.

    Attributes:
        subaccounts: how many accounts an account owns.
        countries: in how many countries an account can buy numbers.
    """

    def __init__(self, countries: Sizes | None = None) -> None:
        self.subaccounts = Sizes()
        self.countries = countries or Sizes()

    def told(self, *, all_accounts: bool) -> "AccountCounts":
        """Return what may be told of them: whoever may not see all accounts learns no count."""
        return self if all_accounts else AccountCounts(self.countries)


class Accounts:
    """Accounts and the countries in which they can buy numbers."""

    def __init__(self, reader: Reader, counts: AccountCounts | None = None) -> None:
        self._reader = reader
        self._counts = counts or AccountCounts()

    async def one(self, sid: str, *at: FieldPath) -> View | None:
        """Return an account; None when the caller's credentials show no such one."""
        try:
            answer = await self._reader.read(CORE.account_call(sid), at)
        except UpstreamNotFound as error:
            believe_missing(error)
            return None
        found = _whole(view("Account", Source.CORE, answer.json(), sid), "sid")
        check_owner(found.sid, sid, Source.CORE)
        return found

    async def listed(self, at: FieldPath) -> tuple[list[View], bool]:
        """Return the accounts that the credentials reach, and whether there are more than these."""
        page = await self._page("", MAX_PAGE_SIZE, at=at)
        found = (view("Account", Source.CORE, item) for item in page.items)
        return [each for each in found if each is not None], page.next_query is not None

    async def subaccounts(
        self, asked: SubaccountList, sees: Callable[[str], bool] | None, at: FieldPath
    ) -> Slice:
        """Return a page of the accounts that an account owns, itself left out.

        Args:
            asked: which page, of which account.
            sees: tells which accounts the caller may see; None for all.
            at: the field that asks.

        Raises:
            BadUserInput: the page cannot be had.
        """
        if not self.may_have_subaccounts(asked.account):
            return Slice([], Places(str, list), earlier=False, more=False)
        listing = UpstreamList(
            asked.list_id,
            partial(self._page, at=at),
            partial(_subaccounts, asked.account, sees),
            # The account itself is among them; one more tells whether there are more.
            size=asked.page.size + 2 if sees is None else MAX_PAGE_SIZE,
            gaps=True,
        )
        return await read_slice(listing, asked.page)

    def may_have_subaccounts(self, account: str) -> bool:
        """Whether an account can own others: who asks lists their own, and those own none."""
        return account == self._reader.credential.account

    async def all_subaccounts(self, parent: str, at: FieldPath) -> list[View]:
        """Return all accounts that `parent` owns, itself left out."""
        found: list[View] = []
        query = ""
        for _ in range(MOST_PAGES):
            page = await self._page(query, MAX_PAGE_SIZE, at=at)
            found += [each for each in _subaccounts(parent, None, page.items) if each is not None]
            if page.next_query is None:
                return found
            query = page.next_query
        raise UpstreamMalformed("The upstream's list of accounts does not end.")

    async def _page(self, query: str, size: int, number: int = 0, *, at: FieldPath) -> UpstreamPage:
        del number  # Its pages have names of their own.
        asked = query or (("PageSize", str(min(size, MAX_PAGE_SIZE))),)
        call = CORE.subaccounts_call(self._reader.credential.account, asked)
        page = CORE.read_accounts(await self._reader.read(call, (at,)))
        if page.next_query is not None and page.next_query == query:
            raise UpstreamMalformed("The upstream's next page is the page itself.")
        if not query:
            reader = self._reader.credential
            below = sum(each is not None for each in _subaccounts(reader.account, None, page.items))
            self._counts.subaccounts.learn(
                reader.fingerprint, below, more=page.next_query is not None
            )
        return page

    async def countries(self, at: FieldPath) -> list[View]:
        """Return the countries in which the caller's account can buy numbers."""
        call = CORE.countries_call(self._reader.credential.account)
        items = CORE.read_countries(await self._reader.read(call, (at,)))
        self._counts.countries.learn(self._reader.credential.fingerprint, len(items), more=False)
        found = (view("Country", Source.CORE, item) for item in items)
        return [_whole(country, "code") for country in found if country is not None]

    async def country(self, code: str, at: FieldPath) -> View | None:
        """Return one country; None when numbers cannot be bought there."""
        call = CORE.country_call(self._reader.credential.account, code)
        try:
            answer = await self._reader.read(call, (at,))
        except UpstreamNotFound as error:
            believe_missing(error)
            return None
        return _whole(view("Country", Source.CORE, answer.json()), "code")


def is_inactive(account: View) -> bool:
    """Whether an account is said to be suspended or closed."""
    return account.status not in {None, AccountStatus.ACTIVE}


def is_on_trial(account: View) -> bool:
    """Whether an account is said to be a trial account."""
    kind: object = account.type  # To type checkers it is that of a number.
    return kind is AccountType.TRIAL


def _subaccounts(
    parent: str, sees: Callable[[str], bool] | None, items: Sequence[object]
) -> list[View | None]:
    """Return the views of a list's items; None for each that is not below, or not to be seen."""
    found: list[View | None] = []
    for item in items:
        each = view("Account", Source.CORE, item)
        if each is not None:
            each = _whole(each, "sid")
            is_below = each.sid != parent and each.owner_account_sid == parent
            if not is_below or (sees is not None and not sees(each.sid)):
                each = None
        found.append(each)
    return found


def _whole(found: View | None, name: str) -> View:
    """Return an account or a country if it has its name: anything else is of another shape."""
    if found is None or not getattr(found, name):
        raise UpstreamMalformed("The upstream's answer is not what its API promises.")
    return found
