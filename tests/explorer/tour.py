"""A tour through all states of the explorer, for those who look at them: axe, and people."""

from collections.abc import Iterator
from typing import Any, Final

from playwright.sync_api import expect

from tests.explorer.conftest import DESKTOP
from tests.explorer.explorer_page import ExplorerPage

LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
}
"""What browsers are told, to have each look of the page."""

SEARCH = (
    "query Search { availablePhoneNumbers(country: US, first: 30) { nodes { phoneNumber type"
    " geography { locality region latitude longitude } capabilities { voice { enabled }"
    " sms { enabled } mms { enabled } } } } }"
)
NESTED = (
    "query Nested { phoneNumbers(first: 5) { nodes { sid phoneNumber"
    " similarAvailable(within: RATE_CENTER, first: 2) { nodes { phoneNumber } } } } }"
)
REFUSED = (
    'mutation Refused { purchasePhoneNumber(input: { phoneNumber: "+14155550100" })'
    " { userErrors { code field message } } }"
)
FAILING = "query Failing { phoneNumbers(first: 5000) { nodes { sid } } account { sid } }"
FORM = (
    "query Form($filter: PhoneNumberFilter, $first: Int!)"
    " { phoneNumbers(first: $first, filter: $filter) { nodes { sid } } }"
)
WATCH = "subscription Watch { phoneNumberChanged { __typename } }"


def tour(explorer: ExplorerPage) -> Iterator[str]:
    """Bring the opened page from state to state; the name of each is given when it is there.

    One number is bought on the way.
    """
    yield "opened"
    yield from _rows(explorer)
    yield from _deeds(explorer)
    yield from _upstream(explorer)
    yield from _troubles(explorer)
    yield from _menus(explorer)
    yield from _panels(explorer)


def _rows(explorer: ExplorerPage) -> Iterator[str]:
    explorer.new_tab(SEARCH)
    explorer.run()
    explorer.view("JSON")
    yield "answer"
    explorer.view("Table")
    expect(explorer.grid).to_be_visible()
    yield "table"
    explorer.view("Map")
    expect(explorer.page.locator(".results-view svg").first).to_be_visible()
    yield "map"
    explorer.view("Table")


def _deeds(explorer: ExplorerPage) -> Iterator[str]:
    page, dialog = explorer.page, explorer.dialog
    explorer.grid.locator(".cell-action button").first.click()
    expect(dialog).to_contain_text("AC")
    yield "buying"
    dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome.first).to_contain_text("Bought.")
    yield "bought"
    dialog.get_by_role("button", name="Close").click()
    explorer.new_tab("query Owned { phoneNumbers(first: 5) { nodes { sid phoneNumber } } }")
    explorer.run()
    explorer.view("Table")
    explorer.grid.locator(".cell-action button").first.click()
    expect(dialog).to_contain_text("AC")
    yield "releasing"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def _upstream(explorer: ExplorerPage) -> Iterator[str]:
    explorer.new_tab(NESTED)
    panel = explorer.open_panel("Upstream")
    expect(panel.locator(".steps li").first).to_be_in_viewport()
    yield "plan"
    _close_on_a_phone(explorer)
    explorer.run()
    explorer.open_panel("Upstream")
    # A panel that opens comes from beside the screen.
    expect(panel.locator(".call-time").first).to_be_in_viewport()
    yield "trace"
    _close_on_a_phone(explorer)


def _troubles(explorer: ExplorerPage) -> Iterator[str]:
    explorer.new_tab(FAILING)
    explorer.run()
    yield "errors"
    explorer.new_tab(REFUSED)
    explorer.run()
    yield "refused"
    explorer.new_tab(WATCH)
    explorer.run_button.click()
    expect(explorer.status).to_contain_text("0 events")
    yield "subscribed"
    if _is_phone(explorer):
        explorer.page.get_by_role("tab", name="Operation").click()
    explorer.run_button.click()


def _menus(explorer: ExplorerPage) -> Iterator[str]:
    page = explorer.page
    explorer.new_tab(FORM)
    page.get_by_role("button", name="Fill in", exact=True).click()
    expect(explorer.dialog).to_be_visible()
    yield "variables"
    page.keyboard.press("Escape")
    page.locator(".sandbox-menu summary").click()
    yield "sandbox"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Open settings dialog").click()
    expect(explorer.dialog).to_be_visible()
    yield "settings"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Open short keys dialog").click()
    expect(explorer.dialog).to_be_visible()
    yield "short keys"
    page.keyboard.press("Escape")
    expect(explorer.dialog).to_be_hidden()


def _panels(explorer: ExplorerPage) -> Iterator[str]:
    for title, name in (
        ("Documentation Explorer", "reference"),
        ("Examples", "examples"),
        ("GraphiQL Explorer", "builder"),
        ("History", "history"),
    ):
        expect(explorer.open_panel(title)).to_be_in_viewport(ratio=0.5)
        explorer.settle()
        yield name
        _close_on_a_phone(explorer)


def _close_on_a_phone(explorer: ExplorerPage) -> None:
    """An open panel covers all else there; its button closes it, too."""
    hide = explorer.page.locator('.graphiql-sidebar button[aria-label^="Hide "]')
    if _is_phone(explorer) and hide.count():
        hide.first.click()


def _is_phone(explorer: ExplorerPage) -> bool:
    narrow: bool = explorer.page.evaluate("innerWidth < 761")
    return narrow
