"""Facts the inventory is made of, read from `data/` (origin and licences: `data/README.md`)."""

import csv
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent / "data"

GEO_SEARCH_COUNTRIES = frozenset({"US", "CA"})
"""Countries whose numbers can be searched by geography."""

NANP_COUNTRIES = frozenset({"US", "CA", "PR", "DO"})
"""Supported countries of the North American Numbering Plan, calling code 1."""

NANP_TOLL_FREE_PREFIXES = ("800", "833", "844", "855", "866", "877", "888")

NUMBER_TYPES = {
    "local": "Local",
    "tollfree": "TollFree",
    "mobile": "Mobile",
    "national": "National",
    "shared-cost": "SharedCost",
    "voip": "Voip",
    "machine-to-machine": "MachineToMachine",
}
"""Type as the catalog writes it -> path segment of AvailablePhoneNumbers."""

SUBRESOURCE_KEYS = {
    "local": "local",
    "tollfree": "toll_free",
    "mobile": "mobile",
    "national": "national",
    "shared-cost": "shared_cost",
    "voip": "voip",
    "machine-to-machine": "machine_to_machine",
}
"""Type as the catalog writes it -> key in a country's `subresource_uris`."""


@dataclass(frozen=True, slots=True)
class RateCenter:
    """A rate center with one of its area codes; coordinates in degrees."""

    iso_country: str
    area_code: str
    locality: str
    name: str
    region: str
    lata: int
    latitude: float
    longitude: float
    postal_code: str


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers of one country and type, known by an example in E.164."""

    iso_country: str
    calling_code: str
    type: str
    example: str


@dataclass(frozen=True, slots=True)
class Country:
    """A supported country; `beta` when every number there is new to the platform."""

    iso_country: str
    name: str
    beta: bool


def _rows(name: str) -> list[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def rate_centers() -> tuple[RateCenter, ...]:
    """All rate centers, by country and region."""
    return tuple(
        RateCenter(
            row["country"],
            row["area_code"],
            row["locality"],
            row["rate_center"],
            row["region"],
            int(row["lata"]),
            float(row["latitude"]),
            float(row["longitude"]),
            row["postal_code"],
        )
        for row in _rows("rate_centers.csv")
    )


@cache
def number_ranges() -> tuple[NumberRange, ...]:
    """Number ranges of the countries without rate centers, and of every country's other types."""
    return tuple(
        NumberRange(row["iso_country"], row["calling_code"], row["type"], row["example"])
        for row in _rows("numbering.csv")
    )


@cache
def countries() -> dict[str, Country]:
    """The supported countries by ISO 3166-1 alpha-2 code, in the documentation's order."""
    return {
        row["iso_country"]: Country(row["iso_country"], row["country"], row["beta"] == "true")
        for row in _rows("countries.csv")
    }


@cache
def number_types(iso_country: str) -> tuple[str, ...]:
    """Types of number that a country has, in the order of `NUMBER_TYPES`; empty when
    unsupported.
    """
    types = {row.type for row in number_ranges() if row.iso_country == iso_country}
    if any(center.iso_country == iso_country for center in rate_centers()):
        types.add("local")
    if iso_country in GEO_SEARCH_COUNTRIES:
        types.add("tollfree")
    return tuple(kind for kind in NUMBER_TYPES if kind in types)


@cache
def calling_codes() -> dict[str, str]:
    """ISO country -> calling code."""
    codes = {row.iso_country: row.calling_code for row in number_ranges()}
    return codes | dict.fromkeys(NANP_COUNTRIES, "1")


@cache
def saved_searches() -> dict[str, dict[str, Any]]:
    """Lower-case macro name -> the filters it stands for; both names of an alias are present."""
    document = json.loads((_DATA / "saved_searches.json").read_text(encoding="utf-8"))
    macros: dict[str, dict[str, Any]] = document["macros"]
    for alias, name in document["aliases"].items():
        macros[alias] = macros[name]
    return macros


def national_number(phone_number: str, iso_country: str | None) -> str:
    """Digits after the calling code: `+15105551234` -> `5105551234`; `iso_country` may be
    unknown.
    """
    digits = phone_number.removeprefix("+")
    code = calling_codes().get(iso_country or "", "1" if len(digits) == 11 else "")  # noqa: PLR2004 - +1 and ten digits
    return digits.removeprefix(code)


def friendly_name(phone_number: str) -> str:
    """`(808) 925-1571` for the North American plan, else the number itself."""
    if phone_number.startswith("+1") and len(phone_number) == 12:  # noqa: PLR2004 - +1 and ten digits
        return f"({phone_number[2:5]}) {phone_number[5:8]}-{phone_number[8:]}"
    return phone_number


def number_named(name: str) -> str:
    """The only number that `friendly_name` can give this name."""
    number = "+1" + "".join(character for character in name if character.isdigit())
    return number if friendly_name(number) == name else name
