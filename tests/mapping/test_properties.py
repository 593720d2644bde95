"""Every property of an owned number: set in the sandbox, read through GraphQL, equal.

The table names each property as clients do, where the sandbox keeps it, and values as they are kept
and as they must be read. `core` says what the core family must show: the same (True), null (False); or
else `INFERRED` does.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

Values = list[tuple[Any, Any]]
PRESERVATION: Values = [
    ("international", "INTERNATIONAL"),
    ("domestic", "DOMESTIC"),
    ("none", "NOT_PRESERVED"),
]
REACHABILITY: Values = [("domestic", "DOMESTIC"), ("foreign", "FOREIGN"), ("global", "GLOBAL")]
BOOLEAN: Values = [(True, True), (False, False), (None, None)]
URL: Values = [("https://example.com/a?b=c", "https://example.com/a?b=c"), ("", None), (None, None)]
METHOD: Values = [("GET", "GET"), ("POST", "POST"), (None, "POST")]
APPLICATION: Values = [("AP" + "a" * 32, "AP" + "a" * 32), ("", None), (None, None)]


@dataclass(frozen=True)
class Property:
    """A property: its GraphQL path, its path in the sandbox, values kept and read."""

    path: str
    kept: str
    values: Values
    core: bool = False
    core_as: str = ""


def section(prefix: str, values: dict[str, Values], **options: Any) -> list[Property]:
    """Return properties that are kept under the snake_case of their GraphQL names."""
    return [
        Property(f"{prefix}.{name}", f"{prefix}.{snake(name)}", each, **options)
        for name, each in values.items()
    ]


def snake(name: str) -> str:
    """Return a camelCase name in snake_case."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


CONNECTIVITY: dict[str, Values] = {"inboundConnectivity": BOOLEAN, "outboundConnectivity": BOOLEAN}
WEBHOOKS: dict[str, Values] = {
    "url": URL,
    "method": METHOD,
    "fallbackMethod": METHOD,
    "applicationSid": APPLICATION,
}
PROPERTIES = [
    Property(
        "type",
        "type",
        [
            ("local", "LOCAL"),
            ("mobile", "MOBILE"),
            ("tollfree", "TOLL_FREE"),
            ("voip", "VOIP"),
            ("shortcode", "SHORT_CODE"),
            ("national", "NATIONAL"),
            ("shared-cost", "SHARED_COST"),
            ("machine-to-machine", "MACHINE_TO_MACHINE"),
        ],
        core=True,
    ),
    Property(
        "lifecycle",
        "lifecycle",
        [
            ("developer-preview", "DEVELOPER_PREVIEW"),
            ("beta", "BETA"),
            ("exhausted", "EXHAUSTED"),
            ("generally-available", "GENERALLY_AVAILABLE"),
            ("something-new", None),
        ],
    ),
    *section(
        "capabilities.voice",
        {
            **CONNECTIVITY,
            "e911": BOOLEAN,
            "sipTrunking": BOOLEAN,
            "inboundCalledDtmf": BOOLEAN,
            "inboundCallerDtmf": BOOLEAN,
            "callsPerSecond": [(1, 1), (30, 30), (None, None)],
            "concurrentCallsLimit": [(40, 40), (None, None), (-1, None)],
            "longRecordLength": [(30, 30)],
            "inboundCallerIdPreservation": PRESERVATION,
            "inboundReachability": REACHABILITY,
            "codecs": [(["g711u"], ["g711u"]), ([], []), (None, None)],
        },
    ),
    *section("capabilities.voice", {"fax": [(True, True), (False, False)]}, core=True),
    *section(
        "capabilities.sms",
        {
            **CONNECTIVITY,
            "gsm7": BOOLEAN,
            "ucs2": BOOLEAN,
            "gsm7Concatenation": BOOLEAN,
            "ucs2Concatenation": BOOLEAN,
            "inboundSenderIdPreservation": PRESERVATION,
            "inboundReachability": REACHABILITY,
            "inboundMps": [(-1, None), (5, 5)],
        },
    ),
    *section(
        "capabilities.mms",
        {**CONNECTIVITY, "inboundReachability": REACHABILITY, "inboundMps": [(-1, None), (3, 3)]},
    ),
    Property(
        "regulatory.addressRequirements",
        "regulatory.address_requirements",
        [("none", "NOT_REQUIRED"), ("any", "ANY"), ("local", "LOCAL"), ("foreign", "FOREIGN")],
        core=True,
    ),
    *section(
        "geography",
        {
            "isoCountry": [("US", "US"), ("CA", "CA")],
            "lata": [(132, "132"), (None, None)],
            "rateCenter": [("HUNTINGTON", "HUNTINGTON"), (None, None)],
            "latitude": [(40.8719, 40.8719), (None, None)],
            "longitude": [(-73.4347, -73.4347), (None, None)],
            "region": [("NY", "NY"), (None, None)],
            "locality": [("HUNTINGTON", "HUNTINGTON"), (None, None)],
            "postalCode": [("11743", "11743"), (None, None)],
        },
    ),
    Property("configuration.friendlyName", "configuration.friendly_name", [("Desk", "Desk")], True),
    Property("friendlyName", "configuration.friendly_name", [("Front door", "Front door")], True),
    Property("configuration.statusCallbackUrl", "configuration.status_callback", URL, core=True),
    Property(
        "configuration.statusCallbackMethod",
        "configuration.status_callback_method",
        METHOD,
        core=True,
    ),
    *section("configuration.voice", WEBHOOKS, core=True),
    *section("configuration.voice", {"fallbackUrl": URL}, core=True),
    *section(
        "configuration.voice",
        {
            "trunkSid": [("TK" + "b" * 32, "TK" + "b" * 32), (None, None)],
            "emergencyStatus": [("Active", "ACTIVE"), ("Inactive", "INACTIVE")],
            "emergencyAddressSid": [("AD" + "c" * 32, "AD" + "c" * 32), (None, None)],
            "receiveMode": [("voice", "VOICE"), ("fax", "FAX")],
            "callerIdLookup": [(True, True), (False, False)],
        },
        core=True,
    ),
    *section("configuration.sms", {**WEBHOOKS, "fallbackUrl": URL}, core=True),
    *section("configuration.mms", {**WEBHOOKS, "fallbackUrl": URL}),
]
CASES = [
    pytest.param(each, kept, read, id=f"{each.path}-{kept}")
    for each in PROPERTIES
    for kept, read in each.values
]
PHONE_NUMBER = "+12125550123"
# What core does not tell, and what shows it all the same: whether it is beta; and the number itself.
INFERRED: dict[str, dict[Any, str]] = {
    "lifecycle": {None: "GENERALLY_AVAILABLE", "beta": "BETA", "developer-preview": "BETA"},
    "geography.isoCountry": {None: "US"},
    "geography.region": {None: "NY"},
}


@pytest.fixture(scope="module")
def owners(shared_sandbox: RunningSandbox) -> dict[str, SandboxAccount]:
    """An account of each family."""
    return {
        "CATALOG": shared_sandbox.create_account(catalog=True),
        "CORE": shared_sandbox.create_account(catalog=False),
    }


@pytest.fixture(params=["CATALOG", "CORE"])
def owner(
    request: pytest.FixtureRequest, owners: dict[str, SandboxAccount]
) -> tuple[str, SandboxAccount]:
    """Each family in turn, with an account that has only it to answer."""
    return request.param, owners[request.param]


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return `{"a": {"b": value}}` for `a.b`."""
    *outer, last = path.split(".")
    document: dict[str, Any] = {last: value}
    for key in reversed(outer):
        document = {key: document}
    return document


def selection(path: str) -> str:
    """Return `a { b }` for `a.b`."""
    first, _, rest = path.partition(".")
    return f"{first} {{ {selection(rest)} }}" if rest else first


def pick(document: Any, path: str) -> Any:
    """Return what is at a dotted path."""
    for key in path.split("."):
        document = document and document[key]
    return document


@pytest.mark.parametrize(("each", "kept", "read"), CASES)
def test_a_property_is_read_as_it_was_set(
    gateway: RunningGateway,
    owner: tuple[str, SandboxAccount],
    each: Property,
    kept: Any,
    read: Any,
) -> None:
    family, account = owner
    number = gateway.sandbox.put_number(account.sid, PHONE_NUMBER, nested(each.kept, kept))
    fields = f"source {selection(each.path)}"
    # Both shapes of the catalog: the list says `configurations`, the instance `configuration`.
    data = gateway.query(
        f"""query ($sid: ID!) {{
          one: phoneNumber(sid: $sid) {{ {fields} }}
          all: phoneNumbers(first: 5) {{ nodes {{ {fields} }} }}
        }}""",
        {"sid": number["sid"]},
        account=account,
    )
    expected = read if family == "CATALOG" or each.core else None
    if family == "CORE" and each.path in INFERRED:
        inferred = INFERRED[each.path]
        expected = inferred.get(kept, inferred[None])
    listed = data["all"]["nodes"][0]
    assert listed["source"] == family
    assert pick(listed, each.path) == expected
    assert pick(data["one"], each.path) == expected


@pytest.mark.parametrize("family", ["CATALOG", "CORE"])
@pytest.mark.parametrize("origin", ["twilio", "hosted"])
def test_how_and_when_a_number_came_is_known_of_every_account(
    gateway: RunningGateway, family: str, origin: str
) -> None:
    account = gateway.sandbox.create_account(catalog=family == "CATALOG")
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    number = gateway.sandbox.put_number(account.sid, resource={"origin": origin})
    data = gateway.query(
        "query ($sid: ID!) { phoneNumber(sid: $sid) { origin dateCreated dateUpdated } }",
        {"sid": number["sid"]},
        account=account,
    )["phoneNumber"]
    after = dt.datetime.now(dt.UTC)
    assert data["origin"] == origin.upper()
    created, updated = (
        dt.datetime.fromisoformat(data[name]) for name in ("dateCreated", "dateUpdated")
    )
    assert before <= created <= updated <= after


@pytest.mark.parametrize("capability", ["voice", "sms", "mms"])
def test_a_capability_that_a_number_lacks_is_not_enabled(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount], capability: str
) -> None:
    _, account = owner
    there = {"inbound_connectivity": True, "outbound_connectivity": True}
    for kept, expected in ((None, {"enabled": False}), (there, {"enabled": True})):
        number = gateway.sandbox.put_number(
            account.sid, PHONE_NUMBER, {"capabilities": {capability: kept}}
        )
        data = gateway.query(
            f"query ($sid: ID!) {{ phoneNumber(sid: $sid)"
            f" {{ capabilities {{ {capability} {{ enabled }} }} }} }}",
            {"sid": number["sid"]},
            account=account,
        )
        assert data["phoneNumber"]["capabilities"][capability] == expected


@pytest.mark.parametrize("part", ["capabilities", "geography", "regulatory", "configuration"])
def test_a_part_that_upstream_leaves_out_is_null(gateway: RunningGateway, part: str) -> None:
    account = gateway.sandbox.create_account(catalog=True)
    number = gateway.sandbox.put_number(account.sid, "+12125550124", absent=[part])
    data = gateway.query(
        f"query ($sid: ID!) {{ phoneNumber(sid: $sid) {{ sid {part} {{ __typename }} }} }}",
        {"sid": number["sid"]},
        account=account,
    )
    assert data["phoneNumber"] == {"sid": number["sid"], part: None}


@pytest.mark.parametrize(
    ("settings", "handler"),
    [
        ({"url": "https://example.com"}, "WEBHOOK"),
        ({"url": "https://example.com", "application_sid": "AP" + "a" * 32}, "APPLICATION"),
        ({"application_sid": None, "trunk_sid": "TK" + "a" * 32}, "TRUNK"),
        ({"url": "", "application_sid": None, "trunk_sid": None}, "NOT_SET"),
    ],
)
def test_the_handler_says_which_voice_setting_upstream_will_use(
    gateway: RunningGateway,
    owner: tuple[str, SandboxAccount],
    settings: dict[str, Any],
    handler: str,
) -> None:
    _, account = owner
    clear = {"url": None, "application_sid": None, "trunk_sid": None}
    number = gateway.sandbox.put_number(
        account.sid, PHONE_NUMBER, {"configuration": {"voice": clear | settings}}
    )
    data = gateway.query(
        "query ($sid: ID!) { phoneNumber(sid: $sid) { configuration { voice { handler } } } }",
        {"sid": number["sid"]},
        account=account,
    )
    assert data["phoneNumber"]["configuration"]["voice"]["handler"] == handler
