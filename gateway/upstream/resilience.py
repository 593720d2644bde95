"""When to try again, and when to stop trying: backoff, retry budget, circuit breaker."""

import random
import time
from collections import deque
from collections.abc import Callable

Clock = Callable[[], float]


def backoff(attempt: int, *, base: float, cap: float) -> float:
    """Return seconds to wait before attempt `attempt` + 1, exponential with full jitter."""
    return random.uniform(0, min(cap, base * 2 ** (attempt - 1)))  # noqa: S311 - not a secret


class RetryBudget:
    """Retries as a share of calls, so that an outage is not multiplied by retrying it.

    Every call earns `share` of a retry; a floor of `floor` retries in the window is always there.
    """

    def __init__(
        self, share: float, *, floor: int = 10, window: float = 10.0, clock: Clock = time.monotonic
    ) -> None:
        self._share = share
        self._floor = floor
        self._window = window
        self._clock = clock
        self._calls: deque[float] = deque()
        self._retries: deque[float] = deque()

    def note_call(self) -> None:
        """Count a first attempt."""
        calls, now = self._calls, self._clock()
        calls.append(now)
        while calls[0] < now - self._window:
            calls.popleft()

    def take(self) -> bool:
        """Spend one retry; False when the budget is used up."""
        self._expire(self._calls)
        self._expire(self._retries)
        if len(self._retries) >= self._floor + self._share * len(self._calls):
            return False
        self._retries.append(self._clock())
        return True

    def _expire(self, times: deque[float]) -> None:
        limit = self._clock() - self._window
        while times and times[0] < limit:
            times.popleft()


class Breaker:
    """Stops calls to an upstream that keeps failing, and lets one through now and then to see.

    Closed: calls pass. After `threshold` failures in a row it opens: calls are refused at once.
    After a pause (which doubles from `pause` up to `longest`) one trial call passes (half-open):
    it closes the breaker when it succeeds, and opens it again when it fails.

    Attributes:
        failures: how many calls have failed since the last that did not.
    """

    __slots__ = (
        "_clock",
        "_first_pause",
        "_longest",
        "_open_until",
        "_pause",
        "_threshold",
        "_trial",
        "failures",
    )

    def __init__(
        self,
        threshold: int,
        *,
        pause: float = 3.0,
        longest: float = 30.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._first_pause = pause
        self._longest = longest
        self._clock = clock
        self.failures = 0
        self._pause = pause
        self._open_until = 0.0
        self._trial = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        if self.failures < self._threshold:
            return "closed"
        return "open" if self._clock() < self._open_until or self._trial else "half-open"

    @property
    def rests(self) -> bool:
        """Whether nothing is lost by forgetting it: it is closed, or was left alone for long."""
        if self.failures < self._threshold:
            return True
        return not self._trial and self._clock() > self._open_until + self._longest

    def refuses_for(self) -> float | None:
        """Return seconds until a call may pass; None when this one may (a trial, if half-open)."""
        if self.failures < self._threshold:
            return None
        left = self._open_until - self._clock()
        if left > 0 or self._trial:
            return max(left, 0.1)
        self._trial = True
        return None

    def succeeded(self) -> None:
        """Note a call that the upstream answered properly."""
        self.failures = 0
        self._pause = self._first_pause
        self._trial = False

    def failed(self) -> None:
        """Note a call that failed for the upstream's own reasons."""
        self.failures += 1
        if self._trial:
            self._pause = min(self._longest, self._pause * 2)
        self._trial = False
        if self.failures >= self._threshold:
            self._open_until = self._clock() + self._pause

    def abandoned(self) -> None:
        """Note a call that was given up before it said anything about the upstream."""
        self._trial = False
