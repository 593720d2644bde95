"""PURE: most valid documents, told by one walk; what it cannot tell is for graphql-core's rules.

graphql-core shows every node to two dozen rules, which takes longer than all else that is done with
a document. Here one walk looks at what ordinary documents are made of: fields, arguments,
variables, fragments, @skip and @include. It knows what makes these valid; of anything else it says
that it cannot tell, and then the rules decide. They alone say what is wrong with a document.

`tests/documents/test_quick_validation.py` holds the one against the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    ListValueNode,
    Node,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    do_types_overlap,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_equal_type,
    is_input_type,
    is_leaf_type,
    is_required_argument,
    is_type_sub_type_of,
    type_from_ast,
    validate_input_literal,
)

# A fragment is walked wherever it is spread; and what makes the rules compare many fields is theirs
# to refuse (`MergingOnABudget`).
_MOST_SPREADS: Final = 30
_MOST_REPEATED: Final = 50
_DEEPEST: Final = 50
_CONDITIONS: Final = {each.name: each for each in (GraphQLSkipDirective, GraphQLIncludeDirective)}


class _CannotTell(Exception):
    """A document has something that is not ordinary."""


_Names: TypeAlias = dict[str, tuple[str, GraphQLField]]
"""The names that an object of the response has so far, fragments included: of which fields."""


class _Declared(NamedTuple):
    """A variable of the operation that is walked over."""

    kind: GraphQLInputType
    default: ValueNode | None


def is_surely_valid(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """Whether a document is seen to be valid. If not, it may be valid all the same."""
    try:
        _Walk(schema, document).over_all()
    except _CannotTell:
        return False
    return True


class _Walk:
    """A walk over one document; it ends where it cannot tell."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._operations: dict[str, OperationDefinitionNode] = {}
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        for each in document.definitions:
            if isinstance(each, OperationDefinitionNode):
                _add(self._operations, each.name.value if each.name else "", each)
            elif isinstance(each, FragmentDefinitionNode) and not each.variable_definitions:
                _add(self._fragments, each.name.value, each)
            else:
                raise _CannotTell
        self._seen: set[str] = set()
        self._spreads = self._repeated = self._depth = 0

    def over_all(self) -> None:
        """Walk over all operations, and the fragments that they spread."""
        if len(self._operations) > 1 and "" in self._operations:
            raise _CannotTell
        for each in self._operations.values():
            self._over_operation(each)
        if len(self._seen) < len(self._fragments):
            raise _CannotTell

    def _over_operation(self, node: OperationDefinitionNode) -> None:
        root = self._schema.get_root_type(node.operation)
        if root is None or node.directives or node.operation is OperationType.SUBSCRIPTION:
            raise _CannotTell
        self._declared: dict[str, _Declared] = {}
        self._used: set[str] = set()
        for each in node.variable_definitions or ():
            self._declare(each)
        self._over_selections(node.selection_set, root, {})
        if len(self._used) < len(self._declared):
            raise _CannotTell

    def _declare(self, node: VariableDefinitionNode) -> None:
        kind = type_from_ast(self._schema, node.type)
        if not is_input_type(kind) or node.directives:
            raise _CannotTell
        if node.default_value is not None:
            self._over_variables(node.default_value, kind)
            validate_input_literal(node.default_value, kind, _cannot_tell)
        _add(self._declared, node.variable.name.value, _Declared(kind, node.default_value))

    # Selections -----------------------------------------------------------------------------------

    def _over_selections(
        self, node: SelectionSetNode, parent: GraphQLCompositeType, taken: _Names
    ) -> None:
        """Walk over a selection set of a composite type."""
        self._depth += 1
        if not node.selections or self._depth > _DEEPEST:
            raise _CannotTell
        for each in node.selections:
            if each.directives:
                self._over_directives(each.directives)
            if isinstance(each, FieldNode):
                self._over_field(each, parent, taken)
            else:
                self._over_fragment(each, parent, taken)
        self._depth -= 1

    def _over_field(self, node: FieldNode, parent: GraphQLCompositeType, taken: _Names) -> None:
        own_name = node.name.value
        field = self._schema.get_field(parent, own_name)
        if field is None:
            raise _CannotTell
        if field.args or node.arguments:
            self._over_arguments(node.arguments or (), field.args)
        name = node.alias.value if node.alias else own_name
        if name not in taken:
            taken[name] = own_name, field
        else:
            self._repeated += 1
            other_name, other = taken[name]
            same = other is field or is_equal_type(other.type, field.type)
            plain = not (field.args or other.args or node.selection_set)
            if other_name != own_name or not same or not plain or self._repeated > _MOST_REPEATED:
                raise _CannotTell
        kind = get_named_type(field.type)
        if node.selection_set is not None:
            if not is_composite_type(kind):
                raise _CannotTell
            self._over_selections(node.selection_set, kind, {})
        elif not is_leaf_type(kind):
            raise _CannotTell

    def _over_fragment(
        self, node: SelectionNode, parent: GraphQLCompositeType, taken: _Names
    ) -> None:
        fragment: Node | None = node
        if isinstance(node, FragmentSpreadNode):
            self._seen.add(node.name.value)
            fragment = self._fragments.get(node.name.value)
            if fragment is None or fragment.directives or node.arguments:
                raise _CannotTell
        if not isinstance(fragment, FragmentDefinitionNode | InlineFragmentNode):
            raise _CannotTell
        self._spreads += 1
        if self._spreads > _MOST_SPREADS:
            raise _CannotTell
        kind: object = parent
        if fragment.type_condition is not None:
            kind = self._schema.get_type(fragment.type_condition.name.value)
        if not is_composite_type(kind) or not do_types_overlap(self._schema, kind, parent):
            raise _CannotTell
        self._over_selections(fragment.selection_set, kind, taken)

    def _over_directives(self, nodes: Sequence[DirectiveNode]) -> None:
        met: dict[str, DirectiveNode] = {}
        for each in nodes:
            _add(met, each.name.value, each)
            condition = _CONDITIONS.get(each.name.value)
            if condition is None:
                raise _CannotTell
            self._over_arguments(each.arguments or (), condition.args)

    # Values ---------------------------------------------------------------------------------------

    def _over_arguments(
        self, nodes: Sequence[ArgumentNode], arguments: Mapping[str, GraphQLArgument]
    ) -> None:
        given = self._over_places(nodes, arguments)
        for each in nodes:
            validate_input_literal(each.value, arguments[each.name.value].type, _cannot_tell)
        for name, argument in arguments.items():
            if name not in given and is_required_argument(argument):
                raise _CannotTell

    def _over_places(
        self,
        nodes: Sequence[ArgumentNode | ObjectFieldNode],
        places: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField],
    ) -> Mapping[str, Any]:
        """Walk over what stands in places, each of its name; return what is given."""
        given: dict[str, Any] = {}
        for each in nodes:
            name = each.name.value
            place = places.get(name)
            if place is None:
                raise _CannotTell
            _add(given, name, each)
            has_default = place.default is not None or place.default_value is not Undefined
            self._over_variables(each.value, place.type, has_default=has_default)
        return given

    def _over_variables(
        self, node: ValueNode, kind: GraphQLInputType, *, has_default: bool = False
    ) -> None:
        """Walk over the variables and the names of a value.

        It stands where a `kind` is wanted, which may have a default.
        """
        if isinstance(node, VariableNode):
            self._use(node, kind, has_default=has_default)
        elif isinstance(node, ListValueNode):
            inner: Any = get_nullable_type(kind)
            if not isinstance(inner, GraphQLList):
                raise _CannotTell
            for each in node.values:
                self._over_variables(each, inner.of_type)
        elif isinstance(node, ObjectValueNode):
            inner = get_named_type(kind)
            if not isinstance(inner, GraphQLInputObjectType):
                raise _CannotTell
            if inner.is_one_of and any(
                isinstance(each.value, VariableNode) for each in node.fields
            ):
                raise _CannotTell
            self._over_places(node.fields, inner.fields)

    def _use(self, node: VariableNode, wanted: GraphQLInputType, *, has_default: bool) -> None:
        name = node.name.value
        declared = self._declared.get(name)
        if declared is None:
            raise _CannotTell
        self._used.add(name)
        if isinstance(wanted, GraphQLNonNull) and not isinstance(declared.kind, GraphQLNonNull):
            never_null = declared.default and not isinstance(declared.default, NullValueNode)
            if not never_null and not has_default:
                raise _CannotTell
            wanted = wanted.of_type
        if not is_type_sub_type_of(self._schema, declared.kind, wanted):
            raise _CannotTell


def _add(to: dict[str, Any], name: str, value: object) -> None:
    """Add what may be there once only."""
    if name in to:
        raise _CannotTell
    to[name] = value


def _cannot_tell(_error: GraphQLError, _path: Sequence[str | int]) -> None:
    raise _CannotTell
