"""A plan refuses what its run refuses: the same things, with the same words, in the same order."""

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gateway.planning.field_rules import FREE, RULES
from schema import build_schema
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import SandboxAccount

PLAN = {"X-Gateway-Explain": "plan"}
# More of them with for example PLAN_EXAMPLES=2000.
EXAMPLES = int(os.environ.get("PLAN_EXAMPLES", "150"))
PN, AC = "PN" + "0" * 32, "AC" + "0" * 32
ABSENT: Any = object()
# Words of Python that no client should have to read.
PYTHON = re.compile(r"\b(?:None|True|False|NoneType)\b|<class|'''")
# What the gateway itself says, before or instead of asking the upstream.
OURS = {"BAD_USER_INPUT", "UNSUPPORTED_FILTERS", "FORBIDDEN"}


def either(*values: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of a few values, good and bad; the argument is often left out."""
    return st.one_of(st.just(ABSENT), st.sampled_from(values))


FIRST = either(1, 5, 0, -1, 1001, None, "x", True)
AFTER = either("nonsense", "", "я", "MTIz", None)
ACCOUNT = either(AC, "me", "", "AC1", "ac" + "0" * 32, None, 7)
SID = either(PN, "nope", "", "it's", PN.lower(), None)
NUMBER = either("+14155550100", "+12125550177", "555", "", "it's", None, 7, True)
URL = either("https://example.com/a", "ftp://x", "", "https://u:p@example.com", None)
COUNTRY = either("US", "GB", "CA", "us", "", None)
SCOPE = either("LATA", "NEARBY", "RATE_CENTER", "NOWHERE")
DISTANCE = either(10, 0, 501, None, "far")
OWNED = st.fixed_dictionaries(
    {},
    optional={
        "contains": st.sampled_from(["555", "CAFE", "", None]),
        "phoneNumber": st.sampled_from(["+14155550100", "x"]),
        "friendlyName": st.sampled_from(["x", "", "x" * 65, "a\x00b"]),
        "geography": st.sampled_from([{"region": ""}, {"latitude": 91}, None]),
        "lifecycle": st.sampled_from(["BETA", "NEVER"]),
        "beta": st.sampled_from([True, None, "x"]),
    },
)
SOUGHT = st.fixed_dictionaries(
    {},
    optional={
        "areaCodes": st.sampled_from([["510"], ["51"], [], "212", ["416"]]),
        "contains": st.sampled_from(["555", "5", "+5+", None]),
        "region": st.sampled_from(["AR", "Arkansas", " "]),
        "rateCenter": st.just("HILO"),
        "near": st.sampled_from(
            [
                {"phoneNumber": "+14155550100"},
                {"phoneNumber": "x"},
                {"point": {"latitude": 91, "longitude": 0}},
                {"point": {"latitude": 1}},
                {"point": {"latitude": 1, "longitude": 1}, "phoneNumber": "+14155550100"},
            ]
        ),
        "distance": st.sampled_from([0, 10, 501]),
        "minSetupPrice": st.sampled_from([-1, 1]),
        "maxSetupPrice": st.sampled_from([0, 2]),
        "lifecycle": st.just("BETA"),
        "savedSearches": st.just([]),
        "geography": st.sampled_from([{"isoCountry": "CA"}, {"lata": "x"}]),
    },
)
REGULATORY: st.SearchStrategy[Any] = st.sampled_from(
    [None, {"bundleSid": None}, {"clear": ["BUNDLE"]}, {"clear": []}, {"addressSid": "x"}]
)
CONFIGURATION: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "friendlyName": st.sampled_from(["x", "x" * 65, "", None]),
        "statusCallbackUrl": st.sampled_from(["https://example.com", "ftp://x", None, 7]),
        "statusCallbackMethod": st.sampled_from(["GET", None, "PUT"]),
        "voice": st.sampled_from(
            [
                None,
                {},
                {"url": None},
                {"trunkSid": "TK" + "0" * 32, "applicationSid": "AP" + "0" * 32},
                {"applicationSid": "TK" + "0" * 32},
                {"receiveMode": None},
            ]
        ),
    },
)
KEY = st.sampled_from(["", "k" * 300, None])


def input_of(**needed: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of a mutation's input; nothing is sent for it."""
    optional = {"accountSid": ACCOUNT.filter(lambda value: value is not ABSENT)}
    return st.fixed_dictionaries(
        {**needed, "dryRun": st.just(True)}, optional={**optional, "idempotencyKey": KEY}
    )


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that never leaves the value out."""
    return strategy.filter(lambda value: value is not ABSENT)


INPUTS = {
    "purchase": input_of(
        phoneNumber=some(NUMBER), configuration=CONFIGURATION | st.none(), regulatory=REGULATORY
    ),
    "configure": input_of(
        sid=some(SID), configuration=CONFIGURATION | st.none(), regulatory=REGULATORY
    ),
    "transfer": input_of(sid=some(SID), toAccountSid=some(ACCOUNT), regulatory=REGULATORY),
    "release": input_of(sid=some(SID), confirmPhoneNumber=some(NUMBER)),
}


class Field(NamedTuple):
    """An operation of one field, what its variables are declared as, and what they are."""

    text: str
    declared: dict[str, str]
    values: st.SearchStrategy[dict[str, Any]]


def field(text: str, **arguments: tuple[str, st.SearchStrategy[Any]]) -> Field:
    """Return a field; `text` has its arguments as `%`."""
    given_ = ", ".join(f"{name}: ${name}" for name in arguments)
    kinds = {name: kind for name, (kind, _) in arguments.items()}
    values = st.fixed_dictionaries({name: each for name, (_, each) in arguments.items()})
    return Field(text.replace("%", given_), kinds, values)


PAGE = {"first": ("Int = 50", FIRST), "after": ("String", AFTER)}
OF = {"accountSid": ("ID", ACCOUNT)}
FIELDS: dict[str, Field] = {
    "phoneNumber": field(
        "phoneNumber(%) { sid }", sid=("ID", SID), phoneNumber=("E164", NUMBER), **OF
    ),
    "phoneNumbers": field(
        "phoneNumbers(%) { nodes { sid } }", filter=("PhoneNumberFilter", OWNED), **PAGE, **OF
    ),
    "availablePhoneNumbers": field(
        "availablePhoneNumbers(%) { exhaustive }",
        country=("CountryCode!", COUNTRY),
        types=("[NumberType!]", either(["LOCAL"], [], ["VOIP", "SHORT_CODE"], ["X"])),
        filter=("AvailablePhoneNumberFilter", SOUGHT),
        **PAGE,
        **OF,
    ),
    "country": field("country(%) { name }", code=("CountryCode!", COUNTRY)),
    "account": field("account(%) { sid }", sid=("ID", ACCOUNT)),
    "node": field("node(%) { id }", id=("ID!", either("x", "Zm9v", "", None))),
    "nodes": field(
        "nodes(%) { id }", ids=("[ID!]!", st.lists(st.sampled_from(["x", ""]), max_size=3))
    ),
    "rateLimit": field("rateLimit(%) { requests { limit } }", **OF),
    "list below an account": field("account { phoneNumbers(%) { nodes { sid } } }", **PAGE),
    "search below a country": field(
        'country(code: "US") { availablePhoneNumbers(%) { exhaustive } }',
        first=PAGE["first"],
        type=("NumberType = LOCAL", either("LOCAL", "SHORT_CODE", "MOBILE", "X")),
    ),
    "similar": field(
        "phoneNumbers(first: 1) { nodes { similarAvailable(%) { exhaustive } } }",
        within=("SimilarScope!", SCOPE),
        distance=("Int", DISTANCE),
        first=PAGE["first"],
    ),
    **{
        f"{verb}PhoneNumber": field(
            f"{verb}PhoneNumber(%) {{ userErrors {{ field message code upstreamCode }} }}",
            input=(f"{verb.title()}PhoneNumberInput!", each),
        )
        for verb, each in INPUTS.items()
    },
    **{
        f"{verb}PhoneNumbers": field(
            f"{verb}PhoneNumbers(%)"
            " { results { userErrors { field message code upstreamCode } } }",
            input=(
                f"{verb.title()}PhoneNumbersInput!",
                st.fixed_dictionaries({"items": st.lists(each, max_size=4)}),
            ),
        )
        for verb, each in INPUTS.items()
    },
}
MUTATIONS = [name for name in FIELDS if name.partition("PhoneNumber")[0] in INPUTS]


@st.composite
def operations(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Return an operation of one field or two, and its variables."""
    names = [draw(st.sampled_from(list(FIELDS)))]
    is_mutation = names[0] in MUTATIONS
    if draw(st.booleans()):
        others = [name for name in FIELDS if (name in MUTATIONS) is is_mutation]
        names.append(draw(st.sampled_from(others)))
    fields: list[str] = []
    declared: list[str] = []
    variables: dict[str, Any] = {}
    for place, chosen in enumerate(FIELDS[name] for name in names):
        values = draw(chosen.values).items()
        variables |= {f"{key}{place}": each for key, each in values if each is not ABSENT}
        declared += [f"${key}{place}: {kind}" for key, kind in chosen.declared.items()]
        fields.append(f"f{place}: " + re.sub(r"\$(\w+)", rf"$\g<1>{place}", chosen.text))
    kind = "mutation" if is_mutation else "query"
    return f"{kind} ({', '.join(declared)}) {{ {' '.join(fields)} }}", variables


def refused(response: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return what the gateway itself refused, in order of each field: code, words, and where it is."""
    errors = [
        (
            error["extensions"]["code"],
            error["message"],
            *(str(step) for step in error.get("path", []) if step != 0),
        )
        for error in response.get("errors", ())
        if error["extensions"]["code"] in OURS
    ]
    # A list is walked once in a plan and item by item in a run, whose fields fail as it comes.
    return sorted(dict.fromkeys(errors), key=lambda error: error[2:3])


def user_errors(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the user errors of an answer that are about the input alone."""
    for payload in (data or {}).values():
        for each in payload["results"] if payload and "results" in payload else [payload or {}]:
            for error in each.get("userErrors", ()):
                if error["code"] == "INVALID_INPUT" and error["upstreamCode"] is None:
                    yield error


def compare(gateway: RunningGateway, account: SandboxAccount, query: str, variables: Any) -> None:
    """See that a plan and a run refuse the same."""
    planned, run = (
        gateway.execute(query, variables, account=account, headers=headers)
        for headers in (PLAN, {})
    )
    assert refused(planned) == refused(run)
    for error in (*planned.get("errors", ()), *run.get("errors", ())):
        assert not PYTHON.search(error["message"]), error
    plan = planned.get("extensions", {}).get("plan", {})
    told = [(each["input"], each["message"]) for each in plan.get("refusals", ())]
    if "errors" not in run:
        assert told == [(each["field"], each["message"]) for each in user_errors(run["data"])]


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
def test_plan_and_run_refuse_the_same_with_the_same_words_in_the_same_order(
    gateway: RunningGateway, catalog: bool
) -> None:
    account = gateway.sandbox.create_account(catalog=catalog, owned=1)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)

    @seed(21)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
    )
    @given(operations())
    def check(operation: tuple[str, dict[str, Any]]) -> None:
        compare(gateway, account, *operation)

    check()


CASES: list[tuple[str, dict[str, Any]]] = [
    (
        (
            f'mutation {{ configurePhoneNumber(input: {{sid: "{PN}", idempotencyKey: "{"k" * 300}",'
            ' configuration: {friendlyName: "x"}}) { reconciled } }'
        ),
        {},
    ),
    (
        (
            "{ phoneNumbers(first: 1) { nodes { similarAvailable(within: LATA, withinMiles: 5)"
            " { exhaustive } } } }"
        ),
        {},
    ),
    ('{ rateLimit(accountSid: "me") { requests { limit } } }', {}),
    ('{ phoneNumbers(accountSid: "me", first: 0) { nodes { sid } } }', {}),
    ('{ phoneNumber(sid: "x", accountSid: "me") { sid } }', {}),
    ('{ availablePhoneNumbers(country: "US", first: 0, accountSid: "me") { exhaustive } }', {}),
    (
        '{ availablePhoneNumbers(country: "US", types: [], filter: {areaCodes: []}) { exhaustive } }',
        {},
    ),
    ('{ nodes(ids: ["x", "y"]) { id } }', {}),
    ('{ node(id: "AC12") { id } }', {}),
    (
        (
            'mutation { transferPhoneNumber(input: {sid: "x", toAccountSid: "y", accountSid: "z",'
            ' idempotencyKey: ""}) { reconciled } }'
        ),
        {},
    ),
    ('{ a: account(sid: "x") { sid } b: rateLimit(accountSid: "y") { requests { limit } } }', {}),
]


@pytest.mark.parametrize(("query", "variables"), CASES)
def test_what_a_run_refuses_is_not_planned(
    gateway: RunningGateway, query: str, variables: dict[str, Any]
) -> None:
    planned = gateway.execute(query, variables, headers=PLAN)
    assert gateway.sandbox.requests() == []
    assert planned["errors"]
    assert "extensions" not in planned
    compare(gateway, gateway.account, query, variables)


def test_every_field_with_a_resolver_has_a_rule_or_is_known_to_cost_nothing() -> None:
    schema = build_schema()._schema
    resolved = set()
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            continue
        for name, definition in kind.fields.items():
            made = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            if made is not None and made.base_resolver is not None:
                resolved.add(f"{kind.name}.{name}")
    assert resolved - RULES.keys() == FREE
    assert RULES.keys() <= resolved
