"""PURE: prices and requirements of a country, from the JSON of the two APIs about countries.

Facts: the examples of their OpenAPI descriptions. Amounts are declared numbers and written as text;
types are written `toll free` by one and `toll-free` by the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from gateway.mapping import coerce
from schema.enums import EndUser, NumberType
from schema.scalars import CurrencyCode, parse_currency_code
from schema.values import (
    AcceptedDocument,
    Money,
    NumberPrice,
    RequiredDocument,
    RequiredField,
    Requirements,
)

Json: TypeAlias = Mapping[str, Any]

_priced_type = coerce.one_of(
    NumberType, toll_free=NumberType.TOLL_FREE, **{"toll free": NumberType.TOLL_FREE}
)

REGULATED_TYPES: Mapping[NumberType, str] = {
    NumberType.LOCAL: "local",
    NumberType.TOLL_FREE: "toll-free",
    NumberType.MOBILE: "mobile",
    NumberType.NATIONAL: "national",
    NumberType.SHARED_COST: "shared-cost",
    NumberType.VOIP: "voip",
    NumberType.MACHINE_TO_MACHINE: "machine-to-machine",
}
"""Kind of number -> `NumberType` of the Regulations API; it knows no others."""


def prices(items: Iterable[Json], currency: object) -> list[NumberPrice]:
    """Read `phone_number_prices`. An item that says no kind or no price is left out."""
    code = _currency(currency)
    if code is None:
        return []
    return [price for item in items if (price := _price(item, code)) is not None]


def requirements(regulation: Json, end_user: EndUser) -> Requirements:
    """Read a regulation."""
    asked = regulation.get("requirements")
    asked = asked if isinstance(asked, dict) else {}
    return Requirements(
        end_user=end_user,
        name=coerce.text(regulation.get("friendly_name")),
        information=[field for each in _objects(asked.get("end_user")) for field in _fields(each)],
        documents=[
            RequiredDocument(
                key=_text(each, "requirement_name", "name"),
                name=_text(each, "name", "requirement_name"),
                accepted=[
                    AcceptedDocument(name=_text(one, "name", "type"), fields=list(_fields(one)))
                    for one in _objects(each.get("accepted_documents"))
                ],
            )
            for together in _lists(asked.get("supporting_document"))
            for each in _objects(together)
        ],
    )


def _price(item: Json, currency: CurrencyCode) -> NumberPrice | None:
    kind = _priced_type(item.get("number_type"))
    listed = coerce.decimal(item.get("base_price"))
    now = coerce.decimal(item.get("current_price"))
    now = listed if now is None else now
    if not isinstance(kind, NumberType) or now is None:
        return None
    return NumberPrice(
        type=kind,
        monthly_price=Money(amount=now, currency_code=currency),
        list_price=Money(amount=now if listed is None else listed, currency_code=currency),
    )


def _currency(value: object) -> CurrencyCode | None:
    try:
        return parse_currency_code(value.upper() if isinstance(value, str) else value)
    except ValueError:
        return None


def _fields(item: Json) -> Iterator[RequiredField]:
    for each in _objects(item.get("detailed_fields")):
        key = _text(each, "machine_name", "friendly_name")
        yield RequiredField(key=key, name=_text(each, "friendly_name", "machine_name"))


def _text(item: Json, *keys: str) -> str:
    """Return the first text under one of `keys`; empty when there is none."""
    return next((text for key in keys if (text := coerce.text(item.get(key)))), "")


def _objects(value: object) -> Iterator[Json]:
    return (each for each in _sequence(value) if isinstance(each, dict))


def _lists(value: object) -> Iterator[Sequence[Any]]:
    return (each for each in _sequence(value) if isinstance(each, list))


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
