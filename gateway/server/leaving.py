"""Leaving in order before and after serving; while it serves, a server has handlers of its own.

What a signal raises in the middle of an import may come out of it as something else (Python 3.11
makes a RuntimeError of it where a class names its fields), or not at all (Python drops it in a
callback of a weak reference). So signals are held back while modules are imported and while what
serves is built, and obeyed after.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

_ENDING: Final = {
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
}


def leave_in_order() -> None:
    """Let SIGTERM unwind the stack, so that what was started is stopped."""

    def leave(_: int, __: FrameType | None) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)


def hold() -> None:
    """Let signals that end the process wait until `heed`.

    They wait in each thread and process that is started meanwhile, too: a thread leaves them to the
    first one, a process is to heed them itself.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def heed() -> None:
    """Obey the signals that have come since `hold`, and those that come from now on."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


@contextmanager
def held() -> Iterator[None]:
    """Let signals that end the process wait until the end of this, or for `heed` in it."""
    hold()
    try:
        yield
    finally:
        heed()


@contextmanager
def heeded() -> Iterator[None]:
    """Obey signals in the middle of what holds them, as something is waited for."""
    heed()
    try:
        yield
    finally:
        hold()
