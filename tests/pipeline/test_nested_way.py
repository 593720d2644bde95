"""What a list costs with a search below each of its numbers: work for each place, not for each number.

It is counted as in `test_short_way.py`: whoever makes a row dearer changes a number here, and says why.
"""

import json

import pytest

from tests.pipeline.test_short_way import asked_of, counting
from tests.support.counted_request import CountingGateway, Counts
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

__all__ = ["counting"]  # A fixture.

PLACES, NUMBERS = 5, 20
QUERY = """query Nested($first: Int!) {
  phoneNumbers(first: $first) {
    nodes {
      sid phoneNumber friendlyName geography { region }
      similarAvailable(within: RATE_CENTER, first: 5) {
        nodes { phoneNumber friendlyName geography { lata rateCenter latitude } }
      }
    }
  }
}"""
DEEPER = QUERY.replace("friendlyName", "account { sid friendlyName }", 1).replace(
    "friendlyName geography { lata", "requirements(endUser: BUSINESS) { name } geography { lata"
)


def settle_in(sandbox: RunningSandbox, *, catalog: bool) -> SandboxAccount:
    """Return an account with numbers in turn in several places, each with two for sale."""
    account = sandbox.create_account(catalog=catalog)
    for each in range(NUMBERS):
        at = each % PLACES + (0 if catalog else PLACES)
        place = {"rate_center": f"PLACE{at}", "lata": 700 + at, "locality": f"PLACE {at}"}
        exchange = f"+1480{970 + at}"
        sandbox.put_number(account.sid, f"{exchange}{each:04d}", {"geography": place})
        if each < 2 * PLACES:
            sandbox.put_number(None, f"{exchange}9{each:03d}", {"geography": place})
    return account


def calls_of(sandbox: RunningSandbox) -> int:
    return len([each for each in sandbox.requests() if each["path"].startswith(("/2010", "/Num"))])


def cost(counting: CountingGateway, account: SandboxAccount, query: str, first: int) -> Counts:
    """Return what a page of so many numbers costs, each with two others for sale at its place."""
    counts, answer = counting.ask(asked_of(account, query, first=first))
    nodes = json.loads(answer)["data"]["phoneNumbers"]["nodes"]
    assert [len(each["similarAvailable"]["nodes"]) for each in nodes] == [2] * first
    return counts


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_a_row_begins_no_task_and_waits_for_nothing_of_its_own(
    counting: CountingGateway, shared_sandbox: RunningSandbox, catalog: bool
) -> None:
    account = settle_in(shared_sandbox, catalog=catalog)
    shared_sandbox.forget_requests()
    half = cost(counting, account, QUERY, NUMBERS // 2)
    whole = cost(counting, account, QUERY, NUMBERS)
    # A list, and a search for each place; once what is found out of a new account.
    assert calls_of(shared_sandbox) - 2 * counting.asked * (1 + PLACES) in range(2)
    assert whole.tasks.total() == half.tasks.total() == 1, str(whole)
    assert whole.coroutines == half.coroutines, str(whole)
    assert whole.futures == half.futures <= 1 + PLACES, str(whole)
    assert whole.coroutines.total() <= 26 + 2 * PLACES, str(whole)
    rows = NUMBERS - NUMBERS // 2
    # For each header of the upstream's answers one call.
    for each in (whole, half):
        each.calls.pop("upstream/connections.py:Connection.on_header")
    assert whole.calls.total() <= (659 if catalog else 694), str(whole)
    more = whole.calls - half.calls
    assert more.total() <= 4 * rows, str(more.most_common(20))
    assert whole.objects.total() - half.objects.total() <= 3, str(whole.objects - half.objects)
    # Nor does one that has other calls below it, or the same as all others.
    deeper = [cost(counting, account, DEEPER, first) for first in (NUMBERS // 2, NUMBERS)]
    assert deeper[0].tasks == deeper[1].tasks, str(deeper[1])
    assert deeper[0].coroutines == deeper[1].coroutines, str(deeper[1])


def found(answer: bytes, name: str = "similarAvailable") -> list[list[str]]:
    """Return the numbers that were found for each number of a page."""
    nodes = json.loads(answer)["data"]["phoneNumbers"]["nodes"]
    return [[found["phoneNumber"] for found in each[name]["nodes"]] for each in nodes]


def test_what_was_found_before_is_neither_read_nor_written_again(
    counting: CountingGateway, shared_sandbox: RunningSandbox
) -> None:
    account = settle_in(shared_sandbox, catalog=True)
    asked = asked_of(account, QUERY, first=PLACES)
    counts, before = counting.ask(asked)
    assert counts.calls["upstream/call.py:Answer.decoded"] == 2, str(counts)  # The list alone.
    assert counts.calls["numbers/search.py:_found"] == 0, str(counts)
    spelt = "numbers/search_request.py:SearchRequest.core_call"
    assert counts.calls[spelt] == 0, str(counts)  # It is kept beside the search.
    # What is found now is shown now.
    place = {"rate_center": "PLACE0", "lata": 700, "locality": "PLACE 0"}
    shared_sandbox.put_number(None, "+14809708888", {"geography": place})
    _, after = counting.ask(asked)
    assert found(after)[1:] == found(before)[1:]
    assert sorted([*found(before)[0], "+14809708888"]) == sorted(found(after)[0])


def test_fields_that_share_a_search_show_each_what_they_select(
    counting: CountingGateway, shared_sandbox: RunningSandbox
) -> None:
    account = settle_in(shared_sandbox, catalog=True)
    more = "others: similarAvailable(within: RATE_CENTER, first: 5) { nodes { phoneNumber } }"
    query = QUERY.replace("similarAvailable(", f"{more} similarAvailable(", 1)
    _, answer = counting.ask(asked_of(account, query, first=NUMBERS))
    assert found(answer) == found(answer, "others")
    for each in json.loads(answer)["data"]["phoneNumbers"]["nodes"]:
        assert {*each["others"]["nodes"][0]} == {"phoneNumber"}
        assert {*each["similarAvailable"]["nodes"][0]} == {
            "phoneNumber",
            "friendlyName",
            "geography",
        }
