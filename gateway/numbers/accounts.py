"""Accounts and countries, as one request sees them. Both are known to the core family only."""

from gateway.errors import UpstreamMalformed, UpstreamNotFound, believe_missing
from gateway.mapping.records import View, view
from gateway.upstream.families import CORE, MOST_PAGES
from gateway.upstream.flights import Reader
from gateway.upstream.ownership import check_owner
from schema.enums import Source
from schema.info import FieldPath


class Accounts:
    """Accounts and the countries in which they can buy numbers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def one(self, sid: str, at: FieldPath) -> View | None:
        """Return an account; None when the caller's credentials show no such one."""
        try:
            answer = await self._reader.read(CORE.account_call(sid), (at,))
        except UpstreamNotFound as error:
            believe_missing(error)
            return None
        found = _whole(view("Account", Source.CORE, answer.json(), sid), "sid")
        check_owner(found.sid, sid, Source.CORE)
        return found

    async def subaccounts(self, parent: str, at: FieldPath) -> list[View]:
        """Return the accounts that `parent` owns, itself left out."""
        account = self._reader.credential.account
        found: list[View] = []
        call = CORE.subaccounts_call(account, (("PageSize", "1000"),))
        for _ in range(MOST_PAGES):
            page = CORE.read_accounts(await self._reader.read(call, (at,)))
            for item in page.items:
                each = view("Account", Source.CORE, item)
                if each is None:
                    continue
                each = _whole(each, "sid")
                if each.sid != parent and each.owner_account_sid == parent:
                    found.append(each)
            if page.next_query is None:
                return found
            call = CORE.subaccounts_call(account, page.next_query)
        raise UpstreamMalformed("The upstream's list of accounts does not end.")

    async def countries(self, at: FieldPath) -> list[View]:
        """Return the countries in which the caller's account can buy numbers."""
        call = CORE.countries_call(self._reader.credential.account)
        items = CORE.read_countries(await self._reader.read(call, (at,)))
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


def _whole(found: View | None, name: str) -> View:
    """Return an account or a country if it has its name: anything else is of another shape."""
    if found is None or not getattr(found, name):
        raise UpstreamMalformed("The upstream's answer is not what its API promises.")
    return found
