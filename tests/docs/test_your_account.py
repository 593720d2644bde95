"""The page about what an account gives is made from the tables, is current, and is true."""

import re
from collections.abc import Iterator
from typing import Final, cast

import pytest
from graphql import GraphQLObjectType, get_named_type

from schema import build_core_schema
from tests.support.gateway_in_thread import RunningGateway
from tests.support.paths import DOCS
from tools.your_account import page

PAGE: Final = DOCS / "your-account.md"
COLUMNS: Final = {"core-only": 0, "parent": 1}


def table(title: str) -> dict[str, tuple[str, str]]:
    """Return a table of the page: what stands in its two columns, by path."""
    (text,) = re.findall(
        rf"^## {title}\n\n(.*?)(?:\n\n|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return {
        path: (core, both)
        for path, core, both in re.findall(r"^\| `(.+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    }


def selection(paths: list[str]) -> str:
    """Return what selects these paths of a number; money is selected as its amount."""
    tree: dict[str, dict[str, object]] = {}
    for path in paths:
        place = tree
        for step in path.split("."):
            place = place.setdefault(step, {})  # type: ignore[assignment]
    leaves = {"setupPrice": " { amount }", "monthlyPrice": " { amount }", "match": " { start }"}

    def write(place: dict[str, dict[str, object]]) -> str:
        return " ".join(
            name + (f" {{ {write(below)} }}" if below else leaves.get(name, ""))  # type: ignore[arg-type]
            for name, below in place.items()
        )

    return write(tree)


def value(node: object, path: str) -> object:
    """Return what stands at a path of an answer."""
    for step in path.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def test_the_page_is_current() -> None:
    made = "\n".join(page()) + "\n"
    assert PAGE.read_text() == made, "run: python -m tools.your_account > docs/your-account.md"


def leaves(kind: GraphQLObjectType, above: str = "") -> Iterator[str]:
    """Yield the paths of what numbers tell; money is one thing, as what was matched is."""
    for name, field in kind.fields.items():
        below = get_named_type(field.type)
        if isinstance(below, GraphQLObjectType) and below.name not in {"Money", "PatternMatch"}:
            if above or name in {"capabilities", "regulatory", "geography", "configuration"}:
                yield from leaves(below, f"{above}{name}.")
        else:
            yield above + name


@pytest.mark.parametrize(
    ("title", "typename"),
    [("Numbers you own", "PhoneNumber"), ("Numbers for sale", "AvailablePhoneNumber")],
)
def test_the_page_has_every_field_of_a_number(title: str, typename: str) -> None:
    kind = cast("GraphQLObjectType", build_core_schema().type_map[typename])
    # These are set for a number, by who owns it.
    owners = {f"regulatory.{name}Sid" for name in ("address", "identity", "bundle")}
    told = set(leaves(kind)) - (owners if typename == "AvailablePhoneNumber" else set())
    assert told == set(table(title))


@pytest.mark.parametrize("role", COLUMNS)
@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("Numbers you own", "phoneNumbers(first: 200)"),
        (
            "Numbers for sale",
            'availablePhoneNumbers(country: "US", first: 100)',
        ),
    ],
    ids=["owned", "for sale"],
)
def test_what_the_page_says_is_not_to_be_had_is_null_and_most_of_the_rest_is_not(
    gateway: RunningGateway, role: str, title: str, field: str
) -> None:
    cells = {path: columns[COLUMNS[role]] for path, columns in table(title).items()}
    query = f"{{ answer: {field} {{ nodes {{ {selection([*cells])} }} }} }}"
    nodes = gateway.query(query, account=gateway.sandbox.accounts()[role])["answer"]["nodes"]
    known = {path for path in cells if any(value(node, path) is not None for node in nodes)}
    told = {path for path, cell in cells.items() if cell != "no"}
    assert known <= told
    told -= {path for path, cell in cells.items() if title == "Numbers for sale" and "2010" in cell}
    # What no number of the sandbox is set to shows nowhere, nor what nothing was searched for.
    silent = ("configuration", "regulatory", "match", "distanceMiles")
    assert [path for path in told - known if not path.startswith(silent)] == []
