"""What lives as long as the process, and the making of what lives as long as a request."""

import time
from typing import Any, Self
from weakref import WeakValueDictionary

from gateway import execution, explain, planner, telemetry
from gateway.auth import authenticator
from gateway.cache import ResponseCache
from gateway.context import RequestContext
from gateway.draining import Draining
from gateway.errors import TooManyCalls
from gateway.execution import Request
from gateway.explain import Plan
from gateway.idempotency import Keys
from gateway.journal import journal_for
from gateway.mutations import Mutations, Writing
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
        self.documents = Documents(self.schema, max_tokens=settings.token_limit)
        self.authenticator = authenticator(settings)
        self.store = make_store(settings)
        self.observation = Observation(settings)
        self.client = UpstreamClient(settings, self.observation.telemetry)
        self._cache = ResponseCache(self.store, settings)
        self._flights = Flights()
        self._access = CatalogAccess(settings.family_memory)
        self._sizes = planner.Sizes()
        self._journal = journal_for(self.store, settings.data_dir)
        self.draining = Draining(settings.drain_limit)
        self._writing = Writing(
            Keys(self._journal, settings.idempotency_memory), self.draining, WeakValueDictionary()
        )

    def context(self, credential: Credential, *, detailed: bool = False) -> RequestContext:
        """Return a new request's port; `detailed` makes its trace remember each call."""
        deadline = time.monotonic() + self.settings.request_deadline
        trace = Trace(detailed=detailed)
        exchange = telemetry.current()
        if exchange is not None:
            exchange.principal, exchange.reads = credential.username, trace
        reader = Reader(self.client, self._flights, self._cache, credential, deadline, trace)
        numbers = OwnedNumbers(reader, self._access, self._sizes)
        mutations = Mutations(reader, numbers, self._writing)
        return RequestContext(reader, numbers, mutations, self.settings)

    async def execute(
        self, request: Request, credential: Credential, request_id: str, *, wish: str = ""
    ) -> dict[str, Any] | bytes:
        """Run an operation, or explain it.

        Args:
            request: what to run.
            credential: as whom.
            request_id: for the log.
            wish: `plan` to be told the upstream calls without making them, `trace` to be told
                them with the answer; as the client asked for it by header or extension.

        Raises:
            TooManyCalls: it would cost more calls than the operator allows; none was made.
        """
        settings = self.settings
        allowed = not settings.production if settings.explain is None else settings.explain
        mode = (wish or request.extensions.get("explain")) if allowed else ""
        if mode == "plan" or settings.most_calls is not None:
            plan = self._plan(request, credential)
            if mode == "plan" and not request.document.errors:
                return {"data": None, "extensions": {"plan": plan.report()}}
        context = self.context(credential, detailed=mode == "trace")
        try:
            response = await execution.run(self.schema, request, context, request_id)
        finally:
            context.reader.cancel()
        telemetry.note(request.document, request.operation_name, response)
        if mode == "trace" and isinstance(response, dict):
            response["extensions"] = {"upstream": context.reader.trace.report()}
        return response

    def _plan(self, request: Request, credential: Credential) -> Plan:
        plan = explain.plan(
            self.schema,
            request.document,
            request.operation_name,
            request.variables,
            credential.account,
            self._sizes,
        )
        most = self.settings.most_calls
        if most is not None and plan.most > most:
            raise TooManyCalls(
                f"This operation may cost {plan.most} upstream calls; {most} are allowed."
                " Ask for fewer numbers, or for less about each.",
                calls={"min": plan.least, "max": plan.most},
                allowed=most,
            )
        return plan

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.draining.aclose()
        await self.client.aclose()
        await self._journal.aclose()
        await self.store.aclose()
        await self.observation.aclose()
