"""Several workers on one port."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway_command import before, served
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.valkey_process import valkey_server

PAGE = {"query": "query Page { phoneNumbers(first: 1) { nodes { sid } } }"}


def children(pid: int) -> list[int]:
    """Return the ids of the worker processes."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [
        each
        for each in map(int, text.split())
        if b"resource_tracker" not in Path(f"/proc/{each}/cmdline").read_bytes()
    ]


def listens(url: str) -> bool:
    """Whether anybody takes connections there."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) == 0


def ask(url: str, sandbox: RunningSandbox, times: int) -> list[int]:
    """Ask over a new connection each time, and return the statuses."""
    auth = sandbox.accounts()["parent"].auth
    return [
        httpx.post(f"{url}/graphql", json=PAGE, auth=auth, trust_env=False, timeout=20).status_code
        for _ in range(times)
    ]


def metrics(url: str) -> dict[str, float]:
    """Return what the page of metrics says."""
    lines = httpx.get(f"{url}/metrics", trust_env=False, timeout=20).text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line[0] != "#")
    return {name: float(value) for name, value in pairs}


def test_workers_share_one_port_and_count_together(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with (
        valkey_server(tmp_path) as server,
        served(
            "--workers",
            "2",
            folder=tmp_path,
            GATEWAY_STORE_URL=server.url,
            GATEWAY_METRICS="true",
            **before(sandbox),
        ) as (url, process),
    ):
        assert ask(url, sandbox, 30) == [200] * 30
        assert len(children(process.pid)) == 2
        key = 'gateway_operations_total{kind="query",operation="Page",outcome="ok"}'
        closed = 'gateway_upstream_breakers{family="catalog",state="closed"}'
        # One account, and one breaker in each worker, which each tells of every two seconds.
        expected = {key: 30.0, closed: 2.0}
        deadline = time.monotonic() + 20
        while (page := metrics(url)) | expected != page:
            assert time.monotonic() < deadline, page
            time.sleep(0.1)
        folder = next(
            line.split("=", 1)[1]
            for line in Path(f"/proc/{children(process.pid)[0]}/environ").read_text().split("\0")
            if line.startswith("PROMETHEUS_MULTIPROC_DIR=")
        )
        assert Path(folder).is_dir()
    assert not Path(folder).exists()
    assert process.returncode == 0
    assert (tmp_path / "log").read_text() == ""


def test_a_worker_that_dies_is_replaced_while_the_others_serve_however_young_it_was(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with served("--workers", "2", folder=tmp_path, **before(sandbox)) as (url, process):
        assert ask(url, sandbox, 4) == [200] * 4
        first, second = children(process.pid)
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while len(now := children(process.pid)) < 2 or first in now:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert second in now
        assert ask(url, sandbox, 10) == [200] * 10
    assert process.returncode == 0
    log = (tmp_path / "log").read_text()
    assert "workers_share_nothing" in log
    assert "worker_died" in log


def test_workers_leave_when_their_supervisor_was_killed(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with served("--workers", "2", folder=tmp_path, **before(sandbox)) as (url, process):
        assert ask(url, sandbox, 4) == [200] * 4
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while listens(url):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_workers_serve_the_sandbox_together(tmp_path: Path) -> None:
    arguments = ("--workers", "2", "--sandbox", "--sandbox-port", "0", "--numbers", "500")
    with served(*arguments, folder=tmp_path) as (url, process):
        seen: set[Any] = set()
        for _ in range(10):
            answer = httpx.post(f"{url}/graphql", json=PAGE, trust_env=False, timeout=20).json()
            seen.add(answer["data"]["phoneNumbers"]["nodes"][0]["sid"])
        assert len(seen) == 1
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
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
