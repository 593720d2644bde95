"""What numbers of a country cost, and what the law asks of who wants one."""

from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

PRICES = "prices { type monthlyPrice { amount currencyCode } listPrice { amount } }"
REQUIREMENTS = """requirements(type: $type, endUser: INDIVIDUAL) {
  endUser name information { key name }
  documents { key name accepted { name fields { key name } } } }"""
ASKED = f"query($code: CountryCode!, $type: NumberType!) {{ country(code: $code) {{ {REQUIREMENTS} }} }}"
PRICING, REGULATIONS = "/v1/PhoneNumbers", "/v2/RegulatoryCompliance"


def asked_of(gateway: RunningGateway, path: str) -> int:
    """Return how many calls were made to one of the APIs since the log was emptied."""
    return sum(each["path"].startswith(path) for each in gateway.sandbox.requests())


@pytest.mark.parametrize("role", ["parent", "core-only"])
def test_prices_of_a_country_are_amounts_with_their_currency(
    gateway: RunningGateway, role: str
) -> None:
    account = gateway.sandbox.accounts()[role]
    data = gateway.query(f'{{ country(code: "US") {{ {PRICES} }} }}', account=account)
    assert data["country"]["prices"] == [
        {
            "type": kind,
            "monthlyPrice": {"amount": amount, "currencyCode": "USD"},
            "listPrice": {"amount": amount},
        }
        for kind, amount in (("LOCAL", "1"), ("TOLL_FREE", "2"))
    ]


def test_prices_are_read_once_a_country_and_kept(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox, cache_countries=3600.0) as gateway:
        sandbox.forget_requests()
        query = '{ a: country(code: "GB") { prices { type } } b: country(code: "GB") { prices { type } } }'
        first = gateway.query(query)
        assert gateway.query(query) == first
        assert asked_of(gateway, PRICING) == 1


def test_a_list_of_countries_has_the_prices_of_each_and_the_plan_says_so(
    gateway: RunningGateway,
) -> None:
    query = f"{{ countries {{ code {PRICES} }} }}"
    account = gateway.sandbox.create_account()  # nothing is kept for it yet
    explain = {"X-Gateway-Explain": "plan"}
    plan = gateway.execute(query, headers=explain, account=account)["extensions"]["plan"]
    gateway.sandbox.forget_requests()
    countries = gateway.query(query, account=account)["countries"]
    made = asked_of(gateway, PRICING)
    assert made == len(countries)
    assert plan["calls"]["min"] <= made + 1 <= plan["calls"]["max"]
    assert all(each["prices"] for each in countries)


def test_prices_that_cannot_be_read_cost_no_other_field(gateway: RunningGateway) -> None:
    gateway.sandbox.set_faults(
        [{"path": f"{PRICING}/*", "kind": "status", "status": 500, "count": None}]
    )
    answer = gateway.execute('{ country(code: "NL") { code prices { type } } }')
    assert answer["data"]["country"] == {"code": "NL", "prices": None}
    [error] = answer["errors"]
    assert error["path"] == ["country", "prices"]


@pytest.mark.parametrize(
    ("code", "kind", "documents"),
    [
        ("GB", "LOCAL", ["proof_of_address", "proof_of_identity"]),
        ("IE", "LOCAL", ["proof_of_local_address", "proof_of_identity"]),
        ("ZA", "LOCAL", ["proof_of_identity"]),
    ],
)
def test_what_is_asked_of_who_wants_a_number_is_told_in_words(
    gateway: RunningGateway, code: str, kind: str, documents: list[str]
) -> None:
    asked: dict[str, Any] = gateway.query(ASKED, {"code": code, "type": kind})["country"][
        "requirements"
    ]
    assert asked["endUser"] == "INDIVIDUAL"
    assert asked["information"][0] == {"key": "first_name", "name": "First Name"}
    assert [each["key"] for each in asked["documents"]] == documents
    for document in asked["documents"]:
        assert document["name"]
        assert all(each["name"] and each["fields"] for each in document["accepted"])


@pytest.mark.parametrize(("code", "kind"), [("US", "LOCAL"), ("US", "SHORT_CODE")])
def test_where_nothing_is_asked_requirements_are_null_without_an_error(
    gateway: RunningGateway, code: str, kind: str
) -> None:
    data = gateway.query(ASKED, {"code": code, "type": kind})
    assert data == {"country": {"requirements": None}}


def test_requirements_are_planned_as_one_call(gateway: RunningGateway) -> None:
    variables = {"code": "AU", "type": "MOBILE"}
    plan = gateway.execute(ASKED, variables, headers={"X-Gateway-Explain": "plan"})
    gateway.sandbox.forget_requests()
    gateway.query(ASKED, variables)
    assert asked_of(gateway, REGULATIONS) == 1
    assert plan["extensions"]["plan"]["calls"]["max"] == 2


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "graphql-core"])
@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core alone"])
def test_numbers_for_sale_tell_what_is_asked_of_who_wants_them_by_one_call_for_each_kind(
    sandbox: RunningSandbox, fast: bool, catalog: bool
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=0)
    documents = "documents { name }"
    text = f"""query($code: CountryCode!, $types: [NumberType!]) {{
      availablePhoneNumbers(country: $code, types: $types, first: 20) {{ nodes {{
        type requirements(endUser: BUSINESS) {{ {documents} }} }} }}
      country(code: $code) {{
        LOCAL: requirements(type: LOCAL, endUser: BUSINESS) {{ {documents} }}
        MOBILE: requirements(type: MOBILE, endUser: BUSINESS) {{ {documents} }} }} }}"""
    variables = {"code": "GB", "types": ["LOCAL", "MOBILE"]}
    with running_gateway(sandbox, fast=fast, cache_countries=0.0) as gateway:
        explain = {"X-Gateway-Explain": "plan"}
        report = gateway.execute(text, variables, account=account, headers=explain)
        plan = report["extensions"]["plan"]
        sandbox.forget_requests()
        data = gateway.query(text, variables, account=account)
        assert asked_of(gateway, REGULATIONS) == 2
        assert plan["calls"]["min"] <= len(sandbox.requests()) <= plan["calls"]["max"]
        nodes = data["availablePhoneNumbers"]["nodes"]
        assert {node["type"] for node in nodes} == {"LOCAL", "MOBILE"}
        for node in nodes:
            assert node["requirements"] == data["country"][node["type"]]
        assert nodes[0]["requirements"]["documents"]

        sandbox.set_faults([{"path": f"{REGULATIONS}/*", "kind": "reset", "count": None}])
        answer = gateway.execute(text, variables, account=account)
        nodes = answer["data"]["availablePhoneNumbers"]["nodes"]
        assert {node["requirements"] is None and bool(node["type"]) for node in nodes} == {True}
