"""The form for an operation's variables, filled in by a person in Chromium."""

import json

from playwright.sync_api import expect

from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import ExplorerPage

CONFIGURE = """
mutation Rename($sid: ID!, $configuration: ConfigurationInput!, $dry: Boolean! = false) {
  configurePhoneNumber(input: { sid: $sid, configuration: $configuration, dryRun: $dry }) {
    phoneNumber { sid configuration { friendlyName } }
    userErrors { message }
  }
}
"""
SEVERAL = """
mutation Several($input: ConfigurePhoneNumbersInput!) {
  configurePhoneNumbers(input: $input) { results { userErrors { message } } }
}
"""


def test_a_form_fills_in_variables_with_a_number_that_is_chosen(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    number = gateway.ask({"query": "{ phoneNumbers(first: 1) { nodes { sid phoneNumber } } }"})
    (owned,) = number.json()["data"]["phoneNumbers"]["nodes"]
    explorer.new_tab(CONFIGURE)
    page.get_by_role("button", name="Fill in", exact=True).click()
    form = page.get_by_role("dialog", name="Variables of Rename")
    run = form.get_by_role("button", name="Run")

    expect(form.get_by_role("status")).to_have_text("Still to be given: sid, configuration.")
    expect(run).to_be_disabled()
    choice = form.get_by_label("Choose a number of yours for sid")
    choice.focus()
    choice.select_option(owned["sid"])
    form.get_by_label("friendlyName").fill("By the form")
    form.get_by_label("dry", exact=True).select_option("false")

    configuration = {"friendlyName": "By the form"}
    expected = {"sid": owned["sid"], "configuration": configuration, "dry": False}
    assert json.loads(explorer.editor_text("variables")) == expected
    expect(form.get_by_role("status")).to_have_text("")
    body = explorer.run(run.click)
    answer = body["data"]["configurePhoneNumber"]
    assert answer["phoneNumber"]["configuration"] == configuration
    expect(form).to_be_hidden()


def test_a_form_adds_and_removes_what_a_list_holds_and_sends_null_on_request(
    explorer: ExplorerPage,
) -> None:
    page = explorer.page
    explorer.new_tab(SEVERAL)
    page.get_by_role("button", name="Fill in", exact=True).click()
    form = page.get_by_role("dialog", name="Variables of Several")
    form.get_by_role("button", name="Add one").click()
    form.get_by_label("sid", exact=False).first.fill("PN1")
    form.get_by_role("button", name="Add another").click()
    form.get_by_role("button", name="Remove items 2").click()
    group = form.locator(".variable", has=page.get_by_text("configuration", exact=True)).last
    group.get_by_role("button", name="null").click()

    held = json.loads(explorer.editor_text("variables"))
    assert held == {"input": {"items": [{"sid": "PN1", "configuration": None}]}}
    group.get_by_role("button", name="null").click()
    held = json.loads(explorer.editor_text("variables"))
    assert held == {"input": {"items": [{"sid": "PN1"}]}}


def test_a_form_says_when_the_variables_cannot_be_read(explorer: ExplorerPage) -> None:
    page = explorer.page
    explorer.new_tab(SEVERAL)
    explorer.set_text("variables", "{ not json")
    page.get_by_role("button", name="Fill in", exact=True).click()
    form = page.get_by_role("dialog", name="Variables of Several")

    expect(form).to_contain_text("not a JSON object")
    form.get_by_role("button", name="Begin with none").click()
    expect(form.get_by_role("status")).to_have_text("Still to be given: input.")
    form.get_by_role("button", name="Close").click()
    assert explorer.editor_text("variables") == "{}"
