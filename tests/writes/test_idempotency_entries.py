"""Idempotency entries: each step is won once, whoever else tries, in the file and in the store."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.errors import KeyInUse, KeysUnavailable
from gateway.storage.store import MemoryStore, StoreUnavailable
from gateway.writes.idempotency import Keys, Sending, key_of
from gateway.writes.idempotency_entries import FileJournal, Journal, StoreJournal
from gateway.writes.outcome import Outcome

Pair: TypeAlias = tuple[Journal, Journal]
Use: TypeAlias = Callable[[Journal, Journal], Awaitable[None]]


def run(kind: str, folder: Path, use: Use) -> None:
    """Run `use` with two journals over the same entries, as two processes have them."""

    async def main() -> None:
        store = MemoryStore()
        pair: Pair
        if kind == "file":
            pair = FileJournal(folder), FileJournal(folder)
        else:
            pair = StoreJournal(store), StoreJournal(store)
        try:
            await use(*pair)
        finally:
            for journal in pair:
                await journal.aclose()

    asyncio.run(main())


KINDS = pytest.mark.parametrize("kind", ["file", "store"])


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
        keys = Keys(StoreJournal(store), memory=60)
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
            return await Keys(journal, 60 * 60 * 24).once(
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
            return await Keys(two, 60).once(key, act, look, time.monotonic() + 30)

        kept = json.dumps(earlier).encode()
        await one.open(key.name, kept, ttl=60)
        assert (await once()).unknown
        assert (await once()).reconciled
        await one.open("other", kept[:50], ttl=60)
        with pytest.raises(KeysUnavailable):
            await Keys(two, 60).once(key._replace(name="other"), act, look, time.monotonic() + 30)

    run(kind, tmp_path, use)


def test_a_process_that_closed_its_file_is_known_to_be_gone(tmp_path: Path) -> None:
    async def main() -> None:
        one, two = FileJournal(tmp_path), FileJournal(tmp_path)
        await one.open("key", b"x", ttl=60)
        assert not await two.is_gone(one.owner)
        await one.aclose()
        assert await two.is_gone(one.owner)
        assert not await two.is_gone(two.owner)
        await two.aclose()

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
        assert locks(folder) == {journal.owner}
        await journal.aclose()
        assert locks(folder) == set()

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
                await Keys(two, 60).once(key, act, look, time.monotonic() + 5)
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
        await living.open("key", b"x", ttl=60)
        for name in ("dead", living.owner, "young"):
            (tmp_path / f"{name}.lock").touch()
        for name in ("dead", living.owner):
            os.utime(tmp_path / f"{name}.lock", (1, 1))
        other = FileJournal(tmp_path)
        await other.open("other", b"x", ttl=60)
        left = locks(tmp_path)
        assert left == {living.owner, "young", other.owner}
        await other.aclose()
        await living.aclose()

    asyncio.run(main())


def test_several_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        for attempt in range(20):
            journals = [FileJournal(tmp_path / str(attempt)) for _ in range(6)]
            opened = await asyncio.gather(*(each.open("key", b"x", ttl=60) for each in journals))
            assert opened.count(None) == 1
            for each in journals:
                await each.aclose()

    asyncio.run(main())
