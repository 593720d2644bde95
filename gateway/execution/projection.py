"""Compiled projections: a selection of plain fields becomes one Python function.

A plain field takes no arguments and has no resolver: its value is an attribute of the object, or a
place in an upstream record that a mapping table names. For a whole tree of such fields
graphql-core's completion, field by field, is work that can be done once: the function made here
goes from an object straight to the response's. It covers the ordinary values only. Whatever else
comes up (a null where none may be, a record that is not strict) raises, and graphql-core does it
all again in its own way, with its own errors: there is one set of semantics, and it is
graphql-core's.

What it makes are structures whose fields are the response's names: made and encoded in C, they take
half the time of dictionaries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias
from weakref import WeakValueDictionary

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    is_leaf_type,
)

from gateway.errors import GatewayError
from gateway.execution._compat import Executor, FieldDetails, is_attribute
from gateway.mapping import coerce
from gateway.mapping.filled import Filled
from gateway.mapping.filters import to_field
from gateway.mapping.records import (
    DECODERS,
    STRICT,
    TABLES,
    UNABLE,
    VIEWS,
    Alternative,
    Derived,
    Leaf,
    NestedObject,
    View,
    known,
    stated,
)
from schema.enums import Source

Project: TypeAlias = Callable[[Any], Any]
Details: TypeAlias = list[FieldDetails]

_STRINGS = frozenset({"String", "ID", "E164", "URL", "CountryCode"})
_INCREMENTAL = frozenset({"stream", "defer"})
# How a strict record's values become a scalar's: what their type says needs no second look.
_ORDINARY: Mapping[tuple[str, coerce.Coercion], str] = {
    ("String", coerce.text): "({got} or None)",
    ("String", coerce.numeral): (
        "({v} if ({v} := {got}).__class__ is str and {v}"
        " else str({v}) if {v}.__class__ is int else {read}({v}))"
    ),
    ("String", coerce.texts): (
        "(None if ({v} := {got}) is None else [each for each in {v} if each])"
    ),
    ("Boolean", coerce.boolean): "{got}",
    ("Float", coerce.number): "({v} if ({v} := {got}).__class__ is float else {read}({v}))",
}


_encoder = msgspec.json.Encoder()
# Blocks that are known, of all documents together, and the longest of them that are kept: 20 MB.
_MOST_BLOCKS = 8192
_LONGEST_BLOCK = 2048


class NotPlain(Exception):
    """A value that only graphql-core knows what to do with."""


FORESEEN: Final = (NotPlain, GatewayError, GraphQLError)
"""What a projection gives up for: values that are not plain, and errors of the fields' own."""


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


def item_type(kind: GraphQLOutputType) -> GraphQLOutputType:
    """Return the type inside lists and non-null marks."""
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    return kind


def compile_for(selection: Selection, kind: type) -> Project | None:
    """Return the function that projects objects of class `kind`; None when there can be none.

    A selection with places for fields that are not plain becomes a dictionary, to fill them in.
    """
    writer = _Writer()
    try:
        if issubclass(kind, View) and kind.typename != selection.type.name:
            return None
        if not issubclass(kind, View) or issubclass(kind, Filled):
            return writer.function(writer.attributes(selection, "source"))
        record = STRICT[kind.source].get(kind.typename)
        writer.check(f"source.raw.__class__ is {writer.keep(record)}")
        return writer.function(writer.view(selection, kind, "source.raw", "source"))
    except NotPlain:
        return None


class Dispatch:
    """Projects objects whose class is not known when the code is written, by their class."""

    __slots__ = ("_known", "_selection")

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._known: dict[type, Project] = {}

    def __call__(self, source: object) -> Any:  # noqa: ANN401 - JSON
        """Return the projection of `source`."""
        kind = source.__class__
        return (self._known.get(kind) or self._for(kind))(source)

    def all(self, sources: Sequence[object]) -> list[Any]:
        """Return the projections of objects of one class."""
        if not sources:
            return []
        kind = sources[0].__class__
        project = self._for(kind)
        for source in sources:
            if source.__class__ is not kind:
                raise NotPlain
        return [project(source) for source in sources]

    def _for(self, kind: type) -> Project:
        project = self._known.get(kind)
        if project is None:
            project = compile_for(self._selection, kind)
            if project is None:
                raise NotPlain
            self._known[kind] = project
        return project


class _Writer:
    """Writes the lines of one function; what it refers to is kept by name."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._variables = 0
        self._names: dict[str, object] = {"missing": _missing}

    def function(self, result: str) -> Project:
        body = "".join(f"    {line}\n" for line in (*self._lines, f"return {result}"))
        namespace = dict(self._names)
        exec(f"def project(source):\n{body}", namespace)  # noqa: S102 - written here, from tables
        project: Project = namespace["project"]  # type: ignore[assignment]
        return project

    def check(self, condition: str) -> None:
        """Leave it to graphql-core when a condition does not hold."""
        self._lines.append(f"if not ({condition}): missing()")

    def made(self, entries: Mapping[str, str], *, holes: bool) -> str:
        """Return the code for an object of the response, from its names and their code."""
        if holes:
            return "{" + ", ".join(f"{name!r}: {code}" for name, code in entries.items()) + "}"
        # Response names may be words that Python keeps for itself.
        fields = {f"f{place}": name for place, name in enumerate(entries)}
        struct = msgspec.defstruct(
            "Projected", [(each, Any) for each in fields], rename=fields, gc=False
        )
        return f"{self.keep(struct)}({', '.join(entries.values())})"

    # Objects of the schema ----------------------------------------------------------------------

    def attributes(self, selection: Selection, source: str) -> str:
        """Return the code for an object whose fields are its attributes."""
        entries = {}
        for name, selected in selection.fields.items():
            if selected is None or not selected.attribute:
                entries[name] = repr(selected and selection.type.name)
                continue
            value = self.fresh()
            self._lines.append(f"{value} = {source}.{selected.attribute}")
            entries[name] = self.completed(selected.type, selected.below, value)
        return self.made(entries, holes=None in selection.fields.values())

    def completed(self, kind: GraphQLOutputType, below: Selection | None, value: str) -> str:
        """Return the code that completes `value` to `kind`."""
        if isinstance(kind, GraphQLNonNull):
            inner = kind.of_type
            if isinstance(inner, GraphQLList):
                return self.completed_list(inner, below, value)
            code = self.completed_one(inner, below, value)
            return code if below else self.required(code)
        if isinstance(kind, GraphQLList):
            return f"(None if {value} is None else {self.completed_list(kind, below, value)})"
        return f"(None if {value} is None else {self.completed_one(kind, below, value)})"

    def completed_list(
        self, kind: GraphQLList[GraphQLOutputType], below: Selection | None, value: str
    ) -> str:
        each = kind.of_type
        if below is not None and isinstance(each, GraphQLNonNull):
            return f"{self.keep(Dispatch(below))}.all({value})"
        item = self.fresh()
        return f"[{self.completed(each, below, item)} for {item} in {value}]"

    def completed_one(self, kind: GraphQLOutputType, below: Selection | None, value: str) -> str:
        if below is not None:
            return f"{self.keep(Dispatch(below))}({value})"
        if isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            return f"{self.keep(kind.coerce_output_value)}({value})"
        raise NotPlain

    # Views over upstream records ----------------------------------------------------------------

    def view(self, selection: Selection, kind: type[View], raw: str, view: str = "") -> str:
        """Return the code for an object whose fields are in a strict record.

        `view` is the code of the view itself, where there is one already.
        """
        table = TABLES[kind.source][kind.typename]
        values = self.fresh()
        self._lines.append(f"{values} = {raw}")
        view = view or f"{self.keep(kind)}({values}, source.home)"
        entries = {}
        for name, selected in selection.fields.items():
            if selected is None:
                entries[name] = "None"
                continue
            entry = table.get(selected.attribute)
            match entry:
                case _ if not selected.attribute:
                    entries[name] = repr(kind.typename)
                    continue
                case None:
                    code = "None"
                case Leaf() if selected.below is not None:
                    value = self.fresh()
                    got = self.got(values, entry.keys)
                    self._lines.append(f"{value} = {self.keep(entry.read)}({got})")
                    code = self.completed(selected.type, selected.below, value)
                case Leaf():
                    code = self.leaf(entry, item_type(selected.type), values)
                case Alternative():
                    code = self.choice(entry, table, selection.type, values)
                case Derived():
                    code = self.derived(entry, selected, values, view)
                case NestedObject():
                    code = self.branch(entry, selected.below, kind.source, values)
            required = isinstance(selected.type, GraphQLNonNull)
            entries[name] = self.required(code) if required else code
        return self.made(entries, holes=None in selection.fields.values())

    def leaf(self, entry: Leaf, kind: GraphQLOutputType, raw: str) -> str:
        """Return the code that reads a leaf; what the strict type says needs no second look."""
        got = self.got(raw, entry.keys)
        read = entry.read
        names = getattr(read, "names", None)
        if names is not None and isinstance(kind, GraphQLEnumType):
            return f"{self.keep(_Known(names, read, _output(kind)))}[{got}]"
        if isinstance(kind, GraphQLScalarType):
            scalar = "String" if kind.name in _STRINGS else kind.name
            value = self.fresh()
            code = _ORDINARY.get((scalar, read), "")
            if code:
                return code.format(v=value, got=got, read=self.keep(read))
        return self.shown(kind, f"{self.keep(read)}({got})")

    def got(self, raw: str, keys: tuple[str, ...]) -> str:
        """Return the code for the value under the first of `keys` that is there and not null."""
        *others, last = keys
        code = f"{raw}.{last}"
        for key in reversed(others):
            value = self.fresh()
            code = f"({value} if ({value} := {raw}.{key}) is not None else {code})"
        return code

    def derived(self, entry: Derived, selected: Selected, raw: str, view: str) -> str:
        """Return the code for a value that is worked out, unless it is where it usually stands."""
        if selected.below is not None:
            return self.computed(entry, selected.below, view)
        kind = item_type(selected.type)
        code = self.shown(kind, f"{self.keep(entry.compute)}({view})")
        if not entry.usual or not (isinstance(kind, GraphQLScalarType) and kind.name in _STRINGS):
            return code
        *path, keys = entry.usual
        outer = raw
        for alternatives in path:
            step = self.fresh()
            self._lines.append(f"{step} = {self.got(outer, alternatives)}")
            outer = step
        usual = self.got(outer, keys)
        return f"({f'{outer} and {usual}' if path else usual} or {code})"

    def computed(self, entry: Derived, below: Selection, view: str) -> str:
        """Return the code for an object that is worked out; its fields are its attributes."""
        value = self.fresh()
        return (
            f"(None if ({value} := {self.keep(entry.compute)}({view})) is None"
            f" else {self.keep(Dispatch(below))}({value}))"
        )

    def choice(
        self, entry: Alternative, table: Mapping[str, Any], kind: GraphQLObjectType, raw: str
    ) -> str:
        """Return the code that tells which of several leaves is there first."""
        code = repr(entry.otherwise.name)
        for name, member in reversed(entry.precedence):
            leaf = table.get(name)
            if isinstance(leaf, Leaf):
                present = self.leaf(leaf, item_type(kind.fields["url"].type), raw)
                code = f"({member.name!r} if {present} else {code})"
        return code

    def branch(self, entry: NestedObject, below: Selection | None, source: Source, raw: str) -> str:
        """Return the code for an object below; it is there when upstream has an object for it."""
        if below is None:
            raise NotPlain
        inner, result = self.fresh(), self.fresh()
        if entry.flags:
            self._lines.append(
                f"{inner} = {raw} if {self.keep(known)}({raw}, {entry.flags!r}) else None"
            )
        elif entry.null_is_no:
            no = self.keep(UNABLE[entry.typename])
            self._lines.append(f"{inner} = {self.keep(stated)}({raw}, {entry.keys[0]!r}, {no})")
        elif entry.repeats:
            once = self.keep(_Once(below, VIEWS[source][entry.typename]))
            self._lines += [
                f"{inner} = {raw}.{entry.keys[0]}",
                f"{result} = None if {inner} is None else {once}[bytes({inner})]",
            ]
            return result
        elif entry.keys:
            self._lines.append(f"{inner} = {self.got(raw, entry.keys)}")
        else:
            self._lines.append(f"{inner} = {raw}")
        outer, self._lines = self._lines, []
        code = self.view(below, VIEWS[source][entry.typename], inner)
        block, self._lines = self._lines, outer
        self._lines.append(f"{result} = None")
        self._lines.append(f"if {inner} is not None:")
        self._lines += [f"    {line}" for line in (*block, f"{result} = {code}")]
        return result

    # ----------------------------------------------------------------------------------------------

    def required(self, code: str) -> str:
        """Return the code for a value that must not be null."""
        value = self.fresh()
        return f"(missing() if ({value} := {code}) is None else {value})"

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


class _Known(dict[Any, Any]):
    """The names of an enum's upstream values in responses; others are looked up each time."""

    def __init__(
        self, names: Mapping[str | None, str | None], read: coerce.Coercion, output: Project
    ) -> None:
        super().__init__(names)
        self._read = read
        self._output = output

    def __missing__(self, value: object) -> Any:  # noqa: ANN401 - a name, or None
        member = self._read(value)
        return None if member is None else self._output(member)


class _Once(dict[bytes, msgspec.Raw]):
    """The projections of one kind of block, by what came; they are kept from the second time on.

    What comes only once, as a webhook with the number in its URL, shall not push out the others.
    """

    _everything: ClassVar[WeakValueDictionary[int, "_Once"]] = WeakValueDictionary()
    _noted: ClassVar[int] = 0

    def __init__(self, below: Selection, kind: type[View]) -> None:
        super().__init__()
        self._kind = kind
        self._project = compile_for(below, kind)
        self._decode = DECODERS[STRICT[kind.source][kind.typename]].decode
        self.seen: set[int] = set()
        self._everything[id(self)] = self

    def __missing__(self, block: bytes) -> Any:  # noqa: ANN401 - JSON
        try:
            record = self._decode(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NotPlain from None  # Its view makes of it what can be made.
        if record is None:
            return None
        if self._project is None:
            raise NotPlain
        projected = self._project(self._kind(record))
        sight = hash(block)
        if sight not in self.seen:
            self._note()
            self.seen.add(sight)
        elif len(block) <= _LONGEST_BLOCK:
            projected = self[block] = msgspec.Raw(_encoder.encode(projected))
        return projected

    def _note(self) -> None:
        """Count what is new; when it becomes too much, begin again."""
        if _Once._noted >= _MOST_BLOCKS:
            for each in self._everything.values():
                each.clear()
                each.seen.clear()
            _Once._noted = 0
        _Once._noted += 1


def _missing() -> object:
    raise NotPlain
