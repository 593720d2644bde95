"""What is told to be valid at once is what graphql-core's rules let pass; the rest is theirs to word."""

import re
from random import Random

import pytest
from graphql import GraphQLError, parse, validate

from gateway.documents import documents as documents_module
from gateway.documents.documents import Documents
from gateway.documents.quick_validation import is_surely_valid
from schema import build_core_schema
from tests.benchmarks.operations import OPERATIONS, PURCHASE

SCHEMA = build_core_schema()
ORDINARY = [
    *(each.query for each in (*OPERATIONS, PURCHASE)),
    "{ __typename countries { code __typename name } }",
    "query A { account { sid } } query B($sid: ID!) { phoneNumber(sid: $sid) { sid sid } }",
    """
    query Page($first: Int = 20, $after: String, $on: Boolean!, $type: NumberType, $code: String!) {
      phoneNumbers(first: $first, after: $after, filter: {type: $type, region: "CA", postalCode: $code}) {
        edges { cursor node { ...Row capabilities @include(if: $on) { voice { fax } } } }
        pageInfo { ...Rest hasNextPage }
      }
    }
    fragment Row on PhoneNumber {
      id sid again: phoneNumber
      ... @skip(if: $on) { friendlyName }
      ... on Node { id }
      configuration { voice { url method } }
    }
    fragment Rest on PageInfo { endCursor hasNextPage }
    """,
    """
    query Near($latitude: Float!, $code: String!, $types: [NumberType!] = [LOCAL, MOBILE], $country: CountryCode = "US") {
      availablePhoneNumbers(
        country: $country, types: $types, first: 5
        filter: {near: {point: {latitude: $latitude, longitude: -122.4}}, areaCodes: [$code, "415"], contains: "415*"}
      ) { exhaustive nodes { phoneNumber geography { region } } }
    }
    """,
    'query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on PhoneNumber { sid } ... on Account { status } } node(id: "x") { id } }',
    '{ __schema { types { name fields { name args { name } } } } __type(name: "PhoneNumber") { kind } }',
    'mutation { releasePhoneNumber(input: {sid: "PN", confirmPhoneNumber: "+12125550100"}) { releasedId } }',
    "mutation Several($input: ReleasePhoneNumbersInput!) { releasePhoneNumbers(input: $input) { userErrors { code } } }",
]
_TOKENS = re.compile(r'"[^"]*"|\.\.\.|[A-Za-z_]\w*|-?[\d.]+|\S')
_OTHERS = [
    '"',
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "=",
    "!",
    "$",
    "@",
    "...",
    "on",
    "null",
    "true",
    "false",
    "1",
    "2.5",
    '"x"',
    "LOCAL",
    "fragment",
    "query",
    "mutation",
    "subscription",
    "sid",
    "id",
    "url",
    "type",
    "first",
    "filter",
    "Row",
    "Rest",
    "Int",
    "String",
    "Boolean!",
    "ID",
    "PhoneNumber",
    "Account",
    "Query",
    "$on",
    "$first",
    "$sid",
    "$type",
    "@skip(if:true)",
    "@include(if:$on)",
    "@defer",
    "@deprecated",
    "sid:type",
    "id:sid",
    "{__typename}",
    "(first:1)",
    '(sid:"PN")',
    "...Row",
    "__schema",
    "items",
]


def broken(text: str, chance: Random) -> str:
    """Return a document in which some tokens are left out, doubled, exchanged or replaced."""
    tokens = _TOKENS.findall(text)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place, other = (chance.randrange(len(tokens)) for _ in range(2))
        match chance.randrange(5):
            case 0:
                tokens[place] = chance.choice(_OTHERS)
            case 1:
                tokens.insert(place, chance.choice(_OTHERS))
            case 2:
                tokens[place] = tokens[other]
            case 3:
                tokens.insert(place, tokens[other])
            case _ if len(tokens) > 1:
                del tokens[place]
    return " ".join(tokens)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_documents_are_valid_without_asking_the_rules(text: str) -> None:
    document = parse(text)
    assert validate(SCHEMA, document) == []
    assert is_surely_valid(SCHEMA, document)


@pytest.mark.parametrize("seed", range(4))
def test_no_document_is_told_to_be_valid_that_the_rules_refuse(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - documents, not secrets
    parsed = accepted = 0
    for _ in range(400):
        text = broken(chance.choice(ORDINARY), chance)
        try:
            document = parse(text)
        except GraphQLError:
            continue
        parsed += 1
        if is_surely_valid(SCHEMA, document):
            accepted += 1
            assert validate(SCHEMA, document) == [], text
    assert parsed > accepted > 10


@pytest.mark.parametrize(
    "text",
    [
        "{ phoneNumber { sid } }",
        '{ phoneNumber(sid: "PN") }',
        '{ phoneNumber(sid: "PN") { sid { x } } }',
        '{ phoneNumber(sid: "PN", sid: "PN") { sid } }',
        '{ phoneNumber(sid: "PN") { sid: type sid } }',
        '{ a: phoneNumber(sid: "PN") { sid } a: phoneNumber(sid: "PM") { sid } }',
        "query ($sid: ID) { phoneNumber(sid: $sid) { sid } }",
        "query ($sid: ID!, $more: Int) { phoneNumber(sid: $sid) { sid } }",
        "query ($sid: ID!, $sid: ID!) { phoneNumber(sid: $sid) { sid } }",
        "query ($sid: PhoneNumber) { phoneNumber(sid: $sid) { sid } }",
        '{ phoneNumber(sid: "PN") { ...F } } fragment F on PhoneNumber { sid ...F }',
        '{ phoneNumber(sid: "PN") { sid } } fragment F on PhoneNumber { sid }',
        '{ phoneNumber(sid: "PN") { ...F } } fragment F on Account { sid }',
        "{ countries { code @skip } }",
        "{ countries { code @skip(if: true) @skip(if: true) } }",
        "{ countries @stream { code } }",
        "query @skip(if: true) { countries { code } }",
        "{ phoneNumbers(filter: { type: LOCAL, type: LOCAL }) { nodes { sid } } }",
        '{ phoneNumbers(filter: { nodes: ["1", 2] }) { nodes { sid } } }',
        "{ countries { code } } { countries { name } }",
        "query A { countries { code } } query A { countries { name } }",
        "subscription { phoneNumberEvents { __typename } countries }",
        "type A { a: Int } query B { countries { code } }",
        "{ countries { } }",
        "{ " + "sid " * 300 + "}",
    ],
)
def test_what_is_wrong_is_worded_by_the_rules(text: str) -> None:
    document = parse(text)
    assert not is_surely_valid(SCHEMA, document)


def test_many_fields_of_one_name_are_left_to_the_rule_that_compares_them() -> None:
    few, many = (f"{{ account {{ {'sid ' * count} }} }}" for count in (20, 300))
    assert is_surely_valid(SCHEMA, parse(few))
    assert not is_surely_valid(SCHEMA, parse(many))


def test_errors_are_those_of_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(7)  # noqa: S311 - documents, not secrets
    texts = [broken(chance.choice(ORDINARY), chance) for _ in range(30)]
    quick = [_errors(text) for text in texts]
    monkeypatch.setattr(documents_module, "is_surely_valid", lambda *_: False)
    assert quick == [_errors(text) for text in texts]


def _errors(text: str) -> list[object]:
    return [each.formatted for each in Documents(SCHEMA).get(text).errors]
