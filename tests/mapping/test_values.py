"""What values say is true: unknown is not "no", and a type promises no more than the upstream keeps."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_scalar_type,
    is_specified_scalar_type,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schema import build_schema
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_app

Gateways: TypeAlias = tuple[RunningGateway, RunningGateway]
ABSENT = object()
ASKED = "capabilities { voice { enabled fax } sms { enabled } mms { enabled } }"
OWNED = f"{{ phoneNumbers(first: 1) {{ nodes {{ {ASKED} }} }} }}"
FOR_SALE = (
    '{ availablePhoneNumbers(country: "US", first: 1, filter: { %s }) { nodes { ' + ASKED + " } } }"
)
ON_CATALOG = "minSetupPrice: 0"
NUMBER = {"sid": "PN" + "1" * 32, "phone_number": "+12125550100"}


class Upstream:
    """Answers every list with one number whose keys are what a test says."""

    def __init__(self, core_only: SandboxAccount) -> None:
        self.core_only = core_only
        self.without_catalog = f"Basic {b64encode(':'.join(core_only.auth).encode()).decode()}"
        self.capabilities: Any = None
        self.others: dict[str, Any] = {}
        self.app = Starlette(routes=[Route("/{path:path}", self.answer)])

    async def answer(self, request: Request) -> Response:
        """Answer in the form of the path's family."""
        number: dict[str, Any] = NUMBER | self.others
        if self.capabilities is not ABSENT:
            number["capabilities"] = self.capabilities
        path = request.url.path
        if path.startswith("/Numbers/"):
            if request.headers["authorization"] == self.without_catalog:
                return JSONResponse({"code": 20404, "status": 404, "message": "not found"}, 404)
            return JSONResponse({"items": [number], "meta": {"key": "items"}})
        key = "available" if "Available" in path else "incoming"
        return JSONResponse({f"{key}_phone_numbers": [number]})


@pytest.fixture(scope="module")
def upstream(shared_sandbox: RunningSandbox) -> Upstream:
    """What answers both families; one account has only the one."""
    return Upstream(shared_sandbox.accounts()["core-only"])


@pytest.fixture(scope="module")
def gateways(upstream: Upstream, shared_sandbox: RunningSandbox) -> Iterator[Gateways]:
    """Gateways in front of it: one that compiles queries, and one that does not."""
    with running_app(upstream.app) as url:
        urls: dict[str, Any] = {"catalog_url": url, "core_url": url}
        with (
            running_gateway(shared_sandbox, **urls) as compiled,
            running_gateway(shared_sandbox, fast=False, **urls) as plain,
        ):
            yield compiled, plain


def shown(gateways: Gateways, query: str, account: SandboxAccount | None = None) -> Any:
    """Return the capabilities that are shown, in every way of execution the same."""
    return shown_number(gateways, query, account)["capabilities"]


def shown_number(gateways: Gateways, query: str, account: SandboxAccount | None = None) -> Any:
    """Return the number that is shown, in every way of execution the same."""
    compiled, plain = gateways
    found = [
        compiled.execute(query, account=account),
        compiled.execute(query, account=account, headers={"X-Gateway-Explain": "trace"}),
        plain.execute(query, account=account),
    ]
    for each in found:
        each.pop("extensions", None)
    assert found[0] == found[1] == found[2]
    [connection] = found[0]["data"].values()
    return connection["nodes"][0]


IN, OUT = "inbound_connectivity", "outbound_connectivity"


def looks(voice: Any, sms: Any = None, mms: Any = None) -> dict[str, Any]:
    """Return capabilities as they are shown."""
    return {
        "voice": voice and {"enabled": voice[0], "fax": voice[1]},
        "sms": sms and {"enabled": sms[0]},
        "mms": mms and {"enabled": mms[0]},
    }


@pytest.mark.parametrize(
    ("upstreams", "expected"),
    [
        pytest.param(ABSENT, None, id="absent"),
        pytest.param(None, None, id="null"),
        pytest.param([], None, id="a list"),
        pytest.param("yes", None, id="a text"),
        pytest.param({}, looks(None), id="nothing in it"),
        pytest.param({"voice": None}, looks((False, False)), id="null is no"),
        pytest.param({"voice": [], "sms": 7, "mms": None}, looks(None, None, (False,)), id="mixed"),
        pytest.param({"voice": {}}, looks((None, None)), id="an empty object"),
        pytest.param({"voice": {IN: False}}, looks((None, None)), id="half of a no"),
        pytest.param({"voice": {OUT: True}}, looks((True, None)), id="half is enough for a yes"),
        pytest.param({"voice": {IN: False, OUT: False, "fax": True}}, looks((False, True)), id="fax"),
        pytest.param({"sms": {IN: "TRUE", OUT: None}}, looks(None, (True,)), id="as text"),
    ],
)  # fmt: skip
def test_the_catalog_says_yes_no_or_nothing(
    gateways: Gateways,
    upstream: Upstream,
    upstreams: Any,
    expected: Any,
) -> None:
    upstream.capabilities = upstreams
    assert shown(gateways, OWNED) == expected
    assert shown(gateways, FOR_SALE % ON_CATALOG) == expected


@pytest.mark.parametrize(
    ("upstreams", "expected"),
    [
        pytest.param(ABSENT, None, id="absent"),
        pytest.param(None, None, id="null"),
        pytest.param([], None, id="a list"),
        pytest.param({}, None, id="nothing in it"),
        pytest.param({"voice": None, "SMS": None}, None, id="nulls"),
        pytest.param(
            {"voice": False, "SMS": False, "MMS": False, "fax": False},
            looks((False, False), (False,), (False,)),
            id="no",
        ),
        pytest.param({"voice": True, "sms": [], "mms": None}, looks((True, None)), id="mixed"),
        pytest.param({"voice": False, "fax": True}, looks((False, True)), id="fax without voice"),
        pytest.param({"fax": True}, looks((None, True)), id="fax alone"),
        pytest.param({"sms": "false", "MMS": "true"}, looks(None, (False,), (True,)), id="as text"),
    ],
)  # fmt: skip
def test_core_says_yes_no_or_nothing(
    gateways: Gateways,
    upstream: Upstream,
    upstreams: Any,
    expected: Any,
) -> None:
    upstream.capabilities = upstreams
    assert shown(gateways, OWNED, upstream.core_only) == expected
    assert shown(gateways, FOR_SALE % 'contains: "212"') == expected


PRICED = f"""{{ availablePhoneNumbers(country: "US", first: 1, filter: {{ {ON_CATALOG} }}) {{ nodes {{
  monthlyPrice {{ __typename amount sum: amount currencyCode }} setupPrice {{ amount }} }} }} }}"""


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("2.0", "2"),
        ("0.0", "0"),
        ("1.1500", "1.15"),
        ("100", "100"),
        ("0.00000001", "0.00000001"),
        ("123456789012345678901.10", "123456789012345678901.1"),
        (1.15, "1.15"),
        (3, "3"),
        (1e-7, "0.0000001"),
        ("free", None),
        ("NaN", None),
        ("1e999999999", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_a_price_is_exact_and_has_a_currency_or_is_null(
    gateways: Gateways, upstream: Upstream, written: Any, amount: str | None
) -> None:
    upstream.others = {"base_recurring_price": written, "base_setup_price": written}
    price = {"__typename": "Money", "amount": amount, "sum": amount, "currencyCode": "USD"}
    assert shown_number(gateways, PRICED) == {
        "monthlyPrice": price if amount else None,
        "setupPrice": {"amount": amount} if amount else None,
    }


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("Thu, 27 Aug 2015 16:38:09 +0000", "2015-08-27T16:38:09Z"),
        ("Thu, 27 Aug 2015 16:38:09 -0000", "2015-08-27T16:38:09Z"),
        ("Thu, 27 Aug 2015 18:38:09 +0200", "2015-08-27T16:38:09Z"),
        ("2015-08-27T16:38:09.123456Z", "2015-08-27T16:38:09Z"),
        ("2015-08-27T16:38:09", "2015-08-27T16:38:09Z"),
        ("0001-01-01T00:00:00+10:00", None),
        ("soon", None),
        (1440693489, None),
    ],
)
def test_a_moment_is_in_utc_and_to_the_second_or_null(
    gateways: Gateways, upstream: Upstream, written: Any, moment: str | None
) -> None:
    upstream.others = {"date_created": written}
    owned = '{ phoneNumbers(first: 1, filter: { contains: "212" }) { nodes { dateCreated } } }'
    assert shown_number(gateways, owned) == {"dateCreated": moment}


def test_no_answer_promises_that_a_number_is_e164() -> None:
    """The upstream may show short codes, and its own samples are not always E.164."""
    kinds = build_schema()._schema.type_map.values()
    promised = [
        f"{kind.name}.{name}"
        for kind in kinds
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        for name, each in kind.fields.items()
        if get_named_type(each.type).name == "E164"
    ]
    assert promised == []


@pytest.mark.parametrize("catalog", [True, False])
@pytest.mark.parametrize("phone_number", ["54321", "+1555223000", "+0", "12125550100"])
def test_a_number_is_shown_as_the_upstream_writes_it(
    gateway: RunningGateway, catalog: bool, phone_number: str
) -> None:
    account = gateway.sandbox.create_account(catalog=catalog)
    kept = gateway.sandbox.put_number(account.sid, phone_number)
    query = """query ($sid: ID!) { phoneNumber(sid: $sid) { phoneNumber }
      phoneNumbers { nodes { sid phoneNumber } } }"""
    data = gateway.query(query, {"sid": kept["sid"]}, account=account)
    assert data["phoneNumber"] == {"phoneNumber": phone_number}
    assert data["phoneNumbers"]["nodes"] == [{"sid": kept["sid"], "phoneNumber": phone_number}]


@pytest.mark.parametrize(("written", "shown_as"), [("us", "US"), ("USA", None), ("", None)])
def test_a_country_is_two_capital_letters_or_null(
    gateway: RunningGateway, written: str, shown_as: str | None
) -> None:
    account = gateway.sandbox.create_account(catalog=True)
    gateway.sandbox.put_number(account.sid, "+12125550177", {"geography": {"iso_country": written}})
    [node] = gateway.query(
        "{ phoneNumbers { nodes { geography { isoCountry } } } }", account=account
    )["phoneNumbers"]["nodes"]
    assert node["geography"] == {"isoCountry": shown_as}


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
@pytest.mark.parametrize(
    ("resource", "absent", "expected"),
    [
        ({"capabilities": None}, [], None),
        ({}, ["capabilities"], None),
        ({"capabilities": []}, [], None),
        ({"capabilities": "voice"}, [], None),
        ({}, ["capabilities.voice"], looks(None, (True,), (False,))),
        ({"capabilities": {"voice": []}}, [], looks(None, (True,), (False,))),
        ({"capabilities": {"voice": "yes"}}, [], looks(None, (True,), (False,))),
        ({}, ["capabilities.voice.fax"], looks((True, None), (True,), (False,))),
        (
            {"capabilities": {"voice": {IN: False, OUT: False}}},
            [],
            looks((False, True), (True,), (False,)),
        ),
    ],
)
def test_what_a_number_of_the_sandbox_says_nothing_of_is_unknown_in_both_families(
    gateway: RunningGateway,
    family: str,
    resource: dict[str, Any],
    absent: list[str],
    expected: Any,
) -> None:
    sandbox = gateway.sandbox
    account = sandbox.create_account(role="silent", catalog=family == "CATALOG")
    whole = {IN: True, OUT: True}
    usual = {"capabilities": {"voice": {**whole, "fax": True}, "sms": whole, "mms": None}}
    number = sandbox.put_number(account.sid, resource=usual)["phone_number"]
    sandbox.put_number(account.sid, number, resource, absent)
    [owned] = gateway.query(OWNED, account=account)["phoneNumbers"]["nodes"]
    assert owned["capabilities"] == expected


@pytest.mark.parametrize(
    ("sms", "absent", "expected"),
    [
        ({}, [IN, OUT], None),
        ({IN: False}, [OUT], None),
        ({OUT: True}, [IN], {"enabled": True}),
    ],
)
def test_half_of_a_number_s_connectivity_is_enough_for_a_yes_of_core_s_sandbox(
    gateway: RunningGateway, sms: dict[str, Any], absent: list[str], expected: Any
) -> None:
    account = gateway.sandbox.create_account(role="silent", catalog=False)
    resource = {"capabilities": {"sms": sms}}
    gone = [f"capabilities.sms.{each}" for each in absent]
    gateway.sandbox.put_number(account.sid, resource=resource, absent=gone)
    [owned] = gateway.query(OWNED, account=account)["phoneNumbers"]["nodes"]
    assert owned["capabilities"]["sms"] == expected


LIMITS = f"""{{ availablePhoneNumbers(country: "US", first: 1, filter: {{ {ON_CATALOG} }}) {{ nodes {{
  capabilities {{
    voice {{ callsPerSecond callsPerSecondUnlimited concurrentCallsLimit concurrentCallsUnlimited
      longRecordLength longRecordLengthUnlimited }}
    sms {{ inboundMps inboundMpsUnlimited }}
    mms {{ inboundMps inboundMpsUnlimited }} }} }} }} }}"""


@pytest.mark.parametrize(
    ("written", "number", "unlimited"),
    [
        (-1, None, True),
        ("-1.0", None, True),
        (30, 30, False),
        ("31", 31, False),
        (0, 0, False),
        (None, None, None),
        (ABSENT, None, None),
        (-2, None, None),
        ("many", None, None),
        (2**31, None, None),
    ],
)
def test_a_number_unlimited_and_unknown_are_three_answers(
    gateways: Gateways, upstream: Upstream, written: Any, number: Any, unlimited: Any
) -> None:
    voice = ("calls_per_second", "concurrent_calls_limit", "long_record_length")
    given = {key: written for key in (*voice, "inbound_mps") if written is not ABSENT}
    upstream.capabilities = {"voice": given, "sms": given, "mms": given}
    message = {"inboundMps": number, "inboundMpsUnlimited": unlimited}
    assert shown(gateways, LIMITS) == {
        "voice": {
            "callsPerSecond": number,
            "callsPerSecondUnlimited": unlimited,
            "concurrentCallsLimit": number,
            "concurrentCallsUnlimited": unlimited,
            "longRecordLength": number,
            "longRecordLengthUnlimited": unlimited,
        },
        "sms": message,
        "mms": message,
    }


@pytest.mark.parametrize(
    ("written", "codecs"),
    [(["g711u", None, "", "opus"], ["g711u", "opus"]), ([], []), (None, None), ("g711u", None)],
)
def test_codecs_are_those_that_are_named(
    gateways: Gateways, upstream: Upstream, written: Any, codecs: Any
) -> None:
    upstream.capabilities = {"voice": {"codecs": written}}
    query = FOR_SALE.replace(ASKED, "capabilities { voice { codecs } }") % ON_CATALOG
    assert shown(gateways, query) == {"voice": {"codecs": codecs}}


@pytest.mark.parametrize("url", ["ftp://example.com", "/voice", "not a URL", "https://u:p@x.com/"])
def test_a_webhook_that_is_no_url_is_shown_as_the_upstream_holds_it(
    gateways: Gateways, upstream: Upstream, url: str
) -> None:
    upstream.others = {"voice_url": url, "status_callback": url, "sms_fallback_url": url}
    asked = "configuration { statusCallbackUrl voice { url } sms { fallbackUrl handler } }"
    owned = OWNED.replace(ASKED, asked)
    assert shown_number(gateways, owned, upstream.core_only)["configuration"] == {
        "statusCallbackUrl": url,
        "voice": {"url": url},
        "sms": {"fallbackUrl": url, "handler": "NOT_SET"},
    }


def test_sids_are_ids_and_urls_are_urls_in_answers_and_inputs() -> None:
    wrong = [
        f"{kind.name}.{name}: {each.type}"
        for kind in build_schema()._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType)
        if not kind.name.startswith("__")
        for name, each in kind.fields.items()
        for ending, scalar in (("sid", "ID"), ("sids", "ID"), ("url", "URL"))
        if name.lower().endswith(ending) and get_named_type(each.type).name != scalar
    ]
    assert wrong == []


def test_every_scalar_of_our_own_says_what_specifies_it() -> None:
    bare = [
        kind.name
        for kind in build_schema()._schema.type_map.values()
        if is_scalar_type(kind) and not is_specified_scalar_type(kind)
        if not kind.specified_by_url
    ]
    assert bare == []


def test_owned_and_available_numbers_are_read_with_one_fragment(gateway: RunningGateway) -> None:
    number = "fragment Number on NumberProfile { __typename friendlyName source phoneNumber }"
    query = (
        """{ phoneNumbers(first: 1) { nodes { ...Number } }
      availablePhoneNumbers(country: "US", first: 1) { nodes { ...Number } } } """
        + number
    )
    data = gateway.query(query, account=gateway.sandbox.accounts()["core-only"])
    for connection, kind in (
        ("phoneNumbers", "PhoneNumber"),
        ("availablePhoneNumbers", "AvailablePhoneNumber"),
    ):
        [node] = data[connection]["nodes"]
        assert (node["__typename"], node["source"]) == (kind, "CORE")
        assert node["friendlyName"]
