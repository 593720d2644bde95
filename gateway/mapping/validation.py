"""PURE: what the gateway refuses itself, before anything is asked of the upstream.

Every refusal names the argument, in the client's own spelling.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import phonenumbers

from gateway.errors import BadUserInput
from gateway.mapping.filters import CORE_SEARCH
from schema.bounds import MOST_FIRST, MOST_IDS, MOST_ITEMS
from schema.enums import NumberType
from schema.scalars import quoted

_KEY_LENGTH = 255
FRIENDLY_NAME_LENGTH = 64
NORTH_AMERICA = frozenset({"US", "CA"})
# Of the North American plan; and what toll-free numbers elsewhere begin with, but for a 0.
_AREA_CODES, _TOLL_FREE_PREFIXES = (200, 999), (10, 9999)
_PATTERN = re.compile(r"(?=.{2,16}\Z)\+?[0-9A-Za-z*%]+\$?", re.ASCII)
_ORDINARY = re.compile(r"[0-9A-Za-z]", re.ASCII)
_OWNED_PATTERN = re.compile(r"\+?[0-9*]{1,16}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}", re.ASCII)
_SETTING_SIDS = {
    "voice.applicationSid": "AP",
    "voice.trunkSid": "TK",
    "voice.emergencyAddressSid": "AD",
    "sms.applicationSid": "AP",
    "regulatory.addressSid": "AD",
    "regulatory.identitySid": "RI",
    "regulatory.bundleSid": "BU",
}
_TEMPLATES = frozenset({"inRegion", "inPostalCode", "inLata", "inRateCenter", "inLocality"})
_PLACES = frozenset(
    f"geography.{each}" for each in ("lata", "rateCenter", "region", "locality", "postalCode")
)
_TEXTS = _TEMPLATES | _PLACES
_TEXT_LENGTH = 64
# What a text must look like, and how to say so. A phone number may stand for its own place.
_LATA = (re.compile(r"[0-9]{1,5}", re.ASCII), "write a LATA's digits")
_SHAPES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "inRegion": (re.compile("[A-Za-z]{2}", re.ASCII), "write two letters, or a phone number"),
    "inLata": (_LATA[0], f"{_LATA[1]}, or a phone number"),
    "inPostalCode": (
        re.compile(r"[0-9A-Za-z][0-9A-Za-z -]{0,15}", re.ASCII),
        "write letters and digits, or a phone number",
    ),
    "geography.lata": _LATA,
}
_TEMPLATE = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_PRICES = (
    ("minBaseSetupPrice", "maxBaseSetupPrice"),
    ("minBaseRecurringPrice", "maxBaseRecurringPrice"),
)
_HIGHEST_PRICE = 1_000_000


def is_sid(text: str, kind: str) -> bool:
    """Whether a text has the form of a sid of a kind, which its two letters name."""
    return text.startswith(kind) and _SID.fullmatch(text) is not None


def check_count(argument: str, count: int) -> None:
    """Refuse a page size outside 1 to 1000; `first` or `last` says it."""
    if not 1 <= count <= MOST_FIRST:
        raise BadUserInput(argument, f"{count} is not between 1 and {MOST_FIRST}.")


def check_items(count: int) -> None:
    """Refuse a plural mutation of none or of more than 100 items."""
    if not 1 <= count <= MOST_ITEMS:
        raise BadUserInput("input.items", f"{count} items are not between 1 and {MOST_ITEMS}.")


def check_key(key: str) -> None:
    """Refuse an idempotency key that is empty or has more than 255 characters."""
    if not 1 <= len(key) <= _KEY_LENGTH:
        raise BadUserInput("input.idempotencyKey", f"write 1 to {_KEY_LENGTH} characters.")


def check_ids(argument: str, count: int) -> None:
    """Refuse more ids at once than 1000."""
    if count > MOST_IDS:
        raise BadUserInput(argument, f"{count} are too many: at most {MOST_IDS}.")


def check_sid(argument: str, sid: str, prefix: str) -> None:
    """Refuse what is not a sid: `prefix` (`AC`, `PN`) and 32 hexadecimal digits."""
    if not is_sid(sid, prefix):
        raise BadUserInput(argument, _no_sid(sid, prefix))


def _no_sid(text: str, prefix: str) -> str:
    return f"{quoted(text, 40)} is not a sid: {prefix} and 32 hexadecimal digits."


def check_owned_filter(wanted: Mapping[str, Any]) -> None:
    """Refuse a malformed filter of owned numbers."""
    if "contains" in wanted and not _OWNED_PATTERN.fullmatch(wanted["contains"]):
        raise BadUserInput(
            "filter.contains", "write 1 to 16 digits; `*` stands for any digit, `+` may lead."
        )
    if "contains" in wanted and "phoneNumber" in wanted:
        raise BadUserInput("filter.contains", "`phoneNumber` is given too; give one of them.")
    _check_name(wanted)
    _check_texts(wanted, _PLACES)
    _check_coordinates(wanted)


def check_search(country: str, types: Sequence[NumberType], wanted: Mapping[str, Any]) -> None:
    """Refuse a malformed search, or one that the upstream would silently widen."""
    _check_area(country, types, wanted)
    _check_pattern(wanted)
    _check_nearness(wanted)
    _check_texts(wanted, _TEXTS)
    _check_coordinates(wanted)
    _check_prices(wanted)
    if "inRateCenter" in wanted and "inLata" not in wanted:
        raise BadUserInput("filter.inRateCenter", "it needs `inLata` too.")
    named = wanted.get("geography.isoCountry")
    if named is not None and named != country:
        raise BadUserInput("filter.geography.isoCountry", f"`country` says {country}.")
    if wanted.get("savedSearches") == []:
        raise BadUserInput("filter.savedSearches", "the list is empty; leave it out for none.")


def check_friendly_name(name: str | None) -> str | None:
    """Return what is wrong with a friendly name; None when nothing is."""
    if name is None:
        return None
    if len(name) > FRIENDLY_NAME_LENGTH:
        return f"{len(name)} characters are too many: at most {FRIENDLY_NAME_LENGTH}."
    if _CONTROL.search(name):
        return "Control characters cannot be part of it."
    return None


def check_settings(settings: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first setting that is wrong, and what is wrong; None when none is."""
    problem = check_friendly_name(settings.get("friendlyName"))
    if problem is not None:
        return "friendlyName", problem
    for path, prefix in _SETTING_SIDS.items():
        sid = settings.get(path)
        if sid is not None and not is_sid(sid, prefix):
            return path, _no_sid(sid, prefix)
    if settings.get("voice.trunkSid") and settings.get("voice.applicationSid"):
        # The upstream would drop one of them without a word.
        problem = "`applicationSid` is given too, and a number has one or the other: give one."
        return "voice.trunkSid", problem
    return None


def has_area_codes(country: str) -> bool:
    """Whether a country's numbers begin with +1 and an area code, as in North America."""
    return phonenumbers.country_code_for_region(country) == 1


def _check_area(country: str, types: Sequence[NumberType], wanted: Mapping[str, Any]) -> None:
    if country not in NORTH_AMERICA:
        for path in wanted:
            if path in CORE_SEARCH and CORE_SEARCH[path].us_ca_only and path != "areaCode":
                raise BadUserInput(f"filter.{path}", "it works in the US and Canada only.")
    codes = wanted.get("areaCode")
    if codes is None:
        return
    least, most = _AREA_CODES
    if not has_area_codes(country):
        if set(types) != {NumberType.TOLL_FREE}:
            raise BadUserInput(
                "filter.areaCode",
                "it works in the US and Canada and where else numbers begin with +1, anywhere for"
                " `types: [TOLL_FREE]`.",
            )
        least, most = _TOLL_FREE_PREFIXES
    if not codes:
        raise BadUserInput("filter.areaCode", "the list is empty; leave it out to search all.")
    for code in codes:
        if not least <= code <= most:
            raise BadUserInput("filter.areaCode", f"{code} is not an area code: {least} to {most}.")


def _check_pattern(wanted: Mapping[str, Any]) -> None:
    pattern = wanted.get("contains")
    if pattern is None:
        return
    if not _PATTERN.fullmatch(pattern):
        raise BadUserInput(
            "filter.contains",
            "write 2 to 16 characters: digits, letters, `*`, `%`; `+` only leads, `$` only ends.",
        )
    if len(_ORDINARY.findall(pattern)) < 2:  # noqa: PLR2004 - the documented minimum
        raise BadUserInput("filter.contains", "it needs at least two digits or letters.")


def _check_nearness(wanted: Mapping[str, Any]) -> None:
    point = wanted.get("nearLatLong")
    near = point is not None or "nearNumber" in wanted
    if point is not None and "nearNumber" in wanted:
        raise BadUserInput("filter.nearNumber", "`nearLatLong` is given too; give one of them.")
    if point is not None:
        _check_degrees("filter.nearLatLong.latitude", point.latitude, 90)
        _check_degrees("filter.nearLatLong.longitude", point.longitude, 180)
    distance = wanted.get("distance")
    if distance is None:
        return
    if not near:
        raise BadUserInput("filter.distance", "it needs `nearLatLong` or `nearNumber`.")
    check_distance("filter.distance", distance)


def check_distance(argument: str, distance: int) -> None:
    """Refuse a distance that the upstream does not search: 1 to 500 miles."""
    if not 1 <= distance <= 500:  # noqa: PLR2004 - documented bounds
        raise BadUserInput(argument, f"{distance} miles are not between 1 and 500.")


def _check_coordinates(wanted: Mapping[str, Any]) -> None:
    for path, most in (("geography.latitude", 90), ("geography.longitude", 180)):
        if path in wanted:
            _check_degrees(f"filter.{path}", wanted[path], most)


def _check_degrees(argument: str, degrees: float, most: int) -> None:
    if not -most <= degrees <= most:
        raise BadUserInput(argument, f"{degrees} is not between -{most} and {most} degrees.")


def _check_prices(wanted: Mapping[str, Any]) -> None:
    for low, high in _PRICES:
        if low not in wanted and high not in wanted:
            continue
        for path in (low, high):
            price = wanted.get(path, 0)
            if price < 0:
                raise BadUserInput(f"filter.{path}", "a price is not below 0.")
            if price > _HIGHEST_PRICE:
                raise BadUserInput(f"filter.{path}", f"a price is not above {_HIGHEST_PRICE}.")
        if wanted.get(low, 0) > wanted.get(high, _HIGHEST_PRICE):
            raise BadUserInput(f"filter.{high}", f"it is below `{low}`.")


def _check_name(wanted: Mapping[str, Any]) -> None:
    name = wanted.get("friendlyName")
    if name is None:
        return
    problem = check_friendly_name(name) if name.strip() else "it is empty."
    if problem is not None:
        raise BadUserInput("filter.friendlyName", problem)


def _check_texts(wanted: Mapping[str, Any], paths: frozenset[str]) -> None:
    """Refuse texts that no place has: the upstream takes an empty one for no filter at all."""
    for path, text in wanted.items():
        if path not in paths:
            continue
        if not 1 <= len(text) <= _TEXT_LENGTH or text != text.strip() or not text.isprintable():
            raise BadUserInput(
                f"filter.{path}",
                f"write 1 to {_TEXT_LENGTH} printable characters, no spaces around them.",
            )
        shape, hint = _SHAPES.get(path, (None, ""))
        template = path in _TEMPLATES and _TEMPLATE.fullmatch(text)
        if shape is not None and not template and not shape.fullmatch(text):
            raise BadUserInput(f"filter.{path}", f"{hint}.")
