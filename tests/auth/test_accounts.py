"""Whose numbers are shown and whose money is spent: the account that was named, or nobody's.

The catalog takes the account from the credentials. An API key does not say which account it belongs
to, so the catalog is asked with one only as long as it is known to be that account's own.
"""

import asyncio
import base64
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets import ConnectionClosed, Subprotocol
from websockets.sync.client import connect

from gateway.app import compose
from gateway.errors import NotOwnAccount
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.whole_list import read_whole_list
from gateway.upstream.call import Credential
from schema.info import FieldPath
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import run
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES
from tests.support.tokens import TOKENS_MODE, ask, token

LIST = "{ phoneNumbers(first: 5) { nodes { sid accountSid source } } }"
LIST_OF = "query($a: ID) { phoneNumbers(first: 5, accountSid: $a) { nodes { sid accountSid } } }"
BUY = """mutation($p: E164!, $a: ID, $dry: Boolean! = false) {
  purchasePhoneNumber(input: {phoneNumber: $p, accountSid: $a, dryRun: $dry}) {
    phoneNumber { accountSid source } userErrors { code message } wouldSend { method path } } }"""


class Family(NamedTuple):
    """A parent and a subaccount of it."""

    parent: SandboxAccount
    sub: SandboxAccount


@pytest.fixture(params=[True, False], ids=["catalog", "core"])
def family(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> Family:
    """Accounts of their own, so that nothing is known of their keys."""
    parent = sandbox.create_account(role="keys", owned=2, catalog=request.param)
    sub = sandbox.create_account(
        role="keys-sub", owned=1, catalog=request.param, owner_account_sid=parent.sid
    )
    sandbox.forget_requests()
    return Family(parent, sub)


def _free(sandbox: RunningSandbox) -> str:
    """Return a number that can be bought, another one each time."""
    number: str = sandbox.put_number()["phone_number"]
    return number


def _as_key(
    gateway: RunningGateway,
    key: Mapping[str, str],
    account: str,
    query: str,
    variables: Mapping[str, Any] | None = None,
    *,
    explain: str = "",
) -> dict[str, Any]:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json={"query": query, "variables": dict(variables or {})},
        auth=(key["sid"], key["secret"]),
        headers={"X-Account-Sid": account, "X-Gateway-Explain": explain},
    )
    response: dict[str, Any] = answer.json()
    return response


def _codes(response: Mapping[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in response.get("errors", ())}


def _owners(sandbox: RunningSandbox, family: Family, number: str) -> list[str]:
    return [
        account.sid
        for account in family
        if any(each["phone_number"] == number for each in sandbox.numbers(account.sid))
    ]


@pytest.mark.parametrize("kind", ["api_key", "main_api_key"])
@pytest.mark.parametrize("way", ["header", "argument", "both"])
def test_a_purchase_with_the_parents_key_never_lands_on_the_parent_for_its_subaccount(
    gateway: RunningGateway, family: Family, kind: str, way: str
) -> None:
    parent, sub = family
    key, number = getattr(parent, kind), _free(gateway.sandbox)
    header = parent.sid if way == "argument" else sub.sid
    named = {} if way == "header" else {"a": sub.sid}
    for dry in (True, False):
        response = _as_key(gateway, key, header, BUY, {"p": number, "dry": dry} | named)
        assert _codes(response) == {"UPSTREAM_UNAUTHENTICATED"}, response
        [error] = response["errors"]
        assert f"API key in use for account {sub.sid}" in error["message"]
    assert _owners(gateway.sandbox, family, number) == []
    assert {each["method"] for each in gateway.sandbox.requests()} == {"GET"}


_CHANGE = "input: {sid: $sid, accountSid: $a"
# Everything that reads or writes owned numbers, for an account and the sid of one of its numbers.
_FIELDS = {
    "list": "query($a: ID) { phoneNumbers(first: 5, accountSid: $a) { nodes { sid } } }",
    "sid": "query($a: ID, $sid: ID!) { phoneNumber(accountSid: $a, sid: $sid) { sid } }",
    "number": "query($a: ID, $n: E164!) { phoneNumberByIdentifier("
    "accountSid: $a, identifier: { phoneNumber: $n }) { sid } }",
    "node": "query($id: ID!) { node(id: $id) { id } }",
    "nodes": "query($id: ID!) { nodes(ids: [$id, $id]) { id } }",
    "filtered": "query($a: ID) { phoneNumbers(accountSid: $a, filter: {country:"
    ' "US"}) { nodes { sid } } }',
    "search": 'query($a: ID) { availablePhoneNumbers(accountSid: $a, country: "US",'
    " types: [TOLL_FREE], filter: {maxMonthlyPrice: 100}) { nodes { phoneNumber } } }",
    "configure": "mutation($sid: ID!, $a: ID) { "
    f"configurePhoneNumber({_CHANGE}, configuration:"
    ' {friendlyName: "x"}}) { phoneNumber { sid } userErrors { code } } }',
    "transfer": "mutation($sid: ID!, $a: ID, $to: ID!) { "
    f"transferPhoneNumber({_CHANGE}, toAccountSid: $to}})"
    " { phoneNumber { sid } userErrors { code } } }",
    "release": "mutation($sid: ID!, $a: ID, $n: E164!) {"
    f" releasePhoneNumber({_CHANGE}, confirmPhoneNumber: $n}})"
    " { releasedId userErrors { code } } }",
    "several": "mutation($sid: ID!, $a: ID) { configurePhoneNumbers(input: {items: [{sid: $sid,"
    ' accountSid: $a, configuration: {friendlyName: "x"}}]}) { results { phoneNumber { sid }'
    " userErrors { code } } } }",
}


@pytest.mark.parametrize("named", ["own", "sub"])
@pytest.mark.parametrize("field", _FIELDS)
def test_nothing_of_the_parent_is_shown_or_changed_with_its_key_under_a_subaccounts_name(
    gateway: RunningGateway, family: Family, field: str, named: str
) -> None:
    """Whether the number named is the parent's own or the subaccount's."""
    parent, sub = family
    before = [gateway.sandbox.numbers(account.sid) for account in family]
    [number, *_] = gateway.sandbox.numbers(parent.sid if named == "own" else sub.sid)
    variables = {
        "a": sub.sid,
        "sid": number["sid"],
        "n": number["phone_number"],
        "id": number["sid"],
        "to": parent.sid,
    }
    query = _FIELDS[field]
    variables = {name: value for name, value in variables.items() if f"${name}:" in query}
    response = _as_key(gateway, parent.api_key, sub.sid, query, variables)
    said = json.dumps(response.get("data"))
    assert '"sid"' not in said
    assert '"id"' not in said
    assert '"phoneNumber": "' not in said
    assert _codes(response) & {"UPSTREAM_UNAUTHENTICATED", "UNSUPPORTED_FILTERS"} or (
        "NOT_DONE" in said
    ), response
    assert [gateway.sandbox.numbers(account.sid) for account in family] == before


def test_a_subaccounts_own_key_buys_for_it_and_lists_what_it_has(
    gateway: RunningGateway, family: Family
) -> None:
    sub, number = family.sub, _free(gateway.sandbox)
    bought = _as_key(gateway, sub.api_key, sub.sid, BUY, {"p": number})
    assert bought["data"]["purchasePhoneNumber"]["userErrors"] == []
    shown = bought["data"]["purchasePhoneNumber"]["phoneNumber"]
    assert shown == {"accountSid": sub.sid, "source": "CATALOG" if sub.catalog else "CORE"}
    assert _owners(gateway.sandbox, family, number) == [sub.sid]
    listed = _as_key(gateway, sub.api_key, sub.sid, LIST)["data"]["phoneNumbers"]["nodes"]
    assert len(listed) == 2
    assert {each["accountSid"] for each in listed} == {sub.sid}


@pytest.fixture
def owner(gateway: RunningGateway, sandbox: RunningSandbox) -> SandboxAccount:
    """An account that is known to have the catalog, of whose key nothing is known."""
    account = sandbox.create_account(role="keys", owned=3)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    sandbox.forget_requests()
    return account


def test_a_key_is_proven_beside_the_first_read_and_not_again(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    response = _as_key(gateway, owner.api_key, owner.sid, LIST, explain="trace")
    assert {each["source"] for each in response["data"]["phoneNumbers"]["nodes"]} == {"CATALOG"}
    calls = sorted(response["extensions"]["upstream"]["calls"], key=lambda each: each["path"])
    assert [each["path"].split("/")[-1] for each in calls] == [
        "IncomingPhoneNumbers.json",
        "ActiveNumbers",
    ]
    ends = [each["startMs"] + each["durationMs"] for each in calls]
    assert max(each["startMs"] for each in calls) < min(ends), "one after the other"
    again = _as_key(gateway, owner.api_key, owner.sid, LIST, explain="trace")
    assert [each["path"] for each in again["extensions"]["upstream"]["calls"]] == [
        "/Numbers/ActiveNumbers"
    ]


def test_fields_that_ask_at_once_share_the_proof(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    fields = [f"f{n}: phoneNumbers(first: {n}) {{ nodes {{ sid }} }}" for n in (2, 3, 4)]
    query = f"{{ {' '.join(fields)} }}"
    assert "errors" not in _as_key(gateway, owner.api_key, owner.sid, query)
    paths = [each["path"] for each in gateway.sandbox.requests()]
    assert sum("IncomingPhoneNumbers" in each for each in paths) == 1
    assert len(paths) == 4


@pytest.mark.parametrize(
    ("query", "variables", "least"),
    [
        (LIST, {}, 2),
        (
            "query($n: E164!) { phoneNumberByIdentifier(identifier: { phoneNumber: $n }) { sid } }",
            {"n": "+15005550006"},
            2,
        ),
        (BUY, {"p": "+15005550006", "dry": True}, 2),
    ],
    ids=["list", "number", "dry-run"],
)
def test_the_plan_counts_the_proof_where_one_is_needed(
    gateway: RunningGateway,
    owner: SandboxAccount,
    query: str,
    variables: Mapping[str, Any],
    least: int,
) -> None:
    def planned() -> dict[str, Any]:
        plan: dict[str, Any] = _as_key(
            gateway, owner.api_key, owner.sid, query, variables, explain="plan"
        )["extensions"]["plan"]
        return plan

    before = planned()
    assert gateway.sandbox.requests() == []
    assert "proof" in {step["strategy"] for step in before["steps"]}
    assert before["calls"]["min"] == least
    _as_key(gateway, owner.api_key, owner.sid, query, variables)
    assert before["calls"]["min"] <= len(gateway.sandbox.requests()) <= before["calls"]["max"]
    assert "proof" not in {step["strategy"] for step in planned()["steps"]}


@pytest.mark.parametrize("named", ["AC123", "ac" + "1" * 32, "the subaccount", "two"])
def test_a_header_that_names_no_account_is_refused_and_not_ignored(
    gateway: RunningGateway, family: Family, named: str
) -> None:
    """Else a slip of the pen would buy on the account of the credentials."""
    number = _free(gateway.sandbox)
    key = family.parent.api_key
    if named == "two":
        named = f"{family.sub.sid}, {family.parent.sid}"
    for user in (family.parent.auth, (key["sid"], key["secret"])):
        answer = gateway.http.post(
            f"{gateway.url}/graphql",
            json={"query": BUY, "variables": {"p": number}},
            auth=user,
            headers={"X-Account-Sid": named},
        ).json()
        assert _codes(answer) == {"BAD_USER_INPUT"}
        assert "X-Account-Sid" in answer["errors"][0]["message"]
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("named", [7, ["AC"], "AC123"])
def test_a_websocket_that_names_no_account_is_not_let_in(
    gateway: RunningGateway, family: Family, named: object
) -> None:
    url = f"{gateway.url.replace('http', 'ws')}/graphql"
    user = base64.b64encode(":".join(family.parent.auth).encode()).decode()
    payload = {"Authorization": f"Basic {user}", "X-Account-Sid": named}
    with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        with pytest.raises(ConnectionClosed, match="4403"):
            socket.recv(timeout=60)


@pytest.fixture
def opened(sandbox: RunningSandbox, family: Family) -> Iterator[RunningGateway]:
    """An open gateway with the Auth Token of the parent."""
    own: dict[str, Any] = {"account_sid": family.parent.sid, "auth_token": family.parent.auth_token}
    with running_gateway(sandbox, auth="open", **own) as gateway:
        yield gateway


def test_an_open_gateway_buys_for_the_account_that_the_header_names(
    opened: RunningGateway, sandbox: RunningSandbox, family: Family
) -> None:
    number, url = _free(sandbox), f"{opened.url}/graphql"
    body = {"query": BUY, "variables": {"p": number}}
    wrong = opened.http.post(url, json=body, headers={"X-Account-Sid": "AC123"}).json()
    assert _codes(wrong) == {"BAD_USER_INPUT"}
    opened.http.post(url, json=body, headers={"X-Account-Sid": family.sub.sid})
    assert _owners(sandbox, family, number) == [family.sub.sid]


def test_an_account_sid_with_its_token_needs_no_proof(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    gateway.query(LIST, account=owner)
    assert [each["path"] for each in gateway.sandbox.requests()] == ["/Numbers/ActiveNumbers"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status"}, "UPSTREAM_UNAVAILABLE"),
        ({"kind": "wrong-shape"}, "UPSTREAM_MALFORMED"),
        (
            {"kind": "wrong-shape", "body": {"incoming_phone_numbers": []}},
            "UPSTREAM_UNAUTHENTICATED",
        ),
    ],
    ids=["failure", "no-object", "of-nobody"],
)
def test_where_the_proof_fails_the_catalogs_answer_is_not_shown(
    gateway: RunningGateway, owner: SandboxAccount, fault: dict[str, Any], code: str
) -> None:
    sandbox, number = gateway.sandbox, _free(gateway.sandbox)
    core = fault | {"path": "/2010-04-01/*", "account": owner.sid, "count": None}
    sandbox.set_faults([core])
    for query, variables in ((LIST, {}), (BUY, {"p": number})):
        response = _as_key(gateway, owner.api_key, owner.sid, query, variables)
        assert not any((response["data"] or {}).values())
        # After a few failures the account is left alone for a while.
        assert _codes(response) in ({code}, {"UPSTREAM_UNAVAILABLE"})
    assert {each["method"] for each in sandbox.requests()} == {"GET"}


def test_a_refusal_takes_the_proof_back(gateway: RunningGateway, owner: SandboxAccount) -> None:
    assert "errors" not in _as_key(gateway, owner.api_key, owner.sid, LIST)
    gone = {"code": 20003, "message": "Authenticate", "status": 401}
    fault = {"kind": "wrong-shape", "status": 401, "body": gone, "account": owner.sid}
    gateway.sandbox.set_faults([fault])
    assert _codes(_as_key(gateway, owner.api_key, owner.sid, LIST)) == {"UPSTREAM_UNAUTHENTICATED"}
    gateway.sandbox.forget_requests()
    assert "errors" not in _as_key(gateway, owner.api_key, owner.sid, LIST)
    assert len(gateway.sandbox.requests()) == 2


def test_a_suspended_account_is_told_so_whatever_it_asks_with(gateway: RunningGateway) -> None:
    account = gateway.sandbox.create_account(role="keys", status="suspended", owned=1)
    for _ in range(2):
        response = _as_key(gateway, account.api_key, account.sid, LIST)
        assert _codes(response) == {"FORBIDDEN"}
        assert response["errors"][0]["extensions"]["upstreamCode"] == 20005
        assert gateway.error(LIST, account=account)["extensions"]["code"] == "FORBIDDEN"
    assert {each["path"] for each in gateway.sandbox.requests()} >= {"/Numbers/ActiveNumbers"}


def test_a_strangers_key_does_not_make_an_account_lose_the_catalog(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    """A key of an account without it gets 404 from the catalog: that says nothing of others."""
    stranger = gateway.sandbox.create_account(role="keys", catalog=False)
    assert "errors" in _as_key(gateway, stranger.api_key, owner.sid, LIST)
    [*numbers] = gateway.query(LIST, account=owner)["phoneNumbers"]["nodes"]
    assert {each["source"] for each in numbers} == {"CATALOG"}


def test_a_main_key_that_fetches_the_subaccount_has_not_proven_anything(
    gateway: RunningGateway, family: Family
) -> None:
    gateway.sandbox.set_switches(main_key_fetches_subaccounts=True)
    parent, sub = family
    query = "{ account { sid } }"
    shown = _as_key(gateway, parent.main_api_key, sub.sid, query)
    assert shown["data"]["account"]["sid"] == sub.sid
    response = _as_key(gateway, parent.main_api_key, sub.sid, BUY, {"p": _free(gateway.sandbox)})
    assert _codes(response) == {"UPSTREAM_UNAUTHENTICATED"}


def test_the_parents_auth_token_acts_for_its_subaccounts(
    gateway: RunningGateway, family: Family
) -> None:
    number = _free(gateway.sandbox)
    payload = gateway.query(BUY, {"p": number, "a": family.sub.sid}, account=family.parent)
    assert payload["purchasePhoneNumber"]["phoneNumber"]["accountSid"] == family.sub.sid
    assert _owners(gateway.sandbox, family, number) == [family.sub.sid]


def test_a_wrong_auth_token_is_refused_in_words_that_say_what_to_check(
    gateway: RunningGateway, family: Family
) -> None:
    wrong = dataclasses.replace(family.parent, auth_token="0" * 32)
    error = gateway.error(LIST_OF, {"a": None}, account=wrong)
    assert "does not accept the account sid and Auth Token in use" in error["message"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"


@pytest.mark.parametrize("query", [LIST_OF, BUY])
@pytest.mark.parametrize("whose", ["a stranger's", "nobody's"])
def test_an_account_out_of_reach_of_an_auth_token_is_named_in_the_refusal(
    gateway: RunningGateway, family: Family, query: str, whose: str
) -> None:
    stranger = gateway.sandbox.create_account(role="keys", owned=1).sid
    named = stranger if whose == "a stranger's" else "AC" + "0" * 32
    given = {"a": named, "p": _free(gateway.sandbox)}
    error = gateway.error(query, given, account=family.parent)
    assert f"does not accept the Auth Token in use for account {named}:" in error["message"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"


def test_a_subscription_under_a_subaccounts_name_is_refused_to_the_parents_key(
    gateway: RunningGateway, family: Family
) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json={"query": CHANGES},
        auth=(family.parent.api_key["sid"], family.parent.api_key["secret"]),
        headers={"X-Account-Sid": family.sub.sid, "accept": "text/event-stream"},
    )
    assert "UPSTREAM_UNAUTHENTICATED" in answer.text
    assert "following" not in answer.text


def _configured(sandbox: RunningSandbox, account: str, key: Mapping[str, str]) -> dict[str, Any]:
    return {
        "catalog_url": sandbox.url,
        "core_url": sandbox.url,
        "account_sid": account,
        "api_key_sid": key["sid"],
        "api_key_secret": key["secret"],
    }


def test_a_poll_does_not_list_the_parents_numbers_as_a_subaccounts(
    family: Family, sandbox: RunningSandbox
) -> None:
    settings: dict[str, Any] = _configured(sandbox, family.sub.sid, family.parent.api_key)
    key = family.parent.api_key
    credential = Credential(key["sid"], key["secret"], family.sub.sid)

    async def poll() -> None:
        parts = compose(bare_settings(**settings, auth="open"))
        pipeline = parts.pipeline

        def begin() -> OwnedNumbers:
            return pipeline.shared.owned_numbers(pipeline.readers.make(credential))

        async with parts.running():
            await read_whole_list(begin, family.sub.sid, FieldPath("phoneNumberChanged"))

    with pytest.raises(NotOwnAccount if family.sub.catalog else Exception, match="API key in use"):
        asyncio.run(poll())


@pytest.mark.parametrize("kind", ["api_key", "main_api_key"])
def test_a_lost_release_by_a_key_is_settled_when_it_is_asked_about_again(
    sandbox: RunningSandbox, tmp_path: Path, kind: str
) -> None:
    """Though a standard key cannot list the accounts that might have the number now."""
    owner = sandbox.create_account(role="keys", owned=1, catalog=False)
    sandbox.create_account(role="keys", owner_account_sid=owner.sid)
    key, [number] = getattr(owner, kind), sandbox.numbers(owner.sid)
    query = """mutation($s: ID!, $n: E164!) { releasePhoneNumber(input: {
      sid: $s, confirmPhoneNumber: $n, idempotencyKey: "once"})
      { releasedId reconciled userErrors { code message } } }"""
    variables = {"s": number["sid"], "n": number["phone_number"]}
    chosen: dict[str, Any] = {"request_deadline": 1.0, "breaker_failures": 1000}
    with running_gateway(sandbox, data_dir=tmp_path, **chosen) as gateway:
        _as_key(gateway, key, owner.sid, LIST)
        of_owner = {"account": owner.sid, "path": "/2010-04-01/*"}
        lost = {"kind": "lost-answer", "method": "DELETE"}
        sandbox.set_faults(
            [
                of_owner | lost,
                of_owner | {"kind": "status", "method": "GET", "skip": 1, "count": None},
            ]
        )
        first = _as_key(gateway, key, owner.sid, query, variables)["data"]["releasePhoneNumber"]
        assert [each["code"] for each in first["userErrors"]] == ["OUTCOME_UNKNOWN"]
        sandbox.clear_faults()
        then = _as_key(gateway, key, owner.sid, query, variables)["data"]["releasePhoneNumber"]
    assert then == {"releasedId": number["sid"], "reconciled": True, "userErrors": []}


@pytest.fixture
def misconfigured(sandbox: RunningSandbox, family: Family) -> Iterator[RunningGateway]:
    """An open gateway whose settings name the subaccount and have a key of the parent."""
    chosen = _configured(sandbox, family.sub.sid, family.parent.api_key)
    with running_gateway(sandbox, auth="open", **chosen) as gateway:
        yield gateway


def test_the_operators_key_is_proven_as_any_other(
    misconfigured: RunningGateway, sandbox: RunningSandbox, family: Family
) -> None:
    number = _free(sandbox)
    for query, variables in ((LIST, {}), (BUY, {"p": number})):
        body = {"query": query, "variables": variables}
        answer = misconfigured.http.post(f"{misconfigured.url}/graphql", json=body).json()
        assert _codes(answer) == {"UPSTREAM_UNAUTHENTICATED"}
    assert _owners(sandbox, family, number) == []


def test_a_bearer_reaches_with_the_operators_key_only_the_account_of_the_key(
    sandbox: RunningSandbox, family: Family
) -> None:
    parent, sub = family
    with running_gateway(
        sandbox, **_configured(sandbox, parent.sid, parent.api_key) | TOKENS_MODE
    ) as gw:
        bearer = token(parent.sid, sub.sid)
        own = ask(gw, bearer, LIST_OF, {"a": parent.sid}).json()["data"]["phoneNumbers"]["nodes"]
        assert {each["accountSid"] for each in own} == {parent.sid}
        for headers, variables in (({"X_Account_Sid": sub.sid}, {}), ({}, {"a": sub.sid})):
            listed = ask(gw, bearer, LIST_OF, variables, **headers).json()
            assert _codes(listed) == {"UPSTREAM_UNAUTHENTICATED"}
            number = _free(sandbox)
            bought = ask(gw, bearer, BUY, {"p": number} | variables, **headers).json()
            assert _codes(bought) == {"UPSTREAM_UNAUTHENTICATED"}
            assert _owners(sandbox, family, number) == []


def test_an_export_has_nothing_of_another_account_than_the_settings_name(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    parent = sandbox.create_account(role="keys", owned=2)
    sub = sandbox.create_account(role="keys-sub", owned=1, owner_account_sid=parent.sid)
    variables = {
        "TWILIO_ACCOUNT_SID": sub.sid,
        "TWILIO_API_KEY": parent.api_key["sid"],
        "TWILIO_API_SECRET": parent.api_key["secret"],
        "GATEWAY_CATALOG_URL": sandbox.url,
        "GATEWAY_CORE_URL": sandbox.url,
    }
    done = run(tmp_path, "export", "out.csv", code=1, variables=variables)
    assert f"API key in use for account {sub.sid}" in done.stderr
    assert not (tmp_path / "out.csv").exists()
    own = sandbox.numbers(parent.sid)
    written = "".join(file.read_text() for file in tmp_path.iterdir() if file.is_file())
    assert not any(each["phone_number"] in written for each in own)
