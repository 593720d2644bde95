"""The time of day by the store's clock, which is not asked for each time."""

import math
import time
from typing import Final

from gateway.storage.store import Store

_READ_EVERY: Final = 60.0


class TimeOfDay:
    """Tells what time it is for all who share a store.

    It is read now and then, and carried on by a clock that does not jump.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = -math.inf
        self._ahead = 0.0

    async def now(self) -> float:
        """Return the time, in seconds since the epoch.

        Raises:
            StoreUnavailable: it had to be read, and could not be.
        """
        now = time.monotonic()
        if now - self._read_at > _READ_EVERY:
            self._ahead = (await self._store.clock("clock"))[1] - now
            self._read_at = now
        return now + self._ahead
