"""The end of a process: no new work, and time for what must not be broken off."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Abandoned(Exception):
    """The process must stop before the write has come to its end."""


class Draining:
    """Knows what is at work. It is true once the process was told to stop.

    Attributes:
        limit: seconds between being told to stop and the exit, at most.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._started = False
        self._end = 0.0
        self._requests = 0
        self._writes: dict[asyncio.Task[Any], asyncio.Future[None]] = {}

    def __bool__(self) -> bool:
        """Tell whether it has begun: whoever is ready for work asks this."""
        return self._started

    def start(self) -> None:
        """Take no new work from now on. Safe in a signal handler."""
        if not self._started:
            self._started = True
            self._end = time.monotonic() + self.limit

    def __enter__(self) -> None:
        """Count a request that is being answered: the end waits for it."""
        self._requests += 1

    def __exit__(self, *_: object) -> None:
        self._requests -= 1

    async def finish(self, write: Coroutine[Any, Any, T]) -> T:
        """Return what `write` returns. It runs to its end even if whoever waits for it leaves.

        Raises:
            Abandoned: the time until the exit is over.
        """
        task = asyncio.create_task(write)
        self._writes[task] = over = asyncio.get_running_loop().create_future()
        task.add_done_callback(self._done)
        await over
        return task.result()

    @property
    def left(self) -> float:
        """Seconds until the exit; all of them as long as it has not begun."""
        return max(0.0, self._end - time.monotonic()) if self._started else self.limit

    @property
    def busy(self) -> int:
        """How many requests and writes are at work."""
        return self._requests + len(self._writes)

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
