"""Searches that the upstream cuts off, completed by asking for ever narrower parts.

A search has no pages, and the upstream gives at most a few dozen numbers whatever `PageSize` says.
So a search that was cut off is split by the next digit of the number (`Contains=+1510`), each part
that is cut off again is split further, until enough is found, everything is found, or the allowance
of calls is spent.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import phonenumbers

from gateway.errors import UpstreamRefused
from gateway.records import View

# Calls of one round run at once; a round is one split of the shortest prefix.
_LONGEST_PREFIX = 12


class Part(NamedTuple):
    """What a narrower search found, and whether it was cut off in turn."""

    numbers: list[View]
    cut_off: bool


class Allowance:
    """How many calls may still be made to complete the searches of one request."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def take(self, calls: int) -> bool:
        """Take so many calls; False when there are not so many left."""
        if calls > self._left:
            return False
        self._left -= calls
        return True


Ask = Callable[[Mapping[str, Any]], Awaitable[Part]]


def prefix_of(country: str, wanted: Mapping[str, Any]) -> str | None:
    """Return the digits that all results begin with; None when a search cannot be split.

    A pattern of the client's own cannot be combined with ours: `Contains` is given once.
    """
    if "contains" in wanted:
        return None
    code = phonenumbers.country_code_for_region(country)
    return f"+{code}{wanted.get('areaCode', '')}" if code else None


def can_split(country: str, wanted: Mapping[str, Any], allowance: int) -> bool:
    """Whether a search that was cut off can be asked in parts, with so many calls."""
    root = prefix_of(country, wanted)
    return root is not None and allowance >= len(_next_digits(root))


async def complete(
    first: Sequence[View],
    ask: Ask,
    *,
    country: str,
    wanted: Mapping[str, Any],
    most: int,
    allowance: Allowance,
) -> tuple[list[View], bool]:
    """Return up to `most` numbers or some more, and whether these are all that there are.

    Args:
        first: what the whole search gave before it was cut off.
        ask: makes a narrower search.
        country: where it searches.
        wanted: the filters.
        most: how many are enough.
        allowance: calls that may be made, also for others.
    """
    found = {number.phone_number: number for number in first}
    root = prefix_of(country, wanted)
    queue = deque([root] if root is not None else [])
    complete_so_far = root is not None
    while queue and len(found) < most:
        prefix = queue.popleft()
        digits = _next_digits(prefix)
        if len(prefix) >= _LONGEST_PREFIX or not allowance.take(len(digits)):
            complete_so_far = False
            break
        prefixes = [prefix + digit for digit in digits]
        try:
            parts = await asyncio.gather(*(ask({**wanted, "contains": each}) for each in prefixes))
        except UpstreamRefused:
            # This upstream does not know anchored patterns.
            complete_so_far = False
            break
        for each, part in zip(prefixes, parts, strict=True):
            found |= {number.phone_number: number for number in part.numbers}
            if part.cut_off:
                queue.append(each)
    return list(found.values()), complete_so_far and not queue


def _next_digits(prefix: str) -> str:
    # No area code of North America begins with 0 or 1.
    return "23456789" if prefix == "+1" else "0123456789"
