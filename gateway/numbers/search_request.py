"""PURE: searches for numbers to buy, as fields' arguments ask for them, each parsed into one value.

A field's resolver and its plan take the same value, so that they refuse the same things with the
same words, in the same order. Arguments go by the resolver's own names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import phonenumbers

from gateway.auth.caller import Caller
from gateway.errors import BadUserInput, UnsupportedFilters
from gateway.mapping import filters, validation
from gateway.mapping.homes import only_catalog_tells
from gateway.mapping.numbering_plan import origin
from gateway.mapping.records import View
from gateway.numbers import cursors
from gateway.numbers.cursors import Cursor
from gateway.numbers.page_request import PageRequest
from gateway.upstream.families import MAX_PAGE_SIZE
from schema.bounds import MOST_SEARCHES
from schema.enums import NumberType, SimilarScope, Source
from schema.inputs import AvailablePhoneNumberFilter
from schema.selections import SelectedFields

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
_LOCAL: Final = (NumberType.LOCAL,)


class SearchBranch(NamedTuple):
    """One search of a fan-out."""

    type: NumberType
    area_code: int | None
    wanted: Mapping[str, Any]


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
        source: the family that knows every filter and type.
        lacking: why no other family does.
        wishes: fields that only the catalog tells: it is asked rather than core, if it can be.
    """

    account: str
    country: str
    types: Sequence[NumberType]
    wanted: Mapping[str, Any]
    first: int
    start: Cursor | None
    branches: Sequence[SearchBranch]
    source: Source
    lacking: str
    wishes: Sequence[str] = ()

    @classmethod
    def parse(
        cls,
        caller: Caller,
        *,
        country: str,
        first: int,
        types: Sequence[NumberType] | None = None,
        filter: AvailablePhoneNumberFilter | None = None,  # noqa: A002 - the argument's name
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
        return cls.of(account, country, kinds, wanted, page)

    @classmethod
    def of(
        cls,
        account: str,
        country: str,
        types: Sequence[NumberType],
        wanted: Mapping[str, Any],
        page: PageRequest,
    ) -> Self:
        """Read the arguments of a search for `account`, which may be asked about; see `parse`."""
        if country:
            page.check_list(_list_id(account, country, types, wanted))
        validation.check_search(country, types, wanted)
        asked = {path: value for path, value in wanted.items() if path != "geography.isoCountry"}
        branches = branches_of(types, asked)
        source, lacking = suited(branches, asked)
        first, start, _ = page
        return cls(account, country, types, wanted, first, start, branches, source, lacking)

    @property
    def skip(self) -> int:
        """How many stood before them."""
        return 0 if self.start is None else self.start.place + 1

    def telling(self, selected: SelectedFields) -> Self:
        """Return the search for numbers of which this is wanted."""
        if self.source is Source.CATALOG or not self._suits_catalog():
            return self
        return self._replace(wishes=only_catalog_tells(selected))

    def _suits_catalog(self) -> bool:
        """Whether the catalog knows every filter."""
        wanted = (each.wanted for each in self.branches)
        return not any(filters.unsupported(each, filters.CATALOG_SEARCH) for each in wanted)

    def list_id(self) -> str:
        """Return the name of the list that cursors belong to."""
        return _list_id(self.account, self.country, self.types, self.wanted)

    def without_catalog(self, why: str) -> UnsupportedFilters:
        """Return the error for a search that only the catalog knows, which cannot be asked."""
        return UnsupportedFilters("filter", f"{self.lacking}, and {why}.")


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


class SimilarSearch(NamedTuple):
    """A search for local numbers like an owned one.

    Attributes:
        within: what they have in common.
        distance: miles around, None for what is usual upstream.
        page: which page of them.
    """

    within: SimilarScope
    distance: int | None
    page: PageRequest

    @classmethod
    def parse(
        cls,
        *,
        within: SimilarScope,
        first: int,
        distance: int | None = None,
        after: str | None = None,
    ) -> Self:
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed.
        """
        page = PageRequest.parse(first=first, after=after)
        if distance is not None:
            if within is not SimilarScope.NEARBY:
                raise BadUserInput("distance", "it goes with `within: NEARBY` only.")
            validation.check_distance("distance", distance)
        return cls(within, distance, page)

    def near(self, number: View) -> tuple[str, dict[str, Any]] | None:
        """Return (country, filters) of the search for numbers like `number`.

        Where the number's own geography is known its values are the filters, so that numbers of one
        place share one search; else the number itself is the template that the upstream looks up.
        None when it has no such place: outside the US and Canada, toll-free, or known to have none.
        """
        template = number.phone_number
        country = _local_country(number)
        if country not in validation.NORTH_AMERICA:
            return None
        place = number.geography
        is_near = self.within is SimilarScope.NEARBY
        fields = _COORDINATES if is_near else [field for _, field in _SCOPES[self.within]]
        known = place and [getattr(place, field) for field in fields]
        if known and None in known:
            if not place.derived:
                return None
            known = None
        if is_near:
            around = {"distance": self.distance} if self.distance else {}
            return country, {"nearNumber": template} | around
        values = known or [template] * len(fields)
        filters_ = zip(_SCOPES[self.within], values, strict=True)
        return country, {path: value for (path, _), value in filters_}


def _list_id(
    account: str, country: str, types: Sequence[NumberType], wanted: Mapping[str, Any]
) -> str:
    return cursors.list_id(account, country, [*types], filters=wanted)


def _local_country(number: View) -> str:
    """Return the country of a local number; "" when it has none, or is toll-free."""
    told = origin(number.phone_number)
    if NumberType.TOLL_FREE in {number.type, told.type}:
        return ""
    place = number.geography
    country: str | None = place and place.iso_country
    return country or told.country or ""


def suited(branches: Sequence[SearchBranch], wanted: Mapping[str, Any]) -> tuple[Source, str]:
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


def branches_of(types: Sequence[NumberType], wanted: Mapping[str, Any]) -> list[SearchBranch]:
    """Fan list-valued filters out into searches that the upstream can do one at a time."""
    if not types:
        raise BadUserInput("types", "the list is empty; leave it out for [LOCAL].")
    codes = list(dict.fromkeys(wanted.get("areaCode", [None])))
    branches = [
        SearchBranch(kind, code, wanted if code is None else {**wanted, "areaCode": code})
        for kind in dict.fromkeys(types)
        for code in codes
    ]
    if len(branches) > MOST_SEARCHES:
        raise BadUserInput(
            "filter.areaCode",
            f"{len(branches)} searches would be needed; at most {MOST_SEARCHES} are made.",
        )
    return branches
