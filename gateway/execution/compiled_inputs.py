"""Input types compiled to functions, which read values of variables as the libraries do.

graphql-core coerces a variable by walking its type, and Strawberry makes input objects of what it
found by walking its own, both anew for each request. Here each type is walked once. Whatever does
not fit raises `Unfit`: then graphql-core says what is wrong with it.
"""

from collections.abc import Callable
from dataclasses import MISSING
from functools import lru_cache
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
    Undefined,
    is_leaf_type,
    is_required_input_field,
)
from graphql.utilities import coerce_input_value

from gateway.execution._compat import (
    GraphQLCoreConverter,
    LazyType,
    StrawberryMaybe,
    StrawberryOptional,
    coerce_default_value,
    convert_argument,
    input_definition_of,
)

Read: TypeAlias = Callable[[Any], Any]
# More than there are input types; of schemas that are gone, some are kept.
_MOST_TYPES: Final = 256


class Unfit(Exception):
    """Only graphql-core can tell what the answer is."""


# From JSON to coerced values: graphql-core's part -------------------------------------------------


def coercer(kind: GraphQLInputType) -> Read:
    """Return what coerces JSON to a type, as `coerce_input_value` does; it may raise `Unfit`."""
    if isinstance(kind, GraphQLNonNull):
        return _there(coercer(kind.of_type))
    if isinstance(kind, GraphQLList):
        return _list(kind, coercer(kind.of_type))
    if isinstance(kind, GraphQLInputObjectType):
        return _other(kind) if kind.is_one_of else _object(kind)
    return _leaf(kind)


@lru_cache(maxsize=_MOST_TYPES)
def _there(read: Read) -> Read:
    def coerce(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None:
            raise Unfit
        return read(value)

    return coerce


def _list(kind: GraphQLInputType, item: Read) -> Read:
    otherwise = _other(kind)

    def coerce(value: Any) -> Any:  # noqa: ANN401 - JSON
        return [*map(item, value)] if value.__class__ is list else otherwise(value)

    return coerce


@lru_cache(maxsize=_MOST_TYPES)
def _leaf(kind: GraphQLLeafType) -> Read:
    is_text, parse = kind in {GraphQLID, GraphQLString}, kind.coerce_input_value

    def coerce(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None or (is_text and value.__class__ is str):
            return value
        try:
            found = parse(value)
        except Exception:  # noqa: BLE001 - as graphql-core does
            raise Unfit from None
        if found is Undefined:
            raise Unfit
        return found

    return coerce


def _other(kind: GraphQLInputType) -> Read:
    def coerce(value: Any) -> Any:  # noqa: ANN401 - JSON
        found = coerce_input_value(value, kind)
        if found is Undefined:
            raise Unfit
        return found

    return coerce


@lru_cache(_MOST_TYPES)
def _object(kind: GraphQLInputObjectType) -> Read:
    # Under which name each is kept, and what reads it.
    fields = {
        name: (each.out_name or name, coercer(each.type)) for name, each in kind.fields.items()
    }
    required = {name for name, each in kind.fields.items() if is_required_input_field(each)}
    defaults = {
        fields[name][0]: default
        for name, each in kind.fields.items()
        if (default := coerce_default_value(each)) is not Undefined
    }

    def coerce(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None:
            return None
        if value.__class__ is not dict or not required <= value.keys() <= fields.keys():
            raise Unfit
        found: dict[str, Any] = dict(defaults)
        for name, given in value.items():
            kept, read = fields[name]
            found[kept] = read(given)
        return kind.out_type(found)

    return coerce


# From coerced values to what resolvers take: Strawberry's part ------------------------------------


def converter(
    kind: GraphQLInputType,
    wanted: Any,  # noqa: ANN401 - any type there is
    by: GraphQLCoreConverter,
) -> Read | None:
    """Return what makes of a coerced value what resolvers take, as `convert_argument` does.

    Args:
        kind: the value's type.
        wanted: the same as Strawberry knows it.
        by: the converter of its schema.

    Returns:
        None when it is taken as it is.
    """
    if isinstance(kind, GraphQLNonNull):
        return converter(kind.of_type, wanted, by)
    if is_leaf_type(kind):
        return None
    inner = inside(wanted)
    definition = input_definition_of(inner)
    if isinstance(kind, GraphQLInputObjectType) and definition is not None:
        if definition.from_input is None and isinstance(inner, type):
            return _input_object(kind, inner, by)
    elif isinstance(kind, GraphQLList):
        return _converted_list(converter(kind.of_type, getattr(inner, "of_type", None), by))
    return lambda value: convert_argument(value, wanted, by.scalar_registry, by.config)


def inside(wanted: object) -> object:
    """Return the type behind what makes it optional, or resolved late."""
    while isinstance(wanted, StrawberryOptional | LazyType):
        if isinstance(wanted, StrawberryMaybe):
            break
        late = isinstance(wanted, LazyType)
        wanted = wanted.resolve_type() if late else wanted.of_type  # type: ignore[union-attr] # each has its own
    return wanted


def _converted_list(item: Read | None) -> Read:
    def convert(value: Any) -> Any:  # noqa: ANN401 - of any type
        if value is None:
            return None
        return list(value) if item is None else [*map(item, value)]

    return convert


@lru_cache(_MOST_TYPES)
def _input_object(kind: GraphQLInputObjectType, made: type, by: GraphQLCoreConverter) -> Read:
    definition = input_definition_of(made)
    names = by.config.name_converter
    # Strawberry gives None to what is neither given nor has a default.
    absent = {
        each.python_name: None
        for each in definition.fields
        if each.default_value is MISSING and each.default_factory is MISSING
    }
    fields = {}
    for each in definition.fields:
        name = names.from_field(each)
        wanted = each.resolve_type(type_definition=definition)
        fields[name] = each.python_name, converter(kind.fields[name].type, wanted, by)

    def convert(value: Any) -> Any:  # noqa: ANN401 - an input object
        if value is None:
            return None
        found: dict[str, Any] = dict(absent)
        for name, given in value.items():
            taken, read = fields[name]
            found[taken] = given if read is None else read(given)
        return made(**found)

    return convert
