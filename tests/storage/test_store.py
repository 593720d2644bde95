"""What every store promises, shown by the one in memory and by one over a real Valkey."""

import asyncio
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast
from uuid import uuid4

import orjson
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.storage import redis
from gateway.storage.chosen_store import StoreOptions, make_store
from gateway.storage.redis import RedisStore
from gateway.storage.store import MemoryStore, Store, StoreUnavailable
from tests.faults.hostile import keeping
from tests.support.bare_settings import bare_settings
from tests.support.valkey_process import ValkeyServer, valkey_server
from tests.support.waiting import PATIENCE, until

_T = TypeVar("_T")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture(params=["memory", "valkey"])
def run(
    request: pytest.FixtureRequest, server: ValkeyServer
) -> Callable[[Callable[[Store], Awaitable[_T]]], _T]:
    """Runs a coroutine function with a store of its own, in a new event loop."""

    def runner(body: Callable[[Store], Awaitable[_T]]) -> _T:
        async def main() -> _T:
            store: Store = (
                MemoryStore()
                if request.param == "memory"
                else RedisStore(server.url, prefix=f"{uuid4()}:", timeout=5.0)
            )
            try:
                return await asyncio.wait_for(body(store), 60)
            finally:
                await store.aclose()

        return asyncio.run(main())

    return runner


Run = Callable[[Callable[[Store], Awaitable[None]]], None]


def test_a_value_is_found_until_its_time_is_up(run: Run) -> None:
    async def body(store: Store) -> None:
        await store.set("a", b"\x00one", ttl=60)
        assert await store.get("a") == b"\x00one"
        assert await store.get("b") is None
        await store.set("a", b"\x00one", ttl=0.05)
        await asyncio.sleep(0.1)
        assert await store.get("a") is None

    run(body)


def test_a_later_value_replaces_an_earlier_one(run: Run) -> None:
    async def body(store: Store) -> None:
        await store.set("a", b"one", ttl=0.05)
        await store.set("a", b"two", ttl=60)
        await asyncio.sleep(0.1)
        assert await store.get("a") == b"two"

    run(body)


def test_only_the_first_of_many_adds_is_kept(run: Run) -> None:
    async def body(store: Store) -> None:
        kept = await asyncio.gather(*(store.add("k", b"%d" % n, ttl=60) for n in range(20)))
        assert sum(kept) == 1
        assert await store.get("k") == b"%d" % kept.index(True)

    run(body)


def test_a_value_can_be_added_again_after_it_expired_or_was_deleted(run: Run) -> None:
    async def body(store: Store) -> None:
        assert await store.add("k", b"1", ttl=0.05)
        await asyncio.sleep(0.1)
        assert await store.add("k", b"2", ttl=60)
        await store.delete("k", "never there")
        assert await store.add("k", b"3", ttl=60)
        await store.delete()

    run(body)


def test_only_the_first_of_many_replaces_what_it_has_read(run: Run) -> None:
    async def body(store: Store) -> None:
        await store.set("k", b"old", ttl=60)
        replaced = await asyncio.gather(
            *(store.replace("k", b"old", b"%d" % n, ttl=60) for n in range(20))
        )
        assert sum(replaced) == 1
        assert await store.get("k") == b"%d" % replaced.index(True)
        assert not await store.replace("never there", b"old", b"new", ttl=60)

    run(body)


def test_a_value_is_replaced_with_a_new_time_and_again_with_the_same_result(run: Run) -> None:
    async def body(store: Store) -> None:
        await store.set("k", b"old", ttl=60)
        assert await store.replace("k", b"old", b"new", ttl=0.8)
        assert await store.replace("k", b"old", b"new", ttl=60)
        await asyncio.sleep(0.9)
        assert await store.get("k") is None

    run(body)


def test_only_what_was_read_is_removed(run: Run) -> None:
    async def body(store: Store) -> None:
        await store.set("k", b"new", ttl=60)
        await store.remove("k", b"old")
        assert await store.get("k") == b"new"
        await store.remove("k", b"new")
        assert await store.get("k") is None

    run(body)


def test_a_bucket_gives_its_capacity_at_once_and_then_its_rate(run: Run) -> None:
    async def body(store: Store) -> None:
        async def take(name: str, per_second: float) -> float:
            return await store.take(name, capacity=3, per_second=per_second, amount=1)

        assert [await take("slow", 0.001) for _ in range(3)] == [0, 0, 0]
        assert 900 < await take("slow", 0.001) <= 1000
        began, given = time.monotonic(), 0
        while given < 8:
            if wait := await take("quick", 20):
                assert wait <= 1 / 20
                await asyncio.sleep(wait + 0.02)
                assert await take("quick", 20) == 0
            given += 1
        assert given <= 3 + 20 * (time.monotonic() - began)

    run(body)


def test_a_refused_take_takes_nothing(run: Run) -> None:
    async def body(store: Store) -> None:
        async def take(amount: float) -> float:
            return await store.take("b", capacity=10, per_second=0.01, amount=amount)

        assert await take(4) == 0
        assert await take(7) > 90
        assert await take(6) == 0

    run(body)


def test_many_takes_at_once_get_no_more_than_the_capacity(run: Run) -> None:
    async def body(store: Store) -> None:
        waits = await asyncio.gather(
            *(store.take("b", capacity=25, per_second=0.01, amount=1) for _ in range(60))
        )
        assert waits.count(0) == 25

    run(body)


@asynccontextmanager
async def _following(store: Store, channel: str) -> AsyncIterator[asyncio.Queue[bytes]]:
    """Follow a channel; its messages are in the queue. Returns when messages do arrive."""
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def follow() -> None:
        async for message in store.follow(channel):
            arrived.put_nowait(message)

    task = asyncio.create_task(follow())
    await _until_heard(store, channel, arrived)
    try:
        yield arrived
    finally:
        task.cancel()


async def _until_heard(store: Store, channel: str, *queues: asyncio.Queue[bytes]) -> None:
    """Publish until something arrives in all queues, then empty them."""
    async with asyncio.timeout(60):
        while any(each.empty() for each in queues):
            with suppress(StoreUnavailable):
                await store.publish(channel, b"probe")
            await asyncio.sleep(0.05)
        # Messages keep their order: behind this one, no probe is on its way any more.
        last = uuid4().bytes
        await store.publish(channel, last)
        for each in queues:
            while await each.get() != last:
                pass


def test_a_message_reaches_every_follower_of_its_channel_and_nobody_else(run: Run) -> None:
    async def body(store: Store) -> None:
        async with (
            _following(store, "x") as first,
            _following(store, "x") as second,
            _following(store, "y") as other,
        ):
            await _until_heard(store, "x", first, second)
            for n in range(100):
                await store.publish("x", b"%d" % n)
            expected = [b"%d" % n for n in range(100)]
            assert [await first.get() for _ in range(100)] == expected
            assert [await second.get() for _ in range(100)] == expected
            assert other.empty()

    run(body)


def test_a_message_that_nobody_follows_is_forgotten(run: Run) -> None:
    async def body(store: Store) -> None:
        await store.publish("x", b"lost")
        async with _following(store, "x") as arrived:
            await store.publish("x", b"found")
            assert await arrived.get() == b"found"

    run(body)


def test_followers_come_and_go_on_one_channel(run: Run) -> None:
    async def body(store: Store) -> None:
        async with _following(store, "x"):
            pass
        await asyncio.sleep(0.05)
        async with _following(store, "x") as arrived:
            await store.publish("x", b"again")
            assert await arrived.get() == b"again"

    run(body)


def test_a_store_that_answers_can_be_pinged(run: Run) -> None:
    async def body(store: Store) -> None:
        await store.ping()

    run(body)


def test_whoever_is_cancelled_while_it_asks_does_not_go_on(run: Run) -> None:
    """At whatever step of the way; a client library may take the cancellation for its own."""

    async def body(store: Store) -> None:
        async def ask_for_ever() -> None:
            while True:
                await store.get("a")
                await asyncio.sleep(0)

        for steps in range(40):
            asking = asyncio.create_task(ask_for_ever())
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait({asking}, timeout=60)
            assert asking.cancelled()

    run(body)


def test_two_processes_worth_of_stores_share_values_buckets_and_messages(
    server: ValkeyServer,
) -> None:
    async def main() -> None:
        prefix = f"{uuid4()}:"
        one, two = (RedisStore(server.url, prefix=prefix, timeout=5.0) for _ in range(2))
        async with _following(two, "x") as arrived:
            assert await one.add("k", b"mine", ttl=60)
            assert not await two.add("k", b"yours", ttl=60)
            waits = [
                await store.take("b", capacity=5, per_second=0.01, amount=1)
                for store in (one, two) * 5
            ]
            assert waits.count(0) == 5
            await one.publish("x", b"hello")
            assert await arrived.get() == b"hello"
        await one.aclose()
        await two.aclose()

    asyncio.run(main())


def test_stores_with_different_prefixes_do_not_meet(server: ValkeyServer) -> None:
    async def main() -> None:
        one, two = (RedisStore(server.url, prefix=each, timeout=5.0) for each in ("one:", "two:"))
        await one.set("k", b"1", ttl=60)
        assert await two.get("k") is None
        await one.aclose()
        await two.aclose()

    asyncio.run(main())


def test_what_is_read_in_one_tick_is_one_command_and_what_is_equal_is_read_once(
    server: ValkeyServer,
) -> None:
    async def body(store: Store) -> None:
        client = cast("RedisStore", store)._client
        await asyncio.gather(*(store.set(f"k{n}", b"%d" % n, ttl=60) for n in range(3)))
        await client.config_resetstat()
        names = ["k0", "k1", "k1", "none", "k2", "k0"]
        found = await asyncio.gather(*map(store.get, names))
        assert found == [b"0", b"1", b"1", None, b"2", b"0"]
        many = await asyncio.gather(*(store.get("k2") for _ in range(100)))
        assert many == [b"2"] * 100
        stats = await client.info("commandstats")
        assert (stats["cmdstat_mget"]["calls"], stats["cmdstat_get"]["calls"]) == (1, 1)

    asyncio.run(_with(RedisStore(server.url, prefix=f"{uuid4()}:", timeout=5.0), body))


def test_more_reads_and_writes_at_once_than_one_command_has_room_for_are_all_answered(
    run: Run,
) -> None:
    async def body(store: Store) -> None:
        await asyncio.gather(*(store.set(f"k{n}", b"%d" % n, ttl=60) for n in range(500)))
        found = await asyncio.gather(*(store.get(f"k{n}") for n in range(501)))
        assert found == [*(b"%d" % n for n in range(500)), None]

    run(body)


def test_a_write_that_is_refused_keeps_no_other_of_its_tick_from_being_kept(
    server: ValkeyServer,
) -> None:
    async def body(store: Store) -> None:
        client = cast("RedisStore", store)._client
        await client.acl_setuser("some", enabled=True, passwords=["+p"], keys=["some:good*"], categories=["+@all"])  # fmt: skip
        some = RedisStore(server.url.replace("://", "://some:p@"), prefix="some:", timeout=5.0)
        names = ["good1", "bad", "good2"]
        kept = await asyncio.gather(
            *(some.set(name, b"v", ttl=60) for name in names), return_exceptions=True
        )
        assert [type(each) for each in kept] == [type(None), StoreUnavailable, type(None)]
        assert [await some.get("good1"), await some.get("good2")] == [b"v", b"v"]
        await some.aclose()

    asyncio.run(_with(RedisStore(server.url, timeout=5.0), body))


def test_a_killed_server_makes_the_store_unavailable_and_a_restart_brings_all_back(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        with valkey_server(tmp_path) as server:
            store = RedisStore(server.url, timeout=5.0)
            async with _following(store, "x") as arrived:
                await store.set("k", b"kept", ttl=60)
                server.kill()
                for refused in (
                    store.get("k"),
                    store.set("k", b"2", ttl=1),
                    store.add("k", b"2", ttl=1),
                    store.delete("k"),
                    store.take("b", capacity=1, per_second=1, amount=1),
                    store.publish("x", b"lost"),
                    store.ping(),
                ):
                    with pytest.raises(StoreUnavailable):
                        await refused
                server.start()
                assert await store.get("k") == b"kept"
                await _until_heard(store, "x", arrived)
                await store.publish("x", b"back")
                assert await arrived.get() == b"back"
            await store.aclose()

    asyncio.run(main())


def test_messages_that_do_not_come_are_one_line_in_the_log_until_they_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with valkey_server(tmp_path) as server:
            store = RedisStore(server.url, timeout=5.0)
            connect, tries = store._feed._connect, asyncio.Semaphore(0)

            def count() -> Redis:
                tries.release()
                return connect()

            monkeypatch.setattr(store._feed, "_connect", count)
            async with _following(store, "x") as arrived:
                server.kill()
                async with asyncio.timeout(60):
                    for _ in range(4):
                        await tries.acquire()
                server.start()
                await _until_heard(store, "x", arrived)
            await store.aclose()

    with capture_logs() as lines:
        asyncio.run(main())
    assert [each["event"] for each in lines] == ["store_feed_lost", "store_feed_back"]


def test_a_server_that_hangs_costs_little_and_then_nothing_for_a_moment(tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with valkey_server(tmp_path) as server:
            store = RedisStore(server.url, timeout=1.0)
            await store.set("k", b"kept", ttl=60)
            server.freeze()
            began = loop.time()
            with pytest.raises(StoreUnavailable):
                await store.get("k")
            # It would hang for ever.
            assert loop.time() - began < 10
            began = loop.time()
            for _ in range(50):
                with pytest.raises(StoreUnavailable):
                    await store.get("k")
            # Each would have waited a second.
            assert loop.time() - began < 25
            server.thaw()
            async with asyncio.timeout(60):
                while True:
                    with suppress(StoreUnavailable):
                        assert await store.get("k") == b"kept"
                        break
                    await asyncio.sleep(0.1)
            await store.aclose()

    asyncio.run(main())


def test_a_server_that_hung_is_asked_again_where_the_clock_goes_back_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under libfaketime: it would be left alone for as long as the clock went back."""
    an_hour_ago = SimpleNamespace(monotonic=lambda: time.monotonic() - 3600)

    async def main() -> None:
        with valkey_server(tmp_path) as server:
            store = RedisStore(server.url, timeout=1.0)
            await store.ping()
            server.freeze()
            with pytest.raises(StoreUnavailable):
                await store.ping()
            server.thaw()
            monkeypatch.setattr(redis, "time", an_hour_ago)
            async with asyncio.timeout(60):
                while True:
                    with suppress(StoreUnavailable):
                        await store.ping()
                        break
                    await asyncio.sleep(0.1)
            await store.aclose()

    asyncio.run(main())


def test_the_password_of_the_server_is_used_and_shown_nowhere(tmp_path: Path) -> None:
    async def main() -> None:
        with valkey_server(tmp_path, password="hunter2hunter2") as server:
            settings = bare_settings(store_url=server.url)
            assert "hunter2" not in repr(settings)
            store = make_store(settings.pick(StoreOptions))
            await store.ping()
            await store.aclose()
            wrong = RedisStore(server.url.replace("hunter2hunter2", "hunter3hunter3"))
            with pytest.raises(StoreUnavailable) as caught:
                await wrong.ping()
            assert "hunter" not in str(caught.value)
            await wrong.aclose()

    asyncio.run(main())


def test_without_a_url_the_store_is_in_the_process() -> None:
    assert isinstance(make_store(bare_settings().pick(StoreOptions)), MemoryStore)


def test_in_memory_values_are_bounded_by_count_and_by_size() -> None:
    async def main() -> None:
        store = MemoryStore(most=3, most_bytes=100)
        for name in "abcd":
            await store.set(name, b"x" * 10, ttl=60)
        assert [await store.get(name) for name in "abcd"] == [None, *[b"x" * 10] * 3]
        await store.get("b")
        await store.set("e", b"x" * 80, ttl=60)
        assert await store.get("c") is None, "the longest unused goes first"
        assert await store.get("b") is not None
        assert await store.get("e") is not None
        await store.set("f", b"x" * 1000, ttl=60)
        assert await store.get("f") is None

    asyncio.run(main())


def test_in_memory_expired_values_are_dropped_without_being_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        now = 1000.0
        monkeypatch.setattr("gateway.storage.store.time.monotonic", lambda: now)
        store = MemoryStore(most_bytes=1000)
        await store.set("kept", b"x" * 50, ttl=100)
        for n in range(9):
            await store.set(f"old{n}", b"x" * 100, ttl=5)
        now += 20
        await store.set("large", b"x" * 950, ttl=100)
        assert await store.get("kept") is not None, "the old ones made room"

    asyncio.run(main())


@pytest.mark.parametrize("extra", [b"$1\r\nX\r\n", b"\r\n", b"$"], ids=["reply", "line", "byte"])
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "together"])
def test_what_stands_behind_a_reply_is_the_reply_to_nothing(extra: bytes, apart: bool) -> None:
    """Values are who may do what, so that another's would be worse than none."""

    def answer(request: str, _: int) -> list[bytes]:
        if "GET" not in request:
            return [b"+OK\r\n" * request.count("SETINFO")]
        reply = b"$1\r\n%s\r\n" % request.rstrip()[-1].encode()
        return [reply, extra] if apart else [reply + extra]

    async def body(store: Store) -> None:
        for name in "123":
            assert await store.get(f"key{name}") == name.encode()
            await asyncio.to_thread(until, lambda: not upstream.answering)

    with keeping(answer) as upstream:
        asyncio.run(_with(RedisStore(upstream.url.replace("http", "redis"), timeout=5.0), body))
    # Each extra cost a connection.
    assert sum("GET" in text for each in upstream.connections for text in each[:-1]) == 0


def test_the_reply_to_a_command_that_was_given_up_is_nobodys() -> None:
    asked, release = threading.Event(), threading.Event()

    def answer(request: str, _: int) -> list[bytes]:
        if "GET" not in request:
            return [b"+OK\r\n" * request.count("SETINFO")]
        name = request.rstrip()[-1]
        if name == "1":
            asked.set()
            release.wait(PATIENCE)
        return [b"$1\r\n%s\r\n" % name.encode()]

    async def body(store: Store) -> None:
        given_up = asyncio.ensure_future(store.get("key1"))
        await asyncio.to_thread(asked.wait, 60)
        given_up.cancel()
        with suppress(asyncio.CancelledError):
            await given_up
        release.set()
        await asyncio.to_thread(until, lambda: not upstream.answering)
        assert await store.get("key2") == b"2"

    with keeping(answer) as upstream:
        asyncio.run(_with(RedisStore(upstream.url.replace("http", "redis"), timeout=5.0), body))


async def _with(store: Store, body: Callable[[Store], Awaitable[None]]) -> None:
    try:
        await body(store)
    finally:
        await store.aclose()


def test_what_is_kept_in_memory_takes_no_more_than_it_counts_for() -> None:
    """Whoever wrote it may have left room behind it."""

    async def keep() -> int:
        store, number = MemoryStore(), 200
        tracemalloc.start()
        try:
            for each in range(number):
                await store.set(f"{each}", orjson.dumps({"sid": each}), ttl=60)
            return tracemalloc.get_traced_memory()[0] // number
        finally:
            tracemalloc.stop()

    assert asyncio.run(keep()) < 1000
