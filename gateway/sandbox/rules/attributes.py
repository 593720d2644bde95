"""Filters of the catalog: every property by its dotted name, saved searches and price bounds."""

from collections.abc import Callable
from typing import Any

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.rules.search_filters import Criteria, phone_number, same
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.facts import saved_searches
from gateway.sandbox.world.number_documents import (
    GEOGRAPHY_FIELDS,
    MMS_FILTERS,
    SMS_FILTERS,
    VOICE_FILTERS,
    Json,
    Profile,
)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _capability_paths(section: str, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {
        f"Capabilities.{_pascal(section)}.{_pascal(name)}": ("capabilities", section, name)
        for name in names
    }


PROFILE_FILTERS: dict[str, tuple[str, ...]] = {
    "Type": ("type",),
    "Lifecycle": ("lifecycle",),
    "Regulatory.AddressRequirements": ("regulatory", "address_requirements"),
    **_capability_paths("voice", VOICE_FILTERS),
    **_capability_paths("sms", SMS_FILTERS),
    **_capability_paths("mms", MMS_FILTERS),
}
"""Parameter -> where the property is in a profile."""

PLACE_FILTERS = {f"Geography.{_pascal(name)}": name for name in GEOGRAPHY_FIELDS}
"""Parameter -> name of the property in a geography."""

_PRICE_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "MinBaseRecurringPrice": ("base_recurring_price", lambda price, bound: price >= bound),
    "MaxBaseRecurringPrice": ("base_recurring_price", lambda price, bound: price <= bound),
    "MinBaseSetupPrice": ("base_setup_price", lambda price, bound: price >= bound),
    "MaxBaseSetupPrice": ("base_setup_price", lambda price, bound: price <= bound),
}
_PAGING = frozenset({"PageSize", "Page", "PageToken"})
_OWNED = frozenset({*PROFILE_FILTERS, *PLACE_FILTERS, "PhoneNumber", *_PAGING})
_AVAILABLE = frozenset({*_OWNED, *_PRICE_BOUNDS, "SavedSearch"})


def filter_owned(criteria: Criteria, call: ApiCall, switches: Switches) -> None:
    """Applies the filters of ActiveNumbers.

    Raises:
        ApiError: A parameter is unknown and the switch refuses those.
    """
    _refuse_unknown(call, _OWNED, switches)
    _filter(criteria, call, switches)


def filter_available(criteria: Criteria, call: ApiCall, switches: Switches) -> None:
    """Applies the filters of AvailableNumbers.

    Raises:
        ApiError: A saved search is unknown, a price bound is not a number, or as above.
    """
    _refuse_unknown(call, _AVAILABLE, switches)
    _filter(criteria, call, switches)
    for name in filter(None, call.all("SavedSearch")):
        macro = saved_searches().get(name.lower())
        if macro is None:
            raise ApiError(
                20001, f"{name} is not a saved search", status=switches.search_error_status
            )
        for parameter, value in macro.items():
            equal(criteria, parameter, value if isinstance(value, list) else [value])
    for name, (key, within) in _PRICE_BOUNDS.items():
        if text := call.get(name):
            _price_filter(criteria, key, within, _price(name, text, switches))


def _refuse_unknown(call: ApiCall, known: frozenset[str], switches: Switches) -> None:
    if switches.unknown_catalog_parameter == "ignore":
        return
    for name, _ in call.query:
        if name not in known:
            raise ApiError(20001, f"Unknown parameter {name}", status=switches.search_error_status)


def _filter(criteria: Criteria, call: ApiCall, switches: Switches) -> None:
    for name in (*PROFILE_FILTERS, *PLACE_FILTERS):
        if values := [value for value in call.all(name) if value]:
            equal(criteria, name, values)
    if text := call.get("PhoneNumber"):
        criteria.conditions.append("phone_number = ?")
        criteria.values.append(phone_number(text, switches) or text)


def equal(criteria: Criteria, name: str, values: list[Any]) -> None:
    """Keeps numbers whose property equals one of the values."""
    if name in PLACE_FILTERS:
        key = PLACE_FILTERS[name]
        criteria.places(
            lambda place: any(same(place.geography.get(key), value) for value in values)
        )
        return
    path = PROFILE_FILTERS[name]
    criteria.profiles(
        lambda profile: any(same(_value(profile.document, path), value) for value in values)
    )


def _value(document: Json, path: tuple[str, ...]) -> object:
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _price(name: str, text: str, switches: Switches) -> float:
    try:
        return float(text)
    except ValueError as error:
        message = f"{name} must be a number"
        raise ApiError(20001, message, status=switches.search_error_status) from error


def _price_filter(
    criteria: Criteria, key: str, within: Callable[[float, float], bool], bound: float
) -> None:
    def accept(profile: Profile) -> bool:
        price = profile.document.get(key)
        return price is not None and within(float(price), bound)

    criteria.profiles(accept)
