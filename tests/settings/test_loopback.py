"""Which hosts are this machine alone."""

import pytest

from gateway.settings.loopback import is_loopback
from gateway.transport.browser_security import _is_loopback_page


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "::1"])
def test_names_and_addresses_of_this_machine_are_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "::", "127.0.0.1.nip.io", "localhost.example", "10.0.0.1", "2130706433"],
)
def test_no_other_host_is_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:8000", True),
        ("http://[127.0.0.1]x", False),
        ("http://localhost:3000/page", False),
        ("http://localhost@evil.example", False),
        ("http://localhost.evil.example", False),
        ("ftp://localhost", False),
        ("null", False),
    ],
)
def test_a_page_of_this_machine_is_told_by_its_origin(origin: str, is_own: bool) -> None:
    assert _is_loopback_page(origin) is is_own
