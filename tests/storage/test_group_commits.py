"""Group commits: what comes together is one transaction, and each is told what came of it alone."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.storage.group_commits import GroupCommits

KEEP = "INSERT INTO kept VALUES (?)"


class Kept:
    """A file with one table, and the statements that begin and end transactions in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.statements: list[str] = []
        self.failures: list[Exception] = []
        self.sql: sqlite3.Connection | None = None
        self.commits = GroupCommits(self.open, self.close, lambda each: each, self.failures.append)

    def open(self) -> sqlite3.Connection:
        if self.sql is None:
            self.sql = sqlite3.connect(
                self.path, timeout=0.05, isolation_level=None, check_same_thread=False
            )
            self.sql.execute("PRAGMA journal_mode = WAL")
            self.sql.execute("CREATE TABLE IF NOT EXISTS kept (value INTEGER PRIMARY KEY)")
            self.sql.set_trace_callback(self.statements.append)
        return self.sql

    def close(self) -> None:
        if self.sql is not None:
            self.sql.close()

    def keep(self, value: int, *, lasting: bool = True) -> asyncio.Future[int]:
        return self.commits.ask(
            lambda sql: sql.execute(KEEP, (value,)).rowcount, lasting=lasting, impatient=True
        )

    def values(self) -> list[int]:
        with closing(sqlite3.connect(self.path)) as other:
            return [value for (value,) in other.execute("SELECT value FROM kept ORDER BY value")]


def use(path: Path, what: Callable[[Kept], Awaitable[None]]) -> None:
    async def main() -> None:
        kept = Kept(path / "kept.sqlite")
        try:
            await what(kept)
        finally:
            await kept.commits.aclose()

    asyncio.run(main())


def test_what_comes_in_one_tick_is_one_transaction(tmp_path: Path) -> None:
    async def what(kept: Kept) -> None:
        assert await asyncio.gather(*map(kept.keep, range(20))) == [1] * 20
        assert kept.values() == [*range(20)]
        ends = [each for each in kept.statements if each.startswith(("BEGIN", "COMMIT"))]
        assert ends == ["BEGIN IMMEDIATE", "COMMIT"]

    use(tmp_path, what)


def test_what_comes_while_the_file_is_at_work_is_the_next_transaction(tmp_path: Path) -> None:
    async def what(kept: Kept) -> None:
        order: list[int] = []
        first = [kept.keep(0), kept.keep(1)]
        await asyncio.sleep(0)
        later = [kept.keep(value) for value in (2, 3)]
        for each in (*first, *later):
            each.add_done_callback(lambda _: order.append(len(order)))
        await asyncio.gather(*first, *later)
        assert kept.statements.count("COMMIT") == 2
        assert kept.values() == [0, 1, 2, 3]

    use(tmp_path, what)


def test_one_that_fails_fails_alone_and_is_told_once(tmp_path: Path) -> None:
    async def what(kept: Kept) -> None:
        outcomes = await asyncio.gather(*map(kept.keep, (1, 2, 2, 3)), return_exceptions=True)
        assert [isinstance(each, sqlite3.IntegrityError) for each in outcomes] == [
            *(False, False, True, False)
        ]
        assert len(kept.failures) == 1
        assert kept.values() == [1, 2, 3]

    use(tmp_path, what)


def test_what_nobody_waits_for_is_not_begun(tmp_path: Path) -> None:
    async def what(kept: Kept) -> None:
        first, second = kept.keep(1), kept.keep(2)
        first.cancel()
        assert await second == 1
        assert kept.values() == [2]

    use(tmp_path, what)


def test_a_locked_file_fails_all_who_wait_and_refuses_the_impatient_for_a_while(
    tmp_path: Path,
) -> None:
    async def what(kept: Kept) -> None:
        await kept.keep(0)
        with closing(sqlite3.connect(kept.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            outcomes = await asyncio.gather(*map(kept.keep, (1, 2)), return_exceptions=True)
            other.execute("ROLLBACK")
        assert ["locked" in str(each) for each in outcomes] == [True, True]
        with pytest.raises(sqlite3.OperationalError, match="a moment ago"):
            await kept.keep(3)
        patient = kept.commits.ask(lambda sql: sql.execute(KEEP, (4,)).rowcount)
        assert await patient == 1
        assert kept.values() == [0, 4]

    use(tmp_path, what)


def test_only_what_must_last_waits_for_the_disk(tmp_path: Path) -> None:
    """Not to be seen from outside, as only a crash of the machine shows it."""

    async def what(kept: Kept) -> None:
        asked = "PRAGMA synchronous = "
        await kept.keep(1, lasting=False)
        assert [each for each in kept.statements if each.startswith(asked)] == [
            f"{asked}NORMAL",
            f"{asked}FULL",
        ]
        kept.statements.clear()
        await asyncio.gather(kept.keep(2, lasting=False), kept.keep(3))
        assert not any(each.startswith(asked) for each in kept.statements)

    use(tmp_path, what)
