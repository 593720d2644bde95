"""The events of an account in order: a short log in the store, which all processes share.

Every event has a number one above the event before it. The log is append-only: whoever adds the
value under a number first has that number. `head` is only a hint where the end is.
"""

import time
from collections.abc import Iterable

from gateway.storage.store import Store, StoreUnavailable

_MOST = 1000


class EventLog:
    """The log of each account; entries are forgotten after `memory` seconds."""

    def __init__(self, store: Store, memory: float) -> None:
        self._store = store
        self._memory = memory

    async def head(self, account: str) -> int:
        """Return the number of the latest event; of the one before the first when there is none."""
        kept = await self._store.get(_head(account))
        if kept is None:
            # Numbers must rise even when everything was forgotten: they start from the clock,
            # which is always ahead of them as long as there are less than 1000 events a second.
            start = str(time.time_ns() // 1_000_000).encode()
            await self._store.add(_head(account), start, ttl=2 * self._memory)
            kept = await self._store.get(_head(account)) or start
        try:
            number = int(kept)
        except ValueError:
            raise StoreUnavailable("The end of the events' log cannot be read.") from None
        while await self._store.get(_entry(account, number + 1)) is not None:
            number += 1
        return number

    async def append(self, account: str, event: bytes) -> int:
        """Add an event to an account's log and return its number."""
        number = await self.head(account) + 1
        while not await self._store.add(_entry(account, number), event, ttl=self._memory):
            number += 1
        await self._store.set(_head(account), str(number).encode(), ttl=2 * self._memory)
        return number

    async def after(self, account: str, number: int) -> Iterable[tuple[int, bytes]]:
        """Return the events behind a number, with their numbers, as far as they are remembered."""
        head = await self.head(account)
        found = []
        for each in range(max(number, head - _MOST) + 1, head + 1):
            event = await self._store.get(_entry(account, each))
            if event is not None:
                found.append((each, event))
        return found


def _head(account: str) -> str:
    return f"events:{account}:head"


def _entry(account: str, number: int) -> str:
    return f"events:{account}:{number}"
