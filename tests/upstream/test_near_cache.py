"""What a process has at hand of the shared store: until it hears of a change, and bounded."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.storage.redis import RedisStore
from gateway.storage.store import MemoryStore, StoreUnavailable
from gateway.upstream import near_cache
from gateway.upstream.near_cache import NearCache
from tests.support.valkey_process import ValkeyServer, valkey_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as running:
        yield running


def _run(server: ValkeyServer, body: Callable[[NearCache, NearCache], Awaitable[None]]) -> None:
    """Run a coroutine function with two caches of two stores, as of two machines, that hear."""

    async def main() -> None:
        stores = [RedisStore(server.url, timeout=5.0) for _ in range(2)]
        one, two = [NearCache(store) for store in stores]
        try:
            for each in (one, two):
                await _until(each._hears)
            await asyncio.wait_for(body(one, two), 60)
        finally:
            for each in (one, two):
                await each.aclose()
            for store in stores:
                await store.aclose()

    asyncio.run(main())


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _until_at_hand(cache: NearCache, name: str) -> None:
    """Ask for a generation until it is at hand: its second may be over before one looks."""
    async with asyncio.timeout(60):
        while cache.generation_at_hand(name) is None:
            with suppress(StoreUnavailable):
                await cache.generation(name)


def test_a_generation_is_at_hand_until_another_process_raises_it(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_cache, "_GENERATION_SECONDS", 1000.0)

    async def body(one: NearCache, two: NearCache) -> None:
        assert await one.generation("g") == await two.generation("g") == b""
        assert one.generation_at_hand("g") == two.generation_at_hand("g") == b""
        await one.set_generation("g", b"new", ttl=60)
        assert one.generation_at_hand("g") is None, "its own process knows at once"
        await _until(lambda: two.generation_at_hand("g") is None)
        assert await two.generation("g") == b"new"
        assert two.generation_at_hand("g") == b"new"
        assert two.generation_at_hand("another") is None

    _run(server, body)


def test_a_generation_that_changes_while_it_is_read_is_not_kept(server: ValkeyServer) -> None:
    async def body(one: NearCache, _: NearCache) -> None:
        read = asyncio.create_task(one.generation("read"))
        await asyncio.sleep(0)  # It has been asked for.
        one._heard(b"read")
        assert await read == b""
        assert one.generation_at_hand("read") is None

    _run(server, body)


def test_a_generation_is_asked_for_again_after_a_moment_whatever_is_heard(
    server: ValkeyServer,
) -> None:
    async def body(one: NearCache, _: NearCache) -> None:
        assert await one.generation("old") == b""
        await one._store.set("old", b"said nothing", ttl=60)
        await _until(lambda: one.generation_at_hand("old") is None)
        assert await one.generation("old") == b"said nothing"

    _run(server, body)


def test_whoever_does_not_hear_has_nothing_at_hand_until_it_hears_again(tmp_path: Path) -> None:
    with valkey_server(tmp_path) as server:

        async def body(one: NearCache, _: NearCache) -> None:
            await _until_at_hand(one, "g")
            one.keep_answer("a", b"kept", 1000)
            assert one.answer("a") == b"kept"
            server.kill()
            await _until(lambda: one.answer("a") is None)
            assert one.generation_at_hand("g") is None
            one.keep_answer("a", b"not kept", 1000)
            with pytest.raises(StoreUnavailable):
                await one.generation("g")
            server.start()
            await _until_at_hand(one, "g")
            assert one.answer("a") is None, "all of it was forgotten"

        with capture_logs() as lines:
            _run(server, body)
    lost = [line for line in lines if line["event"] == "store_feed_lost"]
    assert len(lost) == 2, "one line for each of the two, however often they tried"


def test_answers_at_hand_are_bounded_in_bytes_and_time(server: ValkeyServer) -> None:
    async def body(one: NearCache, _: NearCache) -> None:
        one.keep_answer("huge", b"x" * (2**20 + 1), 100)
        assert one.answer("huge") is None, "it would take the place of many"
        for index in range(100):
            one.keep_answer(f"a{index}", b"x" * 2**19, 1000)
            assert one.answer("a0") is not None or index > 20, "the longest unused goes first"
        kept = [index for index in range(100) if one.answer(f"a{index}") is not None]
        assert len(kept) * 2**19 <= near_cache._MOST_BYTES
        assert 99 in kept
        one.keep_answer("short", b"x", 0.01)
        await asyncio.sleep(0.02)
        assert one.answer("short") is None

    _run(server, body)


def test_generations_at_hand_are_bounded(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_cache, "_MOST_GENERATIONS", 3)

    async def body(one: NearCache, _: NearCache) -> None:
        for index in range(10):
            await one.generation(f"g{index}")
        assert len(one._generations) <= 3

    _run(server, body)


def test_a_process_alone_has_its_store_at_hand_anyway() -> None:
    async def main() -> None:
        cache = NearCache(MemoryStore())
        assert await cache.generation("g") == b""
        await asyncio.sleep(0)
        cache.keep_answer("a", b"kept", 1000)
        assert cache.generation_at_hand("g") is None
        assert cache.answer("a") is None
        await cache.aclose()

    asyncio.run(main())
