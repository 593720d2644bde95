"""The sandbox's state in SQLite: what can be bought, who owns what, what happened.

Calls take well under a millisecond (a search up to a few), so they run directly on the event loop: there is one
connection and one thread, and a change is one transaction.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from gateway.sandbox.documents import (
    Account,
    Json,
    Number,
    OwnedNumber,
    Place,
    Profile,
    canonical,
)
from gateway.sandbox.facts import national_number
from gateway.sandbox.inventory import Inventory
from gateway.sandbox.settings import SandboxError

_APPLICATION_ID = 0x4E475342  # "NGSB": tells our files from other people's
_FORMAT = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE places (id INTEGER PRIMARY KEY, document TEXT NOT NULL UNIQUE);
CREATE TABLE profiles (id INTEGER PRIMARY KEY, document TEXT NOT NULL UNIQUE);
CREATE TABLE pools (
    id INTEGER PRIMARY KEY, iso_country TEXT NOT NULL, type TEXT NOT NULL, UNIQUE (iso_country, type)
);
-- Clustered by pool and rank: a search walks one pool in search order and stops at its limit.
CREATE TABLE available (
    pool INTEGER NOT NULL, rank INTEGER NOT NULL, phone_number TEXT NOT NULL, national TEXT NOT NULL,
    place INTEGER NOT NULL, profile INTEGER NOT NULL, PRIMARY KEY (pool, rank)
) WITHOUT ROWID;
CREATE UNIQUE INDEX available_number ON available (phone_number);
CREATE TABLE owned (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT NOT NULL UNIQUE, account_sid TEXT NOT NULL,
    phone_number TEXT NOT NULL UNIQUE, national TEXT NOT NULL, place INTEGER NOT NULL, profile INTEGER NOT NULL,
    configuration TEXT, origin TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX owned_account ON owned (account_sid, seq);
-- Where released numbers stood, so that a page token made of one still works.
CREATE TABLE released (sid TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (
    sid TEXT PRIMARY KEY, auth_token TEXT NOT NULL, friendly_name TEXT NOT NULL, owner_account_sid TEXT NOT NULL,
    status TEXT NOT NULL, type TEXT NOT NULL, role TEXT NOT NULL, catalog INTEGER NOT NULL,
    key_sid TEXT UNIQUE, key_secret TEXT, created REAL NOT NULL
);
CREATE TABLE ledger (
    n INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, phone_number TEXT NOT NULL, sid TEXT NOT NULL,
    account_sid TEXT NOT NULL, from_account_sid TEXT, price TEXT, at REAL NOT NULL
);
"""
_OWNED = "seq, sid, account_sid, phone_number, national, place, profile, configuration, origin, created, updated"

OwnedRow = tuple[str, str, str, str, int, int, str | None, str, float, float]
"""sid, account_sid, phone_number, national, place, profile, configuration (JSON), origin, created, updated."""


class Store:
    """All reads and writes of a sandbox's state.

    Args:
        path: The file, or None for memory.
        fill: Called with a new, empty store inside its first transaction.

    Raises:
        SandboxError: The file cannot be opened or written, or is not a sandbox's.
    """

    def __init__(self, path: Path | None, fill: Callable[["Store"], None]) -> None:
        self.places: dict[int, Place] = {}
        self.profiles: dict[int, Profile] = {}
        self.pools: dict[tuple[str, str], int] = {}
        self._place_ids: dict[str, int] = {}
        self._profile_ids: dict[str, int] = {}
        try:
            self._sql = sqlite3.connect(
                path or ":memory:",
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._open(path, fill)
            except BaseException:
                self._sql.close()
                raise
        except sqlite3.Error as error:
            message = f"cannot use {path} as the sandbox's data file: {error}"
            raise SandboxError(message) from error

    def _open(self, path: Path | None, fill: Callable[["Store"], None]) -> None:
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
                for statement in _SCHEMA.split(";\n"):
                    self._sql.execute(statement)
                self._sql.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._sql.execute(f"PRAGMA user_version = {_FORMAT}")
                fill(self)
            self._sql.execute("INSERT OR REPLACE INTO meta VALUES ('opened', ?)", (time.time(),))
        self._load()

    def _load(self) -> None:
        for id_, document in self._sql.execute("SELECT id, document FROM places"):
            self.places[id_] = Place(id_, orjson.loads(document))
            self._place_ids[document] = id_
        for id_, document in self._sql.execute("SELECT id, document FROM profiles"):
            self.profiles[id_] = Profile(id_, orjson.loads(document))
            self._profile_ids[document] = id_
        for id_, iso_country, kind in self._sql.execute("SELECT id, iso_country, type FROM pools"):
            self.pools[iso_country, kind] = id_

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

    # Documents and pools

    def place(self, document: Json) -> Place:
        """The interned place of a document."""
        text = canonical(document)
        id_ = self._place_ids.get(text)
        if id_ is None:
            id_ = self._insert("INSERT INTO places (document) VALUES (?)", (text,))
            self._place_ids[text] = id_
            self.places[id_] = Place(id_, orjson.loads(text))
        return self.places[id_]

    def profile(self, document: Json) -> Profile:
        """The interned profile of a document."""
        text = canonical(document)
        id_ = self._profile_ids.get(text)
        if id_ is None:
            id_ = self._insert("INSERT INTO profiles (document) VALUES (?)", (text,))
            self._profile_ids[text] = id_
            self.profiles[id_] = Profile(id_, orjson.loads(text))
        return self.profiles[id_]

    def _pool(self, iso_country: str, kind: str) -> int:
        id_ = self.pools.get((iso_country, kind))
        if id_ is None:
            id_ = self._insert(
                "INSERT INTO pools (iso_country, type) VALUES (?, ?)", (iso_country, kind)
            )
            self.pools[iso_country, kind] = id_
        return id_

    def _insert(self, statement: str, values: tuple[Any, ...]) -> int:
        id_ = self._sql.execute(statement, values).lastrowid
        if id_ is None:
            message = f"no row was inserted by {statement}"
            raise sqlite3.DatabaseError(message)
        return id_

    def load_inventory(self, inventory: Inventory) -> None:
        """Puts a generated inventory into an empty store."""
        self._sql.executemany(
            "INSERT INTO places (document, id) VALUES (?, ?)", inventory.places.items()
        )
        self._sql.executemany(
            "INSERT INTO profiles (document, id) VALUES (?, ?)", inventory.profiles.items()
        )
        self._load()
        for pool in inventory.pools:
            id_ = self._pool(pool.iso_country, pool.type)
            self._sql.executemany(
                "INSERT INTO available VALUES (?, ?, ?, ?, ?, ?)",
                ((id_, rank, *number) for rank, number in enumerate(pool.numbers, 1)),
            )

    # Numbers that can be bought

    def search(
        self,
        pools: Iterable[int],
        conditions: list[str],
        values: list[Any],
        *,
        limit: int,
        offset: int = 0,
    ) -> list[Number]:
        """Available numbers of some pools that meet SQL conditions, in search order."""
        where = " AND ".join([f"pool IN ({sql_list(pools)})", *conditions])
        rows = self._sql.execute(
            f"SELECT phone_number, national, place, profile FROM available WHERE {where}"  # noqa: S608 - conditions are ours, values bound
            " ORDER BY pool, rank LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )
        return [self._number(*row) for row in rows]

    def pages(self, pool: int, size: int) -> Iterator[list[Number]]:
        """All available numbers of a pool in search order, in pages."""
        rank = 0
        while True:
            rows = self._sql.execute(
                "SELECT rank, phone_number, national, place, profile FROM available"
                " WHERE pool = ? AND rank > ? ORDER BY rank LIMIT ?",
                (pool, rank, size),
            ).fetchall()
            if not rows:
                return
            rank = rows[-1][0]
            yield [self._number(*row[1:]) for row in rows]

    def _number(self, phone_number: str, national: str, place: int, profile: int) -> Number:
        return Number(phone_number, national, self.places[place], self.profiles[profile])

    def available(self, phone_number: str) -> Number | None:
        """The number if it can be bought."""
        row = self._sql.execute(
            "SELECT phone_number, national, place, profile FROM available WHERE phone_number = ?",
            (phone_number,),
        ).fetchone()
        return self._number(*row) if row else None

    def first_available(self, prefix: str, kinds: Iterable[tuple[str, str]]) -> Number | None:
        """The first number in search order of some (country, type) pools that begins with `prefix`."""
        pools = [self.pools[kind] for kind in kinds if kind in self.pools]
        found = self.search(pools, ["phone_number GLOB ?"], [f"{prefix}*"], limit=1)
        return found[0] if found else None

    def put_available(self, number: Number) -> None:
        """Inserts a number at the end of the search order, or replaces it where it stands."""
        pool = self._pool(
            number.place.geography.get("iso_country") or "",
            number.profile.type or "",
        )
        row = self._sql.execute(
            "SELECT pool, rank FROM available WHERE phone_number = ?", (number.phone_number,)
        ).fetchone()
        with self.transaction():
            self.remove_available(number.phone_number)
            if row and row[0] == pool:
                rank = row[1]
            else:
                (rank,) = self._sql.execute(
                    "SELECT coalesce(max(rank), 0) + 1 FROM available WHERE pool = ?", (pool,)
                ).fetchone()
            self._sql.execute(
                "INSERT INTO available VALUES (?, ?, ?, ?, ?, ?)",
                (
                    pool,
                    rank,
                    number.phone_number,
                    number.national,
                    number.place.id,
                    number.profile.id,
                ),
            )

    def remove_available(self, phone_number: str) -> None:
        """Takes a number out of the inventory, if it is there."""
        self._sql.execute("DELETE FROM available WHERE phone_number = ?", (phone_number,))

    def place_like(self, phone_number: str) -> Place | None:
        """Place of a number used as a template: of itself, else its exchange's, else its area code's.

        Numbers that somebody owns serve too.
        """
        for table in ("available", "owned"):
            row = self._sql.execute(
                f"SELECT place FROM {table} WHERE phone_number = ?",  # noqa: S608 - a constant
                (phone_number,),
            ).fetchone()
            if row:
                return self.places[row[0]]
        if not phone_number.startswith("+1") or len(phone_number) != 12:  # noqa: PLR2004 - +1 and ten digits
            return None
        for prefix in (phone_number[:8], phone_number[:5]):
            for table in ("available", "owned"):
                row = self._sql.execute(
                    f"SELECT place FROM {table} WHERE phone_number > ? AND phone_number < ?"  # noqa: S608 - a constant
                    " ORDER BY phone_number LIMIT 1",
                    (prefix, prefix + ":"),  # ":" follows "9"
                ).fetchone()
                if row:
                    return self.places[row[0]]
        return None

    # Numbers that accounts own

    def _owned(self, row: tuple[Any, ...]) -> OwnedNumber:
        seq, sid, account_sid, phone, national, place, profile, configuration, *rest = row
        return OwnedNumber(
            seq,
            sid,
            account_sid,
            self._number(phone, national, place, profile),
            None if configuration is None else orjson.loads(configuration),
            configuration is not None,
            *rest,
        )

    def owned(self, sid: str) -> OwnedNumber | None:
        """An owned number by its sid."""
        row = self._sql.execute(f"SELECT {_OWNED} FROM owned WHERE sid = ?", (sid,)).fetchone()  # noqa: S608 - a constant
        return self._owned(row) if row else None

    def owned_by_number(self, phone_number: str) -> OwnedNumber | None:
        """An owned number by the number itself."""
        row = self._sql.execute(
            f"SELECT {_OWNED} FROM owned WHERE phone_number = ?",  # noqa: S608 - a constant
            (phone_number,),
        ).fetchone()
        return self._owned(row) if row else None

    def owned_page(
        self,
        account_sid: str,
        conditions: list[str],
        values: list[Any],
        *,
        limit: int,
        offset: int = 0,
        newest_first: bool = False,
    ) -> list[OwnedNumber]:
        """An account's numbers that meet SQL conditions, oldest first unless asked otherwise."""
        where = " AND ".join(["account_sid = ?", *conditions])
        order = "seq DESC" if newest_first else "seq"
        rows = self._sql.execute(
            f"SELECT {_OWNED} FROM owned WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608 - conditions are ours, values bound
            [account_sid, *values, limit, offset],
        )
        return [self._owned(row) for row in rows]

    def position(self, sid: str) -> int | None:
        """Where a number stands in the order of owned numbers, or stood before it was released."""
        row = self._sql.execute(
            "SELECT seq FROM owned WHERE sid = ? UNION SELECT seq FROM released WHERE sid = ?",
            (sid, sid),
        ).fetchone()
        return int(row[0]) if row else None

    def owned_count(self, account_sid: str) -> int:
        """How many numbers an account has."""
        (count,) = self._sql.execute(
            "SELECT count(*) FROM owned WHERE account_sid = ?", (account_sid,)
        ).fetchone()
        return int(count)

    def add_owned(self, rows: Iterable[OwnedRow]) -> None:
        """Adds owned numbers, in order."""
        self._sql.executemany(
            "INSERT INTO owned (sid, account_sid, phone_number, national, place, profile,"
            " configuration, origin, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def save_configuration(
        self, sid: str, configuration: Json | None, *, present: bool = True
    ) -> None:
        """Replaces an owned number's configuration; not `present` leaves it without one."""
        text = orjson.dumps(configuration).decode() if present else None
        self._sql.execute(
            "UPDATE owned SET configuration = ?, updated = ? WHERE sid = ?",
            (text, time.time(), sid),
        )

    def save_number(self, sid: str, place: Place, profile: Profile) -> None:
        """Replaces what an owned number is."""
        self._sql.execute(
            "UPDATE owned SET place = ?, profile = ? WHERE sid = ?", (place.id, profile.id, sid)
        )

    def move_owned(self, sid: str, account_sid: str) -> None:
        """Gives an owned number to another account."""
        self._sql.execute(
            "UPDATE owned SET account_sid = ?, updated = ? WHERE sid = ?",
            (account_sid, time.time(), sid),
        )

    def remove_owned(self, sid: str) -> None:
        """Deletes an owned number."""
        self._sql.execute("INSERT INTO released SELECT sid, seq FROM owned WHERE sid = ?", (sid,))
        self._sql.execute("DELETE FROM owned WHERE sid = ?", (sid,))

    # Accounts

    def account(self, sid: str) -> Account | None:
        """An account by its sid, or by the sid of its API key."""
        row = self._sql.execute(
            "SELECT * FROM accounts WHERE sid = ? OR key_sid = ?", (sid, sid)
        ).fetchone()
        return _account(row) if row else None

    def accounts(self, owner_sid: str | None = None) -> list[Account]:
        """All accounts, or an owner and its subaccounts, in order of creation."""
        rows = self._sql.execute(
            "SELECT * FROM accounts WHERE ? IS NULL OR sid = ? OR owner_account_sid = ? ORDER BY rowid",
            (owner_sid, owner_sid, owner_sid),
        )
        return [_account(row) for row in rows]

    def add_account(self, account: Account) -> None:
        """Adds an account."""
        self._sql.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account.sid,
                account.auth_token,
                account.friendly_name,
                account.owner_account_sid,
                account.status,
                account.type,
                account.role,
                account.catalog,
                account.key_sid,
                account.key_secret,
                account.created,
            ),
        )

    # Ledger and counters

    def record(  # noqa: PLR0913
        self,
        action: str,
        phone_number: str,
        sid: str,
        account_sid: str,
        *,
        from_account_sid: str | None = None,
        price: str | None = None,
    ) -> None:
        """Appends to the ledger."""
        self._sql.execute(
            "INSERT INTO ledger (action, phone_number, sid, account_sid, from_account_sid, price, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (action, phone_number, sid, account_sid, from_account_sid, price, time.time()),
        )

    def ledger(self) -> list[Json]:
        """All entries, oldest first."""
        names = (
            "n",
            "action",
            "phone_number",
            "sid",
            "account_sid",
            "from_account_sid",
            "price",
            "at",
        )
        rows = self._sql.execute(f"SELECT {', '.join(names)} FROM ledger ORDER BY n")  # noqa: S608 - a constant
        return [dict(zip(names, row, strict=True)) for row in rows]

    def next_value(self, name: str, by: int = 1) -> int:
        """Advances a named counter and returns its value before."""
        row = self._sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        value = int(row[0]) if row else 0
        self._sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value + by))
        return value

    def describe(self, phone_number: str, document: Json) -> Number:
        """A number made of an attribute document (geography apart, the rest is its profile)."""
        document = dict(document)
        place_keys = ("geography", "core_locality", "area_code")
        place = {key: document.pop(key) for key in place_keys if key in document}
        iso_country = (place.get("geography") or {}).get("iso_country")
        national = national_number(phone_number, iso_country)
        return Number(phone_number, national, self.place(place), self.profile(document))


def _account(row: tuple[Any, ...]) -> Account:
    sid, token, name, owner, status, kind, role, catalog, key_sid, secret, created = row
    return Account(
        sid, token, name, owner, status, kind, role, bool(catalog), key_sid, secret, created
    )


def sql_list(ids: Iterable[int]) -> str:
    """Ids for an SQL `IN (…)`."""
    return ",".join(str(int(id_)) for id_ in ids)
