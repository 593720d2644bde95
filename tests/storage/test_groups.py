"""A store of several servers: behind sentinels, and as a cluster."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from gateway.cli.safety_checks import report
from gateway.settings.store_url import Place, StoreUrl
from gateway.storage.redis import RedisStore
from gateway.storage.store import Store, StoreUnavailable
from tests.storage.test_shared import BUY, RENAME, bought, sids, subscribed
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import running_gateway
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.valkey_groups import Watched, cluster, watched_servers
from tests.support.valkey_process import ValkeyServer

PASSWORD = "hunter2hunter2"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched_servers(tmp_path_factory.mktemp("watched"), password=PASSWORD) as servers:
        yield servers


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ValkeyServer]]:
    with cluster(tmp_path_factory.mktemp("cluster"), password=PASSWORD) as servers:
        yield servers


def of_cluster(nodes: list[ValkeyServer]) -> str:
    """Return the URL of a cluster; the first server that it names is not there."""
    places = ",".join(f"127.0.0.1:{each.port}" for each in nodes[1:])
    return f"valkey+cluster://:{PASSWORD}@127.0.0.1:1,{places}"


@pytest.fixture(params=["watched", "nodes"])
def url(request: pytest.FixtureRequest) -> str:
    servers = request.getfixturevalue(request.param)
    return servers.url if isinstance(servers, Watched) else of_cluster(servers)


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, prefix=f"{uuid4()}:", **{"timeout": 5.0} | options)
    try:
        yield store
    finally:
        await store.aclose()


async def _keeps_its_promises(store: Store) -> None:
    names = [f"key{number}" for number in range(20)]
    assert all(await asyncio.gather(*(store.add(each, b"1", ttl=60) for each in names)))
    assert not any(await asyncio.gather(*(store.add(each, b"2", ttl=60) for each in names)))
    assert all(await asyncio.gather(*(store.replace(each, b"1", b"3", ttl=60) for each in names)))
    await asyncio.gather(*(store.remove(each, b"1") for each in names))
    assert {await store.get(each) for each in names} == {b"3"}
    await store.delete(*names)
    assert {await store.get(each) for each in names} == {None}
    for bucket in ("one", "two", "three", "four"):
        waits = await asyncio.gather(
            *(store.take(bucket, capacity=5, per_second=0.01, amount=1) for _ in range(8))
        )
        assert waits.count(0) == 5
        asked = (store.take_one(f"{bucket}s", capacity=5, per_second=0.01) for _ in range(8))
        assert [await each for each in asked].count(0) == 5
    # Names are many enough to be kept by each server of a cluster.
    clocks = {await store.clock(each) for each in names}
    assert all(name.startswith("store ") for name, _ in clocks)
    await asyncio.gather(*(store.set(each, each.encode(), ttl=60) for each in names))
    assert await asyncio.gather(*map(store.get, names)) == [each.encode() for each in names]
    await store.ping()
    await store.probe()


def test_every_command_and_script_works_wherever_its_key_is(url: str) -> None:
    async def main() -> None:
        async with opened(url) as store:
            await _keeps_its_promises(store)
            # More at once than there are connections.
            many = [store.set(f"many{number}", b"1", ttl=60) for number in range(300)]
            await asyncio.gather(*many)

    asyncio.run(main())


def test_messages_reach_followers_in_other_processes(url: str) -> None:
    async def main() -> None:
        prefix = f"{uuid4()}:"
        one, two = (RedisStore(url, prefix=prefix, timeout=5.0) for _ in range(2))
        arrived: asyncio.Queue[bytes] = asyncio.Queue()

        async def follow() -> None:
            async for message in two.follow("x"):
                arrived.put_nowait(message)

        following = asyncio.create_task(follow())
        async with asyncio.timeout(60):
            while arrived.empty():
                await one.publish("x", b"hello")
                await asyncio.sleep(0.05)
        assert arrived.get_nowait() == b"hello"
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await one.aclose()
        await two.aclose()

    asyncio.run(main())


def test_two_gateways_over_a_group_buy_once_and_share_events(
    sandbox: RunningSandbox, url: str
) -> None:
    account = sandbox.create_account(owned=3)
    number = str(sandbox.put_number()["phone_number"])
    chosen: dict[str, Any] = {
        "account": account,
        "store_url": url,
        "store_prefix": f"{uuid4()}:",
        "store_timeout": 5.0,
        "purchases_per_day": 5,
        "poll_interval": 0,
    }
    with running_gateway(sandbox, **chosen) as one, running_gateway(sandbox, **chosen) as two:
        ready = one.http.get(f"{one.url}/readyz").json()
        assert ready["ready"]
        asked = {"number": number, "key": uuid4().hex}
        first, again = (each.query(BUY, asked)["purchasePhoneNumber"] for each in (one, two))
        assert first["phoneNumber"]["sid"] == again["phoneNumber"]["sid"]
        assert (first["replayed"], again["replayed"]) == (False, True)
        assert bought(sandbox, account, number) == 1
        changed = sids(one)[0]
        with subscribed(two) as arrived:
            one.query(RENAME, {"sid": changed, "name": "From the other"})
            event = arrived.get(timeout=60)["data"]["phoneNumberChanged"]
            assert event == {"kind": "CONFIGURED", "numberId": changed}


def test_a_server_of_a_cluster_that_is_full_is_found_whatever_keys_are_asked_for(
    nodes: list[ValkeyServer],
) -> None:
    async def main(ill: Any) -> None:
        async with opened(of_cluster(nodes)) as store:
            await store.probe()
            ill.config_set("maxmemory", 1)
            try:
                with pytest.raises(StoreUnavailable) as caught:
                    await store.probe()
            finally:
                ill.config_set("maxmemory", 0)
            assert caught.value.cause == "full"
            await store.probe()

    for node in nodes:
        with Redis(port=node.port, password=PASSWORD) as ill:
            asyncio.run(main(ill))


def _checked(url: str) -> tuple[int, str]:
    lines: list[str] = []
    chosen: dict[str, Any] = {"store_url": url, "auth": "pass-through", "store_timeout": 5.0}
    return report(bare_settings(**chosen), lines.append), "".join(lines)


def test_check_describes_each_server_and_shows_no_password(
    watched: Watched, nodes: list[ValkeyServer]
) -> None:
    for url, servers in (
        (watched.url, [watched.names()]),
        (of_cluster(nodes), [each.port for each in nodes]),
    ):
        _, text = _checked(url)
        [line] = [each for each in text.splitlines() if "reach the shared store" in each]
        assert line.startswith("ok"), line
        assert line.count("keeps a log (always)") == len(servers)
        assert all(f"127.0.0.1:{port} keeps" in line for port in servers)
        assert "hunter" not in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("of-hunter2", "of-wrong"), "The sentinels refuse the password"),
        ((":hunter2hunter2@", ":wrong@"), "(?i)invalid (username|password)|WRONGPASS"),
        (("/numbers", "/others"), "No sentinel answers and knows a primary of 'others'"),
    ],
)
def test_why_sentinels_do_not_help_is_said_without_passwords(
    watched: Watched, change: tuple[str, str], said: str
) -> None:
    code, text = _checked(watched.url.replace(*change))
    assert code == 1
    [line] = [each for each in text.splitlines() if "reach the shared store" in each]
    assert line.startswith("failed")
    assert pytest.importorskip("re").search(said, line), line
    assert "hunter" not in text
    assert "wrong" not in text
    assert "<" not in line, "nothing of the library's own"


@pytest.mark.parametrize(
    ("text", "kind", "places", "plain", "service"),
    [
        ("redis://h", "server", [("h", 6379)], "redis://h:6379/", ""),
        (
            "valkeys://u:p%40@h:1/2?socket_keepalive=yes",
            "server",
            [("h", 1)],
            "rediss://u:p%40@h:1/2?socket_keepalive=yes",
            "",
        ),
        ("redis://[::1]/0", "server", [("::1", 6379)], "redis://[::1]:6379/0", ""),
        (
            "rediss+sentinel://:p@a,b:2,[::1]:3/my%2Fmaster/4?sentinel_password=s&db=1",
            "sentinel",
            [("a", 26379), ("b", 2), ("::1", 3)],
            "rediss://:p@a:26379/4?db=1",
            "my/master",
        ),
        ("valkey+cluster://a:1,b/0", "cluster", [("a", 1), ("b", 6379)], "redis://a:1/0", ""),
        ("unix:///run/v.sock?db=1", "server", [], "unix:///run/v.sock?db=1", ""),
    ],
)
def test_a_url_says_what_kind_of_store_it_is_and_where(
    text: str, kind: str, places: list[Any], plain: str, service: str
) -> None:
    parsed = StoreUrl.parse(text)
    assert (parsed.kind, parsed.plain, parsed.service) == (kind, plain, service)
    assert list(parsed.places) == [Place(*each) for each in places]
    assert parsed.is_encrypted == text.startswith(("rediss", "valkeys"))
    assert parsed.sentinel_password == ("s" if "sentinel_password" in text else "")


@pytest.mark.parametrize(
    "text",
    [
        *("http://h", "redis://", "redis://:secret@", "redis://a,b", "redis://h:0", "redis://h:x"),
        *("redis://h/x", "redis://:se#cret@h", "redis://:se/cret@h", "unix://", "redis+other://h"),
        *("redis+sentinel://h", "redis+sentinel://h/", "redis+sentinel://a,,b/m"),
        *("redis+cluster://h/1", "redis+cluster://", "valkey", ""),
    ],
)
def test_what_is_no_url_of_a_store_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it|^a|[Pp]ort") as caught:
        StoreUrl.parse(text)
    assert "secret" not in str(caught.value)
