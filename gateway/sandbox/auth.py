"""Who calls, and for which account: HTTP Basic with an account's token or an API key's secret."""

import base64
import binascii
import hmac
from dataclasses import dataclass

from gateway.sandbox.documents import Account
from gateway.sandbox.errors import ApiError, authentication_failed
from gateway.sandbox.store import Store
from gateway.sandbox.switches import Switches


@dataclass(frozen=True, slots=True)
class Credentials:
    """The outcome of reading an Authorization header: an account, or the reason there is none."""

    account: Account | None
    problem: str | None


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
    secret = account.key_secret if username == account.key_sid else account.auth_token
    if not hmac.compare_digest(secret.encode(), password.encode()):
        return Credentials(None, None)
    return Credentials(account, None)


def caller(credentials: Credentials, switches: Switches) -> Account:
    """The calling account.

    Raises:
        ApiError: 20003 without valid credentials, 20005 (or 20003) when the account is not active.
    """
    if credentials.account is None:
        raise authentication_failed(credentials.problem)
    require_active(credentials.account, switches)
    return credentials.account


def require_active(account: Account, switches: Switches) -> None:
    """Refuses a suspended or closed account.

    Raises:
        ApiError: 20005 or 20003.
    """
    if account.status != "active":
        raise ApiError(switches.inactive_account_code)


def account_in_path(store: Store, who: Account, sid: str) -> Account:
    """The account a 2010 API path names: the caller's own or one of its subaccounts.

    Raises:
        ApiError: 20003 for any other account, existing or not.
    """
    if sid == who.sid:
        return who
    account = store.account(sid) if sid.startswith("AC") else None
    if account is None or account.owner_account_sid != who.sid:
        raise authentication_failed()
    return account
