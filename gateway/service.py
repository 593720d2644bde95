"""What lives as long as the process, and the making of what lives as long as a request."""

import time
from typing import Self

from gateway import planner, telemetry
from gateway.auth import authenticator
from gateway.context import RequestContext
from gateway.numbers import OwnedNumbers
from gateway.observation import Observation
from gateway.operations import Documents
from gateway.reader import Flights, Reader
from gateway.redis_store import make_store
from gateway.settings import Settings
from gateway.trace import Trace
from gateway.upstream.access import CatalogAccess
from gateway.upstream.call import Credential
from gateway.upstream.client import UpstreamClient
from schema import build_schema


class Service:
    """The process-wide parts, each made from the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.schema = build_schema()._schema  # noqa: SLF001 - it has no public name
        self.documents = Documents(self.schema)
        self.authenticator = authenticator(settings)
        self.store = make_store(settings)
        self.observation = Observation(settings)
        self.client = UpstreamClient(settings, self.observation.telemetry)
        self._flights = Flights()
        self._access = CatalogAccess(settings.family_memory)
        self._sizes = planner.Sizes()

    def context(self, credential: Credential, *, detailed: bool = False) -> RequestContext:
        """Return a new request's port; `detailed` makes its trace remember each call."""
        deadline = time.monotonic() + self.settings.request_deadline
        trace = Trace(detailed=detailed)
        exchange = telemetry.current()
        if exchange is not None:
            exchange.principal, exchange.reads = credential.username, trace
        reader = Reader(self.client, self._flights, credential, deadline, trace)
        numbers = OwnedNumbers(reader, self._access, self._sizes)
        return RequestContext(reader, numbers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        await self.store.aclose()
        await self.observation.aclose()
