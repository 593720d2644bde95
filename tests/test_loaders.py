"""Loaders: equal reads are one call, different ones go out together."""

from tests.gateway_process import RunningGateway


def aliases(sids: list[str]) -> str:
    """Return a query with one alias per sid."""
    fields = " ".join(f'a{n}: phoneNumber(sid: "{sid}") {{ sid }}' for n, sid in enumerate(sids))
    return f"{{ {fields} }}"


def test_twenty_aliases_of_one_sid_are_one_call(gateway: RunningGateway) -> None:
    sid = gateway.sandbox.numbers(gateway.account.sid)[0]["sid"]
    data = gateway.query(aliases([sid] * 20))
    assert len(gateway.sandbox.requests()) == 1
    assert list(data.values()) == [{"sid": sid}] * 20


def test_twenty_different_sids_are_fetched_together(gateway: RunningGateway) -> None:
    account = gateway.sandbox.create_account(catalog=True, owned=30_000)
    sids = [number["sid"] for number in gateway.sandbox.numbers(account.sid)[:9]]
    gateway.sandbox.set_faults([{"kind": "latency", "latency_ms": 200, "path": "/Numbers/*"}])
    data = gateway.query(aliases(sids), account=account)
    assert [each["sid"] for each in data.values()] == sids
    requests = gateway.sandbox.requests()
    assert len(requests) == 9
    # All were under way before the first was answered.
    started = [request["started"] for request in requests]
    assert max(started) - min(started) < 0.2


def test_a_number_that_is_not_there_is_null(gateway: RunningGateway) -> None:
    sid = "PN" + "0" * 32
    assert gateway.query(aliases([sid])) == {"a0": None}


def test_a_number_is_found_by_itself(gateway: RunningGateway) -> None:
    number = gateway.sandbox.numbers(gateway.account.sid)[5]
    for account in (gateway.account, gateway.sandbox.accounts()["core-only"]):
        number = gateway.sandbox.numbers(account.sid)[5]
        data = gateway.query(
            "query ($n: E164) { phoneNumber(phoneNumber: $n) { sid } }",
            {"n": number["phone_number"]},
            account=account,
        )
        assert data["phoneNumber"] == {"sid": number["sid"]}
