"""What an operation will cost upstream, worked out from its text and variables before it runs.

The document is walked with the number of objects that each field can be reached with; the fields
that ask something of the upstream have a rule each (`field_rules.py`), which adds to the plan.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
    located_error,
)
from msgspec.structs import replace

from gateway.documents.documents import Document, coded
from gateway.error_codes import ErrorCode
from gateway.errors import GatewayError
from gateway.execution.executors import Prepared, arguments_of, is_included, set_up
from gateway.planning.field_rules import RULES, price_owned
from gateway.planning.plan import ONE, Draft, Place, Plan, PlanningFacts
from schema.selections import NOTHING, Selecting

Fields: TypeAlias = GraphQLObjectType | GraphQLInterfaceType


def estimate(
    schema: GraphQLSchema,
    document: Document,
    operation_name: str | None,
    variables: Mapping[str, Any],
    known: PlanningFacts,
) -> Plan:
    """Return what an operation will cost; one that cannot run costs nothing, and has errors."""
    if document.errors or document.whole is None:
        return Plan(errors=list(document.errors))
    executor = set_up(
        schema,
        document.whole,
        operation_name,
        dict(variables),
        hide_suggestions=document.discreet,
    )
    if isinstance(executor, list):
        return Plan(errors=[coded(error, ErrorCode.BAD_USER_INPUT) for error in executor])
    root = schema.get_root_type(executor.operation.operation)
    walk = _Walk(schema, executor, Draft(known))
    if root is not None:
        walk.selection(root, [executor.operation.selection_set], Place("", ONE, ()))
    return walk.draft.finished()


class _Walk:
    def __init__(self, schema: GraphQLSchema, executor: Prepared, draft: Draft) -> None:
        self.draft = draft
        self._schema = schema
        self._executor = executor
        self._fragments = executor.fragment_definitions
        self._selecting = Selecting(schema, self._fragments, executor.variable_values.coerced)

    def selection(
        self, parent: Fields, selections: Iterable[SelectionSetNode], place: Place
    ) -> None:
        """Walk what is selected of the objects at a place: each field once, as in a run."""
        together: dict[tuple[str, str], tuple[Fields, list[FieldNode]]] = {}
        for node, kind in self._fields(parent, selections):
            shown = node.alias.value if node.alias else node.name.value
            together.setdefault((shown, kind.name), (kind, []))[1].append(node)
        for (shown, _), (kind, nodes) in together.items():
            node, name = nodes[0], nodes[0].name.value
            definition = kind.fields.get(name)
            if definition is None:
                continue  # __typename, __schema
            path = f"{place.path}.{shown}" if place.path else shown
            try:
                below = self._below(f"{kind.name}.{name}", definition, nodes, place, path)
            except (GatewayError, GraphQLError) as error:
                # A run would ask nothing for it, and for nothing below it.
                if place.times.most:
                    self._refuse(error, node, path)
                if kind is self._schema.mutation_type:
                    return  # Nor for any mutation behind it: the whole answer goes.
                continue
            for index, failed in self.draft.take_failed():
                self._refuse(failed, node, path, index)
            inner = get_named_type(definition.type)
            if isinstance(inner, Fields):
                self.selection(
                    inner, [each.selection_set for each in nodes if each.selection_set], below
                )

    def _refuse(self, error: Exception, node: FieldNode, path: str, *index: int) -> None:
        located = located_error(error, [node], [*path.split("."), *index])
        self.draft.plan.errors.append(coded(located, ErrorCode.BAD_USER_INPUT))

    def _below(
        self, name: str, definition: GraphQLField, nodes: list[FieldNode], place: Place, path: str
    ) -> Place:
        """Add what a field asks to the plan, and return the place of what it yields."""
        rule = RULES.get(name)
        if rule is None:
            identity = (*place.identity, nodes[0].name.value)
            return replace(place, path=path, identity=identity, selected=NOTHING)
        arguments = arguments_of(self._executor, definition, nodes[0])
        selected = self._selecting.below(definition.type, nodes)
        below = rule(self.draft, replace(place, selected=selected), path, arguments)
        price_owned(self.draft, below, path, selected)
        return below

    def _fields(
        self, parent: Fields, selections: Iterable[SelectionSetNode]
    ) -> Iterator[tuple[FieldNode, Fields]]:
        for node in chain.from_iterable(each.selections for each in selections):
            if not is_included(self._executor, node):
                continue
            if isinstance(node, FieldNode):
                yield node, parent
                continue
            fragment: FragmentDefinitionNode | InlineFragmentNode
            if isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
            elif isinstance(node, InlineFragmentNode):
                fragment = node
            condition = fragment.type_condition
            inner = self._schema.get_type(condition.name.value) if condition else parent
            if isinstance(inner, Fields):
                yield from self._fields(inner, [fragment.selection_set])
