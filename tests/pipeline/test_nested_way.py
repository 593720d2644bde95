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


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_a_row_begins_no_task_and_waits_for_nothing_of_its_own(
    counting: CountingGateway, shared_sandbox: RunningSandbox, catalog: bool
) -> None:
    account = settle_in(shared_sandbox, catalog=catalog)
    found: dict[int, Counts] = {}
    for first in (NUMBERS // 2, NUMBERS):
        shared_sandbox.forget_requests()
        found[first], answer = counting.ask(asked_of(account, QUERY, first=first))
        nodes = json.loads(answer)["data"]["phoneNumbers"]["nodes"]
        assert len(nodes) == first
        assert [len(each["similarAvailable"]["nodes"]) for each in nodes] == [2] * first
        # What is found out of a new account, and then a list and a search for each place.
        assert calls_of(shared_sandbox) - counting.asked * (1 + PLACES) in {0, 1}
    half, whole = found.values()
    assert whole.tasks.total() == half.tasks.total() == 1 + PLACES, str(whole)
    assert whole.coroutines == half.coroutines, str(whole)
    assert whole.futures == half.futures <= 2 * (1 + PLACES), str(whole)
    assert whole.coroutines.total() <= 28 + 5 * PLACES, str(whole)
    rows = NUMBERS - NUMBERS // 2
    more = whole.calls - half.calls
    assert more.total() <= 12 * rows, str(more.most_common(20))
    assert whole.objects.total() - half.objects.total() <= 3, str(whole.objects - half.objects)
