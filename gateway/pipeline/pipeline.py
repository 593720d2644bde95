"""What is done with an operation, whatever transport it came by: admitted, explained or run."""

from collections.abc import Coroutine, Hashable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from graphql import GraphQLSchema, OperationType
from msgspec import Struct, field

from gateway.auth.authentication import Authenticator
from gateway.auth.caller import Caller
from gateway.documents.documents import Document
from gateway.documents.limits import Meter
from gateway.documents.null_variables import needed
from gateway.documents.operation import Operation
from gateway.documents.parameters import Params
from gateway.documents.persisted import Persisted
from gateway.draining import Draining
from gateway.errors import BadUserInput, Forbidden, LimitExceeded, ShuttingDown, TooManyCalls
from gateway.events.feed import Follower
from gateway.execution import execute
from gateway.execution.execute import Executing
from gateway.execution.request import Explanation, Request, explanation_of
from gateway.numbers.accounts import AccountCounts
from gateway.numbers.lookup_strategy import Sizes, ToldSizes
from gateway.observability import activity
from gateway.pipeline.admission import admit, refuse_nothing
from gateway.pipeline.turns import Turns
from gateway.planning.estimate import estimate
from gateway.planning.plan import ELSEWHERE, EXCHANGES, HEDGE, PARTITION, Plan, PlanningFacts
from gateway.resolvers.recounting import Recount
from gateway.resolvers.request_context import RequestContext, SharedParts, Spare
from gateway.upstream.call_budget import CallBudget
from gateway.upstream.readers import Readers
from schema.info import FieldPath

# What is let in only because of what is remembered of its account may make so many times the calls
# that its plan foresees: some are tried again.
_LEEWAY = 2
# What asks for a proof when a connection begins.
_INTRODUCTION = FieldPath("connection_init")


class OperationOptions(Struct, frozen=True, dict=True):  # It keeps a property.
    """How an operation may be run; see the settings of the same names."""

    production: bool
    explain: bool | None
    fast: bool
    most_calls: int | None
    partition_calls: int
    subaccount_calls: int
    exchange_calls: int
    subscriber_queue: int

    @cached_property
    def spare(self) -> Spare:
        """How many calls may be made that only make an answer better."""
        return Spare(self.partition_calls, self.subaccount_calls, self.exchange_calls)

    @property
    def explains(self) -> bool:
        """Whether clients may ask for plans and traces."""
        return not self.production if self.explain is None else self.explain


class Pipeline(Struct, frozen=True, kw_only=True):
    """Does it with the process-wide parts that it is given.

    Attributes:
        schema: what operations are executed against.
        authenticator: knows who asks.
        draining: knows whether new work is taken.
        persisted: finds the document of a request.
        meter: knows the limits of documents.
        turns: lets what is large begin one after another.
        readers: makes what reads of the upstream.
        shared: what the resolvers of all requests share.
        options: how an operation may be run.
        executing: what all executions share.
        groups: subscriptions that are in force, by what is equal for those that are told the same.
    """

    schema: GraphQLSchema
    authenticator: Authenticator
    draining: Draining
    persisted: Persisted
    meter: Meter
    turns: Turns
    readers: Readers
    shared: SharedParts
    options: OperationOptions
    executing: Executing
    groups: dict[Hashable, Follower] = field(default_factory=dict)

    def caller_at_hand(self, headers: Mapping[str, str]) -> Caller | None:
        """Return who asks, if that is known without being found out; see `authenticate`."""
        return self.authenticator.known(
            headers.get("authorization", ""), headers.get("x-account-sid", "")
        )

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
        reader = self.readers.make(caller.credential)
        try:
            await reader.verify((_INTRODUCTION,))
        finally:
            reader.cancel()

    async def request(self, params: Params, caller: Caller, wishes: Sequence[str] = ()) -> Request:
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
        explanation = self._explanation(params, caller, wishes)
        await self.shared.spending.request(caller)
        document = await self.persisted.document(params, caller.principal)
        return self._admitted(params, caller, document, explanation)

    def request_at_hand(
        self, params: Params, caller: Caller, wishes: Sequence[str] = ()
    ) -> Request | None:
        """Return what `request` does if nothing has to be waited for; None when something has."""
        explanation: Explanation = ""
        wants = wishes or "explain" in params.extensions
        if wants or caller.expires is not None or self.draining.refuses:
            explanation = self._explanation(params, caller, wishes)
        document = self.persisted.at_hand(params)
        if document is None or not self.shared.spending.request_at_hand(caller):
            return None
        return self._admitted(params, caller, document, explanation)

    def _explanation(self, params: Params, caller: Caller, wishes: Iterable[str]) -> Explanation:
        """Return what is to be explained to a caller whose requests are taken now."""
        if self.draining.refuses:
            raise ShuttingDown
        if caller.expires is not None:
            caller.check_time()
        if not wishes and "explain" not in params.extensions:
            return ""
        explanation = explanation_of((*wishes, params.extensions.get("explain")))
        if self.options.explains:
            return explanation
        if explanation == "plan":
            raise Forbidden("Plans are switched off here (setting `explain`); nothing was run.")
        return ""

    def _admitted(
        self, params: Params, caller: Caller, document: Document, explanation: Explanation
    ) -> Request:
        name, variables = params.operation_name, params.variables
        operation = document.operations.get(name) or document.choose(name)
        if document.conditions or operation.not_null:
            self._refuse_nulls(document, operation, name, variables)
        try:
            cost, counted = admit(self.meter, caller, operation, variables), False
        except LimitExceeded:
            if operation.kind is not OperationType.QUERY:
                raise  # Events come as long as it lasts, and nobody counts them.
            known = self._count(document, name, variables, caller)
            cost, counted = admit(self.meter, caller, operation, variables, known), True
        if operation.items:
            variables = operation.mark_items(variables)
        if operation.beside:
            refuse_nothing(self.schema, document, operation, variables)
        return Request(
            document, operation, variables, params.extensions, explanation, cost, counted=counted
        )

    def _refuse_nulls(
        self,
        document: Document,
        operation: Operation,
        name: str | None,
        variables: Mapping[str, Any],
    ) -> None:
        """Refuse a null where none can be, unless it is left out with that."""
        names = (*document.conditions, *operation.not_null)
        nulls = [each for each in names if variables.get(each, True) is None]
        if not nulls or document.ast is None or document.errors:
            return
        found = frozenset(needed(self.schema, document.ast, name, variables))
        for each in nulls:
            if each in found and each in document.conditions:
                # A default lets its type be null, but no condition can (GraphQL, 5.8.5).
                raise BadUserInput(f"${each}", "it says what is selected, so it cannot be null.")
            if each in found:
                raise BadUserInput(f"${each}", "it may be left out, but it cannot be null.")

    def too_much_together(
        self, listed: Sequence[object], caller: Caller
    ) -> dict[int, LimitExceeded]:
        """Return why some of a list's operations cannot run, by their places.

        What one operation may yield is what those of a list may yield together: the first ones, as
        far as that reaches. What is only to be planned yields nothing.

        Args:
            listed: requests, and whatever stands for those that were refused.
            caller: who asks.
        """
        requests = {
            place: each
            for place, each in enumerate(listed)
            if isinstance(each, Request) and each.explanation != "plan"
        }
        costs = {place: each.objects for place, each in requests.items()}
        refused: dict[int, LimitExceeded] = {}
        if sum(costs.values()) <= self.meter.limits.cost:
            return refused
        total = 0
        for place, request in requests.items():
            cost = costs[place]
            if request.kind is OperationType.QUERY:
                name, variables = request.operation_name, request.variables
                known = self._count(request.document, name, variables, caller)
                request.counted = request.counted or known < cost
                cost = min(cost, known)
            try:
                self.meter.check_cost(
                    total + cost, "With those before it in the list this operation"
                )
                total += cost
            except LimitExceeded as error:
                refused[place] = error
        return refused

    def context(
        self, caller: Caller, request: Request | None = None, request_id: str = ""
    ) -> RequestContext:
        """Return the port for an operation that runs now; for one event of it without a request.

        `request_id` names the request in logs.

        Raises:
            TooManyCalls: it would cost more calls than the operator allows; none was made.
        """
        most, spare, calls = self.options.most_calls, self.options.spare, None
        recount: Recount | None = None
        if request is not None and request.counted:
            # What is remembered of the account let it pass, and may be out of date.
            recount = partial(self._recount, request, caller)
        if most is not None:
            hedges = 0
            if request is not None:
                plan = self._plan(request, caller)
                hedges = plan.spare(HEDGE)
                spare = Spare(plan.spare(PARTITION), plan.spare(ELSEWHERE), plan.spare(EXCHANGES))
            calls = CallBudget(most, hedges)
        elif request is not None and request.counted:
            plan = self._plan(request, caller)
            calls = CallBudget(_LEEWAY * max(1, plan.most), plan.spare(HEDGE))
        detailed = request is not None and request.explanation == "trace"
        reader = self.readers.make(caller.credential, detailed=detailed, calls=calls)
        watched = activity.current()
        if watched is not None:
            watched.principal = caller.known_as or caller.principal
            watched.reads = reader.trace
        return RequestContext.of(
            reader, caller, self.shared, spare, request_id, fast=self.options.fast, recount=recount
        )

    def execute(
        self, request: Request, caller: Caller, request_id: str
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Return the run of an operation, or its explanation, for the caller to wait for.

        Raises:
            TooManyCalls: it would cost more calls than the operator allows; none was made.
        """
        if request.explanation == "plan":
            return self._explain(request, caller)
        context = self.context(caller, request, request_id)
        return execute.run(self.executing, request, context, request_id)

    async def _explain(self, request: Request, caller: Caller) -> dict[str, Any]:
        plan = self._explained(request, caller)
        activity.note(request.described, plan)
        return plan

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
            cost = request.operation.price(request.variables)
            if cost:
                known = self._count(
                    request.document, request.operation_name, request.variables, caller
                )
                cost = min(cost, known)
            explained["extensions"] = {"plan": {"cost": cost, **plan.report()}}
        return explained

    def _recount(self, request: Request, caller: Caller, field: str, length: int) -> None:
        """See `Recount`."""
        name, variables = request.operation_name, request.variables
        known = self._count(request.document, name, variables, caller, (field, length))
        self.meter.check_cost(min(known, request.operation.price(variables)))

    def _count(
        self,
        document: Document,
        name: str | None,
        variables: Mapping[str, Any],
        caller: Caller,
        listed: tuple[str, int] = ("", 0),
    ) -> int:
        """Return the cost of an operation by what is known of the caller's account.

        `listed` is a field and how long its list was found to be.
        """
        reader, counts = caller.credential.fingerprint, self._counts(caller)
        known = {
            "Query.phoneNumbers": self._sizes(caller).exact(caller.credential.account),
            "Account.subaccounts": counts.subaccounts.exact(reader),
            "Query.countries": counts.countries.exact(reader),
        }
        whole = document.whole
        if whole is None:
            return 0
        least = dict((listed,))
        told = {
            field: max(count, least.get(field, 0))
            for field, count in known.items()
            if count is not None
        }
        return self.meter.count(whole, name, variables, told)

    def _sizes(self, caller: Caller) -> Sizes:
        """Return how many numbers accounts own, as far as the caller may be told.

        That is of accounts alone for which the upstream has lately accepted its credentials: what
        is only planned asks the upstream nothing.
        """
        is_known, credential = self.readers.client.is_known, caller.credential
        return ToldSizes(self.shared.sizes, lambda account: is_known(account, credential))

    def _counts(self, caller: Caller) -> AccountCounts:
        return self.shared.counts.told(all_accounts=caller.accounts is None)

    def _plan(self, request: Request, caller: Caller) -> Plan:
        most = self.options.most_calls
        known = PlanningFacts(
            caller,
            self.shared.owned_numbers(self.readers.make(caller.credential)),
            self._sizes(caller),
            self._counts(caller),
            self.readers.cache.keeps_kind,
            self.options.partition_calls,
            self.options.subaccount_calls,
            self.options.exchange_calls,
            self.shared.webhooks,
            self.readers.client.hedging,
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
