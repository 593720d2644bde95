"""What is bought or released between two pages makes no gap, and old cursors are still read."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_app

LIST = """query ($first: Int!, $after: String) { phoneNumbers(first: $first, after: $after) {
  edges { cursor } nodes { sid phoneNumber } pageInfo { hasNextPage endCursor } } }"""
SEARCH = """query ($first: Int!, $after: String, $types: [NumberType!],
    $filter: AvailablePhoneNumberFilter) {
  availablePhoneNumbers(country: "US", types: $types, filter: $filter, first: $first, after: $after) {
    edges { cursor } nodes { phoneNumber } pageInfo { hasNextPage endCursor } } }"""


def release(gateway: RunningGateway, account: SandboxAccount, sid: str) -> None:
    """Release a number behind the gateway's back."""
    url = f"{gateway.sandbox.url}/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers/{sid}.json"
    assert loopback.delete(url, auth=account.auth).status_code == 204


def buy(gateway: RunningGateway, account: SandboxAccount, phone_number: str) -> None:
    """Buy a number behind the gateway's back."""
    url = f"{gateway.sandbox.url}/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"
    form = {"PhoneNumber": phone_number}
    assert loopback.post(url, data=form, auth=account.auth).status_code == 201


def paged(
    ask: Callable[[str | None], Any], between: Callable[[list[Any]], None], place: int = -1
) -> list[Any]:
    """Read a connection to its end, from the cursor at `place` of each page, with changes between."""
    found: list[Any] = []
    after: str | None = None
    for _ in range(200):
        page = ask(after)
        read = page["nodes"][: place + 1] if place >= 0 else page["nodes"]
        found += read
        between(read)
        whole = len(read) == len(page["nodes"])
        if whole and not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["edges"][len(read) - 1]["cursor"]
    raise AssertionError("it has no end")


@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize(("first", "place"), [(1, -1), (4, -1), (5, 1), (20, -1)])
def test_numbers_released_page_by_page_are_all_released(
    gateway: RunningGateway, catalog: bool, first: int, place: int
) -> None:
    account = gateway.sandbox.create_account(catalog=catalog, owned=12)

    def ask(after: str | None) -> Any:
        return gateway.query(LIST, {"first": first, "after": after}, account=account)[
            "phoneNumbers"
        ]

    def between(read: list[Any]) -> None:
        for number in read:
            release(gateway, account, number["sid"])

    paged(ask, between, place)
    assert gateway.sandbox.numbers(account.sid) == []


@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_a_number_that_stays_is_listed_whatever_comes_and_goes(
    gateway: RunningGateway, catalog: bool, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not secrets
    account = gateway.sandbox.create_account(catalog=catalog, owned=30)
    owned = [number["sid"] for number in gateway.sandbox.numbers(account.sid)]
    fresh = (f"+1646555{seed}{catalog:d}{count:02}" for count in range(60))

    def ask(after: str | None) -> Any:
        variables = {"first": chance.randint(1, 9), "after": after}
        return gateway.query(LIST, variables, account=account)["phoneNumbers"]

    def between(_: list[Any]) -> None:
        for sid in chance.sample(owned, min(len(owned), chance.randint(0, 3))):
            release(gateway, account, sid)
            owned.remove(sid)
        gateway.sandbox.put_number(account.sid, next(fresh))

    listed = {number["sid"] for number in paged(ask, between)}
    assert set(owned) <= listed


def test_a_long_list_goes_on_behind_the_number_too(gateway: RunningGateway) -> None:
    account = gateway.sandbox.create_account(catalog=True, owned=1300)
    page = gateway.query(LIST, {"first": 1000}, account=account)["phoneNumbers"]
    for number in page["nodes"][:3]:
        release(gateway, account, number["sid"])
    cursors = (page["edges"][-1]["cursor"], page["edges"][700]["cursor"])
    everything = [number["sid"] for number in gateway.sandbox.numbers(account.sid)]
    for cursor, behind in zip(cursors, (997, 698), strict=True):
        for first in (1000, 50):
            rest = gateway.query(LIST, {"first": first, "after": cursor}, account=account)
            sids = [number["sid"] for number in rest["phoneNumbers"]["nodes"]]
            assert sids == everything[behind : behind + first]


class Counted:
    """A catalog whose pages have seven numbers, whatever is asked for."""

    def __init__(self) -> None:
        self.numbers = [f"+1212555{each:04}" for each in range(30)]
        self.app = Starlette(routes=[Route("/{path:path}", self.answer)])

    async def answer(self, request: Request) -> Response:
        """Answer with a page."""
        page = int(request.query_params.get("Page", 0))
        rest = self.numbers[page * 7 :]
        if page and not rest:
            return JSONResponse({"code": 20404, "status": 404, "message": "no page"}, 404)
        items = [
            {"sid": "PN" + number[1:].zfill(32), "phone_number": number} for number in rest[:7]
        ]
        following = f"https://example.com/?PageSize=7&Page={page + 1}" if len(rest) > 7 else None
        before = f"https://example.com/?PageSize=7&Page={page - 1}" if page else None
        meta = {"key": "items", "next_page_url": following, "previous_page_url": before}
        return JSONResponse({"items": items, "meta": meta})


@pytest.fixture
def counted(sandbox: RunningSandbox) -> Iterator[tuple[Counted, RunningGateway]]:
    """Such a catalog, and a gateway in front of it."""
    upstream = Counted()
    with (
        running_app(upstream.app) as url,
        running_gateway(sandbox, catalog_url=url) as gateway,
    ):
        yield upstream, gateway


@pytest.mark.parametrize("first", [1, 5, 10, 14])
def test_pages_of_the_upstreams_own_size_make_no_gap(
    counted: tuple[Counted, RunningGateway], first: int
) -> None:
    upstream, gateway = counted
    owned = list(upstream.numbers)
    gone: list[str] = []

    def ask(after: str | None) -> Any:
        return gateway.query(LIST, {"first": first, "after": after})["phoneNumbers"]

    def between(read: list[Any]) -> None:
        gone.append(read[-1]["phoneNumber"])
        upstream.numbers.remove(gone[-1])

    listed = [number["phoneNumber"] for number in paged(ask, between)]
    assert listed == owned


def test_a_list_that_became_shorter_than_where_its_cursor_stood_goes_on(
    counted: tuple[Counted, RunningGateway],
) -> None:
    """A page that is no more may be refused: that does not say that there is no catalog."""
    upstream, gateway = counted
    page = gateway.query(LIST, {"first": 25})["phoneNumbers"]
    del upstream.numbers[:20]
    variables = {"first": 9, "after": page["pageInfo"]["endCursor"]}
    rest = gateway.query(LIST, variables)["phoneNumbers"]["nodes"]
    assert [number["phoneNumber"] for number in rest] == upstream.numbers[5:]


@pytest.mark.parametrize(
    ("types", "filter_"),
    [
        (["LOCAL"], {"areaCodes": ["907"]}),
        (["LOCAL"], {"areaCodes": ["907", "808", "631"]}),
        (["LOCAL", "TOLL_FREE"], {"contains": "5550"}),
        (["LOCAL"], {"rateCenter": "HUNTINGTON"}),
        (["LOCAL"], {"maxMonthlyPrice": "6", "contains": "39"}),
    ],
    ids=["core", "area codes", "types", "catalog", "looked for by the gateway"],
)
@pytest.mark.parametrize(("first", "place"), [(5, -1), (6, 3)])
def test_what_is_bought_from_a_search_makes_no_gap_in_it(
    gateway: RunningGateway, types: list[str], filter_: dict[str, Any], first: int, place: int
) -> None:
    account = gateway.sandbox.create_account(catalog=True)
    variables: dict[str, Any] = {"types": types, "filter": filter_}

    def ask(after: str | None, first: int = first) -> Any:
        given = variables | {"first": first, "after": after}
        return gateway.query(SEARCH, given, account=account)["availablePhoneNumbers"]

    want = [number["phoneNumber"] for number in ask(None, 40)["nodes"]]
    pages, found = 0, []
    after = None
    while pages < 3:
        page = ask(after)
        read = page["nodes"][: place + 1] if place >= 0 else page["nodes"]
        found += [number["phoneNumber"] for number in read]
        after = page["edges"][len(read) - 1]["cursor"]
        for number in (found[-1], found[-3]) if pages % 2 else found[-len(read) :]:
            buy(gateway, account, number)
        pages += 1
    assert found == want[: len(found)]


def rewritten(cursor: str, change: Callable[[list[Any]], Any]) -> str:
    """Return a cursor with other contents."""
    parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return base64.urlsafe_b64encode(json.dumps(change(parts)).encode()).decode().rstrip("=")


@pytest.mark.parametrize("catalog", [True, False])
def test_a_cursor_of_an_older_release_is_still_read(gateway: RunningGateway, catalog: bool) -> None:
    """They counted: `[list, query, place]`, with the query of the upstream's next page."""
    account = gateway.sandbox.create_account(catalog=catalog, owned=9)
    page = gateway.query(LIST, {"first": 4}, account=account)["phoneNumbers"]
    everything = [number["sid"] for number in gateway.sandbox.numbers(account.sid)]
    middle = rewritten(page["edges"][1]["cursor"], lambda parts: [*parts[:2], 1])
    query = "PageSize=4&Page=1"
    if not catalog:
        query += f"&PageToken=PA{everything[3]}"
    end = rewritten(page["edges"][3]["cursor"], lambda parts: [parts[0], query, -1])
    within = rewritten(page["edges"][3]["cursor"], lambda parts: [parts[0], query, 0])
    for cursor, behind in ((middle, 2), (end, 4), (within, 5)):
        rest = gateway.query(LIST, {"first": 3, "after": cursor}, account=account)["phoneNumbers"]
        sids = [number["sid"] for number in rest["nodes"]]
        assert sids == everything[behind : behind + 3]
        after = {"first": 9, "after": rest["pageInfo"]["endCursor"]}
        rest = gateway.query(LIST, after, account=account)["phoneNumbers"]
        assert [number["sid"] for number in rest["nodes"]] == everything[behind + 3 :]


def test_a_searchs_cursor_of_an_older_release_is_still_read(gateway: RunningGateway) -> None:
    variables: dict[str, Any] = {"first": 9, "filter": {"areaCodes": ["808", "907"]}}
    page = gateway.query(SEARCH, variables)["availablePhoneNumbers"]
    old = rewritten(page["edges"][3]["cursor"], lambda parts: [parts[0], "", 3])
    rest = gateway.query(SEARCH, variables | {"first": 5, "after": old})["availablePhoneNumbers"]
    assert rest["nodes"] == page["nodes"][4:]


FORGED: dict[str, Callable[[list[Any]], Any]] = {
    "too long": lambda parts: [*parts, 1],
    "a truth for a place": lambda parts: [*parts[:2], True],
    "a negative start": lambda parts: [*parts[:3], [[-1, ""]]],
    "no marks": lambda parts: [*parts[:3], [[0, "x"]]],
    "too many marks": lambda parts: [*parts[:3], [[0, "0" * 8 * 17]]],
    "a query that is no text": lambda parts: [*parts[:3], [[0, "", 7]]],
    "too many searches": lambda parts: [*parts[:3], [[0, ""]] * 65],
    "a turn too far": lambda parts: [*parts[:4], 99],
    "a place too far": lambda parts: [*parts[:2], 2**40],
    "an object": lambda parts: dict(enumerate(parts)),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED.keys())
def test_a_forged_cursor_is_refused_by_name(
    gateway: RunningGateway, change: Callable[[list[Any]], Any]
) -> None:
    for query, name in ((LIST, "phoneNumbers"), (SEARCH, "availablePhoneNumbers")):
        cursor = gateway.query(query, {"first": 2})[name]["edges"][0]["cursor"]
        error = gateway.error(query, {"first": 2, "after": rewritten(cursor, change)})
        assert error["extensions"]["argument"] == "after"


@pytest.mark.parametrize("seen", [[], [[5, "00000000"]], [[2**30, "00000000"]], [[0, ""]] * 64])
def test_a_cursor_that_tells_of_numbers_that_are_not_there_ends_well(
    gateway: RunningGateway, seen: list[Any]
) -> None:
    for query, name in ((LIST, "phoneNumbers"), (SEARCH, "availablePhoneNumbers")):
        cursor = gateway.query(query, {"first": 2})[name]["edges"][0]["cursor"]
        forged = rewritten(cursor, lambda parts: [*parts[:3], seen, 63])
        assert gateway.query(query, {"first": 2, "after": forged})[name]["nodes"] is not None
