"""What the upstream tells of the world and not of an account, kept for long and for all callers.

Names and values hold no secret, and nothing of who asked. Only who has been let in, and has read
what a fact is about, gets to ask for it: that a fact is kept lets nobody in.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from gateway.storage.recent import Recent
from gateway.storage.store import Store, StoreUnavailable

_MOST_AT_HAND: Final = 20_000


class PublicFacts:
    """Facts in the store that the processes share, the last used ones at hand.

    Args:
        store: where they are kept.
        seconds: how long, at most; 0 keeps none.
    """

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._at_hand: Recent[str, tuple[bytes, float]] = Recent(_MOST_AT_HAND)

    def at_hand(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return those facts for which nobody need be asked, by name."""
        now, kept = time.monotonic(), self._at_hand.use_all(names)
        return {name: fact for name, (fact, until) in kept.items() if until > now}

    async def find(self, name: str) -> bytes | None:
        """Return a fact; None if it is not kept, or the store is away."""
        if not self._seconds:
            return None
        kept = self.at_hand((name,))
        if name in kept:
            return kept[name]
        with suppress(StoreUnavailable):
            return await self._store.get(_key(name))
        return None

    async def keep(self, name: str, fact: bytes, seconds: float | None = None) -> None:
        """Keep a fact, for a shorter time if `seconds` says so."""
        lasting = self._seconds if seconds is None else min(seconds, self._seconds)
        if not lasting:
            return
        self._at_hand.keep(name, (fact, time.monotonic() + lasting))
        with suppress(StoreUnavailable):
            await self._store.set(_key(name), fact, ttl=lasting)


def _key(name: str) -> str:
    return f"fact:{name}"
