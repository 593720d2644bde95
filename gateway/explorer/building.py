"""What the explorer's page says as long as it is not there, and how it comes by itself.

`tools/build_explorer.py` leaves word in `build.json` every second while it builds.
"""

import html
import json
import time
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

_PAGE: Final = Template((Path(__file__).parent / "not_built.html").read_text("utf-8"))
# Older than this, the word is of a build that was broken off.
_FRESH_SECONDS: Final = 15.0
_COMMAND: Final = """\
make explorer

# or, with Node.js 20.19 or newer:
npm ci --prefix gateway/explorer/web
npm run build --prefix gateway/explorer/web"""


class _Told(NamedTuple):
    title: str
    reason: str
    command: str


def waiting_page(state: Path, graphql_path: str) -> str:
    """Return a page that says why the explorer is not there, and loads itself again until it is.

    Args:
        state: the file in which the build tells how far it is.
        graphql_path: where GraphQL is served meanwhile.
    """
    told = _told(state)._asdict() | {"graphql_path": graphql_path}
    return _PAGE.substitute({name: html.escape(each) for name, each in told.items()})


def _told(state: Path) -> _Told:
    try:
        age = time.time() - state.stat().st_mtime
        word = json.loads(state.read_text("utf-8"))
    except (OSError, ValueError):
        word = {}
    if word.get("state") == "failed":
        reason = f"It could not be built: {word['step']}. The terminal has said more."
        return _Told("The explorer is not built", reason, _COMMAND)
    if word and age < _FRESH_SECONDS:
        return _Told("The explorer is being built", f"Now it is {word['step']} …", "")
    reason = "This copy comes from the source tree and not from a wheel, and nothing builds it now."
    return _Told("The explorer is not built", reason, _COMMAND)
