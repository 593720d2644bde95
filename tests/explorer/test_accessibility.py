"""What axe finds in each state of the page: WCAG 2.2, level AA, in light, in dark and on a phone."""

from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.explorer.conftest import Gateway
from tests.explorer.explorer_page import ExplorerPage
from tests.explorer.tour import LOOKS, tour
from tests.support.paths import ROOT

AXE: Final = ROOT / "tests/clients/node_modules/axe-core/axe.min.js"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What is wrong, in a form that says where.
RUN: Final = """async (tags) => {
  const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}"""


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_any_state(browser: Browser, gateway: Gateway, look: str) -> None:
    context = browser.new_context(**LOOKS[look], reduced_motion="reduce")
    explorer = ExplorerPage(context.new_page(), gateway.url)
    explorer.open()
    explorer.page.evaluate(AXE.read_text())

    found: dict[str, list[str]] = {
        state: explorer.page.evaluate(RUN, TAGS) for state in tour(explorer)
    }
    context.close()

    assert len(found) >= 18
    assert {state: wrong for state, wrong in found.items() if wrong} == {}
