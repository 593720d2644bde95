"""PURE: whether a text can be a part of a URL."""

import re
from typing import Final

# Of these, RFC 3986 lets none stand in a URL; what is no ASCII is encoded before it is sent.
_FOREIGN: Final = re.compile(r'[ "<>\\^`{|}]')
_BROKEN_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")


def is_of_a_url(text: str) -> bool:
    """Whether a text has only characters that may stand in a URL."""
    return text.isprintable() and not _FOREIGN.search(text)


def is_path(text: str) -> bool:
    """Whether a text can be the path of a URL: a percent sign begins two hexadecimal digits."""
    return is_of_a_url(text) and not _BROKEN_ESCAPE.search(text)
