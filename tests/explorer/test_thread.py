"""The thread is not lost: what went wrong is told in words, and what was there stays there."""

import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import ExplorerPage

OWNED = "query Owned { phoneNumbers(first: 60) { nodes { sid phoneNumber friendlyName } } }"
FOR_SALE = (
    "query ForSale { availablePhoneNumbers(country: US, first: 3) { nodes { phoneNumber } } }"
)
UNKNOWN_FIELD = "query Colours {\n  phoneNumbers(first: 3) { nodes { colour } }\n}"
REFUSED = """mutation Buy {
  purchasePhoneNumber(input: { phoneNumber: "+15005550000" }) { userErrors { message code } }
}"""
# Beyond this, the table has surely not been scrolled by itself.
SCROLLED = 300


def test_an_error_is_a_card_that_leads_to_its_place_and_the_json_is_one_click_away(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    explorer.put_operation(UNKNOWN_FIELD)
    answer = explorer.run()
    cards = page.get_by_role("region", name="What went wrong")
    expect(cards.get_by_role("heading")).to_have_text(answer["errors"][0]["message"])
    expect(cards).to_contain_text("What to do Mend it where locations points")
    expect(cards).to_contain_text("GRAPHQL_VALIDATION_FAILED")
    expect(cards.get_by_role("button", name="Copy the request's id")).to_be_visible()
    cards.get_by_role("button", name="line 2").click()
    page.keyboard.insert_text("x")
    expect(explorer.operation_editor).to_contain_text("xcolour")
    cards.get_by_role("button", name="Show the JSON").click()
    expect(cards).to_be_hidden()
    expect(explorer.response).to_be_visible()
    explorer.view("Errors")
    expect(cards).to_be_visible()
    # What cannot even be sent is told alike.
    explorer.set_text("headers", '{"Authorization')
    explorer.run_button.click()
    expect(cards.get_by_role("heading")).to_contain_text("Request not sent.")
    explorer.problems.clear()  # The browser tells of the refusal.


def test_what_a_mutation_was_refused_is_a_card_with_the_input_to_blame(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    explorer.tab("BuyNumber")
    explorer.wait_for_text("variables", lambda text: "5550000000" not in text)
    explorer.set_text("variables", '{"number": "+15005550000"}')
    explorer.run()
    cards = page.get_by_role("region", name="What went wrong")
    expect(cards).to_contain_text("NOT_AVAILABLE")
    expect(cards).to_contain_text("What to do Search again and offer another number.")
    cards.get_by_role("button", name="purchasePhoneNumber.input.phoneNumber, line 4").click()
    expect(explorer.operation_editor.locator(".cursor").first).to_be_visible()
    # Of several operations it is the one that ran which is pointed at.
    explorer.put_operation(f"query Before {{ account {{ sid }} }}\n{REFUSED}")
    explorer.run_button.click()
    explorer.run(page.get_by_role("menuitem", name="Buy").click)
    expect(cards.get_by_role("button", name="purchasePhoneNumber, line 3")).to_be_visible()


def test_wrong_credentials_are_noticed_when_they_are_entered(
    warm_page: Page, strict_gateway: Gateway
) -> None:
    explorer, page = ExplorerPage(warm_page, strict_gateway.url), warm_page
    explorer.open()
    account = strict_gateway.account("parent")
    explorer.bring_credentials(account["sid"], "0" * 32)
    alert = page.locator(".sign-in").get_by_role("alert")
    expect(alert).to_contain_text("These credentials were not accepted.")
    # Nothing behind it is out of reach: it closes like any other, and opens again.
    page.keyboard.press("Escape")
    expect(alert).to_be_hidden()
    expect(page.locator(".sign-in summary")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Account SID or API key SID").fill(account["sid"])
    page.locator(".sign-in input[type=password]").fill(account["auth_token"])
    page.get_by_role("button", name="Use them").click()
    signed_in = page.locator(".signed-in")
    ends = f"{account['sid'][:2]}…{account['sid'][-4:]}"
    expect(signed_in).to_contain_text(f"Signed in as {account['friendly_name']} {ends}")
    expect(page.locator(".sign-in").get_by_role("alert")).to_have_count(0)


@pytest.mark.usefixtures("subscriptions")
def test_a_subscription_goes_on_in_the_background_and_says_how_far_it_is(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    explorer.tab("WatchChanges")
    explorer.run_button.click()
    cause = page.get_by_role("button", name="Cause an event")
    # What happens before the gateway looks is not told: the first change may have to be repeated.
    # Not in haste, as two changes would be two events.
    for _ in range(10):
        cause.click()
        with suppress(AssertionError):
            expect(explorer.status).to_contain_text("1 event", timeout=10_000)
            break
    explorer.tab("ListAndFilter")
    pill = page.get_by_role("status", name="Subscriptions").get_by_role("button")
    expect(pill).to_have_text("WatchChanges1 event")
    # Other operations run meanwhile, and their changes are counted.
    sid = explorer.run()["data"]["phoneNumbers"]["nodes"][0]["sid"]
    explorer.new_tab(
        f'mutation {{ configurePhoneNumber(input: {{ sid: "{sid}",'
        ' configuration: { friendlyName: "Seen from afar" } }) { userErrors { code } } }'
    )
    explorer.run()
    expect(pill).to_have_text("WatchChanges2 events")
    pill.click()
    expect(explorer.run_button).to_have_attribute("aria-label", "Stop query (Ctrl-Enter)")
    expect(explorer.response).to_contain_text("Seen from afar")
    # A reload ends it, and it says so.
    page.reload()
    explorer.tab("WatchChanges")
    expect(explorer.status).to_contain_text("2 events · stopped by a reload")
    expect(explorer.response).to_contain_text("Seen from afar")
    expect(pill).to_have_count(0)
    # One whose operation is not in the editor any more can be stopped, too.
    explorer.run_button.click()
    expect(explorer.status).to_have_text("0 events")
    explorer.set_text("operation", "{ countries { code } }")
    explorer.tab("ListAndFilter")
    pill.click()
    explorer.status.get_by_role("button", name="Stop").click()
    expect(explorer.status).to_contain_text("0 events · stopped")


def test_answer_filter_sort_and_scroll_survive_a_run_a_change_of_tabs_and_a_reload(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    account = gateway.create_account(owned=60)
    explorer.put_operation(OWNED)
    explorer.set_credentials(account["sid"], account["auth_token"])
    explorer.run()
    explorer.view("Table")
    search = page.get_by_role("searchbox", name="Filter rows")
    search.fill("+1")
    explorer.grid.get_by_role("columnheader", name="phone").get_by_role("button").click()
    explorer.grid.get_by_role("columnheader", name="phone").get_by_role("button").click()
    explorer.grid.evaluate(f"(grid) => grid.scrollTop = {SCROLLED}")

    def as_it_was() -> dict[str, Any]:
        expect(explorer.grid).to_be_visible()
        expect(search).to_have_value("+1")
        header = explorer.grid.get_by_role("columnheader", name="phone")
        expect(header).to_have_attribute("aria-sort", "descending")
        explorer.wait_until(lambda: explorer.grid.evaluate("(grid) => grid.scrollTop") == SCROLLED)
        return {"rows": explorer.grid.get_attribute("aria-rowcount")}

    first = as_it_was()
    remembered = "sessionStorage.getItem('number-gateway:tables').includes('300')"
    explorer.wait_until(lambda: page.evaluate(remembered))
    explorer.run()
    assert as_it_was() == first
    explorer.tab("ListAndFilter")
    expect(explorer.grid).to_have_count(0)
    explorer.tab("Owned")
    assert as_it_was() == first
    page.reload()
    explorer.tab("Owned")
    assert as_it_was() == first
    # Nothing of who asked is kept: whoever that was, the rows offer nothing to others.
    stored = page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert account["auth_token"] not in stored
    assert "Basic " not in stored
    note = page.get_by_role("note")
    expect(note).to_contain_text(account["sid"])
    expect(page.get_by_role("button", name=re.compile(r"^Release \+"))).to_have_count(0)
    explorer.set_credentials(account["sid"], account["auth_token"])
    expect(note).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile(r"^Release \+")).first).to_be_visible()


@pytest.mark.usefixtures("explanations")
def test_a_change_of_a_row_leaves_the_trace_of_the_query_that_showed_it(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    panel = explorer.open_panel("Upstream")
    explorer.put_operation(FOR_SALE)
    body = explorer.run()
    calls = panel.locator(".waterfall [data-figure=sent]")
    expect(calls).to_have_text(str(body["extensions"]["upstream"]["sent"]))
    explorer.view("Table")
    page.get_by_role("button", name=re.compile(r"^Buy \+")).first.click()
    explorer.dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Bought.")
    explorer.dialog.get_by_role("button", name="Close").click()
    expect(panel.locator(".waterfall h3")).to_contain_text("ForSale")
    expect(panel.locator(".deed-traces summary")).to_have_text(re.compile(r"Buy \d calls"))
