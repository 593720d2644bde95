"""The parts of graphql-core and Strawberry that they do not document, as far as this room needs
them.

`tests/install/test_private_parts.py` asserts each of them.
"""

from typing import Any, Final

from graphql import GraphQLError
from graphql.execution import Executor, ExperimentalIncrementalExecutionResults
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetails,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values
from graphql.pyutils import AwaitableOrValue, Path
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, convert_argument, convert_arguments
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

__all__ = [
    "AwaitableOrValue",
    "CollectedFields",
    "Executor",
    "ExperimentalIncrementalExecutionResults",
    "FieldDetails",
    "FragmentDetails",
    "GraphQLCoreConverter",
    "LazyType",
    "Path",
    "StrawberryArgument",
    "StrawberryField",
    "StrawberryGraphQLCoreExecutionContext",
    "StrawberryMaybe",
    "StrawberryOptional",
    "VariableValues",
    "coerce_default_value",
    "collect_fields",
    "collect_subfields",
    "convert_argument",
    "convert_arguments",
    "definition_of",
    "forget_selections",
    "get_argument_values",
    "get_directive_values",
    "input_definition_of",
    "is_attribute",
    "is_of_an_argument",
    "untie",
]

# Under which Strawberry keeps, in a part of graphql-core's schema, what it made that from.
_DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
# How graphql-core begins what it says against an argument.
_OF_AN_ARGUMENT: Final = "Argument "


def definition_of(part: Any) -> Any:  # noqa: ANN401 - a field's, a type's, the schema's
    """Return what Strawberry made a part of graphql-core's schema from; None if it did not."""
    return part.extensions.get(_DEFINITION)


def input_definition_of(kind: object) -> Any:  # noqa: ANN401 - untyped there, too
    """Return what Strawberry knows of a class that it made an input type; None of any other."""
    return getattr(kind, "__strawberry_definition__", None)


def is_attribute(resolve: object) -> bool:
    """Whether a field's resolver only reads the attribute of its name (Strawberry marks those)."""
    return bool(getattr(resolve, "_is_default", False))


def untie(executor: Executor[object]) -> None:
    """Take an executor apart that has executed, so that no garbage collector has to.

    It holds methods of its own, and by its context all that was read.
    """
    del executor.async_helpers


def forget_selections(executor: Executor[object]) -> None:
    """Forget what was selected below the fields of a subscription's event.

    graphql-core remembers selections by the identity of lists that it makes anew for each event,
    and shares that memory between events, so that it would grow as long as the subscription lives:
    see docs/contributing.md.
    """
    executor._relevant_sub_fields = {}  # noqa: SLF001 - it has no public name


def is_of_an_argument(error: GraphQLError) -> bool:
    """Whether graphql-core says something against an argument of a field."""
    return error.message.startswith(_OF_AN_ARGUMENT)
