"""Compiled projections: a selection of plain fields becomes one Python function.

A plain field takes no arguments and has no resolver: its value is an attribute of the object, or a
place in upstream JSON that a mapping table names. For a whole tree of such fields graphql-core's
completion, field by field, is work that can be done once: the function made here goes from an
object straight to the response's dictionary. It covers the ordinary values only. Whatever else
comes up (a null where none may be, a value of the wrong type) raises, and graphql-core does it all
again in its own way, with its own errors: there is one set of semantics, and it is graphql-core's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    is_leaf_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails

from gateway import coerce
from gateway.filters import to_field
from gateway.records import TABLES, VIEWS, Branch, Choice, Derived, Leaf, View, capability, first_of
from schema.enums import Source

Project: TypeAlias = Callable[[Any], Any]
Details: TypeAlias = list[FieldDetails]

_STRINGS = frozenset({"String", "ID", "E164", "URL", "CountryCode"})
_INCREMENTAL = frozenset({"stream", "defer"})
# Inline tests for the values that readers return as they are: reader → (types, condition).
_AS_THEY_ARE: Mapping[coerce.Reader, tuple[frozenset[str], str]] = {
    coerce.text: (_STRINGS, "{v}.__class__ is str and {v}"),
    coerce.boolean: (frozenset({"Boolean"}), "{v} is True or {v} is False"),
    coerce.integer: (
        frozenset({"Int"}),
        "{v}.__class__ is int and -2147483648 <= {v} < 2147483648",
    ),
    coerce.number: (frozenset({"Float"}), "{v}.__class__ is float and {v} - {v} == 0.0"),
}


class NotPlain(Exception):
    """A value that only graphql-core knows what to do with."""


class Selected(NamedTuple):
    """A plain field of a selection: its type, and what is selected below it."""

    attribute: str
    type: GraphQLOutputType
    below: "Selection | None"


@dataclass(frozen=True, slots=True)
class Selection:
    """Plain fields of one object type by response name, in order.

    `__typename` is an empty attribute; None keeps the place of a field that is not plain.
    """

    type: GraphQLObjectType
    fields: Mapping[str, Selected | None]


@dataclass(frozen=True, slots=True)
class Projections:
    """The functions compiled for one document; its syntax tree must live as long as they do."""

    functions: dict[tuple[Any, ...], Project | None] = field(default_factory=dict)
    splits: dict[tuple[Any, ...], tuple[Project | None, tuple[str, ...]]] = field(
        default_factory=dict
    )


def select(executor: Executor[Any], kind: GraphQLObjectType, details: Details) -> Selection | None:
    """Return the tree of plain fields below `details`; None when not all of them are plain."""
    groups, deferred, _ = executor.collect_subfields(kind, details)
    if deferred:
        return None
    fields: dict[str, Selected] = {}
    for name, group in groups.items():
        selected = plain(executor, kind, group)
        if selected is None:
            return None
        fields[name] = selected
    return Selection(kind, fields)


def plain(executor: Executor[Any], kind: GraphQLObjectType, group: Details) -> Selected | None:
    """Return a field of a selection if it and everything below it is plain."""
    node = group[0].node
    name = node.name.value
    if name == "__typename":
        return Selected("", GraphQLString, None)
    definition = kind.fields.get(name)
    if definition is None or definition.args or not is_attribute(definition.resolve):
        return None
    directives = (each.name.value for one in group for each in one.node.directives or ())
    if not _INCREMENTAL.isdisjoint(directives):
        return None
    inner = item_type(definition.type)
    if is_leaf_type(inner):
        return Selected(to_field(name), definition.type, None)
    if not isinstance(inner, GraphQLObjectType):
        return None
    below = select(executor, inner, group)
    return Selected(to_field(name), definition.type, below) if below else None


def is_attribute(resolve: object) -> bool:
    """Whether a field's resolver only reads the attribute of its name (Strawberry marks those)."""
    return bool(getattr(resolve, "_is_default", False))


def item_type(kind: GraphQLOutputType) -> GraphQLOutputType:
    """Return the type inside lists and non-null marks."""
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    return kind


def compile_for(selection: Selection, kind: type) -> Project | None:
    """Return the function that projects objects of class `kind`; None when there can be none.

    Keys of upstream JSON are taken to be there, which is the fastest way to read them, until one is
    found missing: then the function is written anew, asking whether that key is there.
    """
    optional: set[str] = set()
    function = _compile(selection, kind, optional)
    if function is None:
        return None

    def project(source: object) -> Any:  # noqa: ANN401 - JSON
        nonlocal function
        while True:
            try:
                return function(source)  # type: ignore[misc]
            except KeyError as missing:
                key = missing.args[0]
                if key in optional:
                    raise
                optional.add(key)
                function = _compile(selection, kind, optional)

    return project


def _compile(selection: Selection, kind: type, optional: set[str]) -> Project | None:
    writer = _Writer(optional)
    try:
        if issubclass(kind, View):
            if getattr(kind, "typename", None) != selection.type.name:
                return None
            result = writer.view(selection, kind, "source.raw", "source")
        else:
            result = writer.attributes(selection, "source")
    except NotPlain:
        return None
    return writer.function(result)


class Dispatch:
    """Projects objects whose class is not known when the code is written, by their class."""

    __slots__ = ("_known", "_selection")

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._known: dict[type, Project] = {}

    def __call__(self, source: object) -> Any:  # noqa: ANN401 - JSON
        """Return the projection of `source`."""
        kind = source.__class__
        project = self._known.get(kind)
        if project is None:
            project = compile_for(self._selection, kind)
            if project is None:
                raise NotPlain
            self._known[kind] = project
        return project(source)


class _Writer:
    """Writes the lines of one function; what it refers to is kept by name."""

    def __init__(self, optional: set[str]) -> None:
        self._optional = optional
        self._lines: list[str] = []
        self._variables = 0
        self._names: dict[str, object] = {"required": _required, "first_of": first_of}

    def function(self, result: str) -> Project:
        body = "".join(f"    {line}\n" for line in (*self._lines, f"return {result}"))
        namespace = dict(self._names)
        exec(f"def project(source):\n{body}", namespace)  # noqa: S102 - written here, from tables
        project: Project = namespace["project"]  # type: ignore[assignment]
        return project

    # Objects of the schema ----------------------------------------------------------------------

    def attributes(self, selection: Selection, source: str) -> str:
        """Return the code for an object whose fields are its attributes."""
        entries = []
        for name, selected in selection.fields.items():
            if selected is None or not selected.attribute:
                entries.append(f"{name!r}: {selected and selection.type.name!r}")
                continue
            value = self.fresh()
            self._lines.append(f"{value} = {source}.{selected.attribute}")
            code = self.completed(selected.type, selected.below, value)
            entries.append(f"{name!r}: {code}")
        return "{" + ", ".join(entries) + "}"

    def completed(self, kind: GraphQLOutputType, below: Selection | None, value: str) -> str:
        """Return the code that completes `value` to `kind`."""
        if isinstance(kind, GraphQLNonNull):
            inner = kind.of_type
            if isinstance(inner, GraphQLList):
                return self.completed_list(inner, below, value)
            code = self.completed_one(inner, below, value)
            return code if below else f"required({code})"
        if isinstance(kind, GraphQLList):
            return f"(None if {value} is None else {self.completed_list(kind, below, value)})"
        return f"(None if {value} is None else {self.completed_one(kind, below, value)})"

    def completed_list(
        self, kind: GraphQLList[GraphQLOutputType], below: Selection | None, value: str
    ) -> str:
        item = self.fresh()
        return f"[{self.completed(kind.of_type, below, item)} for {item} in {value}]"

    def completed_one(self, kind: GraphQLOutputType, below: Selection | None, value: str) -> str:
        if below is not None:
            return f"{self.keep(Dispatch(below))}({value})"
        if isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            return f"{self.keep(kind.coerce_output_value)}({value})"
        raise NotPlain

    # Views over upstream JSON -------------------------------------------------------------------

    def view(self, selection: Selection, kind: type[View], raw: str, source: str = "") -> str:
        """Return the code for an object whose fields are in upstream JSON.

        `source` is the code of the view itself, where there is one already.
        """
        table = TABLES[kind.source][kind.typename]
        values = self.fresh()
        self._lines.append(f"{values} = {raw}")
        home = "source.home"
        view = source or f"{self.keep(kind)}({values}, {home})"
        entries = []
        for name, selected in selection.fields.items():
            if selected is None:
                entries.append(f"{name!r}: None")
                continue
            entry = table.get(selected.attribute)
            required = isinstance(selected.type, GraphQLNonNull)
            leaf = item_type(selected.type)
            match entry:
                case _ if not selected.attribute:
                    code, required = repr(kind.typename), False
                case None:
                    code = "None"
                case Leaf():
                    code = self.leaf(entry, selected.type, values)
                case Choice():
                    code = self.choice(entry, table, selection.type, values)
                case Derived(compute=compute):
                    code = self.shown(leaf, f"{self.keep(compute)}({view})")
                case Branch():
                    code = self.branch(entry, selected.below, kind.source, values)
            entries.append(f"{name!r}: {f'required({code})' if required else code}")
        return "{" + ", ".join(entries) + "}"

    def leaf(self, entry: Leaf, kind: GraphQLOutputType, raw: str) -> str:
        """Return the code that reads a leaf; ordinary values pass without a call."""
        named = item_type(kind)
        value = self.fresh()
        got = self.got(raw, entry.keys)
        read = f"{self.keep(entry.read)}({value})"
        if entry.read is coerce.texts:
            return f"(None if ({value} := {got}) is None else {read})"
        names = getattr(entry.read, "names", None)
        if names is not None and isinstance(named, GraphQLEnumType):
            known = self.keep(names)
            return (
                f"({known}[{value}] if ({value} := {got}) in {known} else"
                f" {self.shown(named, read)})"
            )
        types, test = _AS_THEY_ARE.get(entry.read, (frozenset(), ""))
        if isinstance(named, GraphQLScalarType) and named.name in types:
            condition = test.format(v=value)
            self._lines.append(f"{value} = {got}")
            return f"({value} if {value} is None or {condition} else {read})"
        return self.shown(named, f"{self.keep(entry.read)}({got})")

    def got(self, raw: str, keys: tuple[str, ...]) -> str:
        """Return the code for the value under the first of `keys` that is there and not null."""
        if len(keys) > 1:
            return f"first_of({raw}, {keys!r})"
        [key] = keys
        return f"{raw}.get({key!r})" if key in self._optional else f"{raw}[{key!r}]"

    def choice(
        self, entry: Choice, table: Mapping[str, Any], kind: GraphQLObjectType, raw: str
    ) -> str:
        """Return the code that tells which of several leaves is there first."""
        code = repr(entry.otherwise.name)
        for name, member in reversed(entry.precedence):
            leaf = table.get(name)
            if isinstance(leaf, Leaf):
                present = self.leaf(leaf, kind.fields["url"].type, raw)
                code = f"({member.name!r} if {present} else {code})"
        return code

    def branch(self, entry: Branch, below: Selection | None, source: Source, raw: str) -> str:
        """Return the code for an object below; it is there when upstream has an object for it."""
        if below is None:
            raise NotPlain
        inner, result = self.fresh(), self.fresh()
        if entry.flag:
            flag = f"{self.keep(coerce.boolean)}({self.keep(capability)}({raw}, {entry.flag!r}))"
            self._lines.append(f"{inner} = {raw} if {flag} else None")
        elif entry.keys:
            self._lines.append(f"{inner} = {self.got(raw, entry.keys)}")
        else:
            self._lines.append(f"{inner} = {raw}")
        outer, self._lines = self._lines, []
        code = self.view(below, VIEWS[source][entry.typename], inner)
        block, self._lines = self._lines, outer
        self._lines.append(f"{result} = None")
        self._lines.append(f"if {inner}.__class__ is dict:")
        self._lines += [f"    {line}" for line in (*block, f"{result} = {code}")]
        return result

    # ----------------------------------------------------------------------------------------------

    def shown(self, kind: GraphQLOutputType, value: str) -> str:
        """Return the code that turns a resolved value of a leaf type into its JSON form."""
        if not isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            raise NotPlain
        if isinstance(kind, GraphQLScalarType) and kind.name in _STRINGS:
            return value
        each = self.fresh()
        return f"(None if ({each} := {value}) is None else {self.keep(_output(kind))}({each}))"

    def keep(self, thing: object) -> str:
        """Return the name under which the code finds `thing`."""
        for name, kept in self._names.items():
            if kept is thing:
                return name
        name = f"k{len(self._names)}"
        self._names[name] = thing
        return name

    def fresh(self) -> str:
        """Return a variable's name that was not used before."""
        self._variables += 1
        return f"v{self._variables}"


def _output(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    output: Callable[[Any], Any] = kind.coerce_output_value
    return output


def _required(value: object) -> object:
    if value is None:
        raise NotPlain
    return value
