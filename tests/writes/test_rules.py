"""What a number shows of what a write meant to make, and the words of refusals."""

from string import Formatter
from typing import Any

import pytest

from gateway.mapping.records import View, view
from gateway.writes.evidence import differing
from gateway.writes.user_errors import Reason
from gateway.writes.write_inputs import in_item
from schema.enums import Source


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
