"""The trace of one request's upstream calls: made, shared, cached or primed."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct, field

from gateway.discreet import Discreet
from gateway.upstream.attempts import ALONE, Role
from gateway.upstream.call import Call
from schema.info import FieldPath

Outcome = Literal["sent", "hedge", "coalesced", "primed", "cached"]


class _Entry(Struct):
    call: Call
    outcome: Outcome
    started: float
    seconds: float = 0.0
    status: int | None = None
    fields: dict[str, None] = field(default_factory=dict)
    count: int = 1
    role: Role = ALONE


class Trace(Discreet):
    """Counts every read that fields ask for; with `detailed`, also remembers each of them.

    Attributes:
        began: time of `time.monotonic`.
        detailed: see there.
        sent: calls that went out, attempts counted one by one.
        hedges: how many of them were a second one beside a read that took long.
        repeats: how many of them were another attempt of a call, hedges among them.
        spared: reads that were answered without a call of their own.
        spared_by: how many of them by each outcome.
    """

    began: float
    detailed: bool
    sent: int = 0
    hedges: int = 0
    repeats: int = 0
    spared: int = 0
    spared_by: dict[str, int] = field(default_factory=dict)
    _entries: list[_Entry] = field(default_factory=list)
    _shared: dict[tuple[Call, Outcome], _Entry] = field(default_factory=dict)

    def note_sent(
        self,
        asked: Iterable[FieldPath],
        call: Call,
        started: float,
        seconds: float,
        status: int | None,
        role: Role,
    ) -> None:
        """Note an attempt of a call, made for the fields `asked`."""
        self.sent += 1
        if role is not ALONE:
            self.hedges += role.is_hedge
            self.repeats += role.is_hedge or role.attempt > 1
        if self.detailed:
            outcome: Outcome = "hedge" if role.is_hedge else "sent"
            entry = _Entry(call, outcome, started, seconds, status, role=role)
            entry.fields.update(dict.fromkeys(asked))
            self._entries.append(entry)

    def note_spared(
        self, call: Call, outcome: Outcome, asked: Iterable[FieldPath], times: int = 1
    ) -> None:
        """Note that `call` was not needed, and why; equal ones are one entry with a count."""
        self.spared += times
        self.spared_by[outcome] = self.spared_by.get(outcome, 0) + times
        if not self.detailed:
            return
        entry = self._shared.get((call, outcome))
        if entry is None:
            entry = self._shared[call, outcome] = _Entry(call, outcome, time.monotonic(), count=0)
            self._entries.append(entry)
        entry.count += times
        entry.fields.update(dict.fromkeys(asked))

    def note_all_spared(
        self, calls: Iterable[Call], count: int, outcome: Outcome, asked: FieldPath
    ) -> None:
        """Note so many `calls`, which nobody spells unless the trace is detailed."""
        if self.detailed:
            for call in calls:
                self.note_spared(call, outcome, (asked,))
        elif count:
            self.spared += count
            self.spared_by[outcome] = self.spared_by.get(outcome, 0) + count

    def begin_again(self) -> None:
        """Forget what was spared: everything will be asked for anew, and spared again."""
        self.spared = 0
        self.spared_by = {}

    def report(self, redact: Callable[[str], str]) -> dict[str, Any]:
        """Return the trace as clients get it in `extensions.upstream`; times in milliseconds.

        Args:
            redact: takes secrets out of what the upstream wrote, and out of what is written.
        """
        return {
            "calls": [
                {
                    "method": entry.call.method,
                    "path": entry.call.path,
                    "query": _query(entry.call, redact),
                    **_parameters(entry.call, redact),
                    "status": entry.status,
                    "startMs": round((entry.started - self.began) * 1000, 3),
                    "durationMs": round(entry.seconds * 1000, 3),
                    "outcome": entry.outcome,
                    "count": entry.count,
                    "fields": list(entry.fields),
                    **({"attempt": entry.role.attempt} if entry.role.attempt > 1 else {}),
                    **({"overtaken": True} if entry.role.overtaken else {}),
                }
                for entry in self._entries
            ],
            "sent": self.sent,
            "saved": self.spared,
            "naive": self.sent - self.repeats + self.spared,
            "totalMs": round((time.monotonic() - self.began) * 1000, 3),
        }


def _query(call: Call, redact: Callable[[str], str]) -> str:
    if isinstance(call.query, str):  # A reference of the upstream's to its next page.
        return redact(call.query)
    return "&".join(f"{name}={value}" for name, value in call.query)


def _parameters(call: Call, redact: Callable[[str], str]) -> dict[str, Any]:
    """Return what a write sends, as a dry run tells it."""
    if call.form is None:
        return {}
    return {"parameters": [{"name": name, "value": redact(value)} for name, value in call.form]}
