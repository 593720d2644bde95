"""Filters of the AvailablePhoneNumbers search, as SQL conditions.

Attributes live in a few hundred interned places and profiles, so a filter is first decided there,
in Python, and then asked of the numbers as `place IN (…)` and `profile IN (…)`. Only patterns and
area codes look at the numbers themselves.
"""

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.rules import patterns
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.facts import GEO_SEARCH_COUNTRIES
from gateway.sandbox.world.number_documents import Number, Place, Profile
from gateway.sandbox.world.number_store import Store, sql_list

_EARTH_RADIUS_MILES = 3958.8
_DEFAULT_DISTANCE, _FARTHEST = 25, 500
_AREA_CODE_LENGTH = 3
_FOREIGN_AREA_CODE_LENGTHS = frozenset({2, 3, 4})
# Up to so many places, their numbers are gathered and sorted; beyond, a walk in order is quicker.
_FEW_PLACES = 8


def miles_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two (latitude, longitude) in degrees, in miles."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*one, *other))
    chord = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * _EARTH_RADIUS_MILES * math.asin(math.sqrt(min(1.0, chord)))


def same(left: object, right: object) -> bool:
    """Equality of a stored attribute and a query value: text without regard to case, numbers by
    value.
    """
    if left is None:
        return False
    if isinstance(left, bool):
        return str(left).lower() == str(right).lower()
    if isinstance(left, int | float):
        try:
            return float(left) == float(str(right))
        except ValueError:
            return False
    return str(left).casefold() == str(right).casefold()


@dataclass(slots=True)
class Criteria:
    """Conditions gathered from a query."""

    store: Store
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    _places: set[int] | None = None
    _profiles: set[int] | None = None

    def places(self, accept: Callable[[Place], bool]) -> None:
        """Keeps numbers whose place is accepted."""
        ids = {id_ for id_, place in self.store.places.items() if accept(place)}
        self._places = ids if self._places is None else self._places & ids

    def profiles(self, accept: Callable[[Profile], bool]) -> None:
        """Keeps numbers whose profile is accepted."""
        ids = {id_ for id_, profile in self.store.profiles.items() if accept(profile)}
        self._profiles = ids if self._profiles is None else self._profiles & ids

    def glob(self, column: str, glob: str) -> None:
        """Keeps numbers that match a GLOB."""
        self.conditions.append(f"{column} GLOB ?")
        self.values.append(glob)

    @property
    def nothing(self) -> bool:
        """Whether no number can meet the conditions."""
        return self._places == set() or self._profiles == set()

    def where(self) -> tuple[list[str], list[Any]]:
        """All conditions in SQL, and the values they bind."""
        interned = [
            f"{column} IN ({sql_list(sorted(ids))})"
            for column, ids in (("place", self._places), ("profile", self._profiles))
            if ids is not None
        ]
        return [*interned, *self.conditions], list(self.values)

    def page(self, pools: list[int], *, limit: int, offset: int = 0) -> list[Number]:
        """The available numbers that meet the conditions, in search order."""
        if self.nothing or not pools:
            return []
        conditions, values = self.where()
        few = self._places is not None and len(self._places) <= _FEW_PLACES
        return self.store.search(
            pools, conditions, values, limit=limit, offset=offset, by_place=few
        )


def core_criteria(
    store: Store, call: ApiCall, switches: Switches, iso_country: str, kind: str
) -> Criteria:
    """The filters of one AvailablePhoneNumbers request.

    Raises:
        ApiError: A value is malformed or out of range.
    """
    criteria = Criteria(store)
    _number_filters(criteria, call, switches)
    _profile_filters(criteria, call, switches)
    geographic = [name for name in (*_ATTRIBUTES, *_NEAR, "AreaCode") if call.get(name)]
    if iso_country in GEO_SEARCH_COUNTRIES:
        _geography_filters(criteria, call, switches)
    else:
        if kind == "tollfree" and "AreaCode" in geographic:
            geographic.remove("AreaCode")
            if switches.foreign_toll_free_area_code == "filter":
                _area_code_filter(criteria, str(call.get("AreaCode")), switches)
        if geographic and switches.foreign_geo_filter == "error":
            raise _refused(switches, f"{geographic[0]} is for US and Canadian numbers only")
        if locality := call.get("InLocality"):
            criteria.places(lambda place: same(place.locality, locality))
    return criteria


def _refused(switches: Switches, message: str, code: int = 20422) -> ApiError:
    return ApiError(code, message, status=switches.search_error_status)


def _number_filters(criteria: Criteria, call: ApiCall, switches: Switches) -> None:
    contains = call.get("Contains")
    if contains:
        # An unescaped "+" arrives as a space.
        if contains.startswith(" ") and switches.space_as_plus:
            contains = "+" + contains[1:]
        try:
            inner = switches.inner_wildcards == "accept"
            pattern = patterns.parse(contains, inner_wildcards=inner)
        except ValueError as error:
            raise _refused(
                switches, f"Contains is not valid: {error}", switches.bad_pattern_code
            ) from error
        criteria.glob(pattern.column, pattern.glob)


_CAPABILITY_FILTERS = {
    "SmsEnabled": "sms",
    "MmsEnabled": "mms",
    "VoiceEnabled": "voice",
    "FaxEnabled": "fax",
}
_EXCLUSIONS = {
    "ExcludeAllAddressRequired": frozenset({"any", "local", "foreign"}),
    "ExcludeLocalAddressRequired": frozenset({"local"}),
    "ExcludeForeignAddressRequired": frozenset({"foreign"}),
}


def _profile_filters(criteria: Criteria, call: ApiCall, switches: Switches) -> None:
    wanted = {
        capability: value
        for name, capability in _CAPABILITY_FILTERS.items()
        if (value := call.flag(name)) or (value is False and switches.enabled_false == "filter")
    }
    excluded = {
        requirement
        for name, requirements in _EXCLUSIONS.items()
        if call.flag(name)
        for requirement in requirements
    }
    without_beta = call.flag("Beta") is False
    if wanted or excluded or without_beta:
        criteria.profiles(
            lambda profile: (
                all(profile.core_can(name) == value for name, value in wanted.items())
                and profile.address_requirements not in excluded
                and not (without_beta and profile.beta)
            )
        )


_ATTRIBUTES: dict[str, Callable[[Place], object]] = {
    "InRegion": lambda place: place.geography.get("region"),
    "InPostalCode": lambda place: place.geography.get("postal_code"),
    "InLata": lambda place: place.geography.get("lata"),
    "InRateCenter": lambda place: place.geography.get("rate_center"),
}
_NEAR = ("NearLatLong", "NearNumber")


def _area_code_filter(
    criteria: Criteria,
    area_code: str,
    switches: Switches,
    lengths: AbstractSet[int] = _FOREIGN_AREA_CODE_LENGTHS,
) -> None:
    if not (area_code.isascii() and area_code.isdigit() and len(area_code) in lengths):
        raise _refused(switches, "AreaCode has the wrong number of digits", 21451)
    criteria.glob("national", f"{area_code}*")


def _geography_filters(criteria: Criteria, call: ApiCall, switches: Switches) -> None:
    if area_code := call.get("AreaCode"):
        _area_code_filter(criteria, area_code, switches, {_AREA_CODE_LENGTH})
    if (
        call.get("InRateCenter")
        and not call.get("InLata")
        and switches.in_rate_center_requires_lata
    ):
        raise _refused(switches, "InRateCenter requires InLata")
    attributes = _ATTRIBUTES | {"InLocality": lambda place: place.locality}
    for name, attribute in attributes.items():
        if value := call.get(name):
            _attribute_filter(criteria, value, attribute, switches)
    _distance_filter(criteria, call, switches)


def _attribute_filter(
    criteria: Criteria,
    value: str,
    attribute: Callable[[Place], object],
    switches: Switches,
) -> None:
    template = phone_number(value, switches)
    if template is None:
        criteria.places(lambda place: same(attribute(place), value))
        return
    like = _template(criteria.store, template, switches)
    wanted = attribute(like) if like else None
    criteria.places(lambda place: wanted is not None and same(attribute(place), wanted))


def phone_number(value: str, switches: Switches) -> str | None:
    """The value as E.164 when it is a phone number, also when its `+` arrived as a space."""
    if value.startswith(" ") and switches.space_as_plus:
        value = "+" + value[1:]
    return value if value.startswith("+") and value[1:].isdigit() else None


def _template(store: Store, number: str, switches: Switches) -> Place | None:
    place = store.place_like(number)
    if place is None and switches.unknown_template == "error":
        raise _refused(switches, f"{number} is not a known number", 21421)
    return place


def _distance_filter(criteria: Criteria, call: ApiCall, switches: Switches) -> None:
    centers: list[tuple[float, float] | None] = []
    if near := call.get("NearLatLong"):
        centers.append(_coordinates(near, switches))
    if near := call.get("NearNumber"):
        number = phone_number(near, switches)
        if number is None:
            raise _refused(switches, "NearNumber must be a phone number in E.164 format", 21421)
        place = _template(criteria.store, number, switches)
        centers.append(place.coordinates if place else None)
    distance = _distance(call, switches)
    for center in centers:
        if center is None:
            criteria.places(lambda _: False)
            continue
        criteria.places(
            lambda place, center=center: (  # type: ignore[misc]
                place.coordinates is not None
                and miles_between(place.coordinates, center) <= distance
            )
        )


def _coordinates(text: str, switches: Switches) -> tuple[float, float]:
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        latitude = longitude = math.nan
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # noqa: PLR2004 - degrees; false for NaN
        raise _refused(switches, "NearLatLong must be a latitude and a longitude: lat,long")
    return latitude, longitude


def _distance(call: ApiCall, switches: Switches) -> int:
    text = call.get("Distance")
    if not text:
        return _DEFAULT_DISTANCE
    if not (text.isascii() and text.isdigit()):
        raise _refused(switches, "Distance must be a whole number of miles")
    # A long run of digits is out of range, whatever it says.
    distance = int(text) if len(text) <= len(str(_FARTHEST)) else _FARTHEST + 1
    if distance > _FARTHEST and switches.distance_over_limit == "error":
        raise _refused(switches, f"Distance must be at most {_FARTHEST} miles")
    return min(distance, _FARTHEST)
