"""A real gateway with its sandbox, and a real browser on it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway.explorer.routes import STATIC
from tests.explorer.explorer_page import ExplorerPage

SCREENSHOTS = Path(__file__).parent / "screenshots"
DESKTOP = {"width": 1440, "height": 900}
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Gateway:
    """A running gateway; `sandbox` is the base URL of the number API behind it."""

    url: str
    sandbox: str

    def requests(self) -> list[dict[str, Any]]:
        """What the sandbox has been asked since `forget`."""
        listed: list[dict[str, Any]] = self._sandbox("GET", "requests")["requests"]
        return listed

    def forget(self) -> None:
        """Start counting anew."""
        self._sandbox("DELETE", "requests")

    def ledger(self) -> list[dict[str, Any]]:
        """Numbers bought, released, transferred and configured; oldest first."""
        entries: list[dict[str, Any]] = self._sandbox("GET", "ledger")["entries"]
        return entries

    def account(self, role: str) -> dict[str, Any]:
        """The first account with that role."""
        accounts = self._sandbox("GET", "accounts")["accounts"]
        found: dict[str, Any] = next(each for each in accounts if each["role"] == role)
        return found

    def create_account(self, **fields: Any) -> dict[str, Any]:
        """Make an account; `owned` is how many numbers it has."""
        made: dict[str, Any] = self._sandbox("POST", "accounts", fields)
        return made

    def buy(self, phone_number: str) -> None:
        """Buy a number for the first subaccount, straight from the sandbox."""
        account = self.account("subaccount")
        httpx.post(
            f"{self.sandbox}/2010-04-01/Accounts/{account['sid']}/IncomingPhoneNumbers.json",
            data={"PhoneNumber": phone_number},
            auth=(account["sid"], account["auth_token"]),
        ).raise_for_status()

    def _sandbox(self, method: str, name: str, document: Any = None) -> Any:
        url = f"{self.sandbox}/_sandbox/{name}"
        response = httpx.request(method, url, json=document, timeout=30)
        response.raise_for_status()
        return response.json() if response.content else None


def missing(what: str) -> NoReturn:
    """Skip on a developer's machine; where everything must be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """`number-gateway serve --sandbox` in a process of its own."""
    if not (STATIC / "index.html").is_file():
        missing("the explorer is not built: npm run build --prefix gateway/explorer/web")
    port, sandbox_port = _free_ports()
    ports = ["--port", str(port), "--sandbox-port", str(sandbox_port)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "gateway", "serve", "--sandbox", *ports],
        stdout=subprocess.DEVNULL,
    )
    running = Gateway(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}")
    try:
        _wait_until_ready(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        missing("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window of its own, with nothing remembered."""
    context = browser.new_context(viewport=DESKTOP, color_scheme="light")  # type: ignore[arg-type]
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page in that window."""
    return context.new_page()


@pytest.fixture
def explorer(page: Page, gateway: Gateway) -> Iterator[ExplorerPage]:
    """The explorer, opened; at the end nothing may have gone wrong in the page."""
    explorer = ExplorerPage(page, gateway.url)
    explorer.open()
    yield explorer
    assert explorer.problems == []


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _wait_until_ready(gateway: Gateway, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "the gateway stopped while starting"
        try:
            if httpx.get(f"{gateway.url}/healthz", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the gateway did not get ready")
