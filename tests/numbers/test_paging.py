"""Connections page through upstream pages of any size: no number twice, none lost."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, running_app

LIST = """query ($first: Int!, $after: String) {
  phoneNumbers(first: $first, after: $after) {
    edges { cursor node { sid } } nodes { sid }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


def walk(gateway: RunningGateway, firsts: list[int], **options: Any) -> tuple[list[str], int]:
    """Read a whole list in pages of the sizes given, repeating the last; count the pages."""
    sids: list[str] = []
    after, pages = None, 0
    while True:
        first = firsts[min(pages, len(firsts) - 1)]
        data = gateway.query(LIST, {"first": first, "after": after}, **options)["phoneNumbers"]
        pages += 1
        edges, info = data["edges"], data["pageInfo"]
        assert [edge["node"] for edge in edges] == data["nodes"]
        assert info["hasPreviousPage"] is (after is not None)
        assert info["startCursor"] == (edges[0]["cursor"] if edges else None)
        assert info["endCursor"] == (edges[-1]["cursor"] if edges else None)
        sids += [node["sid"] for node in data["nodes"]]
        if not info["hasNextPage"]:
            return sids, pages
        assert len(edges) == first
        after = info["endCursor"]


@pytest.mark.parametrize("role", ["parent", "core-only"])
@pytest.mark.parametrize("firsts", [[1000], [50], [7], [1, 2, 3, 50], [60, 7], [143], [144]])
def test_every_number_is_listed_once(gateway: RunningGateway, role: str, firsts: list[int]) -> None:
    account = gateway.sandbox.accounts()[role]
    everything = [number["sid"] for number in gateway.sandbox.numbers(account.sid)]
    sids, _ = walk(gateway, firsts, account=account)
    assert len(sids) == len(set(sids))
    assert set(sids) == set(everything)


def test_paging_on_costs_one_call_per_page(gateway: RunningGateway) -> None:
    sids, pages = walk(gateway, [50])
    assert (len(sids), pages) == (144, 3)
    assert len(gateway.sandbox.requests()) == 3


@pytest.mark.parametrize("place", [0, 3, 9])
def test_a_cursor_in_the_middle_of_a_page_continues_right_behind_it(
    gateway: RunningGateway, place: int
) -> None:
    edges = gateway.query(LIST, {"first": 10})["phoneNumbers"]["edges"]
    data = gateway.query(LIST, {"first": 12, "after": edges[place]["cursor"]})["phoneNumbers"]
    everything = gateway.query(LIST, {"first": 40})["phoneNumbers"]["nodes"]
    assert data["nodes"] == everything[place + 1 : place + 13]


@pytest.mark.parametrize("first", [1, 4])
def test_a_cursor_holds_for_pages_of_another_size(gateway: RunningGateway, first: int) -> None:
    edges = gateway.query(LIST, {"first": 40})["phoneNumbers"]["edges"]
    data = gateway.query(LIST, {"first": first, "after": edges[20]["cursor"]})["phoneNumbers"]
    assert data["nodes"] == [edge["node"] for edge in edges[21 : 21 + first]]


def test_null_items_among_the_numbers_are_passed_over(gateway: RunningGateway) -> None:
    account = gateway.sandbox.create_account(catalog=True, owned=5)
    gateway.sandbox.set_faults([{"kind": "null-items", "path": "/Numbers/ActiveNumbers"}])
    data = gateway.query(LIST, {"first": 5}, account=account)["phoneNumbers"]
    everything = gateway.sandbox.numbers(account.sid)
    assert [node["sid"] for node in data["nodes"]] == [number["sid"] for number in everything]


async def nothing_but_nulls(request: Request) -> Response:
    """Answer with a page that has no number, and lead to the next one."""
    page = int(request.query_params.get("Page", 0))
    meta = {"key": "items", "next_page_url": f"https://example.com/?Page={page + 1}"}
    return JSONResponse({"items": [None], "meta": meta})


def test_a_list_that_never_shows_a_number_is_an_error_and_no_empty_page(
    sandbox: RunningSandbox,
) -> None:
    upstream = Starlette(routes=[Route("/{path:path}", nothing_but_nulls)])
    with (
        running_app(upstream) as url,
        running_gateway(sandbox, catalog_url=url) as gateway,
    ):
        # Only the catalog knows the filter.
        only_there = 'phoneNumbers(filter: { locality: "OAKLAND" }, '
        error = gateway.error(LIST.replace("phoneNumbers(", only_there), {"first": 5})
    assert error["extensions"]["code"] == "UPSTREAM_MALFORMED"
    assert "no number" in error["message"]


SEARCH = """query ($first: Int!, $after: String) {
  availablePhoneNumbers(country: "US", filter: {areaCodes: ["631", "808"]}, first: $first, after: $after) {
    nodes { phoneNumber } pageInfo { hasNextPage endCursor } exhaustive branchErrors { code }
  }
}"""


def test_a_search_can_be_paged_too(gateway: RunningGateway) -> None:
    whole = gateway.query(SEARCH, {"first": 60})["availablePhoneNumbers"]["nodes"]
    found: list[dict[str, str]] = []
    after = None
    for _ in range(6):
        data = gateway.query(SEARCH, {"first": 10, "after": after})["availablePhoneNumbers"]
        assert data["pageInfo"]["hasNextPage"] is True
        found += data["nodes"]
        after = data["pageInfo"]["endCursor"]
    assert found == whole
    assert {number["phoneNumber"][2:5] for number in whole} == {"631", "808"}


FOUND = """query ($first: Int!, $after: String, $filter: AvailablePhoneNumberFilter) {
  availablePhoneNumbers(country: "US", filter: $filter, first: $first, after: $after) {
    nodes { phoneNumber } pageInfo { hasNextPage endCursor } exhaustive } }"""


def walk_search(
    gateway: RunningGateway, first: int, filter_: dict[str, Any], most: int = 100
) -> list[list[str]]:
    """Read a search to its end, or `most` pages of it, and return them."""
    pages: list[list[str]] = []
    after = None
    while len(pages) < most:
        variables = {"first": first, "after": after, "filter": filter_}
        data = gateway.query(FOUND, variables)["availablePhoneNumbers"]
        pages.append([node["phoneNumber"] for node in data["nodes"]])
        if not data["pageInfo"]["hasNextPage"]:
            assert data["exhaustive"] is False
            return pages
        after = data["pageInfo"]["endCursor"]
        assert after is not None
    return pages


@pytest.mark.parametrize(
    ("cap", "first", "filter_", "sizes"),
    [
        (None, 500, {"contains": "5%5$"}, [500, 500]),
        (None, 300, {"contains": "5%5$"}, [300, 300, 300, 100]),
        (30, 20, {"contains": "5%5$"}, [20, 10]),
        (30, 30, {"contains": "5%5$"}, [30]),
    ],
    ids=["1000 in two", "1000 in four", "30 in two", "30 in one"],
)
def test_paging_a_search_ends_where_no_more_can_be_had(
    gateway: RunningGateway, cap: int | None, first: int, filter_: dict[str, Any], sizes: list[int]
) -> None:
    gateway.sandbox.set_switches(search_cap=cap)
    pages = walk_search(gateway, first, filter_)
    assert [len(page) for page in pages] == sizes
    assert len({number for page in pages for number in page}) == sum(sizes)


def test_paging_a_search_goes_beyond_what_one_call_gives(gateway: RunningGateway) -> None:
    gateway.sandbox.set_switches(search_cap=30)
    pages = walk_search(gateway, 100, {}, most=16)
    assert len(pages) == 16
    assert [len(page) for page in pages[:5]] == [100] * 5
    numbers = [number for page in pages for number in page]
    assert len(numbers) == len(set(numbers)) > 1200


def test_a_search_that_found_everything_says_so(gateway: RunningGateway) -> None:
    query = """{ availablePhoneNumbers(country: "US", filter: {contains: "510555****"}, first: 900)
      { nodes { phoneNumber } pageInfo { hasNextPage } exhaustive } }"""
    data = gateway.query(query)["availablePhoneNumbers"]
    assert data["pageInfo"]["hasNextPage"] is False
    assert data["exhaustive"] is True
    assert data["nodes"]
