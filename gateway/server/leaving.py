"""Leaving in order before and after serving; while it serves, a server has handlers of its own."""

import signal
from types import FrameType
from typing import NoReturn


def leave_in_order() -> None:
    """Let SIGTERM unwind the stack, so that what was started is stopped."""

    def leave(_: int, __: FrameType | None) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
