"""One account, served with the preview catalog and without it, gets the same of all that both tell.

Over the whole population of a sandbox: every owned number by every route, and every number for
sale. What may differ is a table of `tests/support/both_apis.py`.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNamedType,
    get_named_type,
)

from gateway.mapping.filters import ANY
from gateway.numbers.sifting import OWNED as SIEVES
from gateway.numbers.sifting import SEARCHED, Sieves
from gateway.sandbox.options import SandboxSettings
from schema.enums import Source
from tests.support.both_apis import MAY_DIFFER, SCHEMA, Pair, both, differences, selection
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_sandbox

Nodes = list[dict[str, Any]]
OWNED, FOR_SALE = selection("PhoneNumber"), selection("AvailablePhoneNumber")


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox with all its accounts, and some numbers for sale of every country and type."""
    with running_sandbox(SandboxSettings(numbers=2000)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def pair(shared_sandbox: RunningSandbox) -> Iterator[Pair]:
    with both(shared_sandbox) as pair:
        yield pair


@pytest.fixture(scope="module")
def owners(shared_sandbox: RunningSandbox) -> list[SandboxAccount]:
    """The accounts that have the catalog, and numbers that they may read."""
    return [
        account
        for account in shared_sandbox.all_accounts()
        if account.catalog and account.status == "active" and account.role != "test"
    ]


def assert_alike(typename: str, rich: Nodes, plain: Nodes, kept: dict[str, Any]) -> None:
    """Hold two lists of numbers together, in their order, with what the sandbox keeps of each."""
    assert [each["phoneNumber"] for each in rich] == [each["phoneNumber"] for each in plain]
    found: Counter[str] = Counter()
    for one, other in zip(rich, plain, strict=True):
        found.update(differences(typename, one, other, kept[one["phoneNumber"]]))
    assert not found


# Owned numbers ------------------------------------------------------------------------------------

ROUTES = {
    "phoneNumbers": "phoneNumbers(first: 1000) {{ nodes {{ {fields} }} }}",
    "edges": "phoneNumbers(last: 1000) {{ edges {{ node {{ {fields} }} }} }}",
    "account": "account {{ phoneNumbers(first: 1000) {{ nodes {{ {fields} }} }} }}",
    "nodes": "nodes(ids: {sids}) {{ ... on PhoneNumber {{ {fields} }} }}",
    "phoneNumber": 'phoneNumber(sid: "{sid}") {{ {fields} }}',
    "number": 'phoneNumberByIdentifier(identifier: {{ phoneNumber: "{number}" }}) {{ {fields} }}',
}


def numbers_in(answer: Any) -> Nodes:
    """Return the numbers anywhere in an answer."""
    if isinstance(answer, dict) and "phoneNumber" in answer:
        return [answer]
    below = answer.values() if isinstance(answer, dict) else answer
    return [each for part in below for each in numbers_in(part)]


@pytest.mark.parametrize("route", ROUTES)
def test_every_owned_number_shows_the_same_by_every_route(
    pair: Pair, sandbox: RunningSandbox, owners: list[SandboxAccount], route: str
) -> None:
    one_by_one = "{sid}" in ROUTES[route] or "{number}" in ROUTES[route]
    for account in owners[:1] if one_by_one else owners:
        kept = sandbox.numbers(account.sid)
        if one_by_one:
            kept = kept[-60:]  # Those of every type and in every state are the last.
        sids = [each["sid"] for each in kept]
        text = " ".join(
            f"a{place}: "
            + ROUTES[route].format(
                fields="...F",
                sids=str(sids).replace("'", '"'),
                sid=each["sid"],
                number=each["phone_number"],
            )
            for place, each in enumerate(kept if one_by_one else kept[:1])
        )
        text = f"{{ {text} }} fragment F on PhoneNumber {{ {OWNED} }}"
        rich, plain = (numbers_in(gateway.query(text, account=account)) for gateway in pair)
        assert len(rich) == len(kept)
        assert_alike("PhoneNumber", rich, plain, {each["phone_number"]: each for each in kept})


def test_the_accounts_themselves_and_the_countries_are_the_same(
    pair: Pair, owners: list[SandboxAccount]
) -> None:
    text = (
        f"{{ account {{ {selection('Account')} subaccounts {{ nodes {{ {selection('Account')} }} }} }}"
        f" countries {{ {selection('Country')} }} }}"
    )
    for account in owners:
        rich, plain = (gateway.query(text, account=account) for gateway in pair)
        assert rich == plain


# Numbers for sale ---------------------------------------------------------------------------------

SEARCH = f"""query ($country: CountryCode!, $type: NumberType!, $after: String) {{
  availablePhoneNumbers(country: $country, types: [$type], first: 1000, after: $after) {{
    nodes {{ {FOR_SALE} }} exhaustive branchErrors {{ code }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""


def for_sale(gateway: RunningGateway, **variables: str) -> Nodes:
    """Return all numbers of a country and type, in the order of their digits."""
    found: Nodes = []
    after = None
    while True:
        page = gateway.query(SEARCH, {**variables, "after": after})["availablePhoneNumbers"]
        found += page["nodes"]
        assert page["branchErrors"] == []
        if not page["pageInfo"]["hasNextPage"]:
            assert page["exhaustive"]
            return sorted(found, key=lambda each: each["phoneNumber"])
        after = page["pageInfo"]["endCursor"]


def test_every_number_for_sale_shows_the_same(pair: Pair, sandbox: RunningSandbox) -> None:
    kept = {each["phone_number"]: each for each in sandbox.inventory()}
    total = 0
    for country in pair.rich.query("{ countries { code types } }")["countries"]:
        for kind in country["types"]:
            rich, plain = (for_sale(each, country=country["code"], type=kind) for each in pair)
            assert_alike("AvailablePhoneNumber", rich, plain, kept)
            total += len(rich)
    assert total == len(kept)


# Filters ------------------------------------------------------------------------------------------

Case = dict[str, Any]
"""Filters that go together, by their paths."""
PLACES = ("lata", "rateCenter", "latitude", "longitude", "region", "locality", "postalCode")
# Where numbers show what is filtered by, if not at the filter's own path.
SHOWN_AT = {"country": "geography.isoCountry"} | {name: f"geography.{name}" for name in PLACES}
# Values of filters that do not keep to one field of what numbers show.
VALUES: dict[str, list[Any]] = {
    "contains": ["2000", "+14", "41*2", "CAT", "9999999"],
    "areaCodes": [["416"], ["416", "514"], ["867"]],
    "near.point": [{"latitude": 43.65, "longitude": -79.38}],
    "near.phoneNumber": ["+14165550100"],
    "withinMiles": [],  # It goes with `near` alone.
    "savedSearches": [["MARKETING_SMS"]],
    "minSetupPrice": ["1"],
    "maxSetupPrice": ["1"],
    "minMonthlyPrice": ["1"],
    "maxMonthlyPrice": ["1"],
}
CORE_ALONE = {"near.phoneNumber"}
APART = ({"phoneNumber", "contains"}, {"near.point", "near.phoneNumber"})
# Filters that toll-free numbers, of which there are fewer, can tell apart.
ANY_KIND = ("capabilities", "exclude", "lifecycle", "min", "max", "savedSearches")


def filters_of(typename: str, above: str = "") -> Iterator[tuple[str, GraphQLNamedType]]:
    """Yield the paths of all filters of an input, with their types."""
    kind = SCHEMA.type_map[typename]
    assert isinstance(kind, GraphQLInputObjectType)
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLInputObjectType) and above + name not in VALUES:
            yield from filters_of(inner.name, f"{above}{name}.")
        else:
            yield above + name, inner


def shown(number: dict[str, Any], path: str) -> Any:
    """Return what a number shows of what a filter looks at."""
    value: Any = number
    for step in SHOWN_AT.get(path, path).split("."):
        value = value and value[step]
    return value.casefold() if isinstance(value, str) else value


def is_shown(path: str) -> bool:
    return path not in VALUES and not path.startswith("exclude")


def cases_of(
    typename: str, numbers: Nodes, takes: Callable[[str], bool] = lambda _: True
) -> Iterator[Case]:
    """Yield each filter with each of its values; of texts and numbers, with some that are shown."""
    for path, kind in filters_of(typename):
        if not takes(path):
            continue
        if path in VALUES:
            values = VALUES[path]
        elif isinstance(kind, GraphQLEnumType):
            values = [*kind.values]
        elif kind.name == "Boolean":
            values = [True, False]
        else:
            seen = {shown(each, path): each for each in numbers}
            seen.pop(None, None)
            values = [
                _own(each, path) for _, each in sorted(seen.items())[:: max(1, len(seen) // 2)]
            ]
            assert values, f"no number shows {path}: where is it shown?"
        yield from ({path: value} for value in values)


def _own(number: dict[str, Any], path: str) -> Any:
    value: Any = number
    for step in SHOWN_AT.get(path, path).split("."):
        value = value[step]
    return value


def expected(case: Case, numbers: Nodes) -> set[str] | None:
    """Return the numbers that show what is filtered by; None where that is not shown."""
    if not all(map(is_shown, case)):
        return None
    return {
        number["phoneNumber"]
        for number in numbers
        if all(
            shown(number, path) == (value.casefold() if isinstance(value, str) else value)
            for path, value in case.items()
        )
    }


def nested(case: Case) -> dict[str, Any]:
    """Return filters as a client writes them."""
    whole: dict[str, Any] = {}
    for path, value in case.items():
        *above, name = path.split(".")
        at = whole
        for step in above:
            at = at.setdefault(step, {})
        at[name] = value
    return whole


def told_alike(case: Case) -> bool:
    """Whether both APIs tell all that is filtered by, and alike."""
    names = {SHOWN_AT.get(path, path).rpartition(".")[2] for path in case}
    return not any(rule.rpartition(".")[2] in names for rule in MAY_DIFFER)


LIST = """query ($filter: PhoneNumberFilter, $first: Int, $after: String, $last: Int, $before: String) {
  found: phoneNumbers(
    filter: $filter, first: $first, after: $after, last: $last, before: $before
  ) { nodes { phoneNumber } exhaustive pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
}"""


def found(gateway: RunningGateway, text: str, **variables: Any) -> dict[str, Any] | None:
    """Return a page of numbers; None when the filters are refused for this account."""
    response = gateway.execute(text, variables)
    if "errors" in response:
        codes = {error["extensions"]["code"] for error in response["errors"]}
        assert codes == {"UNSUPPORTED_FILTERS"}, response["errors"]
        return None
    page: dict[str, Any] = response["data"]["found"]
    return page


def whole(gateway: RunningGateway, text: str, **variables: Any) -> dict[str, Any] | None:
    """Return a list as one page, read page by page; see `found`."""
    page = read = found(gateway, text, **variables)
    while read is not None and read["pageInfo"]["hasNextPage"]:
        read = found(gateway, text, **variables, after=read["pageInfo"]["endCursor"])
        assert page is not None
        assert read is not None
        page |= {"nodes": page["nodes"] + read["nodes"], "exhaustive": read["exhaustive"]}
    return page


def names(page: dict[str, Any]) -> list[str]:
    return [each["phoneNumber"] for each in page["nodes"]]


BY_EXCHANGE = {"lata", "rateCenter"}
"""What an account without the catalog knows of a number only if its exchange has some for sale."""


def is_lacking(case: Case, number: dict[str, Any]) -> bool:
    """Whether a number may be left out, since it is not known where it belongs."""
    paths = BY_EXCHANGE & case.keys()
    somewhere = number["phoneNumber"].startswith("+1") and number["type"] != "TOLL_FREE"
    return somewhere and any(shown(number, path) is None for path in paths)


def can_refuse(case: Case, asked: Sieves) -> bool:
    """Whether the tables say that an account without the catalog cannot filter by all values."""
    table, sieves = asked.asked[Source.CORE], asked.sifted[Source.CORE]
    for each in case:
        path = {"areaCodes": "areaCode"}.get(each, each)
        ways = [way for way in (table.get(path), sieves.get(path)) if way is not None]
        if not any(way.says is ANY for way in ways) or (path in table and table[path].needs):
            return True
    return False


def problems_of(
    pair: Pair,
    case: Case,
    numbers: Sequence[Nodes],
    asked: Sieves,
    text: str,
    *,
    beside: Case | None = None,
    **variables: Any,
) -> Iterator[str]:
    """Yield what is wrong with what the two accounts are answered to one set of filters.

    `numbers` are all that each of them is shown; `beside` is a filter of the account with the
    catalog alone, which these of its numbers meet.
    """
    pages = [
        whole(each, text, filter=nested(case | more), **variables)
        for each, more in zip(pair, (beside or {}, {}), strict=True)
    ]
    if pages[1] is None and not can_refuse(case, asked):
        yield f"{case} is refused without the catalog"
    if pages[0] is None and len(case) == 1 and not (beside and case.keys() <= CORE_ALONE):
        yield f"{case} is refused with the catalog"
    excused = asked is SIEVES and any(is_lacking(case, each) for each in numbers[1])
    for page, seen in zip(pages, numbers, strict=True):
        wanted = expected(case, seen)
        if page is not None and not page["exhaustive"] and not (excused and seen is numbers[1]):
            yield f"{case}: not all numbers are looked at"
        if page is not None and wanted is not None and set(names(page)) != wanted:
            yield f"{case}: {len(names(page))} numbers are found, not {len(wanted)}"
    rich, plain = (names(page) if page else [] for page in pages)
    known = case
    if asked is SIEVES and BY_EXCHANGE & case.keys():
        known = {path: value for path, value in case.items() if path not in BY_EXCHANGE}
        told = {each["phoneNumber"] for each in numbers[1] if not is_lacking(case, each)}
        rich = [each for each in rich if each in told]
    if beside:  # Numbers that are left out change in which order branches merge.
        here = {each["phoneNumber"] for each in numbers[0]}
        rich, plain = sorted(rich), sorted(here.intersection(plain))
    if None not in pages and told_alike(known) and rich != plain:
        yield f"{case}: {len(rich)} and {len(plain)} numbers are found"


def together(cases: Sequence[Case], count: int) -> Iterator[Case]:
    """Yield some of the cases together, two or three each, but for what excludes each other."""
    draw = random.Random(19)  # noqa: S311 - repeatable on purpose
    for _ in range(count):
        case = reduce(or_, draw.sample(cases, k=draw.choice((2, 3))))
        if not any(pair <= case.keys() for pair in APART):
            yield case


def test_every_filter_finds_the_same_owned_numbers(pair: Pair) -> None:
    text = f"{{ phoneNumbers(first: 1000) {{ nodes {{ {OWNED} }} }} }}"
    numbers = [gateway.query(text)["phoneNumbers"]["nodes"] for gateway in pair]
    cases = list(cases_of("PhoneNumberFilter", numbers[0]))
    cases += together(cases, 30)
    found = [
        problem
        for case in cases
        for problem in problems_of(pair, case, numbers, SIEVES, LIST, first=1000)
    ]
    assert not found


FOUND = """query (
  $filter: AvailablePhoneNumberFilter, $type: NumberType!, $order: AvailablePhoneNumberOrder, $after: String
) {
  found: availablePhoneNumbers(
    country: "CA", types: [$type], filter: $filter, first: 1000, orderBy: $order, after: $after
  ) { nodes { phoneNumber %s } exhaustive pageInfo { hasNextPage endCursor } }
}"""


def _is_for(kind: str, path: str) -> bool:
    return path.startswith(ANY_KIND) == (kind == "TOLL_FREE")


@pytest.mark.parametrize(
    ("fields", "beside"),
    [
        ("beta", {}),
        # What the catalog alone can filter by makes the gateway filter by the rest.
        ("beta", {"maxMonthlyPrice": "1000"}),
    ],
    ids=["as it comes", "filtered by the gateway"],
)
def test_every_filter_finds_the_same_numbers_for_sale(
    pair: Pair, fields: str, beside: Case
) -> None:
    problems: list[str] = []
    for kind in ("LOCAL", "TOLL_FREE"):
        numbers = [for_sale(each, country="CA", type=kind) for each in pair]
        if beside:
            page = whole(pair.rich, FOUND % fields, filter=beside, type=kind)
            assert page is not None
            here = set(names(page))
            numbers[0] = [each for each in numbers[0] if each["phoneNumber"] in here]
        takes = partial(_is_for, kind)
        cases = list(cases_of("AvailablePhoneNumberFilter", numbers[0], takes))
        cases += together(cases, 8)
        problems += [
            problem
            for case in cases
            for problem in problems_of(
                pair, case, numbers, SEARCHED, FOUND % fields, beside=beside, type=kind
            )
        ]
    assert not problems


# Pages and order ----------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize(
    "case",
    [
        {},
        {"type": "LOCAL"},
        {"contains": "2000"},
        {"capabilities.mms.enabled": False},
        {"country": "CA", "capabilities.voice.fax": True},
    ],
    ids=str,
)
def test_pages_of_owned_numbers_are_the_whole_list_in_parts(
    pair: Pair, case: Case, back: bool
) -> None:
    size, at, cursor, further = (
        ("last", "before", "startCursor", "hasPreviousPage")
        if back
        else ("first", "after", "endCursor", "hasNextPage")
    )
    wholes = []
    for gateway in pair:
        listed = found(gateway, LIST, filter=nested(case), first=1000)
        assert listed is not None
        assert listed["exhaustive"]
        parts: list[str] = []
        where = None
        for _ in range(100):
            page = found(gateway, LIST, filter=nested(case), **{size: 40, at: where})
            assert page is not None
            parts = names(page) + parts if back else parts + names(page)
            assert page["exhaustive"] is not page["pageInfo"][further]
            where = page["pageInfo"][cursor]
            if not page["pageInfo"][further]:
                break
        assert parts == names(listed)
        wholes.append(parts)
    assert wholes[0] == wholes[1]


def test_numbers_for_sale_are_in_the_same_order_by_distance(pair: Pair) -> None:
    near = {"near": {"point": {"latitude": 43.65, "longitude": -79.38}}, "withinMiles": 500}
    text = FOUND % "distanceMiles match { start length }"
    for case in (near, near | {"contains": "55"}):
        rich, plain = (
            found(each, text, filter=case | more, type="LOCAL", order="DISTANCE")
            for each, more in zip(pair, ({"lifecycle": "GENERALLY_AVAILABLE"}, {}), strict=True)
        )
        assert rich is not None
        assert plain is not None
        there = {each["phoneNumber"] for each in rich["nodes"]}
        assert rich["nodes"] == [each for each in plain["nodes"] if each["phoneNumber"] in there]
        assert len(there) > 10


SIFTED = """query ($types: [NumberType!], $filter: AvailablePhoneNumberFilter, $first: Int!, $after: String) {
  availablePhoneNumbers(country: "US", types: $types, filter: $filter, first: $first, after: $after) {
    nodes { phoneNumber } exhaustive pageInfo { hasNextPage hasPreviousPage endCursor } } }"""


@pytest.mark.parametrize(
    ("types", "filter_", "first"),
    [
        (["LOCAL"], {"maxMonthlyPrice": "6", "contains": "393"}, 300),
        (["LOCAL"], {"maxMonthlyPrice": "6", "contains": "55"}, 90),
        (["LOCAL", "TOLL_FREE"], {"maxMonthlyPrice": "6", "contains": "393"}, 9),
        (["LOCAL"], {"maxMonthlyPrice": "6"}, 900),
    ],
    ids=["few", "full pages", "two searches", "nothing left out"],
)
def test_a_search_goes_on_where_the_gateway_stopped_looking(
    pair: Pair, types: list[str], filter_: dict[str, Any], first: int
) -> None:
    """The catalog has pages; what it is not asked by, the gateway looks for in five at a time."""
    gateway = pair.rich
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
    wanted = {
        each["phone_number"]
        for kind in types
        for each in gateway.sandbox.inventory("US", kind.lower().replace("_", ""))
        if float(each.get("base_recurring_price") or 9) <= 6
        and filter_.get("contains", "") in each["national"]
    }
    variables: dict[str, Any] = {"types": types, "filter": filter_, "first": first}
    found: list[str] = []
    for turn in range(60):
        plan = gateway.execute(SIFTED, variables, headers={"X-Gateway-Explain": "plan"})[
            "extensions"
        ]["plan"]["calls"]
        gateway.sandbox.forget_requests()
        page = gateway.query(SIFTED, variables)["availablePhoneNumbers"]
        calls = len(gateway.sandbox.requests())
        assert plan["min"] <= calls <= min(plan["max"], 5 * len(types))
        found += [each["phoneNumber"] for each in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage"] is (turn > 0)
        if not page["pageInfo"]["hasNextPage"]:
            break
        variables["after"] = page["pageInfo"]["endCursor"]
    assert page["exhaustive"] is True
    assert len(found) == len(set(found))
    assert set(found) == wanted
