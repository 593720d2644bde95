"""Traces for OpenTelemetry: a span for each request and one for each attempt of an upstream call.

Where spans go is said by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`
and so on). The W3C context that a request brings is continued, and passed on to the upstream.
Needs the extra `traces` of the package.

A span is made when it ends, as the SDK's `ReadableSpan`, with all that is known by then: that takes
a tenth of the time of a span that is started, filled and ended under locks.
"""

import random
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import __version__
from gateway.observability.activity import OK, PARTIAL, REFUSED, Activity, Watcher
from gateway.upstream.attempts import QUIET, Attempt, Role
from gateway.upstream.call import Call

_FINE: Final = frozenset({OK, PARTIAL, REFUSED})
_FAILURE: Final = 400
_TRACEPARENT: Final = b"traceparent"
_TRACESTATE: Final = b"tracestate"
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_WELL: Final = Status()
_propagator: Final = TraceContextTextMapPropagator()


class _Begun(NamedTuple):
    """A span that has not ended.

    Attributes:
        context: its own.
        parent: that of the span above it; None at the root.
        started: nanoseconds since 1970.
    """

    context: SpanContext
    parent: SpanContext | None
    started: int


class _Followed(NamedTuple):
    """How far a request is traced.

    Attributes:
        span: of the request; None when the trace is not kept.
        passed: headers that go on to the upstream as they came, when there is no span.
    """

    span: _Begun | None
    passed: Mapping[str, str]


_NOT_KEPT: Final = _Followed(None, {})


class Tracing(Watcher):
    """Makes spans of what it watches.

    Whether a trace is kept is decided before anything is made for it.

    Args:
        ratio: share of the traces that begin here to keep; those begun by a caller are kept as the
            caller decided.
    """

    def __init__(self, ratio: float) -> None:
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
            # Neither `OTEL_SERVICE_NAME` nor `OTEL_RESOURCE_ATTRIBUTES` names it.
            resource = resource.merge(Resource({"service.name": "number-gateway"}))
        self._ratio = ratio
        self._resource = resource
        self._scope = InstrumentationScope("number-gateway", __version__)
        self._ids = RandomIdGenerator()
        self._batches = BatchSpanProcessor(OTLPSpanExporter())

    def close(self) -> None:
        """Send what is left, and stop; blocks for as long as that takes."""
        self._batches.shutdown()  # type: ignore[no-untyped-call] # the library's own gap

    def began(self, activity: Activity) -> None:
        """See `Watcher`."""
        headers = dict(activity.headers)
        if _TRACEPARENT in headers and self._goes_on(activity, headers):
            return
        # Decided before anything is made: most traces are not kept.
        kept = random.random() < self._ratio  # noqa: S311 - not a secret
        activity.trace_context = _Followed(self._root(), {}) if kept else _NOT_KEPT

    def _goes_on(self, activity: Activity, headers: Mapping[bytes, bytes]) -> bool:
        """Continue a caller's trace as the caller decided; False when its headers make no sense."""
        brought = {
            name.decode(): headers[name].decode("latin-1")
            for name in (_TRACEPARENT, _TRACESTATE)
            if name in headers
        }
        above = get_current_span(_propagator.extract(brought)).get_span_context()
        if above.is_valid:
            kept = above.trace_flags.sampled
            activity.trace_context = (
                _Followed(self._below(above), {}) if kept else _Followed(None, brought)
            )
        return above.is_valid

    def ended(self, activity: Activity) -> None:
        """See `Watcher`."""
        followed: _Followed = activity.trace_context
        if followed.span is None:
            return
        self._end(
            followed.span,
            f"{activity.kind} {activity.operation}".strip() or "graphql",
            SpanKind.SERVER,
            {
                "graphql.operation.name": activity.operation,
                "graphql.operation.type": activity.kind,
                "graphql.document.hash": activity.digest,
                "gateway.outcome": activity.outcome,
                "gateway.request_id": activity.request_id,
                "enduser.id": activity.principal,
                "http.response.status_code": activity.status,
            },
            _WELL if activity.outcome in _FINE else Status(StatusCode.ERROR, activity.outcome),
        )

    def attempt(self, call: Call, activity: Activity | None) -> Attempt:
        """See `Watcher`."""
        del call
        if activity is None or activity.trace_context is None:
            # Nobody's request, as when numbers are polled.
            kept = random.random() < self._ratio  # noqa: S311 - not a secret
            return _Attempt(self, self._root()) if kept else QUIET
        followed: _Followed = activity.trace_context
        if followed.span is not None:
            return _Attempt(self, self._below(followed.span.context))
        return _Passed(followed.passed) if followed.passed else QUIET

    def end_call(self, span: _Begun, call: Call, status: int | None, role: Role) -> None:
        """Make the span of an attempt that has ended."""
        attributes: dict[str, str | int] = {
            "http.request.method": call.method,
            "url.template": call.route,
            "gateway.family": call.family.name.lower(),
            "gateway.account": call.account,
        }
        if status is not None:
            attributes["http.response.status_code"] = status
        if role.is_hedge or role.overtaken:
            attributes["gateway.hedge"] = role.is_hedge
            attributes["gateway.overtaken"] = role.overtaken
        failed = not role.overtaken and (status is None or status >= _FAILURE)
        self._end(
            span,
            f"{call.method} {call.route}",
            SpanKind.CLIENT,
            attributes,
            Status(StatusCode.ERROR) if failed else _WELL,
        )

    def _root(self) -> _Begun:
        """Begin a trace."""
        ids = self._ids
        context = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), False, _SAMPLED)  # noqa: FBT003 - not remote
        return _Begun(context, None, time.time_ns())

    def _below(self, above: SpanContext) -> _Begun:
        """Begin a span below another one, here or at the caller."""
        span_id = self._ids.generate_span_id()
        context = SpanContext(above.trace_id, span_id, False, _SAMPLED, above.trace_state)  # noqa: FBT003
        return _Begun(context, above, time.time_ns())

    def _end(
        self,
        span: _Begun,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        status: Status,
    ) -> None:
        self._batches.on_end(
            ReadableSpan(
                name,
                context=span.context,
                parent=span.parent,
                resource=self._resource,
                attributes=attributes,
                kind=kind,
                status=status,
                start_time=span.started,
                end_time=time.time_ns(),
                instrumentation_scope=self._scope,
            )
        )


class _Attempt:
    """An attempt that gets a span."""

    __slots__ = ("_span", "_tracing", "headers")

    def __init__(self, tracing: Tracing, span: _Begun) -> None:
        self._tracing = tracing
        self._span = span
        self.headers: dict[str, str] = {}
        _propagator.inject(self.headers, set_span_in_context(NonRecordingSpan(span.context)))

    def ended(self, call: Call, status: int | None, seconds: float, role: Role) -> None:
        """See `gateway.upstream.attempts.Attempt`."""
        del seconds  # The span has its own clock.
        self._tracing.end_call(self._span, call, status, role)


class _Passed(NamedTuple):
    """An attempt within a trace that is not kept."""

    headers: Mapping[str, str]

    def ended(self, call: Call, status: int | None, seconds: float, role: Role) -> None:
        """Do nothing."""
