"""What an operation selects below a field, known before the field is resolved.

A field whose value is an attribute of its object belongs to whoever resolves the object; a field
with a resolver of its own is named, but what is below it is its own affair.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import NamedTuple, TypeAlias

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from schema._compat import has_resolver

SelectedFields: TypeAlias = frozenset[str]
"""Fields of object types: `PhoneNumber.lifecycle`, `VoiceConfiguration.url`."""

NOTHING: SelectedFields = frozenset()


@lru_cache(maxsize=1024)
def _shared(found: SelectedFields) -> SelectedFields:
    """Return the set that is kept of all that are equal: many documents differ in names alone."""
    return found


class Selecting(NamedTuple):
    """An operation, as far as it is needed to tell what it selects.

    Attributes:
        schema: what it was validated against.
        fragments: its fragments, by name.
        variables: values of its variables, of those at least that stand in @skip and @include.
    """

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, object]

    def below(self, kind: GraphQLOutputType, nodes: Iterable[FieldNode]) -> SelectedFields:
        """Return what is selected below the field of type `kind` that stands in these `nodes`."""
        found: set[str] = set()
        sets = [each.selection_set for each in nodes if each.selection_set]
        self._add(found, get_named_type(kind), sets)
        return _shared(frozenset(found))

    def _add(self, found: set[str], kind: object, sets: Iterable[SelectionSetNode]) -> None:
        """Add what these sets select of the objects that a field of type `kind` may yield."""
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            for possible in self.schema.get_possible_types(kind):
                self._add(found, possible, sets)
        elif isinstance(kind, GraphQLObjectType):
            for each in sets:
                self._add_set(found, kind, each)

    def _add_set(
        self, found: set[str], kind: GraphQLObjectType, selected: SelectionSetNode
    ) -> None:
        for node in selected.selections:
            if not self._includes(node.directives):
                continue
            if isinstance(node, FieldNode):
                definition = kind.fields.get(node.name.value)
                if definition is not None:
                    found.add(intern(f"{kind.name}.{node.name.value}"))
                    if node.selection_set and not has_resolver(definition):
                        below = get_named_type(definition.type)
                        self._add(found, below, [node.selection_set])
                continue
            fragment: FragmentDefinitionNode | InlineFragmentNode
            if isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
            elif isinstance(node, InlineFragmentNode):
                fragment = node
            condition = fragment.type_condition
            if condition is None or self._applies(condition.name.value, kind):
                self._add_set(found, kind, fragment.selection_set)

    def _applies(self, condition: str, kind: GraphQLObjectType) -> bool:
        """Whether a fragment on a type is for objects of `kind`."""
        wanted = self.schema.get_type(condition)
        if isinstance(wanted, GraphQLInterfaceType | GraphQLUnionType):
            return self.schema.is_sub_type(wanted, kind)
        return wanted is kind

    def _includes(self, directives: Iterable[DirectiveNode] | None) -> bool:
        """Whether @skip and @include leave in what they stand at."""
        for each in directives or ():
            name = each.name.value
            if name in {"skip", "include"}:
                (condition,) = each.arguments or ()
                given = condition.value
                if isinstance(given, VariableNode):
                    value = self.variables.get(given.name.value)
                else:
                    value = getattr(given, "value", None)
                if bool(value) is (name == "skip"):
                    return False
        return True
