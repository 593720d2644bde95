"""What the gateway has learnt of an account bounds plans and costs, and never lets anything through.

What a bound rests on is said; once real counts are known they win.
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

SUBACCOUNTS = """query ($first: Int = 1000) {
  account { subaccounts(first: $first) { nodes { phoneNumbers(first: 1) { nodes { sid } } } } }
}"""
LISTED = "{ account { subaccounts(first: 1000) { nodes { sid } } } }"
OWNED = """{
  phoneNumbers(first: 20) { nodes { similarAvailable(within: REGION, first: 1) { nodes { phoneNumber } } } }
}"""
NODE = "query ($id: ID!) { node(id: $id) { id } }"
MISSING = {"id": "PN" + "0" * 32}
MANY = 30


def plan(
    gateway: RunningGateway,
    account: SandboxAccount,
    query: str,
    variables: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the plan of an operation."""
    headers = {"X-Gateway-Explain": "plan"}
    answer = gateway.execute(query, variables, account=account, headers=headers)
    planned: dict[str, Any] = answer["extensions"]["plan"]
    return planned


def bounds(planned: dict[str, Any]) -> set[str]:
    """Return what the steps of a plan rest on."""
    return {step["bound"] for step in planned["steps"] if "bound" in step}


def family(sandbox: RunningSandbox, *, catalog: bool) -> SandboxAccount:
    """Make an account with two subaccounts."""
    parent = sandbox.create_account(catalog=catalog, owned=3)
    for _ in range(2):
        sandbox.create_account(catalog=catalog, owner_account_sid=parent.sid, owned=1)
    return parent


@pytest.mark.parametrize("catalog", [True, False])
def test_a_bound_says_what_it_rests_on_until_the_real_count_is_known(
    gateway: RunningGateway, sandbox: RunningSandbox, *, catalog: bool
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=3)
    before = plan(gateway, account, OWNED)
    assert "up to 20 numbers assumed" in bounds(before)
    gateway.execute("{ phoneNumbers(first: 10) { nodes { sid } } }", account=account)
    after = plan(gateway, account, OWNED)
    assert "this account has 3 numbers" in bounds(after)
    searches = [step["max"] for step in after["steps"] if step["strategy"] == "search"]
    assert searches == [3]
    assert after["calls"]["max"] < before["calls"]["max"]
    assert after["cost"] < before["cost"]
    ran = gateway.execute(OWNED, account=account, headers={"X-Gateway-Explain": "trace"})
    assert ran["extensions"]["upstream"]["sent"] <= after["calls"]["max"]


def test_a_look_for_a_number_elsewhere_is_bounded_by_the_subaccounts_that_there_are(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    parent = family(sandbox, catalog=False)
    before = plan(gateway, parent, NODE, MISSING)
    assert "up to 39 subaccounts assumed" in bounds(before)
    ran = gateway.execute(NODE, MISSING, account=parent)
    assert ran["data"] == {"node": None}
    after = plan(gateway, parent, NODE, MISSING)
    assert "this account has 2 subaccounts" in bounds(after)
    assert [step["max"] for step in after["steps"] if step["strategy"] == "elsewhere"] == [3]
    gateway.execute(NODE, {"id": "PN" + "1" * 32}, account=parent)


def test_what_would_cost_too_much_for_anybody_runs_for_an_account_that_is_known_to_be_small(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    parent = family(sandbox, catalog=False)
    refused = gateway.execute(SUBACCOUNTS, account=parent)["errors"][0]
    assert refused["extensions"]["code"] == "LIMIT_EXCEEDED"
    gateway.execute(LISTED, account=parent)
    found = gateway.execute(SUBACCOUNTS, account=parent)
    assert len(found["data"]["account"]["subaccounts"]["nodes"]) == 2
    planned = plan(gateway, parent, SUBACCOUNTS)
    assert planned["cost"] < 100
    assert planned["calls"]["max"] < 10
    assert "this account has 2 subaccounts" in bounds(planned)
    # It is known of this account alone.
    other = family(sandbox, catalog=False)
    assert "errors" in gateway.execute(SUBACCOUNTS, account=other)


def test_what_is_refused_is_told_the_cost_of_its_plan(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    """Whether it costs too much for anybody or, with its variables, for this account."""
    account = sandbox.create_account(owned=3)
    nested = """phoneNumbers(first: %s) { nodes {
      similarAvailable(within: REGION, first: 20) { nodes { phoneNumber } } } }"""
    search = 'availablePhoneNumbers(country: "US", first: 200) { nodes { phoneNumber } }'
    explain = {"X-Gateway-Explain": "plan"}
    with running_gateway(sandbox, cost_limit=100) as strict:
        for text, variables in (
            (f"{{ {nested % 50} {search} }}", {}),
            (f"query ($first: Int!) {{ {nested % '$first'} {search} }}", {"first": 50}),
        ):
            planned = gateway.execute(text, variables, account=account, headers=explain)
            cost = planned["extensions"]["plan"]["cost"]
            refused = strict.error(text, variables, account=account, headers=explain)
            assert refused["extensions"]["actual"] == cost
            assert f"up to {cost} objects" in refused["message"]


def test_a_count_that_is_exceeded_does_not_let_an_operation_make_more_calls_than_were_foreseen(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    parent = family(sandbox, catalog=False)
    gateway.execute(LISTED, account=parent)
    foreseen = plan(gateway, parent, SUBACCOUNTS)["calls"]["max"]
    for _ in range(MANY):
        sandbox.create_account(catalog=False, owner_account_sid=parent.sid)
    sandbox.forget_requests()
    answer = gateway.execute(SUBACCOUNTS, account=parent)
    codes = {error["extensions"]["code"] for error in answer["errors"]}
    assert codes == {"UPSTREAM_CALLS_EXCEEDED"}
    assert len(sandbox.requests()) <= 2 * foreseen < MANY
    # By now it is known better, and so many calls are foreseen.
    found = gateway.execute(SUBACCOUNTS, account=parent)
    assert len(found["data"]["account"]["subaccounts"]["nodes"]) == 2 + MANY


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("catalog", [True, False])
def test_a_count_that_is_exceeded_does_not_let_an_operation_yield_more_than_is_allowed(
    sandbox: RunningSandbox, *, catalog: bool, fast: bool
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=2)
    query = """{ phoneNumbers(first: 1000) { nodes {
      similarAvailable(within: REGION, first: 20) { nodes { phoneNumber } } } } }"""
    with running_gateway(sandbox, cost_limit=100, fast=fast) as gateway:
        gateway.execute("{ phoneNumbers(first: 20) { nodes { sid } } }", account=account)
        assert gateway.query(query, account=account)["phoneNumbers"]["nodes"]
        for _ in range(8):
            sandbox.put_number(account.sid)
        sandbox.forget_requests()
        answer = gateway.execute(query, account=account)
        assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert answer["errors"][0]["extensions"]["limit"] == "cost"
        assert answer["data"] == {"phoneNumbers": None}
        # The list was read, and no search was made for what is in it.
        assert not [each for each in sandbox.requests() if "vailable" in each["path"]]


@pytest.mark.parametrize("catalog", [True, False])
def test_a_plan_tells_a_stranger_nothing_of_what_others_have_read(
    gateway: RunningGateway, sandbox: RunningSandbox, *, catalog: bool
) -> None:
    """A plan asks the upstream nothing, so nobody has seen whether the credentials are good."""
    account = sandbox.create_account(catalog=catalog, owned=3)
    gateway.query("{ phoneNumbers(first: 10) { nodes { sid } } }", account=account)
    assert "this account has 3 numbers" in bounds(plan(gateway, account, OWNED))
    stranger = replace(account, auth_token="0" * 32)
    told = plan(gateway, stranger, OWNED)
    assert bounds(told) == {"up to 20 numbers assumed"}
    other = sandbox.create_account(catalog=False)
    gateway.query("{ account { sid } }", account=other)
    named = OWNED.replace("first: 20", f'accountSid: "{account.sid}", first: 20')
    assert "up to 20 numbers assumed" in bounds(plan(gateway, other, named))
