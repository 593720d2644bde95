"""Files that pages, docstrings and comments name are there."""

import re
import subprocess
from pathlib import Path

from tests.support.paths import ROOT

_PATH = re.compile(
    r"(?<![\w/.-])(?:gateway|schema|tests|tools|docs)/[\w./-]+\.(?:py|md|graphql|sh|mjs|ts)\b"
)


def test_every_file_that_a_text_names_is_there() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.toml", "*.sh", "Makefile"],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    missing = []
    for name in listed.stdout.split():
        if name == "CHANGELOG.md":
            continue  # It tells of times when other files were there.
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            missing += [
                f"{name}:{number}: {path}"
                for path in _PATH.findall(line)
                if not (ROOT / path).exists() and not ((ROOT / name).parent / path).exists()
            ]
    assert missing == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made where pages are shown."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).strip().replace(" ", "-") for each in headings}


def test_every_link_between_pages_leads_somewhere() -> None:
    astray = []
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tests/**/README.md")):
        if "node_modules" in page.parts:
            continue
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in link or link.startswith("mailto:"):
                continue
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                astray.append(f"{page.relative_to(ROOT)}: {link}")
    assert astray == []
