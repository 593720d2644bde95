"""What resolvers know of the field that they are called for."""

from typing import NewType

import strawberry
from typing_extensions import TypeVar

from schema._compat import resolve_info
from schema.selections import SelectedFields, Selecting

FieldPath = NewType("FieldPath", str)
"""Where a field stands in the response, without places in lists: `phoneNumbers.nodes.account`."""

Port = TypeVar("Port", default=object)
"""What the resolver needs from whoever serves the schema; see `read_port`, `write_port`."""


Root = TypeVar("Root", default=None)
"""What stands at the root: nothing. Strawberry's own class has it."""


class Info(strawberry.Info[Port, Root]):
    """What resolvers know of the request, and of the place that they are called for."""

    @property
    def at(self) -> FieldPath:
        """The field that is resolved."""
        return FieldPath(".".join(step for step in self.path.as_list() if isinstance(step, str)))

    @property
    def selected(self) -> SelectedFields:
        """What is selected of what the field yields."""
        raw = resolve_info(self)
        operation = Selecting(raw.schema, raw.fragments, self.variable_values)
        return operation.below(raw.return_type, raw.field_nodes)
