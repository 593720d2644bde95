"""Streams: who may open them, for how long, and from where."""

import time
from collections.abc import Iterator
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

_APP = "https://app.example"
_READ = "{ phoneNumbers(first: 1) { nodes { sid } } }"


@pytest.fixture(scope="module")
def guarded(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway in tokens mode, for pages of one origin and its own."""
    parent = shared_sandbox.accounts()["parent"]
    chosen: dict[str, Any] = {
        **TOKENS_MODE,
        "token_leeway": 0,
        "account_sid": parent.sid,
        "auth_token": parent.auth_token,
        "cors_origins": (_APP,),
    }
    with running_gateway(shared_sandbox, **chosen) as gateway:
        yield gateway


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


def test_a_subscription_ends_when_its_token_expires(
    guarded: RunningGateway, account: SandboxAccount
) -> None:
    began = time.monotonic()
    with socket(guarded) as connected:
        _introduce(connected, token(account.sid, exp=int(time.time()) + 3))
        connected.subscribe("1", CHANGES)
        ended = connected.receive()
        assert ended["type"] == "error"
        assert ended["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        # And nothing new begins on the connection.
        connected.subscribe("2", _READ)
        refused = connected.receive()
        assert refused["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
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
