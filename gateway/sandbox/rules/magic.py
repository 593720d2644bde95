"""Purchases with test credentials: validated, answered, never stored or billed."""

import hashlib
import time

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.rules import configuration, trade
from gateway.sandbox.world import profiles
from gateway.sandbox.world.inventory import country_document
from gateway.sandbox.world.number_documents import (
    Account,
    Number,
    OwnedNumber,
    default_configuration,
)
from gateway.sandbox.world.world import World

_NOT_AVAILABLE, _NOT_VALID, _SUCCESS = "+15005550000", "+15005550001", "+15005550006"
_EMPTY_AREA, _FULL_AREA = "533", "500"


def pretend_to_buy(world: World, account: Account, call: ApiCall, kind: str | None) -> OwnedNumber:
    """The number as if bought, with the form's settings echoed; `kind` is the type it must have.

    Raises:
        ApiError: As the magic values demand, else as a real purchase would.
    """
    number = _number(world, call)
    # The magic number succeeds everywhere: nobody says what type it is of.
    if number.phone_number != _SUCCESS:
        trade.require_type(number, kind)
    settings = default_configuration(number.phone_number)
    configuration.write(
        settings, call, world.switches, catalog=False, phone_number=number.phone_number
    )
    trade.require_documents(number, settings.get("core", {}))
    now = time.time()
    digest = hashlib.md5(number.phone_number.encode(), usedforsecurity=False).hexdigest()
    return OwnedNumber(
        0, f"PN{digest}", account.sid, number, settings, has_configuration=True,
        origin="twilio", created=now, updated=now,
    )  # fmt: skip


def _number(world: World, call: ApiCall) -> Number:
    text, area_code = call.sent("PhoneNumber"), call.sent("AreaCode")
    if not text and not area_code:
        raise ApiError(20001, "Missing required parameter PhoneNumber in the post body")
    if not text:
        if area_code == _EMPTY_AREA:
            raise ApiError(21452)
        if area_code != _FULL_AREA:
            return trade.find_in_area(world, area_code or "")
        text = _SUCCESS
    phone_number = trade.read_number(text, space_as_plus=world.switches.space_as_plus)
    if phone_number == _NOT_VALID:
        raise ApiError(21421, f"{phone_number} is not a valid number")
    if phone_number == _SUCCESS:
        _, document = profiles.variants("US", "local", beta=False)[0]
        return world.store.describe(phone_number, {**country_document("US"), **document})
    found = world.store.available(phone_number)
    if found is None or phone_number == _NOT_AVAILABLE:
        raise ApiError(21422, f"{phone_number} is not available")
    return found
