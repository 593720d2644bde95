"""The words of graphql-core's errors, and how long answers may be kept."""

import pytest
from graphql import GraphQLError, parse, validate

from gateway.documents.documents import Documents
from gateway.documents.error_wording import worded
from schema import build_schema

SCHEMA = build_schema()._schema


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Expected 'first' to be None.", "Expected 'first' to be null."),
        ("Int cannot represent True", "Int cannot represent true"),
        ("Unknown field 'a'.", "Unknown field 'a'."),
        ("It is: {'a': None, 'b': [True]}", 'It is: {"a": null, "b": [true]}'),
        ('It says "None".', 'It says "None".'),
    ],
)
def test_messages_are_in_the_notation_of_graphql_and_json(message: str, shown: str) -> None:
    assert worded(GraphQLError(message)) == shown


def test_what_a_scalar_says_of_a_value_is_all_that_is_said() -> None:
    document = parse('{ availablePhoneNumbers(country: "Atlantis") { nodes { phoneNumber } } }')
    (error,) = validate(SCHEMA, document)
    assert "encountered error" not in worded(error)
    assert "Atlantis" in worded(error)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ('{ country(code: "us") { name } }', "code"),
        ('query ($code: CountryCode! = "us") { country(code: $code) { name } }', "$code"),
    ],
)
def test_a_value_that_no_scalar_takes_is_told_with_where_it_stands(query: str, place: str) -> None:
    (error,) = Documents(SCHEMA).get(query).errors
    assert error.message.startswith(f'{place}: "us" is not')
    assert (error.extensions or {})["argument"] == place


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("{ __typename }", False),
        ("{ phoneNumbers { nodes { sid } } }", False),
        ("{ countries { code } }", True),
        ("{ countries { code } phoneNumbers { nodes { sid } } }", False),
    ],
)
def test_an_answer_holds_as_long_as_its_least_durable_field(query: str, kept: bool) -> None:
    assert (Documents(SCHEMA).get(query).max_age > 0) is kept
