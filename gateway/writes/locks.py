"""Locks by name: what must not be done twice at once is done one after another, in order."""

import asyncio
from collections.abc import Hashable
from typing import TypeAlias

Lock: TypeAlias = asyncio.Future[None] | None
"""To be awaited: it comes when those before are over. None: it has come."""


class Locks:
    """Those of one process. Of what nobody is at nothing is kept."""

    def __init__(self) -> None:
        # Of each name that is locked, who waits for it.
        self._waiting: dict[Hashable, list[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, name: Hashable) -> Lock:
        """Return the lock of a name, or a place among those who wait for it; `release` ends it."""
        waiting = self._waiting.get(name)
        if waiting is None:
            self._waiting[name] = []
            return None
        lock: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(lock)
        return lock

    def release(self, name: Hashable, lock: Lock) -> None:
        """Let the next one have it; one that was cancelled before it came was nobody's."""
        if lock is not None and lock.cancelled():
            return
        waiting = self._waiting[name]
        while waiting:
            following = waiting.pop(0)
            if not following.done():
                following.set_result(None)
                return
        del self._waiting[name]
