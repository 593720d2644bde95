"""Buying, transferring and releasing numbers: the rules both families share."""

import re
import time

import orjson

from gateway.sandbox.http.api_call import ApiCall
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.rules import configuration
from gateway.sandbox.world.facts import GEO_SEARCH_COUNTRIES
from gateway.sandbox.world.number_documents import (
    Account,
    Number,
    OwnedNumber,
    default_configuration,
)
from gateway.sandbox.world.world import World

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# Nobody's documents are kept here, so any sid of the right form will do, except one of zeros.
_UNSUITABLE = re.compile(r"[A-Z]{2}0{32}")
_AREA_CODE = re.compile(r"[0-9]{3}")
_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")


def read_number(text: str, *, space_as_plus: bool) -> str:
    """A phone number parameter as E.164.

    Raises:
        ApiError: 21421 when it is not a phone number.
    """
    # curl -d "PhoneNumber=+1…" sends an unescaped "+", which a form decodes to a space.
    number = "+" + text[1:] if text.startswith(" ") and space_as_plus else text
    if not _E164.fullmatch(number):
        raise ApiError(21421, f"{text} is not a valid number")
    return number


def find_in_area(world: World, area_code: str) -> Number:
    """The local number that a purchase by `AreaCode` gets.

    Raises:
        ApiError: 21451 when it is not an area code, 21452 when there is none.
    """
    if not _AREA_CODE.fullmatch(area_code):
        raise ApiError(21451, f"{area_code} is not a valid area code")
    kinds = [(country, "local") for country in sorted(GEO_SEARCH_COUNTRIES)]
    found = world.store.first_available(f"+1{area_code}", kinds)
    if found is None:
        raise ApiError(21452)
    return found


def buy(
    world: World, account: Account, number: Number, call: ApiCall, *, catalog: bool
) -> OwnedNumber:
    """Takes an available number for an account, configured as the form says.

    Raises:
        ApiError: A required document is missing, or a setting is refused; nothing is bought then.
    """
    settings = default_configuration(number.phone_number)
    configuration.write(
        settings, call, world.switches, catalog=catalog, phone_number=number.phone_number
    )
    require_documents(number, settings.get("core", {}))
    store = world.store
    with store.transaction():
        sid = world.population.number_sid(number.phone_number)
        now = time.time()
        store.remove_available(number.phone_number)
        store.add_owned(
            [
                (
                    sid,
                    account.sid,
                    number.phone_number,
                    number.national,
                    number.place.id,
                    number.profile.id,
                    orjson.dumps(settings).decode(),
                    "twilio",
                    now,
                    now,
                )
            ]
        )
        price = number.profile.document.get("base_recurring_price")
        store.record("bought", number.phone_number, sid, account.sid, price=price)
    bought = store.owned(sid)
    if bought is None:
        message = f"{sid} was not stored"
        raise RuntimeError(message)
    return bought


def require_type(number: Number, kind: str | None) -> None:
    """Refuses a number that is not of the type asked for; None asks for none.

    Raises:
        ApiError: 21458.
    """
    if kind is not None and number.profile.type != kind:
        raise ApiError(21458)


def require_documents(number: Number, given: dict[str, str | None]) -> None:
    """Refuses a purchase or transfer without its documents, in the order seen: address, bundle,
    identity.

    Raises:
        ApiError: 21631, 21615, 21649, 21650, or 21651 for a document that will not do.
    """
    requires, address = number.profile.requires, number.profile.address_requirements
    country = number.place.geography.get("iso_country")
    kind = (number.profile.type or "").replace("tollfree", "toll-free").upper()
    if ("address" in requires or address in {"any", "foreign"}) and not given.get("address_sid"):
        raise ApiError(21631)
    if ("local-address" in requires or address == "local") and not given.get("address_sid"):
        raise ApiError(21615, "Phone Number Requires a Local Address: no valid address was given")
    if "bundle" in requires and not given.get("bundle_sid"):
        message = (
            f"Bundle required and not provided for country: [{country}] and numberType: [{kind}]"
        )
        raise ApiError(21649, message)
    if "identity" in requires and not given.get("identity_sid"):
        raise ApiError(21650)
    for name in ("address_sid", "bundle_sid", "identity_sid"):
        if _UNSUITABLE.fullmatch(given.get(name) or ""):
            raise ApiError(21651, f"{given[name]} does not satisfy the regulatory requirement")


def refuse_trial(world: World, account: Account, *, catalog: bool) -> None:
    """Refuses purchases of trial accounts.

    Raises:
        ApiError: 21404.
    """
    if account.type != "Trial":
        return
    first = world.store.owned_count(account.sid) == 0
    if catalog or not (world.switches.trial_may_buy_first and first):
        raise ApiError(21404)


def update(world: World, owned: OwnedNumber, call: ApiCall, *, catalog: bool) -> OwnedNumber:
    """Changes an owned number's settings as the form says.

    Raises:
        ApiError: A setting is refused; nothing is changed then.
    """
    settings = owned.settings
    number = owned.number.phone_number
    changed = configuration.write(
        settings, call, world.switches, catalog=catalog, phone_number=number
    )
    if changed:
        with world.store.transaction():
            world.store.save_configuration(owned.sid, settings)
            world.store.record("configured", number, owned.sid, owned.account_sid)
    return world.store.owned(owned.sid) or owned


def transfer(
    world: World,
    who: Account,
    owned: OwnedNumber,
    target_sid: str,
    documents: dict[str, str | None],
) -> OwnedNumber:
    """Gives an owned number to another account of the same family.

    Args:
        world: The sandbox.
        who: The caller, who must be the parent.
        owned: The number.
        target_sid: Account that will own it; its present owner changes nothing.
        documents: Those of the gaining account that the request names; the number has no others
            afterwards.

    Raises:
        ApiError: 21470 to 21474, in this order; then as of a purchase by the gaining account.
    """
    if not _ACCOUNT_SID.fullmatch(target_sid):
        raise ApiError(21470, f"{target_sid} is not a valid AccountSid")
    store, switches = world.store, world.switches
    target, owner = store.account(target_sid), store.account(owned.account_sid)
    if target is None or owner is None:
        raise ApiError(21471, f"Account {target_sid} does not exist")
    if target.status != "active":
        raise ApiError(21472, f"Account {target_sid} is not active")
    if target.sid == owner.sid:
        return owned
    related = target.owner_account_sid == owner.owner_account_sid
    if switches.transfer_requires_relation and not related:
        raise ApiError(21473)
    if switches.transfer_requires_parent and who.sid != owner.owner_account_sid:
        raise ApiError(21474)
    require_documents(owned.number, documents)
    settings = owned.settings
    with store.transaction():
        if settings.get("core"):
            settings["core"].update(documents)
            store.save_configuration(owned.sid, settings)
        store.move_owned(owned.sid, target.sid)
        store.record(
            "transferred",
            owned.number.phone_number,
            owned.sid,
            target.sid,
            from_account_sid=owner.sid,
        )
    return store.owned(owned.sid) or owned


def release(world: World, owned: OwnedNumber) -> None:
    """Returns a number to the inventory: somebody else may buy it.

    Raises:
        ApiError: Its emergency address is registered.
    """
    voice = owned.settings.get("voice")
    configuration.refuse_registered(voice if isinstance(voice, dict) else {}, world.switches)
    store = world.store
    with store.transaction():
        store.remove_owned(owned.sid)
        store.put_available(owned.number)
        store.record("released", owned.number.phone_number, owned.sid, owned.account_sid)
