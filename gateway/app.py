"""The composition root: from the settings to wired parts, and from these to the ASGI application.

Nothing below is handed the settings themselves: each part picks what it takes of them.
"""

import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from starlette.types import ASGIApp

from gateway.auth.authentication import OwnAccount, authenticator
from gateway.auth.connection_shares import ConnectionLimits, Shares
from gateway.auth.rate_limits import RateLimits, Spending
from gateway.auth.token_rules import TokenRules
from gateway.documents.documents import Documents
from gateway.documents.limits import LimitOptions, Limits, Meter
from gateway.documents.persisted import Persisted, PersistedOptions
from gateway.draining import Draining
from gateway.errors import CommandError
from gateway.events.feed import EventLimits, Events
from gateway.events.poller import Poller
from gateway.execution.execute import Executing
from gateway.execution.projection import Projector
from gateway.mapping.records import View
from gateway.numbers.accounts import AccountCounts
from gateway.numbers.last_seen import LastSeen
from gateway.numbers.lookup_strategy import Sizes
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.similar_searches import SimilarSearches
from gateway.numbers.whole_list import read_whole_list
from gateway.observability import activity
from gateway.observability.health import Health
from gateway.observability.watchers import Observation, WatchOptions
from gateway.pipeline.pipeline import OperationOptions, Pipeline
from gateway.pipeline.turns import Turns
from gateway.resolvers.request_context import SharedParts
from gateway.settings.model import Settings
from gateway.storage.chosen_store import StoreOptions, make_store
from gateway.storage.outages import Outages
from gateway.storage.store import Store
from gateway.transport.asgi import GraphQLOverAsgi
from gateway.transport.asgi_application import Application
from gateway.transport.browser_security import BrowserOptions, Browsers
from gateway.transport.client_addresses import Addresses, current_share
from gateway.transport.graphql_endpoint import Endpoint, EndpointOptions
from gateway.transport.unsent import Unsent, UnsentLimits
from gateway.transport.websocket import SocketOptions, WebSockets
from gateway.upstream.call import Api, Credential, Service
from gateway.upstream.catalog_access import CatalogAccess
from gateway.upstream.client import (
    Breaking,
    CallLimits,
    ClientOptions,
    Concurrency,
    Retry,
    UpstreamClient,
)
from gateway.upstream.dialling import Dialler
from gateway.upstream.flights import Flights
from gateway.upstream.hedging import Hedging
from gateway.upstream.proxies import RouteOptions, Routes
from gateway.upstream.public_facts import PublicFacts
from gateway.upstream.readers import Readers
from gateway.upstream.response_cache import CacheTimes, ResponseCache
from gateway.upstream.trust import Trust, TrustOptions
from gateway.writes.file_journal import FileJournal
from gateway.writes.idempotency import IdempotencyKeys
from gateway.writes.idempotency_entries import Journal, StoreJournal
from gateway.writes.locks import Locks
from gateway.writes.mutations import Writing
from gateway.writes.webhook_hosts import Webhooks
from schema import build_core_schema
from schema.enums import Source
from schema.info import FieldPath

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

# Of the time until the exit, what is kept back for what comes after the last traces.
_LAST_STEPS: Final = 0.5
# What a poll asks for, as a field.
_POLLED: Final = FieldPath("phoneNumberChanged")


class Parts(Struct, frozen=True, kw_only=True):
    """What lives as long as the process.

    Attributes:
        settings: what it was made from.
        observation: who watches.
        outages: what is known to be amiss with the storage.
        store: what several processes share.
        journal: the records of idempotency keys.
        client: calls the upstream.
        cache: the answers of the upstream that are kept.
        documents: those that are in memory.
        events: what is told to subscribers.
        shares: how many connections strangers and callers may have.
        pipeline: what is done with an operation.
    """

    settings: Settings
    observation: Observation
    outages: Outages
    store: Store
    journal: Journal
    client: UpstreamClient
    cache: ResponseCache
    documents: Documents
    events: Events
    shares: Shares
    pipeline: Pipeline

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep them at work, and end them in order."""
        if self.settings.store_url is not None:
            self.outages.begin()
        self.client.keep_ready(self.settings.upstream_ready)
        self.journal.open_ahead()
        try:
            yield
        finally:
            draining = self.pipeline.draining
            await draining.aclose()
            await self.events.aclose()
            await self.client.aclose()
            await self.cache.aclose()
            await self.outages.aclose()
            await self.journal.aclose()
            await self.store.aclose()
            await self.observation.aclose(draining.left - _LAST_STEPS)


def compose(settings: Settings, share: Callable[[], str] = str) -> Parts:
    """Return the parts of a process that does as `settings` say; none of them has begun anything.

    Args:
        settings: everything an operator can set.
        share: names whose share of what strangers may use the running code uses.

    Raises:
        ValueError: the settings do not go together; the message says which.
        CommandError: something is asked for that is not installed, or cannot be read.
    """
    # Who watches, and what is done when something cannot be remembered.
    observation = Observation(settings.pick(WatchOptions))
    outages = Outages(
        observation.counter(
            "gateway_storage_failures",
            "Times that the shared store, or the records in `data_dir`, could not be used.",
            "cause",
        )
    )
    count_refusal = observation.counter(
        "gateway_storage_refusals",
        "Mutations refused because the storage could not be used; nothing was sent for them.",
        "cause",
    )

    def refused(cause: str) -> None:
        count_refusal(cause)
        activity.blame(f"storage {cause}")

    store = make_store(settings.pick(StoreOptions), outages.note)
    journal: Journal = StoreJournal(store)  # Of its own failures a store tells itself.
    if settings.store_url is None:
        journal = FileJournal(settings.data_dir, outages.note)
    outages.watch(journal)

    # What clients send.
    turns = Turns()
    schema = build_core_schema()
    meter = Meter(schema, Limits.of(settings.pick(LimitOptions)))
    documents = Documents(schema, meter, discreet=settings.production)

    # What is asked of the upstream.
    client = UpstreamClient(
        _client_options(settings),
        observation.telemetry,
        share,
        observation.counter(
            "gateway_upstream_hedges",
            "Reads that took longer than hedge_after, by what came of sending them once more.",
            "outcome",
        ),
    )
    cache = ResponseCache(store, settings.pick(CacheTimes))
    readers = Readers(client, Flights(), cache, settings.request_deadline)

    # What is changed there, by the gateway and elsewhere.
    draining = Draining(settings.drain_limit, settings.drain_delay)
    keys = IdempotencyKeys(journal, settings.idempotency_memory, refused)
    webhooks = Webhooks.of(
        settings.webhook_hosts, private=settings.webhook_private, production=settings.production
    )
    events = Events(settings.pick(EventLimits), store)

    # What is done with an operation.
    shared = SharedParts(
        access=CatalogAccess(settings.family_memory),
        sizes=Sizes(),
        counts=AccountCounts(),
        seen=LastSeen(),
        facts=PublicFacts(store, settings.exchange_memory),
        similar=SimilarSearches(),
        writing=Writing(keys, draining, Locks()),
        webhooks=webhooks,
        spending=Spending(settings.pick(RateLimits), store, refused),
        events=events,
    )
    if settings.poll_interval:
        events.poll_with(_poller(settings, store, readers, shared))
    pipeline = Pipeline(
        schema=schema,
        authenticator=authenticator(
            settings.auth, settings.pick(OwnAccount), settings.pick(TokenRules)
        ),
        draining=draining,
        persisted=Persisted(settings.pick(PersistedOptions), store, documents, turns.turn),
        meter=meter,
        turns=turns,
        readers=readers,
        shared=shared,
        options=settings.pick(OperationOptions),
        executing=Executing(
            schema,
            Projector(),
            activity.note,
            observation.counter(
                "gateway_execution_fallbacks",
                "Queries executed a second time because of an error of the gateway's own, by kind.",
                "kind",
            ),
        ),
    )
    return Parts(
        settings=settings,
        observation=observation,
        outages=outages,
        store=store,
        journal=journal,
        client=client,
        cache=cache,
        documents=documents,
        events=events,
        shares=Shares(settings.pick(ConnectionLimits)),
        pipeline=pipeline,
    )


def _poller(settings: Settings, store: Store, readers: Readers, shared: SharedParts) -> Poller:
    """Return what looks for changes at the upstream itself, whatever is kept of its answers."""
    times = settings.pick(CacheTimes)
    unkept = replace(times, cache_owned=0.0, cache_search=0.0, cache_countries=0.0)
    polling = replace(readers, cache=ResponseCache(store, unkept))

    async def listed(credential: Credential, account: str) -> list[View]:
        def begin() -> OwnedNumbers:
            return shared.owned_numbers(polling.make(credential))

        return await read_whole_list(begin, account, _POLLED)

    return Poller(store, shared.events, readers.cache, listed, settings.poll_interval)


APIS: Final[Mapping[str, Api]] = {
    "catalog_url": Source.CATALOG,
    "core_url": Source.CORE,
    "pricing_url": Service.PRICING,
    "regulations_url": Service.REGULATIONS,
}


def dialler_for(settings: Settings) -> Dialler:
    """Return what makes connections to the upstream as the settings say.

    Raises:
        CommandError: a file that they name for that cannot be used.
    """
    trust = Trust(settings.pick(TrustOptions))
    try:
        trust.require_usable()
    except ValueError as error:
        raise CommandError(str(error)) from None
    return Dialler(settings.connect_timeout, Routes(settings.pick(RouteOptions)), trust)


def _client_options(settings: Settings) -> ClientOptions:
    return ClientOptions(
        urls={APIS[name]: url for name, url in settings.urls.items()},
        dialler=dialler_for(settings),
        retry=settings.pick(Retry),
        breaking=settings.pick(Breaking),
        concurrency=settings.pick(Concurrency),
        hedging=settings.pick(Hedging),
        limits=settings.pick(CallLimits),
        discreet=settings.production,
    )


def create_app(
    settings: Settings, *, sandbox_accounts: Sequence[Mapping[str, Any]] | None = None
) -> Application:
    """Return the ASGI application for `settings`.

    Args:
        settings: everything an operator can set.
        sandbox_accounts: the accounts that the explorer offers, when the upstream is a sandbox;
            then pages that this machine serves may use the gateway.
    """
    parts = compose(settings, current_share)
    pipeline, observation, shares = parts.pipeline, parts.observation, parts.shares
    unsent = Unsent(settings.pick(UnsentLimits), pipeline.turns)
    sockets = WebSockets(pipeline, unsent, shares, observation, settings.pick(SocketOptions))
    addresses = Addresses(settings.trusted_proxies, settings.forwarded_header)
    browsers = Browsers(
        settings.pick(BrowserOptions),
        # So that the app somebody begins to write can try it; what it reaches is made up.
        loopback_pages=sandbox_accounts is not None,
    )
    endpoint = Endpoint(
        pipeline,
        browsers=browsers,
        addresses=addresses,
        telemetry=observation.telemetry,
        unsent=unsent,
        shares=shares,
        options=settings.pick(EndpointOptions),
    )
    not_ready = observation.counter(
        "gateway_not_ready", "Answers of /readyz that were no, by what was amiss.", "check"
    )
    health = Health(
        parts.outages,
        parts.client,
        lambda: pipeline.draining.announced,
        not_ready,
        degraded_is_ready=settings.ready_when_degraded,
        has_shared_store=settings.store_url is not None,
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with parts.running(), observation.running():
            _spare_the_collector()
            yield

    # Now, as another worker may be the one that is asked what this one is like.
    watched = observation.routes(parts.client, parts.events)

    def others() -> ASGIApp:
        from gateway.transport.other_paths import other_paths, socket_route  # noqa: PLC0415

        return other_paths(
            [
                socket_route(sockets, browsers, addresses),
                *health.routes(),
                *watched,
                *_explorer(settings, sandbox_accounts, browsers),
            ]
        )

    return Application(
        GraphQLOverAsgi(endpoint), others, lifespan, parts=parts, unsent=unsent, endpoint=endpoint
    )


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking what lives as long as the process.

    With Python's own thresholds it would walk the schema and all kept documents again and again.
    What requests make is freed without it, but for a few cycles, so it may come more rarely; with
    higher thresholds than these a load is no faster and takes more memory. Of what the start itself
    has left behind, little is garbage: to look for it would take longer than to keep it.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def _explorer(
    settings: Settings, accounts: Sequence[Mapping[str, Any]] | None, browsers: Browsers
) -> "list[BaseRoute]":
    if settings.production:
        return []
    from gateway.explorer import explorer_routes, sandbox_routes  # noqa: PLC0415 - see `Application`
    from gateway.transport import compression  # noqa: PLC0415

    sandbox = accounts and {
        "accounts": [
            {
                "sid": each["sid"],
                "authToken": each["auth_token"],
                "role": each["role"],
                "ownerSid": each["owner_account_sid"],
            }
            for each in accounts
        ],
        "url": settings.core_url,
    }
    has_menu = accounts is not None and settings.sandbox_url is not None
    menu = sandbox_routes(str(settings.sandbox_url), browsers.check_origin) if has_menu else []
    return menu + explorer_routes(
        prefill=lambda: {
            "sandbox": sandbox,
            "explain": True,
            "auth": settings.auth or "pass-through",
        },
        choose=compression.coding,
    )
