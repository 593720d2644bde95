"""One account served with the preview catalog and without, and what may differ.

What each API tells is read from the mapping tables, so that a new field is compared by itself:
a field of both tables is equal, one that a table lacks is null there. What else may differ is in
`MAY_DIFFER`, with the reason.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, NamedTuple

from graphql import GraphQLNamedType, GraphQLObjectType, get_named_type, is_leaf_type

from gateway.mapping.filters import to_field
from gateway.mapping.records import CATALOG, CORE
from schema import build_core_schema
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

SCHEMA: Final = build_core_schema()


class Pair(NamedTuple):
    """Two gateways before one sandbox, or before two that were made alike."""

    rich: RunningGateway
    plain: RunningGateway


@contextmanager
def both(sandbox: RunningSandbox, other: RunningSandbox | None = None) -> Iterator[Pair]:
    """Run a gateway to which accounts have the catalog, and one to which it is closed."""
    other = other or sandbox
    names = ("token_limit", "cost_limit", "alias_limit", "root_field_limit")
    limits: dict[str, Any] = dict.fromkeys(names, 10**6)
    patience = {"connect_timeout": 30, "attempt_timeout": 40, "call_deadline": 50}
    limits |= {**patience, "request_deadline": 60, "exchange_calls": 500}
    closed = f"{other.url}/closed"
    with (
        running_gateway(sandbox, **limits) as rich,
        running_gateway(other, catalog_url=closed, **limits) as plain,
    ):
        yield Pair(rich, plain)


def selection(typename: str) -> str:
    """Return the selection of every field of a type that takes no arguments, nested ones too."""
    parts = []
    for field in plain_fields(typename):
        below = "" if is_leaf_type(field.type) else f" {{ {selection(field.type.name)} }}"
        parts.append(f"{field.name}{below}")
    return " ".join(parts)


class Shown(NamedTuple):
    """A field that takes no arguments.

    Attributes:
        type: its type, without lists.
        kept: its name in the sandbox.
        told: the catalog tells it, and may leave it out of a number.
        alone: the catalog tells it, and the other API does not.
        rule: how it may differ, if in another way.
    """

    name: str
    type: GraphQLNamedType
    kept: str
    told: bool
    alone: bool
    rule: "Rule | None"


@cache
def plain_fields(typename: str) -> Sequence[Shown]:
    """Return the fields of a type that take no arguments."""
    kind = SCHEMA.type_map[typename]
    assert isinstance(kind, GraphQLObjectType)
    catalog, core = CATALOG.get(typename, {}), CORE.get(typename)
    found = []
    for name, field in kind.fields.items():
        if field.args or name == "account":
            continue
        key = to_field(name)
        told = key in catalog and not getattr(catalog[key], "inferred", False)
        alone = core is not None and key not in core
        rule, _ = MAY_DIFFER.get(f"{typename}.{name}") or MAY_DIFFER.get(f".{name}") or (None, "")
        kept = {"status_callback_url": "status_callback"}.get(key, key)
        found.append(Shown(name, get_named_type(field.type), kept, told, alone, rule))
    return found


# What may differ ----------------------------------------------------------------------------------

Rule = Callable[[Any, Any], bool]
"""Whether what the catalog's account shows goes with what the other one does."""


def _less_is_told(rich: Any, plain: Any) -> bool:
    return plain is None or plain == rich


def _another_case(rich: Any, plain: Any) -> bool:
    return plain is None or rich.casefold() == plain.casefold()


def _same_refusals(rich: Any, plain: Any) -> bool:
    ours = [[(each["field"], each["code"]) for each in errors] for errors in (rich, plain)]
    return ours[0] == ours[1]


_BETA: Final = {"BETA": {"BETA", "DEVELOPER_PREVIEW"}, "GENERALLY_AVAILABLE": {"EXHAUSTED"}}
_PLACE: Final = "of owned numbers, and of numbers outside the US and Canada, one API tells no place"
MAY_DIFFER: Final[Mapping[str, tuple[Rule, str]]] = {
    ".source": (lambda *shown: shown == ("CATALOG", "CORE"), "says which of them was asked"),
    ".lifecycle": (
        lambda rich, plain: rich == plain or rich in _BETA[plain],
        "one API tells beta or not: developer previews are, exhausted ranges are not",
    ),
    "Geography.derived": (lambda rich, _: rich is False, "says that the place is not told"),
    "Geography.isoCountry": (_less_is_told, "a North American toll-free number tells no country"),
    "Geography.region": (_less_is_told, "some area codes are shared by provinces"),
    "Geography.locality": (_another_case, _PLACE + "; and they write it in another case"),
    **{
        f"Geography.{name}": (_less_is_told, _PLACE)
        for name in ("lata", "rateCenter", "latitude", "longitude", "postalCode")
    },
    "AvailablePhoneNumber.monthlyPrice": (
        lambda rich, plain: plain is None or rich is not None,
        "the number's own price where it is told, else that of its kind",
    ),
    "PhoneNumber.monthlyPrice": (
        _less_is_told,
        "a number that tells no country is in no country's price list",
    ),
    ".userErrors": (_same_refusals, "each API refuses with codes and words of its own"),
    ".reconciled": (lambda *_: True, "says that the upstream's answer was lost on the way"),
    ".wouldSend": (lambda rich, plain: bool(rich) == bool(plain), "each API has its own spelling"),
}
"""What may differ, by `Type.field`, or `.field` for whatever type."""


def differences(
    typename: str, rich: Any, plain: Any, kept: dict[str, Any] | None = None, above: str = ""
) -> Iterator[str]:
    """Yield the paths of what two answers show differently and must not, below `above`.

    `kept` is the object as the sandbox keeps it: what is null there, the catalog may leave out.
    """
    for field in plain_fields(typename):
        one, other = rich[field.name], plain[field.name]
        if one == other and field.name != "source":
            continue
        path = f"{above}.{field.name}" if above else field.name
        there = _kept(kept, field.kept)
        if kept is not None and one is None and there is None and field.told:
            continue
        if field.rule is not None:
            if not field.rule(one, other):
                yield f"{path}: {one!r}, {other!r}"
        elif field.alone:
            if other is not None:
                yield f"{path}: told by the catalog alone, and yet {other!r}"
        elif None not in (one, other) and field.type.name in CATALOG:
            below = kept and (there or {})
            yield from differences(field.type.name, one, other, below, path)
        else:
            yield f"{path}: {one!r}, {other!r}"


def _kept(document: Any, name: str) -> Any:
    """Return what the sandbox keeps under a name."""
    if not isinstance(document, dict):
        return None
    if name == "friendly_name" and "phone_number" in document:
        document = document.get("configuration") or {}
    return document.get(name)
