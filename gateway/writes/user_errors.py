"""PURE: what the gateway says itself when a write was not done, as one table.

Each reason has its code, its words, when it is given, and what proves that it is true. The page
`docs/errors.md` is made from this table, and a test shows every line of it. What the upstream
refuses is told in the upstream's own words, with a code from `REFUSALS`.
"""

import enum
from collections.abc import Mapping
from typing import NamedTuple

from schema.user_errors import UserErrorCode


class Refusal(NamedTuple):
    """Why a write was not done, as the payload's `userErrors` say it."""

    field: tuple[str, ...]
    message: str
    code: UserErrorCode
    upstream_code: int | None = None


class _Line(NamedTuple):
    """A line of the table: `words` name in braces what depends on the case."""

    code: UserErrorCode
    field: tuple[str, ...]
    words: str
    when: str
    proof: str


_ASKED = "the input itself; nothing is asked"
_NOT_SENT = "it is raised before anything leaves, or when the upstream certainly did nothing"
_EMERGENCY = "a look-up in core before anything is sent"
_MOST = ("maxMonthlyPrice",)
_SETTING = ("configuration", "…")


class Reason(enum.Enum):
    """Why the gateway says that a write was not done, or that it does not know."""

    ALREADY_OWNED = _Line(
        UserErrorCode.ALREADY_OWNED,
        ("phoneNumber",),
        "The account owns this number already; nothing was bought and no setting changed.",
        "a purchase of what the account has",
        "a look-up before anything is sent shows the number",
    )
    NOT_OWNED = _Line(
        UserErrorCode.NOT_FOUND,
        ("sid",),
        "The account {account} owns no number with this sid. If another account does, name that"
        " in `accountSid`.",
        "a change, transfer or release of a number that the account does not own, or that does not"
        " exist",
        "the upstream's own 404 about this account, or its answer that the number is another's",
    )
    NOT_SOLD = _Line(
        UserErrorCode.NOT_FOUND,
        (),
        "The upstream has no place where the account {account} could buy; nothing was bought.",
        "a purchase",
        "the upstream's own 404 in answer to it",
    )
    ON_TRIAL = _Line(
        UserErrorCode.TRIAL_ACCOUNT,
        (),
        "{account} is a trial account, which buys no numbers through the API; nothing was bought.",
        "a dry run of a purchase for a trial account, as the purchase would be",
        "a read of that account",
    )
    NOT_FOR_SALE = _Line(
        UserErrorCode.NOT_AVAILABLE,
        ("phoneNumber",),
        "The upstream does not show this number for sale; nothing was bought.",
        "a dry run of a purchase of a number that is not for sale, as the purchase would be",
        "searches for that very number, in all kinds of its country, none of which shows it",
    )
    TOO_EXPENSIVE = _Line(
        UserErrorCode.TOO_EXPENSIVE,
        _MOST,
        "The number costs {price} a month, and {most} are allowed at most; nothing was bought.",
        "a purchase of a number that costs more than `maxMonthlyPrice`",
        "a search before anything is sent shows the number with its own price, or its kind; then"
        " the price list of its country, read anew",
    )
    PRICE_UNKNOWN = _Line(
        UserErrorCode.PRICE_UNKNOWN,
        _MOST,
        "{problem} As `maxMonthlyPrice` was given, nothing was bought.",
        "a purchase with `maxMonthlyPrice` of a number whose price is in another currency, or is"
        " not to be found out: the number is not shown for sale, no list has its price, or the"
        " upstream did not answer",
        "as above; when the upstream did not answer, the idempotency key is free again",
    )
    ADDRESS_MISSING = _Line(
        UserErrorCode.ADDRESS_REQUIRED,
        ("regulatory", "addressSid"),
        "The number requires {asked}, and `addressSid` names none: the upstream would refuse the"
        " {write}.",
        "a dry run of a purchase or transfer without an address, of a number that requires one; the"
        " purchase or transfer itself is refused by the upstream",
        "a search, or a look-up in the account, shows the number with the address that it requires",
    )
    SAME_ACCOUNT = _Line(
        UserErrorCode.TRANSFER_REFUSED,
        ("toAccountSid",),
        "The account {account} owns the number already: there is nothing to move.",
        "a transfer from an account to itself",
        "a look-up in that account shows the number",
    )
    ALREADY_THERE = _Line(
        UserErrorCode.TRANSFER_REFUSED,
        ("toAccountSid",),
        "The number is in the account {target} already, and not in {account}.",
        "a transfer of a number that the account does not own, and the other one does",
        "as for a number that is not owned, and a look-up in the other account shows it",
    )
    NO_SUCH_TARGET = _Line(
        UserErrorCode.TRANSFER_REFUSED,
        ("toAccountSid",),
        "The upstream shows no account {target} to the credentials in use; nothing was moved.",
        "a dry run of a transfer to an account that has nothing to do with the caller's, as the"
        " transfer would be",
        "a read of that account",
    )
    INACTIVE_TARGET = _Line(
        UserErrorCode.TRANSFER_REFUSED,
        ("toAccountSid",),
        "The account {target} is not active; nothing was moved.",
        "a dry run of a transfer to an account that is suspended or closed, as the transfer would"
        " be",
        "a read of that account",
    )
    CONFIRMATION_MISMATCH = _Line(
        UserErrorCode.CONFIRMATION_MISMATCH,
        ("confirmPhoneNumber",),
        "The sid belongs to {number}, not to {confirmed}; nothing was released.",
        "a release whose `confirmPhoneNumber` is another number",
        "a look-up before anything is sent shows which number the sid has",
    )
    EMERGENCY_ADDRESS_KEPT = _Line(
        UserErrorCode.EMERGENCY_ADDRESS_REGISTERED,
        (),
        "The number's emergency address {status}. Until it is unregistered, which Twilio's"
        " console does, the number cannot be released; nothing was released.",
        "a release of a number whose emergency address is registered, or on its way in or out",
        _EMERGENCY,
    )
    EMERGENCY_ADDRESS_LEFT = _Line(
        UserErrorCode.EMERGENCY_ADDRESS_REGISTERED,
        ("configuration", "voice", "emergencyAddressSid"),
        "The number's emergency address {status}. Until it is unregistered, which Twilio's"
        " console does, it cannot be taken away; nothing was changed.",
        "`emergencyAddressSid: null` for a number whose emergency address is registered, or on its"
        " way in or out",
        _EMERGENCY,
    )
    FALLBACK_ALONE = _Line(
        UserErrorCode.INVALID_INPUT,
        _SETTING,
        "There is no `{url}` for which this could be the fallback: the upstream would refuse it.",
        "a dry run that sets a `fallbackUrl` and leaves the number without the `url` beside it; the"
        " write itself is refused by the upstream",
        "the input and, of a number that is owned, a look-up before anything is sent",
    )
    BAD_SETTING = _Line(
        UserErrorCode.INVALID_INPUT,
        _SETTING,
        "{problem}",
        "a setting, document or highest price that cannot be accepted; the words say why",
        _ASKED,
    )
    BAD_ARGUMENT = _Line(
        UserErrorCode.INVALID_INPUT,
        ("…",),
        "{problem}",
        "a malformed argument in an item of a plural mutation, or behind another write of the same"
        " operation; elsewhere it is an error at the top: `BAD_USER_INPUT`, or"
        " `GRAPHQL_VALIDATION_FAILED` for what is written in the document and no scalar takes",
        _ASKED,
    )
    REPEATED = _Line(
        UserErrorCode.INVALID_INPUT,
        ("sid or phoneNumber",),
        "This item repeats item {first}: `{subject}` names the same number, which one mutation"
        " changes only once. Nothing was done for this item.",
        "an item of a plural mutation that names the number of an earlier one",
        _ASKED,
    )
    KEY_OF_ANOTHER = _Line(
        UserErrorCode.IDEMPOTENCY_CONFLICT,
        ("idempotencyKey",),
        "This idempotency key was used before, with another input; nothing was done.",
        "an idempotency key that was used with another input",
        "the record of the key",
    )
    NOT_ALLOWED = _Line(
        UserErrorCode.FORBIDDEN,
        ("accountSid or toAccountSid",),
        "{problem}",
        "an item of a plural mutation, or a write behind another one, for an account with which the"
        " caller, or whom the gateway acts as, may not do it; elsewhere it is the error `FORBIDDEN`"
        " at the top",
        "the caller's token, before anything is asked; or the upstream's own code",
    )
    NOT_SENT = _Line(
        UserErrorCode.NOT_DONE,
        (),
        "{problem}",
        "an item of a plural mutation, or a write behind another one, that could not be sent;"
        " elsewhere it is an error at the top",
        _NOT_SENT,
    )
    NO_TRACE = _Line(
        UserErrorCode.NOT_DONE,
        (),
        "The answer was lost. Looking the number up shows that nothing was done; use a new key to"
        " try again.",
        "an idempotency key whose write was lost",
        "nobody is at work on it any more, and two looks show no trace of it, the second a minute"
        " after the first, by every clock that both have seen",
    )
    LOST = _Line(
        UserErrorCode.OUTCOME_UNKNOWN,
        (),
        "It is not known whether it was done: {what} was sent at about {sent} and its answer was"
        " lost ({lost}); {found} (at {now}). Look before you try again.",
        "a write whose answer was lost, and looking has not shown it done",
        "nothing: that is what it says",
    )
    BROKEN = _Line(
        UserErrorCode.OUTCOME_UNKNOWN,
        (),
        "Something went wrong in the gateway, and it is not known whether it was done.",
        "an item of a plural mutation, or a write behind another one, that met a fault of the"
        " gateway; it is logged",
        "nothing: that is what it says",
    )

    def refuse(
        self,
        field: tuple[str, ...] | None = None,
        upstream_code: int | None = None,
        **values: object,
    ) -> Refusal:
        """Return the refusal, its words filled in with `values`.

        Args:
            field: the input field to blame, where it depends on the case.
            upstream_code: the upstream's error code, if it gave one.
            values: what the words name in braces.
        """
        line = self.value
        message = line.words.format(**values)
        return Refusal(line.field if field is None else field, message, line.code, upstream_code)


# Upstream error code → what a client is told, and the input field to blame (below `input`).
# Source: the upstream's error dictionary; 21452 and 21650 are in the resource's own documentation.
REFUSALS: Mapping[int, tuple[UserErrorCode, tuple[str, ...]]] = {
    20002: (UserErrorCode.INVALID_INPUT, ("configuration", "friendlyName")),
    20404: (UserErrorCode.NOT_FOUND, ("sid",)),
    21401: (UserErrorCode.INVALID_PHONE_NUMBER, ("phoneNumber",)),
    21402: (UserErrorCode.INVALID_INPUT, ("configuration",)),
    21403: (UserErrorCode.INVALID_INPUT, ("configuration",)),
    21404: (UserErrorCode.TRIAL_ACCOUNT, ()),
    21405: (UserErrorCode.INVALID_INPUT, ("configuration", "voice", "fallbackUrl")),
    21406: (UserErrorCode.INVALID_INPUT, ("configuration", "sms", "fallbackUrl")),
    21407: (UserErrorCode.INVALID_INPUT, ("configuration", "sms")),
    21409: (UserErrorCode.INVALID_INPUT, ("configuration", "voice", "callerIdLookup")),
    21420: (UserErrorCode.INVALID_INPUT, ("configuration",)),
    21421: (UserErrorCode.INVALID_PHONE_NUMBER, ("phoneNumber",)),
    21422: (UserErrorCode.NOT_AVAILABLE, ("phoneNumber",)),
    21452: (UserErrorCode.NOT_AVAILABLE, ("phoneNumber",)),
    21458: (UserErrorCode.INVALID_INPUT, ("phoneNumber",)),
    21470: (UserErrorCode.TRANSFER_REFUSED, ("toAccountSid",)),
    21471: (UserErrorCode.TRANSFER_REFUSED, ("toAccountSid",)),
    21472: (UserErrorCode.TRANSFER_REFUSED, ("toAccountSid",)),
    21473: (UserErrorCode.TRANSFER_REFUSED, ("toAccountSid",)),
    21474: (UserErrorCode.TRANSFER_REFUSED, ()),
    21615: (UserErrorCode.ADDRESS_REQUIRED, ("regulatory", "addressSid")),
    21631: (UserErrorCode.ADDRESS_REQUIRED, ("regulatory", "addressSid")),
    21649: (UserErrorCode.BUNDLE_REQUIRED, ("regulatory", "bundleSid")),
    21650: (UserErrorCode.IDENTITY_REQUIRED, ("regulatory", "identitySid")),
    21634: (
        UserErrorCode.EMERGENCY_ADDRESS_REGISTERED,
        ("configuration", "voice", "emergencyAddressSid"),
    ),
    21651: (UserErrorCode.DOCUMENT_UNSUITABLE, ("regulatory",)),
}
