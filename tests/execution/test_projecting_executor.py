"""One set of semantics: the fast executor answers every operation exactly as the plain one does.

Random operations over numbers with nulls, absences and malformed values in every place are executed
both ways and must give the same bytes, errors included.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator
from functools import cache
from inspect import isawaitable
from itertools import cycle, product, repeat
from typing import Any

import pytest
import structlog
from graphql import (
    ExecutionResult,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
)
from graphql.execution import experimental_execute_incrementally
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from structlog.typing import EventDict

from gateway.documents.documents import Document, Documents
from gateway.documents.limits import Limits, Meter
from gateway.errors import UpstreamMalformed, UpstreamRefused
from gateway.execution._compat import is_attribute
from gateway.execution.compiled_queries import FORESEEN, CompiledOperation, Run, compiled_for
from gateway.execution.execute import respond
from gateway.execution.json_encoding import encode
from gateway.execution.plain_fields import Selection
from gateway.execution.projecting_executor import FastExecutor
from gateway.execution.projection import Projector
from gateway.execution.projection_writer import ProjectAll
from gateway.mapping.filled import filled, homes_with
from gateway.mapping.homes import Home
from gateway.mapping.records import View, view
from gateway.numbers.cursors import Cursor
from gateway.numbers.relay_pages import ConnectionPage, FoundPage, Standing
from schema import build_schema
from schema.connection import BranchError
from schema.enums import BranchErrorCode, NumberType, Source
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

# When one field fails, graphql-core cancels others before they have begun to wait for resolvers.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")

SCHEMA = build_schema()._schema
ACCOUNT = "AC" + "1" * 32

# Upstream values: the right ones, and everything else that may come in their place.

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        "x",
        " ",
        0,
        -1,
        7,
        2**31,
        2**40,
        1.5,
        -0.0,
        1e300,
        True,
        False,
        [],
        ["g711u", None, 3],
        {},
        {"voice": 1},
        "true",
        "FALSE",
        "19.720000",
        "nan",
        "inf",
        "1e5",
        "LOCAL",
        "toll_free",
        "Thu, 27 Aug 2015 16:38:09 +0000",
        "2015-08-27T16:38:09Z",
        "☃",
        "http://a.b",
    ]
)
TEXTS = st.sampled_from(
    ["HUNTINGTON", "+14155550100", "132", "https://example.com", "AP" + "a" * 32]
)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["local", "tollfree", "mobile", "shared-cost"]),
    "lifecycle": st.sampled_from(["beta", "generally-available"]),
    "method": st.sampled_from(["GET", "POST", "post"]),
    "reachability": st.sampled_from(["global", "foreign", "Domestic"]),
    "preservation": st.sampled_from(["international", "none"]),
    "status": st.sampled_from(["Active", "Inactive"]),
}
BOOLEAN_KEYS = [
    "connectivity",
    "e911",
    "fax",
    "trunking",
    "dtmf",
    "gsm7",
    "ucs2",
    "lookup",
    "beta",
    "voice",
    "sms",
    "mms",
    "SMS",
]


def value_of(key: str) -> st.SearchStrategy[Any]:
    """Return values for a key of upstream JSON, mostly fitting ones."""
    fitting = next((each for name, each in GOOD.items() if key.endswith(name)), None)
    if fitting is None and any(key.endswith(name) for name in BOOLEAN_KEYS):
        fitting = st.booleans()
    if fitting is None and key.endswith(("second", "limit", "length", "mps")):
        fitting = st.integers(-5, 50)
    if fitting is None and key in {"latitude", "longitude", "base_setup_price"}:
        fitting = st.floats(-90, 90) | st.just("40.871900")
    if key == "lata":
        fitting = st.integers(100, 999)
    usual = TEXTS if fitting is None else fitting
    return st.one_of(usual, usual, ODD)


def record(*keys: str, **inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with some of these keys."""
    optional = {key: value_of(key) for key in keys} | inner
    return st.fixed_dictionaries({}, optional=optional)


WEBHOOKS = ("url", "method", "fallback_url", "fallback_method", "application_sid")
CAPABILITY = (
    "inbound_connectivity",
    "outbound_connectivity",
    "inbound_reachability",
    "inbound_mps",
)


def maybe(objects: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return mostly objects, and now and then something else in their place."""
    return st.one_of(objects, objects, objects, ODD)


def settings_record() -> st.SearchStrategy[Any]:
    """Return a configuration in one of the catalog's two spellings."""
    voice = record(*WEBHOOKS, "trunk_sid", "emergency_status", "receive_mode", "caller_id_lookup")
    message = record(*WEBHOOKS)
    return record(
        "friendly_name",
        "status_callback",
        "status_callback_url",
        "status_callback_method",
        voice=maybe(voice),
        sms=maybe(message),
        mms=maybe(message),
    )


CATALOG_NUMBER = record(
    "sid", "url", "account_sid", "phone_number", "friendly_name", "type", "lifecycle", "beta",
    "base_setup_price",
    capabilities=maybe(record(
        voice=maybe(record(*CAPABILITY, "e911", "fax", "calls_per_second", "codecs",
                           "inbound_caller_id_preservation")),
        sms=maybe(record(*CAPABILITY, "gsm7", "ucs2_concatenation")),
        mms=maybe(record(*CAPABILITY)),
    )),
    regulatory=maybe(record("address_requirements")),
    geography=maybe(record("iso_country", "lata", "rate_center", "latitude", "longitude", "region")),
    configuration=maybe(settings_record()),
    configurations=maybe(settings_record()),
)  # fmt: skip
CORE_NUMBER = record(
    "sid", "account_sid", "phone_number", "friendly_name", "type", "beta", "origin", "date_created",
    "date_updated", "address_requirements", "bundle_sid", "iso_country", "lata", "latitude",
    "status_callback", "voice_url", "voice_method", "sms_url", "trunk_sid", "sms_application_sid",
    "voice_application_sid", "emergency_status",
    capabilities=maybe(record("voice", "sms", "SMS", "MMS", "fax")),
)  # fmt: skip


def together(of_catalog: Any, of_core: Any, is_listed: bool) -> View | None:
    """Return a number of which two answers tell; where core's is no object, it could not be had.

    What only lists tell is null of one that is not listed.
    """
    shown = view("PhoneNumber", Source.CATALOG, of_catalog, ACCOUNT)
    other = view("PhoneNumber", Source.CORE, of_core, ACCOUNT) or UpstreamMalformed("No object.")
    if shown is None:
        return None
    parts = {Home.CATALOG: shown, Home.LISTED: shown if is_listed else None, Home.CORE: other}
    return filled(parts, homes_with(frozenset()))


@st.composite
def numbers(draw: st.DrawFn, typename: str) -> list[View]:
    """Return numbers as a page has them: all of one family, or all of them told by both."""
    source = draw(st.sampled_from([*Source, None] if typename == "PhoneNumber" else [*Source]))
    if source is None:
        found = draw(st.lists(st.tuples(CATALOG_NUMBER, CORE_NUMBER, st.booleans()), max_size=3))
        return [both for each in found if (both := together(*each)) is not None]
    items = draw(st.lists(CATALOG_NUMBER if source is Source.CATALOG else CORE_NUMBER, max_size=3))
    made = [view(typename, source, item, ACCOUNT) for item in items]
    return [each for each in made if each is not None]


class Stub:
    """A port that answers with numbers made beforehand. It only hands objects to the executor.

    `delays` say after how many rounds of the loop each look-up is answered, or each search fails.
    """

    def __init__(self, owned: list[View], found: list[View], *, fails: bool = False) -> None:
        self.fails = fails
        self.delays: Iterator[int] = repeat(0)
        cursors = [Cursor("list", "", place) for place in range(10)]
        self.owned = ConnectionPage(owned, lambda: Standing(cursors[: len(owned)], True, False))
        self.owned.exhaustive = False
        self.found = FoundPage(found, lambda: Standing(cursors[: len(found)], False, True))
        self.found.exhaustive = False
        self.found.branch_errors = [
            BranchError(
                type=NumberType.LOCAL,
                area_code=None,
                message="m",
                code=BranchErrorCode.UPSTREAM_TIMEOUT,
            )
        ]
        self.numbers = self.search = self.accounts = self.objects = self

    async def phone_number(self, **_: Any) -> object:
        """Return the first number."""
        await self._delay()
        return self.owned.nodes[0] if self.owned.nodes else None

    async def phone_numbers(self, *_: Any, **__: Any) -> object:
        """Return all numbers."""
        await self._delay()
        return self.owned

    async def available_phone_numbers(self, *_: Any, **__: Any) -> object:
        """Return all available numbers."""
        return self.found

    def similar_available(
        self, numbers: list[View], **_: Any
    ) -> list[asyncio.Future[FoundPage] | None]:
        """Return what is found of each number: one page for most, nothing, perhaps errors."""
        page = asyncio.get_running_loop().create_future()
        page.set_result(self.found)
        coming: list[Callable[[], asyncio.Future[FoundPage] | None]] = [
            self._failed if self.fails else lambda: page,
            lambda: page,
            lambda: None,
        ]
        return [coming[self.owned.nodes.index(each) % 3]() for each in numbers]

    def _failed(self) -> asyncio.Future[FoundPage]:
        """Return what is yet to fail."""

        async def fail() -> FoundPage:
            await self._delay()
            raise UpstreamRefused("No.")

        failing = asyncio.ensure_future(fail())
        failing.add_done_callback(asyncio.Future.exception)  # Not every one is waited for.
        return failing

    async def _delay(self) -> None:
        for _ in range(next(self.delays)):
            await asyncio.sleep(0)

    async def nodes(self, ids: list[str], **_: Any) -> list[View | None]:
        """Return the owned numbers and a null."""
        await self._delay()
        return [*self.owned.nodes, None][: max(1, len(ids))]

    def accounts_of(self, sids: list[str], **_: Any) -> list[asyncio.Future[object]]:
        """Return the account, once for all."""
        return [asyncio.ensure_future(self.account())] * len(sids)

    async def account(self, *_: Any, **__: Any) -> object:
        """Return an account that was closed and has an odd date."""
        raw = {"sid": ACCOUNT, "status": "closed", "type": "new", "date_created": "soon"}
        return view("Account", Source.CORE, raw, ACCOUNT)


# Limits are not what is tested here.
METER = Meter(
    SCHEMA,
    Limits(depth=100, aliases=10**6, directives=10**6, tokens=10**6, characters=10**7, cost=10**9),
)
ROOTS = {
    "phoneNumber": 'phoneNumber(sid: "PN")',
    "phoneNumbers": "phoneNumbers(first: 5)",
    "availablePhoneNumbers": 'availablePhoneNumbers(country: "US")',
    "nodes": 'nodes(ids: ["a", "b", "c"])',
    "node": 'node(id: "a")',
}
CONDITIONS = st.sampled_from(
    ["", "", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @skip(if: $no)"]
)
TYPENAMES = st.sampled_from(["__typename", "what: __typename"])
RENAMED = st.sampled_from(["", "", "", "renamed"])
STYLES = st.sampled_from(["plain", "plain", "plain", "inline", "typed", "named"])
FRAGMENTS = ("PhoneNumber", "AvailablePhoneNumber", "Geography", "PhoneNumberConnection")
SLOW = {"similarAvailable": "similarAvailable(within: LATA)", "account": "account"}


def inner_type(kind: GraphQLOutputType) -> GraphQLOutputType:
    """Return the type inside lists and non-null marks."""
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    return kind


@cache
def names(
    kind: GraphQLObjectType | GraphQLInterfaceType, *, slow: bool, deep: bool
) -> st.SearchStrategy[list[str]]:
    """Return names of fields of `kind`: also of those with resolvers, or of leaves alone."""
    usable = [
        name
        for name, field in kind.fields.items()
        if (is_attribute(field.resolve) or (name in SLOW and slow))
        and not (deep and not is_leaf_type(inner_type(field.type)))
    ]
    return st.lists(st.sampled_from([*usable, "__typename"]), min_size=1, max_size=6)


@st.composite
def selections(draw: st.DrawFn, kind: GraphQLOutputType, depth: int = 0) -> str:
    """Return a random selection set over `kind`."""
    assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    parts = []
    for name in draw(names(kind, slow=depth < 4, deep=depth > 6)):
        if name == "__typename":
            parts.append(draw(TYPENAMES))
            continue
        field = kind.fields[name]
        inner = inner_type(field.type)
        alias = draw(RENAMED) and f"{name}_{len(parts)}: "
        text = alias + SLOW.get(name, name) + draw(CONDITIONS)
        if not is_leaf_type(inner):
            text += " " + draw(selections(inner, depth + 1))
        style = draw(STYLES)
        if style == "named" and kind.name in FRAGMENTS and depth < 3:
            # The same fragment in several places, often at the front, as Relay writes documents.
            parts.insert(0, f"...{kind.name}")
        if style == "inline":
            text = f"... {draw(CONDITIONS)} {{ {text} }}"
        elif style == "typed":
            text = f"... on {kind.name} {{ {text} }}"
        parts.append(text)
    if kind.name in {"Node", "NumberProfile"}:
        owned = SCHEMA.type_map["PhoneNumber"]
        assert isinstance(owned, GraphQLObjectType)
        parts.append(f"... on PhoneNumber {draw(selections(owned, depth + 1))}")
    return "{ " + " ".join(parts) + " }"


@st.composite
def operations(draw: st.DrawFn) -> str:
    """Return a random query."""
    query = SCHEMA.query_type
    assert query is not None
    parts = []
    for name in draw(st.lists(st.sampled_from(sorted(ROOTS)), min_size=1, max_size=3, unique=True)):
        inner = inner_type(query.fields[name].type)
        parts.append(f"{ROOTS[name]} {draw(selections(inner))}")
    head = "query ($yes: Boolean! = true, $no: Boolean! = false) { a: __typename @skip(if: $yes)"
    head += " b: __typename @include(if: $no) "
    text = head + " ".join(parts) + " }"
    if not draw(st.booleans()):
        text = f"{head} {parts[0]} ...Rest }} fragment Rest on Query {{ {' '.join(parts)} }}"
    for name in FRAGMENTS:
        if f"...{name}" in text:
            text += f" fragment {name} on {name} {draw(selections(SCHEMA.type_map[name], 3))}"  # type: ignore[arg-type]
    return text


def operation(document: Document) -> CompiledOperation:
    """Return the document's only operation as it is compiled."""
    return compiled_for(SCHEMA, Projector(), document, document.choose(None))


def unforeseen(error: Exception) -> None:
    """Let a projection fail that gives up for what nobody has foreseen."""
    raise AssertionError(type(error).__name__) from error


def compiled(document: Document, stub: Stub, variables: dict[str, Any]) -> bytes | None:
    """Run the query as it was compiled and return the response's bytes; None if it is left."""
    assert document.whole is not None
    query = operation(document).find(variables)
    if query is None:
        return None

    async def run() -> bytes | None:
        try:
            return encode({"data": await Run(*query, stub).data()})
        except FORESEEN:  # Nothing else may go wrong.
            return None

    return LOOP.run_until_complete(run())


def response(document: Document, stub: Stub, variables: dict[str, Any], *, fast: bool) -> bytes:
    """Execute one way and return the response's bytes."""
    assert document.ast is not None
    options: dict[str, Any] = {"executor_class": StrawberryGraphQLCoreExecutionContext}
    if fast:
        options = {
            "executor_class": FastExecutor,
            "gave_up": unforeseen,
        }

    async def run() -> bytes:
        assert document.ast is not None
        result = experimental_execute_incrementally(
            SCHEMA, document.ast, context_value=stub, variable_values=variables, **options
        )
        if isawaitable(result):
            result = await result
        assert isinstance(result, ExecutionResult)
        return encode(respond(result, "id"))

    return LOOP.run_until_complete(run())


LOOP = asyncio.new_event_loop()


@pytest.fixture(scope="module", autouse=True)
def loop() -> Iterator[None]:
    """Close the loop that all examples share; log nothing of what they fail by."""
    before = structlog.get_config()
    structlog.configure(processors=[_dropped])
    yield
    structlog.configure(**before)
    LOOP.run_until_complete(_rest())
    LOOP.close()
    gc.collect()


def _dropped(_: object, __: str, ___: EventDict) -> EventDict:
    """Keep tracebacks from being rendered: that takes longer than all else."""
    raise structlog.DropEvent


async def _rest() -> None:
    """Let end what graphql-core settles in the background."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


@settings(
    # Each with two sets of variables, without and with a search that fails, five times each: to draw
    # and to validate a document takes longer than to answer it twenty times.
    max_examples=5 * settings().max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    operations(),
    numbers("PhoneNumber"),
    numbers("AvailablePhoneNumber"),
    st.booleans(),
)
def test_all_ways_give_the_same_bytes_whatever_comes_first(
    text: str, owned: list[View], found: list[View], yes: bool
) -> None:
    document = Documents(SCHEMA, METER).get(text)
    # Two fields of one name may not have different arguments or types: no operation, then.
    if document.errors:
        event("not a valid operation")
        return
    for fails, on in product((False, True), (yes, not yes)):
        stub, variables = Stub(owned, found, fails=fails), {"yes": on}
        stub.delays = cycle((3, 0, 5, 2))
        plain = response(document, stub, variables, fast=False)
        stub.delays = cycle((0, 4, 1))
        assert response(document, stub, variables, fast=True) == plain
        for _ in range(3):  # It is read at first, and written when it has come twice.
            assert compiled(document, stub, variables) in {None, plain}
        event("an error" if b'"message"' in plain else "no error")
    event("compiled" if compiled(document, stub, variables) else "left to graphql-core")


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("typename", ["PhoneNumber", "AvailablePhoneNumber"])
def test_everything_plain_about_a_number_is_projected(source: Source, typename: str) -> None:
    fields = " ".join(
        name
        for name, field in SCHEMA.type_map[typename].fields.items()  # type: ignore[attr-defined]
        if is_attribute(field.resolve) and is_leaf_type(inner_type(field.type))
    )
    root = "phoneNumbers" if typename == "PhoneNumber" else ROOTS["availablePhoneNumbers"]
    document = Documents(SCHEMA, METER).get(f"{{ {root} {{ nodes {{ {fields} }} }} }}")
    assert document.errors == ()
    number = view(typename, source, {"phone_number": "+14155550100", "sid": "PN"}, ACCOUNT)
    assert number is not None
    stub = Stub([number], [number])
    plain = response(document, stub, {}, fast=False)
    assert response(document, stub, {}, fast=True) == plain
    for _ in range(3):  # It is read at first, and written when it has come twice.
        assert compiled(document, stub, {}) == plain


class Counted(Projector):
    """Counts what it compiles, and has time for it when it is told so."""

    compiled = 0
    has_time = True

    def compile(self, selection: Selection, kind: type) -> ProjectAll | None:
        """Count it."""
        self.compiled += 1
        return super().compile(selection, kind)


def test_no_code_is_made_for_a_query_before_it_has_come_twice() -> None:
    stub, projector = numbered(), Counted()
    document = Documents(SCHEMA, METER).get("{ phoneNumbers { nodes { sid type } } }")
    compiled_for(SCHEMA, projector, document, document.choose(None))
    first = compiled(document, stub, {})
    assert first == response(document, stub, {}, fast=False)
    assert compiled(document, stub, {}) == first
    assert projector.compiled == 0
    assert compiled(document, stub, {}) == first
    made = projector.compiled
    assert made > 0
    assert compiled(document, stub, {}) == first
    assert projector.compiled == made


def test_no_code_is_made_while_the_loop_has_waited_for_some() -> None:
    stub, projector = numbered(), Counted()
    document = Documents(SCHEMA, METER).get("{ phoneNumbers { nodes { sid type } } }")
    compiled_for(SCHEMA, projector, document, document.choose(None))
    projector.has_time = False
    assert len({compiled(document, stub, {}) for _ in range(4)}) == 1
    assert projector.compiled == 0
    projector.has_time = True
    assert compiled(document, stub, {}) == response(document, stub, {}, fast=False)
    assert projector.compiled > 0


def numbered() -> Stub:
    """Return what has one number."""
    number = view("PhoneNumber", Source.CATALOG, {"sid": "PN"}, ACCOUNT)
    assert number is not None
    return Stub([number], [])


def test_a_setting_turns_the_fast_way_off(sandbox: RunningSandbox) -> None:
    query = "{ phoneNumbers(first: 3) { nodes { sid geography { lata } } } }"
    answers = []
    for fast in (True, False):
        with running_gateway(sandbox, fast=fast) as gateway:
            answers.append(gateway.query(query))
    assert answers[0] == answers[1]


def test_fields_that_share_a_call_share_their_json(gateway: RunningGateway) -> None:
    data = gateway.query(
        """{ a: availablePhoneNumbers(country: "US", first: 2) { nodes { phoneNumber } }
             b: availablePhoneNumbers(country: "US", first: 2) { nodes { phoneNumber type } } }"""
    )
    assert [each["phoneNumber"] for each in data["b"]["nodes"]] == [
        each["phoneNumber"] for each in data["a"]["nodes"]
    ]
    assert {each["type"] for each in data["b"]["nodes"]} == {"LOCAL"}
