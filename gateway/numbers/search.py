"""Searches for numbers that can be bought: which family, how many calls, and how they merge."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple, cast

from gateway.errors import GatewayError, UpstreamNotFound, believe_missing
from gateway.mapping import filters
from gateway.mapping.records import VIEWS, Record, View, note_sought, view
from gateway.numbers import cursors
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.partition import CUT_OFF_AT, Part, can_split, complete
from gateway.numbers.search_request import (
    SearchBranch,
    SearchRequest,
    asked_of_core,
)
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.call import Call
from gateway.upstream.families import CATALOG, CORE, UpstreamPage
from gateway.upstream.flights import Reader
from gateway.waiting import settled
from schema.enums import NumberType, Source
from schema.info import FieldPath


class Failure(NamedTuple):
    """A branch that failed, while others did not."""

    branch: SearchBranch
    error: GatewayError


class Result(NamedTuple):
    """What searches found.

    Attributes:
        found: what each branch found, in order; None for one that failed.
        more: more are there, or may be, and can be had by asking for more.
        exhaustive: no matching number is left out, as far as the upstream lets us know.
        failures: branches whose search failed.
        calls: the upstream calls that were made for it.
    """

    found: list[list[View] | None]
    more: bool
    exhaustive: bool
    failures: list[Failure]
    calls: list[Call]


class Merged:
    """Numbers of several branches behind a cursor: one of each in turn, each number once.

    Attributes:
        numbers: the numbers.
        earlier: there are others before the cursor.
    """

    def __init__(
        self, found: Sequence[Sequence[View] | None], start: cursors.Cursor | None
    ) -> None:
        self._found = found
        self._seen = start.seen if start is not None else ()
        begins = [
            _behind(numbers, seen) for numbers, seen in zip_longest(found, self._seen[: len(found)])
        ]
        self._begins = begins
        turn = start.turn % len(found) if start is not None else 0
        turns = [*range(turn, len(found)), *range(turn)]
        merged: dict[str, tuple[View, int]] = {}
        rest = [[(each, at) for each in (found[at] or ())[begins[at] :]] for at in turns]
        for entry in chain.from_iterable(zip_longest(*rest)):
            if entry is not None:
                merged.setdefault(entry[0].phone_number, entry)
        entries = list(merged.values())
        self.earlier = any(begins)
        if start is not None and not start.seen:  # A cursor that counts only.
            self.earlier = bool(entries[: start.place + 1])
            del entries[: start.place + 1]
        self.numbers = [number for number, _ in entries]
        self._branches = [at for _, at in entries]

    def tell(self, place: int) -> tuple[tuple[cursors.Seen, ...], int]:
        """Return what a cursor behind the number at `place` tells: see `Places`."""
        shown = Counter(self._branches[: place + 1])
        told: list[cursors.Seen] = []
        for at, numbers in enumerate(self._found):
            begin = self._begins[at]
            if numbers is None:
                told.append(self._seen[at] if at < len(self._seen) else cursors.Seen(0, ""))
                continue
            last = numbers[: begin + shown[at]][-cursors.TRAIL :]
            trail = cursors.trail([each.phone_number for each in last], len(self._found))
            told.append(cursors.Seen(begin, trail))
        return tuple(told), (self._branches[place] + 1) % len(self._found)


def nearest_first(found: Iterable[Sequence[View] | None]) -> list[View]:
    """Return what branches found in order of distance, each number once; unknown ones come last."""
    numbers = {each.phone_number: each for numbers in found for each in numbers or ()}

    def place(number: View) -> tuple[bool, float, str]:
        miles = number.distance_miles
        return miles is None, miles or 0.0, number.phone_number

    return sorted(numbers.values(), key=place)


def _behind(numbers: Sequence[View] | None, seen: cursors.Seen | None) -> int:
    """Return the place at which what a branch found goes on behind what was seen of it."""
    if not numbers or seen is None:
        return 0
    behind = seen.behind([each.phone_number for each in numbers])
    return min(seen.start, len(numbers)) if behind is None else behind


class Found(NamedTuple):
    """What one branch found; see `Result`."""

    numbers: list[View]
    more: bool
    exhaustive: bool
    calls: list[Call]


class Search:
    """Searches as one request makes them."""

    def __init__(self, reader: Reader, numbers: OwnedNumbers, partition: int) -> None:
        self._reader = reader
        self._numbers = numbers
        self._partition = partition
        self._allowance = SpareCalls(partition)

    async def run(self, asked: SearchRequest, at: FieldPath) -> Result:
        """Find the numbers, if there are so many, and those before them; more may come along.

        Raises:
            UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
            GatewayError: every branch failed; the first one's error.
        """
        branches = asked.branches
        source = await self._source(asked, at)
        search = self._catalog if source is Source.CATALOG else self._core
        outcomes = await settled([search(asked, each, at) for each in branches])
        found: list[Found] = []
        numbers: list[list[View] | None] = []
        failures: list[Failure] = []
        for branch, outcome in zip(branches, outcomes, strict=True):
            if isinstance(outcome, GatewayError):
                failures.append(Failure(branch, outcome))
                numbers.append(None)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                found.append(outcome)
                numbers.append(outcome.numbers)
        if failures and not found:
            raise failures[0].error
        return Result(
            numbers,
            any(each.more for each in found),
            not failures and all(each.exhaustive for each in found),
            failures,
            [call for each in found for call in each.calls],
        )

    async def _source(self, asked: SearchRequest, at: FieldPath) -> Source:
        """Return the family to ask: the first that can answer, and that the account has.

        Raises:
            UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
        """
        source, *others = asked.sources
        account = asked.account
        if source is Source.CORE or await self._numbers.family(account, at) is CATALOG:
            return source
        if not others:
            raise asked.without_catalog(self._numbers.without_catalog(account))
        return Source.CORE

    async def _core(self, asked: SearchRequest, branch: SearchBranch, at: FieldPath) -> Found:
        account, country, most = asked.account, branch.country, asked.most
        calls: list[Call] = []
        size = asked.page_size(Source.CORE, branch)
        keeps = branch.test(Source.CORE)
        sought = asked.sought(branch)

        async def ask(wanted: Mapping[str, Any]) -> Part:
            path = filters.CORE_SEARCH_PATHS[branch.type.name]
            call = CORE.search_call(account, country, path, asked_of_core(country, wanted), size)
            calls.append(call)
            try:
                part = await self._part(call, branch.type, size, at)
            except UpstreamNotFound as error:
                believe_missing(error)
                # Of another account this may be because the credentials do not reach it.
                own = account == self._reader.credential.home
                whose = "" if own else f" for account {account}"
                raise UpstreamNotFound(
                    f"country: {country} has no {branch.type.name} numbers that can be searched"
                    f"{whose}.",
                    status=error.status,
                    upstream_code=error.upstream_code,
                    request_id=cast("str | None", error.details.get("upstreamRequestId")),
                ) from None
            note_sought(part.numbers, sought)
            if keeps is None:
                return part
            return Part([each for each in part.numbers if keeps(each)], part.cut_off)

        part = await ask(branch.wanted)
        if not part.cut_off:
            return Found(part.numbers, more=False, exhaustive=True, calls=calls)
        if len(part.numbers) >= most:
            more = len(part.numbers) > most or can_split(country, branch.wanted, self._partition)
            return Found(part.numbers, more, exhaustive=False, calls=calls)
        numbers, everything = await complete(
            part.numbers,
            ask,
            country=country,
            wanted=branch.wanted,
            most=most,
            allowance=self._allowance,
        )
        more = not everything and len(numbers) >= most
        return Found(numbers, more, exhaustive=everything, calls=calls)

    async def _part(self, call: Call, kind: NumberType, size: int, at: FieldPath) -> Part:
        items = CORE.read_search(await self._reader.read(call, (at,)))
        token, shown = str(kind.value), VIEWS[Source.CORE]["AvailablePhoneNumber"]
        numbers: list[View] = []
        for item in items:
            number: View | None
            if isinstance(item, Record):
                number = shown(item)
            else:
                number = view("AvailablePhoneNumber", Source.CORE, item)
            if number is None or not number.raw.phone_number:
                continue
            if number.raw.type is None:
                # Records are shared, but whoever reads this answer asked for the same type.
                number.raw.type = token
            numbers.append(number)
        return Part(numbers, cut_off=len(items) >= size or len(items) in CUT_OFF_AT)

    async def _catalog(self, asked: SearchRequest, branch: SearchBranch, at: FieldPath) -> Found:
        account, most = asked.account, asked.most
        place = (("Geography.IsoCountry", branch.country), ("Type", str(branch.type.value)))
        size = asked.page_size(Source.CATALOG, branch)
        keeps = branch.test(Source.CATALOG)
        sought = asked.sought(branch)
        bounded = keeps is not None or asked.order is not None
        call = CATALOG.search_call(account, branch.wanted, place, size)
        numbers: list[View] = []
        calls: list[Call] = []
        while True:
            calls.append(call)
            page: UpstreamPage = CATALOG.read_page(await self._reader.read(call, (at,)))
            shown = [
                number
                for item in page.items
                if (number := view("AvailablePhoneNumber", Source.CATALOG, item))
                and number.phone_number
            ]
            note_sought(shown, sought)
            numbers += shown if keeps is None else filter(keeps, shown)
            looked_enough = bounded and len(calls) >= asked.most_pages(Source.CATALOG, branch)
            if page.next_query is None or len(numbers) >= most or not shown or looked_enough:
                exhaustive = page.next_query is None
                more = not exhaustive and len(numbers) >= most
                return Found(numbers, more, exhaustive, calls)
            call = CATALOG.search_page_call(account, page.next_query)
