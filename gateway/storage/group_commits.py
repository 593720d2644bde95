"""Group commits: what is asked of a SQLite file while it is at work is its next transaction.

A commit waits for the disk, as long for one change as for many; and for a thread, which is the
dearer part of a small change. So one thread has the file. What comes while it is at work waits, and
goes together: each is told what came of it after all of it is on disk. When one of them fails, it
fails alone.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeAlias, TypeVar

from gateway.discreet import Discreet

T = TypeVar("T")

# After the file was found locked, the impatient are refused at once for so many seconds.
_REST: Final = 1.0

Use: TypeAlias = Callable[[sqlite3.Connection], T]


class _Asked(Discreet, Generic[T]):
    """What somebody waits for; see `GroupCommits.ask`."""

    use: Use[T]
    answered: asyncio.Future[T]
    late: Callable[[T], object] | None
    lasting: bool
    impatient: bool
    aside: bool


_Batch: TypeAlias = Sequence[_Asked[Any]]


class GroupCommits:
    """One thread that has a file, and what waits for it.

    Args:
        opened: returns the file, opened if it is not yet; called on the thread.
        close: closes it if it is open; called there at the end.
        told: makes what is raised to whoever waits out of what went wrong; called there.
        failed: is told of that on the event loop.
    """

    def __init__(
        self,
        opened: Callable[[], sqlite3.Connection],
        close: Callable[[], None],
        told: Callable[[Exception], Exception],
        failed: Callable[[Exception], None],
    ) -> None:
        self._opened = opened
        self._close = close
        self._told = told
        self._failed = failed
        self._waiting: list[_Asked[Any]] = []
        self._queue: SimpleQueue[_Batch | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_at_work = False
        self._rests_until = 0.0

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """The loop of all who ask."""
        return asyncio.get_running_loop()

    def ask(
        self,
        use: Use[T],
        *,
        lasting: bool = True,
        impatient: bool = False,
        aside: bool = False,
        late: Callable[[T], object] | None = None,
    ) -> asyncio.Future[T]:
        """Return a future of what `use` makes of the file.

        Args:
            use: is called on the thread, within a transaction; once more, alone, if the transaction
                could not be committed.
            lasting: it must survive the machine before its outcome is told. What need not still
                never survives without all that was committed before it.
            impatient: it is refused at once while the file was found locked a moment ago.
            aside: it has nothing to do with the transaction, and is called once, before that.
            late: is told the outcome on the event loop if nobody waits for it any more.
        """
        answered: asyncio.Future[T] = self._loop.create_future()
        if not self._waiting and not self._is_at_work:
            # With what else comes in this tick.
            self._loop.call_soon(self._begin)
        self._waiting.append(_Asked(use, answered, late, lasting, impatient, aside))
        return answered

    async def aclose(self) -> None:
        """Close the file, when all that waits is done."""
        if self._waiting or self._is_at_work:
            await asyncio.wait([self.ask(lambda _: None, aside=True)])
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _begin(self) -> None:
        batch = [each for each in self._waiting if not each.answered.done()]
        self._waiting.clear()
        self._is_at_work = bool(batch)
        if not batch:
            return
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, args=(self._loop,), name="journal", daemon=True
            )
            self._thread.start()
        self._queue.put(batch)

    def _tell(self, batch: _Batch, outcomes: Sequence[Any]) -> None:
        for asked, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._failed(outcome)
                if not asked.answered.done():
                    asked.answered.set_exception(outcome)
            elif not asked.answered.done():
                asked.answered.set_result(outcome)
            elif asked.late is not None:
                asked.late(outcome)
        if self._waiting:
            self._begin()
        else:
            self._is_at_work = False

    # On the thread --------------------------------------------------------------------------------

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (batch := self._queue.get()) is not None:
            outcomes = self._outcomes(batch)
            try:
                loop.call_soon_threadsafe(self._tell, batch, outcomes)
            except RuntimeError:
                break  # The loop is closed: nobody waits any more.
        self._close()

    def _outcomes(self, batch: _Batch) -> list[Any]:
        """Return what came of each; an exception if that is what came of it."""
        try:
            sql = self._opened()
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            return [self._told(error)] * len(batch)
        found: dict[_Asked[Any], Any] = {}
        together = []
        for asked in batch:
            if asked.aside:
                found[asked] = self._alone(asked, sql)
            elif asked.impatient and time.monotonic() < self._rests_until:
                locked = sqlite3.OperationalError("it was locked a moment ago")
                locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
                found[asked] = self._told(locked)
            else:
                together.append(asked)
        if together:
            found.update(zip(together, self._together(together, sql), strict=True))
        return [found[asked] for asked in batch]

    def _together(self, batch: _Batch, sql: sqlite3.Connection) -> list[Any]:
        lasts = any(asked.lasting for asked in batch)
        try:
            if not lasts:
                sql.execute("PRAGMA synchronous = NORMAL")
            try:
                return self._committed(batch, sql)
            finally:
                if not lasts:
                    sql.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            return [self._told(self._noted(error))] * len(batch)

    def _committed(self, batch: _Batch, sql: sqlite3.Connection) -> list[Any]:
        if len(batch) == 1:
            return [self._alone(batch[0], sql)]
        sql.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [asked.use(sql) for asked in batch]
            sql.execute("COMMIT")
        except Exception:  # noqa: BLE001 - each is tried by itself, and raises its own
            if sql.in_transaction:
                sql.execute("ROLLBACK")
            return [self._alone(asked, sql) for asked in batch]
        return outcomes

    def _alone(self, asked: _Asked[Any], sql: sqlite3.Connection) -> Any:  # noqa: ANN401 - whatever comes of it
        try:
            return asked.use(sql)
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            return self._told(self._noted(error))

    def _noted(self, error: Exception) -> Exception:
        """Return an error; if it says that the file is locked, rest."""
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            self._rests_until = time.monotonic() + _REST
        return error
