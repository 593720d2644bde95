"""The control endpoints: journal, ledger, accounts and numbers to order, switches."""

from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox import SandboxSettings, Switches
from tests.sandbox.api import Api, acting_as
from tests.support.sandbox_in_thread import RunningSandbox, running_sandbox


def test_the_journal_tells_every_request_in_order(sandbox: RunningSandbox, api: Api) -> None:
    sandbox.forget_requests()
    api.get("/Numbers/ActiveNumbers?Type=local&Type=mobile&Empty=")
    api.post(f"{api.base}/IncomingPhoneNumbers.json", {"PhoneNumber": "+1 5", "VoiceUrl": ""})
    sandbox.client.delete("/Numbers/ActiveNumbers/PN1")

    first, second, third = sandbox.requests()

    assert first["n"] < second["n"] < third["n"]
    assert (first["method"], first["path"]) == ("GET", "/Numbers/ActiveNumbers")
    assert first["query"] == [["Type", "local"], ["Type", "mobile"], ["Empty", ""]]
    assert (first["form"], first["status"], first["account"]) == ([], 200, api.account.sid)
    assert second["form"] == [["PhoneNumber", "+1 5"], ["VoiceUrl", ""]]
    assert (second["status"], second["outcome"]) == (400, "answered")
    assert (third["status"], third["account"]) == (401, None)
    assert third["duration_ms"] >= 0
    sandbox.forget_requests()
    assert sandbox.requests() == []


def test_the_journal_forgets_the_oldest_requests() -> None:
    with running_sandbox(SandboxSettings(numbers=500, journal_size=3)) as sandbox:
        for number in range(5):
            sandbox.client.get(f"/Numbers/{number}")
        assert [entry["path"] for entry in sandbox.requests()] == [
            "/Numbers/2",
            "/Numbers/3",
            "/Numbers/4",
        ]


def test_the_seeded_accounts_have_their_roles(sandbox: RunningSandbox) -> None:
    accounts = sandbox.accounts()

    assert set(accounts) >= {
        "parent", "subaccount", "core-only", "trial", "test", "large", "suspended",
    }  # fmt: skip
    without = [role for role, account in accounts.items() if not account.catalog]
    assert without == ["core-only", "core-only subaccount"]
    below = accounts["core-only subaccount"]
    assert below.owner_account_sid == accounts["core-only"].sid
    assert accounts["trial"].type == "Trial"
    assert accounts["suspended"].status == "suspended"
    assert accounts["parent"].api_key["sid"].startswith("SK")


@pytest.mark.parametrize("owned", [0, 1, 2000])
def test_an_account_is_made_to_order(sandbox: RunningSandbox, owned: int) -> None:
    parent = sandbox.accounts()["parent"]

    account = sandbox.create_account(
        catalog=False, type="Trial", owner_account_sid=parent.sid, owned=owned, role="mine"
    )

    assert (account.catalog, account.type, account.role) == (False, "Trial", "mine")
    assert account.owner_account_sid == parent.sid
    numbers = [number["phone_number"] for number in sandbox.numbers(account.sid)]
    assert len(numbers) == len(set(numbers)) == owned


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"owned": -1}, "owned must be between"),
        ({"owned": 100_001}, "owned must be between"),
        ({"owned": "3"}, "owned does not take '3'"),
        ({"type": "Gratis"}, "type does not take"),
        ({"catalog": 1}, "catalog does not take 1"),
        ({"owner_account_sid": "AC1"}, "there is no account AC1"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_a_senseless_account_is_refused(
    sandbox: RunningSandbox, document: dict[str, Any], why: str
) -> None:
    response = sandbox.client.post("/_sandbox/accounts", json=document)

    assert response.status_code == 400
    assert why in response.json()["error"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"account_sid": "AC1"}, "there is no account 'AC1'"),
        ({"phone_number": "five"}, "phone_number does not take 'five'"),
        ({"resource": []}, "resource must be an object"),
        ({"resource": {"colour": "red"}}, "resource must be an object of"),
        ({"resource": {"geography": "here"}}, "geography does not take 'here'"),
        ({"resource": {"beta": 1}}, "beta does not take 1"),
        ({"resource": {"origin": "mars"}}, "origin does not take 'mars'"),
        ({"absent": "type"}, "absent must be a list"),
        ({"sid": "PN1"}, "unknown field 'sid'"),
    ],
)
def test_a_senseless_number_is_refused(
    sandbox: RunningSandbox, document: dict[str, Any], why: str
) -> None:
    response = sandbox.client.post("/_sandbox/numbers", json=document)

    assert response.status_code == 400
    assert why in response.json()["error"]


def test_a_number_moves_between_owners_and_the_inventory(sandbox: RunningSandbox, api: Api) -> None:
    number = api.available()

    owned = sandbox.put_number(api.account.sid, number)
    assert owned["sid"] in [item["sid"] for item in api.items()]
    assert api.search(Contains=f"+{number[1:]}") == []
    other = sandbox.create_account()
    moved = sandbox.put_number(other.sid, number)
    assert (moved["sid"], moved["account_sid"]) == (owned["sid"], other.sid)
    sandbox.put_number(None, number)
    assert [n["phone_number"] for n in api.search(Contains=f"+{number[1:]}")] == [number]
    assert sandbox.numbers(other.sid) == []


def test_a_changed_number_keeps_what_was_not_mentioned(sandbox: RunningSandbox, api: Api) -> None:
    first = sandbox.put_number(
        api.account.sid, resource={"configuration": {"voice": {"url": "https://example.com/"}}}
    )

    second = sandbox.put_number(
        api.account.sid, first["phone_number"], {"configuration": {"sms": {"method": "GET"}}}
    )

    assert second["configuration"]["voice"]["url"] == "https://example.com/"
    assert second["configuration"]["sms"]["method"] == "GET"
    assert second["sid"] == first["sid"]


def test_odd_numbers_are_possible(sandbox: RunningSandbox, api: Api) -> None:
    for number in ("+1555223000", "894546"):
        sandbox.put_number(api.account.sid, number, {"type": "shortcode"})

    assert {"+1555223000", "894546"} <= {item["phone_number"] for item in api.items()}


def test_the_inventory_is_what_searches_see(sandbox: RunningSandbox, parent: Api) -> None:
    listed = sandbox.inventory("DK", "mobile")

    assert [n["phone_number"] for n in listed] == [
        n["phone_number"] for n in parent.search("DK/Mobile", PageSize=1000)
    ]
    assert set(listed[0]) >= {"phone_number", "type", "lifecycle", "capabilities", "geography"}
    assert sandbox.inventory("XX") == []


def test_there_are_at_least_a_hundred_thousand_numbers_over_a_hundred_rate_centers(
    sandbox: RunningSandbox,
) -> None:
    numbers = sandbox.inventory(fields=["phone_number", "geography"])

    assert len({number["phone_number"] for number in numbers}) == len(numbers) >= 100_000
    centers: dict[str, int] = {}
    for number in numbers:
        name = number["geography"]["rate_center"]
        if name:
            centers[name] = centers.get(name, 0) + 1
    assert len(centers) >= 100
    assert sum(count >= 500 for count in centers.values()) >= 5


def test_switches_are_shown_changed_and_restored(sandbox: RunningSandbox) -> None:
    defaults = sandbox.client.get("/_sandbox/switches").json()
    assert set(defaults) == set(Switches.__dataclass_fields__)

    sandbox.set_switches(search_cap=30, capability_key_case="lower")

    changed = {"search_cap": 30, "capability_key_case": "lower"}
    assert sandbox.client.get("/_sandbox/switches").json() == {**defaults, **changed}
    sandbox.reset_switches()
    assert sandbox.client.get("/_sandbox/switches").json() == defaults


@pytest.mark.parametrize(
    "switches",
    [
        {"colour": "red"},
        {"search_cap": "30"},
        {"instance_envelope": 1},
        {"create_status": True},
        {"capability_key_case": "mixed"},
        {"inactive_account_code": 1},
        {"bad_pattern_code": 1},
        {"search_cap": -5},
        {"search_cap": 1001},
        {"search_default_page_size": 0},
        {"create_status": 99},
        {"create_status": 404},
        {"missing_sid_status": 200},
        {"search_error_status": 600},
        {"unsupported_method_status": 0},
        {"unverified_error_status": -400},
        {"concurrency_limit": 0},
    ],
)
def test_a_senseless_switch_is_refused(sandbox: RunningSandbox, switches: dict[str, Any]) -> None:
    response = sandbox.client.put("/_sandbox/switches", json=switches)

    assert response.status_code == 400
    assert next(iter(switches)) in response.json()["error"]


def test_unknown_control_paths_and_methods_are_refused(sandbox: RunningSandbox) -> None:
    assert sandbox.client.get("/_sandbox/nothing").status_code == 404
    assert sandbox.client.patch("/_sandbox/accounts").status_code == 405


@pytest.mark.parametrize("kept_in_a_file", [False, True])
def test_a_reset_makes_it_what_it_was_at_the_start(kept_in_a_file: bool, tmp_path: Path) -> None:
    data = tmp_path / "sandbox.db" if kept_in_a_file else None
    with running_sandbox(SandboxSettings(numbers=500, data=data)) as sandbox:
        before = _all_of(sandbox)
        parent = sandbox.accounts()["parent"]
        sandbox.create_account(owned=3, role="mine")
        with acting_as(sandbox, parent) as api:
            form = {"PhoneNumber": api.available()}
            assert api.post(f"{api.base}/IncomingPhoneNumbers.json", form).status_code == 201
        sandbox.set_switches(search_cap=30)
        sandbox.client.put("/_sandbox/faults", json={"faults": [{"kind": "429"}]})
        assert _all_of(sandbox) != before

        assert sandbox.client.post("/_sandbox/reset").status_code == 204

        assert _all_of(sandbox) == before
        with acting_as(sandbox, parent) as api:
            assert api.post(f"{api.base}/IncomingPhoneNumbers.json", form).status_code == 201


def _all_of(sandbox: RunningSandbox) -> dict[str, Any]:
    """What a sandbox can tell of itself, but for the times at which it was made."""
    accounts = sandbox.client.get("/_sandbox/accounts").json()["accounts"]
    return {
        "accounts": accounts,
        "numbers": [sandbox.numbers(each["sid"]) for each in accounts],
        **{
            name: sandbox.client.get(f"/_sandbox/{name}").json()
            for name in ("inventory", "requests", "ledger", "faults", "switches")
        },
    }
