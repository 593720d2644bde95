"""Bounded memory for answers that clients have not read: per connection, caller and process.

An operation begins when there is room for its answer, whose size is guessed from its cost; until
then it waits, and so does its connection. What is finished counts with its true size until the
system has taken it. If that becomes too much all the same, who holds most of it is cut off: those
who read are not to suffer from those who do not.
"""

import asyncio
from collections import deque
from typing import Final, Protocol
from weakref import WeakValueDictionary

import structlog
from msgspec import Struct

from gateway.errors import SlowConsumer
from gateway.pipeline.turns import Turns

_log = structlog.get_logger(__name__)

CONNECTION: Final = "gateway.connection"
"""Where in the scope the connection is."""
SMALL: Final = 16 * 1024
"""Bytes of an answer that a connection of its own may hold uncounted."""
_LARGEST_GUESS: Final = 1024 * 1024


def guess(cost: int, document: str) -> int:
    """Return how many bytes an answer may have: of each object at most what the document names."""
    return min(_LARGEST_GUESS, cost * len(document))


class Connection(Protocol):
    """A client's connection, as the server has it."""

    @property
    def write_paused(self) -> bool:
        """Whether the system does not take more now."""

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, or is about to."""

    async def drain(self) -> None:
        """Return when the system has taken what was written."""

    def cut(self) -> None:
        """End it at once."""


class _Budget:
    """Bytes held for a connection or a caller, and who waits for room."""

    __slots__ = ("__weakref__", "finished", "held", "limit", "operations", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.finished = 0
        self.operations = 0
        self.waiting: deque[asyncio.Future[None]] | None = None

    def fits(self, size: int) -> bool:
        # What is larger than the limit runs alone.
        return not self.operations or self.held + size <= self.limit

    async def turn(self) -> None:
        """Wait until something may have changed; whoever came first is first."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.waiting is None:  # An empty deque takes more than all else of it.
            self.waiting = deque()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.wake()
            raise

    def wake(self) -> None:
        """Let the next who waits look again."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


class UnsentLimits(Struct, frozen=True):
    """How much may wait to be read, and how long for room; see the settings of the same names."""

    unsent_per_connection: int
    unsent_per_caller: int
    unsent_per_process: int
    request_deadline: float


class Unsent:
    """The bytes of one process. For tasks of one loop."""

    def __init__(self, limits: UnsentLimits, turns: Turns) -> None:
        self._limits = limits
        # Kept as long as an outbox of the caller's is.
        self._callers: WeakValueDictionary[str, _Budget] = WeakValueDictionary()
        self._outboxes: set[Outbox] = set()
        self.finished = 0
        self.turns = turns

    def outbox(self, principal: str, connection: Connection | None) -> "Outbox":
        """Return where the answers for a caller on one connection are counted."""
        return Outbox(self, self._limits, principal, connection)

    def budget(self, principal: str) -> _Budget:
        """Return a caller's budget."""
        found = self._callers.get(principal)
        if found is None:
            found = self._callers[principal] = _Budget(self._limits.unsent_per_caller)
        return found

    def note(self, outbox: "Outbox", more: int) -> None:
        """Count finished bytes; cut off who holds most when they are too many."""
        self.finished += more
        (self._outboxes.add if outbox.finished else self._outboxes.discard)(outbox)
        if more <= 0:
            return
        if self.finished > self._limits.unsent_per_process:
            max(self._outboxes, key=_finished).cut()
        elif outbox.caller.finished > outbox.caller.limit and outbox.caller.operations > 1:
            of_caller = (each for each in self._outboxes if each.caller is outbox.caller)
            max(of_caller, key=_finished).cut()


class Outbox:
    """What is held for one connection."""

    __slots__ = (
        "__weakref__",
        "_is_cut",
        "_own",
        "_patience",
        "_principal",
        "_unsent",
        "caller",
        "connection",
        "finished",
    )

    def __init__(
        self, unsent: Unsent, limits: UnsentLimits, principal: str, connection: Connection | None
    ) -> None:
        self.caller = unsent.budget(principal)
        self.finished = 0
        self._unsent = unsent
        self._principal = principal
        self.connection = connection
        self._own = _Budget(limits.unsent_per_connection)
        self._patience = limits.request_deadline
        self._is_cut = False

    @property
    def is_full(self) -> bool:
        """Whether more must not be taken from the client now."""
        return not (self._own.fits(0) and self.caller.fits(0))

    async def begin(self, size: int) -> "Pending":
        """Return as soon as there is room for an answer of about `size` bytes.

        Large ones begin in turn, too: see `gateway.pipeline.turns`.

        Raises:
            SlowConsumer: there was none as long as a request may take.
        """
        if not (self._own.fits(size) and self.caller.fits(size)) or self.caller.waiting:
            try:
                async with asyncio.timeout(self._patience):
                    await self.room(size)
            except TimeoutError:
                raise SlowConsumer(
                    "Too many answers wait to be read by you; this operation was not begun."
                ) from None
        pending = Pending(self, size)
        if size >= SMALL:
            try:
                await self._unsent.turns.turn(self._principal)
            except asyncio.CancelledError:
                pending.end()
                raise
        return pending

    async def room(self, size: int = 0) -> None:
        """Return when `size` more bytes may be held."""
        budgets = (self._own, self.caller)
        while full := [each for each in budgets if not each.fits(size)]:
            for each in budgets:
                if each is not full[0]:
                    each.wake()  # Its turn is another's, if this was woken by it.
            await full[0].turn()

    def keep(self, more: int, operations: int = 0) -> None:
        """Count bytes that are held, or with a negative number, that are not any more."""
        for each in (self._own, self.caller):
            each.held += more
            each.operations += operations
            if each.waiting and (more <= 0 or operations):
                each.wake()

    def finish(self, more: int) -> None:
        """Count, among the bytes held, those of finished answers."""
        if not self._is_cut:
            self.finished += more
            self.caller.finished += more
            self._unsent.note(self, more)

    def cut(self) -> None:
        """Cut the client off: it holds too much."""
        _log.warning("unread_answers_cut_off", principal=self._principal, bytes=self.finished)
        self.finish(-self.finished)
        self._is_cut = True
        if self.connection is not None:
            self.connection.cut()


class Pending:
    """The answer of one operation, from its beginning until it is sent."""

    __slots__ = ("_finished", "_held", "_outbox")

    def __init__(self, outbox: Outbox, size: int) -> None:
        self._outbox = outbox
        self._held = size
        self._finished = 0
        outbox.keep(size, 1)

    def finished(self, size: int) -> None:
        """Note that so many bytes are there and not sent; 0 when the system has taken them."""
        self._outbox.keep(size - self._held)
        self._outbox.finish(size - self._finished)
        self._held = self._finished = size

    async def taken(self) -> None:
        """Wait until the system has taken what was sent, and count it no more."""
        connection = self._outbox.connection
        if connection is not None and connection.write_paused:
            await connection.drain()
        self.finished(0)

    def is_taken(self) -> bool:
        """Whether the system has taken what was sent, already; then it counts no more."""
        connection = self._outbox.connection
        if connection is not None and connection.write_paused:
            return False
        self.finished(0)
        return True

    def end(self) -> None:
        """Free all that is held."""
        self.finished(0)
        self._outbox.keep(0, -1)


def _finished(outbox: Outbox) -> int:
    return outbox.finished
