"""Several workers on one port."""

import fcntl
import json
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.observability.metrics_folder import shared_folder
from tests.support import loopback
from tests.support.gateway_process import before, children, has_signal, served, until_workers_serve
from tests.support.paths import ROOT
from tests.support.raw_bytes import connected, posted, read_reply
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.valkey_process import valkey_server
from tests.support.waiting import PATIENCE, until

PAGE = {"query": "query Page { phoneNumbers(first: 1) { nodes { sid } } }"}

HEARD_OUT = {"kept": 0.4, "new": 2.0}
"""Seconds for which a worker that leaves hears out a connection that was answered, or is new."""


def listens(url: str) -> bool:
    """Whether anybody takes connections there."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) == 0


def ask(url: str, sandbox: RunningSandbox, times: int) -> list[int]:
    """Ask over a new connection each time, and return the statuses."""
    auth = sandbox.accounts()["parent"].auth
    return [loopback.post(f"{url}/graphql", json=PAGE, auth=auth).status_code for _ in range(times)]


def metrics(url: str) -> dict[str, float]:
    """Return what the page of metrics says."""
    lines = loopback.get(f"{url}/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line[0] != "#")
    return {name: float(value) for name, value in pairs}


def test_workers_share_one_port_and_count_together(sandbox: RunningSandbox, tmp_path: Path) -> None:
    (folders := tmp_path / "folders").mkdir()
    with (
        valkey_server(tmp_path) as server,
        served(
            "--workers",
            "2",
            folder=tmp_path,
            GATEWAY_STORE_URL=server.url,
            GATEWAY_STORE_TIMEOUT="10",
            GATEWAY_METRICS="true",
            TMPDIR=str(folders),
            **before(sandbox),
        ) as (url, process),
    ):
        assert ask(url, sandbox, 30) == [200] * 30
        assert len(children(process.pid)) == 2
        key = 'gateway_operations_total{kind="query",operation="Page",outcome="ok"}'
        closed = 'gateway_upstream_breakers{family="catalog",state="closed"}'
        # One account, and one breaker in each worker, which each tells of every two seconds.
        expected = {key: 30.0, closed: 2.0}
        deadline = time.monotonic() + PATIENCE
        while (page := metrics(url)) | expected != page:
            assert time.monotonic() < deadline, page
            time.sleep(0.1)
        for name in (
            "resident_memory_bytes",
            "cpu_seconds_total",
            "open_fds",
            "start_time_seconds",
        ):
            workers = {page[f'process_{name}{{worker="{worker}"}}'] for worker in "12"}
            assert min(workers) > 0
        assert not any(name.startswith("process_") and "{" not in name for name in page)
        assert any(name.startswith("python_info{") for name in page)
        (folder,) = folders.iterdir()
        for worker in children(process.pid):
            environment = Path(f"/proc/{worker}/environ").read_text().split("\0")
            assert f"PROMETHEUS_MULTIPROC_DIR={folder}" in environment
    assert not list(folders.iterdir())
    assert process.returncode == 0
    assert (tmp_path / "log").read_text() == ""


def test_one_process_counts_for_itself_wherever_other_programs_count(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    variables = {"GATEWAY_METRICS": "true", "PROMETHEUS_MULTIPROC_DIR": f"{tmp_path}/none"}
    with served(folder=tmp_path, **variables, **before(sandbox)) as (url, _):
        assert metrics(url)["process_resident_memory_bytes"] > 0


def test_a_worker_that_dies_is_replaced_while_the_others_serve_however_young_it_was(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with served("--workers", "2", folder=tmp_path, **before(sandbox)) as (url, process):
        until_workers_serve(process, 2)
        assert ask(url, sandbox, 4) == [200] * 4
        first, second = children(process.pid)
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while len(now := children(process.pid)) < 2 or first in now:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert second in now
        assert ask(url, sandbox, 10) == [200] * 10
    assert process.returncode == 0
    log = (tmp_path / "log").read_text()
    assert "workers_share_nothing" in log
    assert "worker_died" in log


def is_replaced(worker: int, supervisor: int) -> bool:
    """Whether there are two others."""
    return len(now := children(supervisor)) == 2 and worker not in now


def test_workers_restarted_one_after_the_other_under_load_lose_no_request(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = sandbox.accounts()["parent"]
    over = threading.Event()

    def load(url: str, *, keep: bool) -> list[int]:
        came = []
        sent = heard = time.monotonic()
        with loopback.Client() as kept:
            while not over.is_set():
                # A kept connection is heard out since it was answered, which was after it asked.
                begun, sent = sent if keep else heard, time.monotonic()
                post = kept.post if keep else loopback.post
                try:
                    status = post(f"{url}/graphql", json=PAGE, auth=account.auth).status_code
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    status = 0  # The connection ended without an answer.
                heard = time.monotonic()
                # A busy machine may hold a client up for so long that it is heard no longer: it is
                # refused then, or its connection was closed before it asked.
                if status == 200 or heard - begun <= HEARD_OUT["kept" if keep else "new"]:
                    came.append(status)
                else:
                    assert status in {0, 503}
        return came

    with (
        served("--workers", "2", folder=tmp_path, **before(sandbox)) as (url, process),
        ThreadPoolExecutor(4) as pool,
    ):
        until_workers_serve(process, 2)
        clients = [pool.submit(load, url, keep=keep) for keep in (True, False) * 2]
        try:
            for each in children(process.pid):
                os.kill(each, signal.SIGTERM)
                # The second is told while the first one's successor still starts.
                until(partial(is_replaced, each, process.pid))
            until_workers_serve(process, 2)
        finally:
            over.set()
        came = [status for client in clients for status in client.result()]
        assert set(came) == {200}
    assert process.returncode == 0
    log = (tmp_path / "log").read_text()
    assert log.count("worker_left") == 2
    assert "worker_died" not in log


def test_a_worker_that_keeps_dying_ends_the_service_and_says_so(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with served("--workers", "2", folder=tmp_path, **before(sandbox)) as (_, process):
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None:
            assert time.monotonic() < deadline
            for each in children(process.pid)[:1]:
                os.kill(each, signal.SIGKILL)
            time.sleep(0.02)
    assert process.returncode == 1
    *before_that, last = (tmp_path / "log").read_text().splitlines()
    assert re.fullmatch(
        r"number-gateway: worker [12] has died 5 times in a row within 10 seconds of its start, at"
        r" last by signal 9 \(Killed\); what was logged before says more",
        last,
    )
    assert sum("worker_died" in line for line in before_that) >= 5


def test_workers_that_cannot_be_are_not_tried_again(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ImportError")
    variables = before(sandbox) | {
        "GATEWAY_TRACES": "true",
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
    }
    with served("--workers", "2", folder=tmp_path, **variables) as (_, process):
        assert process.wait(PATIENCE) == 1
    log = (tmp_path / "log").read_text()
    assert "number-gateway: traces need more packages" in log
    assert "has died" not in log
    assert log.count("traces need more packages") <= 2


def test_workers_leave_when_their_supervisor_was_killed(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    (folders := tmp_path / "folders").mkdir()
    shared = {"GATEWAY_METRICS": "true", "TMPDIR": str(folders), **before(sandbox)}
    with served("--workers", "2", folder=tmp_path, **shared) as (url, process):
        until_workers_serve(process, 2)
        assert ask(url, sandbox, 4) == [200] * 4
        assert len(list(folders.iterdir())) == 1
        process.kill()
        process.wait()
        deadline = time.monotonic() + PATIENCE
        # The last one removes the folder of their metrics.
        while listens(url) or list(folders.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert "Traceback" not in (tmp_path / "log").read_text()


_HELD_START = """
import fcntl, importlib, sys
with open({gate!r}) as gate:
    fcntl.flock(gate, fcntl.LOCK_SH)
sys.path.remove({folder!r})
del sys.modules[__name__]
importlib.import_module(__name__)
"""


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGKILL])
def test_workers_that_hear_of_their_end_while_they_start_answer_who_waits_and_leave_in_order(
    sandbox: RunningSandbox, tmp_path: Path, told: signal.Signals
) -> None:
    (folders := tmp_path / "folders").mkdir()
    (held := tmp_path / "held").mkdir()
    (gate := tmp_path / "gate").touch()
    start = _HELD_START.format(gate=str(gate), folder=str(held))
    (held / "prometheus_client.py").write_text(start)
    variables = {
        "GATEWAY_METRICS": "true",
        "TMPDIR": str(folders),
        "PYTHONPATH": f"{held}:{ROOT}",
        # A worker that takes longer is killed, and a busy machine takes its time to start one.
        "GATEWAY_DRAIN_LIMIT": str(PATIENCE),
        **before(sandbox),
    }
    asked = posted(json.dumps(PAGE).encode(), sandbox.accounts()["parent"])
    lock = gate.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    with (
        served("--workers", "2", folder=tmp_path, **variables) as (url, process),
        ExitStack() as on,
    ):
        until(lambda: len(children(process.pid)) == 2)
        workers = children(process.pid)
        waiting = [on.enter_context(connected(url)) for _ in range(8)]
        for each in waiting:
            each.sendall(asked)  # It is there before a worker is: that hears out nobody for long.
        until(lambda: waiting_connections(url) == 8)
        process.send_signal(told)
        until(lambda: all(has_signal(each, "ShdPnd") for each in workers))
        lock.close()
        replies = [read_reply(each) for each in waiting]
        assert [reply and reply.status for reply in replies] == [200] * 8
        assert process.wait(PATIENCE) == (0 if told == signal.SIGTERM else -told)
        until(lambda: not listens(url) and not list(folders.iterdir()))
    assert re.findall("worker_|Traceback", (tmp_path / "log").read_text()) == []


def waiting_connections(url: str) -> int:
    """Return how many connections wait there to be accepted."""
    port = f"0100007F:{int(url.rsplit(':', 1)[1]):04X}"
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    return sum(int(line[4].split(":")[1], 16) for line in lines if line[1:4:2] == [port, "0A"])


def test_what_killed_workers_leave_is_removed_by_the_next_start_and_nothing_else(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    (folders := tmp_path / "folders").mkdir()
    shared = {"GATEWAY_METRICS": "true", "TMPDIR": str(folders), **before(sandbox)}
    with served("--workers", "2", folder=tmp_path, **shared) as (url, process):
        until_workers_serve(process, 2)
        assert ask(url, sandbox, 1) == [200]
        killed = [process.pid, *children(process.pid)]
        (left,) = folders.iterdir()
        (used := left.with_name(f"{left.name}-used")).mkdir()
        (others := folders / "number-gateway-metrics-others").mkdir()
        lock = os.open(used, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        for each in killed:
            os.kill(each, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + PATIENCE
        while listens(url):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert left.exists()
        with shared_folder(folders, wanted=False):
            assert sorted(folders.iterdir()) == sorted([used, others])
        os.close(lock)
        with shared_folder(folders, wanted=False):
            assert list(folders.iterdir()) == [others]


def test_workers_serve_the_sandbox_together(tmp_path: Path) -> None:
    arguments = ("--workers", "2", "--sandbox", "--sandbox-port", "0", "--numbers", "500")
    with served(*arguments, folder=tmp_path) as (url, process):
        seen: set[Any] = set()
        for _ in range(10):
            answer = loopback.post(f"{url}/graphql", json=PAGE).json()
            seen.add(answer["data"]["phoneNumbers"]["nodes"][0]["sid"])
        assert len(seen) == 1
        assert loopback.get(f"{url}/readyz").status_code == 200
    assert process.returncode == 0


def test_a_port_that_is_taken_is_refused_with_workers_too(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with served("--workers", "2", folder=tmp_path, **before(sandbox)) as (url, _):
        port = url.rsplit(":", 1)[1]
        other = tmp_path / "other"
        other.mkdir()
        with (
            pytest.raises(AssertionError, match=f"port {port} on 127.0.0.1 is taken"),
            served("--workers", "2", "--port", port, folder=other, **before(sandbox)),
        ):
            pass


def test_workers_serve_where_only_the_time_of_day_is_shifted(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        pytest.skip("faketime is not installed: run tools/setup-tests.sh")
    shifted = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": "+3600",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with served("--workers", "2", folder=tmp_path, **before(sandbox), **shifted) as (url, process):
        assert loopback.get(f"{url}/healthz").status_code == 200
        assert process.poll() is None
