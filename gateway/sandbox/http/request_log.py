"""What the sandbox was asked: every request to the number API, in order of arrival."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.http.api_call import Pairs


@dataclass(slots=True)
class Entry:
    """One request. `status` stays None when the connection was reset before an answer."""

    n: int
    method: str
    path: str
    query: Pairs
    form: Pairs
    account: str | None
    started: float
    status: int | None = None
    duration_ms: float | None = None
    outcome: str = "pending"

    def as_json(self) -> dict[str, Any]:
        """The entry as `/_sandbox/requests` lists it."""
        return {
            "n": self.n,
            "method": self.method,
            "path": self.path,
            "query": [list(pair) for pair in self.query],
            "form": [list(pair) for pair in self.form],
            "status": self.status,
            "account": self.account,
            "started": self.started,
            "duration_ms": self.duration_ms,
            "outcome": self.outcome,
        }


class Journal:
    """The latest requests; older ones are forgotten."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._count = 0

    def open(self, method: str, path: str, query: Pairs, form: Pairs, account: str | None) -> Entry:
        """Notes a request when it has arrived."""
        self._count += 1
        entry = Entry(self._count, method, path, query, form, account, time.time())
        self._entries.append(entry)
        return entry

    def close(self, entry: Entry, status: int | None, outcome: str) -> None:
        """Notes how a request ended: `answered`, or the kind of fault that was injected."""
        entry.status = status
        entry.outcome = outcome
        entry.duration_ms = round((time.time() - entry.started) * 1000, 3)

    def forget(self) -> None:
        """Empties the journal; counting goes on."""
        self._entries.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        return [entry.as_json() for entry in self._entries]
