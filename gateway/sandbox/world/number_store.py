"""Numbers: their places and profiles, those that can be bought and those that accounts own."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway.sandbox.world.books import Books
from gateway.sandbox.world.facts import national_number
from gateway.sandbox.world.inventory import Inventory
from gateway.sandbox.world.number_documents import (
    Json,
    Number,
    OwnedNumber,
    Place,
    Profile,
    canonical,
)

_OWNED = (
    "seq, sid, account_sid, phone_number, national, place, profile, configuration, origin,"
    " created, updated"
)

OwnedRow = tuple[str, str, str, str, int, int, str | None, str, float, float]
"""sid, account_sid, phone_number, national, place, profile, configuration (JSON), origin,
created, updated.
"""


class Store(Books):
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
        self._fill = lambda: fill(self)
        super().__init__(path, self._fill)
        self._load()

    def begin_anew(self) -> None:
        """Forgets all that happened: the state is what it was when it was made. A second's work."""
        self._forget()
        try:
            self._begin_anew(self._fill)
        except BaseException:
            self._forget()
            self._load()
            raise

    def _forget(self) -> None:
        for known in (
            self.places,
            self.profiles,
            self.pools,
            self._place_ids,
            self._profile_ids,
        ):
            known.clear()

    def _load(self) -> None:
        for id_, document in self._sql.execute("SELECT id, document FROM places"):
            self.places[id_] = Place(id_, orjson.loads(document))
            self._place_ids[document] = id_
        for id_, document in self._sql.execute("SELECT id, document FROM profiles"):
            self.profiles[id_] = Profile(id_, orjson.loads(document))
            self._profile_ids[document] = id_
        for id_, iso_country, kind in self._sql.execute("SELECT id, iso_country, type FROM pools"):
            self.pools[iso_country, kind] = id_

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
                (
                    (id_, rank, *number, profile)
                    for rank, (number, profile) in enumerate(
                        zip(pool.numbers, pool.profiles, strict=True), 1
                    )
                ),
            )
        # Building the indexes now takes half as long as keeping them up during the inserts.
        self._sql.execute("CREATE UNIQUE INDEX available_number ON available (phone_number)")
        self._sql.execute("CREATE INDEX available_place ON available (pool, place)")

    # Numbers that can be bought

    def search(
        self,
        pools: Iterable[int],
        conditions: list[str],
        values: list[Any],
        *,
        limit: int,
        offset: int = 0,
        by_place: bool = False,
    ) -> list[Number]:
        """Available numbers of some pools that meet SQL conditions, in search order.

        `by_place` is for conditions that name few places.
        """
        index = "INDEXED BY available_place" if by_place else ""
        where = " AND ".join([f"pool IN ({sql_list(pools)})", *conditions])
        rows = self._sql.execute(
            f"SELECT phone_number, national, place, profile FROM available {index} WHERE {where}"  # noqa: S608 - conditions are ours, values bound
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
        """The first number in search order of some (country, type) pools that begins with
        `prefix`.
        """
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
        """Place of a number used as a template: its own, its exchange's, or its area code's.

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

    def save_origin(self, sid: str, origin: str) -> None:
        """Replaces where an owned number came from: `twilio` or `hosted`."""
        self._sql.execute("UPDATE owned SET origin = ? WHERE sid = ?", (origin, sid))

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

    def describe(self, phone_number: str, document: Json) -> Number:
        """A number made of an attribute document (geography apart, the rest is its profile)."""
        document = dict(document)
        place_keys = ("geography", "core_locality", "area_code")
        place = {key: document.pop(key) for key in place_keys if key in document}
        iso_country = (place.get("geography") or {}).get("iso_country")
        national = national_number(phone_number, iso_country)
        return Number(phone_number, national, self.place(place), self.profile(document))


def sql_list(ids: Iterable[int]) -> str:
    """Ids for an SQL `IN (…)`."""
    return ",".join(str(int(id_)) for id_ in ids)
