"""Idempotency keys: the same key and input act once, whatever fails, wherever it is asked."""

import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.asking import document, entries, fresh_number, in_ledger, mutate, told, writes
from tests.faults.conftest import QUICK
from tests.faults.test_writes import FAMILY, VERBS, case_of, inject
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import gateway_process
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import LATE, until

Tell = Callable[[str], None]
KEY = "order 4711"


def without_replayed(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what must be equal in a payload and its replay."""
    return {name: value for name, value in payload.items() if name != "replayed"}


@FAMILY
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.fault(
    "each mutation twice with one key", expected="the same payload, replayed; 1 write"
)
def test_the_same_key_replays_an_equal_payload(
    quick: RunningGateway, family: str, verb: str, seen: Tell
) -> None:
    case = case_of(quick, verb, family)
    first = mutate(quick, verb, case.account, **case.given, idempotencyKey=KEY)
    assert told(first) == "done"
    again = mutate(quick, verb, case.account, **case.given, idempotencyKey=KEY)
    same = "the same payload" if without_replayed(again) == without_replayed(first) else "another"
    replayed = "replayed" if again["replayed"] else "done again"
    seen(f"{same}, {replayed}; {len(writes(quick.sandbox))} write")


@pytest.mark.fault(
    "a refused purchase twice with one key", expected="NOT_AVAILABLE, replayed; 1 write"
)
def test_a_refusal_is_replayed_too(quick: RunningGateway, seen: Tell) -> None:
    account = quick.sandbox.create_account(catalog=False)
    given = {"phoneNumber": "+12125550177", "idempotencyKey": KEY}
    first = mutate(quick, "purchase", account, **given)
    again = mutate(quick, "purchase", account, **given)
    assert without_replayed(first) == without_replayed(again)
    seen(f"{told(again)}; {len(writes(quick.sandbox))} write")


@pytest.mark.fault(
    "one key with another input", expected="IDEMPOTENCY_CONFLICT on idempotencyKey; 1 write"
)
def test_the_same_key_with_another_input_is_a_conflict(quick: RunningGateway, seen: Tell) -> None:
    case = case_of(quick, "purchase", "CORE")
    mutate(quick, "purchase", case.account, **case.given, idempotencyKey=KEY)
    other = {"phoneNumber": case.number, "configuration": {"friendlyName": "Another"}}
    payload = mutate(quick, "purchase", case.account, **other, idempotencyKey=KEY)
    [error] = payload["userErrors"]
    seen(f"{told(payload)} on {'.'.join(error['field'])}; {len(writes(quick.sandbox))} write")


@pytest.mark.parametrize("plural", [False, True], ids=["singular", "plural"])
@pytest.mark.parametrize(
    ("verb", "nothing"),
    [
        (
            "purchase",
            {
                "configuration": {"friendlyName": "", "voice": {"url": None}, "sms": None},
                "regulatory": {"addressSid": None, "clear": []},
                "maxMonthlyPrice": None,
            },
        ),
        ("purchase", {"configuration": None, "regulatory": None}),
        ("configure", {"regulatory": {"clear": None}}),
        ("transfer", {"regulatory": {"bundleSid": None, "clear": []}}),
    ],
)
def test_what_says_no_more_than_its_absence_makes_no_other_input(
    quick: RunningGateway, verb: str, nothing: dict[str, Any], plural: bool
) -> None:
    case = case_of(quick, verb, "CORE")
    ask = each_of if plural else mutate
    written = {**case.given, "idempotencyKey": KEY, "accountSid": None}
    first = ask(quick, verb, case.account, **{**nothing, **written})
    again = ask(quick, verb, case.account, **case.given, idempotencyKey=KEY)
    assert (told(first), again["replayed"]) == ("done", True)
    assert len(writes(quick.sandbox)) == 1


def test_null_that_clears_a_setting_makes_another_input(quick: RunningGateway) -> None:
    case = case_of(quick, "configure", "CORE")
    mutate(quick, "configure", case.account, **case.given, idempotencyKey=KEY)
    cleared = {**case.given["configuration"], "statusCallbackUrl": None}
    given = {**case.given, "configuration": cleared}
    payload = mutate(quick, "configure", case.account, **given, idempotencyKey=KEY)
    assert [each["code"] for each in payload["userErrors"]] == ["IDEMPOTENCY_CONFLICT"]


def each_of(
    gateway: RunningGateway, verb: str, account: SandboxAccount, **given: Any
) -> dict[str, Any]:
    """Run the plural mutation for one item, and return its result."""
    text = f"""mutation ($input: {verb.title()}PhoneNumbersInput!) {{
      {verb}PhoneNumbers(input: $input) {{
        results {{ userErrors {{ code }} reconciled replayed }}
      }}
    }}"""
    answer = gateway.query(text, {"input": {"items": [given]}}, account=account)
    [result] = answer[f"{verb}PhoneNumbers"]["results"]
    found: dict[str, Any] = result
    return found


def test_a_key_means_something_else_in_another_account_or_mutation(quick: RunningGateway) -> None:
    one, two = (case_of(quick, "purchase", "CORE") for _ in "12")
    bought = [
        mutate(quick, "purchase", case.account, **case.given, idempotencyKey=KEY)
        for case in (one, two)
    ]
    assert [told(each) for each in bought] == ["done", "done"]
    sid = bought[0]["phoneNumber"]["sid"]
    given = {"sid": sid, "confirmPhoneNumber": one.number, "idempotencyKey": KEY}
    assert told(mutate(quick, "release", one.account, **given)) == "done"


def test_only_the_same_credentials_get_a_replay(quick: RunningGateway) -> None:
    case = case_of(quick, "purchase", "CORE")
    mutate(quick, "purchase", case.account, **case.given, idempotencyKey=KEY)
    answer = quick.http.post(
        f"{quick.url}/graphql",
        json={
            "query": document("purchase"),
            "variables": {"input": {**case.given, "idempotencyKey": KEY}},
        },
        auth=(case.account.sid, "guessed"),
    )
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_must_have_a_sensible_length(quick: RunningGateway, key: str) -> None:
    case = case_of(quick, "purchase", "CORE")
    error = quick.error(
        document("purchase"), {"input": {**case.given, "idempotencyKey": key}}, account=case.account
    )
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert writes(quick.sandbox) == []


@FAMILY
@pytest.mark.fault(
    "the same purchase ten times at once, with one key, at two gateways",
    expected="10 times the same number, 9 replayed; 1 write, 1 in the ledger",
)
def test_ten_at_once_make_one_purchase(
    quick: RunningGateway, family: str, data: Path, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    with (
        running_gateway(quick.sandbox, data_dir=data) as one,
        running_gateway(quick.sandbox, data_dir=data) as two,
        ThreadPoolExecutor(10) as pool,
    ):
        runs = [
            pool.submit(mutate, gateway, "purchase", case.account, **case.given, idempotencyKey=KEY)
            for gateway in (one, two) * 5
        ]
        payloads = [run.result() for run in runs]
    assert all(told(each).startswith("done") for each in payloads)
    same = sum(each["phoneNumber"] == payloads[0]["phoneNumber"] for each in payloads)
    replayed = sum(each["replayed"] for each in payloads)
    seen(
        f"{same} times the same number, {replayed} replayed;"
        f" {in_ledger(quick.sandbox, case.number, 'purchase')}"
    )


@pytest.mark.fault(
    "a purchase with a key, the gateway is restarted, the same again",
    expected="done, replayed; 1 write, 1 in the ledger",
)
def test_a_result_outlives_the_process(sandbox: RunningSandbox, data: Path, seen: Tell) -> None:
    account = sandbox.create_account(catalog=True)
    number = fresh_number(sandbox)
    given = {"phoneNumber": number, "idempotencyKey": KEY}
    payloads = []
    for _ in range(2):
        with running_gateway(sandbox, data_dir=data) as gateway:
            payloads.append(mutate(gateway, "purchase", account, **given))
    assert without_replayed(payloads[0]) == without_replayed(payloads[1])
    seen(f"{told(payloads[1])}; {in_ledger(sandbox, number, 'purchase')}")


@pytest.mark.fault(
    "the same key after its time", expected="ALREADY_OWNED; 1 write, 1 in the ledger"
)
def test_a_key_is_forgotten_after_its_time(sandbox: RunningSandbox, data: Path, seen: Tell) -> None:
    account = sandbox.create_account(catalog=True)
    number = fresh_number(sandbox)
    given = {"phoneNumber": number, "idempotencyKey": KEY}
    with running_gateway(sandbox, data_dir=data, idempotency_memory=1) as gateway:
        assert told(mutate(gateway, "purchase", account, **given)) == "done"
        time.sleep(1.1)
        payload = mutate(gateway, "purchase", account, **given)
    seen(f"{told(payload)}; {in_ledger(sandbox, number, 'purchase')}")


@pytest.mark.parametrize(
    "fault",
    [{"kind": "429", "retry_after": 60}, {"kind": "status", "status": 401}],
    ids=["429", "401"],
)
def test_a_key_is_free_again_when_certainly_nothing_was_done(
    quick: RunningGateway, fault: dict[str, Any]
) -> None:
    case = case_of(quick, "purchase", "CORE")
    inject(quick.sandbox, case.account, fault)
    given = {"input": {**case.given, "idempotencyKey": KEY}}
    quick.error(document("purchase"), given, account=case.account)
    payload = mutate(quick, "purchase", case.account, **case.given, idempotencyKey=KEY)
    assert told(payload) == "done"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.fault(
    "each mutation with a key: answer lost, look-ups fail; the same key when all is well again",
    expected="OUTCOME_UNKNOWN, then done, reconciled, replayed; 1 write, 1 in the ledger",
)
def test_an_unknown_outcome_is_settled_by_the_next_use_of_its_key(
    quick: RunningGateway, verb: str, seen: Tell
) -> None:
    case = case_of(quick, verb, "CORE")
    account = case.account.sid
    lost = [
        {"kind": "lost-answer", "method": method, "account": account}
        for method in ("POST", "DELETE")
    ]
    # Reads before the write succeed; those after it fail.
    reads = 0 if verb == "transfer" else 1
    down = {"kind": "429", "retry_after": 60, "method": "GET", "account": account, "count": None}
    quick.sandbox.set_faults([*lost, down | {"skip": reads}])
    given = {**case.given, "idempotencyKey": KEY}
    first = mutate(quick, verb, case.account, **given)
    quick.sandbox.clear_faults()
    then = mutate(quick, verb, case.account, **given)
    seen(f"{told(first)}, then {told(then)}; {in_ledger(quick.sandbox, case.number, verb)}")
    assert without_replayed(mutate(quick, verb, case.account, **given)) == without_replayed(then)


@FAMILY
@pytest.mark.fault(
    "a release with a key: connection reset, nothing done; then the number is moved to a"
    " subaccount; the same key again",
    expected="OUTCOME_UNKNOWN, then OUTCOME_UNKNOWN, replayed, with the account that has it; 0 in"
    " the ledger",
)
def test_a_number_that_was_moved_is_not_called_released(
    hasty: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(hasty, "release", family)
    child = hasty.sandbox.create_account(owner_account_sid=case.account.sid)
    inject(hasty.sandbox, case.account, {"kind": "reset"})
    given = {**case.given, "idempotencyKey": KEY}
    first = mutate(hasty, "release", case.account, **given)
    moved = {"sid": case.given["sid"], "toAccountSid": child.sid}
    hasty.sandbox.clear_faults()
    assert told(mutate(hasty, "transfer", case.account, **moved)) == "done"
    then = mutate(hasty, "release", case.account, **given)
    where = "with" if child.sid in then["userErrors"][0]["message"] else "without"
    done = entries(hasty.sandbox, case.number, "release")
    said = f"{told(first)}, then {told(then)}, {where} the account that has it"
    seen(f"{said}; {done} in the ledger")


@pytest.mark.fault(
    "a purchase with a key: connection reset, nothing done; the same key again",
    expected="OUTCOME_UNKNOWN, then OUTCOME_UNKNOWN, replayed; 1 write, 0 in the ledger",
)
def test_a_write_of_unknown_outcome_is_not_sent_again(hasty: RunningGateway, seen: Tell) -> None:
    case = case_of(hasty, "purchase", "CORE")
    inject(hasty.sandbox, case.account, {"kind": "reset"})
    given = {**case.given, "idempotencyKey": KEY}
    first = mutate(hasty, "purchase", case.account, **given)
    then = mutate(hasty, "purchase", case.account, **given)
    seen(f"{told(first)}, then {told(then)}; {in_ledger(hasty.sandbox, case.number, 'purchase')}")


def made_older(data: Path, field: str, seconds: float) -> None:
    """Move a time of the only entry that is kept into the past."""
    with sqlite3.connect(data / "idempotency.sqlite") as file:
        [(value,)] = file.execute("SELECT CAST(value AS TEXT) FROM entries")
        entry = json.loads(value)
        assert entry["state"] == "unknown"
        if field == "missed":
            seen = json.loads(entry["outcome"])
            entry["outcome"] = json.dumps({clock: at - seconds for clock, at in seen.items()})
        else:
            entry[field] -= seconds
        file.execute("UPDATE entries SET value = CAST(? AS BLOB)", (json.dumps(entry),))
    file.close()


@pytest.mark.parametrize(
    ("field", "then"),
    [
        pytest.param(
            "missed",
            "NOT_DONE, replayed",
            marks=pytest.mark.fault(
                "a purchase with a key: connection reset, nothing done; the same key a minute later",
                expected="OUTCOME_UNKNOWN, then NOT_DONE, replayed; 1 write, 0 in the ledger",
            ),
            id="a-minute-passed",
        ),
        pytest.param(
            "sent",
            "OUTCOME_UNKNOWN, replayed",
            marks=pytest.mark.fault(
                "a purchase with a key: connection reset, nothing done; the clock is set an hour"
                " forward; the same key",
                expected="OUTCOME_UNKNOWN, then OUTCOME_UNKNOWN, replayed; 1 write, 0 in the ledger",
            ),
            id="the-clock-was-set",
        ),
    ],
)
def test_a_write_without_trace_is_called_not_done_when_it_cannot_be_on_its_way_any_more(
    sandbox: RunningSandbox, data: Path, field: str, then: str, seen: Tell
) -> None:
    """The time of day says nothing: only two looks a minute apart, by a clock that never jumps."""
    account = sandbox.create_account(catalog=False)
    number = fresh_number(sandbox)
    given = {"phoneNumber": number, "idempotencyKey": KEY}
    with running_gateway(sandbox, data_dir=data, **QUICK) as gateway:
        sandbox.set_faults([{"kind": "reset", "method": "POST", "account": account.sid}])
        first = mutate(gateway, "purchase", account, **given)
    made_older(data, field, 3600 if field == "sent" else 61)
    with running_gateway(sandbox, data_dir=data, **QUICK) as gateway:
        again = mutate(gateway, "purchase", account, **given)
        assert told(again) == then
        assert told(mutate(gateway, "purchase", account, **given)) == then
    done = in_ledger(sandbox, number, "purchase")
    seen(f"{told(first)}, then {told(again)}; {done}")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            {"kind": "latency", "commit": True, "latency_ms": 2000},
            marks=pytest.mark.fault(
                "kill -9 in the middle of a purchase that the upstream has done; the same key",
                expected="done, reconciled, replayed; 1 write, 1 in the ledger",
            ),
            id="after",
        ),
        pytest.param(
            {"kind": "reset", "latency_ms": 2000},
            marks=pytest.mark.fault(
                "kill -9 in the middle of a purchase that the upstream never does; the same key",
                expected="OUTCOME_UNKNOWN, replayed; 1 write, 0 in the ledger",
            ),
            id="before",
        ),
    ],
)
def test_after_a_kill_the_same_key_tells_the_truth(
    sandbox: RunningSandbox, data: Path, fault: dict[str, Any], seen: Tell
) -> None:
    account = sandbox.create_account(catalog=False)
    number = fresh_number(sandbox)
    given = {"phoneNumber": number, "idempotencyKey": KEY}
    sandbox.set_faults([{"method": "POST", "account": account.sid, **fault}])
    with gateway_process(sandbox, data) as first, ThreadPoolExecutor(1) as pool:
        run = pool.submit(mutate, first.asked, "purchase", account, **given)
        until(lambda: writes(sandbox))
        first.kill()
        assert run.exception() is not None
    with gateway_process(sandbox, data) as second:
        payload = mutate(second.asked, "purchase", account, **given)
    seen(f"{told(payload)}; {in_ledger(sandbox, number, 'purchase')}")


def test_it_is_on_record_that_a_purchase_was_sent_before_it_arrives(
    sandbox: RunningSandbox, data: Path
) -> None:
    account = sandbox.create_account(catalog=False)
    slow = {"kind": "latency", "latency_ms": 300, "method": "POST", "account": account.sid}
    sandbox.set_faults([slow])
    given = {"phoneNumber": fresh_number(sandbox), "idempotencyKey": KEY}
    with running_gateway(sandbox, data_dir=data) as gateway, ThreadPoolExecutor(1) as pool:
        run = pool.submit(mutate, gateway, "purchase", account, **given)
        until(lambda: writes(sandbox))
        with sqlite3.connect(data / "idempotency.sqlite") as file:
            [(value,)] = file.execute("SELECT CAST(value AS TEXT) FROM entries")
        file.close()
        assert '"state":"sent"' in value
        assert told(run.result()) == "done"


def test_the_own_account_is_the_same_named_or_not(quick: RunningGateway) -> None:
    case = case_of(quick, "purchase", "CORE")
    mutate(quick, "purchase", case.account, **case.given, idempotencyKey=KEY)
    named = {**case.given, "accountSid": case.account.sid, "idempotencyKey": KEY}
    assert told(mutate(quick, "purchase", case.account, **named)) == "done, replayed"


@pytest.mark.fault(
    "kill -9 while the purchase is looked up before it is sent; the same key",
    expected="done; 1 write, 1 in the ledger",
)
def test_a_key_whose_write_never_left_is_taken_over(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(catalog=False)
    number = fresh_number(sandbox)
    given = {"phoneNumber": number, "idempotencyKey": KEY}
    sandbox.set_faults(
        [{"kind": "latency", "latency_ms": 2000, "method": "GET", "account": account.sid}]
    )
    with gateway_process(sandbox, data) as first, ThreadPoolExecutor(1) as pool:
        run = pool.submit(mutate, first.asked, "purchase", account, **given)
        until(sandbox.requests)
        first.kill()
        assert run.exception() is not None
    assert writes(sandbox) == []
    with gateway_process(sandbox, data) as second:
        payload = mutate(second.asked, "purchase", account, **given)
    seen(f"{told(payload)}; {in_ledger(sandbox, number, 'purchase')}")


@pytest.mark.fault(
    "a purchase with a key while its file cannot be written",
    expected="IDEMPOTENCY_UNAVAILABLE; 0 writes. Without a key: done",
)
def test_a_purchase_with_a_key_is_refused_rather_than_risked(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    data.write_text("a file where the folder should be")
    account = sandbox.create_account(catalog=False)
    given: dict[str, Any] = {"phoneNumber": fresh_number(sandbox)}
    with running_gateway(sandbox, data_dir=data) as gateway:
        error = gateway.error(
            document("purchase"), {"input": {**given, "idempotencyKey": KEY}}, account=account
        )
        sent = len(writes(sandbox))
        keyless = mutate(gateway, "purchase", account, **given)
    seen(f"{error['extensions']['code']}; {sent} writes. Without a key: {told(keyless)}")


@pytest.mark.fault(
    "the record's file is locked by somebody else", expected="IDEMPOTENCY_UNAVAILABLE; 0 writes"
)
def test_a_locked_file_refuses_keys(quick: RunningGateway, data: Path, seen: Tell) -> None:
    case = case_of(quick, "purchase", "CORE")
    given = {**case.given, "idempotencyKey": KEY}
    with running_gateway(quick.sandbox, data_dir=data) as gateway:
        other = case_of(quick, "configure", "CORE")
        mutate(gateway, "configure", other.account, **other.given, idempotencyKey=KEY)
        quick.sandbox.forget_requests()
        with sqlite3.connect(data / "idempotency.sqlite", isolation_level=None) as file:
            file.execute("BEGIN IMMEDIATE")
            error = gateway.error(document("purchase"), {"input": given}, account=case.account)
            file.execute("ROLLBACK")
        file.close()
    seen(f"{error['extensions']['code']}; {len(writes(quick.sandbox))} writes")


@pytest.mark.fault(
    "six purchases with keys at once while the record's file is locked by somebody else",
    expected="6 times IDEMPOTENCY_UNAVAILABLE within 6 s; 0 writes",
)
def test_a_locked_file_is_waited_for_once_and_not_by_each(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    account = sandbox.create_account(catalog=False)
    with running_gateway(sandbox, data_dir=data) as gateway, ThreadPoolExecutor(6) as pool:

        def buy(key: int) -> str:
            given = {"phoneNumber": "+12125550177", "idempotencyKey": f"{key}"}
            answer = gateway.execute(document("purchase"), {"input": given}, account=account)
            return str(answer["errors"][0]["extensions"]["code"]) if "errors" in answer else "none"

        assert buy(0) == "none"
        sandbox.forget_requests()
        with closing(sqlite3.connect(data / "idempotency.sqlite", isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            codes = list(pool.map(buy, range(1, 7)))
            took = time.monotonic() - started
            file.execute("ROLLBACK")
    within = "within" if took < 6 + LATE else f"{took:.1f} s, not within"
    same = codes.count("IDEMPOTENCY_UNAVAILABLE")
    seen(f"{same} times IDEMPOTENCY_UNAVAILABLE {within} 6 s; {len(writes(sandbox))} writes")


def test_the_file_holds_neither_keys_nor_credentials_nor_inputs_and_is_private(
    sandbox: RunningSandbox, data: Path
) -> None:
    account = sandbox.create_account(catalog=False)
    given = {"phoneNumber": "+12125550177", "configuration": {"friendlyName": "Sesame"}}
    with running_gateway(sandbox, data_dir=data) as gateway:
        mutate(gateway, "purchase", account, **given, idempotencyKey="my very own key")
        content = b"".join(path.read_bytes() for path in data.iterdir())
    assert b'"state":"done"' in content
    for secret in ("my very own key", account.auth_token, "Sesame"):
        assert secret.encode() not in content
    assert [path.stat().st_mode & 0o077 for path in data.iterdir()] == [0] * len(
        list(data.iterdir())
    )
