"""Where idempotency entries are kept: a file that survives everything, or the shared store.

An entry must be on disk before the write that it is about leaves, and two processes must never
both believe that they made it. So there are two operations that can each be won only once: to
`open` a key, and to `replace` exactly the entry that one has read. No two entries are equal:
whoever finds an equal one knows that it is its own.

Whoever is at work on an entry has a hold, which the entry names. As long as it is there, others
believe that somebody is at work, whatever any clock says. On one machine it is the lock of a file,
which ends with the process however that dies; in a shared store it is a value that the store
forgets after some seconds, and that is renewed until then.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable
from typing import NamedTuple, Protocol

from gateway.storage.store import Store, StoreUnavailable
from gateway.storage.store_advice import Advice, advice_on
from gateway.storage.time_of_day import TimeOfDay
from gateway.waiting import outcome_of, settle
from gateway.writes import clocks

# What holds of this release are called; earlier ones name a process.
HELD = "held-"
# Seconds that a hold in the shared store lasts, and after which it is renewed. It outlasts a
# command that had no answer, with the time for which the store is then left alone.
_LEASE = 15.0
_RENEW, _RENEW_AGAIN = 5.0, 1.0
# Those that are kept for the next writes.
_MOST_IDLE = 64
_MOMENT = 1.0


class Moment(NamedTuple):
    """A time, in seconds: of the day, since the epoch; and by clocks that nobody sets."""

    day: float
    clocks: clocks.Reading


class Hold(Protocol):
    """Shows others that somebody is at work.

    Attributes:
        name: what an entry calls it.
        is_named: whether an entry may do so when it is over; if none does, the next write may have
            it.
    """

    name: str
    is_named: bool

    async def renew(self) -> None:
        """Make sure that it holds.

        Raises:
            StoreUnavailable: that cannot be made sure.
        """

    def is_sure(self) -> bool:
        """Whether it cannot have ended since it was renewed, however long this machine slept."""

    def end(self) -> None:
        """Let it go."""


class Journal(Protocol):
    """Keeps entries by key. Every method may raise StoreUnavailable."""

    def open(self, key: str, entry: bytes, *, ttl: float) -> Awaitable[bytes | None]:
        """Keep `entry` if the key has none, and return None; otherwise return the one it has.

        What is opened is on disk at the latest with what replaces it. It says that nobody has sent
        anything: whether the machine forgets that makes no difference.
        """

    def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> Awaitable[bool]:
        """Put `new` in place of `old`; False when the key no longer holds `old`."""

    async def forget(self, key: str, old: bytes) -> None:
        """Free a key, if it still holds `old`."""

    async def read(self, key: str) -> bytes | None:
        """Return the entry of a key."""

    def hold(self) -> Awaitable[Hold]:
        """Hold something until that is ended; no longer than the process in any case."""

    def hold_at_hand(self) -> Hold | None:
        """Return a hold that an earlier write had, if there is one."""

    def sure_of(self, hold: Hold) -> float | Awaitable[float]:
        """Make sure of a hold, see `Hold.renew`; return the time of day, see `now`."""

    async def is_gone(self, owner: str) -> bool | None:
        """Whether nobody has the hold of this name any more; None when that cannot be told.

        Earlier releases name a process, in a file by the lock that it has as long as it lives.
        """

    async def now(self) -> Moment:
        """Return the time by clocks that others who keep entries here have, too."""

    async def ping(self) -> None:
        """Return when it answers; costs next to nothing."""

    async def probe(self) -> None:
        """Return when something has been written."""

    async def advice(self) -> list[Advice]:
        """Return what speaks against keeping entries there."""

    def open_ahead(self) -> None:
        """Let the first write not wait for what can be done before; what fails is told then."""

    async def aclose(self) -> None:
        """Close it."""


class StoreJournal:
    """Entries in the store that several machines share. How durable they are, is its affair."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._day = TimeOfDay(store)
        self._idle: list[_StoreHold] = []

    async def open(self, key: str, entry: bytes, *, ttl: float) -> bytes | None:
        """See `Journal`."""
        while not await self._store.add(key, entry, ttl=ttl):
            kept = await self._store.get(key)
            if kept is not None:
                # Its own is there when the answer to a first attempt got lost.
                return kept if kept != entry else None
        return None

    async def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
        """See `Journal`."""
        return await self._store.replace(key, old, new, ttl=ttl)

    async def forget(self, key: str, old: bytes) -> None:
        """See `Journal`."""
        await self._store.remove(key, old)

    async def read(self, key: str) -> bytes | None:
        """See `Journal`."""
        return await self._store.get(key)

    def hold(self) -> "asyncio.Future[_StoreHold]":
        """See `Journal`."""
        hold = _StoreHold(self._store, self._idle)
        coming: asyncio.Future[_StoreHold] = asyncio.get_running_loop().create_future()
        making = asyncio.ensure_future(hold.make())

        def made(done: asyncio.Future[None]) -> None:
            outcome = outcome_of(done)
            # Who waits no longer would never end it: it may be given up just when it is there.
            if outcome is None and not coming.done():
                hold.begin()
            settle(coming, outcome or hold)

        making.add_done_callback(made)
        coming.add_done_callback(lambda _: making.cancel())
        return coming

    def hold_at_hand(self) -> "_StoreHold | None":
        """See `Journal`."""
        while self._idle:
            hold = self._idle.pop()
            if hold.is_fresh():
                hold.begin()
                return hold
        return None

    async def sure_of(self, hold: Hold) -> float:
        """See `Journal`."""
        await hold.renew()
        return await self._day.now()

    async def is_gone(self, owner: str) -> bool | None:
        """See `Journal`."""
        if not owner.startswith(HELD):
            return None
        return await self._store.get(owner) is None

    async def now(self) -> Moment:
        """See `Journal`: the store's clock, for all; and this machine's, for those at it."""
        clock, day = await self._store.clock("clock")
        return Moment(day, {**clocks.read(), clock: day})

    async def ping(self) -> None:
        """See `Journal`."""
        await self._store.ping()

    async def probe(self) -> None:
        """See `Journal`."""
        await self._store.probe()

    async def advice(self) -> list[Advice]:
        """See `Journal`."""
        return advice_on(await self._store.conditions())

    def open_ahead(self) -> None:
        """See `Journal`: the store is at work already."""

    async def aclose(self) -> None:
        """See `Journal`: the store is closed by whoever opened it."""


class _StoreHold:
    """See `Hold`: a value in the store. One that may have lapsed once is never sure again."""

    def __init__(self, store: Store, idle: "list[_StoreHold]") -> None:
        self.name = f"{HELD}{uuid.uuid4().hex}"
        self.is_named = True
        self._store = store
        self._idle = idle
        self._until = math.inf
        self._is_sure = True
        self._due: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def make(self) -> None:
        """Let others see it."""
        await self._renew()

    def begin(self) -> None:
        """Renew it from now on."""
        self._due = asyncio.get_running_loop().call_later(_RENEW, self._begin_renewing)

    def is_fresh(self) -> bool:
        """Whether it was renewed so lately that it can serve another write."""
        return self.is_sure() and self._until - _awake() > _LEASE - _RENEW

    def end(self) -> None:
        """See `Hold`; if no entry names it, it is kept for the next write.

        It is left to lapse: what was at work has told the entry, or could not.
        """
        if self._due is not None:
            self._due.cancel()
        if self._renewing is not None:
            self._renewing.cancel()
        if not self.is_named and len(self._idle) < _MOST_IDLE:
            self.is_named = True
            self._idle.append(self)

    async def renew(self) -> None:
        """See `Hold`. What was renewed a moment ago is sure for almost as long as it can be."""
        if self._until - _awake() < _LEASE - _MOMENT:
            await self._renew()
        if not self.is_sure():
            raise StoreUnavailable("What shows that a write is at work lapsed.", cause="timeout")

    def _begin_renewing(self) -> None:
        self._renewing = asyncio.get_running_loop().create_task(self._renew_always())

    async def _renew_always(self) -> None:
        while True:
            try:
                await self._renew()
                await asyncio.sleep(_RENEW)
            except StoreUnavailable:
                await asyncio.sleep(_RENEW_AGAIN)

    def is_sure(self) -> bool:
        """See `Hold`."""
        self._is_sure = self._is_sure and _awake() < self._until
        return self._is_sure

    async def _renew(self) -> None:
        self.is_sure()
        began = _awake()
        await self._store.set(self.name, b"", ttl=_LEASE)
        self._until = began + _LEASE


def _awake() -> float:
    """Return seconds by a clock that goes on while this machine sleeps and others do not."""
    now = clocks.uptime()
    return time.monotonic() if now is None else now
