"""What must hold before an operation is executed, whatever transport it came by."""

from collections.abc import Mapping
from typing import Any

from gateway.auth.caller import Caller
from gateway.documents.documents import Document
from gateway.documents.limits import Meter


def admit(
    meter: Meter,
    caller: Caller,
    document: Document,
    operation_name: str | None,
    variables: Mapping[str, Any],
) -> int:
    """Let an operation pass and return how many objects it may yield, or say why not.

    Documents with errors pass: they run nothing.

    Raises:
        LimitExceeded: with these variables it costs too much.
        Forbidden: the caller lacks a scope that one of its fields needs.
    """
    operation = document.measure(operation_name)
    if operation is None or document.errors:
        return 0
    cost = operation.price(variables)
    meter.check_cost(cost)
    caller.check_scopes(operation.scopes)
    return cost + operation.introspection
