"""Reading what the upstream writes, writing what it reads, and refusing before it is asked."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import BadUserInput
from gateway.mapping import coerce, filters, validation
from gateway.mapping.plain_json import read_json
from schema.enums import NumberType, SavedSearch
from schema.inputs import LatLongInput
from schema.scalars import parse_date_time, parse_decimal, write_date_time, write_decimal

SID = "PN" + "0a" * 16


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (coerce.text, "", None),
        (coerce.text, 132, "132"),
        (coerce.text, True, None),
        (coerce.text, {}, None),
        (coerce.numeral, 132, "132"),
        (coerce.number, "19.720000", 19.72),
        (coerce.number, "nan", None),
        (coerce.number, "1e999", None),
        (coerce.number, False, None),
        (coerce.integer, "7", 7),
        (coerce.integer, 7.5, None),
        (coerce.integer, 2**31 - 1, 2**31 - 1),
        (coerce.integer, 2**31, None),
        (coerce.integer, -(2**31), -(2**31)),
        (coerce.boolean, "TRUE", True),
        (coerce.boolean, "false", False),
        (coerce.boolean, "", None),
        (coerce.boolean, "yes", None),
        (coerce.boolean, 1, None),
        (coerce.texts, ["a", "", None, 3], ["a", "3"]),
        (coerce.texts, "a", None),
        (coerce.country, "us", "US"),
        (coerce.country, "USA", None),
        (coerce.country, "é1", None),
        (coerce.date, "", None),
        (coerce.date, "yesterday", None),
        (coerce.one_of(NumberType), "TollFree", NumberType.TOLL_FREE),
        (coerce.one_of(NumberType), "satellite", None),
        (
            coerce.one_of(NumberType, toll_free=NumberType.TOLL_FREE),
            "Toll-Free",
            NumberType.TOLL_FREE,
        ),
    ],
)
def test_what_can_be_read_is_read_and_what_cannot_is_null(
    read: coerce.Coercion, value: object, expected: object
) -> None:
    assert read(value) == expected


def test_dates_of_both_families_are_the_same_moment() -> None:
    moment = dt.datetime(2015, 8, 27, 16, 38, 9, tzinfo=dt.UTC)
    assert coerce.date("Thu, 27 Aug 2015 16:38:09 +0000") == moment
    assert coerce.date("2015-08-27T16:38:09Z") == moment


@pytest.mark.parametrize(
    ("number", "written"),
    [("1.50", "1.5"), ("100", "100"), ("-0.0", "0"), ("1E+2", "100"), ("1E-7", "0.0000001")],
)
def test_equal_decimals_are_written_equally(number: str, written: str) -> None:
    assert write_decimal(Decimal(number)) == written


@pytest.mark.parametrize(
    ("value", "read"),
    [("1.150", "1.15"), (1.15, "1.15"), (2, "2"), ("-3", "-3"), (1e2, "100"), ("007", "7")],
)
def test_decimals_are_read_exactly_from_texts_and_numbers(value: object, read: str) -> None:
    assert parse_decimal(value) == Decimal(read)


@pytest.mark.parametrize(
    "value",
    ["", " 1", "1,5", "NaN", float("nan"), float("inf"), True, None, "1_0", "1e999", "\uff11"],
)
def test_what_is_no_decimal_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a decimal number"):
        parse_decimal(value)


@pytest.mark.parametrize("value", ["2026-11-27", "2026-11-27T09:30:00", "2026-13-01T00:00:00Z", 5])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a date and time of RFC 3339"):
        parse_date_time(value)


def test_a_moment_is_read_with_its_offset_and_written_in_utc() -> None:
    moment = parse_date_time("2026-11-27T11:30:00.987+02:00")
    assert write_date_time(moment) == "2026-11-27T09:30:00Z"


@pytest.mark.parametrize(("depth", "fits"), [(5, True), (238, True), (239, False), (2000, False)])
def test_json_is_read_as_deep_as_it_can_be_written_again(depth: int, fits: bool) -> None:
    text = b"[" * depth + b"]" * depth
    if fits:
        assert read_json(text) is not None
    else:
        with pytest.raises(ValueError, match=r"deep|depth"):
            read_json(text)


@pytest.mark.parametrize(
    ("value", "written"),
    [(1.5, "1.5"), (2.0, "2"), (1e-7, "0"), (-122.4194, "-122.4194"), (1e6, "1000000")],
)
def test_numbers_are_written_without_exponent_and_trailing_zeros(
    value: float, written: str
) -> None:
    assert filters.plain(value) == written


def test_filters_are_written_as_the_table_says() -> None:
    table = {
        "areaCode": filters.Param("AreaCode"),
        "capabilities.voice.enabled": filters.CORE_SEARCH["capabilities.voice.enabled"],
        "near.point": filters.Param("NearLatLong", filters.degrees),
        "type": filters.Param("Type", filters.token),
    }
    wanted: dict[str, Any] = {
        "areaCode": "415",
        "capabilities.voice.enabled": True,
        "near.point": LatLongInput(latitude=37.5, longitude=-122.0),
        "type": NumberType.TOLL_FREE,
    }
    assert filters.parameters(wanted, table) == [
        ("AreaCode", "415"),
        ("VoiceEnabled", "true"),
        ("NearLatLong", "37.5,-122"),
        ("Type", NumberType.TOLL_FREE.value),
    ]
    assert filters.parameters({"capabilities.voice.enabled": False}, table) == []
    assert filters.unsupported({"areaCode": "415", "lata": "722"}, table) == ["lata"]


def test_a_list_is_written_once_for_each_value() -> None:
    sets = [SavedSearch.MARKETING_SMS, SavedSearch.CALL_TRACKING_SMS]
    assert filters.parameters({"savedSearches": sets * 3}, filters.CATALOG_SEARCH) == [
        ("SavedSearch", filters.token(each)) for each in sets
    ]


@pytest.mark.parametrize(
    ("text", "kind", "is_one"),
    [
        (SID, "PN", True),
        (SID.upper(), "PN", True),
        (SID, "AC", False),
        (SID[:-1], "PN", False),
        (SID + "0", "PN", False),
        (SID[:-1] + "g", "PN", False),
        (SID + "\n", "PN", False),
        (SID[:-1] + "\uff11", "PN", False),
    ],
)
def test_a_sid_is_two_letters_and_32_hexadecimal_digits(text: str, kind: str, is_one: bool) -> None:
    assert validation.is_sid(text, kind) is is_one


def refused(country: str, types: list[NumberType], wanted: dict[str, Any]) -> str | None:
    """Return the argument for which a search is refused."""
    try:
        validation.check_search(country, types, wanted)
    except BadUserInput as error:
        return error.argument
    return None


@pytest.mark.parametrize(
    ("country", "wanted", "argument"),
    [
        ("US", {}, None),
        ("US", {"areaCodes": ["200", "999"]}, None),
        ("US", {"areaCodes": ["199"]}, "filter.areaCodes"),
        *(
            ("US", {"areaCodes": [code]}, "filter.areaCodes")
            for code in ("", "41", "4155", "015", "abc", "911", "+1415", "٤١٥", "416")
        ),
        ("US", {"areaCodes": ["787", "939"]}, None),
        ("PR", {"areaCodes": ["787"]}, None),
        ("PR", {"areaCodes": ["415"]}, "filter.areaCodes"),
        ("CA", {"areaCodes": ["787"]}, "filter.areaCodes"),
        ("US", {"areaCodes": []}, "filter.areaCodes"),
        ("GB", {"areaCodes": ["415"]}, "filter.areaCodes"),
        ("GB", {"lata": "722"}, "filter.lata"),
        ("US", {"contains": "55"}, None),
        ("US", {"contains": "5"}, "filter.contains"),
        ("US", {"contains": "5*"}, "filter.contains"),
        ("US", {"contains": "5+5"}, "filter.contains"),
        ("US", {"contains": "5" * 17}, "filter.contains"),
        ("US", {"lata": "123456"}, "filter.lata"),
        ("US", {"lata": "+14155550100"}, None),
        ("US", {"rateCenter": "SNFC", "lata": "722"}, None),
        ("GB", {"rateCenter": "SNFC"}, "filter.rateCenter"),
        ("US", {"locality": " Oakland"}, "filter.locality"),
        ("US", {"withinMiles": 5}, "filter.withinMiles"),
        ("US", {"withinMiles": 501, "near.phoneNumber": "+14155550100"}, "filter.withinMiles"),
        ("US", {"latitude": 90.5}, "filter.latitude"),
        ("US", {"contains": "55", "phoneNumber": "+14155550100"}, "filter.contains"),
        ("US", {"minSetupPrice": 2, "maxSetupPrice": 1}, "filter.maxSetupPrice"),
        ("US", {"minSetupPrice": -1}, "filter.minSetupPrice"),
        ("US", {"savedSearches": []}, "filter.savedSearches"),
    ],
)
def test_a_search_that_the_upstream_would_widen_is_refused_by_the_name_of_its_filter(
    country: str, wanted: dict[str, Any], argument: str | None
) -> None:
    assert refused(country, [NumberType.LOCAL], wanted) == argument


def test_toll_free_prefixes_take_the_place_of_area_codes_abroad() -> None:
    assert refused("GB", [NumberType.TOLL_FREE], {"areaCodes": ["800"]}) is None
    assert refused("GB", [NumberType.TOLL_FREE], {"areaCodes": ["9"]}) == "filter.areaCodes"


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"friendlyName": "n" * 64}, None),
        ({"friendlyName": "n" * 65}, "friendlyName"),
        ({"friendlyName": "a\nb"}, "friendlyName"),
        ({"voice.trunkSid": "TK" + "0" * 32}, None),
        ({"voice.trunkSid": "AP" + "0" * 32}, "voice.trunkSid"),
        (
            {"voice.trunkSid": "TK" + "0" * 32, "voice.applicationSid": "AP" + "0" * 32},
            "voice.trunkSid",
        ),
    ],
)
def test_a_setting_that_the_upstream_would_drop_is_refused(
    settings: dict[str, Any], wrong: str | None
) -> None:
    found = validation.check_settings(settings)
    assert (found and found[0]) == wrong
