"""Deadlines: whoever waits for something beyond its time is told so, by one timer for all."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

# Seconds after which what has come in time is let go of.
_LOOK: Final = 1.0


class Deadlines:
    """Those of one process.

    Args:
        late: makes what is raised to whoever waits too long.
    """

    def __init__(self, late: Callable[[], Exception]) -> None:
        self._late = late
        self._watched: list[tuple[float, asyncio.Future[Any]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def watch(self, coming: asyncio.Future[Any], deadline: float) -> None:
        """End the waiting for what has not come by a time of `time.monotonic`."""
        self._watched.append((deadline, coming))
        if self._timer is None or deadline < self._due:
            self._look_at(deadline, coming.get_loop())

    def _look_at(self, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = time.monotonic()
        self._due = min(now + _LOOK, deadline)
        self._timer = loop.call_later(max(0.0, self._due - now), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = time.monotonic()
        watched, self._watched = self._watched, []
        for each in watched:
            deadline, coming = each
            if coming.done():
                continue
            if deadline <= now:
                coming.set_exception(self._late())
            else:
                self._watched.append(each)
        if self._watched:
            self._look_at(min(deadline for deadline, _ in self._watched), loop)
