"""Secrets in text that others wrote."""

import base64

import pytest

from gateway.upstream.redaction import GONE, Redactor, redact

SECRET = "5a1f0c3e9b7d2846af13570e8c924bd6"
USER = "AC" + "1" * 32
REDACTOR = Redactor(USER, SECRET)


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        SECRET.upper(),
        base64.b64encode(f"{USER}:{SECRET}".encode()).decode(),
        base64.b64encode(SECRET.encode()).decode(),
        "".join(f"%{ord(each):02x}" for each in SECRET),
        SECRET.encode().hex(),
        "-".join(SECRET),
        SECRET[:16],
        SECRET[16:],
        "".join(f"\\u{ord(each):04x}" for each in SECRET),
    ],
)
def test_a_known_secret_goes_however_it_is_spelt(spelt: str) -> None:
    shown = REDACTOR(f"before {spelt} then")
    assert spelt not in shown
    assert GONE in shown
    assert shown.startswith("before ")
    assert shown.endswith(" then")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Basic QUM6c2VjcmV0", f"Authorization: Basic {GONE}"),
        ("bearer abcdefgh.ijkl", f"bearer {GONE}"),
        ("https://user:word@example.com/", f"https://{GONE}@example.com/"),
        ("password=hunter2&x=1", f"password: {GONE}&x=1"),
        ("0123456789abcdef0123456789abcdef", GONE),
        (USER, USER),
        ("The number +14155550100 is not owned.", "The number +14155550100 is not owned."),
    ],
)
def test_what_looks_like_a_credential_goes_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_long_stretch_of_the_secret_is_found_and_a_sid_is_not() -> None:
    assert REDACTOR.finds(f"it was {SECRET[4:20]}")
    assert not REDACTOR.finds(f"it was {SECRET[:5]} of {'PN' + '0a' * 16}")
