"""Subscribers of two gateways whose store comes back empty, or older, or without a part of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from redis import Redis

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import (
    CHANGES,
    EventStream,
    Socket,
    buy,
    events,
    mutate,
    number_of,
    socket,
)
from tests.support.valkey_process import ValkeyServer, valkey_server
from tests.support.waiting import until

MISSED = "EVENTS_MISSED"


class Pair(NamedTuple):
    """A Valkey and two gateways that share it, as two machines would."""

    server: ValkeyServer
    one: RunningGateway
    two: RunningGateway

    def store(self) -> Redis:
        """Return a client of the server."""
        return Redis(port=self.server.port)

    def forget(self, *patterns: str) -> None:
        """Let the server lose keys, as one that evicts them does."""
        with self.store() as store:
            keys = [key for each in patterns for key in store.scan_iter(f"*{each}*")]
            assert keys
            store.delete(*keys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("valkey")


def _pair(sandbox: RunningSandbox, folder: Path, **settings: Any) -> Iterator[Pair]:
    folder.mkdir()
    with valkey_server(folder) as server:
        chosen = {"store_url": server.url, "store_timeout": 10.0, **settings}
        with running_gateway(sandbox, **chosen) as one, running_gateway(sandbox, **chosen) as two:
            yield Pair(server, one, two)


@pytest.fixture(scope="module")
def watching(shared_sandbox: RunningSandbox, folder: Path) -> Iterator[Pair]:
    """They look for changes made elsewhere, and for themselves ask nothing of the store."""
    yield from _pair(shared_sandbox, folder / "watching", poll_interval=0.5)


@pytest.fixture(scope="module")
def trusting(shared_sandbox: RunningSandbox, folder: Path) -> Iterator[Pair]:
    """They never look for changes made elsewhere."""
    yield from _pair(shared_sandbox, folder / "trusting", poll_interval=0)


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(role="subscriber", owned=2)


def ended(stream: EventStream, unless: str | None = None) -> str | None:
    """Return with what error a stream ends; None when it tells before that `unless` was bought.

    What it told of may be told again, as when a look finds a change before it is announced.
    """
    while "errors" not in (frame := stream.next()).data:
        change = frame.data["data"]["phoneNumberChanged"]
        if unless and change["number"] == unless:
            return None
        assert unless or change["kind"] == "CONFIGURED"
    [error] = frame.data["errors"]
    assert stream.next().event == "complete"
    code: str = error["extensions"]["code"]
    return code


def received(connection: Socket) -> dict[str, Any]:
    """Return the next message that is no sign of life."""
    while (message := connection.receive())["type"] == "ping":
        pass
    return message


def rename(gateway: RunningGateway, account: SandboxAccount, name: str) -> None:
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    mutate(gateway, account, "configurePhoneNumber", sid=sid, configuration={"friendlyName": name})


@pytest.mark.parametrize("how", ["flushed", "restarted empty"])
def test_whoever_follows_when_the_store_is_emptied_is_told_on_every_transport_of_both(
    watching: Pair, sandbox: RunningSandbox, account: SandboxAccount, how: str
) -> None:
    """What changed elsewhere since the last look cannot be found any more, by nobody."""
    server, one, two = watching
    accept = {"accept": "multipart/mixed;subscriptionSpec=1.0"}
    body = {"query": CHANGES}
    with (
        events(one, account=account) as here,
        events(two, account=account) as there,
        socket(two) as connection,
        two.http.stream(
            "POST", f"{two.url}/graphql", json=body, headers=accept, auth=account.auth
        ) as parts,
    ):
        connection.init(account)
        connection.subscribe("changes", CHANGES)
        lines = parts.iter_lines()
        for _ in range(2):  # at once, and when the subscription is in force
            next(line for line in lines if line.startswith("{"))
        here.confirmed()
        there.confirmed()
        # Nothing says on a socket that a subscription is in force.
        until(lambda: two.parts and two.parts.events.subscribers == 3)
        rename(one, account, "Known")
        assert received(connection)["type"] == "next"
        for stream in (here, there):
            stream.change()
        next(line for line in lines if "payload" in line)
        if how == "flushed":
            with watching.store() as store:
                store.flushall()
            sandbox.put_number(account.sid, "+14155550150")
        else:
            server.kill()
            sandbox.put_number(account.sid, "+14155550150")
            server.empty()
            server.start()
        assert ended(here) == ended(there) == MISSED
        while MISSED not in (message := json.dumps(received(connection))):
            assert '"CONFIGURED"' in message
        assert MISSED in next(line for line in lines if "errors" in line)
    with events(two, account=account) as stream:
        stream.confirmed()
        sandbox.put_number(account.sid, "+14155550151")
        told = stream.change()["number"]
        # A look of each gateway may have begun before it, and each finds it with the next.
        while told == "+14155550150":
            told = stream.change()["number"]
        assert told == "+14155550151"


def test_an_id_from_before_the_store_was_emptied_is_not_gone_on_from(
    trusting: Pair, account: SandboxAccount
) -> None:
    _, one, two = trusting
    with events(one, account=account) as stream:
        stream.confirmed()
        rename(two, account, "Before")
        last = stream.change()["id"]
    with trusting.store() as store:
        store.flushall()
    rename(one, account, "Lost sight of")
    with events(two, account=account, headers={"last-event-id": last}) as stream:
        assert ended(stream) == MISSED


def test_a_store_that_comes_back_as_it_was_before_gives_no_number_twice_unnoticed(
    trusting: Pair, account: SandboxAccount, tmp_path: Path
) -> None:
    """A replica that lags, or a snapshot on disk: another event has the number of the last one."""
    server, one, two = trusting
    with events(one, account=account) as here:
        here.confirmed()
        rename(two, account, "First")
        here.change()
        server.save(tmp_path / "copy")
        rename(two, account, "Second")
        last = here.change()["id"]
        server.kill()
        server.restore(tmp_path / "copy")
        server.start()
        rename(two, account, "Third, under the second's number")
        assert ended(here) == MISSED
        with events(two, account=account, headers={"last-event-id": last}) as there:
            assert ended(there) == MISSED


@pytest.mark.parametrize("lost", [("snapshot:",), ("snapshot:", "watch:")])
def test_whoever_follows_when_what_was_seen_is_lost_is_told_in_both(
    watching: Pair, sandbox: RunningSandbox, account: SandboxAccount, lost: tuple[str, ...]
) -> None:
    _, one, two = watching
    with events(one, account=account) as here, events(two, account=account) as there:
        here.confirmed()
        there.confirmed()
        rename(two, account, "Known")
        last = here.change()["id"]
        assert there.change()["id"] == last
        for end in range(20):
            watching.forget(*(f"{each}{account.sid}" for each in lost))
            number = sandbox.put_number(account.sid, f"+141555502{end:02}")["phone_number"]
            how = ended(here, unless=number)
            assert ended(there, unless=number) == how
            if how is not None:
                break
            # Nothing was missed: a look had begun before, found the number and kept what it saw.
        assert how == MISSED


def test_whoever_comes_back_after_nobody_watched_is_told_and_who_comes_anew_is_not(
    watching: Pair, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    """The last event is still known then, but not what happened elsewhere."""
    _, one, two = watching
    with events(one, account=account) as stream:
        stream.confirmed()
        rename(two, account, "Known")
        last = stream.change()["id"]
    until(lambda: one.parts and not one.parts.events.subscribers)
    watching.forget(f"snapshot:{account.sid}")
    sandbox.put_number(account.sid, "+14155550153")
    with events(two, account=account) as stream:
        stream.confirmed()
        with events(one, account=account, headers={"last-event-id": last}) as back:
            assert ended(back) == MISSED
        sandbox.put_number(account.sid, "+14155550154")
        assert stream.change()["number"] == "+14155550154"


def test_what_is_changed_while_the_store_is_away_is_reported_when_it_is_back(
    trusting: Pair, account: SandboxAccount
) -> None:
    server, one, two = trusting
    with events(two, account=account) as stream:
        stream.confirmed()
        rename(one, account, "Before")
        stream.change()
        server.kill()
        for name in ("Away", "Still away"):
            rename(one, account, name)
        server.start()
        names = [stream.change()["phoneNumber"]["friendlyName"] for _ in range(2)]
        assert names == ["Away", "Still away"]


def test_an_id_of_the_release_before_is_gone_on_from(
    trusting: Pair, account: SandboxAccount
) -> None:
    """Such an id is the event's number alone."""
    _, one, two = trusting
    with events(one, account=account) as stream:
        stream.confirmed()
        rename(two, account, "Before")
        last = number_of(stream.change()["id"])
    rename(two, account, "After")
    with events(one, account=account, headers={"last-event-id": str(last // 1000)}) as stream:
        assert stream.change()["phoneNumber"]["friendlyName"] == "After"


def test_a_gateway_that_keeps_events_itself_tells_after_its_restart(
    sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with (
        running_gateway(sandbox, poll_interval=0) as gateway,
        events(gateway, account=account) as stream,
    ):
        buy(gateway, account)
        last = stream.change()["id"]
    with (
        running_gateway(sandbox, poll_interval=0) as gateway,
        events(gateway, account=account, headers={"last-event-id": last}) as stream,
    ):
        assert ended(stream) == MISSED
