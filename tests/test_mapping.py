"""The page that says where everything comes from is made from the tables, and is current."""

from pathlib import Path

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType

from gateway import records
from gateway.filters import CATALOG_SEARCH, CATALOG_WRITE, CORE_SEARCH, form, to_field
from schema import build_schema
from tools.mapping import TYPES, page

PAGE = Path(__file__).parent.parent / "docs" / "mapping.md"


def test_the_page_is_current() -> None:
    made = "\n".join(page()) + "\n"
    assert PAGE.read_text() == made, "run: python -m tools.mapping > docs/mapping.md"


@pytest.mark.parametrize("typename", TYPES)
def test_every_field_of_a_mapped_type_comes_from_somewhere(typename: str) -> None:
    kind = build_schema()._schema.type_map[typename]
    assert isinstance(kind, GraphQLObjectType)
    fields = kind.fields
    mapped = {name for table in records.TABLES.values() for name in table.get(typename, {})}
    # These are resolved by calls of their own.
    calls = {"account", "similar_available", "subaccounts", "phone_numbers"}
    calls |= {"available_phone_numbers"}
    assert {to_field(name) for name in fields} - calls == mapped


def test_every_search_filter_is_known_to_some_family() -> None:
    kind = build_schema()._schema.type_map["AvailablePhoneNumberFilter"]
    assert isinstance(kind, GraphQLInputObjectType)
    nested = {"capabilities", "geography"}
    flat = {path for path in (*CORE_SEARCH, *CATALOG_SEARCH) if "." not in path}
    assert set(kind.fields) - nested == flat


def test_a_setting_without_a_parameter_is_never_left_out_in_silence() -> None:
    with pytest.raises(ValueError, match=r"voice\.trunkSid"):
        form({"friendlyName": "Desk", "voice.trunkSid": None}, CATALOG_WRITE)
