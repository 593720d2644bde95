"""Which answers of the upstream a selection needs, and what they tell together."""

from operator import attrgetter
from typing import Any

import pytest
from graphql import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, parse

from gateway.mapping.filled import filled, homes_with
from gateway.mapping.homes import HOMES, NOWHERE, TOLD_BY_CORE, Home, fields_told, needed
from gateway.mapping.records import view
from schema import build_core_schema
from schema.enums import Source
from schema.selections import SelectedFields, Selecting

SCHEMA = build_core_schema()
ACCOUNT = "AC" + "0" * 32


def selected(text: str, **variables: object) -> SelectedFields:
    """Return what the first field of an operation selects."""
    operation, *others = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    field = operation.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    root = SCHEMA.get_root_type(operation.operation)
    assert root is not None
    fragments = {
        each.name.value: each for each in others if isinstance(each, FragmentDefinitionNode)
    }
    return Selecting(SCHEMA, fragments, variables).below(
        root.fields[field.name.value].type, [field]
    )


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("sid id accountSid phoneNumber __typename", NOWHERE),
        ("sid type", Home.CATALOG),
        ("lifecycle geography { region }", Home.CATALOG),
        ("sid dateCreated regulatory { bundleSid }", Home.CORE),
        ("friendlyName dateCreated", Home.CATALOG | Home.CORE),
        ("source", Home.CATALOG),
        ("configuration { voice { url handler } }", Home.CATALOG),
        ("configuration { voice { receiveMode } }", Home.CORE),
        ("configuration { mms { url } }", Home.LISTED),
        ("similarAvailable(within: LATA) { nodes { beta } }", Home.CATALOG),
        ("account { dateCreated }", NOWHERE),
    ],
)
def test_a_selection_needs_the_answers_that_tell_its_fields(text: str, home: Home) -> None:
    for above in ("phoneNumber {", "phoneNumbers { nodes {", "phoneNumbers { edges { node {"):
        closing = "}" * above.count("{")
        assert needed(selected(f"{{ {above} {text} {closing} }}")) is home


@pytest.mark.parametrize(
    ("text", "variables", "home"),
    [
        ("{ phoneNumber { ...F } } fragment F on PhoneNumber { origin }", {}, Home.CORE),
        ("{ phoneNumber { ... { origin } } }", {}, Home.CORE),
        ("{ phoneNumber { ... on NumberProfile { beta } ... on Node { id } } }", {}, Home.CORE),
        ("{ phoneNumber { ... on Account { dateCreated } sid } }", {}, NOWHERE),
        ('{ node(id: "x") { id ... on NumberProfile { beta } } }', {}, Home.CORE),
        ('{ node(id: "x") { ... on PhoneNumber { lifecycle } } }', {}, Home.CATALOG),
        ('{ node(id: "x") { ... on Account { dateCreated } } }', {}, NOWHERE),
        ("{ phoneNumber { origin @skip(if: true) sid } }", {}, NOWHERE),
        ("{ phoneNumber { origin @include(if: $on) sid } }", {"on": False}, NOWHERE),
        ("{ phoneNumber { origin @include(if: $on) sid } }", {"on": True}, Home.CORE),
        ("{ phoneNumber { ... @skip(if: $on) { origin } } }", {"on": True}, NOWHERE),
    ],
)
def test_fragments_and_conditions_are_followed(
    text: str, variables: dict[str, object], home: Home
) -> None:
    assert needed(selected(text, **variables)) is home


def test_every_plain_field_of_numbers_has_a_home_but_those_that_are_the_same_everywhere() -> None:
    told = {name.partition(".")[2] for name in HOMES if name.startswith("PhoneNumber.")}
    fields = SCHEMA.type_map["PhoneNumber"].fields  # type: ignore[attr-defined]
    nested = {"capabilities", "regulatory", "geography", "configuration"}
    assert set(fields) - told - nested == {"id", "sid", "accountSid", "phoneNumber", "account"}
    assert fields_told(selected("{ phoneNumber { beta origin lifecycle } }"), Home.CORE) == [
        "beta",
        "origin",
    ]


def test_each_field_is_told_by_its_home() -> None:
    catalog = view(
        "PhoneNumber",
        Source.CATALOG,
        {
            "sid": "PN1",
            "phone_number": "+1",
            "lifecycle": "beta",
            "configuration": {"voice": {"url": "https://catalog"}},
        },
        ACCOUNT,
    )
    core = view(
        "PhoneNumber",
        Source.CORE,
        {
            "sid": "PN1",
            "phone_number": "+1",
            "origin": "twilio",
            "voice_url": "https://core",
            "voice_receive_mode": "fax",
            "bundle_sid": "BU1",
        },
        ACCOUNT,
    )
    both: Any = filled({Home.CATALOG: catalog, Home.CORE: core}, homes_with(frozenset()))
    assert (both.sid, both.lifecycle.name, both.origin.name) == ("PN1", "BETA", "TWILIO")
    voice = both.configuration.voice
    assert (voice.url, voice.receive_mode.name) == ("https://catalog", "FAX")
    assert (both.regulatory.bundle_sid, both.regulatory.address_requirements) == ("BU1", None)
    assert both.geography is None
    assert both.configuration.mms is None

    fresh: Any = filled({Home.CATALOG: catalog, Home.CORE: core}, homes_with(TOLD_BY_CORE))
    assert fresh.configuration.voice.url == "https://core"
    assert fresh.lifecycle.name == "BETA"


def test_an_answer_that_could_not_be_had_costs_its_own_fields() -> None:
    raw = {"sid": "PN1", "phone_number": "+1", "lifecycle": "beta", "configuration": {"voice": {}}}
    catalog = view("PhoneNumber", Source.CATALOG, raw, ACCOUNT)
    problem = ValueError("away")
    both: Any = filled({Home.CATALOG: catalog, Home.CORE: problem}, homes_with(frozenset()))
    assert both.lifecycle.name == "BETA"
    assert both.configuration.voice.url is None
    for path in ("origin", "regulatory", "configuration.voice.receive_mode"):
        with pytest.raises(ValueError, match="away"):
            attrgetter(path)(both)
