"""Relay's compiler takes every connection of the schema: refetched, and paged in each direction."""

import json
from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_required_argument,
    print_type,
)

from tests.clients.conftest import tool
from tests.support.node import require_node
from tests.support.paths import ROOT

SCHEMA = build_schema((ROOT / "schema" / "schema.graphql").read_text())
# Values of arguments without which a connection cannot be asked for.
REQUIRED = {"CountryCode": '"US"', "SimilarScope": "REGION"}
CONFIGURATION = {
    "src": "./src",
    "schema": "./schema.graphql",
    "language": "typescript",
    "eagerEsModules": True,
}


def connections() -> Iterator[tuple[GraphQLObjectType, str, GraphQLField]]:
    """Yield every field that is a connection."""
    for kind in SCHEMA.type_map.values():
        if isinstance(kind, GraphQLObjectType):
            for name, field in kind.fields.items():
                if get_named_type(field.type).name.endswith("Connection"):
                    yield kind, name, field


def fragment(kind: GraphQLObjectType, name: str, field: GraphQLField, *, both: bool) -> str:
    """Return a fragment that pages a connection, forwards or in both directions."""
    label = f"connections{kind.name}{name[0].upper()}{name[1:]}{'Both' if both else ''}"
    directions = [("first", "after"), ("last", "before")][: 1 + both]
    defined = " ".join(
        f'{count}: {{ type: "Int"{", defaultValue: 10" if count == "first" else ""} }}'
        f' {cursor}: {{ type: "String" }}'
        for count, cursor in directions
    )
    passed = [f"{each}: ${each}" for pair in directions for each in pair] + [
        f"{each}: {REQUIRED[get_named_type(argument.type).name]}"
        for each, argument in field.args.items()
        if is_required_argument(argument)
    ]
    return f"""fragment {label} on {kind.name}
      @refetchable(queryName: "{label}Query") @argumentDefinitions({defined}) {{
        {name}({", ".join(passed)}) @connection(key: "{label}_{name}") {{ edges {{ node {{ __typename }} }} }}
      }}"""


def test_every_connection_is_one_of_the_relay_specification() -> None:
    found = [f"{kind.name}.{name}" for kind, name, _ in connections()]
    assert found == [
        "Account.subaccounts",
        "Account.phoneNumbers",
        "Country.availablePhoneNumbers",
        "PhoneNumber.similarAvailable",
        "Query.phoneNumbers",
        "Query.availablePhoneNumbers",
    ]
    for _, _, field in connections():
        assert {"first", "after"} <= field.args.keys()
        assert ("last" in field.args) is ("before" in field.args)
        connection = get_named_type(field.type)
        assert isinstance(connection, GraphQLObjectType)
        assert "pageInfo: PageInfo!" in print_type(connection)


def test_relay_compiles_every_connection(tmp_path: Path) -> None:
    require_node()
    fragments = [
        fragment(kind, name, field, both=both)
        for kind, name, field in connections()
        for both in (False, True)
        if not both or "last" in field.args
    ]
    (tmp_path / "src").mkdir()
    tagged = "\n".join(f"graphql`{each}`;" for each in fragments)
    source = f'import {{ graphql }} from "relay-runtime";\n{tagged}\n'
    (tmp_path / "src" / "connections.ts").write_text(source)
    (tmp_path / "schema.graphql").write_text((ROOT / "schema" / "schema.graphql").read_text())
    (tmp_path / "relay.config.json").write_text(json.dumps(CONFIGURATION))
    tool("relay-compiler", "relay.config.json", cwd=tmp_path)
    made = {path.name for path in (tmp_path / "src" / "__generated__").iterdir()}
    assert len(made) == 2 * len(fragments)
