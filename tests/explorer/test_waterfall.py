"""The upstream calls of a run: a line for each, in groups by field, with all that is known of it."""

import json
import re
import shlex

from playwright.sync_api import expect

from tests.explorer.conftest import SCREENSHOTS, Gateway
from tests.explorer.explorer_page import ExplorerPage, is_traced


def test_each_call_is_one_line_under_its_field_and_opens_to_all_that_is_known_of_it(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    account = gateway.create_account(owned=12, catalog=False)
    explorer.tab("ListAndFilter")
    explorer.set_credentials(account["sid"], account["auth_token"])
    panel = explorer.open_panel("Upstream")
    explorer.run()
    # The first attempt of the list fails: it is made again, for the same line.
    gateway.inject(
        {
            "kind": "status",
            "status": 503,
            "count": 1,
            "path": "*/IncomingPhoneNumbers*",
            "account": account["sid"],
        }
    )
    trace = explorer.run()["extensions"]["upstream"]
    gateway.inject()
    assert [call["status"] for call in trace["calls"] if call.get("attempt") == 2] == [200]
    assert trace["naive"] == trace["sent"] - 1 + trace["saved"]
    expect(panel.locator('[data-figure="naive"]')).to_have_text(str(trace["naive"]))
    rows = panel.locator(".call-row")
    expect(rows).to_have_count(len(trace["calls"]) - 1)
    assert {row.bounding_box()["height"] for row in rows.all()} == {24}  # type: ignore[index]
    fields = list(dict.fromkeys(", ".join(call["fields"]) for call in trace["calls"]))
    assert panel.locator(".call-group h4 code").all_inner_texts() == fields
    again = rows.filter(has_text="2 tries")
    again.click()
    expect(again).to_have_attribute("aria-expanded", "true")
    attempts = panel.locator(".call-attempts li")
    expect(attempts).to_have_text([re.compile("^503 after .* ms"), re.compile("^200 after .* ms")])
    explorer.screenshot(SCREENSHOTS / "waterfall.png")
    # What it asked for can be asked again, by whoever has credentials.
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    panel.get_by_role("button", name="Copy as curl").click()
    command: str = page.evaluate("window.copied")
    call = next(call for call in trace["calls"] if call.get("attempt") == 2)
    assert f"{gateway.sandbox}{call['path']}'" in command
    assert '-u "$TWILIO_ACCOUNT_SID:$TWILIO_AUTH_TOKEN"' in command
    assert account["auth_token"] not in command
    assert f"--data-urlencode '{call['query'].split('&')[0]}'" in command
    again.click()
    # What was not sent says why.
    rows.filter(has_text="shared").first.click()
    expect(panel.locator(".call-details")).to_contain_text("an equal read was on its way")


def test_a_second_read_beside_a_slow_one_is_an_attempt_of_the_same_call(
    explorer: ExplorerPage,
) -> None:
    """And a write is copied with all that it sends."""
    call = {"method": "GET", "path": "/2010-04-01/Accounts/AC1/X.json", "query": "Q=it's & co&P=1"}
    timing = {"durationMs": 5, "count": 1, "fields": ["numbers"]}
    calls = [
        call | timing | {"status": None, "startMs": 1, "outcome": "sent", "overtaken": True},
        call | timing | {"status": 200, "startMs": 3, "outcome": "hedge"},
        {
            "method": "POST",
            "path": "/2010-04-01/Accounts/AC1/Y.json",
            "query": "",
            "parameters": [{"name": "VoiceUrl", "value": "https://x.example/?a=it's&b=1"}],
            **timing | {"status": 200, "startMs": 4, "outcome": "sent"},
        },
    ]
    trace = {"calls": calls, "sent": 3, "saved": 0, "naive": 1, "totalMs": 9}
    body = json.dumps({"data": {"__typename": "Query"}, "extensions": {"upstream": trace}})
    explorer.new_tab("query Hedged { __typename }")
    panel = explorer.open_panel("Upstream")
    explorer.page.route(
        "**/graphql",
        lambda route, request: (
            route.fulfill(body=body, content_type="application/json")
            if is_traced(request)
            else route.continue_()
        ),
    )
    explorer.run()
    row = panel.locator(".call-row").first
    expect(row).to_contain_text("200 2 tries")
    expect(panel.locator(".call.is-failed")).to_have_count(0)
    row.click()
    attempts = panel.locator(".call-attempts li")
    expect(attempts.first).to_contain_text("given up: the other had answered")
    expect(attempts.last).to_contain_text("beside the first, which took long")
    expect(panel.locator(".call-parameters")).to_contain_text("it's & co")
    row.click()
    panel.locator(".call-row").last.click()
    expect(panel.locator(".call-parameters dd")).to_have_text("https://x.example/?a=it's&b=1")
    explorer.page.evaluate(
        "navigator.clipboard.writeText = async (text) => { window.copied = text }"
    )
    panel.get_by_role("button", name="Copy as curl").click()
    command: str = explorer.page.evaluate("window.copied")
    assert shlex.split(command)[1:3] == ["-X", "POST"]
    assert shlex.split(command)[-2:] == [
        "--data-urlencode",
        "VoiceUrl=https://x.example/?a=it's&b=1",
    ]
