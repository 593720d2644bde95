"""The parts of redis-py that it does not document, and the words of its messages, as far as this
room needs them.

`tests/install/test_private_parts.py` asserts each of them.
"""

from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import MasterNotFoundError

__all__ = ["is_password_refused", "parse_url"]


def is_password_refused(error: MasterNotFoundError) -> bool:
    """Whether no sentinel named a primary because they refuse the password."""
    return "AuthenticationError" in str(error)
