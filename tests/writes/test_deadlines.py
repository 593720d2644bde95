"""Deadlines: each who waits is told at its own time, whoever else waits and for how long."""

import asyncio
import time

import pytest

from gateway.writes.deadlines import Deadlines


class Late(Exception):
    """It did not come in time."""


def test_each_is_told_at_its_own_time_and_what_has_come_is_left_alone() -> None:
    async def main() -> None:
        deadlines, loop, began = Deadlines(Late), asyncio.get_running_loop(), time.monotonic()
        in_time, soon, later, cancelled = (loop.create_future() for _ in range(4))
        for coming, seconds in ((later, 0.2), (in_time, 0.1), (soon, 0.05), (cancelled, 0.1)):
            deadlines.watch(coming, began + seconds)
        in_time.set_result("it")
        cancelled.cancel()
        with pytest.raises(Late):
            await soon
        assert not later.done()
        assert time.monotonic() - began >= 0.04
        with pytest.raises(Late):
            await later
        assert time.monotonic() - began >= 0.19
        assert await in_time == "it"
        assert cancelled.cancelled()

    asyncio.run(main())


def test_what_was_late_before_it_was_watched_is_told_at_once() -> None:
    async def main() -> None:
        deadlines, loop = Deadlines(Late), asyncio.get_running_loop()
        deadlines.watch(loop.create_future(), time.monotonic() + 60)
        late = loop.create_future()
        deadlines.watch(late, time.monotonic() - 60)
        with pytest.raises(Late):
            await late

    asyncio.run(main())


def test_one_that_is_watched_twice_is_told_once_and_keeps_nobody_waiting() -> None:
    async def main() -> None:
        deadlines, loop, now = Deadlines(Late), asyncio.get_running_loop(), time.monotonic()
        twice, other = loop.create_future(), loop.create_future()
        for coming in (twice, twice, other):
            deadlines.watch(coming, now)
        for coming in (twice, other):
            with pytest.raises(Late):
                await asyncio.wait_for(coming, 60)

    asyncio.run(main())
