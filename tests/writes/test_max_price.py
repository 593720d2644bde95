"""A purchase with `maxMonthlyPrice` buys nothing that costs more, or of which the price is unknown."""

import uuid
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

BUY = """mutation($input: PurchasePhoneNumberInput!) { purchasePhoneNumber(input: $input) {
  phoneNumber { phoneNumber } wouldSend { method } replayed
  userErrors { field message code upstreamCode } } }"""
BUY_EACH = """mutation($items: [PurchasePhoneNumberInput!]!) {
  purchasePhoneNumbers(input: { items: $items }) { results {
    phoneNumber { phoneNumber } userErrors { field code } } } }"""
SEARCH = """query($country: CountryCode!, $type: NumberType!) {
  availablePhoneNumbers(country: $country, types: [$type], first: 200) {
    nodes { phoneNumber monthlyPrice { amount } } } }"""
PRICING = "/v1/PhoneNumbers"
FIELD = ["maxMonthlyPrice"]


def limit(amount: str, currency: str = "USD") -> dict[str, str]:
    return {"amount": amount, "currencyCode": currency}


@pytest.fixture(params=[True, False], ids=["catalog", "core alone"])
def account(request: Any, sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(catalog=request.param, owned=0)


def for_sale(
    gateway: RunningGateway, account: SandboxAccount, kind: str = "LOCAL", country: str = "US"
) -> list[dict[str, Any]]:
    data = gateway.query(SEARCH, {"country": country, "type": kind}, account=account)
    nodes: list[dict[str, Any]] = data["availablePhoneNumbers"]["nodes"]
    return nodes


def buy(gateway: RunningGateway, account: SandboxAccount, number: str, **given: Any) -> Any:
    variables = {"input": {"phoneNumber": number, **given}}
    return gateway.query(BUY, variables, account=account)["purchasePhoneNumber"]


def bought(sandbox: RunningSandbox) -> bool:
    return any(each["method"] == "POST" for each in sandbox.requests())


@pytest.mark.parametrize(
    ("country", "kind", "price"),
    [
        ("US", "LOCAL", "1"),
        ("US", "TOLL_FREE", "2"),
        ("SE", "MOBILE", "3"),
        # The first of them look like local numbers.
        ("BG", "MOBILE", "3"),
    ],
)
def test_a_number_is_bought_for_its_price_and_not_for_less(
    gateway: RunningGateway, account: SandboxAccount, country: str, kind: str, price: str
) -> None:
    sandbox = gateway.sandbox
    nodes = for_sale(gateway, account, kind, country)
    number = next(each for each in nodes if each["monthlyPrice"]["amount"] == price)["phoneNumber"]
    sandbox.forget_requests()
    refused = buy(gateway, account, number, maxMonthlyPrice=limit("0.99"))
    [error] = refused["userErrors"]
    assert (error["code"], error["field"]) == ("TOO_EXPENSIVE", FIELD)
    assert f"{price} USD" in error["message"]
    assert "0.99 USD" in error["message"]
    assert refused["phoneNumber"] is None
    assert not bought(sandbox)
    done = buy(gateway, account, number, maxMonthlyPrice=limit(price))
    assert done["userErrors"] == []
    assert done["phoneNumber"] == {"phoneNumber": number}


def test_a_price_of_its_own_goes_before_the_list(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=True, owned=0)
    nodes = for_sale(gateway, account)
    dear = next(each for each in nodes if each["monthlyPrice"]["amount"] == "15")["phoneNumber"]
    [error] = buy(gateway, account, dear, maxMonthlyPrice=limit("14.99"))["userErrors"]
    assert error["code"] == "TOO_EXPENSIVE"
    assert buy(gateway, account, dear, maxMonthlyPrice=limit("15"))["userErrors"] == []


def test_nothing_is_bought_whose_price_is_not_known(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    sandbox = gateway.sandbox
    [first, *_] = for_sale(gateway, account)
    number = first["phoneNumber"]
    sandbox.forget_requests()
    [error] = buy(gateway, account, number, maxMonthlyPrice=limit("99", "EUR"))["userErrors"]
    assert (error["code"], error["field"]) == ("PRICE_UNKNOWN", FIELD)
    assert "1 USD" in error["message"]
    unsold = buy(gateway, account, "+12015550100", maxMonthlyPrice=limit("99"))
    assert unsold["userErrors"][0]["code"] == "PRICE_UNKNOWN"
    assert not bought(sandbox)


def test_a_price_that_could_not_be_read_is_not_remembered_of_a_key(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False, owned=0)
    [first, *_] = for_sale(gateway, account)
    given = {"maxMonthlyPrice": limit("1"), "idempotencyKey": uuid.uuid4().hex}
    sandbox.set_faults([{"path": f"{PRICING}/*", "kind": "status", "status": 500, "count": None}])
    sandbox.forget_requests()
    [error] = buy(gateway, account, first["phoneNumber"], **given)["userErrors"]
    assert (error["code"], error["field"]) == ("PRICE_UNKNOWN", FIELD)
    assert "(Internal Server Error). As `maxMonthlyPrice` was given" in error["message"]
    assert not bought(sandbox)
    sandbox.set_faults([])
    done = buy(gateway, account, first["phoneNumber"], **given)
    assert (done["userErrors"], done["replayed"]) == ([], False)
    assert buy(gateway, account, first["phoneNumber"], **given)["replayed"]


def test_the_limit_is_a_part_of_what_a_key_stands_for(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    [first, *_] = for_sale(gateway, account)
    number, key = first["phoneNumber"], {"idempotencyKey": uuid.uuid4().hex}
    buy(gateway, account, number, maxMonthlyPrice=limit("0.50"), **key)
    same = buy(gateway, account, number, maxMonthlyPrice=limit("0.5"), **key)
    assert same["replayed"]
    assert same["userErrors"][0]["code"] == "TOO_EXPENSIVE"
    for other in ({"maxMonthlyPrice": limit("5")}, {}):
        [error] = buy(gateway, account, number, **other, **key)["userErrors"]
        assert error["code"] == "IDEMPOTENCY_CONFLICT"


def test_a_dry_run_and_each_item_are_held_to_the_limit(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    sandbox = gateway.sandbox
    [one, two, *_] = [each["phoneNumber"] for each in for_sale(gateway, account)]
    sandbox.forget_requests()
    dry = buy(gateway, account, one, maxMonthlyPrice=limit("0.5"), dryRun=True)
    assert (dry["userErrors"][0]["code"], dry["wouldSend"]) == ("TOO_EXPENSIVE", None)
    dry = buy(gateway, account, one, maxMonthlyPrice=limit("20"), dryRun=True)
    assert (dry["userErrors"], dry["wouldSend"]) == ([], {"method": "POST"})
    assert not bought(sandbox)
    items = [
        {"phoneNumber": one, "maxMonthlyPrice": limit("0.5")},
        {"phoneNumber": two, "maxMonthlyPrice": limit("20")},
    ]
    plan = gateway.execute(
        BUY_EACH, {"items": items}, account=account, headers={"X-Gateway-Explain": "plan"}
    )["extensions"]["plan"]
    sandbox.forget_requests()
    data = gateway.query(BUY_EACH, {"items": items}, account=account)
    assert data["purchasePhoneNumbers"]["results"] == [
        {
            "phoneNumber": None,
            "userErrors": [{"field": ["items", "0", *FIELD], "code": "TOO_EXPENSIVE"}],
        },
        {"phoneNumber": {"phoneNumber": two}, "userErrors": []},
    ]
    assert plan["calls"]["min"] <= len(sandbox.requests()) <= plan["calls"]["max"]


def test_a_price_below_nothing_is_refused_before_anything_is_asked(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    number = for_sale(gateway, account)[0]["phoneNumber"]
    gateway.sandbox.forget_requests()
    for dry in (True, False):
        given = {"maxMonthlyPrice": limit("-0.01"), "dryRun": dry}
        [error] = buy(gateway, account, number, **given)["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID_INPUT", [*FIELD, "amount"])
    items = [{"phoneNumber": number, "maxMonthlyPrice": limit("-1")}]
    several = gateway.query(BUY_EACH, {"items": items}, account=account)["purchasePhoneNumbers"]
    assert several["results"] == [
        {
            "phoneNumber": None,
            "userErrors": [{"code": "INVALID_INPUT", "field": ["items", "0", *FIELD, "amount"]}],
        }
    ]
    assert gateway.sandbox.requests() == []
