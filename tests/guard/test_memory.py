"""Clients that read nothing: what waits for them is bounded, and others are answered."""

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path
from resource import RLIMIT_AS, prlimit
from threading import Thread
from typing import Any

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from gateway.errors import SlowConsumer
from gateway.settings import Settings
from gateway.unsent import Pending, Unsent
from tests.faults.gateways import gateway_process
from tests.gateway_process import running_gateway
from tests.guard.processes import MEMORY_SHOWS, resident
from tests.protocol.streams import credentials, socket
from tests.sandbox_process import RunningSandbox, SandboxAccount

LARGE = "{ __schema { types { name description fields { name description type { name } } } } }"


class _Line:
    """A connection of which the system takes nothing."""

    write_paused = True

    def __init__(self) -> None:
        self.is_cut = False

    async def drain(self) -> None:
        await asyncio.Event().wait()

    def cut(self) -> None:
        self.is_cut = True


def _unsent(**limits: float) -> Unsent:
    chosen = {"unsent_per_connection": 2000, "unsent_per_caller": 3000, "_env_file": None}
    return Unsent(Settings(**{**chosen, **limits}))  # type: ignore[arg-type]


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
            connection.subscribe(str(name), LARGE)
        ended = [connection.receive() for _ in range(60)]
        assert sum(each["type"] == "complete" for each in ended) == 30
        assert gateway.post({"query": LARGE}).status_code == 200


def _never_read(url: str, account: SandboxAccount) -> None:
    """Ask for much on a WebSocket, and read nothing of it, until the server is gone."""
    query = {"type": "subscribe", "payload": {"query": LARGE}}
    message = {"type": "connection_init", "payload": credentials(account)}
    protocols: Any = ["graphql-transport-ws"]
    with (
        suppress(WebSocketException, OSError),
        connect(url, subprotocols=protocols, proxy=None, max_queue=1, close_timeout=0.1) as asking,
    ):
        asking.send(json.dumps(message))
        asking.recv()
        for name in range(50):
            asking.send(json.dumps(query | {"id": str(name)}))


@pytest.mark.skipif(not MEMORY_SHOWS, reason="it is seen in /proc")
def test_with_little_memory_others_are_answered_while_somebody_reads_nothing(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Without bounds what waits for these sockets takes more memory than there is."""
    greedy = sandbox.create_account()
    with gateway_process(sandbox, tmp_path) as gateway:
        pid, asked = gateway.process.pid, gateway.asked
        asked.post({"query": LARGE}, account=greedy)
        before = resident(pid)
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + 128 * 2**20
        prlimit(pid, RLIMIT_AS, (most, most))
        url = asked.url.replace("http", "ws", 1) + "/graphql"
        greed = [Thread(target=_never_read, args=(url, greedy), daemon=True) for _ in range(20)]
        for each in greed:
            each.start()
            assert asked.query("{ __typename }")
        assert asked.query("{ account { sid } }")
        assert resident(pid) - before < 64 * 2**20
        gateway.kill()
        for each in greed:
            each.join(5)
