"""Writes: buy, configure, transfer, release. Each is sent at most once, and its outcome is true.

    answered as its API promises               done
    answered 4xx with the upstream's own code  refused: nothing was done
    certainly not processed                    a system error: nothing was done
    anything else: the answer is lost          see `gateway/writes/reconcile.py`

A write runs to its end whatever becomes of the client that asked for it.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import msgspec
import structlog

from gateway.auth.caller import Caller
from gateway.discreet import Discreet
from gateway.draining import Abandoned, Draining
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    OfAnotherAccount,
    UpstreamDenied,
    UpstreamError,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamRefused,
)
from gateway.mapping import filters
from gateway.mapping.numbering_plan import origin
from gateway.mapping.purchase_requirements import asked_address
from gateway.mapping.records import View, view
from gateway.mapping.validation import is_sid
from gateway.numbers.accounts import Accounts, is_inactive, is_on_trial
from gateway.numbers.country_rules import CountryRules
from gateway.numbers.lookups import PhoneNumberLookup
from gateway.numbers.number_for_sale import PRICED, NumberForSale, searches_for
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.search import Search
from gateway.upstream.accepted_credentials import DENIED
from gateway.upstream.call import Answer, Call
from gateway.upstream.families import CATALOG, CORE, Family
from gateway.upstream.flights import Reader
from gateway.upstream.ownership import check_owner
from gateway.waiting import settled
from gateway.writes.evidence import differing
from gateway.writes.idempotency import Act, IdempotencyKeys, Sending, key_of
from gateway.writes.locks import Locks
from gateway.writes.outcome import Outcome, Undecided, refused
from gateway.writes.reconcile import Look, Unproven, reconcile, unknown
from gateway.writes.user_errors import Reason, Refusal
from gateway.writes.write_inputs import Configure, Purchase, Release, Transfer, Write
from schema.enums import EmergencyAddressStatus, RegulatoryDocument, Source
from schema.info import FieldPath
from schema.scalars import write_decimal
from schema.selections import NOTHING, SelectedFields
from schema.values import Money, NumberToBuy

T = TypeVar("T")
_log = structlog.get_logger(__name__)
REQUIREMENTS: Final = "PurchasePhoneNumberPayload.requirements"
"""The field for which a dry run reads what the law asks for, if it is selected."""
# Of the time left, what is kept back for looking the number up if the answer gets lost.
_KEPT_BACK, _LEAST_TIME = 0.25, 0.2
# Accounts in which a number is looked for that is not where it was.
_MOST_OTHERS = 50
_REFUSED = (UpstreamRefused, UpstreamNotFound, UpstreamDenied)
# The upstream's code for what test credentials may not do.
_TEST_CREDENTIALS = 20008
# What clearing an emergency address is, and in words the states that keep it and its number.
_EMERGENCY_ADDRESS = "voice.emergencyAddressSid"
_REGISTERED: Mapping[EmergencyAddressStatus, str] = {
    EmergencyAddressStatus.REGISTERED: "is registered",
    EmergencyAddressStatus.PENDING_REGISTRATION: "is about to be registered",
    EmergencyAddressStatus.PENDING_UNREGISTRATION: "is about to be unregistered",
    EmergencyAddressStatus.UNREGISTRATION_FAILURE: "is registered: unregistering it has failed",
}
# A release is answered with this status, the upstream's own id of the request and no body; anything
# else may be the answer of something between.
_NO_CONTENT = 204


class Writing(NamedTuple):
    """What the writes of all requests share.

    Attributes:
        keys: remembers idempotency keys.
        draining: runs writes to their end.
        locks: one purchase of a number at a time; by account and number.
    """

    keys: IdempotencyKeys
    draining: Draining
    locks: Locks


class _Prepared(Discreet):
    """A write that is ready to go.

    Attributes:
        call: the request.
        at: the field that wants it.
        read: makes the outcome's number out of the answer; it raises UpstreamMalformed when that
            is not the answer to this request.
        missing: says what is true when the upstream answers, with its code, that there is no such
            thing.
    """

    call: Call
    at: FieldPath
    read: Callable[[Answer], View | None]
    missing: Callable[[int | None], Awaitable[Outcome]]


Tell: TypeAlias = Callable[[Outcome], Awaitable[None]]
"""Lets others know of an outcome, once, and also when whoever asked has left. It never raises."""
Prepare: TypeAlias = Callable[[], Awaitable[Outcome | _Prepared]]
Send: TypeAlias = Callable[[], Awaitable[Outcome]]
"""Sends a write and returns its outcome."""
Spend: TypeAlias = Callable[[Send], Awaitable[Outcome]]
"""Writes if it may be paid for. A `RateLimited` that it raises says that nothing was sent."""


class Mutations(Discreet, dict=True):
    """The writes of one request.

    They read through readers of their own: what is true now, and even when the client has left.

    Attributes:
        request_id: names the request in logs.
    """

    # What the request's own have read is forgotten after a write.
    _reader: Reader
    _numbers: OwnedNumbers
    _writing: Writing
    # Nobody else's idempotency keys are the same.
    _caller: Caller
    request_id: str

    def note_gain(self, account: str) -> None:
        """Note that an account owns a number more."""
        self._numbers.note_gain(account)

    def purchase(
        self, asked: Purchase, at: FieldPath, tell: Tell, spend: Spend, selected: SelectedFields
    ) -> Coroutine[Any, Any, Outcome]:
        """Buy a number for an account; refuse when the account has it.

        Only a purchase that is about to be sent is spent on: neither a replay nor a look-up.

        Buying what one has is accepted upstream as a change of its settings, and answered as if
        it had been bought. So it is looked up first.
        """
        account, settings = asked.account, asked.settings
        key = PhoneNumberLookup(account, "number", asked.phone_number)

        async def prepare() -> Outcome | _Prepared:
            now = self._numbers.afresh()
            owned = self._owned(key, at, now)
            if asked.most is None:
                looked: list[Any] = [await owned]
            else:
                looked = await settled([owned, self._too_dear(asked, asked.most, at)])
            for each in looked:
                if isinstance(each, BaseException):
                    raise each
                if isinstance(each, View):
                    return Outcome(each, Reason.ALREADY_OWNED.refuse())
                if each is not None:
                    return Outcome(refusal=each)
            family = await self._family(account, settings, at, now)
            form = filters.form(settings, family.settings)
            call = family.purchase_call(account, asked.phone_number, form)
            read = _reading(family, account, number=asked.phone_number)
            return _Prepared(call, at, read, missing)

        async def missing(code: int | None) -> Outcome:
            return Outcome(refusal=Reason.NOT_SOLD.refuse(upstream_code=code, account=account))

        async def look() -> Outcome | None:
            number = await self._find(key, at)
            return Outcome(number) if number is not None else None

        buying = self._run(asked, prepare, look, tell, alone=key, spend=spend)
        return self._rehearsed(buying, asked, selected, at) if asked.dry_run else buying

    async def configure(self, asked: Configure, at: FieldPath, tell: Tell) -> Outcome:
        """Change settings of a number that an account owns."""
        account, settings = asked.account, asked.settings
        before: View | None = None

        async def show(family: Family) -> View | None:
            # In the family that the write goes to: the other one may not show what was set.
            return await self._numbers.afresh().shown(
                family, PhoneNumberLookup(account, "sid", asked.sid), at
            )

        async def prepare() -> Outcome | _Prepared:
            nonlocal before
            family, before = await self._serving(
                account, settings, at, lambda family: _owned_only(show(family))
            )
            if before is None:
                return _not_owned(account)
            clears = settings.get(_EMERGENCY_ADDRESS, "") is None
            if clears and (status := _registration(before)) is not None:
                return Outcome(refusal=Reason.EMERGENCY_ADDRESS_LEFT.refuse(status=status))
            if asked.dry_run and (refusal := _refuses_fallback(settings, before)) is not None:
                return Outcome(refusal=refusal)
            call = family.update_call(account, asked.sid, filters.form(settings, family.settings))
            read = _reading(family, account, sid=asked.sid)
            return _Prepared(call, at, read, partial(_missing, account))

        async def look() -> Outcome | None:
            family = await self._family(account, settings, at, self._numbers.afresh())
            number = await show(family)
            if number is None:
                raise Unproven("the account does not show the number any more")
            different = differing(number, settings)
            if not different:
                return Outcome(number)
            if before is not None and number.to_json() == before.to_json():
                return None
            raise Unproven(f"the number shows other values for {', '.join(different)}")

        return await self._run(asked, prepare, look, tell)

    async def transfer(self, asked: Transfer, at: FieldPath, tell: Tell) -> Outcome:
        """Move a number that an account owns to another account."""
        account, target = asked.account, asked.target
        missing = partial(self._not_there, asked, at)

        async def prepare() -> Outcome | _Prepared:
            seek = partial(self._seek, asked, at)
            family, (there, number) = await self._serving(account, asked.documents, at, seek)
            if not there:
                return await missing(None)
            if target == account:
                return Outcome(refusal=Reason.SAME_ACCOUNT.refuse(account=account))
            if asked.dry_run and number is not None:
                refusal = await self._refuses_to_take(target, at)
                refusal = refusal or _refuses_without_address(number, asked.papers)
                if refusal is not None:
                    return Outcome(refusal=refusal)
            form = [("AccountSid", target), *filters.form(asked.documents, family.settings)]
            call = family.update_call(account, asked.sid, form)
            return _Prepared(call, at, _reading(family, target, sid=asked.sid), missing)

        async def look() -> Outcome | None:
            there = await self._find(PhoneNumberLookup(target, "sid", asked.sid), at)
            if there is not None:
                return Outcome(there)
            here = await self._find(PhoneNumberLookup(account, "sid", asked.sid), at)
            if here is None:
                raise Unproven("the number shows in neither of the two accounts")
            return None

        return await self._run(asked, prepare, look, tell)

    async def release(self, asked: Release, at: FieldPath, tell: Tell) -> Outcome:
        """Give back a number that an account owns, if it is the one that the client means."""
        account = asked.account
        key = PhoneNumberLookup(account, "sid", asked.sid)

        async def prepare() -> Outcome | _Prepared:
            if (refusal := await self._refuses_release(asked, key, at)) is not None:
                return Outcome(refusal=refusal)
            family = await self._numbers.afresh().family(account, at)
            call = family.release_call(account, asked.sid)
            return _Prepared(call, at, read, partial(_missing, account))

        def read(answer: Answer) -> View | None:
            if answer.status != _NO_CONTENT or answer.body or not answer.has_request_id:
                message = "The answer is not the one that a release has."
                raise UpstreamMalformed(message, status=answer.status, request_id=answer.request_id)
            return released

        async def look() -> Outcome | None:
            gone = await self._find(key, at) is None
            return Outcome(released) if gone else None

        async def look_later() -> Outcome | None:
            seen = await look()
            for other in await self._others(account, at) if seen is not None else ():
                if await self._find(PhoneNumberLookup(other, "sid", asked.sid), at) is not None:
                    where = f"account {other}" if self._caller.may_see(other) else "another account"
                    raise Unproven(f"the number was moved and is in {where} now")
            return seen

        raw = {"sid": asked.sid, "phone_number": asked.confirmed}
        released = view("PhoneNumber", CORE.source, raw, account)
        return await self._run(asked, prepare, look, tell, later=look_later)

    # ----------------------------------------------------------------------------------------------

    async def _run(
        self,
        asked: Write,
        prepare: Prepare,
        look: Look,
        tell: Tell,
        later: Look | None = None,
        alone: PhoneNumberLookup | None = None,
        spend: Spend | None = None,
    ) -> Outcome:
        """Do it once for its key, in a task that outlives the request.

        `later` looks, in place of `look`, when others may have changed the number since; no other
        write is at the number that is to be written `alone`.
        """
        locks = self._writing.locks

        async def act(sending: Sending) -> Outcome:
            lock = None if alone is None else locks.take(alone)
            try:
                if lock is not None:
                    await lock
                prepared = await prepare()
                if isinstance(prepared, Outcome):
                    return prepared
                write = partial(self._write, prepared, asked.takes, look, sending)
                outcome = await (spend(write) if spend is not None else write())
            finally:
                if alone is not None:
                    locks.release(alone, lock)
            await tell(outcome)
            return outcome

        async def settle() -> Outcome | None:
            seen = await (later or look)()
            if seen is not None:
                await tell(seen)
            return seen

        try:
            return await self._once(asked, prepare, act, settle)
        except Undecided as error:
            return Outcome(refusal=error.refusal)

    async def _rehearsed(
        self,
        buying: Coroutine[Any, Any, Outcome],
        asked: Purchase,
        selected: SelectedFields,
        at: FieldPath,
    ) -> Outcome:
        """Return what comes of a dry run, `buying`, and of what is asked of who buys the number.

        All is read side by side. What the law asks for is read for the field that tells it.
        """
        country, kind, _ = origin(asked.phone_number)
        account = asked.account
        work: list[Coroutine[Any, Any, Any]] = [buying, self._to_buy(asked, at)]
        work.append(self._is_on_trial(account, at))
        if REQUIREMENTS in selected and country and kind:
            work.append(CountryRules(self._reader).regulations(country, kind, at))
        done, found, is_on_trial, *_ = await settled(work)
        for each in (done, found, is_on_trial):
            if isinstance(each, BaseException):
                raise each
        outcome: Outcome = done
        to_buy, is_for_sale = found
        if outcome.planned is None:
            pass  # It is refused already.
        elif is_on_trial:
            outcome = Outcome(refusal=Reason.ON_TRIAL.refuse(account=account))
        elif is_for_sale is False:
            outcome = Outcome(refusal=Reason.NOT_FOR_SALE.refuse())
        elif (alone := _refuses_fallback(asked.settings)) is not None:
            outcome = Outcome(refusal=alone)
        elif (wanted := asked_address(to_buy.address, to_buy.given)) is not None:
            outcome = Outcome(refusal=Reason.ADDRESS_MISSING.refuse(asked=wanted, write="purchase"))
        return outcome if outcome.number is not None else outcome._replace(to_buy=to_buy)

    async def _to_buy(self, asked: Purchase, at: FieldPath) -> tuple[NumberToBuy, bool | None]:
        """Return what can be found out about a number that is to be bought, and if it is for sale.

        None when that is not known.
        """
        number = address = is_for_sale = None
        with suppress(GatewayError):  # Then it is not known.
            wanted = PRICED if asked.most is not None else NOTHING
            number = await self._for_sale.find(asked.account, asked.phone_number, wanted, at)
            if searches_for(asked.account, asked.phone_number):
                is_for_sale = number is not None
        country, kind, _ = origin(asked.phone_number)
        if number is not None:
            law, place = number.regulatory, number.geography
            address = None if law is None else law.address_requirements
            country, kind = (place and place.iso_country) or country, number.type or kind
        return NumberToBuy(country, kind, address, asked.papers), is_for_sale

    async def _once(self, asked: Write, prepare: Prepare, act: Act, settle: Look) -> Outcome:
        """Do it, once for its key if there is one; for a dry run only prepare it."""
        if asked.dry_run:
            prepared = await prepare()
            return prepared if isinstance(prepared, Outcome) else Outcome(planned=prepared.call)
        if asked.key is None:
            doing = act(_nothing_to_note)
        else:
            meant = asked.meant
            written = None if len(meant) == len(asked.given) else _plain(asked, asked.given)
            given = _plain(asked, meant)
            who = self._caller.principal
            key = key_of(who, asked.account, asked.name, asked.key, given, written)
            doing = self._writing.keys.once(key, act, settle, self._reader.deadline)
        started = time.time()
        try:
            return await self._writing.draining.finish(doing)
        except Abandoned:
            found = "the gateway had to stop before it could look the number up"
            lost = "the gateway had to stop"
            return unknown(f"a {asked.name}", started, lost, found, time.time())

    async def _write(
        self, prepared: _Prepared, takes: frozenset[str], look: Look, sending: Sending
    ) -> Outcome:
        """Send the one request; when its answer is lost, `look` whether it was done."""
        left = self._reader.deadline - time.monotonic()
        if left < _LEAST_TIME:
            raise DeadlineExceeded("The time for this request was up before anything was sent.")
        account = prepared.call.account
        if prepared.call.family is Source.CATALOG and not self._reader.owns(account):
            # It was proven while the write was prepared, which took a while.
            await self._reader.alone().prove(account, (prepared.at,))
        call = msgspec.structs.replace(prepared.call, may_leave=await sending())
        deadline = self._reader.deadline - left * _KEPT_BACK
        try:
            answer = await self._reader.write(call, (prepared.at,), deadline=deadline)
            return Outcome(prepared.read(answer))
        except UpstreamError as error:
            if not error.processed:
                raise
            # Without a code of the upstream's own it is a proxy's, and the write may be done.
            if not isinstance(error, _REFUSED) or error.upstream_code is None:
                return await reconcile(prepared.call, error, look, self._reader.deadline)
            if isinstance(error, UpstreamDenied):
                raise
            if isinstance(error, UpstreamNotFound):
                return await prepared.missing(error.upstream_code)
            return refused(error, takes)
        except Exception as error:  # noqa: BLE001 - it was sent: what is said must be true
            request_id, kind = self.request_id, type(error).__name__
            _log.exception("write_answer_unread", request_id=request_id, kind=kind)
            lost = UpstreamMalformed("The upstream's answer could not be read.")
            return await reconcile(prepared.call, lost, look, self._reader.deadline)
        finally:
            # Not before it is settled: it may be done only after its answer was given up.
            await self._reader.changed(prepared.call)
            self._numbers.forget()

    async def _serving(
        self,
        account: str,
        settings: Mapping[str, Any],
        at: FieldPath,
        read: Callable[[Family], Coroutine[Any, Any, T]],
    ) -> tuple[Family, T]:
        """Return the family to write to, see `_family`, and what is read there before."""
        if filters.unsupported(settings, CATALOG.settings):
            return CORE, await read(CORE)
        return await self._numbers.afresh().serving(account, at, read)

    @staticmethod
    async def _family(
        account: str, settings: Mapping[str, Any], at: FieldPath, now: OwnedNumbers
    ) -> Family:
        """Return the account's family, or core when only core can set all that is asked."""
        if filters.unsupported(settings, CATALOG.settings):
            return CORE
        return await now.family(account, at)

    async def _not_there(self, asked: Transfer, at: FieldPath, code: int | None) -> Outcome:
        """Return the outcome of moving what the account does not own: it may have been moved."""
        account, target = asked.account, asked.target
        there = None
        if target != account:
            with suppress(GatewayError):
                there = await self._find(PhoneNumberLookup(target, "sid", asked.sid), at)
        if there is None:
            return _not_owned(account, code)
        values = {"account": account, "target": target}
        return Outcome(refusal=Reason.ALREADY_THERE.refuse(None, code, **values))

    async def _refuses_to_take(self, target: str, at: FieldPath) -> Refusal | None:
        """Return why an account cannot be given a number; None when nothing is known against it."""
        reader, is_shown = self._reader.alone(), True
        if target == reader.credential.account:
            return None
        try:
            account = await Accounts(reader).one(target, at)
            is_shown = account is not None
        except UpstreamDenied as error:
            # So the upstream speaks of accounts that are none of the caller's. But of keys it says
            # so, too, that may read no accounts at all.
            account = None
            is_shown = reader.credential.is_key or error.upstream_code != DENIED
        except GatewayError:  # Then it is not known.
            return None
        if not is_shown:
            return Reason.NO_SUCH_TARGET.refuse(target=target)
        if account is not None and is_inactive(account):
            return Reason.INACTIVE_TARGET.refuse(target=target)
        return None

    async def _is_on_trial(self, account: str, at: FieldPath) -> bool:
        """Whether the upstream shows an account as one on trial; to keys it need not show any."""
        reader = self._reader.alone()
        if reader.credential.is_key:
            return False
        with suppress(GatewayError):  # Then it is not known.
            shown = await Accounts(reader).one(account, at)
            return shown is not None and is_on_trial(shown)
        return False

    async def _seek(
        self, asked: Transfer, at: FieldPath, family: Family
    ) -> tuple[bool, View | None]:
        """Return whether the account owns what is to be moved, and the number where it was read.

        Core's path names the owner. The catalog moves whatever the credentials reach.
        """
        if not asked.dry_run and family is not CATALOG and asked.target != asked.account:
            return True, None
        key = PhoneNumberLookup(asked.account, "sid", asked.sid)
        number = await _owned_only(self._numbers.afresh().shown(family, key, at))
        return number is not None, number

    async def _refuses_release(
        self, asked: Release, key: PhoneNumberLookup, at: FieldPath
    ) -> Refusal | None:
        """Return why a number cannot be released; None when nothing speaks against it."""
        number = await _owned_only(self._find(key, at))
        if number is None:
            return Reason.NOT_OWNED.refuse(account=asked.account)
        if number.phone_number != asked.confirmed:
            return Reason.CONFIRMATION_MISMATCH.refuse(
                number=number.phone_number, confirmed=asked.confirmed
            )
        voice = number.configuration and number.configuration.voice
        if number.source is Source.CATALOG and voice and voice.emergency_address_sid:
            # There is an address, and only core knows how far it is registered.
            number = await _owned_only(self._numbers.afresh().shown(CORE, key, at)) or number
        status = _registration(number)
        return None if status is None else Reason.EMERGENCY_ADDRESS_KEPT.refuse(status=status)

    async def _others(self, account: str, at: FieldPath) -> list[str]:
        """Return the other accounts, of those in reach, that may have a number."""
        own = self._reader.credential.account
        if self._reader.credential.is_key:
            return []  # A key reaches no other; one of the standard kind cannot even list them.
        below = await Accounts(self._reader.alone()).all_subaccounts(own, at)
        return [sid for sid in (own, *(each.sid for each in below)) if sid != account][
            :_MOST_OTHERS
        ]

    async def _too_dear(self, asked: Purchase, most: Money, at: FieldPath) -> Refusal | None:
        """Return why a number is not bought for at most so much a month; None when it is.

        Raises:
            Undecided: the upstream did not tell what it costs.
        """
        try:
            number = await self._for_sale.find(asked.account, asked.phone_number, PRICED, at)
            price: Money | None = None if number is None else number.monthly_price
        except UpstreamError as error:
            problem = f"What the number costs could not be found out ({error.message})."
            code = error.upstream_code
            raise Undecided(Reason.PRICE_UNKNOWN.refuse(None, code, problem=problem)) from None
        if price is None:
            problem = "The upstream does not show this number for sale."
            if number is not None:
                problem = "The upstream lists no price for such a number."
            return Reason.PRICE_UNKNOWN.refuse(problem=problem)
        if price.currency_code != most.currency_code:
            problem = f"The number costs {price}, which cannot be compared with {most}."
            return Reason.PRICE_UNKNOWN.refuse(problem=problem)
        if price.amount > most.amount:
            return Reason.TOO_EXPENSIVE.refuse(price=price, most=most)
        return None

    @cached_property
    def _for_sale(self) -> NumberForSale:
        reader = self._reader.alone()  # Prices are those of now; numbers of one country share them.
        return NumberForSale(Search(reader, self._numbers.afresh(), 0), CountryRules(reader))

    async def _owned(self, key: PhoneNumberLookup, at: FieldPath, now: OwnedNumbers) -> View | None:
        """Return the number if the account has it; None too for test credentials."""
        try:
            return await self._find(key, at, now)
        except UpstreamDenied as error:
            # They may buy, for nothing, and do nothing else.
            if error.upstream_code == _TEST_CREDENTIALS:
                return None
            raise

    async def _find(
        self, key: PhoneNumberLookup, at: FieldPath, now: OwnedNumbers | None = None
    ) -> View | None:
        """Return a number as it is now; an upstream that shows another one is not believed."""
        found = await (now or self._numbers.afresh()).one(key, at, alone=True)
        if found is not None and key.value not in {found.sid, found.phone_number}:
            raise UpstreamMalformed("The upstream shows another number than the one asked for.")
        return found


async def _owned_only(found: Awaitable[View | None]) -> View | None:
    """Return the number that a write is about; None too when another account has it."""
    try:
        return await found
    except OfAnotherAccount:
        return None


def _refuses_without_address(number: View, given: frozenset[RegulatoryDocument]) -> Refusal | None:
    """Return why a number cannot be moved without an address; None when nothing is against it."""
    law = number.regulatory
    wanted = None if law is None else asked_address(law.address_requirements, given)
    return None if wanted is None else Reason.ADDRESS_MISSING.refuse(asked=wanted, write="transfer")


def _refuses_fallback(settings: Mapping[str, Any], before: View | None = None) -> Refusal | None:
    """Return why a fallback URL cannot be set; None when nothing speaks against it.

    Args:
        settings: what is to be set.
        before: the number as it is, unless it is being bought.
    """
    had = before and before.configuration
    for section in ("voice", "sms"):
        url, fallback = f"{section}.url", f"{section}.fallbackUrl"
        own = had and getattr(had, section)
        is_known = before is None or own is not None or url in settings
        if settings.get(fallback) and is_known and not settings.get(url, own and own.url):
            field = ("configuration", section, "fallbackUrl")
            return Reason.FALLBACK_ALONE.refuse(field, url=url)
    return None


async def _nothing_to_note() -> Callable[[], bool]:
    """Without a key nothing is remembered, and nobody else says anything of the write."""
    return lambda: True


def _plain(asked: Write, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input as JSON; key and account are told apart elsewhere.

    Paths are those of the last release, so that a key that it knows stands for the same input:
    there the documents of a purchase and a configuration were a part of `configuration`.
    """
    below = "" if isinstance(asked, Transfer) else "configuration."
    return {
        f"{below}{name}" if name.startswith("regulatory") else name: _plain_value(value)
        for name, value in given.items()
        if name not in {"idempotencyKey", "accountSid"}
    }


def _plain_value(value: object) -> object:
    if isinstance(value, Decimal):
        return write_decimal(value)  # 1 and 1.00 are one amount.
    return getattr(value, "name", value)


def _reading(
    family: Family,
    home: str,
    *,
    sid: str | None = None,
    number: str | None = None,
) -> Callable[[Answer], View]:
    """Return the reader of an answer that must show this `sid` or `number`, in account `home`."""

    def read(answer: Answer) -> View:
        shown = view("PhoneNumber", family.source, family.read_one(answer), home)
        told = "" if shown is None else shown.sid
        right = is_sid(told, "PN") and (sid is None or told == sid)
        if shown is None or not right or (number is not None and shown.phone_number != number):
            message = "The upstream's answer does not show what was asked for."
            raise UpstreamMalformed(message, status=answer.status, request_id=answer.request_id)
        check_owner(shown.raw.account_sid, home, family.source)
        return shown

    return read


def _not_owned(account: str, code: int | None = None) -> Outcome:
    """Return the outcome for a sid that an account does not have."""
    return Outcome(refusal=Reason.NOT_OWNED.refuse(upstream_code=code, account=account))


async def _missing(account: str, code: int | None) -> Outcome:
    """Return the outcome of a write that the upstream answered with its own 404."""
    return _not_owned(account, code)


def _registration(number: View) -> str | None:
    """Return in words how the emergency address of a number is registered; None when it is not."""
    settings = number.configuration
    voice = None if settings is None else settings.voice
    status = None if voice is None else voice.emergency_address_status
    return None if status is None else _REGISTERED.get(status)
