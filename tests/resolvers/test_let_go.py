"""A request that is answered leaves nothing behind for the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from gateway.numbers.owned import OwnedNumbers
from gateway.resolvers.request_context import RequestContext
from tests.support.gateway_in_thread import RunningGateway
from tests.support.waiting import until


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let go by counted references alone."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def parts() -> list[object]:
    kinds = {RequestContext, OwnedNumbers}
    return [each for each in gc.get_objects() if type(each) in kinds]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "query",
    [
        "query ($one: ID!, $two: ID!) { nodes(ids: [$one, $two]) { id } }",
        "query ($one: ID!, $two: ID!) { node(id: $one) { id } nodes(ids: [$two, $two]) { id } }",
        """query ($one: ID!, $two: ID!) { one: phoneNumber(sid: $one) { sid }
          two: phoneNumber(sid: $two) { sid } }""",
    ],
)
def test_what_looks_numbers_up_goes_with_the_request(gateway: RunningGateway, query: str) -> None:
    account = gateway.sandbox.create_account(catalog=True, owned=2)
    one, two = (each["sid"] for each in gateway.sandbox.numbers(account.sid))
    before = len(parts())
    data = gateway.query(query, {"one": one, "two": two}, account=account)
    assert one in str(data)
    until(lambda: len(parts()) == before)
