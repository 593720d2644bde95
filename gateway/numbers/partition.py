"""Completes a search that the upstream cuts off, by narrower searches.

A search has no pages, and the upstream gives at most a few dozen numbers whatever `PageSize` says.
So a search that was cut off is split by the next digit of the number (`Contains=+1510`), or of the
client's own pattern (`55` into `550` … `559` and `55$`; `5*5` into `505` … `595`). Each part that
is cut off again is split further, until enough is found, everything is found, or the allowance of
calls is spent. Then the parts that are left are told, for the next page to go on with.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from gateway.errors import BadUserInput, UpstreamRefused
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
PARTS: Final = "in:"
"""How what is left of a search begins in a cursor; no query of an upstream's page does."""
_GAPS = "?"
# Calls that the largest split takes: its parts, and what was found before.
_ONE_SPLIT = len(_DIGITS) + 2


_PATTERN = re.compile(r"\+?[0-9A-Za-z*%]{1,24}\$?", re.ASCII)


class Left(NamedTuple):
    """What of a search is left for the next page.

    Attributes:
        patterns: of parts that were cut off, and whose numbers up to there were found.
        gaps: somewhere before it numbers were left out.
    """

    patterns: Sequence[str]
    gaps: bool = False

    @classmethod
    def read(cls, query: str) -> Self:
        """Read what a cursor tells.

        Raises:
            BadUserInput: no search has told that.
        """
        told = query.removeprefix(PARTS)
        patterns = told.removeprefix(_GAPS).split(",")
        if not all(map(_PATTERN.fullmatch, patterns)):
            raise BadUserInput("after", "this is not a cursor of this list.")
        return cls(patterns, gaps=told.startswith(_GAPS))

    def written(self) -> str:
        """Return it as a cursor tells it; "" where nothing is left."""
        return PARTS + _GAPS * self.gaps + ",".join(self.patterns) if self.patterns else ""


class Completed(NamedTuple):
    """What was found by narrower searches, and what of them is left."""

    numbers: list[View]
    left: Left


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
    first: Sequence[View] | None,
    ask: Ask,
    *,
    wanted: Mapping[str, Any],
    left: Left,
    is_enough: Callable[[Sequence[View]], bool],
    allowance: SpareCalls,
) -> Completed:
    """Return numbers until it is enough, or some more, and what is left.

    Args:
        first: what the whole search gave before it was cut off; None on a further page.
        ask: makes a narrower search.
        wanted: the filters.
        left: the parts to go on with.
        is_enough: whether no more is needed than these.
        allowance: calls that may be made, also for others.
    """
    found = {number.phone_number: number for number in first or ()}
    queue, gaps = deque(left.patterns), left.gaps
    # What earlier pages have shown of these is found out anew.
    earlier, shown = set(queue if first is None else ()), set[str]()
    while queue and not is_enough(list(found.values())):
        pattern = queue.popleft()
        patterns = split(pattern)
        if not patterns:
            gaps = True
            continue
        again = [pattern] if pattern in earlier else []
        if not allowance.take(len(again) + len(patterns)):
            queue.appendleft(pattern)
            break
        try:
            asked = [*again, *patterns]
            parts = await asyncio.gather(*(ask({**wanted, "contains": each}) for each in asked))
        except UpstreamRefused:
            # This upstream does not know patterns with anchors.
            gaps = True
            queue.clear()
            break
        if again:
            shown.update(number.phone_number for number in parts.pop(0).numbers)
        cut_off = []
        for each, part in zip(patterns, parts, strict=True):
            found |= {
                number.phone_number: number
                for number in part.numbers
                if number.phone_number not in shown
            }
            if part.cut_off:
                cut_off.append(each)
        if first is None:  # The deepest first, so that not many more are left than were.
            queue.extendleft(reversed(cut_off))
        else:
            queue.extend(cut_off)
    return Completed(list(found.values()), Left(list(queue), gaps=gaps))


def can_go_on(allowance: SpareCalls) -> bool:
    """Whether a further page can be sure to find something, if it is alone."""
    return allowance.all >= _ONE_SPLIT
