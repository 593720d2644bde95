"""Who is asking, and with whose credentials the upstream is asked."""

import base64
import binascii
import re
from typing import Protocol

from gateway.errors import Unauthenticated
from gateway.settings import Settings
from gateway.upstream.call import Credential

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}", re.ASCII)
_KEY = re.compile(r"SK[0-9a-fA-F]{32}", re.ASCII)


class Authenticator(Protocol):
    """Turns what a client sends into upstream credentials."""

    def credential(self, authorization: str, account: str) -> Credential:
        """Return the credentials to use upstream.

        Args:
            authorization: the Authorization header, "" when there is none.
            account: the X-Account-Sid header, which an API key needs; "" when there is none.

        Raises:
            Unauthenticated: the caller did not say who it is, or not credibly.
        """


class PassThrough:
    """The client's own credentials go to the upstream, and nowhere else."""

    def credential(self, authorization: str, account: str) -> Credential:
        """See `Authenticator`."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic" or not encoded:
            raise Unauthenticated(
                "Send the upstream's credentials as HTTP Basic: account sid and auth token, or API"
                " key sid and secret."
            )
        try:
            decoded = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Unauthenticated("The Authorization header is not valid HTTP Basic.") from None
        username, colon, secret = decoded.partition(":")
        named = account if _ACCOUNT.fullmatch(account) else ""
        if _ACCOUNT.fullmatch(username) and colon:
            return Credential(username, secret, named or username)
        if not _KEY.fullmatch(username) or not colon:
            raise Unauthenticated("The user name is neither an account sid nor an API key sid.")
        if not named:
            raise Unauthenticated(
                "An API key does not say its account: send that in the header X-Account-Sid."
            )
        return Credential(username, secret, named)


class Open:
    """Clients without credentials act as the operator's account; others as themselves."""

    def __init__(self, credential: Credential) -> None:
        self._own = credential
        self._others = PassThrough()

    def credential(self, authorization: str, account: str) -> Credential:
        """See `Authenticator`."""
        return self._others.credential(authorization, account) if authorization else self._own


def own_credential(settings: Settings) -> Credential | None:
    """Return the operator's own credentials; None when the settings have none."""
    if not settings.account_sid or settings.auth_token is None:
        return None
    username = settings.api_key_sid or settings.account_sid
    return Credential(username, settings.auth_token.get_secret_value(), settings.account_sid)


def authenticator(settings: Settings) -> Authenticator:
    """Return the authenticator that the settings ask for.

    Raises:
        ValueError: open mode without credentials to act with.
    """
    if settings.auth != "open":
        return PassThrough()
    own = own_credential(settings)
    if own is None:
        raise ValueError("auth=open needs account_sid and auth_token to act with.")
    return Open(own)
