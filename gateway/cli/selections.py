"""What an operation selects: the names under which its answer comes, before there is one."""

from typing import TYPE_CHECKING, NamedTuple

from gateway.server.leaving import held

if TYPE_CHECKING:
    from graphql import FragmentDefinitionNode, SelectionSetNode


class Selected(NamedTuple):
    """A field of an answer.

    Attributes:
        field: its name in the schema, which an alias hides in the answer.
        fields: what is selected of it, by name in the answer; empty for a scalar or enum.
    """

    field: str
    fields: "dict[str, Selected]"


def is_subscription(text: str, operation: str | None) -> bool:
    """Whether the chosen operation of a document is a subscription; not of an unsound one."""
    if "subscription" not in text:  # Most are none, and need no parser yet.
        return False
    with held():
        from graphql import GraphQLError, OperationType, get_operation_ast, parse  # noqa: PLC0415

    try:
        chosen = get_operation_ast(parse(text), operation)
    except GraphQLError:
        return False
    return chosen is not None and chosen.operation is OperationType.SUBSCRIPTION


def selection_of(text: str, operation: str | None) -> dict[str, Selected]:
    """Return what the chosen operation of a document selects.

    Args:
        text: a document that was executed, so that it is known to be sound.
        operation: its name; None when there is only one.
    """
    with held():
        from graphql import (  # noqa: PLC0415 - only commands that print tables need it
            FragmentDefinitionNode,
            OperationDefinitionNode,
            get_operation_ast,
            parse,
        )

    document = parse(text)
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    chosen = get_operation_ast(document, operation)
    assert isinstance(chosen, OperationDefinitionNode)  # noqa: S101 - it was executed
    selected: dict[str, Selected] = {}
    _add(selected, chosen.selection_set, fragments)
    return selected


def _add(
    selected: dict[str, Selected],
    selections: "SelectionSetNode | None",
    fragments: "dict[str, FragmentDefinitionNode]",
) -> None:
    from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode  # noqa: PLC0415

    for each in selections.selections if selections else ():
        if isinstance(each, FieldNode):
            name = (each.alias or each.name).value
            field = selected.setdefault(name, Selected(each.name.value, {}))
            _add(field.fields, each.selection_set, fragments)
        elif isinstance(each, FragmentSpreadNode):
            _add(selected, fragments[each.name.value].selection_set, fragments)
        elif isinstance(each, InlineFragmentNode):
            _add(selected, each.selection_set, fragments)
