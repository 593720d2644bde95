"""What a number shows of what a write meant to make."""

from typing import Any

import pytest

from gateway.mapping.records import View, view
from gateway.writes.evidence import differing
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
