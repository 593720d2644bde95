"""What the tests ask of a gateway, and how they tell what came of it."""

from typing import Any

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

_COMMON = "userErrors { field message code upstreamCode } reconciled replayed"
_NUMBER = "phoneNumber { sid phoneNumber accountSid source friendlyName }"
_SENT = "wouldSend { method path }"
_SHOWN = {
    "purchase": _NUMBER,
    "configure": _NUMBER,
    "transfer": _NUMBER,
    "release": "releasedId releasedNumber",
}
_LEDGER = {
    "purchase": "bought",
    "configure": "configured",
    "transfer": "transferred",
    "release": "released",
}
OWN = "{ account { sid friendlyName } }"


def document(verb: str) -> str:
    """Return the operation for a mutation: `purchase`, `configure`, `transfer` or `release`."""
    return (
        f"mutation ($input: {verb.title()}PhoneNumberInput!) {{"
        f" {verb}PhoneNumber(input: $input) {{ {_SHOWN[verb]} {_COMMON} {_SENT} }} }}"
    )


def mutate(
    gateway: RunningGateway, verb: str, account: SandboxAccount, **given: Any
) -> dict[str, Any]:
    """Run a mutation that must have a payload, and return that."""
    data = gateway.query(document(verb), {"input": given}, account=account)
    payload: dict[str, Any] = data[f"{verb}PhoneNumber"]
    return payload


def fresh_number(sandbox: RunningSandbox) -> str:
    """Return a number that can be bought and that no other test knows."""
    return str(sandbox.put_number()["phone_number"])


def writes(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """Return the writes that reached the sandbox."""
    return [each for each in sandbox.requests() if each["method"] != "GET"]


def entries(sandbox: RunningSandbox, number: str, verb: str) -> int:
    """Return how often the ledger says that something was done to a number."""
    action = _LEDGER[verb]
    return sum(
        each["phone_number"] == number and each["action"] == action for each in sandbox.ledger()
    )


def told(payload: dict[str, Any]) -> str:
    """Return what a payload says, in a few words."""
    errors = payload["userErrors"]
    words = [errors[0]["code"] if errors else "done"]
    words += [name for name in ("reconciled", "replayed") if payload[name]]
    return ", ".join(words)


def in_ledger(sandbox: RunningSandbox, number: str, verb: str) -> str:
    """Return how many writes arrived, and what the ledger says of a number."""
    sent = plural(len(writes(sandbox)), "write")
    return f"{sent}, {entries(sandbox, number, verb)} in the ledger"


def account_of(sandbox: RunningSandbox, family: str, **fields: Any) -> SandboxAccount:
    """Return a new account that has the catalog, or has not."""
    return sandbox.create_account(catalog=family == "CATALOG", **fields)


def plural(count: int, what: str) -> str:
    """Return `1 call`, `2 calls`."""
    return f"{count} {what}{'' if count == 1 else 's'}"
