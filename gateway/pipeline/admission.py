"""What must hold before an operation is executed, whatever transport it came by."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLSchema

from gateway.auth.caller import Caller
from gateway.documents.documents import Document
from gateway.documents.limits import Meter
from gateway.documents.operation import Operation
from gateway.execution.executors import root_arguments
from gateway.mapping import validation


def admit(
    meter: Meter,
    caller: Caller,
    operation: Operation,
    variables: Mapping[str, Any],
    counted: int | None = None,
) -> int:
    """Let an operation pass and return how many objects it may yield, or say why not.

    What cannot be run passes: it runs nothing.

    Args:
        meter: knows the limits.
        caller: who asks.
        operation: what it wants to run.
        variables: with these.
        counted: how many objects it may yield by what is known of the caller's account, where that
            was looked up.

    Raises:
        LimitExceeded: with these variables it costs too much.
        Forbidden: the caller lacks a scope that one of its fields needs.
    """
    measured = operation.measured
    if measured is None:
        return 0
    cost = measured.cost
    if not isinstance(cost, int):
        cost = measured.price(variables)
    if counted is not None:
        cost = min(cost, counted)
    if cost > meter.limits.cost:
        meter.check_cost(cost)
    if caller.scopes is not None:
        caller.check_scopes(measured.scopes)
    return cost + measured.introspection


def refuse_nothing(
    schema: GraphQLSchema, document: Document, operation: Operation, variables: dict[str, Any]
) -> None:
    """Refuse plural mutations of no items, before anything is done.

    Each refuses that itself; but behind one that is done it can say so of no item, as it can of
    too many.

    Raises:
        BadUserInput: there is one.
    """
    if document.whole is not None:
        for arguments in root_arguments(schema, document.whole, operation.name, variables):
            given = arguments.get("input")
            if isinstance(given, dict) and given.get("items") == []:
                validation.check_items(0)
