"""PURE: searches for numbers to buy, as fields' arguments ask for them, each parsed into one value.

A field's resolver and its plan take the same value, so that they refuse the same things with the
same words, in the same order. Arguments go by the resolver's own names.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from operator import attrgetter
from typing import Any, Final, NamedTuple, Self

from gateway.auth.caller import Caller
from gateway.errors import BadUserInput, UnsupportedFilters
from gateway.mapping import filters, validation
from gateway.mapping.filled import Filled
from gateway.mapping.homes import only_catalog_tells
from gateway.mapping.number_patterns import Pattern
from gateway.mapping.numbering_plan import EXCHANGE_LENGTH, NORTH_AMERICAN, TOLL_FREE, origin
from gateway.mapping.records import STRICT, Record, View
from gateway.mapping.sought import Point, Sought
from gateway.numbers import cursors
from gateway.numbers.cursors import Cursor, Seen
from gateway.numbers.page_request import PageRequest
from gateway.numbers.partition import PARTS
from gateway.numbers.sifting import MOST_SIFTED_PAGES, SEARCHED, Means, Test
from gateway.upstream.call import Call
from gateway.upstream.families import CORE, MAX_PAGE_SIZE
from schema.bounds import MOST_SEARCHES
from schema.enums import AvailablePhoneNumberOrder, NumberType, SimilarScope, Source
from schema.inputs import AvailablePhoneNumberFilter
from schema.selections import SelectedFields

# Filters that keep a search where a number is, and the fields of its geography that they take.
_SCOPES: Mapping[SimilarScope, tuple[tuple[str, str], ...]] = {
    SimilarScope.RATE_CENTER: (("lata", "lata"), ("rateCenter", "rate_center")),
    SimilarScope.LATA: (("lata", "lata"),),
    SimilarScope.REGION: (("region", "region"),),
    SimilarScope.POSTAL_CODE: (("postalCode", "postal_code"),),
}
_FIELDS: Mapping[SimilarScope, Sequence[str]] = {
    **{scope: [field for _, field in fields] for scope, fields in _SCOPES.items()},
    SimilarScope.NEARBY: ("latitude", "longitude"),
}
# What records of owned numbers, as their APIs promise them, say of a place, and where.
_PLACE: Mapping[type[Record], Callable[[Record], Record | None]] = {
    STRICT[Source.CATALOG]["PhoneNumber"]: attrgetter("geography"),
    STRICT[Source.CORE]["PhoneNumber"]: lambda raw: raw,
}
# Scopes that all numbers of an exchange have in common.
_OF_EXCHANGES: Final = frozenset({SimilarScope.RATE_CENTER, SimilarScope.LATA})
_SAID: Mapping[SimilarScope, Callable[[Record], tuple[object, ...]]] = {
    scope: attrgetter("iso_country", *fields) for scope, fields in _FIELDS.items()
}
_NUMBER: Final = "phoneNumber"
# What is asked for at once, where the answer is kept for the pages that come next.
_STEPS: Final = (50, 100, 200, 400, MAX_PAGE_SIZE)
_LOCAL: Final = (NumberType.LOCAL,)


class SearchBranch(NamedTuple):
    """One search of a fan-out: of one country, type and area code.

    Attributes:
        wanted: which numbers, by the paths of the filter.
        means: how each family can answer that.
        seen: how far it was seen, behind a cursor that tells it.
    """

    country: str
    type: NumberType
    area_code: str | None
    wanted: Mapping[str, Any]
    means: Mapping[Source, Means]
    seen: Seen | None = None

    @classmethod
    def of(
        cls, country: str, kind: NumberType, area_code: str | None, wanted: Mapping[str, Any]
    ) -> Self:
        """Return a search, with how it can be answered."""
        means = {source: SEARCHED.means(source, wanted, country) for source in Source}
        return cls(country, kind, area_code, wanted, means)

    def query(self, source: Source) -> str:
        """Return the query from which a family goes on; "" where its search begins anew.

        The next page may be asked of the other family, by what is selected: each has its own.
        """
        query = "" if self.seen is None else self.seen.query
        return query if query.startswith(PARTS) is (source is Source.CORE) else ""

    def sifted(self, source: Source) -> Sequence[str]:
        """Return the paths of the filters that the gateway applies to what a family finds."""
        sifted = self.means[source].sifted
        # The pattern by which core is asked for a number matches longer ones, too.
        return [*sifted, _NUMBER] if source is Source.CORE and _NUMBER in self.wanted else sifted

    def test(self, source: Source) -> Test | None:
        """Return what tells whether a number that a family found is wanted; None where all are."""
        sifted = self.sifted(source)
        return SEARCHED.test(source, self.wanted, sifted, self.country) if sifted else None


class SearchRequest(NamedTuple):
    """A search for numbers to buy.

    Attributes:
        account: for whom.
        country: where; "" while a plan cannot know it.
        types: which kinds.
        wanted: which numbers, by the paths of the filter.
        first: how many.
        start: the cursor behind which they stand, if any.
        branches: the searches that the upstream can do one at a time.
        sources: the families that can answer, the one to ask first at the front.
        lacking: why core is not among them.
        order: in which they are wanted, if that matters.
        origin: the point that they are near, if it is known.
        wishes: fields that only the catalog tells: it is asked rather than core, if it can be.
        first_call: what core is asked of the first branch, where that is kept for many requests.
        steps: pages behind others ask for sizes in steps, so that a few calls serve many of them.
    """

    account: str
    country: str
    types: Sequence[NumberType]
    wanted: Mapping[str, Any]
    first: int
    start: Cursor | None
    branches: Sequence[SearchBranch]
    sources: Sequence[Source]
    lacking: Sequence[str]
    order: AvailablePhoneNumberOrder | None = None
    origin: Point | None = None
    wishes: Sequence[str] = ()
    first_call: Call | None = None
    steps: bool = False

    @classmethod
    def parse(
        cls,
        caller: Caller,
        *,
        country: str,
        first: int,
        types: Sequence[NumberType] | None = None,
        filter: AvailablePhoneNumberFilter | None = None,  # noqa: A002 - the argument's name
        order_by: AvailablePhoneNumberOrder | None = None,
        after: str | None = None,
        account_sid: str | None = None,
    ) -> Self:
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
            Forbidden: the caller may not use the account.
            UnsupportedFilters: no family knows all the filters.
        """
        account, kinds = caller.account_named(account_sid), _LOCAL if types is None else types
        wanted, page = filters.wanted(filter), PageRequest.parse(first=first, after=after)
        return cls.of(account, country, kinds, wanted, page, order=order_by)

    @classmethod
    def of(
        cls,
        account: str,
        country: str,
        types: Sequence[NumberType],
        wanted: Mapping[str, Any],
        page: PageRequest,
        *,
        order: AvailablePhoneNumberOrder | None = None,
        origin: Point | None = None,
    ) -> Self:
        """Read the arguments of a search for `account`, which may be asked about; see `parse`."""
        wanted = validation.normalized_search(country, wanted)
        validation.check_search(country, types, wanted)
        point = wanted.get("near.point")
        if point is not None:
            origin = (point.latitude, point.longitude)
        if order is AvailablePhoneNumberOrder.DISTANCE and origin is None:
            raise BadUserInput("orderBy", "DISTANCE needs `filter.near.point`.")
        branches = branches_of(country, types, wanted)
        sources, lacking = suited(branches)
        first, start, _ = page
        if start is not None and order is None:
            branches = [
                branch._replace(seen=seen)
                for branch, seen in zip_longest(branches, start.seen[: len(branches)])
            ]
        asked = cls(
            account, country, types, wanted, first, start, branches, sources, lacking, order, origin
        )
        if country:
            page.check_list(asked.list_ids)
        return asked

    @property
    def skip(self) -> int:
        """How many stood before them."""
        return 0 if self.start is None else self.start.place + 1

    @property
    def most(self) -> int:
        """How many numbers of a branch are enough: all that can be had where order matters."""
        return sys.maxsize if self.order is not None else self.skip + self.first

    def most_of(self, branch: SearchBranch) -> int:
        """Return how many numbers of a branch are enough, from where it is read."""
        return self.first if branch.query(Source.CATALOG) else self.most

    def telling(self, selected: SelectedFields) -> Self:
        """Return the search for numbers of which this is wanted."""
        if self.sources[0] is Source.CATALOG or not self._suits_catalog():
            return self
        wishes = only_catalog_tells(selected)
        sources = (Source.CATALOG, Source.CORE) if wishes else self.sources
        return self._replace(sources=sources, wishes=wishes)

    def like(self, near: "Similar") -> Self:
        """Return the same search with other values, for a number of which as much is known.

        Raises:
            BadUserInput: what is known of it is nothing to search by.
        """
        account, country, wanted, origin, _ = near
        validation.check_search(country, self.types, wanted)
        branches = [each._replace(wanted=wanted) for each in self.branches]
        return self._replace(account=account, wanted=wanted, branches=branches, origin=origin)

    def _suits_catalog(self) -> bool:
        """Whether the catalog leaves no more for the gateway to filter than core does."""
        return Source.CATALOG in self.sources and all(
            each.means[Source.CATALOG].burden <= each.means[Source.CORE].burden
            for each in self.branches
        )

    def list_id(self) -> str:
        """Return the name of the list that cursors belong to."""
        return self._list_id(Source.CORE if Source.CORE in self.sources else Source.CATALOG)

    def list_ids(self) -> Sequence[str]:
        """Return the names of the list: cursors of before have one for each family."""
        return [self._list_id(each) for each in self.sources]

    def _list_id(self, source: Source) -> str:
        wanted = filters.by_first_names(self.wanted, source)
        if self.order is not None:
            wanted["orderBy"] = self.order.name
        return cursors.list_id(self.account, self.country, [*self.types], filters=wanted)

    def sought(self, branch: SearchBranch) -> Sought | None:
        """Return what numbers of a branch need to tell where they match, and how far they are."""
        contains = branch.wanted.get("contains")
        if contains is None and self.origin is None:
            return None
        return Sought(contains and Pattern.of(contains, branch.country), self.origin)

    def page_size(self, source: Source, branch: SearchBranch) -> int:
        """Return how many numbers a family is asked for at once."""
        if branch.sifted(source) or (source is Source.CORE and branch.query(source)):
            return MAX_PAGE_SIZE
        # Core has no pages: one more than needed tells whether there are more.
        most = self.most if source is Source.CORE else self.most_of(branch)
        size = most + int(source is Source.CORE)
        if self.steps:
            size = next((each for each in _STEPS if each >= size), size)
        return min(size, MAX_PAGE_SIZE)

    def core_call(self, branch: SearchBranch, wanted: Mapping[str, Any]) -> Call:
        """Return the call of core for a branch, with these filters."""
        country, size = branch.country, self.page_size(Source.CORE, branch)
        path = filters.CORE_SEARCH_PATHS[branch.type.name]
        return CORE.search_call(self.account, country, path, asked_of_core(country, wanted), size)

    def spelt(self) -> Self:
        """Return the same search, to be kept, with its first call of core if that can be asked."""
        branch = self.branches[0]
        if Source.CORE not in self.sources:
            return self
        return self._replace(first_call=self.core_call(branch, branch.wanted))

    def most_pages(self, source: Source, branch: SearchBranch) -> int:
        """Return how many pages of a family are looked through, if each is as large as asked."""
        if source is Source.CORE:
            return 1
        needed = -(-self.most_of(branch) // MAX_PAGE_SIZE)
        # The page in which the last number seen is may hold but that.
        needed += int(branch.query(source) != "")
        if self.order is None and not branch.sifted(source):
            return needed
        return max(MOST_SIFTED_PAGES, 0 if self.order else needed)

    def without_catalog(self, why: str) -> UnsupportedFilters:
        """Return the error for a search that only the catalog knows, which cannot be asked."""
        lacking = ", ".join(map(self._in_words, self.lacking))
        return UnsupportedFilters(
            "filter",
            f"this account's API cannot search by {lacking}: only the preview catalog of numbers"
            f" can, and {why}.",
        )

    def _in_words(self, lacking: str) -> str:
        """Say what core cannot search by: some filters it can, with another one beside them."""
        param = filters.CORE_SEARCH.get(lacking)
        north = self.country in filters.NORTH_AMERICA
        if param is None or not param.needs or param.needs in self.wanted or not north:
            return lacking
        return f"{lacking} without {param.needs}"


class CountrySearch(NamedTuple):
    """A search below a country, for one type of number.

    Attributes:
        type: the kind of number.
        page: which page of them.
    """

    type: NumberType
    page: PageRequest

    @classmethod
    def parse(cls, *, type: NumberType, first: int, after: str | None = None) -> Self:  # noqa: A002 - the argument's name
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
        """
        return cls(type, PageRequest.parse(first=first, after=after))

    def within(self, account: str, country: str) -> SearchRequest:
        """Return the search in a country, for an account.

        Raises:
            BadUserInput: the cursor is another search's.
            UnsupportedFilters: no family knows the type.
        """
        return SearchRequest.of(account, country, (self.type,), {}, self.page)


class Similar(NamedTuple):
    """What a search for numbers like another one asks for.

    Attributes:
        account: for whom.
        country: where.
        wanted: which numbers, by the paths of the filter.
        origin: the point that they are near, if it is known.
        is_alone: it names the number itself, so that no other has the same.
    """

    account: str
    country: str
    wanted: Mapping[str, Any]
    origin: Point | None = None
    is_alone: bool = False

    def request(self, page: PageRequest, selected: SelectedFields) -> SearchRequest:
        """Return the search for a page of them, of which this is wanted.

        Raises:
            BadUserInput: what is known of the number is nothing to search by.
            UnsupportedFilters: no family can do it.
        """
        account, country, wanted, origin, _ = self
        asked = SearchRequest.of(account, country, _LOCAL, wanted, page, origin=origin)
        return asked.telling(selected)


class SimilarSearch(NamedTuple):
    """A search for local numbers like an owned one.

    Attributes:
        within: what they have in common.
        miles: how far around, None for what is usual upstream.
        page: which page of them.
    """

    within: SimilarScope
    miles: int | None
    page: PageRequest

    @classmethod
    def parse(
        cls,
        *,
        within: SimilarScope,
        first: int,
        within_miles: int | None = None,
        after: str | None = None,
    ) -> Self:
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
        """
        page = PageRequest.parse(first=first, after=after)
        if within_miles is not None:
            if within is not SimilarScope.NEARBY:
                raise BadUserInput("withinMiles", "it goes with `within: NEARBY` only.")
            validation.check_miles("withinMiles", within_miles)
        return cls(within, within_miles, page)

    def said_of(self, number: View) -> tuple[object, ...] | None:
        """Return what is asked and what is said of a number that `near` looks at, as it came.

        None where it is not as its API promises, or where two answers tell it: it must be read.
        """
        raw = number.raw
        place_of, digits = _PLACE.get(raw.__class__), raw.phone_number
        if place_of is None or not digits or isinstance(number, Filled):
            return None
        place = place_of(raw)
        of_place = place and _SAID[self.within](place)
        of_number: object
        is_american = digits[:2] == "+1" and len(digits) == NORTH_AMERICAN
        if not of_place or of_place[0] is None:
            # It is not said in which country it is: the number tells that, and its exchange.
            of_number = digits[:EXCHANGE_LENGTH] if is_american else digits
        elif is_american:
            of_number = digits[2:5] in TOLL_FREE  # As `origin` finds it.
        else:
            of_number = origin(digits).type is NumberType.TOLL_FREE
        return self, raw.account_sid, number.home, raw.type, of_place, of_number

    def is_shared(self, near: Similar | None) -> bool:
        """Whether `near` of one number is that of all others of which the same is said.

        Numbers of one exchange are in one rate center and one LATA (`exchanges.py` has the source).
        So where a number is its own template, it is that of all others in its exchange, too.
        """
        return near is None or not near.is_alone or self.within in _OF_EXCHANGES

    def near(self, number: View) -> Similar | None:
        """Return the search for numbers like `number`.

        Where the number's own geography is known its values are the filters, so that numbers of one
        place share one search; else the number itself is the template that the upstream looks up.
        None when it has no such place: outside the US and Canada, toll-free, or known to have none.
        Of a derived geography only the region counts: the rest depends on what else was selected.
        """
        account, template, place = number.account_sid, number.phone_number, number.geography
        country = _local_country(number, place)
        if country not in filters.NORTH_AMERICA:
            return None
        is_near = self.within is SimilarScope.NEARBY
        fields = _FIELDS[self.within]
        known = None
        if place and (self.within is SimilarScope.REGION or not place.derived):
            known = [getattr(place, field) for field in fields]
        if place and known and None in known:
            if not place.derived:
                return None
            known = None
        if is_near:
            around = {"withinMiles": self.miles} if self.miles else {}
            wanted = {"near.phoneNumber": template} | around
            origin = (known[0], known[1]) if known else None
            return Similar(account, country, wanted, origin, is_alone=True)
        values = known or [template] * len(fields)
        filters_ = zip(_SCOPES[self.within], values, strict=True)
        wanted = {path: value for (path, _), value in filters_}
        return Similar(account, country, wanted, is_alone=known is None)


def _local_country(number: View, place: View | None) -> str:
    """Return the country of a local number; "" when it has none, or is toll-free."""
    told = origin(number.phone_number)
    if number.type is NumberType.TOLL_FREE or told.type is NumberType.TOLL_FREE:
        return ""
    country: str | None = place.iso_country if place is not None else None
    return country or told.country or ""


def suited(branches: Sequence[SearchBranch]) -> tuple[Sequence[Source], Sequence[str]]:
    """Return the families that can answer every branch, and what core cannot.

    At the front is the one that answers exactly, and leaves the least for the gateway to filter;
    core, when both do.

    Raises:
        BadUserInput: neither can answer one of the filters in this country.
        UnsupportedFilters: neither can answer all of them together.
    """
    lacking: dict[Source, dict[str, None]] = {Source.CORE: {}, Source.CATALOG: {}}
    burdens = dict.fromkeys(lacking, (0, 0, 0))
    for source, found in lacking.items():
        for each in branches:
            means = each.means[source]
            found.update(dict.fromkeys(means.lacking))
            burdens[source] = max(burdens[source], means.burden)
            if source is Source.CORE and each.type.name not in filters.CORE_SEARCH_PATHS:
                found[each.type.name] = None
    not_core, not_catalog = lacking.values()
    if not_core and not_catalog:
        for path in not_core.keys() & not_catalog.keys():
            raise BadUserInput(f"filter.{path}", "it works in the US and Canada only.")
        raise UnsupportedFilters(
            "filter",
            f"{', '.join(not_core)} cannot be combined with {', '.join(not_catalog)}: the upstream"
            " has no search that knows both; leave out one of them.",
        )
    able = [source for source, found in lacking.items() if not found]
    return sorted(able, key=burdens.__getitem__), list(not_core)


def asked_of_core(country: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return filters as core knows them for a country.

    Area codes of North American countries other than the US and Canada, as Puerto Rico's, are but
    the beginning of a number there.
    """
    by_pattern = country not in filters.NORTH_AMERICA and validation.has_area_codes(country)
    if not by_pattern or "areaCode" not in wanted:
        return wanted
    rest = {path: value for path, value in wanted.items() if path != "areaCode"}
    return {"contains": f"+1{wanted['areaCode']}", **rest}


def branches_of(
    country: str, types: Sequence[NumberType], wanted: Mapping[str, Any]
) -> list[SearchBranch]:
    """Fan list-valued filters out into searches that the upstream can do one at a time."""
    if not types:
        raise BadUserInput("types", "the list is empty; leave it out for [LOCAL].")
    codes = list(dict.fromkeys(wanted.get("areaCodes", [None])))
    rest = {path: value for path, value in wanted.items() if path != "areaCodes"}
    places = [
        (country if code is None else validation.country_of(code, country), kind, code)
        for kind in dict.fromkeys(types)
        for code in codes
    ]
    if len(places) > MOST_SEARCHES:
        raise BadUserInput(
            "filter.areaCodes",
            f"{len(places)} searches would be needed; at most {MOST_SEARCHES} are made.",
        )
    return [
        SearchBranch.of(*place, rest if place[-1] is None else {**rest, "areaCode": place[-1]})
        for place in places
    ]
