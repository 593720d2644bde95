"""Searches: implements `schema.read_port.Search` over `gateway.numbers`."""

from asyncio import create_task
from collections import Counter
from collections.abc import Awaitable, Generator, Hashable, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, cast

from gateway.auth.caller import Caller
from gateway.mapping.homes import only_catalog_tells
from gateway.mapping.records import View
from gateway.numbers import cursors
from gateway.numbers.country_rules import PRICE_FOR_SALE, CountryRules
from gateway.numbers.relay_pages import FoundPage, Places, Standing
from gateway.numbers.search import (
    Failure,
    Found,
    Merged,
    Result,
    Search,
    nearest_first,
)
from gateway.numbers.search_request import (
    CountrySearch,
    SearchRequest,
    SimilarSearch,
)
from gateway.numbers.similar_searches import SimilarSearches
from gateway.upstream.call import Answer, Call
from gateway.upstream.call_trace import Trace
from gateway.waiting import Shared, begun
from schema.connection import (
    AvailablePhoneNumberConnection,
    BranchError,
)
from schema.enums import BranchErrorCode, NumberType, SimilarScope
from schema.info import FieldPath
from schema.nodes import Country, PhoneNumber
from schema.selections import SelectedFields
from schema.together import Made


class SearchResolvers:
    """Resolves fields that are numbers to buy; equal searches of one request are one."""

    def __init__(
        self,
        search: Search,
        similar: SimilarSearches,
        rules: CountryRules,
        caller: Caller,
        trace: Trace,
    ) -> None:
        self._search = search
        self._similar = similar
        self._rules = rules
        self._caller = caller
        self._trace = trace
        self._searches: dict[tuple[Any, ...], _Search] = {}

    async def available_phone_numbers(
        self,
        country: str,
        *,
        at: FieldPath,
        selected: SelectedFields,
        **search: Any,  # noqa: ANN401 - see `SearchRequest.parse`
    ) -> AvailablePhoneNumberConnection:
        """See `schema.read_port.Search`."""
        asked = SearchRequest.parse(self._caller, country=country, **search).telling(selected)
        seen = (asked.order, asked.origin, asked.wishes)
        key = (
            asked.account,
            country,
            *asked.types,
            *asked.wanted.items(),
            *seen,
            asked.first,
            search["after"],
        )
        found = self._available(key, asked, at, selected)
        return cast("AvailablePhoneNumberConnection", await found)

    async def available_in(
        self,
        country: Country,
        *,
        type: NumberType,  # noqa: A002
        first: int,
        after: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> AvailablePhoneNumberConnection | None:
        """See `schema.read_port.Search`."""
        asked = CountrySearch.parse(type=type, first=first, after=after)
        if country.types and type not in country.types:
            return None
        account = self._caller.credential.account
        key = (account, country.code, asked, *only_catalog_tells(selected))
        request = asked.within(account, country.code).telling(selected)
        found = self._available(key, request, at, selected)
        return cast("AvailablePhoneNumberConnection", await found)

    def similar_available(
        self,
        numbers: Sequence[PhoneNumber],
        *,
        within: SimilarScope,
        within_miles: int | None,
        first: int,
        after: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> Sequence[Awaitable[AvailablePhoneNumberConnection] | None]:
        """See `schema.read_port.Search`."""
        asked = SimilarSearch.parse(
            within=within, first=first, within_miles=within_miles, after=after
        )
        sought = self._similar.each(asked, cast("Sequence[View]", numbers), selected)
        fields = Counter(map(id, sought))
        coming: dict[int, Awaitable[Any] | None] = {id(None): None}
        for each in sought:
            if each is None or id(each) in coming:
                continue
            which = (asked.page, each.wishes, each.origin, *each.wanted.items())
            key = (each.account, each.country, "similar", *which)
            coming[id(each)] = self._available(key, each, at, selected, fields[id(each)])
        return [coming[id(each)] for each in sought]

    def forget(self) -> None:
        """Forget what was found: something was written since."""
        self._searches.clear()

    def _available(
        self,
        key: tuple[object, ...],
        asked: SearchRequest,
        at: FieldPath,
        selected: SelectedFields,
        fields: int = 1,
    ) -> Awaitable[Any]:
        """Begin a search; equal searches of one request are one, and share the page.

        Args:
            key: the same for equal searches.
            asked: what is asked.
            at: the field that asks.
            selected: what it wants told.
            fields: how many objects of a list ask for it.
        """
        priced = PRICE_FOR_SALE in selected
        key = (*key, priced)
        try:
            search = self._searches.get(key)
        except TypeError:  # Lists and objects have no hash, but are rare here.
            key = (repr(key),)
            search = self._searches.get(key)
        if search is None:
            parts = self._search, self._rules, self._trace
            search = self._searches[key] = _Search(*parts, key, asked, at, priced=priced)
            fields -= 1
        if fields:
            search.share(at, fields)
        return search


def _page(asked: SearchRequest, result: Result) -> FoundPage:
    """Return the page of a result that was asked for."""
    found = result.found
    if asked.order is not None:
        found = [Found(nearest_first(result.numbers))]
    merged = Merged(found, asked.start)
    shown = merged.numbers[: asked.first]
    page = FoundPage(shown, partial(_standing, asked, result, merged, len(shown)))
    page.exhaustive = result.exhaustive and len(merged.numbers) <= asked.first
    page.branch_errors = [_branch_error(failure) for failure in result.failures]
    page.calls = result.calls
    return page


def _standing(asked: SearchRequest, result: Result, merged: Merged, shown: int) -> Standing:
    """Return where a page of a result stands, which shows so many numbers."""
    rest = len(merged.numbers) > asked.first
    goes_on = result.goes_on and asked.order is None
    # What the upstream gives no further page of can be gone on with from a full page alone:
    # `exhaustive` tells the rest.
    more = rest or goes_on or (result.more and shown == asked.first)
    places = Places(asked.list_id, lambda: [("", asked.skip + place) for place in range(shown)])
    places.tell = merged.tell
    end = None
    if goes_on and not rest:
        place = asked.skip + shown - 1
        end = cursors.Cursor(asked.list_id(), "", place, *merged.tell_end())
    return Standing(places, more, merged.earlier, end=end)


class _Search(Made):
    """A search of one field, and of those that were spared its calls: awaited, it is its page.

    What one call finds has no task: who waits for it first makes the page of the answer.
    """

    def __init__(
        self,
        search: Search,
        rules: CountryRules,
        trace: Trace,
        key: Hashable,
        asked: SearchRequest,
        at: FieldPath,
        *,
        priced: bool,
    ) -> None:
        """Begin it.

        Args:
            search: searches.
            rules: knows prices.
            trace: is told of calls that were spared.
            key: the same for equal searches.
            asked: what is asked.
            at: the field that asks.
            priced: prices are wanted, too.
        """
        self._search = search
        self._rules = rules
        self._trace = trace
        self._key = key
        self._asked = asked
        self._at = at
        self._priced = priced
        self._sharing: dict[FieldPath, int] = {}
        self._calls: list[Call] = []  # Those that were answered.
        self._answer: Answer | None = None
        self._page: FoundPage | None = None
        self._task: Shared[FoundPage] | None = None
        self._begun = None if priced else search.begin(asked, at)
        if self._begun is None:
            self._go_on()

    def share(self, at: FieldPath, fields: int) -> None:
        """Note that other fields at a place have it, too."""
        self._sharing[at] = self._sharing.get(at, 0) + fields
        for call in self._calls:
            self._trace.note_spared(call, "coalesced", (at,), fields)

    async def made_of(self) -> Hashable:
        """Return what was asked and, when it is there, what one call has answered; see `Made`.

        None where that was not enough: what further calls answer is another thing each time.
        """
        answer = await self._first()
        if answer is None or self._task is not None:
            return None
        return self._key, sha256(answer.body).digest()

    def __await__(self) -> Generator[Any, None, FoundPage]:
        """Wait for its page.

        Raises:
            GatewayError: every branch failed; the first one's error.
        """
        return self._found().__await__()

    async def _found(self) -> FoundPage:
        answer = self._answer or await self._first()
        if self._page is None and self._task is None and answer is not None:
            found = self._search.found_at_once(self._asked, answer)
            if found is not None:
                self._page = _page(self._asked, Result([found], []))
        if self._page is None:
            page = await self._go_on().wait()
            self._note(page.calls)
            self._page = page
        return self._page

    async def _first(self) -> Answer | None:
        """Return the answer to the call that may be all; None where there is no such one."""
        begun = self._begun
        if begun is not None and self._answer is None and self._task is None:
            try:
                self._answer = await begun.coming.wait()
            except Exception:  # noqa: BLE001 - who asks for more is told of it
                return None
            self._note([begun.call])
        return self._answer

    def _go_on(self) -> Shared[FoundPage]:
        """Search as long as it takes."""
        if self._task is None:
            self._task = Shared(create_task(self._cut_out()))
        return self._task

    async def _cut_out(self) -> FoundPage:
        """Cut the page out of a result: searches have no pages upstream."""
        asked, at, prices = self._asked, self._at, None
        if self._priced and self._search.may_ask_core(asked):
            # Core tells no prices of numbers: their list is read beside the search.
            prices = begun(self._rules.prices(asked.country, at))
        result = await self._search.run(asked, at, self._begun)
        page = _page(asked, result)
        if len(page.nodes) < asked.first and result.more and asked.start is not None:
            # Others have come before the number that the page stands behind.
            page = _page(asked, await self._search.run(asked._replace(first=2 * asked.first), at))
        if self._priced:
            page.nodes = await self._rules.priced(page.nodes, at, asked.country, prices)
        return page

    def _note(self, calls: Sequence[Call]) -> None:
        """Note calls that were answered, and whom they were spared."""
        for call in calls:
            if call not in self._calls:
                self._calls.append(call)
                for at, fields in self._sharing.items():
                    self._trace.note_spared(call, "coalesced", (at,), fields)


def _branch_error(failure: Failure) -> BranchError:
    return BranchError(
        type=failure.branch.type,
        area_code=failure.branch.area_code,
        message=failure.error.message,
        code=BranchErrorCode.__members__.get(failure.error.code, BranchErrorCode.UPSTREAM_ERROR),
    )
