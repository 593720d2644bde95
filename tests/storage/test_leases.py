"""Tokens that are taken ahead: cheaper, and never more than the bucket has, whoever takes them."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from gateway.storage.leases import SECONDS, Bucket
from gateway.storage.redis import RedisStore
from tests.support.valkey_process import ValkeyServer, valkey_server

# A worker that asks for more than its share, 30 at once, and says how much it got. It begins when
# it is told to, so that all do at once.
_WORKER = """
import asyncio, sys
from gateway.storage.redis import RedisStore

async def main(url, key, capacity, per_second, asked):
    store = RedisStore(url, timeout=10.0)
    await store.ping()
    print("ready", flush=True)
    sys.stdin.readline()
    got = 0
    limits = {"capacity": float(capacity), "per_second": float(per_second)}
    for _ in range(int(asked) // 30):
        waits = await asyncio.gather(*(store.take_one(key, **limits) for _ in range(30)))
        got += waits.count(0)
    print(got, flush=True)
    await store.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as running:
        yield running


def _run(server: ValkeyServer, body: Callable[[RedisStore], Awaitable[None]]) -> None:
    async def main() -> None:
        store = RedisStore(server.url, timeout=10.0)
        try:
            await body(store)
        finally:
            await store.aclose()

    asyncio.run(main())


def _taken(server: ValkeyServer, bucket: Bucket, workers: int, asked: int) -> int:
    """Let several processes take from a bucket at once; return what they got together."""
    command = [sys.executable, "-c", _WORKER, server.url, *map(str, bucket), str(asked)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(workers)
    ]
    try:
        for each in running:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        return sum(int(each.communicate("go\n", timeout=60)[0]) for each in running)
    finally:
        for each in running:
            each.kill()
            each.wait()


def _left(server: ValkeyServer, bucket: Bucket) -> float:
    """Return how much is in a bucket: more than it can hold is never taken."""
    found: list[float] = []

    async def body(store: RedisStore) -> None:
        key, capacity, per_second = bucket
        wait = await store.take(key, capacity=capacity, per_second=per_second, amount=2 * capacity)
        found.append(2 * capacity - wait * per_second)

    _run(server, body)
    return found[0]


def test_processes_that_take_all_get_as_many_together_as_one_bucket_has(
    server: ValkeyServer,
) -> None:
    bucket = Bucket("all", 1500, 1e-6)
    got = _taken(server, bucket, workers=3, asked=1500)
    assert got <= 1500
    assert got + _left(server, bucket) == pytest.approx(1500, abs=0.01), "none is lost"
    assert got >= 1500 - 3 * 1500 / 64, "each held ahead that part of what was left, at most"


def test_machines_that_do_not_take_all_leave_the_rest(server: ValkeyServer) -> None:
    bucket = Bucket("some", 3000, 1e-6)

    async def body(_: RedisStore) -> None:
        stores = [RedisStore(server.url, timeout=10.0) for _ in range(3)]
        takes = [
            store.take_one(bucket.key, capacity=3000, per_second=1e-6) for store in stores * 300
        ]
        assert await asyncio.gather(*takes) == [0] * 900
        for store in stores:
            await store.aclose()

    _run(server, body)
    assert _left(server, bucket) == pytest.approx(2100, abs=0.01)


def test_a_bucket_that_fills_up_never_gives_more_than_its_capacity_and_what_it_got(
    server: ValkeyServer,
) -> None:
    began = time.time()
    got = _taken(server, Bucket("filling", 600, 200), workers=3, asked=1500)
    assert got <= 600 + 200 * (time.time() - began)


def test_of_a_small_bucket_nothing_is_held_ahead(server: ValkeyServer) -> None:
    bucket = Bucket("small", 20, 1e-6)

    async def body(store: RedisStore) -> None:
        async def one() -> float:
            return await store.take_one(bucket.key, capacity=20, per_second=1e-6)

        assert await asyncio.gather(*(one() for _ in range(10))) == [0] * 10
        assert [await one() for _ in range(9)] == [0] * 9
        other = RedisStore(server.url, timeout=10.0)
        assert await other.take_one(bucket.key, capacity=20, per_second=1e-6) == 0
        assert await one() == pytest.approx(1e6, rel=0.01)
        await other.aclose()

    _run(server, body)


def test_what_is_held_ahead_is_asked_for_once_and_given_back(server: ValkeyServer) -> None:
    bucket = Bucket("returned", 100_000, 1e-6)

    async def body(store: RedisStore) -> None:
        async def one() -> float:
            return await store.take_one(bucket.key, capacity=100_000, per_second=1e-6)

        await store._client.config_resetstat()
        for _ in range(20):
            assert await asyncio.gather(*(one() for _ in range(50))) == [0] * 50
        stats = await store._client.info("commandstats")
        # Those of one moment are taken together; on a slow machine, they may be given back each time.
        assert stats["cmdstat_evalsha"]["calls"] <= 60

    _run(server, body)
    assert _left(server, bucket) == pytest.approx(99_000, abs=0.01)


def test_while_tokens_are_held_ahead_a_full_bucket_has_so_many_fewer(server: ValkeyServer) -> None:
    """It gets a million a second, so that it is full at any time."""
    bucket = Bucket("full", 640, 1e6)

    async def body(store: RedisStore) -> None:
        async def take(amount: float) -> float:
            return await store.take(bucket.key, capacity=640, per_second=1e6, amount=amount)

        began = time.monotonic()
        assert (await store.lend(bucket, 1, 50))[:2] == (1, 9)
        refused = await take(632) > 0
        assert refused or time.monotonic() > began + SECONDS
        assert await take(631) == 0
        await store.take_back(bucket, 9, "a name")
        await asyncio.sleep(0.01)
        assert await take(640) == 0

    _run(server, body)


def test_giving_back_twice_under_one_name_gives_back_once(server: ValkeyServer) -> None:
    """A reply may get lost, and the command is sent again."""
    bucket = Bucket("twice", 640, 1e-6)

    async def body(store: RedisStore) -> None:
        assert (await store.lend(bucket, 1, 50))[:2] == (1, 9)
        for _ in range(2):
            await store.take_back(bucket, 9, "a name")

    _run(server, body)
    assert _left(server, bucket) == pytest.approx(639, abs=0.01)


def test_what_a_dead_process_held_is_back_when_the_bucket_has_filled_up(
    server: ValkeyServer,
) -> None:
    bucket = Bucket("dead", 640, 1e6)

    async def body(store: RedisStore) -> None:
        await store.lend(bucket, 1, 50)
        async with asyncio.timeout(60):
            while await store.take(bucket.key, capacity=640, per_second=1e6, amount=640):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    _run(server, body)
