"""Mutations: implements `schema.write_port.Writes` over `gateway.writes`."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
from msgspec import field

from gateway.auth.caller import Caller
from gateway.auth.rate_limits import Spending
from gateway.discreet import Discreet
from gateway.errors import GatewayError
from gateway.events.feed import Change, Events
from gateway.numbers.last_seen import LastSeen
from gateway.resolvers.write_payloads import configured, purchased, released, transferred
from gateway.writes.mutations import Mutations
from gateway.writes.outcome import Outcome, not_done_for
from gateway.writes.purchase_count import counted
from gateway.writes.shown import Show, Written
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
    Write,
    in_item,
)
from schema.enums import PhoneNumberEventKind
from schema.info import FieldPath
from schema.inputs import (
    ConfigurePhoneNumberInput,
    PurchasePhoneNumberInput,
    ReleasePhoneNumberInput,
    TransferPhoneNumberInput,
)
from schema.payloads import (
    ConfigurePhoneNumberPayload,
    PurchasePhoneNumberPayload,
    ReleasePhoneNumberPayload,
    TransferPhoneNumberPayload,
)
from schema.selections import NOTHING, SelectedFields

_log = structlog.get_logger(__name__)


class WriteResolvers(Discreet):
    """Resolves mutations, and tells subscribers what they have done."""

    _mutations: Mutations
    # Shows numbers as the request's next read would.
    _show: Show
    _caller: Caller
    _webhooks: Webhooks
    _spending: Spending
    _events: Events
    # Remembers which account has a number now.
    _seen: LastSeen
    # Is called when something may have been written.
    _forget_searches: Callable[[], None]
    _written: bool = False
    # What came of each field: it is written once, however often it is executed.
    _came: dict[FieldPath, list[Outcome] | Exception] = field(default_factory=dict)

    async def purchase(
        self, wanted: PurchasePhoneNumberInput, *, at: FieldPath, selected: SelectedFields
    ) -> PurchasePhoneNumberPayload:
        """See `schema.write_port.Writes`."""
        buy = partial(self._buy, selected=selected)
        return purchased(await self._write_one(wanted, Purchase, buy, at, selected))

    async def purchase_each(
        self,
        items: Sequence[PurchasePhoneNumberInput],
        *,
        at: FieldPath,
        selected: SelectedFields,
    ) -> list[PurchasePhoneNumberPayload]:
        """See `schema.write_port.Writes`."""
        buy = partial(self._buy, selected=selected)
        outcomes = await self._write_each(items, Purchase, buy, at, selected)
        return [*map(purchased, outcomes)]

    async def configure(
        self, wanted: ConfigurePhoneNumberInput, *, at: FieldPath, selected: SelectedFields
    ) -> ConfigurePhoneNumberPayload:
        """See `schema.write_port.Writes`."""
        return configured(await self._write_one(wanted, Configure, self._configure, at, selected))

    async def configure_each(
        self,
        items: Sequence[ConfigurePhoneNumberInput],
        *,
        at: FieldPath,
        selected: SelectedFields,
    ) -> list[ConfigurePhoneNumberPayload]:
        """See `schema.write_port.Writes`."""
        outcomes = await self._write_each(items, Configure, self._configure, at, selected)
        return [*map(configured, outcomes)]

    async def transfer(
        self, wanted: TransferPhoneNumberInput, *, at: FieldPath, selected: SelectedFields
    ) -> TransferPhoneNumberPayload:
        """See `schema.write_port.Writes`."""
        return transferred(await self._write_one(wanted, Transfer, self._transfer, at, selected))

    async def transfer_each(
        self,
        items: Sequence[TransferPhoneNumberInput],
        *,
        at: FieldPath,
        selected: SelectedFields,
    ) -> list[TransferPhoneNumberPayload]:
        """See `schema.write_port.Writes`."""
        outcomes = await self._write_each(items, Transfer, self._transfer, at, selected)
        return [*map(transferred, outcomes)]

    async def release(
        self, wanted: ReleasePhoneNumberInput, *, at: FieldPath
    ) -> ReleasePhoneNumberPayload:
        """See `schema.write_port.Writes`."""
        return released(await self._write_one(wanted, Release, self._release, at))

    async def release_each(
        self, items: Sequence[ReleasePhoneNumberInput], *, at: FieldPath
    ) -> list[ReleasePhoneNumberPayload]:
        """See `schema.write_port.Writes`."""
        return [*map(released, await self._write_each(items, Release, self._release, at))]

    def _buy(self, asked: Purchase, at: FieldPath, selected: SelectedFields) -> Awaitable[Outcome]:
        tell = partial(self._announce, PhoneNumberEventKind.PURCHASED, asked.account)
        spend = partial(counted, self._spending, self._caller, asked.account)
        return self._mutations.purchase(asked, at, tell, spend, selected)

    def _configure(self, asked: Configure, at: FieldPath) -> Awaitable[Outcome]:
        tell = partial(self._announce, PhoneNumberEventKind.CONFIGURED, asked.account)
        return self._mutations.configure(asked, at, tell)

    async def _transfer(self, asked: Transfer, at: FieldPath) -> Outcome:
        moved = PhoneNumberEventKind.TRANSFERRED

        async def tell(outcome: Outcome) -> None:
            await self._announce(moved, asked.account, outcome, there=False)
            await self._announce(moved, asked.target, outcome)

        return await self._mutations.transfer(asked, at, tell)

    def _release(self, asked: Release, at: FieldPath) -> Awaitable[Outcome]:
        released = PhoneNumberEventKind.RELEASED
        tell = partial(self._announce, released, asked.account, there=False)
        return self._mutations.release(asked, at, tell)

    async def _announce(
        self, kind: PhoneNumberEventKind, account: str, outcome: Outcome, *, there: bool = True
    ) -> None:
        """Tell subscribers what a write has done, if anything; `there`: the account has it now."""
        number = outcome.number
        if number is None or outcome.refusal is not None or outcome.planned is not None:
            return
        if there:
            self._seen.note(self._caller.credential, account, (number.sid,))
            if kind is not PhoneNumberEventKind.CONFIGURED:
                self._mutations.note_gain(account)
        change = Change(kind, number.sid, number.phone_number, number if there else None)
        await self._events.announce(account, change)

    def _asker(self) -> Asker:
        return Asker(self._caller, self._webhooks, self._written)

    async def _write_one(
        self,
        wanted: Input,
        kind: type[W],
        write: Callable[[W, FieldPath], Awaitable[Outcome]],
        at: FieldPath,
        selected: SelectedFields = NOTHING,
    ) -> Outcome:
        """Return the outcome of a mutation.

        An error takes the whole answer with it, so it is raised only while there is nothing to be
        lost: not after another write of the same operation.
        """
        if at in self._came:
            [outcome] = self._known(at)
            return outcome
        asked = kind.parse(wanted, self._asker())
        if isinstance(asked, Refusal):
            outcome = Outcome(refusal=asked)
        else:
            try:
                outcome = await write(asked, at)
            except Exception as error:
                if not self._written:
                    self._came[at] = error
                    raise
                outcome = Outcome(refusal=self._refusal(error))
        self._note_written()
        self._came[at] = shown = await self._shown([asked], [outcome], selected, at)
        return shown[0]

    async def _write_each(
        self,
        items: Sequence[Input],
        kind: type[W],
        write: Callable[[W, FieldPath], Awaitable[Outcome]],
        at: FieldPath,
        selected: SelectedFields = NOTHING,
    ) -> list[Outcome]:
        """Return the outcome of each item of a plural mutation: what stops one stops no other."""
        if at in self._came:
            return self._known(at)
        parsed = kind.parse_each(items, self._asker())

        async def one(place: int, asked: W | Refusal) -> Outcome:
            if isinstance(asked, Refusal):
                return Outcome(refusal=asked)
            try:
                outcome = await write(asked, at)
            except Exception as error:  # noqa: BLE001 - it is said, and logged if it is not ours
                return Outcome(refusal=in_item(self._refusal(error), place))
            if outcome.refusal is None:
                return outcome
            return outcome._replace(refusal=in_item(outcome.refusal, place))

        outcomes = await gather(*(one(*each) for each in enumerate(parsed)))
        self._note_written()
        self._came[at] = shown = await self._shown(parsed, outcomes, selected, at)
        return shown

    def _known(self, at: FieldPath) -> list[Outcome]:
        """Return what came of a field when it was executed first.

        Raises:
            Exception: that is what came of it.
        """
        came = self._came[at]
        if isinstance(came, Exception):
            raise came
        return came

    def _shown(
        self,
        asked: Sequence[Write | Refusal],
        outcomes: Sequence[Outcome],
        selected: SelectedFields,
        at: FieldPath,
    ) -> Awaitable[list[Outcome]]:
        """Return the outcomes with their numbers as the next read would show them."""
        written = [
            Written(outcome, each.sets if isinstance(each, Write) else {})
            for each, outcome in zip(asked, outcomes, strict=True)
        ]
        return self._show(written, selected, at)

    def _note_written(self) -> None:
        self._written = True
        self._forget_searches()

    def _refusal(self, error: Exception) -> Refusal:
        """Return the user error of a write for whatever was raised."""
        if isinstance(error, GatewayError):
            return not_done_for(error)
        request_id, kind = self._mutations.request_id, type(error).__name__
        _log.error("mutation_failed", request_id=request_id, kind=kind, exc_info=error)
        return Reason.BROKEN.refuse()
