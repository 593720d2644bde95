"""The number in a mutation's answer, as the next read would show it."""

from asyncio import gather
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.mapping.homes import fields_set, needed
from gateway.numbers.owned import OwnedNumbers
from gateway.writes.evidence import differing
from gateway.writes.outcome import Outcome
from schema.enums import Source
from schema.info import FieldPath
from schema.selections import SelectedFields


class Written(NamedTuple):
    """What became of a write, and which settings it was to make."""

    outcome: Outcome
    settings: Mapping[str, Any]


async def show(
    numbers: OwnedNumbers, written: Sequence[Written], selected: SelectedFields, at: FieldPath
) -> list[Outcome]:
    """Return outcomes whose numbers have every field that is selected.

    What the write's own answer tells for certain is not read again. Nothing that fails here is
    raised: the write is done, and only the fields that could not be had raise why.
    """
    return await gather(*(_show(numbers, each, selected, at) for each in written))


async def _show(
    numbers: OwnedNumbers, written: Written, selected: SelectedFields, at: FieldPath
) -> Outcome:
    outcome, settings = written
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
    return outcome._replace(number=shown)
