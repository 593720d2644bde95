"""Every filter: upstream gets exactly the documented parameter, and the right numbers come back.

Results are compared with a brute-force filter over the sandbox's whole inventory, written here from
the documentation and not shared with the sandbox.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

Number = dict[str, Any]
Rule = Callable[[Number], bool]
KEYPAD = {
    letter: digit
    for digit, letters in zip(
        "23456789", ["ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"], strict=True
    )
    for letter in letters
}


def contains(pattern: str) -> Rule:
    """Match like the documentation: keypad letters, `*` any digit, anywhere in the number."""
    digits = "".join(KEYPAD.get(each.upper(), each) for each in pattern)
    wanted = re.compile(digits.replace("*", "[0-9]"))
    return lambda number: wanted.search(number["national"]) is not None


def miles(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Return the great-circle distance in statute miles."""
    (a, b), (c, d) = (tuple(map(math.radians, point)) for point in (here, there))
    half = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 2 * 3958.7613 * math.asin(math.sqrt(half))


def near(latitude: float, longitude: float, distance: float) -> Rule:
    """Keep numbers within `distance` miles."""

    def rule(number: Number) -> bool:
        place = number.get("geography") or {}
        if place.get("latitude") is None:
            return False
        there = (place["latitude"], place["longitude"])
        return miles((latitude, longitude), there) <= distance

    return rule


def place(key: str, value: Any) -> Rule:
    """Keep numbers whose geography has this value."""
    return lambda number: (number.get("geography") or {}).get(key) == value


def enabled(capability: str) -> Rule:
    """Keep numbers that are connected in or out."""

    def rule(number: Number) -> bool:
        have = (number.get("capabilities") or {}).get(capability) or {}
        return bool(have.get("inbound_connectivity") or have.get("outbound_connectivity"))

    return rule


def capability(section: str, key: str, value: Any) -> Rule:
    """Keep numbers whose capability has this value."""
    return lambda number: ((number.get("capabilities") or {}).get(section) or {}).get(key) == value


def requires(*kinds: str) -> Rule:
    """Keep numbers that need none of these addresses."""
    return lambda number: (number.get("regulatory") or {}).get("address_requirements") not in kinds


def both(*rules: Rule) -> Rule:
    """Keep numbers that keep all rules."""
    return lambda number: all(rule(number) for rule in rules)


def opposite(rule: Rule) -> Rule:
    """Keep the numbers that `rule` leaves out."""
    return lambda number: not rule(number)


@dataclass(frozen=True)
class Case:
    """A filter as clients write it, the parameters it must become, and what must be found."""

    name: str
    filter: str
    sent: dict[str, str]
    rule: Rule
    country: str = "US"
    type: str = "LOCAL"
    found: bool = field(default=True)


HOSTED = "+12125550188"
SAN_FRANCISCO = (37.840699, -122.461853)
CARSON_CITY = (39.162544, -119.766083)
CORE = [
    Case("areaCode", 'areaCodes: ["510"]', {"AreaCode": "510"}, lambda n: n["area_code"] == "510"),
    Case(
        "starting with 510555",
        'contains: "510555****"',
        {"Contains": "510555****"},
        lambda n: n["national"].startswith("510555"),
    ),
    Case("pattern in letters", 'contains: "STORM"', {"Contains": "STORM"}, contains("STORM")),
    Case("region", 'region: "AR"', {"InRegion": "AR"}, place("region", "AR")),
    Case(
        "postalCode",
        'postalCode: "94105"',
        {"InPostalCode": "94105"},
        place("postal_code", "94105"),
        found=False,
    ),
    Case(
        "near a point",
        'near: { point: {latitude: 37.840699, longitude: -122.461853} }, withinMiles: 50, contains: "555"',
        {"NearLatLong": "37.840699,-122.461853", "Distance": "50", "Contains": "555"},
        both(near(*SAN_FRANCISCO, 50), contains("555")),
    ),
    Case(
        "near a point, 25 miles when not said",
        "near: { point: {latitude: 37.840699, longitude: -122.461853} }",
        {"NearLatLong": "37.840699,-122.461853"},
        near(*SAN_FRANCISCO, 25),
    ),
    Case(
        "in California near Carson City",
        'region: "CA", near: { point: {latitude: 39.162544, longitude: -119.766083} },'
        ' withinMiles: 50, contains: "345"',
        {
            "InRegion": "CA",
            "NearLatLong": "39.162544,-119.766083",
            "Distance": "50",
            "Contains": "345",
        },
        both(place("region", "CA"), near(*CARSON_CITY, 50), contains("345")),
    ),
    Case("lata", 'lata: "132"', {"InLata": "132"}, place("lata", 132)),
    Case(
        "rateCenter",
        'lata: "132", rateCenter: "HUNTINGTON"',
        {"InLata": "132", "InRateCenter": "HUNTINGTON"},
        both(place("lata", 132), place("rate_center", "HUNTINGTON")),
    ),
    Case(
        "locality",
        'locality: "Huntington"',
        {"InLocality": "Huntington"},
        place("locality", "HUNTINGTON"),
    ),
    Case("Canada", 'region: "ON"', {"InRegion": "ON"}, place("region", "ON"), country="CA"),
    Case(
        "voiceEnabled",
        "capabilities: { voice: { enabled: true } }",
        {"VoiceEnabled": "true"},
        enabled("voice"),
        country="GB",
        type="MOBILE",
    ),
    Case(
        "smsEnabled",
        "capabilities: { sms: { enabled: true } }",
        {"SmsEnabled": "true"},
        enabled("sms"),
    ),
    Case(
        "smsEnabled false",
        "capabilities: { sms: { enabled: false } }",
        {},
        opposite(enabled("sms")),
        country="GB",
    ),
    Case(
        "mmsEnabled",
        "capabilities: { mms: { enabled: true } }",
        {"MmsEnabled": "true"},
        enabled("mms"),
    ),
    Case(
        "faxEnabled",
        "capabilities: { voice: { fax: true } }",
        {"FaxEnabled": "true"},
        capability("voice", "fax", True),
    ),
    Case(
        "excludeAllAddressRequired",
        "excludeAllAddressRequired: true",
        {"ExcludeAllAddressRequired": "true"},
        requires("any", "local", "foreign"),
        country="IE",
        found=False,
    ),
    Case(
        "excludeLocalAddressRequired",
        "excludeLocalAddressRequired: true",
        {"ExcludeLocalAddressRequired": "true"},
        requires("local"),
        country="AU",
    ),
    Case(
        "excludeForeignAddressRequired",
        "excludeForeignAddressRequired: true",
        {"ExcludeForeignAddressRequired": "true"},
        requires("foreign"),
    ),
    Case("any toll-free", "", {}, lambda _: True, type="TOLL_FREE"),
    Case(
        "toll-free 866", 'contains: "866"', {"Contains": "866"}, contains("866"), type="TOLL_FREE"
    ),
    Case(
        "toll-free 866***EPIC",
        'contains: "866***EPIC"',
        {"Contains": "866***EPIC"},
        lambda n: re.fullmatch("866[0-9]{3}3742", n["national"]) is not None,
        type="TOLL_FREE",
    ),
    Case(
        "toll-free STORM",
        'contains: "STORM"',
        {"Contains": "STORM"},
        contains("78676"),
        type="TOLL_FREE",
    ),
    Case(
        "toll-free JENNY in 800",
        'areaCodes: ["800"], contains: "JENNY"',
        {"AreaCode": "800", "Contains": "JENNY"},
        both(contains("53669"), lambda n: n["national"].startswith("800")),
        type="TOLL_FREE",
    ),
]


def search(gateway: RunningGateway, case: Case, account: SandboxAccount | None = None) -> list[str]:
    """Run a search for up to 1000 numbers and return them in order."""
    data = gateway.query(
        f"""{{ availablePhoneNumbers(country: {case.country!r}, types: [{case.type}],
                 filter: {{ {case.filter} }}, first: 1000) {{ nodes {{ phoneNumber }} }} }}""".replace(
            "'", '"'
        ),
        account=account,
    )
    return [node["phoneNumber"] for node in data["availablePhoneNumbers"]["nodes"]]


@pytest.fixture(scope="module")
def inventory(shared_sandbox: RunningSandbox) -> Callable[[str, str], list[Number]]:
    """Return the inventory of a country and type, read once."""
    kept: dict[tuple[str, str], list[Number]] = {}

    def read(country: str, kind: str) -> list[Number]:
        token = kind.lower().replace("_", "")
        if (country, kind) not in kept:
            kept[country, kind] = shared_sandbox.inventory(country, token)
        return kept[country, kind]

    return read


@pytest.mark.parametrize("case", CORE, ids=lambda case: case.name)
def test_a_search_filter_reaches_upstream_and_finds_what_it_says(
    gateway: RunningGateway, inventory: Callable[[str, str], list[Number]], case: Case
) -> None:
    found = search(gateway, case)
    expected = [each for each in inventory(case.country, case.type) if case.rule(each)][:1000]
    assert found == [each["phone_number"] for each in expected]
    assert bool(found) or not case.found
    [request] = gateway.sandbox.requests()
    assert dict(request["query"]) == case.sent | {"PageSize": "1000"}


@pytest.mark.parametrize(
    ("argument", "parameter", "key"),
    [
        ("region", "InRegion", "region"),
        ("postalCode", "InPostalCode", "postal_code"),
        ("lata", "InLata", "lata"),
        ("locality", "InLocality", "locality"),
    ],
)
def test_a_phone_number_can_stand_for_its_own_place(
    gateway: RunningGateway,
    inventory: Callable[[str, str], list[Number]],
    argument: str,
    parameter: str,
    key: str,
) -> None:
    numbers = inventory("US", "LOCAL")
    template = next(each for each in numbers if each["area_code"] == "631")
    case = Case(argument, f'{argument}: "{template["phone_number"]}"', {}, lambda _: True)
    found = search(gateway, case)
    rule = place(key, template["geography"][key])
    assert found == [each["phone_number"] for each in numbers if rule(each)][:1000]
    assert found
    [request] = gateway.sandbox.requests()
    assert dict(request["query"])[parameter] == template["phone_number"]


def test_the_seed_template_finds_numbers_of_its_lata(
    gateway: RunningGateway, inventory: Callable[[str, str], list[Number]]
) -> None:
    case = Case("template", 'lata: "+15016055555"', {}, lambda _: True)
    little_rock = next(n for n in inventory("US", "LOCAL") if n["area_code"] == "501")
    lata = place("lata", little_rock["geography"]["lata"])
    numbers = [each["phone_number"] for each in inventory("US", "LOCAL") if lata(each)]
    assert search(gateway, case) == numbers[:1000] != []


def test_near_a_number_searches_around_that_number(
    gateway: RunningGateway, inventory: Callable[[str, str], list[Number]]
) -> None:
    numbers = inventory("US", "LOCAL")
    center = next(each for each in numbers if each["area_code"] == "631")
    case = Case(
        "near",
        f'near: {{ phoneNumber: "{center["phone_number"]}" }}, withinMiles: 10',
        {},
        lambda _: True,
    )
    here = center["geography"]["latitude"], center["geography"]["longitude"]
    expected = [each["phone_number"] for each in numbers if near(*here, 10)(each)]
    assert search(gateway, case) == expected[:1000] != []


CAPABILITY_FILTERS = [
    ("voice", "inboundConnectivity", "true", True),
    ("voice", "outboundConnectivity", "true", True),
    ("voice", "e911", "true", True),
    ("voice", "fax", "true", True),
    ("voice", "sipTrunking", "true", True),
    ("voice", "inboundCalledDtmf", "true", True),
    ("voice", "inboundCallerDtmf", "true", True),
    ("voice", "inboundCallerIdPreservation", "INTERNATIONAL", "international"),
    ("voice", "inboundReachability", "GLOBAL", "global"),
    ("sms", "inboundConnectivity", "true", True),
    ("sms", "outboundConnectivity", "true", True),
    ("sms", "gsm7", "true", True),
    ("sms", "ucs2", "true", True),
    ("sms", "gsm7Concatenation", "true", True),
    ("sms", "ucs2Concatenation", "true", True),
    ("sms", "inboundSenderIdPreservation", "INTERNATIONAL", "international"),
    ("sms", "inboundReachability", "GLOBAL", "global"),
    ("mms", "inboundConnectivity", "true", True),
    ("mms", "outboundConnectivity", "true", True),
    ("mms", "inboundReachability", "GLOBAL", "global"),
]
CATALOG = [
    Case(
        f"capabilities.{section}.{name}",
        f"capabilities: {{ {section}: {{ {name}: {written} }} }}",
        {
            f"Capabilities.{section.title()}.{name[0].upper()}{name[1:]}": written.lower(),
        },
        capability(section, re.sub("([A-Z])", lambda m: "_" + m[1].lower(), name), kept),
    )
    for section, name, written, kept in CAPABILITY_FILTERS
] + [
    Case(
        name,
        f"{name}: {written}",
        {f"Geography.{name[0].upper()}{name[1:]}": written.strip('"')},
        place(re.sub("([A-Z])", lambda m: "_" + m[1].lower(), name), kept),
    )
    for name, written, kept in [
        ("lata", '"132"', 132),
        ("rateCenter", '"HUNTINGTON"', "HUNTINGTON"),
        ("latitude", "40.867912", None),
        ("longitude", "-73.428812", None),
        ("region", '"NY"', "NY"),
        ("locality", '"HUNTINGTON"', "HUNTINGTON"),
        ("postalCode", '"11743"', "11743"),
    ]
]


KNOWN_TO_BOTH = {"lata", "region", "locality", "postalCode", "capabilities.voice.fax"}


def located(case: Case, numbers: list[Number]) -> Case:
    """Fill in the coordinates of a real place of the inventory, where a case needs them."""
    key = case.name
    if key not in {"latitude", "longitude"}:
        return case
    values = [(each.get("geography") or {}).get(key) for each in numbers]
    value = next(each for each in values if each is not None)
    return Case(
        case.name,
        f"{key}: {value}",
        {f"Geography.{key.title()}": str(value)},
        place(key, value),
    )


@pytest.mark.parametrize("case", CATALOG, ids=lambda case: case.name)
def test_a_catalog_filter_works_on_available_numbers(
    gateway: RunningGateway, inventory: Callable[[str, str], list[Number]], case: Case
) -> None:
    numbers = inventory("US", "LOCAL")
    case = located(case, numbers)
    if case.name in KNOWN_TO_BOTH:
        # The price is what only the catalog knows.
        priced = both(case.rule, lambda number: "base_recurring_price" in number)
        sent = case.sent | {"MinBaseRecurringPrice": "0"}
        case = Case(case.name, f"{case.filter}, minMonthlyPrice: 0", sent, priced)
    found = search(gateway, case)
    expected = [each["phone_number"] for each in numbers if case.rule(each)]
    assert set(found) <= set(expected)
    assert len(found) == min(len(expected), 1000)
    [query] = [
        dict(each["query"])
        for each in gateway.sandbox.requests()
        if each["path"] == "/Numbers/AvailableNumbers"
    ]
    place = {"Geography.IsoCountry": "US", "Type": "local"}
    assert query == case.sent | place | {"PageSize": "1000"}


@pytest.mark.parametrize("case", CATALOG, ids=lambda case: case.name)
def test_a_catalog_filter_works_on_owned_numbers(gateway: RunningGateway, case: Case) -> None:
    numbers = gateway.sandbox.numbers(gateway.account.sid)
    case = located(case, numbers)
    gateway.sandbox.forget_requests()
    data = gateway.query(
        f"{{ phoneNumbers(filter: {{ {case.filter} }}, first: 1000) {{ nodes {{ sid }} }} }}"
    )
    found = [node["sid"] for node in data["phoneNumbers"]["nodes"]]
    assert found == [each["sid"] for each in numbers if case.rule(each)]
    [request] = gateway.sandbox.requests()
    assert dict(request["query"]) == case.sent | {"PageSize": "1000"}


BOOLEANS = [(section, name) for section, name, _, kept in CAPABILITY_FILTERS if kept is True]


def lacks(section: str, name: str) -> Rule:
    """Keep numbers that are told not to have a capability, alone or with all of its kind."""
    key = re.sub("([A-Z])", lambda match: "_" + match[1].lower(), name)

    def rule(number: Number) -> bool:
        can = number.get("capabilities") or {}
        told = can.get(section, {})
        return told is None or told.get(key) is False

    return rule


@pytest.mark.parametrize(("section", "name"), BOOLEANS)
def test_false_finds_the_numbers_that_show_false(
    gateway: RunningGateway,
    inventory: Callable[[str, str], list[Number]],
    section: str,
    name: str,
) -> None:
    """The catalog, asked for false, leaves out what has nothing of the kind."""
    given = f"capabilities: {{ {section}: {{ {name}: false }} }}"
    shown = f"capabilities {{ {section} {{ {name} }} }} lifecycle"
    data = gateway.query(
        f"""{{ availablePhoneNumbers(country: "GB", filter: {{ {given} }}, first: 1000) {{
                 nodes {{ phoneNumber {shown} }} exhaustive }}
               phoneNumbers(filter: {{ {given} }}, first: 1000) {{
                 nodes {{ phoneNumber {shown} }} exhaustive }} }}"""
    )
    everything = {
        "availablePhoneNumbers": inventory("GB", "LOCAL"),
        "phoneNumbers": gateway.sandbox.numbers(gateway.account.sid),
    }
    for route, numbers in everything.items():
        nodes = data[route]["nodes"]
        keeps = lacks(section, name)
        expected = [each["phone_number"] for each in numbers if keeps(each)]
        assert [node["phoneNumber"] for node in nodes] == expected != []
        assert {node["capabilities"][section][name] for node in nodes} == {False}
        assert data[route]["exhaustive"] is True
    asked = [dict(each["query"]) for each in gateway.sandbox.requests()]
    assert not any(key.startswith("Capabilities") for query in asked for key in query)


@pytest.mark.parametrize(
    ("written", "sent", "rule"),
    [
        ("type: TOLL_FREE", ("Type", "tollfree"), lambda n: n.get("type") == "tollfree"),
        ("type: MOBILE", ("Type", "mobile"), lambda n: n.get("type") == "mobile"),
        ("lifecycle: BETA", ("Lifecycle", "beta"), lambda n: n.get("lifecycle") == "beta"),
    ],
    ids=["toll-free", "mobile", "lifecycle"],
)
def test_owned_numbers_are_filtered_by_type_and_lifecycle(
    gateway: RunningGateway, written: str, sent: tuple[str, str], rule: Rule
) -> None:
    data = gateway.query(
        f"{{ phoneNumbers(filter: {{ {written} }}, first: 1000) {{ nodes {{ sid }} }} }}"
    )
    found = [node["sid"] for node in data["phoneNumbers"]["nodes"]]
    [request] = gateway.sandbox.requests()
    assert tuple(request["query"][0]) == sent
    expected = [each["sid"] for each in gateway.sandbox.numbers(gateway.account.sid) if rule(each)]
    assert found == expected != []


def test_owned_numbers_are_filtered_by_the_number_itself(gateway: RunningGateway) -> None:
    number = gateway.sandbox.numbers(gateway.account.sid)[7]["phone_number"]
    data = gateway.query(
        "query ($n: E164) { phoneNumbers(filter: {phoneNumber: $n}) { nodes { phoneNumber } } }",
        {"n": number},
    )
    assert data["phoneNumbers"]["nodes"] == [{"phoneNumber": number}]


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
def test_a_number_that_others_begin_with_is_still_that_number(
    gateway: RunningGateway, family: str
) -> None:
    account = gateway.sandbox.create_account(catalog=family == "CATALOG")
    longer = [f"+49301234567{digit:03}" for digit in range(60)]
    numbers = ["+49301234567", "+4930123456", *longer, "+493012345"]
    for number in (*longer, *numbers):
        gateway.sandbox.put_number(account.sid, number)
    gateway.sandbox.forget_requests()
    for number in numbers[-3:]:
        data = gateway.query(
            """query ($n: E164!) { one: phoneNumberByIdentifier(identifier: { phoneNumber: $n }) { phoneNumber }
                 all: phoneNumbers(filter: {phoneNumber: $n}, first: 5)
                   { nodes { phoneNumber } pageInfo { hasNextPage } } }""",
            {"n": number},
            account=account,
        )
        assert data == {
            "one": {"phoneNumber": number},
            "all": {"nodes": [{"phoneNumber": number}], "pageInfo": {"hasNextPage": False}},
        }
    data = gateway.query(
        "query ($n: E164!) { phoneNumber: phoneNumberByIdentifier(identifier: { phoneNumber: $n }) { phoneNumber } }",
        {"n": "+493012"},
        account=account,
    )
    assert data == {"phoneNumber": None}


@pytest.mark.parametrize(
    ("written", "sent", "rule"),
    [
        (
            'contains: "2*55"',
            ("PhoneNumber", "2*55"),
            lambda n: re.search("2[0-9]55", n["phone_number"][2:]) is not None,
        ),
        (
            'friendlyName: "Desk 7"',
            ("FriendlyName", "Desk 7"),
            lambda n: n["configuration"]["friendly_name"] == "Desk 7",
        ),
        ("lifecycle: GENERALLY_AVAILABLE", ("Beta", "false"), lambda n: not n["beta"]),
        ("origin: TWILIO", ("Origin", "twilio"), lambda n: n["phone_number"] != HOSTED),
        ("origin: HOSTED", ("Origin", "hosted"), lambda n: n["phone_number"] == HOSTED),
    ],
    ids=["contains", "friendlyName", "lifecycle", "twilio", "hosted"],
)
def test_a_core_filter_works_on_owned_numbers(
    gateway: RunningGateway, written: str, sent: tuple[str, str], rule: Rule
) -> None:
    account = gateway.sandbox.create_account(catalog=False, owned=40)
    number = gateway.sandbox.numbers(account.sid)[0]["phone_number"]
    named = {"configuration": {"friendly_name": "Desk 7"}, "beta": True}
    gateway.sandbox.put_number(account.sid, number, named)
    gateway.sandbox.put_number(account.sid, HOSTED, {"origin": "hosted"})
    gateway.sandbox.put_number(account.sid, "+12125520155")
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    gateway.sandbox.forget_requests()
    data = gateway.query(
        f"{{ phoneNumbers(filter: {{ {written} }}, first: 1000) {{ nodes {{ sid }} }} }}",
        account=account,
    )
    [request] = gateway.sandbox.requests()
    assert tuple(request["query"][0]) == sent
    everything = gateway.sandbox.numbers(account.sid)
    expected = [each["sid"] for each in everything if rule(each)]
    assert [node["sid"] for node in data["phoneNumbers"]["nodes"]] == expected
    assert 0 < len(expected) < len(everything)


# What the upstream may ignore -----------------------------------------------------------------------

LACKING = {
    "voice: { enabled: false }": lambda n: not (n["capabilities"] or {}).get("voice"),
    "sms: { enabled: false }": opposite(enabled("sms")),
    "mms: { enabled: false }": opposite(enabled("mms")),
    "voice: { fax: false }": opposite(capability("voice", "fax", True)),
}


@pytest.mark.parametrize("reading", ["any", "filter"])
@pytest.mark.parametrize("name", LACKING)
def test_false_for_a_capability_means_the_same_however_the_upstream_reads_it(
    gateway: RunningGateway,
    inventory: Callable[[str, str], list[Number]],
    name: str,
    reading: str,
) -> None:
    """A maintainer of an official client explained false as "do not filter"."""
    gateway.sandbox.set_switches(enabled_false=reading)
    expected = [each for each in inventory("CA", "LOCAL") if LACKING[name](each)][:40]
    query = f"""query ($first: Int!, $after: String) {{ availablePhoneNumbers(country: "CA",
      filter: {{ capabilities: {{ {name} }} }}, first: $first, after: $after) {{
      nodes {{ phoneNumber capabilities {{ voice {{ enabled fax }} sms {{ enabled }} mms {{ enabled }} }} }}
      pageInfo {{ hasNextPage endCursor }} exhaustive }} }}"""
    account = gateway.sandbox.accounts()["core-only"]
    found: list[str] = []
    after = None
    for first in (7, 33):
        page = gateway.query(query, {"first": first, "after": after}, account=account)[
            "availablePhoneNumbers"
        ]
        found += [node["phoneNumber"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert (more, page["exhaustive"]) == (True, False)
    assert found == [each["phone_number"] for each in expected]


@pytest.mark.parametrize("reading", ["any", "filter"])
def test_a_filter_of_the_gateways_own_finds_enough_in_a_search_that_is_cut_off(
    gateway: RunningGateway, inventory: Callable[[str, str], list[Number]], reading: str
) -> None:
    gateway.sandbox.set_switches(enabled_false=reading, search_cap=30)
    query = """{ availablePhoneNumbers(country: "CA", filter: { capabilities: { sms: { enabled: false } } }, first: 5) {
      nodes { phoneNumber } pageInfo { hasNextPage } exhaustive } }"""
    page = gateway.query(query)["availablePhoneNumbers"]
    lacking = {
        n["phone_number"] for n in inventory("CA", "LOCAL") if LACKING["sms: { enabled: false }"](n)
    }
    assert len(page["nodes"]) == 5
    assert {node["phoneNumber"] for node in page["nodes"]} <= lacking
    assert page["pageInfo"]["hasNextPage"]


def test_a_page_of_what_the_gateway_filters_is_exhaustive_only_where_none_is_behind_it(
    gateway: RunningGateway,
) -> None:
    query = """query ($first: Int!) { availablePhoneNumbers(country: "CA", first: $first,
      filter: { contains: "416555****", capabilities: { sms: { enabled: false } } }) {
      nodes { phoneNumber } pageInfo { hasNextPage } exhaustive } }"""

    def page(first: int) -> tuple[int, bool, bool]:
        found = gateway.query(query, {"first": first})["availablePhoneNumbers"]
        return len(found["nodes"]), found["pageInfo"]["hasNextPage"], found["exhaustive"]

    total, *_ = everything = page(1000)
    assert everything == (total, False, True)
    assert [page(total), page(total - 1)] == [(total, False, True), (total - 1, True, False)]


def test_a_search_that_leaves_everything_out_is_empty_and_exhaustive(
    gateway: RunningGateway,
) -> None:
    query = """{ availablePhoneNumbers(country: "US", first: 3,
      filter: { contains: "510555****", capabilities: {
        sms: { enabled: true }, voice: { enabled: true, fax: false }, mms: { enabled: false } },
        region: "NY" }) { nodes { phoneNumber } exhaustive } }"""
    data = gateway.query(query)["availablePhoneNumbers"]
    assert data == {"nodes": [], "exhaustive": True}


TOLL_FREE = """query ($code: [String!], $country: CountryCode!, $contains: String) {
  availablePhoneNumbers(country: $country, types: [TOLL_FREE], first: 400,
    filter: { areaCodes: $code, contains: $contains }) { nodes { phoneNumber } exhaustive } }"""


@pytest.mark.parametrize("reading", ["ignore", "filter"])
@pytest.mark.parametrize(("country", "prefix"), [("GB", "+44"), ("AU", "+61")])
def test_toll_free_numbers_of_other_countries_are_searched_by_area_code(
    gateway: RunningGateway, reading: str, country: str, prefix: str
) -> None:
    gateway.sandbox.set_switches(foreign_toll_free_area_code=reading)
    kind = {"type": "tollfree", "geography": {"iso_country": country}}
    mine = [f"{prefix}8085550{each:03}" for each in (1, 2, 7)]
    for number in mine:
        gateway.sandbox.put_number(None, number, kind)
    data = gateway.query(TOLL_FREE, {"country": country, "code": ["808"]})["availablePhoneNumbers"]
    assert [each["phoneNumber"] for each in data["nodes"]] == mine
    assert data["exhaustive"] is True
    given = {"country": country, "code": ["808", "8085"], "contains": "5550002"}
    both = gateway.query(TOLL_FREE, given)["availablePhoneNumbers"]["nodes"]
    assert [each["phoneNumber"] for each in both] == [mine[1]]


@pytest.mark.parametrize("reading", ["ignore", "filter"])
def test_an_area_code_that_is_ignored_is_found_in_a_search_that_is_cut_off(
    gateway: RunningGateway, reading: str
) -> None:
    gateway.sandbox.set_switches(foreign_toll_free_area_code=reading, search_cap=30)
    kind = {"type": "tollfree", "geography": {"iso_country": "GB"}}
    gateway.sandbox.put_number(None, "+448099550123", kind)
    data = gateway.query(TOLL_FREE, {"country": "GB", "code": ["809"]})["availablePhoneNumbers"]
    assert [each["phoneNumber"] for each in data["nodes"]] == ["+448099550123"]
    assert data["exhaustive"] is True


@pytest.mark.parametrize("reading", ["ignore", "error"])
def test_area_codes_of_puerto_rico_find_its_numbers(gateway: RunningGateway, reading: str) -> None:
    """The upstream knows them as a pattern only."""
    gateway.sandbox.set_switches(foreign_geo_filter=reading)
    query = """query ($code: [String!], $contains: String) {
      availablePhoneNumbers(country: "PR", first: 20,
        filter: { areaCodes: $code, contains: $contains }) { nodes { phoneNumber } exhaustive } }"""

    def found(code: list[str], contains: str | None = None) -> tuple[list[str], bool]:
        given = {"code": code, "contains": contains}
        data = gateway.query(query, given)["availablePhoneNumbers"]
        return [each["phoneNumber"] for each in data["nodes"]], data["exhaustive"]

    kind = {"type": "local", "geography": {"iso_country": "PR"}}
    mine = [f"+1939555{each:04}" for each in (1, 2, 7)]
    for number in mine:
        gateway.sandbox.put_number(None, number, kind)
    assert found(["939"]) == (mine, True)
    assert found(["787", "939"], "9395550002") == ([mine[1]], True)
    assert {each[:5] for each in found(["787"])[0]} == {"+1787"}


@pytest.mark.parametrize(
    ("types", "code"), [("[LOCAL]", "808"), ("[LOCAL, TOLL_FREE]", "808"), ("[TOLL_FREE]", "8")]
)
def test_an_area_code_that_makes_no_sense_is_refused(
    gateway: RunningGateway, types: str, code: str
) -> None:
    error = gateway.error(
        f"""{{ availablePhoneNumbers(country: "GB", types: {types}, filter: {{ areaCodes: ["{code}"] }})
          {{ nodes {{ phoneNumber }} }} }}"""
    )
    assert error["extensions"]["argument"] == "filter.areaCodes"
    assert gateway.sandbox.requests() == []


def test_numbers_for_sale_have_the_same_friendly_name_in_both_families(
    gateway: RunningGateway,
) -> None:
    query = """{ core: availablePhoneNumbers(country: "US", first: 5, filter: { contains: "510555" })
        { nodes { phoneNumber friendlyName source } }
      catalog: availablePhoneNumbers(country: "US", first: 5, filter: { minMonthlyPrice: 0 })
        { nodes { phoneNumber friendlyName source } }
      foreign: availablePhoneNumbers(country: "AU", first: 5,
        filter: { minMonthlyPrice: 0 })
        { nodes { phoneNumber friendlyName source } } }"""
    data = gateway.query(query)
    for nodes, source in (("core", "CORE"), ("catalog", "CATALOG"), ("foreign", "CATALOG")):
        assert data[nodes]["nodes"]
        for node in data[nodes]["nodes"]:
            number = node["phoneNumber"]
            shown = f"({number[2:5]}) {number[5:8]}-{number[8:]}"
            expected = number if nodes == "foreign" else shown
            assert (node["source"], node["friendlyName"]) == (source, expected)


# What people type, and what they are told -----------------------------------------------------------

NEAR = """query ($first: Int!, $after: String, $filter: AvailablePhoneNumberFilter) {
  availablePhoneNumbers(country: "US", orderBy: DISTANCE, first: $first, after: $after, filter: $filter)
  { nodes { phoneNumber distanceMiles } pageInfo { hasNextPage endCursor } exhaustive } }"""


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("typed", "sent", "start"),
    [("510-55", "51055", 2), ("(510) 55", "51055", 2), ("+1 510.55", "+151055", 0)],
)
def test_patterns_are_taken_as_they_are_typed_and_numbers_say_where_they_match(
    gateway: RunningGateway, typed: str, sent: str, start: int, *, compiled: bool
) -> None:
    more = "" if compiled else " ... @include(if: true) { source }"
    data = gateway.query(
        f"""query ($typed: String) {{ availablePhoneNumbers(country: "US", first: 4,
          filter: {{ contains: $typed }}) {{ nodes {{ phoneNumber match {{ start length }}{more} }} }} }}""",
        {"typed": typed},
    )
    nodes = data["availablePhoneNumbers"]["nodes"]
    assert nodes
    assert {(n["match"]["start"], n["match"]["length"]) for n in nodes} == {(start, len(sent))}
    assert all(n["phoneNumber"][start:].startswith(sent) for n in nodes)
    assert dict(gateway.sandbox.requests()[-1]["query"])["Contains"] == sent


def test_the_nearest_numbers_come_first_through_all_pages(
    gateway: RunningGateway, inventory: Callable[[str, str], list[Number]]
) -> None:
    latitude, longitude = SAN_FRANCISCO
    point = {"latitude": latitude, "longitude": longitude}
    wanted = {"near": {"point": point}, "withinMiles": 40, "contains": "55"}
    found: list[dict[str, Any]] = []
    after = None
    for _ in range(3):
        data = gateway.query(NEAR, {"first": 5, "after": after, "filter": wanted})
        page = data["availablePhoneNumbers"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    distances = [node["distanceMiles"] for node in found]
    assert distances == sorted(distances)
    places = {n["phone_number"]: n["geography"] for n in inventory("US", "LOCAL")}
    for node in found:
        place_ = places[node["phoneNumber"]]
        there = (place_["latitude"], place_["longitude"])
        assert abs(miles(SAN_FRANCISCO, there) - node["distanceMiles"]) < 0.1
    assert len({node["phoneNumber"] for node in found}) == len(found)


@pytest.mark.parametrize(
    "beside", ["", "excludeLocalAddressRequired: true", 'contains: "55"'], ids=lambda each: each[:8]
)
@pytest.mark.parametrize("lifecycle", ["BETA", "GENERALLY_AVAILABLE"])
def test_a_lifecycle_means_the_same_whatever_is_selected(
    gateway: RunningGateway,
    inventory: Callable[[str, str], list[Number]],
    lifecycle: str,
    beside: str,
) -> None:
    """The 2010-04-01 API takes developer previews for beta, and exhausted numbers for not beta."""
    shown = {each["phone_number"]: each.get("lifecycle") for each in inventory("US", "LOCAL")}
    wanted = lifecycle.lower().replace("_", "-")
    assert len(set(shown.values())) > 3
    pages = []
    for selected in ("geography { region }", "lifecycle monthlyPrice { amount }"):
        query = f"""{{ availablePhoneNumbers(country: "US", first: 50,
          filter: {{ lifecycle: {lifecycle} {beside} }}) {{ nodes {{ phoneNumber {selected} }} }} }}"""
        nodes = gateway.query(query)["availablePhoneNumbers"]["nodes"]
        pages.append([node["phoneNumber"] for node in nodes])
    assert pages[0] == pages[1] != []
    assert {shown[number] for number in pages[0]} == {wanted}


def test_an_account_without_the_catalog_is_asked_for_lifecycles_as_its_api_has_them(
    gateway: RunningGateway, inventory: Callable[[str, str], list[Number]]
) -> None:
    case = Case("", "lifecycle: GENERALLY_AVAILABLE", {}, lambda n: not n["beta"])
    account = gateway.sandbox.accounts()["core-only"]
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    found = search(gateway, case, account)
    expected = [each["phone_number"] for each in inventory("US", "LOCAL") if case.rule(each)]
    assert found == expected[:1000] != []
    *_, request = gateway.sandbox.requests()
    assert dict(request["query"]) == {"Beta": "false", "PageSize": "1000"}


@pytest.mark.parametrize("role", ["parent", "core-only"])
def test_filters_that_no_api_can_be_asked_together_are_applied_to_what_one_finds(
    gateway: RunningGateway, role: str
) -> None:
    account = gateway.sandbox.accounts()[role]
    data = gateway.query(
        """{ availablePhoneNumbers(country: "US", first: 3,
          filter: { lifecycle: BETA, contains: "55" }) { nodes { phoneNumber lifecycle } } }""",
        account=account,
    )
    nodes = data["availablePhoneNumbers"]["nodes"]
    assert {node["lifecycle"] for node in nodes} <= {"BETA"}
    assert all("55" in node["phoneNumber"][2:] for node in nodes)


def test_area_codes_of_puerto_rico_are_searched_there_when_the_country_is_the_us(
    gateway: RunningGateway,
) -> None:
    data = gateway.query(
        """{ availablePhoneNumbers(country: "US", first: 6, filter: { areaCodes: ["787", "212"] })
          { nodes { phoneNumber } branchErrors { message } } }"""
    )["availablePhoneNumbers"]
    assert data["branchErrors"] == []
    assert {node["phoneNumber"][:5] for node in data["nodes"]} == {"+1787", "+1212"}
