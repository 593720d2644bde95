"""Why a mutation did not do what was asked: one table of codes, and which mutation knows which.

Each mutation has an enum of its own codes, so that clients can treat all of them and need no
branch for what cannot happen. A code that a mutation does not know is `REFUSED` there.
"""

import enum
from typing import Final, NamedTuple

import strawberry
from strawberry import field

from schema.directives import part


class Meaning(NamedTuple):
    """What a code says, and what a client does about it: whole sentences."""

    meaning: str
    remedy: str


class UserErrorCode(enum.Enum):
    """Every reason why a mutation did not do what was asked."""

    __hash__ = object.__hash__

    INVALID_INPUT = Meaning(
        "A value in the input cannot be accepted; nothing was done.",
        "Change the value that `field` names, as the message says.",
    )
    NOT_FOUND = Meaning(
        "The account has no such number, or no place for one; nothing was done.",
        "Read the account's numbers again, or name the account that owns it in `accountSid`.",
    )
    ALREADY_OWNED = Meaning(
        "The account owns this number already; nothing was bought or changed.",
        "Take the number from `phoneNumber`; change it with `configurePhoneNumber`.",
    )
    NOT_AVAILABLE = Meaning(
        "This number is not for sale to the account now; nothing was bought.",
        "Search again and offer another number.",
    )
    INVALID_PHONE_NUMBER = Meaning(
        "There is no such phone number; nothing was bought.",
        "Take the number from a search, in E.164: `+14155550100`.",
    )
    TOO_EXPENSIVE = Meaning(
        "The number costs more than `maxMonthlyPrice` allows; nothing was bought.",
        "Show the price that the message tells, and ask again with a higher `maxMonthlyPrice` and a"
        " new idempotency key, or offer another number.",
    )
    PRICE_UNKNOWN = Meaning(
        "What the number costs could not be found out, or cannot be compared with"
        " `maxMonthlyPrice`; nothing was bought.",
        "See the message: try again in a moment, name the limit in the currency of the price, or"
        " buy without `maxMonthlyPrice`.",
    )
    ADDRESS_REQUIRED = Meaning(
        "An address of the account that is to own the number must be given; nothing was done.",
        "Ask again with an `addressSid` of that account.",
    )
    BUNDLE_REQUIRED = Meaning(
        "A regulatory bundle of the account that is to own the number must be given; nothing was"
        " done.",
        "Ask again with a `bundleSid` of that account.",
    )
    IDENTITY_REQUIRED = Meaning(
        "A verified identity of the account that is to own the number must be given; nothing was"
        " done.",
        "Ask again with an `identitySid` of that account.",
    )
    DOCUMENT_UNSUITABLE = Meaning(
        "An address, bundle or identity given does not satisfy the regulation; nothing was done.",
        "Ask again with another document, of the kind that the message names.",
    )
    TRIAL_ACCOUNT = Meaning(
        "A trial account cannot buy this; nothing was bought.",
        "Upgrade the account, which Twilio's console does.",
    )
    TRANSFER_REFUSED = Meaning(
        "The number cannot go to that account, or is there already; nothing was moved.",
        "Choose the parent account or another of its subaccounts, one that is active.",
    )
    EMERGENCY_ADDRESS_REGISTERED = Meaning(
        "The number's emergency address is registered, or about to be; nothing was done.",
        "Unregister it first, which Twilio's console does; then the number can be released, or its"
        " emergency address taken away.",
    )
    CONFIRMATION_MISMATCH = Meaning(
        "`confirmPhoneNumber` is not the number of this sid; nothing was released.",
        "Show the number to whoever confirms, and ask again with that one.",
    )
    IDEMPOTENCY_CONFLICT = Meaning(
        "The idempotency key was used before with another input; nothing was done.",
        "Use a new key for a new request, and the same input for the same key.",
    )
    FORBIDDEN = Meaning(
        "The account is none that the caller may use; or the account is suspended or closed, or the"
        " credentials are for tests; nothing was done.",
        "Use another account: to sign in anew does not help.",
    )
    NOT_DONE = Meaning(
        "Nothing was done: the upstream could not be asked, or its answer was lost and looking the"
        " number up, twice with a minute between, showed so.",
        "Try again in a moment, with a new idempotency key where the message says so.",
    )
    OUTCOME_UNKNOWN = Meaning(
        "The upstream's answer was lost, and looking the number up did not settle whether it was"
        " done.",
        "Ask again with the same idempotency key, or look at the number before you try again.",
    )
    REFUSED = Meaning(
        "The upstream refused for another reason; nothing was done.",
        "Show the message; `upstreamCode` is explained in Twilio's error dictionary.",
    )


Codes = type[enum.Enum]
"""An enum of the schema, whose members are called as those of `UserErrorCode`."""

_ANYWHERE = (
    UserErrorCode.INVALID_INPUT,
    UserErrorCode.NOT_FOUND,
    UserErrorCode.IDEMPOTENCY_CONFLICT,
    UserErrorCode.FORBIDDEN,
    UserErrorCode.NOT_DONE,
    UserErrorCode.OUTCOME_UNKNOWN,
    UserErrorCode.REFUSED,
)
_DOCUMENTS = (
    UserErrorCode.ADDRESS_REQUIRED,
    UserErrorCode.BUNDLE_REQUIRED,
    UserErrorCode.IDENTITY_REQUIRED,
    UserErrorCode.DOCUMENT_UNSUITABLE,
)


def _codes(name: str, description: str, *own: UserErrorCode) -> Codes:
    """Return the enum of a mutation's codes: what any mutation may say, and its `own`."""
    members = {
        code.name: strawberry.enum_value(
            code.name, description=f"{code.value.meaning} {code.value.remedy}"
        )
        for code in UserErrorCode
        if code in {*own, *_ANYWHERE}
    }
    made: Codes = enum.Enum(name, members)  # type: ignore[misc]  # the table has its members
    return strawberry.enum(made, description=description)


PURCHASE_CODES: Final = _codes(
    "PurchasePhoneNumberUserErrorCode",
    "Why a number was not bought.",
    UserErrorCode.ALREADY_OWNED,
    UserErrorCode.NOT_AVAILABLE,
    UserErrorCode.INVALID_PHONE_NUMBER,
    UserErrorCode.TRIAL_ACCOUNT,
    UserErrorCode.TOO_EXPENSIVE,
    UserErrorCode.PRICE_UNKNOWN,
    *_DOCUMENTS,
)
CONFIGURE_CODES: Final = _codes(
    "ConfigurePhoneNumberUserErrorCode",
    "Why a number's settings were not changed.",
    UserErrorCode.EMERGENCY_ADDRESS_REGISTERED,
    *_DOCUMENTS,
)
TRANSFER_CODES: Final = _codes(
    "TransferPhoneNumberUserErrorCode",
    "Why a number was not moved.",
    UserErrorCode.TRANSFER_REFUSED,
    *_DOCUMENTS,
)
RELEASE_CODES: Final = _codes(
    "ReleasePhoneNumberUserErrorCode",
    "Why a number was not released.",
    UserErrorCode.CONFIRMATION_MISMATCH,
    UserErrorCode.EMERGENCY_ADDRESS_REGISTERED,
)
_CODE = "The reason, for programs."


@strawberry.interface(
    description="Why something was not done. Each mutation has a type of its own for it, with a"
    " `code`."
)
class UserError:
    field: list[str] = strawberry.field(
        description="Path of the input field to blame, below `input`; empty when there is none. In"
        ' a plural mutation it begins with the item: `["items", "1", "sid"]`, counted from 0.'
    )
    message: str = strawberry.field(description="A sentence for people.")
    upstream_code: int | None = strawberry.field(
        description="Twilio's own error code, when it was Twilio that refused."
    )


@strawberry.type(description="Why a number was not bought.", directives=[part()])
class PurchasePhoneNumberUserError(UserError):
    code: enum.Enum = field(description=_CODE, graphql_type=PURCHASE_CODES)


@strawberry.type(description="Why a number's settings were not changed.", directives=[part()])
class ConfigurePhoneNumberUserError(UserError):
    code: enum.Enum = field(description=_CODE, graphql_type=CONFIGURE_CODES)


@strawberry.type(description="Why a number was not moved.", directives=[part()])
class TransferPhoneNumberUserError(UserError):
    code: enum.Enum = field(description=_CODE, graphql_type=TRANSFER_CODES)


@strawberry.type(description="Why a number was not released.", directives=[part()])
class ReleasePhoneNumberUserError(UserError):
    code: enum.Enum = field(description=_CODE, graphql_type=RELEASE_CODES)
