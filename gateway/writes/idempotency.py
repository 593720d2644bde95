"""Idempotency keys: with the same key, the same input acts once, and its outcome is remembered.

The life of a key's entry:

    (none) ──▶ claimed ──▶ sent ──▶ done        the outcome is replayed from now on
      ▲           │          ├────▶ unknown     its answer was lost and looking did not settle it
      └───────────┴──────────┘                  it certainly was not done: the key is free again

`sent` is on disk before the write leaves. Whoever finds an entry `claimed` by a process that died
may take it over: nothing was sent. Whoever finds it `sent` by a process that died, or `unknown`,
looks what became of the write; it is never sent again.

Clocks of machines differ, and jump. So no time of day decides anything: that a process is over is
told by its lock, or by watching its entry for longer than it can be at work; that a write was not
done, by two looks of which the second comes a minute after the first, by one clock that never
jumps.
"""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec
import orjson
import structlog

from gateway.errors import GatewayError, KeyInUse, KeysUnavailable
from gateway.storage.store import StoreUnavailable
from gateway.writes.idempotency_entries import Journal
from gateway.writes.outcome import Outcome, from_json
from gateway.writes.reconcile import Look, Unproven, unknown
from gateway.writes.user_errors import Reason

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.25
# How much longer than its deadline a process may hold an entry before others think it dead.
_GRACE = 5.0
# A request of which two looks this far apart show no trace is not on its way any more.
_SETTLED_AFTER = 60.0
# How long an entry may be held that does not say it: one of an earlier release.
_HELD_AT_MOST = 60.0
# Seconds after which to try again when entries cannot be kept.
_COME_AGAIN = 5.0
# Entries of others that are watched, and clocks by which an entry keeps when it was looked for.
_MOST_WATCHED, _MOST_CLOCKS = 10_000, 16

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
    """
    name = _digest([principal, account, mutation, key])
    return Key(f"idempotency:{name}", _digest([principal, given]))


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is kept of a key.

    Attributes:
        state: see the module.
        digest: of the input.
        owner: the process that holds it.
        lasts: seconds that the owner may be at work, from the claim on.
        at: when it was sent, in seconds since the epoch; for people only.
        missed: when it was first looked for and not found, by the name of the clock.
        outcome: as JSON, when it is done.
        claim: unlike any other, so that no two entries are equal.
    """

    state: str
    digest: str
    owner: str
    lasts: float = _HELD_AT_MOST
    at: float = 0.0
    missed: Mapping[str, float] = field(default_factory=dict)
    outcome: str = ""
    claim: str = ""

    def encode(self) -> bytes:
        return orjson.dumps(self)


def _decode(kept: bytes, key: Key) -> _Entry:
    """Read an entry, of an earlier release, too. What cannot be read stays as it is.

    Raises:
        KeysUnavailable: it cannot be read; so nobody knows what was done, and nothing may be.
    """
    try:
        document = orjson.loads(kept)
        document.setdefault("at", document.get("sent", 0.0))
        return msgspec.convert(document, _Entry)
    except (ValueError, AttributeError) as error:  # msgspec's errors are ValueErrors.
        raise _unreadable(key, error) from error


class Keys:
    """Runs mutations at most once per key. One per process."""

    def __init__(
        self, journal: Journal, memory: float, refused: Callable[[str], None] = lambda _: None
    ) -> None:
        """Keep keys in `journal` for `memory` seconds; `refused` counts refusals by their cause."""
        self._refused = refused
        self._journal = journal
        self._memory = memory
        # When an entry of somebody else was first seen, by the monotonic clock.
        self._watched: dict[str, float] = {}

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
            self._refused(error.cause)
            raise KeysUnavailable(
                "Idempotency keys cannot be remembered now, so this request sent nothing. It is"
                " safe to send it again with the same key.",
                retry_after=_COME_AGAIN,
            ) from None

    async def _once(self, key: Key, act: Act, look: Look, deadline: float) -> Outcome:
        wait = _FIRST_WAIT
        while True:
            lasts = max(0.0, deadline - time.monotonic()) + _GRACE
            claim = uuid.uuid4().hex
            mine = _Entry("claimed", key.digest, self._journal.owner, lasts, claim=claim)
            opening = self._journal.open(key.name, mine.encode(), ttl=self._memory)
            found = await _by(deadline, opening)
            if found is None:
                return await self._act(key, mine, act, deadline)
            entry = _decode(found, key)
            if entry.digest != key.digest:
                return Outcome(refusal=Reason.KEY_OF_ANOTHER.refuse())
            if entry.state == "done":
                return _remembered(entry, key)
            if entry.state == "unknown" or await _by(deadline, self._is_over(entry)):
                if entry.state != "claimed":
                    return await self._settle(key, found, entry, look)
                if await _by(deadline, self._replace(key, found, mine)):
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
            entries.append(replace(mine, state="sent", at=time.time()))
            if not await _by(deadline, self._replace(key, mine.encode(), entries[-1])):
                raise KeyInUse("Another request with this idempotency key took over.")
            may_leave = True

        try:
            outcome = await act(sending)
        except BaseException as error:
            # After the write left, only an error of ours says that nothing was done.
            if may_leave and not isinstance(error, GatewayError):
                lost = replace(entries[-1], state="unknown")
                await self._keep(key, entries[-1].encode(), lost)
            else:
                # That it was sent may have been noted although nobody said so.
                for entry in reversed(entries):
                    await self._keep(key, entry.encode(), None)
            raise
        await self._keep(key, entries[-1].encode(), self._after(entries[-1], outcome))
        return outcome

    async def _settle(self, key: Key, found: bytes, entry: _Entry, look: Look) -> Outcome:
        """Say what became of a write that somebody sent and could not account for."""
        try:
            seen = await look()
        except GatewayError as error:
            return self._still_unknown(entry, f"looking the number up failed ({error.message})")
        except Unproven as shown:
            return self._still_unknown(entry, str(shown))
        missed = entry.missed.get(self._journal.clock)
        if seen is not None:
            outcome = seen._replace(reconciled=True)
        elif missed is not None and time.monotonic() >= missed + _SETTLED_AFTER:
            outcome = Outcome(refusal=Reason.NO_TRACE.refuse())
        else:
            said = "looking the number up has not shown it done so far"
            outcome = self._still_unknown(entry, said)._replace(missed=True)
        await self._keep(key, found, self._after(entry, outcome))
        return outcome._replace(replayed=True)

    def _still_unknown(self, entry: _Entry, found: str) -> Outcome:
        lost = "the gateway stopped in the middle" if entry.state == "sent" else "see before"
        return unknown("the request", entry.at, lost, found)._replace(replayed=True)

    async def _is_over(self, entry: _Entry) -> bool:
        """Whether whoever holds the entry can no longer be at work."""
        return self._watched_for(entry) > entry.lasts or await self._journal.is_gone(entry.owner)

    def _watched_for(self, entry: _Entry) -> float:
        """Return for how many seconds this process has seen the entry held."""
        now = time.monotonic()
        first = self._watched.setdefault(entry.claim, now)
        if len(self._watched) > _MOST_WATCHED:
            del self._watched[next(iter(self._watched))]
        return now - first

    def _after(self, entry: _Entry, outcome: Outcome) -> _Entry:
        """Return the entry with what became of the write."""
        if not outcome.unknown:
            try:
                return replace(entry, state="done", outcome=outcome.to_json().decode())
            except TypeError:
                # JSON nested too deep to be written again: the next use of the key looks it up.
                return replace(entry, state="unknown", at=entry.at or time.time())
        missed = dict(entry.missed)
        if outcome.missed:
            missed.setdefault(self._journal.clock, time.monotonic())
        kept = dict(list(missed.items())[-_MOST_CLOCKS:])
        return replace(entry, state="unknown", at=entry.at or time.time(), missed=kept)

    async def _replace(self, key: Key, old: bytes, new: _Entry) -> bool:
        return await self._journal.replace(key.name, old, new.encode(), ttl=self._memory)

    async def _keep(self, key: Key, old: bytes, new: _Entry | None) -> None:
        """Note what became of it. If that fails, the next use of the key finds out by looking."""
        try:
            if new is None:
                await _by(_soon(), self._journal.forget(key.name, old))
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
        raise StoreUnavailable(
            "The record of idempotency keys did not answer in time.", cause="timeout"
        ) from None


def _remembered(entry: _Entry, key: Key) -> Outcome:
    """Return the outcome that an entry keeps.

    Raises:
        KeysUnavailable: it cannot be read.
    """
    try:
        return from_json(entry.outcome.encode())
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _unreadable(key, error) from None


def _unreadable(key: Key, error: Exception) -> KeysUnavailable:
    _log.error("entry_unreadable", key=key.name, problem=str(error))
    return KeysUnavailable(
        "What is kept of this idempotency key cannot be read, so this request sent nothing. Look"
        " whether it was done before you use another key."
    )


def _soon() -> float:
    """Return the deadline for what is noted after a write: its outcome does not wait for long."""
    return time.monotonic() + _GRACE
