"""PURE: variables that their type lets be null, but not where they stand.

There they may be left out for a default (GraphQL, 5.8.5). Of a null that comes, GraphQL speaks when
it gets to where the variable stands: in a mutation, when all before are done.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    REMOVE,
    DocumentNode,
    GraphQLNonNull,
    GraphQLSchema,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    TypeInfo,
    ValidationContext,
    ValueNode,
    VariableNode,
    Visitor,
    VisitorAction,
    get_operation_ast,
    value_from_ast_untyped,
    visit,
)


def strict_variables(
    schema: GraphQLSchema, ast: DocumentNode, operation: OperationDefinitionNode
) -> tuple[str, ...]:
    """Return the names of those of an operation of a valid document, each once."""
    nullable = {
        each.variable.name.value
        for each in operation.variable_definitions or ()
        if not isinstance(each.type, NonNullTypeNode)
    }
    if not nullable:
        return ()
    context = ValidationContext(schema, ast, TypeInfo(schema), lambda _: None)
    return tuple(
        {
            name: None
            for each in context.get_recursive_variable_usages(operation)
            if isinstance(each.type, GraphQLNonNull) and (name := each.node.name.value) in nullable
        }
    )


def needed(
    schema: GraphQLSchema,
    ast: DocumentNode,
    operation_name: str | None,
    variables: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return the names of those that stand in what @skip and @include leave of an operation."""
    operation = get_operation_ast(ast, operation_name)
    if operation is None:
        return ()
    values = {
        each.variable.name.value: value_from_ast_untyped(each.default_value)
        for each in operation.variable_definitions or ()
        if each.default_value is not None
    }
    left = visit(ast, _LeavingOut({**values, **variables}))
    operation = get_operation_ast(left, operation_name)
    return () if operation is None else strict_variables(schema, left, operation)


class _LeavingOut(Visitor):
    """Takes out of a document what @skip and @include leave out, by values of variables."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self._values = values

    def enter_field(self, node: SelectionNode, *_: object) -> VisitorAction:
        """Remove a field that is left out."""
        return REMOVE if self._is_left_out(node) else None

    enter_inline_fragment = enter_fragment_spread = enter_field

    def _is_left_out(self, node: SelectionNode) -> bool:
        said = [
            (each.name.value, self._value(argument.value))
            for each in node.directives or ()
            if each.name.value in {"skip", "include"}
            for argument in each.arguments or ()
        ]
        # What has a condition that is null stays, to be refused for that.
        is_clear = all(value is not None for _, value in said)
        return is_clear and any(value is (name == "skip") for name, value in said)

    def _value(self, node: ValueNode) -> Any:  # noqa: ANN401 - JSON, not yet seen to be a boolean
        if isinstance(node, VariableNode):
            return self._values.get(node.name.value, ...)
        return value_from_ast_untyped(node)
