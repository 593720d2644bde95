"""Every refusal of the gateway's own, in both families: its code, its field, its very words."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.writes.user_errors import Reason
from tests.faults.asking import account_of, document, fresh_number, mutate, writes
from tests.faults.conftest import QUICK
from tests.faults.test_keys import made_older
from tests.faults.test_writes import FAMILY, Case, case_of, inject
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.paths import ROOT
from tests.support.sandbox_in_thread import SandboxAccount
from tests.support.tokens import TOKENS_MODE, ask, token

Json = dict[str, Any]
Tell = Callable[[str], None]
ADDRESS = "AD" + "1" * 32
# It takes a fault of the gateway's own, and none is known.
UNSHOWN = {Reason.BROKEN}


class Stage(NamedTuple):
    """Where a scenario is played.

    Attributes:
        gateway: one that has no time for a third look.
        family: of the accounts.
        data: a folder for gateways of the scenario's own.
    """

    gateway: RunningGateway
    family: str
    data: Path

    def case(self, verb: str) -> Case:
        """Return a write that would be done."""
        return case_of(self.gateway, verb, self.family)

    def run(self, case: Case, **given: Any) -> Json:
        """Return the user error of a case, with other values given."""
        payload = mutate(self.gateway, case.verb, case.account, **case.given | given)
        return the_only(payload)

    def run_each(self, case: Case, *others: Json) -> Json:
        """Return the user error of the last of several items, of which the first is the case."""
        items = [case.given, *(case.given | other for other in others)]
        data = self.gateway.query(plural(case.verb), {"items": items}, account=case.account)
        return the_only(data[f"{case.verb}PhoneNumbers"]["results"][-1])


def plural(verb: str) -> str:
    fields = "userErrors { field message code upstreamCode }"
    return (
        f"mutation ($items: [{verb.title()}PhoneNumberInput!]!) {{"
        f" {verb}PhoneNumbers(input: {{ items: $items }}) {{ results {{ {fields} }} }} }}"
    )


def the_only(payload: Json) -> Json:
    error: Json
    [error] = payload["userErrors"]
    return error


def already_owned(stage: Stage) -> Json:
    owned = stage.case("configure")
    return stage.run(Case("purchase", {"phoneNumber": owned.number}, owned.number, owned.account))


def not_owned(stage: Stage, verb: str, **given: Any) -> Json:
    case = stage.case(verb)
    return stage.run(case, sid="PN" + "0" * 32, **given)


def transferred_without_its_owner(stage: Stage) -> Json:
    """What a subaccount owns, moved to the parent, without saying that the subaccount owns it."""
    case = stage.case("transfer")
    child = case.given["toAccountSid"]
    sid = stage.gateway.sandbox.put_number(child)["sid"]
    return stage.run(case, sid=sid, toAccountSid=case.account.sid)


def already_there(stage: Stage, **given: Any) -> Json:
    case = stage.case("transfer")
    there = stage.gateway.sandbox.put_number(case.given["toAccountSid"])
    return stage.run(case, sid=there["sid"], **given)


def not_sold(stage: Stage) -> Json:
    case = stage.case("purchase")
    inject(stage.gateway.sandbox, case.account, {"kind": "status", "status": 404})
    return stage.run(case)


def limited(stage: Stage, amount: str, currency: str = "USD", **given: Any) -> Json:
    most = {"amount": amount, "currencyCode": currency}
    return stage.run(stage.case("purchase"), maxMonthlyPrice=most, **given)


def without_address(stage: Stage) -> Json:
    number = stage.gateway.sandbox.put_number(resource={"address_requirements": "foreign"})
    return stage.run(stage.case("purchase"), phoneNumber=number["phone_number"], dryRun=True)


def moved_without_address(stage: Stage) -> Json:
    case = stage.case("transfer")
    resource = {"address_requirements": "local"}
    stage.gateway.sandbox.put_number(case.account.sid, case.number, resource)
    return stage.run(case, dryRun=True)


def fallback_alone(stage: Stage, verb: str, section: str) -> Json:
    configuration = {section: {"fallbackUrl": "https://example.com/"}}
    return stage.run(stage.case(verb), configuration=configuration, dryRun=True)


def on_trial(stage: Stage) -> Json:
    sandbox = stage.gateway.sandbox
    account, number = account_of(sandbox, stage.family, type="Trial"), fresh_number(sandbox)
    given = {"phoneNumber": number, "dryRun": True}
    return stage.run(Case("purchase", given, number, account))


def of_another(stage: Stage) -> Json:
    case = stage.case("purchase")
    sandbox = stage.gateway.sandbox
    sandbox.put_number(sandbox.create_account().sid, case.number)
    return stage.run(case, dryRun=True)


def to_suspended(stage: Stage) -> Json:
    case = stage.case("transfer")
    own = {"owner_account_sid": case.account.sid, "status": "suspended"}
    target = stage.gateway.sandbox.create_account(**own)
    return stage.run(case, toAccountSid=target.sid, dryRun=True)


def to_stranger(stage: Stage) -> Json:
    target = stage.gateway.sandbox.create_account()
    return stage.run(stage.case("transfer"), toAccountSid=target.sid, dryRun=True)


def same_account(stage: Stage, **given: Any) -> Json:
    case = stage.case("transfer")
    return stage.run(case, toAccountSid=case.account.sid, **given)


def with_emergency_address(stage: Stage, verb: str, status: str) -> Case:
    case = stage.case(verb)
    voice = {"emergency_address_sid": ADDRESS, "emergency_address_status": status}
    stage.gateway.sandbox.put_number(
        case.account.sid, case.number, {"configuration": {"voice": voice}}
    )
    return case


def released_with_emergency_address(stage: Stage, status: str, **given: Any) -> Json:
    return stage.run(with_emergency_address(stage, "release", status), **given)


def cleared_of_emergency_address(stage: Stage, **given: Any) -> Json:
    case = with_emergency_address(stage, "configure", "registered")
    configuration = {"voice": {"emergencyAddressSid": None}}
    return stage.run(case, configuration=configuration, **given)


def key_of_another(stage: Stage) -> Json:
    case = stage.case("configure")
    given = {**case.given, "idempotencyKey": "one"}
    mutate(stage.gateway, "configure", case.account, **given)
    return stage.run(case, idempotencyKey="one", configuration={"friendlyName": "Another"})


def not_allowed(stage: Stage) -> Json:
    sandbox = stage.gateway.sandbox
    owner = account_of(sandbox, stage.family, owned=1)
    [number] = sandbox.numbers(owner.sid)
    own: dict[str, Any] = {"account_sid": owner.sid, "auth_token": owner.auth_token}
    with running_gateway(sandbox, data_dir=stage.data, **TOKENS_MODE, **own) as one:
        item = {"sid": number["sid"], "configuration": {"friendlyName": "Desk"}}
        items = {"items": [item | {"accountSid": "AC" + "0" * 32}]}
        answer = ask(one, token(owner.sid), plural("configure"), items).json()
    return the_only(answer["data"]["configurePhoneNumbers"]["results"][0])


def not_sent(stage: Stage) -> Json:
    case = stage.case("configure")
    inject(stage.gateway.sandbox, case.account, {"kind": "429", "retry_after": 60})
    data = stage.gateway.query(plural("configure"), {"items": [case.given]}, account=case.account)
    return the_only(data["configurePhoneNumbers"]["results"][0])


def lost(stage: Stage, verb: str) -> Json:
    case = stage.case(verb)
    inject(stage.gateway.sandbox, case.account, {"kind": "reset"})
    return stage.run(case)


def no_trace(stage: Stage) -> Json:
    case = stage.case("release")
    given = {**case.given, "idempotencyKey": "one"}
    inject(stage.gateway.sandbox, case.account, {"kind": "reset"})
    with running_gateway(stage.gateway.sandbox, data_dir=stage.data, **QUICK) as gateway:
        assert the_only(mutate(gateway, "release", case.account, **given))["code"] != "NOT_DONE"
    made_older(stage.data, "missed", 61)
    with running_gateway(stage.gateway.sandbox, data_dir=stage.data, **QUICK) as gateway:
        return the_only(mutate(gateway, "release", case.account, **given))


Scenario = Callable[[Stage], Json]
# What leads to each refusal; most have several ways. The field is the table's unless it is said.
SCENARIOS: list[tuple[Reason, str, Scenario, str | None]] = [
    (Reason.ALREADY_OWNED, "purchase", already_owned, None),
    (Reason.NOT_OWNED, "configure", lambda s: not_owned(s, "configure"), None),
    (Reason.NOT_OWNED, "transfer", lambda s: not_owned(s, "transfer"), None),
    (Reason.NOT_OWNED, "dry transfer", lambda s: not_owned(s, "transfer", dryRun=True), None),
    (Reason.NOT_OWNED, "transfer without its owner", transferred_without_its_owner, None),
    (Reason.NOT_OWNED, "release", lambda s: not_owned(s, "release"), None),
    (Reason.NOT_SOLD, "purchase", not_sold, None),
    (Reason.NOT_FOR_SALE, "dry purchase", of_another, None),
    (Reason.ON_TRIAL, "dry purchase", on_trial, None),
    (Reason.TOO_EXPENSIVE, "purchase", lambda s: limited(s, "0.5"), None),
    (Reason.TOO_EXPENSIVE, "dry purchase", lambda s: limited(s, "0.5", dryRun=True), None),
    (Reason.PRICE_UNKNOWN, "purchase", lambda s: limited(s, "9", "EUR"), None),
    (Reason.ADDRESS_MISSING, "dry purchase", without_address, None),
    (Reason.ADDRESS_MISSING, "dry transfer", moved_without_address, None),
    *(
        (
            Reason.FALLBACK_ALONE,
            f"dry {verb} of {section}",
            lambda s, verb=verb, section=section: fallback_alone(s, verb, section),
            f"configuration.{section}.fallbackUrl",
        )
        for verb in ("purchase", "configure")
        for section in ("voice", "sms")
    ),
    (Reason.SAME_ACCOUNT, "transfer", same_account, None),
    (Reason.SAME_ACCOUNT, "dry transfer", lambda s: same_account(s, dryRun=True), None),
    (Reason.ALREADY_THERE, "transfer", already_there, None),
    (Reason.ALREADY_THERE, "dry transfer", lambda s: already_there(s, dryRun=True), None),
    (Reason.NO_SUCH_TARGET, "dry transfer", to_stranger, None),
    (Reason.INACTIVE_TARGET, "dry transfer", to_suspended, None),
    (
        Reason.CONFIRMATION_MISMATCH,
        "release",
        lambda s: s.run(s.case("release"), confirmPhoneNumber="+12125550100"),
        None,
    ),
    *(
        (
            Reason.EMERGENCY_ADDRESS_KEPT,
            f"release, {status}",
            lambda s, status=status: released_with_emergency_address(s, status),
            None,
        )
        for status in ("registered", "pending-registration", "unregistration-failure")
    ),
    (
        Reason.EMERGENCY_ADDRESS_KEPT,
        "dry release",
        lambda s: released_with_emergency_address(s, "registered", dryRun=True),
        None,
    ),
    (Reason.EMERGENCY_ADDRESS_LEFT, "configure", cleared_of_emergency_address, None),
    (
        Reason.EMERGENCY_ADDRESS_LEFT,
        "dry configure",
        lambda s: cleared_of_emergency_address(s, dryRun=True),
        None,
    ),
    (
        Reason.BAD_SETTING,
        "purchase",
        lambda s: s.run(s.case("purchase"), configuration={"friendlyName": "x" * 65}),
        "configuration.friendlyName",
    ),
    (
        Reason.BAD_SETTING,
        "transfer",
        lambda s: s.run(s.case("transfer"), regulatory={"bundleSid": "BU1"}),
        "regulatory.bundleSid",
    ),
    (
        Reason.BAD_SETTING,
        "transfer that clears",
        lambda s: s.run(s.case("transfer"), regulatory={"clear": ["BUNDLE"]}),
        "regulatory.clear",
    ),
    (
        Reason.BAD_ARGUMENT,
        "release",
        lambda s: s.run_each(s.case("release"), {"sid": "PN1"}),
        "items.1.sid",
    ),
    (Reason.REPEATED, "transfer", lambda s: s.run_each(s.case("transfer"), {}), "items.1.sid"),
    (Reason.KEY_OF_ANOTHER, "configure", key_of_another, None),
    (Reason.NOT_ALLOWED, "configure", not_allowed, "items.0.accountSid"),
    (Reason.NOT_SENT, "configure", not_sent, "items.0"),
    (Reason.NO_TRACE, "release", no_trace, None),
    (Reason.LOST, "transfer", lambda s: lost(s, "transfer"), None),
    (Reason.LOST, "purchase", lambda s: lost(s, "purchase"), None),
]


@FAMILY
@pytest.mark.parametrize(
    ("reason", "scenario", "field"),
    [
        pytest.param(
            reason,
            scenario,
            field,
            marks=pytest.mark.fault(
                f"{how}: what the gateway refuses as {reason.name}",
                expected=f"{reason.value.code.name}, in the words of the table",
            ),
            id=f"{reason.name}-{how.replace(' ', '-')}",
        )
        for reason, how, scenario, field in SCENARIOS
    ],
)
def test_every_refusal_of_the_table_is_given_in_its_words(
    hasty: RunningGateway,
    data: Path,
    family: str,
    reason: Reason,
    scenario: Scenario,
    field: str | None,
    seen: Tell,
) -> None:
    error = scenario(Stage(hasty, family, data))
    expected = ".".join(reason.value.field) if field is None else field
    assert ".".join(error["field"]) == expected
    same = "in the words of the table"
    seen(f"{error['code']}, {same if says(reason, error['message']) else error['message']}")


def says(reason: Reason, message: str) -> bool:
    """Whether a message is the reason's words, with something in place of each brace."""
    parts = re.split(r"\{[a-z]+\}", reason.value.words)
    return re.fullmatch("(.+)".join(map(re.escape, parts)), message, re.DOTALL) is not None


def test_every_line_of_the_table_is_shown() -> None:
    assert set(Reason) - {reason for reason, *_ in SCENARIOS} == UNSHOWN


def test_every_refusal_of_the_gateways_own_stands_in_the_table() -> None:
    """Only the table makes one, and what retells those that are remembered or the upstream's."""
    makers = {"user_errors.py": "refuse", "outcome.py": "from_json, refused"}
    for path in sorted((ROOT / "gateway").glob("*.py")):
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            calls = [each.func for each in ast.walk(function) if isinstance(each, ast.Call)]
            makes = any(isinstance(call, ast.Name) and call.id == "Refusal" for call in calls)
            assert not makes or function.name in makers.get(path.name, ""), path


@FAMILY
def test_an_unregistered_emergency_address_keeps_no_number(
    hasty: RunningGateway, data: Path, family: str
) -> None:
    case = with_emergency_address(Stage(hasty, family, data), "release", "unregistered")
    assert mutate(hasty, "release", case.account, **case.given)["userErrors"] == []


@FAMILY
@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("pending-registration", "is about to be registered."),
        ("pending-unregistration", "is about to be unregistered."),
        ("unregistration-failure", "is registered: unregistering it has failed."),
    ],
)
def test_how_far_an_emergency_address_is_registered_is_said_in_words(
    hasty: RunningGateway, data: Path, family: str, status: str, words: str
) -> None:
    error = released_with_emergency_address(Stage(hasty, family, data), status, dryRun=True)
    assert error["message"].startswith(f"The number's emergency address {words} ")


@FAMILY
@pytest.mark.parametrize("code", [21634, 20409])
def test_an_emergency_address_that_is_registered_meanwhile_is_the_upstreams_refusal(
    hasty: RunningGateway, family: str, code: int
) -> None:
    case = case_of(hasty, "release", family)
    body = {"code": code, "message": "It has an emergency address."}
    inject(hasty.sandbox, case.account, {"kind": "status", "status": 400, "body": body})
    error = the_only(mutate(hasty, "release", case.account, **case.given))
    known = "EMERGENCY_ADDRESS_REGISTERED" if code == 21634 else "REFUSED"
    assert (error["code"], error["field"], error["upstreamCode"]) == (known, [], code)


@FAMILY
def test_the_same_words_are_replayed(hasty: RunningGateway, data: Path, family: str) -> None:
    case = with_emergency_address(Stage(hasty, family, data), "release", "registered")
    given = {**case.given, "idempotencyKey": "again"}
    first, again = (mutate(hasty, "release", case.account, **given) for _ in "12")
    assert again == first | {"replayed": True}
    assert writes(hasty.sandbox) == []


def regulated(stage: Stage) -> tuple[Case, SandboxAccount]:
    """Return a transfer of a number whose country wants an address and a bundle."""
    case = stage.case("transfer")
    sandbox = stage.gateway.sandbox
    core = {"address_sid": ADDRESS, "bundle_sid": "BU" + "1" * 32}
    resource = {"requires": ["address", "bundle"], "configuration": {"core": core}}
    sandbox.put_number(case.account.sid, case.number, resource)
    return case, case.account


@FAMILY
def test_a_regulated_number_moves_with_the_papers_of_the_gaining_account(
    hasty: RunningGateway, data: Path, family: str
) -> None:
    stage = Stage(hasty, family, data)
    case, account = regulated(stage)
    error = stage.run(case)
    assert (error["code"], error["upstreamCode"]) == ("ADDRESS_REQUIRED", 21631)
    assert error["field"] == ["regulatory", "addressSid"]
    address = "AD" + "2" * 32
    error = stage.run(case, regulatory={"addressSid": address, "identitySid": None})
    assert (error["code"], error["field"]) == ("BUNDLE_REQUIRED", ["regulatory", "bundleSid"])
    error = stage.run(case, regulatory={"addressSid": address, "bundleSid": "BU" + "0" * 32})
    assert (error["code"], error["field"]) == ("DOCUMENT_UNSUITABLE", ["regulatory"])

    given = {"regulatory": {"addressSid": address, "bundleSid": "BU" + "2" * 32}}
    hasty.sandbox.forget_requests()
    query = document("transfer").replace("method path", "method path parameters { name value }")
    asked = {**case.given, **given, "dryRun": True}
    dry = hasty.query(query, {"input": asked}, account=account)["transferPhoneNumber"]
    assert dry["userErrors"] == []
    assert writes(hasty.sandbox) == []

    first = mutate(hasty, "transfer", account, **case.given, **given, idempotencyKey="one")
    assert first["phoneNumber"]["accountSid"] == case.given["toAccountSid"]
    [sent] = writes(hasty.sandbox)
    would = {each["name"]: each["value"] for each in dry["wouldSend"]["parameters"]}
    assert (sent["path"], dict(sent["form"])) == (dry["wouldSend"]["path"], would)
    assert would == {
        "AccountSid": case.given["toAccountSid"],
        "AddressSid": address,
        "BundleSid": "BU" + "2" * 32,
    }
    again = mutate(hasty, "transfer", account, **case.given, **given, idempotencyKey="one")
    assert again == first | {"replayed": True}
    other = {"regulatory": {"addressSid": address, "bundleSid": "BU" + "3" * 32}}
    error = stage.run(case, **other, idempotencyKey="one")
    assert error["code"] == "IDEMPOTENCY_CONFLICT"


@FAMILY
def test_regulated_numbers_move_together_each_with_its_papers(
    hasty: RunningGateway, data: Path, family: str
) -> None:
    stage = Stage(hasty, family, data)
    case, account = regulated(stage)
    papers = {"regulatory": {"addressSid": ADDRESS, "bundleSid": "BU" + "2" * 32}}
    free = hasty.sandbox.put_number(account.sid)
    items = [case.given | papers, case.given | {"sid": free["sid"]}]
    data_of = hasty.query(plural("transfer"), {"items": items}, account=account)
    assert [each["userErrors"] for each in data_of["transferPhoneNumbers"]["results"]] == [[], []]
