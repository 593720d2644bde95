"""Pictures of every state of the explorer, in light, in dark and on a phone: `make screenshots`.

They are written to `build/screenshots/`, with a page that shows them side by side, whose address is
printed. It takes about a minute; Chromium has to be installed.
"""

import html
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.explorer.chromium import launched
from tests.explorer.conftest import serving
from tests.explorer.explorer_page import ExplorerPage
from tests.explorer.tour import LOOKS, tour
from tests.support.paths import ROOT

FOLDER: Final = ROOT / "build/screenshots"


def main() -> None:
    """Take them all, telling how far it is."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as gateway,
        sync_playwright() as playwright,
        launched(playwright) as browser,
    ):
        taken = [_take(browser, gateway.url, look) for look in LOOKS]
    page = FOLDER / "index.html"
    page.write_text(_gallery(taken[0]))
    sys.stdout.write(f"{page.as_uri()}\n")


def _take(browser: Browser, url: str, look: str) -> list[str]:
    """Take all of one look; return the names of the states."""
    scale = 2 if look == "phone" else 1
    context = browser.new_context(**LOOKS[look], reduced_motion="reduce", device_scale_factor=scale)
    explorer = ExplorerPage(context.new_page(), url)
    explorer.open()
    names = []
    for name in tour(explorer):
        names.append(name)
        sys.stderr.write(f"{look}: {len(names)} {name}\n")
        # What moves has come to rest.
        explorer.page.wait_for_timeout(250)
        explorer.screenshot(FOLDER / _file(look, name))
    context.close()
    return names


def _file(look: str, name: str) -> str:
    return f"{name.replace(' ', '-')}-{look}.png"


def _gallery(names: list[str]) -> str:
    rows = "\n".join(
        f"<h2>{html.escape(name)}</h2>\n<div>"
        + "".join(
            f'<a href="{_file(look, name)}"><img src="{_file(look, name)}" alt="{name}, {look}"'
            ' loading="lazy"></a>'
            for look in LOOKS
        )
        + "</div>"
        for name in names
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The explorer, state by state</title>
<style>
body {{ margin: 24px; font: 15px/1.5 system-ui, sans-serif; background: #888; color: #fff }}
div {{ display: flex; gap: 12px; align-items: flex-start }}
a {{ flex: 1440 }} a:last-child {{ flex: 390 }}
img {{ width: 100%; display: block; border-radius: 6px }}
</style>
<h1>The explorer, state by state</h1>
{rows}
</html>
"""


if __name__ == "__main__":
    main()
