"""PURE: what a number tells by itself: country, type and, in North America, state or province.

Facts: numbering plans say of each range to whom it belongs. Where area codes of the North American
plan lie is in `area_codes.csv` beside this; everything else the library `phonenumbers` knows.
"""

import csv
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from schema.enums import NumberType

_AREA_CODES: Final = Path(__file__).with_name("area_codes.csv")
TOLL_FREE: Final = frozenset({"800", "833", "844", "855", "866", "877", "888"})
"""Area codes in use of those that callers do not pay for.

The upstream sells them as the country's in which they are searched.
"""
NORTH_AMERICAN: Final = 12
"""Length of a number of the plan: `+1` and ten digits."""
EXCHANGE_LENGTH: Final = 8
"""How much of one names its exchange: `+1`, area code and prefix."""
# The library takes what the Netherlands keep for machines for mobile numbers.
_MACHINES: Final = "+3197"
# By the names that the library has for them.
_KINDS: Final = {
    "FIXED_LINE": NumberType.LOCAL,
    "MOBILE": NumberType.MOBILE,
    "TOLL_FREE": NumberType.TOLL_FREE,
    "SHARED_COST": NumberType.SHARED_COST,
    "VOIP": NumberType.VOIP,
    "UAN": NumberType.NATIONAL,
}


class Origin(NamedTuple):
    """What a number tells; None for what it does not.

    Attributes:
        country: ISO 3166-1 alpha-2.
        type: the kind of number.
        region: state or province, two letters. A town is never told: numbers move between them.
    """

    country: str | None = None
    type: NumberType | None = None
    region: str | None = None


UNKNOWN: Final = Origin()
_TOLL_FREE: Final = Origin(type=NumberType.TOLL_FREE)


def origin(number: str) -> Origin:
    """Return what a number in E.164 tells; nothing for one that is in another form."""
    if number.startswith("+1") and len(number) == NORTH_AMERICAN:
        area_code = number[2:5]
        if area_code in TOLL_FREE:
            return _TOLL_FREE
        return _area_codes().get(area_code, UNKNOWN)
    return _elsewhere(number)


def may_have_exchange(number: str, kind: NumberType | None) -> bool:
    """Whether a number of a kind may be of an exchange, and so of a rate center and a LATA.

    Only North American numbers are, and toll-free ones are not.
    """
    toll_free = NumberType.TOLL_FREE
    return number.startswith("+1") and toll_free not in {kind, origin(number).type}


@lru_cache(maxsize=4096)
def country_by_number(number: str | None) -> str | None:
    """Return the country that a number tells."""
    return origin(number).country if number else None


@lru_cache(maxsize=4096)
def region_by_number(number: str | None) -> str | None:
    """Return the state or province that a number tells."""
    return origin(number).region if number else None


@cache
def _area_codes() -> dict[str, Origin]:
    # A request waits for this, and `importlib.resources` alone would take it 3 ms to load.
    with _AREA_CODES.open(encoding="utf-8", newline="") as file:
        return {
            row["area_code"]: Origin(row["country"], NumberType.LOCAL, row["region"] or None)
            for row in csv.DictReader(file)
        }


# The library is loaded at its first use: few requests need it, and it is part of no start.
@lru_cache(maxsize=1024)
def calling_code(country: str) -> int:
    """Return the code of a country, as 1 for the US; 0 for what is none."""
    import phonenumbers  # noqa: PLC0415

    code: int = phonenumbers.country_code_for_region(country)
    return code


@cache
def country_of_area_code(area_code: str) -> str | None:
    """Return the country of a North American area code; None for others, and unknown ones."""
    import phonenumbers  # noqa: PLC0415

    number = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{area_code}5550123"))
    kind = phonenumbers.number_type(number)
    if kind != phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE:
        return None
    region: str | None = phonenumbers.region_code_for_number(number)
    return region


@lru_cache(maxsize=4096)
def _elsewhere(number: str) -> Origin:
    import phonenumbers  # noqa: PLC0415

    try:
        read = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return UNKNOWN
    name = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(read))
    kind = _KINDS.get(name)
    if number.startswith(_MACHINES):
        kind = NumberType.MACHINE_TO_MACHINE
    return Origin(phonenumbers.region_code_for_number(read), kind)
