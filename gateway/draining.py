"""Graceful shutdown: no new work, and time for the writes in flight.

signal ─▶ announced, all is served ─▶ refusing new work ─▶ exit
          └──────── delay ────────┘
└────────────────────────── limit ────────────────────────┘
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Abandoned(Exception):
    """The process must stop before the write has come to its end."""


class Draining:
    """Knows how far the end has come, and what is at work.

    Args:
        limit: seconds between being told to stop and the exit, at most.
        delay: seconds of these in which new work is still taken, while balancers find out.

    Attributes:
        announced: whether the process was told to stop: nobody should be sent here any more.
        refuses: whether new work is refused.
        requests: how many are being answered: the end waits for them.
    """

    def __init__(self, limit: float, delay: float = 0.0) -> None:
        self.announced = False
        self.refuses = False
        self._limit = limit
        self._delay = delay
        self._began = 0.0
        self.requests = 0
        self._writes: dict[asyncio.Task[Any], asyncio.Future[None]] = {}

    def start(self) -> None:
        """Begin. Safe in a signal handler; once is as good as often."""
        if self.announced:
            return
        self._began = time.monotonic()
        self.announced = True

    def refuse(self) -> None:
        """Take no new work from now on."""
        self.start()
        self.refuses = True

    @property
    def delay_left(self) -> float:
        """Seconds until new work is refused."""
        return max(0.0, self._began + self._delay - time.monotonic())

    def __enter__(self) -> None:
        """Count a request that is being answered: the end waits for it."""
        self.requests += 1

    def __exit__(self, *_: object) -> None:
        self.requests -= 1

    async def finish(self, write: Coroutine[Any, Any, T]) -> T:
        """Return what `write` returns. It runs to its end even if whoever waits for it leaves.

        Raises:
            Abandoned: the time until the exit is over.
        """
        loop = asyncio.get_running_loop()
        task = loop.create_task(write)
        self._writes[task] = over = loop.create_future()
        task.add_done_callback(self._done)
        await over
        return task.result()

    @property
    def left(self) -> float:
        """Seconds until the exit; all of them as long as it has not begun."""
        if not self.announced:
            return self._limit
        return max(0.0, self._began + self._limit - time.monotonic())

    @property
    def busy(self) -> int:
        """How many requests and writes are at work."""
        return self.requests + len(self._writes)

    def abandon(self) -> None:
        """Let go of whoever waits for a write: the time is over."""
        for over in self._writes.values():
            if not over.done():
                over.set_exception(Abandoned())

    async def aclose(self) -> None:
        """Cancel the writes that are left, and let them note what they know."""
        for task in self._writes:
            task.cancel()
        await asyncio.gather(*self._writes, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        over = self._writes.pop(task)
        if not over.done():
            over.set_result(None)
        elif not task.cancelled():
            # Its waiter is gone; what it raised is nobody's, and no reason to complain.
            task.exception()
