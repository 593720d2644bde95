"""Traces for OpenTelemetry: a span for each request and one for each attempt of an upstream call.

Where spans go is said by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`
and so on). The W3C context that a request brings is continued, and passed on to the upstream.
Needs the extra `traces` of the package.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import __version__
from gateway.telemetry import OK, PARTIAL, REFUSED, Activity, Attempt
from gateway.upstream.call import Call

_FINE: Final = frozenset({OK, PARTIAL, REFUSED})
_FAILURE: Final = 400
_CONTEXT: Final = frozenset({b"traceparent", b"tracestate"})


class Tracing:
    """Makes spans of what it watches.

    Args:
        ratio: share of the traces that begin here to keep; those begun by a caller are kept as the
            caller decided.
    """

    def __init__(self, ratio: float) -> None:
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
            # Neither `OTEL_SERVICE_NAME` nor `OTEL_RESOURCE_ATTRIBUTES` names it.
            resource = resource.merge(Resource({"service.name": "number-gateway"}))
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(ratio),
            resource=resource,
            shutdown_on_exit=False,  # It would wait for a collector that hangs.
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("number-gateway", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Send what is left, and stop; blocks for as long as that takes."""
        self._provider.shutdown()

    def began(self, activity: Activity) -> None:
        """See `Watcher`."""
        brought = {
            name.decode(): value.decode("latin-1")
            for name, value in activity.headers
            if name in _CONTEXT
        }
        caller = self._propagator.extract(brought) if brought else Context()
        span = self._tracer.start_span("graphql", context=caller, kind=SpanKind.SERVER)
        activity.trace_context = set_span_in_context(span, caller), span

    def ended(self, activity: Activity) -> None:
        """See `Watcher`."""
        span: Span = activity.trace_context[1]
        if span.is_recording():
            span.update_name(f"{activity.kind} {activity.operation}".strip() or "graphql")
            span.set_attributes(
                {
                    "graphql.operation.name": activity.operation,
                    "graphql.operation.type": activity.kind,
                    "graphql.document.hash": activity.digest,
                    "gateway.outcome": activity.outcome,
                    "gateway.request_id": activity.request_id,
                    "enduser.id": activity.principal,
                    "http.response.status_code": activity.status,
                }
            )
            if activity.outcome not in _FINE:
                span.set_status(Status(StatusCode.ERROR, activity.outcome))
        span.end()

    def attempt(self, call: Call, activity: Activity | None) -> Attempt:
        """See `Watcher`."""
        parent = activity.trace_context[0] if activity and activity.trace_context else Context()
        span = self._tracer.start_span(
            f"{call.method} {call.route}", context=parent, kind=SpanKind.CLIENT
        )
        headers: dict[str, str] = {}
        self._propagator.inject(headers, set_span_in_context(span, parent))
        return _Attempt(span, call, headers)


class _Attempt:
    __slots__ = ("_call", "_span", "headers")

    def __init__(self, span: Span, call: Call, headers: Mapping[str, str]) -> None:
        self._span = span
        self._call = call
        self.headers = headers

    def ended(self, status: int | None, seconds: float) -> None:
        del seconds  # The span has its own clock.
        if self._span.is_recording():
            attributes: dict[str, str | int] = {
                "http.request.method": self._call.method,
                "url.template": self._call.route,
                "gateway.family": self._call.family.name.lower(),
                "gateway.account": self._call.account,
            }
            if status is not None:
                attributes["http.response.status_code"] = status
            self._span.set_attributes(attributes)
            if status is None or status >= _FAILURE:
                self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()
