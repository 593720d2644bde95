"""Numbers by their ids, whichever account they are in by now; and which accounts are asked."""

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import mutate
from tests.support.tokens import TOKENS_MODE, ask, token

NODE = "query ($id: ID!) { node(id: $id) { id ... on PhoneNumber { sid accountSid } } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on PhoneNumber { accountSid } } }"
LIST = "query ($a: ID) { phoneNumbers(first: 50, accountSid: $a) { nodes { id } } }"
PLAN = {"X-Gateway-Explain": "plan"}


class Family(NamedTuple):
    """A parent with three subaccounts."""

    sandbox: RunningSandbox
    parent: SandboxAccount
    subs: list[SandboxAccount]

    def number(self, account: SandboxAccount) -> str:
        """Return the id of a number that an account has."""
        sid: str = self.sandbox.put_number(account.sid)["sid"]
        return sid

    def move(self, sid: str, there: SandboxAccount, to: SandboxAccount) -> None:
        """Transfer a number without the gateway."""
        path = f"/2010-04-01/Accounts/{there.sid}/IncomingPhoneNumbers/{sid}.json"
        answer = self.sandbox.client.post(path, data={"AccountSid": to.sid}, auth=self.parent.auth)
        answer.raise_for_status()

    def asked(self) -> list[str]:
        """Return the accounts that were asked since, by their places here, and forget them.

        "all" is the list of accounts; "nobody" is whom the upstream does not know.
        """
        sids = {each.sid: str(place) for place, each in enumerate(self.subs)}
        sids[self.parent.sid] = "parent"
        asked = []
        for each in self.sandbox.requests():
            path = each["path"]
            if path.endswith("/Accounts.json"):
                asked.append("all")
            elif "/Accounts/" in path:
                asked.append(sids[path.split("/Accounts/")[1][:34]])
            else:
                asked.append(sids.get(each["account"], "nobody"))
        self.sandbox.forget_requests()
        return asked


@pytest.fixture(params=[True, False], ids=["catalog", "core"])
def family(
    request: pytest.FixtureRequest, gateway: RunningGateway, sandbox: RunningSandbox
) -> Family:
    catalog = request.param
    parent = sandbox.create_account(role="family", owned=2, catalog=catalog)
    subs = [
        sandbox.create_account(
            role="family", catalog=catalog, owner_account_sid=parent.sid, friendly_name=str(place)
        )
        for place in range(3)
    ]
    # So that it is known which family serves the parent.
    gateway.query(LIST, account=parent)
    sandbox.forget_requests()
    return Family(sandbox, parent, subs)


def find(gateway: RunningGateway, family: Family, sid: str) -> str | None:
    """Return the account in which a number is found by its id; None when it is in none."""
    node = gateway.query(NODE, {"id": sid}, account=family.parent)["node"]
    assert node is None or node["id"] == node["sid"] == sid
    return node and str(node["accountSid"])


def test_a_number_keeps_its_id_when_it_is_transferred_and_is_found_at_once(
    gateway: RunningGateway, family: Family
) -> None:
    sid = family.number(family.parent)
    there = family.subs[1]
    variables = {"sid": sid, "toAccountSid": there.sid}
    moved = mutate(gateway, family.parent, "transferPhoneNumber", **variables)
    assert moved["phoneNumber"]["sid"] == sid
    family.asked()
    assert find(gateway, family, sid) == there.sid
    assert family.asked() == ["1"]
    back = {"sid": sid, "accountSid": there.sid, "toAccountSid": family.parent.sid}
    mutate(gateway, family.parent, "transferPhoneNumber", **back)
    family.asked()
    assert find(gateway, family, sid) == family.parent.sid
    assert family.asked() == ["parent"]


def test_a_number_that_was_moved_elsewhere_is_looked_for_in_the_subaccounts(
    gateway: RunningGateway, family: Family
) -> None:
    sid = family.number(family.parent)
    family.move(sid, family.parent, family.subs[2])
    family.asked()
    assert find(gateway, family, sid) == family.subs[2].sid
    assert sorted(family.asked()) == ["0", "1", "2", "all", "parent"]
    # Then it is known where it is,
    assert find(gateway, family, sid) == family.subs[2].sid
    assert family.asked() == ["2"]
    # until it is moved again.
    family.move(sid, family.subs[2], family.subs[0])
    family.asked()
    assert find(gateway, family, sid) == family.subs[0].sid
    assert family.asked()[:2] == ["2", "parent"]
    family.move(sid, family.subs[0], family.parent)
    family.asked()
    assert find(gateway, family, sid) == family.parent.sid
    assert family.asked() == ["0", "parent"]
    assert find(gateway, family, sid) == family.parent.sid
    assert family.asked() == ["parent"]


def test_what_was_listed_in_a_subaccount_is_asked_for_there(
    gateway: RunningGateway, family: Family
) -> None:
    sids = {family.number(family.subs[0]) for _ in range(3)}
    listed = gateway.query(LIST, {"a": family.subs[0].sid}, account=family.parent)
    assert {each["id"] for each in listed["phoneNumbers"]["nodes"]} == sids
    family.asked()
    found = gateway.query(NODES, {"ids": [*sids]}, account=family.parent)["nodes"]
    assert {each["accountSid"] for each in found} == {family.subs[0].sid}
    assert set(family.asked()) == {"0"}


def test_a_number_that_is_nowhere_is_null(gateway: RunningGateway, family: Family) -> None:
    sid = family.number(family.subs[1])
    assert find(gateway, family, sid) == family.subs[1].sid
    gone = {"sid": sid, "accountSid": family.subs[1].sid}
    number = family.sandbox.numbers(family.subs[1].sid)[0]["phone_number"]
    gone["confirmPhoneNumber"] = number
    assert mutate(gateway, family.parent, "releasePhoneNumber", **gone) == {
        "releasedId": sid,
        "userErrors": [],
    }
    assert find(gateway, family, sid) is None
    assert find(gateway, family, "PN" + "0" * 32) is None


def test_many_numbers_of_other_accounts_cost_a_page_of_each(
    gateway: RunningGateway, family: Family
) -> None:
    own = [family.number(family.parent) for _ in range(25)]
    moved = [family.number(family.subs[place % 2]) for place in range(25)]
    gateway.query(LIST, account=family.parent)
    family.asked()
    found = gateway.query(NODES, {"ids": own + moved}, account=family.parent)["nodes"]
    assert [each["id"] for each in found] == own + moved
    asked = family.asked()
    assert sorted(asked) == ["0", "1", "2", "all", "parent"]


@pytest.fixture(scope="module")
def bounded(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that makes two calls to look in other accounts."""
    with running_gateway(shared_sandbox, subaccount_calls=2) as gateway:
        yield gateway


def test_what_cannot_be_looked_for_everywhere_is_no_null_without_an_error(
    bounded: RunningGateway, family: Family
) -> None:
    sids = [family.number(family.subs[0]), "PN" + "0" * 32]
    plan = bounded.execute(NODES, {"ids": sids}, account=family.parent, headers=PLAN)
    [step] = [
        each for each in plan["extensions"]["plan"]["steps"] if each["strategy"] == "elsewhere"
    ]
    assert (step["field"], step["min"], step["max"]) == ("nodes", 0, 2)
    answer = bounded.execute(NODES, {"ids": sids}, account=family.parent)
    found, missing = answer["data"]["nodes"]
    assert found["accountSid"] == family.subs[0].sid
    assert missing is None
    [error] = answer["errors"]
    assert error["path"] == ["nodes", 1]
    assert error["extensions"] == {"code": "UPSTREAM_CALLS_EXCEEDED", "allowed": 2}
    assert "accountSid" in error["message"]
    asked = family.asked()
    assert (asked.count("all"), asked.count("0"), len({*asked} - {"parent"})) == (1, 1, 2)


def test_no_more_calls_are_made_for_it_than_an_operation_may_make(
    shared_sandbox: RunningSandbox, family: Family
) -> None:
    sid = family.number(family.subs[0])
    with running_gateway(shared_sandbox, most_calls=5) as gateway:
        gateway.query(LIST, account=family.parent)
        family.asked()
        plan = gateway.execute(NODE, {"id": sid}, account=family.parent, headers=PLAN)
        assert plan["extensions"]["plan"]["calls"] == {"min": 1, "max": 5}
        assert find(gateway, family, sid) == family.subs[0].sid
        assert len(family.asked()) == 5


def test_with_0_calls_for_it_the_callers_own_account_alone_is_asked(
    shared_sandbox: RunningSandbox, family: Family
) -> None:
    sid = family.number(family.subs[0])
    with running_gateway(shared_sandbox, subaccount_calls=0) as gateway:
        assert find(gateway, family, sid) is None
        assert set(family.asked()) == {"parent"}
        gateway.query(LIST, {"a": family.subs[0].sid}, account=family.parent)
        family.asked()
        assert find(gateway, family, sid) == family.subs[0].sid
        assert family.asked() == ["0"]


def test_a_bearer_has_no_account_asked_that_its_token_does_not_name(
    shared_sandbox: RunningSandbox, family: Family
) -> None:
    tokens: dict[str, Any] = {
        **TOKENS_MODE,
        "account_sid": family.parent.sid,
        "auth_token": family.parent.auth_token,
    }
    first, second, third = family.subs
    sid = family.number(second)
    every = token(*(each.sid for each in (family.parent, *family.subs)))
    some = token(first.sid, third.sid)
    with running_gateway(shared_sandbox, **tokens) as gateway:
        seen: Any = ask(gateway, every, NODE, {"id": sid}).json()
        assert seen["data"]["node"]["accountSid"] == second.sid
        family.asked()
        # Where others have seen it is no help.
        hidden = ask(gateway, some, NODE, {"id": sid}).json()
        assert hidden == {"data": {"node": None}}
        assert sorted(family.asked()) == ["0", "2", "all"]
        alone = ask(gateway, token(first.sid), NODE, {"id": sid}).json()
        assert alone == {"data": {"node": None}}
        assert family.asked() == ["0"]
        family.move(sid, second, third)
        family.asked()
        found: Any = ask(gateway, some, NODE, {"id": sid}).json()
        assert found["data"]["node"]["accountSid"] == third.sid
        # An id of before 0.2 says an account; that it may not be named is not told.
        before = base64.urlsafe_b64encode(f"PhoneNumber:{second.sid}:{sid}".encode()).decode()
        found = ask(gateway, some, NODE, {"id": before.rstrip("=")}).json()
        assert found["data"]["node"] == {"id": sid, "sid": sid, "accountSid": third.sid}
        assert "1" not in family.asked()


def test_whoever_makes_up_a_credential_does_not_learn_where_a_number_is(
    gateway: RunningGateway, family: Family
) -> None:
    sid = family.number(family.subs[1])
    assert find(gateway, family, sid) == family.subs[1].sid
    family.asked()
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json={"query": NODE, "variables": {"id": sid}},
        auth=httpx.BasicAuth(family.parent.sid, "0" * 32),
    ).json()
    assert answer["data"] == {"node": None}
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"
    assert family.subs[1].sid not in str(answer)
    assert set(family.asked()) <= {"parent", "nobody"}


def test_a_subaccounts_own_credentials_and_an_api_key_reach_no_other_account(
    gateway: RunningGateway, family: Family
) -> None:
    parent, sub = family.parent, family.subs[0]
    sid = family.number(parent)
    assert gateway.query(NODE, {"id": sid}, account=sub) == {"node": None}
    assert set(family.asked()) <= {"0", "all"}
    moved = family.number(family.subs[1])
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json={"query": NODE, "variables": {"id": moved}},
        auth=httpx.BasicAuth(parent.api_key["sid"], parent.api_key["secret"]),
        headers={"X-Account-Sid": parent.sid},
    ).json()
    assert answer == {"data": {"node": None}}
    assert set(family.asked()) == {"parent"}


def test_in_open_mode_a_request_for_a_subaccount_finds_what_its_parent_has(
    shared_sandbox: RunningSandbox, family: Family
) -> None:
    own: dict[str, Any] = {
        "account_sid": family.parent.sid,
        "auth_token": family.parent.auth_token,
    }
    sid = family.number(family.parent)
    with running_gateway(shared_sandbox, auth="open", **own) as gateway:
        headers = {"X-Account-Sid": family.subs[0].sid}
        body = {"query": NODE, "variables": {"id": sid}}
        answer = gateway.http.post(f"{gateway.url}/graphql", json=body, headers=headers).json()
        assert answer["data"]["node"]["accountSid"] == family.parent.sid
        family.asked()
        answer = gateway.http.post(f"{gateway.url}/graphql", json=body, headers=headers).json()
        assert answer["data"]["node"]["accountSid"] == family.parent.sid
        assert set(family.asked()) == {"parent"}


def test_an_account_that_was_closed_since_does_not_hide_where_a_number_is(
    gateway: RunningGateway, family: Family
) -> None:
    sid = family.number(family.subs[0])
    assert find(gateway, family, sid) == family.subs[0].sid
    family.move(sid, family.subs[0], family.subs[1])
    inactive = {"kind": "status", "status": 401, "body": {"code": 20005, "message": "Closed"}}
    path = f"/2010-04-01/Accounts/{family.subs[0].sid}/*"
    family.sandbox.set_faults([{**inactive, "path": path, "count": None}])
    assert find(gateway, family, sid) == family.subs[1].sid


@pytest.mark.parametrize("known", [False, True], ids=["cold", "warm"])
def test_looking_for_numbers_costs_what_was_planned(
    gateway: RunningGateway, family: Family, *, known: bool
) -> None:
    sids = [family.number(each) for each in (family.parent, *family.subs)]
    if known:
        gateway.query(NODES, {"ids": sids}, account=family.parent)
    fields = " ".join(f'f{place}: node(id: "{sid}") {{ id }}' for place, sid in enumerate(sids))
    for query in (f"{{ {fields} }}", NODES):
        variables = {"ids": sids} if query is NODES else {}
        plan = gateway.execute(query, variables, account=family.parent, headers=PLAN)
        family.asked()
        gateway.query(query, variables, account=family.parent)
        calls = plan["extensions"]["plan"]["calls"]
        assert calls["min"] <= len(family.asked()) <= calls["max"], plan


def unavailable(account: SandboxAccount) -> dict[str, Any]:
    """Return a fault: whatever is asked of an account fails."""
    path = f"/2010-04-01/Accounts/{account.sid}/*"
    return {"kind": "status", "status": 500, "path": path, "count": None}


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_a_suspended_or_closed_subaccount_is_not_asked_and_hides_nothing(
    gateway: RunningGateway, family: Family, status: str
) -> None:
    idle = family.sandbox.create_account(
        role="family", owner_account_sid=family.parent.sid, status=status, owned=1
    )
    hidden = family.sandbox.numbers(idle.sid)[0]["sid"]
    somewhere = family.number(family.subs[1])
    unknown = "PN" + "0" * 32
    assert find(gateway, family, unknown) is None
    asked = family.asked()
    assert (asked.count("all"), {*asked}) == (1, {"parent", "all", "0", "1", "2"})
    ids = [hidden, somewhere, unknown]
    found = gateway.query(NODES, {"ids": ids}, account=family.parent)["nodes"]
    assert found == [None, {"id": somewhere, "accountSid": family.subs[1].sid}, None]
    assert "nobody" not in family.asked()


def test_a_suspended_account_is_no_error_though_the_id_names_it(
    gateway: RunningGateway, family: Family
) -> None:
    idle = family.sandbox.create_account(
        role="family", owner_account_sid=family.parent.sid, status="suspended"
    )
    sid = family.number(family.subs[2])
    # As before 0.2.
    named = base64.urlsafe_b64encode(f"PhoneNumber:{idle.sid}:{sid}".encode()).decode()
    found = gateway.query(NODE, {"id": named.rstrip("=")}, account=family.parent)["node"]
    assert found["accountSid"] == family.subs[2].sid
    gone = base64.urlsafe_b64encode(f"PhoneNumber:{idle.sid}:PN{'0' * 32}".encode()).decode()
    answer = gateway.query(NODE, {"id": gone.rstrip("=")}, account=family.parent)
    assert answer == {"node": None}


def test_an_active_account_that_fails_is_named_unless_the_number_is_found_elsewhere(
    gateway: RunningGateway, family: Family
) -> None:
    broken = family.subs[0]
    sids = [family.number(each) for each in (family.parent, family.subs[2])]
    family.sandbox.set_faults([unavailable(broken)])
    answer = gateway.execute(NODES, {"ids": [*sids, "PN" + "0" * 32]}, account=family.parent)
    assert [each and each["id"] for each in answer["data"]["nodes"]] == [*sids, None]
    [error] = answer["errors"]
    assert error["path"] == ["nodes", 2]
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    assert broken.sid in error["message"]


def test_a_number_is_found_in_a_subaccount_though_the_first_account_fails(
    gateway: RunningGateway, family: Family
) -> None:
    seen = family.number(family.subs[0])
    assert find(gateway, family, seen) == family.subs[0].sid
    family.move(seen, family.subs[0], family.subs[1])
    family.sandbox.set_faults([unavailable(family.subs[0])])
    assert find(gateway, family, seen) == family.subs[1].sid
    path = f"/2010-04-01/Accounts/{family.parent.sid}/IncomingPhoneNumbers*"
    fault = unavailable(family.parent)
    family.sandbox.set_faults([fault | {"path": path}, fault | {"path": "/Numbers/*"}])
    assert find(gateway, family, family.number(family.subs[2])) == family.subs[2].sid
    answer = gateway.execute(NODE, {"id": "PN" + "0" * 32}, account=family.parent)
    assert answer["data"] == {"node": None}
    assert answer["errors"][0]["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
