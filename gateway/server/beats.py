"""Signs of life of many connections, by one timer."""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# Connections that are seen to in one go, and seconds until the next go: others are to be served
# while thousands are due at once.
_AT_ONCE: Final = 100
_BETWEEN: Final = 0.002
# Share of the interval by which one may be late: many at a time take less of the processor, as it
# is woken more rarely, also by the answers.
_LATE: Final = 0.04


class Beats(Generic[T]):
    """Sees to each connection that it watches when so many seconds have passed, once.

    Args:
        interval: seconds, the same for all: who was watched first is due first.
        see_to: does it; the connection may be watched again.
    """

    def __init__(self, interval: float, see_to: Callable[[T], None]) -> None:
        self._interval = interval
        self._see_to = see_to
        self._since: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, each: T) -> None:
        """Begin to watch one, or begin anew."""
        loop = asyncio.get_running_loop()
        self._since.pop(each, None)
        self._since[each] = loop.time()
        if self._timer is None:
            self._wait(loop, self._interval)

    def leave(self, each: T) -> None:
        """Watch one no more."""
        self._since.pop(each, None)

    def _see(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        due = loop.time() - self._interval
        for _ in range(_AT_ONCE):
            each = next(iter(self._since), None)
            if each is None:
                return
            since = self._since[each]
            if since > due:
                self._wait(loop, max(since - due, _LATE * self._interval))
                return
            del self._since[each]
            self._see_to(each)
        self._wait(loop, _BETWEEN)

    def _wait(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._see, loop)
