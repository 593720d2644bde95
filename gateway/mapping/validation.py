"""PURE: what the gateway refuses itself, before anything is asked of the upstream.

Every refusal names the argument, in the client's own spelling.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.errors import BadUserInput
from gateway.mapping import number_patterns
from gateway.mapping.filters import TEMPLATE
from gateway.mapping.numbering_plan import calling_code, country_of_area_code
from schema.bounds import MOST_FIRST, MOST_IDS, MOST_ITEMS
from schema.enums import NumberType
from schema.scalars import quoted

_KEY_LENGTH = 255
FRIENDLY_NAME_LENGTH = 64
# Of North America, where N11 are services; and what toll-free numbers elsewhere begin with.
_AREA_CODE = re.compile(r"[2-9](?!11)[0-9]{2}", re.ASCII)
_TOLL_FREE_PREFIX = re.compile(r"[1-9][0-9]{1,3}", re.ASCII)
# Countries whose area codes are searched there when another one is named.
_SEARCHED_FROM: Final[Mapping[str, str]] = {"PR": "US"}
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
_PLACES = frozenset({"region", "postalCode", "lata", "rateCenter", "locality"})
_TEXT_LENGTH = 64
# What a text must look like, and how to say so.
_SHAPES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "region": (re.compile("[A-Za-z]{2}", re.ASCII), 'write two letters, for example "CA"'),
    "lata": (re.compile(r"[0-9]{1,5}", re.ASCII), "write a LATA's digits"),
    "postalCode": (
        re.compile(r"[0-9A-Za-z][0-9A-Za-z -]{0,15}", re.ASCII),
        "write letters and digits",
    ),
}
_PRICES = (("minSetupPrice", "maxSetupPrice"), ("minMonthlyPrice", "maxMonthlyPrice"))
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


def normalized_owned(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return filters of owned numbers with the pattern as it is asked for: digits alone."""
    if "contains" not in wanted:
        return wanted
    pattern = number_patterns.digits(number_patterns.without_punctuation(wanted["contains"]))
    return {**wanted, "contains": pattern}


def normalized_search(country: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return filters of a search with patterns and area codes as they are asked for."""
    normal = dict(wanted)
    if "contains" in wanted:
        normal["contains"] = number_patterns.normalized(wanted["contains"], country)
    if "areaCodes" in wanted:
        codes = map(number_patterns.without_punctuation, wanted["areaCodes"])
        # Elsewhere people write a 0 before them, which is no part of the number.
        is_here = has_area_codes(country)
        normal["areaCodes"] = [code if is_here else code.removeprefix("0") for code in codes]
    return normal


def check_owned_filter(wanted: Mapping[str, Any]) -> None:
    """Refuse a malformed filter of owned numbers."""
    if "contains" in wanted and not _OWNED_PATTERN.fullmatch(wanted["contains"]):
        raise BadUserInput(
            "filter.contains",
            "write 1 to 16 digits or letters; `*` stands for any digit, `+` may lead.",
        )
    _check_one_number(wanted)
    _check_name(wanted)
    _check_texts(wanted, template=False)
    _check_coordinates(wanted)


def check_search(country: str, types: Sequence[NumberType], wanted: Mapping[str, Any]) -> None:
    """Refuse a malformed search, or one that the upstream would silently widen."""
    _check_area(country, types, wanted)
    if wanted.keys() <= _PLACES:
        _check_texts(wanted, template=True)
        return
    _check_pattern(wanted)
    _check_one_number(wanted)
    _check_nearness(wanted)
    _check_texts(wanted, template=True)
    _check_coordinates(wanted)
    _check_prices(wanted)
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
    return calling_code(country) == 1


def country_of(area_code: str, country: str) -> str:
    """Return the country in which an area code is searched when `country` is asked for."""
    own = country_of_area_code(area_code) if country == "US" else None
    return own if own is not None and _SEARCHED_FROM.get(own) == country else country


def _check_area(country: str, types: Sequence[NumberType], wanted: Mapping[str, Any]) -> None:
    for path in ("lata", "rateCenter"):
        if path in wanted and not has_area_codes(country):
            raise BadUserInput(f"filter.{path}", "it works in the US and Canada only.")
    codes = wanted.get("areaCodes")
    if codes is None:
        return
    if not codes:
        raise BadUserInput("filter.areaCodes", "the list is empty; leave it out to search all.")
    only_toll_free = set(types) == {NumberType.TOLL_FREE}
    shape, words = _AREA_CODE, 'write three digits, as in "415"'
    if not has_area_codes(country):
        if not only_toll_free:
            raise BadUserInput(
                "filter.areaCodes",
                "it works in the US and Canada and where else numbers begin with +1, anywhere for"
                " `types: [TOLL_FREE]`.",
            )
        shape, words = _TOLL_FREE_PREFIX, 'write two to four digits, as in "800"'
    for code in codes:
        if not shape.fullmatch(code):
            raise BadUserInput(
                "filter.areaCodes", f"{quoted(code, 20)} is not an area code: {words}."
            )
        own = None if only_toll_free else country_of_area_code(code)
        if own is not None and own != country_of(code, country):
            raise BadUserInput(
                "filter.areaCodes",
                f'{code} is an area code of {own}: search with country: "{own}".',
            )


def _check_one_number(wanted: Mapping[str, Any]) -> None:
    if "contains" in wanted and "phoneNumber" in wanted:
        raise BadUserInput("filter.contains", "`phoneNumber` is given too; give one of them.")


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
    point = wanted.get("near.point")
    if point is not None:
        _check_degrees("filter.near.point.latitude", point.latitude, 90)
        _check_degrees("filter.near.point.longitude", point.longitude, 180)
    miles = wanted.get("withinMiles")
    if miles is None:
        return
    if point is None and "near.phoneNumber" not in wanted:
        raise BadUserInput("filter.withinMiles", "it needs `near`.")
    check_miles("filter.withinMiles", miles)


def check_miles(argument: str, miles: int) -> None:
    """Refuse a distance that the upstream does not search: 1 to 500 miles."""
    if not 1 <= miles <= 500:  # noqa: PLR2004 - documented bounds
        raise BadUserInput(argument, f"{miles} miles are not between 1 and 500.")


def _check_coordinates(wanted: Mapping[str, Any]) -> None:
    for path, most in (("latitude", 90), ("longitude", 180)):
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


def _check_texts(wanted: Mapping[str, Any], *, template: bool) -> None:
    """Refuse texts that no place has: the upstream takes an empty one for no filter at all.

    Where it is a `template`, a phone number may stand for its own place.
    """
    for path, text in wanted.items():
        if path not in _PLACES:
            continue
        if not 1 <= len(text) <= _TEXT_LENGTH or text != text.strip() or not text.isprintable():
            raise BadUserInput(
                f"filter.{path}",
                f"write 1 to {_TEXT_LENGTH} printable characters, no spaces around them.",
            )
        shape, hint = _SHAPES.get(path, (None, ""))
        if shape is None and not template and TEMPLATE.fullmatch(text):
            hint = "a phone number stands for its own place in searches only"
            raise BadUserInput(f"filter.{path}", f"{hint}.")
        if shape is None or shape.fullmatch(text):
            continue
        if not template or not TEMPLATE.fullmatch(text):
            hint += ", or a phone number" if template else ""
            raise BadUserInput(f"filter.{path}", f"{hint}.")
