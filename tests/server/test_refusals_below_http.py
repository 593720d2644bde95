"""Refusals below HTTP are counted and logged by kind; and health is answered where files are few."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import pytest
from structlog.testing import capture_logs

from gateway.observability.refusals_below_http import Kind, RefusalsBelowHttp
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import before, few_files, run, served
from tests.support.paths import DOCS
from tests.support.raw_bytes import HANDSHAKE, connected, frame, head, read_reply, send
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.waiting import until

_FEW_FILES = 64
_METRIC = "gateway_refusals_below_http_total"


@pytest.fixture(scope="module")
def counting(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway with little patience that counts."""
    with running_gateway(
        shared_sandbox,
        metrics=True,
        header_timeout=1.5,
        body_timeout=1.5,
        socket_init_wait=1.5,
        header_bytes_limit=4096,
        unverified_connections=4,
    ) as gateway:
        yield gateway


def counts(metrics: bytes) -> dict[str, float]:
    """Return how many were refused, by kind."""
    lines = [line for line in metrics.decode().splitlines() if line.startswith(_METRIC)]
    return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}


_BODY = head("content-type: application/json", "content-length: 9") + b"{"
_OPENED = head(*HANDSHAKE, method="GET")
_KINDS = {
    "bad_request": (b"what is this?\r\n\r\n", 400),
    "bad_host": (b"GET /graphql HTTP/1.1\r\n\r\n", 400),
    "bad_expectation": (head("expect: a miracle"), 417),
    "head_size": (head("x: " + "y" * 5000), 431),
    "head_timeout": (b"GET /graphql HT", 408),
    "body_timeout": (_BODY, 408),
    "websocket_handshake": (_OPENED.replace(b"version: 13", b"version: 12"), 400),
    "websocket_frames": (_OPENED, 101),
    "websocket_late": (_OPENED, 101),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_each_kind_of_refusal_is_counted(counting: RunningGateway, kind: str) -> None:
    earlier = counts(counting.http.get(f"{counting.url}/metrics").content)
    sent, status = _KINDS[kind]
    with connected(counting.url) as connection:
        connection.sendall(sent)
        assert connection.recv(1000).startswith(f"HTTP/1.1 {status} ".encode())
        if kind == "websocket_frames":
            connection.sendall(frame(1, b"\xff"))
        while connection.recv(1000):
            pass
    now = counts(counting.http.get(f"{counting.url}/metrics").content)
    assert now == earlier | {kind: earlier.get(kind, 0) + 1}


def test_sockets_of_strangers_beyond_their_share_are_counted(counting: RunningGateway) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(connected(counting.url))
            connection.sendall(_OPENED)
            connection.recv(1000)
        reply = send(counting.url, _OPENED)
        assert reply is not None
        assert reply.status == 503
    assert counts(counting.http.get(f"{counting.url}/metrics").content)["websocket_strangers"] == 1


def test_every_kind_is_explained() -> None:
    page = (DOCS / "operating-safely.md").read_text()
    assert [kind for kind in get_args(Kind) if f"`{kind}`" not in page] == []


def test_a_flood_of_one_kind_is_one_line_and_hides_no_other() -> None:
    told: list[str] = []
    refused = RefusalsBelowHttp(told.append)
    with capture_logs() as lines:
        for _ in range(1000):
            refused("bad_request", "203.0.113.7")
        refused("bad_host")
    assert len(told) == 1001
    assert [(line["kind"], line["client"]) for line in lines] == [
        ("bad_request", "203.0.113.7"),
        ("bad_host", None),
    ]


def test_where_files_are_few_clients_are_refused_in_time_and_health_is_answered(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Connections that nobody could accept would be cut off without a word."""
    own = before(sandbox) | {"GATEWAY_METRICS": "true", "GATEWAY_HEADER_TIMEOUT": "600"}
    with (
        served(folder=tmp_path, inside=few_files(_FEW_FILES), **own) as (url, _),
        ExitStack() as stack,
    ):
        crowd = [stack.enter_context(connected(url)) for _ in range(2 * _FEW_FILES)]

        def asked(path: str) -> tuple[int, bytes]:
            with connected(url) as connection:
                connection.sendall(head("connection: close", method="GET", path=path))
                reply = read_reply(connection)
                return (reply.status, reply.body) if reply is not None else (0, b"")

        until(lambda: asked("/graphql")[0] in {400, 503})
        assert [asked(path)[0] for path in ("/healthz", "/metrics")] == [200] * 2
        # At the worst of it, records could not be opened either.
        until(lambda: asked("/readyz")[0] == 200)
        assert set(counts(asked("/metrics")[1])) == {"open_files"}
        for connection in crowd:
            connection.close()
        until(lambda: asked("/graphql")[0] == 400)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    [warned] = [line for line in lines if line["event"] == "open_files_few"]
    assert "LimitNOFILE=4096" in warned["hint"]
    assert [line["kind"] for line in lines if line["event"] == "refused_below_http"] == [
        "open_files"
    ]


@pytest.mark.parametrize("options", [["--auth", "pass-through"], ["--sandbox"]])
def test_where_hardly_a_file_may_be_opened_serve_says_how_many_are_needed(
    tmp_path: Path, options: list[str]
) -> None:
    few = few_files(_FEW_FILES - 1)
    done = run(tmp_path, "serve", *options, "--port", "0", inside=few, code=1)
    assert done.stderr == (
        "number-gateway: 63 open files are allowed, and at least 64 are needed: raise LimitNOFILE"
        " in the unit, or `ulimit -n` in a shell\n"
    )


def test_check_compares_the_files_that_may_be_opened_with_the_limit_of_connections(
    tmp_path: Path,
) -> None:
    def said(code: int, *limit: str) -> str:
        variables = {"GATEWAY_DATA_DIR": str(tmp_path)} | dict(each.split("=") for each in limit)
        return run(tmp_path, "check", inside=few_files(256), variables=variables, code=code).stdout

    assert (
        "connection_limit: 1000 connections need 2100 open files, and 256 are allowed: set"
        " LimitNOFILE=4096 in the unit (`ulimit -n 4096` in a shell), or connection_limit=78."
    ) in said(1)
    assert "open files" not in said(1, "GATEWAY_CONNECTION_LIMIT=78")
