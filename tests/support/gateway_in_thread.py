"""A running gateway for tests: the real application under a real server, on a free port."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.app import Parts, create_app
from gateway.server.http_limits import protocol_class
from gateway.server.websocket_limits import socket_class
from gateway.transport.unsent import Unsent
from tests.support import loopback
from tests.support.bare_settings import bare_settings
from tests.support.kept_connections import KeptConnections, kept_connections
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_app

# What clients send with a GET to show that no page of another site made a browser send it.
_NOT_A_PAGE = {"apollo-require-preflight": "true"}


# Seconds that no call takes, on a busy machine either, in tests that are not about time.
_PATIENT: Final = {"attempt_timeout": 40.0, "call_deadline": 50.0, "request_deadline": 60.0}

ADAPTORS: Final = ("lean", "asgi")
"""What passes HTTP requests to the endpoint: what `serve` does it with, and any ASGI server."""


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that listens; `account` is whom `query` asks as, unless told otherwise.

    `parts` and `unsent` are what lives as long as it does, where it runs in this process; `kept` is
    what `execute` asks it over there, in place of `http`.
    """

    url: str
    sandbox: RunningSandbox
    account: SandboxAccount
    http: httpx.Client
    parts: Parts | None = None
    unsent: Unsent | None = None
    kept: KeptConnections | None = None

    def post(
        self,
        body: object,
        *,
        account: SandboxAccount | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a GraphQL request and return the HTTP response."""
        asking = account or self.account
        return self.http.post(
            f"{self.url}/graphql", json=body, auth=asking.auth, headers=dict(headers or {})
        )

    def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        account: SandboxAccount | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Run an operation and return the whole response object."""
        asked = {"query": query, "variables": dict(variables or {})}
        if self.kept is None:
            answer = self.post(asked, account=account, headers=headers)
            status, content = answer.status_code, answer.content
        else:
            sent = {
                **_NOT_A_PAGE,
                "content-type": "application/json",
                **(headers or {}),
                "authorization": (account or self.account).authorization,
            }
            body = json.dumps(asked, ensure_ascii=False).encode()
            status, content = self.kept.ask("POST", "/graphql", body, sent)
        assert status == 200, content.decode()
        response: dict[str, Any] = orjson.loads(content)
        return response

    def query(
        self, query: str, variables: Mapping[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Run an operation that must succeed and return its data."""
        response = self.execute(query, variables, **options)
        assert "errors" not in response, response["errors"]
        data: dict[str, Any] = response["data"]
        return data

    def error(
        self, query: str, variables: Mapping[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Run an operation that must fail with exactly one error and return that."""
        response = self.execute(query, variables, **options)
        assert len(response.get("errors", ())) == 1, response
        error: dict[str, Any] = response["errors"][0]
        return error


def noting(protocol: type[HttpToolsProtocol], *, accesses: bool) -> type[HttpToolsProtocol]:
    """Return a protocol class that logs accesses or does not; pytest would have all of them do."""

    class Protocol(protocol):  # type: ignore[misc, valid-type] # known when it runs
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.access_log = accesses

    return Protocol


@contextmanager
def running_gateway(
    sandbox: RunningSandbox,
    *,
    account: SandboxAccount | None = None,
    adaptor: Any = "lean",
    **settings: Any,
) -> Iterator[RunningGateway]:
    """Run a gateway in front of `sandbox`; `settings` are fields of `Settings`.

    `adaptor` is one of `ADAPTORS`, or `messages`: ASGI as it is where nothing is known of the
    server, here for the log of accesses that it keeps.

    With a `sandbox_url` among them it is served as by `serve --sandbox`. Unless one of its times is
    among them, it is more patient than a gateway is by default.
    """
    patience = {} if settings.keys() & _PATIENT.keys() else _PATIENT
    chosen: dict[str, Any] = {
        "catalog_url": sandbox.url,
        "core_url": sandbox.url,
        "auth": "pass-through",
        "http_proxy": None,
        "https_proxy": None,
        "no_proxy": (),
        **patience,
    } | settings
    settled = bare_settings(**chosen)
    app = create_app(settled, sandbox_accounts=[] if settled.sandbox_url else None)
    parts = app.state.parts
    with (
        running_app(
            app,
            http=noting(
                protocol_class(
                    settled,
                    parts.pipeline.draining,
                    parts.observation.refused,
                    app.state.endpoint if adaptor == "lean" else None,
                ),
                accesses=adaptor == "messages",
            ),
            ws=(
                socket_class(settled, parts.observation.refused)
                if adaptor == "lean"
                else "websockets-sansio"
            ),
            ws_max_size=2**20,
            timeout_keep_alive=settled.keep_alive_timeout,
        ) as url,
        loopback.Client(headers=_NOT_A_PAGE) as http,
        kept_connections(url) as kept,
    ):
        yield RunningGateway(
            url,
            sandbox,
            account or sandbox.accounts()["parent"],
            http,
            parts,
            app.state.unsent,
            kept,
        )
