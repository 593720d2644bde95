"""Hostile bytes: each is answered with JSON, or with nothing; none with a 500 or plain text."""

import base64
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from gateway.server.http_limits import protocol_class
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import before, served
from tests.support.process_memory import MEMORY_SHOWS, resident
from tests.support.raw_bytes import Reply, connected, converse, head, read_reply, send
from tests.support.sandbox_in_thread import RunningSandbox, running_app

pytestmark = pytest.mark.both_adaptors

_JSON = "content-type: application/json"


def _basic(gateway: RunningGateway) -> str:
    pair = ":".join(gateway.account.auth).encode()
    return "authorization: Basic " + base64.b64encode(pair).decode()


@pytest.fixture(scope="module")
def strict(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway with little patience."""
    with running_gateway(
        shared_sandbox,
        header_timeout=1.5,
        body_timeout=2.0,
        keep_alive_timeout=1,
        connection_limit=20,
        header_limit=30,
        header_bytes_limit=4096,
    ) as gateway:
        yield gateway


def _posted(gateway: RunningGateway, body: bytes, *headers: str) -> Reply:
    sent = head(_JSON, _basic(gateway), f"content-length: {len(body)}", *headers) + body
    reply = send(gateway.url, sent)
    assert reply is not None
    return reply


# Bodies -------------------------------------------------------------------------------------------

BODIES = {
    "W-B01-null": b"null",
    "W-B02-number": b"1",
    "W-B03-string": b'"x"',
    "W-B04-true": b"true",
    "W-B05-list": b"[1, 2]",
    "W-B06-empty": b"",
    "W-B07-truncated": b'{"query": "{ __typ',
    "W-B08-not-json": b"query=%7B__typename%7D",
    "W-B09-invalid-utf8": b'{"query": "{ __typename }\xff\xfe"}',
    "W-B10-utf16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "W-B11-lone-surrogate": b'{"query": "{ __typename }", "operationName": "\\ud800"}',
    "W-B12-null-byte": b'\x00{"query": "{ __typename }"}',
    "W-B13-deep-lists": b'{"query": "{ __typename }", "variables": {"a": '
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}}",
    "W-B14-deep-objects": b'{"query": "{ __typename }", "variables": '
    + b'{"a":' * 800
    + b"1"
    + b"}" * 800
    + b"}",
    "W-B15-deep-40": b'{"query": "{ __typename }", "extensions": {"a": '
    + b"[" * 40
    + b"]" * 40
    + b"}}",
    "W-B16-integer-20000": b'{"query": "{ __typename }", "variables": {"a": '
    + b"9" * 20_000
    + b"}}",
    "W-B17-float-infinite": b'{"query": "{ __typename }", "variables": {"a": 1e999999}}',
    "W-B18-nan": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "W-B19-gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\x00" * 50,
    "W-B20-query-number": b'{"query": 7}',
    "W-B21-query-object": b'{"query": {"a": 1}}',
    "W-B22-variables-list": b'{"query": "{ __typename }", "variables": [1]}',
    "W-B23-extensions-text": b'{"query": "{ __typename }", "extensions": "x"}',
    "W-B24-name-number": b'{"query": "{ __typename }", "operationName": 7}',
    "W-B25-two-objects": b'{"query": "{ __typename }"}{"query": "{ __typename }"}',
    "W-B26-too-large": b'{"query": "{ __typename }", "x": "' + b"a" * 300_000 + b'"}',
}


@pytest.mark.parametrize("probe", BODIES)
def test_a_body_that_is_no_request_is_refused_in_json(gateway: RunningGateway, probe: str) -> None:
    reply = _posted(gateway, BODIES[probe])
    assert reply.status == (413 if "too-large" in probe else 400)
    assert reply.error()["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "value",
    [
        "12345678901234567890123",
        "-9223372036854775809",
        "9007199254740993.5",
        '"' + "9" * 5000 + '"',
    ],
    ids=["W-I01-beyond-64-bits", "W-I02-below-64-bits", "W-I03-fraction", "W-I04-long-text"],
)
def test_an_integer_that_does_not_fit_is_an_error_of_the_request(
    gateway: RunningGateway, value: str
) -> None:
    body = (
        b'{"query": "query q($n: Int!) { phoneNumbers(first: $n) { nodes { sid } } }",'
        b' "variables": {"n": ' + value.encode() + b"}}"
    )
    reply = _posted(gateway, body)
    assert reply.status == 200
    assert "$n" in reply.error()["message"]


@pytest.mark.parametrize("digits", [400, 5000, 50_000])
def test_a_long_integer_in_the_document_is_an_error_of_the_request(
    gateway: RunningGateway, digits: int
) -> None:
    query = "{ phoneNumbers(first: " + "9" * digits + ") { nodes { sid } } }"
    error = gateway.error(query)
    assert "set_int_max_str_digits" not in error["message"]
    assert len(error["message"]) < 500


@pytest.mark.parametrize("chunked", [False, True], ids=["W-S01-declared", "W-S02-chunked"])
def test_a_body_beyond_the_limit_is_refused_before_all_of_it_was_sent(
    gateway: RunningGateway, *, chunked: bool
) -> None:
    length = "transfer-encoding: chunked" if chunked else "content-length: 104857600"
    piece = b"a" * 65_536
    framed = b"10000\r\n" + piece + b"\r\n" if chunked else piece
    with connected(gateway.url) as connection:
        connection.sendall(head(_JSON, _basic(gateway), length))
        sent = 0
        while sent < 100 * 2**20:
            if select.select([connection], [], [], 0)[0]:
                break
            connection.sendall(framed)
            sent += len(piece)
        reply = read_reply(connection)
    assert reply is not None
    assert reply.status == 413
    assert sent < 10 * 2**20


# Credentials --------------------------------------------------------------------------------------

CREDENTIALS = {
    "W-C01-not-ascii": b"Basic \xc3\xa9\xff",
    "W-C02-not-base64": b"Basic ====",
    "W-C03-not-utf8": b"Basic " + base64.b64encode(b"\xff\xfe:x"),
    "W-C04-no-colon": b"Basic " + base64.b64encode(b"AC" + b"0" * 32),
    "W-C05-nobody": b"Basic " + base64.b64encode(b"somebody:secret"),
    "W-C06-other-scheme": b"Bearer \xff\xff",
    "W-C07-nothing": b"Basic ",
}


@pytest.mark.parametrize("probe", CREDENTIALS)
def test_credentials_that_cannot_be_read_are_refused(gateway: RunningGateway, probe: str) -> None:
    body = b'{"query": "{ __typename }"}'
    top = head(_JSON, f"content-length: {len(body)}").removesuffix(b"\r\n")
    reply = send(gateway.url, top + b"authorization: " + CREDENTIALS[probe] + b"\r\n\r\n" + body)
    assert reply is not None
    assert reply.status == 401
    assert reply.error()["extensions"]["code"] == "UNAUTHENTICATED"


# Heads --------------------------------------------------------------------------------------------

HEADS = {
    "W-H01-not-http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50, 400),
    "W-H02-no-request": (b"no request\r\n\r\n", 400),
    "W-H03-bad-method": (b"GETT! /graphql HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    "W-H04-space-in-name": (b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400),
    "W-H05-null-in-value": (b"GET / HTTP/1.1\r\nhost: a\x00b\r\n\r\n", 400),
    "W-H06-two-lengths": (
        head(_JSON, "content-length: 5", "content-length: 6") + b"12345",
        400,
    ),
    "W-H07-length-and-chunks": (
        head(_JSON, "content-length: 5", "transfer-encoding: chunked") + b"0\r\n\r\n",
        400,
    ),
    "W-H08-length-negative": (head(_JSON, "content-length: -5"), 400),
    "W-H09-length-huge": (head(_JSON, "content-length: " + "9" * 30), 400),
    "W-H10-chunk-size-bad": (head(_JSON, "transfer-encoding: chunked") + b"zz\r\n", 400),
    "W-H11-many-headers": (head(*(f"x-{i}: 1" for i in range(40)), method="GET"), 431),
    "W-H12-large-header": (head("x-a: " + "a" * 5000, method="GET"), 431),
    "W-H13-long-url": (head(method="GET", path="/graphql?query=" + "a" * 5000), 431),
    "W-H14-many-cookies": (head("cookie: " + "a=1; " * 1500, method="GET"), 431),
    "W-H15-unknown-method": (head(method="DELETE"), 405),
}


@pytest.mark.parametrize("probe", HEADS)
def test_a_head_that_cannot_be_accepted_is_refused_in_json(
    strict: RunningGateway, probe: str
) -> None:
    sent, status = HEADS[probe]
    reply = send(strict.url, sent)
    assert reply is not None
    assert reply.status == status
    assert reply.error()["extensions"]["code"] == "BAD_REQUEST"


def test_a_head_that_never_ends_is_not_kept(strict: RunningGateway) -> None:
    """It is refused at the limit, however it is cut into pieces."""
    pieces = [b"GET / HTTP/1.1\r\n", *(b"x-y: " + b"a" * 100 + b"\r\n" for _ in range(100))]
    reply = send(strict.url, *pieces)
    assert reply is None or reply.status == 431


# Slowness -----------------------------------------------------------------------------------------


def test_a_slow_head_is_refused(strict: RunningGateway) -> None:
    pieces = [bytes([byte]) for byte in head("x: " + "y" * 40, method="GET")]
    reply = send(strict.url, *pieces, pause=0.06)
    assert reply is not None
    assert reply.status == 408
    assert "head" in reply.error()["message"]


def test_a_slow_body_is_refused(strict: RunningGateway) -> None:
    reply = send(
        strict.url,
        head(_JSON, _basic(strict), "content-length: 1000"),
        *[b" "] * 60,
        pause=0.1,
    )
    assert reply is not None
    assert reply.status == 408
    assert "body" in reply.error()["message"]


def test_a_body_that_goes_on_after_its_refusal_is_cut_off(strict: RunningGateway) -> None:
    with connected(strict.url) as connection:
        connection.sendall(head(_JSON, _basic(strict), "content-length: 104857600"))
        connection.sendall(b"a" * 300_000)
        reply = read_reply(connection)
        assert reply is not None
        assert reply.status == 413
        assert _sent_until_cut_off(connection, b"a", 100) < 60


def _sent_until_cut_off(connection: socket.socket, piece: bytes, most: int) -> int:
    for sent in range(most):
        try:
            connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return sent
        time.sleep(0.1)
    return most


def test_silence_is_hung_up_on(strict: RunningGateway) -> None:
    with connected(strict.url) as connection:
        assert connection.recv(1) == b""
    kept = head(method="GET", path="/healthz")
    with connected(strict.url) as connection:
        connection.sendall(kept)
        first = read_reply(connection)
        assert first is not None
        assert first.status == 200
        assert connection.recv(1) == b""


_PIECES = 256


async def _large(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """An application whose answers have 64 MB: no socket buffer holds that."""
    if scope["type"] != "http":
        raise RuntimeError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for index in range(_PIECES):
        body = b"a" * 2**18
        await send({"type": "http.response.body", "body": body, "more_body": index + 1 < _PIECES})


def _read_slowly(url: str, *, rest: float) -> int:
    """Rest after the first bytes of a large answer; return how many bytes came in all."""
    received = 0
    with connected(url) as connection:
        connection.sendall(head(method="GET"))
        try:
            while chunk := connection.recv(2**20):
                received += len(chunk)
                time.sleep(rest)
                rest = min(rest, 0.005)
                if chunk.endswith(b"0\r\n\r\n"):
                    break
        except ConnectionResetError:
            pass
    return received


def test_a_client_that_stops_reading_is_cut_off_and_a_slow_one_is_not() -> None:
    """Answers would wait in the gateway's memory for as long as the client likes."""
    settings = bare_settings(write_timeout=2.0)
    http = protocol_class(settings)
    whole = _PIECES * 2**18
    with running_app(_large, http=http, lifespan="off") as url:
        assert _read_slowly(url, rest=0.01) >= whole
        assert _read_slowly(url, rest=6.0) < whole


# Versions, hosts and expectations -----------------------------------------------------------------

_BODY = b'{"query": "{ account { sid ... @defer { type } } }"}'
_CLOSE = "connection: close"


@pytest.mark.parametrize("accept", ["multipart/mixed", "text/event-stream", "application/json"])
def test_a_client_of_http_1_0_gets_no_chunks(gateway: RunningGateway, accept: str) -> None:
    """As nginx asks by default; the end of the connection ends the body."""
    top = head(_JSON, _basic(gateway), f"accept: {accept}", f"content-length: {len(_BODY)}")
    answer = converse(gateway.url, top.replace(b"HTTP/1.1", b"HTTP/1.0") + _BODY)
    headers, _, body = answer.lower().partition(b"\r\n\r\n")
    assert headers.startswith(b"http/1.1 200")
    assert b"transfer-encoding" not in headers
    assert b"connection: close" in headers
    ends = {"multipart/mixed": b"--\r\n", "text/event-stream": b"event: complete\ndata:\n\n"}
    assert body.endswith(ends.get(accept, b"}"))
    assert gateway.account.sid.lower().encode() in body


@pytest.mark.parametrize("path", ["/", "/explorer/config.json", "/healthz", "/nothing"])
def test_pages_and_refusals_have_no_chunks_either(gateway: RunningGateway, path: str) -> None:
    answer = converse(gateway.url, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    headers, _, body = answer.lower().partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in headers
    assert f"content-length: {len(body)}".encode() in headers


@pytest.mark.parametrize(
    ("hosts", "version", "status"),
    [
        ([], "1.1", 400),
        (["a", "a"], "1.1", 400),
        (["a", "b"], "1.0", 400),
        (["a b"], "1.1", 400),
        (["a/b"], "1.1", 400),
        ([], "1.0", 200),
        (["[::1]:80"], "1.1", 200),
        ([""], "1.1", 200),
    ],
)
def test_a_request_names_one_host(
    gateway: RunningGateway, hosts: list[str], version: str, status: int
) -> None:
    """RFC 9112, 3.2."""
    lines = [f"GET /healthz HTTP/{version}", *(f"Host: {each}" for each in hosts), _CLOSE]
    answer = converse(gateway.url, "\r\n".join([*lines, "", ""]).encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_a_websocket_names_one_host_too(gateway: RunningGateway) -> None:
    upgrade = "GET /graphql HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    assert converse(gateway.url, upgrade.encode()).startswith(b"HTTP/1.1 400 ")


def test_a_body_that_waits_to_be_wanted_is_asked_for(gateway: RunningGateway) -> None:
    expecting = ("expect: 100-continue", f"content-length: {len(_BODY)}", _CLOSE)
    top = head(_JSON, _basic(gateway), *expecting)
    answer = converse(gateway.url, top, on_continue=_BODY)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((_JSON, "content-length: 9"), 401),
        ((_JSON, "authorization: Basic !", "content-length: 9"), 401),
        (("content-type: text/plain", "content-length: 9"), 415),
        ((_JSON, "content-encoding: gzip", "content-length: 9"), 415),
        ((_JSON, "content-length: 99999999"), 413),
    ],
)
def test_a_body_that_would_be_refused_is_not_asked_for(
    gateway: RunningGateway, headers: tuple[str, ...], status: int
) -> None:
    """And the connection is closed, as the body may be on its way (RFC 9110, 10.1.1)."""
    answer = converse(gateway.url, head("expect: 100-continue", *headers))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in answer


@pytest.mark.parametrize("expected", ["100-continue \t", "100-continue, 100-Continue", ""])
def test_expectations_are_a_list_with_blanks_around(gateway: RunningGateway, expected: str) -> None:
    answer = converse(gateway.url, _request(gateway, f"expect: {expected}", _CLOSE))
    assert _statuses(answer)[-1] == 200


def test_blanks_behind_a_header_s_value_are_none_of_it(gateway: RunningGateway) -> None:
    top = head(_JSON + " \t", _basic(gateway) + "  ", f"content-length: {len(_BODY)} ", _CLOSE)
    top = top.replace(b"localhost", b"localhost ")
    assert converse(gateway.url, top + _BODY).startswith(b"HTTP/1.1 200 ")


def test_other_expectations_fail(gateway: RunningGateway) -> None:
    reply = _posted(gateway, _BODY, "expect: 200-ok")
    assert reply.status == 417
    assert reply.error()["extensions"]["code"] == "BAD_REQUEST"


def test_http_1_0_knows_no_expectations(gateway: RunningGateway) -> None:
    top = head(_JSON, _basic(gateway), "expect: 100-continue", f"content-length: {len(_BODY)}")
    answer = converse(gateway.url, top.replace(b"HTTP/1.1", b"HTTP/1.0") + _BODY)
    assert answer.startswith(b"HTTP/1.1 200 ")


# One behind the other -----------------------------------------------------------------------------


def _request(gateway: RunningGateway, *headers: str) -> bytes:
    body = b'{"query": "{ account { sid } }"}'
    return head(_JSON, _basic(gateway), f"content-length: {len(body)}", *headers) + body


def _statuses(answer: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


@pytest.mark.parametrize(
    "behind",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nno chunk\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: a\r\nexpect: 200-ok\r\ncontent-length: 9\r\n\r\n",
    ],
    ids=["no request", "no host", "no chunk", "no such expectation"],
)
def test_what_cannot_be_read_behind_requests_takes_no_answer_from_them(
    gateway: RunningGateway, behind: bytes
) -> None:
    """Else who asked for a purchase would read of it that it was refused."""
    answer = converse(gateway.url, _request(gateway) * 2 + behind)
    *served, refused = _statuses(answer)
    assert served == [200, 200]
    assert refused in {400, 417}
    assert answer.count(gateway.account.sid.encode()) == 2


# Memory -------------------------------------------------------------------------------------------

_CLIENTS = 50
_EACH = 100 * 2**20
_ALLOWED = 50 * 2**20


@pytest.fixture
def process(shared_sandbox: RunningSandbox, tmp_path: Path) -> Iterator[tuple[int, str]]:
    with served(folder=tmp_path, **before(shared_sandbox)) as (url, running):
        yield running.pid, url


def _flood(url: str, *, chunked: bool, stubborn: bool) -> int | None:
    """Send 100 MB; a stubborn client does not stop when it is refused."""
    length = "transfer-encoding: chunked" if chunked else f"content-length: {_EACH}"
    piece = b"a" * 2**18
    framed = b"40000\r\n" + piece + b"\r\n" if chunked else piece
    with connected(url) as connection:
        try:
            connection.sendall(head(_JSON, length))
            for _ in range(_EACH // len(piece)):
                if not stubborn and select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(framed)
        except (BrokenPipeError, ConnectionResetError):
            pass
        reply = read_reply(connection)
        return reply.status if reply else None


@pytest.mark.skipif(not MEMORY_SHOWS, reason="reads memory from /proc")
def test_fifty_clients_with_100_mb_each_do_not_fill_the_memory(
    process: tuple[int, str],
) -> None:
    pid, url = process
    idle = peak = resident(pid)
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, resident(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        # A few do not stop when they are refused; all of them would keep two cores busy for long.
        floods = [
            pool.submit(_flood, url, chunked=index % 2 == 0, stubborn=index < 4)
            for index in range(_CLIENTS)
        ]
        statuses = [each.result() for each in floods]
    done.set()
    watcher.join()
    assert set(statuses) <= {413, None}
    assert statuses.count(413) >= _CLIENTS - 4
    assert peak - idle < _ALLOWED
