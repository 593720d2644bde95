"""The same writes, for an account with the preview catalog and without, come to the same.

Two sandboxes are made alike, and asked the same in the same order. What may differ is a table of
`tests/support/both_apis.py`.
"""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.sandbox.options import SandboxSettings
from tests.support.both_apis import Pair, both, differences, selection
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import running_sandbox


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    settings = SandboxSettings(numbers=0)
    with (
        running_sandbox(settings) as one,
        running_sandbox(settings) as other,
        both(one, other) as pair,
    ):
        yield pair


@pytest.fixture(scope="module")
def place(pair: Pair) -> "Place":
    return Place(pair)


class Place:
    """Accounts and numbers, which are the same in both sandboxes."""

    def __init__(self, pair: Pair) -> None:
        sandbox = pair.rich.sandbox
        assert sandbox.all_accounts() == pair.plain.sandbox.all_accounts()
        roles = sandbox.accounts()
        self.parent, self.trial, self.large = roles["parent"], roles["trial"], roles["large"]
        self.sub, self.other_sub = sandbox.subaccounts()
        self.numbers = sandbox.numbers(self.parent.sid)
        self.theirs = sandbox.numbers(self.sub.sid)[0]
        self.strange = sandbox.numbers(self.large.sid)[0]
        for_sale = sandbox.inventory()
        self.free = [
            each["phone_number"]
            for each in for_sale
            if each["geography"]["iso_country"] == "US"
            and each["type"] == "local"
            and each["lifecycle"] == "generally-available"
        ]
        self.regulated = {
            needs: next(
                each["phone_number"] for each in for_sale if needs in (each.get("requires") or ())
            )
            for needs in ("address", "local-address", "bundle", "identity")
        }

    def sid(self, at: int) -> str:
        return str(self.numbers[at]["sid"])


RUN = uuid.uuid4().hex
URL = "https://example.com/hook"
SETTINGS: list[dict[str, Any]] = [
    {"friendlyName": "Front desk"},
    {"friendlyName": None},
    {"friendlyName": ""},
    {"friendlyName": "x" * 65},
    {"statusCallbackUrl": URL, "statusCallbackMethod": "GET"},
    {"statusCallbackUrl": None},
    {"voice": {"url": URL, "method": "GET", "fallbackUrl": URL, "fallbackMethod": "GET"}},
    {"voice": {"url": None, "fallbackUrl": None}},
    {"voice": {"fallbackUrl": URL}},
    {"voice": {"applicationSid": "AP" + "a" * 32}},
    {"voice": {"trunkSid": "TK" + "b" * 32}},
    {"voice": {"applicationSid": "AP" + "a" * 32, "url": URL}},
    {"voice": {"applicationSid": None}},
    {"voice": {"applicationSid": "AP" + "a" * 32, "trunkSid": "TK" + "b" * 32}},
    {"voice": {"receiveMode": "FAX", "callerIdLookup": True}},
    {"voice": {"method": None}},
    {"voice": {"emergencyStatus": "ACTIVE"}},
    {"sms": {"url": URL, "method": "GET", "fallbackUrl": URL, "fallbackMethod": "POST"}},
    {"sms": {"applicationSid": "AP" + "c" * 32}},
    {"sms": {"url": None, "applicationSid": None, "fallbackUrl": None}},
    {"sms": {"fallbackUrl": URL}},
    {"sms": {"applicationSid": "XX" + "c" * 32}},
    {"friendlyName": "All", "voice": {"url": URL}, "sms": {"url": URL}},
    {"voice": {"emergencyAddressSid": "AD" + "d" * 32}},
    {"voice": {"emergencyAddressSid": None}},
    {},
]
PAPERS: list[dict[str, Any]] = [
    {"addressSid": "AD" + "1" * 32},
    {"bundleSid": "BU" + "2" * 32, "identitySid": "RI" + "3" * 32},
    {"addressSid": "AD" + "0" * 32},
    {"clear": ["ADDRESS"]},
    {"clear": ["BUNDLE", "IDENTITY"]},
]
Inputs = Callable[[Place], Iterator[dict[str, Any]]]


def configurations(place: Place) -> Iterator[dict[str, Any]]:
    for settings in SETTINGS:
        yield {"sid": place.sid(0), "configuration": settings}
        yield {"sid": place.sid(1), "configuration": settings, "dryRun": True}
    for papers in PAPERS:
        yield {"sid": place.sid(2), "regulatory": papers}
        yield {"sid": place.sid(2), "regulatory": papers, "configuration": SETTINGS[6]}
    for sid in ("PN" + "0" * 32, "x", place.theirs["sid"], place.strange["sid"]):
        yield {"sid": sid, "configuration": SETTINGS[0]}
    for account in (place.sub, place.large):
        yield {
            "sid": place.theirs["sid"],
            "configuration": SETTINGS[0],
            "accountSid": account.sid,
        }
    for settings in (SETTINGS[0], SETTINGS[0], SETTINGS[1]):
        yield {"sid": place.sid(3), "configuration": settings, "idempotencyKey": "a key"}


def purchases(place: Place) -> Iterator[dict[str, Any]]:
    free = iter(place.free)
    for settings in SETTINGS:
        buy = {"phoneNumber": next(free), "configuration": settings}
        yield buy
    for settings in SETTINGS[::3]:
        yield {"phoneNumber": next(free), "configuration": settings, "dryRun": True}
    taken = place.strange["phone_number"]
    for number in (taken, place.numbers[4]["phone_number"], "+15550", "+12", "+14155550199"):
        yield {"phoneNumber": number, "dryRun": True}
        yield {"phoneNumber": number}
    for number in place.regulated.values():
        yield {"phoneNumber": number, "dryRun": True}
        yield {"phoneNumber": number}
        for papers in PAPERS[:3]:
            yield {"phoneNumber": number, "regulatory": papers, "dryRun": True}
            yield {"phoneNumber": number, "regulatory": papers}
    for most in ("0.5", "1000"):
        for currency in ("USD", "EUR"):
            price = {"amount": most, "currencyCode": currency}
            yield {"phoneNumber": next(free), "maxMonthlyPrice": price, "dryRun": True}
            yield {"phoneNumber": next(free), "maxMonthlyPrice": price}
    for account in (place.sub, place.large):
        yield {"phoneNumber": next(free), "accountSid": account.sid}
    twice = next(free)
    for number in (twice, twice, next(free)):
        yield {"phoneNumber": number, "idempotencyKey": "another key"}


def transfers(place: Place) -> Iterator[dict[str, Any]]:
    targets = [place.sub.sid, place.parent.sid, place.large.sid, "AC" + "0" * 32, "x"]
    for at, target in enumerate(targets):
        move = {"sid": place.sid(10 + at), "toAccountSid": target}
        yield move | {"dryRun": True}
        yield move
    yield {
        "sid": place.theirs["sid"],
        "toAccountSid": place.parent.sid,
        "accountSid": place.sub.sid,
    }
    for needs in place.numbers:
        if needs.get("requires"):
            yield {"sid": needs["sid"], "toAccountSid": place.other_sub.sid}
            for papers in PAPERS[:2]:
                move = {"sid": needs["sid"], "toAccountSid": place.other_sub.sid}
                yield move | {"regulatory": papers}


def releases(place: Place) -> Iterator[dict[str, Any]]:
    for at in (20, 21, -2, -3):
        number = place.numbers[at]
        yield {"sid": number["sid"], "confirmPhoneNumber": "+14155550100"}
        gone = {"sid": number["sid"], "confirmPhoneNumber": number["phone_number"]}
        yield gone | {"dryRun": True}
        yield gone
        yield gone
    registered = next(
        each
        for each in place.numbers
        if ((each.get("configuration") or {}).get("voice") or {}).get("emergency_address_sid")
    )
    for number in (registered, place.strange):
        yield {"sid": number["sid"], "confirmPhoneNumber": number["phone_number"]}


@pytest.mark.parametrize(
    ("field", "inputs"),
    [
        ("configurePhoneNumber", configurations),
        ("purchasePhoneNumber", purchases),
        ("transferPhoneNumber", transfers),
        ("releasePhoneNumber", releases),
    ],
)
def test_the_same_writes_come_to_the_same(
    pair: Pair, place: Place, field: str, inputs: Inputs
) -> None:
    name = field[0].upper() + field[1:]
    text = f"""mutation ($input: {name}Input!) {{
      {field}(input: $input) {{ {selection(f"{name}Payload")} }}
    }}"""
    problems: list[str] = []
    given, done = list(inputs(place)), 0
    for each in given:
        rich, plain = (
            gateway.execute(text, {"input": _with_key_for(gateway, each)}) for gateway in pair
        )
        if "errors" in rich or "errors" in plain:
            codes = [_codes(response) for response in (rich, plain)]
            if codes[0] != codes[1]:
                problems.append(f"{each}: {codes}")
            continue
        one, other = rich["data"][field], plain["data"][field]
        if [_forget_times(shown) for shown in (one, other)] != [True, True]:
            problems.append(f"{each}: a date is missing {one} {other}")
        problems += [f"{each}: {path}" for path in differences(f"{name}Payload", one, other)]
        done += not one["userErrors"]
    assert problems == []
    assert 3 < done < len(given) - 3
    accounts = (place.parent, place.sub, place.other_sub)
    states = [[gateway.sandbox.numbers(account.sid) for account in accounts] for gateway in pair]
    assert states[0] == states[1]


def _with_key_for(gateway: RunningGateway, given: dict[str, Any]) -> dict[str, Any]:
    """Return an input whose key, if any, was used in no other sandbox and no earlier run."""
    key = given.get("idempotencyKey")
    return given if key is None else given | {"idempotencyKey": f"{key} {RUN} {gateway.url}"}


def _codes(response: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in response.get("errors", ())]


def _forget_times(payload: dict[str, Any]) -> bool:
    """Leave out when a number was bought and changed, if that is told: the moments differ."""
    number = payload.get("phoneNumber")
    if number is None:
        return True
    dates = [number[name] for name in ("dateCreated", "dateUpdated")]
    number |= {"dateCreated": "", "dateUpdated": ""}
    return None not in dates
