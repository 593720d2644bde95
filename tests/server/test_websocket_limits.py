"""Hostile WebSockets: heads and frames that no well-behaved client would send."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import before, served
from tests.support.process_memory import MEMORY_SHOWS, resident
from tests.support.raw_bytes import HANDSHAKE as _HANDSHAKE
from tests.support.raw_bytes import connected, head, read_reply
from tests.support.raw_bytes import frame as _frame
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import Socket, credentials
from tests.support.streams import socket as web_socket
from tests.support.waiting import PATIENCE

_CONTINUED, _TEXT, _CLOSE, _PING, _PONG = 0, 1, 8, 9, 10


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.accounts()["parent"]


@contextmanager
def _opened(url: str, account: SandboxAccount) -> Iterator[socket.socket]:
    """A bare connection on which a WebSocket was accepted and introduced."""
    with connected(url) as connection:
        connection.sendall(head(*_HANDSHAKE, method="GET"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 101")
        init = {"type": "connection_init", "payload": credentials(account)}
        connection.sendall(_frame(_TEXT, json.dumps(init).encode()))
        assert b"connection_ack" in connection.recv(4096)
        yield connection


def _ending(connection: socket.socket) -> bytes:
    """Read until the gateway hangs up; return the last that it said."""
    said = b""
    try:
        while more := connection.recv(2**16):
            said = (said + more)[-200:]
    except ConnectionResetError:
        pass
    return said


def _send_until_cut_off(connection: socket.socket, block: bytes, times: int) -> int:
    """Return how often a block could be sent."""
    for index in range(times):
        try:
            connection.sendall(block)
        except OSError:
            return index
    return times


# Floods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [b"", b" "], ids=["F-01-empty", "F-02-one-byte"])
def test_a_message_in_countless_fragments_is_refused(gateway: RunningGateway, piece: bytes) -> None:
    with _opened(gateway.url, gateway.account) as connection:
        connection.sendall(_frame(_TEXT, b"{", last=False))
        block = _frame(_CONTINUED, piece, last=False) * 1000
        assert _send_until_cut_off(connection, block, 1000) < 1000
        # What was said may be lost with what was not read.
        said = _ending(connection)
        assert not said or b"fragments" in said


def test_a_message_in_many_fragments_is_taken(gateway: RunningGateway) -> None:
    with _opened(gateway.url, gateway.account) as connection:
        ping = json.dumps({"type": "ping", "payload": {"a": "x" * 50_000}}).encode()
        pieces = [ping[start : start + 64] for start in range(0, len(ping), 64)]
        sent = _frame(_TEXT, pieces[0], last=False)
        sent += b"".join(_frame(_CONTINUED, each, last=False) for each in pieces[1:])
        connection.sendall(sent + _frame(_CONTINUED))
        assert b"pong" in connection.recv(4096)


@pytest.mark.parametrize("opcode", [_PING, _PONG], ids=["F-03-pings", "F-04-pongs"])
def test_countless_control_frames_are_refused(gateway: RunningGateway, opcode: int) -> None:
    with _opened(gateway.url, gateway.account) as connection:
        connection.settimeout(0.001)
        said = b""
        for _ in range(200):
            try:
                connection.sendall(_frame(opcode, b"x" * 8) * 100)
                said += connection.recv(2**16)
            except TimeoutError:
                continue
            except OSError:
                break
        connection.settimeout(PATIENCE)
        # It may not have read all of that yet; if it is never cut off, this is never over.
        with suppress(ConnectionError):
            while more := connection.recv(2**16):
                said += more
        assert said.count(b"xxxxxxxx") < 6000


@pytest.fixture
def process(shared_sandbox: RunningSandbox, tmp_path: Path) -> Iterator[tuple[int, str]]:
    with served(folder=tmp_path, **before(shared_sandbox), GATEWAY_WRITE_TIMEOUT="3") as (
        url,
        running,
    ):
        yield running.pid, url


@pytest.mark.skipif(not MEMORY_SHOWS, reason="reads memory from /proc")
def test_answers_that_a_client_does_not_read_do_not_fill_the_memory(
    process: tuple[int, str], shared_sandbox: RunningSandbox
) -> None:
    """It is not read from, either, and then cut off."""
    pid, url = process
    account = shared_sandbox.accounts()["parent"]
    loopback.get(f"{url}/healthz")
    idle = resident(pid)
    with _opened(url, account) as connection:
        ping = json.dumps({"type": "ping", "payload": {"a": "x" * 100_000}}).encode()
        assert _send_until_cut_off(connection, _frame(_TEXT, ping) * 10, 100) < 100
        assert resident(pid) - idle < 32 * 2**20
    with _opened(url, account) as connection:
        block = _frame(_PING, b"x" * 125) * 2000
        assert _send_until_cut_off(connection, block, 240) < 240
        assert resident(pid) - idle < 32 * 2**20
    assert loopback.get(f"{url}/healthz").status_code == 200


def test_a_client_that_takes_a_rest_and_then_reads_on_gets_everything(
    shared_sandbox: RunningSandbox,
) -> None:
    with (
        running_gateway(shared_sandbox, write_timeout=30) as gateway,
        _opened(gateway.url, gateway.account) as connection,
    ):
        ping = json.dumps({"type": "ping", "payload": {"a": "x" * 200_000}}).encode()
        connection.settimeout(0.2)
        sent = bytearray(_frame(_TEXT, ping) * 100)
        received = 0
        while sent:
            try:
                del sent[: connection.send(sent)]
            except TimeoutError:
                # Neither side reads any more, until this one does.
                connection.settimeout(PATIENCE)
                received += len(connection.recv(2**20))
                connection.settimeout(0.2)
        connection.settimeout(PATIENCE)
        while received < 100 * len('{"type":"pong","payload":{"a":""}}') + 100 * 200_000:
            received += len(connection.recv(2**20))


# Messages -----------------------------------------------------------------------------------------

_DEEP = "[" * 300 + "]" * 300
MESSAGES = {
    "M-01-deep-ping": '{"type": "ping", "payload": ' + _DEEP + "}",
    "M-02-deeper": '{"type": "ping", "payload": ' + "[" * 90_000 + "]" * 90_000 + "}",
    "M-03-deep-extensions": '{"type": "subscribe", "id": "1", "payload": {"query": "subscription'
    ' { phoneNumberChanged { id } }", "extensions": {"lastEventId": ' + _DEEP + "}}}",
    "M-04-event-id-list": '{"type": "subscribe", "id": "1", "payload": {"query": "subscription'
    ' { phoneNumberChanged { id } }", "extensions": {"lastEventId": [1]}}}',
    "M-05-event-id-object": '{"type": "subscribe", "id": "1", "payload": {"query": "subscription'
    ' { phoneNumberChanged { id } }", "extensions": {"lastEventId": {"a": 1}}}}',
    "M-06-long-type": '{"type": "' + "\U0001f600" * 200 + '"}',
    "M-07-not-json": "{",
    "M-08-lone-surrogate": '{"type": "\\ud800"}',
    "M-09-no-object": "[1]",
    "M-10-no-type": '{"type": 7}',
    "M-11-no-id": '{"type": "subscribe"}',
    "M-12-long-id-twice": '{"type": "subscribe", "id": "' + "\U0001f600" * 200 + '", "payload":'
    ' {"query": "subscription { phoneNumberChanged { id } }"}}',
}


def _closing(client: Socket) -> int:
    def until_closed() -> None:
        while True:
            client.receive()

    with pytest.raises(ConnectionClosed) as caught:
        until_closed()
    assert caught.value.rcvd is not None, "the connection broke"
    assert caught.value.rcvd.reason
    return caught.value.rcvd.code


@pytest.mark.parametrize("probe", MESSAGES)
def test_a_message_that_is_none_ends_the_connection_with_a_reason(
    gateway: RunningGateway, account: SandboxAccount, probe: str
) -> None:
    with web_socket(gateway) as client:
        client.init(account)
        client.connection.send(MESSAGES[probe])
        if "twice" in probe:
            client.connection.send(MESSAGES[probe])
        assert _closing(client) in {4400, 4409}


def test_what_is_nested_as_deeply_as_allowed_comes_back(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    payload: dict[str, object] = {}
    for _ in range(29):
        payload = {"a": payload}
    with web_socket(gateway) as client:
        client.init(account)
        client.send("ping", payload=payload)
        assert client.receive() == {"type": "pong", "payload": payload}


# Handshakes ---------------------------------------------------------------------------------------

HANDSHAKES = {
    "U-01-no-key": (tuple(each for each in _HANDSHAKE if "-key" not in each), "/graphql", 400),
    "U-02-bad-key": ((*_HANDSHAKE[:2], "sec-websocket-key: x", _HANDSHAKE[3]), "/graphql", 400),
    "U-03-old-version": (
        (*_HANDSHAKE[:3], "sec-websocket-version: 8"),
        "/graphql",
        400,
    ),
    "U-04-foreign-origin": ((*_HANDSHAKE, "origin: https://evil.example"), "/graphql", 403),
    "U-05-broken-origin": ((*_HANDSHAKE, "origin: http://["), "/graphql", 403),
    "U-06-nothing-there": (_HANDSHAKE, "/nothing", 404),
    "U-07-long-header": ((*_HANDSHAKE, "x: " + "a" * 9000), "/graphql", 431),
    "U-08-long-url": (_HANDSHAKE, "/graphql?" + "a" * 9000, 414),
}


@pytest.mark.parametrize("probe", HANDSHAKES)
def test_a_handshake_that_is_refused_is_answered_in_json(
    gateway: RunningGateway, probe: str
) -> None:
    headers, path, status = HANDSHAKES[probe]
    with connected(gateway.url) as connection:
        connection.sendall(head(*headers, method="GET", path=path))
        reply = read_reply(connection)
        assert reply is not None
        assert reply.status == status
        code = {403: "FORBIDDEN", 404: "PATH_NOT_FOUND"}.get(status, "BAD_REQUEST")
        assert reply.error()["extensions"]["code"] == code
        assert connection.recv(1) == b""


# What is not served -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("POST", "/healthz", 405),
        ("DELETE", "/readyz", 405),
        ("POST", "/graphql/", 404),
        ("GET", "/graphql/?query=x", 404),
        ("GET", "//evil.example/graphql", 404),
        ("GET", "/assets/nothing", 404),
    ],
)
def test_what_is_not_served_is_refused_in_json(
    gateway: RunningGateway, method: str, path: str, status: int
) -> None:
    with connected(gateway.url) as connection:
        connection.sendall(head(method=method, path=path))
        reply = read_reply(connection)
    assert reply is not None
    assert reply.status == status
    code = "PATH_NOT_FOUND" if status == 404 else "BAD_REQUEST"
    assert reply.error()["extensions"]["code"] == code
    assert ("allow" in reply.headers) == (status == 405)


# Signs of life -----------------------------------------------------------------------------------


def test_a_websocket_without_a_pong_is_closed(shared_sandbox: RunningSandbox) -> None:
    with (
        running_gateway(shared_sandbox, keep_alive=0.1, write_timeout=0.5) as gateway,
        _opened(gateway.url, gateway.account) as connection,
    ):
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    assert bytes([0x80 | _PING, 4]) in received
    assert b'{"type":"ping"}' in received
    assert bytes([0x80 | _CLOSE]) in received
    assert b"keepalive ping timeout" in received


def test_a_websocket_with_pongs_lives(
    shared_sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    """It answers the pings of the protocol; what it does with messages is its own affair."""
    with running_gateway(shared_sandbox, keep_alive=0.1) as gateway, web_socket(gateway) as opened:
        opened.init(account)
        assert [opened.receive() for _ in range(5)] == [{"type": "ping"}] * 5
        opened.send("pong")
        opened.subscribe("1", "{ __typename }")
        while (answer := opened.receive()) == {"type": "ping"}:
            pass
        assert answer["payload"] == {"data": {"__typename": "Query"}}
