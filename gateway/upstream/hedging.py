"""Hedged reads: one that takes long is sent once more, on another connection.

The first good answer counts, and ends both: the connection of the other is closed. What is no good
answer counts only when the other has failed, too. So a read whose answer is late, or lost, takes as
long as the patience with it (`hedge_after`) and a usual read together.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from gateway.upstream.call import Answer
from gateway.upstream.connections import Connection
from gateway.waiting import outcome_of

Outcome: TypeAlias = Answer | Exception
"""What an attempt comes to: an error of the upstream's, unless something is wrong here."""

# Hedges that an account may save up: an upstream that becomes slow is not asked twice for long.
_MOST_SAVED: Final = 10


class Hedging(Struct, frozen=True):
    """When a read is sent once more; see the settings of the same names."""

    hedge_after: float
    hedge_share: float


class HedgeBudget:
    """Hedges as a share of reads: of one account's since the start never more than that, or one."""

    __slots__ = ("_lent", "_saved", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = 0.0
        self._lent = False

    def note_read(self) -> None:
        """Count a read, which earns a share of a hedge."""
        self._saved = min(_MOST_SAVED, self._saved + self._share)

    def take(self) -> bool:
        """Spend a hedge, the first of all in advance; False when none is left."""
        if self._saved < 1 and (self._lent or not self._share):
            return False
        self._lent = True
        self._saved -= 1
        return True


class Raced(Protocol):
    """An attempt of a read, beside another one."""

    def send_on(
        self, connection: Connection, until: float, tell: Callable[[Outcome], None]
    ) -> None:
        """Send it now; `tell` is called with what it comes to, unless it is left."""

    async def run(self, until: float) -> Answer:
        """Send it when there is a connection, and return the answer."""

    def overtaken(self) -> None:
        """Note that the other one has answered: this one will be left."""

    def leave(self) -> None:
        """Give it up, unless it has come to something: nobody waits for it any more."""


class Hedged:
    """A read that is on its way, and on its way twice when that takes long.

    Args:
        first: its first attempt.
        second: makes another one, which holds a slot; None when there must be none.
        tell: is called with what it comes to, unless it is left.
        note: is told what came of the second one: `won`, `lost`, `failed`, or it was `withheld`.
    """

    __slots__ = (
        "_failed",
        "_first",
        "_make_second",
        "_note",
        "_second",
        "_task",
        "_tell",
        "_timer",
        "_until",
    )

    _timer: asyncio.TimerHandle

    def __init__(
        self,
        first: Raced,
        second: Callable[[], Raced | None],
        tell: Callable[[Outcome], None],
        note: Callable[[str], object],
    ) -> None:
        self._first = first
        self._make_second = second
        self._tell: Callable[[Outcome], None] | None = tell
        self._note = note
        self._second: Raced | None = None
        self._task: asyncio.Task[Answer | None] | None = None
        self._until = 0.0
        # What the first attempt came to, when that is no good answer and the second is under way.
        self._failed: Outcome | None = None

    def send_on(self, connection: Connection, until: float, after: float) -> None:
        """Send it now, and once more in `after` seconds; both have time until `until`."""
        self._until = until
        self._timer = connection.loop.call_later(after, self._send_again)
        self._first.send_on(connection, until, self._first_came)

    def leave(self) -> None:
        """Give both up: nobody waits any more."""
        self._tell = None
        self._timer.cancel()
        self._first.leave()
        if self._task is not None:
            self._task.cancel()

    def _send_again(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run_second())
        self._task.add_done_callback(self._second_came)

    async def _run_second(self) -> Answer | None:
        # Made here: a task that is cancelled before it begins would not give its slot back.
        self._second = self._make_second()
        return None if self._second is None else await self._second.run(self._until)

    def _first_came(self, outcome: Outcome) -> None:
        self._timer.cancel()
        if self._task is None:
            self._end(outcome)
        elif _is_good(outcome):
            if self._second is not None:
                self._second.overtaken()
                self._note("lost")
            self._task.cancel()
            self._end(outcome)
        else:
            self._failed = outcome

    def _second_came(self, task: asyncio.Task[Answer | None]) -> None:
        self._task = None
        outcome = outcome_of(task)  # Also of what nobody waits for: it is no cause for complaint.
        if self._tell is None:
            return
        if isinstance(outcome, Answer) and _is_good(outcome):
            self._note("won")
            self._first.overtaken()
            self._first.leave()
            self._end(outcome)
            return
        self._note("withheld" if outcome is None else "failed")
        if self._failed is not None:
            self._end(self._failed)

    def _end(self, outcome: Outcome) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(outcome)


def _is_good(outcome: Outcome) -> bool:
    """Whether it is an answer, and one that can be read: more was not looked at yet."""
    return isinstance(outcome, Answer) and (not outcome.body or outcome.is_readable)
