"""Clocks that nobody sets: they tell how long ago something was when the time of day may be off.

A machine has two. `CLOCK_MONOTONIC` stands still while the machine is suspended. The kernel's
uptime goes on then, and a library that shifts the clocks of a process (libfaketime) does not reach
it. To be sure that some time has passed, take the least that any of them shows: what the machine
slept through, it did not see. To be sure that no more than some time has passed, take the uptime:
others were awake meanwhile.
"""

import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

_UPTIME, _UPTIME_BYTES = Path("/proc/uptime"), 64

Reading: TypeAlias = Mapping[str, float]
"""What clocks show, in seconds, by their names. Clocks of one name compare, wherever it is read."""


def read() -> dict[str, float]:
    """Return what the clocks of this machine show."""
    shown = {name(): time.monotonic()}
    if (awake_or_not := uptime()) is not None:
        shown[_name_of_uptime()] = awake_or_not
    return shown


def passed(since: Reading, now: Reading) -> float | None:
    """Return the seconds that have passed by every clock that both show; None: they share none."""
    return min((now[each] - since[each] for each in since.keys() & now.keys()), default=None)


def uptime() -> float | None:
    """Return the seconds since the machine was started, suspended or not; None: unknown here."""
    try:
        return float(os.pread(_uptime_file(), _UPTIME_BYTES, 0).split()[0])
    except (OSError, ValueError, IndexError):
        return None


@cache
def _uptime_file() -> int:
    # It stays open: that is most of what it takes to read it.
    return os.open(_UPTIME, os.O_RDONLY | os.O_CLOEXEC)


@cache
def name() -> str:
    """Name the clock that `time.monotonic` reads: the same for all processes until the next start.

    Processes in another time namespace have a clock of their own; so has this process, where
    neither can be told.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/time').readlink()}"
    except (OSError, ValueError):
        return uuid4().hex


@cache
def _name_of_uptime() -> str:
    # Some kinds of containers show the time since they were started, each its own.
    try:
        return f"{name()} {Path('/proc/self/ns/pid').readlink()} uptime"
    except OSError:
        return f"{uuid4().hex} uptime"
