"""The page that says where everything comes from is made from the tables, and is current."""

import re
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from gateway.mapping import records
from gateway.mapping.filters import (
    CATALOG_OWNED,
    CATALOG_SEARCH,
    CATALOG_WRITE,
    CORE_OWNED,
    CORE_SEARCH,
    CORE_WRITE,
    Table,
    form,
    to_field,
)
from schema import build_schema
from tests.support.paths import DOCS, ROOT
from tools.mapping import TYPES, page
from tools.view_fields import module

PAGE = DOCS / "mapping.md"


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
    calls |= {"available_phone_numbers", "prices", "requirements"}
    assert {to_field(name) for name in fields} - calls == mapped


def paths(kind: GraphQLInputObjectType, prefix: str = "") -> Iterator[str]:
    """Yield the path of every value that an input takes; a point is one."""
    for name, each in kind.fields.items():
        inner = get_named_type(each.type)
        if isinstance(inner, GraphQLInputObjectType) and inner.name != "LatLongInput":
            yield from paths(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_no_name_of_a_parameter_needs_to_be_escaped() -> None:
    """They are sent as they are, see `gateway/upstream/client.py`."""
    reads, writes = (
        (CATALOG_OWNED, CATALOG_SEARCH, CORE_OWNED, CORE_SEARCH),
        (CATALOG_WRITE, CORE_WRITE),
    )
    names = {each.name for table in (*reads, *writes) for each in table.values()}
    assert {name for name in names if quote_plus(name) != name} == set()


@pytest.mark.parametrize(
    ("typename", "tables"),
    [
        ("PhoneNumberFilter", (CATALOG_OWNED, CORE_OWNED)),
        ("AvailablePhoneNumberFilter", (CATALOG_SEARCH, CORE_SEARCH)),
        ("ConfigurePhoneNumberInput", (CATALOG_WRITE, CORE_WRITE)),
    ],
)
def test_every_value_that_an_input_takes_is_known_to_some_family(
    typename: str, tables: tuple[Table, ...]
) -> None:
    kind = build_schema()._schema.type_map[typename]
    assert isinstance(kind, GraphQLInputObjectType)
    known = {path for table in tables for path in table}
    # Several area codes are asked for one by one.
    known = {"areaCodes" if path == "areaCode" else path for path in known}
    if typename == "PhoneNumberFilter":
        # Of owned numbers the upstream cannot be asked for these: that is refused.
        known |= {f"capabilities.{each}.enabled" for each in ("voice", "sms", "mms")}
    taken = {path.removeprefix("configuration.") for path in paths(kind)}
    # Clearing a document is setting it to nothing; the others say which number, and how.
    assert taken - known <= {"regulatory.clear", "sid", "accountSid", "idempotencyKey", "dryRun"}
    assert known <= taken


def test_a_setting_without_a_parameter_is_never_left_out_in_silence() -> None:
    with pytest.raises(ValueError, match=r"voice\.trunkSid"):
        form({"friendlyName": "Desk", "voice.trunkSid": None}, CATALOG_WRITE)


def test_the_page_says_what_the_gateway_filters_by_itself() -> None:
    rows = set(page())
    assert "| `contains` | *by the gateway* | `Contains` |" in rows
    assert (
        "| `capabilities.sms.gsm7` | `Capabilities.Sms.Gsm7`, only when true, else *by the gateway* | not available |"
        in rows
    )
    lifecycle = "`Beta`, only GENERALLY_AVAILABLE, else *by the gateway*, only BETA"
    assert f"| `lifecycle` | `Lifecycle` | {lifecycle} |" in rows


def test_type_checkers_are_told_of_every_field_of_a_view() -> None:
    told = "\n".join(module()) + "\n"
    made = (ROOT / "gateway/mapping/view_fields.py").read_text()
    assert made == told, "run: python -m tools.view_fields > gateway/mapping/view_fields.py"
    named = set(re.findall(r"^    (\w+): ClassVar", told, re.MULTILINE))
    fields = {name for table in records.TABLES.values() for each in table.values() for name in each}
    assert fields - named == {"source"}
