"""What one API does not tell of owned numbers, filled in from the other for all of them at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from gateway.errors import (
    GatewayError,
    UpstreamNotFound,
    UpstreamRefused,
)
from gateway.mapping.filled import Part, Parts, filled, homes_with
from gateway.mapping.homes import NOWHERE, TOLD_BY_CORE, Home
from gateway.mapping.records import View
from gateway.numbers import lookup_strategy
from gateway.numbers.family_choice import is_listed
from gateway.numbers.lookup_batches import Found, LookupBatches
from gateway.numbers.lookups import PhoneNumberLookup
from gateway.numbers.page_request import PageRequest
from gateway.upstream.families import (
    CATALOG,
    CORE,
    Family,
)
from gateway.waiting import awaited, begun, settled
from schema.enums import Source
from schema.info import FieldPath


class FillingIn(LookupBatches):
    """Fills the numbers of one request in."""

    async def complete(
        self,
        account: str,
        numbers: Sequence[View],
        needs: Home,
        at: FieldPath,
        page: PageRequest | None = None,
        beside: Awaitable[Part] | None = None,
    ) -> list[View]:
        """Return numbers of an account with what is needed of them and another answer tells.

        It is read for all of them together. What cannot be had costs the fields that it would
        have filled in: they raise why. The `page` that they are on tells where to look for them;
        of one number, core may be asked already (`beside`).
        """
        found = await self._answers(account, numbers, needs, at, page, beside)
        if found is None:
            return list(numbers)
        telling = [home for home in found if home in needs]
        return [
            _together(dict(zip(found, parts, strict=True)), telling)
            for parts in zip(*found.values(), strict=True)
        ]

    async def _answers(
        self,
        account: str,
        numbers: Sequence[View],
        needs: Home,
        at: FieldPath,
        page: PageRequest | None = None,
        beside: Awaitable[Part] | None = None,
    ) -> dict[Home, list[Part]] | None:
        """Return all that is needed of numbers, answer by answer; None without the catalog."""
        found: dict[Home, list[Part]] = {}
        homes = {Source.CORE: Home.CORE, Source.CATALOG: Home.CATALOG}
        for source in {number.source for number in numbers}:
            found[homes[source]] = [
                number if number.source is source else None for number in numbers
            ]
        try:
            has_catalog = Home.CATALOG in found or await self.family(account, at) is CATALOG
        except GatewayError as error:
            found[Home.CATALOG] = found[Home.LISTED] = [error] * len(numbers)
            return found
        if not has_catalog:
            return None
        by_sid = [PhoneNumberLookup(account, "sid", number.sid) for number in numbers]
        if needs & (Home.CATALOG | Home.LISTED):
            known = found.get(Home.CATALOG)
            found[Home.CATALOG] = await self._told(CATALOG, by_sid, known, at, page)
        if needs & Home.CORE:
            known = found.get(Home.CORE)
            if known is None and beside is not None:
                known = await settled([self._patiently(beside, CORE, by_sid[0])])
            parts = await self._told(CORE, by_sid, known, at, page)
            found[Home.CORE] = [_not_shown() if part is None else part for part in parts]
        if needs & Home.LISTED:
            found[Home.LISTED] = await self._listed_by_catalog(account, found[Home.CATALOG], at)
        return found

    async def as_read(
        self,
        number: View,
        needs: Home,
        at: FieldPath,
        agrees: Callable[[View], bool] = lambda _: True,
    ) -> View:
        """Return a number that a write or an event has shown, as a read would show it.

        `agrees` tells whether what is read shows what was written. As long as it does not, it is
        older: then what both tell is taken from core, which has written it.
        """
        account = number.home
        of_catalog = number.source is Source.CATALOG
        if needs is not NOWHERE and of_catalog and not self.may_ask_catalog(account):
            return await self._as_core_reads(number, at)
        if not self._lacks(number, needs):
            return number
        if of_catalog:
            [shown] = await self.complete(account, [number], needs, at)
            return shown
        found = await self._answers(account, [number], needs, at)
        if found is None:
            return number
        told = {home: answers[0] for home, answers in found.items()}
        catalog = told[Home.CATALOG]
        if isinstance(catalog, View) and agrees(filled(told, homes_with(frozenset()))):
            return _together(told, [home for home in told if home in needs])
        return filled(told, homes_with(TOLD_BY_CORE))

    async def _as_core_reads(self, number: View, at: FieldPath) -> View:
        """Return a number that has moved to where these credentials cannot ask the catalog."""
        key = PhoneNumberLookup(number.home, "sid", number.sid)
        [core] = await self._told(CORE, [key], None, at)
        if isinstance(core, Exception):
            parts: Parts = {Home.CORE: core, Home.LISTED: number}
            return filled(parts, homes_with(TOLD_BY_CORE))
        return core or number

    async def _told_by_core(self, beside: Awaitable[Part], error: GatewayError) -> View:
        """Return the number that core shows where the catalog failed, whose fields raise why.

        Raises:
            GatewayError: core does not show it.
        """
        [core] = await settled([awaited(beside)])
        if not isinstance(core, View):
            raise error
        return _together({Home.CORE: core, Home.CATALOG: error, Home.LISTED: error}, Home)

    def _prepare(
        self, key: PhoneNumberLookup, needs: Home, at: FieldPath
    ) -> tuple[Family | None, asyncio.Future[Part] | None]:
        """Return the only family to ask for what is needed of a number; None for the usual one.

        Where core is needed beside the catalog, it is asked at once, and not behind it: what comes
        of that is returned, too. While it is unknown which family serves, both are asked anyway; of
        a number, only the one that is used says its sid.
        """
        if not self.may_ask_catalog(key.account):
            return None, None
        if needs is Home.CORE:
            return CORE, None
        if not needs & Home.CORE or (key.by == "sid" and self.must_find_family(key.account)):
            return None, None
        self._asked[CORE, key].append(at)
        # Nobody waits for it when there is no such number.
        return None, begun(self._loaders[CORE].load(key))

    async def _told(
        self,
        family: Family,
        keys: Sequence[PhoneNumberLookup],
        known: Sequence[Part] | None,
        at: FieldPath,
        page: PageRequest | None = None,
    ) -> list[Part]:
        """Return what a family tells of the numbers with these keys, as far as it is not known.

        They may be on one `page` of the other family's list.
        """
        parts: list[Part] = [None] * len(keys) if known is None else list(known)
        places = [place for place, part in enumerate(parts) if part is None]
        wanted = list(dict.fromkeys(keys[place] for place in places))
        if not wanted:
            return parts
        for key in wanted:
            self._asked[family, key].append(at)
        if len(wanted) == 1:
            load = self._loaders[family].load
            found = await self._each(wanted, lambda key: self._patiently(load(key), family, key))
        else:
            work = self._look_together(family, wanted, page)
            work = self._patiently(work, family, *wanted)
            [outcome] = await settled([work])
            failed = isinstance(outcome, BaseException)
            found = dict.fromkeys(wanted, outcome) if failed else outcome
        for place in places:
            part = found[keys[place]]
            if isinstance(part, BaseException) and not isinstance(part, GatewayError):
                raise part
            parts[place] = part
        return parts

    async def _look_together(
        self, family: Family, keys: Sequence[PhoneNumberLookup], page: PageRequest | None
    ) -> Found:
        """Look numbers up that stand together in one list, so that they may well in another."""
        account, found = keys[0].account, Found()
        if page is not None and is_near(page, len(keys)):
            found = await self._near(family, keys, page)
        left = [key for key in keys if key not in found]
        if left:
            found |= await self._load_account(account, left, family, listed=True)
        return found

    async def _near(
        self, family: Family, keys: Sequence[PhoneNumberLookup], asked: PageRequest
    ) -> Found:
        """Look for numbers in the pages of a list that stand nearest to a cursor of another."""
        account, left, found = keys[0].account, dict.fromkeys(keys), Found()
        query = asked.cursor.beside if asked.cursor is not None else None
        pages = 0
        while left and query and pages < lookup_strategy.NEAR_PAGES:
            try:
                page = await self._list_page(family, account, query, left, found, family)
                pages += 1
                query = page.previous_query() if asked.backwards else page.next_query
            except (UpstreamNotFound, UpstreamRefused):
                break  # What the reference names may be gone; the numbers are looked up as usual.
        self._note_primed(family, family, found, pages)
        return found

    async def _listed_by_catalog(
        self, account: str, shown: Sequence[Part], at: FieldPath
    ) -> list[Part]:
        """Return the numbers that the catalog shows, as its lists show them."""
        keys = {
            place: PhoneNumberLookup(account, "number", each.phone_number)
            for place, each in enumerate(shown)
            if isinstance(each, View) and not is_listed(each)
        }
        parts = list(shown)
        found = await self._told(CATALOG, list(keys.values()), None, at)
        for place, part in zip(keys, found, strict=True):
            parts[place] = part
        return parts


def is_near(page: PageRequest, numbers: int) -> bool:
    """Whether it is known where to look for the numbers of a page in the other family's list."""
    known = page.cursor is not None and page.cursor.beside
    return bool(known) and numbers > lookup_strategy.NEAR_PAGES


def _together(parts: Mapping[Home, Part], telling: Iterable[Home]) -> View:
    """Return a number of which these answers tell, `telling` what is needed."""
    needed = {home: parts[home] for home in telling}
    [first, *others] = needed.values()
    if isinstance(first, View) and not others:
        return first
    shown = any(isinstance(part, View) for part in needed.values())
    return filled(needed if shown else parts, homes_with(frozenset()))


def _not_shown() -> UpstreamNotFound:
    """Return why fields of a number are null that the catalog shows, and core does not."""
    return UpstreamNotFound("The 2010-04-01 API does not show this number, as others do.")
