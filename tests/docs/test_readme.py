"""The README's examples run as they stand."""

import json
import re
import shlex
import subprocess
from typing import Any

from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway
from tests.support.gateway_process import free_port, read_until, started
from tests.support.paths import ROOT
from tests.writes.test_mutations import available

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


def test_the_reading_examples_find_numbers(gateway: RunningGateway) -> None:
    found = gateway.query(EXAMPLES["NearSanFrancisco"])["availablePhoneNumbers"]
    assert len(found["nodes"]) == 3
    mine = gateway.query(EXAMPLES["MyNumbers"])["phoneNumbers"]
    assert len(mine["nodes"]) == 20


def test_the_writing_examples_work_one_after_another(gateway: RunningGateway) -> None:
    parent = gateway.sandbox.create_account(catalog=True)
    child = gateway.sandbox.create_account(catalog=True, owner_account_sid=parent.sid)
    number = available(gateway)
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
        known: dict[str, str] = {}
        for name, text in EXAMPLES.items():
            if name == "Transfer":
                (listed,) = re.findall(r"`(\{ account .*?)` lists them", README)
                own = _asked(port, listed)["account"]["subaccounts"]["nodes"]
                known["subaccount"] = own[0]["sid"]
            wanted = set(re.findall(r"\$(\w+): ", text))
            given = {key: value for key, value in known.items() if key in wanted}
            ((answered, payload),) = _asked(port, text, given).items()
            assert payload.get("userErrors", []) == [], name
            if answered == "availablePhoneNumbers":
                known["phoneNumber"] = payload["nodes"][0]["phoneNumber"]
            if answered == "purchasePhoneNumber":
                known["sid"] = payload["phoneNumber"]["sid"]
        assert payload["releasedId"] == known["sid"]
        # And one that stays where it was bought is given back without a subaccount.
        sale = _asked(port, EXAMPLES["NearSanFrancisco"])["availablePhoneNumbers"]["nodes"]
        number = {"phoneNumber": sale[-1]["phoneNumber"]}
        sid = _asked(port, EXAMPLES["Buy"], number)["purchasePhoneNumber"]["phoneNumber"]["sid"]
        back = _asked(port, EXAMPLES["Release"], number | {"sid": sid})["releasePhoneNumber"]
        assert back == {"releasedId": sid, "userErrors": []}


def _asked(port: int, query: str, variables: dict[str, str] | None = None) -> dict[str, Any]:
    body = {"query": query, "variables": variables or {}}
    url = f"http://127.0.0.1:{port}/graphql"
    answer = loopback.post(url, json=body, timeout=30).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


def test_it_is_short_enough_to_read() -> None:
    assert README.count("\n") < 200
