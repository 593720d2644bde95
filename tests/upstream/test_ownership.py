"""Every write acts on a number of the account that was named; nothing of another one is shown."""

import json
import os
import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.tokens import TOKENS_MODE, ask, token


class House(NamedTuple):
    """A parent with two subaccounts, and a gateway in front of them for each mode.

    A bearer's token names the parent and the first subaccount.
    """

    sandbox: RunningSandbox
    parent: SandboxAccount
    first: SandboxAccount
    second: SandboxAccount
    stranger: SandboxAccount
    gateways: Mapping[str, RunningGateway]

    def bearer(self) -> str:
        """Return the token."""
        return token(self.parent.sid, self.first.sid)

    def ask(self, mode: str, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation as the mode's caller, who belongs to the parent."""
        gateway = self.gateways[mode.partition("-")[0]]
        response: dict[str, Any]
        if mode == "tokens":
            response = ask(gateway, self.bearer(), query, variables).json()
            return response
        body = {"query": query, "variables": dict(variables)}
        user, headers = None, {}
        if mode == "pass-through":
            user = self.parent.auth
        elif mode == "pass-key":
            user = (self.parent.api_key["sid"], self.parent.api_key["secret"])
            headers = {"X-Account-Sid": self.parent.sid}
        elif mode == "pass-subaccount":
            user = self.first.auth
        auth = httpx.BasicAuth(*user) if user else httpx.USE_CLIENT_DEFAULT
        url = f"{gateway.url}/graphql"
        response = gateway.http.post(url, json=body, auth=auth, headers=headers).json()
        return response


_MODES = ("pass-through", "pass-key", "pass-subaccount", "open", "tokens")


@pytest.fixture(scope="module", params=[True, False], ids=["catalog", "core"])
def shared_house(request: pytest.FixtureRequest, shared_sandbox: RunningSandbox) -> Iterator[House]:
    catalog = request.param
    parent = shared_sandbox.create_account(role="house", owned=12, catalog=catalog)
    first, second = (
        shared_sandbox.create_account(
            role="house", owned=12, catalog=catalog, owner_account_sid=parent.sid
        )
        for _ in range(2)
    )
    own: dict[str, Any] = {"account_sid": parent.sid, "auth_token": parent.auth_token}
    with (
        running_gateway(shared_sandbox) as pass_through,
        running_gateway(shared_sandbox, auth="open", **own) as open_,
        running_gateway(shared_sandbox, **TOKENS_MODE, **own) as tokens,
    ):
        stranger = shared_sandbox.create_account(role="house", owned=3, catalog=catalog)
        gateways = {"pass": pass_through, "open": open_, "tokens": tokens}
        yield House(shared_sandbox, parent, first, second, stranger, gateways)


@pytest.fixture
def house(shared_house: House, sandbox: RunningSandbox) -> House:
    assert shared_house.sandbox is sandbox
    return shared_house


_SAID = "userErrors { code message upstreamCode } wouldSend { method path }"
_WRITES = {
    "purchase": "mutation($a: ID, $n: E164!, $dry: Boolean!) { did: purchasePhoneNumber(input: {"
    f"accountSid: $a, phoneNumber: $n, dryRun: $dry}}) {{ phoneNumber {{ sid accountSid }} {_SAID} }} }}",
    "configure": "mutation($a: ID, $s: ID!, $dry: Boolean!) { did: configurePhoneNumber(input: {"
    'accountSid: $a, sid: $s, dryRun: $dry, configuration: {friendlyName: "seen"}})'
    f" {{ phoneNumber {{ sid accountSid }} {_SAID} }} }}",
    "transfer": "mutation($a: ID, $s: ID!, $to: ID!, $dry: Boolean!) { did: transferPhoneNumber("
    "input: {accountSid: $a, sid: $s, toAccountSid: $to, dryRun: $dry})"
    f" {{ phoneNumber {{ sid accountSid }} {_SAID} }} }}",
    "release": "mutation($a: ID, $s: ID!, $n: E164!, $dry: Boolean!) { did: releasePhoneNumber("
    "input: {accountSid: $a, sid: $s, confirmPhoneNumber: $n, dryRun: $dry})"
    f" {{ releasedId {_SAID} }} }}",
}


def _used(query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if f"${name}:" in query}


def _verdict(response: Mapping[str, Any]) -> str:
    """Return what became of a write: DONE, the code of its user error, or that of its error."""
    if response.get("errors"):
        return str(response["errors"][0]["extensions"]["code"])
    did = response["data"]["did"]
    if did["userErrors"]:
        return str(did["userErrors"][0]["code"])
    assert did["wouldSend"] or did.get("phoneNumber") or did.get("releasedId")
    return "DONE"


# What the upstream itself refuses, and a dry run cannot know of.
_OF_THE_UPSTREAM = frozenset({"TRANSFER_REFUSED", "NOT_AVAILABLE"})


@pytest.mark.parametrize("mode", _MODES)
def test_a_dry_run_refuses_what_the_run_refuses(house: House, mode: str) -> None:
    """All mutations, from and to accounts of every relation; each is run dry, and then run."""
    relations: dict[str, Any] = {
        "default": None,
        "parent": house.parent,
        "first": house.first,
        "second": house.second,
        "stranger": house.stranger,
        "nobody": "AC" + "9" * 32,
    }
    cases = list(product(_WRITES, relations, relations, ("parent", "first", "second")))
    chosen = random.Random(f"{mode}{house.parent.catalog}")  # noqa: S311 - repeatable
    count = int(os.environ.get("OWNERSHIP_CASES", "40"))
    for verb, named, owner, target in chosen.sample(cases, min(count, len(cases))):
        variables = {"a": _sid(relations[named]), "to": _sid(relations[target])}
        owned = relations[owner] or house.parent
        numbers = house.sandbox.numbers(owned.sid) if isinstance(owned, SandboxAccount) else []
        number = numbers[0] if numbers else {"sid": "PN" + "9" * 32, "phone_number": "+15005550006"}
        if verb == "purchase" and chosen.random() < 0.5:
            number = house.sandbox.put_number()
        variables |= {"s": number.get("sid"), "n": number["phone_number"]}
        query = _WRITES[verb]
        before = house.sandbox.ledger()
        dry = _verdict(house.ask(mode, query, _used(query, variables | {"dry": True})))
        assert house.sandbox.ledger() == before
        done = house.ask(mode, query, _used(query, variables | {"dry": False}))
        verdict, case = _verdict(done), (mode, verb, named, owner, target, done)
        assert verdict == dry or verdict in _OF_THE_UPSTREAM, (dry, *case)
        changed = _touched(house.sandbox.ledger()[len(before) :])
        assert bool(changed) == (verdict == "DONE"), case
        allowed = {variables["a"] or _own(house, mode)}
        if verb == "transfer":
            allowed.add(relations[target].sid)
        assert changed <= allowed, case
        if mode == "tokens":
            assert house.second.sid not in changed, case


def _sid(account: SandboxAccount | str | None) -> str | None:
    return account.sid if isinstance(account, SandboxAccount) else account


def _own(house: House, mode: str) -> str:
    return house.first.sid if mode == "pass-subaccount" else house.parent.sid


def _touched(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the accounts that entries of the sandbox's ledger are about."""
    named = {each[name] for each in entries for name in ("account_sid", "from_account_sid")}
    return named - {None}


def test_a_bearer_moves_no_number_out_of_an_account_that_its_token_does_not_name(
    house: House,
) -> None:
    number = house.sandbox.numbers(house.second.sid)[0]
    for account in (None, house.parent.sid, house.first.sid):
        query = _WRITES["transfer"]
        to = house.first.sid if account != house.first.sid else house.parent.sid
        variables = {"a": account, "s": number["sid"], "to": to}
        for dry in (True, False):
            response = house.ask("tokens", query, variables | {"dry": dry})
            assert _verdict(response) == "NOT_FOUND"
            assert house.second.sid not in json.dumps(response)
    plural = """mutation($items: [TransferPhoneNumberInput!]!) {
      transferPhoneNumbers(input: {items: $items}) { results { userErrors { code } } } }"""
    items = [{"sid": number["sid"], "toAccountSid": house.first.sid}]
    [result] = house.ask("tokens", plural, {"items": items})["data"]["transferPhoneNumbers"][
        "results"
    ]
    assert result["userErrors"] == [{"code": "NOT_FOUND"}]
    assert number in house.sandbox.numbers(house.second.sid)


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_only_the_catalog_is_looked_at_before_a_number_is_moved(
    gateway: RunningGateway, catalog: bool
) -> None:
    parent = gateway.sandbox.create_account(role="house", owned=3, catalog=catalog)
    child = gateway.sandbox.create_account(role="house", owner_account_sid=parent.sid)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=parent)
    gateway.sandbox.forget_requests()
    for number in gateway.sandbox.numbers(parent.sid):
        variables = {"s": number["sid"], "to": child.sid, "dry": False}
        gateway.query(_WRITES["transfer"], variables, account=parent)
    methods = [each["method"] for each in gateway.sandbox.requests()]
    assert methods == (["GET", "POST"] * 3 if catalog else ["POST"] * 3)


# An upstream that shows what belongs to others ------------------------------------------------------

_FOREIGN_READS = {
    "list": "query($a: ID) { phoneNumbers(first: 3, accountSid: $a) { nodes { sid accountSid phoneNumber } } }",
    "sid": "query($a: ID, $s: ID!) { phoneNumber(sid: $s, accountSid: $a) { sid accountSid phoneNumber } }",
    "number": "query($a: ID, $n: E164!) { phoneNumberByIdentifier(identifier: { phoneNumber: $n }, accountSid: $a) { sid accountSid } }",
    "node": "query($id: ID!) { node(id: $id) { id ... on PhoneNumber { sid accountSid } } }",
    "nodes": "query($id: ID!) { nodes(ids: [$id]) { id ... on PhoneNumber { sid accountSid } } }",
    "account": "query($a: ID) { account(sid: $a) { sid friendlyName } }",
}


def _foreign(
    house: House, url_account: SandboxAccount
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a number of the second subaccount, and faults that show it as everybody's."""
    http, number = house.sandbox.client, house.sandbox.numbers(house.second.sid)[0]
    account = f"/2010-04-01/Accounts/{house.second.sid}"
    asked = {
        f"*/IncomingPhoneNumbers/{number['sid']}.json": f"{account}/IncomingPhoneNumbers/{number['sid']}.json",
        "*/IncomingPhoneNumbers.json": f"{account}/IncomingPhoneNumbers.json?PageSize=3",
        f"/2010-04-01/Accounts/{url_account.sid}.json": f"{account}.json",
    }
    if house.second.catalog:
        asked |= {
            f"/Numbers/ActiveNumbers/{number['sid']}": f"/Numbers/ActiveNumbers/{number['sid']}",
            "/Numbers/ActiveNumbers": "/Numbers/ActiveNumbers?PageSize=3",
        }
    faults = []
    for path, source in asked.items():
        body = http.get(source, auth=house.second.auth).json()
        body.pop("next_page_uri", None)
        body.get("meta", {}).pop("next_page_url", None)
        faults.append(
            {"kind": "wrong-shape", "method": "GET", "path": path, "body": body, "count": None}
        )
    return number, faults


@pytest.fixture(scope="module")
def unaware(shared_house: House) -> Iterator[House]:
    """The house with a gateway for clients' credentials that has seen no number of it yet."""
    with running_gateway(shared_house.sandbox) as gateway:
        yield shared_house._replace(gateways={**shared_house.gateways, "pass": gateway})


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("mode", ["pass-through", "tokens"])
@pytest.mark.parametrize("field", _FOREIGN_READS)
@pytest.mark.parametrize("named", ["parent", "first"])
def test_what_the_upstream_shows_of_another_account_is_not_shown_and_logged(
    unaware: House, field: str, mode: str, named: str
) -> None:
    house = unaware
    account: SandboxAccount = getattr(house, named)
    number, faults = _foreign(house, account)
    house.sandbox.set_faults(faults)
    sid = number["sid"]
    variables = {"a": account.sid, "s": sid, "n": number["phone_number"], "id": sid}
    query = _FOREIGN_READS[field]
    with capture_logs() as lines:
        response = house.ask(mode, query, _used(query, variables))
    assert house.second.sid not in json.dumps(response)
    assert not any(value for value in _leaves(response.get("data")))
    codes = [error["extensions"]["code"] for error in response.get("errors", ())]
    hidden = mode == "tokens" and field in {"sid", "number", "node", "nodes"}
    assert codes == ([] if hidden else ["UPSTREAM_MALFORMED"]), response
    told = [line for line in lines if line["event"] == "upstream_shows_another_account"]
    asked = [account]
    if field in {"node", "nodes"}:
        # An id names no account: all are asked that the caller may name, as long as none is amiss.
        asked = [house.parent, house.first] if hidden else [house.parent]
    assert {(each["log_level"], each["asked"]) for each in told} == {
        ("error", each.sid) for each in asked
    }


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    else:
        yield value


@pytest.mark.parametrize("mode", ["pass-through", "tokens"])
@pytest.mark.parametrize("verb", ["configure", "transfer", "release"])
def test_nothing_is_written_to_a_number_that_is_shown_as_another_accounts(
    house: House, verb: str, mode: str
) -> None:
    number, faults = _foreign(house, house.parent)
    house.sandbox.set_faults(faults)
    house.sandbox.forget_requests()
    for dry in (True, False):
        variables = {"s": number["sid"], "n": number["phone_number"], "to": house.first.sid}
        response = house.ask(mode, _WRITES[verb], _used(_WRITES[verb], variables | {"dry": dry}))
        assert _verdict(response) == "NOT_FOUND"
        assert house.second.sid not in json.dumps(response)
    written = [each for each in house.sandbox.requests() if each["method"] != "GET"]
    # Core's path names the owner, and it says itself that there is no such number.
    assert {each["status"] for each in written} <= {404}
    assert number in house.sandbox.numbers(house.second.sid)


@pytest.mark.parametrize("mode", ["pass-through", "tokens"])
def test_an_answer_to_a_write_that_shows_another_account_is_not_believed(
    house: House, mode: str
) -> None:
    number = house.sandbox.numbers(house.parent.sid)[-1]
    _, faults = _foreign(house, house.parent)
    [body] = [each["body"] for each in faults if each["path"].startswith("*/IncomingPhoneNumbers/")]
    body = body | {"sid": number["sid"], "phone_number": number["phone_number"]}
    answer = {"kind": "wrong-shape", "method": "POST", "body": body, "commit": True}
    house.sandbox.set_faults([answer])
    variables = {"s": number["sid"], "dry": False}
    with capture_logs() as lines:
        response = house.ask(mode, _WRITES["configure"], variables)
    assert house.second.sid not in json.dumps(response)
    # It was done all the same, as looking it up shows.
    assert response["data"]["did"]["phoneNumber"]["accountSid"] == house.parent.sid
    assert "upstream_shows_another_account" in {line["event"] for line in lines}
