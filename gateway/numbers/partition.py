"""Completes a search that the upstream cuts off, by narrower searches.

A search has no pages, and the upstream gives at most a few dozen numbers whatever `PageSize` says.
So a search that was cut off is split by the next digit of the number (`Contains=+1510`), or of the
client's own pattern (`55` into `550` … `559` and `55$`; `5*5` into `505` … `595`). Each part that
is cut off again is split further, until enough is found, everything is found, or the allowance of
calls is spent.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.errors import UpstreamRefused
from gateway.mapping.numbering_plan import calling_code
from gateway.mapping.records import View
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.families import MAX_PAGE_SIZE

CUT_OFF_AT: Final = frozenset({30, 50, MAX_PAGE_SIZE})
"""A search that yields so many, or as many as were asked for, may have been cut off.

Sources: maintainers of the official clients name 30; the documentation, 50 and 1000.
"""
LEAST_CUT_OFF: Final = min(CUT_OFF_AT)
"""Shorter searches show that they were cut off by being as long as was asked for."""
# The upstream takes no longer one.
_LONGEST_PATTERN = 16
_DIGITS = "0123456789"


class Part(NamedTuple):
    """What a narrower search found, and whether it was cut off in turn."""

    numbers: list[View]
    cut_off: bool


Ask = Callable[[Mapping[str, Any]], Awaitable[Part]]


def pattern_of(country: str, wanted: Mapping[str, Any]) -> str | None:
    """Return the pattern that all results match; None when nothing is known of them."""
    if "contains" in wanted:
        # At the ends of a pattern that is not anchored, `%` says nothing.
        pattern: str = wanted["contains"]
        return pattern.rstrip("%") if pattern.startswith("+") else pattern.strip("%")
    code = calling_code(country)
    return f"+{code}{wanted.get('areaCode', '')}" if code else None


def can_split(country: str, wanted: Mapping[str, Any], allowance: int) -> bool:
    """Whether a search that was cut off can be asked in parts, with so many calls."""
    pattern = pattern_of(country, wanted)
    parts = split(pattern) if pattern is not None else []
    return bool(parts) and allowance >= len(parts)


def split(pattern: str) -> list[str]:
    """Return narrower patterns that match together what `pattern` matches; none if it has none."""
    if "*" in pattern:
        return [pattern.replace("*", digit, 1) for digit in _DIGITS]
    if pattern.endswith("$") or len(pattern) >= _LONGEST_PATTERN:
        return []
    if pattern.startswith("+"):
        # No area code of North America begins with 0 or 1.
        return [pattern + digit for digit in (_DIGITS[2:] if pattern == "+1" else _DIGITS)]
    return [*(pattern + digit for digit in _DIGITS), f"{pattern}$"]


async def complete(
    first: Sequence[View],
    ask: Ask,
    *,
    country: str,
    wanted: Mapping[str, Any],
    most: int,
    allowance: SpareCalls,
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
    root = pattern_of(country, wanted)
    queue = deque([root] if root is not None else [])
    complete_so_far = root is not None
    while queue and len(found) < most:
        patterns = split(queue.popleft())
        if not patterns or not allowance.take(len(patterns)):
            complete_so_far = False
            break
        try:
            parts = await asyncio.gather(*(ask({**wanted, "contains": each}) for each in patterns))
        except UpstreamRefused:
            # This upstream does not know patterns with anchors.
            complete_so_far = False
            break
        for each, part in zip(patterns, parts, strict=True):
            found |= {number.phone_number: number for number in part.numbers}
            if part.cut_off:
                queue.append(each)
    return list(found.values()), complete_so_far and not queue
