"""Text of others, made safe to print: what would steer a terminal is spelled out.

Names, messages and queries come from clients and from the upstream. Printed as they are, they could
clear a terminal, colour it, write a line of their own, or show their characters in another order.
"""

import re
from typing import Final

# Control characters (C0, DEL, C1), marks that change the direction of text, separators of lines
# that are not "\n", the byte order mark, and halves of pairs, which no encoding can write.
_UNSAFE: Final = (
    "[\\x00-{to}\\x7f-\\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\\ud800-\\udfff]"
)
_IN_A_LINE: Final = re.compile(_UNSAFE.format(to="\\x1f"))
_IN_LINES: Final = re.compile(_UNSAFE.format(to="\\x09\\x0b-\\x1f"))
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return `text` with each unsafe character spelled as JSON would: `\n`, `\u001b`.

    JSON stays the same JSON by it.

    Args:
        text: what is to be printed.
        lines: whether line feeds are the printer's own, and stay.
    """
    return (_IN_LINES if lines else _IN_A_LINE).sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"
