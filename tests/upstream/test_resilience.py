"""Backoff, retry budget, breaker and limiter, by themselves and with a clock of the test's own."""

import asyncio
import re
from dataclasses import fields

import pytest

from gateway.settings.model import Settings
from gateway.upstream.limiter import Limiter
from gateway.upstream.resilience import Breaker, RetryBudget, backoff
from schema.user_errors import UserErrorCode
from tests.support.paths import DOCS


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_backoff_is_spread_over_a_range_that_doubles_up_to_a_cap() -> None:
    for attempt, most in ((1, 0.1), (2, 0.2), (3, 0.4), (9, 1.0)):
        waits = [backoff(attempt, base=0.1, cap=1.0) for _ in range(500)]
        assert 0 <= min(waits) < most * 0.1
        assert most * 0.9 < max(waits) <= most


def test_retries_are_a_share_of_calls_above_a_floor() -> None:
    clock = Clock()
    budget = RetryBudget(0.2, floor=10, window=10.0, clock=clock)
    for _ in range(100):
        budget.note_call()
    assert [budget.take() for _ in range(31)] == [True] * 30 + [False]
    clock.now += 10.1
    assert [budget.take() for _ in range(11)] == [True] * 10 + [False]


def test_a_breaker_opens_closes_and_waits_longer_each_time_in_vain() -> None:
    clock = Clock()
    breaker = Breaker(2, pause=3.0, longest=8.0, clock=clock)
    breaker.failed()
    assert breaker.refuses_for() is None
    breaker.succeeded()
    breaker.failed()
    assert breaker.state == "closed"
    breaker.failed()
    for pause in (3.0, 6.0, 8.0, 8.0):
        assert breaker.state == "open"
        assert breaker.refuses_for() == pytest.approx(pause)
        clock.now += pause
        assert breaker.state == "half-open"
        assert breaker.refuses_for() is None
        # One call tries; the others are kept back until it is over.
        assert breaker.refuses_for() == pytest.approx(0.1)
        breaker.failed()
    clock.now += 8.0
    assert breaker.refuses_for() is None
    breaker.succeeded()
    assert breaker.state == "closed"


def test_a_breaker_that_was_left_alone_for_long_may_be_forgotten() -> None:
    clock = Clock()
    breaker = Breaker(2, pause=3.0, longest=8.0, clock=clock)
    breaker.failed()
    assert (breaker.state, breaker.rests) == ("closed", True)
    breaker.failed()
    assert (breaker.state, breaker.rests) == ("open", False)
    clock.now += 3.0
    assert (breaker.state, breaker.rests) == ("half-open", False)
    clock.now += 8.1
    assert (breaker.state, breaker.rests) == ("half-open", True)
    assert breaker.refuses_for() is None  # Its trial is on its way.
    assert (breaker.state, breaker.rests) == ("open", False)


def test_a_trial_that_is_given_up_lets_another_try() -> None:
    clock = Clock()
    breaker = Breaker(1, pause=3.0, clock=clock)
    breaker.failed()
    clock.now += 3.0
    assert breaker.refuses_for() is None
    breaker.abandoned()
    assert breaker.refuses_for() is None


def test_slots_are_given_to_requests_in_turn() -> None:
    async def main() -> None:
        limiter = Limiter(1, 1)
        served: list[str] = []

        async def call(owner: str) -> None:
            await limiter.acquire(owner)
            served.append(owner)
            await asyncio.sleep(0)
            limiter.release()

        await asyncio.gather(*(call(owner) for owner in "aaaab"))
        assert served.index("b") <= 2
        assert limiter.running == limiter.waiting == 0

    asyncio.run(main())


def test_whoever_stops_waiting_leaves_no_slot_behind() -> None:
    async def main() -> None:
        limiter = Limiter(1, 1)
        await limiter.acquire("first")
        waiting = [asyncio.ensure_future(limiter.acquire(each)) for each in "xyz"]
        await asyncio.sleep(0)
        waiting[0].cancel()
        limiter.release()
        # y has been given the slot, and is cancelled before it wakes up.
        waiting[1].cancel()
        await asyncio.wait(waiting, timeout=30)
        assert waiting[2].done()
        assert not waiting[2].cancelled()
        assert (limiter.running, limiter.waiting) == (1, 0)

    asyncio.run(main())


def test_those_who_need_no_slot_after_all_get_one_in_each_step_of_the_loop() -> None:
    async def main() -> None:
        limiter = Limiter(50, 50)
        served: list[int] = []

        async def refused(owner: int) -> None:
            await limiter.acquire(owner)
            served.append(owner)
            limiter.pass_on()

        for _ in range(50):
            await limiter.acquire("hangs")
        waiting = [asyncio.ensure_future(refused(owner)) for owner in range(200)]
        await asyncio.sleep(0)
        for _ in range(10):  # Some of those that hang have taken too long.
            limiter.release()
        in_each_step = []
        while len(served) < 200:
            before = len(served)
            await asyncio.sleep(0)
            in_each_step.append(len(served) - before)
        assert in_each_step[0] <= 10
        assert max(in_each_step[1:]) == 1
        await asyncio.gather(*waiting)
        assert (limiter.running, limiter.waiting) == (40, 0)

    asyncio.run(main())


def test_the_limit_falls_by_a_third_and_rises_by_one_per_round() -> None:
    limiter = Limiter(60, 90)

    def go_well(calls: int) -> None:
        for _ in range(calls):
            assert limiter.try_acquire()
            limiter.release(faster=True)

    limiter.slower()
    assert int(limiter.limit) == 40
    go_well(41)
    assert int(limiter.limit) == 41
    go_well(10_000)
    assert limiter.limit == 90
    for _ in range(100):
        limiter.slower()
    assert limiter.limit == 1


def test_the_page_on_money_names_every_code_and_setting_that_it_speaks_of() -> None:
    page = (DOCS / "money.md").read_text()
    settings = {f"GATEWAY_{field.name.upper()}" for field in fields(Settings)}
    assert set(re.findall(r"GATEWAY_[A-Z_]+", page)) <= settings
    for code in ("NOT_DONE", "OUTCOME_UNKNOWN", "ALREADY_OWNED", "IDEMPOTENCY_CONFLICT"):
        assert f"`{code}`" in page
        assert code in UserErrorCode.__members__


def test_slots_that_come_back_unused_in_one_step_all_go_to_those_who_wait() -> None:
    async def main() -> None:
        limiter = Limiter(2, 2)
        for _ in range(2):
            await limiter.acquire("refused")
        waiting = [asyncio.ensure_future(limiter.acquire(owner)) for owner in "ab"]
        await asyncio.sleep(0)
        for _ in range(2):
            limiter.pass_on()
        # The first keeps its slot for long; the other must not wait for that.
        done, _ = await asyncio.wait(waiting, timeout=30)
        assert len(done) == 2
        assert (limiter.running, limiter.waiting) == (2, 0)

    asyncio.run(main())
