"""Warnings about a store that answers: persistence, eviction policy, role, clock offset."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from gateway.storage.store import Condition

# Beyond this the clocks of two machines are not kept in step by anybody.
_CLOCKS_APART: Final = 2.0


class Advice(NamedTuple):
    """Something to put right.

    Attributes:
        about: a word for it, which may be told to anybody.
        danger: a number may be bought twice for it; otherwise it may be meant so.
        message: sentences for operators: what it means, and what to do.
    """

    about: Literal["not-persistent", "snapshots-only", "evicts", "replica", "clock"]
    danger: bool
    message: str


def advice_on(conditions: Iterable[Condition]) -> list[Advice]:
    """Return what speaks against the servers of a store, the worst first."""
    found = [each for condition in conditions for each in _advice_on(condition)]
    return sorted(found, key=lambda each: not each.danger)


def _advice_on(at: Condition) -> Iterator[Advice]:
    if at.is_replica:
        yield Advice(
            "replica",
            True,  # noqa: FBT003 - a tuple
            f"{at.server} is a replica, which cannot be written: name the primary, or its"
            " sentinels.",
        )
    if at.eviction not in {"", "noeviction"}:
        # Every key of ours has a time at which it ends, so all of them are "volatile".
        which = (
            "Idempotency keys end some day, so they are among what `volatile-…` drops."
            if at.eviction.startswith("volatile")
            else "It drops idempotency keys as anything else."
        )
        now = "" if at.memory_limit else " It has no limit (maxmemory) now."
        yield Advice(
            "evicts",
            bool(at.memory_limit),
            f"{at.server} drops entries when its memory is full (maxmemory-policy {at.eviction})."
            f" {which} A purchase whose key is dropped is made again when it is asked for"
            f" again: set maxmemory-policy noeviction.{now}",
        )
    if at.persistence == "none":
        yield Advice(
            "not-persistent",
            False,  # noqa: FBT003
            f'{at.server} writes nothing to disk (appendonly no, save ""): its restart forgets'
            " the idempotency keys, and what is asked for again is bought again: set appendonly"
            " yes.",
        )
    if at.persistence == "snapshots":
        yield Advice(
            "snapshots-only",
            False,  # noqa: FBT003
            f"{at.server} writes to disk now and then (save), so that its crash forgets the latest"
            " idempotency keys: set appendonly yes.",
        )
    if abs(at.ahead) > _CLOCKS_APART:
        order = "ahead of" if at.ahead > 0 else "behind"
        yield Advice(
            "clock",
            False,  # noqa: FBT003
            f"The clock of {at.server} is {abs(at.ahead):.1f} s {order} this machine's: keep both"
            " in step (NTP).",
        )
