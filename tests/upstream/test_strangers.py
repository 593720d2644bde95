"""Whoever names an account without its credentials takes nothing from whoever has them."""

import asyncio
import json
import select
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from gateway.app import compose
from gateway.errors import UpstreamDenied, UpstreamThrottled
from gateway.transport.client_addresses import UNKNOWN, Addresses, share_of
from gateway.upstream.call import Credential
from gateway.upstream.strangers import Strangers
from tests.support import loopback
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import until

_WHO = "{ account { sid } }"
_SLOTS = 8
_OF_ADDRESS = 4
_MANY = 20


@pytest.fixture(scope="module")
def guarded(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway behind a proxy, with few slots for strangers."""
    with running_gateway(
        shared_sandbox,
        strangers_concurrency=_SLOTS,
        concurrency=_SLOTS,
        trusted_proxies=("127.0.0.1",),
        breaker_failures=5,
        breaker_pause=60.0,
        attempts=2,
        backoff_base=0.001,
        backoff_cap=0.002,
        attempt_timeout=30.0,
        call_deadline=60.0,
        request_deadline=60.0,
    ) as gateway:
        yield gateway


@pytest.fixture(params=[True, False], ids=["catalog", "core"])
def owner(sandbox: RunningSandbox, request: pytest.FixtureRequest) -> SandboxAccount:
    return sandbox.create_account(role="owner", owned=2, catalog=request.param)


def guess(
    gateway: RunningGateway, account: SandboxAccount, number: int, address: str = "203.0.113.7"
) -> dict[str, Any]:
    """Ask for an account with a made-up token, as a client of some address."""
    answer = loopback.post(
        f"{gateway.url}/graphql",
        json={"query": _WHO},
        auth=(account.sid, f"guess {number}"),
        headers={"x-forwarded-for": address},
        timeout=60.0,
    )
    return dict(answer.json())


def asked(sandbox: RunningSandbox, account: SandboxAccount) -> int:
    """Return how often the upstream was asked about an account, whatever is left of other tests."""
    return sum(account.sid in request["path"] for request in sandbox.requests())


@contextmanager
def crowd(gateway: RunningGateway, account: SandboxAccount) -> Iterator[list[socket.socket]]:
    """Ask with many made-up tokens at once; the upstream lets wait what reaches it."""
    path = f"*/Accounts/{account.sid}.json"
    hang = {"kind": "latency", "latency_ms": 12_000, "path": path, "count": _OF_ADDRESS}
    gateway.sandbox.set_faults([hang])
    gateway.sandbox.forget_requests()
    host, port = gateway.url.removeprefix("http://").split(":")
    body = json.dumps({"query": _WHO})
    with ExitStack() as stack:
        asking = []
        for each in range(_MANY):
            user = b64encode(f"{account.sid}:guess {each}".encode()).decode()
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(
                f"POST /graphql HTTP/1.1\r\nHost: gateway\r\nAuthorization: Basic {user}\r\n"
                f"X-Forwarded-For: 203.0.113.7\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            asking.append(connection)
        until(lambda: len(gateway.sandbox.requests()) >= _OF_ADDRESS)
        yield asking


def answered(asking: list[socket.socket]) -> int:
    """Return how many of those who ask have an answer."""
    return len(select.select(asking, [], [], 0)[0])


def test_made_up_tokens_take_no_slot_of_the_account_that_they_name(
    guarded: RunningGateway, owner: SandboxAccount
) -> None:
    guarded.query(_WHO, account=owner)
    with crowd(guarded, owner) as asking:
        asked = "{ account { sid } phoneNumbers { nodes { sid } } country(code: US) { code } }"
        data = guarded.query(asked, account=owner, headers={"x-forwarded-for": "203.0.113.7"})
        assert len(data["phoneNumbers"]["nodes"]) == 2
        assert not answered(asking)


def test_made_up_tokens_take_no_slot_of_other_addresses(
    guarded: RunningGateway, owner: SandboxAccount
) -> None:
    """Not even of somebody who comes for the first time."""
    with crowd(guarded, owner) as asking:
        headers = {"x-forwarded-for": "10.1.2.3, 198.51.100.9"}
        data = guarded.query(_WHO, account=owner, headers=headers)
        assert data["account"] == {"sid": owner.sid}
        assert not answered(asking)


def test_failures_of_made_up_tokens_neither_open_the_breaker_nor_spend_the_retries_of_an_account(
    guarded: RunningGateway, owner: SandboxAccount
) -> None:
    sandbox = guarded.sandbox
    path = f"*/Accounts/{owner.sid}.json"
    sandbox.set_faults([{"kind": "reset", "path": path, "count": None}])
    for each in range(12):
        error = guess(guarded, owner, each)["errors"][0]
        assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    assert asked(sandbox, owner) == 24
    # It comes for the first time, and from the same address.
    sandbox.set_faults([{"kind": "reset", "path": path}])
    headers = {"x-forwarded-for": "203.0.113.7"}
    for _ in range(2):
        data = guarded.query(_WHO, account=owner, headers=headers)
        assert data["account"] == {"sid": owner.sid}


def test_a_stranger_whose_calls_keep_failing_is_refused_by_a_breaker_of_its_own(
    guarded: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account()
    path = f"*/Accounts/{account.sid}.json"
    sandbox.set_faults([{"kind": "reset", "path": path, "count": None}])
    for _ in range(3):
        guess(guarded, account, 1)
    assert asked(sandbox, account) == 5
    guess(guarded, account, 2)
    assert asked(sandbox, account) == 7


# Slots --------------------------------------------------------------------------------------------


def test_of_one_address_the_newest_credential_is_served_first_and_addresses_take_turns() -> None:
    async def run() -> list[str]:
        strangers = Strangers(4, 4)
        served: list[str] = []

        async def ask(address: str, credential: str) -> None:
            assert await strangers.enter(address, credential, "AC")
            served.append(f"{address}{credential}")

        for each in (("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")):
            await ask(*each)
        waiting = [
            asyncio.create_task(ask(*each))
            for each in (("a", "3"), ("a", "4"), ("a", "5"), ("b", "3"), ("c", "1"))
        ]
        await asyncio.sleep(0)
        assert strangers.waiting == 5
        served.clear()
        strangers.leave("a", "1")
        strangers.leave("b", "1")
        strangers.leave("a", "2")
        strangers.leave("b", "2")
        await asyncio.sleep(0)
        first = list(served)
        strangers.leave("a", "5")
        await asyncio.gather(*waiting)
        assert strangers.waiting == 0
        return [*first, *served[len(first) :]]

    assert asyncio.run(run()) == ["a5", "b3", "c1", "a4", "a3"]


def test_what_waits_goes_on_when_its_credential_is_accepted_and_ends_when_it_is_refused() -> None:
    async def run() -> None:
        strangers = Strangers(4, 4)
        assert await strangers.enter("a", "good", "AC1")
        assert await strangers.enter("a", "bad", "AC1")
        asked = [("good", "AC1"), ("good", "AC2"), ("bad", "AC1")]
        waiting = [asyncio.create_task(strangers.enter("a", *each)) for each in asked]
        await asyncio.sleep(0)
        strangers.accept("good", "AC1")
        strangers.refuse("bad", "AC1", UpstreamDenied("Authenticate", status=401))
        assert await waiting[0] is False
        with pytest.raises(UpstreamDenied):
            await waiting[2]
        assert not waiting[1].done()
        strangers.leave("a", "good")
        assert await waiting[1] is True

    asyncio.run(run())


def test_of_too_many_who_wait_the_oldest_of_the_most_crowded_address_is_sent_away() -> None:
    async def run() -> None:
        strangers = Strangers(1, 1, most=3)
        assert await strangers.enter("a", "0", "AC")
        asked = [("b", "1"), ("a", "1"), ("a", "2"), ("a", "2"), ("a", "3")]
        waiting = [asyncio.create_task(strangers.enter(*each, "AC")) for each in asked]
        await asyncio.sleep(0)
        with pytest.raises(UpstreamThrottled) as caught:
            await asyncio.wait_for(waiting[1], 60)
        assert caught.value.extensions["retryAfterMs"] > 0
        assert [each.done() for each in waiting] == [False, True, False, False, False]
        for each in waiting[2:]:
            each.cancel()
        await asyncio.gather(*waiting[2:], return_exceptions=True)
        assert strangers.waiting == 1
        strangers.leave("a", "0")
        assert await waiting[0]
        strangers.leave("b", "1")
        assert (strangers.running, strangers.waiting) == (0, 0)

    asyncio.run(run())


# Addresses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("192.0.2.1", ["203.0.113.7"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.7, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
    ],
)
def test_only_trusted_proxies_say_which_address_a_client_has(
    peer: str, said: list[str], address: str
) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in said]
    assert Addresses(["10.0.0.0/8", "fd00::1"]).of(peer, headers) == address


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (["for=203.0.113.7;proto=https;by=10.0.0.1"], "203.0.113.7"),
        (['proto=https; For = "[2001:db8::1]:4711"'], "2001:db8::1"),
        (["for=198.51.100.1, for=203.0.113.7, for=10.0.0.2"], "203.0.113.7"),
        (["for=198.51.100.1", 'for="203.0.113.7:80", For="10.0.0.2"'], "203.0.113.7"),
        (["for=unknown, for=10.0.0.2"], "10.0.0.2"),
        (["for=_hidden"], "10.0.0.1"),
        (["proto=https"], "10.0.0.1"),
        # What a client leaves open swallows nothing of what a proxy adds.
        (['for="198.51.100.1, for=203.0.113.7'], "203.0.113.7"),
        (['for="[fd00::1], for="[2001:db8::1]"'], "2001:db8::1"),
        (['host="for=198.51.100.1;for=10.9.9.9";for=203.0.113.7'], "203.0.113.7"),
    ],
)
def test_the_structured_header_of_trusted_proxies_is_read_from_its_end(
    said: list[str], address: str
) -> None:
    headers = [(b"forwarded", each.encode()) for each in said]
    assert Addresses(["10.0.0.0/8", "fd00::1"]).of("10.0.0.1", headers) == address
    assert Addresses(["10.0.0.0/8"], "x-forwarded-for").of("10.0.0.1", headers) == "10.0.0.1"
    assert Addresses(["10.0.0.0/8"]).of("192.0.2.1", headers) == "192.0.2.1"


@pytest.mark.parametrize(
    ("header", "address"),
    [(None, "203.0.113.7"), ("x-forwarded-for", "203.0.113.7"), ("forwarded", "198.51.100.1")],
)
def test_of_both_headers_only_the_one_that_proxies_write_is_read(
    header: str | None, address: str
) -> None:
    headers = [(b"forwarded", b"for=198.51.100.1"), (b"x-forwarded-for", b"203.0.113.7")]
    assert Addresses(["10.0.0.1"], header).of("10.0.0.1", headers) == address


def test_without_trusted_proxies_the_connection_says_it() -> None:
    headers = [(b"x-forwarded-for", b"203.0.113.7")]
    assert Addresses([]).of("10.0.0.1", headers) == "10.0.0.1"
    assert Addresses(["10.0.0.1"]).of(UNKNOWN, headers) == UNKNOWN


def test_addresses_of_one_ipv6_network_have_one_share() -> None:
    assert share_of("2001:db8::1") == share_of("2001:db8::ffff:1") != share_of("2001:db8:0:1::1")
    assert share_of("203.0.113.7") == "203.0.113.7"


def test_an_account_goes_on_with_the_slots_that_its_credential_has_had_as_a_strangers() -> None:
    """Also for who asks between the answer that proves it and the end of the call behind that."""

    async def scenario() -> None:
        client = compose(bare_settings()).client
        credential = Credential("AC" + "1" * 32, "secret", "AC" + "1" * 32)
        begun = client._used_by(credential, credential.account)
        client.accepted.note(credential, credential.account)
        assert client._used_by(credential, credential.account) is begun
        assert [*client.limiters()] == [begun.limiter]
        # Who is refused from now on is a stranger again, and moves nothing of the account's.
        client.accepted.forget(credential, credential.account)
        assert client._used_by(credential, credential.account) is not begun

    asyncio.run(scenario())
