"""PURE: JSON of others as plain values."""

from typing import Any

import msgspec
import orjson

# Writers of JSON go 254 levels deep; what is kept of an answer is written within a few more.
_ROOM = 16
_SURELY_SHALLOW = 200


def read_json(text: bytes | msgspec.Raw) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON as plain values that can be written again, as part of something else, too.

    Raises:
        ValueError: it is no JSON, or nested too deep for that.
    """
    text = bytes(text)
    value = orjson.loads(text)
    if not is_surely_shallow(text):
        within = value
        for _ in range(_ROOM):
            within = [within]
        try:
            orjson.dumps(within)
        except TypeError:
            raise ValueError("It is nested too deep.") from None
    return value


def is_surely_shallow(text: bytes) -> bool:
    """Whether JSON is certainly not nested too deep to be written, and read, again."""
    # To count them takes three times as long.
    return len(text) - len(text.translate(None, b"[{")) <= _SURELY_SHALLOW
