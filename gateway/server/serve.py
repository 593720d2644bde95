"""Serves the gateway: sockets, workers, and the lines printed at start."""

import asyncio
import gc
import socket
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import ASGIApp

from gateway.auth.authentication import OwnAccount, authenticator, own_credential, wrong_sids
from gateway.auth.token_rules import TokenRules
from gateway.documents.trusted import manifest_for
from gateway.draining import Draining
from gateway.errors import CommandError
from gateway.observability.logs import configure
from gateway.observability.metrics_folder import shared_folder
from gateway.observability.refusals_below_http import RefusalsBelowHttp
from gateway.server import free_memory, open_files
from gateway.server.http_limits import FAREWELL, protocol_class
from gateway.server.listening import address, choose_port, listen, turn_away
from gateway.server.uvicorn_server import Server
from gateway.settings.loading import load
from gateway.settings.loopback import is_loopback
from gateway.settings.model import Settings
from gateway.transport import client_addresses
from gateway.transport.graphql_endpoint import Endpoint
from gateway.writes.file_journal import obstacle

if TYPE_CHECKING:
    from gateway.server.sandbox_process import SandboxProcess
    from gateway.transport.asgi_application import Application

_log = structlog.get_logger(__name__)
# Roles of the sandbox's accounts: the ordinary one, which is acted as unless another is named, and
# one that has the preview catalog.
_ORDINARY, _WITH_CATALOG = "core-only", "parent"
# What a worker may take beyond the time in which it drains.
_WORKERS_STOP = 3.0
# What is printed to be tried.
_WITHOUT_VARIABLES = '{"query": "{ phoneNumbers(first: 2) { nodes { phoneNumber type } } }"}'
_WITH_VARIABLES = (
    '{"variables": {"first": 2}, "query":'
    ' "query ($first: Int!) { phoneNumbers(first: $first) { nodes { sid } } }"}'
)


def serve(given: Mapping[str, Any]) -> int:
    """Serve the gateway until it is told to stop; return the exit code."""
    return _serve_gateway(load(given))


def serve_with_sandbox(given: Mapping[str, Any], sandbox: "SandboxProcess") -> int:
    """Serve the gateway with a sandbox, which was started, as its upstream."""
    url = sandbox.url()
    accounts = _ordinary_first(sandbox.accounts(url))
    ordinary = _account(accounts, _ORDINARY)
    own: dict[str, Any] = {
        "catalog_url": url,
        "core_url": url,
        "pricing_url": url,
        "regulations_url": url,
        "sandbox_url": url,
        # A proxy of this machine's environment leads elsewhere.
        "http_proxy": None,
        "auth": "open",
        "account_sid": ordinary["sid"],
        "auth_token": ordinary["auth_token"],
        # An API key of the real account's is unknown to the sandbox.
        "api_key_sid": None,
    }
    settings = load(own | dict(given))
    return _serve_gateway(settings, accounts)


def _require_somebody_to_be(settings: Settings) -> None:
    """Refuse to start when it is not said who may ask, and as whom."""
    if settings.auth == "pass-through":
        return
    own = settings.pick(OwnAccount)
    credential = own_credential(own)
    if settings.auth is None and credential is None:
        raise CommandError(
            "no credentials: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or TWILIO_API_KEY and"
            " TWILIO_API_SECRET) and choose --auth open, or choose --auth pass-through to let"
            " clients bring theirs, or use --sandbox"
        )
    if settings.auth is None:
        raise CommandError(
            "credentials are set, but not who may use them: choose --auth open (everybody who"
            " reaches this port), or --auth pass-through (clients bring their own)"
        )
    if credential is None:
        raise CommandError(
            f"--auth {settings.auth} needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN to act as"
        )
    for name, problem in wrong_sids(own):
        raise CommandError(f"{name}: {problem}")
    if settings.auth == "tokens":
        try:
            authenticator(settings.auth, own, settings.pick(TokenRules))
        except ValueError as error:
            raise CommandError(str(error)) from None
        return
    if not is_loopback(settings.host):
        raise CommandError(
            "--auth open is for this machine only: use --host 127.0.0.1, or --auth pass-through"
        )


def _require_documents(settings: Settings) -> None:
    """Refuse to start without the documents that clients are to use."""
    try:
        manifest_for(settings.trusted_documents, only=settings.trusted_documents_only)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _serve_gateway(settings: Settings, accounts: list[dict[str, Any]] | None = None) -> int:
    _require_somebody_to_be(settings)
    _require_documents(settings)
    _configure_logs(settings)
    if settings.store_url is None and (problem := obstacle(settings.data_dir)):
        _log.warning(
            "records_unusable",
            problem=problem,
            hint="mutations with idempotency keys are refused: set GATEWAY_DATA_DIR to a folder"
            " that can be written, or GATEWAY_STORE_URL",
        )
    if shortage := open_files.shortage(settings):
        _log.warning("open_files_few", hint=shortage)
    several = settings.workers > 1
    with shared_folder(settings.data_dir, wanted=settings.metrics and several):
        run = _serve_with_workers if several else _serve_alone
        return run(settings, accounts)


def _serve_alone(settings: Settings, accounts: list[dict[str, Any]] | None) -> int:
    from gateway.app import create_app  # noqa: PLC0415 - after the settings were found to be good

    listening = listen(settings.host, settings.port)
    try:
        app = create_app(settings, sandbox_accounts=accounts)
        _announce(address(listening), settings, accounts)
        return _run_gateway(app, listening, settings)
    finally:
        # Nothing is left to do, but where it did not come to serving.
        turn_away(listening, FAREWELL)


def _serve_with_workers(settings: Settings, accounts: list[dict[str, Any]] | None) -> int:
    from gateway.server import workers  # noqa: PLC0415 - most gateways are one process

    if settings.store_url is None:
        _log.warning(
            "workers_share_nothing",
            hint="without store_url limits count per worker, and events stay in theirs",
        )
    host, port = choose_port(settings.host, settings.port)
    sockets = [listen(host, port, shared=True) for _ in range(settings.workers)]
    try:
        _announce(address(sockets[0]), settings, accounts)
        work = partial(_work, settings, accounts)
        gc.enable()  # Of the supervisor all is there: a worker is a process of its own.
        patience = settings.drain_limit + _WORKERS_STOP
        return workers.Workers(work, sockets, patience, FAREWELL).run()
    finally:
        for each in sockets:
            turn_away(each, FAREWELL)


def _work(
    settings: Settings, accounts: list[dict[str, Any]] | None, listening: socket.socket
) -> int:
    """Be one of several workers."""
    from gateway.app import create_app  # noqa: PLC0415 - the supervisor needs none of it
    from gateway.server import workers  # noqa: PLC0415

    _configure_logs(settings)
    try:
        app = create_app(settings, sandbox_accounts=accounts)
    except CommandError as error:
        sys.stderr.write(f"number-gateway: {error}\n")
        return workers.REFUSED
    return _run_gateway(app, listening, settings)


def _configure_logs(settings: Settings) -> None:
    own = own_credential(settings.pick(OwnAccount))
    configure(settings.log_level, settings.log_format, own, client_addresses.current.get)


def _run_gateway(app: "Application", listening: socket.socket, settings: Settings) -> int:
    parts = app.state.parts
    free_memory.keep()
    server = server_for(
        app, parts.pipeline.draining, settings, parts.observation.refused, app.state.endpoint
    )
    return server.serve_on(listening)


def _announce(address: str, settings: Settings, accounts: list[dict[str, Any]] | None) -> None:
    lines = [f"GraphQL   {address}/graphql"]
    if not settings.production:
        lines.append(f"Explorer  {address}/")
    if accounts is not None:
        lines += [f"Sandbox   {settings.sandbox_url}", "", "Accounts of the sandbox"]
        lines += [
            f"  {each['role']:<20} {each['sid']}  token {each['auth_token']}"
            + ("  preview catalog" if each["catalog"] else "")
            for each in accounts
        ]
        ordinary = _account(accounts, _ORDINARY)
        lines += [
            "",
            "Try it",
            *_curl(address, ordinary, _WITHOUT_VARIABLES),
            "",
            "As an account that has the preview catalog of numbers",
            *_curl(address, _account(accounts, _WITH_CATALOG), _WITHOUT_VARIABLES),
            "",
            "With variables",
            *_curl(address, ordinary, _WITH_VARIABLES),
        ]
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


def _account(accounts: list[dict[str, Any]], role: str) -> dict[str, Any]:
    return next(each for each in accounts if each["role"] == role)


def _ordinary_first(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return accounts in the order in which they are offered: the first is the explorer's own."""
    first = (_ORDINARY, _WITH_CATALOG)
    rank = {role: place for place, role in enumerate(first)}
    return sorted(accounts, key=lambda each: rank.get(each["role"], len(rank)))


def _curl(address: str, account: Mapping[str, Any], body: str) -> list[str]:
    return [
        f"  curl {address}/graphql -u {account['sid']}:{account['auth_token']} \\",
        "    -H 'Content-Type: application/json' \\",
        f"    -d '{body}'",
    ]


def server_for(
    app: ASGIApp,
    draining: Draining,
    settings: Settings,
    refused: RefusalsBelowHttp | None = None,
    endpoint: Endpoint | None = None,
) -> Server:
    """Return the server of the gateway's application."""
    return Server.of(
        app,
        draining,
        http=protocol_class(settings, draining, refused, endpoint),
        ws=_sockets(settings, refused),
        keep_alive=settings.keep_alive_timeout,
    )


def _sockets(
    settings: Settings, refused: RefusalsBelowHttp | None
) -> Callable[..., asyncio.Protocol]:
    """Return what makes the connection of a WebSocket; its libraries are loaded for the first."""

    @cache
    def kind() -> type[asyncio.Protocol]:
        from gateway.server.websocket_limits import socket_class  # noqa: PLC0415

        return socket_class(settings, refused)

    def make(**parts: Any) -> asyncio.Protocol:  # noqa: ANN401 - uvicorn's
        return kind()(**parts)

    return make
