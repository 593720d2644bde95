"""The README's examples run as they stand."""

import re
from pathlib import Path

from tests.gateway_process import RunningGateway
from tests.test_mutations import available

README = (Path(__file__).parent.parent / "README.md").read_text()
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
    assert released["releasePhoneNumber"] == {"releasedSid": sid, "userErrors": []}


def test_it_is_short_enough_to_read() -> None:
    assert README.count("\n") < 200
