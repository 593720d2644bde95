"""Names of the schema are names in the languages that clients are generated in.

What is refused here can be generated only with another name, in backticks, or so that it hides
something that every program of the language uses. Facts: the keywords of The Swift Programming
Language, of Kotlin's and of ECMAScript's grammar; what Apollo iOS (`SwiftKeywords`) and Apollo
Kotlin rename or refuse.
"""

import re
from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
)

from schema import build_core_schema
from tests.support.paths import DOCS


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


SWIFT = words(
    "associatedtype class deinit enum extension fileprivate func import init inout internal let"
    " operator private precedencegroup protocol Protocol public rethrows static struct subscript"
    " typealias var break case catch continue default defer do else fallthrough for guard if in"
    " repeat return throw switch where while Any as await false is nil self Self super throws true"
    " try Type _"
)
KOTLIN = words(
    "as break class continue do else false for fun if in interface is null object package return"
    " super this throw true try typealias typeof val var when while"
)
TYPESCRIPT = words(
    "break case catch class const continue debugger default delete do else enum export extends false"
    " finally for function if import in instanceof new null return super switch this throw true try"
    " typeof var void while with yield let static await implements interface package private"
    " protected public"
)
KEYWORDS = SWIFT | KOTLIN | TYPESCRIPT
# `.none` and `.some` are the cases of Swift's Optional, so of every nullable enum; a Kotlin enum has
# the others itself.
ENUM_VALUES = KEYWORDS | words(
    "none some type rawValue allCases hash name ordinal entries values valueOf companion"
    " knownValues safeValueOf unknown__ UNKNOWN__"
)
FIELDS = KEYWORDS | words("__data fragments hash hashCode toString")
# The standard libraries' own types, and those that generated code declares itself.
TYPES = KEYWORDS | words(
    "Actor Array Bundle Calendar Host Locale Port Process Sequence Stream Task Thread Timer Triple"
    " Bool Boolean Byte Character Data DataDict Date Decimal Dictionary DocumentType Double Enum"
    " Error Exception Float Fragment FragmentContainer Fragments Function ID Int List Long Map"
    " Never Nothing Notification Number Object Operation Optional Pair ParentType Promise"
    " Protocol Record Result Schema Selection Set Short String Symbol Type UUID"
    " Unit URL Void"
)
BUILT_IN = frozenset({"Boolean", "Float", "ID", "Int", "String"})


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The whole schema."""
    return build_core_schema()


def lower_camel(name: str) -> str:
    """Return an enum value as Swift writes it: `NOT_SET` → `notSet`."""
    first, *others = name.lower().split("_")
    return first + "".join(each.title() for each in others)


def fields_of(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Yield the place and the name of each field and argument."""
    for kind in schema.type_map.values():
        if kind.name.startswith("__"):
            continue
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                yield f"{kind.name}.{name}", name
                yield from ((f"{kind.name}.{name}({each})", each) for each in field.args)
        elif isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{kind.name}.{name}", name) for name in kind.fields)


def test_no_enum_value_is_a_word_of_a_language_or_hides_a_case_of_optional(
    schema: GraphQLSchema,
) -> None:
    clashes = [
        f"{kind.name}.{value}"
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLEnumType) and not kind.name.startswith("__")
        for value in kind.values
        if {value, value.lower(), lower_camel(value)} & ENUM_VALUES
    ]
    assert clashes == []


def test_no_field_argument_or_input_field_is_a_word_of_a_language(schema: GraphQLSchema) -> None:
    assert [place for place, name in fields_of(schema) if name in FIELDS] == []


def test_a_type_that_is_called_as_one_of_a_standard_library_has_a_documented_mapping(
    schema: GraphQLSchema,
) -> None:
    own = {name for name in schema.type_map if not name.startswith("__")}
    clashes = (own & TYPES) - BUILT_IN
    page = (DOCS / "clients.md").read_text()
    section = page.partition("## Scalars in Swift and Kotlin\n")[2].partition("\n## ")[0]
    assert {name for name in clashes if not re.search(rf"`{name}`", section)} == set()
