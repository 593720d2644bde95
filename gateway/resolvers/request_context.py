"""The port of the schema, implemented: one object per request, from which resolvers take all."""

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from gateway.auth.caller import Caller
from gateway.auth.rate_limits import Spending
from gateway.events.feed import Events
from gateway.numbers.accounts import AccountCounts, Accounts
from gateway.numbers.last_seen import LastSeen
from gateway.numbers.lookup_strategy import Sizes
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.search import Search
from gateway.numbers.similar_searches import SimilarSearches
from gateway.numbers.spare_calls import SpareCalls
from gateway.numbers.whereabouts import Whereabouts
from gateway.resolvers.account_resolvers import AccountResolvers
from gateway.resolvers.event_resolvers import EventResolvers
from gateway.resolvers.number_resolvers import NumberResolvers
from gateway.resolvers.object_resolvers import ObjectResolvers
from gateway.resolvers.recounting import Recount
from gateway.resolvers.search_resolvers import SearchResolvers
from gateway.resolvers.write_resolvers import WriteResolvers
from gateway.upstream.catalog_access import CatalogAccess
from gateway.upstream.flights import Reader
from gateway.upstream.public_facts import PublicFacts
from gateway.writes.mutations import Mutations, Writing
from gateway.writes.shown import show
from gateway.writes.webhook_hosts import Webhooks

if TYPE_CHECKING:
    from schema.event_port import EventPort
    from schema.read_port import ReadPort
    from schema.write_port import WritePort


class SharedParts(Struct, frozen=True, kw_only=True):
    """What the resolvers of all requests share.

    Attributes:
        access: which accounts have the catalog.
        sizes: how many numbers accounts own.
        counts: how many accounts they own, and in how many countries they can buy.
        seen: in which accounts numbers were seen.
        facts: what the upstream tells whoever asks.
        similar: searches for numbers like others.
        writing: what the writes of all requests share.
        webhooks: which ones may be set.
        spending: counts requests and purchases.
        events: what is told to subscribers.
    """

    access: CatalogAccess
    sizes: Sizes
    counts: AccountCounts
    seen: LastSeen
    facts: PublicFacts
    similar: SimilarSearches
    writing: Writing
    webhooks: Webhooks
    spending: Spending
    events: Events

    def owned_numbers(self, reader: Reader, exchange_calls: int = 0) -> OwnedNumbers:
        """Return the owned numbers as the request of this reader sees them.

        Args:
            reader: reads them.
            exchange_calls: searches for what exchanges tell of them, at most.
        """
        return OwnedNumbers(
            reader,
            self.access,
            self.seen,
            self.sizes,
            _facts=self.facts,
            _exchange_calls=exchange_calls,
        )


class Spare(NamedTuple):
    """Calls that only make an answer better, at most; see the settings of these names.

    Attributes:
        partition: to complete searches that are cut off.
        subaccounts: to look for numbers in the caller's other accounts.
        exchanges: searches for what exchanges tell of owned numbers.
    """

    partition: int
    subaccounts: int
    exchanges: int


class RequestContext(NumberResolvers, dict=True):
    """The ports of the schema for one request; what few requests need is made when asked for.

    Most ask for owned numbers: it resolves these itself.

    Attributes:
        reader: the reads and writes of the request.
        fast: see `gateway.execution.request.Port`.
    """

    # Nothing of a request leads back to it: it is forgotten once it is answered.
    reader: Reader
    _shared: SharedParts
    _spare: Spare
    _request_id: str
    fast: bool
    _writes: WriteResolvers | None = None

    @classmethod
    def of(
        cls,
        reader: Reader,
        caller: Caller,
        shared: SharedParts,
        spare: Spare,
        request_id: str,
        *,
        fast: bool,
        recount: Recount | None = None,
    ) -> "RequestContext":
        """Make it.

        Args:
            reader: the reads and writes of the request.
            caller: who asks.
            shared: what the resolvers of all requests share.
            spare: how many calls may be made that only make an answer better.
            request_id: names the request in logs.
            fast: compiled queries and projections may answer.
            recount: is told how long lists are, where that was believed and not said.
        """
        owned = shared.owned_numbers(reader, spare.exchanges)
        return cls(owned, caller, recount, False, reader, shared, spare, request_id, fast)  # noqa: FBT003 - in C, by place

    @property
    def numbers(self) -> NumberResolvers:
        """Resolves owned numbers."""
        return self

    @cached_property
    def search(self) -> SearchResolvers:
        """Resolves numbers to buy."""
        search = Search(self.reader, self.owned, self._spare.partition)
        rules = self.owned.beside.rules
        return SearchResolvers(search, self._shared.similar, rules, self.caller, self.reader.trace)

    @cached_property
    def accounts(self) -> AccountResolvers:
        """Resolves accounts, what is left of limits, and countries."""
        accounts = Accounts(self.reader, self._shared.counts)
        return AccountResolvers(
            accounts,
            self.owned.beside.rules,
            self.caller,
            self._shared.spending,
            self.recount,
        )

    @cached_property
    def objects(self) -> ObjectResolvers:
        """Resolves objects by id."""
        accounts = Accounts(self.reader, self._shared.counts)
        calls = SpareCalls(self._spare.subaccounts)
        # Its own `one` would lead back to it.
        numbers = NumberResolvers(self.owned, self.caller, recount=None, alone=False)
        whereabouts = Whereabouts(self.owned, accounts, self.caller, numbers.one, calls)
        return ObjectResolvers(whereabouts, accounts, self.owned.beside, self.caller)

    @property
    def writes(self) -> WriteResolvers:
        """Resolves mutations."""
        if self._writes is None:
            self._writes = self._make_writes()
        return self._writes

    def _make_writes(self) -> WriteResolvers:
        shared = self._shared
        return WriteResolvers(
            Mutations(self.reader, self.owned, shared.writing, self.caller, self._request_id),
            partial(show, self.owned),
            self.caller,
            shared.webhooks,
            shared.spending,
            shared.events,
            shared.seen,
            self._forget_searches,
        )

    def _forget_searches(self) -> None:
        if "search" in vars(self):
            self.search.forget()

    @cached_property
    def events(self) -> EventResolvers:
        """Resolves the subscription."""
        events, credential = self._shared.events, self.reader.credential
        return EventResolvers(events, self.owned, self.caller, credential)

    @property
    def is_traced(self) -> bool:
        """See `gateway.execution.request.Port`."""
        return self.reader.trace.detailed

    def begin_again(self) -> None:
        """See `gateway.execution.request.Port`."""
        self.reader.trace.begin_again()
        self.alone = False

    def report(self) -> dict[str, Any]:
        """See `gateway.execution.request.Port`."""
        return self.reader.trace.report(self.caller.credential.redact)

    def cancel(self) -> None:
        """See `gateway.execution.request.Port`."""
        self.reader.cancel()
        # What resolves mutations leads back here: let it go, and all that the request has read.
        self._writes = None


if TYPE_CHECKING:

    def _implemented(context: RequestContext) -> tuple[ReadPort, WritePort, EventPort]:
        """Let the type checker see that it does."""
        return context, context, context
