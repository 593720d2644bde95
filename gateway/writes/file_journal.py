"""Idempotency entries in a SQLite file, for all processes of one machine.

What must be kept before a write may leave is on disk when that is told; see
`gateway/storage/group_commits.py` for how the writes of one moment share the wait for it.
"""

import asyncio
import errno
import os
import sqlite3
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.storage import file_locks
from gateway.storage.group_commits import GroupCommits
from gateway.storage.store import Cause, StoreUnavailable
from gateway.storage.store_advice import Advice
from gateway.waiting import begun
from gateway.writes import clocks
from gateway.writes.idempotency_entries import HELD, Hold, Moment

# Entries lie in the order in which they are opened, so that those of a transaction share pages. By
# their keys, which are hashes, each would dirty a page of its own, as in files of earlier releases.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB, expires REAL);
CREATE INDEX IF NOT EXISTS expiry ON entries (expires);
CREATE TABLE IF NOT EXISTS clocks (clock TEXT PRIMARY KEY, ahead REAL) WITHOUT ROWID;
"""
_OPEN: Final = (
    "INSERT INTO entries VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE"
    " SET value = ?2, expires = ?3 WHERE expires < ?4"
)
_REPLACE: Final = "UPDATE entries SET value = ?, expires = ? WHERE key = ? AND value = ?"
_FORGET: Final = "DELETE FROM entries WHERE key = ? AND value = ?"
_BUSY = 2.0
# Seconds in which a process that is ready gets to write: each transaction takes far less.
_PATIENCE: Final = 1.0
_PAUSE = 0.01
_SWEEP_EVERY = 100
_MAKING = 60.0
# Locks that are kept for the next writes.
_MOST_IDLE: Final = 64
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


class FileJournal:
    """See `Journal`.

    A gateway whose disk fails still serves everything else: that is seen at first use, though the
    file may be opened before, as to make it takes the disk many times as long as an entry.

    Entries expire by the time of day, so that they outlive the machine's next start; but that is
    read once for each start, and then carried on by the clock that never jumps.
    """

    def __init__(
        self, folder: Path, failed: Callable[[StoreUnavailable], None] = lambda _: None
    ) -> None:
        self._tell_failed = failed
        self._folder = folder
        self._path = folder / "idempotency.sqlite"
        self._commits = GroupCommits(self._opened_file, self._close, self._told, self._failed)
        self._sql: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._opened = 0
        self._ahead = 0.0
        self._idle: list[_FileHold] = []

    def open(self, key: str, entry: bytes, *, ttl: float) -> asyncio.Future[bytes | None]:
        """See `Journal`."""
        return self._commits.ask(
            lambda sql: self._open(sql, key, entry, ttl), lasting=False, impatient=True
        )

    def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> asyncio.Future[bool]:
        """See `Journal`."""
        return self._commits.ask(
            lambda sql: sql.execute(_REPLACE, (new, self._now() + ttl, key, old)).rowcount == 1
        )

    async def forget(self, key: str, old: bytes) -> None:
        """See `Journal`."""
        await self._commits.ask(lambda sql: sql.execute(_FORGET, (key, old)))

    async def read(self, key: str) -> bytes | None:
        """See `Journal`."""
        return await self._commits.ask(lambda sql: _read(sql, key))

    def hold(self) -> "asyncio.Future[_FileHold]":
        """See `Journal`."""
        return self._commits.ask(
            lambda _: _FileHold(self._folder, self._idle), aside=True, late=_FileHold.let_go
        )

    def hold_at_hand(self) -> "_FileHold | None":
        """See `Journal`."""
        while self._idle:
            hold = self._idle.pop()
            if hold.is_there():
                return hold
            hold.let_go()
        return None

    def sure_of(self, hold: Hold) -> float:
        """See `Journal`: what is locked is sure."""
        del hold
        return self._now()

    async def is_gone(self, owner: str) -> bool | None:
        """See `Journal`."""
        if not file_locks.ARE_KNOWN:
            return None
        path = self._folder / f"{owner}.lock"
        return await self._commits.ask(lambda _: _is_unlocked(path), aside=True)

    async def now(self) -> Moment:
        """See `Journal`."""
        return Moment(self._now(), clocks.read())

    async def ping(self) -> None:
        """See `Journal`."""
        await self._commits.ask(
            lambda sql: sql.execute("SELECT 1 FROM entries LIMIT 1").fetchall(), aside=True
        )

    async def probe(self) -> None:
        """See `Journal`."""
        await self._commits.ask(self._try_to_write, aside=True)

    async def advice(self) -> list[Advice]:
        """See `Journal`: its commits are on disk when they return."""
        return []

    def open_ahead(self) -> None:
        """See `Journal`; a folder that is not there yet is made by the first write."""
        if self._folder.is_dir() and obstacle(self._folder) is None:
            begun(self._commits.ask(lambda _: None, aside=True))

    async def aclose(self) -> None:
        """See `Journal`."""
        await self._commits.aclose()
        while self._idle:
            self._idle.pop().let_go()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            self._tell_failed(error)

    def _told(self, error: Exception) -> Exception:
        """Return what is raised to whoever waits; on the thread of the file."""
        if not isinstance(error, sqlite3.Error | OSError):
            return error
        told = StoreUnavailable(f"{self._folder}: {error}", cause=self._cause_of(error))
        told.__cause__ = error
        return told

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

    def _try_to_write(self, sql: sqlite3.Connection) -> None:
        """See that the folder can be written, and that nobody keeps the file locked."""
        self._write_something()
        sql.execute(f"PRAGMA busy_timeout = {1000 * _PATIENCE:.0f}")
        try:
            sql.execute("BEGIN IMMEDIATE")
            sql.execute("ROLLBACK")
        finally:
            sql.execute(f"PRAGMA busy_timeout = {1000 * _BUSY:.0f}")

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
        now = self._now()
        if self._opened % _SWEEP_EVERY == 0:
            sql.execute("DELETE FROM entries WHERE expires < ?", (now,))
        self._opened += 1
        made = sql.execute(_OPEN, (key, entry, now + ttl, now))
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
    """See `Hold`: a locked file. It ends with the process, and sleeps when the machine does.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path, idle: "list[_FileHold]") -> None:
        self.name = f"{HELD}{uuid.uuid4().hex}"
        self.is_named = True
        # As text: it is looked at for each write.
        self._path = str(folder / f"{self.name}.lock")
        self._file = _lock(self._path)
        self._identity = _identity(self._path)
        self._idle = idle

    async def renew(self) -> None:
        """See `Hold`."""

    def is_sure(self) -> bool:
        """See `Hold`."""
        return True

    def is_there(self) -> bool:
        """Whether others can see it."""
        try:
            return _identity(self._path) == self._identity
        except OSError:
            return False

    def end(self) -> None:
        """See `Hold`; if no entry names it, it is kept for the next write."""
        if self.is_named or len(self._idle) >= _MOST_IDLE:
            self.let_go()
        else:
            self.is_named = True
            self._idle.append(self)

    def let_go(self) -> None:
        """End it for good."""
        if self.is_there():
            with suppress(OSError):
                Path(self._path).unlink()
        os.close(self._file)


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


def _identity(path: Path | str) -> tuple[int, int] | None:
    """Return what tells a file from another of the same name; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - what Path does besides takes as long
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


def _lock(path: str) -> int:
    """Make and lock a file, for as long as this process lives or until it is unlocked."""
    while True:
        file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        if file_locks.try_lock(file) and _identity(path) == _of(os.fstat(file)):
            return file
        # Somebody looks whether it is locked, or has taken it for one that was left over.
        os.close(file)


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
