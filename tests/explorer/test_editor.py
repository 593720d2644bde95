"""The editors and the reference as people see them: colours by place and theme, search in descriptions."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.explorer.explorer_page import ExplorerPage

WORDS = """query Q($type: ID!) {
  input: phoneNumber(sid: $type) { type ... on PhoneNumber { on: sid input: type } }
}"""

SURFACE = """() => {
  const piece = document.createElement("i");
  piece.style.background = "var(--surface)";
  document.body.append(piece);
  const { backgroundColor } = getComputedStyle(piece);
  piece.remove();
  return backgroundColor;
}"""


def colour(text: Locator) -> str:
    """The colour in which it is drawn."""
    found: str = text.evaluate("(element) => getComputedStyle(element).color")
    return found


def word(explorer: ExplorerPage, text: str, at: int = 0) -> Locator:
    """A word in the editor of the operation."""
    exactly = re.compile(rf"^\s*{re.escape(text)}\s*$")
    return explorer.operation_editor.locator(".view-line span span", has_text=exactly).nth(at)


def test_a_word_is_coloured_by_its_place_and_not_by_its_name(explorer: ExplorerPage) -> None:
    explorer.new_tab(WORDS)
    keyword = colour(word(explorer, "query"))
    field = colour(word(explorer, "phoneNumber"))

    assert keyword != field
    # An alias, a field, an alias called `on`; and `on` where it says of what type something is.
    assert colour(word(explorer, "input")) == field
    assert colour(word(explorer, "type")) == field
    assert colour(word(explorer, "on", 1)) == field
    assert colour(word(explorer, "on", 0)) == keyword


def test_what_lies_over_the_page_follows_its_theme(
    explorer: ExplorerPage, subtests: pytest.Subtests
) -> None:
    page = explorer.page
    palette = page.locator(".quick-input-widget")
    suggestions = page.locator(".suggest-widget")
    settings = page.locator(".graphiql-dialog")
    surfaces = set()
    for theme in ("light", "dark"):
        with subtests.test(theme):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            expected = page.evaluate(SURFACE)
            surfaces.add(expected)
            explorer.operation_editor.locator(".view-lines").click()
            page.keyboard.press("F1")
            expect(palette).to_be_visible()
            expect(palette).to_have_css("background-color", expected)
            page.keyboard.press("Escape")
            expect(palette).to_be_hidden()

            page.keyboard.press("Control+Space")
            expect(suggestions).to_be_visible()
            expect(suggestions).to_have_css("background-color", expected)
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Open settings dialog").click()
            expect(settings).to_have_css("background-color", expected)
            page.keyboard.press("Escape")
            expect(settings).to_be_hidden()
    assert len(surfaces) == 2


def test_the_reference_is_searched_by_what_it_says(explorer: ExplorerPage) -> None:
    page = explorer.page
    explorer.open_panel("Documentation Explorer")
    found = page.locator(".docs-found li")
    search = page.get_by_role("searchbox", name="Search names and descriptions")

    search.fill("webhook")
    expect(found.filter(has_text="VoiceConfiguration.url")).to_have_count(1)
    expect(found.filter(has_text="VoiceConfiguration.url").locator("mark")).to_have_text("Webhook")
    search.fill("no such thing")
    expect(page.get_by_text("Nothing in the schema speaks of")).to_be_visible()
    search.fill("rate center")
    found.filter(has_text="rateCenter").first.get_by_role("button").click()
    expect(page.locator(".graphiql-doc-explorer-title")).to_contain_text("rateCenter")
