"""Documents are measured before anything else is done with them."""

import sys
import tracemalloc
from types import FrameType

import pytest
from graphql import GraphQLSchema, get_introspection_query

from gateway.documents.documents import Document, Documents
from gateway.documents.limits import Limits, Meter
from schema import build_schema
from tests.documents.expensive_documents import WORST, mutations
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

# What reading any document may take, in calls of functions: how long that is, is the machine's.
_MOST_CALLS = 500_000

_SCHEMA: GraphQLSchema = build_schema()._schema


def _read(text: str, limits: Limits | None = None, *, discreet: bool = False) -> Document:
    return Documents(_SCHEMA, Meter(_SCHEMA, limits or Limits()), discreet=discreet).get(text)


def _refusal(document: Document) -> tuple[str, object, object]:
    assert len(document.errors) == 1, document.errors
    extensions = document.errors[0].extensions or {}
    assert extensions["code"] == "LIMIT_EXCEEDED"
    return str(extensions["limit"]), extensions.get("allowed"), extensions.get("actual")


def _price(text: str, variables: dict[str, object] | None = None) -> int:
    document = _read(text, Limits(cost=10**9))
    assert not document.errors, document.errors
    measured = document.choose(None).measured
    assert measured is not None
    return measured.price(variables or {})


def _calls(text: str) -> int:
    """Return how many functions are called to read a document."""
    documents = Documents(_SCHEMA, Meter(_SCHEMA, Limits()))
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        documents.get(text)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("name", WORST)
def test_the_worst_documents_are_read_or_refused_with_little_work(name: str) -> None:
    """Whatever fits the body limit is no work to speak of: some 50 ms of one processor."""
    assert _calls(WORST[name]) < _MOST_CALLS


@pytest.mark.parametrize("seed", range(4))
def test_generated_documents_are_read_or_refused_with_little_work(seed: int) -> None:
    laborious = [text for text in mutations(seed, 60) if _calls(text) >= _MOST_CALLS]
    assert laborious == []


def test_what_documents_say_in_comments_does_not_fill_the_memory() -> None:
    """A kept document costs its text as well as its tokens."""
    documents = Documents(_SCHEMA, most_characters=2**18)
    tracemalloc.start()
    try:
        for index in range(20):
            text = f"#{index}" + "\U0001f600" * 65_000 + "\n{ __typename }"
            assert not documents.get(text).errors
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 6 * 2**20


def test_long_documents_are_kept_in_small_numbers() -> None:
    documents = Documents(_SCHEMA)
    for index in range(80):
        assert not documents.get(f"#{index}" + "a" * 65_000 + "\n{ __typename }").errors
    assert 60 < len(documents._kept) < 70


def test_recent_documents_are_kept_and_one_beyond_all_room_is_not() -> None:
    documents = Documents(_SCHEMA, most_characters=100)
    first, second = "{ __typename }", "{ a: __typename }"
    kept = documents.get(first), documents.get(second)
    assert (documents.get(first), documents.get(second)) == kept
    documents.get(first)
    third = documents.get("{ b: __typename }" + " " * 60)
    assert documents.get(first) is kept[0]
    assert documents.get(third.text) is third
    assert documents.get(second) is not kept[1]
    long = " " * 101 + first
    assert documents.get(long) is not documents.get(long)
    assert documents.get(long).errors == ()


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        ("{ account { phoneNumbers { nodes { sid } } } }", ("depth", 3, 4)),
        (
            "{ account { ...f } } fragment f on Account { phoneNumbers { nodes { sid } } }",
            ("depth", 3, 4),
        ),
        ("{ a: account { b: sid c: sid } }", ("aliases", 2, 3)),
        (
            "{ account { ...f } b: account { ...f } } fragment f on Account { c: sid }",
            ("aliases", 2, 3),
        ),
        ("{ account { sid @skip(if: true) @include(if: true) } }", ("directives", 1, 2)),
        ("query q @a @b { __typename }", ("directives", 1, 2)),
        ("{ ...f ...f } fragment f on Query { account { sid } }", None),
        (
            '{ ...f ...f } fragment f on Query { account { sid } country(code: "US") { code } }',
            ("rootFields", 3, 4),
        ),
        # What is known of an account may make a list of its own cheaper, but not one of what is sold.
        (
            "{ availablePhoneNumbers(country: US, first: 300) { nodes { locality } } }",
            ("cost", 100, 300),
        ),
        ("{ __typename " + "account { sid } " * 30 + "}", ("tokens", 60, None)),
        ("{ __typename }" + " " * 1000, ("characters", 800, None)),
    ],
)
def test_each_limit_refuses_what_is_beyond_it_and_says_so(
    document: str, refusal: tuple[str, int, int | None] | None
) -> None:
    limits = Limits(
        depth=3,
        aliases=2,
        directives=1,
        root_fields=3,
        cost=100,
        tokens=60,
        characters=800,
    )
    read = _read(document, limits)
    if refusal is None:
        assert not read.errors
    else:
        assert _refusal(read) == refusal


@pytest.mark.parametrize(
    ("document", "cost"),
    [
        ("{ __typename }", 0),
        ('{ phoneNumber(sid: "PN") { sid capabilities { voice { enabled } } } }', 1),
        ("{ phoneNumbers { nodes { sid } } }", 50),
        ("{ phoneNumbers(first: 7) { edges { cursor node { sid } } pageInfo { endCursor } } }", 7),
        ("{ phoneNumbers(first: 3) { nodes { sid } edges { node { sid } } } }", 6),
        (
            "{ phoneNumbers(first: 10) { nodes { ...s } } } fragment s on PhoneNumber"  # noqa: ISC004
            " { similarAvailable(within: LATA, first: 20) { nodes { phoneNumber } } }",
            10 * (1 + 20),
        ),
        (
            "{ phoneNumbers(first: 10) { ...p } }"  # noqa: ISC004
            " fragment p on PhoneNumberConnection { nodes { ...n } }"
            " fragment n on PhoneNumber { account { sid } }",
            10 * 2,
        ),
        (
            "{ account { subaccounts(first: 10) { nodes { phoneNumbers(first: 5) { nodes { sid } } } } } }",
            1 + 10 * 6,
        ),
        ('{ nodes(ids: ["a", "b", "c"]) { ... on PhoneNumber { account { sid } } } }', 9),
        ('{ node(id: "a") { ... on Account { subaccounts(last: 10) { nodes { sid } } } } }', 12),
        ("{ countries { availablePhoneNumbers(first: 2) { nodes { phoneNumber } } } }", 60 * 3),
    ],
)
def test_cost_is_objects_with_list_sizes_multiplied(document: str, cost: int) -> None:
    assert _price(document) == cost


@pytest.mark.parametrize(
    ("variables", "cost"),
    [
        ({}, 4 * (1 + 50)),
        ({"n": 10}, 10 * (1 + 50)),
        ({"n": 10, "m": 2}, 10 * (1 + 2)),
        ({"n": 0, "m": 1000}, 0),
        ({"n": -5, "m": 1000}, 0),
        ({"n": None, "m": None}, 50 * (1 + 50)),
        ({"n": "ten", "m": 1}, 1 + 1),
    ],
)
def test_cost_follows_variables(variables: dict[str, object], cost: int) -> None:
    document = (
        "query q($n: Int! = 4, $m: Int! = 50) { phoneNumbers(first: $n) { nodes {"
        " similarAvailable(within: LATA, first: $m) { nodes { phoneNumber } } } } }"
    )
    assert _price(document, variables) == cost


@pytest.mark.parametrize(
    ("arguments", "variables", "cost"),
    [
        ("", {}, 50),
        ("first: null, last: null", {}, 50),
        ("last: 7", {}, 7),
        ("first: null, last: 7", {}, 7),
        ("first: $f, last: $l", {}, 50),
        ("first: $f, last: $l", {"f": None, "l": None}, 50),
        ("first: $f, last: $l", {"f": 3}, 3),
        ("first: $f, last: $l", {"l": 1000}, 1000),
        ("first: $f, last: $l", {"f": None, "l": 1000}, 1000),
        ("last: $l, first: $f", {"l": 9}, 9),
    ],
)
def test_a_page_costs_as_many_objects_as_first_or_last_says(
    arguments: str, variables: dict[str, object], cost: int
) -> None:
    given = f"({arguments})" if arguments else ""
    declared = "query q($f: Int, $l: Int)" if "$" in given else ""
    document = f"{declared} {{ phoneNumbers{given} {{ nodes {{ sid }} }} }}"
    assert _price(document, variables) == cost


@pytest.mark.parametrize(
    ("arguments", "variables", "cost"),
    [
        ("", {}, 5),
        ('types: LOCAL, filter: { areaCodes: "415" }', {}, 5),
        ("types: [LOCAL]", {}, 6),
        ("types: [LOCAL, MOBILE]", {}, 2 * 6),
        ('types: [LOCAL, MOBILE], filter: { areaCodes: ["415", "212", "213"] }', {}, 2 * 3 * 6),
        ("types: $t, filter: $f", {}, 6),
        ("types: $t, filter: $f", {"t": None, "f": None}, 6),
        ("types: $t, filter: $f", {"t": "LOCAL", "f": {"areaCodes": "415"}}, 6),
        ("types: $t, filter: $f", {"t": ["LOCAL"] * 2, "f": {"areaCodes": ["415"] * 3}}, 2 * 3 * 6),
        ("filter: { areaCodes: $a }", {"a": "999"}, 6),
        ("filter: { areaCodes: $a }", {"a": ["415"] * 9}, 9 * 6),
    ],
)
def test_a_search_in_several_places_costs_as_much_as_several(
    arguments: str, variables: dict[str, object], cost: int
) -> None:
    declared = "query q($t: [NumberType!], $f: AvailablePhoneNumberFilter, $a: [String!])"
    search = f'availablePhoneNumbers(country: "US", first: 5, {arguments})'
    read = _read(f"{declared} {{ {search} {{ nodes {{ phoneNumber }} }} }}")
    measured = read.measured.get("q")
    assert measured is not None
    assert measured.price(variables) == cost


def test_searches_that_ask_for_no_number_cost_something_as_well(gateway: RunningGateway) -> None:
    search = "availablePhoneNumbers(country: $c, filter: { areaCodes: $a }) { exhaustive }"
    fields = " ".join(f"a{index}: {search}" for index in range(30))
    query = f"query q($c: CountryCode!, $a: [String!]) {{ {fields} }}"
    gateway.sandbox.forget_requests()
    error = gateway.error(query, {"c": "US", "a": list(range(201, 301))})
    assert error["extensions"]["limit"] == "cost"
    assert error["extensions"]["actual"] == 3000
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize(
    ("declared", "argument", "value"),
    [
        ("$i: PurchasePhoneNumbersInput!", "$i", {"items": [{}] * 30}),
        ("$i: [PurchasePhoneNumberInput!]!", "{ items: $i }", [{}] * 30),
    ],
)
def test_cost_counts_the_items_of_plural_mutations(
    declared: str, argument: str, value: object
) -> None:
    document = (
        f"mutation m({declared}) {{ purchasePhoneNumbers(input: {argument})"
        " { results { phoneNumber { sid } } } }"
    )
    assert _price(document, {"i": value}) == 30 * (10 + 1)


def test_tools_can_read_the_whole_schema_but_not_many_times_over() -> None:
    usual = get_introspection_query(specified_by_url=True, input_value_deprecation=True)
    assert not _read(usual).errors
    assert _refusal(_read(WORST["introspection-wide"]))[0] == "introspection"
    assert _refusal(_read(WORST["introspection-blowup"]))[0] == "introspection"


def test_fields_of_one_name_may_repeat_but_not_without_end() -> None:
    """Clients that compose fragments repeat fields; comparing all pairs of them has a budget."""
    assert not _read("{ account { " + "sid " * 200 + "} }").errors
    assert _refusal(_read("{ account { " + "sid " * 900 + "} }"))[0] == "merging"


def test_each_document_is_measured_once_and_good_ones_are_kept() -> None:
    documents = Documents(_SCHEMA, Meter(_SCHEMA, Limits()), most_tokens=100)
    good, bad = "{ account { sid } }", "{ account { sidd } }"
    assert documents.get(good) is documents.get(good)
    assert documents.get(bad) is not documents.get(bad)
    first = documents.get(good)
    for index in range(20):
        documents.get(f"query q{index} {{ account {{ sid }} }}")
    assert documents.get(good) is not first


@pytest.fixture(scope="module")
def locked(shared_sandbox: RunningSandbox) -> object:
    with running_gateway(shared_sandbox, production=True) as gateway:
        yield gateway


@pytest.mark.parametrize(
    "document",
    [
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Query") { name } }',
        "{ ...f } fragment f on Query { a: __schema { queryType { name } } }",
    ],
)
def test_production_does_not_show_the_schema(locked: RunningGateway, document: str) -> None:
    error = locked.error(document)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "introspection"}
    assert locked.query("{ __typename }") == {"__typename": "Query"}


_SLIPS = {
    "field": "{ phoneNumbes { nodes { sid } } }",
    "nested-field": "{ account { sidd } }",
    "subfields": "{ account }",
    "type": "{ ...f } fragment f on Querry { __typename }",
    "type-of-variable": "query q($i: IDD) { nodes(ids: [$i]) { id } }",
    "inline-fragment": '{ node(id: "a") { sid } }',
    "argument": '{ phoneNumber(sidd: "PN") { sid } }',
    "directive": "{ account @skipp(if: true) { sid } }",
    "directive-argument": "{ account @skip(iff: true) { sid } }",
    "input-field": '{ phoneNumbers(filter: { phoneNumbr: "1" }) { nodes { sid } } }',
    "enum-value": '{ availablePhoneNumbers(country: "US", types: [LOCALL]) { nodes { beta } } }',
    "fragment": "{ account { ...accountt } } fragment account on Account { sid }",
}


@pytest.mark.parametrize("slip", _SLIPS)
def test_production_suggests_nothing(slip: str) -> None:
    document = _read(_SLIPS[slip], discreet=True)
    assert document.errors
    assert not [error for error in document.errors if "did you mean" in error.message.lower()]


def test_outside_production_a_slip_is_put_right() -> None:
    assert "Did you mean 'phoneNumber" in _read(_SLIPS["field"]).errors[0].message


@pytest.mark.parametrize(
    "variables",
    [{"t": ["LOCALL"], "f": {}}, {"t": ["LOCAL"], "f": {"areaCod": [415]}}, {"t": "LOCALL"}],
)
def test_production_suggests_nothing_for_variables(
    locked: RunningGateway, gateway: RunningGateway, variables: dict[str, object]
) -> None:
    document = (
        "query q($t: [NumberType!], $f: AvailablePhoneNumberFilter)"
        ' { availablePhoneNumbers(country: "US", types: $t, filter: $f) { nodes { beta } } }'
    )
    said = locked.error(document, variables)["message"]
    assert "did you mean" not in said.lower()
    assert "Did you mean" in gateway.error(document, variables)["message"]


def test_production_has_no_explorer(locked: RunningGateway) -> None:
    assert locked.http.get(f"{locked.url}/").status_code == 404
    assert locked.http.get(f"{locked.url}/explorer/config.json").status_code == 404


def test_a_cost_known_only_with_the_variables_is_refused_all_the_same(
    gateway: RunningGateway,
) -> None:
    document = "query q($n: Int!) { phoneNumbers(first: $n) { nodes { account { sid } account { sid } } } }"
    error = gateway.error(document, {"n": 1000})
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": "cost",
        "allowed": 2000,
        "actual": 3000,
    }
    assert gateway.sandbox.requests() == []
