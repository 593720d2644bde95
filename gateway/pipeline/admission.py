"""What must hold before an operation is executed, whatever transport it came by."""

from collections.abc import Mapping
from typing import Any

from gateway.auth.caller import Caller
from gateway.documents.limits import Meter
from gateway.documents.operation import Operation


def admit(meter: Meter, caller: Caller, operation: Operation, variables: Mapping[str, Any]) -> int:
    """Let an operation pass and return how many objects it may yield, or say why not.

    What cannot be run passes: it runs nothing.

    Raises:
        LimitExceeded: with these variables it costs too much.
        Forbidden: the caller lacks a scope that one of its fields needs.
    """
    measured = operation.measured
    if measured is None:
        return 0
    cost = measured.cost
    if not isinstance(cost, int):  # What is always the same was looked at with the document.
        cost = measured.price(variables)
        meter.check_cost(cost)
    if caller.scopes is not None:
        caller.check_scopes(measured.scopes)
    return cost + measured.introspection
