"""A sandbox under a real uvicorn in a background thread, and what tests ask of it.

with running_sandbox(SandboxSettings(numbers=5_000)) as sandbox:
    parent = sandbox.accounts()["parent"]
    sandbox.set_faults([{"kind": "429", "path": "/Numbers/*"}])
"""

import asyncio
import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import uvicorn

from gateway.sandbox import SandboxSettings, create_sandbox
from tests.support import loopback
from tests.support.kept_connections import KeptConnections

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """An account of the sandbox with its credentials."""

    sid: str
    auth_token: str
    friendly_name: str
    owner_account_sid: str
    status: str
    type: str
    role: str
    catalog: bool
    api_key: dict[str, str]
    main_api_key: dict[str, str]

    @property
    def auth(self) -> tuple[str, str]:
        """User name and password for HTTP Basic."""
        return self.sid, self.auth_token

    @property
    def authorization(self) -> str:
        """The header that says the same."""
        return f"Basic {b64encode(':'.join(self.auth).encode()).decode()}"


@dataclass(slots=True)
class RunningSandbox:
    """A running sandbox and its control endpoints."""

    url: str
    """Base URL of both families, without a trailing slash."""
    client: httpx.Client = field(repr=False)
    """Bound to `url`, without credentials."""
    _kept: KeptConnections = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._kept = KeptConnections(self.url)

    def close(self) -> None:
        """Close what the control endpoints were asked over."""
        self._kept.close()

    def accounts(self) -> dict[str, SandboxAccount]:
        """Accounts by role; of several with one role, the first."""
        found: dict[str, SandboxAccount] = {}
        for account in self.all_accounts():
            found.setdefault(account.role, account)
        return found

    def all_accounts(self) -> list[SandboxAccount]:
        """Every account in order of creation."""
        listed = self._control("GET", "accounts")["accounts"]
        return [SandboxAccount(**account) for account in listed]

    def subaccounts(self) -> list[SandboxAccount]:
        """The seeded subaccounts of the parent."""
        return [account for account in self.all_accounts() if account.role == "subaccount"]

    def create_account(self, **fields: Any) -> SandboxAccount:
        """Makes an account; fields: `role`, `catalog`, `type`, `status`, `owner_account_sid`, `owned`."""
        return SandboxAccount(**self._control("POST", "accounts", fields))

    def put_number(
        self,
        account_sid: str | None = None,
        phone_number: str | None = None,
        resource: dict[str, Any] | None = None,
        absent: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Makes or changes one number: owned by an account, or available when that is None.

        `resource` is merged into what the number is; `absent` are dotted paths to remove from it.
        """
        document: dict[str, Any] = {
            "account_sid": account_sid,
            "resource": resource or {},
            "absent": list(absent),
        }
        if phone_number is not None:
            document["phone_number"] = phone_number
        number: dict[str, Any] = self._control("POST", "numbers", document)
        return number

    def numbers(self, account_sid: str) -> list[dict[str, Any]]:
        """All attributes and settings of an account's numbers."""
        listed: list[dict[str, Any]] = self._control(
            "GET", "numbers", params={"account_sid": account_sid}
        )["numbers"]
        return listed

    def inventory(
        self,
        country: str | None = None,
        number_type: str | None = None,
        fields: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Every number that can be bought, in search order; `fields` limits the attributes."""
        params = {"country": country, "type": number_type, "fields": ",".join(fields) or None}
        listed: list[dict[str, Any]] = self._control(
            "GET", "inventory", params={key: value for key, value in params.items() if value}
        )
        return listed

    def requests(self) -> list[dict[str, Any]]:
        """Requests to the number API since the start or `forget_requests`, oldest first."""
        listed: list[dict[str, Any]] = self._control("GET", "requests")["requests"]
        return listed

    def forget_requests(self) -> None:
        """Empties the list of requests."""
        self._control("DELETE", "requests")

    def ledger(self) -> list[dict[str, Any]]:
        """Numbers bought, released, transferred, configured; oldest first."""
        listed: list[dict[str, Any]] = self._control("GET", "ledger")["entries"]
        return listed

    def set_faults(self, faults: Sequence[dict[str, Any]]) -> None:
        """Replaces the faults to inject."""
        self._control("PUT", "faults", {"faults": list(faults)})

    def faults(self) -> list[dict[str, Any]]:
        """The faults with how often each matched and fired."""
        listed: list[dict[str, Any]] = self._control("GET", "faults")["faults"]
        return listed

    def clear_faults(self) -> None:
        """Removes all faults."""
        self._control("DELETE", "faults")

    def set_switches(self, **switches: Any) -> None:
        """Changes some behaviours."""
        self._control("PUT", "switches", switches)

    def reset_switches(self) -> None:
        """Restores the behaviours it was started with."""
        self._control("DELETE", "switches")

    def _control(
        self,
        method: str,
        name: str,
        document: Any = None,
        params: dict[str, Any] | None = None,
    ) -> Any:
        query = f"?{urlencode(params)}" if params else ""
        body = None if document is None else json.dumps(document).encode()
        status, content = self._kept.ask(method, f"/_sandbox/{name}{query}", body, {})
        assert status < 300, f"{method} {name}: {status} {content.decode()}"
        return orjson.loads(content) if content else None


@contextmanager
def running_sandbox(settings: SandboxSettings | None = None) -> Iterator[RunningSandbox]:
    """Starts a sandbox on a free loopback port and stops it at the end.

    Without `settings` its numbers are those of any sandbox, but not generated anew: that takes thirty
    times as long as opening a copy of the file that keeps them.
    """
    with TemporaryDirectory() as folder:
        if settings is None:
            data = Path(folder) / "sandbox.sqlite"
            data.write_bytes(_generated())
            settings = SandboxSettings(data=data)
        with running_app(create_sandbox(settings)) as url, loopback.Client(base_url=url) as client:
            sandbox = RunningSandbox(url, client)
            try:
                yield sandbox
            finally:
                sandbox.close()


@cache
def _generated() -> bytes:
    """Return the data file of a sandbox with default settings that nobody has asked yet."""
    with TemporaryDirectory() as folder:
        data = Path(folder) / "sandbox.sqlite"
        with running_app(create_sandbox(SandboxSettings(data=data))):
            pass  # It closes its file when it ends.
        return data.read_bytes()


@contextmanager
def running_app(app: Any, **options: Any) -> Iterator[str]:
    """Serves an ASGI application under uvicorn in a thread; gives its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio leaves Nagle's algorithm on for sockets it did not make: 40 ms per answer. Inherited.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A slow machine may think for longer than uvicorn keeps a silent connection of its own accord.
    chosen: dict[str, Any] = {"lifespan": "on", "timeout_keep_alive": 120} | options
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, **chosen)
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])),
        name="uvicorn",
        daemon=True,
    )
    thread.start()
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                message = "the server did not start"
                raise RuntimeError(message)
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        listener.close()
