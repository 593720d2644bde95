"""Patterns over phone numbers: the `Contains` parameter and its relatives.

Two grammars are documented and both are accepted. The older one has `*` for exactly one digit,
anywhere, and letters for keypad digits. The newer one adds `%` for any run of digits, a leading
`+` that anchors the pattern at the start of the E.164 number, and a trailing `$` that anchors it
at the end.
"""

import re
from dataclasses import dataclass

_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_SHORTEST, _LONGEST, _FEWEST_ORDINARY = 2, 16, 2
# SQLite refuses to match a pattern of 50,000 characters; no number needs a fraction of these.
_LONGEST_OF_ALL = 100
_INNER_WILDCARD = re.compile(r"\w[*%]+\w|[*%]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pattern:
    """An SQLite GLOB and the column it is for: `national`, or `phone_number` without its `+`."""

    column: str
    glob: str


def digits(text: str) -> str:
    """Letters replaced by their keypad digits: `STORM` -> `78676`."""
    return text.upper().translate(_KEYPAD)


def parse(text: str, *, strict: bool = True, inner_wildcards: bool = True) -> Pattern:
    """The pattern as a GLOB.

    Args:
        text: As the client sent it.
        strict: Require 2 to 16 characters of which two are ordinary, as the search does;
            otherwise any pattern of up to 100 characters will do.
        inner_wildcards: Whether `*` and `%` may stand between other characters, and in a row.

    Raises:
        ValueError: Why the pattern is not valid.
    """
    anchored = text.startswith("+")
    body = text[1:] if anchored else text
    ended = body.endswith("$")
    body = body.removesuffix("$")
    shortest, longest = (_SHORTEST, _LONGEST) if strict else (0, _LONGEST_OF_ALL)
    if not shortest <= len(text) <= longest:
        message = f"a pattern has {shortest} to {longest} characters"
        raise ValueError(message)
    ordinary = [character for character in body if character not in "*%"]
    if not all(character.isascii() and character.isalnum() for character in ordinary):
        message = (
            "a pattern consists of digits, letters, '*', '%', a leading '+' and a trailing '$'"
        )
        raise ValueError(message)
    if strict and len(ordinary) < _FEWEST_ORDINARY:
        message = "a pattern needs at least two digits or letters"
        raise ValueError(message)
    if not inner_wildcards and _INNER_WILDCARD.search(body):
        message = "'*' and '%' stand at its ends, one at each"
        raise ValueError(message)
    glob = digits(body).replace("*", "?").replace("%", "*")
    glob = f"+{glob}" if anchored else f"*{glob}"
    if not ended:
        glob = f"{glob}*"
    return Pattern("phone_number" if anchored else "national", glob)
