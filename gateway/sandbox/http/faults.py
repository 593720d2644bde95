"""Faults to inject: which request, how often, what goes wrong.

The first fault that matches a request and is not used up happens to it; at most one does.
"""

import asyncio
import fnmatch
import re
from dataclasses import dataclass, field
from typing import Any

KINDS: dict[str, str] = {
    "latency": "the real answer, late",
    "held": "the real answer, as soon as faults are set anew or removed",
    "429": "error 20429 and no processing",
    "status": "an HTTP error of the given status",
    "reset": "the connection is reset before processing",
    "lost-answer": "processed, then the connection is reset instead of answering",
    "truncate": "the connection closes in the middle of the body",
    "malformed": "a complete answer whose JSON is broken off",
    "html": "an HTML page, as a proxy would send",
    "slow-body": "the real answer, a few bytes at a time",
    "huge-body": "a valid JSON body of many megabytes",
    "redirect": "a redirection to `location`",
    "wrong-shape": "valid JSON of another shape, or `body`, without the API's own headers",
    "null-items": "the real answer with nulls among the elements of its lists",
    "stray-bytes": "the real answer, and behind it the beginning of another, or `body`",
}
_DEFAULT_STATUS = {"status": 503, "html": 502, "redirect": 302, "429": 429}
FIELDS: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "method": (str, type(None)),
    "path": (str, type(None)),
    "account": (str, type(None)),
    "skip": (int,),
    "count": (int, type(None)),
    "latency_ms": (int, float),
    "status": (int,),
    "retry_after": (int, float, str, type(None)),
    "commit": (bool,),
    "body": (object,),
    "location": (str, type(None)),
    "bytes": (int,),
}
# Answers of something between: they have none of the headers that the API's own answers have.
_BETWEEN = frozenset({"html", "redirect", "wrong-shape"})
_PROCESSED = frozenset({"latency", "held", "lost-answer", "slow-body", "null-items", "stray-bytes"})
_LONGEST_LATENCY_MS = 600_000
_LARGEST_BODY = 256 * 1024 * 1024


class FaultError(ValueError):
    """A fault description that makes no sense; the message names the field."""


@dataclass(slots=True)
class Fault:
    """One fault and how often it has happened."""

    kind: str
    """What goes wrong."""
    method: str | None = None
    """Method of the requests it is for; any when absent."""
    path: str | None = None
    """A glob over the whole path, or a regular expression (searched for) when it begins with
    `^`.
    """
    account: str | None = None
    """Sid of the calling account."""
    skip: int = 0
    """Matching requests to leave alone first."""
    count: int | None = 1
    """Times it happens; null for ever."""
    latency_ms: float = 0
    """Waiting time: before processing, or after it with `commit`."""
    status: int = 200
    """HTTP status of a made-up answer; when absent 503 for `status`, 429 for `429`, 502 for `html`,
    302 for `redirect`, else 200.
    """
    retry_after: float | str | None = None
    """Value of a `Retry-After` header: seconds, or a date."""
    commit: bool = False
    """Process the request before going wrong."""
    body: Any = None
    """Body to send instead of the kind's own, or behind it: JSON, or text sent as it is."""
    location: str | None = None
    """Where a redirection points."""
    bytes: int = 32 * 1024 * 1024
    """Size of a huge body."""

    # Not settable: how often it has happened, how it was set, and whether it is there no more.
    matched: int = 0
    fired: int = 0
    specification: dict[str, Any] = field(default_factory=dict)
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    async def delay(self) -> None:
        """Waits as long as the answer is to be late."""
        if self.kind == "held":
            await self.lifted.wait()
        elif self.latency_ms and self.kind != "slow-body":
            await asyncio.sleep(self.latency_ms / 1000)

    def matches(self, method: str, path: str, account: str | None) -> bool:
        """Whether a request is of the kind this fault is for."""
        if self.method is not None and self.method.upper() != method:
            return False
        if self.account is not None and self.account != account:
            return False
        if self.path is None:
            return True
        if self.path.startswith("^"):
            return re.search(self.path, path) is not None
        return fnmatch.fnmatchcase(path, self.path)

    @property
    def is_between(self) -> bool:
        """Whether something between answers, and not the API."""
        return self.kind in _BETWEEN

    def processes(self, method: str) -> bool:
        """Whether the request is really carried out."""
        if self.commit or self.kind in _PROCESSED:
            return True
        # A broken answer to a read needs the answer; a write is left undone unless `commit` is
        # given.
        return self.kind in {"truncate", "malformed"} and method in {"GET", "HEAD"}

    def as_json(self) -> dict[str, Any]:
        """The fault as it was set, with its counters."""
        return {**self.specification, "matched": self.matched, "fired": self.fired}


class Faults:
    """The faults of one sandbox."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def replace(self, specifications: object) -> None:
        """Sets the faults, in order of precedence.

        Raises:
            FaultError: One of them makes no sense; the old ones stay then.
        """
        if not isinstance(specifications, list):
            message = '"faults" must be a list'
            raise FaultError(message)
        faults = [_read(specification, index) for index, specification in enumerate(specifications)]
        self.clear()
        self._faults = faults

    def clear(self) -> None:
        """Removes all faults."""
        for fault in self._faults:
            fault.lifted.set()
        self._faults = []

    def take(self, method: str, path: str, account: str | None) -> Fault | None:
        """The fault that happens to a request, if any; counts it."""
        for fault in self._faults:
            if not fault.matches(method, path, account):
                continue
            fault.matched += 1
            if fault.matched <= fault.skip:
                continue
            if fault.count is not None and fault.fired >= fault.count:
                continue
            fault.fired += 1
            return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """All faults, used up or not."""
        return [fault.as_json() for fault in self._faults]


def _read(specification: object, index: int) -> Fault:
    where = f"faults[{index}]"
    if not isinstance(specification, dict):
        message = f"{where} must be an object"
        raise FaultError(message)
    for name, value in specification.items():
        accepted = FIELDS.get(name)
        if accepted is None:
            message = f"{where}: unknown field {name!r}; known: {', '.join(FIELDS)}"
            raise FaultError(message)
        if object not in accepted and type(value) not in accepted:
            message = f"{where}.{name} does not take {value!r}"
            raise FaultError(message)
    kind = specification.get("kind")
    if kind not in KINDS:
        message = f"{where}.kind must be one of {', '.join(KINDS)}"
        raise FaultError(message)
    _check_ranges(specification, where)
    _check_headers(specification, where)
    status = specification.get("status", _DEFAULT_STATUS.get(kind, 200))
    values = {key: value for key, value in specification.items() if key not in {"kind", "status"}}
    return Fault(kind=kind, status=status, specification=dict(specification), **values)


def _check_headers(specification: dict[str, Any], where: str) -> None:
    for name in ("retry_after", "location"):
        value = specification.get(name)
        if isinstance(value, str) and not re.fullmatch(r"[\x20-\x7e]*", value):
            message = f"{where}.{name} must be printable ASCII, as it goes into a header"
            raise FaultError(message)


def _check_ranges(specification: dict[str, Any], where: str) -> None:
    limits = {
        "skip": (0, 10**9),
        "count": (0, 10**9),
        "latency_ms": (0, _LONGEST_LATENCY_MS),
        "status": (200, 599),
        "bytes": (0, _LARGEST_BODY),
    }
    for name, (least, most) in limits.items():
        value = specification.get(name)
        if value is not None and not least <= value <= most:
            message = f"{where}.{name} must be between {least} and {most}"
            raise FaultError(message)
    path = specification.get("path")
    if path and path.startswith("^"):
        try:
            re.compile(path)
        except re.error as error:
            message = f"{where}.path is not a regular expression: {error}"
            raise FaultError(message) from error
