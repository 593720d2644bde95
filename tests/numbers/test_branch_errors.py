"""Branches of a search that fail: each says why, with a code of its enum."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import DeadlineExceeded, GatewayError, TooManyCalls, UpstreamError
from schema.enums import BranchErrorCode
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

SEARCH = """{ availablePhoneNumbers(country: "US", types: [LOCAL, TOLL_FREE], first: 2) {
  nodes { type } branchErrors { type code message } } }"""
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("UPSTREAM_RATE_LIMITED", {"kind": "429", "count": None, "retry_after": 60}),
    ("UPSTREAM_UNAVAILABLE", {"kind": "status", "status": 503, "count": None}),
    ("UPSTREAM_TIMEOUT", {"kind": "held", "count": None}),
    ("UPSTREAM_MALFORMED", {"kind": "malformed", "count": None}),
    ("UPSTREAM_REFUSED", {"kind": "status", "status": 400}),
    (
        "UPSTREAM_UNAUTHENTICATED",
        {"kind": "status", "status": 401, "body": {"code": 20003, "message": "Authenticate"}},
    ),
    (
        "FORBIDDEN",
        {"kind": "status", "status": 403, "body": {"code": 20005, "message": "Not active"}},
    ),
    (
        "NOT_FOUND",
        {"kind": "status", "status": 404, "body": {"code": 20404, "message": "Not there"}},
    ),
]


@pytest.fixture(scope="module")
def brief(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that tries no call again, and waits for none for long."""
    with running_gateway(shared_sandbox, attempts=1, attempt_timeout=1.5) as gateway:
        yield gateway


@pytest.mark.parametrize(("code", "fault"), FAULTS, ids=[code for code, _ in FAULTS])
def test_a_branch_that_fails_says_why_with_a_code(
    brief: RunningGateway, sandbox: RunningSandbox, code: str, fault: dict[str, Any]
) -> None:
    account = sandbox.create_account(catalog=False)
    sandbox.set_faults([{"path": "*/AvailablePhoneNumbers/US/TollFree.json", **fault}])
    found = brief.query(SEARCH, account=account)["availablePhoneNumbers"]
    sandbox.clear_faults()
    assert {each["type"] for each in found["nodes"]} == {"LOCAL"}
    [error] = found["branchErrors"]
    assert (error["type"], error["code"]) == ("TOLL_FREE", code)


def test_every_error_of_a_call_has_a_code_of_its_own_for_branches() -> None:
    kinds: set[type[GatewayError]] = {UpstreamError, TooManyCalls, DeadlineExceeded}
    below: list[type[GatewayError]] = [*kinds]
    while below:
        below = [each for kind in below for each in kind.__subclasses__()]
        kinds |= set(below)
    assert {kind.code for kind in kinds} == set(BranchErrorCode.__members__)
