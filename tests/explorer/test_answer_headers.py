"""The headers of an answer and what is left of a caller's limits, in Chromium."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.explorer.conftest import Gateway, serving
from tests.explorer.explorer_page import ExplorerPage


def test_headers_are_shown_with_what_is_left_of_the_limits(
    gateway: Gateway, warm_page: Page, tmp_path: Path
) -> None:
    limits = {"GATEWAY_REQUESTS_PER_MINUTE": "900", "GATEWAY_PURCHASES_PER_DAY": "0"}
    account = gateway.account("parent")
    own = {"TWILIO_ACCOUNT_SID": account["sid"], "TWILIO_AUTH_TOKEN": account["auth_token"]}
    with serving(tmp_path, "--auth", "open", sandbox=gateway.sandbox, **limits, **own) as limited:
        explorer = ExplorerPage(warm_page, limited.url)
        explorer.open()
        explorer.new_tab("{ __typename }")
        explorer.run()

        warm_page.get_by_role("button", name="Headers", exact=True).last.click()

        dialog = warm_page.get_by_role("dialog", name="Headers of the answer")
        header = dialog.locator("dl div")
        expect(header.filter(has_text="content-typeapplication")).to_contain_text(
            "graphql-response+json"
        )
        expect(header.filter(has_text="x-request-id")).to_have_count(1)
        left = dialog.get_by_role("listitem")
        expect(left.first).to_contain_text("of 900 in a minute.")
        expect(left.last).to_have_text("Any number of purchases: they are not limited here.")
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()
