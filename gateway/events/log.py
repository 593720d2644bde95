"""The events of an account in order: a short log in the store, which all processes share.

Every event has a number one above the event before it. The log is append-only: whoever adds the
value under a number first has that number. `head` is only a hint where the end is.

The store may come back empty, or as it was a while ago, and numbers may then be given anew. So
whoever reads on keeps a `LogPlace`, which also tells what the event at that number was like; and
what is read behind it must have every number up to the end. Otherwise something was lost.
"""

import asyncio
import zlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from gateway.errors import EventsMissed
from gateway.storage.store import Store, StoreUnavailable

_MOST: Final = 1000
"""Events of an account that are read: those further behind are forgotten, some at once."""
_FORGOTTEN_AT_ONCE: Final = 100
# Marks have three digits, so that ids that differ by a few are never two events' ids.
_MARKS: Final = 1000
_LEAST_MARK: Final = 100
# Ids of earlier releases are numbers without a mark, milliseconds of the clock at first.
_FIRST_WITH_MARK: Final = 10**14


class LogPlace(NamedTuple):
    """Where a reader stands in a log: behind the event of a number.

    Attributes:
        number: of the event.
        mark: what tells the event from another that was given the same number; None: not known.
    """

    number: int
    mark: int | None

    @classmethod
    def of(cls, number: int, event: bytes | None) -> "LogPlace":
        """Return the place behind an event."""
        if event is None:
            return cls(number, None)
        return cls(number, _LEAST_MARK + zlib.crc32(event) % (_MARKS - _LEAST_MARK))

    @classmethod
    def named(cls, name: int) -> "LogPlace":
        """Return the place behind the event that a client knows by this id."""
        return cls(*divmod(name, _MARKS)) if name >= _FIRST_WITH_MARK else cls(name, None)

    @property
    def name(self) -> int:
        """The id by which clients know the event. It rises as numbers do."""
        return self.number if self.mark is None else self.number * _MARKS + self.mark


class Entry:
    """An event that is to be kept in a log.

    Attributes:
        content: the event.
        number: under which the log has it; None: it is not known to have it.
        tried_behind: behind this number it may be kept though nothing said so, as the answer was
            lost; None: it was not tried yet.
    """

    __slots__ = ("content", "number", "tried_behind")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.number: int | None = None
        self.tried_behind: int | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the log has it."""
        return self.number is not None


class EventLog:
    """The log of each account; entries are forgotten after `memory` seconds, or as many follow."""

    def __init__(self, store: Store, memory: float) -> None:
        self._store = store
        self.memory = memory

    async def is_begun(self, account: str) -> bool:
        """Whether somebody has followed the account while its log is remembered."""
        return await self._store.get(_head(account)) is not None

    async def head(self, account: str) -> int:
        """Return the number of the latest event; of the one before the first when there is none."""
        kept = await self._hint(account)
        number = _number(kept)
        while await self._store.get(_entry(account, number + 1)) is not None:
            number += 1
        if number != _number(kept):
            await self._renew(account, kept, number)
        return number

    async def end(self, account: str) -> LogPlace:
        """Return the place behind the latest event."""
        number = await self.head(account)
        return LogPlace.of(number, await self._store.get(_entry(account, number)))

    async def hold(self, account: str) -> None:
        """Let a log that is being followed live on, though nothing happens."""
        kept = await self._hint(account)
        await self._renew(account, kept, _number(kept))

    async def append(self, account: str, *entries: Entry) -> int:
        """Add entries to an account's log, in order, and return the number of the latest event.

        One that is in it already is not added again, so that all may be tried again.

        Raises:
            StoreUnavailable: those that are not `is_kept` may be missing, or all are there and the
                hint of the end is not.
        """
        kept = await self._hint(account)
        number = before = _number(kept)
        for entry in entries:
            if entry.number is None:
                entry.number = await self._find(account, entry)
            if entry.number is None:
                entry.tried_behind = number
                entry.number = await self._keep(account, entry, number)
            number = max(number, entry.number)
        # Another process may have come further meanwhile: the hint never goes back. Where it does
        # and entries behind it are forgotten, their numbers are given anew.
        while not await self._renew(account, kept, max(number, _number(kept))):
            kept = await self._hint(account)
        if number // _FORGOTTEN_AT_ONCE > before // _FORGOTTEN_AT_ONCE:
            last = number // _FORGOTTEN_AT_ONCE * _FORGOTTEN_AT_ONCE - _MOST
            unread = range(last - _FORGOTTEN_AT_ONCE, last)
            with suppress(StoreUnavailable):  # They are forgotten in time, as all are.
                await self._store.delete(*(_entry(account, each) for each in unread))
        return number

    async def after(self, account: str, number: int) -> Iterable[tuple[int, bytes]]:
        """Return the events behind a number, with their numbers, as far as they are remembered."""
        head = await self.head(account)
        found = await self._entries(account, max(number, head - _MOST), head)
        return [(each, event) for each, event in found if event is not None]

    async def read(self, account: str, place: LogPlace) -> list[tuple[int, bytes]]:
        """Return all events behind a place, with their numbers.

        Raises:
            EventsMissed: some are not remembered any more, or the log is not the one of the place.
        """
        head = await self.head(account)
        if not head - _MOST <= place.number <= head:
            raise EventsMissed
        there = LogPlace.of(place.number, await self._store.get(_entry(account, place.number)))
        if None not in {there.mark, place.mark} and there != place:
            raise EventsMissed
        found = []
        for each, event in await self._entries(account, place.number, head):
            if event is None:
                raise EventsMissed
            found.append((each, event))
        return found

    async def _find(self, account: str, entry: Entry) -> int | None:
        """Return the number under which an entry was kept when that was tried before."""
        if entry.tried_behind is None:
            return None
        found = await self.after(account, entry.tried_behind)
        return next((number for number, each in found if each == entry.content), None)

    async def _keep(self, account: str, entry: Entry, number: int) -> int:
        """Keep an entry under the first number behind `number` that is free, and return that."""
        while True:
            number += 1
            name = _entry(account, number)
            if (
                await self._store.add(name, entry.content, ttl=self.memory)
                # The store's client may have asked twice, as the first answer was lost.
                or await self._store.get(name) == entry.content
            ):
                return number

    async def _entries(
        self, account: str, number: int, head: int
    ) -> Iterable[tuple[int, bytes | None]]:
        """Return what is kept under each number behind `number`, up to `head`."""
        numbers = range(number + 1, head + 1)
        # The store is asked for all of a tick at once.
        kept = await asyncio.gather(*(self._store.get(_entry(account, each)) for each in numbers))
        return zip(numbers, kept, strict=True)

    async def _hint(self, account: str) -> bytes:
        kept = await self._store.get(_head(account))
        if kept is not None:
            return kept
        # Numbers must rise even when everything was forgotten: they start from the store's clock,
        # which is always ahead of them as long as there are less than 1000 events a second.
        _, now = await self._store.clock(_head(account))
        start = str(int(now * 1000)).encode()
        await self._store.add(_head(account), start, ttl=2 * self.memory)
        return await self._store.get(_head(account)) or start

    async def _renew(self, account: str, kept: bytes, number: int) -> bool:
        """Keep the hint for longer, if nobody else has changed it; tell whether that is so."""
        new = str(number).encode()
        return await self._store.replace(_head(account), kept, new, ttl=2 * self.memory)


def _number(kept: bytes) -> int:
    try:
        return int(kept)
    except ValueError:
        raise StoreUnavailable("The end of the events' log cannot be read.") from None


def _head(account: str) -> str:
    return f"events:{account}:head"


def _entry(account: str, number: int) -> str:
    return f"events:{account}:{number}"
