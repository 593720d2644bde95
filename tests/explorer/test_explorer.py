"""What people do in the explorer, done in Chromium against a real gateway and its sandbox."""

import json
import re
import time
from contextlib import suppress
from itertools import pairwise
from unittest.mock import ANY
from urllib.parse import urlsplit

import jwt
import pytest
from playwright.sync_api import Browser, Page, expect

from gateway.explorer.routes import STATIC
from tests.explorer.chromium import ELSEWHERE
from tests.explorer.conftest import SCREENSHOTS, TOKEN_SECRET, Gateway
from tests.explorer.explorer_page import READY, ExplorerPage

# The first run of an unknown hash sends it twice, and the answer that counts is the second.
MIDDLES = (
    "[...document.querySelectorAll('.map-mark')].map((mark) => mark.getBoundingClientRect())"
    ".map((box) => [box.x + box.width / 2, box.y + box.height / 2])"
)
HASHED = "PersistedQuery"
SUBSCRIPTION = "WatchChanges"
SOME_EVENTS = re.compile(r"[1-9]\d* events?")
EXAMPLES = ["SearchNearPlace", "VanityPattern", "ListAndFilter", "BuyNumber"]
# What they change is a number of the person's own: the one that was touched last, or chosen.
ON_OWN_NUMBERS = ["PointAtWebhook", "TransferNumber", "ReleaseNumber"]
LISTING = (
    "query Listing { phoneNumbers(first: 1000) { nodes {"
    " sid phoneNumber type geography { locality region latitude longitude } } } }"
)


def test_it_opens_without_an_error_and_asks_nobody_but_the_gateway(
    explorer: ExplorerPage,
) -> None:
    explorer.run()
    explorer.view("Table")
    expect(explorer.grid).to_be_visible()
    explorer.view("Map")
    expect(explorer.page.locator(".map-mark").first).to_be_visible()
    for title in ("Documentation Explorer", "GraphiQL Explorer", "History", "Examples"):
        explorer.open_panel(title)
    expect(explorer.page.locator(".panel-title")).to_have_text("Examples")
    assert explorer.foreign_requests() == []


def test_it_opens_on_examples_in_the_order_of_the_work_beside_panels_with_names(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    examples = page.locator(".graphiql-plugin .examples b")
    jobs = ["Search", "Find", "Buy", "Point", "List", "Transfer", "Release"]
    expect(examples.first).to_be_visible()
    assert [text.split()[0] for text in examples.all_inner_texts()][: len(jobs)] == jobs
    names: list[str] = page.evaluate(
        "[...document.querySelectorAll('.graphiql-sidebar > button')]"
        ".map((button) => getComputedStyle(button, '::after').content)"
    )
    named = {"Examples", "Upstream", "Docs", "Builder", "History"}
    assert named <= {name.strip('"') for name in names}
    too_wide = (
        "[...document.querySelectorAll('.graphiql-sidebar > button')]"
        ".filter((button) => button.scrollWidth > button.clientWidth).length"
    )
    assert page.evaluate(too_wide) == 0
    # Variables are there where there are some, and nobody's headers are folded away.
    variables = page.locator(".graphiql-editor-tool .monaco-editor").first
    expect(variables).not_to_be_in_viewport()
    explorer.tab("VanityPattern")
    expect(variables).to_be_in_viewport()
    explorer.tab("ListAndFilter")
    expect(variables).not_to_be_in_viewport()
    page.get_by_role("button", name="Headers", exact=True).click()
    explorer.tab("SearchNearPlace")
    headers = page.locator(".graphiql-editor-tool .monaco-editor").last
    explorer.take_note()
    expect(headers).to_be_in_viewport()


def test_the_keys_that_run_do_so_anywhere_and_open_no_dialog(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    before = len(gateway.ledger())

    def run_by_keys() -> None:
        page.keyboard.press("Control+Enter")

    page.get_by_label("Account").focus()
    explorer.run(run_by_keys)
    explorer.view("Table")
    for focused in (explorer.grid, explorer.grid.locator(".cell-action button").first):
        focused.focus()
        explorer.run(run_by_keys)
        expect(explorer.dialog).to_be_hidden()
    page.locator(".graphiql-plugin .examples button").first.focus()
    explorer.run(run_by_keys)
    # While a question is open they answer nothing, and ask nothing else.
    page.get_by_role("button", name=re.compile(r"^Buy \+")).first.click()
    expect(explorer.dialog.get_by_role("button", name="Cancel")).to_be_focused()
    run_by_keys()
    explorer.dialog.get_by_role("button", name="Buy this number").focus()
    run_by_keys()
    explorer.settle()
    expect(explorer.outcome).to_be_empty()
    assert len(gateway.ledger()) == before


# Files that have come whole, and what of each came over the wire.
LOADED = (
    "Object.fromEntries(performance.getEntriesByType('resource')"
    ".filter(({ name, responseStatus }) => name.includes('/explorer/assets/') && responseStatus === 200)"
    ".map(({ name, transferSize }) => [name, transferSize]))"
)


def test_it_is_small_with_all_its_workers_and_its_hashed_files_are_never_asked_for_again(
    page: Page, gateway: Gateway
) -> None:
    explorer = ExplorerPage(page, gateway.url)
    explorer.open()
    explorer.wait_until(lambda: any("graphql.worker" in worker.url for worker in page.workers))
    loaded: dict[str, int] = page.evaluate(LOADED)
    assets = {name.rpartition("/")[2] for name in loaded}
    assets |= {worker.url.rpartition("/")[2] for worker in page.workers}
    assert any("graphql.worker" in name for name in assets)
    # What checks JSON comes when somebody types JSON.
    assert not any("json.worker" in name for name in assets)
    for suffix in (".br", ".gz"):
        plain = [STATIC / "assets" / name for name in assets]
        packed = [path.with_name(path.name + suffix) for path in plain]
        sent = [small if small.is_file() else big for big, small in zip(plain, packed, strict=True)]
        assert 200_000 < sum(path.stat().st_size for path in sent) < 1_500_000

    explorer.open()
    again: dict[str, int] = page.evaluate(LOADED)
    # What had not come yet when the first visit ended may be asked for now.
    both = loaded.keys() & again.keys()
    assert len(both) > 5
    assert all(loaded[name] > 0 for name in both)
    assert {name: again[name] for name in both if again[name]} == {}


def test_json_is_checked_once_somebody_types_it(explorer: ExplorerPage) -> None:
    page = explorer.page
    explorer.tab("VanityPattern")
    page.locator(".graphiql-editor-tool .monaco-editor:visible").first.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("]")
    expect(page.locator(".graphiql-editor-tool .squiggly-error")).not_to_have_count(0)


def test_without_javascript_it_says_that_it_needs_it(browser: Browser, gateway: Gateway) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(gateway.url)
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.get_by_text("Opening the explorer…")).to_be_hidden()
    context.close()


def test_it_opens_as_an_account_that_everybody_has_and_offers_one_with_the_catalog_next(
    warm_page: Page, gateway: Gateway
) -> None:
    explorer, page = ExplorerPage(warm_page, gateway.url), warm_page
    page.add_init_script("localStorage.removeItem('number-gateway:account')")
    explorer.open()
    accounts = page.get_by_label("Account")
    ordinary = gateway.account("core-only")
    expect(accounts).to_have_value(ordinary["sid"])
    offered = [each.get_attribute("value") for each in accounts.get_by_role("option").all()]
    assert offered[:2] == [ordinary["sid"], gateway.account("parent")["sid"]]
    explorer.tab("TransferNumber")
    choice = page.get_by_label("Choose a number of yours")
    expect(choice.get_by_role("option")).not_to_have_count(1)
    chosen = choice.get_by_role("option").nth(1).get_attribute("value") or ""
    choice.select_option(chosen)
    child = gateway.account("core-only subaccount")["sid"]
    explorer.wait_for_text("variables", lambda text: child in text)
    assert explorer.run()["data"]["transferPhoneNumber"] == {
        "phoneNumber": {
            "sid": chosen,
            "phoneNumber": ANY,
            "accountSid": child,
        },
        "userErrors": [],
    }


def test_the_examples_run_as_they_stand(explorer: ExplorerPage, subtests: pytest.Subtests) -> None:
    for name in EXAMPLES:
        with subtests.test(name):
            explorer.tab(name)
            # A number of nobody stands in the editor until one for sale has come.
            explorer.wait_for_text("variables", lambda text: "5550000000" not in text)
            body = explorer.run()
            assert "errors" not in body
            (payload,) = body["data"].values()
            assert payload.get("userErrors", []) == []
            assert payload.get("nodes") or payload.get("phoneNumber")
            # The sandbox charges nothing: nobody is asked before.
            expect(explorer.dialog).to_be_hidden()
            expect(explorer.status).not_to_contain_text("refused")


@pytest.mark.parametrize("role", ["parent", "subaccount", "core-only", "large"])
def test_examples_act_on_the_number_that_was_bought_before(
    explorer: ExplorerPage, gateway: Gateway, role: str
) -> None:
    account = gateway.account(role)
    explorer.page.get_by_label("Account").select_option(account["sid"])
    explorer.tab("BuyNumber")
    explorer.wait_for_text("variables", lambda text: "5550000000" not in text)
    bought = explorer.run()["data"]["purchasePhoneNumber"]["phoneNumber"]
    for name in ("PointAtWebhook", "ReleaseNumber"):
        explorer.tab(name)
        explorer.wait_for_text("variables", lambda text: bought["sid"] in text)
        gateway.forget()
        (payload,) = explorer.run()["data"].values()
        assert payload["userErrors"] == []
        assert {request["account"] for request in gateway.requests()} == {account["sid"]}
    explorer.tab("TransferNumber")
    # What it could be filled in with has come.
    choice = explorer.page.get_by_label("Choose a number of yours")
    expect(choice.get_by_role("option")).not_to_have_count(1)
    assert "0" * 32 in explorer.editor_text("variables")


@pytest.mark.parametrize("name", ON_OWN_NUMBERS)
def test_a_number_to_change_is_chosen_and_never_filled_in(
    explorer: ExplorerPage, gateway: Gateway, name: str
) -> None:
    explorer.tab(name)
    choice = explorer.page.get_by_label("Choose a number of yours")
    expect(choice.get_by_role("option")).not_to_have_count(1)
    assert "0" * 32 in explorer.editor_text("variables")
    chosen = choice.get_by_role("option").nth(2).get_attribute("value") or ""
    choice.select_option(chosen)
    text = explorer.wait_for_text("variables", lambda text: chosen in text)
    assert "0" * 10 not in text
    (payload,) = explorer.run()["data"].values()
    assert payload["userErrors"] == []
    # The same number stays there, though it may be gone by now.
    explorer.settle()
    assert explorer.editor_text("variables") == text
    if name == "TransferNumber":
        assert gateway.account("subaccount")["sid"] in text


def test_variables_stay_as_they_are_after_a_run_and_on_other_tabs(explorer: ExplorerPage) -> None:
    explorer.tab("BuyNumber")
    text = explorer.wait_for_text("variables", lambda text: "5550000000" not in text)
    explorer.run()
    explorer.tab("ListAndFilter")
    held = explorer.hold("query NumberForSale")
    explorer.tab("BuyNumber")
    explorer.wait_until(lambda: bool(held))
    explorer.let_come(held[0])
    explorer.page.unroute("**/graphql")
    assert explorer.editor_text("variables") == text
    explorer.tab("PointAtWebhook")
    first = explorer.wait_for_text("variables", lambda text: "0" * 32 not in text)
    explorer.tab("BuyNumber")
    # Only who asks for another number gets one.
    explorer.page.get_by_role("button", name="Another number").click()
    explorer.wait_for_text("variables", lambda other: other != text)
    (payload,) = explorer.run()["data"].values()
    assert payload["userErrors"] == []
    # From there it goes on as it does from a row's button.
    explorer.page.get_by_role("button", name="What next").click()
    following = explorer.dialog.get_by_role("region", name="What next")
    expect(following).to_contain_text(payload["phoneNumber"]["sid"])
    explorer.dialog.get_by_role("button", name="Close").click()
    # What an example was filled in with gives way to the number that was touched since.
    assert payload["phoneNumber"]["sid"] not in first
    explorer.tab("PointAtWebhook")
    explorer.wait_for_text("variables", lambda text: payload["phoneNumber"]["sid"] in text)


def test_an_account_is_told_what_it_lacks_for_an_example(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    page.get_by_label("Account").select_option(gateway.account("large")["sid"])
    explorer.tab("TransferNumber")
    expect(page.locator(".lack")).to_have_text("This account has none beside it to transfer to")
    assert "0000000000" in explorer.editor_text("variables")
    explorer.tab("ReleaseNumber")
    expect(page.locator(".lack")).to_have_count(0)


def test_a_refusal_does_not_look_like_success(explorer: ExplorerPage) -> None:
    explorer.tab("BuyNumber")
    explorer.set_text("variables", '{"number": "+15005550000"}')
    body = explorer.run()
    assert body["data"]["purchasePhoneNumber"]["userErrors"]
    expect(explorer.status.get_by_text("refused")).to_be_visible()


def test_what_cannot_be_sent_leaves_nothing_of_the_run_before(explorer: ExplorerPage) -> None:
    panel = explorer.open_panel("Upstream")
    explorer.run()
    expect(panel.locator('[data-figure="sent"]')).to_be_visible()
    explorer.set_text("headers", '{"Authorization')
    explorer.run_button.click()
    expect(explorer.response).to_contain_text("Request not sent.")
    expect(explorer.status).to_be_empty()
    expect(panel.locator('[data-figure="sent"]')).to_have_count(0)


def test_an_outage_is_told_in_a_sentence(explorer: ExplorerPage) -> None:
    explorer.run()
    explorer.page.context.set_offline(True)
    try:
        explorer.run_button.click()
        expect(explorer.response).to_contain_text("The gateway cannot be reached.")
    finally:
        explorer.page.context.set_offline(False)
    expect(explorer.response).not_to_contain_text("stack")
    expect(explorer.status).to_contain_text("no answer")
    expect(explorer.status).to_contain_text("errors")
    expect(explorer.status).not_to_contain_text("200")
    explorer.problems.clear()  # The browser tells of requests that it could not send.


@pytest.mark.usefixtures("persisted_queries")
def test_the_persisted_query_travels_as_its_hash_once_the_gateway_knows_it(
    explorer: ExplorerPage,
) -> None:
    explorer.tab(HASHED)
    explorer.run_button.click()
    expect(explorer.status).to_contain_text("hash registered")
    sent = explorer.note_runs()
    body = explorer.run()
    expect(explorer.status).to_contain_text("sent as hash")
    assert body["data"]["countries"]
    assert ["query" in json.loads(each.post_data or "") for each in sent] == [False]


@pytest.mark.usefixtures("subscriptions")
def test_changes_arrive_while_they_are_watched(
    explorer: ExplorerPage, subtests: pytest.Subtests
) -> None:
    explorer.tab(SUBSCRIPTION)
    for transport in ("SSE", "WebSocket"):
        with subtests.test(transport):
            watch(explorer, transport)
            assert any(url.startswith("ws://") for url in explorer.requested) is (
                transport != "SSE"
            )


def watch(explorer: ExplorerPage, transport: str) -> None:
    """Subscribe, see some changes come, and stop."""
    page = explorer.page
    page.locator(".graphiql-toolbar .segmented label", has_text=transport).click()
    explorer.run_button.click()
    expect(explorer.run_button).to_have_attribute("aria-label", "Stop query (Ctrl-Enter)")
    cause = page.get_by_role("button", name="Cause an event")
    # What happens before the gateway looks is not told: the first change may have to be repeated.
    for _ in range(10):
        cause.click()
        with suppress(AssertionError):
            expect(explorer.status).to_contain_text(SOME_EVENTS, timeout=2000)
            break
    seen = explorer.status.text_content() or ""
    cause.click()
    expect(explorer.status).not_to_have_text(seen)
    expect(explorer.status).to_contain_text(SOME_EVENTS)
    explorer.view("Table")
    expect(explorer.grid).to_contain_text("CONFIGURED")
    explorer.run_button.click()
    expect(explorer.run_button).to_have_attribute("aria-label", "Execute query (Ctrl-Enter)")


@pytest.mark.usefixtures("subscriptions")
@pytest.mark.parametrize("transport", ["SSE", "WebSocket"])
def test_a_subscription_that_fails_says_so(explorer: ExplorerPage, transport: str) -> None:
    explorer.tab(SUBSCRIPTION)
    explorer.page.locator(".graphiql-toolbar .segmented label", has_text=transport).click()
    explorer.set_credentials("AC" + "0" * 32, "wrong")
    explorer.run_button.click()
    expect(explorer.status).to_contain_text("errors")
    expect(explorer.response).to_contain_text("errors")
    expect(explorer.response).not_to_contain_text("stack")
    expect(explorer.run_button).to_have_attribute("aria-label", "Execute query (Ctrl-Enter)")
    explorer.problems.clear()  # The browser tells of the refusal.


@pytest.mark.usefixtures("explanations")
def test_the_panel_counts_what_the_sandbox_counts(explorer: ExplorerPage, gateway: Gateway) -> None:
    explorer.tab("ListAndFilter")
    panel = explorer.open_panel("Upstream")
    expect(panel.locator(".plan .figures")).to_be_visible()
    gateway.forget()
    body = explorer.run()
    counted = len(gateway.requests())
    trace = body["extensions"]["upstream"]
    assert counted == trace["sent"]
    expect(panel.locator('[data-figure="sent"]')).to_have_text(str(counted))
    expect(panel.locator('[data-figure="saved"]')).to_have_text(str(trace["saved"]))
    expect(panel.locator('[data-figure="naive"]')).to_have_text(str(trace["naive"]))
    expect(panel.locator(".call.is-sent")).to_have_count(counted)
    expect(panel.locator(".call-group").first).to_contain_text("ActiveNumbers")
    expect(panel.locator(".call-group h4").first).to_contain_text("phoneNumbers")
    expect(explorer.status).to_contain_text(f"{counted} call")
    explorer.screenshot(SCREENSHOTS / "upstream.png")


def test_an_answer_in_parts_shows_the_trace_of_whichever_part_brings_it(
    explorer: ExplorerPage,
) -> None:
    trace = {"calls": [], "sent": 3, "saved": 2, "naive": 5, "totalMs": 1}
    parts: list[dict[str, object]] = [
        {"data": {"first": 1}, "pending": [{"id": "0", "path": []}], "hasNext": True},
        {"incremental": [{"id": "0", "data": {"second": 2}}], "hasNext": True},
        {"completed": [{"id": "0"}], "hasNext": False, "extensions": {"upstream": trace}},
    ]
    head = "\r\n---\r\ncontent-type: application/json\r\n\r\n"
    body = "".join(head + json.dumps(part) for part in parts) + "\r\n-----\r\n"
    media_type = 'multipart/mixed; boundary="-"'
    explorer.new_tab("query Parts { __typename ... @defer { __typename } }")
    panel = explorer.open_panel("Upstream")
    explorer.page.route(
        "**/graphql",
        lambda route, request: (
            route.fulfill(body=body, content_type=media_type)
            if "query Parts" in (request.post_data or "")
            else route.continue_()
        ),
    )
    explorer.run_button.click()
    expect(panel.locator('[data-figure="sent"]')).to_have_text("3")
    expect(explorer.status).to_contain_text("3 calls upstream2 saved")
    expect(explorer.response).to_contain_text("second")


@pytest.mark.usefixtures("explanations")
def test_the_plan_is_there_before_anything_runs(explorer: ExplorerPage, gateway: Gateway) -> None:
    panel = explorer.open_panel("Upstream")
    before = len(gateway.ledger())
    # A first read of an account asks both APIs, and a plan counts on that.
    gateway.ask({"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"})
    gateway.forget()
    explorer.new_tab(
        "query Planned { phoneNumbers(first: 20) { nodes { sid"
        " similarAvailable(within: RATE_CENTER) { nodes { phoneNumber } } } } }"
    )
    steps = panel.locator(".steps li")
    expect(steps.first).to_contain_text("phoneNumbers")
    # The search itself, and what completes it if the upstream cuts it off.
    expect(steps.filter(has_text="similarAvailable")).to_have_count(2)
    expect(steps.last).to_contain_text("narrower")
    # A mutation is planned like a query, and by no means executed.
    explorer.type_operation(
        "mutation Never { purchasePhoneNumber(input:"
        ' { phoneNumber: "+14155550100" }) { userErrors { message } } }'
    )
    expect(steps.last).to_contain_text("purchasePhoneNumber")
    expect(steps.last.locator(".tally")).to_have_text("exactly 1×")  # noqa: RUF001 - as shown
    expect(steps.last).to_contain_text("sent once")
    expect(steps.first).to_contain_text("look-up")
    expect(panel.locator('[data-figure="writes"]')).to_have_text("1")
    expect(explorer.page.locator(".graphiql-toolbar")).to_contain_text("1 look-up + 1 write")
    assert gateway.requests() == []
    assert len(gateway.ledger()) == before


def test_a_number_is_bought_and_released_by_clicking(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    explorer.run()
    explorer.view("Table")
    page.get_by_role("button", name=re.compile(r"^Buy \+")).first.click()
    dialog = page.get_by_role("dialog")
    number = (dialog.get_by_role("heading").text_content() or "").removeprefix("Buy ")
    explorer.screenshot(SCREENSHOTS / "buy.png")
    dialog.get_by_role("button", name="Buy this number").click()
    expect(dialog.get_by_role("status")).to_contain_text("Bought.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name=re.compile(r"^Bought \+")).first).to_be_disabled()
    bought = gateway.ledger()[-1]
    assert bought["phone_number"] == number.replace(" ", "")

    explorer.new_tab(LISTING)
    explorer.run()
    page.get_by_role("searchbox", name="Filter rows").fill(number)
    expect(explorer.grid.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name=re.compile(r"^Release \+")).click()
    dialog.get_by_label("last four digits").fill(number[-4:])
    dialog.get_by_role("button", name="Release this number").click()
    expect(dialog.get_by_role("status")).to_contain_text("Released.")
    released = gateway.ledger()[-1]
    assert (released["action"], released["phone_number"]) == ("released", bought["phone_number"])


def test_a_refusal_is_told_in_the_dialog_that_asked(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    body = explorer.run()
    explorer.view("Table")
    number = body["data"]["availablePhoneNumbers"]["nodes"][0]["phoneNumber"]
    # Somebody else is quicker.
    gateway.buy(number)
    explorer.page.get_by_role("button", name=re.compile(r"^Buy \+")).first.click()
    dialog = explorer.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Buy this number").click()
    expect(dialog.get_by_role("status")).to_have_class("deed-outcome is-refused")
    expect(dialog.get_by_role("status")).not_to_be_empty()
    expect(dialog.get_by_role("button", name="Buy this number")).to_be_enabled()


def test_the_chosen_account_is_the_one_that_asks(explorer: ExplorerPage, gateway: Gateway) -> None:
    subaccount = gateway.account("subaccount")
    before = explorer.wait_for_text("headers", lambda text: "Basic " in text)
    explorer.page.get_by_label("Account").select_option(subaccount["sid"])
    explorer.wait_for_text("headers", lambda text: "Basic " in text and text != before)
    explorer.tab("ListAndFilter")
    gateway.forget()
    explorer.run()
    assert {request["account"] for request in gateway.requests()} == {subaccount["sid"]}


def test_without_a_sandbox_a_person_brings_credentials(
    warm_page: Page, strict_gateway: Gateway
) -> None:
    explorer, page = ExplorerPage(warm_page, strict_gateway.url), warm_page
    explorer.open()
    expect(page.get_by_text("Real upstream")).to_be_visible()
    assert explorer.run()["errors"]
    account = strict_gateway.account("parent")
    page.get_by_text("Credentials", exact=True).click()
    page.get_by_label("Account SID").fill(account["sid"])
    page.get_by_label("Auth token").fill(account["auth_token"])
    page.get_by_role("button", name="Use them").click()
    assert "errors" not in explorer.run()
    explorer.open_panel("Documentation Explorer")
    expect(page.get_by_text("phoneNumber", exact=False).first).to_be_visible()
    # The browser has its own window for 401; it must not come up over the page.
    assert not any("dialog" in problem for problem in explorer.problems)
    assert explorer.foreign_requests() == []


def test_credentials_that_were_given_reach_every_tab(
    warm_page: Page, strict_gateway: Gateway
) -> None:
    explorer, page = ExplorerPage(warm_page, strict_gateway.url), warm_page
    explorer.open()
    expect(page.locator(".results-blank")).to_contain_text("Give your credentials first.")
    account, other = strict_gateway.account("parent"), strict_gateway.account("subaccount")
    explorer.bring_credentials(account["sid"], account["auth_token"])
    for name in ("ListAndFilter", "VanityPattern"):
        explorer.tab(name)
        assert "errors" not in explorer.run()
    explorer.set_text("headers", '{"Authorization": "Basic of-a-person"}')
    explorer.tab("SearchNearPlace")
    explorer.bring_credentials(other["sid"], other["auth_token"])
    explorer.tab("ListAndFilter")
    strict_gateway.forget()
    assert "errors" not in explorer.run()
    assert {request["account"] for request in strict_gateway.requests()} == {other["sid"]}
    explorer.tab("VanityPattern")
    assert "of-a-person" in explorer.editor_text("headers")
    assert "Basic " not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")


def test_an_api_key_is_brought_with_the_account_it_acts_for(
    warm_page: Page, strict_gateway: Gateway
) -> None:
    explorer = ExplorerPage(warm_page, strict_gateway.url)
    explorer.open()
    account = strict_gateway.account("parent")
    explorer.bring_credentials(
        account["api_key"]["sid"], account["api_key"]["secret"], account=account["sid"]
    )
    explorer.tab("ListAndFilter")
    assert "errors" not in explorer.run()
    headers = json.loads(explorer.editor_text("headers"))
    assert headers["X-Account-Sid"] == account["sid"]


def test_where_tokens_are_wanted_the_form_asks_for_one(
    warm_page: Page, token_gateway: Gateway
) -> None:
    explorer, page = ExplorerPage(warm_page, token_gateway.url), warm_page
    explorer.open()
    token = jwt.encode(
        {"sub": "someone", "exp": time.time() + 600, "iss": "us", "aud": "gateway"}, TOKEN_SECRET
    )
    page.get_by_text("Credentials", exact=True).click()
    page.get_by_label("Bearer token").fill(f"Bearer {token}")
    page.get_by_role("button", name="Use them").click()
    explorer.tab("SearchNearPlace")
    assert "UNAUTHENTICATED" not in json.dumps(explorer.run())
    expect(page.locator(".signed-in")).to_have_text("Signed in as someone")
    explorer.tab(SUBSCRIPTION)
    headers = json.loads(explorer.wait_for_text("headers", lambda text: "Bearer" in text))
    assert headers == {"Authorization": f"Bearer {token}"}


def test_the_number_stays_in_sight_however_wide_the_table(
    explorer: ExplorerPage, subtests: pytest.Subtests
) -> None:
    page = explorer.page
    explorer.tab("ListAndFilter")
    number = explorer.run()["data"]["phoneNumbers"]["nodes"][0]
    explorer.view("Table")
    row = explorer.grid.locator('[aria-rowindex="2"]')
    cell = row.get_by_role("gridcell").first
    for width in (1440, 1024, 390):
        with subtests.test(width=width):
            page.set_viewport_size({"width": width, "height": 844})
            expect(cell).to_have_attribute("title", number["phoneNumber"])
            for left in (0, 10_000):
                explorer.grid.evaluate("(grid, left) => { grid.scrollLeft = left }", left)
                outer, inner = explorer.grid.bounding_box(), cell.bounding_box()
                action = row.locator(".cell-action").bounding_box()
                assert outer is not None
                assert inner is not None
                assert action is not None
                assert outer["x"] - 1 <= inner["x"]
                assert inner["x"] + inner["width"] <= action["x"]
                assert cell.evaluate("(cell) => cell.scrollWidth <= cell.clientWidth")
            sid = row.locator(f'[title="{number["sid"]}"]')
            expect(sid).to_have_text(f"PN…{number['sid'][-4:]}")


def test_digits_in_the_filter_mean_phone_numbers(explorer: ExplorerPage, gateway: Gateway) -> None:
    page = explorer.page
    account = gateway.create_account(owned=40)
    explorer.new_tab(LISTING)
    explorer.set_credentials(account["sid"], account["auth_token"])
    nodes = explorer.run()["data"]["phoneNumbers"]["nodes"]
    explorer.view("Table")
    wanted = nodes[0]["phoneNumber"][2:4]
    found = [each for each in nodes if wanted in each["phoneNumber"]]
    assert len(found) < len([each for each in nodes if wanted in each["phoneNumber"] + each["sid"]])
    page.get_by_role("searchbox", name="Filter rows").fill(wanted)
    expect(page.locator(".table-tools output")).to_contain_text(f"{len(found)} of 40 rows")
    page.get_by_role("searchbox", name="Filter rows").fill(nodes[0]["sid"][-6:])
    expect(page.locator(".table-tools output")).to_have_text("1 of 40 rows")
    page.get_by_role("searchbox", name="Filter rows").fill("nothing of the kind")
    expect(page.get_by_text("No row matches the filter.")).to_be_visible()


def test_an_empty_list_is_told_as_such(explorer: ExplorerPage, gateway: Gateway) -> None:
    explorer.run()
    explorer.view("Table")
    account = gateway.create_account(owned=0)
    explorer.new_tab(LISTING)
    explorer.set_credentials(account["sid"], account["auth_token"])
    assert explorer.run()["data"]["phoneNumbers"]["nodes"] == []
    expect(explorer.page.get_by_text("No rows.")).to_be_visible()


def test_rows_can_be_saved_where_the_browser_keeps_the_clipboard(
    page: Page, strict_gateway: Gateway
) -> None:
    port = urlsplit(strict_gateway.url).port
    explorer = ExplorerPage(page, f"http://{ELSEWHERE}:{port}")
    explorer.open()
    account = strict_gateway.account("parent")
    explorer.bring_credentials(account["sid"], account["auth_token"])
    explorer.tab("ListAndFilter")
    number = explorer.run()["data"]["phoneNumbers"]["nodes"][0]
    explorer.view("Table")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save as CSV").click()
    header, first, *_ = caught.value.path().read_text(encoding="utf-8").splitlines()
    assert header.startswith("phoneNumber,sid,")
    assert first.startswith(f"{number['phoneNumber']},{number['sid']},")
    assert explorer.problems == []


def test_the_wheel_zooms_about_the_pointer(explorer: ExplorerPage) -> None:
    page = explorer.page
    explorer.run()
    explorer.view("Map")
    mark = page.locator(".map-mark").last
    expect(mark).to_be_visible()
    before = mark.bounding_box()
    assert before is not None
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    spread = f"{MIDDLES}.length && {MIDDLES}[0][0] - {MIDDLES}.at(-1)[0]"
    apart = page.evaluate(spread)
    page.mouse.move(x, y)
    for _ in range(4):
        page.mouse.wheel(0, -100)
    page.wait_for_function(f"Math.abs({spread}) > 2 * Math.abs({apart})")
    after = mark.bounding_box()
    assert after is not None
    assert after["x"] + after["width"] / 2 == pytest.approx(x, abs=2)
    assert after["y"] + after["height"] / 2 == pytest.approx(y, abs=2)


def test_names_on_the_map_cover_neither_marks_nor_each_other(
    explorer: ExplorerPage, subtests: pytest.Subtests
) -> None:
    for example in ("SearchNearPlace", "ListAndFilter", "VanityPattern"):
        with subtests.test(example):
            explorer.tab(example)
            explorer.run()
            explorer.view("Map")
            expect(explorer.page.locator(".map-label").first).to_be_visible()
            explorer.settle()
            assert explorer.page.evaluate(COVERED) == []


def test_a_nested_list_can_be_looked_at_beside_what_it_belongs_to(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    explorer.tab("ListAndFilter")
    body = explorer.run()
    explorer.view("Table")
    owned = body["data"]["phoneNumbers"]["nodes"]
    nested = [each for number in owned for each in number["similarAvailable"]["nodes"]]
    expect(page.locator(".table-tools output")).to_have_text(f"{len(owned)} rows, more exist")
    page.get_by_label("List to show").select_option("phoneNumbers.similarAvailable")
    expect(page.locator(".table-tools output")).to_have_text(f"{len(nested)} rows")
    first = explorer.grid.locator('[aria-rowindex="2"]').get_by_role("gridcell")
    expect(first.nth(0)).to_have_attribute("title", owned[0]["phoneNumber"])
    expect(first.nth(1)).to_have_attribute("title", nested[0]["phoneNumber"])


def test_a_thousand_rows_stay_easy_to_use(explorer: ExplorerPage, gateway: Gateway) -> None:
    page = explorer.page
    account = gateway.create_account(owned=1000)
    explorer.new_tab(LISTING)
    explorer.set_credentials(account["sid"], account["auth_token"])
    body = explorer.run()
    assert len(body["data"]["phoneNumbers"]["nodes"]) == 1000
    explorer.view("Table")
    expect(page.locator(".table-tools output")).to_have_text("1,000 rows")
    assert explorer.grid.get_by_role("row").count() < 80
    explorer.grid.focus()
    page.keyboard.press("End")
    expect(explorer.grid.locator('[aria-rowindex="1001"]')).to_be_visible()
    page.get_by_role("button", name="Locality").click()
    page.keyboard.press("Enter")
    first = explorer.grid.locator('[aria-rowindex="2"]')
    explorer.grid.focus()
    page.keyboard.press("Home")
    expect(first).to_be_visible()
    most = page.evaluate(
        """async () => {
          const grid = document.querySelector('.table-scroller');
          const drawn = () => new Promise((then) =>
            requestAnimationFrame(() => requestAnimationFrame(then)));
          let most = 0;
          for (let step = 1; step <= 20; step++) {
            grid.scrollTop = step * grid.scrollHeight / 21;
            await drawn();
            most = Math.max(most, grid.querySelectorAll('[role=row]').length);
          }
          return most;
        }"""
    )
    assert 0 < most < 80, "only rows that are seen are drawn"
    explorer.screenshot(SCREENSHOTS / "thousand-rows.png")
    explorer.view("Map")
    expect(page.locator(".map-count")).to_contain_text("1,000 numbers in")
    assert page.locator(".map-mark").count() > 50
    explorer.screenshot(SCREENSHOTS / "thousand-on-the-map.png")


def test_everything_can_be_reached_without_a_mouse(explorer: ExplorerPage) -> None:
    page = explorer.page
    keyboard = page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(60):
            keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        message = f"Tab does not lead to {selector}"
        raise AssertionError(message)

    tab_to("select[aria-label=Account]")
    tab_to(".graphiql-sidebar button[aria-label='Show Upstream']")
    keyboard.press("Enter")
    expect(page.locator(".panel-title")).to_have_text("Upstream")
    tab_to(".graphiql-tab-button")
    tab_to(".graphiql-editor")
    keyboard.press("Enter")
    keyboard.press("Control+End")
    keyboard.insert_text("\n# typed")
    expect(explorer.operation_editor).to_contain_text("# typed")
    keyboard.press("Escape")
    tab_to("button.graphiql-execute-button")
    explorer.run(lambda: keyboard.press("Enter"))
    tab_to(".results-bar input[type=radio]")
    keyboard.press("ArrowRight")
    expect(explorer.grid).to_be_visible()
    tab_to("[role=grid]")
    keyboard.press("ArrowDown")
    expect(explorer.grid.locator('[aria-selected="true"]')).to_have_attribute("aria-rowindex", "3")
    keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(explorer.grid).to_be_focused()
    keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Buy this number")).to_be_focused()
    keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_contain_text("Bought.")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    # The row is marked, and cannot be bought once more.
    expect(explorer.grid).to_be_focused()
    keyboard.press("Enter")
    explorer.settle()
    expect(dialog).to_be_hidden()
    # The operation runs from within its editor, too.
    explorer.operation_editor.focus()
    keyboard.press("Enter")
    explorer.run(lambda: keyboard.press("Control+Enter"))


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_shows_one_pane_at_a_time_and_fits_it(
    browser: Browser, gateway: Gateway, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844 if width == 390 else 568}, has_touch=True
    )
    explorer = ExplorerPage(context.new_page(), gateway.url)
    explorer.open()
    page = explorer.page
    explorer.screenshot(SCREENSHOTS / f"phone-{width}.png")
    panes = page.get_by_role("tablist", name="What is shown").get_by_role("tab")
    operation, result = (
        page.locator(".graphiql-query-editor"),
        page.locator(".graphiql-response"),
    )
    expect(operation).to_be_visible()
    expect(result).to_be_hidden()
    fits(page, width, ".topbar", ".graphiql-query-editor", ".graphiql-sidebar")

    # Line numbers that are scrolled away do not lie over the buttons.
    explorer.operation_editor.locator(".view-lines").tap()
    page.keyboard.press("Control+End")
    explorer.run(explorer.run_button.tap)
    expect(panes.filter(has_text="Result")).to_have_attribute("aria-selected", "true")
    expect(operation).to_be_hidden()
    explorer.view("Map")
    expect(page.locator(".results-view > *").first).to_be_visible()
    explorer.view("Table")
    numbers = explorer.grid.locator(".table-row:not(.table-head) [role=gridcell]:first-child")
    for at in range(5):
        expect(numbers.nth(at)).to_be_in_viewport(ratio=0.99)
    fits(page, width, ".topbar", ".graphiql-response", ".graphiql-sidebar")

    panes.filter(has_text="Result").focus()
    page.keyboard.press("ArrowRight")
    panel = page.locator(".graphiql-plugin")
    expect(panes.filter(has_text="Upstream")).to_be_focused()
    expect(panel).to_contain_text("call")
    expect(panes.first).to_be_in_viewport(ratio=0.99)
    page.keyboard.press("ArrowRight")
    expect(operation).to_be_visible()

    panel = explorer.open_panel("Examples")
    expect(panel).to_be_in_viewport(ratio=0.99)
    panel.get_by_role("button", name="List and filter").tap()
    expect(panel).not_to_be_in_viewport()
    expect(explorer.operation_editor).to_contain_text("ListAndFilter")
    assert explorer.problems == []
    context.close()


def fits(page: Page, width: int, *selectors: str) -> None:
    """What is in sight is not wider than the screen, and high enough to be of use."""
    for selector in selectors:
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] > 40
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_tab_goes_the_way_that_eyes_go(explorer: ExplorerPage) -> None:
    explorer.run()
    page = explorer.page

    places = page.evaluate(FOCUS_ORDER, [".topbar", ".graphiql-sidebar", ".graphiql-plugin"])
    assert places == sorted(places)
    for pane in (".graphiql-query-editor", ".graphiql-response", ".graphiql-editor-tools"):
        boxes = page.evaluate(BOXES, pane)
        assert len(boxes) > 2
        # What comes next stands to the right of it, or further down.
        for (_, bottom, _), (_, next_bottom, _) in pairwise(boxes):
            assert next_bottom > bottom - 30, (pane, boxes)


def test_tabs_take_arrows_and_delete(explorer: ExplorerPage) -> None:
    tabs = explorer.page.locator(".graphiql-tabs").get_by_role("tab")
    count = tabs.count()
    keyboard = explorer.page.keyboard
    tabs.first.click()

    keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    expect(explorer.operation_editor).to_contain_text("VanityPattern")
    keyboard.press("End")
    expect(tabs.last).to_be_focused()
    keyboard.press("ArrowRight")
    expect(tabs.first).to_be_focused()
    keyboard.press("Delete")
    expect(tabs).to_have_count(count - 1)
    expect(tabs.first).to_have_attribute("aria-selected", "true")


def test_text_can_be_read_in_light_and_in_dark(
    explorer: ExplorerPage, subtests: pytest.Subtests
) -> None:
    page = explorer.page
    # What changes does so at once.
    page.emulate_media(reduced_motion="reduce")
    explorer.tab("ListAndFilter")
    explorer.open_panel("Upstream")
    explorer.run()
    for scheme in ("light", "dark"):
        with subtests.test(scheme):
            page.emulate_media(color_scheme=scheme)
            ratios: dict[str, float] = {}
            for view in ("JSON", "Table", "Map"):
                explorer.view(view)
                if view != "JSON":
                    expect(page.locator(".results-view > *").first).to_be_visible()
                explorer.settle()
                explorer.screenshot(SCREENSHOTS / f"{scheme}-{view.lower()}.png")
                ratios |= page.evaluate(CONTRASTS)
            assert len(ratios) > 20
            assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


def test_the_theme_can_be_chosen_and_is_remembered(explorer: ExplorerPage) -> None:
    page = explorer.page
    for expected in ("light", "dark"):
        page.get_by_role("button", name="Theme:").click()
        expect(page.get_by_role("button", name=f"Theme: {expected}")).to_be_visible()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible(timeout=READY)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
    assert background == "rgb(17, 21, 26)"


def test_credentials_are_not_written_to_the_browsers_storage(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    explorer.wait_for_text("headers", lambda text: "Basic " in text)
    explorer.run()
    # GraphiQL and the page write down what they hold half a second late.
    explorer.take_note(700)
    stored = explorer.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert "SearchNearPlace" in stored
    assert "Basic " not in stored
    assert gateway.account("parent")["auth_token"] not in stored


COVERED = """() => {
  const boxes = (selector) => [...document.querySelectorAll(selector)].map((each) =>
    [each.textContent, each.getBoundingClientRect()]);
  const [names, marks] = [boxes('.map-label'), boxes('.map-mark')];
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 &&
    a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return names.flatMap(([name, box], index) => [...marks, ...names.slice(index + 1)]
    .filter(([, other]) => meet(box, other)).map(([other]) => [name, other]));
}"""


CONTRASTS = """() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const { rgb, a } = parse(getComputedStyle(node).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const ratios = {};
  const ours = (element) => !element.closest('.monaco-editor, svg, :disabled, noscript')
    && !element.parentElement.querySelector(':scope > input:disabled');
  for (const element of document.querySelectorAll('body *')) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    if (!texts.some((node) => node.data.trim()) || !ours(element)) continue;
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const colors = [parse(getComputedStyle(element).color).rgb, behind(element)];
    const [one, other] = colors.map(luminance);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const name = `${element.tagName}.${element.className}`;
    ratios[name] = Math.min(ratios[name] ?? 21, ratio);
  }
  return ratios;
}"""


FOCUS_ORDER = """(selectors) => {
  const all = [...document.querySelectorAll("*")];
  return selectors.map((selector) => all.indexOf(document.querySelector(selector)));
}"""
BOXES = """(pane) => [...document.querySelectorAll(
    `${pane} :is(button, select, input, textarea, [tabindex="0"])`)]
  .filter((each) => each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true }))
  .map((each) => each.getBoundingClientRect())
  .map(({ top, bottom, left }) => [top, bottom, left])"""
