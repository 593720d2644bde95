"""What is true after the answer to a write was lost: found out by looking, never by repeating.

    a look-up shows the change                                 done, `reconciled`
    no change at any look                                      OUTCOME_UNKNOWN: it may be on its way
    something else than before, and not what was wanted        OUTCOME_UNKNOWN

The upstream may need a moment to show what it has done, or may still be doing it, even when it has
answered with an error of its own; so it is asked more than once while the request's time lasts.
That nothing was done shows only much later, see `gateway/writes/idempotency.py`. A refused
connection, and a 429 or a refusal with the upstream's own code never come here: then nothing was
done.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeAlias

import structlog

from gateway.errors import GatewayError, UpstreamError
from gateway.upstream.call import Call
from gateway.writes.outcome import Outcome
from gateway.writes.user_errors import Reason

_log = structlog.get_logger(__name__)

Look: TypeAlias = Callable[[], Awaitable[Outcome | None]]
"""Reads afresh and returns the outcome that the write would have had; None without a trace of it.

It may raise `Unproven` when what it sees is neither, and `GatewayError` when the upstream cannot
be read.
"""

_PAUSES = (0.0, 0.4, 1.0)


class Unproven(Exception):
    """A look-up shows neither that it was done nor that it was not; the text says what it shows."""


async def reconcile(call: Call, error: UpstreamError, look: Look, deadline: float) -> Outcome:
    """Return what became of `call`, whose answer was lost with `error`.

    Args:
        call: the write that was sent.
        error: how its answer was lost.
        look: looks for the change.
        deadline: time of `time.monotonic` after which nobody waits any more.
    """
    lost = time.time()
    found = "there was no time left to look the number up"
    without_trace = 0
    missed = False
    wait = 0.0
    for pause in _PAUSES:
        wait = max(pause, wait)
        if time.monotonic() + wait >= deadline:
            break
        await asyncio.sleep(wait)
        wait = 0.0
        missed = False
        try:
            seen = await look()
        except Unproven as shown:
            found = str(shown)
        except Exception as problem:  # noqa: BLE001 - it was sent: all that is said must be true
            found = f"looking the number up failed too ({_told(problem)})"
            wait = (isinstance(problem, UpstreamError) and problem.retry_after) or 0.0
        else:
            if seen is not None:
                return seen._replace(reconciled=True)
            missed = True
            without_trace += 1
            found = f"looking the number up ({without_trace} times) has not shown it done so far"
    what = f"{call.method} {call.path}"
    outcome = unknown(what, lost, error.message, found, time.time(), error.upstream_code)
    return outcome._replace(missed=missed)


def unknown(
    what: str, sent: float, lost: str, found: str, now: float, upstream_code: int | None = None
) -> Outcome:
    """Return the outcome of which nobody knows, with all that is known.

    Args:
        what: the request, or the mutation.
        sent: when it went out, in seconds since the epoch.
        lost: how its answer was lost.
        found: what looking showed.
        now: when that was, by the clock by which it was sent.
        upstream_code: the upstream's error code, if it gave one.
    """
    refusal = Reason.LOST.refuse(
        upstream_code=upstream_code,
        what=what,
        sent=_clock(sent),
        lost=lost.rstrip("."),
        found=found,
        now=_clock(now),
    )
    return Outcome(refusal=refusal)


def _told(problem: Exception) -> str:
    """Return what may be said of an error."""
    if isinstance(problem, GatewayError):
        return problem.message
    _log.error("look_up_failed", exc_info=problem, kind=type(problem).__name__)
    return "it could not be read"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
