"""Writes: buy, configure, transfer, release. Each is sent at most once, and its outcome is true.

When the answer to a write is lost, the number is looked up before anything is said:

    answered 2xx                               done
    answered 4xx, or certainly not processed   refused, or a system error: nothing was done
    lost, and the look-up shows the change     done, `reconciled`
    answered 5xx or garbled, no change there   NOT_DONE
    no answer at all, no change there          OUTCOME_UNKNOWN: it may still be on its way
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from graphql.pyutils import Path

from gateway import filters
from gateway.errors import (
    REFUSALS,
    UpstreamDenied,
    UpstreamError,
    UpstreamNotFound,
    UpstreamRefused,
)
from gateway.numbers import Key, OwnedNumbers
from gateway.reader import Reader
from gateway.records import View
from gateway.upstream.call import Answer, Call
from gateway.upstream.families import CORE, Family, view
from gateway.validation import check_friendly_name
from schema.enums import UserErrorCode
from schema.inputs import (
    ConfigurePhoneNumberInput,
    PurchasePhoneNumberInput,
    ReleasePhoneNumberInput,
    TransferPhoneNumberInput,
)


class Refusal(NamedTuple):
    """Why a write was not done, as the payload's `userErrors` say it."""

    field: tuple[str, ...]
    message: str
    code: UserErrorCode
    upstream_code: int | None = None


class Outcome(NamedTuple):
    """What became of a write.

    Attributes:
        number: the number after it; before it, for a release; None when it was not done.
        refusal: why it was not done; None when it was.
        reconciled: the answer was lost, and looking the number up showed the outcome.
        planned: the request that a dry run would have sent.
    """

    number: View | None = None
    refusal: Refusal | None = None
    reconciled: bool = False
    planned: Call | None = None


class Mutations:
    """The writes of one request."""

    def __init__(self, reader: Reader, numbers: OwnedNumbers) -> None:
        self._reader = reader
        self._numbers = numbers

    async def purchase(self, wanted: PurchasePhoneNumberInput, account: str, at: Path) -> Outcome:
        """Buy a number for `account`."""
        settings = dict(filters.given(wanted.configuration or None))
        if refusal := _bad_settings(settings):
            return Outcome(refusal=refusal)
        family = await self._family(account, settings, at)
        form = filters.form(settings, family.settings)
        call = family.purchase_call(account, wanted.phone_number, form)
        key = Key(account, "number", wanted.phone_number)

        async def look() -> Outcome | None:
            number = await self._numbers.one(key, at)
            return Outcome(number, reconciled=True) if number is not None else None

        return await self._write(call, family, account, wanted.dry_run, look, at)

    async def configure(self, wanted: ConfigurePhoneNumberInput, account: str, at: Path) -> Outcome:
        """Change settings of a number that `account` owns."""
        settings = dict(filters.given(wanted.configuration))
        refusal = _bad_settings(settings) or _nothing(settings)
        if refusal:
            return Outcome(refusal=refusal)
        family = await self._family(account, settings, at)
        call = family.update_call(account, wanted.sid, filters.form(settings, family.settings))

        async def look() -> Outcome | None:
            number = await self._numbers.one(Key(account, "sid", wanted.sid), at)
            if number is None or not _has(number, settings):
                return None
            return Outcome(number, reconciled=True)

        return await self._write(call, family, account, wanted.dry_run, look, at)

    async def transfer(self, wanted: TransferPhoneNumberInput, account: str, at: Path) -> Outcome:
        """Move a number that `account` owns to another account."""
        target = wanted.to_account_sid
        if target == account:
            message = "The number is in that account already."
            refused = UserErrorCode.TRANSFER_REFUSED
            return Outcome(refusal=Refusal(("toAccountSid",), message, refused))
        family = await self._numbers.family(account, at)
        call = family.update_call(account, wanted.sid, [("AccountSid", target)])

        async def look() -> Outcome | None:
            number = await self._numbers.one(Key(target, "sid", wanted.sid), at)
            return Outcome(number, reconciled=True) if number is not None else None

        return await self._write(call, family, target, wanted.dry_run, look, at)

    async def release(self, wanted: ReleasePhoneNumberInput, account: str, at: Path) -> Outcome:
        """Give back a number that `account` owns, if it is the one that the client means."""
        key = Key(account, "sid", wanted.sid)
        number = await self._numbers.one(key, at)
        if number is None:
            return Outcome(refusal=_not_owned())
        if number.phone_number != wanted.confirm_phone_number:
            return Outcome(
                refusal=Refusal(
                    ("confirmPhoneNumber",),
                    f"The sid belongs to {number.phone_number},"
                    f" not to {wanted.confirm_phone_number}; nothing was released.",
                    UserErrorCode.CONFIRMATION_MISMATCH,
                )
            )
        family = await self._numbers.family(account, at)
        call = family.release_call(account, wanted.sid)

        async def look() -> Outcome | None:
            gone = await self._numbers.one(key, at) is None
            return Outcome(number, reconciled=True) if gone else None

        outcome = await self._write(call, family, account, wanted.dry_run, look, at)
        released = outcome.refusal is None and outcome.planned is None
        return outcome._replace(number=number) if released else outcome

    async def _family(self, account: str, settings: Mapping[str, Any], at: Path) -> Family:
        """Return the account's family, or core when only core can set all that is asked."""
        family = await self._numbers.family(account, at)
        return family if not filters.unsupported(settings, family.settings) else CORE

    async def _write(
        self,
        call: Call,
        family: Family,
        home: str,
        dry_run: bool,  # noqa: FBT001 - passed on from the input
        look: Callable[[], Awaitable[Outcome | None]],
        at: Path,
    ) -> Outcome:
        """Send the one request; when its answer is lost, `look` whether it was done."""
        if dry_run:
            return Outcome(planned=call)
        try:
            answer = await self._reader.write(call, (at,))
            self._numbers.forget()
            return Outcome(_written(family, answer, home))
        except (UpstreamRefused, UpstreamNotFound) as error:
            self._numbers.forget()
            return Outcome(refusal=_refusal(error))
        except UpstreamDenied:
            raise
        except UpstreamError as error:
            self._numbers.forget()
            if not error.processed:
                raise
            return await _reconcile(error, look)


async def _reconcile(
    error: UpstreamError, look: Callable[[], Awaitable[Outcome | None]]
) -> Outcome:
    """Say what is true after an answer was lost."""
    try:
        seen = await look()
    except UpstreamError:
        return Outcome(refusal=_unknown("looking the number up failed too", error))
    if seen is not None:
        return seen
    if error.status is None:
        return Outcome(refusal=_unknown("looking the number up shows no change so far", error))
    message = f"{error.message} Looking the number up shows that nothing was done."
    return Outcome(refusal=Refusal((), message, UserErrorCode.NOT_DONE, error.upstream_code))


def _unknown(found: str, error: UpstreamError) -> Refusal:
    message = f"{error.message} It is not known whether it was done: {found}."
    return Refusal((), message, UserErrorCode.OUTCOME_UNKNOWN, error.upstream_code)


def _written(family: Family, answer: Answer, home: str) -> View | None:
    if not answer.body:
        return None
    return view("PhoneNumber", family.source, family.read_one(answer), home)


def _refusal(error: UpstreamError) -> Refusal:
    """Return the user error for an upstream refusal, from the table of codes."""
    if isinstance(error, UpstreamNotFound):
        return _not_owned(error.upstream_code)
    code, field = REFUSALS.get(error.upstream_code or 0, (UserErrorCode.REFUSED, ()))
    return Refusal(field, error.message, code, error.upstream_code)


def _not_owned(upstream_code: int | None = None) -> Refusal:
    message = "The account owns no number with this sid."
    return Refusal(("sid",), message, UserErrorCode.NOT_FOUND, upstream_code)


def _bad_settings(settings: Mapping[str, Any]) -> Refusal | None:
    problem = check_friendly_name(settings.get("friendlyName"))
    if problem is None:
        return None
    return Refusal(("configuration", "friendlyName"), problem, UserErrorCode.INVALID_INPUT)


def _nothing(settings: Mapping[str, Any]) -> Refusal | None:
    if settings:
        return None
    message = "Nothing to change: give at least one setting."
    return Refusal(("configuration",), message, UserErrorCode.INVALID_INPUT)


def _has(number: View, settings: Mapping[str, Any]) -> bool:
    """Whether a number shows all the settings that were to be made."""
    for path, value in settings.items():
        seen: Any = number.regulatory if path.startswith("regulatory.") else number.configuration
        for step in path.removeprefix("regulatory.").split("."):
            seen = getattr(seen, filters.to_field(step), None)
        if seen != value:
            return False
    return True
