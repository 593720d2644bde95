"""Idempotency entries: each step is won once, whoever else tries, in the file and in the store."""

import asyncio
import fcntl
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeAlias

import pytest
from msgspec import structs

from gateway.errors import KeyInUse, KeysUnavailable, UpstreamUnavailable
from gateway.storage.store import MemoryStore, StoreUnavailable
from gateway.writes import clocks
from gateway.writes.file_journal import FileJournal
from gateway.writes.idempotency import IdempotencyKeys, Sending, key_of
from gateway.writes.idempotency_entries import Hold, Journal, StoreJournal
from gateway.writes.outcome import Outcome
from gateway.writes.reconcile import unknown
from gateway.writes.user_errors import Reason

Pair: TypeAlias = tuple[Journal, Journal]
Use: TypeAlias = Callable[[Journal, Journal], Awaitable[None]]


def run(kind: str, folder: Path, use: Use) -> None:
    """Run `use` with two journals over the same entries, as two processes have them."""

    async def main() -> None:
        store = MemoryStore()
        pair: Pair
        if kind != "store":
            if kind == "file of the last release":
                _make_as_the_last_release_does(folder / "idempotency.sqlite")
            pair = FileJournal(folder), FileJournal(folder)
        else:
            pair = StoreJournal(store), StoreJournal(store)
        try:
            await use(*pair)
        finally:
            for journal in pair:
                await journal.aclose()

    asyncio.run(main())


def _make_as_the_last_release_does(path: Path) -> None:
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(
            "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB, expires REAL) WITHOUT ROWID"
        )


async def hold_of(journal: Journal) -> Hold:
    """Hold something, as a write does."""
    return journal.hold_at_hand() or await journal.hold()


@asynccontextmanager
async def held(journal: Journal) -> AsyncIterator[Hold]:
    """Hold something as long as the context lasts."""
    hold = await hold_of(journal)
    try:
        yield hold
    finally:
        hold.end()


# A file stays as the release that made it has laid it out; its processes go on with the one of this.
KINDS = pytest.mark.parametrize("kind", ["file", "file of the last release", "store"])


@KINDS
def test_a_key_is_opened_once(kind: str, tmp_path: Path) -> None:
    async def use(one: Journal, two: Journal) -> None:
        assert await one.open("key", b"first", ttl=60) is None
        assert await two.open("key", b"second", ttl=60) == b"first"
        assert await two.open("other", b"second", ttl=60) is None

    run(kind, tmp_path, use)


@KINDS
def test_of_many_at_once_one_opens_and_one_replaces(kind: str, tmp_path: Path) -> None:
    async def use(one: Journal, two: Journal) -> None:
        journals = [one, two] * 8
        opened = await asyncio.gather(
            *(each.open("key", b"%d" % n, ttl=60) for n, each in enumerate(journals))
        )
        assert opened.count(None) == 1
        old = next(each for each in opened if each is not None)
        replaced = await asyncio.gather(
            *(each.replace("key", old, b"new %d" % n, ttl=60) for n, each in enumerate(journals))
        )
        assert replaced.count(True) == 1
        assert await one.open("key", b"x", ttl=60) == b"new %d" % replaced.index(True)

    run(kind, tmp_path, use)


@KINDS
def test_only_what_was_read_is_replaced_or_forgotten(kind: str, tmp_path: Path) -> None:
    async def use(one: Journal, two: Journal) -> None:
        await one.open("key", b"claimed by one", ttl=60)
        assert await two.replace("key", b"claimed by one", b"claimed by two", ttl=60)
        assert not await one.replace("key", b"claimed by one", b"sent by one", ttl=60)
        await one.forget("key", b"claimed by one")
        assert await one.open("key", b"x", ttl=60) == b"claimed by two"
        await two.forget("key", b"claimed by two")
        assert await one.open("key", b"x", ttl=60) is None

    run(kind, tmp_path, use)


@KINDS
def test_an_entry_expires(kind: str, tmp_path: Path) -> None:
    async def use(one: Journal, two: Journal) -> None:
        await one.open("key", b"old", ttl=0.05)
        await asyncio.sleep(0.1)
        assert await two.open("key", b"new", ttl=60) is None

    run(kind, tmp_path, use)


def test_the_file_is_there_before_the_first_write_where_its_folder_is(tmp_path: Path) -> None:
    async def main() -> None:
        for folder in (tmp_path, tmp_path / "none"):
            journal = FileJournal(folder)
            journal.open_ahead()
            await journal.aclose()

    asyncio.run(main())
    assert (tmp_path / "idempotency.sqlite").stat().st_size > 0
    assert not (tmp_path / "none").exists()


def test_keys_that_are_used_together_are_written_together(tmp_path: Path) -> None:
    """However many others there are: pages that are written are most of what a key costs."""
    names = [hashlib.sha256(b"%d" % n).hexdigest() for n in range(600)]
    old, new = b"claimed" * 60, b"sent---" * 60

    async def main() -> int:
        journal = FileJournal(tmp_path)
        await asyncio.gather(*(journal.open(each, old, ttl=60) for each in names))
        with closing(sqlite3.connect(tmp_path / "idempotency.sqlite")) as other:
            other.execute("PRAGMA wal_checkpoint").fetchall()
            steps = (journal.replace(each, old, new, ttl=60) for each in names[-40:])
            assert all(await asyncio.gather(*steps))
            [(_, pages, _)] = other.execute("PRAGMA wal_checkpoint").fetchall()
        await journal.aclose()
        return int(pages)

    assert asyncio.run(main()) < 20


def test_what_fails_when_the_file_is_opened_ahead_is_told_to_the_first_write(
    tmp_path: Path,
) -> None:
    (tmp_path / "idempotency.sqlite").write_bytes(b"no database" * 100)

    async def main() -> None:
        journal = FileJournal(tmp_path)
        journal.open_ahead()
        with pytest.raises(StoreUnavailable):
            await journal.open("key", b"sent", ttl=60)
        await journal.aclose()

    asyncio.run(main())


def test_no_entry_is_forgotten_because_somebody_sets_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time

    async def main() -> None:
        one = FileJournal(tmp_path)
        await one.open("key", b"sent", ttl=60)
        monkeypatch.setattr(time, "time", lambda: now() + 3600)
        later = FileJournal(tmp_path)
        for journal in (one, later):
            assert await journal.open("key", b"again", ttl=60) == b"sent"
            await journal.aclose()

    asyncio.run(main())


class Trembling(MemoryStore):
    """A store whose answers get lost: the client library asks again, or gives up."""

    gives_up = False

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        await super().add(key, value, ttl=ttl)
        return await super().add(key, value, ttl=ttl)

    async def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
        await super().replace(key, old, new, ttl=ttl)
        if self.gives_up:
            raise StoreUnavailable("no answer")
        return await super().replace(key, old, new, ttl=ttl)


def test_a_step_that_was_taken_twice_is_won_all_the_same() -> None:
    async def main() -> None:
        journal = StoreJournal(Trembling())
        assert await journal.open("key", b"claimed", ttl=60) is None
        assert await journal.replace("key", b"claimed", b"sent", ttl=60)
        assert await journal.open("key", b"another", ttl=60) == b"sent"

    asyncio.run(main())


def test_a_key_is_free_again_when_it_is_unknown_whether_its_entry_was_kept() -> None:
    async def main() -> None:
        store = Trembling()
        keys = IdempotencyKeys(StoreJournal(store), memory=60)
        key = key_of("principal", "AC", "purchase", "key", {})

        async def act(sending: Sending) -> Outcome:
            await sending()
            return Outcome()

        async def look() -> Outcome | None:
            return None

        async def once() -> Outcome:
            return await keys.once(key, act, look, time.monotonic() + 30)

        store.gives_up = True
        with pytest.raises(KeysUnavailable):
            await once()
        store.gives_up = False
        first, again = await once(), await once()
        assert (first.refusal, first.replayed) == (None, False)
        assert again.replayed

    asyncio.run(main())


def test_who_was_at_work_is_said_to_be_although_the_store_is_late_at_the_last_look() -> None:
    class FallsSilent(MemoryStore):
        answers = 2

        async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
            if not self.answers:
                await asyncio.Event().wait()
            self.answers -= 1
            return await super().add(key, value, ttl=ttl)

    async def main() -> None:
        keys, sent = IdempotencyKeys(StoreJournal(FallsSilent()), memory=60), asyncio.Event()
        key = key_of("principal", "AC", "purchase", "key", {})

        async def act(sending: Sending) -> Outcome:
            await sending()
            sent.set()
            await asyncio.Event().wait()
            return Outcome()

        async def look() -> Outcome | None:
            return None

        first = asyncio.create_task(keys.once(key, act, look, time.monotonic() + 30))
        await sent.wait()
        with pytest.raises(KeyInUse, match="still at work"):
            await keys.once(key, act, look, time.monotonic() + 1)
        first.cancel()
        await asyncio.wait({first})

    asyncio.run(main())


@KINDS
def test_a_clock_that_jumps_takes_no_key_from_whoever_is_at_work(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of("principal", "AC", "purchase", "key", {})
    now = time.time

    async def use(one: Journal, two: Journal) -> None:
        sent, answered = asyncio.Event(), asyncio.Event()

        async def act(sending: Sending) -> Outcome:
            await sending()
            sent.set()
            await answered.wait()
            return Outcome()

        async def look() -> Outcome | None:
            return None

        async def once(journal: Journal, seconds: float) -> Outcome:
            return await IdempotencyKeys(journal, 60 * 60 * 24).once(
                key, act, look, time.monotonic() + seconds
            )

        first = asyncio.create_task(once(one, 30))
        await sent.wait()
        for jump in (3600, 90, 60, 25, -25, -3600):
            monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
            # The one when the file is slow.
            with pytest.raises((KeysUnavailable, KeyInUse)):
                await once(two, 0.1)
        answered.set()
        assert not (await first).replayed
        again = await once(two, 30)
        assert (again.refusal, again.replayed) == (None, True)

    run(kind, tmp_path, use)


def aged(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let time pass by every clock that nobody sets."""
    real, day = clocks.read(), MemoryStore.clock

    async def clock(store: MemoryStore, key: str) -> tuple[str, float]:
        name, now = await day(store, key)
        return name, now + seconds

    monkeypatch.setattr(clocks, "read", lambda: {name: at + seconds for name, at in real.items()})
    monkeypatch.setattr(MemoryStore, "clock", clock)


@KINDS
@pytest.mark.parametrize("answer", ["done", "refused", "lost", "nothing"])
@pytest.mark.parametrize("guessed", ["unknown", "not done"])
def test_whoever_made_a_write_has_the_last_word_on_it(
    kind: str, guessed: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hold was lost: the machine slept, or could not reach the store for long."""
    key = key_of("principal", "AC", "purchase", "key", {})
    lost = Outcome(refusal=Reason.BROKEN.refuse(), missed=True)
    said = {"done": Outcome(), "refused": Outcome(refusal=Reason.KEY_OF_ANOTHER.refuse())}

    async def use(one: Journal, two: Journal) -> None:
        sent, answered = asyncio.Event(), asyncio.Event()

        async def act(sending: Sending) -> Outcome:
            await sending()
            sent.set()
            await answered.wait()
            if answer == "nothing":
                raise UpstreamUnavailable("refused", processed=False)
            return said.get(answer, lost)

        async def look() -> Outcome | None:
            return None

        async def once(journal: Journal) -> Outcome:
            return await IdempotencyKeys(journal, 60).once(key, act, look, time.monotonic() + 30)

        first = asyncio.create_task(once(one))
        await sent.wait()
        monkeypatch.setattr(type(two), "is_gone", gone)
        assert (await once(two)).unknown
        aged(monkeypatch, 59)
        assert (await once(two)).unknown
        if guessed == "not done":
            aged(monkeypatch, 61)
            assert "nothing was done" in str((await once(two)).refusal)
        answered.set()
        if answer == "nothing":
            with pytest.raises(UpstreamUnavailable):
                await first
            kept = await one.read(key.name)
            assert (kept is None) == (guessed == "unknown")
            return
        await first
        again = await once(two)
        assert (again.unknown, again.replayed) == (answer == "lost", True)
        if answer != "lost":
            assert again.refusal == said[answer].refusal

    async def gone(*_: object) -> bool:
        return True

    run(kind, tmp_path, use)


@KINDS
def test_an_entry_of_an_earlier_release_is_looked_up_and_half_an_entry_is_an_error(
    kind: str, tmp_path: Path
) -> None:
    key = key_of("principal", "AC", "purchase", "key", {})
    earlier = {"state": "unknown", "digest": key.digest, "owner": "x", "until": 1.0, "sent": 1.0}
    earlier |= {"outcome": "", "claim": "y"}

    async def use(one: Journal, two: Journal) -> None:
        async def act(_: Sending) -> Outcome:
            raise AssertionError

        looks: list[Outcome | None] = [None, Outcome()]

        async def look() -> Outcome | None:
            return looks.pop(0)

        async def once() -> Outcome:
            return await IdempotencyKeys(two, 60).once(key, act, look, time.monotonic() + 30)

        kept = json.dumps(earlier).encode()
        await one.open(key.name, kept, ttl=60)
        assert (await once()).unknown
        assert (await once()).reconciled
        await one.open("other", kept[:50], ttl=60)
        with pytest.raises(KeysUnavailable):
            await IdempotencyKeys(two, 60).once(
                structs.replace(key, name="other"), act, look, time.monotonic() + 30
            )

    run(kind, tmp_path, use)


@KINDS
def test_entries_have_the_fields_that_the_last_release_reads(kind: str, tmp_path: Path) -> None:
    """It refuses others; of an entry that is not done it does not read the outcome."""
    key = key_of("principal", "AC", "purchase", "key", {})

    async def use(one: Journal, two: Journal) -> None:
        found = []

        async def act(sending: Sending) -> Outcome:
            found.append(await two.read(key.name))
            await sending()
            found.append(await two.read(key.name))
            return unknown("a purchase", 1.0, "lost", "not seen", 2.0)._replace(missed=True)

        async def look() -> Outcome | None:
            return Outcome()

        for _ in range(2):
            keys = IdempotencyKeys(one, 60)
            await keys.once(key, act, look, time.monotonic() + 30)
            found.append(await two.read(key.name))
        entries = [json.loads(each or b"") for each in found]
        assert [each["state"] for each in entries] == ["claimed", "sent", "unknown", "done"]
        names = {"state", "digest", "owner", "until", "sent", "outcome", "claim"}
        assert all(each.keys() == names for each in entries)
        assert all(isinstance(each["outcome"], str) for each in entries)
        assert entries[0]["until"] > time.time()

    run(kind, tmp_path, use)


@KINDS
@pytest.mark.parametrize("state", ["claimed", "sent"])
def test_a_process_of_the_last_release_is_waited_for_while_it_may_be_at_work(
    kind: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file it holds the lock of its process; in the store nothing shows that it is there."""
    key = key_of("principal", "AC", "purchase", "key", {})
    earlier = {"state": state, "digest": key.digest, "owner": "c0ffee", "until": 1.0, "sent": 1.0}
    earlier |= {"outcome": "", "claim": "decaf"}

    async def use(one: Journal, two: Journal) -> None:
        keys, did = IdempotencyKeys(two, 60), []

        async def act(sending: Sending) -> Outcome:
            await sending()
            did.append("acted")
            return Outcome()

        async def look() -> Outcome | None:
            did.append("looked")
            return Outcome()

        async def once(seconds: float) -> Outcome:
            return await keys.once(key, act, look, time.monotonic() + seconds)

        await one.open(key.name, json.dumps(earlier).encode(), ttl=60)
        with (tmp_path / "c0ffee.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for seconds in (0, 59):
                aged(monkeypatch, seconds)
                # The one when the file is slow.
                with pytest.raises((KeysUnavailable, KeyInUse)):
                    await once(0.2)
        assert did == []
        aged(monkeypatch, 2)
        assert (await once(30)).refusal is None
        assert did == [{"claimed": "acted", "sent": "looked"}[state]]

    run(kind, tmp_path, use)


def test_whoever_let_go_of_a_lock_is_known_to_be_gone(tmp_path: Path) -> None:
    async def use(one: Journal, two: Journal) -> None:
        async with held(one) as hold:
            await hold.renew()
            assert hold.is_sure()
            assert [await each.is_gone(hold.name) for each in (one, two)] == [False, False]
        assert [await each.is_gone(hold.name) for each in (one, two)] == [True, True]

    run("file", tmp_path, use)


def test_a_hold_in_the_store_is_there_while_it_is_renewed_and_lapses_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.writes.idempotency_entries._LEASE", 1.0)
    monkeypatch.setattr("gateway.writes.idempotency_entries._RENEW", 0.05)

    async def use(one: Journal, two: Journal) -> None:
        async with held(one) as hold:
            await asyncio.sleep(1.5)
            assert await two.is_gone(hold.name) is False
        await asyncio.sleep(1.1)
        assert await two.is_gone(hold.name) is True
        assert await two.is_gone("a process of an earlier release") is None

    run("store", tmp_path, use)


def test_a_hold_that_comes_just_when_it_is_given_up_is_not_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.writes.idempotency_entries._RENEW", 0.0)
    kept: list[str] = []

    class Noting(MemoryStore):
        async def set(self, key: str, value: bytes, *, ttl: float) -> None:
            kept.append(key)
            await super().set(key, value, ttl=ttl)

    async def main() -> None:
        journal = StoreJournal(Noting())
        coming = IdempotencyKeys(journal, 60)._by(time.monotonic() + 60, journal.hold())
        asyncio.get_running_loop().call_soon(coming.cancel)
        with pytest.raises(asyncio.CancelledError):
            await coming
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert len(kept) == 1


def test_a_hold_that_may_have_lapsed_while_the_machine_slept_is_never_sure_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(one: Journal, _: Journal) -> None:
        async with held(one) as hold:
            assert hold.is_sure()
            awake = clocks.uptime() or 0.0
            monkeypatch.setattr(clocks, "uptime", lambda: awake + 16)
            assert not hold.is_sure()
            monkeypatch.undo()
            with pytest.raises(StoreUnavailable):
                await hold.renew()
            assert not hold.is_sure()

    run("store", tmp_path, use)


def test_a_hold_is_renewed_right_before_a_write_unless_it_was_a_moment_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Counting(MemoryStore):
        sets = 0

        async def set(self, key: str, value: bytes, *, ttl: float) -> None:
            self.sets += 1
            await super().set(key, value, ttl=ttl)

    async def main() -> None:
        store = Counting()
        async with held(StoreJournal(store)) as hold:
            await hold.renew()
            assert store.sets == 1
            awake = clocks.uptime() or 0.0
            monkeypatch.setattr(clocks, "uptime", lambda: awake + 2)
            await hold.renew()
            assert store.sets == 2
            assert hold.is_sure()

    asyncio.run(main())


def test_a_file_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / "data"
        folder.write_text("in the way")
        journal = FileJournal(folder)
        with pytest.raises(StoreUnavailable):
            await journal.open("key", b"x", ttl=60)
        folder.unlink()
        assert await journal.open("key", b"x", ttl=60) is None
        await journal.aclose()

    asyncio.run(main())


def test_nothing_is_kept_in_a_file_that_is_not_there_any_more(tmp_path: Path) -> None:
    """It would be forgotten when the process ends, and a key would buy again."""

    async def main() -> None:
        folder, away = tmp_path / "data", tmp_path / "away"
        journal = FileJournal(folder)
        assert await journal.open("key", b"x", ttl=60) is None
        folder.rename(away)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="vanished"):
                await journal.open("other", b"x", ttl=60)
        away.rename(folder)
        assert await journal.open("key", b"y", ttl=60) == b"x"
        assert await journal.open("other", b"x", ttl=60) is None
        await journal.aclose()

    asyncio.run(main())


@KINDS
@pytest.mark.parametrize("spoil", ["half", "outcome", "other", "deep", "empty"])
def test_an_entry_that_cannot_be_read_is_an_error_with_a_code_and_stays(
    kind: str, tmp_path: Path, spoil: str
) -> None:
    key = key_of("me", "AC1", "purchase", "key", {"number": "+1"})
    whole = b'{"state":"done","digest":"%s","owner":"x","until":0.0,"outcome":"{}"}'
    kept = {
        "half": (whole % key.digest.encode())[:60],
        "outcome": whole % key.digest.encode(),
        "other": b'{"state":7,"digest":null}',
        "deep": b"[" * 100_000,
        "empty": b"",
    }[spoil]

    async def act(_: Sending) -> Outcome:
        raise AssertionError("it was sent")

    async def look() -> Outcome | None:
        raise AssertionError("it was looked for")

    async def use(one: Journal, two: Journal) -> None:
        assert await one.open(key.name, kept, ttl=60) is None
        for _ in range(2):
            with pytest.raises(KeysUnavailable, match="cannot be read"):
                await IdempotencyKeys(two, 60).once(key, act, look, time.monotonic() + 5)
        assert await two.open(key.name, b"another", ttl=60) == kept

    run(kind, tmp_path, use)


def test_what_is_returned_from_is_on_disk(tmp_path: Path) -> None:
    """Not to be seen from outside: a killed process leaves its writes to the system, a crash of
    the machine does not.
    """

    async def main() -> None:
        journal = FileJournal(tmp_path)
        await journal.open("key", b"x", ttl=60)
        assert journal._sql is not None
        modes = [
            journal._sql.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]
        assert modes == ["wal", 2]
        await journal.aclose()

    asyncio.run(main())


def locks(folder: Path) -> set[str]:
    """Return the owners whose lock files are there."""
    return {path.stem for path in folder.glob("*.lock")}


def test_locks_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path) -> None:
    async def main() -> None:
        living = FileJournal(tmp_path)
        async with held(living) as hold:
            for name in ("dead", hold.name, "young"):
                (tmp_path / f"{name}.lock").touch()
            for name in ("dead", hold.name):
                os.utime(tmp_path / f"{name}.lock", (1, 1))
            other = FileJournal(tmp_path)
            await other.open("other", b"x", ttl=60)
            assert locks(tmp_path) == {hold.name, "young"}
            await other.aclose()
        assert locks(tmp_path) == {"young"}
        await living.aclose()

    asyncio.run(main())


def test_a_lock_serves_the_next_write_once_no_entry_names_it(tmp_path: Path) -> None:
    async def use(one: Journal, two: Journal) -> None:
        first = await hold_of(one)
        first.is_named = False
        first.end()
        second, third = await hold_of(one), await hold_of(one)
        assert second.name == first.name != third.name
        assert await two.is_gone(second.name) is False
        second.end()
        third.end()
        assert [await two.is_gone(each.name) for each in (second, third)] == [True, True]
        assert locks(tmp_path) == set()

    run("file", tmp_path, use)


def test_a_lock_that_others_cannot_see_any_more_serves_nobody(tmp_path: Path) -> None:
    async def use(one: Journal, _: Journal) -> None:
        first = await hold_of(one)
        first.is_named = False
        first.end()
        (tmp_path / f"{first.name}.lock").unlink()
        second = await hold_of(one)
        assert second.name != first.name
        assert locks(tmp_path) == {second.name}
        second.end()

    run("file", tmp_path, use)


@pytest.mark.parametrize("told", [True, False])
def test_a_lock_is_let_go_unless_its_entry_tells_the_outcome(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise others would wait for a write that is over."""
    key = key_of("principal", "AC", "purchase", "key", {})

    async def act(sending: Sending) -> Outcome:
        await sending()
        return Outcome()

    async def look() -> Outcome | None:
        return None

    async def use(one: Journal, two: Journal) -> None:
        if not told:
            replace = one.replace

            async def failing(key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
                if b'"done"' in new:
                    raise StoreUnavailable("no")
                return await replace(key, old, new, ttl=ttl)

            monkeypatch.setattr(one, "replace", failing)
        await IdempotencyKeys(one, 60).once(key, act, look, time.monotonic() + 30)
        kept = json.loads(await two.read(key.name) or b"")
        assert kept["state"] == ("done" if told else "sent")
        assert len(locks(tmp_path)) == (1 if told else 0)
        if not told:
            assert await two.is_gone(kept["owner"])

    run("file", tmp_path, use)


def test_several_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        for attempt in range(20):
            journals = [FileJournal(tmp_path / str(attempt)) for _ in range(6)]
            opened = await asyncio.gather(*(each.open("key", b"x", ttl=60) for each in journals))
            assert opened.count(None) == 1
            for each in journals:
                await each.aclose()

    asyncio.run(main())


@KINDS
def test_an_entry_of_the_last_release_is_found_by_the_input_as_it_was_written(
    kind: str, tmp_path: Path
) -> None:
    written = {"number": "+1", "configuration": None}
    before = key_of("me", "AC1", "purchase", "key", written)
    key = key_of("me", "AC1", "purchase", "key", {"number": "+1"}, written)
    other = key_of("me", "AC1", "purchase", "key", {"number": "+2"}, written | {"number": "+2"})

    async def act(_: Sending) -> Outcome:
        return Outcome()

    async def look() -> Outcome | None:
        raise AssertionError("it was looked for")

    async def use(one: Journal, two: Journal) -> None:
        await IdempotencyKeys(one, 60).once(before, act, look, time.monotonic() + 5)
        for each, replayed in ((key, True), (other, False)):
            keys = IdempotencyKeys(two, 60)
            outcome = await keys.once(each, act, look, time.monotonic() + 5)
            assert (outcome.replayed, outcome.refusal is None) == (replayed, replayed)

    run(kind, tmp_path, use)
