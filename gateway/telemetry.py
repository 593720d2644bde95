"""What operators see of the traffic: the points where it is watched, and who watches.

The gateway tells of two things only: an activity (a request and its answer) and an attempt of an
upstream call. Metrics, traces and logs are watchers of both. With none of them switched on nothing
is wrapped around requests, and an attempt is told to `QUIET`, which does nothing.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.operations import Document
from gateway.upstream.call import Call

OK: Final = "ok"
PARTIAL: Final = "partial"
REFUSED: Final = "refused"
BATCH: Final = "(batch)"


class Reads(Protocol):
    """The reads of a request: calls that went out, and reads that needed none of their own."""

    sent: int
    spared: int
    spared_by: dict[str, int]


@dataclass(slots=True)
class Activity:
    """A request and its answer, filled in as more of it becomes known. Times are in seconds.

    Attributes:
        transport: `http`, or `websocket` for an operation on a socket.
        headers: of the request as they came, names in lower case.
        outcome: `ok`, `partial` (data and errors), `refused` (a mutation's user errors), or the
            code of the first error; for requests that never became an operation, the HTTP status.
        kind: `query`, `mutation`, `subscription`; "" until it is known.
        operation: its name; "" when it has none.
        digest: first 16 hexadecimal digits of the document's SHA-256; "" until it is known.
        principal: who asks, by a name that is no secret; "" until it is known.
        trace_context: what the tracing watcher needs of it.
    """

    transport: str
    headers: Sequence[tuple[bytes, bytes]]
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    request_id: str = ""
    status: int = 0
    outcome: str = ""
    kind: str = ""
    operation: str = ""
    digest: str = ""
    principal: str = ""
    reads: Reads | None = None
    trace_context: Any = None

    def executed(
        self, document: Document, name: str | None, response: Mapping[str, Any] | bytes
    ) -> None:
        """Note what was executed, and what came of it."""
        if self.digest:
            # One of several in a list, which is one request.
            self.operation = BATCH
            return
        operation = document.operation(name)
        if operation is not None:
            self.kind = operation.operation.value
            self.operation = operation.name.value if operation.name else ""
        self.digest = digest(document.text)
        self.outcome = outcome_of(response, is_mutation=self.kind == "mutation")


class Attempt(Protocol):
    """An attempt of an upstream call while it runs."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers to send with it."""

    def ended(self, status: int | None, seconds: float) -> None:
        """Note its end; `status` is None when there was no answer."""


class Watcher(Protocol):
    """Somebody who is told of every activity and attempt."""

    def began(self, activity: Activity) -> None:
        """Note that a request arrived."""

    def ended(self, activity: Activity) -> None:
        """Note that it was answered."""

    def attempt(self, call: Call, activity: Activity | None) -> Attempt:
        """Note that a call goes out, for `activity` if that is known."""


class Telemetry:
    """All watchers as one; with none it costs next to nothing."""

    def __init__(self, watchers: Sequence[Watcher] = ()) -> None:
        self._watchers = tuple(watchers)

    @property
    def is_on(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    def attempt(self, call: Call) -> Attempt:
        """Note that a call goes out."""
        match self._watchers:
            case ():
                return QUIET
            case (only,):
                return only.attempt(call, _current.get())
            case several:
                activity = _current.get()
                return _Attempts([each.attempt(call, activity) for each in several])

    @contextmanager
    def operation(self, request_id: str) -> Iterator[None]:
        """Watch an operation on a WebSocket, from its start to its end."""
        if not self._watchers:
            yield
            return
        activity = Activity("websocket", (), request_id=request_id)
        self.began(activity)
        try:
            yield
        finally:
            activity.outcome = activity.outcome or "NOT_EXECUTED"
            self.ended(activity)

    def began(self, activity: Activity) -> None:
        """Note that a request arrived, and let what runs from here belong to it."""
        _current.set(activity)
        for watcher in self._watchers:
            watcher.began(activity)

    def ended(self, activity: Activity) -> None:
        """Note that it was answered."""
        activity.seconds = time.monotonic() - activity.started
        for watcher in self._watchers:
            watcher.ended(activity)


class Observed:
    """An ASGI application whose HTTP activities are told to the watchers."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        activity = Activity("http", scope["headers"])

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                activity.status = message["status"]
                for name, value in message["headers"]:
                    if name == b"x-request-id":
                        activity.request_id = value.decode("latin-1")
            await send(message)

        self._telemetry.began(activity)
        try:
            await self._app(scope, receive, noting)
        finally:
            activity.outcome = activity.outcome or f"HTTP_{activity.status}"
            self._telemetry.ended(activity)


def current() -> Activity | None:
    """Return the activity that the running code belongs to; None when nobody watches."""
    return _current.get()


def note(document: Document, name: str | None, response: Mapping[str, Any] | bytes) -> None:
    """Note what was executed, and what came of it, if anybody watches."""
    activity = _current.get()
    if activity is not None:
        activity.executed(document, name, response)


@lru_cache(maxsize=4096)
def digest(text: str) -> str:
    """Return a document's short name for logs: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def outcome_of(response: Mapping[str, Any] | bytes, *, is_mutation: bool) -> str:
    """Return the outcome of a response object; see `Activity.outcome`.

    One that is bytes already is of a query that went well throughout.
    """
    if isinstance(response, bytes):
        return OK
    errors, data = response.get("errors"), response.get("data")
    if errors:
        if data is not None and any(value is not None for value in data.values()):
            return PARTIAL
        return str(errors[0].get("extensions", {}).get("code", "INTERNAL_SERVER_ERROR"))
    if is_mutation and data and any(_has_user_errors(payload) for payload in data.values()):
        return REFUSED
    return OK


def _has_user_errors(payload: object) -> bool:
    return isinstance(payload, dict) and bool(payload.get("userErrors"))


class _Quiet:
    """An attempt that nobody watches."""

    headers: Mapping[str, str] = {}

    def ended(self, status: int | None, seconds: float) -> None:
        """Do nothing."""


class _Attempts:
    """An attempt that several watch."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._attempts = attempts

    @property
    def headers(self) -> Mapping[str, str]:
        return {name: text for each in self._attempts for name, text in each.headers.items()}

    def ended(self, status: int | None, seconds: float) -> None:
        for each in self._attempts:
            each.ended(status, seconds)


QUIET: Final[Attempt] = _Quiet()
_current: ContextVar[Activity | None] = ContextVar("activity", default=None)
