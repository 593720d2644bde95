"""Which queries are compiled whole, and what becomes of those that go wrong."""

import asyncio
from contextlib import suppress
from inspect import isawaitable
from typing import Any

import pytest
from graphql.execution import experimental_execute_incrementally

from gateway.documents.documents import Documents
from gateway.execution import execute
from gateway.execution.compiled_inputs import Unfit
from gateway.execution.compiled_queries import Run, compiled_for
from gateway.execution.projection import Projector
from gateway.execution.request import Request
from schema import build_schema
from tests.support.gateway_in_thread import RunningGateway

SCHEMA = build_schema()._schema


def is_compiled(text: str, variables: dict[str, object] | None = None) -> bool:
    """Whether a query is run as it was compiled."""
    document = Documents(SCHEMA).get(text)
    assert document.errors == ()
    assert document.whole is not None
    given = variables or {}
    return (
        compiled_for(SCHEMA, Projector(), document, document.choose(None)).find(given) is not None
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{ phoneNumber(sid: "PN") { sid } __typename }', id="one number"),
        pytest.param("{ phoneNumbers { edges { cursor node { sid } } } }", id="edges"),
        pytest.param("{ phoneNumbers { nodes { account { sid } } } }", id="a call in a list"),
        pytest.param(
            "{ phoneNumbers(first: 9) { nodes { similarAvailable(within: LATA) { nodes { type } } } } }",
            id="a connection in a list",
        ),
        pytest.param(
            "{ countries { code types } account { subaccounts { nodes { sid } } } }", id="lists"
        ),
        pytest.param('{ availablePhoneNumbers(country: "US") { exhaustive } }', id="a search"),
        pytest.param(
            "query ($first: Int = 5, $on: Boolean!) { phoneNumbers(first: $first)"
            " { nodes { sid type @include(if: $on) } } }",
            id="variables",
        ),
        pytest.param(
            "query ($code: String) { phoneNumbers(filter: { postalCode: $code })"
            " { nodes { sid } } }",
            id="variables in a literal",
        ),
        pytest.param(
            'mutation { releasePhoneNumber(input: { sid: "PN", confirmPhoneNumber: "+12125550100" })'
            " { releasedId userErrors { code ... on UserError { message } } } }",
            id="a mutation",
        ),
    ],
)
def test_ordinary_queries_are_compiled(text: str) -> None:
    assert is_compiled(text, {"on": True})


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        pytest.param('{ node(id: "x") { id } }', {}, id="an abstract type"),
        pytest.param("{ __schema { queryType { name } } }", {}, id="introspection"),
        pytest.param(
            "query ($on: Boolean = true) { phoneNumbers { nodes { sid @include(if: $on) } } }",
            {"on": None},
            id="a condition that is null",
        ),
        pytest.param(
            "query ($n: Int!) { phoneNumbers(first: $n) { nodes { sid } } }", {}, id="no variable"
        ),
        pytest.param(
            "query ($n: Int!) { phoneNumbers(first: $n) { nodes { sid } } }",
            {"n": "many"},
            id="a variable of another type",
        ),
    ],
)
def test_everything_else_is_left_to_graphql_core(text: str, variables: dict[str, object]) -> None:
    assert not is_compiled(text, variables)


def test_conditions_are_compiled_for_each_of_their_outcomes() -> None:
    document = Documents(SCHEMA).get(
        "query ($on: Boolean!) { phoneNumbers { nodes { sid @include(if: $on) type } } }"
    )
    assert document.whole is not None
    for on in (True, False, True):
        assert compiled_for(SCHEMA, Projector(), document, document.choose(None)).find({"on": on})


def test_a_query_that_fails_asks_the_upstream_no_more_than_once(gateway: RunningGateway) -> None:
    sandbox = gateway.sandbox
    account = sandbox.create_account(catalog=False, owned=3)
    sandbox.set_faults([{"kind": "status", "status": 400, "path": "*Available*", "count": None}])
    response = gateway.execute(
        '{ phoneNumbers { nodes { sid } } country(code: "US") { code } }', account=account
    )
    assert len(response["data"]["phoneNumbers"]["nodes"]) == 3
    assert response["data"]["country"] is None
    assert [error["path"] for error in response["errors"]] == [["country"]]
    paths = [request["path"] for request in sandbox.requests()]
    assert len(paths) == len(set(paths))


class Recorder:
    """A port that notes what it is asked, and finds nothing."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.numbers = self.search = self

    async def available_phone_numbers(self, country: str, **given: Any) -> None:
        """Note the arguments of a search."""
        given.pop("at")
        self.asked.append((country, given))
        raise LookupError

    async def phone_numbers(self, wanted: object, **given: Any) -> None:
        """Note the arguments of a list."""
        given.pop("at")
        self.asked.append((wanted, given))
        raise LookupError


FILTER = "filter: { areaCodes: $codes, near: { point: { latitude: $latitude, longitude: -122.4 } }, contains: $text }"
SEARCH = 'availablePhoneNumbers(country: "US", types: $types, first: $first, {}) {{ exhaustive }}'


@pytest.mark.parametrize(
    "text",
    [
        'query ($a: String, $t: NumberType) { phoneNumbers(filter: { type: $t, region: $a, lata: "132" }) { nodes { sid } } }',
        'query ($a: String = "CA") { phoneNumbers(filter: { region: $a }, first: 7) { nodes { sid } } }',
        "query ($t: NumberType) { phoneNumbers(filter: { type: $t, capabilities: { voice: { fax: true } } }) { nodes { sid } } }",
        "query ($f: PhoneNumberFilter, $n: Int) { phoneNumbers(filter: $f, first: $n) { nodes { sid } } }",
        "query ($codes: [String!], $latitude: Float!, $text: String, $types: [NumberType!], $first: Int) {"
        + SEARCH.format(FILTER) + " }",
        "query ($types: [NumberType!], $first: Int! = 3, $f: AvailablePhoneNumberFilter) {"
        + SEARCH.format("filter: $f") + " }",
        "query ($types: [NumberType!] = [LOCAL, MOBILE], $first: Int! = 3, $on: Boolean) {"
        + SEARCH.format(
            'filter: { capabilities: { sms: { enabled: $on } }, areaCodes: ["415", "212"] }'
        ) + " }",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "variables",
    [
        {"latitude": 37.5},
        {"a": None, "t": None, "f": None, "codes": None, "latitude": 1, "types": None, "on": None},
        {
            "a": "NY",
            "t": "TOLL_FREE",
            "f": {"region": "NY"},
            "n": 9,
            "codes": ["415"],
            "latitude": 2.5,
            "text": "555",
            "types": ["MOBILE"],
            "first": 4,
            "on": False,
        },
    ],
    ids=["absent", "null", "given"],
)
def test_resolvers_get_the_arguments_that_graphql_core_gives(
    text: str, variables: dict[str, Any]
) -> None:
    document = Documents(SCHEMA).get(text)
    assert document.errors == ()
    assert document.whole is not None
    compiled = compiled_for(SCHEMA, Projector(), document, document.choose(None))
    query = compiled.find(variables)
    plain, straight = Recorder(), Recorder()

    async def run() -> None:
        assert document.ast is not None
        result = experimental_execute_incrementally(
            SCHEMA,
            document.ast,
            context_value=plain,
            variable_values=variables,
        )
        if isawaitable(result):
            await result
        if query is not None:
            for _ in range(2):
                with suppress(LookupError, Unfit):
                    await Run(*query, straight).data()

    asyncio.run(run())
    if plain.asked and query is None:
        pytest.fail("it was not compiled")
    assert straight.asked == plain.asked * 2


def test_an_error_that_nobody_has_foreseen_is_counted_and_the_answer_is_graphql_cores() -> None:
    """It must not hide behind the second execution: it is a mistake in the gateway."""
    document = Documents(SCHEMA).get('{ availablePhoneNumbers(country: "US") { exhaustive } }')
    request = Request(document, document.choose(None), {}, {})
    port: Any = Recorder()
    port.fast, port.alone, port.is_traced, port.begin_again = True, False, False, list
    port.cancel = list
    counted: list[str] = []
    shared = execute.Executing(SCHEMA, Projector(), lambda *_: None, counted.append)
    answer = asyncio.run(execute.run(shared, request, port, "an-id"))
    assert counted == ["LookupError"]
    assert [error["message"] for error in answer["errors"]] == [execute.MASKED]
