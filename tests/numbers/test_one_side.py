"""Of two APIs that are asked side by side one may fail, or not answer: the other one's answer is shown."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

# An answer that is not held back may take three of these; a call that is, takes much longer.
PATIENCE: dict[str, Any] = {
    "attempt_timeout": 0.8,
    "call_deadline": 60.0,
    "request_deadline": 80.0,
    "backoff_base": 0.01,
}
CATALOG, CORE = "/Numbers/*", "/2010-04-01/*"
KNOW = "{ phoneNumbers(first: 1) { nodes { sid } } }"
TRACE = {"X-Gateway-Explain": "trace"}


@pytest.fixture(scope="module")
def served(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    with running_gateway(shared_sandbox, **PATIENCE) as gateway:
        yield gateway


@pytest.fixture
def account(served: RunningGateway, sandbox: RunningSandbox) -> SandboxAccount:
    """An account that is known to have the catalog."""
    account = sandbox.create_account(catalog=True, owned=3)
    served.query(KNOW, account=account)
    return account


def fault(path: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "path": path, "count": None, **more}


def number(sandbox: RunningSandbox, account: SandboxAccount) -> dict[str, Any]:
    return sandbox.numbers(account.sid)[0]


def ways(sandbox: RunningSandbox, account: SandboxAccount, fields: str) -> list[str]:
    """Return look-ups of a number, by sid and by itself."""
    one = number(sandbox, account)
    given = f'identifier: {{ phoneNumber: "{one["phone_number"]}" }}'
    return [
        f'phoneNumber(sid: "{one["sid"]}") {{ {fields} }}',
        f"phoneNumberByIdentifier({given}) {{ {fields} }}",
    ]


def failed(response: dict[str, Any]) -> dict[str, str]:
    """Return the codes of errors by the fields that they are at."""
    return {error["path"][-1]: error["extensions"]["code"] for error in response["errors"]}


@pytest.mark.parametrize("place", [0, 1], ids=["by sid", "by number"])
def test_a_catalog_that_fails_costs_only_what_it_alone_tells(
    served: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount, place: int
) -> None:
    field = ways(sandbox, account, "sid lifecycle dateCreated")[place]
    sandbox.set_faults([fault(CATALOG, "status", status=400)])
    response = served.execute(f"{{ it: {field} }}", account=account)
    shown = response["data"]["it"]
    assert (shown["sid"], shown["lifecycle"]) == (number(sandbox, account)["sid"], None)
    assert shown["dateCreated"]
    assert failed(response) == {"lifecycle": "UPSTREAM_REFUSED"}


@pytest.mark.parametrize("place", [0, 1, 2], ids=["by sid", "by number", "a list"])
def test_an_answer_that_is_there_waits_no_longer_than_one_attempt_for_what_fills_it_in(
    served: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount, place: int
) -> None:
    fields = "sid lifecycle dateCreated"
    listed = f"phoneNumbers {{ nodes {{ {fields} }} }}"
    field = [*ways(sandbox, account, fields), listed][place]
    sandbox.set_faults([fault(CORE, "held")])
    began = time.monotonic()
    response = served.execute(f"{{ it: {field} }}", account=account)
    assert time.monotonic() - began < PATIENCE["call_deadline"] / 2
    shown = response["data"]["it"]
    for each in shown.get("nodes", [shown]):
        assert each["sid"]
        assert each["lifecycle"]
        assert each["dateCreated"] is None
    assert failed(response) == {"dateCreated": "UPSTREAM_TIMEOUT"}


def test_a_number_that_one_api_shows_and_the_other_denies_is_null_there_with_an_error(
    served: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    [field, _] = ways(sandbox, account, "sid lifecycle dateCreated")
    missing = {"code": 20404, "message": "It was not found", "status": 404}
    sandbox.set_faults([fault(CORE, "status", status=404, body=missing)])
    response = served.execute(f"{{ it: {field} }}", account=account)
    assert response["data"]["it"]["lifecycle"]
    assert response["data"]["it"]["dateCreated"] is None
    assert list(failed(response)) == ["dateCreated"]


COLD = [0, 1, 2]


def asked_first(sandbox: RunningSandbox, account: SandboxAccount, place: int) -> str:
    """Return one of the first fields that may be asked of an account."""
    listed = "phoneNumbers { nodes { sid lifecycle } }"
    return [*ways(sandbox, account, "sid lifecycle"), listed][place]


def sids(shown: dict[str, Any]) -> list[str]:
    return [each["sid"] for each in shown["nodes"]] if "nodes" in shown else [shown["sid"]]


@pytest.mark.parametrize("place", COLD)
@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 404, "code": 20404},
        {"status": 403, "code": 20403},
        {"status": 401, "code": 20003},
        {"status": 403, "code": 20003},
    ],
    ids=lambda refusal: f"{refusal['status']} {refusal['code']}",
)
def test_what_refuses_the_account_is_passed_over_where_the_other_api_answers(
    served: RunningGateway, sandbox: RunningSandbox, refusal: dict[str, int], place: int
) -> None:
    account = sandbox.create_account(catalog=False, owned=2)
    field = asked_first(sandbox, account, place)
    body = {**refusal, "message": "Not this one"}
    sandbox.set_faults([fault(CATALOG, "status", status=refusal["status"], body=body)])
    shown = served.query(f"{{ it: {field} }}", account=account)["it"]
    assert number(sandbox, account)["sid"] in sids(shown)
    sandbox.forget_requests()
    served.query(f"{{ it: {field} }}", account=account)
    assert [each["path"].startswith("/2010") for each in sandbox.requests()] == [True]


@pytest.mark.parametrize(
    ("kind", "code", "place"),
    [
        *(({"kind": "status", "status": 500}, "UPSTREAM_UNAVAILABLE", place) for place in COLD),
        ({"kind": "held"}, "UPSTREAM_TIMEOUT", 0),
    ],
)
def test_a_first_read_is_answered_though_the_catalog_cannot_say_whether_it_serves(
    served: RunningGateway, sandbox: RunningSandbox, kind: dict[str, Any], code: str, place: int
) -> None:
    account = sandbox.create_account(catalog=True, owned=2)
    field = asked_first(sandbox, account, place)
    sandbox.set_faults([{"path": CATALOG, "count": None, **kind}])
    response = served.execute(f"{{ it: {field} }}", account=account)
    assert number(sandbox, account)["sid"] in sids(response["data"]["it"])
    assert failed(response) == {"lifecycle": code}
    # Nothing was learnt of it.
    sandbox.clear_faults()
    assert "errors" not in served.execute(f"{{ it: {field} }}", account=account)


@pytest.mark.parametrize("place", COLD)
def test_what_is_not_needed_any_more_is_not_waited_for_and_yet_counted(
    served: RunningGateway,
    sandbox: RunningSandbox,
    place: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    account = sandbox.create_account(catalog=True, owned=2)
    field = asked_first(sandbox, account, place)
    sandbox.set_faults([fault(CORE, "held")])
    began = time.monotonic()
    response = served.execute(f"{{ it: {field} }}", account=account, headers=TRACE)
    assert time.monotonic() - began < PATIENCE["call_deadline"] / 2
    assert "errors" not in response
    trace = response["extensions"]["upstream"]
    assert trace["sent"] == len(sandbox.requests()) == 2
    assert sorted(str(each["status"]) for each in trace["calls"]) == ["200", "None"]
    sandbox.clear_faults()
    served.query("{ rateLimit { requests { limit } } }", account=account)
    assert "error" not in capfd.readouterr().err.lower()


def test_a_search_among_owned_numbers_shows_what_it_found_when_its_time_is_up(
    sandbox: RunningSandbox,
) -> None:
    account = sandbox.create_account(catalog=False, owned=1000)
    for last in range(3):
        sandbox.put_number(account.sid, f"+1415555019{last}")
    query = """query ($after: String) { phoneNumbers(
      first: 1000, after: $after, filter: { region: "CA" }
    ) { nodes { sid } exhaustive pageInfo { hasNextPage endCursor } } }"""
    with running_gateway(sandbox, account=account, request_deadline=3.0) as gateway:
        gateway.query(KNOW)
        whole = {each["sid"] for each in gateway.query(query)["phoneNumbers"]["nodes"]}
        sandbox.set_faults([fault("*/IncomingPhoneNumbers*", "held", skip=1)])
        first = gateway.query(query)["phoneNumbers"]
        sandbox.clear_faults()
        after = first["pageInfo"]["endCursor"]
        rest = gateway.query(query, {"after": after})["phoneNumbers"]
    assert (first["exhaustive"], first["pageInfo"]["hasNextPage"]) == (False, True)
    assert rest["exhaustive"] is True
    found = [each["sid"] for page in (first, rest) for each in page["nodes"]]
    assert len(found) == len(whole)
    assert set(found) == whole
    assert rest["nodes"]
