"""Waiting for what happens."""

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 300.0
"""Seconds after which what has not happened will not happen, however busy the machine is."""

LATE: Final = 3.5
"""Seconds that a slow machine may take beyond what is promised. Faults last longer than the promise
and this together, so that a promise that is broken is seen."""


def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait until `condition()` holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)
