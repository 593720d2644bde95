"""One sandbox for all tests of it; tests that write make accounts of their own."""

from collections.abc import Iterator

import pytest

from tests.sandbox.api import Api, acting_as
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_sandbox


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """The shared sandbox, without faults and with the default switches again afterwards."""
    yield shared_sandbox
    shared_sandbox.clear_faults()
    shared_sandbox.reset_switches()


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    """A new account with catalog access and three numbers."""
    return sandbox.create_account(owned=3)


@pytest.fixture
def api(sandbox: RunningSandbox, account: SandboxAccount) -> Iterator[Api]:
    """The number API as that account."""
    with acting_as(sandbox, account) as api:
        yield api


@pytest.fixture
def parent(sandbox: RunningSandbox) -> Iterator[Api]:
    """The number API as the seeded parent."""
    found = sandbox.accounts()["parent"]
    with acting_as(sandbox, found) as api:
        yield api
