"""What tokens must be like; apart from what checks them, which needs a library."""

from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True)
class TokenRules:
    """Which tokens are good, and what they say; see the settings of the same names."""

    token_algorithm: str
    token_secret: SecretStr | None
    token_keys: str | None
    token_issuer: str | None
    token_audience: str | None
    token_accounts_claim: str
    token_scopes_claim: str
    token_leeway: float
