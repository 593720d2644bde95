"""Prints gateway/mapping/view_fields.py: the fields of views, for who checks types.

Views are made from the mapping tables when the process starts, so a type checker cannot see what
they have. It is told here: each field of a table, with the type that the schema gives it.
"""

import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
)

from gateway.mapping import records
from gateway.mapping._compat import to_camel_case
from schema import build_core_schema

_HEAD: Final = '''\
"""The fields of views, for who checks types; made from the mapping tables and the schema.

`python -m tools.view_fields > gateway/mapping/view_fields.py`; a test holds it current. Nothing of
this exists when the process runs: views have properties, made from the tables in `records.py`.
Fields of one name are of one type in all tables, but for `type`: an account's is another than a
number's, and read by nobody but the schema.
"""
'''
_DESCRIPTOR: Final = '''
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Field(Protocol[T_co]):
    """A field of a view."""

    def __get__(self, view: object, kind: type, /) -> T_co:
        """Return its value."""
        ...


class Below(Protocol):
    """A field that is an object below, read as a view like the one that has it."""

    def __get__(self, view: T, kind: type, /) -> T | None:
        """Return it; None when the upstream has none."""
        ...


class Fields:
    """All fields that views have; one that is not of a view's type is null."""
'''
_SCALARS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Boolean": "bool",
        "DateTime": "datetime",
        "Float": "float",
        "Int": "int",
        **dict.fromkeys(("CountryCode", "E164", "ID", "String", "URL"), "str"),
    }
)

_VIEW: Final = "View"
_BELOW: Final = f"{_VIEW} | None"


def main() -> None:
    """Write the module to standard output."""
    sys.stdout.write("\n".join(module()) + "\n")


def module() -> Iterator[str]:
    """Yield the module's lines."""
    schema = build_core_schema()
    found: dict[str, str] = {}
    enums: set[str] = set()
    for table in records.TABLES.values():
        for typename, fields in table.items():
            kind = schema.type_map[typename]
            if not isinstance(kind, GraphQLObjectType):
                continue
            for name in fields:
                wanted = kind.fields[to_camel_case(name)].type
                # The source is a class's own constant.
                if name not in found and name != "source":
                    found[name] = _python(wanted, enums)
    yield from _HEAD.splitlines()
    yield ""
    yield "from datetime import datetime"
    yield "from typing import ClassVar, Protocol, TypeVar"
    yield ""
    yield "from gateway.mapping.number_patterns import PatternMatch"
    yield "from schema.enums import ("
    yield from (f"    {each}," for each in sorted(enums))
    yield ")"
    yield "from schema.values import Money"
    yield from _DESCRIPTOR.splitlines()
    yield ""
    for name in sorted(found):
        told = "Below" if found[name] == _BELOW else f"Field[{found[name]}]"
        yield f"    {name}: ClassVar[{told}]"


def _python(kind: GraphQLOutputType, enums: set[str]) -> str:
    if isinstance(kind, GraphQLNonNull):
        return _present(kind.of_type, enums)
    return f"{_present(kind, enums)} | None"


def _present(kind: GraphQLOutputType, enums: set[str]) -> str:
    if isinstance(kind, GraphQLList):
        return f"list[{_python(kind.of_type, enums)}]"
    if isinstance(kind, GraphQLEnumType):
        enums.add(kind.name)
        return kind.name
    if isinstance(kind, GraphQLObjectType) and kind.name in records.NULLS:
        return _VIEW
    name: str = getattr(kind, "name", "")
    return _SCALARS.get(name, name)


if __name__ == "__main__":
    main()
