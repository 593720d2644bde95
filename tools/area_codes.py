"""Prints gateway/mapping/area_codes.csv: where the area codes of the North American plan belong.

The facts are those of the library `phonenumbers`, which has them for each town, in all languages,
and takes 200 MB to load them: too much for a gateway.
"""

import importlib
import pkgutil
import re
import sys
from collections import defaultdict
from typing import Final

import phonenumbers
from phonenumbers import geodata

# Names in the library's data -> codes of ISO 3166-2 without the country.
_NAMED = {
    "US": """
        AL Alabama; AK Alaska; AZ Arizona; AR Arkansas; CA California; CO Colorado;
        CT Connecticut; DE Delaware; DC Washington D.C.; FL Florida; GA Georgia; HI Hawaii;
        ID Idaho; IL Illinois; IN Indiana; IA Iowa; KS Kansas; KY Kentucky; LA Louisiana;
        ME Maine; MD Maryland; MA Massachusetts; MI Michigan; MN Minnesota; MS Mississippi;
        MO Missouri; MT Montana; NE Nebraska; NV Nevada; NH New Hampshire; NJ New Jersey;
        NM New Mexico; NY New York; NC North Carolina; ND North Dakota; OH Ohio; OK Oklahoma;
        OR Oregon; PA Pennsylvania; RI Rhode Island; SC South Carolina; SD South Dakota;
        TN Tennessee; TX Texas; UT Utah; VT Vermont; VA Virginia; WA Washington State;
        WV West Virginia; WI Wisconsin; WY Wyoming
    """,
    "CA": """
        AB Alberta; BC British Columbia; BC British Colombia; MB Manitoba; NB New Brunswick;
        NL Newfoundland and Labrador; ON Ontario; QC Quebec; SK Saskatchewan
    """,
}
REGIONS: Final = {
    country: {each.strip()[3:]: each.strip()[:2] for each in text.split(";")}
    for country, text in _NAMED.items()
}
_FOR_PEOPLE = (
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.MOBILE,
)
_AREA_CODE = re.compile(r"1([2-9][0-9]{2})")


def names() -> dict[str, set[str]]:
    """Return what the library says of each area code as a whole, or else of each of its parts."""
    whole: dict[str, set[str]] = {}
    parts: dict[str, set[str]] = defaultdict(set)
    for module in pkgutil.iter_modules(geodata.__path__):
        if module.name.startswith("data"):
            data = importlib.import_module(f"{geodata.__name__}.{module.name}").data
            for prefix, told in data.items():
                if (code := _AREA_CODE.match(prefix)) and "en" in told:
                    if prefix == code[0]:
                        whole[code[1]] = {told["en"]}
                    parts[code[1]].add(told["en"])
    return parts | whole


def region(country: str, names: set[str]) -> str:
    """Return the code of the region that all names agree on; empty where there is none."""
    codes = REGIONS.get(country, {})
    # A town is named with its region behind it: "New York, NY".
    found = {
        codes.get(name) or next((c for c in codes.values() if name.endswith(f", {c}")), "")
        for name in names
    }
    return found.pop() if len(found) == 1 else ""


def country(area_code: int) -> str | None:
    """Return the country of the numbers of an area code; None when there are none for people."""
    for exchange in range(200, 1000):
        number = phonenumbers.parse(f"+1{area_code}{exchange}0123")
        if phonenumbers.number_type(number) in _FOR_PEOPLE:
            return phonenumbers.region_code_for_number(number)
    return None


def main() -> None:
    """Print the table."""
    named = names()
    sys.stdout.write("area_code,country,region\n")
    for area_code in range(200, 1000):
        if found := country(area_code):
            told = region(found, named.get(str(area_code), set()))
            sys.stdout.write(f"{area_code},{found},{told}\n")


if __name__ == "__main__":
    main()
