"""Owned numbers and subaccounts page backwards, too, over upstream pages of any size."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.numbers.test_changing import Counted, release, rewritten
from tests.numbers.test_paging import nothing_but_nulls
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_app

CONNECTION = """{ edges { cursor node { sid } } nodes { sid }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
VARIABLES = "$first: Int, $after: String, $last: Int, $before: String"
LISTS = {
    "Query.phoneNumbers": f"query ({VARIABLES}) {{ list: phoneNumbers({ARGUMENTS}) {CONNECTION} }}",
    "Account.phoneNumbers": f"""query ({VARIABLES}) {{
      account {{ list: phoneNumbers({ARGUMENTS}) {CONNECTION} }} }}""",
    "Account.subaccounts": f"""query ({VARIABLES}) {{
      account {{ list: subaccounts({ARGUMENTS}) {CONNECTION} }} }}""",
}
NUMBERS = LISTS["Query.phoneNumbers"]


def ask(gateway: RunningGateway, query: str, account: SandboxAccount | None, **page: Any) -> Any:
    """Return a page, whatever field it is of."""
    data = gateway.query(query, page, account=account)
    connection = data.get("list") or data["account"]["list"]
    sids = [node["sid"] for node in connection["nodes"]]
    assert sids == [edge["node"]["sid"] for edge in connection["edges"]]
    info = connection["pageInfo"]
    cursors = [edge["cursor"] for edge in connection["edges"]] or [None]
    assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
    return connection | info | {"sids": sids}


def filled(sandbox: RunningSandbox, *, catalog: bool, count: int) -> SandboxAccount:
    """Return an account with so many numbers and subaccounts."""
    account = sandbox.create_account(catalog=catalog, owned=count)
    for _ in range(count):
        sandbox.create_account(owner_account_sid=account.sid)
    return account


@pytest.fixture(scope="module")
def accounts(shared_sandbox: RunningSandbox) -> dict[bool, SandboxAccount]:
    """An account with the catalog and one without."""
    return {each: filled(shared_sandbox, catalog=each, count=11) for each in (True, False)}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("size", [1, 4, 5, 11])
def test_a_list_read_backwards_is_the_list_and_each_page_tells_where_it_stands(
    gateway: RunningGateway,
    accounts: dict[bool, SandboxAccount],
    name: str,
    catalog: bool,
    size: int,
) -> None:
    query, account = LISTS[name], accounts[catalog]
    everything = ask(gateway, query, account, first=20)["sids"]
    assert len(everything) == 11
    page = ask(gateway, query, account, last=size)
    found = page["sids"]
    assert page["hasNextPage"] is False
    while page["hasPreviousPage"]:
        assert len(page["sids"]) == size
        page = ask(gateway, query, account, last=size, before=page["startCursor"])
        assert page["hasNextPage"] is True
        found = page["sids"] + found
    assert found == everything
    nothing = ask(gateway, query, account, last=size, before=page["startCursor"])
    assert (nothing["sids"], nothing["hasPreviousPage"], nothing["hasNextPage"]) == (
        [],
        False,
        True,
    )


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("size", [3, 11])
def test_cursors_of_pages_forwards_lead_back_and_those_of_pages_backwards_lead_on(
    gateway: RunningGateway,
    accounts: dict[bool, SandboxAccount],
    name: str,
    catalog: bool,
    size: int,
) -> None:
    query, account = LISTS[name], accounts[catalog]
    everything = ask(gateway, query, account, first=20)["sids"]
    after, forwards = None, []
    for _ in range(len(everything)):
        page = ask(gateway, query, account, first=size, after=after)
        assert page["hasPreviousPage"] is (after is not None)
        forwards += page["edges"]
        after = page["endCursor"]
        if not page["hasNextPage"]:
            break
    assert [edge["node"]["sid"] for edge in forwards] == everything
    backwards = ask(gateway, query, account, last=11, before=None)["edges"]
    for edges in (forwards, backwards):
        for place in (0, 2, 3, 5, 10):
            cursor = edges[place]["cursor"]
            back = ask(gateway, query, account, last=4, before=cursor)
            assert back["sids"] == everything[max(0, place - 4) : place]
            assert back["hasPreviousPage"] is (place > 4)
            on = ask(gateway, query, account, first=4, after=cursor)
            assert on["sids"] == everything[place + 1 : place + 5]
            assert on["hasNextPage"] is (place + 5 < 11)


@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("gone", [slice(6, 7), slice(4, 7), slice(0, 3), slice(2, 9), slice(0, 12)])
def test_a_page_ends_before_the_number_that_its_cursor_names_whatever_was_released(
    gateway: RunningGateway, sandbox: RunningSandbox, catalog: bool, gone: slice
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=12)
    everything = ask(gateway, NUMBERS, account, first=12)["sids"]
    first = ask(gateway, NUMBERS, account, first=5)
    second = ask(gateway, NUMBERS, account, first=5, after=first["endCursor"])
    cursors = [edge["cursor"] for edge in first["edges"] + second["edges"]]
    for sid in everything[gone]:
        release(gateway, account, sid)
    sandbox.put_number(account.sid, f"+1646556{catalog:d}{gone.start:03}")
    left = [sid for sid in everything if sid not in everything[gone]]
    for place in (4, 6, 8):
        before = [sid for sid in left if sid in everything[:place]]
        back = ask(gateway, NUMBERS, account, last=3, before=cursors[place])["sids"]
        if set(everything[: place + 1]) <= set(everything[gone]):
            continue  # Nothing is left by which the place could be found.
        assert back == before[-3:]


@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("wanted", ["", "filter: { type: LOCAL },"])
def test_numbers_released_page_by_page_backwards_come_once(
    gateway: RunningGateway, sandbox: RunningSandbox, catalog: bool, wanted: str
) -> None:
    """Of what stands before a page nothing is known; its place is told by what stands behind."""
    account = sandbox.create_account(catalog=catalog, owned=13)
    query = NUMBERS.replace("(first", f"({wanted} first")
    everything = ask(gateway, query, account, first=13)["sids"]
    page = ask(gateway, query, account, last=4)
    found = page["sids"]
    while page["hasPreviousPage"]:
        for sid in page["sids"][: 1 + len(found) % 2]:
            release(gateway, account, sid)
        page = ask(gateway, query, account, last=4, before=page["startCursor"])
        found = page["sids"] + found
    assert found == everything


@pytest.mark.parametrize("catalog", [True, False])
def test_cursors_of_an_older_release_lead_back_too(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount], catalog: bool
) -> None:
    """They told nothing of the numbers before them, or, behind a whole page, not even the number."""
    account = accounts[catalog]
    everything = ask(gateway, NUMBERS, account, first=11)["sids"]
    page = ask(gateway, NUMBERS, account, first=6)
    middle = rewritten(page["edges"][4]["cursor"], lambda parts: [*parts[:2], 4])
    assert ask(gateway, NUMBERS, account, last=3, before=middle)["sids"] == everything[1:4]
    query = "PageSize=6&Page=1" + ("" if catalog else f"&PageToken=PA{everything[5]}")
    end = rewritten(page["endCursor"], lambda parts: [parts[0], query, -1])
    assert ask(gateway, NUMBERS, account, last=3, before=end)["sids"] == everything[3:6]


@pytest.mark.parametrize("last", [1, 5, 10, 14])
def test_pages_of_the_upstreams_own_size_are_followed_backwards(
    sandbox: RunningSandbox, last: int
) -> None:
    upstream = Counted()
    with running_app(upstream.app) as url, running_gateway(sandbox, catalog_url=url) as gateway:
        page = ask(gateway, NUMBERS, None, last=last)
        found = page["sids"]
        while page["hasPreviousPage"]:
            page = ask(gateway, NUMBERS, None, last=last, before=page["startCursor"])
            found = page["sids"] + found
    assert [sid[-11:] for sid in found] == [number[1:] for number in upstream.numbers]


REFUSED = [
    ({"first": 2, "last": 2}, "last", "`first` is given too; give one of them."),
    ({"last": -1}, "last", "-1 is not between 1 and 1000."),
    ({"last": 0}, "last", "0 is not between 1 and 1000."),
    ({"last": 1001}, "last", "1001 is not between 1 and 1000."),
    ({"last": 2, "after": "x"}, "after", "it goes with `first`; `last` goes with `before`."),
    ({"first": 2, "before": "x"}, "before", "it goes with `last`; `first` goes with `after`."),
    ({"before": "x"}, "before", "it goes with `last`; `first` goes with `after`."),
    ({"last": 2, "before": "x"}, "before", "this is not a cursor; use `pageInfo.startCursor`"),
]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("page", "argument", "words"), REFUSED)
def test_what_does_not_go_together_is_refused_by_name_in_a_run_and_in_a_plan(
    gateway: RunningGateway, name: str, page: dict[str, Any], argument: str, words: str
) -> None:
    for headers in ({}, {"X-Gateway-Explain": "plan"}):
        query = LISTS[name].replace(CONNECTION, "{ nodes { sid } }")
        body = gateway.execute(query, page, headers=headers)
        [error] = body["errors"]
        assert error["extensions"]["argument"] == argument
        assert words in error["message"]


def test_a_cursor_of_another_list_is_refused_backwards_too(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount]
) -> None:
    account = accounts[False]
    cursor = ask(gateway, LISTS["Account.subaccounts"], account, first=2)["endCursor"]
    error = gateway.error(NUMBERS, {"last": 2, "before": cursor}, account=account)
    assert error["extensions"]["argument"] == "before"
    assert "another list" in error["message"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("catalog", [True, False])
def test_a_plan_bounds_what_a_page_backwards_costs(
    gateway: RunningGateway, accounts: dict[bool, SandboxAccount], name: str, catalog: bool
) -> None:
    query, account = LISTS[name], accounts[catalog]
    middle = ask(gateway, query, account, first=4)
    middle = ask(gateway, query, account, first=4, after=middle["endCursor"])
    for page in (
        {"last": 3},
        {"last": 3, "before": middle["startCursor"]},
        {"last": 7, "before": middle["endCursor"]},
        {"first": 3, "after": middle["endCursor"]},
    ):
        plan = gateway.execute(query, page, account=account, headers={"X-Gateway-Explain": "plan"})[
            "extensions"
        ]["plan"]["calls"]
        gateway.sandbox.forget_requests()
        ask(gateway, query, account, **page)
        made = len(gateway.sandbox.requests())
        assert plan["min"] <= made <= plan["max"] <= made + (66 if page == {"last": 3} else 3), page


def test_the_end_of_a_list_without_an_end_is_refused(sandbox: RunningSandbox) -> None:
    upstream = Starlette(routes=[Route("/{path:path}", nothing_but_nulls)])
    with running_app(upstream) as url, running_gateway(sandbox, catalog_url=url) as gateway:
        error = gateway.error(NUMBERS, {"last": 5})
    assert error["extensions"]["argument"] == "last"
    assert "longer than 64 pages" in error["message"]
