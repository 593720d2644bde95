"""Buttons that spend money and give numbers away, as people use them in Chromium."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.explorer.conftest import SCREENSHOTS, Gateway
from tests.explorer.explorer_page import ExplorerPage
from tests.explorer.test_explorer import CONTRASTS

SEARCH = (
    "query ForSale { availablePhoneNumbers(country: US, first: 8) { nodes { phoneNumber"
    " geography { locality region } capabilities { voice { enabled } sms { enabled } } } } }"
)
OWNED = "query Owned { phoneNumbers(first: 20) { nodes { sid phoneNumber } } }"
LOST = {"kind": "reset", "method": "POST"}
"""Nobody knows: the connection breaks before the purchase is processed, and looking shows nothing."""


@pytest.fixture
def account(gateway: Gateway) -> Iterator[dict[str, Any]]:
    """An account of its own, with three numbers, that only the 2010-04-01 API serves."""
    yield gateway.create_account(owned=3, catalog=False, friendly_name="Night shift")
    gateway.inject()


def ask(explorer: ExplorerPage, account: dict[str, Any], operation: str) -> list[dict[str, Any]]:
    """Run an operation as an account in a tab of its own; return its rows, as the table shows them."""
    explorer.new_tab(operation)
    explorer.set_credentials(account["sid"], account["auth_token"])
    (connection,) = explorer.run()["data"].values()
    explorer.view("Table")
    expect(explorer.grid).to_be_visible()
    nodes: list[dict[str, Any]] = connection["nodes"]
    return nodes


def spaced(number: str) -> str:
    """The number as people read it."""
    return f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:]}"


# Buttons belong to the answer ---------------------------------------------------------------------


def test_a_row_offers_what_its_own_answer_allows_whatever_is_typed_since(
    explorer: ExplorerPage, account: dict[str, Any]
) -> None:
    rows = ask(explorer, account, OWNED)
    buttons = explorer.grid.locator(".cell-action button")
    cells = explorer.grid.inner_text()
    for typed in (SEARCH, "query Owned {{{ nonsense", "", "mutation M { a }"):
        explorer.type_operation(typed)
        explorer.take_note()
        expect(buttons).to_have_text(["Release"] * len(rows))
        assert explorer.grid.inner_text() == cells
    explorer.type_operation(SEARCH)
    explorer.run()
    expect(buttons).to_have_text(["Buy"] * 8)
    explorer.type_operation(OWNED + "x")
    explorer.take_note()
    expect(buttons).to_have_text(["Buy"] * 8)


def test_a_number_is_released_in_the_account_that_the_query_named(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    parent = gateway.create_account()
    child = gateway.create_account(owned=2, owner_account_sid=parent["sid"])
    query = (
        f"query Childs($account: ID = {json.dumps(child['sid'])})"
        " { phoneNumbers(accountSid: $account) { nodes { sid phoneNumber } } }"
    )
    number = ask(explorer, parent, query)[0]["phoneNumber"]
    dialog = explorer.open_deed(number)
    expect(dialog).to_contain_text(child["sid"])
    dialog.get_by_label("last four digits").fill(number[-4:])
    dialog.get_by_role("button", name="Release this number").click()
    expect(explorer.outcome).to_contain_text("Released.")
    assert gateway.ledger()[-1]["account_sid"] == child["sid"]


def test_an_answer_stays_with_its_tab_when_another_comes_to_the_front(
    explorer: ExplorerPage, account: dict[str, Any]
) -> None:
    rows = ask(explorer, account, OWNED)
    explorer.view("JSON")
    held = explorer.hold("query Owned")
    explorer.run_button.click()
    explorer.wait_until(lambda: bool(held))
    explorer.tab("SearchNearPlace")
    explorer.let_come(held[0])
    expect(explorer.response).not_to_contain_text(rows[0]["phoneNumber"])
    explorer.tab("Owned")
    expect(explorer.response).to_contain_text(rows[0]["phoneNumber"])


# Under way ----------------------------------------------------------------------------------------


def test_a_purchase_under_way_stays_with_its_row_and_its_outcome_is_told_anywhere(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    page = explorer.page
    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    held = explorer.hold("mutation Buy")
    dialog = explorer.open_deed(number)
    dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Buying…")
    expect(dialog.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Buy this number")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Close")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(explorer.deed(number)).to_have_text("Buying…")
    expect(explorer.deed(number)).to_be_disabled()
    expect(explorer.tidings).to_contain_text("Buying…")
    # The same number in another answer is the same purchase.
    page.get_by_role("searchbox").fill(number)
    explorer.run()
    explorer.grid.focus()
    page.keyboard.press("Enter")
    expect(explorer.deed(number)).to_have_text("Buying…")
    expect(dialog).to_be_hidden()
    explorer.screenshot(SCREENSHOTS / "buying.png")
    explorer.tab("VanityPattern")
    assert len(held) == 1
    held[0].continue_()
    expect(explorer.tidings).to_contain_text("Bought.")
    expect(explorer.tidings).to_contain_text(spaced(number))
    explorer.screenshot(SCREENSHOTS / "bought-elsewhere.png")
    explorer.tidings.get_by_role("button", name="Dismiss").click()
    expect(explorer.tidings).to_be_empty()
    explorer.tab("ForSale")
    expect(explorer.deed(number)).to_have_text("Bought")
    expect(explorer.deed(number)).to_be_disabled()
    assert [entry["phone_number"] for entry in gateway.ledger()].count(number) == 1


def test_a_number_that_was_given_back_can_be_bought_again(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    explorer.open_deed(number).get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Bought.")
    explorer.dialog.get_by_role("button", name="Close").click()
    expect(explorer.tidings).to_be_empty()
    explorer.tab("ReleaseNumber")
    explorer.set_credentials(account["sid"], account["auth_token"])
    sid = next(each["sid"] for each in reversed(gateway.ledger()) if each["sid"])
    explorer.set_text("variables", json.dumps({"sid": sid, "number": number}))
    assert explorer.run()["data"]["releasePhoneNumber"]["userErrors"] == []
    again = SEARCH.replace("first: 8", f'first: 8, filter: {{ contains: "{number[2:]}" }}')
    assert [row["phoneNumber"] for row in ask(explorer, account, again)] == [number]
    expect(explorer.deed(number)).to_have_text("Buy")


# Three outcomes -----------------------------------------------------------------------------------


def test_a_lost_answer_is_unknown_and_is_looked_up_instead_of_bought_again(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    page = explorer.page
    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    dialog = explorer.open_deed(number)
    gateway.inject(LOST | {"account": account["sid"]})
    dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_have_class("deed-outcome is-unknown", timeout=20_000)
    expect(explorer.outcome).to_contain_text("Outcome unknown.")
    expect(dialog).not_to_contain_text("Refused")
    expect(dialog.get_by_role("button", name="Buy this number")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Look it up")).to_be_enabled()
    explorer.screenshot(SCREENSHOTS / "unknown.png")
    dialog.get_by_role("button", name="Close").click()
    expect(explorer.status).to_contain_text("outcome unknown")
    expect(explorer.status).not_to_contain_text("refused")
    expect(explorer.deed(number)).to_have_text("Look it up")
    expect(explorer.tidings).to_contain_text("Outcome unknown.")
    # While it cannot be looked up it stays as it is.
    held = explorer.hold("query LookUp")
    explorer.tidings.get_by_role("button", name="Look it up").click()
    explorer.wait_until(lambda: bool(held))
    expect(explorer.deed(number)).to_have_text("Looking…")
    held[0].fulfill(json={"errors": [{"message": "The upstream is away."}]})
    expect(explorer.tidings).to_contain_text("Looking it up failed: The upstream is away.")
    expect(explorer.deed(number)).to_have_text("Look it up")
    # What was on its way has arrived.
    gateway.buy(number, account)
    explorer.deed(number).click()
    explorer.wait_until(lambda: len(held) == 2)
    held[1].continue_()
    expect(explorer.outcome).to_contain_text("Bought.")
    expect(explorer.outcome).to_contain_text("The account has it.")
    page.keyboard.press("Escape")
    expect(explorer.deed(number)).to_have_text("Bought")
    assert [entry["phone_number"] for entry in gateway.ledger()].count(number) == 1


def test_a_number_that_is_not_owned_after_a_lost_answer_is_bought_with_the_same_key(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    keys: list[str] = []
    explorer.page.on(
        "request",
        lambda request: keys.extend(
            re.findall(r'"key":\s*"([^"]+)"', (request.post_data or ""))
            if request.post_data
            else []
        ),
    )
    rows = ask(explorer, account, SEARCH)
    number = rows[0]["phoneNumber"]
    gateway.inject(LOST | {"account": account["sid"]})
    dialog = explorer.open_deed(number)
    dialog.get_by_role("button", name="Buy this number").click()
    dialog.get_by_role("button", name="Look it up").click(timeout=20_000)
    expect(explorer.outcome).to_contain_text("Not owned.")
    dialog.get_by_role("button", name="Cancel").click()
    # It is the same intention still, also when the dialog is opened anew.
    expect(explorer.deed(number)).to_have_text("Buy")
    explorer.open_deed(number).get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Outcome unknown.", timeout=20_000)
    dialog.get_by_role("button", name="Close").click()
    explorer.open_deed(rows[1]["phoneNumber"])
    dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Bought.")
    first, second, other = keys
    assert first == second != other
    assert [entry["phone_number"] for entry in gateway.ledger()].count(number) == 0


def test_no_answer_of_the_gateway_at_all_is_unknown_too(
    explorer: ExplorerPage, account: dict[str, Any]
) -> None:
    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    dialog = explorer.open_deed(number)
    held = explorer.hold("mutation Buy")
    dialog.get_by_role("button", name="Buy this number").click()
    explorer.wait_until(lambda: bool(held))
    held[0].fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")
    expect(explorer.outcome).to_contain_text("Outcome unknown.")
    dialog.get_by_role("button", name="Look it up").click()
    expect(explorer.outcome).to_contain_text("Not owned.")
    explorer.problems.clear()  # The browser tells of the 502.


def test_a_refusal_says_that_nothing_was_done_and_another_try_is_another_intention(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    dialog = explorer.open_deed(number)
    gateway.inject(
        {
            "kind": "status",
            "status": 400,
            "method": "POST",
            "account": account["sid"],
            "body": {"code": 21631, "message": "Address required", "status": 400},
        }
    )
    dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_have_class("deed-outcome is-refused")
    expect(explorer.outcome).to_contain_text("Refused.")
    # By now the address is there.
    dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Bought.")


def test_a_number_that_one_owns_already_was_not_bought(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    gateway.buy(number, account)
    dialog = explorer.open_deed(number)
    dialog.get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Owned already.")
    expect(explorer.outcome).not_to_contain_text("Bought")
    dialog.get_by_role("button", name="Close").click()
    expect(explorer.deed(number)).to_have_text("Owned")
    expect(explorer.deed(number)).to_be_disabled()


# What comes next ----------------------------------------------------------------------------------


def test_a_number_that_was_bought_is_pointed_at_a_webhook_shown_and_released_from_there(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    page = explorer.page
    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    dialog = explorer.open_deed(number)
    dialog.get_by_role("button", name="Buy this number").click()
    following = dialog.get_by_role("region", name="What next")
    expect(following).to_contain_text(number)
    sid = gateway.ledger()[-1]["sid"]
    expect(following).to_contain_text(sid)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, text in (("number", number), ("sid", sid)):
        following.get_by_role("button", name=f"Copy the {name}").click()
        expect(following).to_contain_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == text

    following.get_by_role("button", name="Set webhook").click()
    url = "https://example.com/calls"
    dialog.get_by_label("URL for calls").fill(url)
    for shown in ("mutation SetWebhook", sid, account["sid"], url):
        expect(following).to_contain_text(shown)
    explorer.screenshot(SCREENSHOTS / "set-webhook.png")
    explorer.run(dialog.get_by_role("button", name="Send it").click)
    expect(following).to_contain_text("Webhook set.")
    assert gateway.ledger()[-1]["action"] == "configured"
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        explorer.screenshot(SCREENSHOTS / f"{scheme}-webhook-set.png")
        ratios: dict[str, float] = page.evaluate(CONTRASTS)
        assert {key: ratio for key, ratio in ratios.items() if ratio < 4.5} == {}

    body = explorer.run(following.get_by_role("button", name="Show in my numbers").click)
    expect(dialog).to_be_hidden()
    (owned,) = body["data"]["phoneNumbers"]["nodes"]
    assert (owned["sid"], owned["configuration"]["voice"]["url"]) == (sid, url)
    expect(explorer.row(number)).to_be_visible()
    expect(explorer.deed(number)).to_have_text("Release")

    # The next one is given back at once; the question is the same as in a list.
    explorer.tab("ForSale")
    other = explorer.run()["data"]["availablePhoneNumbers"]["nodes"][0]["phoneNumber"]
    explorer.open_deed(other).get_by_role("button", name="Buy this number").click()
    following.get_by_role("button", name="Release").click()
    expect(dialog).to_contain_text(f"Release {spaced(other)}")
    expect(explorer.tidings).to_be_empty()
    dialog.get_by_label("last four digits").fill(other[-4:])
    dialog.get_by_role("button", name="Release this number").click()
    expect(explorer.outcome).to_contain_text("Released.")
    expect(following).to_have_count(0)
    assert gateway.ledger()[-1]["phone_number"] == other


# What the dialog says -----------------------------------------------------------------------------


def test_the_dialog_of_a_purchase_says_who_buys_what_and_for_how_much(
    explorer: ExplorerPage, account: dict[str, Any]
) -> None:
    row = ask(explorer, account, SEARCH)[0]
    dialog = explorer.open_deed(row["phoneNumber"])
    for said in ("Night shift", account["sid"], row["phoneNumber"], row["geography"]["region"]):
        expect(dialog).to_contain_text(said)
    expect(dialog).to_contain_text("voice")
    # No answer held it: the dialog has asked for it, as every account can.
    expect(dialog).to_contain_text("1.00 USD a month")
    explorer.screenshot(SCREENSHOTS / "buy-question.png")
    # Nor does its answer tell that this one is toll-free.
    dialog.get_by_role("button", name="Cancel").click()
    row = ask(explorer, account, SEARCH.replace("US,", "US, types: [TOLL_FREE],"))[0]
    expect(explorer.open_deed(row["phoneNumber"])).to_contain_text("2.00 USD a month")


def test_the_dialog_of_a_purchase_says_the_price_that_the_catalog_states(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    account = gateway.create_account(catalog=True)
    query = (
        "query Priced { availablePhoneNumbers(country: US, first: 3,"
        " filter: { capabilities: { voice: { e911: true } } }) { nodes {"
        " phoneNumber monthlyPrice { amount currencyCode } } } }"
    )
    row = ask(explorer, account, query)[0]
    price = row["monthlyPrice"]
    dialog = explorer.open_deed(row["phoneNumber"])
    expect(dialog).to_contain_text(f"{float(price['amount']):.2f} {price['currencyCode']} a month")
    # What the answer does not hold is asked for.
    expect(dialog).to_contain_text("voice")


def test_a_release_is_red_and_waits_for_the_last_four_digits(
    explorer: ExplorerPage, account: dict[str, Any]
) -> None:
    number = ask(explorer, account, OWNED)[0]["phoneNumber"]
    dialog = explorer.open_deed(number)
    for said in ("Night shift", account["sid"], number, "within ten days"):
        expect(dialog).to_contain_text(said)
    expect(dialog).not_to_contain_text("cannot be undone")
    button = dialog.get_by_role("button", name="Release this number")
    red = button.evaluate(
        "(button) => getComputedStyle(button).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert red[0] > 2 * max(red[1:])
    expect(button).to_be_disabled()
    digits = dialog.get_by_label("last four digits")
    digits.fill("".join(str(9 - int(digit)) for digit in number[-4:]))
    expect(button).to_be_disabled()
    digits.press("Enter")
    digits.fill(number[-4:])
    explorer.screenshot(SCREENSHOTS / "release.png")
    button.click()
    expect(explorer.outcome).to_contain_text("Released.")
    dialog.get_by_role("button", name="Close").click()
    expect(explorer.deed(number)).to_have_text("Released")


def test_a_release_whose_answer_was_lost_is_looked_up_and_confirmed_anew(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    number = ask(explorer, account, OWNED)[0]["phoneNumber"]
    gateway.inject({"kind": "reset", "method": "DELETE", "account": account["sid"]})
    dialog = explorer.open_deed(number)
    digits = dialog.get_by_label("last four digits")
    digits.fill(number[-4:])
    dialog.get_by_role("button", name="Release this number").click()
    dialog.get_by_role("button", name="Look it up").click(timeout=20_000)
    expect(explorer.outcome).to_contain_text("Not released.")
    expect(digits).to_be_empty()
    expect(dialog.get_by_role("button", name="Release this number")).to_be_disabled()


def test_rows_of_another_account_than_the_chosen_one_are_marked_and_offer_nothing(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    parent, child = gateway.account("parent"), gateway.account("subaccount")
    explorer.tab("ListAndFilter")
    explorer.run()
    explorer.view("Table")
    buttons = explorer.grid.locator(".cell-action button")
    expect(buttons.first).to_have_text("Release")
    page.get_by_label("Account").select_option(child["sid"])
    expect(buttons).to_have_count(0)
    expect(page.get_by_role("note")).to_contain_text(parent["sid"])
    explorer.screenshot(SCREENSHOTS / "another-account.png")
    explorer.grid.focus()
    page.keyboard.press("Enter")
    expect(explorer.dialog).to_be_hidden()
    page.get_by_label("Account").select_option(parent["sid"])
    expect(buttons.first).to_have_text("Release")
    page.get_by_label("Account").select_option(child["sid"])
    explorer.run()
    expect(page.get_by_role("note")).to_have_count(0)


def test_questions_and_outcomes_can_be_read_in_light_and_in_dark(
    explorer: ExplorerPage, gateway: Gateway, account: dict[str, Any]
) -> None:
    page = explorer.page
    faint: dict[str, float] = {}

    def read(name: str) -> None:
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            explorer.screenshot(SCREENSHOTS / f"{scheme}-{name}.png")
            ratios: dict[str, float] = page.evaluate(CONTRASTS)
            faint.update({f"{scheme} {key}": ratio for key, ratio in ratios.items() if ratio < 4.5})

    number = ask(explorer, account, SEARCH)[0]["phoneNumber"]
    gateway.inject(LOST | {"account": account["sid"]})
    explorer.open_deed(number).get_by_role("button", name="Buy this number").click()
    expect(explorer.outcome).to_contain_text("Outcome unknown.", timeout=20_000)
    read("unknown")
    explorer.dialog.get_by_role("button", name="Close").click()
    number = ask(explorer, account, OWNED)[0]["phoneNumber"]
    dialog = explorer.open_deed(number)
    dialog.get_by_label("last four digits").fill(number[-4:])
    read("release")
    dialog.get_by_role("button", name="Cancel").click()
    explorer.set_credentials(account["sid"], "another")
    expect(page.get_by_role("note")).to_be_visible()
    read("another-account")
    assert faint == {}


# A real upstream ----------------------------------------------------------------------------------


def test_a_mutation_is_asked_about_once_before_it_reaches_a_real_upstream(
    warm_page: Page, strict_gateway: Gateway
) -> None:
    explorer, page = ExplorerPage(warm_page, strict_gateway.url), warm_page
    account = strict_gateway.create_account(owned=2, friendly_name="Head office")
    explorer.open()
    explorer.bring_credentials(account["sid"], account["auth_token"])
    number = explorer.run()["data"]["availablePhoneNumbers"]["nodes"][0]["phoneNumber"]
    explorer.tab("BuyNumber")
    explorer.wait_for_text("headers", lambda text: "Basic " in text)
    explorer.set_text("variables", json.dumps({"number": number}))
    dialog = explorer.dialog
    before = len(strict_gateway.ledger())
    for way in ("button", "keys"):
        if way == "button":
            explorer.run_button.click()
        else:
            explorer.operation_editor.locator(".view-lines").click()
            page.keyboard.press("Control+Enter")
        for said in ("Run BuyNumber?", "Head office", account["sid"], number, "costs money"):
            expect(dialog).to_contain_text(said)
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        explorer.screenshot(SCREENSHOTS / "run-question.png")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(explorer.response).to_contain_text("Request not sent")
    assert len(strict_gateway.ledger()) == before
    explorer.run_button.click()
    body = explorer.run(dialog.get_by_role("button", name="Run it").click)
    assert body["data"]["purchasePhoneNumber"]["userErrors"] == []
    assert len(strict_gateway.ledger()) == before + 1
    # The same once more has been agreed to; another thing has not.
    refused = explorer.run()["data"]["purchasePhoneNumber"]["userErrors"]
    assert [each["code"] for each in refused] == ["ALREADY_OWNED"]
    explorer.set_text("variables", json.dumps({"number": "+15005550006"}))
    explorer.run_button.click()
    expect(dialog).to_contain_text("+15005550006")
    page.keyboard.press("Escape")
    # What only reads is never asked about.
    explorer.tab("ListAndFilter")
    explorer.run()
    assert explorer.problems == []


# Plans --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("explanations")
def test_the_plan_of_a_purchase_never_reads_as_buying_more_than_once(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    # Nothing is known of the account yet, so there may be more look-ups.
    account = gateway.create_account(catalog=True)
    explorer.tab("BuyNumber")
    explorer.set_credentials(account["sid"], account["auth_token"])
    panel = explorer.open_panel("Upstream")
    steps = panel.locator(".steps li")
    expect(steps).to_have_count(2)
    expect(steps.nth(0)).to_contain_text(re.compile("GET the number1.2×"))  # noqa: RUF001 - as shown
    expect(steps.nth(1)).to_contain_text("POST a purchaseexactly 1")
    expect(panel.locator(".plan .figures")).to_contain_text(
        re.compile("1write, sent once1.2look-ups")
    )
    expect(explorer.page.locator(".graphiql-toolbar")).to_contain_text(
        re.compile("Plan 1.2 look-ups \\+ 1 write")
    )
    # What a run would refuse is said before it.
    explorer.type_operation(
        'mutation { configurePhoneNumber(input: { sid: "%s", configuration: {} })'
        " { userErrors { message } } }" % ("PN" + "1" * 32)
    )
    expect(panel.locator(".plan")).to_contain_text("would be refused: Nothing to change")
    expect(explorer.page.locator(".graphiql-toolbar")).to_contain_text("Would be refused")
