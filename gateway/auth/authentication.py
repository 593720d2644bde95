"""Who is asking, and with whose credentials the upstream is asked."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from msgspec import Struct

from gateway.auth.caller import Caller
from gateway.auth.token_rules import TokenRules
from gateway.errors import BadUserInput, Unauthenticated
from gateway.mapping.validation import is_sid
from gateway.settings.secret import Secret
from gateway.storage.recent import Recent
from gateway.upstream.call import Credential

_MOST_KNOWN = 1000


class Authenticator(Protocol):
    """Turns what a client sends into upstream credentials."""

    @property
    def challenge(self) -> str:
        """What the WWW-Authenticate header of a refusal says."""

    @property
    def lasts(self) -> bool:
        """Whether what a client sends always means the same caller."""

    def known(self, authorization: str, account: str) -> Caller | None:
        """Return who asks if the very same was asked before, and lately; see `caller`."""

    async def caller(self, authorization: str, account: str) -> Caller:
        """Return who asks.

        Args:
            authorization: the Authorization header, "" when there is none.
            account: the X-Account-Sid header, the account to act for; "" when there is none.

        Raises:
            Unauthenticated: the caller did not say who it is, or not credibly.
            BadUserInput: `account` is not the sid of an account.
        """


class PassThrough:
    """The client's own credentials go to the upstream, and nowhere else."""

    challenge = 'Basic realm="number-gateway"'
    lasts = True

    def __init__(self) -> None:
        # The callers seen last, by what they sent: it is as secret as what a caller holds, and is
        # forgotten with it. To hash it each time would take longer than all else that is done here.
        self._known: Recent[tuple[str, str], Caller] = Recent(_MOST_KNOWN)

    def known(self, authorization: str, account: str) -> Caller | None:
        """See `Authenticator`."""
        return self._known.use((authorization, account))

    async def caller(self, authorization: str, account: str) -> Caller:
        """See `Authenticator`."""
        caller = self.known(authorization, account)
        if caller is None:
            credential = _basic(authorization, account)
            caller = Caller(credential, _principal(credential), known_as=credential.username)
            self._known.keep((authorization, account), caller)
        return caller


def _principal(credential: Credential) -> str:
    """Return a one-way name of who has these credentials.

    It covers the secret, as anybody can send another's user name; and not the account to act for,
    which a client chooses freely: a new one must not be a new caller.
    """
    material = f"{credential.username}\0{credential.secret}".encode()
    return hashlib.sha256(material).hexdigest()[:32]


def _basic(authorization: str, account: str) -> Credential:
    """Read HTTP Basic: account sid and auth token, or API key sid and secret."""
    scheme, _, encoded = authorization.partition(" ")
    encoded = encoded.lstrip(" ")  # There may be several (RFC 9110, 11.4).
    if scheme.lower() != "basic" or not encoded:
        raise Unauthenticated(
            "Send the upstream's credentials as HTTP Basic: account sid and auth token, or API"
            " key sid and secret."
        )
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        raise Unauthenticated("The Authorization header is not valid HTTP Basic.") from None
    username, colon, secret = decoded.partition(":")
    named = _named(account)
    if is_sid(username, "AC") and colon:
        return Credential(username, secret, named or username)
    if not is_sid(username, "SK") or not colon:
        raise Unauthenticated("The user name is neither an account sid nor an API key sid.")
    if not named:
        raise Unauthenticated(
            "An API key does not say its account: send that in the header X-Account-Sid."
        )
    return Credential(username, secret, named)


def _named(account: str) -> str:
    """Return the account that the header X-Account-Sid names; "" when there is no such header.

    Raises:
        BadUserInput: it names none. To act for another one instead could cost money there.
    """
    named = account.strip()
    if named and not is_sid(named, "AC"):
        message = "this is not the sid of one account: AC and 32 hexadecimal digits."
        raise BadUserInput("X-Account-Sid", message)
    return named


class Open:
    """Clients without credentials act as the operator's account, or for one that it reaches.

    Others act as themselves.
    """

    challenge = PassThrough.challenge
    lasts = True

    def __init__(self, credential: Credential) -> None:
        self._own = Caller(credential, "open")
        self._others = PassThrough()

    def known(self, authorization: str, account: str) -> Caller | None:
        """See `Authenticator`."""
        if authorization:
            return self._others.known(authorization, account)
        return None if account else self._own

    async def caller(self, authorization: str, account: str) -> Caller:
        """See `Authenticator`."""
        if authorization:
            return await self._others.caller(authorization, account)
        named, own = _named(account), self._own.credential
        if named in {"", own.account}:
            return self._own
        return replace(self._own, credential=replace(own, account=named))


class OwnAccount(Struct, frozen=True):
    """Whom the gateway acts as by itself; see the settings of the same names."""

    account_sid: str | None
    auth_token: Secret | None
    api_key_sid: str | None
    api_key_secret: Secret | None


def own_credential(own: OwnAccount) -> Credential | None:
    """Return the operator's own credentials; None when there are none."""
    username, secret = own.account_sid, own.auth_token
    if own.api_key_sid:
        username, secret = own.api_key_sid, own.api_key_secret or secret
    if not own.account_sid or not username or secret is None:
        return None
    plain = secret.reveal()
    return Credential(username, plain, own.account_sid, own.account_sid)


def wrong_sids(own: OwnAccount) -> Iterator[tuple[str, str]]:
    """Yield settings that cannot say whose the credentials are, each with what is wrong with it.

    The upstream would say no more than 401.
    """
    for name, given, kind, what in (
        ("account_sid", own.account_sid, "AC", "an account"),
        ("api_key_sid", own.api_key_sid, "SK", "an API key"),
    ):
        if given and not is_sid(given, kind):
            yield name, f"It is not the sid of {what}: {kind} and 32 hexadecimal digits."


def authenticator(mode: str | None, own: OwnAccount, rules: TokenRules) -> Authenticator:
    """Return the authenticator that the settings ask for.

    Raises:
        ValueError: the settings do not go together; the message says which.
    """
    if mode not in {"open", "tokens"}:
        return PassThrough()
    credential = own_credential(own)
    if credential is None:
        raise ValueError(f"auth={mode} needs account_sid and auth_token to act with.")
    if mode == "tokens":
        from gateway.auth.tokens import Tokens  # noqa: PLC0415 - the other modes need no JWT library

        return Tokens(rules, credential)
    return Open(credential)
