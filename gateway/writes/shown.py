"""The number in a mutation's answer, as the next read would show it."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from gateway.discreet import Discreet
from gateway.mapping.homes import fields_set, needed
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.side_reads import SHOWN_BESIDE
from gateway.writes.evidence import differing
from gateway.writes.outcome import Outcome
from schema.enums import Source
from schema.info import FieldPath
from schema.selections import SelectedFields


class Written(Discreet):
    """What became of a write, and which settings it was to make."""

    outcome: Outcome
    settings: Mapping[str, Any]


Show: TypeAlias = Callable[[Sequence[Written], SelectedFields, FieldPath], Awaitable[list[Outcome]]]
"""Shows numbers that were written: `show`, for one request."""


async def show(
    numbers: OwnedNumbers,
    written: Sequence[Written],
    selected: SelectedFields,
    at: FieldPath,
) -> list[Outcome]:
    """Return outcomes whose numbers have every field that is selected.

    What the write's own answer tells for certain is not read again. Nothing that fails here is
    raised: the write is done, and only the fields that could not be had raise why.
    """
    work = [_show(numbers, each, selected, at) for each in written]
    shown = [await work[0]] if len(work) == 1 else await gather(*work)
    if SHOWN_BESIDE.isdisjoint(selected):
        return shown
    there = [each.number for each in shown if each.number is not None]
    found = iter(await numbers.beside.shown(there, selected, at))
    return [each if each.number is None else each._replace(number=next(found)) for each in shown]


async def _show(
    numbers: OwnedNumbers, written: Written, selected: SelectedFields, at: FieldPath
) -> Outcome:
    outcome, settings = written.outcome, written.settings
    number = outcome.number
    if number is None:
        return outcome
    if outcome.refusal is not None:
        settings = {}
    if number.source is Source.CORE:
        # Core shows what it has just set as the catalog does.
        selected -= fields_set(settings)
    shown = await numbers.as_read(
        number, needed(selected), at, lambda view: not differing(view, settings)
    )
    return outcome if shown is number else outcome._replace(number=shown)
