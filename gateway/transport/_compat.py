"""The words of orjson's messages, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them.
"""

import orjson

__all__ = ["is_too_deep"]


def is_too_deep(error: orjson.JSONDecodeError) -> bool:
    """Whether JSON was refused for its depth; orjson reads 1024 levels."""
    return "depth" in error.msg
