"""The table of a result: what is copied, how a list goes on, and what can be taken along."""

import csv
import io
import json
import re

from playwright.sync_api import Page, expect

from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import ExplorerPage, is_traced

OWNED = (
    "query Owned($first: Int = 50, $after: String) { phoneNumbers(first: $first, after: $after) {"
    " edges { node { sid phoneNumber friendlyName capabilities { voice { enabled } } } }"
    " pageInfo { hasNextPage endCursor } } }"
)
# What is copied is seen where it would go: the test's browser keeps its clipboard to itself.
CATCH_COPIED = (
    "document.addEventListener('copy', (event) =>"
    " { window.copied = event.clipboardData.getData('text/plain') })"
)


def _copied(page: Page) -> str:
    page.evaluate("window.copied = ''")
    page.keyboard.press("Control+c")
    text: str = page.wait_for_function("window.copied").json_value()
    return text


def test_cells_give_their_values_as_other_programs_take_them(explorer: ExplorerPage) -> None:
    page, grid = explorer.page, explorer.grid
    explorer.tab("ListAndFilter")
    first, second = explorer.run()["data"]["phoneNumbers"]["nodes"][:2]
    explorer.view("Table")
    page.evaluate(CATCH_COPIED)
    number, sid = (grid.locator(f'[title="{first[key]}"]') for key in ("phoneNumber", "sid"))
    # A word of the number as it is shown stands for the whole, and so does a click.
    number.dblclick()
    assert _copied(page) == first["phoneNumber"]
    sid.click()
    assert _copied(page) == first["sid"]
    page.keyboard.press("ArrowDown")
    assert _copied(page) == second["sid"]
    page.keyboard.press("ArrowLeft")
    assert _copied(page) == second["phoneNumber"]
    copy = page.get_by_role("button", name=f"Copy {second['phoneNumber']}")
    expect(copy).to_be_visible()
    # Several cells are a piece of a spreadsheet.
    start, end = number.bounding_box(), grid.locator(f'[title="{second["sid"]}"]').bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 40, start["y"] + 17)
    page.mouse.down()
    page.mouse.move(end["x"] + 40, end["y"] + 17, steps=4)
    page.mouse.up()
    lines = [line.split("\t") for line in _copied(page).split("\n")]
    assert [line[0] for line in lines] == [first["phoneNumber"], second["phoneNumber"]]
    assert lines[0][1] == first["sid"]
    assert lines[1][1] == second["sid"]


def test_headers_keep_acronyms_and_yes_no_and_unknown_are_told_in_words(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    account = gateway.account("core-only")
    explorer.page.get_by_label("Account").select_option(account["sid"])
    explorer.new_tab(
        "{ phoneNumbers(first: 2) { nodes { sid phoneNumber geography { lata isoCountry }"
        " capabilities { voice { enabled e911 } sms { enabled } mms { enabled } }"
        " configuration { voice { url } sms { url } } } } }"
    )
    (number, *_) = explorer.run()["data"]["phoneNumbers"]["nodes"]
    explorer.view("Table")
    header = explorer.grid.get_by_role("columnheader")
    expect(header.first).to_be_visible()
    names = set(header.all_inner_texts())
    assert {"SID", "LATA", "ISO country", "SMS enabled", "MMS enabled", "Voice URL"} <= names
    words = {True: "yes", False: "no", None: "unknown"}
    shown = explorer.grid.locator('[aria-rowindex="2"] .cell-flag')
    can = number["capabilities"]
    told = [
        *(can["voice"][each] for each in ("enabled", "e911")),
        *(can[kind]["enabled"] for kind in ("sms", "mms")),
    ]
    expect(shown).to_have_text([words[each] for each in told])
    assert len(set(told)) > 1
    # Each has a shape of its own beside the word.
    shapes = {flag.text_content(): flag.locator("path").get_attribute("d") for flag in shown.all()}
    assert len(set(shapes.values())) == len(shapes) > 1


def test_a_list_goes_on_from_its_cursor(explorer: ExplorerPage, gateway: Gateway) -> None:
    page = explorer.page
    account = gateway.create_account(owned=7)
    explorer.new_tab(OWNED)
    explorer.set_credentials(account["sid"], account["auth_token"])
    explorer.set_text("variables", '{"first": 3}')
    explorer.run()
    explorer.view("Table")
    rows, badge = page.locator(".table-tools output"), page.locator(".results-bar .segmented small")
    more = page.get_by_role("button", name="Load more")
    runs = explorer.note_runs()
    for loaded in ("3", "6"):
        expect(rows).to_have_text(f"{loaded} rows, more exist")
        expect(badge).to_have_text([loaded])
        more.click()
    expect(rows).to_have_text("7 rows")
    expect(more).to_have_count(0)
    # The same query was sent with the cursor, and what was typed stays as it was.
    sent = [json.loads(each.post_data or "{}") for each in runs]
    assert {each["query"] for each in sent} == {OWNED}
    assert all(each["variables"]["after"] for each in sent)
    assert json.loads(explorer.editor_text("variables")) == {"first": 3}
    numbers = explorer.grid.locator(".table-body .cell-pinned").all_inner_texts()
    assert len(set(numbers)) == 7
    explorer.view("JSON")
    assert '"hasNextPage": false' in explorer.editor_text("response")


def test_a_cursor_takes_the_place_of_a_literal_and_a_failure_keeps_the_rows(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    explorer.new_tab(
        "# as it was written\n{ mine: phoneNumbers(first: 2, after: null) {"
        " nodes { sid phoneNumber } pageInfo { hasNextPage endCursor } } countries { code } }"
    )
    explorer.run()
    explorer.view("Table")
    rows = page.locator(".table-tools output")
    expect(rows).to_have_text("2 rows, more exist")
    more = page.get_by_role("button", name="Load more")
    # Its plan is there, too: only what is loaded is to fail.
    expect(page.locator(".graphiql-toolbar .chip").first).to_contain_text("Plan")
    page.context.set_offline(True)
    try:
        more.click()
        expect(page.locator(".table-failed")).to_have_text("The gateway cannot be reached.")
        expect(rows).to_have_text("2 rows, more exist")
    finally:
        page.context.set_offline(False)
    explorer.problems.clear()  # The browser tells of what it could not send.
    with page.expect_request(is_traced) as caught:
        more.click()
    query = json.loads(caught.value.post_data or "")["query"]
    assert re.match(r'# as it was written\n\{ mine: phoneNumbers\(first: 2, after: "\S+"\)', query)
    expect(rows).to_have_text("4 rows, more exist")
    # The badge counts the list that is looked at.
    page.get_by_label("List to show").select_option("countries")
    count = (rows.text_content() or "").removesuffix(" rows")
    expect(page.locator(".results-bar .segmented small")).to_have_text([count])


def test_the_rows_that_are_shown_are_saved_and_no_cell_of_them_is_a_formula(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    account = gateway.create_account(owned=4)
    explorer.new_tab(OWNED)
    explorer.set_credentials(account["sid"], account["auth_token"])
    nodes = [each["node"] for each in explorer.run()["data"]["phoneNumbers"]["edges"]]
    names = ['=1+1,"x"', "+cmd|' /C calc'!A0", "-2+3", " @SUM(A1)"]
    rename = (
        "mutation ($sid: ID!, $name: String!) { configurePhoneNumber(input: { sid: $sid,"
        " configuration: { friendlyName: $name } }) { userErrors { message } } }"
    )
    for node, name in zip(nodes, names, strict=True):
        document = {"query": rename, "variables": {"sid": node["sid"], "name": name}}
        gateway.ask_as(account, document)
    explorer.run()
    explorer.view("Table")
    page.get_by_role("searchbox", name="Filter rows").fill("1+1")
    expect(page.locator(".table-tools output")).to_have_text("1 of 4 rows")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save as JSON").click()
    assert caught.value.suggested_filename == "phoneNumbers.json"
    (saved,) = json.loads(caught.value.path().read_text("utf-8"))
    assert saved["friendlyName"] == names[0]
    assert saved["capabilities"]["voice"]["enabled"] in {True, False}
    page.get_by_role("searchbox", name="Filter rows").fill("")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save as CSV").click()
    assert caught.value.suggested_filename == "phoneNumbers.csv"
    text = caught.value.path().read_bytes().decode()
    assert text.count("\r\n") == text.count("\n") == 5
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {line["friendlyName"] for line in lines} == {f"'{name}" for name in names}
    assert {line["phoneNumber"] for line in lines} == {node["phoneNumber"] for node in nodes}


def test_what_stays_in_sight_fades_where_columns_are_hidden_beneath(
    explorer: ExplorerPage,
) -> None:
    explorer.tab("ListAndFilter")
    explorer.run()
    explorer.view("Table")
    grid = explorer.grid
    pinned = grid.locator('[aria-rowindex="2"] .cell-pinned')
    action = grid.locator('[aria-rowindex="2"] .cell-action')
    faded = re.compile("gradient")
    expect(action).to_have_css("mask-image", faded)
    expect(pinned).not_to_have_css("mask-image", faded)
    grid.evaluate("(grid) => { grid.scrollLeft = 10_000 }")
    expect(pinned).to_have_css("mask-image", faded)
    expect(action).not_to_have_css("mask-image", faded)
