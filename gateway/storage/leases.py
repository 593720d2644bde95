"""Rate-limit tokens leased in batches from a bucket that several processes share.

A process that counts many requests of one caller takes the tokens of the next moment with those
that it needs now, in one step. What it holds is out of the bucket, so all together never admit more
than the bucket has. It takes little where there is little: what it holds ahead is a small share of
what is left then, and nothing of a small bucket, so that no process starves the others. What it has
not used after a moment it gives back; what a process that dies held is lost to nobody for longer
than the bucket takes to fill.

The bucket counts what was taken ahead as still in it for as long as it may be used: a bucket that
filled up meanwhile would give more than its capacity at once.
"""

import asyncio
import time
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from gateway.storage.store import StoreUnavailable

SECONDS: Final = 1.0
"""How long tokens that were taken ahead may be used, from before they were asked for."""
# What is not used by then is given back.
_IDLE: Final = 0.5
# Of the tokens of how many seconds ahead are taken, and how many at most.
_AHEAD: Final = 0.1
_MOST_AHEAD: Final = 1000
_MOST_LEASES: Final = 10_000


class Bucket(NamedTuple):
    """A token bucket: its name, how many tokens it holds, and how many it gets in a second."""

    key: str
    capacity: float
    per_second: float


class Loan(NamedTuple):
    """What a bucket gave.

    Attributes:
        given: of those that were needed.
        ahead: besides.
        wait: seconds until there is another one, if it gave fewer than needed.
    """

    given: int
    ahead: int
    wait: float


class Lender(Protocol):
    """Where the buckets are."""

    async def lend(self, bucket: Bucket, needed: int, ahead: int) -> Loan:
        """Take tokens: those that are needed first, then up to `ahead` more."""

    async def take_back(self, bucket: Bucket, amount: int, name: str) -> None:
        """Put tokens back that were taken ahead; doing it again under one name changes nothing."""


class _Lease:
    """What a process holds of one bucket."""

    __slots__ = ("asking", "began", "bucket", "left", "reviewed", "used", "waiting")

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.left = 0
        self.began = 0.0
        self.used = 0
        self.asking = False
        self.reviewed = False
        self.waiting: list[asyncio.Future[float]] = []


class Leases:
    """What a process holds of all buckets; bounded in number."""

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._leases: dict[str, _Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take_at_hand(self, key: str) -> float | None:
        """Take one token of a bucket if one is held, and return 0; None when there is none."""
        lease = self._leases.get(key)
        if lease is None or not lease.left or time.monotonic() >= lease.began + SECONDS:
            return None
        lease.left -= 1
        lease.used += 1
        return 0.0

    async def take(self, bucket: Bucket) -> float:
        """Take one token; return 0, or the seconds until one could be taken.

        Raises:
            StoreUnavailable: the bucket cannot be reached, and none is held.
        """
        at_hand = self.take_at_hand(bucket.key)
        if at_hand is not None:
            return at_hand
        lease = self._leases.get(bucket.key) or self._begun(bucket)
        answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        lease.waiting.append(answered)
        if not lease.asking:
            lease.asking = True
            self._in_background(self._borrow(lease))
        return await answered

    async def settle(self, bucket: Bucket) -> None:
        """Give back what is held of a bucket.

        Raises:
            StoreUnavailable: it cannot be reached.
        """
        lease = self._leases.get(bucket.key)
        if lease is not None and lease.left:
            await self._give_back(lease)

    async def aclose(self) -> None:
        """Give back all that is held."""
        for lease in self._leases.values():
            if lease.left:
                self._in_background(self._try_to_give_back(lease))
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begun(self, bucket: Bucket) -> _Lease:
        if len(self._leases) >= _MOST_LEASES:
            # What is left of it is nobody's until the bucket has filled up again.
            del self._leases[next(iter(self._leases))]
        lease = self._leases[bucket.key] = _Lease(bucket)
        return lease

    async def _borrow(self, lease: _Lease) -> None:
        """Take tokens for all who wait, and some ahead, until nobody waits."""
        try:
            while lease.waiting:
                await self._borrow_once(lease)
        finally:
            lease.asking = False

    async def _borrow_once(self, lease: _Lease) -> None:
        waiting = [each for each in lease.waiting if not each.done()]
        lease.waiting = []
        now = time.monotonic()
        rate = lease.used / max(now - lease.began, 1e-3)
        ahead = min(int(rate * _AHEAD), 2 * lease.used, _MOST_AHEAD)
        try:
            loan = await self._lender.lend(lease.bucket, len(waiting), ahead)
        except Exception as error:  # noqa: BLE001 - it is raised to each who waits
            # How much is needed must be learned anew.
            lease.began, lease.used, lease.left = now, 0, 0
            for each in waiting:
                if not each.done():
                    each.set_exception(error)
            return
        lease.began, lease.used, lease.left = now, loan.given, loan.ahead
        for place, each in enumerate(waiting):
            if not each.done():
                each.set_result(0.0 if place < loan.given else loan.wait)
        # Others have come meanwhile.
        while lease.left and lease.waiting:
            each = lease.waiting.pop(0)
            if not each.done():
                each.set_result(0.0)
                lease.left -= 1
                lease.used += 1
        if lease.left and not lease.reviewed:
            self._review_later(lease, _IDLE)

    def _review_later(self, lease: _Lease, delay: float) -> None:
        lease.reviewed = True
        asyncio.get_running_loop().call_later(delay, self._review, lease)

    def _review(self, lease: _Lease) -> None:
        """Give back what has not been used for a while."""
        lease.reviewed = False
        if not lease.left:
            return
        age = time.monotonic() - lease.began
        if age < _IDLE:
            self._review_later(lease, _IDLE - age)
        else:
            self._in_background(self._try_to_give_back(lease))

    async def _try_to_give_back(self, lease: _Lease) -> None:
        with suppress(StoreUnavailable):
            await self._give_back(lease)

    async def _give_back(self, lease: _Lease) -> None:
        amount, lease.left = lease.left, 0
        await self._lender.take_back(lease.bucket, amount, uuid.uuid4().hex)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
