"""Searches for numbers that can be bought: which family, how many calls, and how they merge."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple, cast

import phonenumbers

from gateway import cursors, filters, validation
from gateway.errors import (
    BadUserInput,
    GatewayError,
    UnsupportedFilters,
    UpstreamNotFound,
    believe_missing,
)
from gateway.numbers import OwnedNumbers
from gateway.partition import Allowance, Part, can_split, complete
from gateway.reader import Reader
from gateway.records import VIEWS, Record, View, view
from gateway.upstream.call import Call
from gateway.upstream.families import CATALOG, CORE, MAX_PAGE_SIZE, Page
from gateway.waiting import settled
from schema.enums import NumberType, SimilarScope, Source
from schema.info import FieldPath

# A search that yields this many, or as many as were asked for, may have been cut off.
# Sources: maintainers of the official clients name 30; the documentation, 50 and 1000.
_CUT_OFF_AT = frozenset({30, 50, MAX_PAGE_SIZE})
# Shorter searches show that they were cut off by being as long as was asked for.
LEAST_CUT_OFF = min(_CUT_OFF_AT)
_MOST_BRANCHES = 64
# Filters that keep a search where a number is, and the fields of its geography that they take.
_SCOPES: Mapping[SimilarScope, tuple[tuple[str, str], ...]] = {
    SimilarScope.RATE_CENTER: (("inLata", "lata"), ("inRateCenter", "rate_center")),
    SimilarScope.LATA: (("inLata", "lata"),),
    SimilarScope.REGION: (("inRegion", "region"),),
    SimilarScope.POSTAL_CODE: (("inPostalCode", "postal_code"),),
}
_COORDINATES = ("latitude", "longitude")
# Filters whose false the upstream may take for any, and what says of a number that they hold.
_LACKING: Mapping[str, tuple[str, str]] = {
    "voiceEnabled": ("voice", "enabled"),
    "smsEnabled": ("sms", "enabled"),
    "mmsEnabled": ("mms", "enabled"),
    "faxEnabled": ("voice", "fax"),
}


class Branch(NamedTuple):
    """One search of a fan-out."""

    type: NumberType
    area_code: int | None
    wanted: Mapping[str, Any]


class SearchRequest(NamedTuple):
    """A search for numbers to buy, as a field's arguments ask for it.

    Attributes:
        account: for whom.
        country: where.
        types: which kinds.
        wanted: which numbers, by the paths of the filter.
        first: how many.
        start: the cursor behind which they stand, if any.
        branches: the searches that the upstream can do one at a time.
        source: the family that knows every filter and type.
        lacking: why no other family does.
    """

    account: str
    country: str
    types: Sequence[NumberType]
    wanted: Mapping[str, Any]
    first: int
    start: cursors.Cursor | None
    branches: "Sequence[Branch]"
    source: Source
    lacking: str

    @classmethod
    def parse(
        cls,
        account: str,
        country: str,
        types: Sequence[NumberType],
        wanted: Mapping[str, Any],
        first: int,
        after: str | None,
    ) -> "SearchRequest":
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
            UnsupportedFilters: no family knows all the filters.
        """
        validation.check_first(first)
        start: cursors.Cursor | None = None
        if after is not None:
            start = cursors.decode(after, of=_list_id(account, country, types, wanted))
        validation.check_search(country, types, wanted)
        asked = {path: value for path, value in wanted.items() if path != "geography.isoCountry"}
        branches = branches_of(types, asked)
        source, lacking = suited(branches, asked)
        return cls(account, country, types, wanted, first, start, branches, source, lacking)

    @property
    def skip(self) -> int:
        """How many stood before them."""
        return 0 if self.start is None else self.start.place + 1

    def list_id(self) -> str:
        """Return the name of the list that cursors belong to."""
        return _list_id(self.account, self.country, self.types, self.wanted)

    def without_catalog(self, why: str) -> UnsupportedFilters:
        """Return the error for a search that only the catalog knows, which cannot be asked."""
        return UnsupportedFilters("filter", f"{self.lacking}, and {why}.")


def _list_id(
    account: str, country: str, types: Sequence[NumberType], wanted: Mapping[str, Any]
) -> str:
    return cursors.list_id(account, country, types, filters=wanted)


class Failure(NamedTuple):
    """A branch that failed, while others did not."""

    branch: Branch
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
        if start is not None and not start.seen:  # A cursor that counts only.
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
        self._allowance = Allowance(partition)

    async def run(self, asked: SearchRequest, at: FieldPath) -> Result:
        """Find the numbers, if there are so many, and those before them; more may come along.

        Raises:
            UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
            GatewayError: every branch failed; the first one's error.
        """
        account, source, branches = asked.account, asked.source, asked.branches
        if source is Source.CATALOG and await self._numbers.family(account, at) is not CATALOG:
            raise asked.without_catalog(self._numbers.without_catalog(account))
        most = asked.skip + asked.first
        outcomes = await settled(
            [self._branch(source, account, asked.country, each, most, at) for each in branches]
        )
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

    async def _branch(
        self, source: Source, account: str, country: str, branch: Branch, most: int, at: FieldPath
    ) -> Found:
        if source is Source.CATALOG:
            return await self._catalog(account, country, branch, most, at)

        calls: list[Call] = []
        size = core_page_size(country, branch.wanted, most)
        keeps = filters_afterwards(country, branch.wanted)

        async def ask(wanted: Mapping[str, Any]) -> Part:
            path = filters.CORE_SEARCH_PATHS[branch.type.name]
            call = CORE.search_call(account, country, path, asked_of_core(country, wanted), size)
            calls.append(call)
            try:
                part = await self._core(call, branch.type, size, at)
            except UpstreamNotFound as error:
                believe_missing(error)
                raise UpstreamNotFound(
                    f"country: {country} has no {branch.type.name} numbers that can be searched.",
                    status=error.status,
                    upstream_code=error.upstream_code,
                    request_id=cast("str | None", error.details.get("upstreamRequestId")),
                ) from None
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

    async def _core(self, call: Call, kind: NumberType, size: int, at: FieldPath) -> Part:
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
        return Part(numbers, cut_off=len(items) >= size or len(items) in _CUT_OFF_AT)

    async def _catalog(
        self, account: str, country: str, branch: Branch, most: int, at: FieldPath
    ) -> Found:
        place = (("Geography.IsoCountry", country), ("Type", str(branch.type.value)))
        call = CATALOG.search_call(account, branch.wanted, place, min(most, MAX_PAGE_SIZE))
        numbers: list[View] = []
        calls: list[Call] = []
        while True:
            calls.append(call)
            page: Page = CATALOG.read_page(await self._reader.read(call, (at,)))
            shown = [
                number
                for item in page.items
                if (number := view("AvailablePhoneNumber", Source.CATALOG, item))
                and number.phone_number
            ]
            numbers += shown
            if page.next_query is None or len(numbers) >= most or not shown:
                exhaustive = page.next_query is None
                more = not exhaustive and len(numbers) >= most
                return Found(numbers, more, exhaustive, calls)
            call = CATALOG.search_page_call(account, page.next_query)


def check_similar(within: SimilarScope, distance: int | None, first: int) -> None:
    """Refuse malformed arguments of a search for similar numbers."""
    validation.check_first(first)
    if distance is not None:
        if within is not SimilarScope.NEARBY:
            raise BadUserInput("distance", "it goes with `within: NEARBY` only.")
        validation.check_distance("distance", distance)


def similar(
    number: View, within: SimilarScope, distance: int | None
) -> tuple[str, dict[str, Any]] | None:
    """Return (country, filters) of a search for local numbers like `number`.

    Where the number's own geography is known its values are the filters, so that numbers of one
    place share one search; else the number itself is the template that the upstream looks up.
    None when it has no such place: outside the US and Canada, toll-free, or known to have none.
    """
    template = number.phone_number
    country = _local_country(number)
    if country not in validation.NORTH_AMERICA:
        return None
    place = number.geography
    near = within is SimilarScope.NEARBY
    fields = _COORDINATES if near else [field for _, field in _SCOPES[within]]
    known = place and [getattr(place, field) for field in fields]
    if known and None in known:
        return None
    if near:
        return country, {"nearNumber": template} | ({"distance": distance} if distance else {})
    values = known or [template] * len(fields)
    return country, {path: value for (path, _), value in zip(_SCOPES[within], values, strict=True)}


def _local_country(number: View) -> str:
    """Return the country of a local number; "" when it has none, or is toll-free."""
    place = number.geography
    if number.type is NumberType.TOLL_FREE:
        return ""
    if place is not None and place.iso_country:
        country: str = place.iso_country
        return country
    try:
        parsed = phonenumbers.parse(number.phone_number)
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.TOLL_FREE:
        return ""
    return phonenumbers.region_code_for_number(parsed) or ""


def suited(branches: Sequence[Branch], wanted: Mapping[str, Any]) -> tuple[Source, str]:
    """Return the family that knows every filter and type, and why no other one does.

    It is core, when both do.

    Raises:
        UnsupportedFilters: neither does.
    """
    not_core = filters.unsupported(wanted, filters.CORE_SEARCH)
    not_core += sorted(
        {
            f"types: {branch.type.name}"
            for branch in branches
            if branch.type.name not in filters.CORE_SEARCH_PATHS
        }
    )
    if not not_core:
        return Source.CORE, ""
    not_catalog = filters.unsupported(wanted, filters.CATALOG_SEARCH)
    if not_catalog:
        raise UnsupportedFilters(
            "filter",
            f"only the catalog knows {', '.join(not_core)} and only the core family knows"
            f" {', '.join(not_catalog)}: they cannot be combined.",
        )
    return Source.CATALOG, f"only the catalog knows {', '.join(not_core)}"


def asked_of_core(country: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return filters as core knows them for a country.

    Area codes of North American countries other than the US and Canada, as Puerto Rico's, are but
    the beginning of a number there.
    """
    by_pattern = country not in validation.NORTH_AMERICA and validation.has_area_codes(country)
    if not by_pattern or "areaCode" not in wanted:
        return wanted
    rest = {path: value for path, value in wanted.items() if path != "areaCode"}
    return {"contains": f"+1{wanted['areaCode']}", **rest}


def filters_afterwards(country: str, wanted: Mapping[str, Any]) -> Callable[[View], bool] | None:
    """Return what tells whether a number of core meets filters that core may ignore.

    These are the capabilities that a number shall lack, and area codes outside the US and Canada.
    None when core filters by all that is wanted.
    """
    lacking = [_LACKING[path] for path in _LACKING if wanted.get(path) is False]
    prefix = ""
    if country not in validation.NORTH_AMERICA and "areaCode" in wanted:
        prefix = f"+{phonenumbers.country_code_for_region(country)}{wanted['areaCode']}"
    if not lacking and not prefix:
        return None

    def keeps(number: View) -> bool:
        can = number.capabilities
        return number.phone_number.startswith(prefix) and all(
            getattr(can and getattr(can, section), name, None) is False for section, name in lacking
        )

    return keeps


def core_page_size(country: str, wanted: Mapping[str, Any], most: int) -> int:
    """Return how many numbers are asked of core to have `most` of those that are wanted."""
    if filters_afterwards(country, wanted) is not None:
        return MAX_PAGE_SIZE
    # There are no pages: one more than needed tells whether there are more.
    return min(most + 1, MAX_PAGE_SIZE)


def branches_of(types: Sequence[NumberType], wanted: Mapping[str, Any]) -> list[Branch]:
    """Fan list-valued filters out into searches that the upstream can do one at a time."""
    if not types:
        raise BadUserInput("types", "the list is empty; leave it out for [LOCAL].")
    codes = list(dict.fromkeys(wanted.get("areaCode", [None])))
    branches = [
        Branch(kind, code, wanted if code is None else {**wanted, "areaCode": code})
        for kind in dict.fromkeys(types)
        for code in codes
    ]
    if len(branches) > _MOST_BRANCHES:
        raise BadUserInput(
            "filter.areaCode",
            f"{len(branches)} searches would be needed; at most {_MOST_BRANCHES} are made.",
        )
    return branches
