"""Tokens for tests, and gateways that take them."""

import base64
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.gateway_in_thread import RunningGateway

SECRET = "a-secret-of-the-tests-that-is-long-enough"
ISSUER, AUDIENCE = "https://issuer.example", "number-gateway"
TOKENS_MODE: dict[str, Any] = {
    "auth": "tokens",
    "token_algorithm": "HS256",
    "token_secret": SECRET,
    "token_issuer": ISSUER,
    "token_audience": AUDIENCE,
}
"""Settings of a gateway that takes tokens."""
SCOPES = (
    "numbers:read numbers:configure numbers:purchase numbers:transfer numbers:release accounts:read"
)
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def key_set(**keys: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """Return a JWKS with the public halves of these keys, by their ids."""
    found = []
    for kid, key in keys.items():
        if isinstance(key, rsa.RSAPrivateKey):
            public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            found.append({**public, "kid": kid, "alg": "RS256", "use": "sig"})
        else:
            public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
            found.append({**public, "kid": kid, "alg": "ES256", "use": "sig"})
    return json.dumps({"keys": found})


def token(
    *accounts: str,
    scope: object = SCOPES,
    key: Any = SECRET,
    algorithm: str = "HS256",
    headers: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """Return a signed token; a claim that is None is left out."""
    every = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "somebody",
        "exp": int(time.time()) + 600,
        "accounts": list(accounts),
        "scope": scope,
    } | claims
    present = {name: value for name, value in every.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm, headers=dict(headers or {}))


def hand_made(claims: Mapping[str, Any], secret: str, **head: str) -> str:
    """Return a token with an HS256 signature, of claims that a library would not sign."""
    top = {"alg": "HS256", "typ": "JWT"} | head
    parts = [_encoded(json.dumps(each).encode()) for each in (top, claims)]
    signature = hmac.digest(secret.encode(), ".".join(parts).encode(), "sha256")
    return ".".join([*parts, _encoded(signature)])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def ask(
    gateway: RunningGateway,
    bearer: str | None,
    query: str,
    variables: Mapping[str, Any] | None = None,
    **headers: str,
) -> httpx.Response:
    """Send an operation with a token."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if bearer is not None:
        sent["authorization"] = f"Bearer {bearer}"
    body = {"query": query, "variables": dict(variables or {})}
    return gateway.http.post(f"{gateway.url}/graphql", json=body, headers=sent)


def code(answer: httpx.Response) -> str:
    """Return the code of an answer's only error; "" when there is none."""
    errors = answer.json().get("errors", [])
    assert len(errors) <= 1, errors
    return str(errors[0]["extensions"]["code"]) if errors else ""
