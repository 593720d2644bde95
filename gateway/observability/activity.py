"""Observation points: requests and upstream attempts, and the watchers that are told of them.

The gateway tells of two things only: an activity (a request and its answer) and an attempt of an
upstream call. Metrics, traces and logs are watchers of both. With none of them switched on nothing
is wrapped around requests, and an attempt is told to `QUIET`, which does nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, Protocol

from gateway.discreet import Discreet
from gateway.error_codes import ErrorCode
from gateway.upstream.attempts import QUIET, Attempt, Role
from gateway.upstream.call import Call

OK: Final = "ok"
PARTIAL: Final = "partial"
REFUSED: Final = "refused"
CLIENT_GONE: Final = "CLIENT_GONE"
BATCH: Final = "(batch)"
_GOOD: Final = 200
_BAD: Final = 400


class ReadCounts(Protocol):
    """The reads of a request: calls that went out, and reads that needed none of their own."""

    sent: int
    hedges: int
    spared: int
    spared_by: dict[str, int]


class Activity(Discreet):
    """A request and its answer, filled in as more of it becomes known. Times are in seconds.

    Attributes:
        transport: `http`, or `websocket` for an operation on a socket.
        headers: of the request as they came, names in lower case.
        started: time of `time.monotonic`.
        outcome: `ok`, `partial` (data and errors), `refused` (a mutation's user errors), or the
            code of the first error. For requests that never became an operation `ok`, where that is
            all there is to them (`OPTIONS`, the `HEAD` of a stream), the HTTP status of the refusal
            (`HTTP_400`), or `CLIENT_GONE`.
        kind: `query`, `mutation`, `subscription`; "" until it is known.
        operation: its name; "" when it has none.
        digest: first 16 hexadecimal digits of the document's SHA-256; "" until it is known.
        principal: who asks, by a name that is no secret; "" until it is known.
        blamed: what is to blame for a refusal, in words for operators; "" for the client.
        trace_context: what the tracing watcher needs of it.
    """

    transport: str
    headers: Sequence[tuple[bytes, bytes]]
    started: float
    request_id: str = ""
    seconds: float = 0.0
    status: int = 0
    outcome: str = ""
    kind: str = ""
    operation: str = ""
    digest: str = ""
    principal: str = ""
    blamed: str = ""
    reads: ReadCounts | None = None
    trace_context: Any = None

    def executed(
        self, described: tuple[str, str, str], response: Mapping[str, Any] | bytes
    ) -> None:
        """Note what was executed, by kind, name and digest, and what came of it."""
        if self.digest:
            # One of several in a list, which is one request.
            self.operation = BATCH
            return
        self.kind, self.operation, self.digest = described
        if isinstance(response, bytes) or (self.kind == "query" and "errors" not in response):
            self.outcome = OK
        else:
            self.outcome = outcome_of(response, is_mutation=self.kind == "mutation")


_current: ContextVar[Activity | None] = ContextVar("activity", default=None)
current: Final[Callable[[], Activity | None]] = _current.get
"""Returns the activity that the running code belongs to; None when nobody watches."""


class Watcher:
    """Somebody who is told of activities and attempts; of what it has no method for, it is not."""

    def began(self, activity: Activity) -> None:
        """Note that a request arrived."""

    def ended(self, activity: Activity) -> None:
        """Note that it was answered."""

    def attempt(self, call: Call, activity: Activity | None) -> Attempt:
        """Note that a call goes out, for `activity` if that is known."""
        del call, activity
        return QUIET


class Telemetry:
    """All watchers as one; with none it costs next to nothing."""

    def __init__(self, watchers: Sequence[Watcher] = ()) -> None:
        self._watchers = tuple(watchers)
        self._began = [each.began for each in watchers if type(each).began is not Watcher.began]
        self._ended = [each.ended for each in watchers if type(each).ended is not Watcher.ended]
        self._attempt = [
            each.attempt for each in watchers if type(each).attempt is not Watcher.attempt
        ]

    def attempt(self, call: Call) -> Attempt:
        """Note that a call goes out."""
        watched = QUIET
        if self._attempt:
            activity = _current.get()
            for attempt in self._attempt:
                one = attempt(call, activity)
                if one is not QUIET:
                    watched = one if watched is QUIET else _Both(watched, one)
        return watched

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> Activity | None:
        """Note that an HTTP request arrived; None when nobody watches."""
        if not self._watchers:
            return None
        activity = Activity("http", headers, time.monotonic())
        _current.set(activity)
        for began in self._began:
            began(activity)
        return activity

    def answered(self, activity: Activity) -> None:
        """Note that an HTTP request has its answer, or needs none any more."""
        if not activity.outcome:
            status = activity.status
            refused = f"HTTP_{status}" if status else CLIENT_GONE
            activity.outcome = OK if _GOOD <= status < _BAD else refused
        activity.seconds = time.monotonic() - activity.started
        for ended in self._ended:
            ended(activity)

    def operation(self, request_id: str) -> Activity | None:
        """Note that an operation on a WebSocket begins; None when nobody watches."""
        if not self._watchers:
            return None
        activity = Activity("websocket", (), time.monotonic(), request_id)
        self.began(activity)
        return activity

    def operated(self, activity: Activity) -> None:
        """Note that an operation on a WebSocket has ended."""
        activity.outcome = activity.outcome or "NOT_EXECUTED"
        self.ended(activity)

    def began(self, activity: Activity) -> None:
        """Note that a request arrived, and let what runs from here belong to it."""
        _current.set(activity)
        for began in self._began:
            began(activity)

    def ended(self, activity: Activity) -> None:
        """Note that it was answered."""
        activity.seconds = time.monotonic() - activity.started
        for ended in self._ended:
            ended(activity)


def note(described: tuple[str, str, str], response: Mapping[str, Any] | bytes) -> None:
    """Note what was executed, by kind, name and digest, and what came of it."""
    activity = _current.get()
    if activity is not None:
        activity.executed(described, response)


def note_refusal(response: Mapping[str, Any]) -> None:
    """Note that nothing was executed, by the code of the answer that says so."""
    activity = _current.get()
    if activity is not None:
        activity.outcome = activity.outcome or outcome_of(response, is_mutation=False)


def blame(what: str) -> None:
    """Note what a request is refused for that is not the client's affair, if anybody watches."""
    activity = _current.get()
    if activity is not None:
        activity.blamed = what


def outcome_of(response: Mapping[str, Any], *, is_mutation: bool) -> str:
    """Return the outcome of a response object; see `Activity.outcome`."""
    errors, data = response.get("errors"), response.get("data")
    if errors:
        if data is not None and any(value is not None for value in data.values()):
            return PARTIAL
        return str(errors[0].get("extensions", {}).get("code", ErrorCode.INTERNAL_SERVER_ERROR))
    if is_mutation and data and any(_has_user_errors(payload) for payload in data.values()):
        return REFUSED
    return OK


def _has_user_errors(payload: object) -> bool:
    return isinstance(payload, dict) and bool(payload.get("userErrors"))


class _Both:
    """An attempt that two watch."""

    __slots__ = ("_one", "_other", "headers")

    def __init__(self, one: Attempt, other: Attempt) -> None:
        self._one = one
        self._other = other
        self.headers = {**one.headers, **other.headers}

    def ended(self, call: Call, status: int | None, seconds: float, role: Role) -> None:
        self._one.ended(call, status, seconds, role)
        self._other.ended(call, status, seconds, role)
