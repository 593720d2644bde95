"""Streams: who may open them, for how long, and from where."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from gateway.auth.caller import Caller
from gateway.pipeline import subscriptions
from gateway.pipeline.subscriptions import Emission, Member
from gateway.upstream.call import Credential
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES, Socket, socket
from tests.support.tokens import TOKENS_MODE, token
from tests.transport.test_websocket import closing

_APP = "https://app.example"
_ACCOUNT = "{ account { friendlyName } }"
_READ = "{ phoneNumbers(first: 1) { nodes { sid } } }"


@pytest.fixture(scope="module")
def guarded(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway in tokens mode, for pages of one origin and its own."""
    with _guarded(shared_sandbox) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def over_asgi(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """One like it that has no server of its own."""
    with _guarded(shared_sandbox, adaptor="asgi") as gateway:
        yield gateway


def _guarded(sandbox: RunningSandbox, **chosen: Any) -> AbstractContextManager[RunningGateway]:
    parent = sandbox.accounts()["parent"]
    settings: dict[str, Any] = {
        **TOKENS_MODE,
        "token_leeway": 0,
        "account_sid": parent.sid,
        "auth_token": parent.auth_token,
        "cors_origins": (_APP,),
    }
    return running_gateway(sandbox, **settings, **chosen)


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.accounts()["parent"]


def _introduce(connected: Socket, bearer: str) -> dict[str, Any]:
    connected.send("connection_init", payload={"Authorization": f"Bearer {bearer}"})
    return connected.receive()


def test_a_token_is_shown_when_the_connection_begins(
    guarded: RunningGateway, account: SandboxAccount
) -> None:
    with socket(guarded) as connected:
        assert _introduce(connected, token(account.sid))["type"] == "connection_ack"
        connected.subscribe("1", _READ)
        assert connected.receive()["payload"]["data"]["phoneNumbers"]["nodes"]
    with socket(guarded) as connected, pytest.raises(ConnectionClosed) as caught:
        _introduce(connected, token(account.sid, key="x" * 40))
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4403


def test_scopes_and_accounts_hold_on_a_socket_too(
    guarded: RunningGateway, account: SandboxAccount, sandbox: RunningSandbox
) -> None:
    other = sandbox.subaccounts()[0]
    with socket(guarded) as connected:
        _introduce(connected, token(account.sid, scope="accounts:read"))
        connected.subscribe("1", CHANGES)
        refused = connected.receive()
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "FORBIDDEN"
    with socket(guarded) as connected:
        _introduce(connected, token(account.sid))
        connected.subscribe("1", CHANGES, account=other.sid)
        refused = connected.receive()
        errors = refused["payload"] if refused["type"] == "error" else refused["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "FORBIDDEN"


def test_a_connection_ends_when_its_token_expires(
    guarded: RunningGateway,
    over_asgi: RunningGateway,
    account: SandboxAccount,
    sandbox: RunningSandbox,
) -> None:
    """Subscriptions are told, what else had begun is answered, and nothing new begins."""
    began = time.monotonic()
    sandbox.set_faults([{"kind": "held", "path": r"^/2010-04-01/Accounts/\w+\.json$", "count": 2}])
    bearer = token(account.sid, exp=int(time.time()) + 3)
    with (
        socket(guarded) as idle,
        socket(over_asgi) as idle_over_asgi,
        socket(guarded) as busy,
        socket(over_asgi) as busy_over_asgi,
    ):
        for each in (idle, idle_over_asgi, busy, busy_over_asgi):
            assert _introduce(each, bearer)["type"] == "connection_ack"
        for each in (busy, busy_over_asgi):
            each.subscribe("1", CHANGES)
            each.subscribe("2", _ACCOUNT)
        for each in (idle, idle_over_asgi):
            assert closing(each) == (4403, "Forbidden: The token has expired.")
        for each in (busy, busy_over_asgi):
            ended = each.receive()
            assert (ended["type"], ended["id"]) == ("error", "1")
            assert ended["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            each.subscribe("3", _READ)
            refused = each.receive()
            assert (refused["type"], refused["id"]) == ("error", "3")
            assert refused["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        sandbox.clear_faults()
        for each in (busy, busy_over_asgi):
            assert each.receive()["payload"]["data"]["account"] == {"friendlyName": "Parent"}
            assert each.receive() == {"type": "complete", "id": "2"}
            assert closing(each) == (4403, "Forbidden: The token has expired.")
    assert 1 < time.monotonic() - began < 10


def test_an_event_that_waits_is_not_told_after_the_token_has_expired() -> None:
    """Or a subscription with always one more change would never end."""
    told: dict[float | None, list[Emission]] = {}
    for expires in (None, time.time() + 60, time.time() - 0.01):
        listener = subscriptions.Waiting(10)
        caller = Caller(Credential("AC1", "secret", "AC1"), "somebody", expires=expires)
        Member(listener, caller).tell(1, Emission(b"{}"))
        told[expires] = list(listener._emissions)
    assert [len(each) for each in told.values()] == [1, 1, 0]


def test_an_event_stream_ends_when_its_token_expires(
    guarded: RunningGateway, account: SandboxAccount
) -> None:
    bearer = token(account.sid, exp=int(time.time()) + 3)
    headers = {"authorization": f"Bearer {bearer}", "accept": "text/event-stream"}
    with loopback.stream(
        "POST",
        f"{guarded.url}/graphql",
        json={"query": CHANGES},
        headers=headers,
        timeout=15,
    ) as response:
        text = response.read().decode()
    assert "UNAUTHENTICATED" in text
    assert text.rstrip().endswith("event: complete") or "event: complete" in text


def _open(gateway: RunningGateway, origin: str | None, host: str | None = None) -> None:
    url = gateway.url.replace("http://", "ws://") + "/graphql"
    with connect(
        url,
        subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
        origin=origin,  # type: ignore[arg-type]
        additional_headers={"host": host} if host else None,
        proxy=None,
    ):
        pass


def test_pages_of_listed_origins_and_of_its_own_may_open_a_socket(guarded: RunningGateway) -> None:
    for origin in (None, _APP, guarded.url):
        _open(guarded, origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:1",
        "https://app.example.evil.example",
        "http://127.0.0.1",
        "http://[",
        "http://[::1",
        "http://a]b/",
    ],
)
def test_pages_of_other_origins_may_not(guarded: RunningGateway, origin: str) -> None:
    """Browsers ask nobody before they open a WebSocket to another origin."""
    with pytest.raises(InvalidStatus) as caught:
        _open(guarded, origin)
    assert caught.value.response.status_code == 403
