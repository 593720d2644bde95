"""Idle subscribers, and many who connect at once: what they cost, and what others notice of them."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import pytest

from gateway.server.beats import Beats
from gateway.server.door import AT_ONCE, Door
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.streams import CHANGES, events, socket
from tests.support.waiting import until

_FEW, _MORE = 5, 20


@pytest.fixture(scope="module")
def gateway(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway of which nothing is heard while its subscribers are idle."""
    with running_gateway(shared_sandbox, poll_interval=0, metrics=False) as running:
        yield running


@contextmanager
def subscribed(gateway: RunningGateway, kind: str, count: int) -> Iterator[None]:
    """Keep subscriptions in force, each on a connection of its own."""
    assert gateway.parts
    bus, account = gateway.parts.events, gateway.account
    with ExitStack() as stack:
        before, streams = bus.subscribers, []
        for _ in range(count):
            if kind == "events":
                streams.append(stack.enter_context(events(gateway, account=account)))
                streams[-1].confirmed()
            else:
                connected = stack.enter_context(socket(gateway))
                connected.init(account)
                connected.subscribe("1", CHANGES)
        until(lambda: bus.subscribers == before + count)
        yield
    until(lambda: bus.subscribers == before)


def held() -> Counter[str]:
    """Return how many objects there are of each kind of the gateway's and of what it serves with."""
    gc.collect()
    found: Counter[str] = Counter()
    for each in gc.get_objects():
        kind = type(each)
        if kind.__module__.startswith(("gateway.", "uvicorn.", "_asyncio", "asyncio.", "schema.")):
            found[kind.__qualname__] += 1
    return found


@pytest.mark.parametrize(("kind", "tasks"), [("events", 1), ("websocket", 0)])
def test_an_idle_subscriber_has_few_objects_and_no_task_that_does_something(
    gateway: RunningGateway, kind: str, tasks: int
) -> None:
    """A stream has the one of its request; the tests' clients are threads, so all are the gateway's."""
    with subscribed(gateway, kind, _FEW):
        before = held()
        with subscribed(gateway, kind, _MORE):
            after = held()
    more = {name: (after[name] - before[name]) / _MORE for name in after}
    assert more["Task"] == pytest.approx(tasks, abs=0.2), more
    assert more["Member"] == 1, more
    # Objects that an equal subscription shares with all others.
    for name in ("Group", "StrawberryGraphQLCoreExecutionContext", "Document"):
        assert more.get(name, 0) < 0.2, more
    assert sum(more.values()) < 30, more


def test_a_websocket_is_not_compressed_even_if_its_client_asks_for_that(
    gateway: RunningGateway,
) -> None:
    with socket(gateway, compression="deflate") as connected:
        connected.init(gateway.account)
        assert connected.connection.protocol.extensions == []


class _New:
    """A connection that notes when it may begin."""

    def __init__(self, begun: list["_New"]) -> None:
        self._begun = begun

    def begin(self) -> None:
        """Note it."""
        self._begun.append(self)


def test_those_who_come_at_once_begin_in_turn_and_let_others_in_between() -> None:
    async def run() -> None:
        door, begun = Door(), list[_New]()
        coming = [_New(begun) for _ in range(5 * AT_ONCE)]
        for each in coming:
            if door.enter(each):
                begun.append(each)
        seen = [len(begun)]
        while len(begun) < len(coming):
            await asyncio.sleep(0)
            seen.append(len(begun))
        assert begun == coming
        assert {later - before for before, later in pairwise(seen)} <= {0, AT_ONCE}
        await asyncio.sleep(0.01)
        assert door.enter(_New(begun)), "who comes later begins at once"

    asyncio.run(run())


def test_signs_of_life_come_in_the_order_of_silence_and_not_to_who_has_left() -> None:
    async def run() -> None:
        seen: list[str] = []
        beats: Beats[str] = Beats(0.05, seen.append)
        for name in "abc":
            beats.watch(name)
        beats.watch("a")  # It was heard of again.
        beats.leave("b")
        while len(seen) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert seen == ["c", "a"]

    asyncio.run(run())
