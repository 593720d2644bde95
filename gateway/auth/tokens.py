"""Tokens mode: JSON Web Tokens say who asks, which accounts it may name and what it may do.

The algorithm is pinned by the settings, never read from the token; issuer, audience, subject and
expiry must all be there. Nothing of a token, nor of its claims' values, goes into a message.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx
import jwt
import structlog

from gateway.auth.caller import EXPIRED, Caller
from gateway.auth.token_rules import TokenRules
from gateway.errors import AuthenticationUnavailable, Forbidden, Unauthenticated
from gateway.mapping.validation import is_sid
from gateway.settings.proxy_url import ProxyUrl
from gateway.storage.recent import Recent
from gateway.upstream.call import Credential
from gateway.upstream.proxies import Origin, Routes
from gateway.upstream.trust import Trust, TrustOptions
from schema.directives import Scope

_log = structlog.get_logger(__name__)

_LONGEST = 8 * 1024
_LARGEST_KEY_SET = 256 * 1024
_SHORTEST_SECRET = 32
# Callers that are known by what they sent; and what is too long to be kept for that.
_MOST_KNOWN, _KEPT = 1000, 4 * 1024
# Keys are fetched again after this long, and not more often than that however many tokens name a
# key that is not known. In seconds.
_KEYS_LIVE = 300.0
_KEYS_PAUSE = 30.0
_KEYS_TIMEOUT = 5.0
_SCOPES = frozenset(scope.value for scope in Scope)

_UNSOUND = "The token was not accepted: it is malformed, or not signed by a known key."
_REASONS: Mapping[type[jwt.InvalidTokenError], str] = {
    jwt.ExpiredSignatureError: EXPIRED,
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.InvalidIssuerError: "The token was made by another issuer.",
    jwt.InvalidAudienceError: "The token was made for another audience.",
    jwt.MissingRequiredClaimError: "The token lacks one of the claims exp, iss, aud and sub.",
}


class SigningKeys(Protocol):
    """Where the keys are that tokens are checked with."""

    def at_hand(self) -> object:
        """Return the keys as they are now, the same object while they are the same.

        None when they are to be asked for first.
        """

    async def key(self, kid: str | None) -> Any:  # noqa: ANN401 - a key of the JWT library
        """Return the key of this id; of a single key, whatever the id.

        Raises:
            Unauthenticated: there is no such key.
            AuthenticationUnavailable: the keys cannot be had.
        """


class SharedSecret:
    """One secret that issuer and gateway share (HS256)."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        if len(self._secret) < _SHORTEST_SECRET:
            raise ValueError(f"token_secret needs at least {_SHORTEST_SECRET} bytes.")

    def at_hand(self) -> object:
        """See `SigningKeys`."""
        return self._secret

    async def key(self, kid: str | None) -> bytes:  # noqa: ARG002 - there is only one
        """See `SigningKeys`."""
        return self._secret


class KeyFile:
    """A JWKS file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: float | None = None
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._load()

    def at_hand(self) -> Mapping[str | None, jwt.PyJWK]:
        """See `SigningKeys`."""
        try:
            self._load()
        except (OSError, ValueError) as error:
            # The keys that were read before are still good.
            _log.warning("key_file_unreadable", kind=type(error).__name__)
        return self._keys

    async def key(self, kid: str | None) -> jwt.PyJWK:
        """See `SigningKeys`."""
        return _choose(self.at_hand(), kid)

    def _load(self) -> None:
        changed = self._path.stat().st_mtime
        if changed != self._read_at:
            self._keys = _read_keys(self._path.read_bytes())
            self._read_at = changed


class KeyUrl:
    """A JWKS URL, fetched when it is first needed and now and then again."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        proxy: ProxyUrl | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._url = url
        self._proxy = proxy
        self._trust = trust or Trust()
        self._clock = clock
        self._fetching: asyncio.Task[None] | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._keys: dict[str | None, jwt.PyJWK] = {}

    def at_hand(self) -> object:
        """See `SigningKeys`."""
        return self._keys if self._clock() - self._fetched_at <= _KEYS_LIVE else None

    async def key(self, kid: str | None) -> jwt.PyJWK:
        """See `SigningKeys`."""
        now = self._clock()
        age = now - self._fetched_at
        unknown = kid is not None and kid not in self._keys
        idle = self._fetching is None or self._fetching.done()
        if (age > _KEYS_LIVE or unknown) and now - self._tried_at > _KEYS_PAUSE and idle:
            self._tried_at = now
            self._fetching = asyncio.create_task(self._fetch())
        # Whose key is known does not wait: naming keys that there are not holds up nobody else.
        if (age > 2 * _KEYS_LIVE or unknown) and self._fetching is not None:
            # Several may wait for it: one that goes away must not end it for the others.
            await asyncio.shield(self._fetching)
        if not self._keys:
            raise AuthenticationUnavailable(
                "The keys to check tokens with cannot be had now.",
                retryAfterMs=math.ceil(_KEYS_PAUSE * 1000),
            )
        return _choose(self._keys, kid)

    async def _fetch(self) -> None:
        """Fetch the keys; when that fails, those from before stay."""
        try:
            async with (
                self._client() as client,
                client.stream("GET", self._url) as response,
            ):
                response.raise_for_status()
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _LARGEST_KEY_SET:
                        break
            self._keys = _read_keys(body)
            self._fetched_at = self._clock()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            _log.warning("key_set_unavailable", kind=type(error).__name__)

    def _client(self) -> httpx.AsyncClient:
        proxy = None
        if self._proxy is not None:
            tls = self._trust.context if self._proxy.is_encrypted else None
            proxy = httpx.Proxy(str(self._proxy), ssl_context=tls, headers=self._proxy.headers)
        verify = self._trust.context if self._url.startswith("https") else False
        return httpx.AsyncClient(timeout=_KEYS_TIMEOUT, trust_env=False, proxy=proxy, verify=verify)


def _read_keys(text: bytes) -> dict[str | None, jwt.PyJWK]:
    """Read a JWKS.

    Raises:
        ValueError: it is none, or holds no key.
    """
    try:
        keys = jwt.PyJWKSet.from_json(text.decode()).keys
    except (jwt.PyJWTError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError("not a JSON Web Key Set") from error
    return {key.key_id: key for key in keys}


def _choose(keys: Mapping[str | None, jwt.PyJWK], kid: str | None) -> jwt.PyJWK:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    if kid not in keys:
        raise Unauthenticated(_UNSOUND)
    return keys[kid]


class Tokens:
    """See `Authenticator`: bearers of tokens act through the operator's account."""

    challenge = 'Bearer realm="number-gateway"'
    lasts = False

    def __init__(
        self, rules: TokenRules, own: Credential, clock: Callable[[], float] = time.time
    ) -> None:
        for problem in problems(rules):
            raise ValueError(problem)
        self._own = own
        self._clock = clock
        self._issuer = rules.token_issuer
        self._audience = rules.token_audience
        self._algorithm = rules.token_algorithm
        self._leeway = rules.token_leeway
        self._accounts_claim = rules.token_accounts_claim
        self._scopes_claim = rules.token_scopes_claim
        self._keys = _keys(rules)
        # Callers, and the keys that they were checked with, by what they sent; see `PassThrough`.
        self._known: Recent[tuple[str, str], tuple[Caller, object]] = Recent(_MOST_KNOWN)

    def known(self, authorization: str, account: str) -> Caller | None:
        """See `Authenticator`: what was found out is good while the keys are the same."""
        found = self._known.use((authorization, account))
        if found is None:
            return None
        caller, keys = found
        expired = caller.expires is not None and caller.expires < self._clock()
        return None if expired or keys is not self._keys.at_hand() else caller

    async def caller(self, authorization: str, account: str) -> Caller:
        """See `gateway.auth.authentication.Authenticator`."""
        caller = self.known(authorization, account)
        if caller is None:
            keys = self._keys.at_hand()
            caller = await self._checked(authorization, account)
            # Not if others came meanwhile: it is not known by which of them it was checked.
            if keys is not None and keys is self._keys.at_hand() and len(authorization) < _KEPT:
                self._known.keep((authorization, account), (caller, keys))
        return caller

    async def _checked(self, authorization: str, account: str) -> Caller:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send a token: Authorization: Bearer ….")
        claims = await self._claims(token.strip())
        accounts = [each for each in _texts(claims.get(self._accounts_claim)) if is_sid(each, "AC")]
        if not accounts:
            raise Forbidden("The token names no account.")
        if account and account not in accounts:
            raise Forbidden("X-Account-Sid names an account that the token does not.")
        return Caller(
            credential=Credential(
                self._own.username, self._own.secret, account or accounts[0], self._own.home
            ),
            principal=str(claims["sub"]),
            accounts=frozenset(accounts),
            scopes=_SCOPES.intersection(_texts(claims.get(self._scopes_claim))),
            expires=float(claims["exp"]) + self._leeway,
        )

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST:
            raise Unauthenticated(_UNSOUND)
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            key = await self._keys.key(kid if isinstance(kid, str) else None)
            claims = jwt.decode(
                token,
                key,
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            _check_readable(claims)
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(_REASONS.get(type(error), _UNSOUND)) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthenticated(_UNSOUND) from None
        return dict(claims)


def _check_readable(claims: Mapping[str, Any]) -> None:
    """Refuse claims that a good key signed and that still are no time and no name.

    Raises:
        ValueError: the subject is empty, or no text that can be written down.
        OverflowError: the expiry is beyond all numbers.
    """
    float(claims["exp"])
    if not str(claims["sub"]).encode():
        raise ValueError("no subject")


def problems(rules: TokenRules) -> Iterator[str]:
    """Yield what keeps tokens from being checked by these rules."""
    if not rules.token_issuer or not rules.token_audience:
        yield "auth=tokens needs token_issuer and token_audience."
    try:
        _keys(rules)
    except ValueError as error:
        yield str(error)


def _keys(rules: TokenRules) -> SigningKeys:
    if rules.token_algorithm == "HS256":  # noqa: S105 - the name of an algorithm
        if rules.token_secret is None:
            raise ValueError("token_algorithm=HS256 needs token_secret.")
        return SharedSecret(rules.token_secret.reveal())
    if not rules.token_keys:
        raise ValueError(f"token_algorithm={rules.token_algorithm} needs token_keys.")
    if rules.token_keys.startswith(("http://", "https://")):
        proxy = Routes(rules).proxy(Origin.of(rules.token_keys))
        trust = Trust(TrustOptions(rules.upstream_ca))
        return KeyUrl(rules.token_keys, proxy=proxy, trust=trust)
    try:
        return KeyFile(Path(rules.token_keys))
    except OSError as error:
        raise ValueError(f"token_keys cannot be read: {error.strerror}.") from None


def _texts(claim: object) -> list[str]:
    """Read a claim that is a list of texts, or texts with spaces between them."""
    if isinstance(claim, str):
        return claim.split()
    if isinstance(claim, list):
        return [each for each in claim if isinstance(each, str)]
    return []
