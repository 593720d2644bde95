"""Faults are injected at the sandbox; what came of each is told to the table in README.md.

`@pytest.mark.fault("what goes wrong", expected="what must come of it")` marks a test as a line of
the table; the test must tell the fixture `seen` what really came of it. Writing the table:

    pytest tests/faults --write-fault-table
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import table
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

QUICK: dict[str, Any] = {
    "attempt_timeout": 0.8,
    "call_deadline": 4.0,
    "request_deadline": 10.0,
    "backoff_base": 0.01,
    "breaker_pause": 1.2,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-fault-table", action="store_true", help="write tests/faults/README.md anew"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(what, expected): a line of the table of faults")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-fault-table"):
        table.write(table.lines(session.items))


@pytest.fixture(scope="module")
def shared_quick(
    shared_sandbox: RunningSandbox, adaptor: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway with short times."""
    data = tmp_path_factory.mktemp("quick")
    with running_gateway(shared_sandbox, adaptor=adaptor, data_dir=data, **QUICK) as gateway:
        yield gateway


@pytest.fixture
def quick(shared_quick: RunningGateway, sandbox: RunningSandbox) -> RunningGateway:
    """The shared gateway with short times; the sandbox's request log is empty."""
    assert shared_quick.sandbox is sandbox
    return shared_quick


@pytest.fixture(scope="module")
def shared_hasty(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway that has no time for a third look at a write without trace."""
    data = tmp_path_factory.mktemp("hasty")
    short = QUICK | {"request_deadline": 1.2}
    with running_gateway(shared_sandbox, data_dir=data, **short) as gateway:
        yield gateway


@pytest.fixture
def hasty(shared_hasty: RunningGateway, sandbox: RunningSandbox) -> RunningGateway:
    """The shared gateway with the shortest times; the sandbox's request log is empty."""
    assert shared_hasty.sandbox is sandbox
    return shared_hasty


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder for the records of gateways that come and go."""
    return tmp_path / "data"


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell what came of a fault; it must be what the test's mark expects."""

    def tell(outcome: str) -> None:
        table.SEEN[request.node.nodeid] = outcome
        assert outcome == table.expected(request.node)

    return tell
