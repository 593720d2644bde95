"""Idempotency keys: with the same key, the same input acts once, and its outcome is remembered.

The life of a key's entry:

    (none) ──▶ claimed ──▶ sent ──▶ done        the outcome is replayed from now on
      ▲           │          ├────▶ unknown     its answer was lost and looking did not settle it
      └───────────┴──────────┘                  it certainly was not done: the key is free again

`sent` is on disk before the write leaves. Whoever finds an entry `claimed` by somebody who is gone
may take it over: nothing was sent. Whoever finds it `sent` by somebody who is gone, or `unknown`,
looks what became of the write; it is never sent again.

Clocks of machines differ, and jump. So no time of this machine's day decides anything:

* Whoever is at work holds something that the entry names (`gateway/writes/idempotency_entries.py`).
  While it does, nobody else says anything of the write, however late it is by whatever clock.
* A write that may have lost its hold before it left does not leave.
* That a write was not done is told by two looks, the second a minute after the first, by every
  clock that both of them saw: the store's, and the machine's if it was the same.
* All the same others may have guessed wrong, so whoever made the write has the last word on it.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import orjson
import structlog
from msgspec.structs import asdict, replace

from gateway.discreet import Discreet
from gateway.errors import GatewayError, KeyInUse, KeysUnavailable
from gateway.storage.store import StoreUnavailable
from gateway.waiting import Shared
from gateway.writes import clocks
from gateway.writes.deadlines import Deadlines
from gateway.writes.idempotency_entries import HELD, Hold, Journal, Moment
from gateway.writes.outcome import Outcome, from_json
from gateway.writes.reconcile import Look, Unproven, unknown
from gateway.writes.user_errors import Reason
from schema.user_errors import UserErrorCode

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.25
# How much longer than its deadline a process may be busy with an entry; the last release thinks it
# dead then.
_GRACE = 5.0
# A request of which two looks this far apart show no trace is not on its way any more.
_SETTLED_AFTER = 60.0
# How long somebody of an earlier release may be at work on an entry.
_AT_WORK_AT_MOST = 60.0
# Seconds after which to try again when entries cannot be kept.
_COME_AGAIN = 5.0
# Entries of earlier releases that are watched.
_MOST_WATCHED = 10_000

MayLeave: TypeAlias = Callable[[], bool]
"""Tells whether a write still may leave."""
Sending: TypeAlias = Callable[[], Awaitable[MayLeave]]
"""To be awaited right before a write leaves."""
Act: TypeAlias = Callable[[Sending], Coroutine[Any, Any, Outcome]]
"""Does the work. A `GatewayError` that it raises says that nothing was done."""


class IdempotencyKey(Discreet):
    """A client's key as it is kept: one-way names of who uses it for what, and of the input.

    Attributes:
        former: what the last release calls the input, which told apart what means the same.
    """

    name: str
    digest: str
    former: str


def key_of(
    principal: str, account: str, mutation: str, key: str, given: object, written: object = None
) -> IdempotencyKey:
    """Return the kept form of a client's key.

    Args:
        principal: one-way name of who asks; it also keeps the digest from being guessed.
        account: the account that is changed.
        mutation: its name.
        key: what the client sent.
        given: the input as JSON, without the key and what says no more than its absence.
        written: the input as it was written, if that is something else.
    """
    name = _digest([principal, account, mutation, key])
    digest = _digest([principal, given])
    former = digest if written is None else _digest([principal, written])
    return IdempotencyKey(f"idempotency:{name}", digest, former)


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


class _Entry(msgspec.Struct, frozen=True):
    """What is kept of a key, in a form that the last release reads, too.

    Attributes:
        state: see the module.
        digest: of the input.
        owner: what shows that somebody is at work on it; "" when nobody is any more. Of earlier
            releases, the process.
        until: when the owner is not at work any more, in seconds since the epoch; only the last
            release relies on it.
        sent: when it was sent, in seconds since the epoch; for people only.
        outcome: as JSON, when it is done; `missed` before, for which the last release has no field.
        claim: names the one attempt to act, whatever is said of it since; so no two entries are
            equal.
    """

    state: str
    digest: str
    owner: str
    until: float = 0.0
    sent: float = 0.0
    outcome: str = ""
    claim: str = ""

    @property
    def missed(self) -> clocks.Reading:
        """When it was first looked for and not found."""
        return _READING.decode(self.outcome) if self.outcome and self.state != "done" else {}

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))


_READING: Final = msgspec.json.Decoder(dict[str, float])


def _decode(kept: bytes, key: IdempotencyKey) -> _Entry:
    """Read an entry, of an earlier release, too. What cannot be read stays as it is.

    Raises:
        KeysUnavailable: it cannot be read; so nobody knows what was done, and nothing may be.
    """
    try:
        document = orjson.loads(kept)
        document.setdefault("sent", document.get("at", 0.0))
        entry = msgspec.convert(document, _Entry)
        _ = entry.missed  # That it can be read.
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        # msgspec's errors are ValueErrors.
        raise _unreadable(key, error) from error
    return entry


class IdempotencyKeys:
    """Runs mutations at most once per key. One per process."""

    def __init__(
        self, journal: Journal, memory: float, refused: Callable[[str], None] = lambda _: None
    ) -> None:
        """Keep keys in `journal` for `memory` seconds; `refused` counts refusals by their cause."""
        self._refused = refused
        self._journal = journal
        self._memory = memory
        self._deadlines = Deadlines(_late)
        # Of those who have seen somebody else at work.
        self._waits = Deadlines(_in_use)
        # When somebody of an earlier release was first seen at work.
        self._watched: dict[tuple[str, str], clocks.Reading] = {}

    async def once(self, key: IdempotencyKey, act: Act, look: Look, deadline: float) -> Outcome:
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

    async def _once(self, key: IdempotencyKey, act: Act, look: Look, deadline: float) -> Outcome:
        wait, deadlines = _FIRST_WAIT, self._deadlines
        hold = self._journal.hold_at_hand() or await self._held(deadline)
        try:
            while True:
                until = time.time() + max(0.0, deadline - time.monotonic()) + _GRACE
                claim = os.urandom(16).hex()
                mine = _Entry("claimed", key.digest, hold.name, until, claim=claim)
                kept = mine.encode()
                opening = self._journal.open(key.name, kept, ttl=self._memory)
                hold.is_named = True
                found = await self._by(deadline, opening, deadlines)
                if found is None:
                    return await self._act(key, mine, kept, hold, act, deadline)
                hold.is_named = False
                entry = _decode(found, key)
                if entry.digest not in {key.digest, key.former}:
                    return Outcome(refusal=Reason.KEY_OF_ANOTHER.refuse())
                if entry.state == "done":
                    return _remembered(entry, key)
                if await self._by(deadline, self._is_over(key, entry), deadlines):
                    if entry.state != "claimed":
                        settled = await self._settle(key, found, entry, look)
                        if settled is not None:
                            return settled
                    else:
                        hold.is_named = True
                        if await self._by(deadline, self._replace(key, found, kept), deadlines):
                            return await self._act(key, mine, kept, hold, act, deadline)
                        hold.is_named = False
                if time.monotonic() + wait >= deadline:
                    raise _in_use()
                await asyncio.sleep(wait)
                wait, deadlines = min(_LONGEST_WAIT, wait * 1.5), self._waits
        finally:
            hold.end()

    async def _held(self, deadline: float) -> Hold:
        return await self._by(deadline, self._journal.hold())

    async def _act(
        self,
        key: IdempotencyKey,
        mine: _Entry,
        last: bytes,
        hold: Hold,
        act: Act,
        deadline: float,
    ) -> Outcome:
        """Do the work for the claim `mine`, which is kept as `last`, and note what became of it."""
        sent = mine
        may_leave = False

        async def sending() -> MayLeave:  # To make this type each time takes 2 µs.
            nonlocal last, sent, may_leave
            day = self._journal.sure_of(hold)
            if not isinstance(day, float):
                day = await self._by(deadline, day)
            before, sent = last, replace(mine, state="sent", sent=day)
            last = sent.encode()
            if not await self._by(deadline, self._replace(key, before, last)):
                raise KeyInUse("Another request with this idempotency key took over.")
            may_leave = True
            return hold.is_sure

        try:
            outcome = await act(sending)
        except BaseException as error:
            # After the write left, only an error of ours says that nothing was done.
            if may_leave and not isinstance(error, GatewayError):
                new = replace(sent, state="unknown", owner="")
            else:
                # That it was sent may have been noted although nobody said so.
                new = None
            await self._conclude(key, sent, last, new, hold)
            raise
        try:
            now = await self._by(_soon(), self._journal.now()) if outcome.missed else None
        except StoreUnavailable:
            now = None
        await self._conclude(key, sent, last, _after(replace(sent, owner=""), outcome, now), hold)
        return outcome

    async def _settle(
        self, key: IdempotencyKey, before: bytes, entry: _Entry, look: Look
    ) -> Outcome | None:
        """Say what became of a write that somebody sent and could not account for.

        None: the entry says something else by now.
        """
        seen, said = None, ""
        try:
            seen = await look()
        except GatewayError as error:
            said = f"looking the number up failed ({error.message})"
        except Unproven as shown:
            said = str(shown)
        now = await self._by(_soon(), self._journal.now())
        if seen is not None:
            outcome = seen._replace(reconciled=True)
        elif not said and (clocks.passed(entry.missed, now.clocks) or 0.0) >= _SETTLED_AFTER:
            outcome = Outcome(refusal=Reason.NO_TRACE.refuse())
        else:
            lost = "the gateway stopped in the middle" if entry.state == "sent" else "see before"
            found = said or "looking the number up has not shown it done so far"
            outcome = unknown("the request", entry.sent, lost, found, now.day)
            outcome = outcome._replace(missed=not said)
        kept = self._replace(key, before, _after(entry, outcome, now).encode())
        return outcome._replace(replayed=True) if await self._by(_soon(), kept) else None

    async def _is_over(self, key: IdempotencyKey, entry: _Entry) -> bool:
        """Whether whoever made the entry can no longer be at work."""
        if not entry.owner:
            return True
        if entry.state == "unknown" and not entry.owner.startswith(HELD):
            return True  # An earlier release let go of it so.
        gone = await self._journal.is_gone(entry.owner)
        return self._watched_for(key, entry) > _AT_WORK_AT_MOST if gone is None else gone

    def _watched_for(self, key: IdempotencyKey, entry: _Entry) -> float:
        """Return for how many seconds this process has seen somebody at work on the entry."""
        now = clocks.read()
        first = self._watched.setdefault((key.name, entry.owner), now)
        if len(self._watched) > _MOST_WATCHED:
            del self._watched[next(iter(self._watched))]
        return clocks.passed(first, now) or 0.0

    def _by(
        self, deadline: float, keeping: Awaitable[T], deadlines: Deadlines | None = None
    ) -> asyncio.Future[T]:
        """Return a future of what the journal says; after the deadline nobody waits for it."""
        if isinstance(keeping, asyncio.Future):
            coming = keeping
        else:
            work = asyncio.ensure_future(keeping)
            coming = Shared(work).wait()
            coming.add_done_callback(lambda _: work.cancel())
        if not coming.done():
            (deadlines or self._deadlines).watch(coming, deadline)
        return coming

    def _replace(self, key: IdempotencyKey, old: bytes, new: bytes) -> Awaitable[bool]:
        return self._journal.replace(key.name, old, new, ttl=self._memory)

    async def _conclude(
        self, key: IdempotencyKey, entry: _Entry, last: bytes, new: _Entry | None, hold: Hold
    ) -> None:
        """Note what became of an own write; None: nothing, and the key is free.

        If that fails, the next use of the key finds out by looking.

        Args:
            key: of the write.
            entry: what was said of it last.
            last: the same as it is kept.
            new: what is to be said.
            hold: whoever said so; from now on no entry names it.
        """
        try:
            if new is None or not await self._by(_soon(), self._replace(key, last, new.encode())):
                await self._by(_soon(), self._have_last_word(key, entry, new))
            hold.is_named = False
        except (StoreUnavailable, KeysUnavailable) as error:
            _log.warning("outcome_not_kept", problem=str(error))

    async def _have_last_word(self, key: IdempotencyKey, last: _Entry, new: _Entry | None) -> None:
        while (kept := await self._journal.read(key.name)) is not None:
            said = _decode(kept, key)
            if said.claim != last.claim or not _knows_better(new, said, key):
                return
            if new is None:
                await self._journal.forget(key.name, kept)
                return
            if await self._replace(key, kept, new.encode()):
                _log.warning("outcome_corrected", key=key.name, said=said.state, true=new.state)
                return


def _in_use() -> KeyInUse:
    return KeyInUse("Another request with this idempotency key is still at work.")


def _late() -> StoreUnavailable:
    return StoreUnavailable(
        "The record of idempotency keys did not answer in time.", cause="timeout"
    )


def _after(entry: _Entry, outcome: Outcome, now: Moment | None) -> _Entry:
    """Return the entry with what became of the write; `now` may be left out when it was seen."""
    if not outcome.unknown:
        try:
            return replace(entry, state="done", outcome=outcome.to_json().decode())
        except (TypeError, ValueError, RecursionError):
            # JSON that cannot be written again: the next use of the key looks it up.
            return replace(entry, state="unknown")
    missed = entry.missed
    if outcome.missed and now is not None and clocks.passed(missed, now.clocks) is None:
        missed = now.clocks
    return replace(entry, state="unknown", outcome=orjson.dumps(missed).decode() if missed else "")


def _knows_better(new: _Entry | None, said: _Entry, key: IdempotencyKey) -> bool:
    """Whether what the maker of a write knows goes before what somebody else said of it.

    None is new when nothing was done. That is no news where it was said, nor a reason to hide that
    the upstream shows what was wanted.
    """
    if said.state != "done" or (new is not None and new.state == "done"):
        return True
    refusal = _remembered(said, key).refusal
    return new is not None and refusal is not None and refusal.code is UserErrorCode.NOT_DONE


def _remembered(entry: _Entry, key: IdempotencyKey) -> Outcome:
    """Return the outcome that an entry keeps.

    Raises:
        KeysUnavailable: it cannot be read.
    """
    try:
        return from_json(entry.outcome.encode())
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _unreadable(key, error) from None


def _unreadable(key: IdempotencyKey, error: Exception) -> KeysUnavailable:
    _log.error("entry_unreadable", key=key.name, problem=str(error))
    return KeysUnavailable(
        "What is kept of this idempotency key cannot be read, so this request sent nothing. Look"
        " whether it was done before you use another key."
    )


def _soon() -> float:
    """Return the deadline for what is noted after a write: its outcome does not wait for long."""
    return time.monotonic() + _GRACE
