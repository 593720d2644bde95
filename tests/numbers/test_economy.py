"""Fewest upstream calls, each claim shown by counting requests at the sandbox."""

import asyncio
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest

from gateway.numbers import cursors
from gateway.numbers.lookup_strategy import Size, Sizes, choose, go_on_listing
from tests.faults.asking import fresh_number
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import PATIENCE, until


def paths(sandbox: RunningSandbox) -> list[str]:
    """Return the paths that were asked for."""
    return [request["path"] for request in sandbox.requests()]


def lookups(sids: list[str]) -> str:
    """Return a query with one look-up per sid."""
    fields = (f'n{place}: phoneNumber(sid: "{sid}") {{ sid }}' for place, sid in enumerate(sids))
    return f"{{ {' '.join(fields)} }}"


# Limits that let 200 aliases pass.
# Many requests at once take their time on a busy machine.
PATIENT = dict.fromkeys(("attempt_timeout", "call_deadline", "request_deadline"), 60.0)
LOOSE: dict[str, Any] = {"token_limit": 5000, "alias_limit": 200, "root_field_limit": 200} | PATIENT

# Within a request ---------------------------------------------------------------------------------


def test_equal_reads_are_one_call_however_they_are_spelt(gateway: RunningGateway) -> None:
    number = gateway.sandbox.numbers(gateway.account.sid)[0]
    node = gateway.query("query ($s: ID!) { phoneNumber(sid: $s) { id } }", {"s": number["sid"]})
    gateway.sandbox.forget_requests()
    data = gateway.query(
        """query ($sid: ID!, $id: ID!, $number: E164) {
          a: phoneNumber(sid: $sid) { sid } b: phoneNumber(sid: $sid) { ...Sid }
          c: node(id: $id) { ... on PhoneNumber { ...Sid } }
          d: nodes(ids: [$id]) { ... on PhoneNumber { sid } }
          e: phoneNumberByIdentifier(identifier: { phoneNumber: $number }) { sid } }
        fragment Sid on PhoneNumber { sid }""",
        {
            "sid": number["sid"],
            "id": node["phoneNumber"]["id"],
            "number": number["phone_number"],
        },
    )
    one = {"sid": number["sid"]}
    assert data == {"a": one, "b": one, "c": one, "d": [one], "e": one}
    assert len(gateway.sandbox.requests()) == 1


def test_a_page_answers_later_look_ups_of_its_numbers(gateway: RunningGateway) -> None:
    data = gateway.query(
        "{ phoneNumbers(first: 20) { nodes { account { phoneNumbers(first: 20) { nodes { sid } } } } } }"
    )
    assert len(data["phoneNumbers"]["nodes"]) == 20
    kinds = [path.split("/")[1] for path in paths(gateway.sandbox)]
    assert kinds == ["Numbers", "2010-04-01"]


def test_twenty_numbers_in_five_rate_centers_cost_six_calls(gateway: RunningGateway) -> None:
    account = gateway.sandbox.create_account(catalog=True)
    places = [
        ("HUNTINGTON", 132, "NY"),
        ("HILO", 834, "HI"),
        ("LITTLEROCK", 528, "AR"),
        ("OAKLAND", 722, "CA"),
        ("MIAMI", 460, "FL"),
    ]
    for place in range(20):
        center, lata, region = places[place % 5]
        gateway.sandbox.put_number(
            account.sid,
            f"+1212555{place:04}",
            {"geography": {"rate_center": center, "lata": lata, "region": region}},
        )
    query = """{ phoneNumbers(first: 20) { nodes { phoneNumber
      similarAvailable(within: RATE_CENTER, first: 5) { nodes { phoneNumber } } } } }"""
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    gateway.sandbox.forget_requests()
    data = gateway.query(query, account=account)
    assert len(data["phoneNumbers"]["nodes"]) == 20
    assert len(gateway.sandbox.requests()) == 6


# Get or list --------------------------------------------------------------------------------------


@pytest.mark.parametrize("warm", [False, True], ids=["size unknown", "size known"])
@pytest.mark.parametrize("spelling", ["aliases", "nodes"])
@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
def test_two_hundred_look_ups_in_a_small_account_are_one_list(
    sandbox: RunningSandbox, spelling: str, warm: bool, catalog: bool
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=250)
    sids = [number["sid"] for number in sandbox.numbers(account.sid)[:200]]
    with running_gateway(sandbox, account=account) as gateway:
        listed = gateway.query("{ phoneNumbers(first: 250) { nodes { id } } }")
        ids = [node["id"] for node in listed["phoneNumbers"]["nodes"][:200]]
    with running_gateway(sandbox, account=account, **LOOSE) as gateway:
        # Whether the account has the catalog is found out first.
        gateway.query(f"{{ phoneNumbers(first: {250 if warm else 1}) {{ nodes {{ sid }} }} }}")
        sandbox.forget_requests()
        if spelling == "aliases":
            data = gateway.query(lookups(sids))
            found = [each["sid"] for each in data.values()]
        else:
            query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on PhoneNumber { sid } } }"
            found = [each["sid"] for each in gateway.query(query, {"ids": ids})["nodes"]]
    assert found == sids
    [request] = sandbox.requests()
    assert ["PageSize", "1000"] in request["query"]


@pytest.mark.parametrize("warm", [False, True], ids=["size unknown", "size known"])
def test_three_look_ups_in_a_large_account_are_three_gets(
    sandbox: RunningSandbox, warm: bool
) -> None:
    account = sandbox.create_account(catalog=True, owned=10_000)
    with running_gateway(sandbox, account=account) as gateway:
        first = "1000" if warm else "3"
        listed = gateway.query(f"{{ phoneNumbers(first: {first}) {{ nodes {{ sid }} }} }}")
        sids = [node["sid"] for node in listed["phoneNumbers"]["nodes"][:3]]
        sandbox.forget_requests()
        gateway.query(lookups(sids))
    # They run at once, so that any may arrive first.
    assert sorted(paths(sandbox)) == sorted(f"/Numbers/ActiveNumbers/{sid}" for sid in sids)


def test_a_wrong_guess_costs_at_most_twice_the_best(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True, owned=30_000)
    sids = [number["sid"] for number in sandbox.numbers(account.sid)[-24:]]
    with running_gateway(sandbox, account=account, **LOOSE) as gateway:
        sandbox.forget_requests()
        data = gateway.query(lookups(sids))
    assert [each["sid"] for each in data.values()] == sids
    # One probe for the family, then pages until they cost as much as asking one by one.
    assert 24 < len(sandbox.requests()) <= 1 + 2 * 24


def test_an_account_that_has_grown_is_not_listed_to_its_end() -> None:
    sizes = Sizes()
    sizes.learn("AC", 3, more=False)
    assert choose(3, sizes.of("AC")).strategy == "list"
    sizes.learn("AC", 1000, more=True)
    assert sizes.of("AC") == Size(1001, exact=False)
    assert choose(3, sizes.of("AC")).strategy == "get"
    # Pages of a size that was not expected: what was to be the last is not.
    assert go_on_listing(1, 3, Size(2000, exact=True))
    assert not go_on_listing(2, 3, Size(2000, exact=True))
    assert not go_on_listing(9, 3, Size(2000, exact=True))
    # A part of a list says nothing new.
    sizes.learn("AC", 4000, more=False)
    sizes.learn("AC", 50, more=True)
    assert sizes.of("AC") == Size(4000, exact=True)


def test_growth_is_learnt_from_a_list_that_goes_on(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True, owned=1000)
    listing = "{ phoneNumbers(first: 1000) { nodes { sid } } }"
    with running_gateway(sandbox, account=account) as gateway:
        gateway.query(listing)
        for _ in range(3):
            sandbox.put_number(account.sid)
        sids = [number["sid"] for number in sandbox.numbers(account.sid)[-2:]]
        assert "1000 numbers owned" in plan_of(gateway, lookups(sids))["steps"][0]["reason"]
        gateway.query(listing)
        plan = plan_of(gateway, lookups(sids))
    assert plan["steps"][0]["strategy"] == "get"
    assert "1001 or more numbers owned" in plan["steps"][0]["reason"]


# Across requests ----------------------------------------------------------------------------------


def burst(
    gateway: RunningGateway, bodies: list[dict[str, Any]], accounts: list[SandboxAccount]
) -> list[dict[str, Any]]:
    """Send many requests at once and return the answers in order."""

    async def run() -> list[dict[str, Any]]:
        limits = httpx.Limits(max_connections=len(bodies))
        async with loopback.AsyncClient(limits=limits) as client:
            answers = await asyncio.gather(
                *(
                    client.post(f"{gateway.url}/graphql", json=body, auth=account.auth)
                    for body, account in zip(bodies, accounts, strict=True)
                )
            )
        return [answer.json() for answer in answers]

    return asyncio.run(run())


def test_a_hundred_clients_opening_one_screen_make_one_call(gateway: RunningGateway) -> None:
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
    gateway.sandbox.forget_requests()
    gateway.sandbox.set_faults([{"kind": "latency", "latency_ms": 3000, "path": "/Numbers/*"}])
    body = {"query": "{ phoneNumbers(first: 9) { nodes { sid } } }"}
    answers = burst(gateway, [body] * 100, [gateway.account] * 100)
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]["data"]["phoneNumbers"]["nodes"]) == 9
    assert len(gateway.sandbox.requests()) == 1


def test_calls_are_never_shared_between_credentials(gateway: RunningGateway) -> None:
    one, other = gateway.account, gateway.sandbox.subaccounts()[0]
    for account in (one, other):
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    gateway.sandbox.forget_requests()
    gateway.sandbox.set_faults(
        [{"kind": "latency", "latency_ms": 2000, "path": "/Numbers/*", "count": None}]
    )
    body = {"query": "{ phoneNumbers(first: 3) { nodes { accountSid } } }"}
    answers = burst(gateway, [body] * 20, [one, other] * 10)
    for place, answer in enumerate(answers):
        expected = (one, other)[place % 2].sid
        nodes = answer["data"]["phoneNumbers"]["nodes"]
        assert {node["accountSid"] for node in nodes} == {expected}
    assert len(gateway.sandbox.requests()) == 2


NAMES = "{ phoneNumbers(first: 5) { nodes { friendlyName } } }"
RENAME = """mutation ($sid: ID!) {
  configurePhoneNumber(input: {sid: $sid, configuration: {friendlyName: "New"}}) {
    phoneNumber { account { phoneNumbers(first: 5) { nodes { friendlyName } } } } } }"""


@pytest.mark.parametrize("cache_owned", [0, 60])
def test_what_is_read_after_a_write_is_not_older_than_it(
    sandbox: RunningSandbox, cache_owned: int
) -> None:
    account = sandbox.create_account(catalog=True, owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    with (
        running_gateway(sandbox, account=account, cache_owned=cache_owned) as gateway,
        ThreadPoolExecutor(1) as pool,
    ):
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        # The upstream has read it before the write, and is slow to say so.
        late = {"kind": "latency", "latency_ms": 2500, "commit": True, "count": 1}
        sandbox.set_faults([late | {"method": "GET", "path": "/Numbers/ActiveNumbers"}])
        early = pool.submit(gateway.query, NAMES)
        while not sandbox.faults()[0]["fired"]:
            time.sleep(0.02)
        time.sleep(0.1)
        changed = gateway.query(RENAME, {"sid": sid})["configurePhoneNumber"]["phoneNumber"]
        after = gateway.query(NAMES)
        assert not early.done()
        old = early.result()
        later = gateway.query(NAMES)
    assert old["phoneNumbers"]["nodes"] != [{"friendlyName": "New"}]
    for each in (changed["account"], after, later):
        assert each["phoneNumbers"]["nodes"] == [{"friendlyName": "New"}]


def test_what_is_read_after_a_write_whose_answer_was_lost_is_not_older_than_it(
    sandbox: RunningSandbox,
) -> None:
    account = sandbox.create_account(catalog=True, owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    with running_gateway(sandbox, account=account, cache_owned=60) as gateway:
        gateway.query(NAMES)
        sandbox.set_faults([{"kind": "lost-answer", "method": "POST", "path": "/Numbers/*"}])
        answer = gateway.query(RENAME, {"sid": sid})["configurePhoneNumber"]["phoneNumber"]
        assert answer["account"]["phoneNumbers"]["nodes"] == [{"friendlyName": "New"}]
        assert gateway.query(NAMES)["phoneNumbers"]["nodes"] == [{"friendlyName": "New"}]


def test_a_mutation_forgets_the_searches_of_its_own_operation(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True)
    place = {"rate_center": "HUNTINGTON", "lata": 132, "region": "NY"}
    sandbox.put_number(account.sid, "+12125550100", {"geography": place})
    sid = sandbox.numbers(account.sid)[0]["sid"]
    similar = "similarAvailable(within: RATE_CENTER, first: 20) { nodes { phoneNumber } }"
    rename = f"""configurePhoneNumber(input: {{sid: "{sid}", configuration: {{friendlyName: "x"}}}}) {{
      phoneNumber {{ {similar} }} }}"""
    with running_gateway(sandbox, account=account) as gateway:
        found = gateway.query(f'{{ phoneNumber(sid: "{sid}") {{ {similar} }} }}')
        bought = found["phoneNumber"]["similarAvailable"]["nodes"][0]
        data = gateway.query(
            f"""mutation {{ one: {rename} two: {rename} three: purchasePhoneNumber(
              input: {{phoneNumber: "{bought["phoneNumber"]}"}}) {{ userErrors {{ code }} }}
              four: {rename} }}"""
        )
    nodes = {
        name: payload["phoneNumber"]["similarAvailable"]["nodes"]
        for name, payload in data.items()
        if name != "three"
    }
    assert bought in nodes["one"]
    assert bought in nodes["two"]
    assert bought not in nodes["four"]


# Cache --------------------------------------------------------------------------------------------


def test_countries_are_kept_and_owned_numbers_are_not(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox) as gateway:
        for _ in range(3):
            gateway.query("{ countries { code } phoneNumbers(first: 1) { nodes { sid } } }")
    kinds = [path.rpartition("/")[2] for path in paths(sandbox)]
    # At first it is found out, too, whether the account has the catalog.
    found_out = "IncomingPhoneNumbers.json"
    assert sorted(kinds) == ["ActiveNumbers"] * 3 + ["AvailablePhoneNumbers.json", found_out]


def test_a_stale_answer_is_given_while_it_is_fetched_anew(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True, owned=1)
    query = "{ phoneNumbers(first: 5) { nodes { sid friendlyName } } }"
    with running_gateway(sandbox, account=account, cache_owned=3, cache_stale=60) as gateway:
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        sandbox.forget_requests()
        before = gateway.query(query)
        number = sandbox.numbers(account.sid)[0]["phone_number"]
        sandbox.put_number(account.sid, number, {"configuration": {"friendly_name": "New"}})
        assert gateway.query(query) == before
        assert len(sandbox.requests()) == 1
        time.sleep(3.1)
        began = time.monotonic()
        assert gateway.query(query) == before
        patience = began + PATIENCE
        while gateway.query(query) == before:
            assert time.monotonic() < patience
            time.sleep(0.05)
        assert gateway.query(query)["phoneNumbers"]["nodes"][0]["friendlyName"] == "New"
        # Once more for each time that it may have become stale again, on a machine that stands.
        assert 2 <= len(sandbox.requests()) <= 2 + (time.monotonic() - began) // 3


CHANGES = {
    "configure": 'configurePhoneNumber(input: {sid: "%s", configuration: {friendlyName: "x"}}) { reconciled }',
    "release": 'releasePhoneNumber(input: {sid: "%s", confirmPhoneNumber: "%s"}) { reconciled }',
    "transfer": 'transferPhoneNumber(input: {sid: "%s", toAccountSid: "%s"}) { reconciled }',
}


@pytest.mark.parametrize("verb", CHANGES)
def test_a_mutation_forgets_exactly_what_it_changes(sandbox: RunningSandbox, verb: str) -> None:
    parent = sandbox.create_account(catalog=True, owned=2)
    child = sandbox.create_account(catalog=True, owner_account_sid=parent.sid, owned=1)
    other = sandbox.create_account(catalog=True, owned=1)
    number = sandbox.numbers(parent.sid)[0]
    argument = {"transfer": child.sid, "release": number["phone_number"]}.get(verb)
    text = CHANGES[verb] % ((number["sid"], argument) if argument else number["sid"])
    screen = """{ phoneNumbers(first: 5) { nodes { sid friendlyName } }
      availablePhoneNumbers(country: "US", first: 2) { nodes { phoneNumber } } countries { code } }"""
    times = {"cache_owned": 60, "cache_search": 60}
    with running_gateway(sandbox, account=parent, **times) as gateway:
        accounts = [parent, child, other]
        before = [gateway.query(screen, account=each) for each in accounts]
        gateway.query(f"mutation {{ {text} }}")
        sandbox.forget_requests()
        after = [gateway.query(screen, account=each) for each in accounts]
        asked = {
            each.sid: sorted(
                "owned" if "ActiveNumbers" in request["path"] else "search"
                for request in sandbox.requests()
                if request["account"] == each.sid
            )
            for each in accounts
        }
    assert asked == {
        parent.sid: ["owned", "search"] if verb == "release" else ["owned"],
        child.sid: ["owned"] if verb == "transfer" else [],
        other.sid: [],
    }
    assert after[2] == before[2]
    assert after[0]["phoneNumbers"] != before[0]["phoneNumbers"]


def test_two_accounts_interleaved_never_see_each_others_data(sandbox: RunningSandbox) -> None:
    dice = random.Random(7)  # noqa: S311 - repeatable, not secret
    accounts = [sandbox.create_account(catalog=catalog, owned=6) for catalog in (True, True, False)]
    sids = {each.sid: [n["sid"] for n in sandbox.numbers(each.sid)] for each in accounts}
    everybody = [sid for owned in sids.values() for sid in owned]
    times = {"cache_owned": 0.05, "cache_stale": 0.05, "cache_search": 0.05} | PATIENT
    with running_gateway(sandbox, account=accounts[0], **times) as gateway:
        for _ in range(6):
            asking = [dice.choice(accounts) for _ in range(40)]
            bodies: list[dict[str, Any]] = [
                {
                    "query": """query ($sid: ID!, $first: Int!) {
                      phoneNumber(sid: $sid) { accountSid }
                      phoneNumbers(first: $first) { nodes { accountSid sid } }
                      account { sid } }""",
                    "variables": {"sid": dice.choice(everybody), "first": dice.randint(1, 6)},
                }
                for _ in asking
            ]
            for body, account, answer in zip(
                bodies, asking, burst(gateway, bodies, asking), strict=True
            ):
                data = answer.get("data")
                assert data, answer
                assert data["account"]["sid"] == account.sid
                assert {n["accountSid"] for n in data["phoneNumbers"]["nodes"]} == {account.sid}
                own = body["variables"]["sid"] in sids[account.sid]
                assert data["phoneNumber"] == ({"accountSid": account.sid} if own else None)


SMALL_PAGES: dict[str, tuple[dict[str, Any], int | None, int]] = {
    "one search": ({"areaCodes": ["808"]}, None, 3),
    "a fan-out": ({"areaCodes": ["808", "617"]}, None, 6),
    "a search that is cut off": ({"areaCodes": ["808"]}, 30, 23),
    "the catalog": ({"maxSetupPrice": 500}, None, 3),
}


@pytest.mark.parametrize("case", SMALL_PAGES)
def test_small_pages_of_a_search_are_cut_from_a_few_answers_where_these_are_kept(
    gateway: RunningGateway, sandbox: RunningSandbox, case: str
) -> None:
    filter_, cap, calls = SMALL_PAGES[case]
    sandbox.set_switches(search_cap=cap)

    def walk(asked: RunningGateway) -> list[list[str]]:
        variables: dict[str, Any] = {"first": 10, "filter": filter_}
        pages = []
        for _ in range(8):
            page = asked.query(WIDE, variables)["availablePhoneNumbers"]
            assert (page["exhaustive"], page["pageInfo"]["hasNextPage"]) == (False, True)
            pages.append([node["phoneNumber"] for node in page["nodes"]])
            variables["after"] = page["pageInfo"]["endCursor"]
        return pages

    with running_gateway(sandbox, cache_search=60) as keeping:
        pages = walk(keeping)
        assert len(sandbox.requests()) == calls
    assert pages == walk(gateway)


# Cost is visible ----------------------------------------------------------------------------------


def plan_of(
    gateway: RunningGateway, query: str, account: SandboxAccount | None = None
) -> dict[str, Any]:
    """Return the plan of an operation, and see that nothing was asked of the upstream."""
    gateway.sandbox.forget_requests()
    answer = gateway.execute(query, headers={"X-Gateway-Explain": "plan"}, account=account)
    assert answer["data"] is None
    assert gateway.sandbox.requests() == []
    plan: dict[str, Any] = answer["extensions"]["plan"]
    return plan


PLANNED = [
    "{ phoneNumbers(first: 20) { nodes { sid } } }",
    "{ phoneNumbers(first: 3) { nodes { account { sid } similarAvailable(within: REGION) { exhaustive } } } }",
    '{ availablePhoneNumbers(country: "US", types: [LOCAL, TOLL_FREE], filter: {areaCodes: ["800", "510"]}) { exhaustive } }',
    '{ countries { code } country(code: "US") { name } account { sid subaccounts { nodes { sid } } } }',
    "{ a: countries { code } b: countries { name } }",
    "query ($yes: Boolean = false) { phoneNumbers @include(if: $yes) { nodes { sid } } account { sid } }",
    "{ ...Q } fragment Q on Query { phoneNumbers { nodes { ...N } } } fragment N on PhoneNumber { account { sid } }",
]


@pytest.mark.parametrize("query", PLANNED)
def test_a_plan_bounds_the_calls_that_a_run_makes(sandbox: RunningSandbox, query: str) -> None:
    with running_gateway(sandbox, cache_countries=0) as gateway:
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        calls = plan_of(gateway, query)["calls"]
        gateway.query(query)
    assert calls["min"] <= len(sandbox.requests()) <= calls["max"]


def test_a_plan_says_why(gateway: RunningGateway) -> None:
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")  # The account has the catalog.
    plan = plan_of(
        gateway,
        """{ phoneNumbers(first: 20) { nodes {
             similarAvailable(within: RATE_CENTER) { nodes { phoneNumber } } } } }""",
    )
    # One page, 20 searches, and what completes them where the upstream cuts them off.
    assert plan["calls"] == {"min": 1, "max": 21 + 40}
    assert plan["naive"] == {"min": 1, "max": 21 + 40}
    # 20 numbers, for each a connection, and up to 50 numbers in it.
    assert 1000 <= plan["cost"] <= 1100
    listed, searched, completed = plan["steps"]
    assert (listed["field"], listed["strategy"]) == ("phoneNumbers", "page")
    assert searched["field"] == "phoneNumbers.nodes.similarAvailable"
    assert "distinct place" in searched["reason"]
    assert (completed["field"], completed["strategy"]) == (searched["field"], "partition")


def test_the_choice_between_get_and_list_is_explained(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True, owned=250)
    sids = [number["sid"] for number in sandbox.numbers(account.sid)[:200]]
    with running_gateway(sandbox, account=account, **LOOSE) as gateway:
        gateway.query("{ phoneNumbers(first: 1000) { nodes { sid } } }")
        plan = plan_of(gateway, lookups(sids))
    assert plan["calls"] == {"min": 1, "max": 1}
    assert plan["naive"] == {"min": 200, "max": 200}
    assert plan["steps"][0]["strategy"] == "list"
    assert "250 numbers owned" in plan["steps"][0]["reason"]


@pytest.mark.parametrize("verb", ["purchase", *CHANGES])
def test_a_mutation_is_planned_without_being_done(gateway: RunningGateway, verb: str) -> None:
    parent = gateway.sandbox.create_account(catalog=True, owned=2)
    child = gateway.sandbox.create_account(catalog=True, owner_account_sid=parent.sid)
    number = gateway.sandbox.numbers(parent.sid)[0]
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=parent)
    if verb == "purchase":
        wanted = fresh_number(gateway.sandbox)
        text = f'purchasePhoneNumber(input: {{phoneNumber: "{wanted}"}}) {{ reconciled }}'
    else:
        argument = {"transfer": child.sid, "release": number["phone_number"]}.get(verb)
        text = CHANGES[verb] % ((number["sid"], argument) if argument else number["sid"])
    plan = plan_of(gateway, f"mutation {{ {text} }}", account=parent)
    assert [step["strategy"] for step in plan["steps"]] == ["look-up", "write"]
    assert (plan["steps"][-1]["min"], plan["steps"][-1]["max"]) == (1, 1)
    gateway.query(f"mutation {{ {text} }}", account=parent)
    asked = len(gateway.sandbox.requests())
    # It may be refused after the look-up. One look-up more: at a transfer, in the account that it
    # goes to, when it is not in the one that it leaves; at a release, how an emergency address is
    # registered, when there is one.
    spared = int(verb in {"transfer", "release"})
    assert plan["calls"] == {"min": 1, "max": asked + spared}


@pytest.mark.parametrize("way", ["header", "extension"])
def test_a_trace_shows_each_call_and_who_asked(gateway: RunningGateway, way: str) -> None:
    body: dict[str, Any] = {
        "query": """{ one: phoneNumbers(first: 2) { nodes { sid account { sid } } }
                      two: phoneNumbers(first: 2) { nodes { sid } } }"""
    }
    headers = {"X-Gateway-Explain": "trace"} if way == "header" else {}
    if way == "extension":
        body["extensions"] = {"explain": "trace"}
    gateway.query(
        "{ phoneNumbers(first: 1) { nodes { sid } } }"
    )  # Which API answers is known, then.
    gateway.sandbox.forget_requests()
    answer = gateway.post(body, headers=headers).json()
    assert len(answer["data"]["one"]["nodes"]) == 2
    trace = answer["extensions"]["upstream"]
    sent = [call for call in trace["calls"] if call["outcome"] == "sent"]
    seen = gateway.sandbox.requests()
    assert [(call["method"], call["path"], call["status"]) for call in sent] == [
        (request["method"], request["path"], request["status"]) for request in seen
    ]
    assert trace["sent"] == len(seen) == 2
    assert trace["naive"] == trace["sent"] + trace["saved"] == 4
    assert sent[1]["fields"] == ["one.nodes.account"]
    coalesced = [call for call in trace["calls"] if call["outcome"] == "coalesced"]
    assert sum(call["count"] for call in coalesced) == 2
    assert all(call["durationMs"] > 0 for call in sent)


def test_a_trace_tells_what_was_cached(gateway: RunningGateway) -> None:
    for _ in range(2):
        answer = gateway.execute("{ countries { code } }", headers={"X-Gateway-Explain": "trace"})
    [call] = answer["extensions"]["upstream"]["calls"]
    assert call["outcome"] == "cached"
    assert answer["extensions"]["upstream"]["sent"] == 0


def test_nothing_is_traced_in_production(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox, production=True) as gateway:
        answer = gateway.execute(
            "{ phoneNumbers(first: 1) { nodes { sid } } }", headers={"X-Gateway-Explain": "trace"}
        )
    assert answer["data"]["phoneNumbers"]["nodes"]
    assert "extensions" not in answer


def test_over_the_cap_is_refused_with_the_figures_before_any_call(sandbox: RunningSandbox) -> None:
    query = """query ($first: Int!) { phoneNumbers(first: $first) { nodes {
      similarAvailable(within: RATE_CENTER) { exhaustive } } } }"""
    with running_gateway(sandbox, most_calls=10) as gateway:
        gateway.query(query, {"first": 5})
        sandbox.forget_requests()
        answer = gateway.execute(query, {"first": 20})
    [error] = answer["errors"]
    assert error["extensions"] == {
        "code": "UPSTREAM_CALLS_EXCEEDED",
        "calls": {"min": 1, "max": 21},
        "allowed": 10,
    }
    assert sandbox.requests() == []


# Searches that the upstream cuts off --------------------------------------------------------------

WIDE = """query ($first: Int!, $filter: AvailablePhoneNumberFilter, $after: String) {
  availablePhoneNumbers(country: "US", first: $first, filter: $filter, after: $after) {
    nodes { phoneNumber } exhaustive pageInfo { hasNextPage endCursor } } }"""


def test_more_than_one_call_gives_can_be_had(gateway: RunningGateway) -> None:
    gateway.sandbox.set_switches(search_cap=30)
    data = gateway.query(WIDE, {"first": 200})["availablePhoneNumbers"]
    numbers = [node["phoneNumber"] for node in data["nodes"]]
    assert len(numbers) == len(set(numbers)) == 200
    assert data["exhaustive"] is False
    assert 1 < len(gateway.sandbox.requests()) <= 41


@pytest.fixture(scope="module")
def national(shared_sandbox: RunningSandbox) -> list[str]:
    """The local numbers of the US that can be bought, without +1: nothing here buys one of them."""
    return [each["national"] for each in shared_sandbox.inventory("US", "local", ("national",))]


@pytest.fixture(scope="module")
def places(national: list[str]) -> dict[str, set[str]]:
    """These numbers by area code."""
    found: dict[str, set[str]] = {}
    for each in national:
        found.setdefault(each[:3], set()).add(f"+1{each}")
    return found


def test_everything_is_found_when_the_allowance_reaches(
    sandbox: RunningSandbox, places: dict[str, set[str]]
) -> None:
    code = next(code for code, numbers in places.items() if 200 < len(numbers) < 600)
    sandbox.set_switches(search_cap=50)
    with running_gateway(sandbox, partition_calls=500) as gateway:
        data = gateway.query(WIDE, {"first": 1000, "filter": {"areaCodes": [code]}})
    found = data["availablePhoneNumbers"]
    assert {node["phoneNumber"] for node in found["nodes"]} == places[code]
    assert found["exhaustive"] is True
    assert found["pageInfo"]["hasNextPage"] is False


@pytest.mark.parametrize("first", [1000, 150])
def test_pages_go_on_where_the_allowance_of_the_one_before_was_used_up(
    gateway: RunningGateway, sandbox: RunningSandbox, places: dict[str, set[str]], first: int
) -> None:
    code = next(code for code, numbers in places.items() if 400 < len(numbers) < 600)
    sandbox.set_switches(search_cap=30)
    variables: dict[str, Any] = {"first": first, "filter": {"areaCodes": [code]}}
    found: list[str] = []
    more, pages = True, 0
    while more:
        sandbox.forget_requests()
        page = gateway.query(WIDE, variables)["availablePhoneNumbers"]
        assert len(sandbox.requests()) <= 41
        assert page["nodes"]
        found += [node["phoneNumber"] for node in page["nodes"]]
        variables["after"] = page["pageInfo"]["endCursor"]
        more, pages = page["pageInfo"]["hasNextPage"], pages + 1
        assert page["exhaustive"] is not more
    assert pages > 1
    assert len(found) == len(set(found))
    assert set(found) == places[code]


def test_a_cursor_of_a_search_that_nobody_has_made_is_refused(gateway: RunningGateway) -> None:
    gateway.sandbox.set_switches(search_cap=30)
    variables: dict[str, Any] = {"first": 1000, "filter": {"contains": "55"}}
    page = gateway.query(WIDE, variables)["availablePhoneNumbers"]["pageInfo"]
    assert page["hasNextPage"]
    made = cursors.decode(page["endCursor"])
    [seen] = made.seen
    seen = msgspec.structs.replace(seen, query=f"{seen.query}&InRegion=CA")
    forged = cursors.encode(msgspec.structs.replace(made, seen=(seen,)))
    gateway.sandbox.forget_requests()
    refused = gateway.error(WIDE, variables | {"after": forged})
    assert refused["extensions"]["code"] == "BAD_USER_INPUT"
    assert gateway.sandbox.requests() == []


def test_it_stops_at_the_allowance_and_says_so(sandbox: RunningSandbox) -> None:
    sandbox.set_switches(search_cap=30)
    with running_gateway(sandbox, partition_calls=0) as gateway:
        data = gateway.query(WIDE, {"first": 200})["availablePhoneNumbers"]
    assert len(data["nodes"]) == 30
    assert data["exhaustive"] is False
    assert len(sandbox.requests()) == 1


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("555", "555"), ("5*5%", "5.5"), ("+1212*55", "^212.55"), ("EPIC", "3742")],
)
def test_a_pattern_of_the_clients_own_is_split_too(
    sandbox: RunningSandbox, national: list[str], pattern: str, matches: str
) -> None:
    expected = {number for number in national if re.search(matches, number)}
    sandbox.set_switches(search_cap=30)
    with running_gateway(sandbox) as gateway:
        data = gateway.query(WIDE, {"first": 200, "filter": {"contains": pattern}})
    found = [node["phoneNumber"][2:] for node in data["availablePhoneNumbers"]["nodes"]]
    assert len(found) == len(set(found)) == min(200, len(expected))
    assert set(found) <= expected
    assert data["availablePhoneNumbers"]["exhaustive"] is (len(expected) <= 200)
    assert len(sandbox.requests()) <= 41


def test_all_matches_of_a_pattern_are_found_beyond_a_thousand(
    sandbox: RunningSandbox, national: list[str]
) -> None:
    numbers = {f"+1{each}" for each in national if "31" in each}
    assert len(numbers) > 1000
    found: set[str] = set()
    after, more = None, True
    with running_gateway(sandbox) as gateway:
        while more:
            variables = {"first": 1000, "filter": {"contains": "31"}, "after": after}
            page = gateway.query(WIDE, variables)["availablePhoneNumbers"]
            found |= {node["phoneNumber"] for node in page["nodes"]}
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert found == numbers
    assert page["exhaustive"] is True


def test_a_pattern_that_cannot_be_split_says_that_more_may_be_there(
    gateway: RunningGateway,
) -> None:
    gateway.sandbox.set_switches(search_cap=30)
    data = gateway.query(WIDE, {"first": 200, "filter": {"contains": "55$"}})
    assert len(data["availablePhoneNumbers"]["nodes"]) == 30
    assert data["availablePhoneNumbers"]["exhaustive"] is False
    assert data["availablePhoneNumbers"]["pageInfo"]["hasNextPage"] is False
    assert len(gateway.sandbox.requests()) == 1


# Concurrency --------------------------------------------------------------------------------------


def most_at_once(sandbox: RunningSandbox) -> int:
    """Return how many requests the sandbox had in progress together, at most."""
    moments = [
        moment
        for request in sandbox.requests()
        for moment in (
            (request["started"], 1),
            (request["started"] + request["duration_ms"] / 1000, -1),
        )
    ]
    most = now = 0
    for _, change in sorted(moments):
        now += change
        most = max(most, now)
    return most


def fan_out(codes: int) -> dict[str, Any]:
    """Return a request that needs so many searches."""
    return {
        "query": """query ($codes: [String!]) { availablePhoneNumbers(
          country: "US", first: 1, filter: {areaCodes: $codes}) { branchErrors { code } } }""",
        "variables": {
            "codes": [str(code) for code in (*range(480, 487), *range(520, 548))][:codes]
        },
    }


def test_calls_of_one_account_are_bounded(sandbox: RunningSandbox) -> None:
    sandbox.set_faults([{"kind": "latency", "latency_ms": 60, "path": "*", "count": None}])
    with running_gateway(sandbox, concurrency=4, concurrency_most=4) as gateway:
        [answer] = burst(gateway, [fan_out(24)], [gateway.account])
    assert answer["data"]["availablePhoneNumbers"]["branchErrors"] == []
    assert len(sandbox.requests()) == 24
    assert most_at_once(sandbox) <= 4


def test_a_request_with_one_call_does_not_wait_for_one_with_many(sandbox: RunningSandbox) -> None:
    with (
        running_gateway(sandbox, concurrency=2, concurrency_most=2) as gateway,
        ThreadPoolExecutor(3) as pool,
    ):
        assert gateway.parts is not None
        gateway.query("{ account { sid } }")
        [limiter] = gateway.parts.client.limiters()
        sandbox.forget_requests()
        limiter.limit = 0.5  # All wait, in the order in which they came.
        many = pool.submit(gateway.post, fan_out(24))
        until(lambda: limiter.waiting == 24)
        single: list[dict[str, Any]] = [{"query": '{ country(code: "US") { code } }'}, fan_out(1)]
        # Nobody else asks for it; a search waits with the searches.
        single[1]["variables"]["codes"] = ["602"]
        few = []
        for body in single:
            few.append(pool.submit(gateway.post, body))
            until(lambda: limiter.waiting == 24 + len(few))
        limiter.limit = 2
        (first, *_), *_ = limiter._queues.values()
        first.get_loop().call_soon_threadsafe(limiter._wake)
        assert all("errors" not in each.result().json() for each in (many, *few))
    asked = sandbox.requests()
    assert any(each["path"].endswith("/US.json") for each in asked[:4])
    assert any(["AreaCode", "602"] in each["query"] for each in asked[:4])


def test_an_upstream_that_has_enough_is_asked_less(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True)
    with running_gateway(sandbox, account=account, concurrency=40, concurrency_most=40) as gateway:
        sandbox.set_faults(
            [
                {"kind": "429", "path": "*", "count": 6, "retry_after": 0.05},
                {"kind": "latency", "latency_ms": 40, "path": "*", "count": None},
            ]
        )
        burst(gateway, [fan_out(30)], [account])
        seen = [request["status"] for request in sandbox.requests()]
        assert seen.count(429) == 6
        sandbox.forget_requests()
        [answer] = burst(gateway, [fan_out(30)], [account])
    assert answer["data"]["availablePhoneNumbers"]["branchErrors"] == []
    # Six refusals, a third less each: 40 → 3 or 4 at once, rising by one for each full round.
    assert most_at_once(sandbox) < 20
