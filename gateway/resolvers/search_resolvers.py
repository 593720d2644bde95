"""Searches: implements `schema.read_port.Search` over `gateway.numbers`."""

from asyncio import Future, create_task
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from gateway.auth.caller import Caller
from gateway.mapping.homes import only_catalog_tells
from gateway.mapping.records import View
from gateway.numbers import cursors
from gateway.numbers.country_rules import PRICE_FOR_SALE, CountryRules
from gateway.numbers.relay_pages import FoundPage, Places, Standing
from gateway.numbers.search import Failure, Found, Merged, Result, Search, nearest_first
from gateway.numbers.search_request import (
    CountrySearch,
    Near,
    SearchRequest,
    Similar,
    SimilarSearch,
)
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


class SearchResolvers:
    """Resolves fields that are numbers to buy; equal searches of one request are one."""

    def __init__(self, search: Search, rules: CountryRules, caller: Caller, trace: Trace) -> None:
        self._search = search
        self._rules = rules
        self._caller = caller
        self._trace = trace
        self._searches: dict[tuple[Any, ...], _Search] = {}
        self._near: Near = {}

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
        found = self._available(key, lambda: asked, at, selected)
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

        def make() -> SearchRequest:
            return asked.within(account, country.code).telling(selected)

        found = self._available(key, make, at, selected)
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
    ) -> Sequence[Future[AvailablePhoneNumberConnection] | None]:
        """See `schema.read_port.Search`."""
        asked = SimilarSearch.parse(
            within=within, first=first, within_miles=within_miles, after=after
        )
        sought = asked.near_each(cast("Sequence[View]", numbers), self._near)
        seen = ("similar", asked.page, *only_catalog_tells(selected))
        requests: dict[tuple[str, bool], SearchRequest] = {}

        def make(near: Similar) -> SearchRequest:
            """Return a search; those for numbers of which as much is known differ in values."""
            kind = (near.country, near.is_alone)
            if asked.page.cursor is None and kind in requests:
                return requests[kind].like(near)
            request = requests[kind] = near.request(asked.page).telling(selected)
            return request

        fields = Counter(map(id, sought))
        coming: dict[int, Future[Any] | None] = {id(None): None}
        for each in sought:
            if each is None or id(each) in coming:
                continue
            account, country, wanted, origin, _ = each
            key = (account, country, *seen, origin, *wanted.items())

            work = partial(make, each)
            coming[id(each)] = self._available(key, work, at, selected, fields[id(each)])
        return [coming[id(each)] for each in sought]

    def forget(self) -> None:
        """Forget what was found: something was written since."""
        self._searches.clear()

    def _available(
        self,
        key: tuple[object, ...],
        make: Callable[[], SearchRequest],
        at: FieldPath,
        selected: SelectedFields,
        fields: int = 1,
    ) -> Future[Any]:
        """Begin a search; equal searches of one request are one, and share the page.

        Args:
            key: the same for equal searches: of many, only one need be made.
            make: makes it.
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
            work = self._cut_out(make, at, priced=priced)
            search = self._searches[key] = _Search(create_task(work), self._trace)
            fields -= 1
        if fields:
            search.share(at, fields)
        return search.wait()

    async def _cut_out(
        self, make: Callable[[], SearchRequest], at: FieldPath, *, priced: bool
    ) -> FoundPage:
        """Cut a page out of a result: searches have no pages upstream."""
        asked = make()
        first, prices = asked.first, None
        if priced and self._search.may_ask_core(asked):
            # Core tells no prices of numbers: their list is read beside the search.
            prices = begun(self._rules.prices(asked.country, at))
        result = await self._search.run(asked, at)
        found = result.found
        if asked.order is not None:
            found = [Found(nearest_first(result.numbers))]
        merged = Merged(found, asked.start)
        if len(merged.numbers) < first and result.more and asked.start is not None:
            # Others have come before the number that the page stands behind.
            result = await self._search.run(asked._replace(first=2 * first), at)
            merged = Merged(result.found, asked.start)
        shown = merged.numbers[:first]
        if priced:
            shown = await self._rules.priced(shown, at, asked.country, prices)
        page = FoundPage(shown, partial(_standing, asked, result, merged, len(shown)))
        page.exhaustive = result.exhaustive
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
    places = Places(asked.list_id, [("", asked.skip + place) for place in range(shown)])
    places.tell = merged.tell
    end = None
    if goes_on and not rest:
        place = asked.skip + shown - 1
        end = cursors.Cursor(asked.list_id(), "", place, *merged.tell_end())
    return Standing(places, more, merged.earlier, end=end)


class _Search(Shared[FoundPage]):
    """A search of one field, and of those that were spared its calls."""

    __slots__ = ("_sharing", "_trace")

    def __init__(self, task: Future[FoundPage], trace: Trace) -> None:
        super().__init__(task)
        self._trace = trace
        self._sharing: dict[FieldPath, int] = {}

    def share(self, at: FieldPath, fields: int) -> None:
        """Note that other fields at a place have it, too."""
        self._sharing[at] = self._sharing.get(at, 0) + fields
        if self.task.done():
            self._note(self.task)

    def _tell(self, task: Future[FoundPage]) -> None:
        self._note(task)
        super()._tell(task)

    def _note(self, task: Future[FoundPage]) -> None:
        if self._sharing and not task.cancelled() and task.exception() is None:
            for call in task.result().calls:
                for at, fields in self._sharing.items():
                    self._trace.note_spared(call, "coalesced", (at,), fields)
        self._sharing.clear()


def _branch_error(failure: Failure) -> BranchError:
    return BranchError(
        type=failure.branch.type,
        area_code=failure.branch.area_code,
        message=failure.error.message,
        code=BranchErrorCode.__members__.get(failure.error.code, BranchErrorCode.UPSTREAM_ERROR),
    )
