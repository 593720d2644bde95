"""Who calls, and for which account: HTTP Basic with an account's token or an API key's secret.

| credentials | the account's own resources | `/Accounts` and `/Keys` | its subaccounts |
| --- | --- | --- | --- |
| Auth Token | yes | yes | yes |
| main API key | yes | the list, and its own | no |
| standard API key | yes | no | no |
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.sandbox.http.refusals import ApiError, authentication_failed
from gateway.sandbox.switches import Switches
from gateway.sandbox.world.number_documents import Account
from gateway.sandbox.world.number_store import Store

Kind: TypeAlias = Literal["token", "main key", "standard key"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The outcome of reading an Authorization header: an account, or the reason there is none."""

    account: Account | None
    problem: str | None
    kind: Kind = "token"


def authenticate(store: Store, header: str | None) -> Credentials:
    """Reads `Authorization`. Secrets are compared in constant time, also for unknown users."""
    if not header:
        return Credentials(None, "No credentials provided")
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return Credentials(None, "No credentials provided")
    try:
        username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return Credentials(None, "No credentials provided")
    account = store.account(username)
    if account is None:
        hmac.compare_digest(b"0" * 32, password.encode())
        return Credentials(None, "invalid username")
    kinds: dict[str, tuple[Kind, str]] = {
        account.sid: ("token", account.auth_token),
        account.main_key_sid: ("main key", account.main_key_secret),
        account.key_sid: ("standard key", account.key_secret),
    }
    kind, secret = kinds[username]
    if not hmac.compare_digest(secret.encode(), password.encode()):
        return Credentials(None, None)
    return Credentials(account, None, kind)


def caller(credentials: Credentials, switches: Switches) -> Account:
    """The calling account.

    Raises:
        ApiError: 20003 without valid credentials, 20005 (or 20003) when the account is not active.
    """
    if credentials.account is None:
        raise authentication_failed(credentials.problem)
    require_active(credentials.account, switches)
    return credentials.account


def full_caller(credentials: Credentials, switches: Switches) -> Account:
    """The calling account, where test credentials are not allowed.

    Raises:
        ApiError: as `caller`; 20008 for test credentials.
    """
    account = caller(credentials, switches)
    if account.role == "test":
        raise ApiError(20008)
    return account


def require_active(account: Account, switches: Switches) -> None:
    """Refuses a suspended or closed account.

    Raises:
        ApiError: 20005 or 20003.
    """
    if account.status != "active":
        raise ApiError(switches.inactive_account_code)
