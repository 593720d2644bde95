"""What numbers cost a month: their own price where the upstream tells it, else their kind's."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

PRICE = "monthlyPrice { amount currencyCode }"
SEARCH = f"""query($country: CountryCode!, $types: [NumberType!]) {{
  availablePhoneNumbers(country: $country, types: $types, first: 5) {{ nodes {{ type {PRICE} }} }} }}"""
US = {"country": "US", "types": ["LOCAL", "TOLL_FREE"]}
OWNED = f"{{ phoneNumbers(first: 50) {{ nodes {{ phoneNumber {PRICE} }} }} }}"
PRICING = "/v1/PhoneNumbers"
EXPLAIN = {"X-Gateway-Explain": "plan"}


def dollars(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "USD"}


def lists_read(sandbox: RunningSandbox) -> list[str]:
    """Return the countries whose price lists were read since the log was emptied."""
    paths = [each["path"] for each in sandbox.requests()]
    return sorted(path.rpartition("/")[2] for path in paths if path.startswith(PRICING))


@pytest.fixture(scope="module", params=[True, False], ids=["compiled", "graphql-core"])
def served(request: Any, shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that keeps no answers, so that every read shows."""
    with running_gateway(shared_sandbox, fast=request.param, cache_countries=0.0) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def core_only(shared_sandbox: RunningSandbox) -> SandboxAccount:
    """An account without the catalog, with numbers of three countries and a toll-free one."""
    account = shared_sandbox.create_account(catalog=False, owned=0)
    for number in ("+12125550177", "+442071838750", "+447400123456", "12345"):
        shared_sandbox.put_number(account.sid, number)
    shared_sandbox.put_number(account.sid, "+18005550188", {"type": "tollfree"})
    return account


def test_numbers_for_sale_cost_what_their_kind_does_where_the_upstream_tells_no_price(
    served: RunningGateway, sandbox: RunningSandbox, core_only: SandboxAccount
) -> None:
    plan = served.execute(SEARCH, US, account=core_only, headers=EXPLAIN)["extensions"]["plan"]
    sandbox.forget_requests()
    nodes = served.query(SEARCH, US, account=core_only)["availablePhoneNumbers"]["nodes"]
    assert {(each["type"], each["monthlyPrice"]["amount"]) for each in nodes} == {
        ("LOCAL", "1"),
        ("TOLL_FREE", "2"),
    }
    assert nodes[0]["monthlyPrice"]["currencyCode"] == "USD"
    assert lists_read(sandbox) == ["US"]
    assert plan["calls"]["min"] <= len(sandbox.requests()) <= plan["calls"]["max"]
    [step] = [each for each in plan["steps"] if "price list" in each["reason"]]
    assert (step["strategy"], step["min"], step["max"]) == ("fill", 0, 1)
    assert "monthlyPrice" in step["reason"]


def test_lists_of_prices_are_read_only_when_prices_are_selected(
    served: RunningGateway, sandbox: RunningSandbox, core_only: SandboxAccount
) -> None:
    without = [text.replace(PRICE, "") for text in (SEARCH, OWNED)]
    for text in without:
        plan = served.execute(text, US, account=core_only, headers=EXPLAIN)["extensions"]["plan"]
        assert not any("price" in each["reason"] for each in plan["steps"])
        sandbox.forget_requests()
        served.query(text, US, account=core_only)
        assert lists_read(sandbox) == []


def test_a_price_of_its_own_stands(served: RunningGateway, sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True, owned=0)
    text = """{ availablePhoneNumbers(country: "US", first: 400) {
      nodes { source monthlyPrice { amount } } } }"""
    nodes = served.query(text, account=account)["availablePhoneNumbers"]["nodes"]
    assert {each["source"] for each in nodes} == {"CATALOG"}
    # Some have none of their own, and one in a hundred is dear.
    assert {each["monthlyPrice"]["amount"] for each in nodes} == {"1", "15"}


@pytest.mark.parametrize(("status", "errors"), [(500, 5), (404, 0)])
def test_a_list_of_prices_that_cannot_be_read_costs_the_prices_alone(
    served: RunningGateway,
    sandbox: RunningSandbox,
    core_only: SandboxAccount,
    status: int,
    errors: int,
) -> None:
    body = {"body": '{"code": 20404, "message": "No such resource."}'} if status == 404 else {}
    fault = {"path": f"{PRICING}/*", "kind": "status", "status": status, "count": None, **body}
    sandbox.set_faults([fault])
    answer = served.execute(SEARCH, {"country": "US"}, account=core_only)
    nodes = answer["data"]["availablePhoneNumbers"]["nodes"]
    assert nodes == [{"type": "LOCAL", "monthlyPrice": None}] * 5
    assert [each["path"] for each in answer.get("errors", [])] == [
        ["availablePhoneNumbers", "nodes", place, "monthlyPrice"] for place in range(errors)
    ]


def test_owned_numbers_cost_what_their_kind_does_in_their_country(
    served: RunningGateway, sandbox: RunningSandbox, core_only: SandboxAccount
) -> None:
    plan = served.execute(OWNED, account=core_only, headers=EXPLAIN)["extensions"]["plan"]
    sandbox.forget_requests()
    nodes = served.query(OWNED, account=core_only)["phoneNumbers"]["nodes"]
    assert {each["phoneNumber"]: each["monthlyPrice"] for each in nodes} == {
        "+12125550177": dollars("1"),
        "+442071838750": dollars("1"),
        "+447400123456": dollars("3"),
        # Whether of the US or of Canada, nothing tells.
        "+18005550188": dollars("2"),
        # Nothing tells in which country it is.
        "12345": None,
    }
    assert lists_read(sandbox) == ["CA", "GB", "US"]
    assert plan["calls"]["min"] <= len(sandbox.requests()) <= plan["calls"]["max"]


DEARER = {
    "price_unit": "USD",
    "phone_number_prices": [
        {"number_type": "toll free", "base_price": "2.15", "current_price": "2.15"}
    ],
}


@pytest.mark.parametrize(
    ("fault", "price", "errors"),
    [
        pytest.param(None, dollars("2"), 0, id="agree"),
        pytest.param({"kind": "status", "status": 200, "body": DEARER}, None, 0, id="differ"),
        pytest.param({"kind": "status", "status": 500}, None, 1, id="not read"),
    ],
)
def test_a_toll_free_number_has_a_price_if_the_lists_of_the_us_and_canada_agree(
    served: RunningGateway,
    sandbox: RunningSandbox,
    core_only: SandboxAccount,
    fault: dict[str, Any] | None,
    price: dict[str, str] | None,
    errors: int,
) -> None:
    text = f"""{{ phoneNumberByIdentifier(identifier: {{ phoneNumber: "+18005550188" }}) {{
      {PRICE} }} }}"""
    if fault:
        sandbox.set_faults([{"path": f"{PRICING}/Countries/CA", "count": None, **fault}])
    plan = served.execute(text, account=core_only, headers=EXPLAIN)["extensions"]["plan"]
    sandbox.forget_requests()
    answer = served.execute(text, account=core_only)
    assert answer["data"]["phoneNumberByIdentifier"] == {"monthlyPrice": price}
    assert len(answer.get("errors", [])) == errors
    if not errors:  # else the call is repeated
        assert plan["calls"]["min"] <= len(sandbox.requests()) <= plan["calls"]["max"]


def test_what_a_new_number_costs_is_in_the_payload(
    served: RunningGateway, core_only: SandboxAccount
) -> None:
    search = '{ availablePhoneNumbers(country: "US", first: 1) { nodes { phoneNumber } } }'
    [node] = served.query(search, account=core_only)["availablePhoneNumbers"]["nodes"]
    text = f"""mutation($number: E164!) {{ purchasePhoneNumber(input: {{ phoneNumber: $number }}) {{
      phoneNumber {{ sid {PRICE} }} userErrors {{ message }} }} }}"""
    payload = served.query(text, {"number": node["phoneNumber"]}, account=core_only)
    bought = payload["purchasePhoneNumber"]["phoneNumber"]
    assert bought["monthlyPrice"] == dollars("1")
    release = """mutation($sid: ID!, $number: E164!) { releasePhoneNumber(
      input: { sid: $sid, confirmPhoneNumber: $number }) { releasedId } }"""
    served.query(release, {"sid": bought["sid"], "number": node["phoneNumber"]}, account=core_only)
