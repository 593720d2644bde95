"""The watchers that the settings ask for: metrics, traces, request log."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.errors import CommandError
from gateway.events.feed import Events
from gateway.observability.activity import Telemetry, Watcher
from gateway.observability.logs import RequestLog
from gateway.observability.refusals_below_http import RefusalsBelowHttp
from gateway.upstream.client import UpstreamClient

if TYPE_CHECKING:
    from starlette.routing import Route

    from gateway.observability.metrics import Metrics
    from gateway.observability.otel_spans import Tracing


class WatchOptions(Struct, frozen=True):
    """Who watches; see the settings of the same names."""

    log_requests: str
    metrics: bool
    metrics_operations: int
    traces: bool
    traces_ratio: float


class Observation:
    """The watchers of one process.

    Attributes:
        telemetry: tells all of them.
        refused: counts and logs what is refused below HTTP.
        metrics: None when they are off.

    Raises:
        CommandError: traces are asked for, but what they need is not installed.
    """

    def __init__(self, options: WatchOptions) -> None:
        self.metrics = _metrics(options)
        self._tracing = _tracing(options)
        watchers: list[Watcher] = []
        if options.log_requests != "none":
            watchers.append(RequestLog(everything=options.log_requests == "all"))
        watchers += [each for each in (self.metrics, self._tracing) if each is not None]
        self.telemetry = Telemetry(watchers)
        self.refused = RefusalsBelowHttp(
            self.counter(
                "gateway_refusals_below_http",
                "Clients refused, or cut off, before there was a request to answer, by kind.",
                "kind",
            )
        )

    def routes(self, client: UpstreamClient, events: Events) -> "list[Route]":
        """Return where operators look; the state of what is given is among what they see."""
        if self.metrics is None:
            return []
        from gateway.observability.metrics_page import metrics_route  # noqa: PLC0415 - off costs nothing

        return [metrics_route(self.metrics, client, events)]

    def counter(self, name: str, meaning: str, label: str) -> Callable[[str], None]:
        """Return what counts something by one label, if anybody watches."""
        if self.metrics is None:
            return lambda _: None
        return self.metrics.counter(name, meaning, label)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do what has to be done now and then, while the process serves."""
        if self.metrics is None:
            yield
            return
        from gateway.observability.metrics_page import refreshing  # noqa: PLC0415 - off costs nothing

        async with refreshing(self.metrics):
            yield

    async def aclose(self, within: float) -> None:
        """Send what is left to send, if that can be done within so many seconds."""
        if self.metrics is not None:
            self.metrics.count()
        if self._tracing is not None:
            # One that hangs must not hold the exit, which does not wait for such a thread.
            closing = threading.Thread(target=self._tracing.close, daemon=True)
            closing.start()
            await asyncio.to_thread(closing.join, within)


def _metrics(options: WatchOptions) -> "Metrics | None":
    if not options.metrics:
        return None
    from gateway.observability.metrics import Metrics  # noqa: PLC0415 - off costs nothing

    return Metrics(options.metrics_operations)


def _tracing(options: WatchOptions) -> "Tracing | None":
    if not options.traces:
        return None
    try:
        from gateway.observability.otel_spans import Tracing  # noqa: PLC0415 - an extra, not always installed
    except ImportError:
        raise CommandError(
            "traces need more packages: pip install 'number-gateway[traces]'"
        ) from None
    return Tracing(options.traces_ratio)
