"""Metrics in the form that Prometheus reads, served at `/metrics`.

Every label has a bounded set of values: routes are templates, states and outcomes are closed sets,
and of operation names, which clients invent, the first ones count by name and the rest together.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from gateway import __version__
from gateway.observability import metrics_folder
from gateway.observability._compat import (
    BulkHistogram,
    Collector,
    Metric,
    collect_from_files,
)
from gateway.observability.activity import Activity, Watcher
from gateway.upstream.attempts import QUIET, Attempt, Role
from gateway.upstream.call import Api, Call

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OTHER: Final = "other"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
# Seconds after which what happened has been counted.
_MOMENT: Final = 0.1
_SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

_Outcome: TypeAlias = tuple[str, str, str]
"""Name and kind of an operation, and what came of it."""
_Answered: TypeAlias = tuple[Api, str, str, int | str | None]
"""Family, method and route of a call, and the status it was answered with."""


class Metrics(Watcher):
    """Counts what it watches. Several worker processes count into files that they share.

    Args:
        most_operations: how many operation names are counted by name.
    """

    def __init__(self, most_operations: int = 200) -> None:
        self._registry = registry = CollectorRegistry()
        self._names = _Bounded(most_operations)
        self._outcomes = _Bounded(100)
        self._refreshers: list[Callable[[], None]] = []
        self._operations = Counter(
            "gateway_operations",
            "Requests by operation and outcome.",
            ("operation", "kind", "outcome"),
            registry=registry,
        )
        self._seconds = BulkHistogram(
            "gateway_operation_seconds",
            "Time to answer a request.",
            ("operation", "kind"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._calls = Counter(
            "gateway_upstream_calls",
            "Attempts of upstream calls by route and HTTP status; `none` without an answer,"
            " `overtaken` where a second attempt of a read was quicker, or the first after all.",
            ("family", "method", "route", "status"),
            registry=registry,
        )
        self._call_seconds = BulkHistogram(
            "gateway_upstream_seconds",
            "Time of one attempt of an upstream call.",
            ("family", "method", "route"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._saved = Counter(
            "gateway_upstream_saved_calls",
            "Reads answered without an upstream call of their own: shared with an equal one"
            " (coalesced), known from a list (primed), or kept (cached).",
            ("how",),
            registry=registry,
        )
        build = Gauge(
            "gateway_build",
            "Its version, as a label.",
            ("version",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        build.labels(__version__).set(1)
        # Looking a child up by its labels costs more than counting, so children are kept.
        self._of_activity: dict[_Outcome, tuple[Counter, BulkHistogram]] = {}
        self._of_call: dict[_Answered, tuple[Counter, BulkHistogram]] = {}
        # What has been noted: times in seconds. Nothing else of a request is held on to.
        self._activities: defaultdict[_Outcome, list[float]] = defaultdict(self._first)
        self._attempts: defaultdict[_Answered, list[float]] = defaultdict(self._first)
        self._attempt = _Attempt(self._attempts)
        self._counts_soon = False
        self.before_each_reading(self.count)
        self._processes = _Processes()
        if not self.is_shared:
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)

    @property
    def is_shared(self) -> bool:
        """Whether several worker processes count together."""
        return _SHARED_FOLDER in os.environ

    def gauge(
        self, name: str, meaning: str, labels: Iterable[str] = (), *, mode: str = "livesum"
    ) -> Gauge:
        """Return a new gauge; `mode` says how the values of several processes become one."""
        return Gauge(name, meaning, labels, multiprocess_mode=mode, registry=self._registry)  # type: ignore[arg-type] # a literal there

    def counter(self, name: str, meaning: str, label: str) -> Callable[[str], None]:
        """Return what counts one more under a value of `label`, of which there are few."""
        counted = Counter(name, meaning, (label,), registry=self._registry)
        return lambda value: counted.labels(value).inc()

    def before_each_reading(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` before the metrics are read, to set gauges."""
        self._refreshers.append(refresh)

    def refresh(self) -> None:
        """Set the gauges to what is so now."""
        for refresh in self._refreshers:
            refresh()

    def page(self) -> bytes:
        """Return all metrics as text, those of the other workers included; may block."""
        if not self.is_shared:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        collect_from_files(everybody)
        everybody.register(self._processes)
        PlatformCollector(registry=everybody)
        return generate_latest(everybody)

    def ended(self, activity: Activity) -> None:
        """See `Watcher`."""
        key = (activity.operation, activity.kind, activity.outcome)
        self._activities[key].append(activity.seconds)
        if activity.reads is not None and activity.reads.spared:
            for how, count in activity.reads.spared_by.items():
                self._saved.labels(how).inc(count)

    def attempt(self, call: Call, activity: Activity | None) -> Attempt:
        """See `Watcher`."""
        del call, activity
        return self._attempt

    def _first(self) -> list[float]:
        """Note the first of its kind, to be counted in a moment: many at once take less time."""
        if not self._counts_soon:
            self._counts_soon = True
            asyncio.get_running_loop().call_later(_MOMENT, self.count)
        return []

    def count(self) -> None:
        """Count what has been noted."""
        self._counts_soon = False
        for outcome, times in self._activities.items():
            requests, seconds = self._children_of_activity(outcome)
            requests.inc(len(times))
            seconds.observe_all(times)
        for answered, times in self._attempts.items():
            calls, seconds = self._children_of_call(answered)
            calls.inc(len(times))
            seconds.observe_all(times)
        self._activities.clear()
        self._attempts.clear()

    def _children_of_activity(self, key: _Outcome) -> tuple[Counter, BulkHistogram]:
        children = self._of_activity.get(key)
        if children is None:
            operation, kind, outcome = key
            name = self._names(operation)
            children = (
                self._operations.labels(name, kind, self._outcomes(outcome)),
                self._seconds.labels(name, kind),
            )
            if name != OTHER:
                self._of_activity[key] = children
        return children

    def _children_of_call(self, key: _Answered) -> tuple[Counter, BulkHistogram]:
        children = self._of_call.get(key)
        if children is None:
            family, method, route, status = key
            labels = (family.name.lower(), method, route)
            children = self._of_call[key] = (
                self._calls.labels(*labels, str(status or "none")),
                self._call_seconds.labels(*labels),
            )
        return children


class _Attempt:
    """Any attempt: what is to be noted of it is known when it ends."""

    headers = QUIET.headers

    def __init__(self, noted: defaultdict[_Answered, list[float]]) -> None:
        self._noted = noted

    def ended(self, call: Call, status: int | None, seconds: float, role: Role) -> None:
        came = "overtaken" if role.overtaken else status
        self._noted[call.family, call.method, call.route, came].append(seconds)


class _Processes(Collector):
    """The usual `process_…` metrics of each worker, by its number: whoever is asked tells of all.

    They are read from the system at that moment. A worker that was replaced keeps its number, so
    its processor time begins anew, as counters do.
    """

    def __init__(self) -> None:
        self._pid = ""
        self._process = ProcessCollector(pid=lambda: self._pid, registry=None)

    def collect(self) -> Iterable[Metric]:
        """Return one metric of each name, with a sample for each worker."""
        metrics: dict[str, Metric] = {}
        for worker, self._pid in metrics_folder.members().items():
            for metric in self._process.collect():
                samples = [each._replace(labels={"worker": worker}) for each in metric.samples]
                metric.samples = []
                metrics.setdefault(metric.name, metric).samples += samples
        return metrics.values()


class _Bounded:
    """Keeps the first `most` values that it is asked for, and calls the rest `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
        return value
