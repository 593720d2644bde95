"""What leaves the explorer: an operation as code, and a link to it; neither takes credentials along."""

import base64
import json
import os
import re
import subprocess

import pytest
from playwright.sync_api import expect

from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import ExplorerPage, authorization

# With all that has a meaning of its own in a shell or in a template literal.
TRICKY = 'query Tricky($a: ID) { account(sid: $a) { sid } } # it\'s `${this}` \\ "that"'
SECRET = "sesame"


def code(explorer: ExplorerPage, language: str) -> str:
    """Return the operation as code, as the dialog shows it."""
    dialog = explorer.page.get_by_role("dialog", name="Take it elsewhere")
    dialog.locator("label", has_text=language).click()
    text = dialog.get_by_role("region", name=f"The operation for {language}").text_content()
    assert text
    return text


def test_an_operation_is_copied_as_code_that_runs_with_placeholders_for_what_is_secret(
    explorer: ExplorerPage, gateway: Gateway, subtests: pytest.Subtests
) -> None:
    page = explorer.page
    account = gateway.account("parent")
    explorer.put_operation(TRICKY)
    explorer.set_text("variables", json.dumps({"a": account["sid"]}))
    headers = json.loads(explorer.editor_text("headers")) | {"X-Tenant": SECRET}
    explorer.set_text("headers", json.dumps(headers))
    page.get_by_role("button", name="Copy as code, or share a link").click()
    expected = {"data": {"account": {"sid": account["sid"]}}}
    for language in ("curl", "fetch", "Apollo", "urql"):
        with subtests.test(language):
            text = code(explorer, language)
            assert account["auth_token"] not in text
            assert headers["Authorization"].removeprefix("Basic ") not in text
            assert SECRET not in text
            assert "X-Tenant".lower() in text
    with subtests.test("what was copied is told of that alone"):
        page.evaluate("navigator.clipboard.writeText = async () => {}")
        copy = page.locator(".share-head").get_by_role("button")
        copy.click()
        expect(copy).to_have_text("Copied")
        code(explorer, "curl")
        assert copy.inner_text() == "Copy"
    with subtests.test("curl runs"):
        credentials = {
            "TWILIO_ACCOUNT_SID": account["sid"],
            "TWILIO_AUTH_TOKEN": account["auth_token"],
            "X_TENANT": "",
        }
        shell = ["sh", "-c", code(explorer, "curl").replace("curl ", "curl -s --noproxy '*' ", 1)]
        environment = os.environ | credentials
        answer = subprocess.run(  # noqa: S603 - what people do with it
            shell, env=environment, capture_output=True, check=True, timeout=30
        )
        assert json.loads(answer.stdout) == expected
    with subtests.test("fetch runs"):
        script = code(explorer, "fetch")
        values = {"ACCOUNT_SID": account["sid"], "AUTH_TOKEN": account["auth_token"]}
        for name, value in values.items():
            script = script.replace(f'{name} = "…"', f'{name} = "{value}"')
        script = script.replace('X_TENANT = "…"', 'X_TENANT = ""')
        assert page.evaluate(f"async () => {{ {script}; return {{ data }} }}") == expected
    expect(page.get_by_text("yours are not in it")).to_be_visible()


def test_a_link_opens_the_operation_in_a_tab_and_has_no_headers(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    page = explorer.page
    explorer.put_operation(TRICKY)
    explorer.set_text("variables", '{"a": "è"}')
    page.get_by_role("button", name="Copy as code, or share a link").click()
    dialog = page.get_by_role("dialog", name="Take it elsewhere")
    link = dialog.get_by_label("Link to the operation").input_value()
    dialog.get_by_role("button", name="Close").click()
    shown = json.loads(explorer.editor_text("headers"))["Authorization"]
    assert link.startswith(f"{gateway.url}/#operation=")
    assert "Authorization" not in decoded(link)
    assert shown not in decoded(link)
    explorer.tab("BuyNumber")
    explorer.wait_for_text("variables", lambda text: "5550000000" not in text)
    gateway.forget()
    page.evaluate("(link) => { location.href = link }", link)
    expect(explorer.operation_editor).to_contain_text("query Tricky")
    explorer.wait_for_text("variables", lambda text: text == '{"a": "è"}')
    expect(page.locator(".graphiql-tab-active")).to_have_text(re.compile("Tricky"))
    # It runs when somebody runs it; and it is opened once.
    explorer.take_note()
    explorer.settle()
    assert gateway.requests() == []
    expect(explorer.status).to_be_empty()
    assert page.url == f"{gateway.url}/"
    # A page that opens with it does the same, and who gets half of it gets nothing.
    other = page.context.new_page()
    other.goto(link)
    expect(other.locator(".graphiql-query-editor .view-lines")).to_contain_text("query Tricky")
    tabs = other.locator(".graphiql-tab").count()
    other.goto(link[:-7])
    expect(other).to_have_url(f"{gateway.url}/")
    expect(other.locator(".graphiql-tab")).to_have_count(tabs)
    expect(other.locator(".graphiql-tab-active")).to_have_text(re.compile("Tricky"))
    other.close()


def decoded(link: str) -> str:
    """Return what a link holds."""
    encoded = link.partition("#operation=")[2]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


@pytest.mark.usefixtures("explanations")
def test_what_was_planned_stands_beside_what_was_made_and_real_counts_win(
    explorer: ExplorerPage, gateway: Gateway
) -> None:
    account = gateway.create_account(owned=3, catalog=False)
    panel = explorer.open_panel("Upstream")
    explorer.put_operation(
        "{ phoneNumbers(first: 20) { nodes { sid similarAvailable(within: REGION, first: 1)"
        " { nodes { phoneNumber } } } } }"
    )
    credentials = account["sid"], account["auth_token"]
    own = {"x-gateway-explain": "plan", "authorization": authorization(*credentials)}
    # As somebody else, what was typed may have a plan before.
    with explorer.page.expect_response(
        lambda answer: own.items() <= answer.request.headers.items()
    ):
        explorer.set_credentials(*credentials)
    explorer.settle()
    expect(panel.locator(".plan")).to_contain_text("At most 20: up to 20 numbers assumed")
    planned = panel.locator('.plan [data-figure="reads"]').text_content()
    made = explorer.run()["extensions"]["upstream"]["sent"]
    both = panel.get_by_role("group", name="Planned and made")
    expect(both).to_contain_text(f"Planned {planned}, made {made}")
    # By now the gateway knows how many there are.
    expect(panel.locator(".plan")).to_contain_text("At most 3: this account has 3 numbers")
