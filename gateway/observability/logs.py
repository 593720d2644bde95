"""Logs: events with fields, on standard error; readable on a terminal, elsewhere JSON lines.

No event carries credentials, and tracebacks come without the values of variables. What an exception
says may repeat what the upstream sent, so it is redacted. What clients and the upstream wrote can
neither begin a line of its own nor steer a terminal.
"""

import io
import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TextIO, TypeAlias

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from gateway.observability.activity import OK, PARTIAL, REFUSED, Activity, Watcher
from gateway.observability.printable import printable
from gateway.upstream import redaction
from gateway.upstream.call import Credential

Form = Literal["terminal", "json"]
Redact: TypeAlias = Callable[[str], str]
_EXPECTED: Final = frozenset({OK, PARTIAL, REFUSED})


def configure(
    level: str,
    form: Form | None,
    own: Credential | None = None,
    client: Callable[[], str] = lambda: "",
) -> None:
    """Set logging up for this process: ours, and that of libraries, in one form.

    Args:
        level: name of the lowest level that is written.
        form: how; None for what fits standard error.
        own: the operator's credential, which is taken out of exceptions.
        client: tells the address of the client for whom the running code works.
    """
    redact = own.redact if own is not None else redaction.redact
    readable = form == "terminal" or (form is None and sys.stderr.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_client(client),
        structlog.processors.add_log_level,
        stamp,
    ]
    last: list[Processor] = (
        [
            _spell_out,
            structlog.dev.ConsoleRenderer(
                # Files have no use for the codes of colours.
                colors=sys.stderr.isatty(),
                exception_formatter=_traceback(redact),
            ),
        ]
        if readable
        else [
            structlog.processors.format_exc_info,
            _redacted_exception(redact),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    )
    structlog.configure(
        processors=[*common, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


class RequestLog(Watcher):
    """Writes a line for each activity, or only for those that failed.

    Args:
        everything: whether requests that went well are written too.
    """

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self._log = structlog.get_logger(__name__)

    def ended(self, activity: Activity) -> None:
        """See `Watcher`."""
        expected = activity.outcome in _EXPECTED and not activity.blamed
        if expected and not self._everything:
            return
        write = self._log.info if expected else self._log.warning
        more: dict[str, str | int] = {"blamed": activity.blamed} if activity.blamed else {}
        if activity.reads and activity.reads.hedges:
            more["hedged_calls"] = activity.reads.hedges
        write(
            "request",
            request_id=activity.request_id,
            transport=activity.transport,
            operation=activity.operation,
            kind=activity.kind,
            document=activity.digest,
            principal=activity.principal,
            outcome=activity.outcome,
            status=activity.status,
            ms=round(activity.seconds * 1000, 2),
            upstream_calls=activity.reads.sent if activity.reads else 0,
            saved_calls=activity.reads.spared if activity.reads else 0,
            **more,
        )


def _with_client(client: Callable[[], str]) -> Processor:
    """Return what adds the client's address to what is logged about a request or a caller."""

    def process(_: object, __: str, event: EventDict) -> EventDict:
        if "request_id" in event or "principal" in event:
            event["client"] = client()
        return event

    return process


def _traceback(redact: Redact) -> Callable[[TextIO, ExcInfo], None]:
    """Return what writes a traceback, indented so that no line of a message passes for an event."""

    def write(to: TextIO, exc_info: ExcInfo) -> None:
        text = io.StringIO()
        structlog.dev.plain_traceback(text, exc_info)
        indented = redact(text.getvalue()).replace("\n", "\n    ")
        to.write(f"    {printable(indented, lines=True)}")

    return write


def _redacted_exception(redact: Redact) -> Processor:
    def process(_: object, __: str, event: EventDict) -> Mapping[str, Any]:
        if "exception" in event:
            event["exception"] = redact(event["exception"])
        return event

    return process


def _json(event: Any, **_: object) -> str:  # noqa: ANN401 - what structlog calls an event
    try:
        text = orjson.dumps(event, default=str).decode()
    except TypeError:
        # Text with half a pair, which is not Unicode, but may stand in JSON.
        text = json.dumps(event, default=str)
    return printable(text)


def _spell_out(_: object, __: str, event: EventDict) -> EventDict:
    """Make text safe to print; other values are shown as Python writes them, which is safe."""
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in event.items()
    }
