"""Refusals below HTTP: counted by kind, and of each kind a line a minute is logged.

What is refused there never becomes a request, so nothing else shows it; and a flood of it must not
fill the disk.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import structlog

_log = structlog.get_logger(__name__)

Kind: TypeAlias = Literal[
    "connection_limit",
    "open_files",
    "head_timeout",
    "body_timeout",
    "head_size",
    "bad_host",
    "bad_request",
    "bad_expectation",
    "slow_reader",
    "websocket_handshake",
    "websocket_frames",
    "websocket_strangers",
    "websocket_late",
    "websocket_forbidden",
]
"""Why a client was refused: the label of the metric, and `kind` in the log."""

# Seconds in which one line in the log is enough about what goes on.
_QUIET: Final = 60.0


class RefusalsBelowHttp:
    """Counts and logs the refusals of one process.

    Args:
        count: is told the kind of each.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._logged: dict[Kind, float] = {}
        self._unlogged: Counter[Kind] = Counter()

    def __call__(self, kind: Kind, client: str | None = None, **details: object) -> None:
        """Note one.

        Args:
            kind: why.
            client: the address that the connection comes from.
            details: what else the line in the log has.
        """
        self._count(kind)
        now = time.monotonic()
        if now - self._logged.get(kind, -math.inf) < _QUIET:
            self._unlogged[kind] += 1
            return
        self._logged[kind] = now
        more = self._unlogged.pop(kind, 0)
        _log.warning("refused_below_http", kind=kind, client=client, unlogged=more, **details)


def uncounted() -> RefusalsBelowHttp:
    """Return what logs, and counts for nobody."""
    return RefusalsBelowHttp(lambda _: None)
