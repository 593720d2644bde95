"""The rest of the graph, in both families where both have it: one suite, not two copies."""

from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.upstream.families import CORE
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import events, socket

FAMILIES = ["CATALOG", "CORE"]
SEED_COUNTRIES = {
    "AU",
    "AT",
    "BH",
    "BE",
    "BR",
    "BG",
    "CA",
    "CY",
    "CZ",
    "DK",
    "DO",
    "SV",
    "EE",
    "FI",
    "FR",
    "GR",
    "HK",
    "IE",
    "IL",
    "IT",
    "JP",
    "LV",
    "LT",
    "LU",
    "MT",
    "MX",
    "NL",
    "NZ",
    "PE",
    "PL",
    "PT",
    "PR",
    "RO",
    "SK",
    "ZA",
    "ES",
    "SE",
    "CH",
    "GB",
    "US",
}


@pytest.fixture(params=FAMILIES)
def owner(request: pytest.FixtureRequest, gateway: RunningGateway) -> tuple[str, SandboxAccount]:
    """An account whose owned numbers come from each family in turn."""
    role = {"CATALOG": "parent", "CORE": "core-only"}[request.param]
    return request.param, gateway.sandbox.accounts()[role]


def test_source_tells_which_family_answered(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    family, account = owner
    data = gateway.query("{ phoneNumbers(first: 5) { nodes { source } } }", account=account)
    assert data["phoneNumbers"]["nodes"] == [{"source": family}] * 5


def test_lacking_the_catalog_is_found_out_once_and_remembered(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=False, owned=2)
    with running_gateway(sandbox, account=account) as gateway:
        for _ in range(3):
            gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
    paths = [request["path"] for request in sandbox.requests()]
    # The first two at once.
    asked = [path.startswith("/Numbers") for path in paths]
    assert (sorted(asked[:2]), asked[2:]) == ([False, True], [False, False])


def test_it_is_asked_again_after_a_while(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=False, owned=2)
    with running_gateway(sandbox, account=account, family_memory=1e-6) as gateway:
        for _ in range(2):
            gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
    paths = [request["path"] for request in sandbox.requests()]
    asked = [path.startswith("/Numbers") for path in paths]
    assert [sorted(asked[:2]), sorted(asked[2:])] == [[False, True]] * 2


def test_a_missing_number_is_null_in_an_account_that_is_not_known_yet(
    sandbox: RunningSandbox, subtests: pytest.Subtests
) -> None:
    for catalog in (True, False):
        with subtests.test(catalog=catalog):
            account = sandbox.create_account(catalog=catalog, owned=1)
            with running_gateway(sandbox, account=account) as gateway:
                data = gateway.query(f'{{ phoneNumber(sid: "PN{"0" * 32}") {{ sid }} }}')
                assert data["phoneNumber"] is None
                sid = sandbox.numbers(account.sid)[0]["sid"]
                data = gateway.query(f'{{ phoneNumber(sid: "{sid}") {{ sid }} }}')
                assert data["phoneNumber"] == {"sid": sid}


def test_countries_are_those_of_the_documentation(gateway: RunningGateway) -> None:
    data = gateway.query("{ countries { code name beta types } }")["countries"]
    assert {country["code"] for country in data} == SEED_COUNTRIES
    by_code = {country["code"]: country for country in data}
    assert {"LOCAL", "TOLL_FREE"} <= set(by_code["US"]["types"])
    assert by_code["US"]["name"] == "United States"
    beta = {code for code, country in by_code.items() if country["beta"]}
    assert beta == {"BH", "BR", "CY", "DO", "SV", "EE", "LV", "LT", "LU", "MT", "PE", "ZA"}


def test_one_country_leads_to_its_numbers(gateway: RunningGateway) -> None:
    data = gateway.query(
        """{ country(code: "GB") { code types
             availablePhoneNumbers(type: MOBILE, first: 3) { nodes { phoneNumber type } } } }"""
    )["country"]
    assert "MOBILE" in data["types"]
    numbers = data["availablePhoneNumbers"]["nodes"]
    assert [number["type"] for number in numbers] == ["MOBILE"] * 3
    assert all(number["phoneNumber"].startswith("+447") for number in numbers)
    assert gateway.query('{ country(code: "AQ") { code } }') == {"country": None}


def test_a_country_without_numbers_is_a_clear_error(gateway: RunningGateway) -> None:
    error = gateway.error('{ availablePhoneNumbers(country: "IN") { exhaustive } }')
    assert error["message"] == "country: IN has no LOCAL numbers that can be searched."
    assert error["extensions"]["code"] == "NOT_FOUND"
    assert error["extensions"]["upstreamCode"] == 20404


def test_nothing_is_said_of_a_country_where_the_account_may_be_out_of_reach(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    sandbox.set_switches(foreign_account_code=20404)
    other = sandbox.create_account().sid
    search = f'{{ availablePhoneNumbers(country: "US", accountSid: "{other}") {{ exhaustive }} }}'
    assert gateway.error(search)["message"] == (
        f"country: US has no LOCAL numbers that can be searched for account {other}."
    )


@pytest.mark.parametrize(
    ("kind", "country"),
    [
        ("LOCAL", "US"),
        ("TOLL_FREE", "US"),
        ("MOBILE", "GB"),
        ("NATIONAL", "BE"),
        ("SHARED_COST", "AU"),
        ("VOIP", "FR"),
        ("MACHINE_TO_MACHINE", "NL"),
    ],
)
def test_every_type_of_number_can_be_searched_in_both_families(
    gateway: RunningGateway, kind: str, country: str
) -> None:
    for filter_, family in (("", "CORE"), ("minMonthlyPrice: 0", "CATALOG")):
        query = f"""{{ availablePhoneNumbers(country: "{country}", types: [{kind}],
          filter: {{ {filter_} }}, first: 3) {{ nodes {{ type source phoneNumber }} }} }}"""
        nodes = gateway.query(query)["availablePhoneNumbers"]["nodes"]
        assert {(node["type"], node["source"]) for node in nodes} == {(kind, family)}


def test_short_codes_are_known_to_the_catalog_only(gateway: RunningGateway) -> None:
    search = """{ availablePhoneNumbers(country: "US", types: [SHORT_CODE]) { nodes { type } } }"""
    gateway.query(search)
    assert gateway.sandbox.requests()[-1]["path"] == "/Numbers/AvailableNumbers"
    error = gateway.error(search, account=gateway.sandbox.accounts()["core-only"])
    assert "SHORT_CODE" in error["message"]
    assert error["extensions"]["code"] == "UNSUPPORTED_FILTERS"


@pytest.mark.parametrize(
    "name",
    ["CONVERSATIONS", "MARKETING", "NOTIFICATIONS", "VERIFICATIONS", "CONTACT_CENTERS"],
)
@pytest.mark.parametrize("capability", ["VOICE", "SMS"])
def test_saved_searches_go_to_the_catalog(
    gateway: RunningGateway, name: str, capability: str
) -> None:
    data = gateway.query(
        f"""{{ availablePhoneNumbers(country: "US", first: 2,
          filter: {{ savedSearches: [{name}_{capability}] }}) {{ nodes {{ lifecycle source }} }} }}"""
    )["availablePhoneNumbers"]
    case = name.lower().replace("_", "-")
    query = gateway.sandbox.requests()[-1]["query"]
    assert ["SavedSearch", f"twilio.use-case.{case}.{capability.lower()}"] in query
    assert all(node["lifecycle"] == "GENERALLY_AVAILABLE" for node in data["nodes"])


def test_saved_searches_are_combined(gateway: RunningGateway) -> None:
    gateway.query(
        """{ availablePhoneNumbers(country: "US", first: 2, filter: {
          savedSearches: [PBX_COLLABORATIONS_VOICE, LEAD_TRACKING_SMS, CALL_TRACKING_VOICE] })
          { nodes { phoneNumber } } }"""
    )
    query = gateway.sandbox.requests()[-1]["query"]
    assert [value for name, value in query if name == "SavedSearch"] == [
        "twilio.use-case.pbx-collaborations.voice",
        "twilio.use-case.lead-tracking.sms",
        "twilio.use-case.call-tracking.voice",
    ]


def amount(node: dict[str, Any], price: str) -> Decimal:
    """Return how much a price is."""
    return Decimal(node[price]["amount"])


@pytest.mark.parametrize(
    ("bound", "holds"),
    [
        ("minMonthlyPrice: 2", lambda node: amount(node, "monthlyPrice") >= 2),
        ("maxMonthlyPrice: 1", lambda node: amount(node, "monthlyPrice") <= 1),
        ("minSetupPrice: 0, maxSetupPrice: 0", lambda node: amount(node, "setupPrice") == 0),
    ],
    ids=["min", "max", "between"],
)
def test_prices_are_bounded_and_read(gateway: RunningGateway, bound: str, holds: Any) -> None:
    data = gateway.query(
        f"""{{ availablePhoneNumbers(country: "US", types: [LOCAL, TOLL_FREE], first: 20,
          filter: {{ {bound} }}) {{ nodes {{ setupPrice {{ amount }} monthlyPrice {{ amount }} }} }} }}"""
    )["availablePhoneNumbers"]["nodes"]
    assert data
    assert all(holds(node) for node in data)


def test_price_filters_need_the_catalog(gateway: RunningGateway) -> None:
    error = gateway.error(
        '{ availablePhoneNumbers(country: "US", filter: {maxSetupPrice: 1}) { exhaustive } }',
        account=gateway.sandbox.accounts()["core-only"],
    )
    assert "maxSetupPrice" in error["message"]
    assert "does not have it" in error["message"]


def test_the_catalog_of_another_account_cannot_be_asked(gateway: RunningGateway) -> None:
    other = gateway.sandbox.subaccounts()[0].sid
    for query in (
        'phoneNumbers(accountSid: $other, filter: {postalCode: "99501"}) { nodes { sid } }',
        """availablePhoneNumbers(country: "US", accountSid: $other, filter: {minSetupPrice: 1})
          { exhaustive }""",
    ):
        error = gateway.error(f"query ($other: ID!) {{ {query} }}", {"other": other})
        assert "with an account's own credentials only" in error["message"]


@pytest.mark.parametrize("kind", ["LOCAL", "TOLL_FREE", "MOBILE"])
def test_owned_numbers_that_are_listed_by_type_say_their_type(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount], kind: str
) -> None:
    _, account = owner
    data = gateway.query(
        f"{{ phoneNumbers(filter: {{type: {kind}}}, first: 5) {{ nodes {{ type }} }} }}",
        account=account,
    )
    assert data["phoneNumbers"]["nodes"]
    assert {node["type"] for node in data["phoneNumbers"]["nodes"]} == {kind}


def test_places_that_no_number_tells_need_the_catalog(gateway: RunningGateway) -> None:
    error = gateway.error(
        '{ phoneNumbers(filter: {locality: "NY"}) { nodes { sid } } }',
        account=gateway.sandbox.accounts()["core-only"],
    )
    assert "locality" in error["message"]
    assert error["extensions"]["code"] == "UNSUPPORTED_FILTERS"


def test_a_rate_center_without_its_lata_is_refused_in_words_that_say_so(
    gateway: RunningGateway,
) -> None:
    account = gateway.sandbox.accounts()["core-only"]
    search = """query($filter: AvailablePhoneNumberFilter) {
      availablePhoneNumbers(country: "US", filter: $filter, first: 1) { nodes { phoneNumber } } }"""
    place = {"rateCenter": "SNFC CNTRL"}
    error = gateway.error(search, {"filter": place}, account=account)
    assert "cannot search by rateCenter without lata:" in error["message"]
    assert error["extensions"]["code"] == "UNSUPPORTED_FILTERS"
    found = gateway.query(search, {"filter": place | {"lata": "722"}}, account=account)
    assert found["availablePhoneNumbers"]["nodes"]


def test_filters_of_both_families_together_are_answered_by_both(gateway: RunningGateway) -> None:
    text = "{ phoneNumbers(first: 1000%s) { nodes { sid origin geography { locality } } } }"
    every = gateway.query(text % "")["phoneNumbers"]["nodes"]
    town = next(each["geography"]["locality"] for each in every if each["geography"]["locality"])
    wanted = {"TWILIO", town}
    asked = f', filter: {{ origin: TWILIO, locality: "{town}" }}'
    assert gateway.query(text % asked)["phoneNumbers"]["nodes"] == [
        each for each in every if {each["origin"], each["geography"]["locality"]} == wanted
    ]


def test_a_core_filter_asks_core_even_where_the_catalog_is_there(gateway: RunningGateway) -> None:
    number = gateway.sandbox.numbers(gateway.account.sid)[0]["phone_number"]
    data = gateway.query(
        "query ($c: String) { phoneNumbers(filter: {contains: $c}) { nodes { source phoneNumber } } }",
        {"c": number[4:]},
    )
    assert {"source": "CATALOG", "phoneNumber": number} in data["phoneNumbers"]["nodes"]
    listed, *filled_in = gateway.sandbox.requests()
    assert listed["path"].startswith("/2010-04-01/")
    assert all(request["path"].startswith("/Numbers/") for request in filled_in)


def test_types_and_area_codes_fan_out_and_merge_in_turn(gateway: RunningGateway) -> None:
    data = gateway.query(
        """{ availablePhoneNumbers(country: "US", types: [LOCAL, TOLL_FREE],
             filter: {capabilities: { sms: { enabled: true } }}, first: 6) { nodes { type phoneNumber } } }"""
    )["availablePhoneNumbers"]["nodes"]
    assert [node["type"] for node in data] == ["LOCAL", "TOLL_FREE"] * 3
    paths = {request["path"].rpartition("/")[2] for request in gateway.sandbox.requests()}
    assert paths == {"Local.json", "TollFree.json"}


def test_a_branch_that_fails_is_reported_and_the_others_are_kept(gateway: RunningGateway) -> None:
    gateway.sandbox.set_faults(
        [{"kind": "status", "status": 400, "path": "*/AvailablePhoneNumbers/US/TollFree.json"}]
    )
    data = gateway.query(
        """{ availablePhoneNumbers(country: "US", types: [LOCAL, TOLL_FREE], first: 4)
             { nodes { type } exhaustive branchErrors { type areaCode code message } } }"""
    )["availablePhoneNumbers"]
    assert [node["type"] for node in data["nodes"]] == ["LOCAL"] * 4
    [error] = data["branchErrors"]
    assert (error["type"], error["areaCode"], error["code"]) == (
        "TOLL_FREE", None, "UPSTREAM_REFUSED"
    )  # fmt: skip
    assert data["exhaustive"] is False


def test_a_number_found_by_several_branches_comes_once(gateway: RunningGateway) -> None:
    data = gateway.query(
        """{ availablePhoneNumbers(country: "US", filter: {areaCodes: ["510", "510", "415"]}, first: 100)
             { nodes { phoneNumber } } }"""
    )["availablePhoneNumbers"]["nodes"]
    assert len({node["phoneNumber"] for node in data}) == len(data)
    assert len(gateway.sandbox.requests()) == 2


SCOPES = {
    "RATE_CENTER": lambda here, there: here["rateCenter"] == there["rateCenter"],
    "LATA": lambda here, there: here["lata"] == there["lata"],
    "REGION": lambda here, there: here["region"] == there["region"],
    "POSTAL_CODE": lambda here, there: here["postalCode"] == there["postalCode"],
    "NEARBY": lambda here, there: abs(here["latitude"] - there["latitude"]) < 0.5,
}


@pytest.mark.parametrize("scope", SCOPES)
def test_similar_numbers_share_what_was_asked(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount], scope: str
) -> None:
    _, account = owner
    number = next(
        each
        for each in gateway.sandbox.numbers(account.sid)
        if each.get("type") == "local"
        and (each.get("geography") or {}).get("iso_country") == "US"
        and (each.get("geography") or {}).get("rate_center")
    )
    place = "geography { rateCenter lata region postalCode latitude }"
    data = gateway.query(
        f"""query ($sid: ID!) {{ phoneNumber(sid: $sid) {{
          similarAvailable(within: {scope}, first: 5) {{ nodes {{ {place} }} }} }} }}""",
        {"sid": number["sid"]},
        account=account,
    )["phoneNumber"]["similarAvailable"]["nodes"]
    kept = number["geography"]
    here = {
        "rateCenter": kept["rate_center"],
        "lata": str(kept["lata"]),
        "region": kept["region"],
        "postalCode": kept["postal_code"],
        "latitude": kept["latitude"],
    }
    assert data
    assert all(SCOPES[scope](here, node["geography"]) for node in data)


@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("phone_number", ["+442079460999", "+18665550142", "+17875550143", "54321"])
def test_a_number_that_shares_no_place_has_no_similar_ones_and_no_error(
    gateway: RunningGateway, catalog: bool, phone_number: str
) -> None:
    account = gateway.sandbox.create_account(catalog=catalog)
    gateway.sandbox.put_number(account.sid, phone_number)
    gateway.sandbox.forget_requests()
    scopes = " ".join(
        f"{scope}: similarAvailable(within: {scope}) {{ exhaustive }}" for scope in SCOPES
    )
    data = gateway.query(f"{{ phoneNumbers {{ nodes {{ {scopes} }} }} }}", account=account)
    assert data["phoneNumbers"]["nodes"] == [dict.fromkeys(SCOPES)]
    assert not [each for each in gateway.sandbox.requests() if "Available" in each["path"]]


def test_an_account_shows_its_subaccounts_and_numbers(gateway: RunningGateway) -> None:
    data = gateway.query(
        """{ account { sid friendlyName status type ownerAccountSid dateCreated
             subaccounts { nodes {
               sid ownerAccountSid phoneNumbers(first: 2) { nodes { accountSid } } } }
             phoneNumbers(first: 3) { nodes { account { sid } } } } }"""
    )["account"]
    own = gateway.account.sid
    assert (data["sid"], data["ownerAccountSid"]) == (own, own)
    assert (data["status"], data["type"]) == ("ACTIVE", "FULL")
    children = {account.sid for account in gateway.sandbox.subaccounts()}
    assert children <= {each["sid"] for each in data["subaccounts"]["nodes"]}
    for child in data["subaccounts"]["nodes"]:
        assert child["ownerAccountSid"] == own
        assert all(n["accountSid"] == child["sid"] for n in child["phoneNumbers"]["nodes"])
    assert data["phoneNumbers"]["nodes"] == [{"account": {"sid": own}}] * 3


def test_another_account_is_not_shown(gateway: RunningGateway) -> None:
    stranger = gateway.sandbox.accounts()["core-only"].sid
    error = gateway.error("query ($sid: ID!) { account(sid: $sid) { sid } }", {"sid": stranger})
    assert error["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"


def test_ids_lead_back_to_their_objects(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    listed = gateway.query(
        "{ account { id } phoneNumbers(first: 2) { nodes { id sid } } }", account=account
    )
    numbers = listed["phoneNumbers"]["nodes"]
    ids = [listed["account"]["id"], *(number["id"] for number in numbers)]
    data = gateway.query(
        """query ($ids: [ID!]!, $id: ID!) {
          nodes(ids: $ids) { __typename id ... on PhoneNumber { sid } ... on Account { sid } }
          node(id: $id) { ... on NumberProfile { phoneNumber } } }""",
        {"ids": ids, "id": ids[1]},
        account=account,
    )
    assert data["nodes"] == [
        {"__typename": "Account", "id": ids[0], "sid": account.sid},
        *({"__typename": "PhoneNumber", "id": n["id"], "sid": n["sid"]} for n in numbers),
    ]
    assert data["node"]["phoneNumber"].startswith("+")


def test_owned_and_available_numbers_share_a_profile(gateway: RunningGateway) -> None:
    data = gateway.query(
        """fragment Profile on NumberProfile { __typename phoneNumber type
             capabilities { voice { enabled } } }
           { phoneNumbers(first: 1) { nodes { ...Profile } }
             availablePhoneNumbers(country: "US", first: 1) { nodes { ...Profile } } }"""
    )
    assert data["phoneNumbers"]["nodes"][0]["__typename"] == "PhoneNumber"
    assert data["availablePhoneNumbers"]["nodes"][0]["__typename"] == "AvailablePhoneNumber"


def test_an_api_key_works_with_its_account_named(gateway: RunningGateway) -> None:
    key = gateway.account.api_key
    answers = [
        gateway.http.post(
            f"{gateway.url}/graphql",
            json={"query": "{ phoneNumbers(first: 1) { nodes { accountSid } } }"},
            auth=(key["sid"], key["secret"]),
            headers=headers,
        )
        for headers in ({}, {"X-Account-Sid": gateway.account.sid})
    ]
    assert answers[0].status_code == 401
    assert "X-Account-Sid" in answers[0].json()["errors"][0]["message"]
    [number] = answers[1].json()["data"]["phoneNumbers"]["nodes"]
    assert number == {"accountSid": gateway.account.sid}


def test_wrong_credentials_are_an_error_of_their_own(gateway: RunningGateway) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json={"query": "{ phoneNumbers { nodes { sid } } }"},
        auth=(gateway.account.sid, "0" * 32),
    )
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"
    assert error["extensions"]["upstreamCode"] == 20003


def test_the_accounts_of_core_calls_are_in_their_paths() -> None:
    call = CORE.get_call("AC" + "1" * 32, "PN" + "2" * 32)
    assert call.path == f"/2010-04-01/Accounts/AC{'1' * 32}/IncomingPhoneNumbers/PN{'2' * 32}.json"
    assert call.route == "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}.json"


NUMBERS = "{ phoneNumbers { nodes { sid } } }"
CONFIGURE = """mutation {
  configurePhoneNumber(
    input: {sid: "PN00000000000000000000000000000000", configuration: {friendlyName: "x"}}
  ) { userErrors { code } }
}"""


@pytest.mark.parametrize(("role", "code"), [("suspended", 20005), ("test", 20008)])
@pytest.mark.parametrize("query", [NUMBERS, CONFIGURE], ids=["query", "mutation"])
def test_credentials_that_are_good_and_may_not_are_forbidden(
    gateway: RunningGateway, role: str, code: int, query: str
) -> None:
    """Others would not help: their owner need not sign in anew."""
    account = gateway.sandbox.accounts()[role]
    error = gateway.error(query, account=account)
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["extensions"]["upstreamCode"] == code


@pytest.mark.parametrize("code", [20006, 20403])
def test_so_are_those_to_which_the_upstream_denies_access(
    gateway: RunningGateway, code: int
) -> None:
    account = gateway.sandbox.create_account(owned=1)
    body = {"code": code, "message": "Access denied", "status": 403}
    denied = {"kind": "status", "status": 403, "body": body, "count": None}
    gateway.sandbox.set_faults([denied | {"account": account.sid}])
    for query in (NUMBERS, CONFIGURE):
        extensions = gateway.error(query, account=account)["extensions"]
        assert (extensions["code"], extensions["upstreamCode"]) == ("FORBIDDEN", code)


@pytest.mark.parametrize("role", ["suspended", "test"])
def test_they_may_not_follow_either(gateway: RunningGateway, role: str) -> None:
    account = gateway.sandbox.accounts()[role]
    with events(gateway, account=account) as stream:
        [error] = stream.next().data["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    with pytest.raises(ConnectionClosed) as closed, socket(gateway) as opened:
        opened.init(account)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403
    assert closed.value.rcvd.reason.startswith("Forbidden: ")


@pytest.mark.parametrize(("role", "code"), [("suspended", 20005), ("test", 20008)])
def test_they_are_forbidden_in_each_item_of_a_plural_mutation(
    gateway: RunningGateway, role: str, code: int
) -> None:
    data = gateway.query(
        """mutation ($input: ConfigurePhoneNumbersInput!) {
          configurePhoneNumbers(input: $input) {
            results { userErrors { field code upstreamCode } }
          }
        }""",
        {
            "input": {
                "items": [
                    {"sid": f"PN{n:032x}", "configuration": {"friendlyName": "x"}} for n in (1, 2)
                ]
            }
        },
        account=gateway.sandbox.accounts()[role],
    )
    errors = [each["userErrors"] for each in data["configurePhoneNumbers"]["results"]]
    assert errors == [
        [{"field": ["items", str(n)], "code": "FORBIDDEN", "upstreamCode": code}] for n in (0, 1)
    ]


def test_an_account_below_that_is_suspended_is_forbidden(gateway: RunningGateway) -> None:
    child = gateway.sandbox.create_account(
        owner_account_sid=gateway.account.sid, status="suspended", owned=1
    )
    query = "query ($sid: ID!) { phoneNumbers(accountSid: $sid) { nodes { sid } } }"
    error = gateway.error(query, {"sid": child.sid})
    assert error["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "429"}, "UPSTREAM_RATE_LIMITED"),
        ({"kind": "status", "status": 503}, "UPSTREAM_UNAVAILABLE"),
    ],
)
def test_what_may_go_better_later_says_when(
    sandbox: RunningSandbox, fault: dict[str, Any], code: str
) -> None:
    """Also when the upstream does not."""
    with running_gateway(sandbox, attempts=1) as gateway:
        account = sandbox.create_account()
        sandbox.set_faults([{**fault, "account": account.sid, "count": None}])
        extensions = gateway.error(NUMBERS, account=account)["extensions"]
    assert (extensions["code"], extensions["retryAfterMs"]) == (code, 1000)
