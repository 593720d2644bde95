"""Bad input: a clear error that names the argument, no 500, and nothing asked of the upstream."""

from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway

SEARCH = "availablePhoneNumbers(country: {country}, filter: {{ {filter} }}) {{ nodes {{ friendlyName }} }}"


def search(filter_: str, country: str = '"US"') -> str:
    """Return a search with this filter."""
    return "{ " + SEARCH.format(country=country, filter=filter_) + " }"


def owned(filter_: str) -> str:
    """Return a list of owned numbers with this filter."""
    return f"{{ phoneNumbers(filter: {{ {filter_} }}) {{ nodes {{ sid }} }} }}"


LONG = "x" * 65
SID = "PN" + "0" * 32
CASES = [
    (
        "not E.164",
        '{ phoneNumberByIdentifier(identifier: { phoneNumber: "555-1234" }) { sid } }',
        "phoneNumber",
        "E.164",
    ),
    (
        "E.164 with a space",
        '{ phoneNumberByIdentifier(identifier: { phoneNumber: "+1 555" }) { sid } }',
        "phoneNumber",
        "E.164",
    ),
    (
        "neither sid nor number",
        "{ phoneNumberByIdentifier(identifier: {}) { sid } }",
        "PhoneNumberIdentifier",
        "xactly one",
    ),
    (
        "both sid and number",
        (
            "{ phoneNumberByIdentifier("
            f'identifier: {{ sid: "{SID}", phoneNumber: "+14155550100" }}) {{ sid }} }}'
        ),
        "PhoneNumberIdentifier",
        "xactly one",
    ),
    (
        "an identifier that is no sid",
        '{ phoneNumberByIdentifier(identifier: { sid: "x" }) { sid } }',
        "identifier.sid",
        "not a sid",
    ),
    ("not a sid", '{ phoneNumber(sid: "../../x") { sid } }', "sid", "not a sid"),
    ("not an account", '{ phoneNumbers(accountSid: "me") { nodes { sid } } }', "accountSid", "sid"),
    ("contains with an illegal character", search('contains: "55_5"'), "filter.contains", "digits"),
    ("contains with a non-ASCII digit", search('contains: "55٣"'), "filter.contains", "digits"),
    ("contains too short", search('contains: "5"'), "filter.contains", "2 to 16"),
    ("contains too long", search(f'contains: "{"5" * 17}"'), "filter.contains", "2 to 16"),
    ("contains with a plus inside", search('contains: "5+5"'), "filter.contains", "only leads"),
    ("contains with a dollar inside", search('contains: "5$5"'), "filter.contains", "only ends"),
    ("contains with a leading dollar", search('contains: "$55"'), "filter.contains", "only ends"),
    ("contains of anchors only", search('contains: "+$"'), "filter.contains", "2 to 16"),
    (
        "contains too long with anchors",
        search(f'contains: "+{"5" * 15}$"'),
        "filter.contains",
        "2 to 16",
    ),
    ("contains of stars only", search('contains: "***"'), "filter.contains", "at least two"),
    (
        "distance of 0",
        search('near: { phoneNumber: "+14155550100" }, withinMiles: 0'),
        "filter.withinMiles",
        "500",
    ),
    (
        "distance of 501",
        search('near: { phoneNumber: "+14155550100" }, withinMiles: 501'),
        "filter.withinMiles",
        "500",
    ),
    ("distance from nowhere", search("withinMiles: 10"), "filter.withinMiles", "near"),
    ("rate center abroad", search('rateCenter: "HILO"', '"GB"'), "filter.rateCenter", "US"),
    (
        "latitude off the globe",
        search("near: { point: {latitude: 91, longitude: 0} }"),
        "filter.near.point.latitude",
        "90",
    ),
    (
        "two places at once",
        search('near: { phoneNumber: "+14155550100", point: {latitude: 1, longitude: 0} }'),
        "Near",
        "xactly one",
    ),
    ("area code of two digits", search('areaCodes: "51"'), "filter.areaCodes", "area code"),
    ("no area code at all", search("areaCodes: []"), "filter.areaCodes", "empty"),
    ("empty region", search('region: ""'), "filter.region", "characters"),
    ("region in words", search('region: "Arkansas"'), "filter.region", 'for example "CA"'),
    ("region with spaces around it", search('region: " AR "'), "filter.region", "no spaces"),
    ("LATA in letters", search('lata: "abc"'), "filter.lata", "digits"),
    (
        "postal code with control characters",
        search('postalCode: "\\u0000\\n;"'),
        "filter.postalCode",
        "printable",
    ),
    ("postal code of signs", search('postalCode: "9410;"'), "filter.postalCode", "letters"),
    ("a number that is none", search('lata: "+"'), "filter.lata", "phone number"),
    *(
        (f"{kind} {name} ({where})", wrap(f'{name}: "{value}"'), named, "64")
        for name in ("region", "locality", "rateCenter", "postalCode", "lata")
        for kind, value in (("empty", ""), ("blank", "  "), ("endless", "x" * 5000))
        for where, wrap in (("search", search), ("owned", owned))
        for named in (f"filter.{name}",)
    ),
    ("no saved searches", search("savedSearches: []"), "filter.savedSearches", "empty"),
    (
        "infinite price",
        search("minSetupPrice: 1e400"),
        "minSetupPrice",
        "decimal number",
    ),
    (
        "highest price below 0",
        search("maxSetupPrice: -1"),
        "filter.maxSetupPrice",
        "below 0",
    ),
    ("price below 0", search("minSetupPrice: -1"), "filter.minSetupPrice", "below 0"),
    (
        "prices the wrong way round",
        search("minSetupPrice: 3, maxSetupPrice: 1"),
        "filter.maxSetupPrice",
        "below",
    ),
    ("area code of another country", search('areaCodes: "416"'), "filter.areaCodes", "CA"),
    (
        "order by distance from nowhere",
        '{ availablePhoneNumbers(country: "US", orderBy: DISTANCE) { exhaustive } }',
        "orderBy",
        "near.point",
    ),
    ("country in small letters", search("", '"us"'), "country", "capital"),
    ("country in three letters", search("", '"USA"'), "country", "capital"),
    ("country by another name", search("", '"UK"'), "country", 'for example "GB"'),
    (
        "no types",
        '{ availablePhoneNumbers(country: "US", types: []) { nodes { type } } }',
        "types",
        "empty",
    ),
    (
        "filters that no family combines",
        search('near: { phoneNumber: "+14155550100" }, minSetupPrice: 1'),
        "filter",
        "cannot be combined",
    ),
    ("first of 0", "{ phoneNumbers(first: 0) { nodes { sid } } }", "first", "1000"),
    ("first of 10,000", "{ phoneNumbers(first: 10000) { nodes { sid } } }", "first", "1000"),
    (
        "search for 10,000",
        '{ availablePhoneNumbers(country: "US", first: 10000) { exhaustive } }',
        "first",
        "1000",
    ),
    (
        "a cursor that is none",
        '{ phoneNumbers(after: "MTIz") { nodes { sid } } }',
        "after",
        "cursor",
    ),
    ("a cursor in Cyrillic", '{ phoneNumbers(after: "я") { nodes { sid } } }', "after", "cursor"),
    (
        "owned pattern for any run",
        '{ phoneNumbers(filter: {contains: "CAF%"}) { nodes { sid } } }',
        "filter.contains",
        "digits",
    ),
    ("an id among others", '{ nodes(ids: ["x"]) { id } }', "ids", "not an id"),
    ("an id of somebody else", '{ node(id: "Zm9v") { id } }', "id", "not an id"),
    (
        "a distance where none belongs",
        (
            "{ phoneNumbers(first: 1) { nodes { similarAvailable(within: LATA, withinMiles: 3)"
            " { exhaustive } } } }"
        ),
        "withinMiles",
        "NEARBY",
    ),
] + [
    (
        f"{name} outside the US and Canada",
        search(f"{name}: {value}", '"GB"'),
        f"filter.{argument}",
        "US and Canada",
    )
    for name, value, argument in [
        ("areaCodes", '"510"', "areaCodes"),
        ("lata", '"132"', "lata"),
        ("region", '"+14155550100"', "region"),
        ("near", '{phoneNumber: "+14155550100"}', "near.phoneNumber"),
    ]
]


@pytest.mark.parametrize(
    ("query", "argument", "hint"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_bad_input_is_refused_by_name_before_anything_is_asked(
    gateway: RunningGateway, query: str, argument: str, hint: str
) -> None:
    if "similarAvailable" in query:  # One call more while it is unknown which API has the numbers.
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        gateway.sandbox.forget_requests()
    error = gateway.error(query)
    assert hint in error["message"]
    named = error["extensions"].get("argument") or error["message"]
    assert argument in named
    assert error["extensions"]["code"] in {
        "BAD_USER_INPUT",
        "UNSUPPORTED_FILTERS",
        "GRAPHQL_VALIDATION_FAILED",
    }
    asked = [each["path"] for each in gateway.sandbox.requests()]
    assert asked == (["/Numbers/ActiveNumbers"] if "similarAvailable" in query else [])


SIDS = [
    ("voice", "applicationSid", "AP"),
    ("voice", "trunkSid", "TK"),
    ("voice", "emergencyAddressSid", "AD"),
    ("sms", "applicationSid", "AP"),
    ("regulatory", "addressSid", "AD"),
    ("regulatory", "identitySid", "RI"),
    ("regulatory", "bundleSid", "BU"),
]


@pytest.mark.parametrize(
    ("given", "field", "hint"),
    [
        ({"configuration": {"friendlyName": LONG}}, ["configuration", "friendlyName"], "64"),
        ({"configuration": {"friendlyName": "\x00"}}, ["configuration", "friendlyName"], "Control"),
        ({"configuration": {}, "regulatory": {}}, ["configuration"], "Nothing to change"),
        ({}, ["configuration"], "Nothing to change"),
        *(
            ({"regulatory": {name: sid}}, ["regulatory", name], prefix)
            if section == "regulatory"
            else (
                {"configuration": {section: {name: sid}}},
                ["configuration", section, name],
                prefix,
            )
            for section, name, prefix in SIDS
            for sid in ("foo", prefix + "0" * 31, ("PN" if prefix == "AP" else "AP") + "0" * 32)
        ),
    ],
)
def test_a_bad_setting_is_a_user_error_and_changes_nothing(
    gateway: RunningGateway, given: dict[str, Any], field: list[str], hint: str
) -> None:
    data = gateway.query(
        """mutation ($i: ConfigurePhoneNumberInput!) { configurePhoneNumber(input: $i) {
            phoneNumber { sid } userErrors { field message code } } }""",
        {"i": {"sid": SID, **given}},
    )["configurePhoneNumber"]
    [error] = data["userErrors"]
    assert (error["field"], error["code"]) == (field, "INVALID_INPUT")
    assert hint in error["message"]
    assert data["phoneNumber"] is None
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("count", [0, 101])
@pytest.mark.parametrize(
    ("verb", "item"),
    [
        ("purchase", {"phoneNumber": "+14155550100"}),
        ("configure", {"sid": SID, "configuration": {"friendlyName": "x"}}),
        ("transfer", {"sid": SID, "toAccountSid": "AC" + "0" * 32}),
        ("release", {"sid": SID, "confirmPhoneNumber": "+14155550100"}),
    ],
)
def test_a_plural_of_none_or_too_many_is_refused_before_anything_is_done(
    gateway: RunningGateway, verb: str, item: dict[str, Any], count: int
) -> None:
    error = gateway.error(
        f"""mutation ($input: {verb.title()}PhoneNumbersInput!) {{
          {verb}PhoneNumbers(input: $input) {{ results {{ reconciled }} }} }}""",
        {"input": {"items": [item] * count}},
    )
    assert error["extensions"]["argument"] == "input.items"
    assert error["message"] == f"input.items: {count} items are not between 1 and 100."
    assert gateway.sandbox.requests() == []


def test_too_many_items_do_not_hide_what_was_done_before_them(gateway: RunningGateway) -> None:
    account = gateway.sandbox.create_account(catalog=True, owned=1)
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    item = {"sid": sid, "configuration": {"friendlyName": "many"}}
    data = gateway.query(
        """mutation ($one: ConfigurePhoneNumberInput!, $many: ConfigurePhoneNumbersInput!) {
          configurePhoneNumber(input: $one) { phoneNumber { friendlyName } }
          configurePhoneNumbers(input: $many) { results { userErrors { field code } } } }""",
        {
            "one": {"sid": sid, "configuration": {"friendlyName": "one"}},
            "many": {"items": [item] * 101},
        },
        account=account,
    )
    assert data["configurePhoneNumber"]["phoneNumber"] == {"friendlyName": "one"}
    refused = {"userErrors": [{"field": ["items"], "code": "INVALID_INPUT"}]}
    assert data["configurePhoneNumbers"]["results"] == [refused] * 101
    [number] = gateway.sandbox.numbers(account.sid)
    assert number["configuration"]["friendly_name"] == "one"


@pytest.mark.parametrize("explain", ["", "plan", "trace"])
@pytest.mark.parametrize("verb", ["purchase", "configure", "transfer", "release"])
def test_a_plural_of_none_is_refused_before_the_mutation_in_front_of_it_is_done(
    gateway: RunningGateway, verb: str, explain: str
) -> None:
    """In the words in which it is refused alone; where it is left out, nothing is refused."""
    account = gateway.sandbox.create_account(catalog=True, owned=1)
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    plural = f"{verb}PhoneNumbers(input: {{items: $items}}) {{ results {{ reconciled }} }}"
    query = f"""mutation ($items: [{verb.title()}PhoneNumberInput!] = [], $off: Boolean!) {{
      configurePhoneNumber(input: {{sid: "{sid}", configuration: {{friendlyName: "one"}}}}) {{
        phoneNumber {{ friendlyName }} }}
      ...More }}
      fragment More on Mutation {{ ... @skip(if: $off) {{ {plural} }} }}"""
    headers = {"x-gateway-explain": explain} if explain else {}
    gateway.sandbox.forget_requests()
    for variables in ({"off": False}, {"off": False, "items": []}):
        error = gateway.error(query, variables, account=account, headers=headers)
        assert error["message"] == "input.items: 0 items are not between 1 and 100."
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "input.items"}
    assert gateway.sandbox.requests() == []
    done = gateway.execute(query, {"off": True}, account=account, headers=headers)
    assert "errors" not in done


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "javascript:alert(1)",
        "example.com/x",
        "https://",
        "http://a b.c",
        "https://user:secret@example.com",
        "https://example.com/" + "x" * 2048,
        "http://[::1",
        "http://x:99999999",
        7,
    ],
)
def test_a_url_that_is_not_http_is_refused_by_name(gateway: RunningGateway, url: object) -> None:
    response = gateway.post(
        {
            "query": """mutation ($c: ConfigurationInput!, $s: ID!) {
              configurePhoneNumber(input: {sid: $s, configuration: $c}) { reconciled } }""",
            "variables": {"c": {"voice": {"url": url}}, "s": SID},
        }
    )
    [error] = response.json()["errors"]
    assert "voice.url" in error["message"]
    assert "webhook URL" in error["message"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert gateway.sandbox.requests() == []


def test_a_cursor_of_another_list_is_refused(gateway: RunningGateway) -> None:
    page = gateway.query("{ phoneNumbers(first: 2) { pageInfo { endCursor } } }")
    cursor = page["phoneNumbers"]["pageInfo"]["endCursor"]
    gateway.sandbox.forget_requests()
    error = gateway.error(
        "query ($c: String) { phoneNumbers(after: $c, filter: {type: LOCAL}) { nodes { sid } } }",
        {"c": cursor},
    )
    assert error["extensions"]["argument"] == "after"
    assert "another list" in error["message"]
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("explain", ["", "plan", "trace"])
@pytest.mark.parametrize(
    "text",
    [
        "query ($on: Boolean = true) { phoneNumbers @include(if: $on) { nodes { sid } } }",
        "query ($on: Boolean = true) { phoneNumbers { nodes { sid @skip(if: $on) type } } }",
        """mutation ($on: Boolean = true) { purchasePhoneNumber(
          input: { phoneNumber: "+12125550100" }) { userErrors { code @include(if: $on) } } }""",
    ],
)
def test_a_condition_that_is_null_is_refused_before_anything_is_asked(
    gateway: RunningGateway, text: str, explain: str
) -> None:
    headers = {"x-gateway-explain": explain} if explain else {}
    error = gateway.error(text, {"on": None}, headers=headers)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "$on"}
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("text", ["{ }", "{ account { } }", "{ account { sid ... { } } }"])
def test_a_selection_of_nothing_is_refused(gateway: RunningGateway, text: str) -> None:
    error = gateway.error(text)
    assert error["message"] == "Syntax Error: Expected Name, found '}'."
    assert error["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"
    assert gateway.sandbox.requests() == []
