"""The sandbox as an application: routes and what stands before them."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from gateway.sandbox.api.catalog import Catalog
from gateway.sandbox.api.core_account import CoreAccounts
from gateway.sandbox.api.core_owned import TYPE_OF_SEGMENT, CoreOwned
from gateway.sandbox.api.core_search import CoreSearch
from gateway.sandbox.api.pricing import Pricing
from gateway.sandbox.api.regulations import Regulations
from gateway.sandbox.control.endpoints import Control
from gateway.sandbox.http import credentials
from gateway.sandbox.http.faults import Faults
from gateway.sandbox.http.formats import error_response, json_response
from gateway.sandbox.http.refusals import ApiError, not_found
from gateway.sandbox.http.request_log import Journal
from gateway.sandbox.http.traffic import Traffic
from gateway.sandbox.options import SandboxSettings
from gateway.sandbox.world.number_store import Store
from gateway.sandbox.world.population import Population, populate
from gateway.sandbox.world.world import World

_Handler = Callable[..., Response]
_CONTROL = "/_sandbox"
_METHOD_NOT_ALLOWED = 405


class Sandbox(Starlette):
    """The number API. Its own outermost layer, so that a fault can reach the connection."""

    def __init__(self, world: World, journal: Journal, faults: Faults) -> None:
        self._world = world
        self._traffic = Traffic(world, journal, faults, Counter())
        super().__init__(
            routes=[
                Mount(_CONTROL, routes=Control(world, journal, faults).routes()),
                *_catalog_routes(Catalog(world)),
                *_core_routes(CoreAccounts(world), CoreSearch(world), CoreOwned(world)),
                *_country_routes(Pricing(world), Regulations(world)),
            ],
            lifespan=self._lifespan,
            exception_handlers={ApiError: self._refuse, HTTPException: self._unrouted},
        )
        self.router.redirect_slashes = False

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        self._world.store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves an ASGI connection."""
        if scope["type"] != "http" or scope["path"].startswith(f"{_CONTROL}/"):
            await super().__call__(scope, receive, send)
        else:
            await self._traffic.handle(super().__call__, scope, receive, send)

    async def _refuse(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, ApiError):
            raise error
        return error_response(error, self._world.switches, xml=request.scope["call"].xml)

    async def _unrouted(self, request: Request, error: Exception) -> Response:
        """404 and 405 in the words of the number API; credentials are looked at first there."""
        if not isinstance(error, HTTPException):
            raise error
        if "call" not in request.scope:
            return json_response({"error": error.detail}, error.status_code)
        call = request.scope["call"]
        refusal = not_found(call.path)
        headers: dict[str, str] = {}
        if error.status_code == _METHOD_NOT_ALLOWED:
            refusal = ApiError(20004, status=self._world.switches.unsupported_method_status)
            headers = dict(error.headers or {})
        try:
            credentials.caller(call.credentials, self._world.switches)
        except ApiError as denied:
            refusal, headers = denied, {}
        return error_response(refusal, self._world.switches, xml=call.xml, headers=headers)


def create_sandbox(settings: SandboxSettings) -> Starlette:
    """Makes a sandbox, generating its numbers unless its data file has them. Takes about a second.

    Raises:
        SandboxError: The data file cannot be used.
    """
    store = Store(settings.data, lambda empty: populate(empty, settings))
    world = World(settings, store, Population(store, settings.seed), settings.switches)
    return Sandbox(world, Journal(settings.journal_size), Faults())


def _resource(path: str, **handlers: _Handler) -> Route:
    """One path whose methods have a handler each; others are answered 405."""

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return handlers[method](request.scope["call"], **request.path_params)

    return Route(path, endpoint, methods=list(handlers))


def _catalog_routes(catalog: Catalog) -> list[Route]:
    return [
        # The documentation shows the search under both paths.
        _resource("/AvailableNumbers", GET=catalog.search),
        _resource("/Numbers/AvailableNumbers", GET=catalog.search),
        _resource("/Numbers/AvailableNumbers/{country}", GET=catalog.search),
        _resource("/Numbers/ActiveNumbers", GET=catalog.list_numbers, POST=catalog.buy),
        _resource(
            "/Numbers/ActiveNumbers/{sid}",
            GET=catalog.fetch,
            POST=catalog.change,
            DELETE=catalog.release,
        ),
    ]


def _core_routes(accounts: CoreAccounts, search: CoreSearch, owned: CoreOwned) -> list[Route]:
    account = "/2010-04-01/Accounts/{account}"
    available = f"{account}/AvailablePhoneNumbers"
    incoming = f"{account}/IncomingPhoneNumbers"
    return [
        _resource("/2010-04-01/Accounts", GET=accounts.list),
        _resource(account, GET=accounts.fetch),
        _resource(f"{account}/Keys", GET=accounts.keys),
        _resource(available, GET=search.countries),
        _resource(f"{available}/{{country}}", GET=search.country),
        _resource(f"{available}/{{country}}/{{segment}}", GET=search.search),
        _resource(incoming, GET=owned.list_numbers, POST=owned.buy),
        *(
            _resource(
                f"{incoming}/{segment}",
                GET=_of_type(owned.list_numbers, segment),
                POST=_of_type(owned.buy, segment),
            )
            for segment in TYPE_OF_SEGMENT
        ),
        _resource(f"{incoming}/{{sid}}", GET=owned.fetch, POST=owned.change, DELETE=owned.release),
    ]


def _country_routes(pricing: Pricing, regulations: Regulations) -> list[Route]:
    prices = "/v1/PhoneNumbers/Countries"
    rules = "/v2/RegulatoryCompliance/Regulations"
    return [
        _resource(prices, GET=pricing.list),
        _resource(f"{prices}/{{country}}", GET=pricing.fetch),
        _resource(rules, GET=regulations.list),
        _resource(f"{rules}/{{sid}}", GET=regulations.fetch),
    ]


def _of_type(handler: _Handler, segment: str) -> _Handler:
    return lambda call, account: handler(call, account, segment)
