"""A dry run of a purchase says what is asked of who buys the number, and what of it is missing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations
from typing import Any, Final, NamedTuple

import pytest

from gateway.numbers.accounts import Accounts
from tests.faults.asking import fresh_number
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import until

PAPERS: Final = {"addressSid": "AD", "bundleSid": "BU", "identitySid": "RI"}
EVERY: Final = [*chain.from_iterable(combinations(PAPERS, count) for count in range(4))]
ALIKE: Final = "userErrors { field code }"
TOLD: Final = "requirements(endUser: INDIVIDUAL) { key asked papers status message }"
BUY: Final = f"""mutation($input: PurchasePhoneNumberInput!) {{ purchasePhoneNumber(input: $input) {{
  userErrors {{ field code message upstreamCode }} wouldSend {{ method }} {TOLD} }} }}"""
EACH: Final = f"""mutation($items: [PurchasePhoneNumberInput!]!) {{
  purchasePhoneNumbers(input: {{ items: $items }}) {{ {ALIKE}
    results {{ {ALIKE} wouldSend {{ method }} {TOLD} }} }} }}"""
REGULATIONS: Final = "/v2/RegulatoryCompliance"
AT_ONCE: Final = 50


class Sale(NamedTuple):
    """A number for sale, and which papers a purchase of it names."""

    number: str
    papers: tuple[str, ...]

    def input(self, **more: Any) -> dict[str, Any]:
        """Return the input that buys it."""
        papers = {each: PAPERS[each] + "1" * 32 for each in self.papers}
        return {"phoneNumber": self.number, "regulatory": papers, **more}


@pytest.fixture(params=[True, False], ids=["catalog", "core alone"])
def account(request: Any, sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(catalog=request.param, owned=0)


@pytest.fixture(scope="module")
def kinds(shared_sandbox: RunningSandbox) -> list[list[dict[str, Any]]]:
    """What is for sale, by country and type; a test takes from the end what it buys."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in shared_sandbox.inventory(fields=("phone_number", "type", "geography", "requires")):
        found.setdefault((each["geography"]["iso_country"], each["type"]), []).append(each)
    return [*found.values()]


def sales(kinds: list[list[dict[str, Any]]]) -> Iterator[Sale]:
    """Return a number of every kind without papers, and of kinds that need any for all of these."""
    for numbers in kinds:
        for papers in EVERY if numbers[0]["requires"] else [()]:
            yield Sale(numbers.pop()["phone_number"], papers)


def bought(
    gateway: RunningGateway, account: SandboxAccount, items: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the results of a plural purchase of so many items."""
    results: list[dict[str, Any]] = []
    for start in range(0, len(items), AT_ONCE):
        variables = {"items": items[start : start + AT_ONCE]}
        data = gateway.query(EACH, variables, account=account)["purchasePhoneNumbers"]
        assert data["userErrors"] == [e for each in data["results"] for e in each["userErrors"]]
        results += data["results"]
    return results


def for_sale(sandbox: RunningSandbox, country: str, kind: str) -> str:
    """Return a number of a kind that is for sale."""
    return str(sandbox.inventory(country, kind, ("phone_number",))[0]["phone_number"])


def rehearsed(
    gateway: RunningGateway, account: SandboxAccount, number: str, *papers: str
) -> dict[str, Any]:
    """Return the payload of a dry run."""
    variables = {"input": Sale(number, papers).input(dryRun=True)}
    payload: dict[str, Any] = gateway.query(BUY, variables, account=account)["purchasePhoneNumber"]
    return payload


def test_whatever_a_dry_run_says_for_certain_the_purchase_does(
    gateway: RunningGateway, account: SandboxAccount, kinds: list[list[dict[str, Any]]]
) -> None:
    sold = [*sales(kinds)]
    dry = bought(gateway, account, [each.input(dryRun=True) for each in sold])
    assert not any(each["method"] == "POST" for each in gateway.sandbox.requests())
    real = bought(gateway, account, [each.input() for each in sold])
    seen = set()
    for sale, told, done in zip(sold, dry, real, strict=True):
        refused = [each["code"] for each in done["userErrors"]]
        seen.update(refused)
        statuses = {each["status"] for each in told["requirements"]}
        if "ADDRESS_REQUIRED" in refused or told["userErrors"]:
            assert told["userErrors"] == done["userErrors"], sale
            assert told["wouldSend"] is None
        else:
            assert told["wouldSend"] == {"method": "POST"}
        # What is missing altogether is missed; where nothing is asked, nothing is.
        if "MISSING" in statuses:
            assert refused, sale
        if statuses <= {"PROVIDED"}:
            assert not refused, sale
        assert done["requirements"] is None
    assert seen == {"ADDRESS_REQUIRED", "BUNDLE_REQUIRED", "IDENTITY_REQUIRED"}


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "graphql-core"])
def test_what_is_asked_stands_beside_what_is_given_in_words(
    sandbox: RunningSandbox, account: SandboxAccount, fast: bool
) -> None:
    number = for_sale(sandbox, "IE", "local")
    with running_gateway(sandbox, fast=fast) as gateway:
        bare = rehearsed(gateway, account, number)
        given = rehearsed(gateway, account, number, "bundleSid")
    [error] = bare["userErrors"]
    assert (error["code"], error["upstreamCode"]) == ("ADDRESS_REQUIRED", None)
    assert error["field"] == ["regulatory", "addressSid"]
    assert "an address within its country" in error["message"]
    assert given["userErrors"] == bare["userErrors"]
    address, first, last, place, who = bare["requirements"]
    assert address["asked"] == "An address within its country"
    assert first["asked"] == "First Name of the individual"
    assert [each["key"] for each in (last, place)] == ["last_name", "proof_of_local_address"]
    assert who == {
        "key": "proof_of_identity",
        "asked": "Identity, shown by one of: Passport; Government-issued ID",
        "papers": ["BUNDLE", "IDENTITY"],
        "status": "MISSING",
        "message": "None of `regulatory.bundleSid`, `regulatory.identitySid` is given: the purchase"
        " may be refused.",
    }
    assert {each["status"] for each in bare["requirements"]} == {"MISSING"}
    statuses = {each["key"]: each["status"] for each in given["requirements"]}
    assert statuses.pop("address") == "MISSING"
    assert set(statuses.values()) == {"UNKNOWN"}


@pytest.mark.parametrize(
    ("country", "status"), [("GB", "PROVIDED"), ("IE", "UNKNOWN")], ids=["any", "local"]
)
def test_an_address_that_is_given_will_do_for_certain_only_where_any_does(
    gateway: RunningGateway, account: SandboxAccount, country: str, status: str
) -> None:
    number = for_sale(gateway.sandbox, country, "local")
    payload = rehearsed(gateway, account, number, "addressSid", "bundleSid")
    assert payload["userErrors"] == []
    assert payload["requirements"][0]["key"] == "address"
    assert payload["requirements"][0]["status"] == status


def test_an_individual_and_a_business_are_told_apart_by_one_call(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(owned=0)
    given = f'{{ phoneNumber: "{for_sale(sandbox, "AU", "mobile")}", dryRun: true }}'
    asked = "requirements(endUser: {}) {{ key }}"
    both = f"a: {asked.format('INDIVIDUAL')} b: {asked.format('BUSINESS')}"
    sandbox.forget_requests()
    data = gateway.query(
        f"mutation {{ purchasePhoneNumber(input: {given}) {{ {both} }} }}", account=account
    )["purchasePhoneNumber"]
    assert {"key": "first_name"} in data["a"]
    assert {"key": "business_name"} in data["b"]
    assert sum(each["path"].startswith(REGULATIONS) for each in sandbox.requests()) == 1


def test_all_is_read_side_by_side_and_only_for_what_is_selected(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    sandbox = gateway.sandbox
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    number = for_sale(sandbox, "ES", "local")
    variables = {"input": Sale(number, ()).input(dryRun=True)}
    sandbox.forget_requests()
    sandbox.set_faults([{"kind": "held", "count": None}])
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(gateway.query, BUY, variables, account=account)
        # Whether it is owned, for sale and regulated, and who buys: all is asked before the first
        # is answered.
        until(lambda: len(sandbox.requests()) == 4)
        sandbox.clear_faults()
        assert asked.result()["purchasePhoneNumber"]["requirements"]
    assert len(sandbox.requests()) == 4
    sandbox.forget_requests()
    text = "mutation($input: PurchasePhoneNumberInput!) { purchasePhoneNumber(input: $input) {"
    gateway.query(f"{text} {ALIKE} }} }}", variables, account=account)
    assert len(sandbox.requests()) == 3
    named = {"input": Sale(number, ("addressSid",)).input(dryRun=True)}
    gateway.query(f"{text} {ALIKE} }} }}", named, account=account)
    assert len(sandbox.requests()) == 6  # Whether it is for sale is asked whatever is named.


def test_regulations_that_cannot_be_read_cost_only_the_list_of_what_is_asked(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    number = for_sale(gateway.sandbox, "IT", "local")
    gateway.sandbox.set_faults([{"path": f"{REGULATIONS}/*", "kind": "reset", "count": None}])
    variables = {"items": [Sale(number, papers).input(dryRun=True) for papers in ((),)]}
    answer = gateway.execute(EACH, variables, account=account)
    [error] = answer["errors"]
    assert error["path"] == ["purchasePhoneNumbers", "results", 0, "requirements"]
    [result] = answer["data"]["purchasePhoneNumbers"]["results"]
    assert result["requirements"] is None
    assert [each["code"] for each in result["userErrors"]] == ["ADDRESS_REQUIRED"]


def test_a_search_that_fails_leaves_only_the_address_unknown(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    number = for_sale(gateway.sandbox, "GB", "local")
    searches = "/2010-04-01/Accounts/*/AvailablePhoneNumbers/*"
    gateway.sandbox.set_faults([{"path": searches, "kind": "status", "status": 500, "count": None}])
    payload = rehearsed(gateway, account, number)
    assert (payload["userErrors"], payload["wouldSend"]) == ([], {"method": "POST"})
    statuses = {each["key"]: each["status"] for each in payload["requirements"]}
    assert statuses.pop("address") == "UNKNOWN"
    assert set(statuses.values()) == {"MISSING"}


@pytest.mark.parametrize("number", ["+12125550177", "+18005550177", "+88312345678"])
def test_what_is_asked_of_who_buys_is_unknown_of_a_number_that_nobody_sells(
    gateway: RunningGateway, account: SandboxAccount, number: str
) -> None:
    payload = rehearsed(gateway, account, number)
    assert payload["wouldSend"] is None
    assert [each["code"] for each in payload["userErrors"]] == ["NOT_AVAILABLE"]
    assert {each["status"] for each in payload["requirements"]} == {"UNKNOWN"}


def test_of_a_number_of_no_country_nothing_certain_is_said(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    payload = rehearsed(gateway, account, "+99912345678")
    assert (payload["userErrors"], payload["wouldSend"]) == ([], {"method": "POST"})
    assert {each["status"] for each in payload["requirements"]} == {"UNKNOWN"}


@pytest.mark.parametrize("kind", ["Full", "Trial"])
def test_of_several_things_that_are_wrong_the_one_is_told_that_the_upstream_tells(
    gateway: RunningGateway, kind: str
) -> None:
    account = gateway.sandbox.create_account(catalog=False, type=kind)
    lone = {"voice": {"fallbackUrl": "https://example.com/"}}
    missing, regulated = "+14155550177", for_sale(gateway.sandbox, "GB", "local")
    codes = []
    for dry in (True, False):
        for number in (missing, regulated):
            given = {"phoneNumber": number, "configuration": lone, "dryRun": dry}
            data = gateway.query(BUY, {"input": given}, account=account)
            codes += [each["code"] for each in data["purchasePhoneNumber"]["userErrors"]]
    told = ["NOT_AVAILABLE", "INVALID_INPUT"] if kind == "Full" else ["TRIAL_ACCOUNT"] * 2
    assert codes == told * 2


def test_a_mistake_of_ours_in_asking_who_buys_is_told(
    gateway: RunningGateway, account: SandboxAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Accounts, "one", broken)
    given = {"phoneNumber": gateway.sandbox.put_number()["phone_number"], "dryRun": True}
    error = gateway.error(BUY, {"input": given}, account=account)
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


def test_of_an_area_code_that_is_not_known_the_us_and_canada_are_asked(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    number = "+12995550123"
    [error] = rehearsed(gateway, account, number)["userErrors"]
    assert (error["code"], error["field"]) == ("NOT_AVAILABLE", ["phoneNumber"])
    gateway.sandbox.put_number(phone_number=number)
    payload = rehearsed(gateway, account, number)
    assert (payload["userErrors"], payload["wouldSend"]) == ([], {"method": "POST"})
    [error] = rehearsed(gateway, account, number[:-1])["userErrors"]
    assert error["code"] == "NOT_AVAILABLE"
    given = {"phoneNumber": number, "maxMonthlyPrice": {"amount": "9", "currencyCode": "USD"}}
    done = gateway.query(BUY, {"input": given}, account=account)["purchasePhoneNumber"]
    assert done["userErrors"] == []


def test_what_is_owned_already_or_too_dear_is_told_before_the_address(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    owned = gateway.sandbox.put_number(account.sid)["phone_number"]
    payload = rehearsed(gateway, account, owned)
    assert [each["code"] for each in payload["userErrors"]] == ["ALREADY_OWNED"]
    assert payload["requirements"] is None
    most = {"amount": "0.5", "currencyCode": "USD"}
    dear = Sale(for_sale(gateway.sandbox, "FR", "local"), ())
    codes = []
    for dry in (True, False):
        given = {"input": dear.input(maxMonthlyPrice=most, dryRun=dry)}
        payload = gateway.query(BUY, given, account=account)["purchasePhoneNumber"]
        codes += [each["code"] for each in payload["userErrors"]]
        assert bool(payload["requirements"]) is dry
    assert codes == ["TOO_EXPENSIVE"] * 2


@pytest.mark.parametrize("papers", [(), ("addressSid",)], ids=["bare", "with an address"])
def test_a_number_that_is_not_for_sale_is_refused_as_the_purchase_is(
    gateway: RunningGateway, account: SandboxAccount, papers: tuple[str, ...]
) -> None:
    number = fresh_number(gateway.sandbox)
    gateway.sandbox.put_number(gateway.sandbox.create_account().sid, number)
    told = rehearsed(gateway, account, number, *papers)
    variables = {"input": Sale(number, papers).input()}
    done = gateway.query(BUY, variables, account=account)["purchasePhoneNumber"]
    assert told["wouldSend"] is None
    for payload in (told, done):
        [error] = payload["userErrors"]
        assert (error["code"], error["field"]) == ("NOT_AVAILABLE", ["phoneNumber"])
