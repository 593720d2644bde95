"""Which mutation can answer which code: all of its own enum, and none besides."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.resolvers.write_payloads import configured, purchased
from gateway.writes.outcome import Outcome, from_json
from gateway.writes.user_errors import REFUSALS, Refusal
from schema.user_errors import (
    CONFIGURE_CODES,
    PURCHASE_CODES,
    RELEASE_CODES,
    TRANSFER_CODES,
    Codes,
    UserErrorCode,
)
from tests.faults.asking import mutate
from tests.faults.test_writes import FAMILIES, Case, case_of, inject
from tests.support.gateway_in_thread import RunningGateway

CODES: dict[str, Codes] = {
    "purchase": PURCHASE_CODES,
    "configure": CONFIGURE_CODES,
    "transfer": TRANSFER_CODES,
    "release": RELEASE_CODES,
}
# That looking a lost write up settles nothing takes time; `tests/faults/test_writes.py` shows it
# for each of the four.
SHOWN_ELSEWHERE = {"OUTCOME_UNKNOWN"}
UNHEARD_OF = 29_999
SUSPENDED = 20_005
# The same write with another value in it.
OTHERWISE: dict[str, dict[str, Any]] = {
    "purchase": {"configuration": {"friendlyName": "Another"}},
    "configure": {"configuration": {"friendlyName": "Another"}},
    "transfer": {"regulatory": {"addressSid": "AD" + "1" * 32}},
    "release": {"confirmPhoneNumber": "+12125550100"},
}


def refused(gateway: RunningGateway, case: Case, code: int, status: int, **given: Any) -> str:
    """Return the code of a write that the upstream refuses with `code` of its own."""
    body = {"code": code, "message": "It says no.", "status": status}
    inject(gateway.sandbox, case.account, {"kind": "status", "status": status, "body": body})
    [error] = mutate(gateway, case.verb, case.account, **case.given, **given)["userErrors"]
    assert (error["upstreamCode"], error["message"]) == (code, "It says no.") or status != 400
    return str(error["code"])


def of_item(gateway: RunningGateway, case: Case, fault: dict[str, Any]) -> str:
    """Return the code of a write as the only item of the plural mutation, with a fault."""
    inject(gateway.sandbox, case.account, fault)
    name = f"{case.verb}PhoneNumbers"
    kind = f"{case.verb.title()}PhoneNumberInput"
    query = f"""mutation ($items: [{kind}!]!) {{
      {name}(input: {{items: $items}}) {{ results {{ userErrors {{ code }} }} }} }}"""
    data = gateway.query(query, {"items": [case.given]}, account=case.account)
    [error] = data[name]["results"][0]["userErrors"]
    return str(error["code"])


def by_the_gateway(gateway: RunningGateway, case: Case) -> Iterator[tuple[str, str]]:
    """Yield the code that is due and the one that came, for what the gateway itself refuses."""
    said = {"code": SUSPENDED, "message": "Not active.", "status": 403}
    forbids = {"kind": "status", "status": 403, "body": said}
    yield "FORBIDDEN", of_item(gateway, case, forbids)
    yield "NOT_DONE", of_item(gateway, case, {"kind": "429", "retry_after": 60})
    given = {"idempotencyKey": "one"}
    yield "REFUSED", refused(gateway, case, UNHEARD_OF, 400, **given)
    other = case.given | OTHERWISE[case.verb] | given
    [error] = mutate(gateway, case.verb, case.account, **other)["userErrors"]
    yield "IDEMPOTENCY_CONFLICT", error["code"]
    match case.verb:
        case "purchase":
            owned = gateway.sandbox.numbers(case.account.sid)[0]["phone_number"]
            [error] = mutate(gateway, "purchase", case.account, phoneNumber=owned)["userErrors"]
            yield "ALREADY_OWNED", error["code"]
            for due, currency in (("TOO_EXPENSIVE", "USD"), ("PRICE_UNKNOWN", "EUR")):
                limit = {"maxMonthlyPrice": {"amount": "0.5", "currencyCode": currency}}
                [error] = mutate(gateway, "purchase", case.account, **case.given, **limit)[
                    "userErrors"
                ]
                yield due, error["code"]
        case "release":
            other = case.given | OTHERWISE["release"]
            [error] = mutate(gateway, "release", case.account, **other)["userErrors"]
            yield "CONFIRMATION_MISMATCH", error["code"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("verb", CODES)
def test_a_mutation_answers_all_codes_of_its_enum_and_none_besides(
    gateway: RunningGateway, verb: str, family: str
) -> None:
    case, codes = case_of(gateway, verb, family), CODES[verb].__members__
    seen = set()
    for number, (code, _) in {**REFUSALS, UNHEARD_OF: (UserErrorCode.REFUSED, ())}.items():
        due = code.name if code.name in codes else "REFUSED"
        status = 404 if code is UserErrorCode.NOT_FOUND else 400
        assert refused(gateway, case, number, status) == due, number
        seen.add(due)
    for due, came in by_the_gateway(gateway, case):
        assert came == due
        seen.add(came)
    assert seen == set(codes) - SHOWN_ELSEWHERE


def test_every_code_is_one_of_some_mutation() -> None:
    assert {name for codes in CODES.values() for name in codes.__members__} == set(
        UserErrorCode.__members__
    )


def test_a_remembered_code_that_the_mutation_does_not_know_is_a_refusal() -> None:
    trial = Refusal((), "It is a trial account.", UserErrorCode.TRIAL_ACCOUNT, 21404)
    [error] = configured(Outcome(refusal=trial)).user_errors
    assert (error.code.name, error.upstream_code) == ("REFUSED", 21404)
    [same] = purchased(from_json(Outcome(refusal=trial).to_json())).user_errors
    assert (same.code.name, same.upstream_code) == ("TRIAL_ACCOUNT", 21404)


def test_a_remembered_code_of_a_newer_release_is_a_refusal() -> None:
    kept = b'{"number": null, "refusal": [[], "New.", "BRAND_NEW", 1], "reconciled": false}'
    assert from_json(kept).refusal == Refusal((), "New.", UserErrorCode.REFUSED, 1)
