"""States of owned numbers that have surprised clients; the seeded parent has a number in each."""

from collections.abc import Callable
from typing import Any

from gateway.sandbox.world.number_documents import Json

# A change of the configuration that answers `...` leaves the number without one.
_Change = tuple[Callable[[Json], Json], Callable[[Json], Any]]


def _same(document: Json) -> Json:
    return document


def _without(*names: str) -> Callable[[Json], Json]:
    def change(document: Json) -> Json:
        return {key: value for key, value in document.items() if key not in names}

    return change


def _null(*names: str) -> Callable[[Json], Json]:
    return lambda document: {**document, **dict.fromkeys(names)}


def _capability(name: str, value: Json | None) -> Callable[[Json], Json]:
    return lambda document: {**document, "capabilities": {**document["capabilities"], name: value}}


def _configured(**sections: Json | str | None) -> Callable[[Json], Json]:
    def change(configuration: Json) -> Json:
        for name, value in sections.items():
            merged = isinstance(value, dict) and isinstance(configuration.get(name), dict)
            configuration[name] = {**configuration[name], **value} if merged else value  # type: ignore[dict-item]
        return configuration

    return change


_SAMPLE = "https://example.com/"
CURIOSITIES: tuple[_Change, ...] = (
    (_capability("voice", None), _same),
    (_capability("sms", None), _same),
    (_capability("mms", None), _same),
    (_null("capabilities"), _same),
    (_without("capabilities"), _same),
    (_null("regulatory"), _same),
    (_null("lifecycle"), _same),
    (lambda document: {**document, "type": "shortcode"}, _same),
    (lambda document: {**document, "lifecycle": "exhausted"}, _same),
    (lambda document: {**document, "lifecycle": "beta"}, _same),
    (lambda document: {**document, "lifecycle": "developer-preview"}, _same),
    (_same, lambda _: None),
    (_same, lambda _: ...),
    (_same, _configured(voice=None, sms=None, mms=None)),
    (_same, _without("voice", "mms", "friendly_name")),
    (_same, _configured(friendly_name="Night line & <fax>")),
    (_same, _configured(friendly_name="Línea de atención ☎ 24 h")),
    (_same, _configured(friendly_name=None, status_callback="")),
    (
        _same,
        _configured(
            voice={
                "url": _SAMPLE + "voice",
                "method": "GET",
                "fallback_url": _SAMPLE + "voice-fallback",
            },
            sms={
                "url": _SAMPLE + "sms",
                "method": "POST",
                "fallback_url": _SAMPLE + "sms-fallback",
            },
            status_callback=_SAMPLE + "status",
            status_callback_method="GET",
        ),
    ),
    (
        _same,
        _configured(
            voice={"application_sid": "AP" + "a1" * 16, "url": _SAMPLE + "unused"},
            sms={"application_sid": "AP" + "b2" * 16},
        ),
    ),
    (_same, _configured(voice={"trunk_sid": "TK" + "c3" * 16, "url": _SAMPLE + "unused"})),
    (
        _same,
        _configured(
            voice={"emergency_status": "Active", "emergency_address_sid": "AD" + "d4" * 16}
        ),
    ),
    (_same, _configured(voice={"receive_mode": "fax", "caller_id_lookup": True})),
    (_same, _configured(voice={"method": "POST", "fallback_method": "POST"})),
    (_same, _configured(mms={"url": _SAMPLE + "mms", "method": "POST"})),
)
"""What the numbers are: a change of the profile, and one of the configuration."""
