"""The whole gateway as one list: what is served where."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gateway.endpoint import Endpoint
from gateway.explorer import explorer_routes
from gateway.health import Health
from gateway.service import Service
from gateway.settings import Settings
from gateway.telemetry import Observed, Telemetry


def create_app(
    settings: Settings, *, sandbox_accounts: Sequence[Mapping[str, Any]] | None = None
) -> Starlette:
    """Return the ASGI application for `settings`.

    Args:
        settings: everything an operator can set.
        sandbox_accounts: the accounts that the explorer offers, when the upstream is a sandbox.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service, service.observation.running():
            yield

    app = Starlette(
        routes=[
            Route("/graphql", _observed(Endpoint(service), service.observation.telemetry)),
            *Health(
                settings, service.store, service.client, lambda: bool(service.draining)
            ).routes(),
            *service.observation.routes(service.client),
            *_explorer(settings, sandbox_accounts),
        ],
        lifespan=lifespan,
    )
    app.state.draining = service.draining
    return app


def _observed(app: ASGIApp, telemetry: Telemetry) -> ASGIApp:
    return Observed(app, telemetry) if telemetry.is_on else app


def _explorer(settings: Settings, accounts: Sequence[Mapping[str, Any]] | None) -> list[BaseRoute]:
    if settings.production:
        return []
    sandbox = accounts and {
        "accounts": [
            {"sid": each["sid"], "authToken": each["auth_token"], "role": each["role"]}
            for each in accounts
        ]
    }
    return explorer_routes(prefill=lambda: {"sandbox": sandbox, "explain": True})
