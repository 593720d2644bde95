"""tests/README.md: its example runs, and what it names is there."""

import re
from typing import Any

import pytest

from tests.conftest import LONGEST
from tests.support.gateway_in_thread import RunningGateway
from tests.support.paths import ROOT, TESTS
from tests.support.sandbox_in_thread import RunningSandbox

PAGE = (TESTS / "README.md").read_text()
EXAMPLES: dict[str, Any] = {}
for _each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
    exec(_each, EXAMPLES)  # noqa: S102 - our own page
NAMES = [each for each in EXAMPLES if each.startswith("test_")]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_to_copy_runs(
    name: str, gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    EXAMPLES[name](gateway, sandbox)


def test_there_is_an_example() -> None:
    assert len(NAMES) == 1


def test_every_folder_of_tests_is_a_room_or_is_explained() -> None:
    rooms = {each.parent.name for each in (ROOT / "gateway").glob("*/__init__.py")}
    explained = set(re.findall(r"^\| `(\w+)/` \|", PAGE, re.MULTILINE))
    folders = {each.parent.name for each in TESTS.glob("*/__init__.py")}
    assert folders - rooms - {"schema"} == explained


def test_what_the_page_says_to_take_is_there() -> None:
    support = "".join(each.read_text() for each in (TESTS / "support").glob("*.py"))
    offered = support + (TESTS / "conftest.py").read_text()
    table = PAGE.partition("## What to take")[2].partition("## One to copy")[0]
    for name in re.findall(r"[`*]\(?(?:sandbox\.)?([a-z_]+)\(", table):
        assert f"def {name}(" in offered, name
    for name in re.findall(r"fixture `(\w+)`", table):
        assert re.search(rf"@pytest\.fixture.*\ndef {name}\(", offered), name
    for file in re.findall(r"`support/(\w+)\.py`", table):
        assert (TESTS / "support" / f"{file}.py").is_file(), file


def test_no_test_stands_beside_the_rooms_but_that_of_the_architecture() -> None:
    assert [each.name for each in TESTS.glob("test_*.py")] == ["test_architecture.py"]


def test_files_that_are_run_first_are_there() -> None:
    assert [each for each in LONGEST if not (ROOT / each).is_file()] == []
