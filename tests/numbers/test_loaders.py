"""Loaders: equal reads are one call, different ones go out together."""

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox


def aliases(sids: list[str]) -> str:
    """Return a query with one alias per sid."""
    fields = " ".join(f'a{n}: phoneNumber(sid: "{sid}") {{ sid }}' for n, sid in enumerate(sids))
    return f"{{ {fields} }}"


def test_twenty_aliases_of_one_sid_are_one_call(gateway: RunningGateway) -> None:
    sid = gateway.sandbox.numbers(gateway.account.sid)[0]["sid"]
    gateway.query(aliases([sid]))
    gateway.sandbox.forget_requests()
    data = gateway.query(aliases([sid] * 20))
    assert len(gateway.sandbox.requests()) == 1
    assert list(data.values()) == [{"sid": sid}] * 20


@pytest.mark.parametrize("catalog", [True, False], ids=["CATALOG", "CORE"])
@pytest.mark.parametrize("owned", [20, 250])
def test_twenty_different_sids_are_fetched_together(
    sandbox: RunningSandbox, catalog: bool, owned: int
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=owned)
    sids = [number["sid"] for number in sandbox.numbers(account.sid)[-20:]]
    with running_gateway(sandbox, account=account, alias_limit=20) as gateway:
        # Which family serves the account is found out first; how many numbers it has is not.
        gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }")
        sandbox.forget_requests()
        slow = {"kind": "latency", "latency_ms": 2_000, "path": "*", "count": None}
        sandbox.set_faults([slow])
        data = gateway.query(aliases(sids))
    assert [each["sid"] for each in data.values()] == sids
    requests = sandbox.requests()
    assert len(requests) == 20
    # All were under way before the first was answered.
    ended = [request["started"] + request["duration_ms"] / 1000 for request in requests]
    assert max(request["started"] for request in requests) < min(ended)


def test_a_number_that_is_not_there_is_null(gateway: RunningGateway) -> None:
    sid = "PN" + "0" * 32
    assert gateway.query(aliases([sid])) == {"a0": None}


def test_a_number_is_found_by_itself(gateway: RunningGateway) -> None:
    number = gateway.sandbox.numbers(gateway.account.sid)[5]
    for account in (gateway.account, gateway.sandbox.accounts()["core-only"]):
        number = gateway.sandbox.numbers(account.sid)[5]
        data = gateway.query(
            "query ($n: E164!) { phoneNumberByIdentifier(identifier: { phoneNumber: $n }) { sid } }",
            {"n": number["phone_number"]},
            account=account,
        )
        assert data["phoneNumberByIdentifier"] == {"sid": number["sid"]}
