"""A gateway that leaves: who asks is answered or refused at once, with one worker and with several."""

import asyncio
import errno
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
import uvloop

from gateway.draining import Draining
from gateway.errors import CommandError, ShuttingDown
from gateway.server import uvicorn_server
from gateway.server.door import AT_ONCE
from gateway.server.http_limits import FAREWELL
from gateway.server.listening import address, choose_port, listen, stop, turn_away
from gateway.server.uvicorn_server import Server
from tests.support import loopback
from tests.support.gateway_process import (
    before,
    children,
    has_signal,
    read_until,
    served,
    started,
    until_workers_serve,
)
from tests.support.raw_bytes import connected, head, is_refused, posted, read_reply
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import PATIENCE, until

_QUERY = json.dumps({"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"}).encode()
_ALIVE = head(method="GET", path="/healthz")
_DELAY = 1.0
_DELAYED = {2}
_PATIENT = {
    f"GATEWAY_{name}": "100"
    for name in (
        *("ATTEMPT_TIMEOUT", "CALL_DEADLINE", "REQUEST_DEADLINE"),
        *("HEADER_TIMEOUT", "KEEP_ALIVE_TIMEOUT", "DRAIN_LIMIT"),
    )
}


@contextmanager
def held(
    sandbox: RunningSandbox, url: str, account: SandboxAccount
) -> Iterator[Future[httpx.Response]]:
    """Keep one request at work until the end; it must be answered well."""
    sandbox.set_faults([{"kind": "held", "account": account.sid, "count": None}])
    with ThreadPoolExecutor(1) as pool, loopback.Client() as http:
        kind = {"content-type": "application/json"}
        run = pool.submit(
            http.post, f"{url}/graphql", content=_QUERY, headers=kind, auth=account.auth
        )
        try:
            until(lambda: any(fault["fired"] for fault in sandbox.faults()) or run.done())
            yield run
        finally:
            sandbox.clear_faults()
        answer = run.result()
    assert answer.status_code == 200
    assert "errors" not in answer.json()
    assert answer.headers["connection"] == "close"


def asked(url: str) -> str:
    """Connect and ask; return what came of it."""
    try:
        with connected(url) as connection:
            connection.sendall(_ALIVE)
            reply = read_reply(connection)
            if reply and reply.status == 503 and ShuttingDown.code.encode() in reply.body:
                return "turned away"
            return str(reply.status) if reply else "cut off"
    except ConnectionRefusedError:
        return "refused"


@pytest.fixture(scope="module")
def gateways(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, tuple[str, subprocess.Popen[str]]]]:
    """Gateways with one worker and with several, which start at the same time."""
    with ExitStack() as stack, ThreadPoolExecutor() as pool:

        def start(workers: int) -> tuple[str, subprocess.Popen[str]]:
            delay = {"GATEWAY_DRAIN_DELAY": str(_DELAY)} if workers in _DELAYED else {}
            own = before(shared_sandbox) | _PATIENT | delay
            options = ("--workers", str(workers))
            url, process = stack.enter_context(served(*options, folder=folders[workers], **own))
            if workers > 1:  # One alone is the process itself.
                until_workers_serve(process, workers)
            return url, process

        counts = (1, 2, 4)
        folders = {each: tmp_path_factory.mktemp("workers") for each in counts}
        yield dict(zip(counts, pool.map(start, counts), strict=True))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_each_connection_is_answered_or_refused_while_a_worker_finishes(
    sandbox: RunningSandbox, gateways: dict[int, tuple[str, subprocess.Popen[str]]], workers: int
) -> None:
    url, process = gateways[workers]
    account = sandbox.create_account(owned=1)
    with connected(url) as kept, ThreadPoolExecutor(8) as pool:
        kept.sendall(_ALIVE)
        assert read_reply(kept) is not None
        with (
            held(sandbox, url, account) as run,
            connected(url) as silent,
        ):
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            came = list(pool.map(lambda _: (asked(url), time.monotonic() - told), range(40)))
            # Who goes on connecting while the port is closed may be told so.
            assert {outcome for outcome, _ in came} <= {"200", "refused", "turned away"}
            if workers in _DELAYED:
                assert {outcome for outcome, after in came if after < _DELAY} <= {"200"}
            until(lambda: is_refused(url))
            assert not run.done()
            if workers in _DELAYED:
                assert time.monotonic() - told > _DELAY
                # Neither was of use to anybody meanwhile.
                assert [read_reply(each) for each in (kept, silent)] == [None, None]
            elif workers == 1:
                # In a moment after that it is served, then refused; another's, as equal reads are one.
                for connection in (kept, silent):
                    connection.sendall(posted(_QUERY, sandbox.accounts()["parent"]))
                    reply = read_reply(connection)
                    assert reply is not None
                    assert reply.status in {200, 503}
                    assert reply.closed
    assert process.wait(PATIENCE) == 0


def test_until_the_delay_is_over_only_readiness_changes_and_a_second_signal_ends_it(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = sandbox.create_account(owned=1)
    slow = {"GATEWAY_DRAIN_LIMIT": "600", "GATEWAY_DRAIN_DELAY": "500"}
    with served(folder=tmp_path, **before(sandbox), **slow) as (url, process):

        def ask(request: bytes) -> tuple[int, bool]:
            with connected(url) as connection:
                connection.sendall(request)
                reply = read_reply(connection)
                assert reply is not None
                return reply.status, reply.closed

        ready = head(method="GET", path="/readyz")
        assert ask(ready) == (200, False)
        process.send_signal(signal.SIGINT)
        until(lambda: ask(ready) == (503, True))
        assert ask(posted(_QUERY, account)) == (200, True)
        assert ask(_ALIVE) == (200, True)
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        assert is_refused(url)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_second_signal_ends_all_workers_and_one_that_has_not_yet_heard_of_the_first(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    slow = {"GATEWAY_DRAIN_LIMIT": "600", "GATEWAY_DRAIN_DELAY": "500"}
    with served("--workers", "2", folder=tmp_path, **before(sandbox), **slow) as (url, process):
        until_workers_serve(process, 2)
        stood, _ = children(process.pid)
        os.kill(stood, signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        until(lambda: has_signal(stood, "ShdPnd"))
        process.send_signal(signal.SIGINT)
        until(lambda: has_signal(stood, "ShdPnd", signal.SIGINT))
        os.kill(stood, signal.SIGCONT)
        assert process.wait(PATIENCE) == 0
        assert is_refused(url)
    assert "Traceback" not in (tmp_path / "log").read_text()


_HEARING_OUT = """
import sys
from gateway.cli.main import main
from gateway.server import http_limits, uvicorn_server

http_limits._JUST_NOW = 0.0
http_limits._JUST_COME = uvicorn_server._HEARING = 300.0
sys.exit(main(["serve", "--port", "0", "--auth", "pass-through"]))
"""


def test_who_came_a_moment_before_the_port_was_closed_is_heard_out(
    sandbox: RunningSandbox,
) -> None:
    program = [sys.executable, "-c", _HEARING_OUT]
    variables = {"GATEWAY_DRAIN_LIMIT": "1200", **before(sandbox)}
    with started(program=program, variables=variables) as process:
        url = "http://" + read_until(process, "/graphql").split("http://")[1].split("/")[0]
        with connected(url) as come:
            # That one was let in is known when all were who came after it.
            assert {asked(url) for _ in range(2 * AT_ONCE)} == {"200"}
            process.send_signal(signal.SIGTERM)
            until(lambda: is_refused(url))
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)
            # Nor does it end between the first bytes of what is asked and the last ones.
            asked_for = posted(_QUERY, sandbox.accounts()["parent"])
            come.sendall(asked_for[:-1])
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)
            come.sendall(asked_for[-1:])
            reply = read_reply(come)
            assert reply is not None
            assert (reply.status, reply.closed) == (200, True)
        assert process.wait(PATIENCE) == 0


def test_who_waits_for_workers_that_never_served_is_told(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with (
        served("--workers", "2", folder=tmp_path, **before(sandbox)) as (url, process),
        ExitStack() as stack,
    ):
        waiting = [stack.enter_context(connected(url)) for _ in range(8)]
        for connection in waiting:
            connection.sendall(_ALIVE)
        process.terminate()
        replies = [read_reply(connection) for connection in waiting]
        # A worker may have been so fast as to serve.
        assert {reply and reply.status for reply in replies} <= {200, 503}
        assert process.wait(PATIENCE) == 0


def test_a_port_is_closed_for_all_who_hold_it_and_who_waits_there_is_answered() -> None:
    listening = listen("127.0.0.1", 0)
    url, other = address(listening), listening.dup()
    with other, connected(url) as waiting, connected(url) as silent:
        waiting.sendall(head("content-length: 10000") + b"x" * 10_000)
        silent.settimeout(10)
        turn_away(listening, FAREWELL)
        for connection in (waiting, silent):
            reply = read_reply(connection)
            assert reply is not None
            assert (reply.status, reply.headers["retry-after"], reply.closed) == (503, "1", True)
            assert reply.error()["extensions"]["code"] == "SHUTTING_DOWN"
        assert is_refused(url)
        turn_away(other, FAREWELL)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has filters of handshakes")
def test_a_port_is_closed_and_nobody_reset_however_many_go_on_connecting() -> None:
    with listen("127.0.0.1", 0) as listening:
        url = address(listening)
        with connected(url) as one:
            assert not stop(listening)
            with connected(url) as other:
                assert not stop(listening, last_call=True)
                # Who comes now does not get in, and is refused when it tries again.
                late = socket.socket()
                late.setblocking(False)
                late.connect_ex(listening.getsockname())
                for waiting in (one, other):
                    listening.accept()[0].close()
                    assert waiting.recv(1) == b""
                assert stop(listening, last_call=True)
        with late:
            select.select([], [late], [], 30)
            assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        assert is_refused(url)


def test_a_port_is_closed_and_nobody_reset_however_long_the_machine_stands_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(uvicorn_server, "time", SimpleNamespace(monotonic=lambda: next(seconds)))

    class Newcomer(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.close()

    async def main() -> None:
        with listen("127.0.0.1", 0) as listening, ExitStack() as stack:
            url = address(listening)
            # Each takes a round of the loop to be accepted.
            waiting = [stack.enter_context(connected(url)) for _ in range(5)]
            server = await asyncio.get_running_loop().create_server(Newcomer, sock=listening.dup())
            stack.callback(server.close)
            closing = Server(uvicorn.Config("none"), Draining(0))
            closing.servers = []
            await closing._close_port([listening])
            assert is_refused(url)
            for each in waiting:
                assert await asyncio.to_thread(each.recv, 1) == b""

    uvloop.run(main())


def test_nobody_gets_into_a_port_that_is_only_being_chosen() -> None:
    host, port = choose_port("127.0.0.1", 0)
    assert is_refused(f"http://{host}:{port}")
    with listen(host, port, shared=True), pytest.raises(CommandError, match="is taken"):
        choose_port(host, port)
