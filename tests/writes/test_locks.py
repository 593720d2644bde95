"""Locks by name: one at a time, in order; whoever leaves keeps nobody out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from gateway.writes.locks import Locks

What: TypeAlias = Callable[[Locks, list[str], asyncio.Event], Awaitable[None]]


async def work(locks: Locks, name: str, who: str, seen: list[str], free: asyncio.Event) -> None:
    lock = locks.take(name)
    try:
        if lock is not None:
            await lock
        seen.append(f"{who} begins")
        await free.wait()
        seen.append(f"{who} ends")
    finally:
        locks.release(name, lock)


def run(what: What) -> list[str]:
    """Return what happened, in order; afterwards nothing is kept."""

    async def main() -> list[str]:
        locks, seen = Locks(), list[str]()
        await what(locks, seen, asyncio.Event())
        assert not len(locks)
        return seen

    return asyncio.run(main())


def test_one_begins_when_the_one_before_has_ended() -> None:
    async def what(locks: Locks, seen: list[str], free: asyncio.Event) -> None:
        tasks = [asyncio.create_task(work(locks, "it", each, seen, free)) for each in "abc"]
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(*tasks)

    assert run(what) == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]


def test_nobody_waits_for_who_is_at_something_else() -> None:
    async def what(locks: Locks, seen: list[str], free: asyncio.Event) -> None:
        tasks = [asyncio.create_task(work(locks, each, each, seen, free)) for each in "ab"]
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(*tasks)

    assert run(what)[:2] == ["a begins", "b begins"]


def test_who_leaves_while_waiting_is_passed_over() -> None:
    async def what(locks: Locks, seen: list[str], free: asyncio.Event) -> None:
        tasks = [asyncio.create_task(work(locks, "it", each, seen, free)) for each in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        free.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert run(what) == ["a begins", "a ends", "c begins", "c ends"]


def test_who_leaves_in_the_step_in_which_the_lock_comes_passes_it_on() -> None:
    async def what(locks: Locks, seen: list[str], free: asyncio.Event) -> None:
        first = locks.take("it")
        tasks = [asyncio.create_task(work(locks, "it", each, seen, free)) for each in "bc"]
        await asyncio.sleep(0)
        locks.release("it", first)
        tasks[0].cancel()
        free.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert run(what) == ["c begins", "c ends"]
