"""The arguments of compiled queries: what can be known of them once, and what takes variables.

graphql-core coerces arguments for every field of every request, and Strawberry makes input objects
of them. Here both are done once for what is written out in a document; what is left for a request
is to put its variables in.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLSchema,
    NameNode,
    Node,
    ObjectFieldNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
)
from graphql.utilities import coerce_input_literal

from gateway.documents.syntax_trees import walk
from gateway.execution._compat import (
    GraphQLCoreConverter,
    StrawberryArgument,
    StrawberryField,
    VariableValues,
    convert_argument,
    definition_of,
    get_argument_values,
    input_definition_of,
)
from gateway.execution.compiled_inputs import Unfit, converter, inside

Values: TypeAlias = Mapping[str, Any]
Read: TypeAlias = Callable[[Values], Any]
_NONE: Final = VariableValues({}, {})
_BARE: Final = FieldNode(name=NameNode(value=""))


class Arguments:
    """Reads the arguments of fields of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._converter: GraphQLCoreConverter = definition_of(schema).schema_converter

    def of(
        self, definition: GraphQLField, made: StrawberryField, node: FieldNode
    ) -> tuple[dict[str, Any], tuple[tuple[str, Read], ...]]:
        """Return the arguments that are the same each time, and readers of the others.

        Both go by the resolver's own names. A reader returns `Undefined` for an argument that is
        not given, and raises `Unfit` where graphql-core would refuse the variables.
        """
        written = {each.name.value: each.value for each in node.arguments or ()}
        constants: dict[str, Any] = {}
        variables: list[tuple[str, Read]] = []
        for argument in made.arguments:
            name = self._converter.config.name_converter.from_argument(argument)
            declared = definition.args[name]
            value = written.get(name)
            only = GraphQLField(definition.type, args={name: declared})
            if value is None or not _has_variable(value):
                same = get_argument_values(only, node, _NONE)
                if name in same:
                    constants[argument.python_name] = self._convert(same[name], argument.type)
                continue
            otherwise: object = Undefined
            if not is_required_argument(declared):
                same = get_argument_values(only, _BARE, _NONE)
                if name in same:
                    otherwise = self._convert(same[name], argument.type)
            variables.append(
                (argument.python_name, self._reader(value, declared, argument, otherwise))
            )
        return constants, tuple(variables)

    def _reader(
        self,
        value: ValueNode,
        declared: GraphQLArgument,
        argument: StrawberryArgument,
        otherwise: object,
    ) -> Read:
        convert, kind = self._convert, declared.type
        required, nullable = is_required_argument(declared), not isinstance(kind, GraphQLNonNull)
        read = converter(kind, argument.type, self._converter)

        def variable(values: Values) -> Any:  # noqa: ANN401 - of any type
            found = values.get(name, Undefined)
            if found is Undefined and not required:
                return otherwise
            if found is Undefined or (found is None and not nullable):
                raise Unfit
            return found if read is None else read(found)

        def literal(values: Values) -> Any:  # noqa: ANN401 - of any type
            found = coerce_input_literal(value, kind, VariableValues({}, dict(values)))
            if found is Undefined:
                raise Unfit
            return convert(found, argument.type)

        if isinstance(value, VariableNode):
            name = value.name.value
            return variable
        if isinstance(value, ObjectValueNode):
            return self._object(value, kind, argument.type) or literal
        return literal

    def _object(
        self, value: ObjectValueNode, declared: GraphQLInputType, wanted: object
    ) -> Read | None:
        """Return what makes an input object, by filling variables into one made beforehand.

        None when it is not of the simple kind, in which all variables stand for optional leaves.
        """
        kind, wanted = get_nullable_type(declared), inside(wanted)
        definition = input_definition_of(wanted)
        if not isinstance(kind, GraphQLInputObjectType) or kind.is_one_of or definition is None:
            return None
        names = self._converter.config.name_converter
        fields = {names.from_field(each): each for each in definition.fields}
        constant: list[ObjectFieldNode] = []
        variables: list[tuple[str, Read]] = []
        for each in value.fields:
            if not _has_variable(each.value):
                constant.append(each)
                continue
            field = fields[each.name.value]
            read = self._optional(each.value, kind.fields[each.name.value].type, field.type)
            if read is None:
                return None
            variables.append((field.python_name, read))
        coerced = coerce_input_literal(ObjectValueNode(fields=tuple(constant)), kind)
        if coerced is Undefined:
            return None
        made = self._convert(coerced, wanted)
        blank = partial(object.__new__, type(made))

        def filled(values: Values) -> Any:  # noqa: ANN401 - an input object
            copied = blank()
            vars(copied).update(vars(made))
            for name, read in variables:
                found = read(values)
                if found is not Undefined:
                    setattr(copied, name, found)
            return copied

        return filled

    def _optional(self, value: ValueNode, kind: GraphQLInputType, wanted: object) -> Read | None:
        """Return the reader of an optional field of an input object, if it is of a simple kind."""
        if isinstance(kind, GraphQLNonNull):
            return None
        if isinstance(value, ObjectValueNode):
            return self._object(value, kind, wanted)
        if isinstance(value, VariableNode) and is_leaf_type(kind):
            return partial(_value_of, value.name.value)
        return None

    def _convert(self, value: object, wanted: Any) -> object:  # noqa: ANN401 - any type there is
        """Return a coerced value as resolvers take it: input objects as their classes."""
        converter = self._converter
        return convert_argument(value, wanted, converter.scalar_registry, converter.config)


def _value_of(name: str, values: Values) -> Any:  # noqa: ANN401 - of any type
    return values.get(name, Undefined)


def _has_variable(value: Node) -> bool:
    return any(isinstance(each, VariableNode) for each in walk(value))
