"""The words of orjson's messages, and what uvicorn answers with, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them.
"""

import asyncio
from typing import Any, Protocol

import orjson

__all__ = ["Cycle", "cycle_of", "is_too_deep"]


class _Flow(Protocol):
    read_paused: bool
    write_paused: bool


class Cycle(Protocol):
    """What uvicorn has for a request that httptools reads: its `receive` and `send` work on it."""

    transport: asyncio.Transport
    flow: _Flow
    message_event: asyncio.Event
    default_headers: list[tuple[bytes, bytes]]
    body: bytearray
    more_body: bool
    keep_alive: bool
    access_log: bool
    disconnected: bool
    waiting_for_100_continue: bool
    response_started: bool
    response_complete: bool

    def on_response(self) -> None:
        """Go on with the next request of the connection."""


def cycle_of(receive: object, send: object) -> Cycle | None:
    """Return what `receive` and `send` of ASGI work on, if both are uvicorn's own; else None.

    It goes by names, as other servers do without uvicorn.
    """
    cycle: Any = getattr(send, "__self__", None)
    kind = type(cycle)
    is_uvicorns = kind.__module__ == "uvicorn.protocols.http.httptools_impl"
    if not is_uvicorns or kind.__name__ != "RequestResponseCycle":
        return None
    # Middleware may have read the body, and give it anew.
    return cycle if getattr(receive, "__self__", None) is cycle else None


def is_too_deep(error: orjson.JSONDecodeError) -> bool:
    """Whether JSON was refused for its depth; orjson reads 1024 levels."""
    return "depth" in error.msg
