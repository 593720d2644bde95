"""Writes projections: a selection of plain fields becomes the text of one Python function.

Of numbers that the catalog shows, this selection

    { sid geography { region } capabilities { sms { enabled } } }

becomes this function:

    def project(sources):
        made = []
        v8 = v9 = None
        for source in sources:
            if not (source.raw.__class__ is k1): missing()
            v1 = source.raw
            v3 = v1.geography
            v4 = None
            if v3 is not None:
                v5 = v3
                v4 = k5((v5.region or None))
            v7 = v1.capabilities
            if v7 != v8:
                v8 = v7
                v9 = None if v7 is None else k6[bytes(v7)]
            made.append(k7((missing() if (v2 := (v1.sid or k2(source))) is None else v2), v4, v9))
        return made

`missing` raises `NotPlain`: only a strict record (`k1`) is projected, and a sid must not be null.
`k2` finds a sid that is not where it usually stands; `k5` and `k7` are the structures that objects
of the response become, with its names; `k6` has the projections of capabilities, which many numbers
have in common, by the bytes that came (see `Blocks`): to compare them with those of the number
before takes less than to look them up.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
)

from gateway.execution.plain_fields import NotPlain, Selected, Selection, item_type
from gateway.mapping import coerce
from gateway.mapping.filled import TOLD_OF_ALL, Filled, homes_with, place_of
from gateway.mapping.homes import Home
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
ProjectAll: TypeAlias = Callable[[Sequence[Any]], list[Any]]

_MOST_TEXTS = 128
STRINGS = frozenset({"String", "ID", "E164", "URL", "CountryCode"})
"""Scalars whose values are shown as the strings that they are."""
# How a strict record's values become a scalar's: what their type says needs no second look.
_ORDINARY: Mapping[tuple[str, coerce.Coercion], str] = {
    ("String", coerce.text): "({got} or None)",
    ("String", coerce.numeral): (
        "({v} if ({v} := {got}) is None or ({v}.__class__ is str and {v})"
        " else str({v}) if {v}.__class__ is int else {read}({v}))"
    ),
    # There are few, and each number of a list has one.
    ("String", coerce.country): "{read}({got})",
    ("String", coerce.texts): (
        "(None if ({v} := {got}) is None else [each for each in {v} if each])"
    ),
    ("Boolean", coerce.boolean): "{got}",
    ("Float", coerce.number): (
        "({v} if ({v} := {got}) is None or {v}.__class__ is float else {read}({v}))"
    ),
}
_country = lru_cache(maxsize=1024)(coerce.country)
_HOMES = homes_with(frozenset())
_TOLD_BY = {Home.CATALOG: Source.CATALOG, Home.LISTED: Source.CATALOG, Home.CORE: Source.CORE}


class Parts(Protocol):
    """What a written function calls that is made for it beside it."""

    def dispatch(self, below: Selection) -> Project:
        """Return what projects objects of any class."""

    def block(
        self, below: Selection, kind: type[View], flags: tuple[str, ...]
    ) -> Mapping[bytes, Any]:
        """Return the projections of blocks that many numbers have in common.

        `flags`: see `NestedObject`.
        """

    def reading(self, selection: Selection) -> Project:
        """Return what reads a selection of an object, whatever that is like."""


class Written(NamedTuple):
    """A function as text.

    Attributes:
        text: its code; its name is `project`.
        names: what the code refers to, by name.
    """

    text: str
    names: dict[str, Any]

    def make(self) -> ProjectAll:
        """Return the function."""
        namespace = dict(self.names)
        exec(_code(self.text), namespace)  # noqa: S102 - written here, from tables
        project: ProjectAll = namespace["project"]
        return project


@lru_cache(maxsize=_MOST_TEXTS)
def _code(text: str) -> CodeType:
    """Return the code of a function, which is the same for all selections that read the same."""
    return compile(text, "<projection>", "exec")


def write(selection: Selection, kind: type, parts: Parts) -> Written:
    """Write the function that projects objects, all of class `kind`.

    A selection with places for fields that are not plain becomes a dictionary, to fill them in.

    Raises:
        NotPlain: there can be none.
    """
    if issubclass(kind, View) and kind.typename != selection.type.name:
        raise NotPlain
    writer = _Writer(parts)
    if issubclass(kind, Filled):
        return writer.function(writer.filled(selection))
    if not issubclass(kind, View):
        return writer.function(writer.attributes(selection, "source"))
    record = STRICT[kind.source].get(kind.typename)
    writer.check(f"source.raw.__class__ is {writer.keep(record)}")
    return writer.function(writer.view(selection, kind, "source.raw", "source"))


class _Writer:
    """Writes the lines of one function; what it refers to is kept by name."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lines: list[str] = []
        self._kept: list[str] = []  # Variables whose values outlast one object.
        self._variables = 0
        self._names: dict[str, object] = {"missing": _missing}

    def function(self, result: str) -> Written:
        """Return the function of all lines so far, which returns `result`."""
        lines = [
            "made = []",
            *([" = ".join((*self._kept, "None"))] if self._kept else ()),
            "for source in sources:",
            *(f"    {line}" for line in self._lines),
            f"    made.append({result})",
            "return made",
        ]
        body = "".join(f"    {line}\n" for line in lines)
        return Written(f"def project(sources):\n{body}", self._names)

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
            return f"{self.keep(self._parts.dispatch(below))}.all({value})"
        item = self.fresh()
        return f"[{self.completed(each, below, item)} for {item} in {value}]"

    def completed_one(self, kind: GraphQLOutputType, below: Selection | None, value: str) -> str:
        if below is not None:
            return f"{self.keep(self._parts.dispatch(below))}({value})"
        if isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            return f"{self.keep(kind.coerce_output_value)}({value})"
        raise NotPlain

    # Views over upstream records ----------------------------------------------------------------

    def view(self, selection: Selection, kind: type[View], raw: str, view: str = "") -> str:
        """Return the code for an object whose fields are in a strict record.

        `view` is the code of the view itself, where there is one already.
        """
        entries = self.fields(selection, kind, raw, view)
        return self.made(entries, holes=None in selection.fields.values())

    def fields(
        self, selection: Selection, kind: type[View], raw: str, view: str = ""
    ) -> dict[str, str]:
        """Return the code for each field of an object; see `view`."""
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
        return entries

    def leaf(self, entry: Leaf, kind: GraphQLOutputType, raw: str) -> str:
        """Return the code that reads a leaf; what the strict type says needs no second look."""
        got = self.got(raw, entry.keys)
        read = entry.read
        names = getattr(read, "names", None)
        if names is not None and isinstance(kind, GraphQLEnumType):
            return f"{self.keep(KnownNames(names, read, _output(kind)))}[{got}]"
        if isinstance(kind, GraphQLScalarType):
            scalar = "String" if kind.name in STRINGS else kind.name
            value = self.fresh()
            code = _ORDINARY.get((scalar, read), "")
            if code:
                read = _country if read is coerce.country else read
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
        if entry.leaf is not None and entry.by_number is not None:
            by_number = f"{self.keep(entry.by_number)}({raw}.phone_number)"
            leaf = self.leaf(entry.leaf, kind, raw)
            return f"({leaf} or ({by_number} if {raw}.iso_country is None else None))"
        code = self.shown(kind, f"{self.keep(entry.compute)}({view})")
        if not entry.usual or not (isinstance(kind, GraphQLScalarType) and kind.name in STRINGS):
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
            f" else {self.keep(self._parts.dispatch(below))}({value}))"
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
        inner = self.inner(entry, raw)
        result = self.fresh()
        kind = VIEWS[source][entry.typename]
        if entry.repeats:
            once = self.keep(self._parts.block(below, kind, entry.flags))
            before, result = result, self.fresh()
            self._kept += before, result
            self._lines += [
                f"if {inner} != {before}:",
                f"    {before} = {inner}",
                f"    {result} = None if {inner} is None else {once}[bytes({inner})]",
            ]
            return result
        with self.when(f"{inner} is not None", result):
            self._lines.append(f"{result} = {self.view(below, kind, inner)}")
        return result

    def inner(self, entry: NestedObject, raw: str) -> str:
        """Return the variable of what stands for an object below; of what repeats, its bytes."""
        inner = self.fresh()
        if entry.null_is_no:
            no = self.keep(UNABLE[entry.typename])
            self._lines.append(f"{inner} = {self.keep(stated)}({raw}, {entry.keys[0]!r}, {no})")
        elif entry.keys:
            self._lines.append(f"{inner} = {self.got(raw, entry.keys)}")
        elif entry.flags:
            self._lines.append(
                f"{inner} = {raw} if {self.keep(known)}({raw}, {entry.flags!r}) else None"
            )
        else:
            self._lines.append(f"{inner} = {raw}")
        return inner

    @contextmanager
    def when(self, condition: str, *variables: str) -> Iterator[None]:
        """Write lines that count on a condition; else these variables are None."""
        outer, self._lines = self._lines, []
        yield
        block, self._lines = self._lines, outer
        if variables:
            self._lines.append(f"{' = '.join(variables)} = None")
        self._lines.append(f"if {condition}:")
        self._lines += [f"    {line}" for line in block or ["pass"]]

    # Numbers of which several answers tell --------------------------------------------------------

    def filled(self, selection: Selection) -> str:
        """Return the code for a number of which each field is taken from the answer that tells it.

        Where one of the answers failed or is not strict, the number is read instead.
        """
        parts, raws = self.fresh(), {home: self.fresh() for home in Home}
        reading = f"made.append({self.keep(self._parts.reading(selection))}(source)); continue"
        self._lines += [
            f"if source.homes is not {self.keep(_HOMES)}: {reading}",
            f"{parts} = source.parts",
        ]
        for home, raw in raws.items():
            source = _TOLD_BY[home]
            kind, record = (self.keep(of[source]["PhoneNumber"]) for of in (VIEWS, STRICT))
            self._lines.append(f"{raw} = {parts}.get({self.keep(home)})")
            with self.when(f"{raw} is not None"):
                self._lines += [
                    f"if {raw}.__class__ is not {kind}: {reading}",
                    f"{raw} = {raw}.raw",
                    f"if {raw}.__class__ is not {record}: {reading}",
                ]
        return self.together(selection, raws)

    def together(self, selection: Selection, raws: Mapping[Home, str]) -> str:
        """Return the code for an object of which records tell, some of which may be None."""
        typename = selection.type.name
        entries = dict.fromkeys(selection.fields, "None")
        by_home: dict[Home | None, dict[str, Selected | None]] = {}
        for name, selected in selection.fields.items():
            if selected is None:
                continue
            place = place_of(typename, selected.attribute)
            homes = _HOMES.below.get(place, _HOMES.of.get(place))
            if not selected.attribute:
                entries[name] = repr(typename)
            elif place in TOLD_OF_ALL:
                value = self.fresh()
                self._lines.append(f"{value} = source.{selected.attribute}")
                entries[name] = self.completed(selected.type, selected.below, value)
            elif homes in raws or (homes is None and typename == "PhoneNumber"):
                by_home.setdefault(homes, {})[name] = selected
            elif homes is None:
                raise NotPlain
            else:
                told = {home: raw for home, raw in raws.items() if home in homes}
                entries[name] = self.branches(selected, typename, told)
        for home, fields in by_home.items():
            entries |= self.told(Selection(selection.type, fields), home, raws)
        return self.made(entries, holes=None in selection.fields.values())

    def told(
        self, selection: Selection, home: Home | None, raws: Mapping[Home, str]
    ) -> dict[str, str]:
        """Return the code for fields of an object that one answer tells; for None, any does."""
        typename = selection.type.name
        variables = {name: self.fresh() for name in selection.fields}
        self._lines.append(f"{' = '.join(variables.values())} = None")
        if home is None:
            records = {source: self.keep(STRICT[source][typename]) for source in Source}
            telling = {
                source: ("source.raw", f"source.raw.__class__ is {record}")
                for source, record in records.items()
            }
        else:
            telling = {_TOLD_BY[home]: (raws[home], f"{raws[home]} is not None")}
        for source, (raw, condition) in telling.items():
            with self.when(condition):
                found = self.fields(selection, VIEWS[source][typename], raw)
                self._lines += [f"{variables[name]} = {code}" for name, code in found.items()]
        for name, selected in selection.fields.items():
            if selected is not None and isinstance(selected.type, GraphQLNonNull):
                variables[name] = self.required(variables[name])
        return variables

    def branches(self, selected: Selected, typename: str, raws: Mapping[Home, str]) -> str:
        """Return the code for an object below; it is there when one of the records has it."""
        if selected.below is None:
            raise NotPlain
        inner = {home: self.fresh() for home in raws}
        for home, raw in raws.items():
            source = _TOLD_BY[home]
            entry = TABLES[source][typename].get(selected.attribute)
            if not isinstance(entry, NestedObject) or (entry.repeats and entry.flags):
                raise NotPlain  # What is in a block would have to be looked at.
            with self.when(f"{raw} is not None", inner[home]):
                value = self.inner(entry, raw)
                if entry.repeats:
                    opened = self.keep(opener(VIEWS[source][entry.typename]))
                    value = f"None if {value} is None else {opened}({value})"
                self._lines.append(f"{inner[home]} = {value}")
        result = self.fresh()
        there = " or ".join(f"{each} is not None" for each in inner.values())
        with self.when(there, result):
            self._lines.append(f"{result} = {self.together(selected.below, inner)}")
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
        if isinstance(kind, GraphQLScalarType) and kind.name in STRINGS:
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


class KnownNames(dict[Any, Any]):
    """The names of an enum's upstream values in responses; others are looked up each time."""

    def __init__(
        self, names: Mapping[str | None, str | None], read: coerce.Coercion, output: Project
    ) -> None:
        super().__init__(names)
        self._read = read
        self._output = output

    def __missing__(self, value: object) -> Any:  # noqa: ANN401 - a name, or None
        return self.look_up(value)

    def look_up(self, value: object) -> Any:  # noqa: ANN401 - a name, or None
        """Return the name for any value of the upstream's, also one that cannot be a key."""
        member = self._read(value)
        return None if member is None else self._output(member)


@lru_cache
def opener(kind: type[View]) -> Callable[[Any], Any]:
    """Return what decodes a block that is kept as it came; one that is not strict is not plain."""
    decode = DECODERS[STRICT[kind.source][kind.typename]].decode

    def opened(block: bytes) -> Any:  # noqa: ANN401 - a record, or None
        try:
            return decode(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NotPlain from None  # Its view makes of it what can be made.

    return opened


def _missing() -> object:
    raise NotPlain
