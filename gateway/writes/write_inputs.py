"""PURE: the inputs of mutations, each parsed once for its resolver and its plan.

A singular mutation raises what is wrong with its arguments; an item of a plural one is refused on
its own, and its siblings go ahead.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

from msgspec import Struct

from gateway.auth.caller import Caller
from gateway.errors import BadUserInput, GatewayError
from gateway.mapping import filters, validation
from gateway.writes.outcome import not_done_for
from gateway.writes.user_errors import Reason, Refusal
from gateway.writes.webhook_hosts import Webhooks
from schema.enums import RegulatoryDocument
from schema.inputs import (
    ConfigurePhoneNumberInput,
    PurchasePhoneNumberInput,
    ReleasePhoneNumberInput,
    TransferPhoneNumberInput,
)
from schema.scalars import Malformed
from schema.values import Money

Values: TypeAlias = Mapping[str, Any]
"""An input by the paths of its leaves, as clients spell them: `configuration.voice.url`."""
Input: TypeAlias = (
    PurchasePhoneNumberInput
    | ConfigurePhoneNumberInput
    | TransferPhoneNumberInput
    | ReleasePhoneNumberInput
)

_CONFIGURATION, _REGULATORY = "configuration", "regulatory"
_SETTINGS = frozenset({_CONFIGURATION, _REGULATORY})
_CLEAR = "regulatory.clear"
_KEY = "idempotencyKey"
_MONEY = ("amount", "currencyCode")
_DOCUMENTS: Mapping[RegulatoryDocument, str] = {
    RegulatoryDocument.ADDRESS: "regulatory.addressSid",
    RegulatoryDocument.BUNDLE: "regulatory.bundleSid",
    RegulatoryDocument.IDENTITY: "regulatory.identitySid",
}
# What null does not clear, and what to write instead. Every other setting is a text, a URL or a
# sid, which null clears. Paths are those of `_settings`.
_METHOD = "leave it out to keep the method, or write POST, which the upstream falls back to"
_NAME_THEM = "leave it out to keep its settings, or name those to clear, for example `{{ {} }}`"
_NOT_CLEARED: Mapping[str, str] = {
    _CONFIGURATION: _NAME_THEM.format("friendlyName: null"),
    "voice": _NAME_THEM.format("url: null, applicationSid: null"),
    "sms": _NAME_THEM.format("url: null, applicationSid: null"),
    _REGULATORY: _NAME_THEM.format("clear: [ADDRESS, BUNDLE, IDENTITY]"),
    "statusCallbackMethod": _METHOD,
    "voice.method": _METHOD,
    "voice.fallbackMethod": _METHOD,
    "sms.method": _METHOD,
    "sms.fallbackMethod": _METHOD,
    "voice.emergencyStatus": "leave it out: writing it has no effect",
    "voice.receiveMode": "leave it out to keep it, or write VOICE",
    **{
        path: f"leave it out to keep it, or write `regulatory: {{ clear: [{each.name}] }}`"
        for each, path in _DOCUMENTS.items()
    },
}


class InputRefused(Exception):
    """The gateway refuses an input itself, before anything is asked; it is a user error."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Asker(Struct, frozen=True):
    """Who asks for a write, and when.

    Attributes:
        caller: who asks.
        webhooks: which ones may be set.
        written: an earlier mutation of the operation has an outcome: an error would take it away
            with the whole answer, so it is a user error.
    """

    caller: Caller
    webhooks: Webhooks
    written: bool


class Write(Struct, frozen=True):
    """What all mutations have in common.

    Attributes:
        name: what idempotency keys know the mutation by.
        subject: the path of the input field that names the object.
        takes: the fields of the input that the upstream's refusals may be about.
        clears: null for a setting is not the same as its absence.
        account: the account that has the number, or will have it.
        key: the client's idempotency key, if there is one.
        dry_run: nothing is to be sent.
        given: the whole input.
    """

    name: ClassVar[str]
    subject: ClassVar[str] = "sid"
    takes: ClassVar[frozenset[str]] = frozenset({"sid"})
    clears: ClassVar[bool] = False

    account: str
    key: str | None
    dry_run: bool
    given: Values

    @property
    def sets(self) -> Values:
        """The settings that it is to make, by their paths."""
        return {}

    @property
    def papers(self) -> frozenset[RegulatoryDocument]:
        """The papers that it names."""
        return frozenset(each for each, path in _DOCUMENTS.items() if self.sets.get(path))

    @property
    def meant(self) -> Values:
        """The input without what says no more than its absence."""
        return {
            path: value
            for path, value in self.given.items()
            if value not in (None, "", []) or (self.clears and path != _CLEAR)
        }

    @classmethod
    def parse(cls, wanted: Input, asker: Asker) -> Self | Refusal:
        """Return the input of a singular mutation as parsed, or why it is refused.

        Raises:
            BadUserInput: an argument is malformed, and nothing was written yet.
            Forbidden: the caller may not use an account, and nothing was written yet.
        """
        try:
            return cls._parse(filters.given(wanted), asker)
        except InputRefused as error:
            return error.refusal
        except GatewayError as error:
            if not asker.written:
                raise
            return not_done_for(error)

    @classmethod
    def parse_each(cls, items: Sequence[Input], asker: Asker) -> list[Self | Refusal]:
        """Return each item of a plural mutation as parsed, or why it is refused.

        An object that an earlier item names is refused, whatever becomes of the earlier one: which
        of the two was meant nobody knows.

        Raises:
            BadUserInput: there are none, or too many, and nothing was written yet.
        """
        try:
            validation.check_items(len(items))
        except BadUserInput as error:
            if not asker.written:
                raise
            return [not_done_for(error)] * len(items)
        parsed: list[Self | Refusal] = []
        named: dict[str, int] = {}
        for place, item in enumerate(items):
            try:
                asked = cls._parse(_wellformed(item), asker)
            except InputRefused as error:
                parsed.append(in_item(error.refusal, place))
            except GatewayError as error:
                parsed.append(in_item(not_done_for(error), place))
            else:
                first = named.setdefault(asked.identify(), place)
                again = first != place
                parsed.append(in_item(_repeated(asked, first), place) if again else asked)
        return parsed

    @classmethod
    def _parse(cls, given: Values, asker: Asker) -> Self:
        """Read the input of a singular mutation, or an item of a plural one, by its paths.

        Raises:
            BadUserInput: an argument is malformed.
            Forbidden: the caller may not use an account.
            InputRefused: the input cannot be accepted; it is a user error in singular mutations,
                too.
        """
        if "sid" in given:
            validation.check_sid("input.sid", given["sid"], "PN")
        if "toAccountSid" in given:
            asker.caller.account_named(given["toAccountSid"], "input.toAccountSid")
        account = asker.caller.account_named(given.get("accountSid"), "input.accountSid")
        key = given.get(_KEY)
        if key is not None:
            validation.check_key(key)
        settings = _settings(given)
        problem = asker.webhooks.problem(settings)
        if problem is not None:
            raise _refused(".".join(problem[0]), problem[1])
        return cls(account, key, given["dryRun"], given, *cls._own(given, settings))

    @classmethod
    def _own(cls, given: Values, settings: dict[str, Any]) -> tuple[Any, ...]:
        """Return the values of the fields that only this kind of write has; see `_parse`.

        `settings` are the caller's own, from `_settings`.
        """
        raise NotImplementedError

    def identify(self) -> str:
        """Return what names the object: no two accounts have one number, or one sid."""
        return str(self.given[self.subject]).lower()


class Purchase(Write, frozen=True):
    """A number to buy, with its first settings, for no more than `most` a month."""

    name = "purchase"
    subject = "phoneNumber"
    takes = frozenset({"phoneNumber", _CONFIGURATION, _REGULATORY})

    phone_number: str
    settings: Values
    most: Money | None

    @property
    def sets(self) -> Values:
        """See `Write`."""
        return self.settings

    @classmethod
    def _own(cls, given: Values, settings: dict[str, Any]) -> tuple[str, Values, Money | None]:
        if settings.pop(_CLEAR, None):
            raise _refused(_CLEAR, "A number that is being bought has nothing to clear.")
        # Nor has it anything that null or an empty text could clear: they count as not given.
        kept = {path: value for path, value in settings.items() if value not in {None, ""}}
        _check(kept)
        most: Money | None = None
        if "maxMonthlyPrice.amount" in given:
            amount, currency = (given[f"maxMonthlyPrice.{name}"] for name in _MONEY)
            if amount < 0:
                field, problem = ("maxMonthlyPrice", "amount"), "A price is not below 0."
                raise InputRefused(Reason.BAD_SETTING.refuse(field, problem=problem))
            most = Money(amount=amount, currency_code=currency)
        return given["phoneNumber"], kept, most


class Configure(Write, frozen=True):
    """Settings of a number to change; None clears."""

    name = "configure"
    takes = frozenset({"sid", _CONFIGURATION, _REGULATORY})
    clears = True

    sid: str
    settings: Values

    @property
    def sets(self) -> Values:
        """See `Write`."""
        return self.settings

    @classmethod
    def _own(cls, given: Values, settings: dict[str, Any]) -> tuple[str, Values]:
        for path, value in settings.items():
            if value is None and path in _NOT_CLEARED:
                raise _refused(path, f"Null does not clear this: {_NOT_CLEARED[path]}.")
        for document in dict.fromkeys(settings.pop(_CLEAR, None) or ()):
            path = _DOCUMENTS[document]
            if path in settings:
                name = path.removeprefix("regulatory.")
                raise _refused(_CLEAR, f"`{name}` is given too; set it or clear it.")
            settings[path] = None
        _check(settings)
        if not settings:
            raise _refused(_CONFIGURATION, "Nothing to change: give at least one setting.")
        return given["sid"], settings


class Transfer(Write, frozen=True):
    """A number to move to the account `target`, with `documents` of that account."""

    name = "transfer"
    takes = frozenset({"sid", "toAccountSid", _REGULATORY})

    sid: str
    target: str
    documents: Values

    @property
    def sets(self) -> Values:
        """See `Write`."""
        return self.documents

    @classmethod
    def _own(cls, given: Values, _: dict[str, Any]) -> tuple[str, str, Values]:
        if given.get(_CLEAR):
            message = "A number that moves has nothing to clear: it keeps no document."
            raise _refused(_CLEAR, message)
        # As in a purchase, null counts as not given.
        documents = {path: given[path] for path in _DOCUMENTS.values() if given.get(path)}
        _check(documents)
        return given["sid"], given["toAccountSid"], documents


class Release(Write, frozen=True):
    """A number to give back, if it is the one that is `confirmed`."""

    name = "release"

    sid: str
    confirmed: str

    @classmethod
    def _own(cls, given: Values, _: dict[str, Any]) -> tuple[str, str]:
        return given["sid"], given["confirmPhoneNumber"]


W = TypeVar("W", bound=Write)


def in_item(refusal: Refusal, place: int) -> Refusal:
    """Return a refusal as one of the item at `place` of a plural input."""
    return refusal._replace(field=("items", str(place), *refusal.field))


def _wellformed(item: Input) -> Values:
    """Return an item by its paths.

    Raises:
        BadUserInput: it has a malformed scalar; a singular input with one never comes here.
    """
    given = filters.given(item)
    for path, value in given.items():
        if isinstance(value, Malformed):
            raise BadUserInput(f"input.{path}", value.problem)
    return given


def _settings(given: Values) -> dict[str, Any]:
    """Return the settings and documents that were given: `voice.url`, `regulatory.bundleSid`."""
    return {
        path.removeprefix(f"{_CONFIGURATION}."): value
        for path, value in given.items()
        if path.partition(".")[0] in _SETTINGS
    }


def _check(settings: Values) -> None:
    wrong = validation.check_settings(settings) if settings else None
    if wrong is not None:
        raise _refused(*wrong)


def _refused(path: str, message: str) -> InputRefused:
    """Return the refusal of a setting or document; see `_settings`."""
    steps = tuple(path.split("."))
    field = steps if steps[0] in _SETTINGS else (_CONFIGURATION, *steps)
    return InputRefused(Reason.BAD_SETTING.refuse(field, problem=message))


def _repeated(asked: Write, first: int) -> Refusal:
    return Reason.REPEATED.refuse((asked.subject,), first=first, subject=asked.subject)
