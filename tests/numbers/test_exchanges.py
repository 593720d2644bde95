"""Rate center and LATA of owned numbers whose upstream tells neither: those of their exchange."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import events
from tests.support.valkey_process import valkey_server
from tests.support.waiting import until

PLACE = "isoCountry region rateCenter lata locality postalCode latitude longitude derived"
SHOWN = f"sid phoneNumber friendlyName source geography {{ {PLACE} }}"
OWNED = f"{{ phoneNumbers(first: 100) {{ nodes {{ {SHOWN} }} }} }}"
SEARCH = "/AvailablePhoneNumbers/"
EXPLAIN = {"X-Gateway-Explain": "plan"}


def nodes_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = data["phoneNumbers"]["nodes"]
    return nodes


def told(node: dict[str, Any]) -> tuple[str | None, str | None]:
    return node["geography"]["rateCenter"], node["geography"]["lata"]


def searched(sandbox: RunningSandbox) -> list[str]:
    """Return the exchanges that were searched for since the log was emptied."""
    found = [each["query"] for each in sandbox.requests() if SEARCH in each["path"]]
    return [dict(query)["Contains"] for query in found]


def own_exchange(sandbox: RunningSandbox, account: SandboxAccount, number: str, center: str) -> str:
    """Give an account a number in an exchange that nothing else is in; return its sid."""
    place = {"rate_center": center, "lata": 999, "locality": f"{center} TOWN"}
    return str(sandbox.put_number(account.sid, number, {"geography": place})["sid"])


def sell(sandbox: RunningSandbox, number: str, **place: Any) -> None:
    sandbox.put_number(None, number, {"geography": place})


@pytest.fixture(scope="module", params=[True, False], ids=["compiled", "graphql-core"])
def served(request: Any, shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that looks every exchange up that is asked for, and keeps none."""
    options: dict[str, Any] = {"exchange_calls": 500, "exchange_memory": 0.0}
    with running_gateway(shared_sandbox, fast=request.param, **options) as gateway:
        yield gateway


def test_owned_numbers_show_rate_center_and_lata_where_their_exchange_has_numbers_for_sale(
    served: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.accounts()["core-only"]
    truth = {each["phone_number"]: each["geography"] for each in sandbox.numbers(account.sid)}
    sandbox.forget_requests()
    nodes = nodes_of(served.query(OWNED, account=account))
    local = [each for each in nodes if truth[each["phoneNumber"]]["rate_center"] is not None]
    for node in local:
        place = truth[node["phoneNumber"]]
        assert told(node) in {(place["rate_center"], str(place["lata"])), (None, None)}
        # What is another number's is never said to be this one's.
        of_others = ("locality", "postalCode", "latitude", "longitude")
        assert [node["geography"][field] for field in of_others] == [None] * 4
        assert node["geography"]["derived"]
    known = [each for each in local if told(each) != (None, None)]
    assert len(local) * 0.4 < len(known) < len(local)
    assert sorted(searched(sandbox)) == sorted({each["phoneNumber"][2:8] for each in local})
    assert len(sandbox.requests()) == 2 + len(searched(sandbox))  # Whether it has the catalog.


def test_an_exchange_is_searched_once_for_all_its_numbers_and_only_when_that_is_selected(
    served: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False)
    for line in range(4):
        own_exchange(sandbox, account, f"+1205298000{line}", "ALPHA")
    sell(sandbox, "+12052980009", rate_center="ALPHA", lata=476, locality="ELSEWHERE")
    nodes = nodes_of(served.query(OWNED, account=account))
    assert {told(each) for each in nodes} == {("ALPHA", "476")}
    sandbox.forget_requests()
    one = nodes_of(served.query(OWNED, account=account))
    assert (one, searched(sandbox), len(sandbox.requests())) == (nodes, ["205298"], 2)
    sandbox.forget_requests()
    served.query(OWNED.replace("rateCenter lata", ""), account=account)
    assert len(sandbox.requests()) == 1
    sandbox.forget_requests()
    fields = [
        f'n{place}: phoneNumber(sid: "{each["sid"]}") {{ {SHOWN} }}'
        for place, each in enumerate(nodes)
    ]
    answers = served.query(f"{{ {' '.join(fields)} }}", account=account)
    assert (list(answers.values()), searched(sandbox)) == (nodes, ["205298"])


def test_a_neighbouring_exchange_tells_nothing(
    served: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False)
    # Of a doubled area code: the pattern is found farther behind, too.
    for number in ("+13232960001", "+13233232961", "+13232323296"):
        sell(sandbox, number, rate_center="NEIGHBOUR", lata=730)
        sandbox.put_number(None, number)
    sandbox.put_number(account.sid, "+13232970001")
    own_exchange(sandbox, account, "+13232980001", "BETA")
    sell(sandbox, "+13233232980", rate_center="NEIGHBOUR", lata=730)
    sell(sandbox, "+13232323298", rate_center="NEIGHBOUR", lata=730)
    sandbox.forget_requests()
    nodes = nodes_of(served.query(OWNED, account=account))
    assert [told(each) for each in nodes] == [(None, None)] * 2
    assert sorted(searched(sandbox)) == ["323297", "323298"]


def test_numbers_for_sale_that_contradict_each_other_tell_nothing_of_what_they_disagree_about(
    served: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False)
    own_exchange(sandbox, account, "+12052990001", "GAMMA")
    sell(sandbox, "+12052990002", rate_center="GAMMA", lata=476)
    sell(sandbox, "+12052990003", rate_center="DELTA", lata=476)
    sell(sandbox, "+12052990004", rate_center=None, lata=None)
    [node] = nodes_of(served.query(OWNED, account=account))
    assert told(node) == (None, "476")


def test_numbers_that_belong_to_no_place_are_not_searched_for(
    served: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False)
    for number in ("+18005550188", "+447400123456", "+442071838750", "+17875550123", "12345"):
        sandbox.put_number(account.sid, number)
    sandbox.put_number(account.sid, "+12125550133", {"type": "mobile"})
    plan = served.execute(OWNED, account=account, headers=EXPLAIN)["extensions"]["plan"]
    nodes = nodes_of(served.query(OWNED, account=account))
    assert [told(each) for each in nodes] == [(None, None)] * 6
    assert searched(sandbox) == []
    assert plan["calls"]["min"] == 1


@pytest.mark.parametrize("status", [500, 400])
def test_a_search_that_fails_costs_what_it_would_have_told_and_nothing_else(
    served: RunningGateway, sandbox: RunningSandbox, status: int
) -> None:
    account = sandbox.create_account(catalog=False, owned=3)
    text = OWNED.replace("friendlyName", "monthlyPrice { amount }")
    whole = nodes_of(served.query(text, account=account))
    [first, *_] = whole
    fault = {"path": f"*{SEARCH}*", "kind": "status", "status": status, "count": None}
    sandbox.set_faults([fault])
    answer = served.execute(text, account=account)
    expected = [
        {**each, "geography": {**each["geography"], "rateCenter": None, "lata": None}}
        for each in whole
    ]
    assert nodes_of(answer["data"]) == expected
    assert sorted(each["path"] for each in answer["errors"]) == sorted(
        ["phoneNumbers", "nodes", place, "geography", field]
        for place in range(3)
        for field in ("rateCenter", "lata")
    )
    assert first["monthlyPrice"]


def test_all_exchanges_of_a_request_are_searched_at_once(
    served: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False, owned=6)
    sandbox.set_faults([{"kind": "held", "path": f"*{SEARCH}*", "count": None}])
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(served.query, OWNED, account=account)
        until(lambda: sandbox.faults()[0]["fired"] == 6)
        sandbox.clear_faults()
        assert len(nodes_of(answer.result())) == 6


def test_the_plan_tells_the_searches_and_the_setting_bounds_them(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=False)
    for place in range(5):
        own_exchange(sandbox, account, f"+12562{90 + place}0001", "EPSILON")
        sell(sandbox, f"+12562{90 + place}0002", rate_center="EPSILON", lata=477)
    with running_gateway(sandbox, exchange_calls=2) as gateway:
        for first, known in ((100, 2), (100, 4), (100, 5), (1, 5)):
            text = OWNED.replace("100", str(first))
            plan = gateway.execute(text, account=account, headers=EXPLAIN)["extensions"]["plan"]
            [step] = [each for each in plan["steps"] if each["strategy"] == "exchange"]
            assert (step["min"], step["max"]) == (0, min(first, 2))
            sandbox.forget_requests()
            nodes = nodes_of(gateway.query(text, account=account))
            assert [told(each)[0] for each in nodes].count("EPSILON") == min(first, known)
            made = len(sandbox.requests())
            assert plan["calls"]["min"] <= made <= plan["calls"]["max"]
            assert searched(sandbox) == [] or first == 100
    with running_gateway(sandbox, exchange_calls=0) as gateway:
        plan = gateway.execute(OWNED, account=account, headers=EXPLAIN)["extensions"]["plan"]
        sandbox.forget_requests()
        nodes = nodes_of(gateway.query(OWNED, account=account))
        assert {told(each) for each in nodes} == {(None, None)}
        assert (searched(sandbox), len(plan["steps"])) == ([], 1)
    # They are the first to be left out where calls are short.
    with running_gateway(sandbox, most_calls=4) as gateway:
        nodes = nodes_of(gateway.query(OWNED, account=account))
        assert [told(each)[0] for each in nodes].count("EPSILON") == 2
        nodes = nodes_of(gateway.query(OWNED, account=account))
        assert [told(each)[0] for each in nodes].count("EPSILON") > 2


def test_what_one_caller_learned_of_an_exchange_others_need_not_ask_and_strangers_do_not_get(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    one, other = (sandbox.create_account(catalog=False) for _ in range(2))
    own_exchange(sandbox, one, "+12512960001", "ZETA")
    own_exchange(sandbox, other, "+12512960002", "ZETA")
    sell(sandbox, "+12512960003", rate_center="ZETA", lata=480)
    assert [told(each) for each in nodes_of(gateway.query(OWNED, account=one))] == [("ZETA", "480")]
    sandbox.forget_requests()
    nodes = nodes_of(gateway.query(OWNED, account=other))
    assert [told(each) for each in nodes] == [("ZETA", "480")]
    assert searched(sandbox) == []
    refused = gateway.http.post(
        f"{gateway.url}/graphql", json={"query": OWNED}, auth=(one.sid, "wrong")
    ).json()
    assert refused["errors"][0]["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"
    assert "ZETA" not in str(refused)


def test_processes_that_share_a_store_share_what_they_learned(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = sandbox.create_account(catalog=False)
    own_exchange(sandbox, account, "+16022960001", "IOTA")
    sell(sandbox, "+16022960002", rate_center="IOTA", lata=666)
    with valkey_server(tmp_path) as server:
        for searches in (["602296"], []):
            sandbox.forget_requests()
            with running_gateway(sandbox, store_url=server.url, store_timeout=3.0) as gateway:
                nodes = nodes_of(gateway.query(OWNED, account=account))
            assert [told(each) for each in nodes] == [("IOTA", "666")]
            assert searched(sandbox) == searches


def test_every_route_to_a_number_shows_the_same(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    parent = sandbox.create_account(catalog=False)
    account = sandbox.create_account(catalog=False, owner_account_sid=parent.sid)
    sid = own_exchange(sandbox, parent, "+13342960001", "ETA")
    below = own_exchange(sandbox, account, "+13342960002", "ETA")
    sell(sandbox, "+13342960003", rate_center="ETA", lata=478)
    sell(sandbox, "+13342960004", rate_center="ETA", lata=478)
    place = f"geography {{ {PLACE} }}"
    reads = {
        f'phoneNumber(sid: "{sid}") {{ {place} }}': (),
        f'phoneNumberByIdentifier(identifier: {{ phoneNumber: "+13342960001" }}) {{ {place} }}': (),
        f'node(id: "{sid}") {{ ... on PhoneNumber {{ {place} }} }}': (),
        f'nodes(ids: ["{below}", "{sid}"]) {{ ... on PhoneNumber {{ {place} }} }}': (0,),
        f"phoneNumbers(first: 1) {{ edges {{ node {{ {place} }} }} }}": ("edges", 0, "node"),
        f"account {{ phoneNumbers(first: 2) {{ nodes {{ {place} }} }} }}": (
            "phoneNumbers",
            "nodes",
            0,
        ),
        "account { subaccounts(first: 2) { nodes { phoneNumbers(first: 2) {"
        f" nodes {{ {place} }} }} }} }} }}": (
            *("subaccounts", "nodes", 0, "phoneNumbers", "nodes", 0),
        ),
    }
    expected = None
    for text, path in reads.items():
        plan = gateway.execute(f"{{ {text} }}", account=parent, headers=EXPLAIN)
        assert any(x["strategy"] == "exchange" for x in plan["extensions"]["plan"]["steps"]), text
        [found] = gateway.query(f"{{ {text} }}", account=parent).values()
        for step in path:
            found = found[step]
        expected = expected or found
        assert found == expected, text
        assert told(found) == ("ETA", "478")
    change = f"""mutation {{ configurePhoneNumber(
      input: {{ sid: "{sid}", configuration: {{ friendlyName: "Front desk" }} }}) {{
      phoneNumber {{ {place} }} userErrors {{ message }} }} }}"""
    buy = f"""mutation {{ purchasePhoneNumber(input: {{ phoneNumber: "+13342960004" }}) {{
      phoneNumber {{ sid {place} }} userErrors {{ message }} }} }}"""
    follow = f"subscription {{ phoneNumberChanged {{ id phoneNumber {{ {place} }} }} }}"
    with events(gateway, follow, account=parent) as stream:
        stream.confirmed()
        for text in (change, buy):
            [payload] = gateway.query(text, account=parent).values()
            assert payload["phoneNumber"]["geography"] == expected["geography"]  # type: ignore[index]
            assert stream.change()["phoneNumber"] == expected


def test_an_account_with_the_catalog_is_told_and_searches_nothing(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=True, owned=3)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    change = f"""mutation($sid: ID!) {{ configurePhoneNumber(
      input: {{ sid: $sid, configuration: {{ friendlyName: "Front desk" }} }}) {{
      phoneNumber {{ {SHOWN} }} userErrors {{ message }} }} }}"""
    sid = sandbox.numbers(account.sid)[0]["sid"]
    for text in (OWNED, f'{{ node(id: "{sid}") {{ ... on PhoneNumber {{ {SHOWN} }} }} }}', change):
        variables = {"sid": sid} if "$sid" in text else {}
        plan = gateway.execute(text, variables, account=account, headers=EXPLAIN)
        steps = plan["extensions"]["plan"]["steps"]
        assert all(each["strategy"] != "exchange" for each in steps) or "node(" in text
        shown = str(gateway.query(text, variables, account=account))
        assert "'derived': False" in shown
    assert searched(sandbox) == []


def test_similar_numbers_are_found_whatever_becomes_of_the_exchange(
    served: RunningGateway, sandbox: RunningSandbox
) -> None:
    parent = sandbox.create_account(catalog=False)
    account = sandbox.create_account(catalog=False, owner_account_sid=parent.sid)
    own_exchange(sandbox, account, "+14802960001", "THETA")
    sell(sandbox, "+14802960003", rate_center="THETA", lata=999)
    similar = "similarAvailable(within: RATE_CENTER, first: 5) { nodes { phoneNumber } }"
    of = f'first: 100, accountSid: "{account.sid}"'
    text = OWNED.replace("friendlyName", similar).replace("first: 100", of)
    [node] = nodes_of(served.query(text, account=parent))
    assert node["similarAvailable"]["nodes"] == [{"phoneNumber": "+14802960003"}]
    assert told(node) == ("THETA", "999")
    [alone] = nodes_of(served.query(text.replace("rateCenter lata", ""), account=parent))
    assert alone["similarAvailable"] == node["similarAvailable"]
    # What it costs to look an exchange up is the account's that the request acts for.
    path = f"/2010-04-01/Accounts/{parent.sid}{SEARCH}*"
    sandbox.set_faults([{"path": path, "kind": "status", "status": 400, "count": None}])
    answer = served.execute(text, account=parent)
    [hurt] = nodes_of(answer["data"])
    assert hurt["similarAvailable"] == node["similarAvailable"]
    assert [each["path"][-1] for each in answer["errors"]] == ["rateCenter", "lata"]
