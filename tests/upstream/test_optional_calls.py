"""Calls that only show more of owned numbers do not take those numbers with them when they hang or fail."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import until

MINE = "query ($sid: ID!) { phoneNumber(sid: $sid) { sid } }"
SEARCH = """query ($near: String!) {
  availablePhoneNumbers(country: "US", filter: { contains: $near }, first: 1) {
    nodes { phoneNumber }
  }
}"""
SEARCHES = "*AvailablePhoneNumbers*"
SLOTS = {"concurrency": 5, "concurrency_most": 5}


@pytest.fixture(params=[True, False], ids=["catalog", "core"])
def account(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> SandboxAccount:
    """An account of its own, with one number."""
    return sandbox.create_account(catalog=request.param, owned=1)


def mine(gateway: RunningGateway, account: SandboxAccount) -> Any:
    """Read the account's number."""
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    return gateway.query(MINE, {"sid": sid}, account=account)["phoneNumber"]["sid"]


def searching(
    threads: ThreadPoolExecutor, gateway: RunningGateway, account: SandboxAccount, count: int
) -> Sequence[Future[dict[str, Any]]]:
    """Begin so many different searches."""
    return [
        threads.submit(gateway.execute, SEARCH, {"near": f"{n:03d}"}, account=account)
        for n in range(count)
    ]


def test_searches_that_hang_leave_slots_to_the_numbers_of_the_account(
    sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with (
        running_gateway(sandbox, **SLOTS) as gateway,  # type: ignore[arg-type]
        ThreadPoolExecutor(12) as threads,
    ):
        parts = gateway.parts
        assert parts is not None
        mine(gateway, account)
        sandbox.set_faults([{"kind": "held", "path": SEARCHES, "count": None}])
        answers = searching(threads, gateway, account, 12)
        until(lambda: sum(each.waiting for each in parts.client.limiters()) == 8)
        assert sum(each.running for each in parts.client.limiters()) == 4
        for _ in range(3):
            mine(gateway, account)
        assert not any(each.done() for each in answers)
        sandbox.clear_faults()
        for each in answers:
            assert "errors" not in each.result()
        assert sum(each.running + each.waiting for each in parts.client.limiters()) == 0


def test_searches_that_fail_leave_retries_to_the_numbers_of_the_account(
    sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with (
        running_gateway(sandbox, breaker_failures=1000, backoff_base=0.001) as gateway,
        ThreadPoolExecutor(12) as threads,
    ):
        mine(gateway, account)
        failing = {"kind": "status", "status": 503, "count": None}
        sandbox.set_faults([failing | {"path": SEARCHES}])
        sandbox.forget_requests()
        for each in searching(threads, gateway, account, 30):
            assert "errors" in each.result()
        assert len(sandbox.requests()) < 60, "the retries of searches are used up"
        sandbox.set_faults([failing | {"count": 1}])
        mine(gateway, account)
