"""A real gateway with its sandbox, and a real browser on it."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from gateway.explorer.routes import STATIC
from tests.explorer import chromium
from tests.explorer.explorer_page import READY, ExplorerPage
from tests.support import loopback
from tests.support.gateway_process import served, served_with_sandbox

SCREENSHOTS = Path(__file__).parent / "screenshots"
TOKEN_SECRET = "a-secret-of-thirty-two-bytes-or-more"
DESKTOP = {"width": 1440, "height": 900}
# What is waited for comes; how soon, is a matter of the machine.
expect.set_options(timeout=READY)


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

    def ask(self, document: dict[str, Any], **headers: str) -> httpx.Response:
        """Send a GraphQL request as the parent account; give the start of the answer."""
        return self.ask_as(self.account("parent"), document, **headers)

    def ask_as(
        self, account: dict[str, Any], document: dict[str, Any], **headers: str
    ) -> httpx.Response:
        """Send a GraphQL request as an account; give the start of the answer."""
        with loopback.Client(auth=(account["sid"], account["auth_token"]), timeout=30) as client:
            request = client.build_request(
                "POST", f"{self.url}/graphql", json=document, headers=headers
            )
            response = client.send(request, stream=True)
            if not response.headers["content-type"].startswith("text/event-stream"):
                response.read()
            response.close()
            return response

    def create_account(self, **fields: Any) -> dict[str, Any]:
        """Make an account; `owned` is how many numbers it has."""
        made: dict[str, Any] = self._sandbox("POST", "accounts", fields)
        return made

    def inject(self, *faults: dict[str, Any]) -> None:
        """Let these faults happen, and no others."""
        self._sandbox("PUT", "faults", {"faults": list(faults)})

    def buy(self, phone_number: str, account: dict[str, Any] | None = None) -> None:
        """Buy a number straight from the sandbox, for the first subaccount unless said otherwise."""
        account = account or self.account("subaccount")
        loopback.post(
            f"{self.sandbox}/2010-04-01/Accounts/{account['sid']}/IncomingPhoneNumbers.json",
            data={"PhoneNumber": phone_number},
            auth=(account["sid"], account["auth_token"]),
        ).raise_for_status()

    def _sandbox(self, method: str, name: str, document: Any = None) -> Any:
        url = f"{self.sandbox}/_sandbox/{name}"
        response = loopback.request(method, url, json=document, timeout=30)
        response.raise_for_status()
        return response.json() if response.content else None


def missing(what: str) -> NoReturn:
    """Skip on a developer's machine; where everything must be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


# Package, not session: Playwright keeps an event loop running in this thread, and other tests
# run loops of their own.
@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """`number-gateway serve --sandbox` in a process of its own."""
    with serving(tmp_path_factory.mktemp("explorer")) as running:
        yield running


@pytest.fixture(scope="package")
def strict_gateway(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that knows of no sandbox: whoever asks brings the upstream's credentials."""
    folder = tmp_path_factory.mktemp("strict")
    with serving(folder, "--auth", "pass-through", sandbox=gateway.sandbox) as running:
        yield running


@pytest.fixture
def token_gateway(gateway: Gateway, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that acts as the parent account for whoever has a token."""
    account = gateway.account("parent")
    environment = {
        "TWILIO_ACCOUNT_SID": account["sid"],
        "TWILIO_AUTH_TOKEN": account["auth_token"],
        "GATEWAY_TOKEN_ALGORITHM": "HS256",
        "GATEWAY_TOKEN_SECRET": TOKEN_SECRET,
        "GATEWAY_TOKEN_ISSUER": "us",
        "GATEWAY_TOKEN_AUDIENCE": "gateway",
    }
    with serving(tmp_path, "--auth", "tokens", sandbox=gateway.sandbox, **environment) as running:
        yield running


@pytest.fixture(scope="package")
def explanations(gateway: Gateway) -> None:
    """The gateway plans and traces operations."""
    answer = gateway.ask({"query": "{ __typename }"}, **{"X-Gateway-Explain": "plan"}).json()
    if "plan" not in answer.get("extensions", {}):
        missing("the gateway does not answer X-Gateway-Explain")


@pytest.fixture(scope="package")
def persisted_queries(gateway: Gateway) -> None:
    """The gateway knows Apollo's automatic persisted queries."""
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    if "PersistedQueryNotFound" not in gateway.ask({"extensions": extensions}).text:
        missing("the gateway has no automatic persisted queries")


@pytest.fixture(scope="package")
def subscriptions(gateway: Gateway) -> None:
    """The gateway sends events."""
    query = "subscription { phoneNumberChanged { id } }"
    answer = gateway.ask({"query": query}, Accept="text/event-stream")
    if not answer.headers["content-type"].startswith("text/event-stream"):
        missing("the gateway has no subscriptions over SSE")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if chromium.installed() is None:
        missing("Chromium is not installed")
    with sync_playwright() as playwright, chromium.launched(playwright) as browser:
        yield browser


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


@pytest.fixture(scope="package")
def warm_context(browser: Browser, gateway: Gateway) -> Iterator[BrowserContext]:
    """A window that keeps its cache and its process between tests.

    Otherwise a page takes twice the processor's time.
    """
    context = browser.new_context(viewport=DESKTOP, color_scheme="light")  # type: ignore[arg-type]
    # What a page remembers is forgotten in each new tab, but not when a tab reloads. Whoever opens one
    # has chosen the account that has the preview catalog of numbers.
    chosen = json.dumps({"state": {"sid": gateway.account("parent")["sid"]}, "version": 0})
    context.add_init_script(
        "if (!sessionStorage.getItem('opened')) {"
        f" localStorage.clear(); localStorage.setItem('number-gateway:account', '{chosen}') }};"
        " sessionStorage.setItem('opened', 'yes')"
    )
    # The process ends with the last page in it.
    context.new_page().goto(f"{gateway.url}/healthz")
    yield context
    context.close()


@pytest.fixture
def warm_page(warm_context: BrowserContext) -> Iterator[Page]:
    """An empty page in the window that keeps its cache, for another gateway's explorer."""
    page = warm_context.new_page()
    yield page
    leave(page)


@pytest.fixture
def explorer(warm_context: BrowserContext, gateway: Gateway) -> Iterator[ExplorerPage]:
    """The explorer, opened; at the end nothing may have gone wrong in the page."""
    explorer = ExplorerPage(warm_context.new_page(), gateway.url)
    explorer.open()
    yield explorer
    leave(explorer.page)
    assert explorer.problems == []


def leave(page: Page) -> None:
    """Close a page of the window that keeps its cache.

    GraphiQL writes its tabs down half a second late, and a page that is closed may live on for a while:
    what it wrote would be the next one's.
    """
    page.evaluate("Storage.prototype.setItem = () => {}")
    page.close()


@contextmanager
def serving(
    folder: Path, *arguments: str, sandbox: str | None = None, **environment: str
) -> Iterator[Gateway]:
    """Serve with a sandbox of its own, or in front of `sandbox`."""
    if not (STATIC / "index.html").is_file():
        missing("the explorer is not built: npm run build --prefix gateway/explorer/web")
    if sandbox is None:
        with served_with_sandbox(*arguments, folder=folder, **environment) as (url, own, _):
            _gets_ready(url)
            yield Gateway(url, own)
    else:
        upstream = ("--catalog-url", sandbox, "--core-url", sandbox)
        with served(*upstream, *arguments, folder=folder, **environment) as (url, _):
            yield Gateway(url, sandbox)


def _gets_ready(url: str) -> None:
    """Wait until the gateway answers: it serves when its sandbox does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if loopback.get(f"{url}/healthz", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the gateway did not get ready")
