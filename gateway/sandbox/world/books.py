"""Accounts, the ledger and named counters."""

import time
from typing import Any

from gateway.sandbox.world.database import Database
from gateway.sandbox.world.number_documents import Account, Json


class Books(Database):
    """Who there is and what happened to numbers."""

    def account(self, sid: str) -> Account | None:
        """An account by its sid, or by the sid of one of its API keys."""
        row = self._sql.execute(
            "SELECT * FROM accounts WHERE sid = ? OR key_sid = ?", (sid, sid)
        ).fetchone()
        if row:
            return _account(row)
        if not sid.startswith("SK"):
            return None
        return next((each for each in self.accounts() if each.main_key_sid == sid), None)

    def accounts(self, owner_sid: str | None = None) -> list[Account]:
        """All accounts, or an owner and its subaccounts, in order of creation."""
        rows = self._sql.execute(
            "SELECT * FROM accounts WHERE ? IS NULL OR sid = ? OR owner_account_sid = ?"
            " ORDER BY rowid",
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

    def record(
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
            "INSERT INTO ledger"
            " (action, phone_number, sid, account_sid, from_account_sid, price, at)"
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


def _account(row: tuple[Any, ...]) -> Account:
    sid, token, name, owner, status, kind, role, catalog, key_sid, secret, created = row
    return Account(
        sid, token, name, owner, status, kind, role, bool(catalog), key_sid, secret, created
    )
