"""Two gateways that share a Valkey: what one knows the other knows, and what a crash leaves."""

import base64
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import before, served
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import events
from tests.support.valkey_process import ValkeyServer, valkey_server
from tests.support.waiting import PATIENCE, until

BUY = """mutation Buy($number: E164!, $key: String!) {
  purchasePhoneNumber(input: { phoneNumber: $number, idempotencyKey: $key }) {
    phoneNumber { sid } replayed userErrors { code }
  }
}"""
PAGE = "{ phoneNumbers(first: 5) { nodes { sid } } }"


@contextmanager
def pair(
    sandbox: RunningSandbox, folder: Path, **settings: Any
) -> Iterator[tuple[ValkeyServer, RunningGateway, RunningGateway]]:
    """Run a Valkey and two gateways of one account that share it, as two machines would."""
    account = sandbox.create_account(owned=5)
    for name in ("valkey", "one", "two"):
        (folder / name).mkdir()
    with valkey_server(folder / "valkey") as server:
        # A busy machine is not an outage; one that is killed is noticed at once all the same.
        chosen = {"account": account, "store_url": server.url, "store_timeout": 10.0, **settings}
        with (
            running_gateway(sandbox, data_dir=folder / "one", **chosen) as one,
            running_gateway(sandbox, data_dir=folder / "two", **chosen) as two,
        ):
            yield server, one, two


@pytest.fixture
def number(sandbox: RunningSandbox) -> str:
    """A number that can be bought by whoever comes first."""
    made = sandbox.put_number()
    return str(made["phone_number"])


def bought(sandbox: RunningSandbox, account: SandboxAccount, number: str) -> int:
    """Return how often the account bought the number."""
    return sum(
        (each["action"], each["phone_number"], each["account_sid"])
        == ("bought", number, account.sid)
        for each in sandbox.ledger()
    )


def test_one_key_buys_once_however_many_ask_in_both(
    sandbox: RunningSandbox, tmp_path: Path, number: str
) -> None:
    with pair(sandbox, tmp_path) as (_, one, two):
        # The upstream takes its time, so that they all meet.
        sandbox.set_faults([{"kind": "latency", "latency_ms": 300, "method": "POST", "count": 5}])
        variables = {"number": number, "key": uuid4().hex}
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda place: (one, two)[place % 2].execute(BUY, variables), range(8))
            )
        sids = {
            answer["data"]["purchasePhoneNumber"]["phoneNumber"]["sid"]
            for answer in answers
            if answer.get("data") and answer["data"]["purchasePhoneNumber"]["phoneNumber"]
        }
        assert len(sids) == 1
        assert bought(sandbox, one.account, number) == 1
        again = two.query(BUY, variables)["purchasePhoneNumber"]
        assert again["replayed"] is True
        assert {again["phoneNumber"]["sid"]} == sids
        assert bought(sandbox, one.account, number) == 1


def test_without_the_store_reads_go_on_and_purchases_with_keys_refuse_until_it_is_back(
    sandbox: RunningSandbox, tmp_path: Path, number: str
) -> None:
    with pair(sandbox, tmp_path, cache_owned=60) as (server, one, two):
        kept, lost = {"number": number, "key": "kept"}, {"number": number, "key": "lost"}
        sid = one.query(BUY, kept)["purchasePhoneNumber"]["phoneNumber"]["sid"]
        server.kill()
        for gateway in (one, two):
            # Within the request's deadline, or it would be an error.
            assert len(gateway.query(PAGE)["phoneNumbers"]["nodes"]) == 5
            refused = gateway.execute(BUY, lost)
            payload: Any = (refused.get("data") or {}).get("purchasePhoneNumber")
            assert refused.get("errors") or (payload["userErrors"] and not payload["phoneNumber"])
        assert bought(sandbox, one.account, number) == 1
        server.start()
        replayed = two.query(BUY, kept)["purchasePhoneNumber"]
        assert (replayed["replayed"], replayed["phoneNumber"]["sid"]) == (True, sid)
        assert bought(sandbox, one.account, number) == 1


def test_a_change_by_one_is_not_hidden_by_the_cache_of_the_other(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    read = "query Read($sid: ID!) { phoneNumber(sid: $sid) { friendlyName } }"
    change = """mutation Change($sid: ID!, $name: String!) {
      configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: $name } }) {
        userErrors { code } } }"""
    with pair(sandbox, tmp_path, cache_owned=60) as (_, one, two):
        (first, *_) = one.query(PAGE)["phoneNumbers"]["nodes"]
        one.query(read, first)
        two.query(read, first)
        sandbox.forget_requests()
        two.query(read, first)
        assert sandbox.requests() == [], "it is kept"
        one.query(change, first | {"name": "Changed"})
        assert two.query(read, first)["phoneNumber"]["friendlyName"] == "Changed"


def test_what_is_asked_often_is_at_hand_and_the_store_is_shown_no_credential(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    read = "query Read($sid: ID!) { phoneNumber(sid: $sid) { friendlyName } }"
    with pair(sandbox, tmp_path, cache_owned=600, requests_per_minute=6000) as (server, one, two):
        sid, *_ = sids(one)
        with socket.create_connection(("127.0.0.1", server.port)) as watching:
            watching.sendall(b"MONITOR\r\n")
            said = b""

            def during(work: Callable[[], object]) -> bytes:
                """Return the commands that came to the store meanwhile."""
                nonlocal said
                work()
                with socket.create_connection(("127.0.0.1", server.port)) as other:
                    mark = uuid4().hex.encode()
                    other.sendall(b"ECHO %s\r\n" % mark)
                    meanwhile = b""
                    while mark not in meanwhile:
                        meanwhile += watching.recv(2**16)
                said += meanwhile
                return meanwhile

            def reads(times: int = 1) -> None:
                for gateway in (one, two) * times:
                    gateway.query(read, {"sid": sid})

            # It is at hand once each of them hears of changes.
            deadline = time.monotonic() + PATIENCE
            while b"answer:" in during(reads):
                assert time.monotonic() < deadline
            assert b"answer:" not in during(partial(reads, 10))
            for number in range(5):
                changed = f"Changed {number}"
                heard = during(partial(one.query, RENAME, {"sid": sid, "name": changed}))
                assert b"generations" in heard, "it was told to all"
                while two.query(read, {"sid": sid}) != {"phoneNumber": {"friendlyName": changed}}:
                    assert time.monotonic() < deadline
            during(reads)
        user, token = one.account.auth
        assert token.encode() not in said
        assert base64.b64encode(f"{user}:{token}".encode()) not in said


def test_a_change_made_without_the_store_is_not_hidden_by_what_was_kept_before(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    read = "query Read($sid: ID!) { phoneNumber(sid: $sid) { friendlyName } }"
    with pair(sandbox, tmp_path, cache_owned=600) as (server, one, two):
        sid, *_ = sids(one)
        for gateway in (one, two):
            gateway.query(read, {"sid": sid})
        server.kill()
        one.query(RENAME, {"sid": sid, "name": "While it was away"})
        server.start()
        changed = {"phoneNumber": {"friendlyName": "While it was away"}}
        assert one.query(read, {"sid": sid}) == changed
        # The other process kept the old answer; it hears of the change in a moment.
        until(lambda: two.query(read, {"sid": sid}) == changed)
        sandbox.forget_requests()
        assert one.query(read, {"sid": sid}) == two.query(read, {"sid": sid}) == changed
        assert sandbox.requests() == [], "the cache is in use again"


def test_a_stale_answer_is_given_by_both_while_one_fetches_it_anew(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    query = "{ phoneNumbers(first: 5) { nodes { sid friendlyName } } }"
    with pair(sandbox, tmp_path, cache_owned=3, cache_stale=60) as (_, one, two):
        for each in (one, two):  # Then it is known whether the account has the catalog.
            each.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        sandbox.forget_requests()
        before = one.query(query)
        number = sandbox.numbers(one.account.sid)[0]["phone_number"]
        new = {"configuration": {"friendly_name": "New"}}
        sandbox.put_number(one.account.sid, number, new)
        assert two.query(query) == before
        assert len(sandbox.requests()) == 1, "it is kept for both"
        time.sleep(3.1)
        began = time.monotonic()
        assert two.query(query) == before
        while one.query(query) == before:
            assert time.monotonic() < began + PATIENCE
            time.sleep(0.05)
        names = [each["friendlyName"] for each in two.query(query)["phoneNumbers"]["nodes"]]
        assert "New" in names
        # Both may find it stale before either has fetched it; and once more for each time that it may
        # have become stale again, on a machine that stands.
        assert 2 <= len(sandbox.requests()) <= 3 + (time.monotonic() - began) // 3


def test_a_store_that_comes_and_goes_loses_no_request(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with pair(sandbox, tmp_path, cache_owned=60) as (server, one, two):
        stop = threading.Event()
        failed: list[dict[str, Any]] = []
        answered = 0

        def ask(gateway: RunningGateway) -> None:
            nonlocal answered
            while not stop.is_set():
                response = gateway.execute(PAGE)
                failed.extend(response.get("errors", []))
                answered += 1

        threads = [threading.Thread(target=ask, args=(each,)) for each in (one, two)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            time.sleep(0.3)
            server.kill()
            time.sleep(0.3)
            server.start()
        until(lambda: answered > 20)
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


CHANGED = "subscription Changed { phoneNumberChanged { kind numberId } }"
RENAME = """mutation Rename($sid: ID!, $name: String!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: $name } }) {
    userErrors { code } } }"""


@contextmanager
def subscribed(gateway: RunningGateway) -> Iterator[queue.Queue[dict[str, Any]]]:
    """Follow the account's numbers by server-sent events; what arrives is in the queue."""
    arrived: queue.Queue[dict[str, Any]] = queue.Queue()
    stop, in_force = threading.Event(), threading.Event()

    def follow() -> None:
        with (
            loopback.Client(auth=gateway.account.auth) as client,
            client.stream(
                "POST",
                f"{gateway.url}/graphql",
                json={"query": CHANGED},
                headers={"accept": "text/event-stream"},
            ) as answer,
        ):
            for line in answer.iter_lines():
                if stop.is_set():
                    return
                if line == ": following":
                    in_force.set()
                if line.startswith("data:") and line != "data:":
                    arrived.put(json.loads(line.removeprefix("data:")))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert in_force.wait(PATIENCE)
    try:
        yield arrived
    finally:
        stop.set()
        gateway.query(RENAME, {"sid": sids(gateway)[0], "name": "Goodbye"})
        thread.join(20)


def sids(gateway: RunningGateway) -> list[str]:
    """Return the sids of the account's numbers."""
    return [each["sid"] for each in gateway.query(PAGE)["phoneNumbers"]["nodes"]]


def test_an_event_raised_in_one_reaches_a_subscriber_in_the_other(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with pair(sandbox, tmp_path, poll_interval=0) as (_, one, two):
        changed = sids(one)[2]
        with subscribed(two) as arrived:
            one.query(RENAME, {"sid": changed, "name": "From the other"})
            event = arrived.get(timeout=60)["data"]["phoneNumberChanged"]
            assert event == {"kind": "CONFIGURED", "numberId": changed}


def test_subscriptions_recover_after_the_store_was_killed_and_lose_no_event_it_kept(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with pair(sandbox, tmp_path, poll_interval=0) as (server, one, two):
        first, second, *_ = sids(one)
        with subscribed(two) as arrived:
            one.query(RENAME, {"sid": first, "name": "Before"})
            assert arrived.get(timeout=60)["data"]["phoneNumberChanged"]["numberId"] == first
            server.kill()
            time.sleep(0.5)
            server.start()
            one.query(RENAME, {"sid": second, "name": "After"})
            assert arrived.get(timeout=60)["data"]["phoneNumberChanged"]["numberId"] == second


def test_who_subscribes_without_the_store_is_told_when_to_come_again(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with pair(sandbox, tmp_path, poll_interval=0) as (server, one, _):
        server.kill()
        with events(one, account=one.account) as stream:
            [error] = stream.next().data["errors"]
        assert error["extensions"]["code"] == "EVENTS_UNAVAILABLE"
        assert error["extensions"]["retryAfterMs"] == 2000
        server.start()
        with events(one, account=one.account) as stream:
            stream.confirmed()
            one.query(RENAME, {"sid": sids(one)[0], "name": "After"})
            assert stream.change()["kind"] == "CONFIGURED"


def test_an_outage_of_the_store_is_one_line_in_the_log(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with valkey_server(tmp_path) as server:
        limits = {"GATEWAY_REQUESTS_PER_MINUTE": "1000", "GATEWAY_STORE_URL": server.url}
        limits["GATEWAY_STORE_TIMEOUT"] = "10"
        with served(folder=tmp_path, **before(sandbox), **limits) as (url, _):

            def ask() -> int:
                auth = sandbox.accounts()["parent"].auth
                body = {"query": "{ __typename }"}
                answer = loopback.post(f"{url}/graphql", json=body, auth=auth)
                return answer.status_code

            assert ask() == 200
            server.kill()
            assert [ask() for _ in range(5)] == [200] * 5
            server.start()
            assert ask() == 200
            server.kill()
            assert ask() == 200
    log = (tmp_path / "log").read_text()
    assert log.count("requests_not_counted") == 2
    assert log.count("requests_counted_again") == 1


def test_limits_hold_for_both_together(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with pair(sandbox, tmp_path, requests_per_minute=30) as (_, one, two):
        began = time.monotonic()
        passed = sum(
            gateway.post({"query": "{ __typename }"}).status_code == 200
            for gateway in (one, two) * 25
        )
        earned = (time.monotonic() - began) * 30 / 60
        assert 30 <= passed <= 30 + earned + 1


def test_purchases_are_counted_for_both_together(sandbox: RunningSandbox, tmp_path: Path) -> None:
    numbers = [sandbox.put_number()["phone_number"] for _ in range(4)]
    with pair(sandbox, tmp_path, purchases_per_day=2) as (_, one, two):
        for gateway, number in zip((one, two) * 2, numbers, strict=True):
            gateway.execute(BUY, {"number": number, "key": number})
        assert [bought(sandbox, one.account, number) for number in numbers] == [1, 1, 0, 0]
        # What was bought at one is replayed by the other, though nothing is left to be bought.
        again = two.query(BUY, {"number": numbers[0], "key": numbers[0]})["purchasePhoneNumber"]
        assert (again["userErrors"], again["replayed"]) == ([], True)
