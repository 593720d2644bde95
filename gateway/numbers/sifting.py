"""PURE: filters that the gateway applies itself, to the numbers that a search has found.

Each family tells some things of a number that it cannot be asked to filter by: one table for each
family, by the paths of the filter.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import phonenumbers

from gateway.mapping import filters
from gateway.mapping.number_patterns import Pattern
from gateway.mapping.records import View
from schema.enums import AddressRequirements, Lifecycle, Source

Test: TypeAlias = Callable[[View], bool]
Filters: TypeAlias = Mapping[str, Any]
USUAL_MILES: Final = 25
"""Around a place, where a search does not say how far."""


class Sieve(NamedTuple):
    """How numbers are told apart by a filter.

    Attributes:
        make: returns the test that numbers must pass, for the filters and country of a search.
        says: the values for which there is one.
    """

    make: Callable[[Filters, str], Test]
    says: filters.Sayable = filters.ANY


def _number(wanted: Filters, _: str) -> Test:
    exact = wanted["phoneNumber"]
    return lambda number: number.phone_number == exact


def _area_code(wanted: Filters, country: str) -> Test:
    prefix = f"+{phonenumbers.country_code_for_region(country)}{wanted['areaCode']}"
    return lambda number: number.phone_number.startswith(prefix)


def _pattern(wanted: Filters, country: str) -> Test:
    pattern = Pattern.of(wanted["contains"], country)
    return lambda number: pattern.match(number.phone_number) is not None


def _capability(section: str, name: str) -> Sieve:
    path = f"capabilities.{section}.{name}"

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


def _near(wanted: Filters, _: str) -> Test:
    most = wanted.get("withinMiles", USUAL_MILES)
    return lambda number: number.distance_miles is not None and number.distance_miles <= most


_ENABLED: Mapping[str, Sieve] = {
    f"capabilities.{section}.enabled": _capability(section, "enabled")
    for section in ("voice", "sms", "mms")
}
SIEVES: Mapping[Source, Mapping[str, Sieve]] = {
    Source.CORE: {
        # The pattern by which it is asked for matches longer numbers, too.
        "phoneNumber": Sieve(_number),
        "areaCode": Sieve(_area_code),
        **_ENABLED,
        "capabilities.voice.fax": _capability("voice", "fax"),
        "lifecycle": Sieve(
            _beta, filters.Sayable(lambda value: value is Lifecycle.BETA, "only BETA")
        ),
    },
    Source.CATALOG: {
        "areaCode": Sieve(_area_code),
        "contains": Sieve(_pattern),
        **_ENABLED,
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
_TABLES: Mapping[Source, filters.Table] = {
    Source.CORE: filters.CORE_SEARCH,
    Source.CATALOG: filters.CATALOG_SEARCH,
}


class Means(NamedTuple):
    """How a family can answer the filters of a search.

    Attributes:
        lacking: paths of those that it cannot answer at all.
        sifted: paths of those that the gateway applies.
    """

    lacking: list[str]
    sifted: list[str]

    @classmethod
    def of(cls, source: Source, wanted: Filters, country: str) -> "Means":
        """Return how a family can answer filters in a country."""
        sieves = SIEVES[source]
        unasked = filters.unsupported(wanted, _TABLES[source], country)
        sifted = [
            path for path in unasked if path in sieves and sieves[path].says.holds(wanted[path])
        ]
        return cls([path for path in unasked if path not in sifted], sifted)


def sieve(source: Source, wanted: Filters, country: str) -> Test | None:
    """Return what tells whether a number meets the filters that its family was not asked for.

    None when the family filters by all of them.
    """
    sifted = Means.of(source, wanted, country).sifted
    if source is Source.CORE and "phoneNumber" in wanted:
        sifted.append("phoneNumber")
    tests = [SIEVES[source][path].make(wanted, country) for path in sifted]
    if not tests:
        return None
    return lambda number: all(test(number) for test in tests)
