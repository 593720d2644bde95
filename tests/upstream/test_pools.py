"""Connections to the upstream are there before they are needed, and no write is lost on an old one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.upstream import call, pools
from gateway.upstream.connections import Response
from gateway.upstream.dialling import Dialler, NotConnected
from gateway.upstream.pools import Pool
from gateway.upstream.proxies import Origin
from gateway.upstream.redaction import Redactor
from tests.faults.asking import OWN, fresh_number, mutate, told
from tests.faults.hostile import Keeping, keeping, response
from tests.support.certificates import make_certificate, server_tls
from tests.support.gateway_in_thread import running_gateway
from tests.support.gateway_process import free_port
from tests.support.relay import Relay, relay
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
def front(sandbox: RunningSandbox, certificate: Path) -> Iterator[Relay]:
    """The sandbox over TLS."""
    with relay(sandbox.url, tls=server_tls(certificate)) as front:
        yield front


def before(front: Relay, certificate: Path, **more: Any) -> dict[str, Any]:
    """Return the settings of a gateway in front of it."""
    url = front.url
    return {"core_url": url, "catalog_url": url, "upstream_ca": certificate, **more}


# Of a gateway -------------------------------------------------------------------------------------


def test_the_first_operation_finds_connections_that_are_there(
    front: Relay, certificate: Path, sandbox: RunningSandbox
) -> None:
    with running_gateway(sandbox, **before(front, certificate)) as gateway:
        until(lambda: front.open == 4)
        gateway.query(OWN)
        # Two waves, of an account of which nothing is known.
        account = sandbox.create_account(catalog=False, owned=3)
        gateway.query(
            "{ phoneNumbers(first: 3) { nodes { monthlyPrice { amount } } } }", account=account
        )
        assert front.opened == 4


def test_what_clears_a_refusal_of_a_credential_is_made_while_its_first_calls_are_under_way(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Noted(Redactor):
        def __init__(self, username: str, secret: str) -> None:
            super().__init__(username, secret)
            made.append(username)

    monkeypatch.setattr(call, "Redactor", Noted)
    account = sandbox.create_account(catalog=True, owned=1)
    sandbox.set_faults([{"kind": "held", "method": "GET", "count": None}])
    with running_gateway(sandbox) as gateway, ThreadPoolExecutor(1) as thread:
        query = "{ phoneNumbers(first: 1) { nodes { sid } } }"
        answer = thread.submit(gateway.query, query, account=account)
        try:
            until(lambda: account.sid in made)
            assert not answer.done()
        finally:
            sandbox.clear_faults()
        assert answer.result()
    assert made.count(account.sid) == 1


def test_connections_that_nobody_uses_are_made_anew_before_they_are_too_old(
    front: Relay, certificate: Path, sandbox: RunningSandbox
) -> None:
    """And go on with the TLS session of those before them."""
    with running_gateway(sandbox, **before(front, certificate, upstream_keep=0.4)) as gateway:
        until(lambda: front.opened >= 16 and front.resumed >= 8)
        until(lambda: front.open >= 4)
        gateway.query(OWN)


def test_connections_that_nobody_uses_do_not_become_more(
    front: Relay, certificate: Path, sandbox: RunningSandbox
) -> None:
    """The old ones are closed although nobody asks and the upstream ends none."""
    with running_gateway(sandbox, **before(front, certificate, upstream_keep=0.4)):
        until(lambda: front.opened >= 24)
        until(lambda: front.open <= 8)


def test_connections_that_the_upstream_ends_are_replaced(
    front: Relay, certificate: Path, sandbox: RunningSandbox
) -> None:
    with running_gateway(sandbox, **before(front, certificate)) as gateway:
        until(lambda: front.open == 4)
        front.end_all()
        until(lambda: front.opened == 8)
        gateway.query(OWN)
        assert front.opened == 8


def test_none_are_opened_ahead_where_none_shall_be(
    front: Relay, certificate: Path, sandbox: RunningSandbox
) -> None:
    with running_gateway(sandbox, **before(front, certificate, upstream_ready=0)) as gateway:
        gateway.query(OWN)
        assert front.opened == 1


def test_a_purchase_on_connections_that_the_upstream_has_forgotten_is_done_once(
    front: Relay, certificate: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not used for it, old as they are; what was read before may have been on them."""
    with running_gateway(sandbox, **before(front, certificate)) as gateway:
        account = sandbox.create_account(catalog=False, owned=1)
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
        opened = front.opened
        monkeypatch.setattr(pools, "_FRESH", -1.0)
        payload = mutate(gateway, "purchase", account, phoneNumber=fresh_number(sandbox))
        assert told(payload) == "done"
        assert front.opened > opened


# Of a pool ----------------------------------------------------------------------------------------


def pooled(
    work: Callable[[Pool, Keeping], Awaitable[None]],
    answer: Callable[[str, int], list[bytes]] = lambda *_: [response(b"{}")],
    **options: Any,
) -> None:
    """Run `work` with a pool of connections to a server that answers as told."""

    async def run(upstream: Keeping) -> None:
        chosen = {"keep": 60.0, "body_limit": 1000} | options
        pool = Pool(Origin.of(upstream.url), Dialler(5.0), **chosen)
        try:
            await work(pool, upstream)
        finally:
            await pool.aclose()

    with keeping(answer) as upstream:
        asyncio.run(run(upstream))


def test_a_read_takes_what_is_there_and_a_write_what_has_just_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(pool: Pool, upstream: Keeping) -> None:
        for writes in (False, True, False):
            await pool.send(REQUEST, within=5, writes=writes)
        assert upstream.opened == 1
        monkeypatch.setattr(pools, "_FRESH", -1.0)
        await pool.send(REQUEST, within=5)
        assert upstream.opened == 1
        await pool.send(REQUEST, within=5, writes=True)
        assert [len(each) for each in upstream.connections] == [4, 1]

    pooled(work)


def test_as_many_as_were_needed_at_once_are_opened_again_by_the_first_request() -> None:
    """They have ended while nobody asked; a nested query needs many as soon as the first answers."""

    async def work(pool: Pool, upstream: Keeping) -> None:
        end = asyncio.get_running_loop().time() + 60.0
        for each in await asyncio.gather(*(pool.take(end) for _ in range(10))):
            pool.keep(each)
        pool._keep = 0.0
        assert pool.idle() is None
        pool._keep = 60.0
        await _comes(lambda: not pool._all)
        pool.keep_ready(1)
        await _comes(lambda: len(pool._idle) == 1)
        await pool.send(REQUEST, within=5)
        await _comes(lambda: upstream.opened == 20)

    pooled(work)


def test_who_waits_takes_a_connection_that_is_given_back_before_another_is_made() -> None:
    async def work(pool: Pool, _: Keeping) -> None:
        await pool.open()
        connection = pool.idle()
        assert connection is not None
        hanging = asyncio.Event()
        dial = pool._dialler.dial

        async def slow(*given: Any) -> Any:
            await hanging.wait()
            return await dial(*given)

        pool._dialler.dial = slow  # type: ignore[assignment, method-assign]
        waiting = asyncio.create_task(pool.send(REQUEST, within=20))
        await asyncio.sleep(0)
        pool.keep(connection)
        assert (await waiting).body == b"{}"
        hanging.set()

    pooled(work)


def test_a_request_that_is_given_up_loses_no_connection() -> None:
    async def work(pool: Pool, upstream: Keeping) -> None:
        gone = asyncio.create_task(pool.send(REQUEST, within=20))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        answers = [await pool.send(REQUEST, within=5) for _ in range(2)]
        assert [each.status for each in answers] == [200, 200]
        assert [len(each) for each in upstream.connections] == [2]

    pooled(work)


def test_of_several_that_cannot_connect_each_is_told() -> None:
    async def run() -> list[Response | BaseException]:
        nowhere = Origin.of(f"http://127.0.0.1:{free_port()}")
        pool = Pool(nowhere, Dialler(5.0), body_limit=1000, keep=60.0)
        pool.keep_ready(2)
        many = [pool.send(REQUEST, within=20) for _ in range(5)]
        outcomes = await asyncio.gather(*many, return_exceptions=True)
        await pool.aclose()
        return outcomes

    assert [type(each) for each in asyncio.run(run())] == [NotConnected] * 5


async def _comes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another thread brings it about
            await asyncio.sleep(0.01)
