"""Reads that take long are sent once more: what the upstream sees of it, and who wins."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from gateway.upstream.call_budget import CallBudget
from gateway.upstream.hedging import HedgeBudget
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.raw_bytes import connected, posted
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import until

READ = "query ($sid: ID!) { phoneNumber(sid: $sid) { sid } }"
RENAME = """mutation ($sid: ID!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: "Slow" } }) {
    phoneNumber { sid } userErrors { code }
  }
}"""
TRACE = {"X-Gateway-Explain": "trace"}
# As often as it may be, for a machine that is slow by itself.
OFTEN: dict[str, Any] = {"hedge_after": 0.05, "hedge_share": 1.0, "metrics": True}
HELD = {"kind": "held", "method": "GET"}


@pytest.fixture(scope="module")
def hedging(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that sends reads once more."""
    with running_gateway(shared_sandbox, **OFTEN) as gateway:
        yield gateway


@pytest.fixture(params=[True, False], ids=["catalog", "core"])
def account(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> SandboxAccount:
    """An account of its own, with one number."""
    return sandbox.create_account(catalog=request.param, owned=1)


@pytest.fixture
def one(sandbox: RunningSandbox) -> SandboxAccount:
    """An account of its own, with one number."""
    return sandbox.create_account(catalog=True, owned=1)


def slow(milliseconds: float, **more: Any) -> dict[str, Any]:
    """Return a fault: an answer to a read that takes so long."""
    return {"kind": "latency", "method": "GET", "latency_ms": milliseconds, **more}


class Asked:
    """An account that the gateway knows, and what is asked as it."""

    def __init__(self, gateway: RunningGateway, account: SandboxAccount) -> None:
        self.gateway, self.account = gateway, account
        self.sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
        assert self.response()["data"]["phoneNumber"]
        until(lambda: self.running == 0)
        gateway.sandbox.forget_requests()

    def response(self, query: str = READ) -> dict[str, Any]:
        """Return the response to a query for the number, with its trace."""
        variables = {"sid": self.sid}
        return self.gateway.execute(query, variables, account=self.account, headers=TRACE)

    def calls(
        self, faults: Sequence[dict[str, Any]], query: str = READ, held_until: str = ""
    ) -> list[dict[str, Any]]:
        """Return the traced calls of a query that succeeds although these things happen.

        What is held is held until one more of `held_until` came of reads that took long.
        """
        before = hedges(self.gateway).get(held_until, 0)
        self.gateway.sandbox.set_faults(faults)
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(self.response, query)
            if held_until:
                until(lambda: hedges(self.gateway).get(held_until, 0) > before)
                self.gateway.sandbox.clear_faults()
            response = answer.result()
        assert "errors" not in response, response
        until(lambda: self.running == 0)
        traced: list[dict[str, Any]] = response["extensions"]["upstream"]["calls"]
        assert response["extensions"]["upstream"]["sent"] == len(traced)
        return sorted(traced, key=lambda each: float(each["startMs"]))

    @property
    def sent(self) -> list[str]:
        """The methods of the requests that the upstream has had since it was made."""
        return [each["method"] for each in self.gateway.sandbox.requests()]

    @property
    def running(self) -> int:
        """How many slots are in use."""
        assert self.gateway.parts is not None
        return sum(each.running for each in self.gateway.parts.client.limiters())


def hedges(gateway: RunningGateway) -> dict[str, float]:
    """Return how often each thing came of a read that took long."""
    lines = gateway.http.get(f"{gateway.url}/metrics").text.splitlines()
    mark = 'gateway_upstream_hedges_total{outcome="'
    counted = (each.removeprefix(mark).split('"} ') for each in lines if each.startswith(mark))
    return {outcome: float(count) for outcome, count in counted}


def come(calls: Sequence[dict[str, Any]]) -> list[tuple[str, int | None, bool]]:
    """Return what came of each call: what it was, its status, whether it was overtaken."""
    return [(each["outcome"], each["status"], "overtaken" in each) for each in calls]


def test_a_read_that_does_not_come_is_answered_by_a_second_one(
    hedging: RunningGateway, account: SandboxAccount
) -> None:
    asked = Asked(hedging, account)
    before = hedges(hedging).get("won", 0)
    calls = asked.calls([HELD])
    assert come(calls) == [("sent", None, True), ("hedge", 200, False)]
    first, second = calls
    assert (first["path"], first["fields"]) == (second["path"], second["fields"])
    assert second["startMs"] - first["startMs"] >= 50
    assert asked.sent == ["GET", "GET"]
    assert hedges(hedging)["won"] == before + 1
    page = hedging.http.get(f"{hedging.url}/metrics").text
    assert 'status="overtaken"' in page
    assert 'status="none"' not in page


def test_nothing_is_sent_twice_unless_it_is_asked_for(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    asked = Asked(gateway, account)
    assert come(asked.calls([slow(300)])) == [("sent", 200, False)]
    assert asked.sent == ["GET"]


def test_a_write_is_never_sent_twice(hedging: RunningGateway, account: SandboxAccount) -> None:
    asked = Asked(hedging, account)
    late = {"kind": "latency", "method": "POST", "latency_ms": 300}
    calls = asked.calls([late], RENAME)
    assert [each["outcome"] for each in calls if each["method"] == "POST"] == ["sent"]
    assert asked.sent.count("POST") == 1


def test_an_error_of_the_second_does_not_count_before_the_first_has_answered(
    hedging: RunningGateway, one: SandboxAccount
) -> None:
    asked = Asked(hedging, one)
    missing = {"kind": "status", "status": 404, "method": "GET"}
    calls = asked.calls([HELD, missing], held_until="failed")
    assert come(calls) == [("sent", 200, False), ("hedge", 404, False)]
    assert asked.sent == ["GET", "GET"]


def test_an_error_of_the_first_does_not_count_before_the_second_has_answered(
    hedging: RunningGateway, one: SandboxAccount
) -> None:
    asked = Asked(hedging, one)
    failing = {"kind": "status", "status": 503, "method": "GET", "latency_ms": 600}
    calls = asked.calls([failing, slow(1000)])
    assert come(calls) == [("sent", 503, False), ("hedge", 200, False)]
    assert asked.sent == ["GET", "GET"]


@pytest.mark.parametrize("broken", ["truncate", "malformed", "wrong-shape"])
def test_an_answer_that_cannot_be_read_does_not_overtake_a_good_one(
    hedging: RunningGateway, one: SandboxAccount, broken: str
) -> None:
    asked = Asked(hedging, one)
    body = {"body": "{'a': }"} if broken == "wrong-shape" else {}
    calls = asked.calls([HELD, {"kind": broken, "method": "GET", **body}], held_until="failed")
    assert come(calls) == [("sent", 200, False), ("hedge", 200, False)]
    assert asked.sent == ["GET", "GET"]


def test_when_both_fail_the_read_is_tried_again_as_any_other(
    hedging: RunningGateway, one: SandboxAccount
) -> None:
    asked = Asked(hedging, one)
    failing = {"kind": "status", "status": 503, "method": "GET", "latency_ms": 600, "count": 2}
    calls = asked.calls([failing])
    assert come(calls) == [("sent", 503, False), ("hedge", 503, False), ("sent", 200, False)]
    assert asked.sent == ["GET"] * 3


def test_when_neither_comes_the_deadline_is_kept_and_both_are_left(
    sandbox: RunningSandbox, one: SandboxAccount
) -> None:
    with running_gateway(sandbox, **OFTEN, request_deadline=1.0) as gateway:
        asked = Asked(gateway, one)
        sandbox.set_faults([HELD | {"count": None}])
        [error] = asked.response()["errors"]
        assert error["extensions"]["code"] == "DEADLINE_EXCEEDED"
        assert asked.sent == ["GET", "GET"]
        until(lambda: asked.running == 0)


def test_requests_that_share_a_read_share_the_second_one_too(
    hedging: RunningGateway, one: SandboxAccount
) -> None:
    asked = Asked(hedging, one)
    parts = hedging.parts
    assert parts is not None

    def aboard() -> int:
        return sum(each.aboard for each in parts.pipeline.readers.flights._flights.values())

    with ThreadPoolExecutor(3) as threads:
        hedging.sandbox.set_faults([HELD | {"count": None}])
        answers: list[Future[dict[str, Any]]] = [threads.submit(asked.response) for _ in range(3)]
        until(lambda: aboard() == 3 and len(asked.sent) == 2)
        hedging.sandbox.clear_faults()
        for each in answers:
            assert each.result()["data"]["phoneNumber"]["sid"] == asked.sid
    assert asked.sent == ["GET", "GET"]


def test_both_are_given_up_with_the_client_that_waited(
    hedging: RunningGateway, one: SandboxAccount
) -> None:
    asked = Asked(hedging, one)
    hedging.sandbox.set_faults([HELD | {"count": None}])
    body = json.dumps({"query": READ, "variables": {"sid": asked.sid}}).encode()
    with connected(hedging.url) as leaving:
        leaving.sendall(posted(body, one))
        until(lambda: len(asked.sent) == 2)
    until(lambda: asked.running == 0)
    assert asked.sent == ["GET", "GET"]


@pytest.mark.parametrize(
    ("settings", "before"),
    [
        pytest.param({"concurrency": 1, "concurrency_most": 1}, [], id="no slot is free"),
        pytest.param({"hedge_share": 0.0}, [], id="none is saved"),
        pytest.param({"retry_budget": 0.0}, [], id="retries are used up"),
        pytest.param({}, [{"kind": "429", "method": "GET"}], id="the upstream has had too much"),
        pytest.param(
            {"attempts": 1}, [{"kind": "status", "method": "GET"}], id="the upstream fails"
        ),
    ],
)
def test_no_second_one_is_sent_where_something_speaks_against_it(
    sandbox: RunningSandbox,
    one: SandboxAccount,
    settings: dict[str, Any],
    before: list[dict[str, Any]],
) -> None:
    with running_gateway(sandbox, **OFTEN | settings) as gateway:
        asked = Asked(gateway, one)
        if "retry_budget" in settings:
            [limits] = list(gateway.parts.client._accounts.values())  # type: ignore[union-attr]
            for lane in limits._lanes.values():
                while lane.retries.take():
                    pass
        if before:
            sandbox.set_faults(before)
            asked.response()
            sandbox.forget_requests()
        assert come(asked.calls([HELD], held_until="withheld")) == [("sent", 200, False)]
        assert asked.sent == ["GET"]


def test_an_operation_that_may_make_no_more_calls_sends_nothing_twice(
    sandbox: RunningSandbox,
) -> None:
    account = sandbox.create_account(catalog=False, owned=1)
    three = """query ($sid: ID!) { phoneNumber(sid: $sid) { sid } account { status }
      availablePhoneNumbers(country: "US", first: 1) { nodes { phoneNumber } } }"""
    with running_gateway(sandbox, **OFTEN, most_calls=3, partition_calls=0) as gateway:
        calls = Asked(gateway, account).calls([HELD], three, held_until="withheld")
    assert come(calls) == [("sent", 200, False)] * 3


def test_hedges_are_a_share_of_reads_the_first_of_them_in_advance() -> None:
    budget = HedgeBudget(0.03)
    taken = 0
    for reads in range(1, 1001):
        budget.note_read()
        taken += budget.take()
        assert taken <= max(1, 0.03 * reads)
    assert taken >= 29


def test_only_a_few_hedges_are_saved_up() -> None:
    budget = HedgeBudget(0.03)
    for _ in range(10_000):
        budget.note_read()
    assert sum(budget.take() for _ in range(100)) <= 11


def test_an_operation_makes_no_more_hedges_than_it_was_planned_with() -> None:
    calls = CallBudget(5, hedges=2)
    assert [calls.take_hedge() for _ in range(4)] == [True, True, False, False]


def test_the_plan_bounds_what_may_be_sent_twice(
    hedging: RunningGateway, gateway: RunningGateway, account: SandboxAccount
) -> None:
    plans = []
    for each in (gateway, hedging):
        asked = Asked(each, account)
        body = {"query": READ, "variables": {"sid": asked.sid}}
        headers = {"X-Gateway-Explain": "plan"}
        answer = each.post(body, account=account, headers=headers).json()
        plans.append(answer["extensions"]["plan"])
    plain, hedged = plans
    assert plain["calls"] == {"min": 1, "max": 1}
    assert hedged["calls"] == {"min": 1, "max": 2}
    assert [each["strategy"] for each in plain["steps"]] == ["get"]
    assert [each["strategy"] for each in hedged["steps"]] == ["get", "hedge"]
    assert "take longer than 0.05 s" in hedged["steps"][1]["reason"]
    assert hedged["naive"] == plain["naive"]
