"""What is true after the answer to a write was lost: found out by looking, never by repeating.

    a look-up shows the change                               done, `reconciled`
    no change, and the upstream itself answered with an error NOT_DONE
    no change, and nobody who knows has answered             OUTCOME_UNKNOWN: it may be on its way

The upstream may need a moment to show what it has done, or may still be doing it, so it is asked
more than once while the request's time lasts. A refused connection, a 429 and a 4xx never come
here: then nothing was done.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeAlias

from gateway.errors import GatewayError, UpstreamError
from gateway.outcome import Outcome, Refusal
from gateway.upstream.call import Call
from schema.enums import UserErrorCode

Look: TypeAlias = Callable[[], Awaitable[Outcome | None]]
"""Reads afresh and returns the outcome that the write would have had; None without a trace of it.

It may raise `GatewayError` when the upstream cannot be read.
"""

_PAUSES = (0.0, 0.5, 1.5)
# Answers of proxies: what is behind them may still be at work.
_OF_PROXIES = frozenset({502, 504})


async def reconcile(call: Call, error: UpstreamError, look: Look, deadline: float) -> Outcome:
    """Return what became of `call`, whose answer was lost with `error`.

    Args:
        call: the write that was sent.
        error: how its answer was lost.
        look: looks for the change.
        deadline: time of `time.monotonic` after which nobody waits any more.
    """
    settled = error.upstream_code is not None and error.status not in _OF_PROXIES
    lost = time.time()
    looks = 0
    failure: GatewayError | None = None
    for pause in _PAUSES:
        wait = max(pause, _asked_to_wait(failure))
        if time.monotonic() + wait >= deadline:
            break
        await asyncio.sleep(wait)
        try:
            seen = await look()
        except GatewayError as problem:
            failure = problem
            continue
        if seen is not None:
            return seen._replace(reconciled=True)
        looks += 1
        if settled:
            return not_done(f"{error.message} Looking the number up shows that nothing was done.")
    if looks:
        found = f"looking the number up ({looks} times) has not shown it done so far"
    elif failure is not None:
        found = f"looking the number up failed too ({failure.message})"
    else:
        found = "there was no time left to look the number up"
    return unknown(f"{call.method} {call.path}", lost, error.message, found, error.upstream_code)


def unknown(
    what: str, sent: float, lost: str, found: str, upstream_code: int | None = None
) -> Outcome:
    """Return the outcome of which nobody knows, with all that is known.

    Args:
        what: the request, or the mutation.
        sent: when it went out, in seconds since the epoch.
        lost: how its answer was lost.
        found: what looking showed.
        upstream_code: the upstream's error code, if it gave one.
    """
    message = (
        f"It is not known whether it was done: {what} was sent at about {_clock(sent)} and its"
        f" answer was lost ({lost.rstrip('.')}); {found} (at {_clock(time.time())})."
        " Look before you try again."
    )
    return Outcome(refusal=Refusal((), message, UserErrorCode.OUTCOME_UNKNOWN, upstream_code))


def not_done(message: str, upstream_code: int | None = None) -> Outcome:
    """Return the outcome of a write that certainly had no effect."""
    return Outcome(refusal=Refusal((), message, UserErrorCode.NOT_DONE, upstream_code))


def _asked_to_wait(failure: GatewayError | None) -> float:
    wait = failure.retry_after if isinstance(failure, UpstreamError) else None
    return wait or 0.0


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
