"""How much a field takes at once: what descriptions say, refusals enforce and costs count with."""

from collections.abc import Mapping
from typing import Final

MOST_FIRST: Final = 1000
"""Numbers, or accounts, of a page."""
USUAL_FIRST: Final = 50
"""Numbers, or accounts, of a page of which nothing says how many it shall have."""
MOST_IDS: Final = 1000
"""Objects that are asked for by their ids."""
MOST_ITEMS: Final = 100
"""Items of a plural mutation."""
MOST_SEARCHES: Final = 64
"""Searches of one field, one for each of its types and area codes."""

LONGEST: Final[Mapping[str, int]] = {
    "first": MOST_FIRST,
    "last": MOST_FIRST,
    "ids": MOST_IDS,
    "input.items": MOST_ITEMS,
}
"""How long a list can be by the argument that says its length; whoever asks for more is refused."""
