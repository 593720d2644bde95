"""The official client, pointed at a sandbox, with every exchange kept."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from tests.support.sandbox_in_thread import SandboxAccount

_HOSTS = frozenset(f"{name}.twilio.com" for name in ("api", "numbers", "preview", "pricing"))


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of the client and the answer it got."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    status: int
    body: str


@dataclass(slots=True)
class Exchanges:
    """All exchanges of a client, in order."""

    kept: list[Exchange] = field(default_factory=list)


class LoopbackHttpClient(TwilioHttpClient):  # type: ignore[misc]
    """Sends requests for Twilio's hosts to another base URL, and refuses any other host."""

    def __init__(self, base_url: str, exchanges: Exchanges) -> None:
        super().__init__(pool_connections=False, timeout=30)
        self._base_url = base_url
        self._exchanges = exchanges

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Sends the request and keeps it with its answer."""
        parts = urlsplit(url)
        # References to the next page, where they are whole, name the sandbox itself.
        twilios = parts.scheme == "https" and parts.hostname in _HOSTS
        if not twilios and not url.startswith(f"{self._base_url}/"):
            message = f"the client called {url}"
            raise AssertionError(message)
        target = f"{self._base_url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        response = super().request(
            method, target, params, data, headers, auth, timeout, allow_redirects
        )
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        query |= {key: _text(value) for key, value in (params or {}).items()}
        form = {key: _text(value) for key, value in (data or {}).items()}
        self._exchanges.kept.append(
            Exchange(
                method.upper(), parts.path, query, form, int(response.status_code), response.text
            )
        )
        return response


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def official_client(
    base_url: str,
    account: SandboxAccount,
    exchanges: Exchanges,
    *,
    acting_for: str | None = None,
    auth: tuple[str, str] | None = None,
) -> Any:
    """A `twilio.rest.Client` with an account's credentials (its API key's with `auth`)."""
    username, password = auth or account.auth
    return Client(
        username,
        password,
        account_sid=acting_for or account.sid,
        http_client=LoopbackHttpClient(base_url, exchanges),
        environment={},
    )
