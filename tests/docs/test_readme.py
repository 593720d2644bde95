"""The README's examples run as they stand."""

import json
import re
import shlex
import subprocess
from typing import Any

import pytest

from tests.faults.asking import fresh_number
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway
from tests.support.gateway_process import free_port, read_until, started
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()
EXAMPLES = {
    re.search(r"(?:query|mutation) (\w+)", block).group(1): block  # type: ignore[union-attr]
    for block in re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)
}


def test_every_example_is_named() -> None:
    assert list(EXAMPLES) == [
        "NearSanFrancisco",
        "MyNumbers",
        "Buy",
        "Configure",
        "Transfer",
        "Release",
    ]


@pytest.mark.parametrize("role", ["core-only", "parent"])
def test_the_reading_examples_find_numbers(gateway: RunningGateway, role: str) -> None:
    account = gateway.sandbox.accounts()[role]
    found = gateway.query(EXAMPLES["NearSanFrancisco"], account=account)["availablePhoneNumbers"]
    assert len(found["nodes"]) == 3
    mine = gateway.query(EXAMPLES["MyNumbers"], account=account)["phoneNumbers"]
    assert len(mine["nodes"]) == 20


@pytest.mark.parametrize("catalog", [False, True], ids=["core alone", "catalog"])
def test_the_writing_examples_work_one_after_another(
    gateway: RunningGateway, catalog: bool
) -> None:
    parent = gateway.sandbox.create_account(catalog=catalog)
    child = gateway.sandbox.create_account(catalog=catalog, owner_account_sid=parent.sid)
    number = fresh_number(gateway.sandbox)
    bought = gateway.query(EXAMPLES["Buy"], {"phoneNumber": number}, account=parent)
    assert bought["purchasePhoneNumber"]["userErrors"] == []
    sid = bought["purchasePhoneNumber"]["phoneNumber"]["sid"]
    changed = gateway.query(EXAMPLES["Configure"], {"sid": sid}, account=parent)
    assert changed["configurePhoneNumber"]["phoneNumber"]["configuration"] == {
        "voice": {"url": None},
        "sms": {"url": "https://example.com/sms"},
    }
    both = {"sid": sid, "subaccount": child.sid}
    moved = gateway.query(EXAMPLES["Transfer"], both, account=parent)
    assert moved["transferPhoneNumber"]["phoneNumber"] == {"accountSid": child.sid}
    released = gateway.query(EXAMPLES["Release"], both | {"phoneNumber": number}, account=parent)
    assert released["releasePhoneNumber"] == {"releasedId": sid, "userErrors": []}


def test_a_newcomer_can_follow_the_page_from_its_top_to_its_end() -> None:
    """In front of a sandbox as `make run` starts it, each example takes what those before gave."""
    port = free_port()
    options = ["--port", str(port), "--sandbox-port", "0"]
    with started("serve", "--sandbox", *options) as process:
        read_until(process, '"variables"')
        (curl,) = re.findall(r"^curl .*?'$", README, re.MULTILINE | re.DOTALL)
        answer = subprocess.run(  # noqa: S603 - the command of the page
            [*shlex.split(curl.replace(":8000/", f":{port}/")), "--silent"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert len(json.loads(answer.stdout)["data"]["phoneNumbers"]["nodes"]) == 2
        url = f"http://127.0.0.1:{port}"
        settings = loopback.get(f"{url}/explorer/config.json").json()
        ordinary, with_catalog, *_ = settings["sandbox"]["accounts"]
        _follow(url, None, ordinary["sid"])  # Whoever names no account acts as the first.
        _follow(url, (with_catalog["sid"], with_catalog["authToken"]), with_catalog["sid"])


def _follow(url: str, account: tuple[str, str] | None, sid: str) -> None:
    """Follow the page as an account, which has this sid."""

    def asked(query: str, variables: dict[str, str] | None = None) -> dict[str, Any]:
        body = {"query": query, "variables": variables or {}}
        answer = loopback.post(f"{url}/graphql", json=body, auth=account).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    known: dict[str, str] = {}
    for name, text in EXAMPLES.items():
        if name == "Transfer":
            (listed,) = re.findall(r"`(\{ account .*?)` lists them", README)
            own = asked(listed)["account"]["subaccounts"]["nodes"]
            known["subaccount"] = own[0]["sid"]
        wanted = set(re.findall(r"\$(\w+): ", text))
        given = {key: value for key, value in known.items() if key in wanted}
        ((answered, payload),) = asked(text, given).items()
        assert payload.get("userErrors", []) == [], name
        if answered == "availablePhoneNumbers":
            known["phoneNumber"] = payload["nodes"][0]["phoneNumber"]
        if answered == "purchasePhoneNumber":
            assert payload["phoneNumber"]["accountSid"] == sid
            known["sid"] = payload["phoneNumber"]["sid"]
    assert payload["releasedId"] == known["sid"]
    # And one that stays where it was bought is given back without a subaccount.
    sale = asked(EXAMPLES["NearSanFrancisco"])["availablePhoneNumbers"]["nodes"]
    number = {"phoneNumber": sale[-1]["phoneNumber"]}
    bought = asked(EXAMPLES["Buy"], number)["purchasePhoneNumber"]["phoneNumber"]["sid"]
    back = asked(EXAMPLES["Release"], number | {"sid": bought})["releasePhoneNumber"]
    assert back == {"releasedId": bought, "userErrors": []}


def test_it_is_short_enough_to_read() -> None:
    assert README.count("\n") < 200
