"""PURE: what a change of the schema means for clients of the older one.

graphql-core knows most changes that break clients or may surprise them; the rules here are for what
it takes for harmless, or does not look at: each is a function that tells of one kind of change.
"""

import enum
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    ConstDirectiveNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLScalarType,
    GraphQLSchema,
    is_input_object_type,
    is_interface_type,
    is_non_null_type,
    is_object_type,
    is_specified_directive,
    print_ast,
    value_from_ast_untyped,
)
from graphql.utilities import BreakingChangeType, DangerousChangeType, find_schema_changes


class Verdict(enum.StrEnum):
    """What a change does to clients."""

    BREAKING = "breaking"
    """What worked does not work any more."""
    DANGEROUS = "dangerous"
    """What worked works, and may do something else, or meet what it does not know."""


class Change(NamedTuple):
    """A change that clients notice; `what` is a sentence."""

    verdict: Verdict
    what: str


Pair: TypeAlias = tuple[str, Any, Any]
"""What both schemas have: its coordinate, as it was and as it is."""
Rule: TypeAlias = Callable[[GraphQLSchema, GraphQLSchema], Iterator[Change]]

# The named type and the end of each list, and whether it is non-null.
_LEVELS: Final = re.compile(r"(\]|\w+)(!?)")
# Directives that rules of their own look at.
_LOOKED_AT = {"oneOf", "specifiedBy", "requiresScopes"}


def find_changes(before: GraphQLSchema, now: GraphQLSchema) -> list[Change]:
    """Return what clients of the schema `before` notice, breaking changes first."""
    found = [change for rule in RULES for change in rule(before, now)]
    return sorted(found, key=lambda change: change.verdict is Verdict.DANGEROUS)


def _known(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """What graphql-core finds: removals, other types, what is required now, new values."""
    for change in find_schema_changes(before, now):
        if isinstance(change.type, BreakingChangeType):
            yield Change(Verdict.BREAKING, change.description)
        elif isinstance(change.type, DangerousChangeType):
            yield Change(Verdict.DANGEROUS, change.description)


def _roots(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """Operations of a kind begin at another type, or nowhere."""
    for kind in ("query", "mutation", "subscription"):
        was, is_ = getattr(before, f"{kind}_type"), getattr(now, f"{kind}_type")
        if was is not None and (is_ is None or is_.name != was.name):
            yield Change(Verdict.BREAKING, f"The {kind} type was {was} and is {is_ or 'no more'}.")


def _required(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """What could be left out, because it had a default, must be given."""
    for where, was, is_ in _inputs(before, now):
        if is_non_null_type(is_.type) and _has_default(was) and not _has_default(is_):
            yield Change(Verdict.BREAKING, f"{where} is required: its default was removed.")


def _defaults(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """Who leaves it out gets a value where there was none."""
    for where, was, is_ in _inputs(before, now):
        optional = not is_non_null_type(was.type)
        if optional and not _has_default(was) and _has_default(is_):
            yield Change(Verdict.DANGEROUS, f"{where} has a default now.")


def _never_null(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """Documents that select it beside a nullable field under one name are not valid any more."""
    for where, was, is_ in _pairs(before, now):
        if isinstance(was, GraphQLField) and _tightened(str(was.type), str(is_.type)):
            what = f"{where} is never null now: {was.type} became {is_.type}."
            yield Change(Verdict.DANGEROUS, what)


def _one_of(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """Exactly one field must be given where several could be, or the other way round."""
    for where, was, is_ in _pairs(before, now):
        if isinstance(was, GraphQLInputObjectType) and is_input_object_type(is_):
            if is_.is_one_of and not was.is_one_of:
                yield Change(Verdict.BREAKING, f"{where} takes one field only: @oneOf was added.")
            if was.is_one_of and not is_.is_one_of:
                yield Change(Verdict.DANGEROUS, f"{where} takes any fields: @oneOf was removed.")


def _formats(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """A scalar is written in another way: what @specifiedBy names must not change."""
    for where, was, is_ in _pairs(before, now):
        if isinstance(was, GraphQLScalarType) and was.specified_by_url:
            url = getattr(is_, "specified_by_url", None)
            if url is None:
                yield Change(Verdict.DANGEROUS, f"{where} is specified nowhere any more.")
            elif url != was.specified_by_url:
                what = f"{where} is specified by {url}, no more by {was.specified_by_url}."
                yield Change(Verdict.BREAKING, what)


def _implementers(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """Who selects an interface meets a type that is new to them."""
    for name, type_ in now.type_map.items():
        if name not in before.type_map and is_object_type(type_):
            for interface in type_.interfaces:
                if is_interface_type(before.type_map.get(interface.name)):
                    yield Change(Verdict.DANGEROUS, f"{name} was added to interface {interface}.")


def _scopes(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """A token that was enough is not."""
    for where, was, is_ in _pairs(before, now):
        enough = _alternatives(is_)
        for each in _alternatives(was):
            if not any(alternative <= each for alternative in enough):
                had = " and ".join(sorted(each)) or "no scope"
                yield Change(Verdict.BREAKING, f"{where} needs more than {had}: @requiresScopes.")


def _directives(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Change]:
    """What it costs, how long it is kept, whether it stays: anything that directives say."""
    for where, was, is_ in _pairs(before, now):
        old, new = _applied(was), _applied(is_)
        for name in sorted({*old, *new} - _LOOKED_AT):
            said, says = " ".join(old.get(name, ())), " ".join(new.get(name, ()))
            if said == says or (name == "deprecated" and not says):
                continue
            what = f"{said} became {says}" if said and says else f"{says or said} was "
            what += "" if said and says else ("added" if says else "removed")
            yield Change(Verdict.DANGEROUS, f"{where}: {what}.")


RULES: Final[tuple[Rule, ...]] = (
    _known,
    _roots,
    _required,
    _defaults,
    _never_null,
    _one_of,
    _formats,
    _implementers,
    _scopes,
    _directives,
)


# --------------------------------------------------------------------------------------------------


def _pairs(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Pair]:
    """Yield all that both schemas have and that directives can stand at."""
    for name, was in before.type_map.items():
        is_ = now.type_map.get(name)
        if is_ is None or name.startswith("__"):
            continue
        yield name, was, is_
        for part in ("fields", "values"):
            new = getattr(is_, part, {})
            for each, old in getattr(was, part, {}).items():
                if each in new:
                    yield f"{name}.{each}", old, new[each]
                    yield from _arguments(f"{name}.{each}", old, new[each])
    for directive in before.directives:
        also = now.get_directive(directive.name)
        if also is not None and not is_specified_directive(directive):
            yield from _arguments(f"@{directive.name}", directive, also)


def _arguments(where: str, was: Any, is_: Any) -> Iterator[Pair]:  # noqa: ANN401 - what has `args`
    new = getattr(is_, "args", {})
    for name, argument in getattr(was, "args", {}).items():
        if name in new:
            yield f"{where}({name}:)", argument, new[name]


def _inputs(before: GraphQLSchema, now: GraphQLSchema) -> Iterator[Pair]:
    """Yield arguments and input fields."""
    for where, was, is_ in _pairs(before, now):
        kinds = (GraphQLArgument, GraphQLInputField)
        if isinstance(was, kinds) and isinstance(is_, kinds):
            yield where, was, is_


def _tightened(was: str, is_: str) -> bool:
    """Whether a type differs from another only by being non-null at more places."""
    old, new = _LEVELS.findall(was), _LEVELS.findall(is_)
    same = [name for name, _ in old] == [name for name, _ in new]
    return same and old != new and all(b >= a for (_, a), (_, b) in zip(old, new, strict=True))


def _has_default(given: GraphQLArgument | GraphQLInputField) -> bool:
    return given.ast_node is not None and given.ast_node.default_value is not None


def _nodes(part: Any) -> Iterator[ConstDirectiveNode]:  # noqa: ANN401 - any part of a schema
    """Yield the directives that stand at a part, also where it is extended."""
    extensions = part.extension_ast_nodes if isinstance(part, GraphQLNamedType) else ()
    for node in (part.ast_node, *extensions):
        yield from getattr(node, "directives", None) or ()


def _applied(part: Any) -> dict[str, list[str]]:  # noqa: ANN401 - any part of a schema
    """Return the directives of a part, by their names, as they are written."""
    applied: dict[str, list[str]] = {}
    for node in _nodes(part):
        arguments = sorted(print_ast(each) for each in node.arguments or ())
        text = f"@{node.name.value}({', '.join(arguments)})".removesuffix("()")
        applied.setdefault(node.name.value, []).append(text)
    return applied


def _alternatives(part: Any) -> list[frozenset[str]]:  # noqa: ANN401 - any part of a schema
    """Return the sets of scopes of which a token needs one."""
    for node in _nodes(part):
        if node.name.value == "requiresScopes":
            for argument in node.arguments or ():
                return [frozenset(each) for each in value_from_ast_untyped(argument.value)]
    return [frozenset()]
