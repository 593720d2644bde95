"""What a request costs in several ways, side by side, in short alternating slices of load.

All gateways share one process (see `watched.py`). Each slice is compared with one of the first way
just before or after: a machine's speed drifts, but hardly within half a second.
"""

import asyncio
import contextlib
import os
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import uvloop

from tests.benchmarks import servers
from tests.benchmarks.load import SAMPLES
from tests.benchmarks.operations import Operation
from tests.benchmarks.slices import Load, rendered
from tests.benchmarks.watched import TABLES

# Metrics are counted in the background, this much later at most.
_AFTERWARDS: Final = 0.15
_WARM_UP: Final = 1.0


class Slice(NamedTuple):
    """What a slice of load showed.

    Attributes:
        cost: the processor time of a request, in microseconds.
        rate: requests per second.
    """

    cost: float
    rate: float


class Pair(NamedTuple):
    """Two slices, one after the other: of the first way, and of another one."""

    first: Slice
    other: Slice


def measure(
    operation: Operation,
    table: str,
    rounds: int,
    seconds: float,
    environment: Mapping[str, str],
    *,
    samples: int = SAMPLES,
) -> dict[str, list[Pair]]:
    """Return what each way but the first showed beside that one, with so many different requests."""
    own, other = servers.cores()
    with contextlib.ExitStack() as running:
        upstream = running.enter_context(servers.upstream())
        ports = {way: servers.free_port() for way in TABLES[table]}
        command = [sys.executable, "-m", "tests.benchmarks.watched", "--upstream", upstream.url]
        command += ["--ways", table, "--ports", ",".join(map(str, ports.values()))]
        last = list(ports.values())[-1]
        process = running.enter_context(
            servers.running("gateways", command, last, cpu=own, environment=environment)
        )
        before = os.sched_getaffinity(0)
        running.callback(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, {other})
        requests = rendered([operation.body(each) for each in operation.samples(samples)])
        return uvloop.run(_alternating(requests, ports, process, rounds, seconds))


async def _alternating(
    requests: Sequence[bytes],
    ports: Mapping[str, int],
    process: servers.Server,
    rounds: int,
    seconds: float,
) -> dict[str, list[Pair]]:
    pairs: defaultdict[str, list[Pair]] = defaultdict(list)
    loads = {way: Load(requests) for way in ports}

    async def slice_of(way: str, seconds: float) -> Slice:
        loop = asyncio.get_running_loop()
        before, began = process.processor_seconds(), loop.time()
        answered = await loads[way].slice(seconds)
        took = loop.time() - began
        await asyncio.sleep(_AFTERWARDS)
        used = process.processor_seconds() - before
        return Slice(used / answered * 1e6, answered / took)

    for way, load in loads.items():
        await load.connect(ports[way])
        await slice_of(way, _WARM_UP)
    first, *others = ports
    for turn in range(rounds):
        # What a slice leaves behind in caches falls to another one each time.
        random.shuffle(others)
        for way in others:
            if turn % 2:
                pair = Pair(await slice_of(first, seconds), await slice_of(way, seconds))
            else:
                other = await slice_of(way, seconds)
                pair = Pair(await slice_of(first, seconds), other)
            pairs[way].append(pair)
    for load in loads.values():
        load.close()
    return pairs
