"""graphql-core's executor, with subtrees of plain fields handed to compiled projections.

Root fields, arguments, resolvers, errors, fragments, directives and abstract types stay
graphql-core's. Where a projection declines (see `projection.py`) the ordinary completion runs.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLResolveInfo

from gateway.execution._compat import (
    AwaitableOrValue,
    FieldDetails,
    Path,
    StrawberryGraphQLCoreExecutionContext,
)
from gateway.execution.plain_fields import FORESEEN, Details, Selection, plain, select
from gateway.execution.projection import Projections
from gateway.execution.projection_writer import Project
from gateway.mapping.records import View


class FastExecutor(StrawberryGraphQLCoreExecutionContext):
    """Completes objects and lists by projection where every field below is plain."""

    def __init__(
        self,
        *args: Any,
        projections: Projections,
        conditions: tuple[str, ...] = (),
        gave_up: Callable[[Exception], None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._gave_up = gave_up
        self._projections = projections
        # What is selected depends on variables in @skip and @include, and on nothing else.
        values = self.variable_values.coerced
        self._case = tuple(values.get(name) for name in conditions)
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
        kind = result.__class__
        key = (return_type.name, kind, self._case, *map(_node_id, field_details_list))
        place = (id(result), *key)
        if place in self._shared:
            return self._shared[place][1]
        project = self._projection(key, return_type, field_details_list, kind)
        done: dict[str, Any] | None = None
        if project is not None:
            done = self._attempt(project, result)
        if done is None:
            return super().complete_object_value(
                return_type, field_details_list, info, path, result, position_context
            )
        if not issubclass(kind, View):
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
            kind = result[0].__class__
            key = (item.name, kind, self._case, *map(_node_id, field_details_list))
            project = self._projection(key, item, field_details_list, kind)
            same = all(each.__class__ is kind for each in result)
            if project is not None and same and not _is_streamed(field_details_list):
                done: list[Any] | None = self._attempt(_each(project), result)
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
        project, others = None, grouped_field_set
        if isinstance(source_value, View):
            project, slow = self._split(parent_type, source_value.__class__, grouped_field_set)
            others = {name: grouped_field_set[name] for name in slow}
        results: dict[str, Any] | None = None
        if project is not None:
            results = self._attempt(project, source_value)
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
        self, parent: GraphQLObjectType, kind: type, groups: dict[str, Details]
    ) -> tuple[Project | None, tuple[str, ...]]:
        """Return the projection of the plain fields, with nulls in place of the others."""
        nodes = (id(each.node) for group in groups.values() for each in group)
        key = (parent.name, kind, self._case, *groups, *nodes)
        splits = self._projections.splits
        if key not in splits:
            fields = {name: plain(self, parent, group) for name, group in groups.items()}
            slow = tuple(name for name, field in fields.items() if field is None)
            compiled = self._projections.projector.compile(Selection(parent, fields), kind)
            splits[key] = (compiled, slow)
        return splits[key]

    def _attempt(self, project: Project, source: object) -> Any:
        """Return the projection; None when only graphql-core can tell what the answer is."""
        try:
            return project(source)
        except FORESEEN:
            return None
        except Exception as error:  # noqa: BLE001 - the ordinary way will raise it properly
            self._gave_up(error)
            return None

    def _projection(
        self, key: tuple[Any, ...], kind: GraphQLObjectType, details: Details, source: type
    ) -> Project | None:
        functions = self._projections.functions
        if key not in functions:
            tree = select(self, kind, details)
            compiler = self._projections.projector
            functions[key] = compiler.compile(tree, source) if tree is not None else None
        return functions[key]


def _node_id(details: FieldDetails) -> int:
    # The document is kept as long as its projections are, so ids stay those of its nodes.
    return id(details.node)


def _is_streamed(details: Details) -> bool:
    return any(each.name.value == "stream" for one in details for each in one.node.directives or ())


def _each(project: Project) -> Project:
    return lambda items: [project(each) for each in items]


async def _joined(results: dict[str, Any], rest: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    results.update(await rest)
    return results
