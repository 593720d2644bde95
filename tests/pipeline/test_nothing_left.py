"""An answered operation leaves nothing behind that only the garbage collector could clear away.

What a request has read would stay in memory until the collector runs, and what it then walks through
costs more than a small query.
"""

import asyncio
import gc
from collections import Counter

import pytest

from gateway.auth.caller import Caller
from gateway.pipeline.pipeline import Pipeline
from gateway.resolvers.request_context import RequestContext
from gateway.upstream.call import Credential
from tests.pipeline.test_short_way import asked_of, counting
from tests.support.counted_request import CountingGateway
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

__all__ = ["counting"]  # A fixture.

SMALL = "{ phoneNumber(sid: %s) { sid } }"
LIST = "{ phoneNumbers(first: 20) { nodes { sid geography { lata } } pageInfo { endCursor } } }"
NESTED = """{ phoneNumbers(first: 20) { nodes { sid account { sid }
  similarAvailable(within: RATE_CENTER, first: 2) { nodes { phoneNumber } } } } }"""
SEARCH = '{ availablePhoneNumbers(country: "US", first: 5) { edges { cursor } exhaustive } }'
WRITE = """mutation { configurePhoneNumber(input: { sid: %s, configuration: { friendlyName: "Desk" } }) {
  phoneNumber { sid } userErrors { code } } }"""


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_answered_operations_leave_no_cycles_of_objects(
    counting: CountingGateway, shared_sandbox: RunningSandbox, catalog: bool
) -> None:
    account = shared_sandbox.create_account(catalog=catalog, owned=20)
    sid = shared_sandbox.numbers(account.sid)[0]["sid"]
    texts = (SMALL % f'"{sid}"', LIST, NESTED, SEARCH, WRITE % f'"{sid}"')
    requests = [asked_of(account, text) for text in texts]
    counting.ask(requests[0])  # From now on it is known which API serves the account.
    gc.collect()
    gc.disable()
    try:
        for request in requests:
            counting.ask(request)
        left = cleared_away()
    finally:
        gc.enable()
    assert left == {}


def cleared_away() -> dict[str, int]:
    """Run the garbage collector and return of which classes of ours it found how many objects."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        found = Counter(f"{type(each).__module__}.{type(each).__name__}" for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    return {
        name: number
        for name, number in found.items()
        if name.startswith(("gateway.", "schema.")) and not name.startswith("gateway.sandbox.")
    }


FAILING = (
    """{ availablePhoneNumbers(country: "CA", types: [LOCAL, MOBILE], first: 5) {
      nodes { phoneNumber } branchErrors { code } pageInfo { endCursor } } }""",
    '{ availablePhoneNumbers(country: "XX", first: 5) { exhaustive } }',
    '{ phoneNumber(sid: "x") { sid } }',
    '{ account(sid: "%s") { sid } phoneNumbers { nodes { sid } } }' % ("AC" + "0" * 32),
)
NOT_COMPILED = "{ phoneNumbers { nodes { sid } } __schema { types { name } } }"


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_failed_operations_and_those_of_graphql_core_leave_no_cycles_of_objects(
    gateway: RunningGateway, shared_sandbox: RunningSandbox, catalog: bool
) -> None:
    """An error knows the frames that it came through, and they what the request has read."""
    account = shared_sandbox.create_account(catalog=catalog, owned=3)
    gateway.execute(SEARCH, account=account)  # From now on it is known which API serves it.
    for text in (*FAILING, NOT_COMPILED):
        gc.collect()
        gc.disable()
        try:
            gateway.execute(text, account=account)
            left = cleared_away()
        finally:
            gc.enable()
        assert (text, left) == (text, {})


def test_nothing_that_is_made_for_a_request_leads_back_to_it(
    shared_sandbox: RunningSandbox,
) -> None:
    """So it goes with the last who holds it, without the collector."""
    username, secret = shared_sandbox.accounts()["parent"].auth
    caller = Caller(Credential(username, secret, username), username)

    async def left_of(pipeline: Pipeline) -> list[object]:
        context = pipeline.context(caller)
        for each in ("numbers", "search", "accounts", "objects", "writes", "events"):
            assert getattr(context, each) is not None
        context.cancel()
        gc.collect()
        gc.disable()
        try:
            del context
            return [each for each in gc.get_objects() if isinstance(each, RequestContext)]
        finally:
            gc.enable()

    with running_gateway(shared_sandbox) as gateway:
        assert gateway.parts is not None
        # What gathers look-ups asks for the loop when it is made.
        assert asyncio.run(left_of(gateway.parts.pipeline)) == []
