"""Spending limits: requests per minute and purchases per day."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.auth.caller import Caller
from gateway.auth.rate_limits import RateLimits, Spending
from gateway.errors import RateLimited
from gateway.storage.store import MemoryStore, StoreUnavailable
from gateway.upstream.call import Credential
from tests.faults.asking import fresh_number
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import until

_LEFT = (
    "{ rateLimit { requests { limit windowSeconds remaining fullInMs } purchases { remaining } } }"
)
_BUY = (
    "mutation b($n: E164!, $dry: Boolean! = false, $c: ConfigurationInput) {"
    " purchasePhoneNumber(input: { phoneNumber: $n, dryRun: $dry, configuration: $c })"
    " { phoneNumber { sid } userErrors { code message } } }"
)
_BUY_ALL = (
    "mutation b($i: [PurchasePhoneNumberInput!]!) { purchasePhoneNumbers(input: { items: $i })"
    " { results { phoneNumber { sid } userErrors { code message } } } }"
)


_REQUESTS = 20
# Seconds after which there is one more of them.
_GRANTED_AGAIN = 60 / _REQUESTS


@pytest.fixture
def stingy(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway that grants 20 requests a minute and 2 purchases a day, to a fresh account."""
    account = sandbox.create_account(role="spender")
    limits = {"requests_per_minute": _REQUESTS, "purchases_per_day": 2}
    # Keys of earlier runs are about other accounts with the same sids.
    with running_gateway(sandbox, account=account, data_dir=tmp_path, **limits) as gateway:
        yield gateway


@pytest.fixture
def for_sale(sandbox: RunningSandbox) -> list[str]:
    return [fresh_number(sandbox) for _ in range(6)]


def come_back(since: float) -> int:
    """Return how many requests are granted anew in the time since: it is long on a busy machine."""
    return int((time.monotonic() - since) / _GRANTED_AGAIN)


def test_requests_beyond_the_limit_are_refused_until_later(stingy: RunningGateway) -> None:
    began, granted = time.monotonic(), 0
    while (answer := stingy.post({"query": "{ __typename }"})).status_code == 200:
        granted += 1
    assert answer.status_code == 429
    assert _REQUESTS <= granted <= _REQUESTS + come_back(began)
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 0 < error["extensions"]["retryAfterMs"] <= 3000
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    time.sleep(error["extensions"]["retryAfterMs"] / 1000)
    assert stingy.post({"query": "{ __typename }"}).status_code == 200


def test_refused_requests_are_not_even_read(stingy: RunningGateway) -> None:
    until(lambda: stingy.post({"query": "{ __typename }"}).status_code == 429)
    until(lambda: stingy.post({"query": "{ no such syntax"}).status_code == 429)


def test_callers_do_not_use_up_each_others_limits(
    stingy: RunningGateway, sandbox: RunningSandbox
) -> None:
    """Not even those who send another account's name with a wrong secret."""
    for _ in range(25):
        stingy.http.post(
            f"{stingy.url}/graphql",
            json={"query": "{ __typename }"},
            auth=(stingy.account.sid, "a guess"),
        )
    assert stingy.post({"query": "{ __typename }"}).status_code == 200
    other = sandbox.create_account(role="other")
    for _ in range(25):
        stingy.post({"query": "{ __typename }"}, account=other)
    assert stingy.post({"query": "{ __typename }"}).status_code == 200


def test_what_is_left_can_be_asked_for(stingy: RunningGateway) -> None:
    began = time.monotonic()
    first = stingy.query(_LEFT)["rateLimit"]
    assert (first["requests"]["limit"], first["requests"]["windowSeconds"]) == (20, 60)
    assert first["requests"]["remaining"] == 19
    assert 0 < first["requests"]["fullInMs"] <= 3000
    assert first["purchases"] == {"remaining": 2}
    then = stingy.query(_LEFT)["rateLimit"]["requests"]["remaining"]
    assert 18 <= then <= 18 + come_back(began)


def test_without_limits_nothing_is_left_to_say(gateway: RunningGateway) -> None:
    assert gateway.query(_LEFT) == {"rateLimit": {"requests": None, "purchases": None}}


def test_purchases_beyond_the_limit_are_refused_before_they_are_sent(
    stingy: RunningGateway, for_sale: list[str]
) -> None:
    for number in for_sale[:2]:
        assert stingy.query(_BUY, {"n": number})["purchasePhoneNumber"]["phoneNumber"]
    stingy.sandbox.forget_requests()
    error = stingy.error(_BUY, {"n": for_sale[2]})
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 0 < error["extensions"]["retryAfterMs"] <= 43_200_000
    assert [each for each in stingy.sandbox.requests() if each["method"] == "POST"] == []
    assert stingy.query(_LEFT)["rateLimit"]["purchases"] == {"remaining": 0}
    assert stingy.query("{ phoneNumbers { nodes { sid } } }")["phoneNumbers"]["nodes"]


def test_a_caller_who_acts_for_another_account_is_the_same_caller(
    stingy: RunningGateway, for_sale: list[str]
) -> None:
    """A client chooses X-Account-Sid freely: it must not start a new day's allowance."""
    buy = "mutation b($n: E164!, $a: ID!, $key: String) { purchasePhoneNumber(input: {"
    buy += " phoneNumber: $n, accountSid: $a, idempotencyKey: $key })"
    buy += " { replayed phoneNumber { sid } userErrors { code } } }"
    own = stingy.account.sid

    def bought(number: str, acting: int, key: str | None = None) -> dict[str, Any]:
        headers = {"x-account-sid": f"AC{acting:032x}"}
        variables = {"n": number, "a": own, "key": key}
        answer: dict[str, Any] = stingy.execute(buy, variables, headers=headers)
        return answer

    first = bought(for_sale[0], 1, "key")["data"]["purchasePhoneNumber"]
    again = bought(for_sale[0], 2, "key")["data"]["purchasePhoneNumber"]
    assert again == first | {"replayed": True}
    assert bought(for_sale[1], 3)["data"]["purchasePhoneNumber"]["phoneNumber"]
    for index in range(2, 5):
        [error] = bought(for_sale[index], index + 2)["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
    assert len(stingy.sandbox.numbers(own)) == 2


def test_a_purchase_that_was_refused_is_given_back(
    stingy: RunningGateway, for_sale: list[str]
) -> None:
    assert stingy.query(_BUY, {"n": "+15005550000"})["purchasePhoneNumber"]["userErrors"]
    assert stingy.query(_BUY, {"n": for_sale[0], "dry": True})
    stingy.sandbox.set_faults([{"kind": "429", "count": 20, "method": "POST"}])
    stingy.execute(_BUY, {"n": for_sale[0]})
    stingy.sandbox.clear_faults()
    assert stingy.query(_LEFT)["rateLimit"]["purchases"] == {"remaining": 2}


def test_a_purchase_whose_outcome_is_unknown_stays_counted(
    stingy: RunningGateway, for_sale: list[str]
) -> None:
    stingy.sandbox.set_faults([{"kind": "reset", "commit": False, "method": "POST", "count": 9}])
    answer = stingy.query(_BUY, {"n": for_sale[0]})["purchasePhoneNumber"]
    stingy.sandbox.clear_faults()
    assert [each["code"] for each in answer["userErrors"]] == ["OUTCOME_UNKNOWN"]
    assert stingy.query(_LEFT)["rateLimit"]["purchases"] == {"remaining": 1}


_BUY_WITH_KEY = (
    "mutation b($n: E164!, $key: String!) {"
    " purchasePhoneNumber(input: { phoneNumber: $n, idempotencyKey: $key })"
    " { replayed reconciled phoneNumber { sid } userErrors { code message } } }"
)


def test_a_used_up_allowance_does_not_hide_what_a_key_already_did(
    stingy: RunningGateway, for_sale: list[str]
) -> None:
    first = stingy.query(_BUY_WITH_KEY, {"n": for_sale[0], "key": "one"})["purchasePhoneNumber"]
    stingy.query(_BUY_WITH_KEY, {"n": for_sale[1], "key": "two"})
    assert stingy.query(_LEFT)["rateLimit"]["purchases"] == {"remaining": 0}
    again = stingy.query(_BUY_WITH_KEY, {"n": for_sale[0], "key": "one"})["purchasePhoneNumber"]
    assert again == first | {"replayed": True}
    error = stingy.error(_BUY_WITH_KEY, {"n": for_sale[2], "key": "three"})
    assert error["extensions"]["code"] == "RATE_LIMITED"
    # That a number is owned already is found out without an allowance, too.
    owned = stingy.query(_BUY, {"n": for_sale[0]})["purchasePhoneNumber"]
    assert [each["code"] for each in owned["userErrors"]] == ["ALREADY_OWNED"]


def test_a_used_up_allowance_does_not_keep_an_unknown_outcome_from_being_resolved(
    stingy: RunningGateway, for_sale: list[str]
) -> None:
    stingy.query(_BUY_WITH_KEY, {"n": for_sale[0], "key": "one"})
    down = {"kind": "429", "retry_after": 60, "method": "GET", "count": None}
    stingy.sandbox.set_faults([{"kind": "lost-answer", "method": "POST"}, down | {"skip": 1}])
    asked = (_BUY_WITH_KEY, {"n": for_sale[1], "key": "two"})
    lost = stingy.query(*asked)["purchasePhoneNumber"]
    assert [each["code"] for each in lost["userErrors"]] == ["OUTCOME_UNKNOWN"]
    stingy.sandbox.clear_faults()
    assert stingy.query(_LEFT)["rateLimit"]["purchases"] == {"remaining": 0}
    found = stingy.query(*asked)["purchasePhoneNumber"]
    assert (found["userErrors"], found["reconciled"], found["replayed"]) == ([], True, True)


def _caller(account: SandboxAccount | None = None) -> Caller:
    sid = account.sid if account else "AC" + "0" * 32
    return Caller(Credential(sid, "secret", sid), "somebody")


class _BrokenStore(MemoryStore):
    async def take(self, key: str, *, capacity: float, per_second: float, amount: float) -> float:
        raise StoreUnavailable(key, capacity, per_second, amount)


def test_without_the_store_requests_pass_and_purchases_do_not() -> None:
    settings = bare_settings(requests_per_minute=1, purchases_per_day=1)
    spending = Spending(settings.pick(RateLimits), _BrokenStore())
    caller = _caller()

    async def run() -> None:
        for _ in range(3):
            await spending.request(caller)
        with pytest.raises(RateLimited):
            await spending.purchase(caller, caller.credential.account)
        assert await spending.left(caller, caller.credential.account) == (None, None)

    asyncio.run(run())


def test_strangers_do_not_make_spent_purchases_forgotten() -> None:
    settings = bare_settings(requests_per_minute=2, purchases_per_day=2)
    spending = Spending(settings.pick(RateLimits), MemoryStore(most=50))
    caller = _caller()
    account = caller.credential.account

    async def run() -> None:
        for _ in range(2):
            await spending.request(caller)
            await spending.purchase(caller, account)
        for index in range(1000):
            stranger = Caller(caller.credential, f"stranger {index}")
            await spending.request(stranger)
            await spending.left(stranger, account)
            await spending.purchase(stranger, account)
            await spending.give_back(stranger, account)
        with pytest.raises(RateLimited):
            await spending.purchase(caller, account)
        with pytest.raises(RateLimited):
            await spending.request(caller)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("production", "chosen", "limit"),
    [(False, None, None), (True, None, 100), (True, 0, None), (True, 7, 7), (False, 7, 7)],
)
def test_production_limits_purchases_unless_told_otherwise(
    *, production: bool, chosen: int | None, limit: int | None
) -> None:
    settings = bare_settings(production=production, purchases_per_day=chosen)
    caller = _caller()
    left = asyncio.run(Spending(settings.pick(RateLimits), MemoryStore()).left(caller, "AC"))[1]
    assert (left.limit if left else None) == limit


def test_several_purchases_at_once_stop_at_the_limit(
    stingy: RunningGateway, for_sale: list[str]
) -> None:
    items = [{"phoneNumber": each} for each in for_sale[:4]]
    results = stingy.query(_BUY_ALL, {"i": items})["purchasePhoneNumbers"]["results"]
    assert [bool(each["phoneNumber"]) for each in results].count(True) == 2
    assert len(stingy.sandbox.numbers(stingy.account.sid)) == 2
