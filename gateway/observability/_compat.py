"""The parts of prometheus-client that it does not document, as far as this room needs them.

`tests/install/test_private_parts.py` asserts each of them.
"""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

__all__ = [
    "BulkHistogram",
    "Collector",
    "Metric",
    "MultiProcessCollector",
    "collect_from_files",
    "forget_gauges",
    "mark_process_dead",
]


class BulkHistogram(Histogram):
    """A histogram that can count many times at once, at a tenth of the price."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Do what `observe` does, for each of `amounts`."""
        places = Counts(bisect_left(self._upper_bounds, amount) for amount in amounts)
        for place, count in places.items():
            self._buckets[place].inc(count)
        self._sum.inc(sum(amounts))


def collect_from_files(registry: CollectorRegistry) -> None:
    """Have a registry tell what all processes have counted in the files that they share."""
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library's own gap


def forget_gauges(pid: int) -> None:
    """Let what a process that is dead said of itself count no longer; what it counted still does.

    Only gauges that speak of living processes are such.
    """
    mark_process_dead(pid)  # type: ignore[no-untyped-call] # the library's own gap
