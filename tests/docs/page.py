"""docs/deployment.md as tests read it: its blocks, and what stands in for the names in them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.paths import ROOT

PAGE: Final = (ROOT / "docs" / "deployment.md").read_text()


class Block(NamedTuple):
    """A block of the page: its language and its lines."""

    language: str
    text: str

    @property
    def title(self) -> str:
        """The file that it is to be written to, without a comment's mark; else its first line."""
        return self.text.splitlines()[0].removeprefix("# ")


BLOCKS: Final = [Block(*found) for found in re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)]


def block(title: str) -> str:
    """Return the text of the one block whose first line begins with `title`."""
    (found,) = [each.text for each in BLOCKS if each.title.startswith(title)]
    return found


def duration(text: str) -> float:
    """Return the seconds of a time as nginx, HAProxy, systemd and the settings write it."""
    number, unit = re.fullmatch(r"(\d+) ?(ms|s|m|h)?", text).groups()  # type: ignore[union-attr]
    return float(number) * {"ms": 0.001, "m": 60, "h": 3600}.get(unit, 1)


class Names:
    """What a test puts in place of the page's ports, paths and host names; it changes nothing else.

    Args:
        folder: stands for the root of all file systems.
        programs: folder of the programs that stand for those that the page installs; without
            one they are below `folder`.
        ports: the page's port → the one that is used.
    """

    def __init__(self, folder: Path, programs: Path | None, ports: Mapping[int, int]) -> None:
        self._put = {
            r"/opt/number-gateway/bin/": f"{programs or folder / 'opt/number-gateway/bin'}/",
            r"(?<![\w./])/(?=(?:etc|opt|var/lib)/)": f"{folder}/",
            r"\bgateway\.example\.com\b": "localhost",
            r"\b10\.0\.0\.(?=[1-9]\b(?!/))": "127.0.0.",
        }
        self._put |= {rf"(?<![\w.]){page}(?![\w.])": str(port) for page, port in ports.items()}

    def put(self, text: str) -> str:
        """Return `text` with the names that hold here."""
        for pattern, name in self._put.items():
            text = re.sub(pattern, name, text)
        return text
