"""Where the gateway's time goes: `python -m tests.benchmarks.profile wide [--sampled]`.

The gateway runs in this process, served as in production, under wrk's load against the static
upstream. cProfile counts calls exactly but slows small functions down; `--sampled` uses
pyinstrument instead, which distorts less and draws the tree of callers. On a busy machine
`--cpu-time` leaves out the time in which other processes had the core.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop

from gateway.app import create_app
from tests.benchmarks import load, servers
from tests.benchmarks.load import Measured
from tests.benchmarks.operations import OPERATIONS, Operation
from tests.support.bare_settings import bare_settings

_LINES: Final = 45


async def _under_load(
    operation: Operation, upstream_url: str, seconds: float, begin: Callable[[], object]
) -> Measured:
    """Serve the gateway on this loop while wrk asks; `begin` is called when it has warmed up."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        chosen: dict[str, Any] = {
            "catalog_url": upstream_url,
            "core_url": upstream_url,
            "auth": "pass-through",
            "production": True,
            "requests_per_minute": 0,
            "data_dir": Path(folder),
        }
        config = uvicorn.Config(
            create_app(bare_settings(**chosen)),
            http="httptools",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        requests = load.write_requests(Path(folder), operation, plain=False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/graphql"
        cpu = servers.cores()[1]
        await asyncio.to_thread(load.run, url, requests, 1, cpu=cpu)
        begin()
        measured = await asyncio.to_thread(load.run, url, requests, seconds, cpu=cpu)
        server.should_exit = True
        await serving
    return measured


def _exact(
    operation: Operation, upstream_url: str, seconds: float, clock: Callable[[], float]
) -> tuple[Measured, str]:
    profile = cProfile.Profile(clock)
    with tempfile.TemporaryFile("w+") as text:
        measured = uvloop.run(_under_load(operation, upstream_url, seconds, profile.enable))
        profile.disable()
        pstats.Stats(profile, stream=text).strip_dirs().sort_stats("tottime").print_stats(_LINES)
        text.seek(0)
        return measured, text.read()


def _sampled(operation: Operation, upstream_url: str, seconds: float) -> tuple[Measured, str]:
    from pyinstrument import Profiler  # noqa: PLC0415 - only this way needs it

    profiler = Profiler(interval=0.0005, async_mode="disabled")
    measured = uvloop.run(_under_load(operation, upstream_url, seconds, profiler.start))
    profiler.stop()
    return measured, profiler.output_text(unicode=True, show_all=False)


def main() -> None:
    """Profile one operation and print the functions that took the most time of their own."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profile")
    parser.add_argument("operation", choices=[operation.name for operation in OPERATIONS])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--sampled", action="store_true", help="pyinstrument in place of cProfile")
    parser.add_argument("--cpu-time", action="store_true", help="this thread's time only")
    chosen = parser.parse_args()
    operation = next(one for one in OPERATIONS if one.name == chosen.operation)
    os.sched_setaffinity(0, {servers.cores()[0]})
    with servers.upstream() as upstream:
        if chosen.sampled:
            measured, text = _sampled(operation, upstream.url, chosen.seconds)
        else:
            clock = time.thread_time if chosen.cpu_time else time.perf_counter
            measured, text = _exact(operation, upstream.url, chosen.seconds, clock)
    sys.stdout.write(text)
    sys.stdout.write(
        f"{operation.name}: {measured.requests} requests, under the profiler"
        f" {measured.rate:,.0f}/s, {1e6 / measured.rate:,.0f} µs each\n"
    )


if __name__ == "__main__":
    main()
