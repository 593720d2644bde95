"""Malformed scalars in the items of plural mutations: each is its own item's fault.

GraphQL refuses an operation as a whole for one value that a scalar does not read; in an item that
would cost all its siblings. So such values are replaced before GraphQL looks at them, in documents
and in variables, by values that the scalars let through (`Malformed`), and refused with the item
that has them (`gateway/writes/write_inputs.py`). Values of the built-in types are not: that a
string stands where a boolean belongs can be seen from the operation and the schema alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLScalarType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    Node,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    Visitor,
    get_nullable_type,
    print_ast,
    type_from_ast,
    value_from_ast_untyped,
    visit,
)

from gateway.documents.syntax_trees import walk
from schema.scalars import SCALARS, Malformed

Variables: TypeAlias = Mapping[str, GraphQLInputType]
"""Variables of an operation that stand in items only, with their types."""

_OURS: Final = frozenset(str(each.name) for each in SCALARS.values())


class _Plural(NamedTuple):
    """A plural mutation: the argument that holds its items, and that argument's type."""

    argument: str
    kind: GraphQLInputType


class _Marking(Visitor):
    """Replaces malformed literals of items."""

    def __init__(self, plurals: Mapping[str, _Plural]) -> None:
        super().__init__()
        self._plurals = plurals

    def enter_field(self, node: FieldNode, *_: object) -> FieldNode | None:
        """Return a field of a plural mutation with its items marked."""
        plural = self._plurals.get(node.name.value)
        if plural is None:
            return None
        arguments = tuple(
            replace(each, value=_marked_node(each.value, plural.kind))
            if each.name.value == plural.argument
            else each
            for each in node.arguments or ()
        )
        return replace(node, arguments=arguments)


class Items:
    """Finds what stands in items, for one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        fields = schema.mutation_type.fields if schema.mutation_type else {}
        self._plurals = {
            name: _Plural(argument, declared.type)
            for name, field in fields.items()
            for argument, declared in field.args.items()
            if _has_items(declared.type)
        }

    def mark(
        self, document: DocumentNode
    ) -> tuple[DocumentNode, Mapping[str, Variables], frozenset[str]]:
        """Return a document, in which malformed literals of items are replaced.

        Returns:
            the document; for each operation that has plural mutations, by name, what may be
            replaced of its variables (`marked`); and which of these have other fields besides.
        """
        fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        found: dict[str, Variables] = {}
        beside: set[str] = set()
        for operation in document.definitions:
            if (
                isinstance(operation, OperationDefinitionNode)
                and operation.operation is OperationType.MUTATION
            ):
                fields = [*_roots(operation.selection_set, fragments, set())]
                if any(field.name.value in self._plurals for field in fields):
                    name = operation.name.value if operation.name else ""
                    found[name] = self._variables(operation, fields, fragments)
                    if len(fields) > 1:
                        beside.add(name)
        if not found:
            return document, found, frozenset()
        return visit(document, _Marking(self._plurals)), found, frozenset(beside)

    def _variables(
        self,
        operation: OperationDefinitionNode,
        roots: list[FieldNode],
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> Variables:
        """Return the variables that stand in items and nowhere else."""
        inside: set[str] = set()
        outside: set[str] = set()
        for field in roots:
            plural = self._plurals.get(field.name.value)
            for argument in field.arguments or ():
                is_inside = plural is not None and argument.name.value == plural.argument
                (inside if is_inside else outside).update(_named(argument))
            for below in (*(field.directives or ()), field.selection_set):
                if below is not None:
                    outside.update(_named(below))
        # Fragments may be spread below the root fields as well.
        for fragment in fragments.values():
            condition = fragment.type_condition.name.value
            if self._schema.mutation_type is None or condition != self._schema.mutation_type.name:
                outside.update(_named(fragment.selection_set))
        return {
            name: cast("GraphQLInputType", kind)
            for definition in operation.variable_definitions or ()
            if (name := definition.variable.name.value) in inside - outside
            and (kind := type_from_ast(self._schema, definition.type)) is not None
        }


def marked(variables: dict[str, Any], of: Variables) -> dict[str, Any]:
    """Return variables, in which malformed scalars of items are replaced."""
    return {
        name: _marked_value(value, of[name]) if name in of else value
        for name, value in variables.items()
    }


def _has_items(kind: GraphQLInputType) -> bool:
    inner = get_nullable_type(kind)
    return isinstance(inner, GraphQLInputObjectType) and set(inner.fields) == {"items"}


def _roots(
    selections: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    spread: set[str],
) -> Iterator[FieldNode]:
    """Yield the root fields of an operation."""
    for each in selections.selections:
        if isinstance(each, FieldNode):
            yield each
        elif isinstance(each, InlineFragmentNode):
            yield from _roots(each.selection_set, fragments, spread)
        elif isinstance(each, FragmentSpreadNode) and each.name.value not in spread:
            spread.add(each.name.value)
            fragment = fragments.get(each.name.value)
            if fragment is not None:
                yield from _roots(fragment.selection_set, fragments, spread)


def _named(node: Node) -> Iterator[str]:
    """Yield the names of the variables at and below a node."""
    return (each.name.value for each in walk(node) if isinstance(each, VariableNode))


def _marked_node(node: ValueNode, kind: GraphQLInputType) -> ValueNode:
    """Return a literal with its malformed scalars replaced."""
    inner = get_nullable_type(kind)
    if isinstance(node, VariableNode):
        return node
    if isinstance(inner, GraphQLList):
        if isinstance(node, ListValueNode):
            values = tuple(_marked_node(each, inner.of_type) for each in node.values)
            return replace(node, values=values)
        return _marked_node(node, inner.of_type)
    if isinstance(inner, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
        fields = tuple(
            replace(each, value=_marked_node(each.value, inner.fields[each.name.value].type))
            if each.name.value in inner.fields
            else each
            for each in node.fields
        )
        return replace(node, fields=fields)
    if not _is_ours(inner) or isinstance(node, NullValueNode):
        return node
    try:
        value = value_from_ast_untyped(node)
    except ValueError:  # Python reads no numbers of thousands of digits.
        value = print_ast(node)
    problem = _problem(value, inner)
    return StringValueNode(value=Malformed.because(problem), loc=node.loc) if problem else node


def _marked_value(value: Any, kind: GraphQLInputType) -> Any:  # noqa: ANN401 - JSON
    """Return a variable's value with its malformed scalars replaced."""
    inner = get_nullable_type(kind)
    if isinstance(inner, GraphQLList):
        if isinstance(value, list):
            return [_marked_value(each, inner.of_type) for each in value]
        return _marked_value(value, inner.of_type)
    if isinstance(inner, GraphQLInputObjectType) and isinstance(value, dict):
        fields = inner.fields
        return {
            name: _marked_value(each, fields[name].type) if name in fields else each
            for name, each in value.items()
        }
    problem = _problem(value, inner) if _is_ours(inner) else ""
    return Malformed.because(problem) if problem else value


def _is_ours(kind: object) -> bool:
    return isinstance(kind, GraphQLScalarType) and kind.name in _OURS


def _problem(value: object, kind: Any) -> str:  # noqa: ANN401 - one of our scalars
    """Return what a scalar says against a value; null is not the scalar's matter."""
    if value is None:
        return ""
    try:
        kind.parse_value(value)
    except ValueError as error:
        return str(error)
    return ""
