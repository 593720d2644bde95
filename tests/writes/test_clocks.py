"""Clocks that are off or jump, by a real libfaketime: nobody says what is not true of a key.

All clocks of a process are shifted, those too that never jump in the world, so that even its
deadlines fire. Nothing here depends on how fast the machine is: a key may be in use, its outcome
may be unknown for a while, but it is never said to be not done, and in the end all say the same.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.writes import clocks
from gateway.writes.idempotency_entries import StoreJournal
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import before, served
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import events
from tests.support.valkey_process import valkey_server
from tests.support.waiting import until

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
# In seconds. Forward while something is asked; a deadline would never come when all clocks go back.
JUMPS, OFFSETS = (25, 60, 90, 3600), (-3600, -60, -25)
BUY = """mutation Buy($number: E164!, $key: String!) {
  purchasePhoneNumber(input: { phoneNumber: $number, idempotencyKey: $key }) {
    phoneNumber { sid } userErrors { code }
  }
}"""
# What may be said before it is known. A jump also makes the time for asking the store be over.
IN_USE = {"IDEMPOTENCY_KEY_IN_USE", "IDEMPOTENCY_UNAVAILABLE"}
# Seconds that the upstream takes for a purchase, and after which a clock jumps while one asks.
SLOW, MEANWHILE = 2.5, 0.2
WAITS: dict[str, Any] = {"call_deadline": 10.0, "attempt_timeout": 10.0}
RENAME = """mutation Rename($it: ConfigurePhoneNumberInput!) {
  configurePhoneNumber(input: $it) { userErrors { code } }
}"""
CONNECTION = ("HEADER", "BODY", "WRITE", "KEEP_ALIVE")
AT = "subscription { phoneNumberChanged { at } }"
PAGE = "{ phoneNumbers(first: 5) { nodes { sid } } }"


@dataclass(frozen=True)
class Order:
    """A purchase with a key, to be asked for again and again."""

    sandbox: RunningSandbox
    account: SandboxAccount
    number: str
    key: str

    def ask(self, gateway: RunningGateway) -> str:
        """Ask for it; return the sid of the number, or else the code of what was said."""
        variables = {"number": self.number, "key": self.key}
        answer = gateway.execute(BUY, variables, account=self.account)
        payload: Any = (answer.get("data") or {}).get("purchasePhoneNumber")
        if payload is None:
            return str(answer["errors"][0]["extensions"]["code"])
        if payload["userErrors"]:
            return str(payload["userErrors"][0]["code"])
        return str(payload["phoneNumber"]["sid"])

    @property
    def has_arrived(self) -> bool:
        """Whether the upstream was asked to do it."""
        return any(
            each["method"] == "POST" and each["account"] == self.account.sid
            for each in self.sandbox.requests()
        )

    @property
    def is_done(self) -> bool:
        """Whether the account owns the number."""
        return bool(self.sandbox.numbers(self.account.sid))


@pytest.fixture
def order(sandbox: RunningSandbox) -> Order:
    """A purchase that the upstream does late."""
    account = sandbox.create_account(catalog=False)
    slow = {"kind": "latency", "latency_ms": 1000 * SLOW, "method": "POST", "count": None}
    sandbox.set_faults([slow | {"account": account.sid}])
    return Order(sandbox, account, str(sandbox.put_number()["phone_number"]), uuid4().hex)


@dataclass(frozen=True)
class Clock:
    """The file that says by how much the clocks of a process are ahead."""

    path: Path

    def set(self, seconds: int) -> None:
        """Set them ahead; behind, when it is negative."""
        aside = self.path.with_suffix(".new")
        aside.write_text(f"{seconds:+d}\n")
        aside.replace(self.path)


@contextmanager
def shifted(
    sandbox: RunningSandbox, folder: Path, **settings: object
) -> Iterator[tuple[RunningGateway, Clock]]:
    """Run a gateway of its own clock."""
    if not LIBRARIES:
        missing = "faketime is not installed: run tools/setup-tests.sh"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    clock = Clock(folder / "clock")
    clock.set(0)
    library = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock.path),
        "FAKETIME_NO_CACHE": "1",
        "GATEWAY_DATA_DIR": str(folder),
        # A jump is not to end the connection on which something is being asked.
        **dict.fromkeys(map("GATEWAY_{}_TIMEOUT".format, CONNECTION), "86400"),
    }
    chosen = {f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
    with (
        served(folder=folder, **before(sandbox), **library, **chosen) as (url, _),
        loopback.Client() as http,
    ):
        try:
            yield RunningGateway(url, sandbox, sandbox.accounts()["parent"], http), clock
        finally:
            clock.set(2 * max(JUMPS))  # It would wait for hours until it is time to end.


def jump(gateway: RunningGateway, clock: Clock, seconds: int) -> None:
    """Set the clocks of a gateway ahead, and wait until it is over what was under way then.

    That is late at once, and what seems to hang, as the store, is left alone for a second.
    """
    clock.set(seconds)

    def keeps() -> bool:
        checks = gateway.http.get(f"{gateway.url}/readyz").json()["checks"]
        return {checks["store"], checks["records"]} == {"ok"}

    until(keeps)


def ask_and_jump(order: Order, gateway: RunningGateway, clock: Clock) -> set[str]:
    """Ask at each offset, and jump to the next one meanwhile; return all that was said."""
    said = set()
    with ThreadPoolExecutor(1) as pool:
        for offsets in (JUMPS, OFFSETS):
            for seconds, following in pairwise((*offsets, offsets[-1] + 60)):
                clock.set(seconds)
                asking = pool.submit(order.ask, gateway)
                time.sleep(MEANWHILE)
                clock.set(following)
                said.add(asking.result())
    return said


@pytest.fixture(scope="module")
def pair(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningGateway, RunningGateway, Clock]]:
    """Two gateways that share a store; the clock of the second is off."""
    folder = tmp_path_factory.mktemp("pair")
    with valkey_server(folder) as server:
        # A busy machine is not late; who jumps is.
        shared: dict[str, Any] = {"store_url": server.url, "store_timeout": 10.0}
        shared |= {"cache_owned": 60, "cache_stale": 600}
        with (
            running_gateway(shared_sandbox, **shared) as one,
            shifted(shared_sandbox, folder, **shared) as (other, clock),
        ):
            yield one, other, clock


@pytest.fixture(scope="module")
def alone(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningGateway, Clock]]:
    """A gateway with its keys in a file, whose clock jumps."""
    with shifted(shared_sandbox, tmp_path_factory.mktemp("alone"), **WAITS) as gateway:
        yield gateway


def test_nobody_else_speaks_of_a_purchase_that_is_under_way_whatever_its_clock_says(
    pair: tuple[RunningGateway, RunningGateway, Clock], order: Order
) -> None:
    buyer, other, clock = pair
    with ThreadPoolExecutor(1) as pool:
        buying = pool.submit(order.ask, buyer)
        until(lambda: order.has_arrived)
        said = ask_and_jump(order, other, clock)
        sid = buying.result()
    assert sid.startswith("PN")
    assert said <= {*IN_USE, sid}
    for seconds in JUMPS + OFFSETS:
        jump(other, clock, seconds)
        assert order.ask(other) == sid
    assert order.ask(buyer) == sid


def test_a_clock_that_jumps_during_a_purchase_and_after_it_was_lost_makes_nothing_not_done(
    alone: tuple[RunningGateway, Clock], order: Order
) -> None:
    gateway, clock = alone
    with ThreadPoolExecutor(1) as pool:
        buying = pool.submit(order.ask, gateway)
        until(lambda: order.has_arrived)
        said = ask_and_jump(order, gateway, clock)
        said.add(buying.result())
    until(lambda: order.is_done)
    sid = order.ask(gateway)
    assert sid.startswith("PN")
    assert said <= {*IN_USE, "OUTCOME_UNKNOWN", sid}
    for seconds in JUMPS + OFFSETS:
        jump(gateway, clock, seconds)
        assert order.ask(gateway) == sid


def test_a_machine_that_slept_right_before_its_write_left_sends_nothing(
    pair: tuple[RunningGateway, RunningGateway, Clock],
    order: Order,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others may have given it up meanwhile. A machine that sleeps cannot be had in a test."""
    gateway, _, _ = pair
    slept = []
    replace, uptime = StoreJournal.replace, clocks.uptime

    async def replace_and_sleep(*args: Any, **options: Any) -> bool:
        done = await replace(*args, **options)
        slept.append(90.0)
        return done

    monkeypatch.setattr(StoreJournal, "replace", replace_and_sleep)
    monkeypatch.setattr(clocks, "uptime", lambda: (uptime() or 0.0) + sum(slept[:1]))
    assert order.ask(gateway) == "UPSTREAM_UNAVAILABLE"
    assert slept
    assert not order.has_arrived
    monkeypatch.undo()
    assert order.ask(gateway).startswith("PN")


def test_an_answer_that_another_machine_kept_is_as_fresh_as_the_store_says(
    pair: tuple[RunningGateway, RunningGateway, Clock], sandbox: RunningSandbox
) -> None:
    one, other, clock = pair
    account = sandbox.create_account(catalog=True, owned=2)
    shown = one.query(PAGE, account=account)
    sandbox.forget_requests()
    for seconds in JUMPS + OFFSETS:
        jump(other, clock, seconds)
        assert other.query(PAGE, account=account) == shown
    # What was stale would be asked for in the background, before this.
    stranger = sandbox.create_account(catalog=True)
    other.query(PAGE, account=stranger)
    assert {each["account"] for each in sandbox.requests()} == {stranger.sid}


def test_an_event_is_dated_by_the_store(
    pair: tuple[RunningGateway, RunningGateway, Clock], sandbox: RunningSandbox
) -> None:
    one, other, clock = pair
    account = sandbox.create_account(catalog=True, owned=1)
    [number] = sandbox.numbers(account.sid)
    renaming = {"sid": number["sid"], "configuration": {"friendlyName": "New"}}
    jump(other, clock, 3600)
    with events(one, AT, account=account) as stream:
        other.query(RENAME, {"it": renaming}, account=account)
        at = stream.next().data["data"]["phoneNumberChanged"]["at"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(at)) < timedelta(minutes=5)


def test_a_date_to_come_again_at_is_told_by_the_clock_of_who_sent_it(
    alone: tuple[RunningGateway, Clock], sandbox: RunningSandbox
) -> None:
    gateway, clock = alone
    account = sandbox.create_account(catalog=False)
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    sandbox.set_faults([{"kind": "429", "retry_after": until, "count": None}])
    for seconds in JUMPS + OFFSETS:
        clock.set(seconds)
        error = gateway.error(PAGE, account=account)
        assert 300_000 < error["extensions"]["retryAfterMs"] < 620_000
