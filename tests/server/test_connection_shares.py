"""Connections have shares: whoever holds many leaves some to others, and to who asks for health."""

import json
import select
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.auth.connection_shares import ConnectionLimits, Shares
from gateway.errors import RateLimited
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.raw_bytes import Reply, connected, head, read_reply
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES, Socket, credentials, socket
from tests.support.waiting import until

_LIMIT = 12
_UNVERIFIED = 8
_OF_ADDRESS = 4
_OF_CALLER = 6


@pytest.fixture(scope="module")
def small(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway for few connections, behind a proxy."""
    with running_gateway(
        shared_sandbox,
        connection_limit=_LIMIT,
        unverified_connections=_UNVERIFIED,
        caller_connections=_OF_CALLER,
        trusted_proxies=("127.0.0.1",),
        socket_init_wait=60.0,
        header_timeout=60.0,
        keep_alive_timeout=60,
        legacy_websocket=True,
        metrics=True,
        breaker_failures=100,
        backoff_base=0.001,
        backoff_cap=0.002,
    ) as gateway:
        yield gateway


@pytest.fixture
def owner(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(role="owner", owned=1)


def opened(
    stack: ExitStack, gateway: RunningGateway, address: str = "203.0.113.7", **options: str
) -> Socket:
    """Open a WebSocket as a client of some address."""
    headers = {"x-forwarded-for": address}
    return stack.enter_context(socket(gateway, additional_headers=headers, **options))


def refused(connected_: Socket) -> tuple[int, str]:
    """Return code and reason of a WebSocket that is closed."""
    with pytest.raises(ConnectionClosed) as caught:
        connected_.receive()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def introduced(
    stack: ExitStack, gateway: RunningGateway, account: SandboxAccount, count: int
) -> list[Socket]:
    """Open WebSockets that are then idle."""
    sockets = []
    for each in range(count):
        one = opened(stack, gateway, f"198.51.100.{each}")
        one.init(account)
        sockets.append(one)
    return sockets


def asked(gateway: RunningGateway, path: str) -> Reply:
    """Ask for a path on a new connection."""
    with connected(gateway.url) as connection:
        connection.sendall(head(method="GET", path=path))
        reply = read_reply(connection)
        assert reply is not None
        return reply


def subscribed(gateway: RunningGateway, account: SandboxAccount) -> httpx.Response:
    """Ask for a stream of changes, and go."""
    with loopback.stream(
        "POST",
        f"{gateway.url}/graphql",
        json={"query": CHANGES},
        headers={"accept": "text/event-stream"},
        auth=account.auth,
    ) as response:
        if response.status_code != 200:
            response.read()
        return response


# Before somebody is known --------------------------------------------------------------------------


def test_clients_who_do_not_introduce_themselves_leave_room_for_other_addresses(
    small: RunningGateway, owner: SandboxAccount
) -> None:
    with ExitStack() as stack:
        for _ in range(_OF_ADDRESS):
            opened(stack, small)
        with pytest.raises(InvalidStatus) as caught:
            opened(stack, small)
        response = caught.value.response
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.body is not None
        [error] = json.loads(response.body)["errors"]
        assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfterMs": 1000}
        opened(stack, small, "203.0.113.8").init(owner)
        for _ in range(_OF_ADDRESS):
            opened(stack, small, "203.0.113.8")
        with pytest.raises(InvalidStatus):
            opened(stack, small, "203.0.113.9")
    # They are gone, and with them what they held.
    with ExitStack() as stack:
        until(lambda: _opens(small))
        opened(stack, small).init(owner)


def _opens(gateway: RunningGateway) -> bool:
    with ExitStack() as stack:
        try:
            opened(stack, gateway)
        except InvalidStatus:
            return False
        return True


def test_made_up_credentials_do_not_keep_a_connection(
    small: RunningGateway, owner: SandboxAccount
) -> None:
    for each in range(_LIMIT + 2):
        with ExitStack() as stack:
            connection = opened(stack, small, f"203.0.113.{each}")
            headers = credentials(owner) if each % 2 else credentials_of_nobody(owner)
            named = {"X-Account-Sid": "AC" + "0" * 32} if each % 2 else {}
            connection.send("connection_init", payload={**headers, **named})
            code, reason = refused(connection)
            assert code == 4403
            assert reason.startswith("Forbidden: ")


def credentials_of_nobody(account: SandboxAccount) -> dict[str, str]:
    made_up = httpx.BasicAuth(account.sid, "a guess")
    request = next(made_up.auth_flow(httpx.Request("GET", "http://gateway")))
    return {"Authorization": request.headers["authorization"]}


def test_many_connections_at_once_cost_one_call_and_those_after_them_none(
    small: RunningGateway, owner: SandboxAccount
) -> None:
    sandbox = small.sandbox
    sandbox.set_faults([{"kind": "latency", "latency_ms": 300, "count": None}])
    with ExitStack() as stack:
        sockets = [opened(stack, small, f"203.0.113.{each}") for each in range(_OF_CALLER)]
        for each in sockets:
            each.send("connection_init", payload=credentials(owner))
        for each in sockets:
            assert each.receive() == {"type": "connection_ack"}
        assert len(sandbox.requests()) == 1


def test_whoever_cannot_be_verified_now_is_told_to_come_back(
    small: RunningGateway, owner: SandboxAccount
) -> None:
    small.sandbox.set_faults([{"kind": "reset", "count": None}])
    with ExitStack() as stack:
        connection = opened(stack, small)
        connection.send("connection_init", payload=credentials(owner))
        code, reason = refused(connection)
        assert code == 1013
        assert reason.startswith("Try again in 1000 ms: ")
        connection = opened(stack, small, subprotocol="graphql-ws")
        connection.send("connection_init", payload=credentials(owner))
        told = connection.receive()
        assert told["type"] == "connection_error"
        assert told["payload"]["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
        assert told["payload"]["extensions"]["retryAfterMs"] >= 1000
        assert refused(connection)[0] == 1013
        small.sandbox.clear_faults()
        opened(stack, small, "203.0.113.8").init(owner)


def test_the_operators_own_credentials_need_no_proof(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account()
    own: dict[str, Any] = {"account_sid": account.sid, "auth_token": account.auth_token}
    with (
        running_gateway(sandbox, auth="open", **own) as gateway,
        socket(gateway) as connection,
    ):
        connection.send("connection_init")
        assert connection.receive() == {"type": "connection_ack"}
        assert sandbox.requests() == []


# Known callers -------------------------------------------------------------------------------------


def test_a_caller_has_a_share_of_connections(small: RunningGateway, owner: SandboxAccount) -> None:
    other = small.sandbox.create_account(role="owner")
    with ExitStack() as stack:
        first, *_ = introduced(stack, small, owner, _OF_CALLER)
        more = opened(stack, small)
        more.send("connection_init", payload=credentials(owner))
        code, reason = refused(more)
        assert (code, "of this caller" in reason) == (1013, True)
        response = subscribed(small, owner)
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        assert response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        introduced(stack, small, other, 1)
        first.connection.close()
        until(lambda: subscribed(small, owner).status_code == 200)


# At the limit --------------------------------------------------------------------------------------


@pytest.fixture
def full(small: RunningGateway, owner: SandboxAccount) -> Iterator[RunningGateway]:
    """The gateway with as many connections as it takes, none of which makes room."""
    other = small.sandbox.create_account(role="owner")
    with ExitStack() as stack:
        until(lambda: asked(small, "/graphql").status != 503)
        for account in (owner, other):
            introduced(stack, small, account, _OF_CALLER)
        yield small


def test_health_and_metrics_are_answered_at_the_limit_and_nothing_else_is(
    full: RunningGateway,
) -> None:
    for path in ("/healthz", "/readyz?verbose", "/metrics"):
        reply = asked(full, path)
        assert (reply.status, reply.headers["connection"], reply.closed) == (200, "close", True)
    for path in ("/graphql", "/", "/healthz/"):
        reply = asked(full, path)
        assert (reply.status, reply.headers["retry-after"], reply.closed) == (503, "1", True)
        assert reply.error()["extensions"] == {"code": "RATE_LIMITED", "retryAfterMs": 1000}
    with ExitStack() as stack, pytest.raises(InvalidStatus):
        opened(stack, full)


def test_silent_connections_beyond_the_limit_do_not_hide_health(full: RunningGateway) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(connected(full.url)) for _ in range(40)]
        assert asked(full, "/healthz").status == 200
        reply = read_reply(silent[0])
        assert reply is not None
        assert reply.status == 503


def test_at_the_limit_idle_connections_make_room(small: RunningGateway) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(small.url)) for _ in range(_LIMIT)]
        idle[0].sendall(head(method="GET", path="/healthz"))
        assert read_reply(idle[0]) is not None
        idle[1].sendall(b"GET /healthz HT")

        def came_to_an_end() -> bool:
            stack.enter_context(connected(small.url))
            return bool(select.select(idle[1:2], [], [], 0)[0])

        # Of those who let us wait, it has done so longest.
        until(came_to_an_end)
        late = read_reply(idle[1])
        assert late is not None
        assert late.status == 408
        until(lambda: asked(small, "/graphql").status != 503)


def test_settings_give_shares_by_the_limit_of_connections() -> None:
    shares = Shares(ConnectionLimits(16, None, None))
    with ExitStack() as stack:
        for address in ("a", "a", "b", "b"):
            stack.enter_context(shares.unverified.held(address))
        for _ in range(4):
            stack.enter_context(shares.callers.held("caller"))
        for share, name in ((shares.unverified, "c"), (shares.callers, "caller")):
            with pytest.raises(RateLimited), share.held(name):
                pass
    with shares.unverified.held("c"):
        pass
