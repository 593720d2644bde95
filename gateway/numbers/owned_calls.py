"""Single calls about owned numbers: what their answers show, one number or a page of a list."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gateway.errors import (
    UpstreamMalformed,
    UpstreamNotFound,
    believe_missing,
)
from gateway.mapping import filters
from gateway.mapping.records import VIEWS, Record, View, view
from gateway.numbers.family_choice import FamilyChoice
from gateway.numbers.last_seen import LastSeen
from gateway.numbers.lookups import PhoneNumberLookup
from gateway.upstream.call import Answer
from gateway.upstream.families import (
    CATALOG,
    CORE,
    MAX_PAGE_SIZE,
    Family,
    UpstreamPage,
)
from gateway.upstream.ownership import check_owner
from schema.info import FieldPath

_EVERYTHING: Mapping[str, Any] = MappingProxyType({})


class OwnedCalls(FamilyChoice):
    """The calls of one request.

    Attributes:
        seen: in which accounts numbers were seen.
    """

    seen: LastSeen

    async def shown(self, family: Family, key: PhoneNumberLookup, *at: FieldPath) -> View | None:
        """Return the number with a sid as `family` shows it; None when the account has none."""
        call = family.get_call(key.account, key.value)
        try:
            return self._read_as(family, key, await self._reader.read(call, at))
        except UpstreamNotFound as error:
            believe_missing(error)
            return None

    def _read_as(self, family: Family, key: PhoneNumberLookup, answer: Answer) -> View | None:
        """Return the number with a sid that an answer of a family shows."""
        if family is CATALOG:
            self._access.note(key.account, has=True)
        raw = family.read_one(answer)
        number = (
            VIEWS[family.source]["PhoneNumber"](raw, key.account)
            if isinstance(raw, Record)
            else view("PhoneNumber", family.source, raw, key.account)
        )
        sid = "" if number is None else number.sid
        if number is None or (sid != key.value and sid.lower() != key.value.lower()):
            raise UpstreamMalformed("The upstream shows another number than the one asked for.")
        if number.raw.account_sid != key.account:
            check_owner(number.raw.account_sid, key.account, family.source)
        if key.account != self._reader.credential.account:
            self._note_seen(key.account, (number,))
        return number

    async def _page(
        self,
        family: Family,
        account: str,
        wanted: Mapping[str, Any],
        query: str,
        size: int,
        number: int = 0,
        *,
        at: FieldPath,
        others: Sequence[FieldPath] = (),
    ) -> UpstreamPage:
        call = (
            family.page_call(account, wanted, query)
            if query
            else family.list_call(account, wanted, min(size, MAX_PAGE_SIZE), number)
        )
        try:
            page = family.read_page(await self._reader.read(call, (at,), others))
        except UpstreamNotFound as error:
            # Of the catalog's it says that the account does not have it, see `lacks_catalog`.
            if family is CORE:
                believe_missing(error)
            raise
        if family is CATALOG:
            self._access.note(account, has=True)
        if page.next_query is not None and page.next_query == query:
            raise UpstreamMalformed("The upstream's next page is the page itself.")
        return page

    def _note_seen(self, account: str, numbers: Iterable[View]) -> None:
        credential = self._reader.credential
        if account != credential.account:
            self.seen.note(credential, account, (number.sid for number in numbers))


def views_of(
    family: Family, account: str, items: Iterable[object], wanted: Mapping[str, Any] = _EVERYTHING
) -> list[View | None]:
    """Return the views of a list's items; None for each that is no number with a sid.

    None too for a number that core lists for containing the one `wanted`.
    """
    core = family is CORE
    exact = wanted.get("phoneNumber") if core else None
    # Lists of one type do not repeat it. Records are shared among those who read such a list.
    token = filters.token(wanted["type"]) if core and "type" in wanted else None
    kind = VIEWS[family.source]["PhoneNumber"]
    found: list[View | None] = []
    for item in items:
        number: View | None
        if isinstance(item, Record):
            number = kind(item, account)
        else:
            number = view("PhoneNumber", family.source, item, account)
        if number is not None:
            raw = number.raw
            if raw.account_sid != account:
                check_owner(raw.account_sid, account, family.source)
            if token is not None and raw.type is None:
                raw.type = token
            number = number if raw.phone_number and (raw.sid or raw.url) else None
        if number is not None and exact is not None and not _is(number, exact):
            number = None
        found.append(number)
    return found


def _is(number: View, exact: str) -> bool:
    """Whether a number is this one, and not listed for containing it.

    Raises:
        UpstreamMalformed: it does not even contain it.
    """
    if number.phone_number == exact:
        return True
    if exact.removeprefix("+") not in (number.phone_number or ""):
        raise UpstreamMalformed("The upstream shows another number than the one asked for.")
    return False
