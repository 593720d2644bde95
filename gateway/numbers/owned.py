"""Owned numbers: one, many or a page of them, from whichever family has them, in fewest calls.

In layers, each a class that builds on the one before, so that a request makes one object for all:
which family is asked (`family_choice.py`), single calls (`owned_calls.py`), lists
(`owned_lists.py`), look-ups together (`lookup_batches.py`), what is filled in from the other family
(`filling_in.py`), and here what others ask for.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from functools import cached_property
from typing import Final

from gateway.errors import (
    GatewayError,
    OfAnotherAccount,
    UpstreamNotFound,
    believe_missing,
)
from gateway.mapping.filled import Part
from gateway.mapping.homes import NOWHERE, OF_CATALOG, Home, needed, needed_beside_list
from gateway.mapping.records import View
from gateway.numbers.filling_in import FillingIn
from gateway.numbers.list_pages import Slice
from gateway.numbers.lookups import OwnedList, PhoneNumberLookup
from gateway.numbers.owned_calls import views_of
from gateway.numbers.side_reads import SideReads
from gateway.numbers.sifting import Verdict
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.families import (
    CATALOG,
    CORE,
    FAMILIES,
    MAX_PAGE_SIZE,
    Family,
)
from gateway.upstream.public_facts import PublicFacts
from schema.info import FieldPath
from schema.selections import NOTHING, SelectedFields

_OF_LOOK_UPS: Final = frozenset({"_loader", "_loaders", "_asked"})


class OwnedNumbers(FillingIn, kw_only=True):
    """The owned numbers as one request sees them.

    Attributes:
        seen: in which accounts numbers were seen.
    """

    _before: "OwnedNumbers | None" = None
    _facts: PublicFacts
    _exchange_calls: int = 0

    @cached_property
    def beside(self) -> SideReads:
        """What is read beside them."""
        if self._before is not None:
            return self._before.beside
        return SideReads(self._reader, self._facts, self._exchange_calls)

    async def one(
        self,
        key: PhoneNumberLookup,
        at: FieldPath,
        needs: Home = NOWHERE,
        *,
        alone: bool = False,
    ) -> View | None:
        """Return one number; None when the account has no such one.

        When it is known that no other field asks for one, it is asked for `alone`, without waiting
        for what could be asked together with it. It is asked for where it can be told what is
        needed, and filled in from elsewhere if need be.
        """
        number = self._already_read(key) if self._unsorted or self._read else None
        beside: asyncio.Future[Part] | None = None
        if number is not None:
            call = FAMILIES[number.source].get_call(key.account, number.sid)
            self._reader.trace.note_spared(call, "primed", (at,))
        else:
            family: Family | None = None
            if needs is not NOWHERE and needs is not OF_CATALOG:
                family, beside = self._prepare(key, needs, at)
            source = (
                family or self._known_family(key.account) if alone and key.by == "sid" else None
            )
            try:
                if source is None:
                    number = await self._looked_up(key, family, at, alone=alone)
                else:
                    call = source.get_call(key.account, key.value)
                    number = self._read_as(source, key, await self._reader.read(call, (at,)))
            except GatewayError as error:
                if source is not None and isinstance(error, UpstreamNotFound):
                    believe_missing(error)
                    return None
                if beside is None or isinstance(error, OfAnotherAccount):
                    raise
                return await self._told_by_core(beside, error)
            if number is None:
                return None
        if not self._lacks(number, needs):
            return number
        [number] = await self.complete(number.home, [number], needs, at, beside=beside)
        return number

    def _looked_up(
        self, key: PhoneNumberLookup, family: Family | None, at: FieldPath, *, alone: bool
    ) -> Awaitable[View | None]:
        """Look a number up in a family, or in whichever serves the account."""
        if alone and key.by == "number":
            return self._by_number(key, family, at)
        self._asked[family, key].append(at)
        return (self._loader if family is None else self._loaders[family]).load(key)

    async def page(
        self, asked: OwnedList, at: FieldPath, selected: SelectedFields = NOTHING
    ) -> Slice:
        """Return a page of numbers, asked for where what is selected can be told, and filled in.

        Raises:
            UnsupportedFilters: no family that the account has knows all filters.
            BadUserInput: the cursor is not of this list.
        """
        account, needs = asked.account, needed(selected)
        family, listed = await self._listed(asked, needs, at, self._judge)
        self._note_read(account, listed.items)
        if family is CATALOG:
            needs = needed_beside_list(selected, listed.items)
        if listed.items and self._lacks(listed.items[0], needs):
            items = await self.complete(account, listed.items, needs, at, asked.page)
            if self._beside:
                listed.places.beside = [self._beside.get(each.sid, "") for each in items]
            return listed._replace(items=items)
        return listed

    async def _judge(
        self,
        family: Family,
        account: str,
        verdict: Verdict,
        at: FieldPath,
        numbers: Sequence[View],
    ) -> list[bool | None]:
        """Return which of listed numbers are looked for, by what the other answers tell of them.

        What the catalog does not list, core tells of all together; what core does not list,
        exchanges tell, as far as calls last.

        Raises:
            GatewayError: that could not be read.
        """
        if family is CORE:
            if await self._is_served_by_catalog(account):
                return [None] * len(numbers)  # Its own list is used: nobody is shown this one.
            located = await self.beside.exchanges.locate_first(numbers, at)
            return list(map(verdict, located))
        keys = [PhoneNumberLookup(account, "sid", number.sid) for number in numbers]
        verdicts: list[bool | None] = []
        for part in await self._told(CORE, keys, None, at):
            if isinstance(part, Exception):
                raise part
            verdicts.append(None if part is None else verdict(part))
        return verdicts

    async def look_for(
        self,
        account: str,
        sids: Iterable[str],
        found: dict[str, View],
        at: FieldPath,
        calls: SpareCalls,
    ) -> bool:
        """Look for numbers in an account that need not have any of them, as far as `calls` last.

        The account is none that the catalog can be asked about. What it has goes into `found`,
        also if an error ends it.

        Returns:
            Whether it has no others of those that are looked for.
        """
        left = set(sids)
        query, total, pages = "", 0, 0
        # A page may show that there is none; it tells no more of one number than asking for that.
        while len(left) > max(1, pages):
            if not calls.take(1):
                return False
            page = await self._page(CORE, account, {}, query, MAX_PAGE_SIZE, at=at)
            pages += 1
            total += len(page.items)
            numbers = [each for each in views_of(CORE, account, page.items) if each]
            self._note_read(account, numbers)
            found |= {each.sid: each for each in numbers if each.sid in left}
            left.difference_update(each.sid for each in numbers)
            self._sizes.learn(account, total, more=page.next_query is not None)
            if page.next_query is None:
                return True
            query = page.next_query
        for each in left:
            if not calls.take(1):
                return False
            number = await self.shown(CORE, PhoneNumberLookup(account, "sid", each), at)
            if number is not None:
                found[each] = number
        return True

    def note_gain(self, account: str) -> None:
        """Note that an account owns a number more."""
        self._sizes.grow(account)

    def afresh(self) -> "OwnedNumbers":
        """Return the owned numbers as they are now: nothing read before is used."""
        return OwnedNumbers(
            self._reader.alone(),
            self._access,
            self.seen,
            self._sizes,
            _facts=self._facts,
            _before=self,
        )

    def forget(self) -> None:
        """Forget what was read: something was changed."""
        for each in _OF_LOOK_UPS & vars(self).keys():
            delattr(self, each)  # They are made when they are used.
        self._unsorted.clear()
        self._read.clear()
