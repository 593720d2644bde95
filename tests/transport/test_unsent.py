"""Clients that read nothing: what waits for them is bounded, and others are answered."""

import asyncio
import gc
import os
import re
import time
from contextlib import ExitStack
from pathlib import Path
from resource import RLIMIT_AS, prlimit
from threading import Thread
from typing import Any

import pytest
from graphql import parse

from gateway.documents.limits import Limits, Meter
from gateway.errors import SlowConsumer
from gateway.pipeline.turns import Turns
from gateway.transport.exchange import Exchange
from gateway.transport.unsent import Pending, Unsent, UnsentLimits, guess
from schema import build_schema
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import gateway_process
from tests.support.process_memory import MEMORY_SHOWS, processor_seconds, resident
from tests.support.raw_bytes import connected, head
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.streams import credentials, mutate, socket
from tests.support.unread import LARGE, WAYS, unread
from tests.support.waiting import until

_MUCH = "{ __schema { types { name description fields { name } } } }"


class _Line:
    """A connection of which the system takes nothing."""

    write_paused = True
    is_gone = False

    def __init__(self) -> None:
        self.is_cut = False

    async def drain(self) -> None:
        await asyncio.Event().wait()

    def cut(self) -> None:
        self.is_cut = True


def _unsent(**limits: float) -> Unsent:
    chosen = {"unsent_per_connection": 2000, "unsent_per_caller": 3000}
    return Unsent(bare_settings(**{**chosen, **limits}).pick(UnsentLimits), Turns())


def test_operations_wait_until_there_is_room_for_their_answers_in_turn() -> None:
    async def main() -> None:
        outbox = _unsent().outbox("me", None)
        first = await outbox.begin(1500)
        waiting = [asyncio.ensure_future(outbox.begin(1500)) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        assert not outbox.is_full
        first.finished(1900)
        for each in waiting:
            first.end()
            first = await each
        first.end()

    asyncio.run(main())


def test_a_caller_s_connections_share_a_bound_and_others_have_their_own() -> None:
    async def main() -> None:
        unsent = _unsent(request_deadline=0.05)
        one, two = (unsent.outbox("me", None) for _ in "12")
        pending = [await one.begin(1900), await two.begin(1000)]
        with pytest.raises(SlowConsumer):
            await two.begin(900)
        (await unsent.outbox("other", None).begin(900)).end()
        for each in pending:
            each.end()
        (await two.begin(900)).end()

    asyncio.run(main())


def test_who_holds_most_is_cut_off_when_it_is_too_much_all_the_same() -> None:
    async def main() -> None:
        unsent = _unsent(unsent_per_process=5000)
        lines = [_Line() for _ in range(4)]
        names = ("me", "me", "other", "third")
        outboxes = [unsent.outbox(*each) for each in zip(names, lines, strict=True)]
        pending = [Pending(each, 0) for each in outboxes]
        for each, size in zip(pending, (1000, 2500, 2000, 2500), strict=True):
            each.finished(size)
        assert [each.is_cut for each in lines] == [False, True, False, True]
        for each in pending:
            each.end()
        assert unsent.finished == 0

    asyncio.run(main())


def test_who_reads_gets_everything_however_little_may_wait(sandbox: RunningSandbox) -> None:
    limits: dict[str, Any] = {"unsent_per_connection": 64 * 1024, "unsent_per_caller": 256 * 1024}
    with running_gateway(sandbox, **limits) as gateway, socket(gateway) as connection:
        connection.init(gateway.account)
        for name in range(30):
            connection.subscribe(str(name), _MUCH)
        ended = [connection.receive() for _ in range(60)]
        assert sum(each["type"] == "complete" for each in ended) == 30
        assert gateway.post({"query": _MUCH}).status_code == 200


@pytest.mark.skipif(not MEMORY_SHOWS, reason="it is seen in /proc")
def test_with_little_memory_others_are_answered_while_much_is_asked_for_and_nothing_read(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every way that there is, all at once.

    Without bounds, what waits for these connections takes more memory than there is.
    """
    # Every thread's own arena would take 64 MB of what the process may address.
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    greedy, restless = sandbox.create_account(), sandbox.create_account()
    number = sandbox.put_number(restless.sid)["sid"]
    limits = {"batch_limit": 10, "write_timeout": 60, "unsent_per_caller": 8 * 2**20}
    # A busy machine is to answer late, not never.
    limits |= dict.fromkeys(("attempt_timeout", "call_deadline", "request_deadline"), 100)
    with gateway_process(sandbox, tmp_path, **limits) as gateway, ExitStack() as attack:
        pid, asked = gateway.process.pid, gateway.asked
        asked.post({"query": LARGE}, account=greedy)
        before = resident(pid)
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + 192 * 2**20
        prlimit(pid, RLIMIT_AS, (most, most))
        for way in WAYS:
            caller = restless if way == "changes" else greedy
            # What one of them asks for on a WebSocket is 20 MB.
            connections = 8 if way == "websocket" else 1
            attack.enter_context(unread(asked.url, caller, way, connections=connections, count=50))
            assert asked.query("{ __typename }")
        for name in range(5):
            named = {"friendlyName": str(name)}
            mutate(asked, restless, "configurePhoneNumber", sid=number, configuration=named)
        used = -1.0
        while processor_seconds(pid) - used > 0.02:  # Until all that can be done is done.
            assert asked.query("{ account { sid } }")
            assert resident(pid) - before < 48 * 2**20
            used = processor_seconds(pid)
            time.sleep(0.2)


def test_requests_behind_one_another_are_answered_in_order_however_many(
    gateway: RunningGateway,
) -> None:
    user = credentials(gateway.account)["Authorization"]
    headers = (f"authorization: {user}", "apollo-require-preflight: true")
    asked = b"".join(
        head(*headers, method="GET", path=f"/graphql?query={{x{each}:__typename}}")
        for each in range(1000)
    )
    with connected(gateway.url) as connection:
        writing = Thread(target=connection.sendall, args=(asked,), daemon=True)
        writing.start()
        received = b""
        while not received.endswith(b'{"data":{"x999":"Query"}}'):
            received += connection.recv(65_536)
        writing.join()
    answered = re.findall(rb'{"data":{"x([0-9]+)":"Query"}}', received)
    assert [int(each) for each in answered] == list(range(1000))


def test_of_who_hangs_up_with_requests_behind_one_another_nothing_is_left(
    gateway: RunningGateway,
) -> None:
    def exchanges() -> list[Exchange]:
        return [each for each in gc.get_objects() if isinstance(each, Exchange)]

    # Of those that end just now some may be left until they are collected.
    before = {id(each): each for each in exchanges()}

    def served() -> int:
        return sum(id(each) not in before for each in exchanges())

    with unread(gateway.url, gateway.account, "changes", connections=5, count=3):
        until(lambda: served() >= 5)
    until(lambda: not served())


def test_lists_run_however_little_may_wait(sandbox: RunningSandbox) -> None:
    limits: dict[str, Any] = {"unsent_per_connection": 64 * 1024, "unsent_per_caller": 64 * 1024}
    with running_gateway(sandbox, batch_limit=10, **limits) as gateway:
        answers = gateway.post([{"query": _MUCH}] * 10).json()
    assert [each["data"]["__schema"] is not None for each in answers] == [True] * 10


def test_introspection_counts_by_what_it_yields() -> None:
    schema = build_schema()._schema
    looked_at = Meter(schema, Limits()).read(parse(LARGE))[""]
    assert guess(looked_at.introspection, LARGE) > 64 * 1024


# Turns ------------------------------------------------------------------------------------------


def test_between_two_large_beginnings_everybody_else_goes_on() -> None:
    order: list[str] = []

    async def large(turns: Turns, caller: str) -> None:
        await turns.turn(caller)
        time.sleep(0.02)  # noqa: ASYNC251 - it holds up the loop
        order.append(caller)

    async def small() -> None:
        for _ in range(2):
            await asyncio.sleep(0)
        order.append("small")

    async def main() -> None:
        turns = Turns()
        async with asyncio.TaskGroup() as group:
            for caller in ("greedy", "greedy", "greedy", "greedy", "other"):
                group.create_task(large(turns, caller))
            group.create_task(small())

    asyncio.run(main())
    assert order == ["greedy", "small", "greedy", "other", "greedy", "greedy"]


def test_who_waits_no_longer_takes_no_turn() -> None:
    async def main() -> None:
        turns = Turns()
        await turns.turn("me")
        time.sleep(0.02)  # noqa: ASYNC251 - it holds up the loop
        waiting = [asyncio.ensure_future(turns.turn("me")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(*waiting[1:])

    asyncio.run(main())
