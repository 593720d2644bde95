"""Faults as an HTTP client meets them, and whether the request was carried out."""

import base64
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.sandbox.api import Api, refusal
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import PATIENCE


@pytest.fixture
def number(api: Api) -> str:
    """A number that can be bought."""
    return api.available()


def buy(api: Api, number: str) -> httpx.Response:
    return api.post(f"{api.base}/IncomingPhoneNumbers.json", {"PhoneNumber": number})


def bought(api: Api, number: str) -> bool:
    return number in [owned["phone_number"] for owned in api.owned()]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def last(sandbox: RunningSandbox, method: str = "POST") -> dict[str, Any]:
    return [entry for entry in sandbox.requests() if entry["method"] == method][-1]


def test_a_reset_before_processing_leaves_nothing_done(
    sandbox: RunningSandbox, api: Api, number: str
) -> None:
    sandbox.set_faults([{"kind": "reset", "method": "POST"}])

    with pytest.raises(httpx.ReadError, match="reset"):
        buy(api, number)

    assert (last(sandbox)["status"], last(sandbox)["outcome"]) == (None, "reset")
    assert not bought(api, number)


def test_a_reset_is_a_tcp_reset_on_the_wire(sandbox: RunningSandbox) -> None:
    sandbox.set_faults([{"kind": "reset"}])
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(b"GET /Numbers/ActiveNumbers HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_lost_answer_is_a_purchase_that_was_made(
    sandbox: RunningSandbox, api: Api, number: str
) -> None:
    sandbox.set_faults([{"kind": "lost-answer", "path": "*/IncomingPhoneNumbers.json"}])

    with pytest.raises(httpx.ReadError):
        buy(api, number)

    assert (last(sandbox)["status"], last(sandbox)["outcome"]) == (None, "lost-answer")
    assert bought(api, number)


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("kind", ["truncate", "malformed", "status", "html", "wrong-shape"])
def test_a_wrong_answer_to_a_write_is_carried_out_only_with_commit(
    sandbox: RunningSandbox, api: Api, number: str, kind: str, *, commit: bool
) -> None:
    sandbox.set_faults([{"kind": kind, "method": "POST", "commit": commit}])

    if kind == "truncate":
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            buy(api, number)
    else:
        expected = {"status": 503, "html": 502, "malformed": 201 if commit else 200}
        assert buy(api, number).status_code == expected.get(kind, 200)

    assert bought(api, number) is commit


@pytest.mark.parametrize("retry_after", [None, 3, 0.5, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_429_is_never_processed_and_may_say_when_to_retry(
    sandbox: RunningSandbox, api: Api, number: str, retry_after: object
) -> None:
    fault: dict[str, Any] = {"kind": "429", "method": "POST"}
    if retry_after is not None:
        fault["retry_after"] = retry_after
    sandbox.set_faults([fault])

    response = buy(api, number)

    assert refusal(response) == (429, 20429)
    assert response.headers.get("retry-after") == (str(retry_after) if retry_after else None)
    assert not bought(api, number)


@pytest.mark.parametrize(("status", "code"), [(500, 20500), (503, 20503), (418, 20500)])
def test_an_error_status_has_an_error_body(
    sandbox: RunningSandbox, api: Api, status: int, code: int
) -> None:
    sandbox.set_faults([{"kind": "status", "status": status}])

    response = api.get("/Numbers/ActiveNumbers")

    assert refusal(response) == (status, code)
    if status == 503:
        assert response.json()["more_info"].endswith("/503")
        assert response.json()["message"] == "Service is unavailable, please try again"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(sandbox: RunningSandbox, api: Api, status: int) -> None:
    sandbox.set_faults([{"kind": "status", "status": status}])

    response = api.get("/Numbers/ActiveNumbers")

    assert (response.status_code, response.content) == (status, b"")
    assert "content-length" not in response.headers
    assert api.get("/Numbers/ActiveNumbers").status_code == 200


def test_a_body_of_ones_own_replaces_the_faults(sandbox: RunningSandbox, api: Api) -> None:
    sandbox.set_faults(
        [
            {"kind": "status", "status": 500, "body": {"title": "Oops", "type": "about:blank"}},
            {"kind": "malformed", "body": "null"},
            {"kind": "wrong-shape", "body": {"items": {"a": 1}}},
        ]
    )

    assert api.get("/Numbers/ActiveNumbers").json() == {"title": "Oops", "type": "about:blank"}
    assert api.get("/Numbers/ActiveNumbers").text == "null"
    assert api.get("/Numbers/ActiveNumbers").json() == {"items": {"a": 1}}


@pytest.mark.parametrize("commit", [False, True])
def test_latency_waits_before_or_after_processing(
    sandbox: RunningSandbox, api: Api, number: str, *, commit: bool
) -> None:
    """Seen while the answer is awaited, which lasts long enough for a slow machine to look."""
    fault = {"kind": "latency", "latency_ms": 3000, "method": "POST", "commit": commit}
    sandbox.set_faults([fault])

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(buy, api, number)
        until(lambda: sandbox.faults()[0]["fired"] == 1)
        if commit:
            until(lambda: bought(api, number))
        else:
            assert not bought(api, number)
        assert not answer.done()

    assert answer.result().status_code == 201
    assert last(sandbox)["duration_ms"] >= 3000
    assert bought(api, number)


def test_a_truncated_body_announces_more_than_it_sends(sandbox: RunningSandbox, api: Api) -> None:
    sandbox.set_faults([{"kind": "truncate"}])

    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/Numbers/ActiveNumbers")

    assert last(sandbox, "GET")["status"] == 200


def test_a_malformed_body_is_complete_http_and_broken_json(
    sandbox: RunningSandbox, api: Api
) -> None:
    sandbox.set_faults([{"kind": "malformed"}])

    response = api.get("/Numbers/ActiveNumbers")

    assert response.status_code == 200
    assert response.text.startswith('{"items":[')
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        response.json()


def test_a_slow_body_arrives_whole(sandbox: RunningSandbox, api: Api) -> None:
    expected = api.get("/Numbers/ActiveNumbers").text
    sandbox.set_faults([{"kind": "slow-body", "latency_ms": 600}])
    started = time.monotonic()

    response = api.get("/Numbers/ActiveNumbers")

    assert response.text == expected
    assert time.monotonic() - started > 0.5


def test_a_huge_body_is_valid_json(sandbox: RunningSandbox, api: Api) -> None:
    sandbox.set_faults([{"kind": "huge-body", "bytes": 3_000_000}])

    assert len(api.get("/Numbers/ActiveNumbers").json()["items"]) == 3_000_000


def test_a_redirect_points_where_it_is_told(sandbox: RunningSandbox, api: Api) -> None:
    sandbox.set_faults(
        [
            {"kind": "redirect"},
            {"kind": "redirect", "status": 307, "location": "https://example.com/"},
        ]
    )

    first, second = (api.get("/Numbers/ActiveNumbers") for _ in range(2))

    assert (first.status_code, first.headers["location"]) == (302, f"{sandbox.url}/elsewhere")
    assert (second.status_code, second.headers["location"]) == (307, "https://example.com/")


def test_null_items_stand_between_the_real_ones(sandbox: RunningSandbox, api: Api) -> None:
    expected = api.items()
    sandbox.set_faults([{"kind": "null-items", "count": None}])

    listed = api.get("/Numbers/ActiveNumbers").json()["items"]
    owned = api.get(f"{api.base}/IncomingPhoneNumbers.json").json()["incoming_phone_numbers"]

    assert listed == [entry for item in expected for entry in (None, item)]
    assert owned[0] is None
    assert len(owned) == 6


@pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"])
def test_stray_bytes_stand_behind_the_answer_on_a_connection_that_stays_open(
    sandbox: RunningSandbox, api: Api, more: bytes
) -> None:
    expected = api.get("/Numbers/ActiveNumbers").content
    sandbox.set_faults([{"kind": "stray-bytes", "body": more.decode()}])
    host, port = sandbox.url.removeprefix("http://").split(":")
    basic = base64.b64encode(":".join(api.account.auth).encode()).decode()
    head = f"GET /Numbers/ActiveNumbers HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Basic {basic}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for behind in (more, b""):
            connection.sendall(head.encode())
            received = b""
            while not received.endswith(b"\r\n\r\n" + expected + behind):
                received += connection.recv(65_536)
            assert f"content-length: {len(expected)}\r\n".encode() in received


def test_skip_and_count_choose_the_requests(sandbox: RunningSandbox, api: Api) -> None:
    sandbox.set_faults([{"kind": "status", "skip": 2, "count": 2}])

    statuses = [api.get("/Numbers/ActiveNumbers").status_code for _ in range(6)]

    assert statuses == [200, 200, 503, 503, 200, 200]
    assert sandbox.faults() == [{"kind": "status", "skip": 2, "count": 2, "matched": 6, "fired": 2}]


def test_a_fault_without_count_goes_on_until_it_is_removed(
    sandbox: RunningSandbox, api: Api
) -> None:
    sandbox.set_faults([{"kind": "429", "count": None}])
    assert {api.get("/Numbers/ActiveNumbers").status_code for _ in range(5)} == {429}

    sandbox.clear_faults()

    assert sandbox.faults() == []
    assert api.get("/Numbers/ActiveNumbers").status_code == 200


@pytest.mark.parametrize(
    ("match", "hit", "miss"),
    [
        (
            {"method": "DELETE"},
            ("DELETE", "/Numbers/ActiveNumbers/PN1"),
            ("GET", "/Numbers/ActiveNumbers"),
        ),
        (
            {"path": "/Numbers/*"},
            ("GET", "/Numbers/ActiveNumbers"),
            ("GET", "/2010-04-01/Accounts.json"),
        ),
        (
            {"path": "^/2010-04-01/Accounts/AC[0-9a-f]+/Available.*/US/"},
            ("GET", "/2010-04-01/Accounts/AC0/AvailablePhoneNumbers/US/Local.json"),
            ("GET", "/2010-04-01/Accounts/AC0/AvailablePhoneNumbers/CA/Local.json"),
        ),
    ],
)
def test_a_fault_matches_by_method_and_path(
    sandbox: RunningSandbox,
    api: Api,
    match: dict[str, str],
    hit: tuple[str, str],
    miss: tuple[str, str],
) -> None:
    sandbox.set_faults([{"kind": "status", "status": 507, "count": None, **match}])

    assert api.client.request(*hit).status_code == 507
    assert api.client.request(*miss).status_code != 507


def test_a_fault_matches_by_account(sandbox: RunningSandbox, api: Api) -> None:
    other = sandbox.create_account()
    # What is null is as if it was not there.
    absent = dict.fromkeys(("method", "path", "retry_after", "location"))
    sandbox.set_faults([{"kind": "429", "account": other.sid, "count": None} | absent])

    assert api.get("/Numbers/ActiveNumbers").status_code == 200
    assert sandbox.client.get("/Numbers/ActiveNumbers", auth=other.auth).status_code == 429


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({}, "kind must be one of"),
        ({"kind": "explode"}, "kind must be one of"),
        ({"kind": "reset", "often": 3}, "unknown field 'often'"),
        ({"kind": "reset", "skip": "2"}, "skip does not take '2'"),
        ({"kind": "reset", "count": True}, "count does not take True"),
        ({"kind": "status", "status": 99}, "status must be between"),
        ({"kind": "latency", "latency_ms": -1}, "latency_ms must be between"),
        ({"kind": "reset", "path": "^("}, "not a regular expression"),
        ({"kind": "429", "retry_after": "é☎"}, "retry_after must be printable ASCII"),
        ({"kind": "429", "retry_after": "1\r\nX-Other: 2"}, "retry_after must be printable"),
        ({"kind": "redirect", "location": "/a\r\nX-Other: 2"}, "location must be printable ASCII"),
        ("reset", "must be an object"),
    ],
)
def test_a_senseless_fault_is_refused_and_the_old_ones_stay(
    sandbox: RunningSandbox, fault: object, why: str
) -> None:
    sandbox.set_faults([{"kind": "429", "path": "/nowhere"}])

    response = sandbox.client.put("/_sandbox/faults", json={"faults": [fault]})

    assert response.status_code == 400
    assert "faults[0]" in response.json()["error"]
    assert why in response.json()["error"]
    assert [found["kind"] for found in sandbox.faults()] == ["429"]


@pytest.mark.parametrize("body", ["", "[]", "null", '{"fault": []}', '{"faults": 1}', "{"])
def test_a_senseless_list_of_faults_is_refused(sandbox: RunningSandbox, body: str) -> None:
    response = sandbox.client.put("/_sandbox/faults", content=body)

    assert response.status_code == 400
    assert response.json()["error"]
