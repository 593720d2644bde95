"""Searches for numbers that can be bought: which family, how many calls, and how they merge."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple, TypeAlias, cast

from gateway.errors import GatewayError, UpstreamDenied, UpstreamNotFound, believe_missing
from gateway.mapping.records import VIEWS, Record, View, note_sought, view
from gateway.numbers import cursors
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.partition import (
    CUT_OFF_AT,
    Left,
    Part,
    can_go_on,
    can_split,
    complete,
    pattern_of,
)
from gateway.numbers.search_request import (
    SearchBranch,
    SearchRequest,
)
from gateway.numbers.sifting import Test
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.call import Answer, Call
from gateway.upstream.families import CATALOG, CORE, UpstreamPage
from gateway.upstream.flights import Coming, Reader
from gateway.waiting import check_any, settled, without_frames
from schema.enums import NumberType, Source
from schema.info import FieldPath


class Failure(NamedTuple):
    """A branch that failed, while others did not."""

    branch: SearchBranch
    error: GatewayError


class Found(NamedTuple):
    """What one branch found, from where it was read.

    Attributes:
        numbers: those that are wanted.
        more: more are there, or may be, and can be had by asking for more.
        goes_on: there are further pages, to which a cursor leads.
        exhaustive: no matching number is left out, as far as the upstream lets us know.
        calls: the upstream calls that were made for it.
        names: all that were looked at; None where all of them are wanted.
        places: the place of each of the numbers among those looked at; None where all are wanted.
        pages: the queries of the upstream's pages, with the places at which they begin.
        rest: the query that goes on behind all of them, where that is no page of the upstream's.
    """

    numbers: list[View]
    more: bool = False
    goes_on: bool = False
    exhaustive: bool = False
    calls: Sequence[Call] = ()
    names: Sequence[str] | None = None
    places: Sequence[int] | None = None
    pages: Sequence[tuple[str, int]] = (("", 0),)
    rest: str = ""

    def looked_at(self, start: int = 0, end: int | None = None) -> Sequence[str]:
        """Return the numbers that were looked at, between two places of them."""
        if self.names is not None:
            return self.names[start:end]
        return [each.phone_number for each in self.numbers[start:end]]

    def behind(self, place: int) -> int:
        """Return how many of the numbers stand before a place among those looked at."""
        return place if self.places is None else bisect_left(self.places, place)

    def next_place(self, shown: int) -> int:
        """Return the place up to which all were looked at, when so many numbers were shown."""
        if shown >= len(self.numbers):
            return len(self.numbers if self.names is None else self.names)
        return shown if self.places is None else self.places[shown]

    def page_of(self, place: int) -> tuple[str, int]:
        """Return the page in which the number before a place is, and where it begins."""
        return next((each for each in reversed(self.pages) if each[1] < place), self.pages[0])


class Result(NamedTuple):
    """What searches found.

    Attributes:
        found: what each branch found, in order; None for one that failed.
        failures: branches whose search failed.
    """

    found: list[Found | None]
    failures: list[Failure]

    @property
    def exhaustive(self) -> bool:
        """Whether no matching number is left out, as far as the upstream lets us know."""
        return all(each is not None and each.exhaustive for each in self.found)

    @property
    def numbers(self) -> list[View]:
        """All numbers that were found, branch by branch."""
        return [number for each in self.found if each for number in each.numbers]

    @property
    def more(self) -> bool:
        """Whether more are there, or may be, and can be had by asking for more."""
        return any(each.more for each in self.found if each)

    @property
    def goes_on(self) -> bool:
        """Whether there are further pages, to which a cursor leads."""
        return any(each.goes_on for each in self.found if each)

    @property
    def calls(self) -> list[Call]:
        """The upstream calls that were made for it."""
        return [call for each in self.found if each for call in each.calls]


class Merged:
    """Numbers of several branches behind a cursor: one of each in turn, each number once.

    Attributes:
        numbers: the numbers.
        earlier: there are others before the cursor.
    """

    numbers: list[View]

    def __init__(self, found: Sequence[Found | None], start: cursors.Cursor | None) -> None:
        self._found = found
        self._seen: Sequence[cursors.Seen] = ()
        self._turn = 0
        # Where each branch goes on, as a place among what was looked at; and how many numbers of
        # it stand before that.
        self._begins = self._shown = [0] * len(found)
        self.earlier = False
        if start is not None:
            self._go_on(start)
        self._branches: Sequence[int]
        if len(found) == 1:
            [only] = found
            numbers = only.numbers[self._shown[0] :] if only is not None else []
            self.numbers = _once(numbers)
            self._branches = [0] * len(self.numbers)
        else:
            self._take_turns()
        if start is not None and not start.seen:  # A cursor that counts only.
            passed = start.place + 1
            self.earlier = bool(self.numbers[:passed])
            self.numbers, self._branches = self.numbers[passed:], self._branches[passed:]

    def _go_on(self, start: cursors.Cursor) -> None:
        """Begin where a cursor says."""
        found = self._found
        self._seen = start.seen[: len(found)]
        self._begins = [
            behind(each.looked_at(), seen) if each and seen else 0
            for each, seen in zip_longest(found, self._seen)
        ]
        self._shown = [
            each.behind(begin) if each else 0
            for each, begin in zip(found, self._begins, strict=True)
        ]
        self._turn = start.turn % len(found)
        self.earlier = any(self._begins) or any(each.query for each in self._seen)

    def _take_turns(self) -> None:
        """Take one number of each branch in turn."""
        turns = [*range(self._turn, len(self._found)), *range(self._turn)]
        merged: dict[str, tuple[View, int]] = {}
        rest = [
            [(number, at) for number in each.numbers[self._shown[at] :]]
            for at in turns
            if (each := self._found[at]) is not None
        ]
        for entry in chain.from_iterable(zip_longest(*rest)):
            if entry is not None:
                merged.setdefault(entry[0].phone_number, entry)
        self.numbers = [number for number, _ in merged.values()]
        self._branches = [at for _, at in merged.values()]

    def tell(self, place: int) -> tuple[tuple[cursors.Seen, ...], int]:
        """Return what a cursor behind the number at `place` tells: see `Places`."""
        shown = Counter(self._branches[: place + 1])
        told = [self._told(at, self._shown[at] + shown[at]) for at in range(len(self._found))]
        return tuple(told), (self._branches[place] + 1) % len(self._found)

    def tell_end(self) -> tuple[tuple[cursors.Seen, ...], int]:
        """Return what a cursor behind all that was looked at tells."""
        told = [
            self._told(at, len(each.numbers) if each else 0) for at, each in enumerate(self._found)
        ]
        return tuple(told), self._turn

    def _told(self, at: int, shown: int) -> cursors.Seen:
        """Return how far a branch was seen when so many of its numbers were shown."""
        seen = self._seen[at] if at < len(self._seen) else cursors.Seen(0, "")
        found, begin = self._found[at], self._begins[at]
        if found is None:
            return seen
        place = max(begin, found.next_place(shown))
        query, base = found.page_of(place)
        names = found.looked_at(max(begin, place - cursors.TRAIL), place)
        trail = cursors.extended(seen.trail, names, len(self._found))
        if found.rest and found.goes_on and place >= len(found.looked_at()):
            return cursors.Seen(0, trail, found.rest)
        return cursors.Seen(max(0, begin - base), trail, query)


def _once(numbers: list[View]) -> list[View]:
    """Return numbers in their order, each once."""
    once: dict[str, View] = {}
    for each in numbers:
        once.setdefault(each.phone_number, each)
    return numbers if len(once) == len(numbers) else list(once.values())


def nearest_first(numbers: Iterable[View]) -> list[View]:
    """Return numbers in order of distance, each once; unknown ones come last."""
    once = {each.phone_number: each for each in numbers}

    def place(number: View) -> tuple[bool, float, str]:
        miles = number.distance_miles
        return miles is None, miles or 0.0, number.phone_number

    return sorted(once.values(), key=place)


def behind(names: Sequence[str], seen: cursors.Seen) -> int:
    """Return the place at which a branch goes on behind what was seen of it."""
    place = seen.behind(names)
    return min(seen.start, len(names)) if place is None else place


class Begun(NamedTuple):
    """A search of which the first call was begun.

    Attributes:
        call: the call.
        coming: its answer.
    """

    call: Call
    coming: Coming


Outcome: TypeAlias = Found | BaseException


class Search:
    """Searches as one request makes them."""

    def __init__(self, reader: Reader, numbers: OwnedNumbers, partition: int) -> None:
        self._reader = reader
        self._numbers = numbers
        self._partition = partition
        self._allowance = SpareCalls(partition)

    def begin(self, asked: SearchRequest, at: FieldPath) -> Begun | None:
        """Begin a search that a single call of core may do; None for one that takes more.

        Raises:
            UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
            TooManyCalls: the request may make no more calls.
        """
        branch, *others = asked.branches
        if others or asked.start is not None or asked.order is not None:
            return None
        if self._source(asked) is not Source.CORE:
            return None
        call = asked.first_call or asked.core_call(branch, branch.wanted)
        return Begun(call, self._reader.begin(call, (at,)))

    def found_at_once(self, asked: SearchRequest, answer: Answer) -> Found | None:
        """Return what the only call of a search found; None when it takes more than that."""
        if answer.decoded is None:
            return None
        [branch] = asked.branches
        part = _part_of(asked, branch, answer, branch.test(Source.CORE))
        return self._enough(asked, branch, part, ())

    async def run(self, asked: SearchRequest, at: FieldPath, begun: Begun | None = None) -> Result:
        """Find the numbers, if there are so many, and those before them; more may come along.

        Args:
            asked: what to find.
            at: the field that asks.
            begun: what `begin` has returned, if that was called.

        Raises:
            UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
            GatewayError: every branch failed; the first one's error.
        """
        if begun is not None:
            return Result([await self._core(asked, asked.branches[0], at, begun)], [])
        if asked.start is not None and self._reader.keeps("search"):
            asked = asked._replace(steps=True)
        branches = asked.branches
        source = self._source(asked)
        if source is not None and len(branches) == 1:
            one = await self._search_of(source)(asked, branches[0], at)
            return Result([one], [])
        outcomes = await (
            self._of_either(asked, at)
            if source is None
            else self._each(source, asked, branches, at)
        )
        found: list[Found | None] = []
        failures: list[Failure] = []
        for branch, outcome in zip(branches, outcomes, strict=True):
            if isinstance(outcome, GatewayError):
                failures.append(Failure(branch, outcome))
                found.append(None)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                found.append(outcome)
        if len(failures) == len(found):
            raise failures[0].error
        for failure in failures:
            without_frames(failure.error)
        return Result(found, failures)

    def may_ask_core(self, asked: SearchRequest) -> bool:
        """Whether core is asked in any case, as far as is known."""
        source, *others = asked.sources
        unknown = self._numbers.must_find_family(asked.account)
        may_ask = self._numbers.may_ask_catalog(asked.account)
        return source is Source.CORE or (bool(others) and (unknown or not may_ask))

    def _source(self, asked: SearchRequest) -> Source | None:
        """Return the first family that can answer and serves; None while that is unknown.

        Raises:
            UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
        """
        numbers, account = self._numbers, asked.account
        source, *others = asked.sources
        if source is Source.CORE or (others and not numbers.may_ask_catalog(account)):
            return Source.CORE
        if not numbers.may_ask_catalog(account):
            raise asked.without_catalog(numbers.without_catalog(account))
        return None if numbers.must_find_family(account) else Source.CATALOG

    async def _of_either(self, asked: SearchRequest, at: FieldPath) -> Sequence[Outcome]:
        """Return what came of each branch in the first family that can answer and serves.

        While it is unknown which one serves, core is asked beside one search of the catalog.

        Raises:
            UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
            GatewayError: no family could be asked.
        """
        numbers, account, branches = self._numbers, asked.account, asked.branches
        if len(asked.sources) > 1:
            first = self._any_of(Source.CATALOG, asked, branches[:1], at)
            core = self._any_of(Source.CORE, asked, branches, at)
            family, found = await numbers.of_either(account, first, core)
            if family is CORE:
                return found
            return [*found, *await self._each(Source.CATALOG, asked, branches[1:], at)]
        try:
            found = await self._any_of(Source.CATALOG, asked, branches, at)
        except (UpstreamNotFound, UpstreamDenied) as error:
            if not numbers.lacks_catalog(CATALOG, account, error):
                raise
            raise asked.without_catalog(numbers.without_catalog(account)) from None
        numbers.note_catalog(account)
        return found

    def _search_of(
        self, source: Source
    ) -> Callable[[SearchRequest, SearchBranch, FieldPath], Coroutine[Any, Any, Found]]:
        return self._catalog if source is Source.CATALOG else self._core

    async def _each(
        self, source: Source, asked: SearchRequest, branches: Sequence[SearchBranch], at: FieldPath
    ) -> Sequence[Outcome]:
        search = self._search_of(source)
        return await settled([search(asked, each, at) for each in branches])

    async def _any_of(
        self, source: Source, asked: SearchRequest, branches: Sequence[SearchBranch], at: FieldPath
    ) -> Sequence[Outcome]:
        """Return what came of branches; raise the first one's error if none could be searched."""
        outcomes = await self._each(source, asked, branches, at)
        check_any(outcomes)
        return outcomes

    async def _core(
        self,
        asked: SearchRequest,
        branch: SearchBranch,
        at: FieldPath,
        begun: Begun | None = None,
    ) -> Found:
        keeps = branch.test(Source.CORE)
        calls: list[Call] = []

        async def ask(wanted: Mapping[str, Any], coming: Coming | None = None) -> Part:
            call = asked.core_call(branch, wanted)
            calls.append(call)
            try:
                answer = await self._reader.read(call, (at,), begun=coming)
            except UpstreamNotFound as error:
                believe_missing(error)
                # Of another account this may be because the credentials do not reach it.
                own = asked.account == self._reader.credential.home
                whose = "" if own else f" for account {asked.account}"
                raise UpstreamNotFound(
                    f"country: {branch.country} has no {branch.type.name} numbers that can be"
                    f" searched{whose}.",
                    status=error.status,
                    upstream_code=error.upstream_code,
                    request_id=cast("str | None", error.details.get("upstreamRequestId")),
                ) from None
            return _part_of(asked, branch, answer, keeps)

        seen = branch.seen
        first: Sequence[View] | None = None
        query = branch.query(Source.CORE)
        if query:
            left = Left.read(query)
        else:
            part = await ask(branch.wanted, begun and begun.coming)
            found = self._enough(asked, branch, part, calls)
            if found is not None:
                return found
            first, root = part.numbers, pattern_of(branch.country, branch.wanted)
            left = Left([], gaps=True) if root is None else Left([root])

        def is_enough(numbers: Sequence[View]) -> bool:
            if not query or seen is None:
                return len(numbers) >= asked.most
            return (
                len(numbers) - behind([each.phone_number for each in numbers], seen) >= asked.first
            )

        allowance = self._allowance
        numbers, left = await complete(
            first, ask, wanted=branch.wanted, left=left, is_enough=is_enough, allowance=allowance
        )
        more = bool(left.patterns or left.gaps) and is_enough(numbers)
        rest = left.written() if can_go_on(allowance) else ""
        return Found(
            numbers,
            more,
            goes_on=bool(rest) and not more,
            exhaustive=not (left.patterns or left.gaps),
            calls=calls,
            pages=((query, 0),),
            rest=rest,
        )

    def _enough(
        self, asked: SearchRequest, branch: SearchBranch, part: Part, calls: Sequence[Call]
    ) -> Found | None:
        """Return what the first call of a search found, if that is enough."""
        numbers, cut_off = part
        if not cut_off:
            return Found(numbers, exhaustive=True, calls=calls)
        most = asked.most
        if len(numbers) < most:
            return None
        more = len(numbers) > most or can_split(branch.country, branch.wanted, self._partition)
        return Found(numbers, more, calls=calls)

    async def _catalog(self, asked: SearchRequest, branch: SearchBranch, at: FieldPath) -> Found:
        account, seen = asked.account, branch.seen
        place = (("Geography.IsoCountry", branch.country), ("Type", str(branch.type.value)))
        size = asked.page_size(Source.CATALOG, branch)
        keeps = branch.test(Source.CATALOG)
        sought = asked.sought(branch)
        bounded = keeps is not None or asked.order is not None
        query = branch.query(Source.CATALOG)
        calls: list[Call] = []
        numbers: list[View] = []
        names: list[str] = []
        places: list[int] = []
        pages: list[tuple[str, int]] = []
        looked_at = 0
        while True:
            call = (
                CATALOG.search_page_call(account, query)
                if query
                else CATALOG.search_call(account, branch.wanted, place, size)
            )
            calls.append(call)
            pages.append((query, looked_at))
            page: UpstreamPage = CATALOG.read_page(await self._reader.read(call, (at,)))
            shown = [
                number
                for item in page.items
                if (number := view("AvailablePhoneNumber", Source.CATALOG, item))
                and number.phone_number
            ]
            note_sought(shown, sought)
            if keeps is None:
                numbers += shown
            else:
                kept = [at for at, number in enumerate(shown) if keeps(number)]
                numbers += [shown[at] for at in kept]
                places += [looked_at + at for at in kept]
                names += [number.phone_number for number in shown]
            looked_at += len(shown)
            found = Found(numbers, calls=calls, pages=pages)
            if keeps is not None:
                found = found._replace(names=names, places=places)
            if page.next_query is None:
                return found._replace(exhaustive=True)
            before = asked.skip
            if seen is not None:
                before = found.behind(behind(found.looked_at(), seen))
            enough = looked_at >= asked.most_of(branch) and len(numbers) - before >= asked.first
            looked_enough = bounded and len(calls) >= asked.most_pages(Source.CATALOG, branch)
            if enough or looked_enough or not shown:
                return found._replace(goes_on=bool(shown))
            query = page.next_query


def _part_of(
    asked: SearchRequest, branch: SearchBranch, answer: Answer, keeps: Test | None
) -> Part:
    """Return what an answer of core has of a branch."""
    items = CORE.read_search(answer)
    numbers = _found(items, branch.type)
    note_sought(numbers, asked.sought(branch))
    if keeps is not None:
        numbers = [each for each in numbers if keeps(each)]
    size = asked.page_size(Source.CORE, branch)
    return Part(numbers, cut_off=len(items) >= size or len(items) in CUT_OFF_AT)


def _found(items: Iterable[object], kind: NumberType) -> list[View]:
    """Return the numbers in an answer of core to a search for a kind."""
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
    return numbers
