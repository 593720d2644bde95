"""An owned number has the same fields by whatever route it comes.

The account has the catalog, so that each of its two APIs knows what the other does not.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from gateway.numbers import cursors
from schema import build_core_schema
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.tokens import TOKENS_MODE, ask, token

SCHEMA = build_core_schema()


def everything(typename: str) -> str:
    """Return the selection of every plain field of a type."""
    kind = SCHEMA.type_map[typename]
    assert isinstance(kind, GraphQLObjectType)
    parts = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if field.args or name == "account":
            continue
        parts.append(name if is_leaf_type(inner) else f"{name} {{ {everything(inner.name)} }}")
    return " ".join(parts)


ALL = everything("PhoneNumber")
# Selections that each of the upstream's answers has alone, and those that take several.
SELECTIONS = {
    "all": ALL,
    "core alone": "dateCreated regulatory { bundleSid } configuration { voice { receiveMode } }",
    "catalog alone": "lifecycle friendlyName geography { region } configuration { voice { url } }",
    "both": "lifecycle origin configuration { voice { method emergencyAddressStatus } }",
    "lists alone": "configuration { mms { url handler } }",
    "lists and core": "lifecycle configuration { voice { url receiveMode } }",
}
# Ways to one number, and to many: fields with their arguments, and where the numbers are below.
ONE = {
    "phoneNumber": ('phoneNumber(sid: "{sid}") {{ {fields} }}', ""),
    "by number": (
        'phoneNumberByIdentifier(identifier: {{ phoneNumber: "{phone_number}" }}) {{ {fields} }}',
        "",
    ),
    "node": ('node(id: "{id}") {{ ... on PhoneNumber {{ {fields} }} }}', ""),
    "nodes": ('nodes(ids: ["{id}"]) {{ ...F }}', ""),
}
MANY = {
    "phoneNumbers": ("phoneNumbers {{ nodes {{ {fields} }} }}", "nodes"),
    "a filter of core": (
        "phoneNumbers(filter: {{ origin: TWILIO }}) {{ nodes {{ {fields} }} }}",
        "nodes",
    ),
    "edges": ("phoneNumbers {{ edges {{ node {{ {fields} }} }} }}", "edges.node"),
    "Account.phoneNumbers": (
        "account {{ phoneNumbers {{ nodes {{ {fields} }} }} }}",
        "phoneNumbers.nodes",
    ),
}


def found_at(answer: Any, path: str) -> list[dict[str, Any]]:
    """Return the objects at a path of an answer, through lists."""
    objects = answer if isinstance(answer, list) else [answer]
    for step in filter(None, path.split(".")):
        below = [each[step] for each in objects if each is not None]
        objects = [item for each in below for item in (each if isinstance(each, list) else [each])]
    return objects


@pytest.fixture(scope="module")
def account(shared_sandbox: RunningSandbox) -> SandboxAccount:
    """An account of six numbers, with the parent's settings among them."""
    account = shared_sandbox.create_account(owned=4)
    shared_sandbox.put_number(
        account.sid,
        resource={
            "configuration": {
                "voice": {"url": "https://example.com/v", "receive_mode": "fax"},
                "mms": {"url": "https://example.com/mms"},
            }
        },
    )
    shared_sandbox.put_number(account.sid, resource={"configuration": None})
    return account


@pytest.fixture(scope="module", params=[True, False], ids=["compiled", "graphql-core"])
def served(request: Any, shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    with running_gateway(shared_sandbox, fast=request.param, batch_limit=0) as gateway:
        yield gateway


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_route_shows_a_number_alike(
    served: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount, selection: str
) -> None:
    fields = f"sid {SELECTIONS[selection]}"
    numbers = sandbox.numbers(account.sid)
    ids = served.query("{ phoneNumbers { nodes { id sid } } }", account=account)
    names = {each["sid"]: each["id"] for each in ids["phoneNumbers"]["nodes"]}
    shown: dict[str, dict[str, Any]] = {}
    for name, (field, path) in (ONE | MANY).items():
        each = numbers if name in ONE else numbers[:1]
        parts = [
            f"a{place}: " + field.format(fields=fields, id=names[number["sid"]], **number)
            for place, number in enumerate(each)
        ]
        text = f"{{ {' '.join(parts)} }}"
        if "...F" in text:
            text += f" fragment F on PhoneNumber {{ {fields} }}"
        answer = served.query(text, account=account)
        found = [one for value in answer.values() for one in found_at(value, path)]
        shown[name] = {one["sid"]: one for one in found}
    first = shown.pop("phoneNumber")
    assert len(first) == len(numbers)
    for name, others in shown.items():
        assert others == first, name


def asked(sandbox: RunningSandbox) -> list[str]:
    """Return which API was asked, call by call, and for how many numbers."""
    return sorted(
        ("catalog " if request["path"].startswith("/Numbers") else "core ")
        + ("one" if "PN" in request["path"] else "list")
        for request in sandbox.requests()
    )


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        pytest.param("sid phoneNumber", ["catalog"], id="any"),
        pytest.param("lifecycle geography { region }", ["catalog"], id="catalog"),
        pytest.param("dateCreated beta", ["core"], id="core"),
        pytest.param("lifecycle dateCreated", ["catalog", "core"], id="both"),
    ],
)
def test_an_api_that_knows_all_that_is_selected_is_asked_alone(
    gateway: RunningGateway,
    sandbox: RunningSandbox,
    account: SandboxAccount,
    fields: str,
    calls: list[str],
) -> None:
    sids = [number["sid"] for number in sandbox.numbers(account.sid)]
    gateway.query("{ phoneNumbers { nodes { sid } } }", account=account)
    for text, kind in (
        (f'{{ phoneNumber(sid: "{sids[0]}") {{ {fields} }} }}', "one"),
        (f"{{ phoneNumbers {{ nodes {{ {fields} }} }} }}", "list"),
        (f"{{ account {{ phoneNumbers {{ edges {{ node {{ {fields} }} }} }} }} }}", "list"),
    ):
        sandbox.forget_requests()
        report = gateway.execute(text, account=account, headers={"X-Gateway-Explain": "plan"})[
            "extensions"
        ]["plan"]
        assert asked(sandbox) == []
        gateway.query(text, account=account)
        made = asked(sandbox)
        if "account" in text:
            made.remove("core list")
        assert made == [f"{call} {kind}" for call in calls]
        assert report["calls"]["min"] <= len(sandbox.requests()) <= report["calls"]["max"]


def test_what_a_list_tells_of_each_number_is_not_asked_for_again(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=True, owned=2)
    text = "{ phoneNumbers { nodes { lifecycle configuration { voice { receiveMode } } } } }"
    calls = []
    for number in ({"configuration": {"voice": {"receive_mode": "fax"}}}, {"configuration": None}):
        sandbox.put_number(account.sid, resource=number)
        gateway.query(text, account=account)
        sandbox.forget_requests()
        nodes = gateway.query(text, account=account)["phoneNumbers"]["nodes"]
        modes = {each["configuration"]["voice"]["receiveMode"] for each in nodes}
        assert modes == {"FAX", "VOICE"}
        calls.append(asked(sandbox))
    assert calls == [["catalog list"], ["catalog list", "core list"]]


def test_what_cannot_be_filled_in_costs_its_own_fields(
    gateway: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    text = "{ phoneNumbers { nodes { sid lifecycle origin regulatory { addressRequirements bundleSid } } } }"
    whole = gateway.query(text, account=account)["phoneNumbers"]["nodes"]
    sandbox.set_faults([{"kind": "status", "status": 400, "path": "/2010*", "count": None}])
    response = gateway.execute(text, account=account)
    for was, node in zip(whole, response["data"]["phoneNumbers"]["nodes"], strict=True):
        requirements = was["regulatory"]["addressRequirements"]
        assert node == {
            "sid": was["sid"],
            "lifecycle": was["lifecycle"],
            "origin": None,
            "regulatory": {"addressRequirements": requirements, "bundleSid": None},
        }
    paths = {error["path"][-1] for error in response["errors"]}
    assert paths == {"origin", "bundleSid"}


def test_an_account_without_the_catalog_has_nothing_to_fill_in(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False, owned=3)
    text = f"{{ phoneNumbers {{ nodes {{ {ALL} }} }} }}"
    first = gateway.query(text, account=account)
    sandbox.forget_requests()
    assert gateway.query(text, account=account) == first
    assert asked(sandbox) == ["core list"]
    [node, *_] = first["phoneNumbers"]["nodes"]
    assert (node["source"], node["origin"]) == ("CORE", "TWILIO")
    place = sandbox.numbers(account.sid)[0]["geography"]
    assert node["geography"]["derived"]
    assert node["geography"]["lata"] in {None, str(place["lata"])}


@pytest.mark.parametrize(
    ("catalog", "fields", "arguments", "source"),
    [
        (True, "monthlyPrice { amount } lifecycle", "", "CATALOG"),
        (True, "capabilities { voice { e911 } }", "", "CATALOG"),
        (True, "beta geography { region }", "", "CORE"),
        # Only the 2010-04-01 API knows the filter.
        (True, "lifecycle", 'filter: { contains: "55" }', "CORE"),
        (False, "monthlyPrice { amount } lifecycle", "", "CORE"),
    ],
)
def test_a_search_asks_the_api_that_tells_what_is_selected(
    gateway: RunningGateway,
    sandbox: RunningSandbox,
    catalog: bool,
    fields: str,
    arguments: str,
    source: str,
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=0)
    text = (
        f"{{ availablePhoneNumbers(country: US, first: 5, {arguments})"
        f" {{ nodes {{ source {fields} }} }} }}"
    )
    for again in (False, True):
        explain = {"X-Gateway-Explain": "plan"}
        plan = gateway.execute(text, account=account, headers=explain)["extensions"]["plan"]
        sandbox.forget_requests()
        nodes = gateway.query(text, account=account)["availablePhoneNumbers"]["nodes"]
        assert {node["source"] for node in nodes} == {source}
        assert plan["calls"]["min"] <= len(sandbox.requests()) <= plan["calls"]["max"]
        assert len(sandbox.requests()) == 1 or not again
        told = [step["reason"] for step in plan["steps"] if "tells" in step["reason"]]
        assert bool(told) == (source == "CATALOG" or (not again and "monthly" in fields))


@pytest.mark.parametrize("catalog", [False, True])
def test_a_plan_names_what_only_the_api_that_a_search_does_not_ask_could_tell(
    gateway: RunningGateway, sandbox: RunningSandbox, catalog: bool
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=0)
    for fields, told in (
        ("setupPrice { amount } capabilities { sms { gsm7 } }", "could tell gsm7, setupPrice"),
        ("phoneNumber capabilities { sms { enabled } }", "one search"),
    ):
        # The catalog knows no such pattern.
        text = (
            '{ availablePhoneNumbers(country: "US", first: 2, filter: { contains: "2%3" })'
            f" {{ nodes {{ source {fields} }} }} }}"
        )
        nodes = gateway.query(text, account=account)["availablePhoneNumbers"]["nodes"]
        assert {node["source"] for node in nodes} == {"CORE"}
        explain = {"X-Gateway-Explain": "plan"}
        plan = gateway.execute(text, account=account, headers=explain)["extensions"]["plan"]
        assert plan["steps"][0]["reason"].endswith(told)


def test_every_credential_shows_numbers_alike_by_every_route(
    gateway: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    text = f"{{ phoneNumbers {{ nodes {{ {ALL} }} }} }}"
    shown = gateway.query(text, account=account)
    key = (account.api_key["sid"], account.api_key["secret"])
    home = {"X-Account-Sid": account.sid}
    answer = gateway.http.post(
        f"{gateway.url}/graphql", json={"query": text}, auth=key, headers=home
    ).json()
    assert answer == {"data": shown}
    with running_gateway(
        sandbox, auth="open", account_sid=account.sid, auth_token=account.auth_token
    ) as opened:
        answer = opened.http.post(f"{opened.url}/graphql", json={"query": text}).json()
    assert answer == {"data": shown}
    operator: dict[str, Any] = {"account_sid": account.sid, "auth_token": account.auth_token}
    other = sandbox.create_account(owner_account_sid=account.sid, catalog=True, owned=1)
    with running_gateway(sandbox, **TOKENS_MODE, **operator) as restricted:
        bearer = token(account.sid)  # Of the operator's accounts this one alone.
        assert ask(restricted, bearer, text).json() == {"data": shown}
        [sid] = [number["sid"] for number in sandbox.numbers(other.sid)]
        [first, *_] = shown["phoneNumbers"]["nodes"]
        for each, there in ((first["sid"], first), (sid, None)):
            node = f'{{ node(id: "{each}") {{ ... on PhoneNumber {{ {ALL} }} }} }}'
            assert ask(restricted, bearer, node).json() == {"data": {"node": there}}
    # A parent asks about a subaccount by the path, which only one API has.
    below = sandbox.create_account(owner_account_sid=account.sid, catalog=True, owned=2)
    of = f'accountSid: "{below.sid}"'
    seen = gateway.query(f"{{ phoneNumbers({of}) {{ nodes {{ {ALL} }} }} }}", account=account)[
        "phoneNumbers"
    ]["nodes"]
    for each in seen:
        assert each["source"] == "CORE"
        one = f'phoneNumber(sid: "{each["sid"]}", {of}) {{ {ALL} }}'
        node = f'node(id: "{each["id"]}") {{ ... on PhoneNumber {{ {ALL} }} }}'
        found = gateway.query(f"{{ {one} {node} }}", account=account)
        assert found == {"phoneNumber": each, "node": each}


# Long lists ---------------------------------------------------------------------------------------

BOTH = "sid lifecycle dateCreated"


@pytest.fixture(scope="module")
def long(shared_sandbox: RunningSandbox) -> SandboxAccount:
    """An account of 5,300 numbers."""
    return shared_sandbox.create_account(catalog=True, owned=5_300)


def read_on(
    gateway: RunningGateway,
    account: SandboxAccount,
    size: int,
    *,
    back: bool = False,
    most: int = 9,
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yield pages of a list, and how many upstream calls each took; no plan is below that."""
    many, place = ("last", "before") if back else ("first", "after")
    cursor, further = ("startCursor", "hasPreviousPage") if back else ("endCursor", "hasNextPage")
    text = (
        f"query ($at: String) {{ phoneNumbers({many}: {size}, {place}: $at)"
        f" {{ nodes {{ {BOTH} }} pageInfo {{ {cursor} {further} }} }} }}"
    )
    at = None
    for _ in range(most):
        explain = {"X-Gateway-Explain": "plan"}
        plan = gateway.execute(text, {"at": at}, account=account, headers=explain)
        gateway.sandbox.forget_requests()
        page = gateway.query(text, {"at": at}, account=account)["phoneNumbers"]
        calls = len(gateway.sandbox.requests())
        assert calls <= plan["extensions"]["plan"]["calls"]["max"]
        yield page["nodes"], calls
        at = page["pageInfo"][cursor]
        if not page["pageInfo"][further]:
            break


@pytest.mark.parametrize("back", [False, True], ids=["forwards", "backwards"])
def test_a_long_list_is_filled_in_from_where_it_was_left(
    gateway: RunningGateway, long: SandboxAccount, back: bool
) -> None:
    pages = list(read_on(gateway, long, 1000, back=back))
    found = [node for nodes, _ in pages for node in nodes]
    assert len({node["sid"] for node in found}) == len(found) == 5_300
    assert all(node["lifecycle"] and node["dateCreated"] for node in found)
    # Nothing but the whole of both lists leads to their ends.
    [first, *others] = [calls for _, calls in pages]
    assert first == (12 if back else 2)
    assert max(others) <= (4 if back else 3), others


def test_small_pages_far_in_a_list_are_filled_in_by_a_call_or_two(
    gateway: RunningGateway, long: SandboxAccount
) -> None:
    # By its first read it is known which APIs the account has.
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=long)
    calls = [calls for _, calls in read_on(gateway, long, 450)]
    assert calls[0] == 2
    assert max(calls) <= 4, calls
    assert sum(calls) <= 3 * len(calls), calls


def test_what_a_list_is_filled_in_from_may_change_between_pages(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=True, owned=2_500)
    pages = read_on(gateway, account, 1000)
    first, _ = next(pages)
    # The number that the other API's reference to its next page names, and newer ones.
    release = """mutation ($s: ID!, $n: E164!) {
      releasePhoneNumber(input: { sid: $s, confirmPhoneNumber: $n }) { releasedId } }"""
    [last] = [each for each in sandbox.numbers(account.sid) if each["sid"] == first[-1]["sid"]]
    gateway.query(release, {"s": last["sid"], "n": last["phone_number"]}, account=account)
    for _ in range(3):
        sandbox.put_number(account.sid)
    second, _ = next(pages)
    third, _ = next(pages)
    found = [node["sid"] for nodes in (first, second, third) for node in nodes]
    assert set(found) >= {each["sid"] for each in sandbox.numbers(account.sid)[3:]}
    assert all(node["dateCreated"] for node in [*second, *third])


@pytest.mark.parametrize(
    "beside",
    ["Page=99999&PageSize=1000", "PageToken=PAPNx", "x\r\nHost: y", "PhoneNumber=1999", "é"],
)
def test_what_a_cursor_says_of_the_other_list_leads_nowhere_else(
    gateway: RunningGateway, account: SandboxAccount, beside: str
) -> None:
    text = f"""query ($at: String) {{ phoneNumbers(first: 3, after: $at) {{
      nodes {{ {BOTH} }} pageInfo {{ startCursor }} }} }}"""
    at = gateway.query(text, account=account)["phoneNumbers"]["pageInfo"]["startCursor"]
    page = gateway.query(text, {"at": at}, account=account)["phoneNumbers"]["nodes"]
    forged = cursors.encode(msgspec.structs.replace(cursors.decode(at), beside=beside))
    assert gateway.query(text, {"at": forged}, account=account)["phoneNumbers"]["nodes"] == page
