"""PURE: what fields cost, how long they hold and their lists can be, and which scopes they need.

Read once from the schema's directives (`schema/directives.py`, `schema/cache_hints.py`).
Introspection has none; its lists are taken to be as long as they are in this schema, on average.
"""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, NamedTuple

from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    introspection_types,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
)
from strawberry import UNSET

from schema.bounds import LONGEST
from schema.cache_hints import CacheControl
from schema.directives import Cost, FanOut, ListSize, RequiresScopes, directive_of

# A list that no directive speaks of: taken to be this long.
_UNSAID = 5


class Slicing(NamedTuple):
    """An argument that tells how long a list is.

    Attributes:
        path: where its value is, for example `("input", "items")`.
        longest: the length that is not exceeded: whoever asks for more is refused by the field.
    """

    path: tuple[str, ...]
    longest: int


class FieldCost(NamedTuple):
    """What is known of a field before it is executed.

    Attributes:
        weight: cost of one object (or scalar) that it yields.
        is_list: it yields many.
        assumed: length of its list when nothing else tells; 1 when it is none.
        slicing: arguments that tell a length.
        slicing_defaults: those arguments' defaults, by their names.
        sized: lists right below it that the slicing arguments speak of; empty: the field itself.
        fans: paths of list arguments of which each combination is asked for by itself.
        scopes: what a token needs, one of these sets.
        named: the type it yields, without wrappers.
        composite: that type has fields.
        max_age: for how many seconds its value holds; None when nothing says so.
        is_free: it is a leaf of which none of this says anything.
    """

    weight: int
    is_list: bool
    assumed: int
    slicing: tuple[Slicing, ...]
    slicing_defaults: Mapping[str, object]
    sized: frozenset[str]
    fans: tuple[tuple[str, ...], ...]
    scopes: tuple[frozenset[str], ...]
    named: str
    composite: bool
    max_age: int | None
    is_free: bool

    def counted(self, count: int) -> "FieldCost":
        """Return the cost of the field where its list is known to have so many."""
        return self._replace(
            assumed=min(self.assumed, count) if self.slicing else count,
            slicing=tuple(Slicing(path, min(longest, count)) for path, longest in self.slicing),
            slicing_defaults={
                path: min(default, count) if isinstance(default, int) else default
                for path, default in self.slicing_defaults.items()
            },
        )


class Costs:
    """The costs of all fields of a schema, by type and field name."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.roots = {
            operation.value: root.name
            for operation in _operations()
            if (root := schema.get_root_type(operation)) is not None
        }
        lengths = _introspection_lengths(schema)
        roots = set(self.roots.values())
        self._fields: dict[str, dict[str, FieldCost]] = {}
        for name, type_ in schema.type_map.items():
            if is_object_type(type_) or is_interface_type(type_):
                self._fields[name] = {
                    field_name: _field_cost(
                        schema, field, lengths.get((name, field_name)), is_root=name in roots
                    )
                    for field_name, field in type_.fields.items()
                }
        for name in ("__schema", "__type"):
            meta = schema.get_field(schema.query_type, name) if schema.query_type else None
            if meta is not None:
                self._fields[self.roots["query"]][name] = _field_cost(
                    schema, meta, None, is_root=True
                )

    def of(self, type_name: str, field_name: str) -> FieldCost | None:
        """Return what is known of a field; None when the type has no such one."""
        return self._fields.get(type_name, {}).get(field_name)

    def knows(self, type_name: str) -> bool:
        """Whether there is an object or interface type of this name."""
        return type_name in self._fields


def _operations() -> tuple[Any, ...]:
    from graphql import OperationType  # noqa: PLC0415

    return tuple(OperationType)


def _field_cost(
    schema: GraphQLSchema, field: GraphQLField, length: int | None, *, is_root: bool
) -> FieldCost:
    named = get_named_type(field.type)
    own, size = directive_of(field, Cost), directive_of(field, ListSize)
    of_type = directive_of(schema.type_map[named.name], Cost)
    fan_out, scopes = directive_of(field, FanOut), directive_of(field, RequiresScopes)
    weight, hint = own or of_type, directive_of(field, CacheControl)
    is_list = _is_list(field.type)
    slicing = _said(size and size.slicing_arguments) or ()
    assumed = length or _said(size and size.assumed_size) or (_UNSAID if is_list else 1)
    max_age = hint.max_age if hint else 0 if is_root else None
    composite = bool(is_composite_type(named))
    return FieldCost(
        weight=int(weight.weight) if weight else int(composite),
        is_list=is_list,
        assumed=assumed,
        slicing=tuple(Slicing(tuple(each.split(".")), LONGEST[each]) for each in slicing),
        slicing_defaults={
            path: field.args[path].default_value for path in slicing if path in field.args
        },
        sized=frozenset(_said(size and size.sized_fields) or ()),
        fans=_paths(fan_out.arguments if fan_out else ()),
        scopes=tuple(frozenset(each) for each in scopes.scopes) if scopes else (),
        named=named.name,
        composite=composite,
        max_age=max_age,
        is_free=not (composite or weight or size or fan_out or scopes or is_list)
        and max_age is None,
    )


def _paths(arguments: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in arguments)


def _said(value: Any) -> Any:  # noqa: ANN401 - any directive argument
    return None if value is UNSET else value


def _is_list(type_: object) -> bool:
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    return isinstance(type_, GraphQLList)


def _introspection_lengths(schema: GraphQLSchema) -> dict[tuple[str, str], int]:
    """Return how long the lists of introspection are in this schema, rounded up."""
    types = [type_ for name, type_ in schema.type_map.items() if name not in introspection_types]
    with_fields = [each for each in types if is_object_type(each) or is_interface_type(each)]
    fields = [field for each in with_fields for field in each.fields.values()]

    def mean(lengths: list[int], among: int) -> int:
        return int(fmean([*lengths, *[0] * (among - len(lengths))] or [0])) + 1

    every = len(schema.type_map)
    return {
        ("__Schema", "types"): every,
        ("__Schema", "directives"): len(schema.directives),
        ("__Type", "fields"): mean([len(each.fields) for each in with_fields], every),
        ("__Type", "inputFields"): mean(
            [len(each.fields) for each in types if is_input_object_type(each)], every
        ),
        ("__Type", "enumValues"): mean(
            [len(each.values) for each in types if is_enum_type(each)], every
        ),
        ("__Type", "interfaces"): mean([len(each.interfaces) for each in with_fields], every),
        ("__Type", "possibleTypes"): 1,
        ("__Field", "args"): mean([len(each.args) for each in fields], len(fields)),
        ("__Directive", "args"): 2,
        ("__Directive", "locations"): 1,
    }
