"""The port of the schema, implemented: one object per request, from which resolvers take all."""

import math
from asyncio import Event, Future, ensure_future, gather, get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast

import structlog

from gateway.auth import rate_limits
from gateway.auth.caller import Caller
from gateway.auth.rate_limits import Spending
from gateway.errors import GatewayError, OfAnotherAccount
from gateway.events.feed import Change, Events
from gateway.mapping.records import View
from gateway.numbers.accounts import Accounts
from gateway.numbers.lookups import (
    AccountLookup,
    FollowedNumbers,
    NodeLookups,
    OwnedList,
    PhoneNumberLookup,
    RateLimitLookup,
)
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.relay_pages import ConnectionPage, FoundPage, Places
from gateway.numbers.search import Failure, Merged, Search
from gateway.numbers.search_request import CountrySearch, SearchRequest, SimilarSearch
from gateway.upstream.call import Call
from gateway.upstream.call_trace import Trace
from gateway.upstream.flights import Reader
from gateway.waiting import Shared, settled
from gateway.writes.mutations import Mutations
from gateway.writes.outcome import Outcome, not_done_for
from gateway.writes.purchase_count import counted
from gateway.writes.user_errors import Reason, Refusal
from gateway.writes.webhook_hosts import Webhooks
from gateway.writes.write_inputs import (
    Asker,
    Configure,
    Input,
    Purchase,
    Release,
    Transfer,
    W,
    in_item,
)
from schema.connection import (
    AvailablePhoneNumberConnection,
    BranchError,
    NodeId,
    PhoneNumberConnection,
)
from schema.enums import NumberType, PhoneNumberEventKind, SimilarScope
from schema.info import FieldPath
from schema.inputs import (
    AvailablePhoneNumberFilter,
    ConfigurePhoneNumberInput,
    PhoneNumberFilter,
    PurchasePhoneNumberInput,
    ReleasePhoneNumberInput,
    TransferPhoneNumberInput,
)
from schema.nodes import Account, Allowance, Country, Node, PhoneNumber, RateLimit
from schema.payloads import (
    ConfigurePhoneNumberPayload,
    PurchasePhoneNumberPayload,
    ReleasePhoneNumberPayload,
    RequestParameter,
    TransferPhoneNumberPayload,
    UpstreamRequest,
    UserError,
)
from schema.phone_number_event import PhoneNumberEvent

_log = structlog.get_logger(__name__)


class RequestContext:
    """Implements the ports of the schema for one request.

    Views stand in for the schema's types: they have their fields, but are made from tables, so the
    type checker is told with casts.

    Attributes:
        reader: the reads and writes of the request.
        last_event_id: the event behind which a subscription goes on; None to begin now.
        following: is set when no event can be missed any more.
        alone: the field that is being resolved is the only one of a query.
    """

    def __init__(
        self,
        reader: Reader,
        numbers: OwnedNumbers,
        search: Search,
        mutations: Mutations,
        webhooks: Webhooks,
        events: Events,
        caller: Caller,
        spending: Spending,
    ) -> None:
        self.reader = reader
        self.caller = caller
        self._spending = spending
        self._webhooks = webhooks
        self.fast = True
        self.last_event_id: str | None = None
        self.following = Event()
        self.alone = False
        self._events = events
        self._numbers = numbers
        self._search = search
        self._searches: dict[tuple[Any, ...], _Search] = {}
        self._accounts = Accounts(reader)
        self._mutations = mutations
        self._written = False

    # Its own end --------------------------------------------------------------------------------

    @property
    def is_traced(self) -> bool:
        """See `gateway.execution.request.Port`."""
        return self.reader.trace.detailed

    def begin_again(self) -> None:
        """See `gateway.execution.request.Port`."""
        self.reader.trace.begin_again()

    def report(self) -> dict[str, Any]:
        """See `gateway.execution.request.Port`."""
        return self.reader.trace.report(self.caller.credential.redact)

    def cancel(self) -> None:
        """See `gateway.execution.request.Port`."""
        self.reader.cancel()

    # Queries ------------------------------------------------------------------------------------

    async def phone_number(
        self, *, sid: str | None, phone_number: str | None, account_sid: str | None, at: FieldPath
    ) -> PhoneNumber | None:
        """See the ports of the schema."""
        asked = PhoneNumberLookup.parse(
            self.caller, sid=sid, phone_number=phone_number, account_sid=account_sid
        )
        number = await self._one(asked, at, alone=self.alone)
        return cast("PhoneNumber | None", number)

    async def phone_numbers(
        self,
        filter: PhoneNumberFilter | None,  # noqa: A002 - the argument's name in the schema
        *,
        first: int,
        after: str | None,
        account_sid: str | None,
        at: FieldPath,
    ) -> PhoneNumberConnection:
        """See the ports of the schema."""
        asked = OwnedList.parse(
            self.caller, first=first, filter=filter, after=after, account_sid=account_sid
        )
        listed = await self._numbers.page(asked, at)
        page = ConnectionPage(listed.numbers, listed.places, more=listed.more, after=after)
        return cast("PhoneNumberConnection", page)

    async def available_phone_numbers(
        self,
        country: str,
        *,
        types: Sequence[NumberType] | None,
        filter: AvailablePhoneNumberFilter | None,  # noqa: A002
        first: int,
        after: str | None,
        account_sid: str | None,
        at: FieldPath,
    ) -> AvailablePhoneNumberConnection:
        """See the ports of the schema."""
        asked = SearchRequest.parse(
            self.caller,
            country=country,
            first=first,
            types=types,
            filter=filter,
            after=after,
            account_sid=account_sid,
        )
        key = (asked.account, country, *asked.types, *asked.wanted.items(), first, after)
        return cast(
            "AvailablePhoneNumberConnection", await self._available(key, lambda: asked, after, at)
        )

    async def available_in(
        self,
        country: Country,
        *,
        type: NumberType,  # noqa: A002
        first: int,
        at: FieldPath,
    ) -> AvailablePhoneNumberConnection | None:
        """See the ports of the schema."""
        asked = CountrySearch.parse(type=type, first=first)
        if country.types and type not in country.types:
            return None
        account = self.caller.credential.account
        make = partial(asked.within, account, country.code)
        key = (account, country.code, type, first, None)
        return cast("AvailablePhoneNumberConnection", await self._available(key, make, None, at))

    def similar_available(
        self,
        number: PhoneNumber,
        *,
        within: SimilarScope,
        distance: int | None,
        first: int,
        at: FieldPath,
    ) -> Future[AvailablePhoneNumberConnection | None]:
        """See the ports of the schema."""
        asked = SimilarSearch.parse(within=within, first=first, distance=distance)
        sought = asked.near(cast("Any", number))
        if sought is None:
            nothing: Future[AvailablePhoneNumberConnection | None]
            nothing = get_running_loop().create_future()
            nothing.set_result(None)
            return nothing
        country, wanted = sought
        account, kind = number.account_sid, NumberType.LOCAL
        make = partial(SearchRequest.of, account, country, (kind,), wanted, first)
        key = (account, country, kind, *wanted.items(), first, None)
        coming: Future[Any] = self._available(key, make, None, at)
        return coming

    async def countries(self, *, at: FieldPath) -> list[Country]:
        """See the ports of the schema."""
        return cast("list[Country]", await self._accounts.countries(at))

    async def country(self, code: str, *, at: FieldPath) -> Country | None:
        """See the ports of the schema."""
        return cast("Country | None", await self._accounts.country(code, at))

    async def account(self, sid: str | None, *, at: FieldPath) -> Account | None:
        """See the ports of the schema."""
        asked = AccountLookup.parse(self.caller, sid=sid)
        return cast("Account | None", await self._accounts.one(asked.account, at))

    async def subaccounts(self, account: Account, *, at: FieldPath) -> list[Account]:
        """See the ports of the schema."""
        found = await self._accounts.subaccounts(account.sid, at)
        return cast("list[Account]", [each for each in found if self.caller.may_see(each.sid)])

    async def nodes(
        self, ids: Sequence[str], *, argument: str, at: FieldPath
    ) -> list[Node | Exception | None]:
        """See the ports of the schema."""
        asked = NodeLookups.parse(self.caller, argument, ids)
        found = await settled([self._node(each, at) for each in asked.each])
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, GatewayError):
                raise each
        return found

    async def rate_limit(self, account_sid: str | None) -> RateLimit:
        """See the ports of the schema."""
        asked = RateLimitLookup.parse(self.caller, account_sid=account_sid)
        requests, purchases = await self._spending.left(self.caller, asked.account)
        return RateLimit(requests=_allowance(requests), purchases=_allowance(purchases))

    # Mutations ----------------------------------------------------------------------------------

    async def purchase(
        self, wanted: PurchasePhoneNumberInput, *, at: FieldPath
    ) -> PurchasePhoneNumberPayload:
        """See the ports of the schema."""
        return _purchased(await self._write_one(wanted, Purchase, self._buy, at))

    async def purchase_each(
        self, items: Sequence[PurchasePhoneNumberInput], *, at: FieldPath
    ) -> list[PurchasePhoneNumberPayload]:
        """See the ports of the schema."""
        return [*map(_purchased, await self._write_each(items, Purchase, self._buy, at))]

    async def configure(
        self, wanted: ConfigurePhoneNumberInput, *, at: FieldPath
    ) -> ConfigurePhoneNumberPayload:
        """See the ports of the schema."""
        return _configured(await self._write_one(wanted, Configure, self._configure, at))

    async def configure_each(
        self, items: Sequence[ConfigurePhoneNumberInput], *, at: FieldPath
    ) -> list[ConfigurePhoneNumberPayload]:
        """See the ports of the schema."""
        return [*map(_configured, await self._write_each(items, Configure, self._configure, at))]

    async def transfer(
        self, wanted: TransferPhoneNumberInput, *, at: FieldPath
    ) -> TransferPhoneNumberPayload:
        """See the ports of the schema."""
        return _transferred(await self._write_one(wanted, Transfer, self._transfer, at))

    async def transfer_each(
        self, items: Sequence[TransferPhoneNumberInput], *, at: FieldPath
    ) -> list[TransferPhoneNumberPayload]:
        """See the ports of the schema."""
        return [*map(_transferred, await self._write_each(items, Transfer, self._transfer, at))]

    async def release(
        self, wanted: ReleasePhoneNumberInput, *, at: FieldPath
    ) -> ReleasePhoneNumberPayload:
        """See the ports of the schema."""
        return _released(await self._write_one(wanted, Release, self._release, at))

    async def release_each(
        self, items: Sequence[ReleasePhoneNumberInput], *, at: FieldPath
    ) -> list[ReleasePhoneNumberPayload]:
        """See the ports of the schema."""
        return [*map(_released, await self._write_each(items, Release, self._release, at))]

    # Subscriptions ------------------------------------------------------------------------------

    async def changes(
        self, account_sid: str | None, sids: Sequence[str] | None
    ) -> AsyncIterator[PhoneNumberEvent]:
        """See the ports of the schema."""
        asked = FollowedNumbers.parse(self.caller, account_sid=account_sid, sids=sids)
        account = asked.account
        start = await self._events.start(account, self.last_event_id)
        # Only who may read the account's numbers may follow them.
        await self._numbers.page(asked.page, FieldPath("phoneNumberChanged"))
        credential = self.reader.credential
        resumed = self.last_event_id is not None
        async for event in self._events.follow(
            account, credential, start, self.following, resumed=resumed
        ):
            if asked.include(event.sid):
                yield event

    async def _announce(
        self, kind: PhoneNumberEventKind, account: str, outcome: Outcome, *, there: bool = True
    ) -> None:
        """Tell subscribers what a write has done, if anything; `there`: it is still there."""
        number = outcome.number
        if number is None or outcome.refusal is not None or outcome.planned is not None:
            return
        change = Change(kind, number.sid, number.phone_number, number if there else None)
        await self._events.announce(account, change)

    # ----------------------------------------------------------------------------------------------

    async def _buy(self, asked: Purchase, at: FieldPath) -> Outcome:
        tell = partial(self._announce, PhoneNumberEventKind.PURCHASED, asked.account)
        spend = partial(counted, self._spending, self.caller, asked.account)
        return await self._mutations.purchase(asked, at, tell, spend)

    async def _configure(self, asked: Configure, at: FieldPath) -> Outcome:
        tell = partial(self._announce, PhoneNumberEventKind.CONFIGURED, asked.account)
        return await self._mutations.configure(asked, at, tell)

    async def _transfer(self, asked: Transfer, at: FieldPath) -> Outcome:
        moved = PhoneNumberEventKind.TRANSFERRED

        async def tell(outcome: Outcome) -> None:
            await self._announce(moved, asked.account, outcome, there=False)
            await self._announce(moved, asked.target, outcome)

        return await self._mutations.transfer(asked, at, tell)

    async def _release(self, asked: Release, at: FieldPath) -> Outcome:
        released = PhoneNumberEventKind.RELEASED
        tell = partial(self._announce, released, asked.account, there=False)
        return await self._mutations.release(asked, at, tell)

    def _asker(self) -> Asker:
        return Asker(self.caller, self._webhooks, self._written)

    async def _write_one(
        self,
        wanted: Input,
        kind: type[W],
        write: Callable[[W, FieldPath], Awaitable[Outcome]],
        at: FieldPath,
    ) -> Outcome:
        """Return the outcome of a mutation.

        An error takes the whole answer with it, so it is raised only while there is nothing to be
        lost: not after another write of the same operation.
        """
        asked = kind.parse(wanted, self._asker())
        if isinstance(asked, Refusal):
            outcome = Outcome(refusal=asked)
        else:
            try:
                outcome = await write(asked, at)
            except Exception as error:
                if not self._written:
                    raise
                outcome = Outcome(refusal=_refusal(error))
        self._note_written()
        return outcome

    async def _write_each(
        self,
        items: Sequence[Input],
        kind: type[W],
        write: Callable[[W, FieldPath], Awaitable[Outcome]],
        at: FieldPath,
    ) -> list[Outcome]:
        """Return the outcome of each item of a plural mutation: what stops one stops no other."""
        parsed = kind.parse_each(items, self._asker())

        async def one(place: int, asked: W | Refusal) -> Outcome:
            if isinstance(asked, Refusal):
                return Outcome(refusal=asked)
            try:
                outcome = await write(asked, at)
            except Exception as error:  # noqa: BLE001 - it is said, and logged if it is not ours
                return Outcome(refusal=in_item(_refusal(error), place))
            if outcome.refusal is None:
                return outcome
            return outcome._replace(refusal=in_item(outcome.refusal, place))

        outcomes = await gather(*(one(*each) for each in enumerate(parsed)))
        self._note_written()
        return outcomes

    def _note_written(self) -> None:
        self._written = True
        self._searches.clear()

    async def _node(self, asked: NodeId | GatewayError, at: FieldPath) -> Node | None:
        if isinstance(asked, GatewayError):
            raise asked
        if asked.kind == "Account":
            return cast("Node | None", await self._accounts.one(asked.account_sid, at))
        number = PhoneNumberLookup(asked.account_sid, "sid", asked.sid)
        return cast("Node | None", await self._one(number, at))

    async def _one(
        self, key: PhoneNumberLookup, at: FieldPath, *, alone: bool = False
    ) -> View | None:
        """Return an owned number; None when the account has no such one."""
        try:
            return await self._numbers.one(key, at, alone=alone)
        except OfAnotherAccount:
            if self.caller.accounts is None:
                raise
            return None  # A bearer must not learn that somebody else has it.

    def _available(
        self,
        key: tuple[object, ...],
        make: Callable[[], SearchRequest],
        after: str | None,
        at: FieldPath,
    ) -> Future[Any]:
        """Begin a search; equal searches of one request are one, and share the page.

        Args:
            key: the same for equal searches: of many, only one need be made.
            make: makes it.
            after: the cursor behind which it goes on, as the client wrote it.
            at: the field that asks.
        """
        try:
            search = self._searches.get(key)
        except TypeError:  # Lists and objects have no hash, but are rare here.
            key = (repr(key),)
            search = self._searches.get(key)
        if search is None:
            work = self._cut_out(make, after, at)
            search = self._searches[key] = _Search(ensure_future(work), self.reader.trace)
        else:
            search.share(at)
        return search.wait()

    async def _cut_out(
        self, make: Callable[[], SearchRequest], after: str | None, at: FieldPath
    ) -> FoundPage:
        """Cut a page out of a result: searches have no pages upstream."""
        asked = make()
        first = asked.first
        result = await self._search.run(asked, at)
        merged = Merged(result.found, asked.start)
        if len(merged.numbers) < first and result.more and asked.start is not None:
            # Others have come before the number that the page stands behind.
            result = await self._search.run(asked._replace(first=2 * first), at)
            merged = Merged(result.found, asked.start)
        shown = merged.numbers[:first]
        # Without a full page there is no place to go on from: `exhaustive` tells the rest.
        more = len(merged.numbers) > first or (result.more and len(shown) == first)
        places = range(asked.skip, asked.skip + len(shown))
        marks = Places(asked.list_id, [("", place) for place in places])
        marks.tell = merged.tell
        page = FoundPage(shown, marks, more=more, after=after)
        page.exhaustive = result.exhaustive
        page.branch_errors = [_branch_error(failure) for failure in result.failures]
        page.calls = result.calls
        return page


class _Search(Shared[FoundPage]):
    """A search of one field, and of those that were spared its calls."""

    __slots__ = ("_sharing", "_trace")

    def __init__(self, task: Future[FoundPage], trace: Trace) -> None:
        super().__init__(task)
        self._trace = trace
        self._sharing: list[FieldPath] = []

    def share(self, at: FieldPath) -> None:
        """Note that another field has it, too."""
        self._sharing.append(at)
        if self.task.done():
            self._note(self.task)

    def _tell(self, task: Future[FoundPage]) -> None:
        self._note(task)
        super()._tell(task)

    def _note(self, task: Future[FoundPage]) -> None:
        if not task.cancelled() and task.exception() is None:
            for call in task.result().calls:
                for at in self._sharing:
                    self._trace.note_spared(call, "coalesced", (at,))
        self._sharing.clear()


def _allowance(left: rate_limits.Remaining | None) -> Allowance | None:
    if left is None:
        return None
    return Allowance(
        limit=left.limit,
        window_seconds=round(left.window),
        remaining=left.remaining,
        full_in_ms=math.ceil(left.full_in * 1000),
    )


def _refusal(error: Exception) -> Refusal:
    """Return the user error of a write for whatever was raised."""
    if isinstance(error, GatewayError):
        return not_done_for(error)
    _log.error("mutation_failed", kind=type(error).__name__, exc_info=error)
    return Reason.BROKEN.refuse()


def _purchased(outcome: Outcome) -> PurchasePhoneNumberPayload:
    number = cast("PhoneNumber | None", outcome.number)
    return PurchasePhoneNumberPayload(phone_number=number, **_common(outcome))


def _configured(outcome: Outcome) -> ConfigurePhoneNumberPayload:
    number = cast("PhoneNumber | None", outcome.number)
    return ConfigurePhoneNumberPayload(phone_number=number, **_common(outcome))


def _transferred(outcome: Outcome) -> TransferPhoneNumberPayload:
    number = cast("PhoneNumber | None", outcome.number)
    return TransferPhoneNumberPayload(phone_number=number, **_common(outcome))


def _released(outcome: Outcome) -> ReleasePhoneNumberPayload:
    return ReleasePhoneNumberPayload(
        released_sid=outcome.number.sid if outcome.number else None,
        released_phone_number=outcome.number.phone_number if outcome.number else None,
        **_common(outcome),
    )


def _branch_error(failure: Failure) -> BranchError:
    return BranchError(
        type=failure.branch.type,
        area_code=failure.branch.area_code,
        message=failure.error.message,
        code=failure.error.code,
    )


def _common(outcome: Outcome) -> dict[str, Any]:
    """Return the fields that all payloads share."""
    return {
        "user_errors": [_user_error(outcome.refusal)] if outcome.refusal else [],
        "reconciled": outcome.reconciled,
        "replayed": outcome.replayed,
        "would_send": _would_send(outcome.planned) if outcome.planned else None,
    }


def _user_error(refusal: Refusal) -> UserError:
    return UserError(
        field=list(refusal.field),
        message=refusal.message,
        code=refusal.code,
        upstream_code=refusal.upstream_code,
    )


def _would_send(call: Call) -> UpstreamRequest:
    return UpstreamRequest(
        method=call.method,
        path=call.path,
        parameters=[RequestParameter(name=name, value=value) for name, value in call.form or ()],
    )
