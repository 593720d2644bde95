"""graphql-core's executor, with subtrees of plain fields read at once (`projection_reader.py`).

Root fields, arguments, resolvers, errors, fragments, directives and abstract types stay
graphql-core's. Where reading gives up the ordinary completion runs.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLResolveInfo

from gateway.execution._compat import (
    AwaitableOrValue,
    Path,
    StrawberryGraphQLCoreExecutionContext,
)
from gateway.execution.plain_fields import FORESEEN, Details, Selection, plain, select
from gateway.execution.projection_reader import Reader
from gateway.mapping.records import View


class FastExecutor(StrawberryGraphQLCoreExecutionContext):
    """Completes objects and lists by projection where every field below is plain."""

    def __init__(
        self,
        *args: Any,
        gave_up: Callable[[Exception], None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._gave_up = gave_up
        self._reader = Reader()
        # What is selected at a place of the document, by its nodes: all of it, or what is plain.
        self._selections: dict[tuple[Any, ...], Selection | None] = {}
        self._splits: dict[tuple[Any, ...], tuple[Selection, tuple[str, ...]]] = {}
        # Fields that share an upstream call share the object too, and so its JSON form.
        self._shared: dict[tuple[Any, ...], tuple[object, dict[str, Any]]] = {}

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: Details,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Complete an object in one step, if all that is selected of it is plain."""
        selection = self._selection(return_type, field_details_list)
        place = (id(result), id(selection))
        if place in self._shared:
            return self._shared[place][1]
        done: dict[str, Any] | None = None
        if selection is not None:
            done = self._attempt(selection, result)
        if done is None:
            return super().complete_object_value(
                return_type, field_details_list, info, path, result, position_context
            )
        if not isinstance(result, View):
            self._shared[place] = (result, done)
        return done

    def complete_list_value(
        self,
        return_type: GraphQLList[Any],
        field_details_list: Details,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> AwaitableOrValue[list[Any]]:
        """Complete a list of objects of one class in one step, if they are plain."""
        inner = return_type.of_type
        item = inner.of_type if isinstance(inner, GraphQLNonNull) else inner
        if isinstance(item, GraphQLObjectType) and isinstance(result, list) and result:
            selection = self._selection(item, field_details_list)
            kind = result[0].__class__
            same = all(each.__class__ is kind for each in result)
            if selection is not None and same and not _is_streamed(field_details_list):
                done = self._attempt_all(selection, result)
                if done is not None:
                    return done
        return super().complete_list_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: dict[str, Details],
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Project the plain fields of a number in one step, and execute only the others."""
        results, others = None, grouped_field_set
        if isinstance(source_value, View):
            selection, slow = self._split(parent_type, grouped_field_set)
            others = {name: grouped_field_set[name] for name in slow}
            results = self._attempt(selection, source_value)
        if results is None:
            return super().execute_fields(
                parent_type, source_value, path, grouped_field_set, position_context
            )
        rest = super().execute_fields(parent_type, source_value, path, others, position_context)
        if isinstance(rest, dict):
            results.update(rest)
            return results
        return _joined(results, rest)

    def _split(
        self, parent: GraphQLObjectType, groups: dict[str, Details]
    ) -> tuple[Selection, tuple[str, ...]]:
        """Return the plain fields, with places for the others; and the others' names."""
        nodes = (id(each.node) for group in groups.values() for each in group)
        key = (parent.name, *groups, *nodes)
        if key not in self._splits:
            fields = {name: plain(self, parent, group) for name, group in groups.items()}
            slow = tuple(name for name, field in fields.items() if field is None)
            self._splits[key] = Selection(parent, fields), slow
        return self._splits[key]

    def _selection(self, kind: GraphQLObjectType, details: Details) -> Selection | None:
        """Return what is selected of objects of a type; None if not all of it is plain."""
        key = (kind.name, *(id(each.node) for each in details))
        if key not in self._selections:
            self._selections[key] = select(self, kind, details)
        return self._selections[key]

    def _attempt(self, selection: Selection, source: object) -> dict[str, Any] | None:
        """Return the projection; None when only graphql-core can tell what the answer is."""
        found = self._attempt_all(selection, (source,))
        return None if found is None else found[0]

    def _attempt_all(
        self, selection: Selection, sources: Sequence[object]
    ) -> list[dict[str, Any]] | None:
        """Return the projections of objects; None when only graphql-core can tell the answer."""
        try:
            return [self._reader.read(selection, each) for each in sources]
        except FORESEEN:
            return None
        except Exception as error:  # noqa: BLE001 - the ordinary way will raise it properly
            self._gave_up(error)
            return None


def _is_streamed(details: Details) -> bool:
    return any(each.name.value == "stream" for one in details for each in one.node.directives or ())


async def _joined(results: dict[str, Any], rest: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    results.update(await rest)
    return results
