"""A rolling restart: two workers of one port, told to stop one after the other, under load."""

import os
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from tests.benchmarks.latency.page import Bound, Part
from tests.support import loopback
from tests.support.gateway_process import before, children, served, until_workers_serve
from tests.support.sandbox_in_thread import RunningSandbox, running_sandbox
from tests.support.waiting import until

_CLIENTS: Final = 4
_OK: Final = 200
_QUERY: Final = {"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"}


class _Came(NamedTuple):
    """What came of a client's requests."""

    seconds: list[float]
    lost: int


def measure(*, short: bool) -> Part:
    """Restart both workers several times, while clients with and without kept connections ask."""
    rounds = 2 if short else 10
    rows, bounds = [], []
    with running_sandbox() as sandbox:
        for kept in (True, False):
            came, restarts = _under_load(sandbox, rounds, kept=kept)
            way = "kept connections" if kept else "new connections"
            lost = sum(each.lost for each in came)
            seconds = [each for one in came for each in one.seconds]
            rows.append((way, str(restarts), f"{len(seconds):,}", str(lost), f"{max(seconds):.1f}"))
            bounds.append(Bound(f"lost, {way}", lost, 0))
    return Part(
        "rolling",
        "A rolling restart of two workers",
        f"`--workers 2`; each is sent SIGTERM when the other was replaced, while {_CLIENTS} clients ask as fast as"
        " they can. A request is lost when its answer is not 200. See [SOAK.md](../SOAK.md) for two machines behind"
        " nginx and HAProxy.",
        ("Clients with", "Restarts", "Requests", "Lost", "Longest, s"),
        rows,
        bounds,
    )


def _under_load(sandbox: RunningSandbox, rounds: int, *, kept: bool) -> tuple[list[_Came], int]:
    over, restarts = threading.Event(), 0
    with (
        tempfile.TemporaryDirectory() as folder,
        served(
            "--workers",
            "2",
            folder=Path(folder),
            GATEWAY_REQUESTS_PER_MINUTE="0",
            **before(sandbox),
        ) as (url, process),
        ThreadPoolExecutor(_CLIENTS) as pool,
    ):
        until_workers_serve(process, 2)
        auth = sandbox.accounts()["parent"].auth
        asked = [pool.submit(_ask, url, auth, over, kept=kept) for _ in range(_CLIENTS)]
        try:
            for _ in range(rounds):
                for each in children(process.pid):
                    os.kill(each, signal.SIGTERM)
                    until(partial(_is_gone, each, process.pid))
                    until_workers_serve(process, 2)
                    restarts += 1
        finally:
            over.set()
        return [each.result() for each in asked], restarts


def _is_gone(worker: int, supervisor: int) -> bool:
    return worker not in children(supervisor)


def _ask(url: str, auth: tuple[str, str], over: threading.Event, *, kept: bool) -> _Came:
    seconds, lost = [], 0
    with loopback.Client(timeout=60, auth=auth) as client:
        while not over.is_set():
            began = time.monotonic()
            post = client.post if kept else partial(loopback.post, auth=auth, timeout=60)
            try:
                lost += post(f"{url}/graphql", json=_QUERY).status_code != _OK
            except httpx.TransportError:
                lost += 1
            seconds.append(time.monotonic() - began)
    return _Came(seconds, lost)
