"""Which tests are quick: those that start neither a server nor a process, fixtures included.

It is found by what a test reaches: the functions that it and its fixtures name, and those that they
name, inside `tests`. What has been missed is caught when the test runs: listening and starting a
process raise `NotQuickError`, in every run.
"""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import pytest

from gateway.server.listening import listen

STARTERS: Final = frozenset(
    f"tests.support.{name}"
    for name in (
        "forked_command",
        "gateway_in_thread",
        "gateway_process",
        "node",
        "sandbox_in_thread",
        "valkey_groups",
        "valkey_process",
    )
)
"""Modules whose functions start something."""
_STARTING: Final = (listen, subprocess)
_LISTENING: Final = frozenset({"bind", "create_server", "start_server"})
_FORBIDDEN: Final = frozenset(
    {"os.exec", "os.fork", "os.posix_spawn", "os.system", "socket.bind", "subprocess.Popen"}
)


class NotQuickError(Exception):
    """A test that is marked as quick listens on a socket, or starts a process."""


def mark(items: list[pytest.Item]) -> None:
    """Mark those that are quick, with `quick`."""
    known: dict[int, bool] = {}
    for item in items:
        assert isinstance(item, pytest.Function)
        definitions = item._fixtureinfo.name2fixturedefs.values()
        asked = [item.function, item.cls, *(each.func for found in definitions for each in found)]
        if not any(_starts(each, known) for each in asked):
            item.add_marker("quick")


def _starts(thing: object, known: dict[int, bool]) -> bool:
    """Return whether something may start a server or a process when it is used."""
    thing = inspect.unwrap(thing) if callable(thing) else thing
    if (generated := getattr(thing, "hypothesis", None)) is not None:
        thing = generated.inner_test
    if any(thing is each for each in _STARTING):
        return True
    if id(thing) in known:
        return known[id(thing)]
    home = str(getattr(thing, "__module__", ""))
    if isinstance(thing, ModuleType) or not home.startswith("tests."):
        return False
    known[id(thing)] = False  # While it is looked at: it may name itself.
    if isinstance(thing, FunctionType):
        codes = list(_codes(thing.__code__))
        named = (each for code in codes for each in _named(code, thing.__globals__))
        found = (
            home in STARTERS
            or any(not _LISTENING.isdisjoint(code.co_names) for code in codes)
            or any(_starts(each, known) for each in named)
        )
    elif isinstance(thing, type):
        parts = [*vars(thing).values(), *thing.__bases__]
        found = any(_starts(getattr(each, "fget", each), known) for each in parts)
    else:
        found = False
    known[id(thing)] = found
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Give the code of a function, and of the functions inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _named(code: CodeType, around: dict[str, Any]) -> Iterator[object]:
    """Give what code names, of the module `around` it and of the modules named there."""
    for name in code.co_names:
        if name in around:
            yield around[name]
            if isinstance(around[name], ModuleType):
                inside = vars(around[name])
                yield from (inside[part] for part in code.co_names if part in inside)


class _Watch:
    """Whether a test runs that must be quick."""

    on = False


def _look(event: str, _arguments: object) -> None:
    if _Watch.on and event in _FORBIDDEN:
        _Watch.on = False  # What tells of it may listen and start.
        raise NotQuickError(f"a test that is marked as quick does this: {event}")


@contextmanager
def enforced(item: pytest.Item) -> Iterator[None]:
    """Let a test fail that is marked as quick and is not."""
    _Watch.on = item.get_closest_marker("quick") is not None
    try:
        yield
    finally:
        _Watch.on = False


sys.addaudithook(_look)
