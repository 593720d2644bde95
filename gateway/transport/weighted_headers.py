"""PURE: header values with parameters, and lists of what clients accept, with weights.

Source: RFC 9110, 5.6.6 and 12.4.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Accepted(NamedTuple):
    """One entry of such a header, in lower case.

    Attributes:
        weight: 0 refuses it; so does one that is no number.
    """

    value: str
    parameters: Mapping[str, str]
    weight: float


def read_weighted(header: str) -> Iterator[Accepted]:
    """Yield the entries of a header in their order."""
    for entry in header.split(","):
        value, parameters = read_value(entry)
        yield Accepted(value, parameters, _weight(parameters.get("q", "1")))


def read_value(text: str) -> tuple[str, dict[str, str]]:
    """Return a value, such as a media type, and its parameters, in lower case."""
    value, *rest = (piece.strip().lower() for piece in text.split(";"))
    parameters = {}
    for each in rest:
        name, _, said = each.partition("=")
        parameters[name.strip()] = said.strip().strip('"')
    return value, parameters


def _weight(said: str) -> float:
    try:
        weight = float(said)
    except ValueError:
        return 0.0
    return weight if weight > 0 else 0.0  # Also `nan` is none.
