"""The schema keeps graphql-eslint's rules, recommended and Relay's; exceptions are argued there."""

from tests.support.node import node_json, require_node


def test_the_schema_keeps_the_rules_of_graphql_eslint_but_for_argued_exceptions() -> None:
    """What is broken needs another schema, or a line with its reason in `lint.mjs`."""
    require_node("eslint")
    found = node_json("lint.mjs")
    assert found["rules"] >= 24
    assert found["broken"] == []
    assert found["idle"] == [], "exceptions that nothing needs"
