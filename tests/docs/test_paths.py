"""Files that pages, docstrings and comments name are there."""

import re
import subprocess

from tests.support.paths import ROOT

# What a page of another machine or an older release names.
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
