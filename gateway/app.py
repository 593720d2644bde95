"""The whole gateway as one list: what is served where."""

import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.explorer import explorer_routes
from gateway.observability.activity import Observed, Telemetry
from gateway.observability.health import Health
from gateway.pipeline.pipeline import Service
from gateway.settings.model import Settings
from gateway.transport.browser_security import Browsers
from gateway.transport.client_addresses import Addresses, current, current_share
from gateway.transport.graphql_endpoint import Endpoint
from gateway.transport.not_served import HANDLERS
from gateway.transport.unsent import Unsent

_GRAPHQL: Final = "/graphql"


def create_app(
    settings: Settings, *, sandbox_accounts: Sequence[Mapping[str, Any]] | None = None
) -> Starlette:
    """Return the ASGI application for `settings`.

    Args:
        settings: everything an operator can set.
        sandbox_accounts: the accounts that the explorer offers, when the upstream is a sandbox;
            then pages that this machine serves may use the gateway.
    """
    service = Service(settings, current_share)
    unsent = Unsent(settings, service.turns)
    # So that the app somebody begins to write can try it; what it reaches is made up.
    endpoint = Browsers(
        Endpoint(service, unsent), settings, loopback_pages=sandbox_accounts is not None
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service, service.observation.running():
            _spare_the_collector()
            yield

    app = _Application(
        addresses=Addresses(settings.trusted_proxies, settings.forwarded_header),
        graphql=_observed(endpoint, service.observation.telemetry),
        routes=[
            WebSocketRoute(_GRAPHQL, endpoint),
            *Health(
                settings,
                service.outages,
                service.client,
                lambda: service.draining.announced,
                service.observation.counter(
                    "gateway_not_ready",
                    "Answers of /readyz that were no, by what was amiss.",
                    "check",
                ),
            ).routes(),
            *service.observation.routes(service.client, service.events),
            *_explorer(settings, sandbox_accounts),
        ],
        lifespan=lifespan,
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False
    app.state.service, app.state.unsent = service, unsent
    return app


class _Application(Starlette):
    """Passes HTTP requests to `/graphql` straight to the endpoint, which lets no exception out.

    Starlette's middleware and router take as long as reading the upstream's answer. Whatever is
    done there for a client, its refusal too, is done under its address.
    """

    def __init__(
        self,
        *,
        addresses: Addresses,
        graphql: ASGIApp,
        **options: Any,  # noqa: ANN401 - Starlette's
    ) -> None:
        super().__init__(**options)
        self._addresses = addresses
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan" or scope["path"] != _GRAPHQL:
            await super().__call__(scope, receive, send)
            return
        current.set(self._addresses.of(scope))
        if scope["type"] == "http":
            await self._graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _observed(app: ASGIApp, telemetry: Telemetry) -> ASGIApp:
    return Observed(app, telemetry) if telemetry.is_on else app


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking what lives as long as the process.

    With Python's own thresholds it would walk the schema and all kept documents again and again.
    What requests make is freed without it, but for a few cycles, so it may come more rarely; with
    higher thresholds than these a load is no faster and takes more memory.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _explorer(settings: Settings, accounts: Sequence[Mapping[str, Any]] | None) -> list[BaseRoute]:
    if settings.production:
        return []
    sandbox = accounts and {
        "accounts": [
            {"sid": each["sid"], "authToken": each["auth_token"], "role": each["role"]}
            for each in accounts
        ]
    }
    return explorer_routes(
        prefill=lambda: {
            "sandbox": sandbox,
            "explain": True,
            "auth": settings.auth or "pass-through",
        }
    )
