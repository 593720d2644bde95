"""A write whose answer gets lost: the gateway looks, and says what is true."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from gateway.sandbox.http import traffic
from tests.faults.asking import (
    account_of,
    document,
    entries,
    fresh_number,
    in_ledger,
    mutate,
    told,
    writes,
)
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import LATE, until

Tell = Callable[[str], None]
FAMILIES = ["CATALOG", "CORE"]
FAMILY = pytest.mark.parametrize("family", FAMILIES)
VERBS = ["purchase", "configure", "transfer", "release"]

# After the upstream has done it.
COMMITTED: dict[str, dict[str, Any]] = {
    "connection reset": {"kind": "lost-answer"},
    "answer too late": {"kind": "latency", "commit": True, "latency_ms": 1300},
    "answer broken off": {"kind": "truncate", "commit": True},
    "malformed JSON": {"kind": "malformed", "commit": True},
    "HTML in place of the answer": {"kind": "html", "commit": True},
    "HTML with status 200": {"kind": "html", "commit": True, "status": 200},
    "another shape": {"kind": "wrong-shape", "commit": True},
    "a redirect": {"kind": "redirect", "commit": True},
    "error 500": {"kind": "status", "status": 500, "commit": True},
    "error 502": {"kind": "status", "status": 502, "commit": True},
    "error 503": {"kind": "status", "status": 503, "commit": True},
    "error 504": {"kind": "status", "status": 504, "commit": True},
    "429 of a proxy": {"kind": "html", "status": 429, "commit": True},
    "429 of a proxy that speaks JSON": {
        "kind": "429",
        "commit": True,
        "retry_after": 0,
        "body": {"code": 429, "message": "API rate limit exceeded"},
    },
    "a body of 64 MB": {"kind": "huge-body", "commit": True, "bytes": 64 * 2**20},
    "a body a byte at a time": {"kind": "slow-body", "latency_ms": 5_000},
}
FOR_ALL = {
    "connection reset",
    "answer too late",
    "HTML with status 200",
    "error 500",
    "429 of a proxy",
}
# Before it has done anything. Whoever answers, it may still be on its way.
UNCOMMITTED: dict[str, dict[str, Any]] = {
    "connection reset": {"kind": "reset"},
    "answer broken off": {"kind": "truncate"},
    "malformed JSON": {"kind": "malformed"},
    "HTML in place of the answer": {"kind": "html"},
    "error 504 of a proxy": {"kind": "status", "status": 504},
    "error 500": {"kind": "status", "status": 500},
    "error 503": {"kind": "status", "status": 503},
    "429 of a proxy": {"kind": "html", "status": 429},
}


# A proxy's answers: it says 4xx, and nobody knows what the upstream behind it has done.
PROXY_STATUSES = [400, 401, 403, 404, 409, 413, 425, 499]
# What is set, and what the number had before (in the sandbox's own words).
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a new url": ({"voice": {"url": "https://example.com/v"}}, {}),
    "a name cleared": ({"friendlyName": None}, {"friendly_name": "X"}),
    "a name emptied": ({"friendlyName": ""}, {"friendly_name": "X"}),
    "a url cleared": ({"sms": {"url": None}}, {"sms": {"url": "https://example.com/s"}}),
    "a method": ({"statusCallbackMethod": "POST"}, {"status_callback_method": "GET"}),
    "a voice method": ({"voice": {"method": "POST"}}, {"voice": {"method": "GET"}}),
    "fax": ({"voice": {"receiveMode": "FAX"}}, {}),
    "a flag set": ({"voice": {"callerIdLookup": True}}, {}),
    "a flag cleared": ({"voice": {"callerIdLookup": None}}, {"voice": {"caller_id_lookup": True}}),
    "emergency calls": (
        {"voice": {"emergencyStatus": "INACTIVE"}},
        {"voice": {"emergency_status": "Active"}},
    ),
    "a trunk for an application": (
        {"voice": {"trunkSid": "TK" + "1" * 32, "applicationSid": None}},
        {"voice": {"application_sid": "AP" + "1" * 32}},
    ),
    "an address": ({"regulatory": {"addressSid": "AD" + "1" * 32}}, {}),
    "a bundle": ({"regulatory": {"bundleSid": "BU" + "1" * 32}}, {}),
}
NOTHING = {"items": [], "meta": {"key": "items"}, "incoming_phone_numbers": []}


class Case(NamedTuple):
    """A write to try: the input, the number it is about, and who asks."""

    verb: str
    given: dict[str, Any]
    number: str
    account: SandboxAccount


def case_of(gateway: RunningGateway, verb: str, family: str) -> Case:
    """Make an account and a number for a write; the gateway knows the account's family then."""
    sandbox = gateway.sandbox
    account = account_of(sandbox, family, owned=1)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    owned = sandbox.numbers(account.sid)[0]
    number, sid = owned["phone_number"], owned["sid"]
    match verb:
        case "purchase":
            number = fresh_number(sandbox)
            given: dict[str, Any] = {"phoneNumber": number}
        case "configure":
            given = {"sid": sid, "configuration": {"friendlyName": "Renamed"}}
        case "transfer":
            child = account_of(sandbox, family, owner_account_sid=account.sid)
            given = {"sid": sid, "toAccountSid": child.sid}
        case _:
            given = {"sid": sid, "confirmPhoneNumber": number}
    sandbox.forget_requests()
    return Case(verb, given, number, account)


def inject(sandbox: RunningSandbox, account: SandboxAccount, fault: dict[str, Any]) -> None:
    """Have a fault happen to the account's next write."""
    sandbox.set_faults(
        [{"method": verb, "account": account.sid, **fault} for verb in ("POST", "DELETE")]
    )


def carry_out(sandbox: RunningSandbox, case: Case) -> None:
    """Do now what the upstream was asked to do, and has left undone."""
    [asked] = writes(sandbox)
    sandbox.clear_faults()
    answer = loopback.request(
        asked["method"],
        sandbox.url + asked["path"],
        data=dict(asked["form"]),
        auth=case.account.auth,
    )
    assert answer.is_success


def outcome(gateway: RunningGateway, case: Case) -> str:
    """Run a case and tell what the client was told, what was sent and what happened."""
    payload = mutate(gateway, case.verb, case.account, **case.given)
    return f"{told(payload)}; {in_ledger(gateway.sandbox, case.number, case.verb)}"


@FAMILY
@pytest.mark.parametrize(
    ("verb", "fault"),
    [
        pytest.param(
            verb,
            fault,
            marks=pytest.mark.fault(
                f"{verb}: {name} after it was done",
                expected="done, reconciled; 1 write, 1 in the ledger",
            ),
            id=f"{verb}-{name.replace(' ', '-')}",
        )
        for verb in VERBS
        for name, fault in COMMITTED.items()
        if verb == "purchase" or name in FOR_ALL
    ],
)
def test_a_write_whose_answer_is_lost_is_found_done(
    quick: RunningGateway, family: str, verb: str, fault: dict[str, Any], seen: Tell
) -> None:
    case = case_of(quick, verb, family)
    inject(quick.sandbox, case.account, fault)
    seen(outcome(quick, case))


@FAMILY
@pytest.mark.parametrize(
    ("verb", "fault"),
    [
        pytest.param(
            verb,
            fault,
            marks=pytest.mark.fault(
                f"{verb}: {name} before anything was done",
                expected="OUTCOME_UNKNOWN; 1 write, 0 in the ledger",
            ),
            id=f"{verb}-{name.replace(' ', '-')}",
        )
        for name, fault in UNCOMMITTED.items()
        for verb in (VERBS if name in FOR_ALL - {"connection reset"} else ["purchase"])
    ],
)
def test_a_write_that_shows_no_trace_is_never_repeated_and_never_called_done(
    hasty: RunningGateway, family: str, verb: str, fault: dict[str, Any], seen: Tell
) -> None:
    case = case_of(hasty, verb, family)
    inject(hasty.sandbox, case.account, fault)
    seen(outcome(hasty, case))


@FAMILY
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.fault(
    "a write with a key: error 500 at once, done later; the same key again",
    expected="OUTCOME_UNKNOWN, then done, reconciled, replayed; 1 in the ledger",
)
def test_a_write_that_is_done_after_its_error_is_found_done_by_its_key(
    hasty: RunningGateway, family: str, verb: str, seen: Tell
) -> None:
    case = case_of(hasty, verb, family)
    inject(hasty.sandbox, case.account, {"kind": "status", "status": 500})
    given = {**case.given, "idempotencyKey": "late"}
    first = mutate(hasty, verb, case.account, **given)
    carry_out(hasty.sandbox, case)
    then = mutate(hasty, verb, case.account, **given)
    done = entries(hasty.sandbox, case.number, verb)
    seen(f"{told(first)}, then {told(then)}; {done} in the ledger")


@FAMILY
@pytest.mark.parametrize(
    ("status", "body"), [(200, "{}"), (202, ""), (200, ""), (204, None)], ids=str
)
def test_a_release_is_believed_when_it_is_answered_as_a_release_is(
    hasty: RunningGateway, family: str, status: int, body: str | None
) -> None:
    """Something between does not say the upstream's id of the request, whatever else it says."""
    assert outcome(hasty, case_of(hasty, "release", family)) == "done; 1 write, 1 in the ledger"
    fault = {"kind": "wrong-shape", "status": status, "body": body or ""}
    case = case_of(hasty, "release", family)
    inject(hasty.sandbox, case.account, fault | {"commit": True})
    assert outcome(hasty, case) == "done, reconciled; 1 write, 1 in the ledger"
    case = case_of(hasty, "release", family)
    inject(hasty.sandbox, case.account, fault)
    assert outcome(hasty, case) == "OUTCOME_UNKNOWN; 1 write, 0 in the ledger"


@FAMILY
def test_a_release_is_believed_when_the_id_of_the_request_seems_to_hold_a_secret(
    hasty: RunningGateway, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some letters and digits in a row are the same by chance; such an id is not told on."""
    case = case_of(hasty, "release", family)
    number = SimpleNamespace(hex=case.account.auth_token[:8].ljust(32, "0"))
    monkeypatch.setattr(traffic, "uuid", SimpleNamespace(uuid4=lambda: number))
    assert outcome(hasty, case) == "done; 1 write, 1 in the ledger"


@FAMILY
@pytest.mark.parametrize(
    "named",
    [
        pytest.param(
            name,
            marks=pytest.mark.fault(
                f"configure: error 500 after it was done; {name}",
                expected="done, reconciled; 1 write, 1 in the ledger",
            ),
            id=name.replace(" ", "-"),
        )
        for name in SETTINGS
    ],
)
def test_any_setting_whose_answer_is_lost_is_found_done(
    quick: RunningGateway, family: str, named: str, seen: Tell
) -> None:
    wanted, before = SETTINGS[named]
    case = case_of(quick, "configure", family)
    quick.sandbox.put_number(case.account.sid, case.number, {"configuration": before})
    inject(quick.sandbox, case.account, {"kind": "status", "status": 500, "commit": True})
    given = {"configuration": {}} | wanted if "regulatory" in wanted else {"configuration": wanted}
    case = case._replace(given=case.given | given)
    seen(outcome(quick, case))


@FAMILY
@pytest.mark.fault(
    "configure: answer lost, nothing done, and somebody else sets the same setting",
    expected="OUTCOME_UNKNOWN that names friendlyName; 1 write, 0 in the ledger",
)
def test_a_setting_that_shows_something_else_proves_nothing(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    sandbox = quick.sandbox
    case = case_of(quick, "configure", family)
    inject(sandbox, case.account, {"kind": "status", "status": 500, "latency_ms": 200})
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(mutate, quick, "configure", case.account, **case.given)
        until(lambda: writes(sandbox))
        other = {"configuration": {"friendly_name": "By somebody else"}}
        sandbox.put_number(case.account.sid, case.number, other)
        payload = run.result()
    named = "friendlyName" if "friendlyName" in payload["userErrors"][0]["message"] else "nothing"
    done = in_ledger(sandbox, case.number, "configure")
    seen(f"{told(payload)} that names {named}; {done}")


@FAMILY
@pytest.mark.parametrize(
    "status",
    [
        pytest.param(
            status,
            marks=pytest.mark.fault(
                f"purchase: HTML with status {status} after it was done",
                expected="done, reconciled; 1 write, 1 in the ledger",
            ),
        )
        for status in PROXY_STATUSES
    ],
)
def test_a_refusal_that_is_not_the_upstreams_own_proves_nothing(
    quick: RunningGateway, family: str, status: int, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    inject(quick.sandbox, case.account, {"kind": "html", "status": status, "commit": True})
    seen(outcome(quick, case))


@FAMILY
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.fault(
    "a write: HTML with status 404, nothing done",
    expected="OUTCOME_UNKNOWN; 1 write, 0 in the ledger",
)
def test_a_404_of_a_proxy_does_not_say_that_the_number_is_gone(
    hasty: RunningGateway, family: str, verb: str, seen: Tell
) -> None:
    case = case_of(hasty, verb, family)
    inject(hasty.sandbox, case.account, {"kind": "html", "status": 404})
    seen(outcome(hasty, case))


@FAMILY
@pytest.mark.fault(
    "a release: connection reset, nothing done; every look-up meets a proxy's 404",
    expected="OUTCOME_UNKNOWN; 1 write, 0 in the ledger",
)
def test_a_look_up_that_meets_a_proxys_404_does_not_show_a_release(
    hasty: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(hasty, "release", family)
    account = case.account.sid
    page = {"kind": "html", "status": 404, "method": "GET", "skip": 1, "count": None}
    hasty.sandbox.set_faults(
        [{"kind": "reset", "method": "DELETE", "account": account}, page | {"account": account}]
    )
    seen(outcome(hasty, case))


@FAMILY
@pytest.mark.fault(
    "a purchase of a number that the upstream does not know: its own 404",
    expected="NOT_FOUND on no field; 1 write, 0 in the ledger",
)
def test_a_purchase_that_is_not_found_blames_no_sid(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    inject(quick.sandbox, case.account, {"kind": "status", "status": 404})
    payload = mutate(quick, "purchase", case.account, **case.given)
    [error] = payload["userErrors"]
    assert "sid" not in error["message"]
    blamed = ".".join(error["field"]) or "no field"
    seen(f"{told(payload)} on {blamed}; {in_ledger(quick.sandbox, case.number, 'purchase')}")


@FAMILY
@pytest.mark.fault(
    "a purchase: error 500 after it was done, and the list shows it only at the third look",
    expected="done, reconciled; 1 write, 1 in the ledger",
)
def test_an_upstream_that_shows_late_what_it_has_done_is_asked_again(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    account = case.account.sid
    error = {"kind": "status", "status": 500, "commit": True, "method": "POST"}
    behind = {"kind": "wrong-shape", "body": NOTHING, "method": "GET", "skip": 1, "count": 2}
    quick.sandbox.set_faults([error | {"account": account}, behind | {"account": account}])
    seen(outcome(quick, case))


@FAMILY
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            '{"sid": "PN%s", "phone_number": "%s", "x": ' + "[" * 400 + "]" * 400 + "}",
            marks=pytest.mark.fault(
                "a purchase with a key: what nobody reads nested deeper than JSON can be written; the"
                " same again",
                expected="done; then done, replayed; 1 write, 1 in the ledger",
            ),
            id="nested",
        ),
        pytest.param(
            '{"sid": "PN%s", "phone_number": "%s", "account_sid": {"x": []}}',
            marks=pytest.mark.fault(
                "a purchase with a key: an object where the account's sid should be; the same again",
                expected="done; then done, replayed; 1 write, 1 in the ledger",
            ),
            id="odd",
        ),
    ],
)
def test_an_odd_answer_to_a_purchase_is_no_internal_error(
    quick: RunningGateway, family: str, body: str, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    text = body % ("1" * 32, case.number)
    inject(quick.sandbox, case.account, {"kind": "wrong-shape", "commit": True, "body": text})
    given = {**case.given, "idempotencyKey": "odd"}
    first, then = (mutate(quick, "purchase", case.account, **given) for _ in "12")
    done = in_ledger(quick.sandbox, case.number, "purchase")
    seen(f"{told(first)}; then {told(then)}; {done}")


@FAMILY
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            body,
            marks=pytest.mark.fault(
                f"a purchase: error 400 with {what}, after it was done",
                expected="done, reconciled; 1 write, 1 in the ledger",
            ),
            id=what.replace(" ", "-"),
        )
        for what, body in (
            ("a code that no dictionary has", {"code": 99_999_999_999, "message": "?"}),
            ("a code and no message", {"code": 21422}),
            ("a code of another status", {"code": 21422, "message": "?", "status": 502}),
        )
    ],
)
def test_a_code_that_cannot_be_the_upstreams_is_not_believed(
    quick: RunningGateway, family: str, body: dict[str, Any], seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    fault = {"kind": "status", "status": 400, "commit": True, "body": body}
    inject(quick.sandbox, case.account, fault)
    seen(outcome(quick, case))


@FAMILY
@pytest.mark.parametrize(
    "commit",
    [
        pytest.param(
            True,
            marks=pytest.mark.fault(
                "transfer: done, and the answer shows the old account",
                expected="done, reconciled; 1 write, 1 in the ledger",
            ),
            id="done",
        ),
        pytest.param(
            False,
            marks=pytest.mark.fault(
                "transfer: not done, and a 2xx answer shows the old account",
                expected="OUTCOME_UNKNOWN; 1 write, 0 in the ledger",
            ),
            id="not-done",
        ),
    ],
)
def test_a_transfer_is_done_when_the_new_account_shows(
    hasty: RunningGateway, family: str, commit: bool, seen: Tell
) -> None:
    case = case_of(hasty, "transfer", family)
    body = {"sid": case.given["sid"], "phone_number": case.number, "account_sid": case.account.sid}
    inject(hasty.sandbox, case.account, {"kind": "wrong-shape", "commit": commit, "body": body})
    seen(outcome(hasty, case))


@FAMILY
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.fault(
    "a write: 429 once, with Retry-After: 0", expected="done; 2 writes, 1 in the ledger"
)
def test_a_write_that_met_429_was_never_processed_and_is_sent_again(
    quick: RunningGateway, family: str, verb: str, seen: Tell
) -> None:
    case = case_of(quick, verb, family)
    inject(quick.sandbox, case.account, {"kind": "429", "retry_after": 0})
    seen(outcome(quick, case))


@pytest.mark.fault(
    "a purchase: 429 with Retry-After: 60",
    expected="UPSTREAM_RATE_LIMITED with retryAfterMs 60000 at once; 1 write, 0 in the ledger",
)
def test_a_write_that_would_have_to_wait_too_long_is_a_typed_error_at_once(
    quick: RunningGateway, seen: Tell
) -> None:
    case = case_of(quick, "purchase", "CORE")
    inject(quick.sandbox, case.account, {"kind": "429", "retry_after": 60})
    started = time.monotonic()
    error = quick.error(document("purchase"), {"input": case.given}, account=case.account)
    soon = "at once" if time.monotonic() - started < LATE else "late"
    extensions = error["extensions"]
    seen(
        f"{extensions['code']} with retryAfterMs {extensions['retryAfterMs']} {soon};"
        f" {in_ledger(quick.sandbox, case.number, 'purchase')}"
    )


@pytest.mark.fault(
    "a purchase: nobody listens at the upstream", expected="UPSTREAM_UNAVAILABLE; nothing sent"
)
def test_a_purchase_that_cannot_be_sent_is_a_system_error(
    sandbox: RunningSandbox, data: Path, seen: Tell
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with running_gateway(sandbox, data_dir=data, core_url=dead, catalog_url=dead) as gateway:
        error = gateway.error(document("purchase"), {"input": {"phoneNumber": "+12125550123"}})
    assert writes(sandbox) == []
    seen(f"{error['extensions']['code']}; nothing sent")


@FAMILY
@pytest.mark.fault(
    "a purchase of what the account has",
    expected="ALREADY_OWNED with the number; 0 writes, settings as they were",
)
def test_buying_what_one_has_changes_nothing_and_is_not_called_bought(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "configure", family)
    before = quick.sandbox.numbers(case.account.sid)
    payload = mutate(
        quick,
        "purchase",
        case.account,
        phoneNumber=case.number,
        configuration={"friendlyName": "Overwritten"},
    )
    assert payload["phoneNumber"]["sid"] == case.given["sid"]
    assert entries(quick.sandbox, case.number, "purchase") == 0
    kept = "as they were" if quick.sandbox.numbers(case.account.sid) == before else "changed"
    seen(f"{told(payload)} with the number; {len(writes(quick.sandbox))} writes, settings {kept}")


@FAMILY
@pytest.mark.fault(
    "the same purchase six times at once, without a key",
    expected="1 done, 5 ALREADY_OWNED; 1 write, 1 in the ledger",
)
def test_purchases_of_one_number_at_once_buy_it_once_and_one_of_them_says_so(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    with ThreadPoolExecutor(6) as pool:
        runs = [
            pool.submit(mutate, quick, "purchase", case.account, **case.given) for _ in "123456"
        ]
    words = sorted(told(run.result()) for run in runs)
    seen(
        f"{words.count('done')} done, {words.count('ALREADY_OWNED')} ALREADY_OWNED;"
        f" {in_ledger(quick.sandbox, case.number, 'purchase')}"
    )


@FAMILY
@pytest.mark.fault(
    "a purchase of what the account has: the look-up before it meets a proxy's 403",
    expected="UPSTREAM_UNAUTHENTICATED; 0 writes, settings as they were",
)
def test_a_proxys_403_does_not_say_that_the_number_is_not_owned(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "configure", family)
    before = quick.sandbox.numbers(case.account.sid)
    page = {"kind": "html", "status": 403, "method": "GET", "count": 2}
    quick.sandbox.set_faults([page | {"account": case.account.sid}])
    given = {"phoneNumber": case.number, "configuration": {"friendlyName": "Overwritten"}}
    error = quick.error(document("purchase"), {"input": given}, account=case.account)
    kept = "as they were" if quick.sandbox.numbers(case.account.sid) == before else "changed"
    sent = len(writes(quick.sandbox))
    seen(f"{error['extensions']['code']}; {sent} writes, settings {kept}")


@pytest.mark.fault(
    "a purchase: answer lost, and every look-up fails",
    expected="OUTCOME_UNKNOWN with what was sent, when, and why; 1 write, 1 in the ledger",
)
def test_what_cannot_be_found_out_is_told_with_all_facts(quick: RunningGateway, seen: Tell) -> None:
    case = case_of(quick, "purchase", "CORE")
    account = case.account.sid
    quick.sandbox.set_faults(
        [
            {"kind": "lost-answer", "method": "POST", "account": account},
            {"kind": "status", "status": 503, "method": "GET", "account": account, "skip": 1}
            | {"count": None},
        ]
    )
    payload = mutate(quick, "purchase", case.account, **case.given)
    message = payload["userErrors"][0]["message"]
    facts = [
        f"POST /2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json",
        time.strftime("%Y-%m-%dT%H:", time.gmtime()),
        "The connection to the upstream broke",
        "looking the number up failed",
    ]
    complete = " with what was sent, when, and why" if all(f in message for f in facts) else message
    seen(f"{told(payload)}{complete}; {in_ledger(quick.sandbox, case.number, 'purchase')}")


@pytest.mark.fault(
    "a purchase: the answer is lost and the upstream is still at work for 0.5 s",
    expected="done, reconciled; 1 write, 1 in the ledger",
)
def test_an_upstream_that_is_still_at_work_is_asked_again(
    quick: RunningGateway, seen: Tell
) -> None:
    case = case_of(quick, "purchase", "CORE")
    inject(quick.sandbox, case.account, {"kind": "latency", "latency_ms": 1300})
    seen(outcome(quick, case))


@FAMILY
@pytest.mark.fault(
    "a purchase: the answer is about another number",
    expected="done, reconciled; 1 write, 1 in the ledger",
)
def test_an_answer_about_another_number_is_not_believed(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    other = {"sid": "PN" + "0" * 32, "phone_number": "+12125550000"}
    inject(quick.sandbox, case.account, {"kind": "wrong-shape", "commit": True, "body": other})
    assert mutate_number(quick, case) == case.number
    seen(f"done, reconciled; {in_ledger(quick.sandbox, case.number, 'purchase')}")


def mutate_number(gateway: RunningGateway, case: Case) -> str:
    """Run a purchase that must be found done, and return the number that it shows."""
    payload = mutate(gateway, case.verb, case.account, **case.given)
    assert told(payload) == "done, reconciled"
    return str(payload["phoneNumber"]["phoneNumber"])


TWICE = """mutation ($one: E164!, $two: E164!) {
  first: purchasePhoneNumber(input: { phoneNumber: $one }) { ...bought }
  second: purchasePhoneNumber(input: { phoneNumber: $two }) { ...bought }
}
fragment bought on PurchasePhoneNumberPayload {
  phoneNumber { phoneNumber friendlyName } userErrors { code } reconciled
}"""


@FAMILY
def test_what_only_graphql_core_can_complete_is_not_written_again(
    quick: RunningGateway, family: str
) -> None:
    """The purchases have no key: nothing else keeps them from being made twice."""
    case = case_of(quick, "purchase", family)
    numbers = [case.number, fresh_number(quick.sandbox)]
    faults = []
    for place, number in enumerate(numbers):
        sid = "PN" + f"{place}" * 32
        body = {"sid": sid, "phone_number": number, "account_sid": {"x": []}}
        odd = {"kind": "wrong-shape", "commit": True, "body": body, "skip": place, "count": 1}
        faults.append({"method": "POST", "account": case.account.sid, **odd})
    quick.sandbox.set_faults(faults)
    quick.sandbox.forget_requests()
    data = quick.query(TWICE, dict(zip(("one", "two"), numbers, strict=True)), account=case.account)
    assert [each["userErrors"] for each in data.values()] == [[], []]
    assert [each["phoneNumber"]["phoneNumber"] for each in data.values()] == numbers
    assert len(writes(quick.sandbox)) == 2
    assert [entries(quick.sandbox, each, "purchase") for each in numbers] == [1, 1]


@pytest.mark.parametrize("verb", ["purchase", "configure", "transfer", "release"])
def test_a_write_that_fails_is_not_sent_again_to_say_so(quick: RunningGateway, verb: str) -> None:
    case = case_of(quick, verb, "CORE")
    denied = {"kind": "status", "status": 401, "body": {"code": 20003, "message": "Authenticate"}}
    inject(quick.sandbox, case.account, denied)
    quick.sandbox.forget_requests()
    error = quick.error(document(verb), {"input": case.given}, account=case.account)
    assert error["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"
    assert error["path"] == [f"{verb}PhoneNumber"]
    assert len(writes(quick.sandbox)) == 1


@FAMILY
def test_a_cleared_setting_is_recognised_by_what_it_shows_then(
    quick: RunningGateway, family: str
) -> None:
    case = case_of(quick, "configure", family)
    sid = case.given["sid"]
    before = {"voice": {"url": "https://example.com", "method": "GET"}}
    mutate(quick, "configure", case.account, sid=sid, configuration=before)
    inject(quick.sandbox, case.account, {"kind": "lost-answer"})
    payload = mutate(
        quick, "configure", case.account, sid=sid, configuration={"voice": {"url": None}}
    )
    assert told(payload) == "done, reconciled"


@FAMILY
@pytest.mark.fault(
    "a purchase: the look-up before it shows another number",
    expected="UPSTREAM_MALFORMED; 0 writes, 0 in the ledger",
)
def test_a_look_up_that_shows_another_number_is_not_believed(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "purchase", family)
    other = {"sid": "PN" + "0" * 32, "phone_number": "+12125550000"}
    body = {"items": [other], "meta": {"key": "items"}, "incoming_phone_numbers": [other]}
    fault = {"kind": "wrong-shape", "method": "GET", "account": case.account.sid, "body": body}
    quick.sandbox.set_faults([fault])
    error = quick.error(document("purchase"), {"input": case.given}, account=case.account)
    seen(f"{error['extensions']['code']}; {in_ledger(quick.sandbox, case.number, 'purchase')}")


@pytest.mark.parametrize("done", [True, False], ids=["moved", "stayed"])
def test_a_lost_transfer_is_looked_up_in_both_accounts(
    quick: RunningGateway,
    done: bool,
) -> None:
    case = case_of(quick, "transfer", "CORE")
    fault = {"kind": "status", "status": 500, "commit": done}
    inject(quick.sandbox, case.account, fault)
    payload = mutate(quick, "transfer", case.account, **case.given)
    assert told(payload) == ("done, reconciled" if done else "OUTCOME_UNKNOWN")
    looked = [each["path"] for each in quick.sandbox.requests() if each["method"] == "GET"]
    accounts = [case.given["toAccountSid"], *([] if done else [case.account.sid])]
    assert [path.split("/")[3] for path in looked] == accounts * (1 if done else 3)
    if done:
        assert payload["phoneNumber"]["accountSid"] == case.given["toAccountSid"]


def test_a_subaccounts_purchase_is_looked_up_in_the_subaccount(quick: RunningGateway) -> None:
    sandbox = quick.sandbox
    parent = sandbox.create_account(catalog=True)
    child = sandbox.create_account(catalog=True, owner_account_sid=parent.sid)
    number = fresh_number(sandbox)
    inject(sandbox, parent, {"kind": "lost-answer"})
    payload = mutate(quick, "purchase", parent, phoneNumber=number, accountSid=child.sid)
    assert told(payload) == "done, reconciled"
    assert payload["phoneNumber"]["accountSid"] == child.sid
    [bought] = [each for each in sandbox.ledger() if each["phone_number"] == number]
    assert bought["account_sid"] == child.sid


@pytest.mark.fault(
    "three purchases in one field, the second cannot be sent",
    expected="done; NOT_DONE; done",
)
def test_one_system_error_among_several_loses_no_result(quick: RunningGateway, seen: Tell) -> None:
    sandbox = quick.sandbox
    account = sandbox.create_account(catalog=False)
    child = sandbox.create_account(catalog=False, owner_account_sid=account.sid)
    numbers = [fresh_number(sandbox) for _ in range(3)]
    items = [{"phoneNumber": number} for number in numbers]
    items[1]["accountSid"] = child.sid
    path = f"*/Accounts/{child.sid}/*"
    sandbox.set_faults([{"kind": "429", "path": path, "retry_after": 60, "count": None}])
    data = quick.query(
        """mutation ($items: [PurchasePhoneNumberInput!]!) {
          purchasePhoneNumbers(input: { items: $items }) {
            results { phoneNumber { phoneNumber } userErrors { code } } } }""",
        {"items": items},
        account=account,
    )
    results = data["purchasePhoneNumbers"]["results"]
    codes = [each["userErrors"][0]["code"] if each["userErrors"] else "done" for each in results]
    assert results[2]["phoneNumber"] == {"phoneNumber": numbers[2]}
    seen("; ".join(codes))


@pytest.mark.fault(
    "two purchases in one operation, the second cannot be sent", expected="done; NOT_DONE"
)
def test_a_later_mutations_system_error_does_not_take_the_earlier_result_away(
    quick: RunningGateway, seen: Tell
) -> None:
    sandbox = quick.sandbox
    account = sandbox.create_account(catalog=False)
    one, two = fresh_number(sandbox), fresh_number(sandbox)
    sandbox.set_faults(
        [{"kind": "429", "method": "POST", "retry_after": 60, "skip": 1, "account": account.sid}]
    )
    fields = "phoneNumber { phoneNumber } userErrors { code }"
    data = quick.query(
        f"""mutation ($one: E164!, $two: E164!) {{
          one: purchasePhoneNumber(input: {{ phoneNumber: $one }}) {{ {fields} }}
          two: purchasePhoneNumber(input: {{ phoneNumber: $two }}) {{ {fields} }} }}""",
        {"one": one, "two": two},
        account=account,
    )
    assert data["one"]["phoneNumber"] == {"phoneNumber": one}
    seen(
        "; ".join(
            each["userErrors"][0]["code"] if each["userErrors"] else "done"
            for each in data.values()
        )
    )


def test_test_credentials_may_buy_though_they_may_read_nothing(quick: RunningGateway) -> None:
    account = quick.sandbox.accounts()["test"]
    payload = mutate(quick, "purchase", account, phoneNumber="+15005550006")
    assert told(payload) == "done"


@FAMILY
@pytest.mark.parametrize("verb", VERBS)
def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(
    quick: RunningGateway, family: str, verb: str
) -> None:
    case = case_of(quick, verb, family)
    key = "the same for dry and wet"
    dry = mutate(quick, verb, case.account, **case.given, dryRun=True, idempotencyKey=key)
    assert writes(quick.sandbox) == []
    assert dry["userErrors"] == []
    wet = mutate(quick, verb, case.account, **case.given, idempotencyKey=key)
    assert told(wet) == "done"
    [sent] = writes(quick.sandbox)
    assert dry["wouldSend"] == {"method": sent["method"], "path": sent["path"]}


@FAMILY
@pytest.mark.parametrize("verb", ["configure", "transfer", "release"])
def test_a_dry_run_finds_out_that_the_number_is_not_there(
    quick: RunningGateway, family: str, verb: str
) -> None:
    case = case_of(quick, verb, family)
    given = case.given | {"sid": "PN" + "0" * 32, "dryRun": True}
    dry = mutate(quick, verb, case.account, **given)
    assert told(dry) == "NOT_FOUND"
    assert dry["wouldSend"] is None
    assert writes(quick.sandbox) == []


@FAMILY
@pytest.mark.fault(
    "a release whose confirmPhoneNumber is another number",
    expected="CONFIRMATION_MISMATCH; 0 writes, 0 in the ledger",
)
def test_a_release_that_is_not_confirmed_is_not_sent(
    quick: RunningGateway, family: str, seen: Tell
) -> None:
    case = case_of(quick, "release", family)
    wrong = case._replace(given=case.given | {"confirmPhoneNumber": "+12125550100"})
    seen(outcome(quick, wrong))
