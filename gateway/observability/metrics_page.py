"""`/metrics`, and on it what the service's parts are like now: breakers, limiters, the store."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import product
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.events.feed import Events
from gateway.observability.metrics import CONTENT_TYPE, Metrics
from gateway.upstream.call import Service
from gateway.upstream.client import UpstreamClient, breakers_of
from schema.enums import Source

_STATES: Final = ("closed", "open", "half-open")
_REFRESH_SECONDS: Final = 2.0


def metrics_route(metrics: Metrics, client: UpstreamClient, events: Events) -> Route:
    """Return where the metrics are read; the state of `client` and `events` is among them."""
    _watch_upstream(metrics, client)
    followers = metrics.gauge("gateway_subscriptions", "Subscriptions that are in force now.")
    metrics.before_each_reading(lambda: followers.set(events.subscribers))

    async def page(_: Request) -> Response:
        metrics.refresh()
        # Reading the files of several workers blocks.
        text = await run_in_threadpool(metrics.page)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    return Route("/metrics", page)


@asynccontextmanager
async def refreshing(metrics: Metrics) -> AsyncIterator[None]:
    """Keep gauges current while other processes may be the ones that are asked for them."""
    if not metrics.is_shared:
        yield
        return

    async def refresh() -> None:
        while True:
            metrics.refresh()
            await asyncio.sleep(_REFRESH_SECONDS)

    task = asyncio.create_task(refresh())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _watch_upstream(metrics: Metrics, client: UpstreamClient) -> None:
    breakers = metrics.gauge(
        "gateway_upstream_breakers",
        "Breakers (one per API and account, another for searches) by state.",
        ("family", "state"),
    )
    running = metrics.gauge("gateway_upstream_running", "Upstream calls that run now.")
    waiting = metrics.gauge("gateway_upstream_waiting", "Upstream calls that wait for a slot.")
    slots = metrics.gauge("gateway_upstream_slots", "Slots of all accounts, as adapted.")

    def refresh() -> None:
        counts = Counter(
            (name.split(" ", 1)[0], state) for name, state in client.breaker_states().items()
        )
        for api in (*Source, *Service):
            for family, state in product(breakers_of(api), _STATES):
                breakers.labels(family, state).set(counts[family, state])
        limiters = list(client.limiters())
        strangers = client.strangers
        running.set(strangers.running + sum(each.running for each in limiters))
        waiting.set(strangers.waiting + sum(each.waiting for each in limiters))
        slots.set(sum(int(each.limit) for each in limiters))

    metrics.before_each_reading(refresh)
