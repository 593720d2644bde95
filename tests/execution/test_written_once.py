"""What was written for one request serves another only where it would be the same."""

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox

LIKE_THEM = """{ phoneNumbers(first: 1) { nodes {
  similarAvailable(within: REGION, first: 50) { nodes { phoneNumber } } } } }"""


def test_what_later_calls_of_a_search_find_is_looked_for_each_time(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False)
    place = {"iso_country": "US", "region": "CA"}
    local = sandbox.inventory("US", "local", ("phone_number", "geography"))
    own = next(each for each in local if place.items() <= each["geography"].items())
    sandbox.put_number(account.sid, own["phone_number"])
    sandbox.set_switches(search_cap=30)

    def found() -> list[str]:
        [number] = gateway.query(LIKE_THEM, account=account)["phoneNumbers"]["nodes"]
        return [each["phoneNumber"] for each in number["similarAvailable"]["nodes"]]

    before = [found() for _ in range(4)][-1]
    assert len(before) == 50
    # The first call, of which more is cut off, answers what it has answered.
    bought = before[-1]
    sandbox.put_number(sandbox.create_account().sid, bought)
    assert bought not in found()
