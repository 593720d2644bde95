"""Leaving in order before and after serving; while it serves, a server has handlers of its own."""

import signal
from types import FrameType
from typing import Final, NoReturn

# No event: its lock may be held just now by the very thread that is interrupted.
_told: Final[list[int]] = []


def leave_in_order() -> None:
    """Let SIGTERM unwind the stack, so that what was started is stopped."""

    def leave(number: int, _: FrameType | None) -> NoReturn:
        _told.append(number)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)


def was_told_to_leave() -> bool:
    """Whether SIGTERM came, and the stack is there all the same.

    Python drops what is raised in callbacks of weak references, and importing has many of them.
    """
    return bool(_told)
