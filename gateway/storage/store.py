"""What several processes may have to share: small values that expire, token buckets, messages.

`MemoryStore` serves one process; one over Redis or Valkey (`gateway/storage/redis.py`) serves many.
"""

import asyncio
import heapq
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import ClassVar, Literal, NamedTuple, Protocol, TypeAlias
from uuid import uuid4

from msgspec import Struct

from gateway.storage.recent import Recent

# Looking for what expired takes a few milliseconds when the store is full.
_SWEEP_SECONDS = 10.0


Cause: TypeAlias = Literal[
    "unreachable",  # no connection
    "timeout",  # no answer in time
    "loading",  # it has just started, and reads its files
    "denied",  # wrong password or user, or no right to do so
    "full",  # no memory or disk space left, or a quota is used up
    "read-only",  # a replica; or a file system that is mounted so
    "not-persisting",  # it cannot write its own files, and takes no more
    "too-few-replicas",  # fewer have what is written than it is told to insist on
    "missing",  # the folder vanished
    "locked",  # another process holds the file
    "damaged",  # the file cannot be read
    "failed",  # anything else
]
"""Why something cannot be kept: a label of metrics, and what `/readyz` says."""


class StoreUnavailable(Exception):
    """The store cannot be used; what must not be lost must be refused.

    The text is for operators: it may name hosts and folders. `cause` may be told to anybody.
    """

    def __init__(self, *details: object, cause: Cause = "failed") -> None:
        super().__init__(*details)
        self.cause: Cause = cause


class Condition(NamedTuple):
    """How a server of the shared store is set up.

    Attributes:
        server: its address.
        is_replica: it repeats what another one is told, and cannot be written.
        persistence: whether what it keeps survives its crash: in a log of all writes, in snapshots
            of now and then, or not at all; None when it does not say.
        fsync: when the log is on disk: `always`, `everysec` or `no`; "" when that is unknown.
        eviction: what it drops when its memory is full: `noeviction` for nothing, or a policy such
            as `allkeys-lru`; "" when it does not say.
        memory_limit: bytes that it may keep; 0 for no limit.
        ahead: seconds by which its clock is ahead of this machine's.
    """

    server: str
    is_replica: bool = False
    persistence: Literal["log", "snapshots", "none"] | None = None
    fsync: str = ""
    eviction: str = ""
    memory_limit: int = 0
    ahead: float = 0.0


class Store(Protocol):
    """Values are bytes; keys are text without secrets; every method may raise StoreUnavailable.

    Attributes:
        is_shared: other processes may use it, too.
    """

    is_shared: ClassVar[bool]

    async def get(self, key: str) -> bytes | None:
        """Return a value; None when there is none (any more)."""

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """Keep a value for `ttl` seconds."""

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep a value if there is none yet; tell whether it was kept."""

    async def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
        """Keep `new` if the value is `old`, in one step; tell whether it is `new` then.

        To do it again changes nothing and tells the same: a reply may get lost.
        """

    async def remove(self, key: str, old: bytes) -> None:
        """Forget a value if it is `old`, in one step."""

    async def delete(self, *keys: str) -> None:
        """Forget values."""

    async def take(self, key: str, *, capacity: float, per_second: float, amount: float) -> float:
        """Take `amount` from a token bucket; return 0, or the seconds until it could be taken."""

    async def take_one(self, key: str, *, capacity: float, per_second: float) -> float:
        """Take 1 from a token bucket, as `take` does, but cheaply if that is often done.

        A store that is shared may take some ahead, for this process, of what there is much of.
        """

    def take_one_at_hand(self, key: str, *, capacity: float, per_second: float) -> float | None:
        """Do what `take_one` does if nothing must be waited for; None when something must."""

    async def clock(self, key: str) -> tuple[str, float]:
        """Return the clock by which `key` expires, and its time in seconds since the epoch.

        Under one name are times that compare, whoever asked: unless the time was set meanwhile.
        """

    async def publish(self, channel: str, message: bytes) -> None:
        """Send a message to all that follow `channel` now."""

    def follow(self, channel: str) -> AsyncIterator[bytes]:
        """Yield messages sent to `channel` from now on."""

    async def listen(self, channel: str, heard: Callable[[bytes], None]) -> "Listening | None":
        """Call `heard` with each message sent to `channel`; None if this process is alone.

        It is called at once, and must neither raise nor take long.
        """

    async def ping(self) -> None:
        """Return when the store answers; costs next to nothing."""

    async def probe(self) -> None:
        """Return when something has been written, everywhere that the store keeps something."""

    async def conditions(self) -> "list[Condition]":
        """Return how each server that keeps something is set up."""

    async def aclose(self) -> None:
        """Close its connections."""


class Listening(Protocol):
    """How well a channel is heard."""

    @property
    def session(self) -> int:
        """0 while messages may be missed; another number for each time without a gap."""


class _Bucket(Struct):
    """A token bucket: what was in it at a time, and when it will be full if nobody takes more."""

    level: float
    at: float
    full_at: float


class MemoryStore:
    """A store in this process: bounded in entries and bytes.

    Of values it forgets the longest unused. Of buckets it forgets those that are full again the
    soonest, which say least: however many strangers come, who has spent a day's allowance has.
    """

    is_shared: ClassVar[bool] = False

    def __init__(self, most: int = 50_000, most_bytes: int = 64 * 2**20) -> None:
        self._most = most
        self._next_sweep = 0.0
        self._values: Recent[str, tuple[bytes, float]] = Recent(
            most, (lambda kept: len(kept[0]), most_bytes)
        )
        self._buckets: dict[str, _Bucket] = {}
        self._followers: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)
        self._clock = f"store {uuid4().hex}"
        self._ahead = time.time() - time.monotonic()

    async def get(self, key: str) -> bytes | None:
        """See `Store`."""
        kept = self._values.get(key)
        if kept is None:
            return None
        if kept[1] < time.monotonic():
            self._values.forget(key)
            return None
        self._values.move_to_end(key)
        return kept[0]

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `Store`."""
        now = time.monotonic()
        if now > self._next_sweep:
            self._next_sweep = now + _SWEEP_SECONDS
            for expired in [name for name, (_, end) in self._values.items() if end < now]:
                self._values.forget(expired)
        # A copy: orjson leaves 4 or 8 kB of room behind what it has written, which would be kept.
        self._values.keep(key, (bytes(memoryview(value)), now + ttl))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `Store`."""
        if await self.get(key) is not None:
            return False
        await self.set(key, value, ttl=ttl)
        return True

    async def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
        """See `Store`."""
        kept = await self.get(key)
        if kept == old:
            await self.set(key, new, ttl=ttl)
        return kept in {old, new}

    async def remove(self, key: str, old: bytes) -> None:
        """See `Store`."""
        if await self.get(key) == old:
            self._values.forget(key)

    async def delete(self, *keys: str) -> None:
        """See `Store`."""
        for key in keys:
            self._values.forget(key)

    async def take(self, key: str, *, capacity: float, per_second: float, amount: float) -> float:
        """See `Store`."""
        return self._take(key, capacity, per_second, amount)

    def _take(self, key: str, capacity: float, per_second: float, amount: float) -> float:
        now = time.monotonic()
        kept = self._buckets.get(key)
        level = min(capacity, kept.level + (now - kept.at) * per_second) if kept else capacity
        wait = 0.0 if level >= amount else (amount - level) / per_second
        left = level if wait else level - amount
        full_at = now + (capacity - left) / per_second
        if kept is not None:
            kept.level, kept.at, kept.full_at = left, now, full_at
        elif left < capacity:  # A full one is as good as none.
            self._buckets[key] = _Bucket(left, now, full_at)
            if len(self._buckets) > self._most:
                self._forget_buckets()
        return wait

    async def take_one(self, key: str, *, capacity: float, per_second: float) -> float:
        """See `Store`."""
        return await self.take(key, capacity=capacity, per_second=per_second, amount=1)

    def take_one_at_hand(self, key: str, *, capacity: float, per_second: float) -> float:
        """See `Store`."""
        return self._take(key, capacity, per_second, 1)

    async def clock(self, key: str) -> tuple[str, float]:
        """See `Store`: the time of day as it would be had nobody set it since the start."""
        del key
        return self._clock, time.monotonic() + self._ahead

    async def publish(self, channel: str, message: bytes) -> None:
        """See `Store`."""
        for queue in self._followers.get(channel, ()):
            queue.put_nowait(message)

    async def follow(self, channel: str) -> AsyncIterator[bytes]:
        """See `Store`."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._followers[channel].add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._followers[channel].discard(queue)

    async def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        """See `Store`."""

    async def ping(self) -> None:
        """See `Store`."""

    async def probe(self) -> None:
        """See `Store`."""

    async def conditions(self) -> list[Condition]:
        """See `Store`: there is no server."""
        return []

    async def aclose(self) -> None:
        """See `Store`."""

    def _forget_buckets(self) -> None:
        """Make room: a tenth at once, as looking through all of them takes a while."""
        some = max(1, self._most // 10)
        for key in heapq.nsmallest(some, self._buckets, key=lambda key: self._buckets[key].full_at):
            del self._buckets[key]
