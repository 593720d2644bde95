"""Owned numbers are filtered by rate center and LATA, also where only their exchange tells them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.numbers.test_exchanges import EXPLAIN, own_exchange, searched, sell
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

Numbers = list[str]
LIST = """query ($filter: PhoneNumberFilter, $first: Int, $after: String, $last: Int, $before: String) {
  phoneNumbers(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    nodes { phoneNumber } exhaustive
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
CODES = ("201", "202", "203", "205", "206", "207", "208", "209")
MOST = 2


@pytest.fixture(scope="module")
def served(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that looks two exchanges up for a request, and keeps none."""
    with running_gateway(shared_sandbox, exchange_calls=MOST, exchange_memory=0.0) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def owner(shared_sandbox: RunningSandbox) -> SandboxAccount:
    """An account with numbers of eight exchanges, of which three are in one rate center."""
    account = shared_sandbox.create_account(catalog=False)
    for place, code in enumerate(CODES):
        center = "ETNA" if place % 3 == 0 else "OSLO"
        for line in range(3):
            own_exchange(shared_sandbox, account, f"+1{code}293000{line}", center)
        sell(shared_sandbox, f"+1{code}2930009", rate_center=center, lata=476 + place % 2)
    for number in ("+18005550171", "+447400123471"):
        shared_sandbox.put_number(account.sid, number)
    return account


def asked(gateway: RunningGateway, account: SandboxAccount, **variables: Any) -> Any:
    """Return a page of numbers, which costs no more than was planned."""
    plan = gateway.execute(LIST, variables, headers=EXPLAIN, account=account)["extensions"]["plan"]
    gateway.sandbox.forget_requests()
    page = gateway.query(LIST, variables, account=account)["phoneNumbers"]
    assert plan["calls"]["min"] <= len(gateway.sandbox.requests()) <= plan["calls"]["max"]
    return page


def numbers_of(page: Any) -> Numbers:
    return [each["phoneNumber"] for each in page["nodes"]]


def walked(
    gateway: RunningGateway, account: SandboxAccount, given: Any, size: int, *, back: bool = False
) -> tuple[Numbers, bool]:
    """Return what is found page by page, and whether that is all there is."""
    first, after, further, end = ("first", "after", "hasNextPage", "endCursor")
    if back:
        first, after, further, end = ("last", "before", "hasPreviousPage", "startCursor")
    found: Numbers = []
    cursor = None
    for _ in range(60):
        page = asked(gateway, account, **{"filter": given, first: size, after: cursor})
        assert len(searched(gateway.sandbox)) <= MOST
        found = numbers_of(page) + found if back else found + numbers_of(page)
        cursor = page["pageInfo"][end]
        if not page["pageInfo"][further]:
            return found, page["exhaustive"]
        assert page["exhaustive"] is False
    raise AssertionError("it has no end")


def of(*places: int) -> Numbers:
    return [f"+1{CODES[place]}293000{line}" for place in places for line in range(3)]


FILTERS: dict[str, tuple[dict[str, Any], Numbers]] = {
    "rate center": ({"rateCenter": "etna"}, of(0, 3, 6)),
    "lata": ({"lata": "477"}, of(1, 3, 5, 7)),
    "both": ({"lata": "476", "rateCenter": "OSLO"}, of(2, 4)),
    "neither": ({"lata": "476", "rateCenter": "NOWHERE"}, []),
    "digits": ({"rateCenter": "ETNA", "contains": "0001"}, of(0, 3, 6)[1::3]),
    "one": ({"rateCenter": "ETNA", "phoneNumber": of(3)[0]}, of(3)[:1]),
    "another": ({"rateCenter": "OSLO", "phoneNumber": of(3)[0]}, []),
    "region": ({"rateCenter": "OSLO", "region": "NJ"}, []),
    "toll-free": ({"rateCenter": "OSLO", "type": "TOLL_FREE"}, []),
}


@pytest.mark.parametrize("name", FILTERS)
def test_all_are_found_in_order_page_by_page_from_either_end_with_a_bounded_number_of_searches(
    served: RunningGateway, owner: SandboxAccount, name: str
) -> None:
    given, numbers = FILTERS[name]
    size = 2 if name == "rate center" else 100
    assert walked(served, owner, given, size) == (numbers, True)
    assert walked(served, owner, given, size, back=True) == (numbers, True)


def test_only_exchanges_of_numbers_that_may_be_wanted_are_searched(
    served: RunningGateway, owner: SandboxAccount
) -> None:
    given = {"rateCenter": "ETNA", "contains": "2930001"}
    page = asked(served, owner, filter=given, first=1)
    assert (numbers_of(page), page["exhaustive"]) == (of(0)[1:2], False)
    assert searched(served.sandbox) == ["201293", "202293"]
    assert page["pageInfo"]["hasNextPage"] is True
    one = {"filter": {"rateCenter": "ETNA", "phoneNumber": of(3)[0]}}
    asked(served, owner, **one)
    assert searched(served.sandbox) == ["205293"]


def test_the_plan_tells_the_searches(served: RunningGateway, owner: SandboxAccount) -> None:
    answer = served.execute(LIST, {"filter": {"lata": "476"}}, headers=EXPLAIN, account=owner)
    steps = {step["strategy"]: step for step in answer["extensions"]["plan"]["steps"]}
    assert (steps["exchange"]["min"], steps["exchange"]["max"]) == (0, MOST)
    assert "the gateway itself filters by lata" in steps["page"]["reason"]
    assert steps["page"]["max"] == 5


def test_numbers_whose_exchange_tells_nothing_are_left_out_and_each_later_page_says_so(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False)
    known = [f"+12102950{place}01" for place in range(4)]
    own_exchange(sandbox, account, "+12102940001", "IDA")  # Nothing is for sale there.
    for number in known:
        own_exchange(sandbox, account, number, "IDA")
    sell(sandbox, "+12102950909", rate_center="IDA", lata=566)
    for size in (1, 10):
        found = walked(gateway, account, {"rateCenter": "IDA"}, size)
        assert found == (known, False)
        assert walked(gateway, account, {"rateCenter": "IDA"}, size, back=True) == (known, False)
    # From behind it, all are known.
    start = asked(gateway, account, filter={"rateCenter": "IDA", "contains": "295"}, first=9)
    assert (numbers_of(start), start["exhaustive"]) == (known, True)
    sandbox.put_number(account.sid, "+12125550172", {"type": "mobile"})
    given = {"rateCenter": "IDA", "contains": "2125550172"}
    page = asked(gateway, account, filter=given)
    assert (numbers_of(page), page["exhaustive"]) == ([], False)


def test_what_was_found_is_shown_without_further_searches_and_is_kept_for_the_next_request(
    gateway: RunningGateway, sandbox: RunningSandbox, owner: SandboxAccount
) -> None:
    text = LIST.replace("{ phoneNumber }", "{ phoneNumber geography { rateCenter lata derived } }")
    given = {"filter": {"rateCenter": "ETNA"}, "first": 20}
    page = gateway.query(text, given, account=owner)["phoneNumbers"]
    assert numbers_of(page) == of(0, 3, 6)
    assert {each["geography"]["rateCenter"] for each in page["nodes"]} == {"ETNA"}
    assert len(searched(sandbox)) == len(CODES)
    sandbox.forget_requests()
    assert gateway.query(text, given, account=owner)["phoneNumbers"] == page
    assert len(sandbox.requests()) == 1


def test_without_searches_nothing_is_found_and_the_list_ends(
    sandbox: RunningSandbox, owner: SandboxAccount
) -> None:
    with running_gateway(sandbox, exchange_calls=0) as gateway:
        page = asked(gateway, owner, filter={"lata": "476"}, first=5)
    assert (numbers_of(page), page["exhaustive"]) == ([], False)
    assert page["pageInfo"]["hasNextPage"] is False


def test_a_search_that_fails_fails_the_list_that_is_filtered_by_it(
    served: RunningGateway, sandbox: RunningSandbox, owner: SandboxAccount
) -> None:
    fault = {"path": "*/AvailablePhoneNumbers/*", "kind": "status", "status": 400, "count": None}
    sandbox.set_faults([fault])
    text = """{ whole: phoneNumbers(first: 1) { nodes { phoneNumber } }
      some: phoneNumbers(first: 1, filter: { lata: "476" }) { nodes { phoneNumber } } }"""
    answer = served.execute(text, account=owner)
    assert [error["path"] for error in answer["errors"]] == [["some"]]
    sandbox.clear_faults()


def test_every_list_of_owned_numbers_takes_the_filters(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    parent = sandbox.create_account(catalog=False)
    account = sandbox.create_account(catalog=False, owner_account_sid=parent.sid)
    for each, line in ((parent, 1), (account, 2)):
        own_exchange(sandbox, each, f"+1334297000{line}", "RHO")
    sell(sandbox, "+13342970009", rate_center="RHO", lata=478)
    lists = 'phoneNumbers(filter: { rateCenter: "RHO" }) { nodes { phoneNumber } }'
    text = f"""{{ {lists} account {{ {lists} subaccounts(first: 5) {{ nodes {{ {lists} }} }} }}
      sub: {lists.replace("(", f'(accountSid: "{account.sid}", ')} }}"""
    answer = gateway.query(text, account=parent)
    own, below = ({"nodes": [{"phoneNumber": f"+1334297000{line}"}]} for line in (1, 2))
    assert answer["phoneNumbers"] == answer["account"]["phoneNumbers"] == own
    assert answer["sub"] == below
    assert answer["account"]["subaccounts"]["nodes"] == [{"phoneNumbers": below}]
    assert searched(sandbox) == ["334297"]


def test_with_the_catalog_origin_goes_with_what_only_the_catalog_tells(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.accounts()["parent"]
    text = """query ($filter: PhoneNumberFilter) { phoneNumbers(filter: $filter, first: 1000) {
      exhaustive nodes { phoneNumber origin lifecycle capabilities { voice { e911 } } } } }"""
    every = gateway.query(text, account=account)["phoneNumbers"]["nodes"]
    for lifecycle in ("EXHAUSTED", "DEVELOPER_PREVIEW", "GENERALLY_AVAILABLE"):
        given = {"filter": {"origin": "TWILIO", "lifecycle": lifecycle}}
        found = gateway.query(text, given, account=account)["phoneNumbers"]
        assert found["exhaustive"] is True
        assert found["nodes"] == [
            each for each in every if each["origin"] == "TWILIO" and each["lifecycle"] == lifecycle
        ]
    able = {"origin": "TWILIO", "capabilities": {"voice": {"e911": True}}}
    found = gateway.query(text, {"filter": able}, account=account)["phoneNumbers"]["nodes"]
    assert 0 < len(found) < len(every)
    assert all(each["capabilities"]["voice"]["e911"] for each in found)


ORIGINS = """query ($filter: PhoneNumberFilter) { phoneNumbers(filter: $filter, first: 1000) {
  exhaustive nodes { phoneNumber origin geography { lata rateCenter locality postalCode } } } }"""


def test_with_the_catalog_they_go_with_every_other_filter_and_no_exchange_is_searched(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.accounts()["parent"]
    every = gateway.query(ORIGINS, account=account)["phoneNumbers"]["nodes"]
    place = next(each["geography"] for each in every if each["geography"]["postalCode"])
    for path, value in place.items():
        for origin in ("TWILIO", "HOSTED"):
            given = {"filter": {"origin": origin, path: value}}
            plan = gateway.execute(ORIGINS, given, headers=EXPLAIN, account=account)
            sandbox.forget_requests()
            found = gateway.query(ORIGINS, given, account=account)["phoneNumbers"]
            calls = plan["extensions"]["plan"]["calls"]
            assert calls["min"] <= len(sandbox.requests()) <= calls["max"]
            assert searched(sandbox) == []
            assert found["exhaustive"] is True
            assert found["nodes"] == [
                each
                for each in every
                if each["origin"] == origin and each["geography"][path] == value
            ]


@pytest.mark.parametrize("catalog", [True, False])
def test_while_it_is_unknown_whether_an_account_has_the_catalog_nothing_is_searched_in_vain(
    sandbox: RunningSandbox, catalog: bool
) -> None:
    account = sandbox.create_account(catalog=catalog)
    own_exchange(sandbox, account, f"+1251297000{int(catalog)}", "TAU")
    sell(sandbox, "+12512970009", rate_center="TAU", lata=480)
    sandbox.put_number(None, "+12512970008")
    with running_gateway(sandbox) as cold:
        page = asked(cold, account, filter={"rateCenter": "TAU"}, first=5)
        assert page["exhaustive"] is True
        assert numbers_of(page) == [f"+1251297000{int(catalog)}"]
        assert len(searched(sandbox)) == (0 if catalog else 1)
