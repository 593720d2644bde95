"""PURE: filters that the gateway applies itself, to numbers that were searched or listed.

Each family tells some things of a number that it cannot be asked to filter by: one table for each
family, by the paths of the filter; for numbers to buy, and for owned ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from gateway.mapping import filters
from gateway.mapping.number_patterns import Pattern
from gateway.mapping.numbering_plan import calling_code, may_have_exchange
from gateway.mapping.records import View
from schema.enums import AddressRequirements, Lifecycle, NumberOrigin, Source

Test: TypeAlias = Callable[[View], bool]
Verdict: TypeAlias = Callable[[View], bool | None]
"""Tells whether a number is wanted; None where that cannot be known."""
Filters: TypeAlias = Mapping[str, Any]
MOST_SIFTED_PAGES: Final = 5
"""Upstream pages that are looked through for one page of what the gateway filters by itself."""
USUAL_MILES: Final = 25
"""Around a place, where a search does not say how far."""


class Sieve(NamedTuple):
    """How numbers are told apart by a filter.

    Attributes:
        make: returns the test that numbers must pass, for the filters and country of a search;
            the country is "" for owned numbers, which are of all countries.
        says: the values for which there is one.
        beside: from what it is known, in words, if lists do not tell it: that is read beside them.
        exact: what it looks at is known of every number; a family of which that is so is asked
            rather.
    """

    make: Callable[[Filters, str], Verdict]
    says: filters.Sayable = filters.ANY
    beside: str = ""
    exact: bool = True


def _number(wanted: Filters, _: str) -> Test:
    exact = wanted["phoneNumber"]
    return lambda number: number.phone_number == exact


def _area_code(wanted: Filters, country: str) -> Test:
    prefix = f"+{calling_code(country)}{wanted['areaCode']}"
    return lambda number: number.phone_number.startswith(prefix)


def _pattern(wanted: Filters, country: str) -> Test:
    pattern = Pattern.of(wanted["contains"], country)
    return lambda number: pattern.match(number.phone_number) is not None


def _capability(path: str) -> Sieve:
    _, section, name = map(filters.to_field, path.split("."))

    def make(wanted: Filters, _: str) -> Test:
        value = wanted[path]

        def test(number: View) -> bool:
            can = number.capabilities
            return getattr(can and getattr(can, section), name, None) is value

        return test

    return Sieve(make)


def _no_address(path: str, *kinds: AddressRequirements) -> Sieve:
    def make(wanted: Filters, _: str) -> Test:
        left_out = kinds if wanted[path] else ()

        def test(number: View) -> bool:
            law = number.regulatory
            return (law and law.address_requirements) not in left_out

        return test

    return Sieve(make)


def _beta(_: Filters, __: str) -> Test:
    return lambda number: number.beta is True


def _same(path: str, read: Callable[[View], Any]) -> Sieve:
    """Return what keeps the numbers of which something has the value that is wanted."""
    return Sieve(lambda wanted, _: lambda number: read(number) == wanted[path])


def _of_exchange(path: str) -> Sieve:
    """Return what keeps the numbers whose exchange tells a value; others may not tell theirs."""
    name = filters.to_field(path)

    def make(wanted: Filters, _: str) -> Verdict:
        value = str(wanted[path]).casefold()

        def test(number: View) -> bool | None:
            told = getattr(number.geography, name, None)
            if told is not None:
                return str(told).casefold() == value
            return None if may_have_exchange(number.phone_number, number.type) else False

        return test

    beside = "numbers for sale of its exchange"
    return Sieve(make, filters.NO_TEMPLATE, beside, exact=False)


def _origin(wanted: Filters, _: str) -> Verdict:
    origin = wanted["origin"]

    def test(number: View) -> bool | None:
        told: NumberOrigin | None = number.origin
        return None if told is None else told is origin

    return test


def _region(wanted: Filters, _: str) -> Test:
    region = wanted["region"].casefold()

    def test(number: View) -> bool:
        place = number.geography
        told = None if place is None else place.region
        return told is not None and told.casefold() == region

    return test


def _near(wanted: Filters, _: str) -> Test:
    most = wanted.get("withinMiles", USUAL_MILES)
    return lambda number: number.distance_miles is not None and number.distance_miles <= most


_ENABLED: Mapping[str, Sieve] = {
    path: _capability(path)
    for path in (
        "capabilities.voice.enabled",
        "capabilities.sms.enabled",
        "capabilities.mms.enabled",
    )
}
_ABLE: Mapping[str, Sieve] = {
    **_ENABLED,
    **{
        path: _capability(path)
        for path, param in filters.CAPABILITIES.items()
        if param.says is filters.TRUE
    },
}
_LIFECYCLE: Mapping[str, Sieve] = {
    "lifecycle": Sieve(_beta, filters.Sayable(lambda value: value is Lifecycle.BETA, "only BETA"))
}
_FAX: Mapping[str, Sieve] = {"capabilities.voice.fax": _capability("capabilities.voice.fax")}
_SEARCH: Mapping[Source, Mapping[str, Sieve]] = {
    Source.CORE: {
        # The pattern by which it is asked for matches longer numbers, too.
        "phoneNumber": Sieve(_number),
        "areaCode": Sieve(_area_code),
        **_ENABLED,
        **_FAX,
        **_LIFECYCLE,
    },
    Source.CATALOG: {
        "areaCode": Sieve(_area_code),
        "contains": Sieve(_pattern),
        **_ABLE,
        "near.point": Sieve(_near),
        "withinMiles": Sieve(lambda _, __: lambda ___: True),
        "excludeAllAddressRequired": _no_address(
            "excludeAllAddressRequired",
            AddressRequirements.ANY,
            AddressRequirements.LOCAL,
            AddressRequirements.FOREIGN,
        ),
        "excludeLocalAddressRequired": _no_address(
            "excludeLocalAddressRequired", AddressRequirements.LOCAL
        ),
        "excludeForeignAddressRequired": _no_address(
            "excludeForeignAddressRequired", AddressRequirements.FOREIGN
        ),
    },
}
_OWNED: Mapping[Source, Mapping[str, Sieve]] = {
    Source.CORE: {
        "type": _same("type", lambda number: number.type),
        **_LIFECYCLE,
        **_ENABLED,
        **_FAX,
        # As far as the number itself tells it, see `numbering_plan.py`.
        "country": _same("country", lambda number: getattr(number.geography, "iso_country", None)),
        "region": Sieve(_region),
        "rateCenter": _of_exchange("rateCenter"),
        "lata": _of_exchange("lata"),
    },
    Source.CATALOG: {
        "contains": Sieve(_pattern),
        "friendlyName": _same("friendlyName", lambda number: number.friendly_name),
        "origin": Sieve(_origin, beside="the 2010-04-01 API"),
        **_ABLE,
    },
}


class Sieves(NamedTuple):
    """What families can be asked to filter something by, and what the gateway filters by itself."""

    asked: Mapping[Source, filters.Table]
    sifted: Mapping[Source, Mapping[str, Sieve]]

    def means(self, source: Source, wanted: Filters, country: str = "") -> "Means":
        """Return how a family can answer filters, in a country if any."""
        sieves = self.sifted[source]
        unasked = filters.unsupported(wanted, self.asked[source], country)
        inexact = filters.inexact(wanted, self.asked[source])
        if not unasked:
            return Means([], [], [], inexact)
        sifted = [
            path for path in unasked if path in sieves and sieves[path].says.holds(wanted[path])
        ]
        lacking = [path for path in unasked if path not in sifted]
        return Means(
            lacking,
            [path for path in sifted if not sieves[path].beside],
            [path for path in sifted if sieves[path].beside],
            [*inexact, *(path for path in sifted if not sieves[path].exact)],
        )

    def test(
        self, source: Source, wanted: Filters, paths: Sequence[str], country: str = ""
    ) -> Test | None:
        """Return what tells whether a number meets the filters with these paths; None for none."""
        tests = [self.sifted[source][path].make(wanted, country) for path in paths]
        if not tests:
            return None
        return lambda number: all(test(number) for test in tests)

    def verdict(self, source: Source, wanted: Filters, paths: Sequence[str]) -> Verdict:
        """Return what tells whether a number meets those that look at what is read beside it."""
        tests = [self.sifted[source][path].make(wanted, "") for path in paths]

        def test(number: View) -> bool | None:
            found = {each(number) for each in tests}
            return False if False in found else None if None in found else True

        return test


SEARCHED: Final = Sieves(
    {Source.CORE: filters.CORE_SEARCH, Source.CATALOG: filters.CATALOG_SEARCH}, _SEARCH
)
OWNED: Final = Sieves(
    {Source.CORE: filters.CORE_OWNED, Source.CATALOG: filters.CATALOG_OWNED}, _OWNED
)


class Means(NamedTuple):
    """How a family can answer filters.

    Attributes:
        lacking: paths of those that it cannot answer at all.
        sifted: paths of those that the gateway applies to what the family lists.
        beside: paths of those that it applies to what is read beside that.
        inexact: paths of those of which the family does not tell all values apart, or not of all
            numbers.
    """

    lacking: list[str]
    sifted: list[str]
    beside: list[str]
    inexact: list[str]

    @property
    def burden(self) -> tuple[int, int, int]:
        """What speaks against asking the family: above all what it answers inexactly."""
        return len(self.inexact), len(self.beside), len(self.sifted)


NO_FILTERS: Final = Means([], [], [], [])
"""How every family answers none."""
