"""SIGINT and SIGTERM during a command: clean up, then exit with the customary code."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end.

    Attributes:
        code: exit code of the process, as shells have it: 128 and the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` where the signals arrive; those that were ignored before stay so."""

    def end(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    heeded = [each for each in known if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, end) for each in heeded}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
