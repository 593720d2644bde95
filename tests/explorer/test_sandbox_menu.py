"""What the explorer's menu asks of the sandbox, over HTTP: troubles to come, calm, a new start."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Request, Route, expect
from starlette.applications import Starlette

from gateway.explorer import sandbox_routes
from gateway.sandbox import SandboxSettings
from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import ExplorerPage
from tests.support import loopback
from tests.support.gateway_process import free_port
from tests.support.sandbox_in_thread import RunningSandbox, running_app, running_sandbox

PATH = "/explorer/sandbox"
CONFIGURE = """
mutation ($sid: ID!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: "Changed" } }) {
    userErrors { message }
  }
}
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """A small sandbox."""
    with running_sandbox(SandboxSettings(numbers=500)) as running:
        yield running


@pytest.fixture
def menu(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    """A client of the route, in front of a sandbox without faults."""
    sandbox.clear_faults()
    yield from _served(sandbox.url)


def _served(url: str) -> Iterator[httpx.Client]:
    def refuse(headers: Any) -> str | None:
        return "Not from there." if headers.get("origin") == "https://evil.example" else None

    app = Starlette(routes=sandbox_routes(url, refuse))
    with running_app(app) as own, loopback.Client(base_url=own) as client:
        yield client


def test_troubles_are_told_until_they_have_happened(
    sandbox: RunningSandbox, menu: httpx.Client
) -> None:
    assert menu.get(PATH).json() == {"troubles": []}
    assert menu.post(PATH, json={"trouble": "slow"}).json() == {"troubles": ["slow"]}
    assert menu.post(PATH, json={"trouble": "refuse"}).json() == {"troubles": ["refuse", "slow"]}

    menu.post(PATH, json={"calm": True})
    menu.post(PATH, json={"trouble": "refuse"})
    refused = sandbox.client.get("/Numbers/ActiveNumbers")

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert menu.get(PATH).json() == {"troubles": []}


def test_of_troubles_that_are_asked_for_at_once_none_is_forgotten(menu: httpx.Client) -> None:
    names = ["lose", "refuse", "slow"]
    for _ in range(2):
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: menu.post(PATH, json={"trouble": name}), names))
        assert menu.get(PATH).json() == {"troubles": names}
        menu.post(PATH, json={"calm": True})


def test_the_next_write_is_carried_out_and_its_answer_lost(
    sandbox: RunningSandbox, menu: httpx.Client
) -> None:
    menu.post(PATH, json={"trouble": "lose"})
    account = sandbox.accounts()["parent"]
    number = sandbox.inventory(fields=["phone_number"])[0]["phone_number"]
    path = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"
    auth = (account.sid, account.auth_token)

    with pytest.raises(httpx.TransportError):
        sandbox.client.post(path, data={"PhoneNumber": number}, auth=auth)

    assert [each["action"] for each in sandbox.ledger()] == ["bought"]


def test_a_reset_forgets_what_was_bought(sandbox: RunningSandbox, menu: httpx.Client) -> None:
    account = sandbox.accounts()["parent"]
    sandbox.create_account(role="mine")

    assert menu.post(PATH, json={"reset": True}).json() == {"troubles": []}

    assert "mine" not in sandbox.accounts()
    assert sandbox.accounts()["parent"] == account


@pytest.mark.parametrize(
    "wish",
    [
        *({}, [], "slow", {"trouble": "flood"}, {"trouble": []}, {"reset": False}),
        {"calm": True, "reset": True},
    ],
)
def test_what_nobody_can_do_is_refused(menu: httpx.Client, wish: object) -> None:
    refused = menu.post(PATH, json=wish)

    assert refused.status_code == 400
    assert refused.json() == {"error": "Nobody knows how to do that."}
    assert menu.post(PATH, content=b"{").json() == {"error": "The body is not JSON."}


def test_pages_of_other_sites_change_nothing(sandbox: RunningSandbox, menu: httpx.Client) -> None:
    headers = {"Origin": "https://evil.example"}

    refused = menu.post(PATH, json={"trouble": "slow"}, headers=headers)

    assert (refused.status_code, refused.json()) == (403, {"error": "Not from there."})
    assert sandbox.client.get("/_sandbox/faults").json() == {"faults": []}


def test_a_sandbox_that_is_gone_is_told() -> None:
    for client in _served(f"http://127.0.0.1:{free_port()}"):
        assert client.get(PATH).status_code == 502


# The menu itself, in Chromium -----------------------------------------------------------------------


def test_a_person_makes_trouble_sees_it_happen_and_begins_anew(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    menu = page.locator(".sandbox-menu summary")
    refuse = page.get_by_role("button", name="Refuse the next call with 429")
    menu.click()
    refuse.click()
    expect(refuse).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(refuse).to_be_hidden()
    expect(menu).to_be_focused()

    gateway.forget()
    explorer.new_tab("{ phoneNumbers(first: 1) { nodes { sid phoneNumber } } }")
    (number,) = explorer.run()["data"]["phoneNumbers"]["nodes"]

    assert [each["outcome"] for each in gateway.requests()].count("429") == 1
    expect(menu).to_have_text("Sandbox")
    answer = gateway.ask({"query": CONFIGURE, "variables": {"sid": number["sid"]}}).json()
    assert answer["data"]["configurePhoneNumber"]["userErrors"] == []
    assert gateway.ledger() != []

    menu.click()
    page.get_by_role("button", name="Begin anew…").click()
    page.get_by_role("button", name="Yes, forget all that happened").click()

    expect(page.locator(".sandbox-menu [role=status]")).to_have_text(
        "It is as it was at the start."
    )
    assert gateway.ledger() == []
    expect(explorer.status).to_be_hidden()


def test_the_menu_shows_what_was_asked_for_last(explorer: ExplorerPage, gateway: Gateway) -> None:
    page = explorer.page
    questions: list[Route] = []

    def hold_the_first(route: Route, request: Request) -> None:
        if request.method == "GET" and not questions:
            questions.append(route)
        else:
            route.continue_()

    page.route(f"**{PATH}", hold_the_first)
    slow = page.get_by_role("button", name="Answer each call a second late")
    page.locator(".sandbox-menu summary").click()
    explorer.wait_until(lambda: bool(questions))
    slow.click()
    expect(slow).to_have_attribute("aria-pressed", "true")
    # What was true before comes last.
    explorer.let_come(questions[0], {"troubles": []})
    assert slow.get_attribute("aria-pressed") == "true"
    gateway.inject()


def test_a_real_upstream_has_no_menu(strict_gateway: Gateway, warm_page: Page) -> None:
    warm_page.goto(strict_gateway.url)

    expect(warm_page.get_by_text("Real upstream")).to_be_visible()
    expect(warm_page.locator(".sandbox-menu")).to_have_count(0)
    assert loopback.get(f"{strict_gateway.url}{PATH}").status_code == 404
