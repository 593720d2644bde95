"""Compiled queries: resolvers are called straight, and what they return is projected.

For every field of every request graphql-core finds out what could be known once: which fields are
selected, how their arguments are written, what their types are. Here a query is compiled, once for
each way in which its @skip and @include turn out, to steps: call this resolver with these
arguments, project these plain fields (`projection.py`), go on with what is below. A mutation is
compiled as a query is; its fields are called one after another.

It covers what goes well. Whatever else comes up (an error, a null where none may be, an abstract
type, variables that do not fit) is left to graphql-core, which executes the query anew: there is
one set of semantics, and it is graphql-core's. The upstream is not asked twice for that, because a
request keeps the answers that it has read, and its errors. Nor is anything written twice: what came
of a mutation's field is kept, too (`gateway/resolvers/write_resolvers.py`).
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from graphql import (
    GraphQLError,
    GraphQLID,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    type_from_ast,
)
from graphql.utilities import coerce_input_literal

from gateway.discreet import Discreet
from gateway.documents.documents import Document
from gateway.documents.operation import Operation
from gateway.execution import plain_fields
from gateway.execution._compat import (
    StrawberryField,
    definition_of,
    is_attribute,
)
from gateway.execution.collecting import Collecting
from gateway.execution.compiled_arguments import Arguments, Values
from gateway.execution.compiled_inputs import Unfit, coercer
from gateway.execution.json_encoding import encode
from gateway.execution.plain_fields import Details, Selected, Selection, plain
from gateway.execution.projection import Dispatch, Kept, Projections, Projector
from gateway.waiting import settled
from schema import together
from schema.info import FieldPath
from schema.selections import SelectedFields, Selecting
from schema.together import Made, ResolveAll

FORESEEN: Final = (Unfit, *plain_fields.FORESEEN)
"""What the compiled way gives up for, besides errors of ours: graphql-core does it all again."""
# Ways in which one document's conditions may turn out that are kept.
_MOST_TREES: Final = 64


class Asked(msgspec.Struct, frozen=True):
    """What resolvers use of Strawberry's `Info`."""

    context: Any
    at: FieldPath
    selected: SelectedFields


# What a query is compiled to ----------------------------------------------------------------------

# Not structs, whose attributes take half as long again to read.


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Variable:
    """A variable of an operation.

    Attributes:
        name: of it.
        required: it must have a value.
        default: its value if none is given; `Undefined`: it has none then.
        coerce: reads the value that is given.
        is_text: every string is a value of its type, as it is.
    """

    name: str
    required: bool
    default: Any
    coerce: Callable[[Any], Any]
    is_text: bool

    def read(self, given: Values) -> Any:  # noqa: ANN401 - of any type
        """Return its value; `Undefined` when it has none."""
        value = given.get(self.name, Undefined)
        if value is Undefined:
            if self.required and self.default is Undefined:
                raise Unfit
            return self.default
        return self.coerce(value)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _ResolverCall:
    """A field with a resolver: what is called, with which arguments, and how it is completed.

    Attributes:
        name: in the response.
        at: where it stands in the response.
        selected: what is selected of what it yields.
        resolve: the resolver.
        resolve_all: resolves it for many objects at once, see `schema.together`.
        constants: its arguments that are the same each time.
        variables: what reads the others.
        completion: what becomes of its value.
        ends: nothing is called below it.
        kept: what its values were written as, by what they were made of.
    """

    name: str
    at: FieldPath
    selected: SelectedFields
    resolve: Callable[..., Awaitable[Any]]
    resolve_all: ResolveAll | None
    constants: dict[str, Any]
    variables: tuple[tuple[str, Callable[[Values], Any]], ...]
    completion: "_Completion"
    ends: bool
    kept: Kept[Hashable]

    def arguments(self, values: Values) -> dict[str, Any]:
        """Return the arguments under the resolver's own names."""
        if not self.variables:
            return self.constants
        found = dict(self.constants)
        for name, read in self.variables:
            value = read(values)
            if value is not Undefined:
                found[name] = value
        return found

    def begin(self, context: Any, values: Values, source: object) -> Any:  # noqa: ANN401 - what resolvers return
        """Call the resolver."""
        asked = Asked(context, self.at, self.selected)
        return self.resolve(source, info=asked, **self.arguments(values))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Object:
    """An object of one type.

    Attributes:
        project: its plain fields; when there are others, to a dictionary with places for them.
        deeper: fields that are attributes, with calls somewhere below.
        calls: fields with resolvers.
        is_plain: it has plain fields only.
    """

    nullable: bool
    project: Dispatch
    deeper: tuple[tuple[str, str, "_Completion"], ...]
    calls: tuple[_ResolverCall, ...]
    is_plain: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _List:
    """A list of objects."""

    nullable: bool
    item: "_Completion"


_Completion: TypeAlias = _Object | _List


_Places: TypeAlias = Sequence[dict[str, Any]]
"""Objects of the response that the value of a field goes into."""


class _Waiting(NamedTuple):
    """A field that is still to be resolved, of which objects, and what each value goes into."""

    call: _ResolverCall
    sources: Sequence[object]
    into: _Places


class _Coming(NamedTuple):
    """A value that was begun to be found, once for all objects that have the same."""

    call: _ResolverCall
    value: Awaitable[Any]
    into: _Places


class Run(Discreet):
    """One execution of a compiled query whose fields are several or go deeper."""

    _query: "CompiledQuery"
    _values: Values
    _context: Any

    async def data(self) -> dict[str, Any]:
        """Return the response's data.

        Raises:
            Unfit: only graphql-core can tell what the answer is.
            Exception: whatever resolvers raise.
        """
        data: dict[str, Any] = dict(self._query.names)
        waiting = [_Waiting(call, (None,), (data,)) for call in self._query.calls]
        if not self._query.writes:
            await self.together(waiting)
            return data
        for each in waiting:
            await self.together([each])
        return data

    async def together(self, waiting: Sequence[_Waiting]) -> None:
        """Resolve all; raise what the first that failed raised, when all have ended."""
        coming = [one for each in waiting if each.call.resolve_all for one in self._begin_all(each)]
        work = [
            self._call(call, source, place)
            for call, sources, into in waiting
            if not call.resolve_all
            for source, place in zip(sources, into, strict=True)
        ]
        work += [self._go_on(each) for each in coming if not each.call.ends]
        ending = [each for each in coming if each.call.ends]
        if ending:
            work.append(self._finish(ending))
        for outcome in await settled(work):
            if outcome is not None:
                raise outcome

    def _begin_all(self, waiting: _Waiting) -> Iterable[_Coming]:
        """Begin to resolve a field of many objects; what is the same for several is one."""
        call, sources, into = waiting
        asked = Asked(self._context, call.at, call.selected)
        resolve: Any = call.resolve_all
        values = resolve(sources, info=asked, **call.arguments(self._values))
        found: dict[Awaitable[Any] | None, list[dict[str, Any]]] = {}
        for value, place in zip(values, into, strict=True):
            if value in found:
                found[value].append(place)
            else:
                found[value] = [place]
        if found.pop(None, ()) and not call.completion.nullable:
            raise Unfit
        return [_Coming(call, value, places) for value, places in found.items() if value]

    async def _finish(self, coming: Sequence[_Coming]) -> None:
        """Wait for what was begun, and complete it; nothing is to be resolved below.

        What was begun last comes last: when it is there, the others are, and are not waited for.
        What has come before, and was written then, is not made again.
        """
        for call, value, into in reversed(coming):
            made_of = await value.made_of() if isinstance(value, Made) else None
            kept = call.kept.get(made_of)
            if kept is None:
                found = await value
                if isinstance(value, Made):
                    made_of = await value.made_of()  # It took more than that, perhaps.
                self._put(call, found, into, [], made_of)
                continue
            for each in into:
                each[call.name] = kept

    async def _go_on(self, coming: _Coming) -> None:
        """Wait for what was begun, and for what is to be resolved below."""
        waiting: list[_Waiting] = []
        self._put(coming.call, await coming.value, coming.into, waiting)
        if waiting:
            await self.together(waiting)

    async def _call(self, call: _ResolverCall, source: object, into: dict[str, Any]) -> None:
        """Resolve a field and put its value into an object of the response."""
        await self._go_on(_Coming(call, call.begin(self._context, self._values, source), (into,)))

    def _put(
        self,
        call: _ResolverCall,
        value: object,
        into: _Places,
        waiting: list[_Waiting],
        made_of: Hashable = None,
    ) -> None:
        """Complete a value and put it where it belongs; it is written out once for many places.

        If it is known what it was `made_of`, it may be written out for those that come later, too.
        """
        completed = _complete(call.completion, value, waiting)
        if call.ends and (len(into) > 1 or made_of is not None):
            completed = msgspec.Raw(encode(completed))
            if made_of is not None:
                call.kept.keep(made_of, completed)
        for each in into:
            each[call.name] = completed


def _complete(to: _Completion, value: object, waiting: list[_Waiting]) -> Any:  # noqa: ANN401 - JSON
    """Return the response's form of a value; what is still to be resolved joins `waiting`."""
    if value is None:
        if to.nullable:
            return None
        raise Unfit
    if isinstance(to, _List):
        return _list(to, value, waiting)
    if to.is_plain:
        return to.project(value)
    return _objects(to, (value,), waiting)[0]


def _list(to: _List, value: object, waiting: list[_Waiting]) -> list[Any]:
    if not isinstance(value, list):
        raise Unfit
    item = to.item
    if isinstance(item, _Object) and not item.nullable:
        return item.project.all(value) if item.is_plain else _objects(item, value, waiting)
    return [_complete(item, each, waiting) for each in value]


def _objects(
    to: _Object, values: Sequence[object], waiting: list[_Waiting]
) -> list[dict[str, Any]]:
    """Return objects that have more than plain fields, with places for what is called."""
    made: list[dict[str, Any]] = to.project.all(values)
    for name, attribute, below in to.deeper:
        for value, place in zip(values, made, strict=True):
            place[name] = _complete(below, getattr(value, attribute), waiting)
    waiting += [_Waiting(call, values, made) for call in to.calls]
    return made


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CompiledQuery:
    """A query, compiled for one outcome of its conditions.

    Attributes:
        names: those of its fields in the response, with the values of the `__typename` among them.
        calls: the other fields.
        ends: it has one field, below which nothing is called.
        writes: it is a mutation.
    """

    names: tuple[tuple[str, str | None], ...]
    calls: tuple[_ResolverCall, ...]
    ends: bool
    writes: bool

    def begin(self, context: Any, values: Values) -> Awaitable[Any]:  # noqa: ANN401 - a port of the schema
        """Begin one that `ends`, and return what its only field will be; see `finish`."""
        context.alone = not self.writes
        coming: Awaitable[Any] = self.calls[0].begin(context, values, None)
        return coming

    def finish(self, value: object) -> dict[str, Any]:
        """Return the data of the response of one that `ends`, once its field is there.

        Raises:
            Unfit: only graphql-core can tell what the answer is.
        """
        [call] = self.calls
        data: dict[str, Any] = dict(self.names)
        data[call.name] = _complete(call.completion, value, [])
        return data


class CompiledOperation:
    """All that can be known once of how to execute a query; kept as long as its document."""

    __slots__ = (
        "_conditions",
        "_name",
        "_projections",
        "_queries",
        "_schema",
        "_syntax",
        "_variables",
    )

    def __init__(
        self,
        schema: GraphQLSchema,
        projector: Projector,
        document: Document,
        operation: Operation,
    ) -> None:
        """Find out what can be known without values of variables.

        Args:
            schema: what the document was validated against.
            projector: compiles what is plain.
            document: a document without errors.
            operation: a query of it.
        """
        self._projections = Projections(projector)
        self._schema = schema
        self._syntax = document.syntax
        self._name = operation.name
        self._conditions = document.conditions
        definition = document.syntax and document.syntax.definition(operation.name)
        self._variables = _variables(schema, definition) if definition else ()
        # By how the conditions turn out.
        self._queries: dict[tuple[Any, ...], CompiledQuery | None] = {}

    def find(self, given: dict[str, Any]) -> tuple[CompiledQuery, Values] | None:
        """Return the query for these variables, as the client sent them, and their values.

        None where it cannot be run but by graphql-core.
        """
        values: dict[str, Any] = {}
        try:
            for variable in self._variables:
                value = given.get(variable.name)
                if value.__class__ is not str or not variable.is_text:
                    value = variable.read(given)
                if value is not Undefined:
                    values[variable.name] = value
        except Unfit:
            return None
        case = tuple([values.get(each) for each in self._conditions]) if self._conditions else ()
        query = self._queries.get(case, _UNKNOWN)
        if query is _UNKNOWN:
            query = self._compile(case, values)
        elif not self._projections.is_written:
            self._projections.come_again()
        return None if query is None else (query, values)

    def _compile(self, case: tuple[Any, ...], values: Values) -> CompiledQuery | None:
        if len(self._queries) >= _MOST_TREES:
            self._queries.clear()
        query, syntax = None, self._syntax
        definition = None if syntax is None else syntax.definition(self._name)
        if syntax is not None and definition is not None:
            collecting = Collecting(self._schema, syntax.whole, definition, values)
            query = _compile(collecting, self._projections)
            if query is not None:
                syntax.drop()
        self._queries[case] = query
        return query


_UNKNOWN: Final = CompiledQuery((), (), False, False)  # noqa: FBT003 - it is compared by identity


def compiled_for(
    schema: GraphQLSchema, projector: Projector, document: Document, operation: Operation
) -> CompiledOperation:
    """Return a query as it is compiled, and kept."""
    compiled: CompiledOperation | None = operation.compiled
    if compiled is None:
        compiled = operation.compiled = CompiledOperation(schema, projector, document, operation)
    return compiled


def _ends(completion: _Completion) -> bool:
    """Whether nothing is called below."""
    if isinstance(completion, _List):
        return _ends(completion.item)
    return not completion.calls and all(_ends(below) for _, _, below in completion.deeper)


# Compiling ----------------------------------------------------------------------------------------


def _variables(schema: GraphQLSchema, node: OperationDefinitionNode) -> tuple[_Variable, ...]:
    found = []
    for each in node.variable_definitions or ():
        kind: Any = type_from_ast(schema, each.type)
        default = Undefined
        if each.default_value is not None:
            default = coerce_input_literal(each.default_value, kind)
        named = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        is_text = named in {GraphQLID, GraphQLString}
        required = isinstance(kind, GraphQLNonNull)
        found.append(_Variable(each.variable.name.value, required, default, coercer(kind), is_text))
    return tuple(found)


def _compile(collecting: Collecting, projections: Projections) -> CompiledQuery | None:
    root = collecting.root
    if root is None:
        return None
    names: list[tuple[str, str | None]] = []
    calls: list[_ResolverCall] = []
    tree = _Tree(collecting, projections)
    try:
        for response_name, group in collecting.at_root(root).items():
            is_name = group[0].node.name.value == "__typename"
            names.append((response_name, root.name if is_name else None))
            if not is_name:
                calls.append(tree.call(root, response_name, group, ""))
    except (Unfit, GraphQLError):  # The latter of a condition that is null.
        return None
    ends = len(calls) == 1 and _ends(calls[0].completion)
    writes = root is collecting.schema.mutation_type
    return CompiledQuery(tuple(names), tuple(calls), ends, writes)


class _Tree:
    """Compiles fields with resolvers, and what they return."""

    def __init__(self, collecting: Collecting, projections: Projections) -> None:
        self._collecting = collecting
        self._projections = projections
        self._selecting = Selecting(collecting.schema, collecting.fragments, collecting.values)

    def call(
        self, parent: GraphQLObjectType, name: str, group: Details, above: str
    ) -> _ResolverCall:
        """Compile a field with a resolver; `above` leads to the object that has it.

        Raises:
            Unfit: it, or something below, is not of the kind that can be compiled.
        """
        node = group[0].node
        definition = parent.fields.get(node.name.value)
        if definition is None or group[0].fragment_variable_values is not None:
            raise Unfit
        made = definition_of(definition)
        resolver = made.base_resolver if isinstance(made, StrawberryField) else None
        if not isinstance(made, StrawberryField) or resolver is None:
            raise Unfit
        usual = resolver.self_parameter and resolver.info_parameter
        unusual = made.extensions or resolver.root_parameter or resolver.parent_parameter
        if not usual or unusual:
            raise Unfit
        constants, variables = Arguments(self._collecting.schema).of(definition, made, node)
        at = FieldPath(above + name)
        completion = self._completion(definition.type, group, f"{at}.")
        resolve: Any = resolver.wrapped_func
        selected = self._selecting.below(definition.type, [each.node for each in group])
        return _ResolverCall(
            name,
            at,
            selected,
            resolve,
            together.of_all(resolve),
            constants,
            variables,
            completion,
            ends=_ends(completion),
            kept=self._projections.kept(),
        )

    def _completion(self, kind: GraphQLOutputType, group: Details, at: str) -> _Completion:
        nullable = not isinstance(kind, GraphQLNonNull)
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if isinstance(inner, GraphQLList):
            return _List(nullable, self._completion(inner.of_type, group, at))
        if not isinstance(inner, GraphQLObjectType):
            raise Unfit
        groups, deferred, _ = self._collecting.collect_subfields(inner, group)
        if deferred or not groups:
            raise Unfit
        fields: dict[str, Selected | None] = {}
        deeper: list[tuple[str, str, _Completion]] = []
        calls: list[_ResolverCall] = []
        for name, below in groups.items():
            fields[name] = plain(self._collecting, inner, below)
            if fields[name] is not None:
                continue
            definition = inner.fields.get(below[0].node.name.value)
            if definition is None:
                raise Unfit
            if is_attribute(definition.resolve):
                attribute = definition_of(definition)
                below_it = self._completion(definition.type, below, f"{at}{name}.")
                deeper.append((name, attribute.python_name, below_it))
            else:
                calls.append(self.call(inner, name, below, at))
        dispatch = self._projections.dispatch(Selection(inner, fields))
        is_plain = not deeper and not calls
        return _Object(nullable, dispatch, tuple(deeper), tuple(calls), is_plain)
