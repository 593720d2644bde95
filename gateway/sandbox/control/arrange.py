"""Makes accounts and numbers to order, for tests and demos."""

import copy
import re
import time
from typing import Any

import orjson

from gateway.sandbox.world import profiles
from gateway.sandbox.world.inventory import country_document
from gateway.sandbox.world.number_documents import Json, Number, OwnedNumber, default_configuration
from gateway.sandbox.world.population import AccountRequest
from gateway.sandbox.world.world import World

_MOST_OWNED = 100_000
_ACCOUNT_FIELDS: dict[str, tuple[type, ...]] = {
    "role": (str,),
    "catalog": (bool,),
    "type": (str,),
    "status": (str,),
    "owner_account_sid": (str, type(None)),
    "friendly_name": (str,),
    "owned": (int,),
}
_CHOICES = {"type": {"Full", "Trial"}, "status": {"active", "suspended", "closed"}}
_ORIGINS = ("twilio", "hosted")
_NULL = type(None)
_RESOURCE_FIELDS: dict[str, tuple[type, ...]] = {
    "geography": (dict, _NULL),
    "core_locality": (str, _NULL),
    "area_code": (str, _NULL),
    "type": (str, _NULL),
    "lifecycle": (str, _NULL),
    "beta": (bool, _NULL),
    "base_setup_price": (str, int, float, _NULL),
    "base_recurring_price": (str, int, float, _NULL),
    "capabilities": (dict, list, str, _NULL),
    "regulatory": (dict, _NULL),
    "requires": (list, str, _NULL),
    "configuration": (dict, _NULL),
    "origin": (str,),
    "address_requirements": (str, _NULL),
    "prices": (dict, _NULL),
}


class RequestError(ValueError):
    """A control request that makes no sense; the message names the field."""


def read_account_request(world: World, document: Json) -> AccountRequest:
    """Checks the body of `POST /_sandbox/accounts`.

    Raises:
        RequestError: A field is unknown or its value is not usable.
    """
    for name, value in document.items():
        accepted = _ACCOUNT_FIELDS.get(name)
        if accepted is None:
            message = f"unknown field {name!r}; known: {', '.join(_ACCOUNT_FIELDS)}"
            raise RequestError(message)
        if type(value) not in accepted or value not in _CHOICES.get(name, {value}):
            message = f"{name} does not take {value!r}"
            raise RequestError(message)
    if not 0 <= document.get("owned", 0) <= _MOST_OWNED:
        message = f"owned must be between 0 and {_MOST_OWNED}"
        raise RequestError(message)
    owner = document.get("owner_account_sid")
    if owner is not None and world.store.account(owner) is None:
        message = f"owner_account_sid: there is no account {owner}"
        raise RequestError(message)
    return AccountRequest(**document)


def put_number(world: World, document: Json) -> Json:
    """Makes or changes one number as the body of `POST /_sandbox/numbers` says.

    `account_sid` null makes it available, else that account owns it. `resource` is merged into
    what the number is now, or into an ordinary US local number; null stays null, and `absent`
    lists dotted paths to remove altogether.

    Returns:
        The number's attributes, with `sid`, `account_sid`, `origin` and `configuration` when it
        is owned.

    Raises:
        RequestError: A field is unknown or its value is not usable.
    """
    account_sid, phone_number, resource, absent = _read(world, document)
    store = world.store
    with store.transaction():
        if phone_number is None:
            phone_number = world.population.fresh_number()
        owned = store.owned_by_number(phone_number)
        known = owned.number if owned else store.available(phone_number)
        attributes = _base(world, phone_number, known, resource)
        present = owned.has_configuration if owned else True
        attributes["configuration"] = (
            copy.deepcopy(owned.configuration) if owned else default_configuration(phone_number)
        )
        attributes["origin"] = owned.origin if owned else _ORIGINS[0]
        _merge(attributes, resource)
        for path in absent:
            _remove(attributes, path)
        origin = attributes.pop("origin", _ORIGINS[0])
        present = present or "configuration" in resource
        present = present and "configuration" in attributes
        configuration = attributes.pop("configuration", None)
        number = store.describe(phone_number, attributes)
        if account_sid is None:
            if owned:
                store.remove_owned(owned.sid)
            store.put_available(number)
            return number.attributes()
        sid = _own(world, number, owned, account_sid)
        store.save_configuration(sid, configuration, present=present)
        store.save_origin(sid, origin)
    result = {"sid": sid, "account_sid": account_sid, "origin": origin, **number.attributes()}
    return {**result, "configuration": configuration} if present else result


def _read(world: World, document: Json) -> tuple[str | None, str | None, Json, list[str]]:
    unknown = set(document) - {"account_sid", "phone_number", "resource", "absent"}
    if unknown:
        message = f"unknown field {min(unknown)!r}"
        raise RequestError(message)
    account_sid, phone_number = document.get("account_sid"), document.get("phone_number")
    resource, absent = document.get("resource", {}), document.get("absent", [])
    if account_sid is not None and (
        not isinstance(account_sid, str) or world.store.account(account_sid) is None
    ):
        message = f"account_sid: there is no account {account_sid!r}"
        raise RequestError(message)
    if phone_number is not None and not (
        isinstance(phone_number, str) and re.fullmatch(r"\+?[0-9]{1,20}", phone_number)
    ):
        message = f"phone_number does not take {phone_number!r}"
        raise RequestError(message)
    if not isinstance(resource, dict) or set(resource) - set(_RESOURCE_FIELDS):
        message = f"resource must be an object of {', '.join(sorted(_RESOURCE_FIELDS))}"
        raise RequestError(message)
    for name, value in resource.items():
        if type(value) not in _RESOURCE_FIELDS[name]:
            message = f"{name} does not take {value!r}"
            raise RequestError(message)
    if resource.get("origin", _ORIGINS[0]) not in _ORIGINS:
        message = f"origin does not take {resource['origin']!r}"
        raise RequestError(message)
    if not isinstance(absent, list) or not all(isinstance(path, str) for path in absent):
        message = "absent must be a list of dotted paths"
        raise RequestError(message)
    return account_sid, phone_number, _normal(resource), absent


def _normal(resource: Json) -> Json:
    """The resource without the short forms `address_requirements` and `prices`."""
    resource = copy.deepcopy(resource)
    if "address_requirements" in resource:
        value = resource.pop("address_requirements")
        resource.setdefault("regulatory", {})["address_requirements"] = value
    resource.update(resource.pop("prices", None) or {})
    return resource


def _base(world: World, phone_number: str, known: Number | None, resource: Json) -> Json:
    """What the number is now, or an ordinary number in the place its digits suggest."""
    geography = resource.get("geography")
    if known is not None:
        place, profile = known.place.document, known.profile.document
    else:
        stated = geography.get("iso_country") if isinstance(geography, dict) else None
        like = world.store.place_like(phone_number)
        if like is not None and stated in {None, like.geography.get("iso_country")}:
            place = like.document
        else:
            place = country_document(stated or "US")
        _, profile = profiles.variants("US", "local", beta=False)[0]
    place = copy.deepcopy(place)
    if isinstance(geography, dict) and "locality" in geography:
        place.pop("core_locality", None)
    return {**place, **copy.deepcopy(profile)}


def _merge(target: Json, changes: Json) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def _remove(document: Json, path: str) -> None:
    *parents, leaf = path.split(".")
    target: Any = document
    for parent in parents:
        target = target.get(parent) if isinstance(target, dict) else None
    if isinstance(target, dict):
        target.pop(leaf, None)


def _own(world: World, number: Number, owned: OwnedNumber | None, account_sid: str) -> str:
    """Gives a number to an account, wherever it was; returns its sid."""
    store = world.store
    if owned is not None:
        store.save_number(owned.sid, number.place, number.profile)
        if owned.account_sid != account_sid:
            store.move_owned(owned.sid, account_sid)
        return owned.sid
    store.remove_available(number.phone_number)
    sid = world.population.number_sid(number.phone_number)
    now = time.time()
    text = orjson.dumps(default_configuration(number.phone_number)).decode()
    ids = (number.place.id, number.profile.id)
    store.add_owned(
        [(sid, account_sid, number.phone_number, number.national, *ids, text, "twilio", now, now)]
    )
    return sid
