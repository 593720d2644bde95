"""AvailablePhoneNumbers: every filter against a brute-force search of the whole inventory."""

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.api import Api, refusal
from tests.support.sandbox_in_thread import RunningSandbox

Predicate = Callable[[dict[str, Any]], bool]
KEYPAD = {
    letter: digit
    for digit, letters in zip(
        "23456789", ("ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"), strict=True
    )
    for letter in letters
}
SAN_FRANCISCO = (37.840699, -122.461853)
CARSON_CITY = (39.162544, -119.766083)


def matches(pattern: str) -> Predicate:
    """Whether a number contains a pattern of the older grammar."""
    expression = "".join("[0-9]" if c == "*" else KEYPAD.get(c.upper(), c) for c in pattern)
    return lambda number: re.search(expression, number["national"]) is not None


def near(center: tuple[float, float], miles: float) -> Predicate:
    """Whether a number lies within a distance, by the spherical law of cosines."""

    def within(number: dict[str, Any]) -> bool:
        place = number["geography"]
        if place["latitude"] is None:
            return False
        lat1, lat2 = math.radians(center[0]), math.radians(place["latitude"])
        delta = math.radians(place["longitude"] - center[1])
        cosine = math.sin(lat1) * math.sin(lat2) + math.cos(lat1) * math.cos(lat2) * math.cos(delta)
        return 3958.8 * math.acos(max(-1.0, min(1.0, cosine))) <= miles

    return within


def geography(**wanted: object) -> Predicate:
    return lambda number: all(number["geography"][key] == value for key, value in wanted.items())


def both(*predicates: Predicate) -> Predicate:
    return lambda number: all(predicate(number) for predicate in predicates)


def starts(digits: str) -> Predicate:
    return lambda number: number["national"].startswith(digits)


WORKED_EXAMPLES: dict[str, tuple[str, dict[str, str | int], Predicate]] = {
    "area code 510": ("US/Local", {"AreaCode": 510}, starts("510")),
    "starting with 510555": ("US/Local", {"Contains": "510555****"}, starts("510555")),
    "pattern STORM": ("US/Local", {"Contains": "STORM"}, matches("78676")),
    "Arkansas": ("US/Local", {"InRegion": "AR"}, geography(region="AR")),
    "555 within 50 miles of San Francisco": (
        "US/Local",
        {"NearLatLong": "37.840699,-122.461853", "Distance": 50, "Contains": "555"},
        both(near(SAN_FRANCISCO, 50), matches("555")),
    ),
    "345 in California near Carson City": (
        "US/Local",
        {
            "InRegion": "CA",
            "NearLatLong": "39.162544,-119.766083",
            "Distance": 50,
            "Contains": "345",
        },
        both(geography(region="CA"), near(CARSON_CITY, 50), matches("345")),
    ),
    "LATA of +15016055555": ("US/Local", {"InLata": "+15016055555"}, geography(lata=528)),
    "any toll-free": ("US/TollFree", {}, lambda _: True),
    "toll-free containing 866": ("US/TollFree", {"Contains": "866"}, matches("866")),
    "866***EPIC": ("US/TollFree", {"Contains": "866***EPIC"}, matches("866***3742")),
    "toll-free STORM": ("US/TollFree", {"Contains": "STORM"}, matches("78676")),
    "800 with JENNY": (
        "US/TollFree",
        {"AreaCode": 800, "Contains": "JENNY"},
        both(starts("800"), matches("53669")),
    ),
    "Huntington, New York": (
        "US/Local",
        {"InLata": "132", "InRateCenter": "HUNTINGTON"},
        geography(
            rate_center="HUNTINGTON", region="NY", locality="HUNTINGTON", postal_code="11743"
        ),
    ),
}
FILTERS: dict[str, tuple[str, dict[str, str | int], Predicate]] = {
    "area code in Canada": ("CA/Local", {"AreaCode": "416"}, starts("416")),
    "digits anywhere": ("US/Local", {"Contains": "2468"}, matches("2468")),
    "wildcards inside": ("US/Local", {"Contains": "9**9**99"}, matches("9**9**99")),
    "lower-case letters": ("US/Local", {"Contains": "storm"}, matches("78676")),
    "anchored at the start": ("US/Local", {"Contains": "+1510"}, starts("510")),
    "anchored at the end": (
        "US/Local",
        {"Contains": "777$"},
        lambda number: number["national"].endswith("777"),
    ),
    "any run in the middle": (
        "US/Local",
        {"Contains": "+1212%99$"},
        lambda number: re.fullmatch(r"212\d*99", number["national"]) is not None,
    ),
    "GB, anchored": ("GB/Mobile", {"Contains": "+447400"}, starts("7400")),
    "postal code": ("US/Local", {"InPostalCode": "94612"}, geography(postal_code="94612")),
    "Canadian postal code": (
        "CA/Local",
        {"InPostalCode": "R3B 1B9"},
        geography(postal_code="R3B 1B9"),
    ),
    "province": ("CA/Local", {"InRegion": "SK"}, geography(region="SK")),
    "LATA": ("US/Local", {"InLata": "834"}, geography(lata=834)),
    "locality": ("US/Local", {"InLocality": "Hilo"}, geography(locality="HILO")),
    "near a number": (
        "US/Local",
        {"NearNumber": "+18085550100", "Distance": 10},
        near((19.726933, -155.091794), 10),
    ),
    "25 miles unless said otherwise": (
        "US/Local",
        {"NearLatLong": "37.840699,-122.461853"},
        near(SAN_FRANCISCO, 25),
    ),
    "500 miles": (
        "US/Local",
        {"NearLatLong": "37.840699,-122.461853", "Distance": 500},
        near(SAN_FRANCISCO, 500),
    ),
    "without beta": ("US/Local", {"Beta": "false"}, lambda number: not number["beta"]),
    "with beta": ("US/Local", {"Beta": "true"}, lambda _: True),
    "no local address": (
        "IE/Local",
        {"ExcludeLocalAddressRequired": "true"},
        lambda number: number["regulatory"]["address_requirements"] != "local",
    ),
    "no foreign address": (
        "MX/Local",
        {"ExcludeForeignAddressRequired": "true"},
        lambda number: number["regulatory"]["address_requirements"] != "foreign",
    ),
    "no address at all": (
        "HK/Mobile",
        {"ExcludeAllAddressRequired": "true"},
        lambda number: number["regulatory"]["address_requirements"] == "none",
    ),
    "address exclusion not wanted": (
        "HK/Mobile",
        {"ExcludeAllAddressRequired": "false"},
        lambda _: True,
    ),
}


def capable(name: str, *, wanted: bool) -> Predicate:
    def check(number: dict[str, Any]) -> bool:
        found = number["capabilities"].get("voice" if name == "fax" else name) or {}
        if name == "fax":
            return bool(found.get("fax")) is wanted
        return (
            bool(found.get("inbound_connectivity") or found.get("outbound_connectivity")) is wanted
        )

    return check


for capability, wanted in itertools.product(("voice", "sms", "mms", "fax"), (True, False)):
    FILTERS[f"{capability} {wanted}"] = (
        "US/Local",
        {f"{capability.capitalize()}Enabled": str(wanted).lower()},
        capable(capability, wanted=wanted),
    )

_inventories: dict[str, list[dict[str, Any]]] = {}


def inventory(sandbox: RunningSandbox, path: str) -> list[dict[str, Any]]:
    """Every number of a country and type, read once."""
    if path not in _inventories:
        country, segment = path.split("/")
        token = segment.lower()
        _inventories[path] = sandbox.inventory(
            country,
            token,
            ["phone_number", "national", "geography", "capabilities", "beta", "regulatory"],
        )
    return _inventories[path]


@pytest.mark.parametrize("name", [*WORKED_EXAMPLES, *FILTERS])
def test_a_search_returns_the_first_matches_of_the_inventory_in_its_order(
    sandbox: RunningSandbox, parent: Api, name: str
) -> None:
    path, params, predicate = {**WORKED_EXAMPLES, **FILTERS}[name]
    sandbox.set_switches(enabled_false="filter")
    expected = [n["phone_number"] for n in inventory(sandbox, path) if predicate(n)]

    found = [n["phone_number"] for n in parent.search(path, PageSize=1000, **params)]

    assert found == expected[:1000]
    if name in WORKED_EXAMPLES:
        assert found, "an example of the documentation finds nothing"


@pytest.mark.parametrize(
    ("parameter", "attribute"),
    [
        ("InRegion", "region"),
        ("InPostalCode", "postal_code"),
        ("InLata", "lata"),
        ("InLocality", "locality"),
    ],
)
def test_a_number_serves_as_template_for_its_own_attribute(
    sandbox: RunningSandbox, parent: Api, parameter: str, attribute: str
) -> None:
    template = inventory(sandbox, "US/Local")[17]
    wanted = template["geography"][attribute]
    expected = [
        n["phone_number"]
        for n in inventory(sandbox, "US/Local")
        if n["geography"][attribute] == wanted
    ]

    found = parent.search(PageSize=1000, **{parameter: template["phone_number"]})

    assert [n["phone_number"] for n in found] == expected[:1000]


def test_a_number_serves_as_template_for_its_rate_center(parent: Api) -> None:
    template = parent.search(AreaCode=631)[0]

    found = parent.search(
        InLata=template["phone_number"], InRateCenter=template["phone_number"], PageSize=1000
    )

    assert {(n["lata"], n["rate_center"]) for n in found} == {("132", "HUNTINGTON")}
    assert len(found) > 300


def test_an_unescaped_plus_before_a_template_is_understood(parent: Api) -> None:
    path = f"{parent.base}/AvailablePhoneNumbers/US/Local.json?InLata=+15016055555"

    numbers = parent.get(path).json()["available_phone_numbers"]

    assert {n["lata"] for n in numbers} == {"528"}


def test_a_template_nobody_knows_finds_nothing(parent: Api) -> None:
    assert parent.search(InLata="+19995550100") == []
    assert parent.search(NearNumber="+19995550100") == []


def test_a_template_may_be_an_owned_number(sandbox: RunningSandbox, api: Api) -> None:
    place = {"region": "ZZ", "lata": 132}
    owned = sandbox.put_number(api.account.sid, resource={"geography": place})

    assert api.search(InRegion=owned["phone_number"]) == []
    assert {n["lata"] for n in api.search(InLata=owned["phone_number"])} == {"132"}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Contains": "5"}, 21421),
        ({"Contains": "*****"}, 21421),
        ({"Contains": "5*"}, 21421),
        ({"Contains": "12345678901234567"}, 21421),
        ({"Contains": "55-5"}, 21421),
        ({"Contains": "5$5"}, 21421),
        ({"Contains": "5+5"}, 21421),
        ({"Contains": "ÄÖÜ"}, 21421),
        ({"Contains": "٣٤٥"}, 21421),
        ({"AreaCode": "51"}, 21451),
        ({"AreaCode": "5l0"}, 21451),
        ({"InRateCenter": "HUNTINGTON"}, 20422),
        ({"NearLatLong": "37.8"}, 20422),
        ({"NearLatLong": "95,10"}, 20422),
        ({"NearLatLong": "nan,nan"}, 20422),
        ({"NearLatLong": "north,west"}, 20422),
        ({"NearNumber": "510"}, 21421),
        ({"NearLatLong": "37.8,-122.4", "Distance": "501"}, 20422),
        ({"NearLatLong": "37.8,-122.4", "Distance": "-1"}, 20422),
        ({"NearLatLong": "37.8,-122.4", "Distance": "9" * 5000}, 20422),
        ({"PageSize": "1001"}, 20007),
        ({"PageSize": "0"}, 20001),
        ({"PageSize": "many"}, 20001),
    ],
)
def test_a_malformed_search_is_refused(parent: Api, params: dict[str, str], code: int) -> None:
    response = parent.get(f"{parent.base}/AvailablePhoneNumbers/US/Local.json", params)

    assert refusal(response) == (400, code)


def test_geographic_filters_are_ignored_outside_the_us_and_canada(parent: Api) -> None:
    everything = parent.search("GB/Mobile", PageSize=1000)

    assert parent.search("GB/Mobile", PageSize=1000, InRegion="CA", AreaCode=510) == everything


def test_parameter_names_are_case_sensitive(parent: Api) -> None:
    assert parent.search(areacode=510) == parent.search()
    assert parent.search(inregion="AR", contains="STORM") == parent.search()


def test_a_search_returns_fifty_unless_told_and_has_no_further_pages(parent: Api) -> None:
    response = parent.get(f"{parent.base}/AvailablePhoneNumbers/US/Local.json")

    assert len(response.json()["available_phone_numbers"]) == 50
    assert set(response.json()) == {"available_phone_numbers", "uri"}
    assert len(parent.search(PageSize=1000)) == 1000
    assert parent.search(Page=1) == parent.search()


def test_a_us_number_carries_its_geography_as_text(parent: Api) -> None:
    number = parent.search(InLata="834", InLocality="Hilo", VoiceEnabled="true")[0]
    friendly = number["friendly_name"]

    assert re.fullmatch(r"\(808\) \d{3}-\d{4}", friendly)
    assert number["phone_number"] == "+1" + re.sub(r"\D", "", friendly)
    assert number | {"phone_number": "", "friendly_name": "", "capabilities": {}} == {
        "friendly_name": "",
        "phone_number": "",
        "lata": "834",
        "locality": "Hilo",
        "rate_center": "HILO",
        "latitude": "19.726933",
        "longitude": "-155.091794",
        "region": "HI",
        "postal_code": "96720",
        "iso_country": "US",
        "address_requirements": "none",
        "beta": number["beta"],
        "capabilities": {},
    }
    assert set(number["capabilities"]) == {"voice", "SMS", "MMS", "fax"}


@pytest.mark.parametrize(
    "path", ["GB/Mobile", "US/TollFree", "NL/MachineToMachine", "FR/Local", "PR/Local"]
)
def test_a_number_without_geography_has_the_same_keys_and_nulls(parent: Api, path: str) -> None:
    """The catalog knows where Puerto Rico's numbers are; this search says so of none but US and
    Canadian ones.
    """
    number = parent.search(path)[0]

    assert set(number) == set(parent.search("US/Local")[0])
    assert number["iso_country"] == path[:2]
    place = (
        "lata", "locality", "rate_center", "latitude", "longitude", "region", "postal_code",
    )  # fmt: skip
    assert {number[key] for key in place} == {None}
    if not path.startswith(("US", "PR")):
        assert number["friendly_name"] == number["phone_number"]


@pytest.mark.parametrize(
    "segment",
    ["Local", "TollFree", "Mobile", "National", "SharedCost", "Voip", "MachineToMachine"],
)
def test_each_of_the_seven_types_is_somewhere(parent: Api, segment: str) -> None:
    countries = parent.get(f"{parent.base}/AvailablePhoneNumbers.json").json()["countries"]
    having = [
        country["country_code"]
        for country in countries
        if any(uri.endswith(f"/{segment}.json") for uri in country["subresource_uris"].values())
    ]

    assert having
    for code in having:
        assert parent.search(f"{code}/{segment}", PageSize=1)


@pytest.mark.parametrize("segment", ["Local", "Mobile", "National", "TollFree", "Voip"])
def test_of_the_british_numbers_only_mobile_ones_take_messages(parent: Api, segment: str) -> None:
    numbers = parent.search(f"GB/{segment}", PageSize=1000)

    assert any(n["capabilities"]["voice"] for n in numbers)
    assert any(n["capabilities"]["SMS"] for n in numbers) is (segment == "Mobile")


def test_there_are_the_forty_documented_countries(parent: Api) -> None:
    body = parent.get(f"{parent.base}/AvailablePhoneNumbers.json").json()

    assert set(body) == {"countries", "uri"}
    assert len(body["countries"]) == 40
    beta = {country["country_code"] for country in body["countries"] if country["beta"]}
    assert beta == {"BH", "BR", "CY", "DO", "SV", "EE", "LV", "LT", "LU", "MT", "PE", "ZA"}
    united_states = body["countries"][-1]
    uri = f"{parent.base}/AvailablePhoneNumbers/US"
    assert united_states == {
        "country_code": "US",
        "country": "United States",
        "uri": f"{uri}.json",
        "beta": False,
        "subresource_uris": {"local": f"{uri}/Local.json", "toll_free": f"{uri}/TollFree.json"},
    }
    assert parent.get(united_states["uri"]).json() == united_states


def test_every_number_of_a_beta_country_is_beta(parent: Api) -> None:
    assert all(number["beta"] for number in parent.search("BR/Local", PageSize=1000))
    assert parent.search("BR/Local", Beta="false") == []


@pytest.mark.parametrize(
    "path", ["IN/Local", "FR/TollFree", "US/Mobile", "US/local", "us/Local", "XX"]
)
def test_an_unsupported_country_or_type_is_not_found(parent: Api, path: str) -> None:
    uri = f"{parent.base}/AvailablePhoneNumbers/{path}.json"

    response = parent.get(uri)

    assert refusal(response) == (404, 20404)
    assert response.json()["message"] == f"The requested resource {uri} was not found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["", "/US", "/US/Local", "/US/TollFree"])
def test_searches_can_only_be_read(parent: Api, method: str, path: str) -> None:
    response = parent.client.request(method, f"{parent.base}/AvailablePhoneNumbers{path}.json")

    assert refusal(response) == (405, 20004)


def test_a_path_without_extension_is_answered_in_xml(parent: Api) -> None:
    response = parent.get(f"{parent.base}/AvailablePhoneNumbers/US/Local", {"AreaCode": 808})

    assert response.headers["content-type"].startswith("application/xml")
    body = response.text
    assert "<TwilioResponse><AvailablePhoneNumbers uri=" in body
    assert body.count("<AvailablePhoneNumber>") == 50
    assert "<Region>HI</Region>" in body


@pytest.mark.parametrize(
    ("switches", "params", "expected"),
    [
        ({"search_cap": 30}, {"PageSize": "1000"}, 30),
        ({"search_default_page_size": 30}, {}, 30),
        ({"page_size_over_limit": "clamp"}, {"PageSize": "5000"}, 1000),
        ({"distance_over_limit": "clamp"}, {"NearLatLong": "40,-74", "Distance": "900"}, 50),
        (
            {"in_rate_center_requires_lata": False},
            {"InRateCenter": "HUNTINGTON", "PageSize": "20"},
            20,
        ),
    ],
)
def test_a_switch_changes_how_much_a_search_returns(
    sandbox: RunningSandbox,
    parent: Api,
    switches: dict[str, Any],
    params: dict[str, str],
    expected: int,
) -> None:
    sandbox.set_switches(**switches)

    assert len(parent.search(**params)) == expected


def test_switches_change_the_refusals_of_a_search(sandbox: RunningSandbox, parent: Api) -> None:
    sandbox.set_switches(
        unknown_template="error",
        foreign_geo_filter="error",
        bad_pattern_code=20001,
        search_error_status=422,
        capability_key_case="lower",
    )
    path = f"{parent.base}/AvailablePhoneNumbers"

    assert refusal(parent.get(f"{path}/US/Local.json?InLata=%2B19995550100")) == (422, 21421)
    assert refusal(parent.get(f"{path}/GB/Mobile.json?InRegion=CA")) == (422, 20422)
    assert refusal(parent.get(f"{path}/US/Local.json?Contains=1")) == (422, 20001)
    assert set(parent.search()[0]["capabilities"]) == {"voice", "sms", "mms", "fax"}


@pytest.mark.parametrize("capability", ["Voice", "Sms", "Mms", "Fax"])
def test_false_for_a_capability_is_no_filter_unless_switched(
    sandbox: RunningSandbox, parent: Api, capability: str
) -> None:
    everything = parent.search(PageSize=1000)
    assert parent.search(PageSize=1000, **{f"{capability}Enabled": "false"}) == everything
    sandbox.set_switches(enabled_false="filter")
    assert parent.search(PageSize=1000, **{f"{capability}Enabled": "false"}) != everything


def test_an_area_code_of_foreign_toll_free_numbers_is_ignored_unless_switched(
    sandbox: RunningSandbox, parent: Api
) -> None:
    everything = parent.search("GB/TollFree", PageSize=1000)
    assert parent.search("GB/TollFree", PageSize=1000, AreaCode=808) == everything
    sandbox.set_switches(foreign_toll_free_area_code="filter")
    path = f"{parent.base}/AvailablePhoneNumbers/GB"
    assert parent.search("GB/TollFree", PageSize=1000, AreaCode=80) == everything
    assert parent.search("GB/TollFree", PageSize=1000, AreaCode=999) == []
    assert refusal(parent.get(f"{path}/TollFree.json?AreaCode=x")) == (400, 21451)
    assert parent.search("GB/Mobile", AreaCode=808)
