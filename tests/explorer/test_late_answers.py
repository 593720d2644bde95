"""Answers that come late: each is shown where it was asked for, and nowhere else."""

import json

from playwright.sync_api import expect

from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import EXECUTE, ExplorerPage

# In place of a server that sends a part when the test says so.
PARTS = """() => {
  const fetch = window.original = window.fetch;
  window.fetch = (url, options) => {
    if (options?.headers?.['X-Gateway-Explain'] !== 'trace') return fetch(url, options);
    const body = new ReadableStream({ start: (control) => { window.answer = control } });
    const headers = { 'content-type': 'multipart/mixed; boundary="-"' };
    return Promise.resolve(new Response(body, { headers }));
  };
}"""
SEND = "(text) => window.answer.enqueue(new TextEncoder().encode(text))"


def test_a_late_answer_of_a_run_is_shown_in_its_own_tab_and_not_over_a_later_one(
    explorer: ExplorerPage,
) -> None:
    explorer.new_tab("query Slow { slow: __typename }")
    slow = explorer.hold("query Slow")
    explorer.run_button.click()
    explorer.wait_until(lambda: len(slow) == 1)
    # Stopped, and another one run in its place.
    explorer.run_button.click()
    expect(explorer.run_button).to_have_attribute("aria-label", EXECUTE)
    explorer.type_operation("query Next { next: __typename }")
    explorer.run()
    expect(explorer.response).to_contain_text("next")
    explorer.let_come(slow[0])
    assert '"slow"' not in explorer.editor_text("response")
    # A new tab waits for nothing of the one before.
    explorer.type_operation("query Slow { slow: __typename }")
    explorer.take_note()
    explorer.run_button.click()
    explorer.wait_until(lambda: len(slow) == 2)
    explorer.new_tab("query Quick { quick: __typename }")
    expect(explorer.run_button).to_have_attribute("aria-label", EXECUTE)
    explorer.let_come(slow[1])
    assert '"slow"' not in explorer.editor_text("response")
    explorer.tab("Slow")
    expect(explorer.response).to_contain_text('"slow"')


def test_parts_of_an_answer_that_come_in_the_background_are_kept_for_their_tab(
    explorer: ExplorerPage,
) -> None:
    parts: list[dict[str, object]] = [
        {"data": {"first": 1}, "pending": [{"id": "0", "path": []}], "hasNext": True},
        {"incremental": [{"id": "0", "data": {"second": 2}}], "hasNext": True},
        {"completed": [{"id": "0"}], "hasNext": False},
    ]
    head = "\r\n---\r\ncontent-type: application/json\r\n\r\n"
    explorer.page.evaluate(PARTS)
    explorer.new_tab("query Parts { __typename ... @defer { __typename } }")
    explorer.run_button.click()
    explorer.page.wait_for_function("window.answer")
    explorer.page.evaluate(SEND, head + json.dumps(parts[0]) + "\r\n---")
    expect(explorer.response).to_contain_text('"first"')
    explorer.tab("SearchNearPlace")
    for part in parts[1:]:
        explorer.page.evaluate(SEND, head[5:] + json.dumps(part) + "\r\n---")
        explorer.settle()
        assert explorer.editor_text("response") == ""
    explorer.page.evaluate("window.answer.close()")
    # Nor does its end end what runs there by now.
    explorer.page.evaluate("void (window.fetch = window.original)")
    explorer.run()
    explorer.tab("Parts")
    expect(explorer.response).to_contain_text('"second"')
    expect(explorer.run_button).to_have_attribute("aria-label", EXECUTE)


def test_numbers_that_come_late_are_for_the_tab_and_the_account_they_were_asked_for(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    explorer.tab("BuyNumber")
    explorer.wait_for_text("variables", lambda text: "5550000000" not in text)
    asked = explorer.hold("query NumberForSale")
    page.get_by_role("button", name="Another number").click()
    explorer.wait_until(lambda: len(asked) == 1)
    explorer.tab("VanityPattern")
    explorer.wait_for_text("variables", lambda text: "pattern" in text)
    explorer.let_come(asked[0])
    assert json.loads(explorer.editor_text("variables")) == {"pattern": "*7*7"}
    asked = explorer.hold("query OwnedNumbers")
    explorer.tab("PointAtWebhook")
    explorer.wait_until(lambda: len(asked) == 1)
    choice = page.get_by_label("Choose a number of yours")
    choice.focus()
    explorer.wait_until(lambda: len(asked) == 2)
    page.get_by_label("Account").select_option(gateway.account("subaccount")["sid"])
    explorer.wait_until(lambda: len(asked) == 3)
    explorer.let_come(asked[2])
    options = choice.get_by_role("option")
    expect(options).not_to_have_count(1)
    own = options.all_inner_texts()
    for route in asked[:2]:
        explorer.let_come(route)
    assert options.all_inner_texts() == own


def test_limits_and_plans_are_those_that_were_asked_for_last(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    panel = explorer.open_panel("Upstream")
    # What this page may still ask goes with it, and is not one of those that are held.
    address = page.url
    page.goto(f"{gateway.url}/healthz")
    probes = explorer.hold("query Probe", plans=True)
    page.goto(address)
    explorer.wait_until(lambda: len(probes) == 1)
    explorer.new_tab("query Planned { countries { code } }")
    explorer.wait_until(lambda: len(probes) == 2)
    explorer.let_come(probes[1])
    expect(panel.locator(".plan .figures")).to_be_visible()
    explorer.let_come(probes[0], {"errors": [{"message": "Not with these credentials."}]})
    expect(panel.locator(".plan .figures")).to_be_visible()
    assert "makes no plans" not in panel.inner_text()
    explorer.run()
    dialog = page.get_by_role("dialog", name="Headers of the answer")
    left = dialog.get_by_role("listitem")
    few = {"limit": 7, "remaining": 3, "windowSeconds": 60}
    limits = explorer.hold("query Limits")
    for times in (1, 2):
        page.get_by_role("button", name="Headers", exact=True).last.click()
        explorer.wait_until(lambda times=times: len(limits) == times)  # type: ignore[misc]
        if times == 1:
            dialog.get_by_role("button", name="Close").click()
    explorer.let_come(limits[1])
    expect(left).to_have_count(2)
    own = left.all_inner_texts()
    rates = {"requests": few, "purchases": few}
    explorer.let_come(limits[0], {"data": {"rateLimit": rates}})
    assert left.all_inner_texts() == own
