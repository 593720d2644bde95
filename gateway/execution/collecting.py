"""What an operation selects at each of its places, collected as graphql-core does it.

graphql-core's executor collects for itself, with much around it that only executing needs. An
ordinary selection set is fields alone, without directives; of any other kind graphql-core's own
function says what is selected.
"""

from collections.abc import Mapping
from sys import intern
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.execution._compat import (
    CollectedFields,
    FieldDetails,
    FragmentDetails,
    VariableValues,
    collect_fields,
    collect_subfields,
)
from gateway.execution.plain_fields import Details


class Collecting:
    """Collects what one operation selects, with values of its variables.

    Attributes:
        schema: what it was validated against.
        fragments: those of its document, by name.
        values: of its variables, coerced.
        root: the type whose fields the operation has; None if the schema has none such.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        values: Mapping[str, Any],
    ) -> None:
        self.schema = schema
        self.fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self.values = values
        self.root = schema.get_root_type(operation.operation)
        self._operation = operation
        self._details = {name: FragmentDetails(each) for name, each in self.fragments.items()}
        self._variables = VariableValues({}, dict(values))

    def at_root(self, root: GraphQLObjectType) -> Mapping[str, Details]:
        """Return the fields that the operation selects of its root, by name in the response."""
        found = _ordinary(self._operation.selection_set)
        if found is not None:
            return found
        return collect_fields(
            self.schema, self._details, self._variables, root, self._operation
        ).grouped_field_set

    def collect_subfields(self, kind: GraphQLObjectType, details: Details) -> CollectedFields:
        """Return the fields that are selected of objects of type `kind`, the values of a field."""
        if len(details) == 1 and details[0].node.selection_set is not None:
            found = _ordinary(details[0].node.selection_set)
            if found is not None:
                return CollectedFields(found, [], [])
        return collect_subfields(
            self.schema, self._details, self._variables, self._operation, kind, details
        )


def _ordinary(selected: SelectionSetNode) -> dict[str, Details] | None:
    """Return the fields of a selection set that has nothing else."""
    found: dict[str, Details] = {}
    for each in selected.selections:
        if not isinstance(each, FieldNode) or each.directives:
            return None
        # Names are much the same in all documents, of which they are kept.
        name = intern((each.alias or each.name).value)
        found.setdefault(name, []).append(FieldDetails(each, None))
    return found
