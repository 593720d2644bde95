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
    assert whole.coroutines.total() <= 28, str(whole)
    rows = NUMBERS - NUMBERS // 2
    more = whole.calls - half.calls
    assert more.total() <= 10 * rows, str(more.most_common(20))
    assert whole.objects.total() - half.objects.total() <= 3, str(whole.objects - half.objects)
    # Nor does one that has other calls below it, or the same as all others.
    deeper = [cost(counting, account, DEEPER, first) for first in (NUMBERS // 2, NUMBERS)]
    assert deeper[0].tasks == deeper[1].tasks, str(deeper[1])
    assert deeper[0].coroutines == deeper[1].coroutines, str(deeper[1])
