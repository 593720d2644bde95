"""Whatever the upstream answers: a typed error, bounded memory, nothing leaked, nobody followed."""

import asyncio
import base64
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.upstream.connections import ConnectionBroke
from gateway.upstream.dialling import Dialler
from gateway.upstream.pools import Connections
from gateway.upstream.proxies import Origin
from tests.faults.asking import OWN, plural
from tests.faults.conftest import QUICK
from tests.faults.hostile import hostile, keeping, response
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import gateway_process
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import LATE, until

Tell = Callable[[str], None]
LIST = "{ phoneNumbers(first: 5) { nodes { phoneNumber } } }"
NUMBER = '{ phoneNumber(sid: "%s") { id sid } }'
SUBACCOUNTS = "{ account { sid subaccounts { nodes { id sid } } } }"
JSON = "Content-Type: application/json"
OF_ANOTHER = b'{"sid": "AC0", "friendly_name": "not ours"}'


def marked(name: str, expected: str, *values: Any) -> Any:
    """Return a parameter set that is a line of the table."""
    mark = pytest.mark.fault(name, expected=expected)
    return pytest.param(*values, marks=mark, id=name.replace(" ", "-"))


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
@pytest.mark.parametrize(
    "fault",
    [
        marked("a list: malformed JSON", "UPSTREAM_MALFORMED", {"kind": "malformed"}),
        marked("a list: HTML", "UPSTREAM_UNAVAILABLE", {"kind": "html"}),
        marked("a list: HTML, status 200", "UPSTREAM_MALFORMED", {"kind": "html", "status": 200}),
        marked("a list: an array", "UPSTREAM_MALFORMED", {"kind": "wrong-shape"}),
        marked(
            "a list: an object of another shape",
            "UPSTREAM_MALFORMED",
            {"kind": "wrong-shape", "body": {"hello": "world"}},
        ),
        marked(
            "a list: objects where lists should be",
            "UPSTREAM_MALFORMED",
            {"kind": "wrong-shape", "body": {"items": {}, "incoming_phone_numbers": {}}},
        ),
        marked(
            "a list: texts where numbers should be",
            "UPSTREAM_MALFORMED",
            {"kind": "wrong-shape", "body": {"items": ["x"], "incoming_phone_numbers": ["x"]}},
        ),
        marked(
            "a list: a next page of another shape",
            "UPSTREAM_MALFORMED",
            {
                "kind": "wrong-shape",
                "body": {
                    "items": [],
                    "incoming_phone_numbers": [],
                    "next_page_uri": {},
                    "meta": {"next_page_url": {}},
                },
            },
        ),
        marked("a list: a redirect", "UPSTREAM_MALFORMED", {"kind": "redirect"}),
        marked(
            "a list: JSON that calls itself HTML",
            "UPSTREAM_MALFORMED",
            {"kind": "html", "status": 200, "body": {"items": [], "incoming_phone_numbers": []}},
        ),
        marked("a list: 64 MB", "UPSTREAM_MALFORMED", {"kind": "huge-body", "bytes": 64 * 2**20}),
        marked(
            "a list: a few bytes per second",
            "UPSTREAM_TIMEOUT",
            {"kind": "slow-body", "latency_ms": 5_000},
        ),
    ],
)
def test_a_list_that_cannot_be_read_is_a_typed_error(
    quick: RunningGateway, family: str, fault: dict[str, Any], seen: Tell
) -> None:
    account = quick.sandbox.create_account(catalog=family == "CATALOG", owned=3)
    quick.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    quick.sandbox.set_faults([{"account": account.sid, "count": None, **fault}])
    error = quick.error(LIST, account=account)
    assert account.auth_token not in json.dumps(error)
    seen(error["extensions"]["code"])


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
@pytest.mark.fault("a list: nulls among its items", expected="all numbers, nothing else")
def test_nulls_among_the_items_hide_no_number(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    account = quick.sandbox.create_account(catalog=family == "CATALOG", owned=3)
    owned = [{"phoneNumber": each["phone_number"]} for each in quick.sandbox.numbers(account.sid)]
    quick.sandbox.set_faults([{"account": account.sid, "count": None, "kind": "null-items"}])
    nodes = quick.query(LIST, account=account)["phoneNumbers"]["nodes"]
    seen("all numbers, nothing else" if nodes == owned else f"{len(nodes)} numbers")


@pytest.mark.parametrize(
    ("pieces", "pause"),
    [
        marked("not HTTP at all", "UPSTREAM_UNAVAILABLE", [b"220 mail.example.com ESMTP\r\n"], 0.0),
        marked("nothing, then the end", "UPSTREAM_UNAVAILABLE", [], 0.0),
        marked(
            "one byte per second",
            "UPSTREAM_TIMEOUT",
            [bytes([each]) for each in response(OF_ANOTHER, JSON)],
            1.0,
        ),
        marked(
            "headers without end",
            "UPSTREAM_UNAVAILABLE",
            [b"HTTP/1.1 200 OK\r\n", *(b"X-More: %s\r\n" % (b"x" * 7000) for _ in range(200))],
            0.0,
        ),
        marked(
            "gzip that unpacks to 64 MB",
            "UPSTREAM_MALFORMED",
            [response(gzip.compress(bytes(64 * 2**20), 1), JSON, "Content-Encoding: gzip")],
            0.0,
        ),
        marked(
            "gzip within gzip",
            "UPSTREAM_MALFORMED",
            [
                response(
                    gzip.compress(gzip.compress(bytes(2**20))),
                    JSON,
                    "Content-Encoding: gzip, gzip",
                )
            ],
            0.0,
        ),
        marked(
            "a length beyond the body",
            "UPSTREAM_MALFORMED",
            [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Type: application/json\r\n\r\n{}"],
            0.0,
        ),
    ],
)
def test_a_server_that_is_no_number_api_is_a_typed_error(
    sandbox: RunningSandbox, pieces: Sequence[bytes], pause: float, seen: Tell
) -> None:
    with (
        hostile(pieces, pause=pause) as upstream,
        running_gateway(sandbox, core_url=upstream.url, **QUICK) as gateway,
    ):
        started = time.monotonic()
        error = gateway.error(OWN)
        assert time.monotonic() - started < QUICK["call_deadline"] + LATE
    seen(error["extensions"]["code"])


_PN, _AC = "PN" + "1" * 32, "AC" + "1" * 32


@pytest.mark.parametrize(
    ("query", "body"),
    [
        marked(name, "UPSTREAM_MALFORMED", query, body)
        for name, query, body in (
            ("an account: an object of another shape", OWN, {"hello": "world"}),
            ("an account: no sid", OWN, {"sid": None, "friendly_name": "x"}),
            ("subaccounts: one without a sid", SUBACCOUNTS, {"sid": _AC, "accounts": [{}]}),
            ("a country: another shape", '{ country(code: "US") { code } }', {"hello": "world"}),
            ("countries: one of another shape", "{ countries { code } }", {"countries": [{}]}),
            ("a number: no sid", NUMBER % _PN, {"sid": None, "phone_number": "+12125550100"}),
            ("a number: another", NUMBER % _PN, {"sid": "PN0", "phone_number": "+12125550100"}),
        )
    ],
)
def test_a_single_thing_of_another_shape_is_a_typed_error(
    quick: RunningGateway, query: str, body: object, seen: Tell
) -> None:
    account = quick.sandbox.create_account(catalog=False)
    fault = {"kind": "wrong-shape", "body": body, "account": account.sid, "count": None}
    # It is looked for in the core family: this account has no catalog.
    quick.sandbox.set_faults([fault | {"path": "/2010-04-01/*"}])
    seen(quick.error(query, account=account)["extensions"]["code"])


@pytest.mark.parametrize("count", ["\N{SUPERSCRIPT TWO}", "9" * 5000], ids=["digit", "long"])
def test_a_count_of_requests_that_cannot_be_read_spoils_no_answer(
    sandbox: RunningSandbox, count: str
) -> None:
    account = sandbox.accounts()["parent"]
    body = json.dumps({"sid": account.sid, "friendly_name": "Main"}).encode()
    header = f"Twilio-Concurrent-Requests: {count}"
    with (
        hostile([response(body, JSON, header)]) as upstream,
        running_gateway(sandbox, core_url=upstream.url, **QUICK) as gateway,
    ):
        assert gateway.query(OWN)["account"]["sid"] == account.sid


_DEEP = {"lists": "[" * 100_000 + "]" * 100_000, "objects": '{"a":' * 100_000 + "1" + "}" * 100_000}


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
@pytest.mark.parametrize("shape", list(_DEEP))
@pytest.mark.parametrize("place", ["friendly_name", "capabilities", "unknown", "sid"])
@pytest.mark.parametrize(
    "query",
    [
        LIST,
        NUMBER % _PN,
        SUBACCOUNTS,
        '{ availablePhoneNumbers(country: "US", first: 2) { nodes { phoneNumber } } }',
        "{ countries { code } }",
    ],
    ids=["list", "number", "subaccounts", "search", "countries"],
)
def test_json_nested_very_deep_is_left_out_or_a_typed_error(
    quick: RunningGateway, family: str, shape: str, place: str, query: str
) -> None:
    account = quick.sandbox.create_account(catalog=family == "CATALOG")
    item = {"sid": _PN, "phone_number": "+12125550100", "account_sid": account.sid, place: "DEEP"}
    keys = ("items", "incoming_phone_numbers", "available_phone_numbers", "accounts", "countries")
    page = item | {key: [item] for key in keys}
    body = json.dumps(page).replace('"DEEP"', _DEEP[shape])
    fault = {"kind": "wrong-shape", "body": body, "account": account.sid, "count": None}
    quick.sandbox.set_faults([fault])
    response = quick.execute(query, account=account)
    codes = {each["extensions"]["code"] for each in response.get("errors", ())}
    assert codes <= {"UPSTREAM_MALFORMED"}
    quick.sandbox.clear_faults()
    assert "errors" not in quick.execute(OWN)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
@pytest.mark.fault(
    "a redirect to another host", expected="UPSTREAM_MALFORMED; 1 call, none to the other host"
)
def test_a_redirect_is_never_followed(sandbox: RunningSandbox, status: str, seen: Tell) -> None:
    with hostile([response(OF_ANOTHER, JSON)]) as thief:
        away = response(b"", f"Location: {thief.url}/stolen", status=status)
        with (
            hostile([away]) as upstream,
            running_gateway(sandbox, core_url=upstream.url, **QUICK) as gateway,
        ):
            error = gateway.error(OWN)
        others = "none" if not thief.requests else str(len(thief.requests))
    calls = plural(len(upstream.requests), "call")
    seen(f"{error['extensions']['code']}; {calls}, {others} to the other host")


@pytest.mark.fault(
    "a next page on another host", expected="asked of the upstream; none to the other host"
)
def test_a_next_page_never_leads_to_another_host(quick: RunningGateway, seen: Tell) -> None:
    account = quick.sandbox.create_account(catalog=False, owned=2)
    with hostile([response(OF_ANOTHER, JSON)]) as thief:
        body = {
            "incoming_phone_numbers": [{"sid": "PN" + "1" * 32, "phone_number": "+12125550101"}],
            "next_page_uri": f"{thief.url}/2010-04-01/stolen.json?Page=1&PageSize=5",
        }
        quick.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
        quick.sandbox.forget_requests()
        quick.sandbox.set_faults(
            [{"kind": "wrong-shape", "body": body, "account": account.sid, "path": "*Incoming*"}]
        )
        quick.query(LIST, account=account)
        others = "none" if not thief.requests else str(len(thief.requests))
    last = quick.sandbox.requests()[-1]
    asked = "asked of the upstream" if ["Page", "1"] in last["query"] else "not asked"
    seen(f"{asked}; {others} to the other host")


@pytest.mark.fault(
    "an error message that repeats the credentials", expected="the message without them"
)
def test_what_the_upstream_says_does_not_leak_the_credentials(
    quick: RunningGateway, seen: Tell
) -> None:
    account = quick.sandbox.create_account()
    body = {"code": 20003, "message": f"No such token: {account.auth_token}"}
    quick.sandbox.set_faults(
        [{"kind": "status", "status": 401, "body": body, "account": account.sid}]
    )
    error = quick.error(OWN, account=account)
    assert account.auth_token not in json.dumps(error)
    seen("the message without them" if error["message"] == "No such token: …" else "another")


@pytest.mark.fault("ten bodies of 64 MB", expected="less than 60 MB more memory at the peak")
def test_memory_stays_bounded(sandbox: RunningSandbox, data: Path, seen: Tell) -> None:
    account = sandbox.create_account()
    with gateway_process(sandbox, data, breaker_failures=100) as gateway:
        gateway.asked.query(OWN, account=account)
        before = gateway.peak_memory()
        huge = {"kind": "huge-body", "bytes": 64 * 2**20, "account": account.sid, "count": None}
        sandbox.set_faults([huge])
        for _ in range(10):
            gateway.asked.error(OWN, account=account)
        more = gateway.peak_memory() - before
    seen(f"{'less than 60 MB' if more < 60 * 2**20 else more} more memory at the peak")


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _list_of(account: str, number: str) -> bytes:
    """Return a page of one number that an account owns, as both families would."""
    owned = {"sid": "PN" + "1" * 32, "phone_number": number, "account_sid": account}
    page: dict[str, Any] = {"incoming_phone_numbers": [owned], "next_page_uri": None}
    page |= {"items": [owned], "meta": {"key": "items", "next_page_url": None}}
    return json.dumps(page).encode()


def _chunked(body: bytes) -> bytes:
    head = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
@pytest.mark.parametrize(
    "spoil",
    [
        marked(f"behind an answer: {name}", "another connection; everybody's own numbers", spoil)
        for name, spoil in {
            "another answer": lambda body: [response(body, JSON) * 2],
            "the head of another answer": lambda body: [response(body, JSON) + _OK],
            "one byte of another answer": lambda body: [response(body, JSON) + b"H"],
            "another answer in a segment of its own": lambda body: [response(body, JSON)] * 2,
            "no HTTP": lambda body: [response(body, JSON) + b"\0"],
            "the end of a line": lambda body: [response(body, JSON) + b"\r\n"],
            "the end of a line, later": lambda body: [response(body, JSON), b"\r\n"],
            "another chunked answer": lambda body: [_chunked(body) + _chunked(body)],
            "a line behind the last chunk": lambda body: [_chunked(body) + b"\r\n"],
            "an announcement": lambda body: [
                response(body, JSON) + b"HTTP/1.1 100 Continue\r\n\r\n"
            ],
            "what it was said to close on": lambda body: [
                response(body, JSON, "Connection: close") + response(body, JSON)
            ],
        }.items()
    ],
)
def test_what_stands_behind_an_answer_is_nobodys(
    sandbox: RunningSandbox, family: str, spoil: Callable[[bytes], Sequence[bytes]], seen: Tell
) -> None:
    first, second = (sandbox.create_account(catalog=family == "CATALOG") for _ in range(2))
    numbers = {first.sid: "+12125550101", second.sid: "+12125550102"}
    answered = {"CORE": "GET /2010", "CATALOG": "GET /Numbers"}[family]

    def account_of(request: str) -> str:
        asked = base64.b64decode(request.partition("Authorization: Basic ")[2].split()[0])
        return asked.decode().partition(":")[0]

    def is_spoilt(request: str) -> bool:
        return request.startswith(answered) and account_of(request) == first.sid

    def answer(request: str, _: int) -> Sequence[bytes]:
        if not request.startswith(answered):
            return [response(b"{}", JSON, status="404 Not Found")]
        account = account_of(request)
        body = _list_of(account, numbers[account])
        return spoil(body) if is_spoilt(request) else [response(body, JSON)]

    with (
        keeping(answer) as upstream,
        running_gateway(sandbox, core_url=upstream.url, catalog_url=upstream.url) as gateway,
    ):
        for _ in range(2):
            for account in (first, second):
                nodes = gateway.query(LIST, account=account)["phoneNumbers"]["nodes"]
                assert nodes == [{"phoneNumber": numbers[account.sid]}]
                until(lambda: not upstream.answering)
    spoilt = [each for each in upstream.connections if any(map(is_spoilt, each))]
    assert spoilt
    assert all(is_spoilt(each[-1]) for each in spoilt), "it was used again"
    seen("another connection; everybody's own numbers")


@pytest.mark.parametrize(
    "head",
    [
        marked(
            "two lengths", "UPSTREAM_UNAVAILABLE", b"Content-Length: 2\r\nContent-Length: 2\r\n"
        ),
        marked("two lengths in one", "UPSTREAM_UNAVAILABLE", b"Content-Length: 2, 2\r\n"),
        marked(
            "a length and chunks",
            "UPSTREAM_UNAVAILABLE",
            b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        ),
        marked("an upgrade", "UPSTREAM_UNAVAILABLE", b"Upgrade: x\r\nConnection: upgrade\r\n"),
    ],
)
def test_an_answer_whose_end_is_not_clear_is_refused(
    sandbox: RunningSandbox, head: bytes, seen: Tell
) -> None:
    status = b"HTTP/1.1 101 Switching\r\n" if b"Upgrade" in head else _OK
    with (
        keeping(lambda *_: [status + head + b"\r\n{}"]) as upstream,
        running_gateway(sandbox, core_url=upstream.url, **QUICK) as gateway,
    ):
        error = gateway.error(OWN)
    assert all(len(each) == 1 for each in upstream.connections)
    seen(error["extensions"]["code"])


def test_bytes_that_the_loop_has_not_read_yet_end_a_kept_connection() -> None:
    """What is in the machine already would pass for the answer to the next request."""
    asyncio.run(_ask_again_before_the_loop_reads())


async def _ask_again_before_the_loop_reads() -> None:
    release, sent = threading.Event(), threading.Event()

    def answer(_: str, index: int) -> Iterator[bytes]:
        yield response(b'{"of": "first"}', JSON)
        if not index:
            release.wait(5)
            yield response(b'{"of": "first, too"}', JSON)
            sent.set()

    with keeping(cast("Any", answer)) as upstream:
        origin = Origin.of(upstream.url)
        connections = Connections(Dialler(2), body_limit=10_000)
        message = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        assert (await connections.to(origin).send(message, within=5)).body == b'{"of": "first"}'
        release.set()
        sent.wait(5)  # The loop stands still meanwhile: it has read nothing of this.
        assert (await connections.to(origin).send(message, within=5)).body == b'{"of": "first"}'
        await connections.aclose()
        assert [len(each) for each in upstream.connections] == [1, 1]


def test_announcements_without_end_end_a_connection() -> None:
    asyncio.run(_ask_who_only_announces())


async def _ask_who_only_announces() -> None:
    endless = [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000]
    with keeping(lambda *_: endless) as upstream:
        connections = Connections(Dialler(2), body_limit=10_000)
        with pytest.raises(ConnectionBroke):
            await connections.to(Origin.of(upstream.url)).send(b"GET / HTTP/1.1\r\n\r\n", within=5)
        await connections.aclose()
