"""Owned numbers are filtered by what they tell, also where the upstream cannot be asked for it.

What is found is compared with all numbers of the account, as the gateway shows them unfiltered.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.numbers.test_changing import release
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

Number = dict[str, Any]
Rule = Callable[[Number], bool]
PLAN = {"X-Gateway-Explain": "plan"}
FIELDS = """sid phoneNumber friendlyName type lifecycle geography { isoCountry region lata }
  capabilities { voice { enabled fax } sms { enabled } mms { enabled } }"""
LIST = """query ($filter: PhoneNumberFilter, $first: Int, $after: String, $last: Int, $before: String) {
  phoneNumbers(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    nodes { %s } edges { cursor } exhaustive
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
SHORT = LIST % "sid phoneNumber"
MANY = 5_200


def place(name: str, value: str) -> Rule:
    """Keep numbers that belong there."""
    return lambda number: (number["geography"] or {}).get(name) == value


def able(capability: str, value: bool, name: str = "enabled") -> Rule:
    """Keep numbers that have a capability, or are known not to."""
    return lambda number: ((number["capabilities"] or {}).get(capability) or {}).get(name) is value


class Case(NamedTuple):
    """A filter, and which numbers it keeps."""

    filter: dict[str, Any]
    rule: Rule


def can(capability: str, **values: bool) -> dict[str, Any]:
    """Return a filter by a capability."""
    return {"capabilities": {capability: values}}


CASES = {
    "local": Case({"type": "LOCAL"}, lambda n: n["type"] == "LOCAL"),
    "toll-free": Case({"type": "TOLL_FREE"}, lambda n: n["type"] == "TOLL_FREE"),
    "voip": Case({"type": "VOIP"}, lambda n: n["type"] == "VOIP"),
    "beta": Case({"lifecycle": "BETA"}, lambda n: n["lifecycle"] == "BETA"),
    "available": Case(
        {"lifecycle": "GENERALLY_AVAILABLE"}, lambda n: n["lifecycle"] == "GENERALLY_AVAILABLE"
    ),
    "country": Case({"country": "US"}, place("isoCountry", "US")),
    "another country": Case({"country": "GB"}, place("isoCountry", "GB")),
    "region": Case({"region": "CA"}, place("region", "CA")),
    "region in small letters": Case({"region": "ca"}, place("region", "CA")),
    "voice": Case(can("voice", enabled=True), able("voice", True)),
    "no voice": Case(can("voice", enabled=False), able("voice", False)),
    "sms": Case(can("sms", enabled=True), able("sms", True)),
    "no sms": Case(can("sms", enabled=False), able("sms", False)),
    "mms": Case(can("mms", enabled=True), able("mms", True)),
    "no mms": Case(can("mms", enabled=False), able("mms", False)),
    "no fax": Case(can("voice", fax=False), able("voice", False, "fax")),
    "fax": Case(can("voice", fax=True), able("voice", True, "fax")),
}
PAIRS = [
    ("country", "no mms"),
    ("region", "sms"),
    ("local", "no sms"),
    ("beta", "voice"),
    ("voip", "country"),
    ("region", "beta"),
    ("available", "no sms"),
]


def both(one: str, other: str) -> Case:
    """Return two filters as one."""
    (a, keeps), (b, also) = CASES[one], CASES[other]
    return Case(a | b, lambda number: keeps(number) and also(number))


ALL = CASES | {" and ".join(pair): both(*pair) for pair in PAIRS}
ALL |= {
    "digits and no mms": Case(
        {"contains": "2"} | can("mms", enabled=False),
        lambda n: "2" in n["phoneNumber"] and able("mms", False)(n),
    ),
    "digits and available": Case(
        {"contains": "2", "lifecycle": "GENERALLY_AVAILABLE"},
        lambda n: "2" in n["phoneNumber"] and n["lifecycle"] == "GENERALLY_AVAILABLE",
    ),
    "name and region": Case(
        {"friendlyName": "Desk", "region": "CA"},
        lambda n: n["friendlyName"] == "Desk" and place("region", "CA")(n),
    ),
}


LIFECYCLES = ("beta", "generally-available", "developer-preview", "exhausted", "beta")


def mixed(sandbox: RunningSandbox, *, catalog: bool) -> SandboxAccount:
    """Return an account with numbers of many kinds."""
    account = sandbox.create_account(catalog=catalog)
    # A number has one owner only.
    mark = f"55{len(sandbox.all_accounts()) % 1000:03}"
    for place_, code in enumerate(("415", "212", "310", "416", "510", "213")):
        for each in range(5):
            lacking = {
                section: None
                for section, every in (("mms", 2), ("sms", 3), ("voice", 4))
                if (place_ + each) % every == 0
            }
            kind = {
                "type": "voip" if each == 4 else "local",
                "beta": each % 2 == 0,
                "lifecycle": LIFECYCLES[each],
                "capabilities": lacking,
                "geography": {
                    "iso_country": "CA" if code == "416" else "US",
                    "region": {"212": "NY", "416": "ON"}.get(code, "CA"),
                    "lata": "722",
                },
                "configuration": {"friendly_name": "Desk" if each < 2 else "Hall"},
            }
            sandbox.put_number(account.sid, f"+1{code}{mark}{each:02}", kind)
    for number, kind_ in (
        (f"+1800{mark}00", "tollfree"),
        (f"+1888{mark}01", "tollfree"),
        (f"+442079{mark}1", "local"),
        (f"+447400{mark}1", "mobile"),
    ):
        where = {"iso_country": "GB", "region": None} if number[1] == "4" else None
        sandbox.put_number(account.sid, number, {"type": kind_, "geography": where})
    return account


@pytest.fixture(scope="module")
def accounts(shared_sandbox: RunningSandbox) -> dict[bool, SandboxAccount]:
    """An account with the catalog and one without."""
    return {each: mixed(shared_sandbox, catalog=each) for each in (True, False)}


def ask(
    gateway: RunningGateway, account: SandboxAccount, query: str = SHORT, **variables: Any
) -> Any:
    """Return a page of numbers, which costs no more than was planned."""
    planned = gateway.execute(query, variables, headers=PLAN, account=account)
    calls = planned["extensions"]["plan"]["calls"]
    gateway.sandbox.forget_requests()
    page = gateway.query(query, variables, account=account)["phoneNumbers"]
    assert calls["min"] <= len(gateway.sandbox.requests()) <= calls["max"]
    return page


def numbers_of(gateway: RunningGateway, account: SandboxAccount, **variables: Any) -> Any:
    """Return a page of numbers."""
    return gateway.query(SHORT, variables, account=account)["phoneNumbers"]


def everything(gateway: RunningGateway, account: SandboxAccount) -> list[Number]:
    """Return all numbers of an account, unfiltered."""
    page = ask(gateway, account, LIST % FIELDS, first=1000)
    assert page["exhaustive"] is True
    numbers: list[Number] = page["nodes"]
    return numbers


def read(
    gateway: RunningGateway, account: SandboxAccount, given: dict[str, Any], size: int
) -> list[str]:
    """Return the sids of a filtered list, page by page."""
    found: list[str] = []
    after = None
    for _ in range(60):
        page = ask(gateway, account, filter=given, first=size, after=after)
        found += [number["sid"] for number in page["nodes"]]
        info = page["pageInfo"]
        assert page["exhaustive"] is not info["hasNextPage"]
        if not info["hasNextPage"]:
            return found
        assert len(page["nodes"]) == size
        after = info["endCursor"]
    raise AssertionError("it has no end")


def read_backwards(
    gateway: RunningGateway, account: SandboxAccount, given: dict[str, Any], size: int
) -> list[str]:
    """Return the sids of a filtered list, page by page from its end."""
    found: list[str] = []
    before = None
    for _ in range(60):
        page = ask(gateway, account, filter=given, last=size, before=before)
        found = [number["sid"] for number in page["nodes"]] + found
        info = page["pageInfo"]
        assert page["exhaustive"] is not info["hasPreviousPage"]
        if not info["hasPreviousPage"]:
            return found
        before = info["startCursor"]
    raise AssertionError("it has no start")


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
@pytest.mark.parametrize("name", ALL)
def test_a_filter_finds_the_numbers_that_show_what_it_asks_for(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount], name: str, catalog: bool
) -> None:
    account, (given, rule) = accounts[catalog], ALL[name]
    expected = [each["sid"] for each in everything(gateway, account) if rule(each)]
    assert 0 < len(expected) < 34
    assert read(gateway, account, given, 50) == expected
    if len(expected) <= 9:
        assert read(gateway, account, given, 1) == expected
    assert read_backwards(gateway, account, given, 7) == expected


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
def test_a_number_that_lacks_what_is_asked_for_beside_is_not_found(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount], catalog: bool
) -> None:
    account = accounts[catalog]
    for number in everything(gateway, account)[:3]:
        for value in (True, False):
            given = {"phoneNumber": number["phoneNumber"]} | can("mms", enabled=value)
            expected = [number["sid"]] if able("mms", value)(number) else []
            found = numbers_of(gateway, account, filter=given, first=5)["nodes"]
            assert [each["sid"] for each in found] == expected


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
@pytest.mark.parametrize("size", [2])
def test_numbers_released_while_a_filtered_list_is_read_make_no_gap(
    gateway: RunningGateway, catalog: bool, size: int
) -> None:
    account = mixed(gateway.sandbox, catalog=catalog)
    rule = able("mms", False)
    numbers = everything(gateway, account)
    wanted = [each["sid"] for each in numbers if rule(each)]
    others = [each["sid"] for each in numbers if not rule(each)]
    after = None
    found: list[str] = []
    for _ in wanted:
        given = can("mms", enabled=False)
        page = numbers_of(gateway, account, filter=given, first=size, after=after)
        found += [number["sid"] for number in page["nodes"]]
        for sid in [number["sid"] for number in page["nodes"]] + others[:1]:
            release(gateway, account, sid)
        del others[:1]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert found == wanted


@pytest.fixture(scope="module")
def many(shared_sandbox: RunningSandbox) -> dict[bool, tuple[SandboxAccount, list[str]]]:
    """Accounts with more numbers than are looked through, and the few of them that can nothing."""
    made: dict[bool, tuple[SandboxAccount, list[str]]] = {}
    for catalog in (True, False):
        account = shared_sandbox.create_account(catalog=catalog, owned=MANY)
        numbers = shared_sandbox.numbers(account.sid)
        named = [numbers[at] for at in (4500, 5100)]
        for number in named:
            change = {
                "configuration": {"friendly_name": "Rare"},
                "capabilities": {"voice": None, "sms": None, "mms": None},
            }
            shared_sandbox.put_number(account.sid, number["phone_number"], change)
        made[catalog] = account, [number["sid"] for number in named]
    return made


RARE = {"capabilities": {part: {"enabled": False} for part in ("voice", "sms", "mms")}}


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
def test_a_list_says_when_looking_was_stopped_and_goes_on_from_there(
    gateway: RunningGateway, many: dict[bool, tuple[SandboxAccount, list[str]]], catalog: bool
) -> None:
    account, rare = many[catalog]
    ask(gateway, account, first=1)
    page = ask(gateway, account, filter=RARE, first=5)
    assert [number["sid"] for number in page["nodes"]] == rare[:1]
    assert page["exhaustive"] is False
    assert page["pageInfo"]["hasNextPage"] is True
    assert page["pageInfo"]["endCursor"] != page["edges"][0]["cursor"]
    assert len(gateway.sandbox.requests()) == 5
    rest = ask(gateway, account, filter=RARE, first=5, after=page["pageInfo"]["endCursor"])
    assert [number["sid"] for number in rest["nodes"]] == rare[1:]
    assert (rest["exhaustive"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    back = ask(gateway, account, filter=RARE, last=5, before=rest["pageInfo"]["endCursor"])
    assert [number["sid"] for number in back["nodes"]] == rare[:1]
    assert (back["exhaustive"], back["pageInfo"]["hasPreviousPage"]) == (False, True)
    start = ask(gateway, account, filter=RARE, last=5, before=back["pageInfo"]["startCursor"])
    assert (start["nodes"], start["exhaustive"]) == ([], True)
    assert start["pageInfo"]["hasPreviousPage"] is False


def test_a_page_on_which_nothing_was_found_tells_where_to_go_on(
    gateway: RunningGateway, many: dict[bool, tuple[SandboxAccount, list[str]]]
) -> None:
    account, _ = many[False]
    given = {"country": "GB"}
    page = ask(gateway, account, filter=given, first=5)
    assert (page["nodes"], page["exhaustive"]) == ([], False)
    page = ask(gateway, account, filter=given, first=5, after=page["pageInfo"]["endCursor"])
    assert (page["nodes"], page["exhaustive"]) == ([], True)


def test_a_small_account_costs_one_call_whatever_is_filtered_by(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount]
) -> None:
    for catalog, account in accounts.items():
        ask(gateway, account, filter={}, first=1)
        for given, _ in ALL.values():
            gateway.sandbox.forget_requests()
            numbers_of(gateway, account, filter=given, first=50)
            assert len(gateway.sandbox.requests()) == 1, (catalog, given)


def test_the_plan_says_who_filters_and_how_far(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount]
) -> None:
    variables = {"filter": {"region": "CA", "type": "LOCAL"}, "first": 5}
    for catalog, account in accounts.items():
        ask(gateway, account, filter={}, first=1)
        response = gateway.execute(SHORT, variables, headers=PLAN, account=account)
        [step] = response["extensions"]["plan"]["steps"]
        assert (step["min"], step["max"]) == (1, 1 if catalog else 5)
        assert ("the gateway itself filters by region" in step["reason"]) is not catalog


def test_what_no_list_tells_is_refused_by_name(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount]
) -> None:
    for path, value in (("locality", "94105"), ("postalCode", "94105"), ("latitude", 1.5)):
        error = gateway.error(SHORT, {"filter": {path: value}}, account=accounts[False])
        assert f"this account's API cannot filter owned numbers by {path}:" in error["message"]
        assert "belong to a number and not to its exchange" in error["message"]
        assert error["extensions"]["code"] == "UNSUPPORTED_FILTERS"
    for path in ("locality", "rateCenter", "lata"):
        for account in accounts.values():
            given = {"filter": {path: "+14155550100"}}
            error = gateway.error(SHORT, given, account=account)
            assert error["message"].startswith(f"filter.{path}: ")
            assert error["extensions"]["code"] == "BAD_USER_INPUT"
