"""Every list that can grow is a connection: bounded, priced, filtered and paged alike."""

from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

PLAN = {"X-Gateway-Explain": "plan"}
SUBACCOUNTS = 9


@pytest.fixture(scope="module")
def parent(shared_sandbox: RunningSandbox) -> SandboxAccount:
    """An account with subaccounts, each of which has numbers."""
    account = shared_sandbox.create_account(catalog=True, owned=6)
    for _ in range(SUBACCOUNTS):
        shared_sandbox.create_account(catalog=True, owned=2, owner_account_sid=account.sid)
    return account


def calls(
    gateway: RunningGateway, query: str, account: SandboxAccount, **variables: Any
) -> tuple[dict[str, int], int, Any]:
    """Return what a plan says of the calls, how many were made, and the data."""
    options: dict[str, Any] = {"account": account}
    planned = gateway.execute(query, variables, headers=PLAN, **options)
    assert "errors" not in planned, planned
    gateway.sandbox.forget_requests()
    data = gateway.query(query, variables, **options)
    return planned["extensions"]["plan"]["calls"], len(gateway.sandbox.requests()), data


@pytest.mark.parametrize("first", [3, SUBACCOUNTS, 1000])
def test_what_is_below_subaccounts_is_bounded_by_how_many_are_asked_for(
    gateway: RunningGateway, parent: SandboxAccount, first: int
) -> None:
    query = """query ($first: Int) { account { subaccounts(first: $first) { nodes { sid
      phoneNumbers(first: 1) { nodes { accountSid } } } } } }"""
    if first == 1000:
        query = query.replace(
            " sid\n      phoneNumbers(first: 1) { nodes { accountSid } }", " sid "
        )
    plan, made, data = calls(gateway, query, parent, first=first)
    found = data["account"]["subaccounts"]["nodes"]
    assert len(found) == min(first, SUBACCOUNTS)
    below = 0 if first == 1000 else first
    assert made <= plan["max"] == 2 + below + int(first == 1000)
    for each in found if below else ():
        assert [number["accountSid"] for number in each["phoneNumbers"]["nodes"]] == [each["sid"]]


def test_who_is_no_parent_is_not_asked_for_subaccounts(
    gateway: RunningGateway, parent: SandboxAccount
) -> None:
    child = next(
        each
        for each in gateway.sandbox.all_accounts()
        if each.owner_account_sid == parent.sid != each.sid
    )
    query = """query ($sid: ID!) { account(sid: $sid) { sid subaccounts {
      nodes { sid } pageInfo { hasNextPage hasPreviousPage startCursor } } } }"""
    plan, made, data = calls(gateway, query, parent, sid=child.sid)
    assert data["account"]["subaccounts"]["nodes"] == []
    assert (plan["max"], made) == (1, 1)


@pytest.mark.parametrize("filter_", [{"type": "TOLL_FREE"}, {"contains": "55"}, {"region": "CA"}])
def test_an_accounts_numbers_take_the_filters_and_cost_what_the_same_query_of_numbers_costs(
    gateway: RunningGateway, filter_: dict[str, Any]
) -> None:
    account = gateway.account
    numbers = "phoneNumbers(filter: $filter, first: 4) { nodes { sid } pageInfo { endCursor } }"
    declared = "query ($filter: PhoneNumberFilter)"
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")  # Which APIs it has is known.
    plan, made, data = calls(gateway, f"{declared} {{ {numbers} }}", account, filter=filter_)
    other, others, below = calls(
        gateway, f"{declared} {{ account {{ {numbers} }} }}", account, filter=filter_
    )
    assert below["account"]["phoneNumbers"] == data["phoneNumbers"]
    assert data["phoneNumbers"]["nodes"]
    assert (other["max"], others) == (plan["max"] + 1, made + 1)
    _, both, _ = calls(
        gateway, f"{declared} {{ account {{ {numbers} }} {numbers} }}", account, filter=filter_
    )
    assert both == made + 1
    wrong = {"filter": {"contains": "%"}}
    refused = [
        gateway.error(query, wrong, headers=headers)["message"]
        for query in (f"{declared} {{ {numbers} }}", f"{declared} {{ account {{ {numbers} }} }}")
        for headers in ({}, PLAN)
    ]
    assert len(set(refused)) == 1


FOUND = "{ nodes { phoneNumber } pageInfo { hasNextPage hasPreviousPage endCursor } }"
SEARCHES = {
    "country": (
        f"""country(code: "US") {{
          availablePhoneNumbers(type: TOLL_FREE, first: $first, after: $after) {FOUND} }}""",
        ("country", "availablePhoneNumbers"),
    ),
    "similar": (
        f"""phoneNumber(sid: $sid) {{
          similarAvailable(within: REGION, first: $first, after: $after) {FOUND} }}""",
        ("phoneNumber", "similarAvailable"),
    ),
    "nearby": (
        f"""phoneNumber(sid: $sid) {{ similarAvailable(
            within: NEARBY, withinMiles: 100, first: $first, after: $after) {FOUND} }}""",
        ("phoneNumber", "similarAvailable"),
    ),
}


@pytest.fixture
def local(gateway: RunningGateway) -> str:
    """The sid of a number of the parent that others are like."""
    found = gateway.query(
        "{ phoneNumbers(filter: {type: LOCAL}, first: 50) { nodes { sid geography { isoCountry"
        " region } } } }"
    )["phoneNumbers"]["nodes"]
    return next(
        str(each["sid"]) for each in found if each["geography"] and each["geography"]["region"]
    )


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_continues_behind_a_cursor(
    gateway: RunningGateway, local: str, name: str
) -> None:
    text, path = SEARCHES[name]
    of_number = "$sid)" in text
    declared = f"query ($first: Int!, $after: String{', $sid: ID!' if of_number else ''})"
    query = f"{declared} {{ {text} }}"
    sid = {"sid": local} if of_number else {}

    def ask(first: int, after: str | None) -> Any:
        variables = {"first": first, "after": after} | sid
        plan, made, data = calls(gateway, query, gateway.account, **variables)
        assert plan["min"] <= made <= plan["max"]
        return data[path[0]][path[1]]

    whole = ask(12, None)["nodes"]
    assert len(whole) == 12
    found: list[Any] = []
    after = None
    for _ in range(3):
        page = ask(4, after)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert found == whole
    for headers in ({}, PLAN):
        error = gateway.error(query, {"first": 4, "after": "x"} | sid, headers=headers)
        assert error["extensions"]["argument"] == "after"


def test_a_cursor_of_one_country_stops_the_search_of_no_other_country(
    gateway: RunningGateway,
) -> None:
    """A plan cannot know of which of the countries it is."""
    search = f"availablePhoneNumbers(first: 2, after: $after) {FOUND}"
    one = f'query ($after: String) {{ country(code: "US") {{ {search} }} }}'
    page = gateway.query(one)["country"]["availablePhoneNumbers"]
    query = f"query ($after: String) {{ countries {{ code {search} }} }}"
    variables = {"after": page["pageInfo"]["endCursor"]}
    assert "errors" not in gateway.execute(query, variables, headers=PLAN)
    body = gateway.execute(query, variables)
    found = {each["code"]: each["availablePhoneNumbers"] for each in body["data"]["countries"]}
    assert len(found["US"]["nodes"]) == 2
    assert {error["path"][1] for error in body["errors"]} == {
        at for at, code in enumerate(found) if code != "US"
    }


def test_a_country_is_an_object_that_its_id_fetches_again(gateway: RunningGateway) -> None:
    """So that clients can page what is below it by itself."""
    query = f"""query ($id: ID!, $after: String) {{ node(id: $id) {{ __typename id
      ... on Country {{ code availablePhoneNumbers(first: 2, after: $after) {FOUND} }} }} }}"""
    plan, made, data = calls(gateway, query, gateway.account, id="US")
    assert plan["min"] <= made <= plan["max"] <= 2
    assert data["node"]["__typename"] == "Country"
    assert data["node"]["id"] == data["node"]["code"] == "US"
    after = data["node"]["availablePhoneNumbers"]["pageInfo"]["endCursor"]
    behind = gateway.query(query, {"id": "US", "after": after})["node"]["availablePhoneNumbers"]
    assert len(behind["nodes"]) == 2
    assert gateway.query(query, {"id": "AQ"})["node"] is None
    several = 'nodes(ids: ["GB", "US"]) { id ... on Country { name } }'
    listed = gateway.query(f'{{ {several} country(code: "US") {{ id }} countries {{ id code }} }}')
    assert [each["id"] for each in listed["nodes"]] == ["GB", "US"]
    assert listed["country"]["id"] == "US"
    assert all(each["id"] == each["code"] for each in listed["countries"])
