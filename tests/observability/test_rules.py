"""Text of others, made safe to print."""

import json

import pytest

from gateway.observability.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 数", "plain é 数"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[2J\x7f\x9b", r"\u001b[2J\u007f\u009b"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\ufeffa\u2028b", r"\ufeffa\u2028b"),
        ("\ud83d", r"\ud83d"),
    ],
)
def test_what_would_steer_a_terminal_is_spelt_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert json.loads(f'"{printable(text)}"') == text


def test_lines_that_the_printer_makes_stay() -> None:
    assert printable("a\nb\r", lines=True) == "a\nb\\r"
