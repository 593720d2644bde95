"""What a mutation or an event shows of a number is what the next read shows of it."""

import uuid
from typing import Any

import pytest

from tests.faults.asking import fresh_number
from tests.numbers.test_same_fields import ALL
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import events

READ = f"query ($sid: ID!, $account: ID) {{ phoneNumber(sid: $sid, accountSid: $account) {{ {ALL} }} }}"
SHOWN = f"{{ phoneNumber {{ {ALL} }} replayed userErrors {{ code message }} }}"
# Settings that the catalog has, that core alone has, and of both: where they are made differs.
SETTINGS: dict[str, dict[str, Any]] = {
    "in the catalog": {"friendlyName": "Desk", "sms": {"url": "https://example.com/s"}},
    "in core": {"voice": {"receiveMode": "FAX"}},
    "in core, of both": {
        "friendlyName": "Fax",
        "voice": {"url": "https://example.com/v", "callerIdLookup": True, "receiveMode": "FAX"},
    },
    "cleared in core": {"voice": {"url": None, "callerIdLookup": False}},
}


def field(name: str, kind: str) -> str:
    """Return a mutation with an input of type `kind`."""
    below = SHOWN if name.endswith("Number") else f"{{ results {SHOWN} }}"
    return f"mutation ($input: {kind}!) {{ {name}(input: $input) {below} }}"


CONFIGURE = field("configurePhoneNumber", "ConfigurePhoneNumberInput")
CONFIGURE_EACH = field("configurePhoneNumbers", "ConfigurePhoneNumbersInput")
PURCHASE = field("purchasePhoneNumber", "PurchasePhoneNumberInput")
TRANSFER = field("transferPhoneNumber", "TransferPhoneNumberInput")


def write(gateway: RunningGateway, account: SandboxAccount, text: str, **given: Any) -> Any:
    """Run a mutation, within its plan, and return its payload."""
    body = {"input": given}
    plan = gateway.execute(text, body, account=account, headers={"X-Gateway-Explain": "plan"})[
        "extensions"
    ]["plan"]["calls"]
    gateway.sandbox.forget_requests()
    [payload] = gateway.query(text, body, account=account).values()
    assert plan["min"] <= len(gateway.sandbox.requests()) <= plan["max"]
    return payload


def read(gateway: RunningGateway, account: SandboxAccount, sid: str, owner: str) -> Any:
    """Return what a read shows of a number."""
    return gateway.query(READ, {"sid": sid, "account": owner}, account=account)["phoneNumber"]


@pytest.fixture(scope="module", params=[True, False], ids=["with the catalog", "without"])
def account(request: Any, shared_sandbox: RunningSandbox) -> SandboxAccount:
    account = shared_sandbox.create_account(catalog=request.param, owned=2)
    # One of which the catalog tells no settings.
    shared_sandbox.put_number(account.sid, resource={"configuration": None})
    return account


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_configured_number_is_shown_as_it_is_read(
    gateway: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount, settings: str
) -> None:
    numbers = sandbox.numbers(account.sid)
    for number in numbers:
        sid = number["sid"]
        payload = write(gateway, account, CONFIGURE, sid=sid, configuration=SETTINGS[settings])
        assert payload["userErrors"] == []
        assert payload["phoneNumber"] == read(gateway, account, sid, account.sid)
    items = [{"sid": each["sid"], "configuration": SETTINGS[settings]} for each in numbers]
    results = write(gateway, account, CONFIGURE_EACH, items=items)["results"]
    for number, result in zip(numbers, results, strict=True):
        assert result["phoneNumber"] == read(gateway, account, number["sid"], account.sid)


@pytest.mark.parametrize("settings", ["in the catalog", "in core, of both"])
def test_a_bought_number_is_shown_as_it_is_read_and_so_is_its_replay(
    gateway: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount, settings: str
) -> None:
    given = {
        "phoneNumber": fresh_number(sandbox),
        "configuration": SETTINGS[settings],
        "idempotencyKey": uuid.uuid4().hex,
    }
    payload = write(gateway, account, PURCHASE, **given)
    assert payload["userErrors"] == []
    seen = read(gateway, account, payload["phoneNumber"]["sid"], account.sid)
    assert payload["phoneNumber"] == seen
    again = write(gateway, account, PURCHASE, **given)
    assert (again["replayed"], again["phoneNumber"]) == (True, seen)
    del given["idempotencyKey"]
    owned = write(gateway, account, PURCHASE, **given)
    assert owned["userErrors"][0]["code"] == "ALREADY_OWNED"
    assert owned["phoneNumber"] == seen


def test_a_moved_number_is_shown_as_it_is_read(
    gateway: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    below = sandbox.create_account(owner_account_sid=account.sid, catalog=account.catalog)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    for source, target in ((account.sid, below.sid), (below.sid, account.sid)):
        moved = write(gateway, account, TRANSFER, sid=sid, accountSid=source, toAccountSid=target)
        assert moved["userErrors"] == []
        assert moved["phoneNumber"]["accountSid"] == target
        assert moved["phoneNumber"] == read(gateway, account, sid, target)


def test_an_event_shows_a_number_as_it_is_read(
    gateway: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    sid = sandbox.numbers(account.sid)[0]["sid"]
    text = f"subscription {{ phoneNumberChanged {{ id kind phoneNumber {{ {ALL} }} }} }}"
    with events(gateway, text, account=account) as stream:
        for settings in SETTINGS.values():
            body = {"input": {"sid": sid, "configuration": settings}}
            gateway.query(CONFIGURE, body, account=account)
            change = stream.change()
            assert change["kind"] == "CONFIGURED"
            assert change["phoneNumber"] == read(gateway, account, sid, account.sid)


def test_what_the_answer_of_a_write_tells_is_not_read_again(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    for settings, selected, most in (
        ({"friendlyName": "A"}, "sid friendlyName lifecycle", 0),
        ({"voice": {"callerIdLookup": True}}, "sid configuration { voice { callerIdLookup } }", 0),
        ({"voice": {"receiveMode": "FAX"}}, "dateUpdated regulatory { bundleSid }", 0),
        ({"friendlyName": "B"}, "dateUpdated", 1),
        ({"voice": {"receiveMode": "FAX"}}, "lifecycle", 1),
    ):
        text = CONFIGURE.replace(ALL, selected)
        gateway.query(text, {"input": {"sid": sid, "configuration": settings}}, account=account)
        sandbox.forget_requests()
        gateway.query(text, {"input": {"sid": sid, "configuration": settings}}, account=account)
        methods = [request["method"] for request in sandbox.requests()]
        assert methods == ["GET", "POST", *["GET"] * most]


def test_a_read_that_fails_after_a_write_costs_the_fields_that_it_would_have_told(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    text = CONFIGURE.replace(ALL, "sid friendlyName origin")
    fault = {"kind": "status", "status": 400, "method": "GET", "path": "/2010*", "count": None}
    sandbox.set_faults([fault])
    body = {"input": {"sid": sid, "configuration": {"friendlyName": "Still told"}}}
    response = gateway.execute(text, body, account=account)
    assert response["data"]["configurePhoneNumber"] == {
        "phoneNumber": {"sid": sid, "friendlyName": "Still told", "origin": None},
        "replayed": False,
        "userErrors": [],
    }
    [error] = response["errors"]
    assert error["path"] == ["configurePhoneNumber", "phoneNumber", "origin"]


@pytest.mark.parametrize("behind", ["old", "missing", "failing"])
def test_what_was_just_set_is_never_shown_old(
    gateway: RunningGateway, sandbox: RunningSandbox, behind: str
) -> None:
    account = sandbox.create_account(owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    path = f"/Numbers/ActiveNumbers/{sid}"
    fields = "sid lifecycle friendlyName configuration { voice { url callerIdLookup } }"
    text = CONFIGURE.replace(ALL, fields)
    before = sandbox.client.get(path, auth=account.auth).json()
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    fault = {"kind": "status", "path": path, "method": "GET", "count": None}
    answer = {"old": {"status": 200, "body": before}, "missing": {"status": 404}}
    sandbox.set_faults([fault | answer.get(behind, {"status": 400})])
    voice = {"url": "https://example.com/new", "callerIdLookup": True}
    body = {"input": {"sid": sid, "configuration": {"friendlyName": "New", "voice": voice}}}
    response = gateway.execute(text, body, account=account)
    shown = response["data"]["configurePhoneNumber"]["phoneNumber"]
    assert (shown["friendlyName"], shown["configuration"]["voice"]) == ("New", voice)
    if behind == "old":
        assert shown["lifecycle"] is not None
    else:
        assert shown["lifecycle"] is None
    failed = [each["path"][-1] for each in response.get("errors", ())]
    assert failed == (["lifecycle"] if behind == "failing" else [])
