"""Reads that fail: repeated as long as it helps, within one deadline, never for a refusal."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.asking import OWN, fresh_number, mutate, plural, told
from tests.faults.conftest import QUICK
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import LATE, until

Tell = Callable[[str], None]

ONCE: dict[str, dict[str, Any]] = {
    "connection reset": {"kind": "reset"},
    "answer too late": {"kind": "latency", "latency_ms": 1200},
    "answer broken off": {"kind": "truncate"},
    "malformed JSON": {"kind": "malformed"},
    "HTML": {"kind": "html"},
    "HTML with status 200": {"kind": "html", "status": 200},
    "another shape": {"kind": "wrong-shape"},
    "error 500": {"kind": "status", "status": 500},
    "error 502": {"kind": "status", "status": 502},
    "error 503": {"kind": "status", "status": 503},
    "error 503, Retry-After: 0": {"kind": "status", "status": 503, "retry_after": 0},
    "error 504": {"kind": "status", "status": 504},
    "429": {"kind": "429"},
    "429, Retry-After: 0": {"kind": "429", "retry_after": 0},
    "a body a byte at a time": {"kind": "slow-body", "latency_ms": 5_000},
}
OUTAGES: dict[str, tuple[dict[str, Any], str]] = {
    "connection reset": ({"kind": "reset"}, "UPSTREAM_UNAVAILABLE"),
    "answers too late": ({"kind": "latency", "latency_ms": 1200}, "UPSTREAM_TIMEOUT"),
    "answers broken off": ({"kind": "truncate"}, "UPSTREAM_MALFORMED"),
    "malformed JSON": ({"kind": "malformed"}, "UPSTREAM_MALFORMED"),
    "error 503": ({"kind": "status", "status": 503}, "UPSTREAM_UNAVAILABLE"),
    "429": ({"kind": "429"}, "UPSTREAM_RATE_LIMITED"),
}


def marked(name: str, fault: Any, expected: str) -> Any:
    """Return a parameter that is a line of the table."""
    return pytest.param(
        fault, marks=pytest.mark.fault(name, expected=expected), id=name.replace(" ", "-")
    )


@pytest.mark.parametrize(
    "fault",
    [marked(f"a read: {name}, once", fault, "data; 2 calls") for name, fault in ONCE.items()],
)
def test_a_read_that_fails_once_succeeds_with_two_calls(
    quick: RunningGateway, fault: dict[str, Any], seen: Tell
) -> None:
    account = quick.sandbox.create_account()
    quick.sandbox.set_faults([{"account": account.sid, **fault}])
    data = quick.query(OWN, account=account)
    assert data["account"] == {"sid": account.sid, "friendlyName": account.friendly_name}
    seen(f"data; {plural(len(quick.sandbox.requests()), 'call')}")


@pytest.mark.parametrize(
    "fault",
    [
        marked(f"a read: {name}, for ever", fault, f"{code}; 3 calls, inside the deadline")
        for name, (fault, code) in OUTAGES.items()
    ],
)
def test_an_outage_costs_three_attempts_inside_the_deadline(
    quick: RunningGateway, fault: dict[str, Any], seen: Tell
) -> None:
    account = quick.sandbox.create_account()
    quick.sandbox.set_faults([{"account": account.sid, "count": None, **fault}])
    started = time.monotonic()
    error = quick.error(OWN, account=account)
    inside = "inside" if time.monotonic() - started < QUICK["call_deadline"] + LATE else "beyond"
    calls = plural(len(quick.sandbox.requests()), "call")
    assert error["path"] == ["account"]
    seen(f"{error['extensions']['code']}; {calls}, {inside} the deadline")


LIST = "{ phoneNumbers(first: 2) { nodes { sid capabilities { voice { e911 } } } } }"


def known(gateway: RunningGateway, account: SandboxAccount) -> None:
    """Let a gateway know that an account has the catalog: nothing is asked to find that out."""
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    gateway.sandbox.forget_requests()


IN_THE_MIDDLE = {"kind": "malformed", "body": '{"items": [nul], "meta": {"key": "items"}}'}


@pytest.mark.parametrize(
    ("count", "calls"),
    [
        pytest.param(1, 2, marks=pytest.mark.fault("a list: malformed in the middle, once", expected="data; 2 calls")),
        pytest.param(None, 3, marks=pytest.mark.fault("a list: malformed in the middle, for ever", expected="UPSTREAM_MALFORMED; 3 calls")),
    ],
)  # fmt: skip
def test_a_list_that_only_seems_whole_is_asked_for_again(
    quick: RunningGateway, count: int | None, calls: int, seen: Tell
) -> None:
    account = quick.sandbox.create_account(catalog=True, owned=2)
    known(quick, account)
    quick.sandbox.set_faults([{"account": account.sid, "count": count, **IN_THE_MIDDLE}])
    if count is None:
        outcome = quick.error(LIST, account=account)["extensions"]["code"]
    else:
        assert len(quick.query(LIST, account=account)["phoneNumbers"]["nodes"]) == 2
        outcome = "data"
    assert len(quick.sandbox.requests()) == calls
    seen(f"{outcome}; {plural(len(quick.sandbox.requests()), 'call')}")


@pytest.mark.parametrize(
    "fault",
    [
        marked(f"a read: error {status}", {"kind": "status", "status": status}, f"{code}; 1 call")
        for status, code in {
            400: "UPSTREAM_REFUSED",
            401: "UPSTREAM_UNAUTHENTICATED",
            403: "FORBIDDEN",
            408: "UPSTREAM_TIMEOUT",
            410: "UPSTREAM_REFUSED",
        }.items()
    ],
)
def test_a_refusal_is_not_asked_again(
    quick: RunningGateway, fault: dict[str, Any], seen: Tell
) -> None:
    account = quick.sandbox.create_account()
    quick.sandbox.set_faults([{"account": account.sid, "count": None, **fault}])
    error = quick.error(OWN, account=account)
    seen(f"{error['extensions']['code']}; {plural(len(quick.sandbox.requests()), 'call')}")


@pytest.mark.fault("a read: 429 with Retry-After: 1", expected="data after 1 s; 2 calls")
def test_a_read_waits_as_long_as_it_was_told(quick: RunningGateway, seen: Tell) -> None:
    account = quick.sandbox.create_account()
    quick.sandbox.set_faults([{"kind": "429", "retry_after": 1, "account": account.sid}])
    started = time.monotonic()
    assert quick.query(OWN, account=account)["account"]
    # A read that nobody told to wait would have gone out at once.
    waited = "after 1 s" if time.monotonic() - started >= 1 else "too soon"
    seen(f"data {waited}; {plural(len(quick.sandbox.requests()), 'call')}")


@pytest.mark.parametrize(
    "when",
    [
        marked(
            f"a read: 429 with Retry-After: {name}",
            when,
            "UPSTREAM_RATE_LIMITED with retryAfterMs at once; 1 call",
        )
        for name, when in {"30": 30, "a date in an hour": 3600.0}.items()
    ],
)
def test_a_wait_beyond_the_deadline_is_a_typed_error_at_once(
    quick: RunningGateway, when: float, seen: Tell
) -> None:
    account = quick.sandbox.create_account()
    header: object = when
    if isinstance(when, float):
        header = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + when))
    quick.sandbox.set_faults(
        [{"kind": "429", "retry_after": header, "account": account.sid, "count": None}]
    )
    started = time.monotonic()
    extensions = quick.error(OWN, account=account)["extensions"]
    # Waiting and trying again would have taken the whole deadline of the call.
    soon = "at once" if time.monotonic() - started < QUICK["call_deadline"] else "late"
    assert extensions["retryAfterMs"] == pytest.approx(when * 1000, abs=2000)
    calls = plural(len(quick.sandbox.requests()), "call")
    seen(f"{extensions['code']} with retryAfterMs {soon}; {calls}")


@pytest.mark.parametrize(
    "header",
    [
        marked(
            f"a read: 429 with Retry-After: {name}",
            header,
            "UPSTREAM_RATE_LIMITED without retryAfterMs",
        )
        for name, header in {
            "a date in a thousand years": "Fri, 31 Dec 3026 23:59:59 GMT",
            "2000000": 2_000_000,
        }.items()
    ],
)
def test_a_wait_beyond_reason_is_not_passed_on(
    quick: RunningGateway, header: object, seen: Tell
) -> None:
    account = quick.sandbox.create_account()
    fault = {"kind": "429", "retry_after": header, "account": account.sid, "count": None}
    quick.sandbox.set_faults([fault])
    extensions = quick.error(OWN, account=account)["extensions"]
    told = "with" if "retryAfterMs" in extensions else "without"
    seen(f"{extensions['code']} {told} retryAfterMs")


@pytest.mark.fault("a read: nobody listens", expected="UPSTREAM_UNAVAILABLE inside the deadline")
def test_an_upstream_that_does_not_listen_is_a_typed_error(
    sandbox: RunningSandbox, seen: Tell
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with running_gateway(sandbox, core_url=dead, **QUICK) as gateway:
        started = time.monotonic()
        error = gateway.error(OWN)
        took = time.monotonic() - started
    inside = "inside" if took < QUICK["call_deadline"] + LATE else "beyond"
    seen(f"{error['extensions']['code']} {inside} the deadline")


@pytest.mark.fault(
    "five reads in a row fail",
    expected="the 6th: UPSTREAM_UNAVAILABLE with retryAfterMs, 0 calls; after the pause: 1 call,"
    " data",
)
def test_the_breaker_opens_after_five_failures_and_lets_one_call_try(
    quick: RunningGateway, seen: Tell
) -> None:
    sandbox = quick.sandbox
    account, other = sandbox.create_account(), sandbox.create_account()
    down = {"kind": "status", "status": 500, "count": None, "account": account.sid}
    sandbox.set_faults([down])
    for _ in "12":
        quick.error(OWN, account=account)
    assert len(sandbox.requests()) == 5
    sandbox.clear_faults()
    extensions = quick.error(OWN, account=account)["extensions"]
    calls = len(sandbox.requests()) - 5
    told = f"{extensions['code']} with retryAfterMs" if extensions["retryAfterMs"] > 0 else "?"
    assert quick.query(OWN, account=other)["account"]["sid"] == other.sid
    time.sleep(QUICK["breaker_pause"])
    sandbox.forget_requests()
    data = "data" if quick.query(OWN, account=account)["account"] else "nothing"
    after = plural(len(sandbox.requests()), "call")
    seen(f"the 6th: {told}, {calls} calls; after the pause: {after}, {data}")


SEARCHES = {"kind": "status", "status": 500, "count": None}
OWNED = "{ phoneNumbers(first: 20) { nodes { sid } } }"
CENTERS = OWNED.replace("sid", "sid geography { rateCenter }")
SEARCH = '{ availablePhoneNumbers(country: "US", first: 1) { nodes { phoneNumber } } }'


@pytest.mark.fault(
    "searches keep failing, also those for rate centers of owned numbers",
    expected="they are left alone, with an error a field; owned numbers are read, and with the"
    " catalog, too",
)
def test_searches_that_keep_failing_do_not_take_owned_numbers_with_them(
    sandbox: RunningSandbox, seen: Tell
) -> None:
    account, rich = (sandbox.create_account(catalog=each, owned=8) for each in (False, True))
    with running_gateway(sandbox, **QUICK | {"breaker_pause": 60.0}) as gateway:
        expected = {each.sid: numbers_of(gateway, each) for each in (account, rich)}
        sandbox.set_faults([{**SEARCHES, "path": "*/Available*"}])
        for _ in "12":
            answer = gateway.execute(CENTERS, account=account)
            nodes = answer["data"]["phoneNumbers"]["nodes"]
            assert [each["sid"] for each in nodes] == expected[account.sid]
            assert [error["path"][-1] for error in answer["errors"]] == ["rateCenter"] * 8
            for each in (account, rich):
                gateway.execute(SEARCH, account=each)
                gateway.execute(SEARCH, account=each)
        sandbox.forget_requests()
        for each in (account, rich):
            extensions = gateway.error(SEARCH, account=each)["extensions"]
            assert extensions["code"] == "UPSTREAM_UNAVAILABLE"
            assert extensions["retryAfterMs"] > 0
        assert sandbox.requests() == []
        read = all(numbers_of(gateway, each) == expected[each.sid] for each in (account, rich))
        assert gateway.http.get(f"{gateway.url}/readyz").json()["ready"] is True
    words = "owned numbers are read, and with the catalog, too" if read else "nothing is read"
    seen(f"they are left alone, with an error a field; {words}")


def numbers_of(gateway: RunningGateway, account: SandboxAccount) -> list[str]:
    nodes = gateway.query(OWNED, account=account)["phoneNumbers"]["nodes"]
    return [each["sid"] for each in nodes]


def test_lists_that_only_seem_whole_open_the_breaker(quick: RunningGateway) -> None:
    sandbox = quick.sandbox
    account = sandbox.create_account(catalog=True, owned=2)
    known(quick, account)
    sandbox.set_faults([{"account": account.sid, "count": None, **IN_THE_MIDDLE}])
    for _ in "123":
        quick.error(LIST, account=account)
    assert len(sandbox.requests()) == 5


def test_a_broken_list_that_many_wait_for_is_one_failure(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=True, owned=2)
    with running_gateway(sandbox, **QUICK) as gateway, ThreadPoolExecutor(8) as pool:
        known(gateway, account)
        sandbox.set_faults([{"account": account.sid, "latency_ms": 300, **IN_THE_MIDDLE}])
        answers = list(pool.map(lambda _: gateway.query(LIST, account=account), range(8)))
    assert all(len(each["phoneNumbers"]["nodes"]) == 2 for each in answers)
    assert len(sandbox.requests()) == 2


def test_a_breaker_whose_trial_fails_stays_open(quick: RunningGateway) -> None:
    sandbox = quick.sandbox
    account = sandbox.create_account()
    sandbox.set_faults([{"kind": "status", "status": 500, "count": None, "account": account.sid}])
    for _ in "12":
        quick.error(OWN, account=account)
    time.sleep(QUICK["breaker_pause"])
    sandbox.forget_requests()
    quick.error(OWN, account=account)
    assert len(sandbox.requests()) == 1
    quick.error(OWN, account=account)
    assert len(sandbox.requests()) == 1


@pytest.mark.fault(
    "an outage met by 60 reads of one account at once",
    expected="all fail; no more than 10 + 20 % retries",
)
def test_retries_do_not_multiply_an_outage(sandbox: RunningSandbox, seen: Tell) -> None:
    account = sandbox.create_account()
    down = {"kind": "latency", "latency_ms": 100, "account": account.sid, "count": None}
    sandbox.set_faults([{**down, "kind": "reset"}])
    # Each asks for something else, so that no two share a call; the breaker stays out of it.
    asked = [f'{{ country(code: "{a}{b}") {{ code }} }}' for a in "ABCDEF" for b in "KLMNOPQRST"]
    calm: dict[str, Any] = {"breaker_failures": 1000, "backoff_base": 0.01, "attempt_timeout": 10.0}
    with (
        running_gateway(sandbox, **calm) as gateway,
        ThreadPoolExecutor(60) as pool,
    ):
        errors = list(pool.map(lambda query: gateway.error(query, account=account), asked))
    retries = len(sandbox.requests()) - len(asked)
    assert retries > 0
    enough = "no more than 10 + 20 %" if retries <= 10 + 12 else str(retries)
    failed = {each["extensions"]["code"] for each in errors}
    seen(f"{'all fail' if failed == {'UPSTREAM_UNAVAILABLE'} else failed}; {enough} retries")


@pytest.mark.fault(
    "40 hung reads of one account", expected="another account's read: data before any of them"
)
def test_one_accounts_hung_reads_do_not_slow_anothers(gateway: RunningGateway, seen: Tell) -> None:
    sandbox = gateway.sandbox
    stuck, well = sandbox.create_account(), sandbox.create_account()
    gateway.query(OWN, account=stuck)  # From here on it is no stranger's.
    sandbox.forget_requests()
    hang = {"kind": "latency", "latency_ms": 4000, "account": stuck.sid, "count": None}
    sandbox.set_faults([hang])
    asked = [f'{{ country(code: "{a}{b}") {{ code }} }}' for a in "ABCD" for b in "KLMNOPQRST"]
    with ThreadPoolExecutor(40) as pool:
        runs = [pool.submit(gateway.execute, query, account=stuck) for query in asked]
        until(lambda: len(sandbox.requests()) >= 40)
        data = gateway.query(OWN, account=well)
        soon = "after one of them" if any(run.done() for run in runs) else "before any of them"
        sandbox.clear_faults()
        for run in runs:
            run.result()
    seen(f"another account's read: {'data' if data['account'] else 'nothing'} {soon}")


@pytest.mark.fault(
    "a read that is never answered, with `hedge_after`", expected="data of a second one; 2 calls"
)
def test_a_read_that_hangs_is_answered_by_a_second_one(sandbox: RunningSandbox, seen: Tell) -> None:
    account = sandbox.create_account()
    with running_gateway(sandbox, hedge_after=0.05, hedge_share=1.0) as gateway:
        gateway.query(OWN, account=account)  # From here on it is no stranger's.
        sandbox.forget_requests()
        sandbox.set_faults([{"kind": "held", "account": account.sid}])
        data = gateway.query(OWN, account=account)
        calls = plural(len(sandbox.requests()), "call")
    seen(f"{'data of a second one' if data['account'] else 'nothing'}; {calls}")


@pytest.mark.fault(
    "one of two fields fails", expected="the other's data, an error on the path, null there"
)
def test_a_partial_failure_gives_partial_data(quick: RunningGateway, seen: Tell) -> None:
    sandbox = quick.sandbox
    parent = sandbox.create_account()
    child = sandbox.create_account(owner_account_sid=parent.sid)
    down = {"kind": "status", "status": 500, "count": None, "path": f"*{child.sid}*"}
    sandbox.set_faults([down])
    response = quick.execute(
        "query ($child: ID!) { good: account { sid } bad: account(sid: $child) { sid } }",
        {"child": child.sid},
        account=parent,
    )
    [error] = response["errors"]
    words = [
        "the other's data" if response["data"]["good"] == {"sid": parent.sid} else "nothing",
        "an error on the path" if error["path"] == ["bad"] else str(error["path"]),
        "null there" if response["data"]["bad"] is None else "something there",
    ]
    seen(", ".join(words))


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
@pytest.mark.fault("the second of three pages fails", expected="UPSTREAM_UNAVAILABLE, no list")
def test_a_failed_page_is_an_error_and_never_a_short_list(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    sandbox = quick.sandbox
    account = sandbox.create_account(catalog=family == "CATALOG", owned=2500)
    query = "{ phoneNumbers(first: 1000, after: null) { nodes { sid } pageInfo { endCursor } } }"
    page = quick.query(query, account=account)["phoneNumbers"]
    assert len(page["nodes"]) == 1000
    down = {"kind": "status", "status": 503, "count": None, "account": account.sid}
    sandbox.set_faults([down])
    response = quick.execute(
        "query ($after: String) { phoneNumbers(first: 1000, after: $after) { nodes { sid } } }",
        {"after": page["pageInfo"]["endCursor"]},
        account=account,
    )
    shown = "no list" if response["data"] == {"phoneNumbers": None} else "a list"
    seen(f"{response['errors'][0]['extensions']['code']}, {shown}")


@pytest.mark.fault(
    "a read and a purchase hang longer than the request may take",
    expected="DEADLINE_EXCEEDED and OUTCOME_UNKNOWN, each inside the request's deadline",
)
def test_nothing_takes_longer_than_the_requests_deadline(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(catalog=False)
    hang = {"kind": "reset", "latency_ms": 8000, "account": account.sid, "count": None}
    patient: dict[str, Any] = {
        "attempt_timeout": 30.0,
        "call_deadline": 30.0,
        "request_deadline": 2.0,
    }
    with running_gateway(sandbox, data_dir=data, **patient) as gateway:
        sandbox.set_faults([{"method": "POST", **hang}])
        started = time.monotonic()
        payload = mutate(gateway, "purchase", account, phoneNumber=fresh_number(sandbox))
        took = [time.monotonic() - started]
        sandbox.set_faults([hang])
        started = time.monotonic()
        error = gateway.error(OWN, account=account)
        took.append(time.monotonic() - started)
    # The upstream would have taken eight.
    inside = "inside" if max(took) < patient["request_deadline"] + LATE else "beyond"
    seen(f"{error['extensions']['code']} and {told(payload)}, each {inside} the request's deadline")


@pytest.mark.parametrize(
    "query",
    [
        marked(f"{what}: HTML with status 404", query, "UPSTREAM_MALFORMED, and nothing is missing")
        for what, query in (
            ("an account", OWN),
            ("a country", '{ country(code: "US") { code } }'),
            ("a list", "{ phoneNumbers(first: 2) { nodes { sid } } }"),
            ("a number", '{ phoneNumber(sid: "PN%s") { sid } }' % ("0" * 32)),
            ("a search", '{ availablePhoneNumbers(country: "US") { nodes { phoneNumber } } }'),
        )
    ],
)
def test_a_404_of_a_proxy_does_not_say_that_something_is_missing(
    quick: RunningGateway, query: str, seen: Tell
) -> None:
    account = quick.sandbox.create_account(catalog=False)
    quick.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    page = {"kind": "html", "status": 404, "method": "GET", "count": None}
    quick.sandbox.set_faults([page | {"account": account.sid}])
    code = quick.error(query, account=account)["extensions"]["code"]
    seen(f"{code}, and nothing is missing")
