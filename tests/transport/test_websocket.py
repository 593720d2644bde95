"""GraphQL over WebSocket: the protocol graphql-transport-ws, its limits and its close codes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES, Socket, available, buy, credentials, socket

pytestmark = pytest.mark.both_adaptors
WHO = "{ account { sid } }"


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(role="subscriber", catalog=True)


@pytest.fixture(scope="module")
def strict(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway with tight limits for sockets, which also speaks the old protocol."""
    with running_gateway(
        shared_sandbox,
        socket_init_wait=1.5,
        socket_operations=2,
        frame_limit=2048,
        legacy_websocket=True,
    ) as gateway:
        yield gateway


def closing(connected: Socket) -> tuple[int, str]:
    """Return code and reason with which the gateway ends a connection."""

    def until_closed() -> None:
        while True:
            connected.receive()

    with pytest.raises(ConnectionClosed) as caught:
        until_closed()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_operations_run_side_by_side(gateway: RunningGateway, account: SandboxAccount) -> None:
    with socket(gateway) as connected:
        connected.init(account)
        connected.subscribe("changes", CHANGES)
        connected.subscribe("who", WHO)
        answer = {"data": {"account": {"sid": account.sid}}}
        assert connected.receive() == {"type": "next", "id": "who", "payload": answer}
        assert connected.receive() == {"type": "complete", "id": "who"}
        number = buy(gateway, account)
        change = connected.receive()
        assert (change["type"], change["id"]) == ("next", "changes")
        assert change["payload"]["data"]["phoneNumberChanged"]["numberId"] == number["sid"]


def test_mutations_and_variables_work_too(gateway: RunningGateway, account: SandboxAccount) -> None:
    query = """mutation Try($input: PurchasePhoneNumberInput!) {
      purchasePhoneNumber(input: $input) { wouldSend { method } }
    }"""
    with socket(gateway) as connected:
        connected.init(account)
        variables = {"input": {"phoneNumber": available(gateway), "dryRun": True}}
        connected.subscribe("1", query, **variables)
        data = connected.receive()["payload"]["data"]
        assert data == {"purchasePhoneNumber": {"wouldSend": {"method": "POST"}}}


def test_coming_back_with_the_last_event_id_brings_what_was_missed(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with socket(gateway) as connected:
        connected.init(account)
        connected.subscribe("1", CHANGES)
        connected.subscribe("2", WHO)
        while connected.receive()["type"] != "complete":
            pass
        buy(gateway, account)
        last = connected.receive()["payload"]["data"]["phoneNumberChanged"]["id"]
    missed = [buy(gateway, account)["sid"] for _ in range(2)]
    with socket(gateway) as connected:
        connected.init(account)
        payload = {"query": CHANGES, "extensions": {"lastEventId": last}}
        connected.send("subscribe", id="1", payload=payload)
        seen = [connected.receive()["payload"]["data"]["phoneNumberChanged"] for _ in missed]
        assert [each["numberId"] for each in seen] == missed


def test_a_completed_subscription_is_over(gateway: RunningGateway, account: SandboxAccount) -> None:
    with socket(gateway) as connected:
        connected.init(account)
        connected.subscribe("1", CHANGES)
        connected.send("complete", id="1")
        buy(gateway, account)
        connected.subscribe("1", WHO)
        assert connected.receive()["payload"]["data"] == {"account": {"sid": account.sid}}


def test_pings_are_answered(gateway: RunningGateway, account: SandboxAccount) -> None:
    with socket(gateway) as connected:
        connected.init(account)
        connected.send("ping")
        assert connected.receive() == {"type": "pong"}
        connected.send("ping", payload={"at": 1})
        assert connected.receive() == {"type": "pong", "payload": {"at": 1}}
        connected.send("pong")
        connected.subscribe("1", WHO)
        assert connected.receive()["type"] == "next"


def test_pings_are_answered_before_the_introduction(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with socket(gateway) as connected:
        connected.send("ping")
        assert connected.receive() == {"type": "pong"}
        connected.send("pong")
        connected.init(account)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "subscription { nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        (
            {"query": "query ($n: Int!) { phoneNumbers(first: $n) { nodes { sid } } }"},
            "BAD_USER_INPUT",
        ),
        ({"documentId": "unknown"}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"query": WHO, "documentId": "0" * 64}, "BAD_REQUEST"),
    ],
)
def test_an_operation_that_cannot_run_is_an_error_and_nothing_else(
    gateway: RunningGateway, account: SandboxAccount, payload: dict[str, Any], code: str
) -> None:
    with socket(gateway) as connected:
        connected.init(account)
        connected.send("subscribe", id="1", payload=payload)
        message = connected.receive()
        assert (message["type"], message["id"]) == ("error", "1")
        assert message["payload"][0]["extensions"]["code"] == code
        connected.subscribe("1", WHO)
        assert connected.receive()["type"] == "next"


def test_the_handshake_s_own_credentials_count(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with socket(gateway, additional_headers=credentials(account)) as connected:
        connected.send("connection_init")
        assert connected.receive() == {"type": "connection_ack"}


@pytest.mark.parametrize("payload", [{}, {"Authorization": "Basic nonsense"}, None])
def test_whoever_does_not_say_who_they_are_is_not_let_in(
    gateway: RunningGateway, payload: dict[str, str] | None
) -> None:
    with socket(gateway) as connected:
        connected.send("connection_init", payload=payload)
        with pytest.raises(ConnectionClosed) as caught:
            connected.receive()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4403, "Forbidden")


@pytest.mark.parametrize("subprotocol", ["graphql-ws", "something-else"])
def test_other_subprotocols_are_not_spoken(gateway: RunningGateway, subprotocol: str) -> None:
    with socket(gateway, subprotocol=subprotocol) as connected:
        assert connected.connection.subprotocol is None
        assert closing(connected)[0] == 4406


def test_introductions_must_come_first_and_once(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with socket(gateway) as connected:
        connected.subscribe("1", WHO)
        assert closing(connected)[0] == 4401
    with socket(gateway) as connected:
        connected.init(account)
        connected.send("connection_init", payload=credentials(account))
        assert closing(connected)[0] == 4429


def test_introductions_must_come_in_time(strict: RunningGateway) -> None:
    with socket(strict) as connected:
        assert closing(connected) == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize(
    "message", ["", "null", "1", "{}", '{"type": 1}', '{"type": "other"}', '{"type": "subscribe"}']
)
def test_messages_that_are_none_end_the_connection(
    gateway: RunningGateway, account: SandboxAccount, message: str
) -> None:
    with socket(gateway) as connected:
        connected.init(account)
        connected.connection.send(message)
        assert closing(connected)[0] == 4400


def test_an_id_in_use_cannot_be_used_again(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with socket(gateway) as connected:
        connected.init(account)
        connected.subscribe("1", CHANGES)
        connected.subscribe("1", CHANGES)
        assert closing(connected) == (4409, "Subscriber for 1 already exists")


def test_operations_at_once_are_limited(strict: RunningGateway, account: SandboxAccount) -> None:
    with socket(strict) as connected:
        connected.init(account)
        for name in "abc":
            connected.subscribe(name, CHANGES)
        refused = connected.receive()
        assert (refused["type"], refused["id"]) == ("error", "c")
        assert refused["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        connected.send("complete", id="a")
        connected.subscribe("c", WHO)
        assert connected.receive()["payload"]["data"] == {"account": {"sid": account.sid}}


def test_large_messages_end_the_connection(strict: RunningGateway, account: SandboxAccount) -> None:
    with socket(strict) as connected:
        connected.init(account)
        connected.subscribe("1", WHO + "#" * 2048)
        assert closing(connected)[0] == 1009


def test_the_old_protocol_is_spoken_where_it_is_asked_for(
    strict: RunningGateway, account: SandboxAccount
) -> None:
    with socket(strict, subprotocol="graphql-ws") as connected:
        connected.init(account)
        connected.send("start", id="1", payload={"query": WHO})
        answer = {"data": {"account": {"sid": account.sid}}}
        assert connected.receive() == {"type": "data", "id": "1", "payload": answer}
        assert connected.receive() == {"type": "complete", "id": "1"}
        connected.send("start", id="2", payload={"query": "{ nothing }"})
        message = connected.receive()
        assert (message["type"], message["id"]) == ("error", "2")
        assert "nothing" in message["payload"]["message"]
        connected.send("start", id="3", payload={"query": CHANGES})
        connected.send("stop", id="3")
        connected.send("connection_terminate")
        assert closing(connected)[0] == 1000


def test_the_old_protocol_says_why_somebody_is_not_let_in(strict: RunningGateway) -> None:
    with socket(strict, subprotocol="graphql-ws") as connected:
        connected.send("connection_init", payload={})
        message = connected.receive()
        assert message["type"] == "connection_error"
        assert message["payload"]["extensions"]["code"] == "UNAUTHENTICATED"
        assert closing(connected)[0] == 4403


def test_both_protocols_offered_means_the_new_one(strict: RunningGateway) -> None:
    url = strict.url.replace("http", "ws", 1) + "/graphql"
    from websockets.sync.client import connect  # noqa: PLC0415

    with connect(url, subprotocols=["graphql-ws", "graphql-transport-ws"], proxy=None) as wire:  # type: ignore[list-item]
        assert wire.subprotocol == "graphql-transport-ws"
        wire.send(json.dumps({"type": "ping"}))
