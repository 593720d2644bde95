"""graphql-core's executor, set up in one place for whatever runs or reads an operation."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeAlias, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLSchema,
    GraphQLSkipDirective,
    SelectionNode,
    create_source_event_stream,
    execute_subscription_event,
)

from gateway.execution._compat import (
    Executor,
    ExperimentalIncrementalExecutionResults,
    GraphQLCoreConverter,
    StrawberryGraphQLCoreExecutionContext,
    convert_arguments,
    definition_of,
    forget_selections,
    get_argument_values,
    get_directive_values,
    untie,
)
from gateway.execution.collecting import Collecting
from gateway.execution.request import Request

Prepared: TypeAlias = Executor[Any]
"""An operation that is ready to be executed, or read."""
Outcome: TypeAlias = ExecutionResult | ExperimentalIncrementalExecutionResults


def set_up(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None,
    variables: dict[str, Any],
    *,
    kind: type[Prepared] = StrawberryGraphQLCoreExecutionContext,
    **options: Any,  # noqa: ANN401 - graphql-core's, and those of `kind`
) -> Prepared | list[GraphQLError]:
    """Return what executes an operation, its variables coerced; or why it cannot be executed."""
    return kind.build(
        schema,
        document,
        raw_variable_values=variables,
        operation_name=operation_name,
        **options,
    )


def for_request(
    schema: GraphQLSchema,
    document: DocumentNode,
    request: Request,
    context: object,
    **options: Any,  # noqa: ANN401 - see `set_up`
) -> Prepared | list[GraphQLError]:
    """Return what executes a request, of whose document `document` is a form; see `set_up`."""
    return set_up(
        schema,
        document,
        request.operation_name,
        request.variables,
        context_value=context,
        operation_extensions=request.extensions,
        hide_suggestions=request.document.discreet,
        **options,
    )


async def outcome(executor: Prepared | list[GraphQLError]) -> Outcome:
    """Execute an operation; when it cannot be executed, the result is why."""
    if isinstance(executor, list):
        return ExecutionResult(None, executor)
    result = executor.execute_operation()
    result = await result if isawaitable(result) else result
    if isinstance(result, ExecutionResult):  # Else it goes on.
        untie(executor)
    return result


async def events_of(executor: Prepared) -> AsyncGenerator[Any, None] | ExecutionResult:
    """Return the events of a subscription, or the errors of its field."""
    source = create_source_event_stream(executor)
    found = await source if isawaitable(source) else source
    return cast("AsyncGenerator[Any, None] | ExecutionResult", found)


async def answer_event(executor: Prepared, event: object, context: object) -> ExecutionResult:
    """Execute a subscription's operation on one of its events, with a context of its own."""
    each = executor.build_per_event_executor(event)
    each.context_value = context
    forget_selections(each)
    result = execute_subscription_event(each)
    return await result if not isinstance(result, ExecutionResult) else result


def root_arguments(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None,
    variables: dict[str, Any],
) -> Iterator[Mapping[str, Any]]:
    """Yield the arguments of the fields that an operation begins with, as GraphQL coerces them.

    Up to the first whose arguments cannot be, and none of what cannot be executed.
    """
    executor = set_up(schema, document, operation_name, variables)
    if isinstance(executor, list):
        return
    root = schema.get_root_type(executor.operation.operation)
    values = executor.variable_values
    collecting = Collecting(schema, document, executor.operation, values.coerced)
    with suppress(GraphQLError):
        for details in collecting.at_root(root).values() if root is not None else ():
            node = details[0].node
            if root is not None and (definition := root.fields.get(node.name.value)) is not None:
                yield get_argument_values(definition, node, values)


def arguments_of(executor: Prepared, definition: GraphQLField, node: FieldNode) -> dict[str, Any]:
    """Return the arguments of a field as its resolver would take them.

    Raises:
        GraphQLError: one is missing, or malformed.
    """
    given = get_argument_values(definition, node, executor.variable_values)
    converter: GraphQLCoreConverter = definition_of(executor.schema).schema_converter
    declared = definition_of(definition).arguments
    return convert_arguments(given, declared, converter.scalar_registry, converter.config)


def is_included(executor: Prepared, node: SelectionNode) -> bool:
    """Whether @skip and @include leave a part of a selection in."""
    skip = get_directive_values(GraphQLSkipDirective, node, executor.variable_values)
    include = get_directive_values(GraphQLIncludeDirective, node, executor.variable_values)
    return not (skip and skip["if"]) and not (include and not include["if"])
