"""Fixtures that all tests share: one sandbox and one gateway for the whole run."""

import resource
from collections.abc import Iterator

import pytest
import structlog

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, running_sandbox

# Where `rich` is installed, tracebacks are written with every variable's value, by default: that took
# three quarters of the time of the longest test.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


# Gateways warn where fewer files may be opened than they need, and tests look at what they log.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox that lives through the whole run; tests that write use accounts of their own."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """The shared sandbox with an empty request log; faults and switches are put back after."""
    shared_sandbox.forget_requests()
    yield shared_sandbox
    shared_sandbox.clear_faults()
    shared_sandbox.reset_switches()


@pytest.fixture(scope="session")
def shared_gateway(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway with default settings in front of the shared sandbox."""
    with running_gateway(shared_sandbox) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: RunningGateway, sandbox: RunningSandbox) -> RunningGateway:
    """The shared gateway; the sandbox's request log is empty when the test begins."""
    assert shared_gateway.sandbox is sandbox
    return shared_gateway
