"""Equal subscriptions: an event is executed once for all whose callers may see the same."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gateway.auth.caller import Caller
from gateway.errors import SlowConsumer
from gateway.execution import executors
from gateway.pipeline.subscriptions import Emission, Member, Waiting
from gateway.upstream.call import Credential
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES, EventStream, Socket, buy, events, mutate, socket
from tests.support.tokens import TOKENS_MODE, token
from tests.support.waiting import until

pytestmark = pytest.mark.both_adaptors


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(role="subscriber", catalog=True)


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Which events were executed."""
    seen: list[object] = []
    answer_event = executors.answer_event

    async def noted(executor: Any, event: Any, context: object) -> Any:
        seen.append(event.id)
        return await answer_event(executor, event, context)

    monkeypatch.setattr(executors, "answer_event", noted)
    return seen


@pytest.fixture(scope="module")
def guarded(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway in tokens mode."""
    parent = shared_sandbox.accounts()["parent"]
    own: dict[str, Any] = {"account_sid": parent.sid, "auth_token": parent.auth_token}
    with running_gateway(shared_sandbox, **TOKENS_MODE, **own) as gateway:
        yield gateway


def subscribers(gateway: RunningGateway) -> int:
    """How many subscriptions are in force."""
    assert gateway.parts
    return gateway.parts.events.subscribers


def groups(gateway: RunningGateway) -> int:
    """How many of them are not equal to another."""
    assert gateway.parts
    return len(gateway.parts.pipeline.groups)


def opened(
    stack: ExitStack, gateway: RunningGateway, account: SandboxAccount, **options: Any
) -> EventStream:
    """Return a stream that is in force."""
    stream = stack.enter_context(events(gateway, account=account, **options))
    stream.confirmed()
    return stream


def test_an_event_is_executed_once_for_equal_subscriptions_of_whatever_transport(
    gateway: RunningGateway, account: SandboxAccount, executed: list[object]
) -> None:
    with ExitStack() as stack:
        streams = [opened(stack, gateway, account) for _ in range(3)]
        sockets: list[Socket] = []
        for each in range(3):
            sockets.append(stack.enter_context(socket(gateway)))
            sockets[-1].init(account)
            sockets[-1].subscribe(f"name {each}", CHANGES)
        until(lambda: subscribers(gateway) == 6)
        numbers = [buy(gateway, account)["sid"] for _ in range(3)]
        for stream in streams:
            assert [stream.change()["numberId"] for _ in numbers] == numbers
        for place, connected in enumerate(sockets):
            for sid in numbers:
                told = connected.receive()
                assert (told["type"], told["id"]) == ("next", f"name {place}")
                assert told["payload"]["data"]["phoneNumberChanged"]["numberId"] == sid
        assert len(executed) == len(set(executed)) == 3
        assert groups(gateway) == 1
    until(lambda: groups(gateway) == 0)


def test_what_is_asked_otherwise_is_executed_by_itself(
    gateway: RunningGateway, account: SandboxAccount, executed: list[object]
) -> None:
    sid = buy(gateway, account)["sid"]
    with ExitStack() as stack:
        streams = [
            opened(stack, gateway, account),
            opened(stack, gateway, account, query=CHANGES + " "),
            opened(stack, gateway, account, variables={"sids": [sid]}),
            opened(stack, gateway, account, variables={"account": account.sid}),
        ]
        assert groups(gateway) == 4
        mutate(
            gateway,
            account,
            "configurePhoneNumber",
            sid=sid,
            configuration={"friendlyName": "Front desk"},
        )
        assert len({stream.change()["id"] for stream in streams}) == 1
        assert len(executed) == 4


def test_callers_with_other_rights_share_nothing(
    guarded: RunningGateway, executed: list[object]
) -> None:
    """Those with the same do, whoever they are."""
    account = guarded.account
    other = guarded.sandbox.subaccounts()[0]
    bearers = [
        token(account.sid, sub="one"),
        token(account.sid, sub="two"),
        token(account.sid, other.sid, sub="three"),
        token(account.sid, sub="four", scope="numbers:read accounts:read"),
    ]
    with ExitStack() as stack:
        streams = []
        for bearer in bearers:
            response = stack.enter_context(
                guarded.http.stream(
                    "POST",
                    f"{guarded.url}/graphql",
                    json={"query": CHANGES},
                    headers={"accept": "text/event-stream", "authorization": f"Bearer {bearer}"},
                )
            )
            streams.append(EventStream(response))
            streams[-1].confirmed()
        assert (subscribers(guarded), groups(guarded)) == (4, 3)
        bought = guarded.http.post(
            f"{guarded.url}/graphql",
            json={
                "query": "mutation ($input: ConfigurePhoneNumberInput!) { configurePhoneNumber("
                "input: $input) { userErrors { message } } }",
                "variables": {
                    "input": {
                        "sid": guarded.sandbox.put_number(account.sid)["sid"],
                        "configuration": {"friendlyName": "Front desk"},
                    }
                },
            },
            headers={"authorization": f"Bearer {bearers[0]}"},
        )
        assert bought.json() == {"data": {"configurePhoneNumber": {"userErrors": []}}}
        assert len({stream.change()["id"] for stream in streams}) == 1
        assert len(executed) == 3


def test_another_s_credentials_for_the_same_account_share_nothing(
    gateway: RunningGateway, account: SandboxAccount, executed: list[object]
) -> None:
    key = account.main_api_key
    with ExitStack() as stack:
        mine = opened(stack, gateway, account)
        response = stack.enter_context(
            gateway.http.stream(
                "POST",
                f"{gateway.url}/graphql",
                json={"query": CHANGES},
                headers={"accept": "text/event-stream", "x-account-sid": account.sid},
                auth=(key["sid"], key["secret"]),
            )
        )
        theirs = EventStream(response)
        theirs.confirmed()
        assert groups(gateway) == 2
        sid = buy(gateway, account)["sid"]
        assert mine.change()["numberId"] == theirs.change()["numberId"] == sid
        assert len(executed) == 2


def test_who_joins_gets_what_it_has_missed_and_then_what_all_get(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with ExitStack() as stack:
        first = opened(stack, gateway, account)
        buy(gateway, account)
        last = first.change()["id"]
        resumed = opened(stack, gateway, account, headers={"last-event-id": last})
        missed = [buy(gateway, account)["sid"] for _ in range(3)]
        joined = stack.enter_context(
            events(gateway, account=account, headers={"last-event-id": last})
        )
        until(lambda: subscribers(gateway) == 3)
        assert groups(gateway) == 2  # Who goes on behind an event relies on more.
        live = buy(gateway, account)["sid"]
        for stream in (first, resumed, joined):
            assert [stream.change()["numberId"] for _ in range(4)] == [*missed, live]


def _kept() -> Counter[str]:
    """Count what there is in this process of requests, connections and those who follow."""
    gc.collect()
    rooms = "gateway.pipeline.", "gateway.transport.", "gateway.server.", "gateway.events."
    names = (f"{type(each).__module__}.{type(each).__name__}" for each in gc.get_objects())
    return Counter(name for name in names if name.startswith(rooms))


def test_nothing_is_kept_of_subscriptions_that_were_closed(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    """Whether equal to others or not, of either transport, while one who stays goes on."""
    with ExitStack() as stack:
        staying = stack.enter_context(socket(gateway))
        staying.init(account)
        staying.subscribe("1", CHANGES)
        until(lambda: subscribers(gateway) == 1)

        def open_and_close(first: int) -> None:
            with ExitStack() as closing:
                for each in range(first, first + 4):
                    for sids in (None, [f"PN{each:032x}"]):
                        connected = closing.enter_context(socket(gateway))
                        connected.init(account)
                        connected.subscribe("1", CHANGES, sids=sids)
                        variables = {"sids": sids}
                        closing.enter_context(events(gateway, account=account, variables=variables))
                until(lambda: subscribers(gateway) == 17)
            until(lambda: subscribers(gateway) == 1)

        open_and_close(0)  # Connections, memories and the like are made once.
        before = _kept()
        for first in (4, 8, 12):
            open_and_close(first)
        until(lambda: not _kept() - before)


def test_one_who_goes_leaves_the_others(gateway: RunningGateway, account: SandboxAccount) -> None:
    with ExitStack() as stack:
        with ExitStack() as first:
            opened(first, gateway, account)
            staying = opened(stack, gateway, account)
        until(lambda: subscribers(gateway) == 1)
        sid = buy(gateway, account)["sid"]
        assert staying.change()["numberId"] == sid


@pytest.mark.parametrize("most", [1, 3])
def test_one_for_whom_all_that_may_wait_does_is_told_all_the_same_why_it_ends(most: int) -> None:
    async def main() -> None:
        waiting = Waiting(most)
        for _ in range(most):
            waiting.tell(Emission(b"{}"))
        with pytest.raises(SlowConsumer):
            waiting.tell(Emission(b"{}"))
        for _ in range(most):
            waiting.tell(Emission(b"{}"))
        last = Emission(b"last", refused=True)
        caller = Caller(Credential("AC", "secret", "AC"), "somebody")
        Member(waiting, caller).close(last)
        told = [await waiting.next() for _ in range(most + 2)]
        assert told[-2:] == [last, None]

    asyncio.run(main())
