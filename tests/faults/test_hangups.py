"""Clients that hang up: their reads are given up upstream, their writes are not."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from tests.faults.asking import OWN, document, in_ledger, mutate, told, writes
from tests.faults.test_writes import VERBS, case_of, inject
from tests.support import streams
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import LATE, PATIENCE, until

pytestmark = pytest.mark.both_adaptors
Tell = Callable[[str], None]


def begin(
    gateway: RunningGateway, query: str, account: SandboxAccount, variables: Any = None
) -> socket.socket:
    """Send an operation on a connection of its own, which the test may close whenever it likes."""
    return send(gateway, {"query": query, "variables": variables or {}}, account)


def send(gateway: RunningGateway, request: object, account: SandboxAccount) -> socket.socket:
    """Send a request, one operation or several, on a connection of its own."""
    url = urlsplit(gateway.url)
    body = json.dumps(request).encode()
    who = base64.b64encode(":".join(account.auth).encode()).decode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Basic {who}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection((url.hostname or "", url.port or 0))
    connection.sendall(head.encode() + body)
    return connection


@pytest.mark.fault(
    "a client hangs up while its read hangs upstream",
    expected="the upstream call is cancelled within 5 s",
)
def test_a_hang_up_cancels_the_reads_upstream(
    sandbox: RunningSandbox, adaptor: str, seen: Tell
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        asked, closed = threading.Event(), threading.Event()

        def hang() -> None:
            upstream, _ = listening.accept()
            with upstream:
                upstream.recv(65536)
                asked.set()
                if upstream.recv(1) == b"":
                    closed.set()

        threading.Thread(target=hang).start()
        with (
            capture_logs() as lines,
            running_gateway(
                sandbox, adaptor=adaptor, core_url=url, attempt_timeout=30.0, upstream_ready=0
            ) as gateway,
        ):
            client = begin(gateway, OWN, gateway.account)
            assert asked.wait(PATIENCE)
            time.sleep(0.1)
            assert not closed.is_set()
            client.close()
            cancelled = closed.wait(5 + LATE)
    outcomes = [each["outcome"] for each in lines if each["event"] == "request"]
    assert outcomes == ["CLIENT_GONE"]
    seen(f"the upstream call is {'cancelled' if cancelled else 'still open'} within 5 s")


@pytest.mark.fault(
    "one of two clients that share a read hangs up", expected="the other gets its data; 1 call"
)
def test_a_shared_read_goes_on_for_whoever_still_waits(gateway: RunningGateway, seen: Tell) -> None:
    account = gateway.sandbox.create_account()
    gateway.sandbox.set_faults([{"kind": "held", "account": account.sid}])
    leaving = begin(gateway, OWN, account)
    until(gateway.sandbox.requests)
    with ThreadPoolExecutor(1) as pool:
        staying = pool.submit(gateway.query, OWN, account=account)
        time.sleep(1)  # Nothing tells that it waits for the same call.
        leaving.close()
        time.sleep(0.2)
        gateway.sandbox.clear_faults()
        data = staying.result()
    assert data["account"]["sid"] == account.sid
    seen(f"the other gets its data; {len(gateway.sandbox.requests())} call")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.fault(
    "a client hangs up in the middle of a mutation with a key; it asks again",
    expected="done, replayed; 1 write, 1 in the ledger",
)
def test_a_hang_up_does_not_abort_a_mutation(quick: RunningGateway, verb: str, seen: Tell) -> None:
    case = case_of(quick, verb, "CORE")
    inject(quick.sandbox, case.account, {"kind": "latency", "latency_ms": 250})
    given = {**case.given, "idempotencyKey": "hung up"}
    client = begin(quick, document(verb), case.account, {"input": given})
    until(lambda: writes(quick.sandbox))
    client.close()
    payload = mutate(quick, verb, case.account, **given)
    seen(f"{told(payload)}; {in_ledger(quick.sandbox, case.number, verb)}")


def test_a_hang_up_before_the_write_leaves_does_not_abort_it_either(quick: RunningGateway) -> None:
    case = case_of(quick, "purchase", "CORE")
    slow = {"kind": "latency", "latency_ms": 200, "method": "GET", "account": case.account.sid}
    quick.sandbox.set_faults([slow])
    client = begin(quick, document("purchase"), case.account, {"input": case.given})
    until(quick.sandbox.requests)
    client.close()
    until(lambda: in_ledger(quick.sandbox, case.number, "purchase") == "1 write, 1 in the ledger")


def test_a_hang_up_lets_a_query_of_a_list_go_and_what_writes_behind_it_is_done(
    sandbox: RunningSandbox, adaptor: str
) -> None:
    with running_gateway(sandbox, adaptor=adaptor, batch_limit=2) as gateway:
        case = case_of(gateway, "purchase", "CORE")
        sandbox.set_faults([{"kind": "held", "account": case.account.sid, "method": "GET"}])
        bought = {"query": document("purchase"), "variables": {"input": case.given}}
        client = send(gateway, [{"query": OWN}, bought], case.account)
        until(sandbox.requests)
        client.close()
        time.sleep(0.3)  # Nothing tells that it is known to have gone.
        sandbox.clear_faults()
        until(lambda: in_ledger(sandbox, case.number, "purchase") == "1 write, 1 in the ledger")


@pytest.mark.fault(
    "a client hangs up in the middle of a purchase over WebSocket",
    expected="1 write, 1 in the ledger; whoever follows changes is told",
)
def test_a_closed_websocket_does_not_abort_a_purchase_and_others_get_to_know(
    quick: RunningGateway, seen: Tell
) -> None:
    case = case_of(quick, "purchase", "CORE")
    inject(quick.sandbox, case.account, {"kind": "latency", "latency_ms": 250})
    with streams.events(quick, account=case.account) as followed:
        followed.confirmed()
        with streams.socket(quick) as leaving:
            leaving.init(case.account)
            leaving.subscribe("1", document("purchase"), input=case.given)
            until(lambda: writes(quick.sandbox))
        change = followed.change()
    assert (change["kind"], change["number"]) == ("PURCHASED", case.number)
    seen(f"{in_ledger(quick.sandbox, case.number, 'purchase')}; whoever follows changes is told")


def test_a_replay_is_no_new_change(quick: RunningGateway) -> None:
    case = case_of(quick, "purchase", "CORE")
    sid = quick.sandbox.numbers(case.account.sid)[0]["sid"]
    with streams.events(quick, account=case.account) as followed:
        followed.confirmed()
        for _ in "12":
            mutate(quick, "purchase", case.account, **case.given, idempotencyKey="told once")
        renamed = {"sid": sid, "configuration": {"friendlyName": "Next"}}
        mutate(quick, "configure", case.account, **renamed)
        changes = [followed.change()["kind"] for _ in "12"]
    assert changes == ["PURCHASED", "CONFIGURED"]
