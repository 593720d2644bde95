"""Waiting for several things at once."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any


async def settled(work: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Do all at once and return what came of each, in order: its result, or its exception.

    One alone is awaited in place: a task of its own would cost more than most of what it does.
    """
    if len(work) == 1:
        try:
            return [await work[0]]
        except Exception as error:  # noqa: BLE001 - as `gather` does with several
            return [error]
    return await asyncio.gather(*work, return_exceptions=True)
