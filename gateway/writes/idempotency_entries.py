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
import errno
import math
import os
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from gateway.storage import file_locks
from gateway.storage.store import Cause, MemoryStore, Store, StoreUnavailable
from gateway.storage.store_advice import Advice, advice_on
from gateway.writes import clocks

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB, expires REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS expiry ON entries (expires);
CREATE TABLE IF NOT EXISTS clocks (clock TEXT PRIMARY KEY, ahead REAL) WITHOUT ROWID;
"""
_BUSY = 2.0
_PAUSE = 0.01
_SWEEP_EVERY = 100
# After the file was found locked, whoever opens a key is refused at once for this time.
_REST = 1.0
_MAKING = 60.0
# What holds of this release are called; earlier ones name a process.
HELD = "held-"
# Seconds that a hold in the shared store lasts, and after which it is renewed. It outlasts a
# command that had no answer, with the time for which the store is then left alone.
_LEASE = 15.0
_RENEW, _RENEW_AGAIN = 5.0, 1.0
# Bytes that must fit on the disk for a process to be ready.
_ROOM = 64 * 1024
# Low bytes of SQLite's codes, and the system's own.
_SQLITE_CAUSES: Final[dict[int, Cause]] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "denied",
    sqlite3.SQLITE_AUTH: "denied",
    sqlite3.SQLITE_CANTOPEN: "denied",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
_SYSTEM_CAUSES: Final[dict[int | None, Cause]] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.EMFILE: "full",
    errno.ENFILE: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.ESTALE: "missing",
}


class Moment(NamedTuple):
    """A time, in seconds: of the day, since the epoch; and by clocks that nobody sets."""

    day: float
    clocks: clocks.Reading


class Hold(Protocol):
    """Shows others that somebody is at work.

    Attributes:
        name: what an entry calls it.
    """

    name: str

    async def renew(self) -> None:
        """Make sure that it holds.

        Raises:
            StoreUnavailable: that cannot be made sure.
        """

    def is_sure(self) -> bool:
        """Whether it cannot have ended since it was renewed, however long this machine slept."""


class Journal(Protocol):
    """Keeps entries by key. Every method may raise StoreUnavailable."""

    async def open(self, key: str, entry: bytes, *, ttl: float) -> bytes | None:
        """Keep `entry` if the key has none, and return None; otherwise return the one it has."""

    async def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
        """Put `new` in place of `old`; False when the key no longer holds `old`."""

    async def forget(self, key: str, old: bytes) -> None:
        """Free a key, if it still holds `old`."""

    async def read(self, key: str) -> bytes | None:
        """Return the entry of a key."""

    def hold(self) -> AbstractAsyncContextManager[Hold]:
        """Hold something as long as the context lasts; no longer than the process in any case."""

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

    async def aclose(self) -> None:
        """Close it."""


class FileJournal:
    """A SQLite file for all processes of one machine; each commit is on disk when it returns.

    Opened at first use, so that a gateway whose disk fails still serves everything else.

    Entries expire by the time of day, so that they outlive the machine's next start; but that is
    read once for each start, and then carried on by the clock that never jumps.
    """

    def __init__(
        self, folder: Path, failed: Callable[[StoreUnavailable], None] = lambda _: None
    ) -> None:
        self._failed = failed
        self._folder = folder
        self._path = folder / "idempotency.sqlite"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._sql: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._opened = 0
        self._ahead = 0.0
        self._rests_until = 0.0

    async def open(self, key: str, entry: bytes, *, ttl: float) -> bytes | None:
        """See `Journal`."""
        return await self._run(lambda sql: self._open(sql, key, entry, ttl))

    async def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
        """See `Journal`."""
        statement = "UPDATE entries SET value = ?, expires = ? WHERE key = ? AND value = ?"
        return await self._run(
            lambda sql: sql.execute(statement, (new, self._now() + ttl, key, old)).rowcount == 1
        )

    async def forget(self, key: str, old: bytes) -> None:
        """See `Journal`."""
        statement = "DELETE FROM entries WHERE key = ? AND value = ?"
        await self._run(lambda sql: sql.execute(statement, (key, old)))

    async def read(self, key: str) -> bytes | None:
        """See `Journal`."""
        return await self._run(lambda sql: _read(sql, key))

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Hold]:
        """See `Journal`."""
        name = f"{HELD}{uuid.uuid4().hex}"
        path = self._folder / f"{name}.lock"
        file = await self._run(lambda _: _lock(path), late=partial(_unlock_late, path))
        try:
            yield _FileHold(name)
        finally:
            _unlock(path, file)

    async def is_gone(self, owner: str) -> bool | None:
        """See `Journal`."""
        if not file_locks.ARE_KNOWN:
            return None
        return await self._run(lambda _: _is_unlocked(self._folder / f"{owner}.lock"))

    async def now(self) -> Moment:
        """See `Journal`."""
        return Moment(self._now(), clocks.read())

    async def ping(self) -> None:
        """See `Journal`."""
        await self._run(lambda sql: sql.execute("SELECT 1 FROM entries LIMIT 1").fetchall())

    async def probe(self) -> None:
        """See `Journal`."""
        await self._run(lambda _: self._write_something())

    async def advice(self) -> list[Advice]:
        """See `Journal`: its commits are on disk when they return."""
        return []

    async def aclose(self) -> None:
        """See `Journal`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _run(
        self,
        use: Callable[[sqlite3.Connection], T],
        late: Callable[[Future[T]], object] = lambda _: None,
    ) -> T:
        """Return what `use` makes of the file; when nobody waits for it any more, tell `late`."""

        def work() -> T:
            try:
                return use(self._opened_file())
            except (sqlite3.Error, OSError) as error:
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                    self._rests_until = time.monotonic() + _REST
                raise StoreUnavailable(
                    f"{self._folder}: {error}", cause=self._cause_of(error)
                ) from error

        working = self._thread.submit(work)
        try:
            return await asyncio.wrap_future(working)
        except asyncio.CancelledError:
            working.add_done_callback(late)
            raise
        except StoreUnavailable as error:
            self._failed(error)
            raise

    def _cause_of(self, error: sqlite3.Error | OSError) -> Cause:
        if not self._folder.is_dir():
            return "missing"
        if isinstance(error, OSError):
            return _SYSTEM_CAUSES.get(error.errno, "failed")
        # The low byte is the kind of an extended code.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_IOERR:
            # SQLite keeps the system's reason to itself.
            try:
                self._write_something()
            except OSError as reason:
                return _SYSTEM_CAUSES.get(reason.errno, "failed")
        return _SQLITE_CAUSES.get(code, "failed")

    def _opened_file(self) -> sqlite3.Connection:
        """Return the file, opened; anew when it is not the one in the folder any more.

        What would be written to a file that was removed is lost when the process ends.
        """
        if self._sql is not None and self._file != _identity(self._path):
            self._close()
        if self._sql is None:
            # The folder is made once. One that has vanished may come back with what is in it.
            if self._file is not None and not self._folder.is_dir():
                raise FileNotFoundError("the folder has vanished")
            self._sql = self._connect()
            self._file = _identity(self._path)
        return self._sql

    def _write_something(self) -> None:
        """See that the folder can be written, and has room for more."""
        path = self._folder / ".probe"
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            if os.write(file, bytes(_ROOM)) < _ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
            path.unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path
        # Made here and not by SQLite, so that nobody else may read it from the first moment on.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        sql = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            _prepare(sql)
            self._ahead = _ahead(sql)
            self._sweep()
        except BaseException:
            sql.close()
            raise
        return sql

    def _sweep(self) -> None:
        """Remove what processes that were killed have left; younger files may be in the making."""
        for path in self._folder.glob("*.lock"):
            if path.stat().st_mtime < time.time() - _MAKING:
                _is_unlocked(path)

    def _open(self, sql: sqlite3.Connection, key: str, entry: bytes, ttl: float) -> bytes | None:
        if time.monotonic() < self._rests_until:
            raise sqlite3.OperationalError("it was locked a moment ago")
        now = self._now()
        if self._opened % _SWEEP_EVERY == 0:
            sql.execute("DELETE FROM entries WHERE expires < ?", (now,))
        self._opened += 1
        made = sql.execute(
            "INSERT INTO entries VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE"
            " SET value = ?2, expires = ?3 WHERE expires < ?4",
            (key, entry, now + ttl, now),
        )
        if made.rowcount == 1:
            return None
        kept = _read(sql, key)
        return kept if kept is not None else self._open(sql, key, entry, ttl)

    def _now(self) -> float:
        """Return the time of day as it would be had nobody set the clock."""
        return time.monotonic() + self._ahead

    def _close(self) -> None:
        if self._sql is not None:
            self._sql.close()
            self._sql = None


class _FileHold:
    """See `Hold`: a locked file. It ends with the process, and sleeps when the machine does."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def renew(self) -> None:
        """See `Hold`."""

    def is_sure(self) -> bool:
        """See `Hold`."""
        return True


class StoreJournal:
    """Entries in the store that several machines share. How durable they are, is its affair."""

    def __init__(self, store: Store) -> None:
        self._store = store

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

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Hold]:
        """See `Journal`."""
        hold = _StoreHold(self._store, f"{HELD}{uuid.uuid4().hex}")
        await hold.renew()
        renewing = asyncio.create_task(hold.renew_always())
        try:
            yield hold
        finally:
            # It is left to lapse: what was at work has told the entry, or could not.
            renewing.cancel()

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

    async def aclose(self) -> None:
        """See `Journal`: the store is closed by whoever opened it."""


class _StoreHold:
    """See `Hold`: a value in the store. One that may have lapsed once is never sure again."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self._store = store
        self._until = math.inf
        self._is_sure = True

    async def renew(self) -> None:
        """See `Hold`."""
        await self._renew()
        if not self.is_sure():
            raise StoreUnavailable("What shows that a write is at work lapsed.", cause="timeout")

    async def renew_always(self) -> None:
        """Renew it until this is cancelled."""
        while True:
            try:
                await asyncio.sleep(_RENEW)
                await self._renew()
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


def journal_for(
    store: Store, folder: Path, failed: Callable[[StoreUnavailable], None] = lambda _: None
) -> Journal:
    """Return the journal to use: in the shared store if there is one, else in `folder`.

    `failed` is told of each failure of the file; of its own a store tells itself.
    """
    return FileJournal(folder, failed) if isinstance(store, MemoryStore) else StoreJournal(store)


def obstacle(folder: Path) -> str | None:
    """Return why no file can be kept in a folder; None when nothing speaks against it.

    Nothing is made for that.
    """
    # The folder itself is made at first use, in the nearest one that is there.
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        return f"{there} is not a folder"
    files = [each for each in folder.glob("idempotency.sqlite*") if each.is_file()]
    closed = next((each for each in [there, *files] if not os.access(each, os.W_OK)), None)
    return f"{closed} cannot be written" if closed is not None else None


def _read(sql: sqlite3.Connection, key: str) -> bytes | None:
    row = sql.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if not isinstance(row[0], bytes):
        raise sqlite3.DataError("an entry is not what was kept")
    return row[0]


def _ahead(sql: sqlite3.Connection) -> float:
    """Return by how much the time of day was ahead of the clock when that was first used here."""
    read, keep = "SELECT ahead FROM clocks WHERE clock = ?", "INSERT OR IGNORE INTO clocks VALUES"
    clock = clocks.name()
    if (kept := sql.execute(read, (clock,)).fetchone()) is None:
        sql.execute(f"{keep} (?, ?)", (clock, time.time() - time.monotonic()))
        kept = sql.execute(read, (clock,)).fetchone()
    return float(kept[0])


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of the same name; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _of(found)


def _of(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _prepare(sql: sqlite3.Connection) -> None:
    """Make what is not there yet; SQLite does not always wait when two do so at once."""
    give_up = time.monotonic() + _BUSY
    while True:
        try:
            sql.execute("PRAGMA journal_mode = WAL")
            sql.execute("PRAGMA synchronous = FULL")
            sql.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            # The low byte is the kind of an extended code.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _lock(path: Path) -> int:
    """Make and lock a file, for as long as this process lives or until it is unlocked."""
    while True:
        file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        if file_locks.try_lock(file) and _identity(path) == _of(os.fstat(file)):
            return file
        # Somebody looks whether it is locked, or has taken it for one that was left over.
        os.close(file)


def _unlock(path: Path, file: int) -> None:
    path.unlink(missing_ok=True)
    os.close(file)


def _unlock_late(path: Path, locking: Future[int]) -> None:
    """Unlock a file that nobody waits for any more."""
    with suppress(StoreUnavailable, CancelledError):
        _unlock(path, locking.result())


def _is_unlocked(path: Path) -> bool:
    """Whether nobody holds the lock of a file; one that is left over is removed."""
    if not file_locks.ARE_KNOWN:
        return False
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        is_unlocked = file_locks.try_lock(file)
        if is_unlocked:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)
    return is_unlocked
