"""Inputs of mutations: nothing is changed that was not named, and an item's fault is its own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

PLAN = {"X-Gateway-Explain": "plan"}
ERRORS = "userErrors { field message code }"
SENT = "wouldSend { parameters { name value } }"
AP, TK, BU, AD, RI = (prefix + "1" * 32 for prefix in ("AP", "TK", "BU", "AD", "RI"))
# Faults and switches are put back after each test.
pytestmark = pytest.mark.usefixtures("sandbox")


@pytest.fixture(params=[True, False], ids=["CATALOG", "CORE"])
def owner(request: pytest.FixtureRequest, gateway: RunningGateway) -> SandboxAccount:
    """A new account with three numbers, of each family in turn."""
    account = gateway.sandbox.create_account(catalog=request.param, owned=3)
    gateway.sandbox.forget_requests()
    return account


def sids(gateway: RunningGateway, account: SandboxAccount) -> list[str]:
    """Return the sids of an account's numbers."""
    return [str(each["sid"]) for each in gateway.sandbox.numbers(account.sid)]


def single(
    gateway: RunningGateway, verb: str, account: SandboxAccount, **fields: Any
) -> dict[str, Any]:
    """Run a singular mutation and return its payload."""
    query = f"""mutation ($input: {verb.title()}PhoneNumberInput!) {{
      {verb}PhoneNumber(input: $input) {{ reconciled {ERRORS} {SENT} }} }}"""
    data = gateway.query(query, {"input": fields}, account=account)
    payload: dict[str, Any] = data[f"{verb}PhoneNumber"]
    return payload


def plural(
    gateway: RunningGateway, verb: str, account: SandboxAccount, items: list[Any], **options: Any
) -> list[dict[str, Any]]:
    """Run a plural mutation and return its results, whose errors are those of the whole."""
    query = f"""mutation ($input: {verb.title()}PhoneNumbersInput!) {{
      {verb}PhoneNumbers(input: $input) {{ {ERRORS} results {{ {ERRORS} {SENT} }} }} }}"""
    data = gateway.query(query, {"input": {"items": items}}, account=account, **options)
    payload = data[f"{verb}PhoneNumbers"]
    results: list[dict[str, Any]] = payload["results"]
    assert payload["userErrors"] == [error for each in results for error in each["userErrors"]]
    return results


def written(gateway: RunningGateway) -> list[dict[str, Any]]:
    """Return the requests that were to change something."""
    return [each for each in gateway.sandbox.requests() if each["method"] != "GET"]


def blamed(results: list[dict[str, Any]]) -> list[list[str] | None]:
    """Return the path of each result's error; None where there is none."""
    return [each["userErrors"][0]["field"] if each["userErrors"] else None for each in results]


# Null -----------------------------------------------------------------------------------------


NOT_CLEARED = [
    ({"configuration": None}, "configuration", "friendlyName: null"),
    ({"configuration": {"voice": None}}, "configuration.voice", "url: null"),
    ({"configuration": {"sms": None}}, "configuration.sms", "url: null"),
    ({"regulatory": None}, "regulatory", "clear: [ADDRESS, BUNDLE, IDENTITY]"),
    (
        {"configuration": {"statusCallbackMethod": None}},
        "configuration.statusCallbackMethod",
        "POST",
    ),
    ({"configuration": {"voice": {"method": None}}}, "configuration.voice.method", "POST"),
    (
        {"configuration": {"voice": {"fallbackMethod": None}}},
        "configuration.voice.fallbackMethod",
        "POST",
    ),
    ({"configuration": {"sms": {"method": None}}}, "configuration.sms.method", "POST"),
    (
        {"configuration": {"sms": {"fallbackMethod": None}}},
        "configuration.sms.fallbackMethod",
        "POST",
    ),
    (
        {"configuration": {"voice": {"emergencyStatus": None}}},
        "configuration.voice.emergencyStatus",
        "leave it out",
    ),
    (
        {"configuration": {"voice": {"receiveMode": None}}},
        "configuration.voice.receiveMode",
        "VOICE",
    ),
    ({"regulatory": {"addressSid": None}}, "regulatory.addressSid", "clear: [ADDRESS]"),
    ({"regulatory": {"bundleSid": None}}, "regulatory.bundleSid", "clear: [BUNDLE]"),
    ({"regulatory": {"identitySid": None}}, "regulatory.identitySid", "clear: [IDENTITY]"),
]


@pytest.mark.parametrize(("given", "path", "way"), NOT_CLEARED)
@pytest.mark.parametrize("dry", [False, True], ids=["run", "dry run"])
def test_null_for_what_it_does_not_clear_is_refused_with_the_way_to_do_it(
    gateway: RunningGateway, given: dict[str, Any], path: str, way: str, dry: bool
) -> None:
    sid = "PN" + "0" * 32
    given = {"configuration": {"friendlyName": "x"}} | given
    payload = single(gateway, "configure", gateway.account, sid=sid, dryRun=dry, **given)
    [error] = payload["userErrors"]
    assert error["field"] == path.split(".")
    assert error["code"] == "INVALID_INPUT"
    assert way in error["message"]
    assert gateway.sandbox.requests() == []


def test_a_client_that_writes_null_for_all_that_is_unset_cannot_wipe_a_number(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    sid = sids(gateway, owner)[0]
    settings = {"voice": {"url": "https://example.com/v"}}
    papers = {"bundleSid": BU, "addressSid": AD}
    single(gateway, "configure", owner, sid=sid, configuration=settings, regulatory=papers)
    before = gateway.sandbox.numbers(owner.sid)[0]
    unset = dict.fromkeys(("statusCallbackUrl", "statusCallbackMethod", "sms", "voice"))
    for configuration, documents in (
        ({"friendlyName": "x", **unset}, papers),
        ({"friendlyName": "x"}, None),
        ({"friendlyName": "x"}, dict.fromkeys(papers)),
        (None, papers),
    ):
        given = {"sid": sid, "configuration": configuration, "regulatory": documents}
        assert single(gateway, "configure", owner, **given)["userErrors"]
        [result] = plural(gateway, "configure", owner, [given])
        assert result["userErrors"]
    assert gateway.sandbox.numbers(owner.sid)[0] == before


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("friendlyName", "FriendlyName"),
        ("statusCallbackUrl", "StatusCallback"),
        ("voice.url", "VoiceUrl"),
        ("voice.fallbackUrl", "VoiceFallbackUrl"),
        ("voice.applicationSid", "VoiceApplicationSid"),
        ("voice.trunkSid", "TrunkSid"),
        ("voice.callerIdLookup", "VoiceCallerIdLookup"),
        ("sms.url", "SmsUrl"),
        ("sms.fallbackUrl", "SmsFallbackUrl"),
        ("sms.applicationSid", "SmsApplicationSid"),
    ],
)
def test_null_clears_one_leaf_and_nothing_else(
    gateway: RunningGateway, path: str, parameter: str
) -> None:
    account = gateway.sandbox.create_account(catalog=False, owned=1)
    section, _, name = path.rpartition(".")
    wanted = {section: {name: None}} if section else {name: None}
    payload = single(
        gateway,
        "configure",
        account,
        sid=sids(gateway, account)[0],
        configuration=wanted,
        dryRun=True,
    )
    assert payload["wouldSend"]["parameters"] == [{"name": parameter, "value": ""}]


def test_regulatory_documents_are_cleared_by_name(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    sid = sids(gateway, owner)[0]
    papers = {"bundleSid": BU, "addressSid": AD, "identitySid": RI}
    single(gateway, "configure", owner, sid=sid, regulatory=papers)
    cleared = {"clear": ["BUNDLE", "IDENTITY", "BUNDLE"]}
    query = f"""mutation ($input: ConfigurePhoneNumberInput!) {{ configurePhoneNumber(input: $input) {{
      phoneNumber {{ regulatory {{ bundleSid addressSid identitySid }} }} {ERRORS} }} }}"""
    data = gateway.query(query, {"input": {"sid": sid, "regulatory": cleared}}, account=owner)[
        "configurePhoneNumber"
    ]
    assert data["userErrors"] == []
    shown = data["phoneNumber"]["regulatory"]
    assert shown == {"bundleSid": None, "addressSid": AD, "identitySid": None}


@pytest.mark.parametrize(
    ("regulatory", "hint"),
    [({"clear": ["BUNDLE"], "bundleSid": BU}, "bundleSid"), ({"clear": []}, "Nothing to change")],
)
def test_a_document_is_not_set_and_cleared_at_once(
    gateway: RunningGateway, regulatory: dict[str, Any], hint: str
) -> None:
    sid = "PN" + "0" * 32
    payload = single(gateway, "configure", gateway.account, sid=sid, regulatory=regulatory)
    assert hint in payload["userErrors"][0]["message"]
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("dry", [False, True], ids=["run", "dry run"])
def test_a_purchase_never_sends_an_empty_value(
    gateway: RunningGateway, owner: SandboxAccount, dry: bool
) -> None:
    nothing: dict[str, Any] = {
        "friendlyName": "",
        "statusCallbackUrl": None,
        "statusCallbackMethod": None,
        "voice": {
            "url": "https://example.com/v",
            "method": None,
            "applicationSid": None,
            "trunkSid": None,
            "emergencyStatus": None,
            "callerIdLookup": None,
        },
        "sms": None,
    }
    for configuration, documents in (
        (nothing, {"bundleSid": None, "clear": None}),
        ({"voice": None}, {}),
        (None, None),
    ):
        gateway.sandbox.forget_requests()
        number = str(gateway.sandbox.put_number()["phone_number"])
        payload = single(
            gateway,
            "purchase",
            owner,
            phoneNumber=number,
            configuration=configuration,
            regulatory=documents,
            dryRun=dry,
        )
        assert payload["userErrors"] == []
        sent = (
            [(each["name"], each["value"]) for each in payload["wouldSend"]["parameters"]]
            if dry
            else [tuple(pair) for each in written(gateway) for pair in each["form"]]
        )
        assert ("PhoneNumber", number) in sent
        assert len(sent) == (2 if configuration is nothing else 1)
        assert all(value for _, value in sent)


def test_a_purchase_has_nothing_to_clear(gateway: RunningGateway) -> None:
    payload = single(
        gateway,
        "purchase",
        gateway.account,
        phoneNumber="+12125550100",
        regulatory={"clear": ["BUNDLE"]},
    )
    [error] = payload["userErrors"]
    assert error["field"] == ["regulatory", "clear"]
    assert gateway.sandbox.requests() == []


# A trunk and an application ---------------------------------------------------------------------


@pytest.mark.parametrize("dry", [False, True], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("verb", "names"),
    [
        ("purchase", {"phoneNumber": "+12125550100"}),
        ("configure", {"sid": "PN" + "0" * 32}),
    ],
)
def test_a_trunk_and_an_application_in_one_input_are_refused_however_it_is_asked(
    gateway: RunningGateway, verb: str, names: dict[str, str], dry: bool
) -> None:
    both = {"voice": {"trunkSid": TK, "applicationSid": AP}}
    item = {**names, "configuration": both, "dryRun": dry}
    at = ["configuration", "voice", "trunkSid"]
    [error] = single(gateway, verb, gateway.account, **item)["userErrors"]
    assert (error["field"], error["code"]) == (at, "INVALID_INPUT")
    assert "applicationSid" in error["message"]
    [result] = plural(gateway, verb, gateway.account, [item])
    assert result["userErrors"] == [{**error, "field": ["items", "0", *at]}]
    planned = gateway.execute(
        f"""mutation ($input: {verb.title()}PhoneNumberInput!) {{
          {verb}PhoneNumber(input: $input) {{ reconciled }} }}""",
        {"input": item},
        headers=PLAN,
    )["extensions"]["plan"]
    assert planned["calls"] == {"min": 0, "max": 0}
    [refusal] = planned["refusals"]
    assert refusal == {
        "field": f"{verb}PhoneNumber",
        "input": at,
        "message": error["message"],
        "code": "INVALID_INPUT",
    }
    assert gateway.sandbox.requests() == []


def test_one_of_trunk_and_application_may_be_null(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    sid = sids(gateway, owner)[0]
    for voice in ({"trunkSid": TK, "applicationSid": None}, {"applicationSid": AP}):
        payload = single(gateway, "configure", owner, sid=sid, configuration={"voice": voice})
        assert payload["userErrors"] == []


# One object twice -------------------------------------------------------------------------------


def items_of(verb: str, number: dict[str, Any], target: str) -> dict[str, Any]:
    """Return an item that does something to an owned number."""
    extras: dict[str, dict[str, Any]] = {
        "configure": {"configuration": {"friendlyName": "one"}},
        "transfer": {"toAccountSid": target},
        "release": {"confirmPhoneNumber": number["phone_number"]},
    }
    return {"sid": number["sid"], **extras[verb]}


@pytest.mark.parametrize("verb", ["configure", "transfer", "release"])
def test_a_number_that_an_earlier_item_names_is_refused_by_name(
    gateway: RunningGateway, owner: SandboxAccount, verb: str
) -> None:
    child = gateway.sandbox.create_account(catalog=True, owner_account_sid=owner.sid)
    one, two, _ = gateway.sandbox.numbers(owner.sid)
    first = items_of(verb, one, child.sid)
    shouted = "PN" + str(one["sid"]).removeprefix("PN").upper()
    repeats = [
        first,
        first | {"sid": shouted},
        first | {"accountSid": owner.sid},
        first | {"accountSid": child.sid},
    ]
    gateway.sandbox.forget_requests()
    results = plural(
        gateway, verb, owner, [first, items_of(verb, two, child.sid), *repeats, {**first}]
    )
    assert blamed(results) == [None, None, *(["items", str(place), "sid"] for place in range(2, 7))]
    for each in results[2:]:
        assert each["userErrors"][0]["code"] == "INVALID_INPUT"
        assert "repeats item 0" in each["userErrors"][0]["message"]
    assert len(written(gateway)) == 2


ANY_MUTATION = """mutation ($one: ConfigurePhoneNumberInput!, $many: ConfigurePhoneNumbersInput!) {
  one: configurePhoneNumber(input: $one) { ...Any ...Write }
  many: configurePhoneNumbers(input: $many) { ...Any results { ...Any ...Write } } }
fragment Any on MutationPayload { userErrors { field message } }
fragment Write on WritePayload { replayed reconciled wouldSend { method } }"""


def test_one_fragment_tells_the_errors_of_any_mutation(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    one, two, three = sids(gateway, owner)
    renamed = {"configuration": {"friendlyName": "Desk"}, "dryRun": True}
    items = [{"sid": one, **renamed}, {"sid": two, "dryRun": True}, {"sid": three, **renamed}]
    variables = {"one": {"sid": one, "dryRun": True}, "many": {"items": items}}
    data = gateway.query(ANY_MUTATION, variables, account=owner)
    [error] = data["one"]["userErrors"]
    assert data["many"]["userErrors"] == [{**error, "field": ["items", "1", *error["field"]]}]
    results = data["many"]["results"]
    assert [bool(each["wouldSend"]) for each in results] == [True, False, True]
    assert [bool(each["userErrors"]) for each in results] == [False, True, False]


def test_a_number_is_not_bought_twice_in_one_purchase_for_whichever_accounts(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    number = gateway.sandbox.put_number()["phone_number"]
    items = [{"phoneNumber": number}, {"phoneNumber": number, "accountSid": owner.sid}]
    gateway.sandbox.forget_requests()
    results = plural(gateway, "purchase", owner, items)
    assert blamed(results) == [None, ["items", "1", "phoneNumber"]]
    assert len(written(gateway)) == 1


def test_an_item_repeats_an_earlier_one_also_when_that_is_refused(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    sid = sids(gateway, owner)[0]
    bad = {"sid": sid, "configuration": {"friendlyName": "one"}, "dryRun": True}
    good = {"sid": sid, "configuration": {"friendlyName": "two"}}
    results = plural(gateway, "configure", owner, [bad, good])
    assert blamed(results) == [None, ["items", "1", "sid"]]
    assert written(gateway) == []


def test_a_plural_and_a_singular_mutation_of_one_operation_are_done_in_order(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    sid = sids(gateway, owner)[0]

    def named(name: str) -> str:
        return f'{{sid: "{sid}", configuration: {{friendlyName: "{name}"}}}}'

    gateway.sandbox.set_faults(
        [{"kind": "latency", "method": "POST", "latency_ms": 100, "count": 1}]
    )
    data = gateway.query(
        f"""mutation {{
          one: configurePhoneNumbers(input: {{items: [{named("one")}]}}) {{ results {{ {ERRORS} }} }}
          two: configurePhoneNumber(input: {named("two")}) {{ phoneNumber {{ friendlyName }} }}
          three: configurePhoneNumbers(input: {{items: {named("three")}}}) {{ results {{ {ERRORS} }} }}
        }}""",
        account=owner,
    )
    assert data["one"] == data["three"] == {"results": [{"userErrors": []}]}
    assert data["two"]["phoneNumber"]["friendlyName"] == "two"
    assert gateway.sandbox.numbers(owner.sid)[0]["configuration"]["friendly_name"] == "three"


@pytest.fixture(scope="module")
def batching(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that takes lists of operations."""
    with running_gateway(shared_sandbox, batch_limit=10) as gateway:
        yield gateway


def test_writes_of_a_batch_run_in_order_and_queries_see_those_before_them(
    batching: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(catalog=False, owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    read = {"query": f'{{ phoneNumber(sid: "{sid}") {{ friendlyName }} }}'}

    def write(name: str) -> dict[str, str]:
        wanted = f'sid: "{sid}", configuration: {{friendlyName: "{name}"}}'
        return {"query": f"mutation {{ configurePhoneNumber(input: {{{wanted}}}) {{ {ERRORS} }} }}"}

    # The earlier a write is, the longer it takes: side by side, the first would be the last.
    sandbox.set_faults(
        [
            {
                "kind": "latency",
                "account": account.sid,
                "method": "POST",
                "latency_ms": each,
                "count": 1,
            }
            for each in (200, 100)
        ]
    )
    batch = [
        read,
        write("one"),
        read,
        {"query": "{ nonsense }"},
        read,
        write("two"),
        write("three"),
        read,
    ]
    answers = batching.post(batch, account=account).json()
    seen = [each.get("data", {}).get("phoneNumber", {}).get("friendlyName") for each in answers]
    before = seen[0]
    assert before not in {"one", "two", "three"}
    assert seen == [before, None, "one", None, "one", None, None, "three"]
    posted = [each["form"] for each in sandbox.requests() if each["method"] == "POST"]
    assert posted == [[["FriendlyName", name]] for name in ("one", "two", "three")]


# One item's fault -------------------------------------------------------------------------------


def test_a_malformed_scalar_is_its_own_items_error_and_the_others_go_ahead(
    gateway: RunningGateway, owner: SandboxAccount
) -> None:
    one, two, three = sids(gateway, owner)
    fine = {"friendlyName": "fine"}
    items = [
        {"sid": one, "configuration": {"voice": {"url": "ftp://user:secret@example.com"}}},
        {"sid": two, "configuration": fine},
        {"sid": "nope", "configuration": fine},
        {"sid": three, "accountSid": "AC1", "configuration": fine},
        {"sid": "PN" + "1" * 32, "configuration": {"statusCallbackUrl": 7}},
        {"sid": "PN" + "2" * 32, "configuration": {"friendlyName": "x" * 65}},
        {"sid": "PN" + "3" * 32, "configuration": fine, "idempotencyKey": ""},
        {"sid": three, "configuration": fine},
    ]
    results = plural(gateway, "configure", owner, items)
    assert blamed(results) == [
        ["items", "0", "configuration", "voice", "url"],
        None,
        ["items", "2", "sid"],
        ["items", "3", "accountSid"],
        ["items", "4", "configuration", "statusCallbackUrl"],
        ["items", "5", "configuration", "friendlyName"],
        ["items", "6", "idempotencyKey"],
        None,
    ]
    assert {each["userErrors"][0]["code"] for each in results if each["userErrors"]} == {
        "INVALID_INPUT"
    }
    assert "secret" not in json.dumps(results)
    assert len(written(gateway)) == 2


@pytest.mark.parametrize(
    ("declared", "items", "variables"),
    [
        ("", '[{{phoneNumber: "nope"}}, {{phoneNumber: "{0}"}}]', {}),
        ("", '[{{phoneNumber: [7]}}, {{phoneNumber: "{0}"}}]', {}),
        ("($n: E164!)", '[{{phoneNumber: $n}}, {{phoneNumber: "{0}"}}]', {"n": "nope"}),
        (
            "($one: PurchasePhoneNumberInput!)",
            '[$one, {{phoneNumber: "{0}"}}]',
            {"one": {"phoneNumber": ""}},
        ),
        (
            "($all: [PurchasePhoneNumberInput!]!)",
            "$all",
            {"all": [{"phoneNumber": "nope"}, {"phoneNumber": "{0}"}]},
        ),
    ],
    ids=["literal", "literal of another kind", "scalar", "item", "list"],
)
@pytest.mark.parametrize("spread", [False, True], ids=["field", "fragment"])
def test_a_malformed_scalar_is_the_items_however_it_is_written(
    gateway: RunningGateway, declared: str, items: str, variables: dict[str, Any], spread: bool
) -> None:
    account = gateway.sandbox.create_account(catalog=False)
    number = str(gateway.sandbox.put_number()["phone_number"])
    field = (
        f"purchasePhoneNumbers(input: {{items: {items.format(number)}}})"
        f" {{ results {{ phoneNumber {{ phoneNumber }} {ERRORS} }} }}"
    )
    query = f"mutation {declared} {{ {field} }}"
    if spread:
        query = f"mutation {declared} {{ ...F }} fragment F on Mutation {{ {field} }}"
    given = json.loads(json.dumps(variables).replace("{0}", number))
    for _ in range(2):  # Documents are kept.
        results = gateway.query(query, given, account=account)["purchasePhoneNumbers"]["results"]
        assert blamed(results)[0] == ["items", "0", "phoneNumber"]
        assert results[1]["phoneNumber"] == {"phoneNumber": number}


def test_a_malformed_scalar_of_a_singular_mutation_is_an_error_as_before(
    gateway: RunningGateway,
) -> None:
    query = """mutation ($n: E164!, $s: ID!) {
      many: releasePhoneNumbers(input: {items: [{sid: $s, confirmPhoneNumber: $n}]}) {
        results { releasedId } }
      one: releasePhoneNumber(input: {sid: $s, confirmPhoneNumber: $n}) { releasedId } }"""
    error = gateway.error(query, {"n": "nope", "s": "PN" + "0" * 32})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"].startswith("Variable '$n' has invalid value: \"nope\" is not an E.164")
    literal = 'mutation { purchasePhoneNumber(input: {phoneNumber: "nope"}) { reconciled } }'
    answer = gateway.post({"query": literal}).json()
    assert answer["errors"][0]["extensions"]["argument"] == "input.phoneNumber"
    assert gateway.sandbox.requests() == []


def test_what_the_schema_alone_forbids_is_refused_for_the_whole(gateway: RunningGateway) -> None:
    for configuration in ({"voice": {"method": "PUT"}}, {"nonsense": 1}, {"friendlyName": 5}):
        item = {"sid": "PN" + "0" * 32, "configuration": configuration}
        query = """mutation ($input: ConfigurePhoneNumbersInput!) {
          configurePhoneNumbers(input: $input) { results { reconciled } } }"""
        error = gateway.error(query, {"input": {"items": [item]}})
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("verb", ["purchase", "configure", "transfer", "release"])
def test_every_user_error_of_an_item_says_which_item(
    gateway: RunningGateway, owner: SandboxAccount, verb: str
) -> None:
    unknown = {"sid": "PN" + "0" * 32, "phone_number": "+12125550100"}
    item = (
        {"phoneNumber": "+12125550177"}
        if verb == "purchase"
        else items_of(verb, unknown, "AC" + "0" * 32)
    )
    named = {"phoneNumber" if verb == "purchase" else "sid": "x", "dryRun": True}
    for place, result in enumerate(plural(gateway, verb, owner, [item, {**item, **named}])):
        [error] = result["userErrors"]
        assert error["field"][:2] == ["items", str(place)]


def test_purchases_beyond_the_days_limit_are_their_items_errors(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=False)
    numbers = [sandbox.put_number()["phone_number"] for _ in range(3)]
    with running_gateway(sandbox, account=account, purchases_per_day=1) as gateway:
        results = plural(gateway, "purchase", account, [{"phoneNumber": each} for each in numbers])
    refused = [place for place, each in enumerate(results) if each["userErrors"]]
    assert len(refused) == 2
    for place in refused:
        [error] = results[place]["userErrors"]
        assert (error["field"], error["code"]) == (["items", str(place)], "NOT_DONE")
        assert "a day" in error["message"]
    assert len(sandbox.numbers(account.sid)) == 1


def test_a_deadline_that_stops_one_item_is_that_items_error(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(catalog=False, owned=1)
    [number] = sandbox.numbers(account.sid)
    sandbox.set_faults([{"kind": "latency", "account": account.sid, "latency_ms": 900, "count": 9}])
    fine = {"friendlyName": "x"}
    items = [{"sid": number["sid"], "configuration": fine}, {"sid": "x", "configuration": fine}]
    limits = {"attempt_timeout": 0.2, "call_deadline": 0.3, "request_deadline": 0.4}
    with running_gateway(sandbox, account=account, **limits) as gateway:
        results = plural(gateway, "configure", account, items)
    codes = [(*error["field"], error["code"]) for each in results for error in each["userErrors"]]
    assert codes == [("items", "0", "NOT_DONE"), ("items", "1", "sid", "INVALID_INPUT")]


# GraphQL's words --------------------------------------------------------------------------------


@pytest.mark.parametrize("planned", [False, True], ids=["run", "plan"])
@pytest.mark.parametrize(
    "query",
    [
        'query ($n: Int) { availablePhoneNumbers(country: "US", first: $n) { exhaustive } }',
        'query ($n: Int = 5) { availablePhoneNumbers(country: "US", first: $n) { exhaustive } }',
        'query ($n: Int) { country(code: "US") { availablePhoneNumbers(first: $n) { exhaustive } } }',
    ],
)
def test_null_for_an_argument_with_a_default_is_bad_user_input(
    gateway: RunningGateway, query: str, planned: bool
) -> None:
    error = gateway.error(query, {"n": None}, headers=PLAN if planned else {})
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["message"] == (
        "Argument 'first' has invalid value: Expected variable '$n' provided to non-null type"
        " 'Int!' not to be null."
    )


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        (
            '{ availablePhoneNumbers(country: "US", first: null) { exhaustive } }',
            {},
            "Expected value of non-null type 'Int!' not to be null.",
        ),
        (
            "query ($n: E164!) { phoneNumberByIdentifier(identifier: { phoneNumber: $n }) { sid } }",
            {"n": ""},
            (
                "Variable '$n' has invalid value: \"\" is not an E.164 phone number: write + and 2 to 15"
                ' digits without spaces, for example "+14155550100".'
            ),
        ),
        (
            "query ($n: E164!) { phoneNumberByIdentifier(identifier: { phoneNumber: $n }) { sid } }",
            {"n": True},
            (
                "Variable '$n' has invalid value: true is not an E.164 phone number: write + and 2 to"
                ' 15 digits without spaces, for example "+14155550100".'
            ),
        ),
        (
            "query ($f: PhoneNumberFilter) { phoneNumbers(filter: $f) { nodes { sid } } }",
            {"f": {"capabilities": {"sms": {"gsm7": [None, 'it\'s "so"']}}}},
            (
                "Variable '$f' has invalid value at .capabilities.sms.gsm7: Boolean cannot represent a non boolean"
                ' value: [null, "it\'s \\"so\\""]'
            ),
        ),
        (
            "query ($n: Int!) { phoneNumbers(first: $n) { nodes { sid } } }",
            {"n": False},
            "Variable '$n' has invalid value: Int cannot represent non-integer value: false",
        ),
        (
            "{ phoneNumber(sid: \"'''\") { sid } }",
            {},
            "sid: \"'''\" is not a sid: PN and 32 hexadecimal digits.",
        ),
        ("{ zzz }", {}, "Cannot query field 'zzz' on type 'Query'."),
    ],
)
def test_messages_are_in_graphqls_notation_and_not_in_pythons(
    gateway: RunningGateway, query: str, variables: dict[str, Any], message: str
) -> None:
    answer = gateway.post({"query": query, "variables": variables}).json()
    assert answer["errors"][0]["message"] == message
