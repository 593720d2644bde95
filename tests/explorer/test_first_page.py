"""What there is before the editor: on a slow connection an operation can be typed and run at once."""

import re

from playwright.sync_api import Page, Route, expect

from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import ExplorerPage

QUERY = "query First { countries { code } }"


def hold_the_editor(page: Page) -> list[Route]:
    """Keep what the editor is made of from coming; return the requests that wait."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile("/explorer/assets/mount-[^/]*[.]js"), hold)
    return held


def test_what_is_typed_and_run_before_the_editor_is_there_goes_on_in_it(
    warm_page: Page, gateway: Gateway
) -> None:
    explorer, page = ExplorerPage(warm_page, gateway.url), warm_page
    held = hold_the_editor(page)
    page.goto(gateway.url, wait_until="commit")
    text = page.get_by_role("textbox", name="Operation")
    expect(text).to_have_value(re.compile("SearchNearPlace"))
    text.fill(QUERY)
    text.evaluate("(area) => area.setSelectionRange(6, 11)")
    with page.expect_response("**/graphql") as caught:
        page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("region", name="Answer")).to_contain_text('"countries"')
    expect(page.locator(".first-bar [role=status]")).to_contain_text("200 · ")
    text.focus()

    explorer.wait_until(lambda: bool(held))
    for route in held:
        route.continue_()

    expect(page.locator(".first-page")).to_have_count(0)
    expect(explorer.operation_editor.locator(".view-lines")).to_contain_text("query First")
    expect(explorer.operation_editor.locator("textarea")).to_be_focused()
    expect(explorer.response).to_contain_text('"countries"')
    expect(explorer.status).to_contain_text("200 · ")
    code = caught.value.json()["data"]["countries"][0]["code"]
    explorer.view("Table")
    expect(explorer.grid).to_contain_text(code)

    # What is still on its way comes to its tab, too.
    held.clear()
    page.reload(wait_until="commit")
    text.fill("query Second { second: __typename }")
    asked = explorer.hold("query Second")
    page.get_by_role("button", name="Run", exact=True).click()
    explorer.wait_until(lambda: bool(asked) and bool(held))
    for route in held:
        route.continue_()
    expect(page.locator(".first-page")).to_have_count(0)
    asked[0].continue_()
    expect(explorer.status).to_contain_text("200 · ")
    explorer.view("JSON")
    expect(explorer.response).to_contain_text('"second"')
    assert explorer.problems == []


def test_credentials_that_are_wanted_first_are_asked_for_by_the_whole_explorer(
    strict_gateway: Gateway, warm_page: Page
) -> None:
    explorer, page = ExplorerPage(warm_page, strict_gateway.url), warm_page
    held = hold_the_editor(page)
    page.goto(strict_gateway.url, wait_until="commit")
    explorer.wait_until(lambda: bool(held))

    page.evaluate("new Promise((done) => setTimeout(done, 1000 - performance.now()))")

    expect(page.locator(".first-page")).to_have_count(0)
    expect(page.get_by_text("Opening the explorer")).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.get_by_text("Real upstream")).to_be_visible()
    assert explorer.problems == []
