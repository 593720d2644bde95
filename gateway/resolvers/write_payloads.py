"""What a mutation answers, made from its outcome."""

from typing import Any, cast

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
    UserError,
)


def purchased(outcome: Outcome) -> PurchasePhoneNumberPayload:
    """Return the payload of a purchase."""
    number = cast("PhoneNumber | None", outcome.number)
    return PurchasePhoneNumberPayload(phone_number=number, **_common(outcome))


def configured(outcome: Outcome) -> ConfigurePhoneNumberPayload:
    """Return the payload of a configuration."""
    number = cast("PhoneNumber | None", outcome.number)
    return ConfigurePhoneNumberPayload(phone_number=number, **_common(outcome))


def transferred(outcome: Outcome) -> TransferPhoneNumberPayload:
    """Return the payload of a transfer."""
    number = cast("PhoneNumber | None", outcome.number)
    return TransferPhoneNumberPayload(phone_number=number, **_common(outcome))


def released(outcome: Outcome) -> ReleasePhoneNumberPayload:
    """Return the payload of a release."""
    return ReleasePhoneNumberPayload(
        released_id=outcome.number.sid if outcome.number else None,
        released_number=outcome.number.phone_number if outcome.number else None,
        **_common(outcome),
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
