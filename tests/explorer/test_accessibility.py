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
# All that looks at colours: of the same page in other colours, nothing else can differ.
OF_COLOURS: Final = ["color-contrast", "link-in-text-block"]
# What is wrong, in a form that says where.
RUN: Final = """async (runOnly) => {
  const { violations } = await axe.run(document, { runOnly, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}"""


@pytest.mark.parametrize("looks", [("light", "dark"), ("phone",)], ids=["desktop", "phone"])
def test_axe_finds_nothing_in_any_state(
    browser: Browser, gateway: Gateway, looks: tuple[str, ...]
) -> None:
    context = browser.new_context(**LOOKS[looks[0]], reduced_motion="reduce")
    explorer = ExplorerPage(context.new_page(), gateway.url)
    explorer.open()
    explorer.page.evaluate(AXE.read_text())

    found: dict[str, list[str]] = {}
    for state in tour(explorer):
        for look in looks:
            explorer.page.emulate_media(color_scheme=LOOKS[look].get("color_scheme", "light"))
            explorer.settle()
            rules = TAGS if look == looks[0] else OF_COLOURS
            found[f"{state}, {look}"] = explorer.page.evaluate(RUN, rules)
    context.close()

    assert len(found) >= 18 * len(looks)
    assert {state: wrong for state, wrong in found.items() if wrong} == {}
