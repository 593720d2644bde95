"""The SQLite file behind a sandbox: opening, telling it from other people's files, transactions.

Calls take well under a millisecond, a search up to a few, so they run directly on the event loop:
there is one connection and one thread, and a change is one transaction.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.sandbox.options import SandboxError

_APPLICATION_ID = 0x4E475342  # "NGSB": tells our files from other people's
_FORMAT = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE places (id INTEGER PRIMARY KEY, document TEXT NOT NULL UNIQUE);
CREATE TABLE profiles (id INTEGER PRIMARY KEY, document TEXT NOT NULL UNIQUE);
CREATE TABLE pools (
    id INTEGER PRIMARY KEY, iso_country TEXT NOT NULL, type TEXT NOT NULL,
    UNIQUE (iso_country, type)
);
-- Clustered by pool and rank: a search walks one pool in search order and stops at its limit.
CREATE TABLE available (
    pool INTEGER NOT NULL, rank INTEGER NOT NULL,
    phone_number TEXT NOT NULL, national TEXT NOT NULL,
    place INTEGER NOT NULL, profile INTEGER NOT NULL, PRIMARY KEY (pool, rank)
) WITHOUT ROWID;
CREATE TABLE owned (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT NOT NULL UNIQUE, account_sid TEXT NOT NULL,
    phone_number TEXT NOT NULL UNIQUE, national TEXT NOT NULL,
    place INTEGER NOT NULL, profile INTEGER NOT NULL,
    configuration TEXT, origin TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX owned_account ON owned (account_sid, seq);
-- Where released numbers stood, so that a page token made of one still works.
CREATE TABLE released (sid TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (
    sid TEXT PRIMARY KEY, auth_token TEXT NOT NULL, friendly_name TEXT NOT NULL,
    owner_account_sid TEXT NOT NULL,
    status TEXT NOT NULL, type TEXT NOT NULL, role TEXT NOT NULL, catalog INTEGER NOT NULL,
    key_sid TEXT NOT NULL UNIQUE, key_secret TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE ledger (
    n INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, phone_number TEXT NOT NULL, sid TEXT
    NOT NULL, account_sid TEXT NOT NULL, from_account_sid TEXT, price TEXT, at REAL NOT NULL
);
"""


class Database:
    """An open data file.

    Args:
        path: The file, or None for memory.
        fill: Called once with a new, empty file, inside its first transaction.

    Raises:
        SandboxError: The file cannot be opened or written, or is not a sandbox's.
    """

    def __init__(self, path: Path | None, fill: Callable[[], None]) -> None:
        try:
            self._sql = sqlite3.connect(
                path or ":memory:",
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._open(path, fill)
            except BaseException:
                self._sql.close()
                raise
        except sqlite3.Error as error:
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            why = "another sandbox is using it" if busy else error
            message = f"cannot use {path or 'memory'} as the sandbox's data file: {why}"
            raise SandboxError(message) from error

    def _open(self, path: Path | None, fill: Callable[[], None]) -> None:
        # What is sorted while numbers are made needs no folder for temporary files then.
        self._sql.execute("PRAGMA temp_store = MEMORY")
        # Kept from the first access on: two sandboxes on one file would sell each number twice.
        self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
        (application,) = self._sql.execute("PRAGMA application_id").fetchone()
        (tables,) = self._sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        (version,) = self._sql.execute("PRAGMA user_version").fetchone()
        ours = application == _APPLICATION_ID and version == _FORMAT
        if (tables or application) and not ours:
            message = f"{path} is not a data file of this sandbox; nothing was changed in it"
            raise SandboxError(message)
        if path is not None:
            self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = NORMAL")
        # A write lock at once: an unwritable file is reported now, not at the first purchase.
        with self.transaction():
            if not tables:
                self._lay_out(fill)
            self._sql.execute("INSERT OR REPLACE INTO meta VALUES ('opened', ?)", (time.time(),))

    def _lay_out(self, fill: Callable[[], None]) -> None:
        for statement in _SCHEMA.split(";\n"):
            self._sql.execute(statement)
        self._sql.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._sql.execute(f"PRAGMA user_version = {_FORMAT}")
        fill()

    def _begin_anew(self, fill: Callable[[], None]) -> None:
        """Drops all there is and fills the file again, in one transaction."""
        tables = self._sql.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        with self.transaction():
            for (name,) in tables:
                self._sql.execute(f"DROP TABLE {name}")
            self._lay_out(fill)

    def close(self) -> None:
        """Closes the file; the store cannot be used afterwards."""
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside, or none of them. A transaction inside another is part of it."""
        if self._sql.in_transaction:
            yield
            return
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    def _insert(self, statement: str, values: tuple[Any, ...]) -> int:
        id_ = self._sql.execute(statement, values).lastrowid
        if id_ is None:
            message = f"no row was inserted by {statement}"
            raise sqlite3.DatabaseError(message)
        return id_
