"""An operation of a document, and all that is known of it before its variables are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import OperationType

from gateway.documents.limits import MeasuredOperation
from gateway.documents.malformed_items import Variables, marked


@dataclass(slots=True, eq=False)
class Operation:
    """What a request runs of a document; it may be nothing, where no operation has the name.

    Attributes:
        name: by which the request chose it; None for the only one.
        kind: query, mutation or subscription; None when the name chooses none.
        measured: its cost and scopes; None where nothing can be run.
        items: its variables that stand in items of plural mutations.
        described: kind and name, "" for what it has not; and the first 16 hexadecimal digits of the
            document's SHA-256.
        not_null: its variables that cannot be null, as `Document.not_null` has them.
        beside: it has plural mutations beside other fields.
        compiled: what the executor has made of it, and keeps here as long as the document lives.
    """

    name: str | None
    kind: OperationType | None
    measured: MeasuredOperation | None
    items: Variables | None
    described: tuple[str, str, str]
    not_null: tuple[str, ...] = ()
    beside: bool = False
    compiled: Any = None

    def mark_items(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return variables that it can run with although items have malformed ones."""
        return marked(variables, self.items or {})

    def price(self, variables: Mapping[str, Any]) -> int:
        """Return its cost with these variables; 0 where nothing can be run."""
        return self.measured.price(variables) if self.measured is not None else 0
