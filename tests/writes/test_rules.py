"""What a number shows of what a write meant to make, and the words of refusals."""

from string import Formatter
from typing import Any

import orjson
import pytest
from msgspec.structs import replace
from strawberry import ID

from gateway.auth.caller import Caller
from gateway.errors import BadUserInput, Forbidden
from gateway.mapping.records import View, view
from gateway.upstream.call import Credential
from gateway.writes.evidence import differing
from gateway.writes.mutations import _plain
from gateway.writes.outcome import from_json
from gateway.writes.user_errors import Reason, Refusal
from gateway.writes.webhook_hosts import Webhooks
from gateway.writes.write_inputs import (
    Asker,
    Configure,
    Input,
    Purchase,
    Release,
    Transfer,
    Write,
    in_item,
)
from schema.enums import Source
from schema.inputs import (
    ConfigurePhoneNumberInput,
    PurchasePhoneNumberInput,
    RegulatoryInput,
    ReleasePhoneNumberInput,
    TransferPhoneNumberInput,
)
from schema.scalars import E164


def number(**configuration: Any) -> View:
    """Return a number as the catalog gives it."""
    record = {"sid": "PN1", "phone_number": "+14155550100", "configuration": configuration}
    found = view("PhoneNumber", Source.CATALOG, record)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shown", "meant", "differs"),
    [
        ({"friendly_name": "A"}, {"friendlyName": "A"}, False),
        ({"friendly_name": "B"}, {"friendlyName": "A"}, True),
        ({"friendly_name": "(415) 555-0100"}, {"friendlyName": None}, False),
        ({"friendly_name": "Still there"}, {"friendlyName": None}, True),
        ({"voice": {"url": "https://a.example/"}}, {"voice.url": "https://a.example/"}, False),
        ({"voice": {"url": "https://b.example/"}}, {"voice.url": "https://a.example/"}, True),
        ({"voice": {"url": ""}}, {"voice.url": ""}, False),
        ({}, {"voice.url": "https://a.example/"}, True),
        ({}, {"voice.emergencyStatus": "ACTIVE"}, False),
    ],
)
def test_a_setting_differs_when_the_number_does_not_show_it(
    shown: dict[str, Any], meant: dict[str, Any], differs: bool
) -> None:
    assert bool(differing(number(**shown), meant)) is differs


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_fills_in_its_words_and_blames_the_field_it_is_told(reason: Reason) -> None:
    names = {name for _, name, *_ in Formatter().parse(reason.value.words) if name}
    refusal = reason.refuse(("a", "b"), 20404, **{name: f"the {name}" for name in names})
    assert (refusal.field, refusal.upstream_code) == (("a", "b"), 20404)
    assert "{" not in refusal.message
    assert all(f"the {name}" in refusal.message for name in names)
    assert in_item(refusal, 3).field == ("items", "3", "a", "b")


def release(sid: str, confirmed: str = "+14155550100", **others: Any) -> ReleasePhoneNumberInput:
    """Return the input of a release."""
    return ReleasePhoneNumberInput(sid=ID(sid), confirm_phone_number=E164(confirmed), **others)


OWN = "AC" + "1" * 32
ASKER = Asker(
    Caller(Credential(OWN, "secret", OWN), OWN), Webhooks((), private=True), written=False
)
SID = "PN" + "0" * 32


def test_items_are_read_each_on_its_own() -> None:
    items = [release(SID), release("PN1"), release(SID.replace("0", "1"))]
    one, malformed, other = Release.parse_each(items, ASKER)
    assert isinstance(one, Release)
    assert isinstance(other, Release)
    assert (one.account, one.sid, one.confirmed) == (OWN, SID, "+14155550100")
    assert isinstance(malformed, Refusal)
    assert malformed.field[:2] == ("items", "1")


def test_of_an_object_that_is_named_twice_only_the_first_is_read() -> None:
    first, second = Release.parse_each([release(SID), release(SID)], ASKER)
    assert isinstance(first, Release)
    assert isinstance(second, Refusal)
    assert second.field == ("items", "1", "sid")


@pytest.mark.parametrize("count", [0, 101])
def test_no_items_and_too_many_are_refused_before_anything_is_written(count: int) -> None:
    with pytest.raises(BadUserInput, match="not between 1 and 100"):
        Release.parse_each([release(SID)] * count, ASKER)
    later = Release.parse_each([release(SID)] * count, replace(ASKER, written=True))
    assert [isinstance(each, Refusal) for each in later] == [True] * count


def test_an_account_that_the_caller_may_not_name_is_refused() -> None:
    other = "AC" + "2" * 32
    bound = Caller(Credential(OWN, "secret", OWN), OWN, accounts=frozenset({OWN}))
    with pytest.raises(Forbidden, match="not among those"):
        Release.parse(release(SID, account_sid=ID(other)), replace(ASKER, caller=bound))
    found = Release.parse(release(SID, account_sid=ID(other)), ASKER)
    assert isinstance(found, Release)
    assert found.account == other


BUNDLE = RegulatoryInput(bundle_sid=ID("BU" + "1" * 32))


@pytest.mark.parametrize(
    ("kind", "wanted", "path"),
    [
        (
            Purchase,
            PurchasePhoneNumberInput(phone_number=E164("+14155550100"), regulatory=BUNDLE),
            "configuration.regulatory.bundleSid",
        ),
        (
            Configure,
            ConfigurePhoneNumberInput(sid=ID(SID), regulatory=BUNDLE),
            "configuration.regulatory.bundleSid",
        ),
        (
            Transfer,
            TransferPhoneNumberInput(sid=ID(SID), to_account_sid=ID(OWN), regulatory=BUNDLE),
            "regulatory.bundleSid",
        ),
    ],
)
def test_a_key_that_the_last_release_knows_stands_for_the_same_documents(
    kind: type[Write], wanted: Input, path: str
) -> None:
    asked = kind.parse(wanted, ASKER)
    assert isinstance(asked, Write)
    assert _plain(asked, asked.given)[path] == BUNDLE.bundle_sid
    assert [name for name in _plain(asked, asked.given) if "regulatory" in name] == [path]


def test_a_remembered_refusal_names_the_documents_where_they_stand_now() -> None:
    field = ["configuration", "regulatory", "bundleSid"]
    kept = {
        "number": None,
        "refusal": [field, "No.", "BUNDLE_REQUIRED", 21649],
        "reconciled": False,
    }
    refusal = from_json(orjson.dumps(kept)).refusal
    assert refusal is not None
    assert refusal.field == ("regulatory", "bundleSid")
