"""The examples of the explorer and of the pages work with every account, with the catalog or without."""

import re
import uuid
from collections.abc import Iterator
from typing import Any, Final

import pytest
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    OperationType,
    parse,
    print_ast,
)
from graphql.utilities import separate_operations

from tests.support.gateway_in_thread import RunningGateway
from tests.support.paths import DOCS, ROOT
from tests.support.sandbox_in_thread import RunningSandbox

EXPLORER: Final = ROOT / "gateway" / "explorer" / "web" / "src" / "examples.ts"
_BLOCK: Final = re.compile(r"^```(?:graphql|tsx?)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TEMPLATE: Final = re.compile(r"`([^`]*\b(?:query|mutation|subscription|fragment) \w+[^`]*)`")


def documents(text: str) -> Iterator[DocumentNode]:
    """Yield the GraphQL documents of a page; what only Relay's compiler knows is left out."""
    for name, block in _BLOCK.findall(text):
        if name.endswith(".graphqls") or "relay" in name:
            continue
        if name.endswith((".ts", ".tsx")):
            yield from templates(block)
        else:
            yield parse(block)


def templates(code: str) -> Iterator[DocumentNode]:
    """Yield the document of the template strings of a file."""
    found = "\n".join(_TEMPLATE.findall(code))
    if found:
        yield parse(found)


def operations(found: Iterator[DocumentNode]) -> Iterator[tuple[str, str]]:
    """Yield each operation with its fragments, by name; subscriptions never end, and are left out."""
    fragments: dict[str, FragmentDefinitionNode] = {}
    for document in found:
        own = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
        # Files of a page share fragments.
        fragments |= {each.name.value: each for each in own}
        others = [each for each in fragments.values() if each not in own]
        whole = DocumentNode(definitions=(*document.definitions, *others))
        for name, alone in separate_operations(whole).items():
            (operation,) = (
                each for each in alone.definitions if isinstance(each, OperationDefinitionNode)
            )
            if operation.operation is not OperationType.SUBSCRIPTION:
                yield name or operation.operation.value, print_ast(alone)


PAGES: Final = {
    "explorer": [*operations(templates(EXPLORER.read_text()))],
    **{
        path.stem: found
        for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
        if (found := [*operations(documents(path.read_text()))])
    },
}
_SAMPLES: Final = {"first": 5, "country": "US", "pattern": "*7*7", "filter": {"contains": "55"}}


class Values:
    """Values for the variables of examples: numbers that are for sale or owned now, each once."""

    def __init__(self, sandbox: RunningSandbox, *, catalog: bool) -> None:
        self.account = sandbox.create_account(catalog=catalog, owned=3)
        self._child = sandbox.create_account(catalog=catalog, owner_account_sid=self.account.sid)
        self._sandbox = sandbox

    def of(self, operation: str) -> dict[str, Any]:
        """Return values for all variables of an operation that must have one, and for samples."""
        declared = dict(re.findall(r"\$(\w+): ([\w\[\]!]+)", operation))
        values = {name: each for name, each in _SAMPLES.items() if name in declared}
        if "to" in declared or "transferPhoneNumber" in operation:
            values |= dict.fromkeys(declared.keys() & {"to", "subaccount"}, self._child.sid)
        buys = "purchasePhoneNumber" in operation
        number = self._sandbox.put_number(None if buys else self.account.sid)
        digits, sid = number["phone_number"], number.get("sid")
        known = {"sid": sid, "number": digits, "phoneNumber": digits, "ids": [sid]}
        values |= {name: each for name, each in known.items() if name in declared}
        inputs = {
            "PurchasePhoneNumberInput!": {
                "phoneNumber": digits,
                "idempotencyKey": uuid.uuid4().hex,
            },
            "ConfigurePhoneNumberInput!": {"sid": sid, "configuration": {"friendlyName": "Desk"}},
            "ReleasePhoneNumberInput!": {"sid": sid, "confirmPhoneNumber": digits},
        }
        return values | {name: inputs[kind] for name, kind in declared.items() if kind in inputs}


@pytest.mark.parametrize("catalog", [False, True], ids=["core alone", "catalog"])
@pytest.mark.parametrize("page", PAGES)
def test_every_example_works_with_every_account(
    gateway: RunningGateway, sandbox: RunningSandbox, page: str, catalog: bool
) -> None:
    values = Values(sandbox, catalog=catalog)
    # The one number that a page names.
    sandbox.put_number(None, "+16315550101", {"configuration": {}})
    for name, operation in PAGES[page]:
        data = gateway.query(operation, values.of(operation), account=values.account)
        for field, answer in data.items():
            assert answer, (name, field)
            if isinstance(answer, dict):
                assert answer.get("userErrors", []) == [], name
                assert answer.get("nodes", True), (name, field)


def test_the_examples_are_found() -> None:
    assert {"explorer", "README", "clients", "money"} <= set(PAGES)
    assert len(PAGES["explorer"]) == 8
    assert len(PAGES["README"]) == 6
