"""What a mutation answers, made from its outcome."""

from collections.abc import Callable
from typing import Any, cast

from strawberry.scalars import ID

from gateway.upstream.call import Call
from gateway.writes.outcome import Outcome
from gateway.writes.user_errors import Refusal
from schema.nodes import PhoneNumber
from schema.payloads import (
    ConfigurePhoneNumberPayload,
    PurchasePhoneNumberPayload,
    ReleasePhoneNumberPayload,
    RequestParameter,
    TransferPhoneNumberPayload,
    UpstreamRequest,
)
from schema.user_errors import (
    CONFIGURE_CODES,
    PURCHASE_CODES,
    RELEASE_CODES,
    TRANSFER_CODES,
    Codes,
    ConfigurePhoneNumberUserError,
    PurchasePhoneNumberUserError,
    ReleasePhoneNumberUserError,
    TransferPhoneNumberUserError,
    UserError,
    UserErrorCode,
)

_OTHERWISE = UserErrorCode.REFUSED.name


def purchased(outcome: Outcome) -> PurchasePhoneNumberPayload:
    """Return the payload of a purchase."""
    common = _common(outcome, PurchasePhoneNumberUserError, PURCHASE_CODES)
    number = cast("PhoneNumber | None", outcome.number)
    return PurchasePhoneNumberPayload(phone_number=number, to_buy=outcome.to_buy, **common)


def configured(outcome: Outcome) -> ConfigurePhoneNumberPayload:
    """Return the payload of a configuration."""
    common = _common(outcome, ConfigurePhoneNumberUserError, CONFIGURE_CODES)
    number = cast("PhoneNumber | None", outcome.number)
    return ConfigurePhoneNumberPayload(phone_number=number, **common)


def transferred(outcome: Outcome) -> TransferPhoneNumberPayload:
    """Return the payload of a transfer."""
    common = _common(outcome, TransferPhoneNumberUserError, TRANSFER_CODES)
    number = cast("PhoneNumber | None", outcome.number)
    return TransferPhoneNumberPayload(phone_number=number, **common)


def released(outcome: Outcome) -> ReleasePhoneNumberPayload:
    """Return the payload of a release."""
    common = _common(outcome, ReleasePhoneNumberUserError, RELEASE_CODES)
    return ReleasePhoneNumberPayload(
        released_id=ID(outcome.number.sid) if outcome.number else None,
        released_number=outcome.number.phone_number if outcome.number else None,
        **common,
    )


def _common(outcome: Outcome, kind: Callable[..., UserError], codes: Codes) -> dict[str, Any]:
    """Return the fields that all payloads share; `kind` of user error has one of `codes`."""
    refusal = outcome.refusal
    return {
        "user_errors": [_user_error(refusal, kind, codes)] if refusal else [],
        "reconciled": outcome.reconciled,
        "replayed": outcome.replayed,
        "would_send": _would_send(outcome.planned) if outcome.planned else None,
    }


def _user_error(refusal: Refusal, kind: Callable[..., UserError], codes: Codes) -> UserError:
    known = refusal.code.name if refusal.code.name in codes.__members__ else _OTHERWISE
    return kind(
        field=list(refusal.field),
        message=refusal.message,
        code=codes[known],
        upstream_code=refusal.upstream_code,
    )


def _would_send(call: Call) -> UpstreamRequest:
    return UpstreamRequest(
        method=call.method,
        path=call.path,
        parameters=[RequestParameter(name=name, value=value) for name, value in call.form or ()],
    )
