"""A dry run of a transfer says what the transfer would, as far as the upstream's accounts tell it."""

from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import SandboxAccount

MOVE = """mutation ($input: TransferPhoneNumberInput!) { transferPhoneNumber(input: $input) {
  userErrors { field code message } wouldSend { method } } }"""


@pytest.fixture(params=[True, False], ids=["catalog", "core alone"])
def account(request: pytest.FixtureRequest, gateway: RunningGateway) -> SandboxAccount:
    return gateway.sandbox.create_account(catalog=request.param, owned=1)


def moved(
    gateway: RunningGateway, account: SandboxAccount, target: str, *, dry_run: bool
) -> dict[str, Any]:
    """Return the payload of a transfer of the account's number."""
    [number] = gateway.sandbox.numbers(account.sid)
    wanted = {"sid": number["sid"], "toAccountSid": target, "dryRun": dry_run}
    data = gateway.query(MOVE, {"input": wanted}, account=account)
    payload: dict[str, Any] = data["transferPhoneNumber"]
    return payload


def strangers_account(gateway: RunningGateway, _: SandboxAccount) -> str:
    return gateway.sandbox.create_account().sid


def nobodys_account(_: RunningGateway, __: SandboxAccount) -> str:
    return "AC" + "0" * 31 + "1"


def suspended_account(gateway: RunningGateway, account: SandboxAccount) -> str:
    sandbox, own = gateway.sandbox, account.sid
    return sandbox.create_account(owner_account_sid=own, status="suspended").sid


@pytest.mark.parametrize("target", [strangers_account, nobodys_account, suspended_account])
def test_it_is_refused_where_the_transfer_is(
    gateway: RunningGateway, account: SandboxAccount, target: Any
) -> None:
    sid = target(gateway, account)
    told = moved(gateway, account, sid, dry_run=True)
    done = moved(gateway, account, sid, dry_run=False)
    assert told["wouldSend"] is None
    for payload in (told, done):
        [error] = payload["userErrors"]
        assert (error["code"], error["field"]) == ("TRANSFER_REFUSED", ["toAccountSid"])


def test_it_says_what_would_be_sent_to_a_subaccount(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    child = gateway.sandbox.create_account(owner_account_sid=account.sid)
    told = moved(gateway, account, child.sid, dry_run=True)
    assert told == {"userErrors": [], "wouldSend": {"method": "POST"}}


def test_nothing_is_said_of_an_account_that_may_not_be_read(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    stranger = gateway.sandbox.create_account()
    path = f"/2010-04-01/Accounts/{stranger.sid}.json"
    gateway.sandbox.set_faults([{"kind": "status", "status": 500, "path": path, "count": 9}])
    try:
        told = moved(gateway, account, stranger.sid, dry_run=True)
    finally:
        gateway.sandbox.clear_faults()
    assert told == {"userErrors": [], "wouldSend": {"method": "POST"}}
