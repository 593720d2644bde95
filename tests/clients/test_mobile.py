"""The page's documents and configurations for Apollo iOS and Apollo Kotlin.

Their generators and compilers are not run here: what they read is checked against the schema, and
each document is run.
"""

import json
import re
import uuid
from typing import Any

import pytest
from graphql import GraphQLScalarType, OperationDefinitionNode, OperationType, parse

from schema import build_core_schema
from tests.clients.conftest import snippets
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

DOCUMENT = snippets()["graphql/Numbers.graphql"]
BUILT_IN = {"Boolean", "Float", "ID", "Int", "String"}


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(catalog=True, owned=1)


def scalars() -> set[str]:
    """Return the names of the schema's own scalars."""
    kinds = build_core_schema().type_map.values()
    return {kind.name for kind in kinds if isinstance(kind, GraphQLScalarType)} - BUILT_IN


def asked(
    gateway: RunningGateway, account: SandboxAccount, operation: str, **variables: Any
) -> dict[str, Any]:
    """Run an operation of the document and return its only root field."""
    body = {"query": DOCUMENT, "operationName": operation, "variables": variables}
    answer = gateway.post(body, account=account).json()
    assert "errors" not in answer
    (field,) = answer["data"].values()
    return dict(field)


def test_each_operation_runs(gateway: RunningGateway, account: SandboxAccount) -> None:
    (owned,) = asked(gateway, account, "Numbers", first=100)["nodes"]
    assert asked(gateway, account, "Details", sid=owned["sid"])["similarAvailable"]["nodes"]
    search = {"country": "US", "filter": {"contains": "55"}, "first": 1}
    (offer,) = asked(gateway, account, "Search", **search)["nodes"]
    buying = {"phoneNumber": offer["phoneNumber"], "idempotencyKey": str(uuid.uuid4())}
    bought = asked(gateway, account, "Buy", input=buying)
    assert bought["userErrors"] == []
    number = bought["phoneNumber"]
    releasing = {"sid": number["sid"], "confirmPhoneNumber": number["phoneNumber"]}
    released = asked(gateway, account, "Release", input=releasing)
    assert released == {"releasedId": number["id"], "userErrors": []}
    (follow,) = (
        each.name.value
        for each in parse(DOCUMENT).definitions
        if isinstance(each, OperationDefinitionNode)
        and each.name
        and each.operation is OperationType.SUBSCRIPTION
    )
    headers = {"accept": "multipart/mixed;subscriptionSpec=1.0"}
    with gateway.http.stream(
        "POST",
        f"{gateway.url}/graphql",
        json={"query": DOCUMENT, "operationName": follow},
        headers=headers,
        auth=account.auth,
    ) as answer:
        assert answer.status_code == 200


def test_every_scalar_has_a_type_in_kotlin_and_in_the_table() -> None:
    mapped = re.findall(r"mapScalar\w*\(\"(\w+)\"", snippets()["build.gradle.kts"])
    assert sorted(mapped) == sorted(scalars())


def test_scalars_that_would_hide_types_of_foundation_have_another_name_in_swift() -> None:
    config = json.loads(snippets()["apollo-codegen-config.json"])
    renamed = config["options"]["schemaCustomization"]["customTypeNames"]
    assert set(renamed) == scalars() & {"Data", "Date", "Decimal", "Locale", "UUID", "URL"}


def test_types_with_an_id_are_kept_by_it_in_kotlin() -> None:
    kept = re.findall(
        r"extend type (\w+) @typePolicy\(keyFields: \"id\"\)", snippets()["extra.graphqls"]
    )
    nodes = build_core_schema().get_possible_types(build_core_schema().type_map["Node"])  # type: ignore[arg-type]
    assert sorted(kept) == sorted(kind.name for kind in nodes)
