"""What `schema --check` says of a change: of each kind, a schema before and after it."""

from typing import NamedTuple

import pytest
from graphql import build_schema

from gateway.cli.schema_changes import Verdict, find_changes

BREAKING, DANGEROUS = Verdict.BREAKING, Verdict.DANGEROUS
DIRECTIVES = """
directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION
directive @cost(weight: String!) on FIELD_DEFINITION | OBJECT
directive @listSize(assumedSize: Int) on FIELD_DEFINITION
directive @cacheControl(maxAge: Int) on FIELD_DEFINITION | OBJECT
"""


class Case(NamedTuple):
    """A change; `verdict` is None for one that nobody notices, `names` stands in what is said."""

    name: str
    before: str
    after: str
    verdict: Verdict | None
    names: str = ""


def field(signature: str) -> str:
    """Return a schema whose one field has this signature."""
    return f"type Query {{ {signature} }}"


def given(fields: str, directive: str = "") -> str:
    """Return a schema whose one field takes an input with these fields."""
    return f"input I{directive} {{ {fields} }} type Query {{ f(i: I): Int }}"


CASES = [
    # What graphql-core finds.
    Case("type removed", "type Query { a: Int } type T { a: Int }", field("a: Int"), BREAKING, "T"),
    Case("type added", field("a: Int"), "type Query { a: Int } type T { a: Int }", None),
    Case(
        "type of another kind",
        "type Query { t: T } type T { a: Int }",
        "type Query { t: T } interface T { a: Int }",
        BREAKING,
        "T",
    ),
    Case("field removed", field("a: Int b: Int"), field("a: Int"), BREAKING, "Query.b"),
    Case("field added", field("a: Int"), field("a: Int b: Int"), None),
    Case("field of another type", field("a: Int"), field("a: String"), BREAKING, "Query.a"),
    Case("field a list", field("a: Int"), field("a: [Int]"), BREAKING, "Query.a"),
    Case("argument removed", field("a(x: Int): Int"), field("a: Int"), BREAKING, "x"),
    Case("argument added", field("a: Int"), field("a(x: Int): Int"), DANGEROUS, "x"),
    Case("required argument added", field("a: Int"), field("a(x: Int!): Int"), BREAKING, "x"),
    Case("input field removed", given("a: Int b: Int"), given("a: Int"), BREAKING, "I.b"),
    Case("input field added", given("a: Int"), given("a: Int b: Int"), DANGEROUS, "I.b"),
    Case("required input field added", given("a: Int"), given("a: Int b: Int!"), BREAKING, "I.b"),
    Case(
        "enum value removed",
        "enum E { A B } type Query { e: E }",
        "enum E { A } type Query { e: E }",
        BREAKING,
        "E.B",
    ),
    Case(
        "enum value added",
        "enum E { A } type Query { e: E }",
        "enum E { A B } type Query { e: E }",
        DANGEROUS,
        "E.B",
    ),
    Case(
        "member of a union removed",
        "type A { a: Int } type B { b: Int } union U = A | B type Query { u: U a: A b: B }",
        "type A { a: Int } type B { b: Int } union U = A type Query { u: U a: A b: B }",
        BREAKING,
        "B",
    ),
    Case(
        "member of a union added",
        "type A { a: Int } type B { b: Int } union U = A type Query { u: U a: A b: B }",
        "type A { a: Int } type B { b: Int } union U = A | B type Query { u: U a: A b: B }",
        DANGEROUS,
        "B",
    ),
    Case(
        "interface no longer implemented",
        "interface N { a: Int } type T implements N { a: Int } type Query { n: N t: T }",
        "interface N { a: Int } type T { a: Int } type Query { n: N t: T }",
        BREAKING,
        "T",
    ),
    Case(
        "interface implemented",
        "interface N { a: Int } type T { a: Int } type Query { n: N t: T }",
        "interface N { a: Int } type T implements N { a: Int } type Query { n: N t: T }",
        DANGEROUS,
        "T",
    ),
    # Nullability, both ways, in what comes out and what goes in.
    Case("output nullable", field("a: Int!"), field("a: Int"), BREAKING, "Query.a"),
    Case("output non-null", field("a: Int"), field("a: Int!"), DANGEROUS, "Query.a"),
    Case("items nullable", field("a: [Int!]!"), field("a: [Int]!"), BREAKING, "Query.a"),
    Case("items non-null", field("a: [Int]!"), field("a: [Int!]!"), DANGEROUS, "Query.a"),
    Case("list nullable, items not", field("a: [Int]!"), field("a: [Int!]"), BREAKING, "Query.a"),
    Case("argument non-null", field("a(x: Int): Int"), field("a(x: Int!): Int"), BREAKING, "x"),
    Case("argument nullable", field("a(x: Int!): Int"), field("a(x: Int): Int"), None),
    Case("input non-null", given("a: Int"), given("a: Int!"), BREAKING, "I.a"),
    Case("input nullable", given("a: Int!"), given("a: Int"), None),
    Case("non-null with a default", given("a: Int"), given("a: Int! = 1"), BREAKING, "I.a"),
    Case("input items non-null", given("a: [Int]"), given("a: [Int!]"), BREAKING, "I.a"),
    # Defaults.
    Case(
        "default changed",
        field("a(x: Int = 1): Int"),
        field("a(x: Int = 2): Int"),
        DANGEROUS,
        "Query.a(x:)",
    ),
    Case(
        "default added",
        field("a(x: Int): Int"),
        field("a(x: Int = 1): Int"),
        DANGEROUS,
        "Query.a(x:)",
    ),
    Case(
        "default removed",
        field("a(x: Int = 1): Int"),
        field("a(x: Int): Int"),
        DANGEROUS,
        "Query.a(x:)",
    ),
    Case(
        "default of a required argument removed",
        field("a(x: Int! = 1): Int"),
        field("a(x: Int!): Int"),
        BREAKING,
        "Query.a(x:)",
    ),
    Case("default added to a required one", given("a: Int!"), given("a: Int! = 1"), None),
    Case("input default changed", given("a: Int = 1"), given("a: Int = 2"), DANGEROUS, "I.a"),
    Case("input default added", given("a: Int"), given("a: Int = 1"), DANGEROUS, "I.a"),
    Case("null as a default added", given("a: Int"), given("a: Int = null"), DANGEROUS, "I.a"),
    Case("input default removed", given("a: Int = 1"), given("a: Int"), DANGEROUS, "I.a"),
    Case(
        "default of a required input field removed",
        given("a: Int! = 1"),
        given("a: Int!"),
        BREAKING,
        "I.a",
    ),
    # @oneOf.
    Case("oneOf added", given("a: Int b: Int"), given("a: Int b: Int", " @oneOf"), BREAKING, "I"),
    Case("oneOf removed", given("a: Int", " @oneOf"), given("a: Int"), DANGEROUS, "I"),
    # Scalars.
    Case(
        "specified by another page",
        'scalar S @specifiedBy(url: "https://a.example") type Query { s: S }',
        'scalar S @specifiedBy(url: "https://b.example") type Query { s: S }',
        BREAKING,
        "b.example",
    ),
    Case(
        "specified no more",
        'scalar S @specifiedBy(url: "https://a.example") type Query { s: S }',
        "scalar S type Query { s: S }",
        DANGEROUS,
        "S",
    ),
    Case(
        "specified",
        "scalar S type Query { s: S }",
        'scalar S @specifiedBy(url: "https://a.example") type Query { s: S }',
        None,
    ),
    # Abstract types and operations.
    Case(
        "new type of an interface",
        "interface N { a: Int } type T implements N { a: Int } type Query { n: N t: T }",
        "interface N { a: Int } type T implements N { a: Int } type V implements N { a: Int }"
        " type Query { n: N t: T v: V }",
        DANGEROUS,
        "V",
    ),
    Case(
        "another query type",
        "type Query { a: Int } type Other { a: Int }",
        "schema { query: Other } type Query { a: Int } type Other { a: Int }",
        BREAKING,
        "query",
    ),
    Case(
        "no mutations",
        "schema { query: Query mutation: M } type Query { a: Int } type M { a: Int }",
        "schema { query: Query } type Query { a: Int m: M } type M { a: Int }",
        BREAKING,
        "mutation",
    ),
    # Definitions of directives.
    Case(
        "directive removed",
        "directive @d on FIELD type Query { a: Int }",
        field("a: Int"),
        BREAKING,
        "@d",
    ),
    Case("directive added", field("a: Int"), "directive @d on FIELD type Query { a: Int }", None),
    Case(
        "place of a directive removed",
        "directive @d on FIELD | QUERY type Query { a: Int }",
        "directive @d on FIELD type Query { a: Int }",
        BREAKING,
        "@d",
    ),
    Case(
        "directive not repeatable",
        "directive @d repeatable on FIELD type Query { a: Int }",
        "directive @d on FIELD type Query { a: Int }",
        BREAKING,
        "@d",
    ),
    Case(
        "required argument of a directive added",
        "directive @d on FIELD type Query { a: Int }",
        "directive @d(x: Int!) on FIELD type Query { a: Int }",
        BREAKING,
        "x",
    ),
    Case(
        "argument of a directive required",
        "directive @d(x: Int! = 1) on FIELD type Query { a: Int }",
        "directive @d(x: Int!) on FIELD type Query { a: Int }",
        BREAKING,
        "@d(x:)",
    ),
    Case(
        "default of a directive's argument added",
        "directive @d(x: Int) on FIELD type Query { a: Int }",
        "directive @d(x: Int = 1) on FIELD type Query { a: Int }",
        DANGEROUS,
        "@d(x:)",
    ),
    # Directives that are applied.
    Case(
        "scope needed",
        field("a: Int"),
        field('a: Int @requiresScopes(scopes: [["read"]])'),
        BREAKING,
        "Query.a",
    ),
    Case(
        "another scope needed",
        field('a: Int @requiresScopes(scopes: [["read"]])'),
        field('a: Int @requiresScopes(scopes: [["read", "write"]])'),
        BREAKING,
        "Query.a needs more than read",
    ),
    Case(
        "one of several scopes not enough",
        field('a: Int @requiresScopes(scopes: [["read"], ["write"]])'),
        field('a: Int @requiresScopes(scopes: [["read"]])'),
        BREAKING,
        "write",
    ),
    Case(
        "scope enough, too",
        field('a: Int @requiresScopes(scopes: [["read"]])'),
        field('a: Int @requiresScopes(scopes: [["read"], ["write"]])'),
        None,
    ),
    Case(
        "scope not needed",
        field('a: Int @requiresScopes(scopes: [["read"]])'),
        field("a: Int"),
        None,
    ),
    Case(
        "dearer",
        field('a: Int @cost(weight: "1")'),
        field('a: Int @cost(weight: "9")'),
        DANGEROUS,
        '@cost(weight: "1") became @cost(weight: "9")',
    ),
    Case("cost added", field("a: Int"), field('a: Int @cost(weight: "9")'), DANGEROUS, "Query.a"),
    Case(
        "cost of a type",
        "type T { a: Int } type Query { t: T }",
        'type T @cost(weight: "9") { a: Int } type Query { t: T }',
        DANGEROUS,
        "T: @cost",
    ),
    Case(
        "longer list",
        field("a: [Int] @listSize(assumedSize: 10)"),
        field("a: [Int] @listSize(assumedSize: 99)"),
        DANGEROUS,
        "Query.a",
    ),
    Case(
        "kept for less time",
        field("a: Int @cacheControl(maxAge: 60)"),
        field("a: Int @cacheControl(maxAge: 5)"),
        DANGEROUS,
        "Query.a",
    ),
    Case(
        "not kept",
        field("a: Int @cacheControl(maxAge: 60)"),
        field("a: Int"),
        DANGEROUS,
        "was removed",
    ),
    Case(
        "deprecated",
        field("a: Int"),
        field('a: Int @deprecated(reason: "Use b.")'),
        DANGEROUS,
        "Use b.",
    ),
    Case("deprecated no more", field("a: Int @deprecated"), field("a: Int"), None),
    Case(
        "argument deprecated",
        field("a(x: Int): Int"),
        field("a(x: Int @deprecated): Int"),
        DANGEROUS,
        "Query.a(x:)",
    ),
    Case(
        "enum value deprecated",
        "enum E { A B } type Query { e: E }",
        "enum E { A B @deprecated } type Query { e: E }",
        DANGEROUS,
        "E.B",
    ),
    Case(
        "directive in an extension",
        "type T { a: Int } type Query { t: T }",
        'type T { a: Int } type Query { t: T } extend type T @cost(weight: "9")',
        DANGEROUS,
        "T: @cost",
    ),
    # What nobody notices.
    Case("nothing", field("a: Int"), field("a: Int"), None),
    Case("words", field("a: Int"), '"About it." type Query { "A." a: Int }', None),
    Case(
        "order",
        field('a: Int @cost(weight: "1") b: Int'),
        field('b: Int a: Int @cost(weight: "1")'),
        None,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_a_change_has_its_verdict(case: Case) -> None:
    more = DIRECTIVES if "@" in case.before + case.after else ""
    found = find_changes(build_schema(case.before + more), build_schema(case.after + more))
    assert (found[0].verdict if found else None) is case.verdict, found
    assert case.names in "\n".join(
        change.what for change in found if change.verdict == case.verdict
    )
