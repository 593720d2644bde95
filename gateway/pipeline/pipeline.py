"""What lives as long as the process, and the making of what lives as long as a request."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self
from weakref import WeakValueDictionary

from gateway.auth.authentication import authenticator
from gateway.auth.caller import Caller
from gateway.auth.connection_shares import Shares
from gateway.auth.rate_limits import Spending
from gateway.documents.documents import Documents
from gateway.documents.limits import Limits, Meter
from gateway.documents.parameters import Params
from gateway.documents.persisted import Persisted
from gateway.draining import Draining
from gateway.errors import Forbidden, ShuttingDown, TooManyCalls
from gateway.events.feed import Events
from gateway.events.poller import Poller
from gateway.execution import execute
from gateway.execution.request import Request, explanation_of
from gateway.mapping.records import View
from gateway.numbers.lookup_strategy import Sizes
from gateway.numbers.lookups import OwnedList
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.search import Search
from gateway.observability import activity
from gateway.observability.watchers import Observation
from gateway.pipeline.admission import admit
from gateway.pipeline.turns import Turns
from gateway.planning.estimate import estimate
from gateway.planning.plan import Plan, PlanningFacts
from gateway.resolvers.request_context import RequestContext
from gateway.settings.model import Settings
from gateway.storage.outages import Outages
from gateway.storage.redis import make_store
from gateway.upstream.call import Credential
from gateway.upstream.call_trace import Trace
from gateway.upstream.catalog_access import CatalogAccess
from gateway.upstream.client import UpstreamClient
from gateway.upstream.flights import CallBudget, Flights, Reader
from gateway.upstream.response_cache import ResponseCache
from gateway.writes.idempotency import IdempotencyKeys
from gateway.writes.idempotency_entries import journal_for
from gateway.writes.mutations import Mutations, Writing
from gateway.writes.webhook_hosts import Webhooks
from schema import build_core_schema
from schema.info import FieldPath

# Of a list that is read whole: 64,000 numbers.
_MOST_PAGES = 64
# What asks for a proof when a connection begins.
_INTRODUCTION = FieldPath("connection_init")
# Of the time until the exit, what is kept back for what comes after the last traces.
_LAST_STEPS = 0.5


class Service:
    """The process-wide parts, each made from the settings."""

    def __init__(self, settings: Settings, share: Callable[[], str] = str) -> None:
        """Make them; `share` names whose share of what strangers may use the running code uses."""
        self.settings = settings
        self.schema = build_core_schema()
        self.meter = Meter(self.schema, Limits.of(settings))
        self.documents = Documents(self.schema, self.meter, discreet=settings.production)
        self.authenticator = authenticator(settings)
        self.observation = Observation(settings)
        self.outages = Outages(
            self.observation.counter(
                "gateway_storage_failures",
                "Times that the shared store, or the records in `data_dir`, could not be used.",
                "cause",
            )
        )
        count_refusal = self.observation.counter(
            "gateway_storage_refusals",
            "Mutations refused because the storage could not be used; nothing was sent for them.",
            "cause",
        )
        self.store = make_store(settings, self.outages.note)

        def refused(cause: str) -> None:
            count_refusal(cause)
            activity.blame(f"storage {cause}")

        self.spending = Spending(settings, self.store, refused)
        self.turns = Turns()
        self.client = UpstreamClient(settings, self.observation.telemetry, share)
        self._cache = ResponseCache(self.store, settings)
        self._flights = Flights()
        self._access = CatalogAccess(settings.family_memory)
        self._sizes = Sizes()
        self.journal = journal_for(self.store, settings.data_dir, self.outages.note)
        self.outages.watch(self.journal)
        self.draining = Draining(settings.drain_limit, settings.drain_delay)
        self.shares = Shares(settings)
        self._writing = Writing(
            IdempotencyKeys(self.journal, settings.idempotency_memory, refused),
            self.draining,
            WeakValueDictionary(),
        )
        self._explains = not settings.production if settings.explain is None else settings.explain
        self.persisted = Persisted(settings, self.store, self.documents)
        self.events = Events(settings, self.store)
        if settings.poll_interval:
            poller = Poller(
                self.store, self.events, self._cache, self._listed, settings.poll_interval
            )
            self.events.poll_with(poller)
        # Polls look at the upstream itself.
        unkept = {"cache_owned": 0.0, "cache_search": 0.0, "cache_countries": 0.0}
        self._uncached = ResponseCache(self.store, settings.model_copy(update=unkept))

    async def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Return who asks, from a request's headers by lower-case name.

        Raises:
            Unauthenticated: the caller did not say who it is, or not credibly.
        """
        return await self.authenticator.caller(
            headers.get("authorization", ""), headers.get("x-account-sid", "")
        )

    async def verify(self, caller: Caller) -> None:
        """See that the upstream accepts whom a caller is asked for as; it is asked if need be.

        All who want to know the same at once are told by one call, and whoever comes later is as
        long as that holds.

        Raises:
            UpstreamError: it does not, or cannot be asked.
            DeadlineExceeded: it did not answer in time.
        """
        reader = self._reader(caller.credential)
        try:
            await reader.verify((_INTRODUCTION,))
        finally:
            reader.cancel()

    async def request(self, params: Params, caller: Caller, wishes: Iterable[str] = ()) -> Request:
        """Return what a client wants to run, and may run, whatever way it came.

        Args:
            params: what it sent.
            caller: who it is.
            wishes: what it wants explained, as its headers say; its extensions may say so, too.

        Raises:
            RateLimited: the caller asks too often.
            Unauthenticated: its token has expired since it was let in.
            LimitExceeded: it would yield more objects than the operator allows.
            Forbidden: the caller lacks a scope that it needs, or wants a plan where none are made.
            ShuttingDown: no new work is taken.
            GatewayError: its document is not known here, or not allowed.
            BadRequest: it contradicts itself, or wants something unknown explained.
        """
        if self.draining.refuses:
            raise ShuttingDown
        caller.check_time()
        explanation = explanation_of((*wishes, params.extensions.get("explain")))
        if not self._explains:
            if explanation == "plan":
                raise Forbidden("Plans are switched off here (setting `explain`); nothing was run.")
            explanation = ""
        await self.spending.request(caller)
        if params.query and params.query not in self.documents:
            await self.turns.turn(caller.principal)  # It is to be parsed and validated.
        document = await self.persisted.document(params)
        cost = admit(self.meter, caller, document, params.operation_name, params.variables)
        variables = document.mark_items(params.operation_name, params.variables)
        name, extensions = params.operation_name, params.extensions
        return Request(document, name, variables, extensions, explanation, cost)

    def context(
        self, caller: Caller, *, detailed: bool = False, spare: int | None = None
    ) -> RequestContext:
        """Return a new request's port.

        Args:
            caller: who asks.
            detailed: whether its trace remembers each call.
            spare: calls that are left for what only makes an answer better; None for any number.
        """
        calls = CallBudget(self.settings.most_calls)
        reader = self._reader(caller.credential, detailed=detailed, calls=calls)
        watched = activity.current()
        if watched is not None:
            watched.principal, watched.reads = caller.name, reader.trace
        numbers = self._numbers(reader)
        mutations = Mutations(reader, numbers, self._writing, caller)
        partition = self.settings.partition_calls
        if spare is not None:
            partition = min(partition, spare)
        return RequestContext(
            reader,
            numbers,
            Search(reader, numbers, partition),
            mutations,
            self.settings,
            self.events,
            caller,
            self.spending,
        )

    def _reader(
        self,
        credential: Credential,
        *,
        detailed: bool = False,
        cache: ResponseCache | None = None,
        calls: CallBudget | None = None,
    ) -> Reader:
        deadline = time.monotonic() + self.settings.request_deadline
        trace = Trace(detailed=detailed)
        return Reader(
            self.client, self._flights, cache or self._cache, credential, deadline, trace, calls
        )

    def _numbers(self, reader: Reader) -> OwnedNumbers:
        return OwnedNumbers(reader, self._access, self._sizes)

    async def execute(
        self, request: Request, caller: Caller, request_id: str
    ) -> dict[str, Any] | bytes:
        """Run an operation, or explain it.

        Raises:
            TooManyCalls: it would cost more calls than the operator allows; none was made.
        """
        if request.explanation == "plan":
            plan = self._explained(request, caller)
            activity.note(request.described, plan)
            return plan
        context = self.admitted(request, caller)
        try:
            response = await execute.run(self.schema, request, context, request_id)
        finally:
            context.cancel()
        activity.note(request.described, response)
        if request.explanation == "trace" and isinstance(response, dict):
            response["extensions"] = {"upstream": context.report()}
        return response

    def admitted(self, request: Request, caller: Caller) -> RequestContext:
        """Return the port for an operation.

        Raises:
            TooManyCalls: it would cost more calls than the operator allows; none was made.
        """
        spare = None
        if self.settings.most_calls is not None:
            spare = self.settings.most_calls - self._plan(request, caller).needed
        return self.context(caller, detailed=request.explanation == "trace", spare=spare)

    def _explained(self, request: Request, caller: Caller) -> dict[str, Any]:
        """Return the plan of an operation; or the errors that a run would yield without a call.

        Both, where something is written before or beside what is refused: no error hides that.
        """
        plan = self._plan(request, caller)
        explained: dict[str, Any] = {}
        if plan.errors:
            explained["errors"] = [error.formatted for error in plan.errors]
        if not plan.errors or any(error.path is not None for error in plan.errors):
            explained["data"] = None
        if not plan.errors or plan.writes:
            operation = request.document.measure(request.operation_name)
            cost = operation.price(request.variables) if operation else 0
            explained["extensions"] = {"plan": {"cost": cost, **plan.report()}}
        return explained

    def _plan(self, request: Request, caller: Caller) -> Plan:
        most, partition = self.settings.most_calls, self.settings.partition_calls
        known = PlanningFacts(
            caller,
            self._numbers(self._reader(caller.credential)),
            self._sizes,
            self._cache.keeps_kind,
            partition,
            Webhooks.of(self.settings),
        )
        plan = estimate(
            self.schema, request.document, request.operation_name, request.variables, known
        )
        if most is not None and plan.needed > most:
            raise TooManyCalls(
                f"This operation may cost {plan.needed} upstream calls; {most} are allowed."
                " Ask for fewer numbers, or for less about each.",
                calls={"min": plan.least, "max": plan.needed},
                allowed=most,
            )
        if most is not None:
            plan.limit_spare(most - plan.needed)
        return plan

    async def _listed(self, credential: Credential, account: str) -> list[View]:
        """Return all numbers of an account."""
        at = FieldPath("phoneNumberChanged")
        found: list[View] = []
        asked = OwnedList(account, {}, 1000)
        for _ in range(_MOST_PAGES):
            # Each page in a request of its own, with a deadline of its own.
            numbers = self._numbers(self._reader(credential, cache=self._uncached))
            page = await numbers.page(asked, at)
            found += page.numbers
            if not page.more:
                break
            asked = asked._replace(start=page.places[-1])
        return found

    async def __aenter__(self) -> Self:
        if self.settings.store_url is not None:
            self.outages.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.draining.aclose()
        await self.events.aclose()
        await self.client.aclose()
        await self._cache.aclose()
        await self.outages.aclose()
        await self.journal.aclose()
        await self.store.aclose()
        await self.observation.aclose(self.draining.left - _LAST_STEPS)
