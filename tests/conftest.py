"""Fixtures that tests share: one sandbox and one gateway for each file.

Also which tests are quick, and in which order files of tests are run.
"""

import gc
import os
import resource
import signal
from collections.abc import Generator, Iterator
from typing import Final

import hypothesis
import pytest
import structlog

from tests.support import quick
from tests.support.gateway_in_thread import ADAPTORS, RunningGateway, running_gateway
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


# Those that take longest, the longest first: what is begun last is short, so that all who work
# through the files end together. Measured with `--durations=0`.
LONGEST: Final = tuple(
    f"tests/{name}.py"
    for name in (
        "explorer/test_explorer",
        "explorer/test_deeds",
        "install/test_packaging",
        "execution/test_projecting_executor",
        "server/test_workers",
        "docs/test_deployment",
        "cli/test_commands",
        "faults/test_shutdown",
        "numbers/test_economy",
        "faults/test_hostile",
        "faults/test_keys",
        "docs/test_command_blocks",
        "numbers/test_with_and_without_catalog",
        "server/test_draining",
        "documents/test_limits",
        "upstream/test_ownership",
        "storage/test_outages",
        "faults/test_writes",
        "numbers/test_filters",
        "sandbox/test_settings",
        "planning/test_plans",
        "numbers/test_owned_filters",
        "sandbox/test_catalog",
        "sandbox/test_core_search",
        "observability/test_secrets",
        "numbers/test_same_fields",
        "writes/test_dry_run",
        "faults/test_reads",
        "faults/test_attack",
        "last_release/test_last_release",
        "install/test_dependencies",
    )
)

# A shell lets what it starts in the background ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Clients of other people take a proxy from the environment, also to this machine.
for _name in ("NO_PROXY", "no_proxy"):
    os.environ[_name] = ",".join(filter(None, (os.environ.get(_name), "127.0.0.1", "localhost")))

hypothesis.settings.register_profile("quick", max_examples=5)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quick: starts no server and no process; put by itself")
    config.addinivalue_line(
        "markers", "both_adaptors: run over ASGI, too, where a gateway is shared"
    )
    if config.option.markexpr == "quick":
        hypothesis.settings.load_profile("quick")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("both_adaptors") and (
        "adaptor" in metafunc.fixturenames
    ):
        metafunc.parametrize("adaptor", ADAPTORS, scope="module")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector, as a gateway does: a third of collecting tests was its time.

    Until all tests are collected nothing is garbage; what there is by then lives as long as the process.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    quick.mark(items)
    place = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with quick.enforced(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with quick.enforced(item):
        return (yield)


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox for the tests of one file: what they change, no other file can see."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """The shared sandbox with an empty request log; faults and switches are put back after."""
    shared_sandbox.forget_requests()
    yield shared_sandbox
    shared_sandbox.clear_faults()
    shared_sandbox.reset_switches()


@pytest.fixture(scope="module")
def adaptor() -> str:
    """What passes HTTP requests on; each in turn, where a module is marked with `both_adaptors`."""
    return "lean"


@pytest.fixture(scope="module")
def shared_gateway(shared_sandbox: RunningSandbox, adaptor: str) -> Iterator[RunningGateway]:
    """A gateway with default settings in front of the shared sandbox."""
    with running_gateway(shared_sandbox, adaptor=adaptor) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: RunningGateway, sandbox: RunningSandbox) -> RunningGateway:
    """The shared gateway; the sandbox's request log is empty when the test begins."""
    assert shared_gateway.sandbox is sandbox
    return shared_gateway
