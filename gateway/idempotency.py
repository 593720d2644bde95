"""Idempotency keys: with the same key, the same input acts once, and its outcome is remembered.

The life of a key's entry:

    (none) ──▶ claimed ──▶ sent ──▶ done        the outcome is replayed from now on
      ▲           │          ├────▶ unknown     its answer was lost and looking did not settle it
      └───────────┴──────────┘                  it certainly was not done: the key is free again

`sent` is on disk before the write leaves. Whoever finds an entry `claimed` by a process that died
may take it over: nothing was sent. Whoever finds it `sent` by a process that died, or `unknown`,
looks what became of the write; it is never sent again.
"""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, TypeVar

import orjson
import structlog

from gateway.errors import BadUserInput, GatewayError, KeyInUse, KeysUnavailable
from gateway.journal import Journal
from gateway.outcome import Outcome, Refusal, from_json
from gateway.reconcile import Look, Unproven, not_done, unknown
from gateway.store import StoreUnavailable
from schema.enums import UserErrorCode

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_MOST_CHARACTERS = 255
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.25
# How much longer than its deadline a process may hold an entry before others think it dead.
_GRACE = 5.0
# After this time a request that the upstream shows no trace of is not on its way any more.
_SETTLED_AFTER = 60.0

Sending: TypeAlias = Callable[[], Awaitable[None]]
"""To be awaited right before a write leaves."""
Act: TypeAlias = Callable[[Sending], Awaitable[Outcome]]
"""Does the work. A `GatewayError` that it raises says that nothing was done."""


class Key(NamedTuple):
    """A client's key as it is kept: one-way names of who uses it for what, and of the input."""

    name: str
    digest: str


def key_of(principal: str, account: str, mutation: str, key: str, given: object) -> Key:
    """Return the kept form of a client's key.

    Args:
        principal: one-way name of who asks; it also keeps the digest from being guessed.
        account: the account that is changed.
        mutation: its name.
        key: what the client sent.
        given: the input as JSON, without the key.

    Raises:
        BadUserInput: the key is empty or too long.
    """
    if not 1 <= len(key) <= _MOST_CHARACTERS:
        raise BadUserInput("input.idempotencyKey", f"write 1 to {_MOST_CHARACTERS} characters.")
    name = _digest([principal, account, mutation, key])
    return Key(f"idempotency:{name}", _digest([principal, given]))


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is kept of a key. Times are in seconds since the epoch: they outlive the process.

    `claim` is unlike any other, so that no two entries are equal.
    """

    state: str
    digest: str
    owner: str
    until: float
    sent: float = 0.0
    outcome: str = ""
    claim: str = ""

    def encode(self) -> bytes:
        return orjson.dumps(self)


class Keys:
    """Runs mutations at most once per key. One per process."""

    def __init__(self, journal: Journal, memory: float) -> None:
        self._journal = journal
        self._memory = memory

    async def once(self, key: Key, act: Act, look: Look, deadline: float) -> Outcome:
        """Return the outcome of the key: from memory, by looking, or by acting for the first time.

        Args:
            key: from `key_of`.
            act: does the work.
            look: looks for a trace of it.
            deadline: time of `time.monotonic` until which to wait for somebody else with the key.

        Raises:
            KeysUnavailable: entries cannot be kept, so nothing was sent.
            KeyInUse: somebody else was still at it when the time was up.
            GatewayError: from `act`; the key is free again.
        """
        try:
            return await self._once(key, act, look, deadline)
        except StoreUnavailable as error:
            _log.error("journal_unavailable", problem=str(error))
            raise KeysUnavailable(
                "Idempotency keys cannot be remembered now, so this request sent nothing."
            ) from None

    async def _once(self, key: Key, act: Act, look: Look, deadline: float) -> Outcome:
        wait = _FIRST_WAIT
        while True:
            until = time.time() + max(0.0, deadline - time.monotonic()) + _GRACE
            claim = uuid.uuid4().hex
            mine = _Entry("claimed", key.digest, self._journal.owner, until, claim=claim)
            opening = self._journal.open(key.name, mine.encode(), ttl=self._memory)
            found = await _by(deadline, opening)
            if found is None:
                return await self._act(key, mine, act, deadline)
            entry = _Entry(**orjson.loads(found))
            if entry.digest != key.digest:
                return _conflict()
            if entry.state == "done":
                return from_json(entry.outcome.encode())
            if entry.state == "unknown" or await _by(deadline, self._is_over(entry)):
                if entry.state != "claimed":
                    return await self._settle(key, entry, look)
                if await _by(deadline, self._replace(key, entry, mine)):
                    return await self._act(key, mine, act, deadline)
            if time.monotonic() + wait >= deadline:
                raise KeyInUse("Another request with this idempotency key is still at work.")
            await asyncio.sleep(wait)
            wait = min(_LONGEST_WAIT, wait * 1.5)

    async def _act(self, key: Key, mine: _Entry, act: Act, deadline: float) -> Outcome:
        entries = [mine]
        may_leave = False

        async def sending() -> None:
            nonlocal may_leave
            entries.append(replace(mine, state="sent", sent=time.time()))
            if not await _by(deadline, self._replace(key, *entries)):
                raise KeyInUse("Another request with this idempotency key took over.")
            may_leave = True

        try:
            outcome = await act(sending)
        except BaseException as error:
            # After the write left, only an error of ours says that nothing was done.
            if may_leave and not isinstance(error, GatewayError):
                await self._keep(key, entries[-1], replace(entries[-1], state="unknown"))
            else:
                # That it was sent may have been noted although nobody said so.
                for entry in reversed(entries):
                    await self._keep(key, entry, None)
            raise
        await self._keep(key, entries[-1], _after(entries[-1], outcome))
        return outcome

    async def _settle(self, key: Key, entry: _Entry, look: Look) -> Outcome:
        """Say what became of a write that somebody sent and could not account for."""
        try:
            seen = await look()
        except GatewayError as error:
            return self._still_unknown(entry, f"looking the number up failed ({error.message})")
        except Unproven as shown:
            return self._still_unknown(entry, str(shown))
        if seen is not None:
            outcome = seen._replace(reconciled=True)
        elif time.time() < entry.sent + _SETTLED_AFTER:
            return self._still_unknown(entry, "looking the number up has not shown it done so far")
        else:
            outcome = not_done(
                "The answer was lost. Looking the number up shows that nothing was done; use a new"
                " key to try again."
            )
        await self._keep(key, entry, _after(entry, outcome))
        return outcome._replace(replayed=True)

    def _still_unknown(self, entry: _Entry, found: str) -> Outcome:
        lost = "the gateway stopped in the middle" if entry.state == "sent" else "see before"
        return unknown("the request", entry.sent, lost, found)._replace(replayed=True)

    async def _is_over(self, entry: _Entry) -> bool:
        """Whether whoever holds the entry can no longer be at work."""
        return time.time() > entry.until or await self._journal.is_gone(entry.owner)

    async def _replace(self, key: Key, old: _Entry, new: _Entry) -> bool:
        return await self._journal.replace(key.name, old.encode(), new.encode(), ttl=self._memory)

    async def _keep(self, key: Key, old: _Entry, new: _Entry | None) -> None:
        """Note what became of it. If that fails, the next use of the key finds out by looking."""
        try:
            if new is None:
                await _by(_soon(), self._journal.forget(key.name, old.encode()))
            else:
                await _by(_soon(), self._replace(key, old, new))
        except StoreUnavailable as error:
            _log.warning("outcome_not_kept", problem=str(error))


async def _by(deadline: float, keeping: Awaitable[T]) -> T:
    """Return what the journal says; after the deadline nobody waits for it any more."""
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            return await keeping
    except TimeoutError:
        raise StoreUnavailable("The record of idempotency keys did not answer in time.") from None


def _soon() -> float:
    """Return the deadline for what is noted after a write: its outcome does not wait for long."""
    return time.monotonic() + _GRACE


def _after(entry: _Entry, outcome: Outcome) -> _Entry:
    if outcome.unknown:
        return replace(entry, state="unknown", sent=entry.sent or time.time())
    try:
        return replace(entry, state="done", outcome=outcome.to_json().decode())
    except TypeError:
        # JSON nested too deep to be written again: the next use of the key looks the number up.
        return replace(entry, state="unknown", sent=entry.sent or time.time())


def _conflict() -> Outcome:
    message = "This idempotency key was used before, with another input; nothing was done."
    code = UserErrorCode.IDEMPOTENCY_CONFLICT
    return Outcome(refusal=Refusal(("idempotencyKey",), message, code))
