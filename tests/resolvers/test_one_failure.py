"""One failure costs one field: what stands beside it is answered, however a query is executed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.docs.test_readme import EXAMPLES
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

EVERYWHERE = """{
  phoneNumbers(first: 150) { nodes { sid phoneNumber
    similarAvailable(within: RATE_CENTER, first: 1) { nodes { phoneNumber } } } }
  countries { code types availablePhoneNumbers(type: MOBILE, first: 1) { nodes { phoneNumber } } }
}"""


@pytest.fixture(scope="module")
def plain_gateway(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that leaves all to graphql-core."""
    with running_gateway(shared_sandbox, fast=False) as gateway:
        yield gateway


@pytest.fixture
def ways(
    gateway: RunningGateway, plain_gateway: RunningGateway
) -> list[tuple[RunningGateway, dict[str, str]]]:
    """The three ways of execution: compiled, projected (as traces need it), and graphql-core's."""
    return [(gateway, {}), (gateway, {"X-Gateway-Explain": "trace"}), (plain_gateway, {})]


def answers(ways: list[tuple[RunningGateway, dict[str, str]]], query: str, **options: Any) -> Any:
    """Return what all ways answer, which must be the same."""
    found = [way.execute(query, headers=headers, **options) for way, headers in ways]
    for each in found:
        each.pop("extensions", None)
        for error in each.get("errors", ()):
            # Every way asks anew, and errors stand in the order in which they came.
            error["extensions"].pop("upstreamRequestId", None)
        each.get("errors", []).sort(key=lambda error: str(error["path"]))
    assert found[0] == found[1] == found[2]
    return found[0]


def test_the_main_query_is_answered_to_its_end_on_every_seeded_account(
    gateway: RunningGateway,
) -> None:
    """Seeded accounts own toll-free and foreign numbers, and numbers with parts missing."""
    pages = 0
    for account in gateway.sandbox.all_accounts():
        if account.status != "active" or account.role == "test":
            continue
        for query in (EXAMPLES["MyNumbers"], EXAMPLES["MyNumbers"].replace("type: LOCAL", "")):
            after, more = None, True
            while more:
                page = gateway.query(query, {"after": after}, account=account)["phoneNumbers"]
                after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
                pages += 1
    assert pages > 16


@pytest.mark.parametrize("role", ["parent", "core-only"])
def test_a_question_without_sense_is_null_without_an_error(
    ways: list[tuple[RunningGateway, dict[str, str]]], role: str
) -> None:
    account = ways[0][0].sandbox.accounts()[role]
    response = answers(ways, EVERYWHERE, account=account)
    assert "errors" not in response
    numbers = response["data"]["phoneNumbers"]["nodes"]
    assert any(each["similarAvailable"] for each in numbers)
    for each in numbers:
        if not each["phoneNumber"].startswith("+1"):
            assert each["similarAvailable"] is None
    for each in response["data"]["countries"]:
        assert (each["availablePhoneNumbers"] is None) is ("MOBILE" not in each["types"])


@pytest.mark.parametrize("role", ["parent", "core-only"])
def test_a_search_that_fails_is_null_with_an_error_at_its_place(
    ways: list[tuple[RunningGateway, dict[str, str]]], role: str
) -> None:
    sandbox = ways[0][0].sandbox
    account = sandbox.accounts()[role]
    search = "*/AvailablePhoneNumbers/??/*"
    sandbox.set_faults([{"kind": "status", "status": 400, "path": search, "count": None}])
    response = answers(ways, EVERYWHERE.replace("150", "8"), account=account)
    data, errors = response["data"], response["errors"]
    assert len(data["phoneNumbers"]["nodes"]) == 8
    assert len(data["countries"]) == 40
    failed = [error["path"] for error in errors]
    assert ["phoneNumbers", "nodes", 0, "similarAvailable"] in failed
    for path in failed:
        value = data
        for step in path:
            value = value[step]
        assert value is None
    assert {error["extensions"]["code"] for error in errors} == {"UPSTREAM_REFUSED"}


def test_a_root_connection_that_fails_leaves_the_others(
    ways: list[tuple[RunningGateway, dict[str, str]]],
) -> None:
    response = answers(
        ways,
        """{ phoneNumbers(after: "x") { nodes { sid } }
             availablePhoneNumbers(country: "US", first: 0) { nodes { phoneNumber } }
             rateLimit(accountSid: "AC1") { purchases { limit } }
             countries { code } account { phoneNumbers(first: 5000) { nodes { sid } } sid } }""",
    )
    assert [error["path"] for error in response["errors"]] == [
        ["account", "phoneNumbers"],
        ["availablePhoneNumbers"],
        ["phoneNumbers"],
        ["rateLimit"],
    ]
    assert len(response["data"]["countries"]) == 40
    assert response["data"]["account"] == {"phoneNumbers": None, "sid": ways[0][0].account.sid}


def test_an_id_that_cannot_be_had_leaves_the_others(gateway: RunningGateway) -> None:
    [number] = gateway.query("{ phoneNumbers(first: 1) { nodes { id } } }")["phoneNumbers"]["nodes"]
    response = gateway.execute(
        'query ($ids: [ID!]!) { nodes(ids: $ids) { id } node(id: "no id") { id } }',
        {"ids": [number["id"], "no id"]},
    )
    assert response["data"] == {"nodes": [number, None], "node": None}
    assert sorted(error["path"] for error in response["errors"]) == [["node"], ["nodes", 1]]
