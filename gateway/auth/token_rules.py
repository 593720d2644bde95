"""What tokens must be like; apart from what checks them, which needs a library."""

from pathlib import Path

from gateway.settings.secret import Secret
from gateway.upstream.proxies import RouteOptions


class TokenRules(RouteOptions, frozen=True):
    """Which tokens are good, what they say, and how their keys are fetched.

    See the settings of the same names.
    """

    upstream_ca: Path | None
    token_algorithm: str
    token_secret: Secret | None
    token_keys: str | None
    token_issuer: str | None
    token_audience: str | None
    token_accounts_claim: str
    token_scopes_claim: str
    token_leeway: float
