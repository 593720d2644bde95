"""Told to stop: no new work, what was begun is finished, and nobody can hold it up."""

import json
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.faults.asking import OWN, document, fresh_number, in_ledger, mutate, told, writes
from tests.faults.test_hangups import begin
from tests.support import loopback, streams
from tests.support.gateway_process import (
    GatewayProcess,
    free_port,
    gateway_process,
    served_with_sandbox,
)
from tests.support.raw_bytes import connected, head, is_refused, posted, read_reply
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import LATE, PATIENCE, until

Tell = Callable[[str], None]


def exit_of(gateway: GatewayProcess, limit: float) -> str:
    """Return how the process ended, `limit` seconds after it was told to."""
    started = time.monotonic()
    code = gateway.process.wait(PATIENCE)
    took = time.monotonic() - started
    return f"exit {code} {'within' if took < limit + LATE else f'{took:.1f} s, beyond'} {limit:g} s"


@pytest.mark.fault(
    "SIGTERM in the middle of a purchase",
    expected="done; 1 write, 1 in the ledger; new connections refused, requests on open ones 503 with"
    " Retry-After; exit 0 within 8 s",
)
def test_a_purchase_in_flight_is_finished_and_new_work_refused(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(catalog=False)
    number = fresh_number(sandbox)
    sandbox.set_faults([{"kind": "held", "method": "POST", "account": account.sid}])
    with (
        gateway_process(sandbox, data) as gateway,
        ThreadPoolExecutor(1) as pool,
        connected(gateway.asked.url) as waiting,
        ExitStack() as stack,
    ):
        asking = [stack.enter_context(connected(gateway.asked.url)) for _ in range(30)]
        run = pool.submit(mutate, gateway.asked, "purchase", account, phoneNumber=number)
        until(lambda: sandbox.faults()[0]["fired"])
        gateway.stop()
        until(lambda: is_refused(gateway.asked.url))
        waiting.sendall(head("content-length: 0", method="GET", path="/readyz"))
        ready = read_reply(waiting)
        body = json.dumps({"query": OWN}).encode()
        refused = None
        for each in asking:
            # For a moment after the port was closed, who got in just before is still served.
            each.sendall(posted(body, account))
            refused = read_reply(each)
            if refused is None or refused.status != 200:
                break
            time.sleep(0.1)
        sandbox.clear_faults()
        payload = run.result()
        ended = exit_of(gateway, 8)
    assert ready is not None
    assert (ready.status, json.loads(ready.body)["checks"]["process"]) == (503, "draining")
    assert refused is not None
    assert refused.closed
    assert refused.error()["extensions"]["retryAfterMs"] > 0
    later = "with Retry-After" if refused.headers.get("retry-after") else "without Retry-After"
    seen(
        f"{told(payload)}; {in_ledger(sandbox, number, 'purchase')}; new connections refused,"
        f" requests on open ones {refused.status} {later}; {ended}"
    )


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "multipart/mixed"])
@pytest.mark.fault(
    "SIGTERM in the middle of an answer: in one piece, as server-sent events, as parts",
    expected="all of it comes; exit 0 within 8 s",
)
def test_an_answer_is_sent_to_its_end(
    sandbox: RunningSandbox, data: Path, accept: str, seen: Tell
) -> None:
    similar = "similarAvailable(within: LATA, first: 1) { nodes { phoneNumber } }"
    query = f"{{ phoneNumbers(first: 1) {{ nodes {{ sid ... @defer {{ {similar} }} }} }} }}"
    sandbox.set_faults([{"kind": "latency", "latency_ms": 1500, "path": "*Available*"}])
    with gateway_process(sandbox, data) as gateway, ThreadPoolExecutor(1) as pool:
        headers = {"accept": accept}
        run = pool.submit(gateway.asked.post, {"query": query}, headers=headers)
        until(lambda: any("Available" in each["path"] for each in sandbox.requests()))
        gateway.stop()
        answer = run.result()
        ended = exit_of(gateway, 8)
    assert answer.headers["content-type"].startswith(accept)
    assert "errors" not in answer.text
    seen(f"{'all' if 'similarAvailable' in answer.text else 'part'} of it comes; {ended}")


@pytest.mark.fault("SIGTERM while nothing is to do", expected="exit 0 within 5 s")
def test_an_idle_gateway_leaves_at_once(sandbox: RunningSandbox, data: Path, seen: Tell) -> None:
    with gateway_process(sandbox, data) as gateway:
        gateway.asked.query(OWN)
        gateway.stop()
        seen(exit_of(gateway, 5))


@pytest.mark.fault(
    "SIGTERM while clients send half a head, half a body, and take no answer",
    expected="exit 0 within 6 s",
)
def test_slow_and_half_open_connections_cannot_hold_it(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(owned=1000)
    with gateway_process(sandbox, data) as gateway:
        url = urlsplit(gateway.asked.url)
        address = (url.hostname or "", url.port or 0)
        head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connections = [socket.create_connection(address) for _ in range(4)]
        connections[1].sendall(head[:40])
        connections[2].sendall(head + b"Content-Length: 1000\r\n\r\n{")
        connections[3].sendall(head + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
        # A large answer, asked for again and again, of which nothing is ever taken.
        greedy = "{ phoneNumbers(first: 1000) { nodes { id sid phoneNumber friendlyName } } }"
        connections += [begin(gateway.asked, greedy, account) for _ in range(3)]
        time.sleep(1)
        gateway.stop()
        seen(exit_of(gateway, 6))
        for connection in connections:
            connection.close()


@pytest.mark.fault(
    "SIGTERM while the upstream hangs beyond the limit of 4 s; the same key after a restart",
    expected="OUTCOME_UNKNOWN; exit 0 within 4 s; then done, reconciled, replayed; 1 write, 1 in the"
    " ledger",
)
def test_what_cannot_be_finished_in_time_stays_answerable(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(catalog=False)
    number = fresh_number(sandbox)
    given = {"phoneNumber": number, "idempotencyKey": "too late"}
    sandbox.set_faults(
        [
            {"kind": "latency", "commit": True, "latency_ms": 8000, "method": "POST"}
            | {"account": account.sid}
        ]
    )
    slow = {"attempt_timeout": 30.0, "call_deadline": 30.0, "request_deadline": 40.0}
    with (
        gateway_process(sandbox, data, drain_limit=4, **slow) as gateway,
        ThreadPoolExecutor(1) as pool,
    ):
        run = pool.submit(mutate, gateway.asked, "purchase", account, **given)
        until(lambda: writes(sandbox))
        gateway.stop()
        ended = exit_of(gateway, 4)
        first = run.result()
    with gateway_process(sandbox, data) as gateway:
        payload = mutate(gateway.asked, "purchase", account, **given)
    seen(f"{told(first)}; {ended}; then {told(payload)}; {in_ledger(sandbox, number, 'purchase')}")


def kind_of(connection: streams.Socket) -> str:
    """Return the type of the next message, or that there will be none."""
    try:
        return str(connection.receive()["type"])
    except ConnectionClosed:
        return "closed"


@pytest.mark.fault(
    "SIGTERM while clients follow changes over WebSocket and server-sent events",
    expected="WebSocket closed with 1012, events without `complete`; exit 0 within 6 s",
)
def test_subscriptions_are_closed_so_that_clients_come_back(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(owned=1)
    with (
        gateway_process(sandbox, data) as gateway,
        streams.socket(gateway.asked) as socket_,
        streams.events(gateway.asked, account=account) as followed,
    ):
        socket_.init(account)
        socket_.subscribe("1", streams.CHANGES)
        followed.confirmed()
        gateway.stop()
        # Told too late, the subscription may have been refused before.
        assert set(iter(lambda: kind_of(socket_), "closed")) <= {"error"}
        code = socket_.connection.close_code
        assert "connect again" in (socket_.connection.close_reason or "")
        frames = []
        with suppress(httpx.TransportError, EOFError):
            while True:
                frames.append(followed.frame().event)
        ended = exit_of(gateway, 6)
    last = "with" if "complete" in frames else "without"
    seen(f"WebSocket closed with {code}, events {last} `complete`; {ended}")


def takes_nothing_new(connection: streams.Socket) -> bool:
    """Ask for something small; return whether that is refused."""
    connection.subscribe("small", "{ __typename }")
    while (kind := kind_of(connection)) in {"next", "ping"}:
        pass
    return kind == "error"


@pytest.mark.fault(
    "SIGTERM in the middle of a purchase over WebSocket; another one after it",
    expected="done; then SHUTTING_DOWN; 1 write, 1 in the ledger; exit 0 within 8 s",
)
def test_a_websocket_is_closed_after_its_purchase_and_takes_no_new_one(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(catalog=False)
    number = fresh_number(sandbox)
    sandbox.set_faults([{"kind": "held", "method": "POST", "account": account.sid}])
    with gateway_process(sandbox, data) as gateway, streams.socket(gateway.asked) as socket_:
        socket_.init(account)
        socket_.subscribe("1", document("purchase"), input={"phoneNumber": number})
        until(lambda: writes(sandbox))
        gateway.stop()
        # For a moment after the port was closed, what comes is still served.
        until(lambda: takes_nothing_new(socket_))
        socket_.subscribe("2", document("purchase"), input={"phoneNumber": "+12125550101"})
        refused = socket_.receive()
        sandbox.clear_faults()
        answered, completed = socket_.receive(), socket_.receive()
        assert completed == {"type": "complete", "id": "1"}
        ended = exit_of(gateway, 8)
    payload = answered["payload"]["data"]["purchasePhoneNumber"]
    code = refused["payload"][0]["extensions"]["code"]
    seen(f"{told(payload)}; then {code}; {in_ledger(sandbox, number, 'purchase')}; {ended}")


@pytest.mark.fault(
    "SIGTERM with a limit of 3 s while the collector of traces takes them and never answers",
    expected="exit 0 within 5 s",
)
def test_a_collector_that_hangs_cannot_hold_it(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as collector:
        address = f"http://127.0.0.1:{collector.getsockname()[1]}"
        settings = {"traces": True, "drain_limit": 3, "OTEL_EXPORTER_OTLP_ENDPOINT": address}
        with gateway_process(sandbox, data, **settings) as gateway:
            gateway.asked.query(OWN)
            gateway.stop()
            seen(exit_of(gateway, 5))


def gone(process: subprocess.Popen[str], url: str, limit: float) -> str:
    """Return how both ended, `limit` seconds after the gateway was told to."""
    code = process.wait(limit + LATE)
    with pytest.raises(httpx.ConnectError):
        loopback.get(f"{url}/_sandbox/accounts")
    return f"exit {code}, both gone within {limit:g} s"


@pytest.mark.fault(
    "SIGTERM to a gateway that started its sandbox", expected="exit 0, both gone within 5 s"
)
def test_its_own_sandbox_goes_with_it(tmp_path: Path, seen: Tell) -> None:
    # A proxy of the machine's environment does not stand between the two.
    nowhere = {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}"}
    with served_with_sandbox("--numbers", "100", folder=tmp_path, **nowhere) as (
        graphql,
        url,
        process,
    ):
        answer = loopback.post(f"{graphql}/graphql", json={"query": OWN})
        assert answer.json()["data"]["account"]["sid"]
        process.terminate()
        seen(gone(process, url, 5))


@pytest.mark.fault(
    "SIGTERM to a gateway that started its sandbox, before it serves",
    expected="exit 0, both gone within 5 s",
)
def test_its_own_sandbox_goes_with_it_from_the_first_moment(tmp_path: Path, seen: Tell) -> None:
    with served_with_sandbox("--numbers", "100", folder=tmp_path) as (_, url, process):
        process.terminate()
        seen(gone(process, url, 5))
