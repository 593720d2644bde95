"""Whatever fails, in whatever order: money is spent once, and what is said of it is true."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from tests.faults.money import Money
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

# More of them, in any order, with for example FAULT_SCHEDULES=200.
SCHEDULES = int(os.environ.get("FAULT_SCHEDULES", "0"))
TIMES: dict[str, Any] = {
    "attempt_timeout": 0.3,
    "call_deadline": 0.8,
    "request_deadline": 1.2,
    "backoff_base": 0.01,
    "breaker_pause": 0.1,
}


class Purchases(Money):
    """Money among faults and restarts, by somebody who has little time."""

    def __init__(self, sandbox: RunningSandbox, data: Path) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.data = data
        self.resources = ExitStack()

    @initialize(catalog=st.booleans())
    def begin(self, catalog: bool) -> None:
        account = self.sandbox.create_account(catalog=catalog)
        child = self.sandbox.create_account(catalog=catalog, owner_account_sid=account.sid)
        self.begin_with(account, child)
        self.gateway = self._start()

    @rule()
    def restart(self) -> None:
        self.resources.close()
        self.gateway = self._start()

    def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Run an operation."""
        return self.gateway.execute(query, variables, account=self.account)

    def teardown(self) -> None:
        self.resources.close()

    def _start(self) -> RunningGateway:
        running = running_gateway(self.sandbox, data_dir=self.data, **TIMES)
        return self.resources.enter_context(running)


@pytest.mark.fault(
    "random schedules of faults, retries, duplicate keys, requests at once and restarts",
    expected="in each, bought = reported bought + reported unknown, never more",
)
def test_money_is_spent_once_and_never_in_silence(
    sandbox: RunningSandbox, data: Path, seen: Callable[[str], None]
) -> None:
    folders = count()

    class Here(Purchases):
        def __init__(self) -> None:
            super().__init__(sandbox, data / str(next(folders)))

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=SCHEDULES or 12,
            derandomize=not SCHEDULES,
            stateful_step_count=8,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    seen("in each, bought = reported bought + reported unknown, never more")
