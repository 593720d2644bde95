"""Purchase, configure, transfer, release: what is asked is done, a refusal is data."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.faults.asking import fresh_number
from tests.support.gateway_in_thread import RunningGateway
from tests.support.sandbox_in_thread import SandboxAccount

ERRORS = "userErrors { field message code upstreamCode }"
PURCHASE = f"""mutation ($input: PurchasePhoneNumberInput!) {{ purchasePhoneNumber(input: $input) {{
  phoneNumber {{ sid accountSid phoneNumber source friendlyName configuration {{
    friendlyName statusCallbackUrl statusCallbackMethod
    voice {{ url method fallbackUrl fallbackMethod applicationSid }}
    sms {{ url method fallbackUrl fallbackMethod applicationSid }} }} }}
  reconciled replayed {ERRORS} wouldSend {{ method path parameters {{ name value }} }} }} }}"""
CONFIGURE = PURCHASE.replace("Purchase", "Configure").replace("purchase", "configure")
TRANSFER = f"""mutation ($input: TransferPhoneNumberInput!) {{ transferPhoneNumber(input: $input) {{
  phoneNumber {{ sid accountSid }} {ERRORS} }} }}"""
RELEASE = f"""mutation ($input: ReleasePhoneNumberInput!) {{ releasePhoneNumber(input: $input) {{
  releasedId releasedNumber {ERRORS} }} }}"""
FAMILIES = ["CATALOG", "CORE"]


@pytest.fixture(params=FAMILIES)
def owner(request: pytest.FixtureRequest, gateway: RunningGateway) -> tuple[str, SandboxAccount]:
    """A new account with three numbers, of each family in turn."""
    account = gateway.sandbox.create_account(catalog=request.param == "CATALOG", owned=3)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    gateway.sandbox.forget_requests()
    return request.param, account


def run(
    gateway: RunningGateway, query: str, account: SandboxAccount, **fields: Any
) -> dict[str, Any]:
    """Run a mutation and return its payload."""
    data = gateway.query(query, {"input": fields}, account=account)
    [payload] = data.values()
    assert isinstance(payload, dict)
    return payload


def test_a_number_is_bought(gateway: RunningGateway, owner: tuple[str, SandboxAccount]) -> None:
    family, account = owner
    number = fresh_number(gateway.sandbox)
    payload = run(gateway, PURCHASE, account, phoneNumber=number)
    assert payload["userErrors"] == []
    assert payload["phoneNumber"]["phoneNumber"] == number
    assert payload["phoneNumber"]["accountSid"] == account.sid
    assert payload["phoneNumber"]["source"] == family
    assert (payload["reconciled"], payload["replayed"]) == (False, False)
    entry = gateway.sandbox.ledger()[-1]
    assert (entry["action"], entry["phone_number"]) == ("bought", number)
    assert entry["account_sid"] == account.sid
    assert entry["sid"] == payload["phoneNumber"]["sid"]


def test_a_number_is_bought_beside_one_that_begins_with_it(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    shorter, longer = "+4930123456", "+49301234567"
    gateway.sandbox.put_number(account.sid, longer)
    gateway.sandbox.put_number(None, shorter)
    payload = run(gateway, PURCHASE, account, phoneNumber=shorter)
    assert payload["userErrors"] == []
    assert payload["phoneNumber"]["phoneNumber"] == shorter
    for number in (shorter, longer):
        payload = run(gateway, PURCHASE, account, phoneNumber=number)
        assert [error["code"] for error in payload["userErrors"]] == ["ALREADY_OWNED"]
        assert payload["phoneNumber"]["phoneNumber"] == number


CONFIGURATION = {
    "friendlyName": "Front desk",
    "statusCallbackUrl": "https://example.com/status?a=1&b=2",
    "statusCallbackMethod": "GET",
    "voice": {
        "url": "https://example.com/voice",
        "method": "GET",
        "fallbackUrl": "https://example.com/oops",
        "fallbackMethod": "POST",
    },
    "sms": {
        "url": "https://example.com/sms",
        "method": "POST",
        "fallbackUrl": "https://example.com/sms-oops",
        "fallbackMethod": "GET",
    },
}


def settings_of(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration in a payload without what was not set."""
    shown: dict[str, Any] = payload["phoneNumber"]["configuration"]
    return {
        key: {name: each for name, each in value.items() if each is not None}
        if isinstance(value, dict)
        else value
        for key, value in shown.items()
    }


def test_a_number_is_bought_with_settings(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    payload = run(
        gateway,
        PURCHASE,
        account,
        phoneNumber=fresh_number(gateway.sandbox),
        configuration=CONFIGURATION,
    )
    assert settings_of(payload) == CONFIGURATION
    assert len([each for each in gateway.sandbox.requests() if each["method"] == "POST"]) == 1


def test_settings_are_changed_and_the_others_stay(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    payload = run(gateway, CONFIGURE, account, sid=sid, configuration=CONFIGURATION)
    assert settings_of(payload) == CONFIGURATION
    payload = run(gateway, CONFIGURE, account, sid=sid, configuration={"friendlyName": "Back"})
    assert settings_of(payload) == CONFIGURATION | {"friendlyName": "Back"}


def test_null_clears_a_setting(gateway: RunningGateway, owner: tuple[str, SandboxAccount]) -> None:
    _, account = owner
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    run(gateway, CONFIGURE, account, sid=sid, configuration=CONFIGURATION)
    changed = {"sms": {"fallbackUrl": None}, "statusCallbackUrl": None}
    payload = run(gateway, CONFIGURE, account, sid=sid, configuration=changed)
    shown = payload["phoneNumber"]["configuration"]
    assert shown["statusCallbackUrl"] is None
    assert shown["sms"]["fallbackUrl"] is None
    assert shown["sms"]["url"] == "https://example.com/sms"


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("voice", "trunkSid", "TK" + "1" * 32),
        ("voice", "emergencyAddressSid", "AD" + "1" * 32),
        ("voice", "receiveMode", "FAX"),
        ("voice", "callerIdLookup", True),
        ("voice", "applicationSid", "AP" + "1" * 32),
        ("sms", "applicationSid", "AP" + "2" * 32),
        ("regulatory", "addressSid", "AD" + "2" * 32),
        ("regulatory", "identitySid", "RI" + "1" * 32),
        ("regulatory", "bundleSid", "BU" + "1" * 32),
    ],
)
def test_every_other_setting_can_be_changed(
    gateway: RunningGateway,
    owner: tuple[str, SandboxAccount],
    section: str,
    field: str,
    value: object,
) -> None:
    _, account = owner
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    inner = f"{section} {{ {field} }}"
    shown = inner if section == "regulatory" else f"configuration {{ {inner} }}"
    query = f"""mutation ($input: ConfigurePhoneNumberInput!) {{
      configurePhoneNumber(input: $input) {{
        phoneNumber {{ {shown} }} {ERRORS} }} }}"""
    given: dict[str, Any] = {section: {field: value}}
    given = given if section == "regulatory" else {"configuration": given}
    payload = run(gateway, query, account, sid=sid, **given)
    assert payload["userErrors"] == []
    number = payload["phoneNumber"]
    assert number.get("configuration", number)[section][field] == value


EMERGENCY = """mutation ($input: ConfigurePhoneNumberInput!) {
  configurePhoneNumber(input: $input) {
    phoneNumber { configuration { voice {
      emergencyStatus emergencyAddressSid emergencyAddressStatus } } }
    userErrors { field code message upstreamCode } wouldSend { method } } }"""


def test_the_registration_of_an_emergency_address_is_shown_and_its_status_is_set_in_vain(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    address = "AD" + "1" * 32
    voice = {"emergencyAddressSid": address, "emergencyStatus": "ACTIVE"}
    payload = run(gateway, EMERGENCY, account, sid=sid, configuration={"voice": voice})
    assert payload["phoneNumber"]["configuration"]["voice"] == {
        "emergencyStatus": "INACTIVE",
        "emergencyAddressSid": address,
        "emergencyAddressStatus": "REGISTERED",
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_a_number_moves_to_a_subaccount_and_back(gateway: RunningGateway, family: str) -> None:
    catalog = family == "CATALOG"
    parent = gateway.sandbox.create_account(catalog=catalog, owned=2)
    child = gateway.sandbox.create_account(catalog=catalog, owner_account_sid=parent.sid)
    sid = gateway.sandbox.numbers(parent.sid)[0]["sid"]
    there = run(gateway, TRANSFER, parent, sid=sid, toAccountSid=child.sid)
    assert there == {"phoneNumber": {"sid": sid, "accountSid": child.sid}, "userErrors": []}
    assert [each["sid"] for each in gateway.sandbox.numbers(child.sid)] == [sid]
    back = run(gateway, TRANSFER, parent, sid=sid, toAccountSid=parent.sid, accountSid=child.sid)
    assert back == {"phoneNumber": {"sid": sid, "accountSid": parent.sid}, "userErrors": []}
    assert [each["action"] for each in gateway.sandbox.ledger()[-2:]] == ["transferred"] * 2


def test_a_number_is_released_once_it_is_confirmed(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    number = gateway.sandbox.numbers(account.sid)[0]
    sid, phone_number = number["sid"], number["phone_number"]
    refused = run(gateway, RELEASE, account, sid=sid, confirmPhoneNumber="+14155550100")
    assert refused["releasedId"] is None
    assert refused["userErrors"][0]["code"] == "CONFIRMATION_MISMATCH"
    assert len(gateway.sandbox.numbers(account.sid)) == 3
    payload = run(gateway, RELEASE, account, sid=sid, confirmPhoneNumber=phone_number)
    assert payload == {
        "releasedId": sid,
        "releasedNumber": phone_number,
        "userErrors": [],
    }
    assert sid not in {each["sid"] for each in gateway.sandbox.numbers(account.sid)}
    again = run(gateway, RELEASE, account, sid=sid, confirmPhoneNumber=phone_number)
    assert again["userErrors"][0]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("requires", "code", "upstream"),
    [
        (["identity"], "IDENTITY_REQUIRED", 21650),
        (["bundle"], "BUNDLE_REQUIRED", 21649),
        (["address"], "ADDRESS_REQUIRED", 21631),
    ],
)
def test_missing_papers_are_a_user_error(
    gateway: RunningGateway,
    owner: tuple[str, SandboxAccount],
    requires: list[str],
    code: str,
    upstream: int,
) -> None:
    _, account = owner
    gateway.sandbox.put_number(None, "+12125550199", {"requires": requires})
    payload = run(gateway, PURCHASE, account, phoneNumber="+12125550199")
    assert payload["phoneNumber"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["upstreamCode"]) == (code, upstream)
    paper = f"{requires[0]}Sid"
    assert error["field"] == ["regulatory", paper]
    # The papers that the error names are taken where it says, in a dry run of several numbers, too.
    sid = {"addressSid": "AD", "bundleSid": "BU", "identitySid": "RI"}[paper] + "1" * 32
    number, other = "+12125550199", "+12125550198"
    gateway.sandbox.put_number(None, other)
    items: list[dict[str, Any]] = [{"phoneNumber": number}]
    items += [{"phoneNumber": other, "regulatory": {paper: sid}, "dryRun": True}]
    many = gateway.query(
        """mutation ($input: PurchasePhoneNumbersInput!) { purchasePhoneNumbers(input: $input) {
          userErrors { field code }
          results { wouldSend { path parameters { name value } } } } }""",
        {"input": {"items": items}},
        account=account,
    )["purchasePhoneNumbers"]
    assert many["userErrors"] == [{"field": ["items", "0", "regulatory", paper], "code": code}]
    sent = many["results"][1]["wouldSend"]
    assert sent["path"].endswith("/IncomingPhoneNumbers.json")
    assert {"name": f"{paper[0].upper()}{paper[1:]}", "value": sid} in sent["parameters"]


def test_a_number_that_nobody_sells_is_not_available(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    family, account = owner
    payload = run(gateway, PURCHASE, account, phoneNumber="+12125550177")
    [error] = payload["userErrors"]
    assert error["code"] == "NOT_AVAILABLE"
    assert error["field"] == ["phoneNumber"]
    assert error["upstreamCode"] == (21452 if family == "CATALOG" else 21422)


@pytest.mark.parametrize("catalog", [True, False], ids=FAMILIES)
def test_a_trial_account_cannot_buy(gateway: RunningGateway, catalog: bool) -> None:
    account = gateway.sandbox.create_account(catalog=catalog, type="Trial", owned=1)
    payload = run(gateway, PURCHASE, account, phoneNumber=fresh_number(gateway.sandbox))
    [error] = payload["userErrors"]
    assert (error["code"], error["upstreamCode"]) == ("TRIAL_ACCOUNT", 21404)


def test_a_stranger_cannot_be_given_a_number(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    stranger = gateway.sandbox.accounts()["core-only"]
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    payload = run(gateway, TRANSFER, account, sid=sid, toAccountSid=stranger.sid)
    [error] = payload["userErrors"]
    assert error["code"] == "TRANSFER_REFUSED"
    assert error["field"] == ["toAccountSid"]
    assert len(gateway.sandbox.numbers(account.sid)) == 3


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    family, account = owner
    number = fresh_number(gateway.sandbox)
    payload = run(
        gateway,
        PURCHASE,
        account,
        phoneNumber=number,
        configuration={"voice": {"url": "https://example.com/v"}},
        dryRun=True,
    )
    assert payload["phoneNumber"] is None
    voice = "Configurations.Voice.Url" if family == "CATALOG" else "VoiceUrl"
    assert payload["wouldSend"]["method"] == "POST"
    assert payload["wouldSend"]["parameters"] == [
        {"name": "PhoneNumber", "value": number},
        {"name": voice, "value": "https://example.com/v"},
    ]
    assert [each for each in gateway.sandbox.requests() if each["method"] != "GET"] == []


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_dry_run_checks_the_key_too(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount], key: str
) -> None:
    _, account = owner
    wanted = {"phoneNumber": fresh_number(gateway.sandbox), "dryRun": True, "idempotencyKey": key}
    error = gateway.error(PURCHASE, {"input": wanted}, account=account)
    assert error["extensions"]["argument"] == "input.idempotencyKey"


def test_several_are_done_one_by_one_and_a_refusal_stops_no_other(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    numbers = [fresh_number(gateway.sandbox) for _ in range(2)]
    wanted = [{"phoneNumber": each} for each in (numbers[0], "+12125550177", numbers[1])]
    data = gateway.query(
        """mutation ($input: PurchasePhoneNumbersInput!) {
          purchasePhoneNumbers(input: $input) { results {
            phoneNumber { phoneNumber } userErrors { code } } } }""",
        {"input": {"items": wanted}},
        account=account,
    )
    assert data["purchasePhoneNumbers"]["results"] == [
        {"phoneNumber": {"phoneNumber": numbers[0]}, "userErrors": []},
        {"phoneNumber": None, "userErrors": [{"code": "NOT_AVAILABLE"}]},
        {"phoneNumber": {"phoneNumber": numbers[1]}, "userErrors": []},
    ]


@pytest.mark.parametrize("verb", ["configure", "transfer", "release"])
def test_each_mutation_has_a_plural_form(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount], verb: str
) -> None:
    _, account = owner
    child = gateway.sandbox.create_account(catalog=True, owner_account_sid=account.sid)
    numbers = gateway.sandbox.numbers(account.sid)[:2]
    extras: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "configure": lambda _: {"configuration": {"friendlyName": "Both"}},
        "transfer": lambda _: {"toAccountSid": child.sid},
        "release": lambda number: {"confirmPhoneNumber": number["phone_number"]},
    }
    items = [{"sid": number["sid"], **extras[verb](number)} for number in numbers]
    data = gateway.query(
        f"""mutation ($input: {verb.title()}PhoneNumbersInput!) {{
          {verb}PhoneNumbers(input: $input) {{ results {{ userErrors {{ code }} }} }} }}""",
        {"input": {"items": items}},
        account=account,
    )
    assert data[f"{verb}PhoneNumbers"]["results"] == [{"userErrors": []}] * 2
    left = [each["sid"] for each in gateway.sandbox.numbers(account.sid)]
    assert len(left) == (3 if verb == "configure" else 1)


def test_what_was_changed_is_read_anew_in_the_same_request(
    gateway: RunningGateway, owner: tuple[str, SandboxAccount]
) -> None:
    _, account = owner
    sid = gateway.sandbox.numbers(account.sid)[0]["sid"]
    query = """mutation ($sid: ID!) {
      one: configurePhoneNumber(input: {sid: $sid, configuration: {friendlyName: "One"}}) {
        phoneNumber { friendlyName account { phoneNumbers(first: 1) { nodes { friendlyName } } } } }
      two: configurePhoneNumber(input: {sid: $sid, configuration: {friendlyName: "Two"}}) {
        phoneNumber { friendlyName account { phoneNumbers(first: 1) { nodes { friendlyName } } } } }
    }"""
    data = gateway.query(query, {"sid": sid}, account=account)
    for alias, name in (("one", "One"), ("two", "Two")):
        number = data[alias]["phoneNumber"]
        assert number["friendlyName"] == name
        assert number["account"]["phoneNumbers"]["nodes"] == [{"friendlyName": name}]


@pytest.mark.parametrize(
    ("declared", "field"),
    [
        (
            "Boolean = true",
            'releasePhoneNumber(input: {sid: $sid, confirmPhoneNumber: "+12", dryRun: $late})',
        ),
        (
            "Boolean",
            'releasePhoneNumber(input: {sid: $sid, confirmPhoneNumber: "+12", dryRun: $late})',
        ),
        ('E164 = "+12"', "releasePhoneNumber(input: {sid: $sid, confirmPhoneNumber: $late})"),
        ("[ConfigurePhoneNumberInput!] = []", "configurePhoneNumbers(input: {items: $late})"),
        ("Boolean = true", "... on Mutation { ...Dry }"),
    ],
)
def test_a_null_that_a_later_mutation_cannot_take_is_refused_before_the_first_is_done(
    gateway: RunningGateway, declared: str, field: str
) -> None:
    sid = gateway.sandbox.numbers(gateway.sandbox.accounts()["parent"].sid)[0]["sid"]
    later = field if "Dry" in field else f"{field} {{ userErrors {{ code }} }}"
    query = f"""mutation ($sid: ID!, $late: {declared}) {{
      configurePhoneNumber(input: {{sid: $sid, configuration: {{friendlyName: "Done"}}}}) {{
        phoneNumber {{ friendlyName }} }}
      {later} }}"""
    if "Dry" in field:
        query += """ fragment Dry on Mutation { transferPhoneNumber(
          input: {sid: $sid, toAccountSid: "AC0", dryRun: $late}) { userErrors { code } } }"""
    answer = gateway.post({"query": query, "variables": {"sid": sid, "late": None}}).json()
    assert answer.keys() == {"errors"}
    [error] = answer["errors"]
    assert error["message"] == "$late: it may be left out, but it cannot be null."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert gateway.sandbox.requests() == []


@pytest.mark.parametrize("explain", ["", "plan"])
def test_a_null_in_what_is_left_out_keeps_nothing_from_being_done(
    gateway: RunningGateway, explain: str
) -> None:
    """Only where a condition leaves it in is it refused."""
    sid = gateway.sandbox.numbers(gateway.sandbox.accounts()["parent"].sid)[0]["sid"]
    query = """mutation Chosen($sid: ID!, $dry: Boolean = true, $null: Boolean = true,
        $a: Boolean = true, $b: Boolean!, $c: Boolean!, $d: Boolean = false) {
      configurePhoneNumber(input: {sid: $sid, configuration: {friendlyName: "Done"}}) {
        phoneNumber { friendlyName } }
      one: releasePhoneNumber(input: {sid: $sid, confirmPhoneNumber: "+12", dryRun: $dry})
        @skip(if: $a) { userErrors { code } }
      two: releasePhoneNumber(input: {sid: $sid, confirmPhoneNumber: "+12", dryRun: $dry})
        @include(if: false) @skip(if: false) { userErrors { code } }
      ... on Mutation @skip(if: $b) { ...Left __typename @include(if: $null) }
      ...Left @include(if: $c)
      ... { ...Left @include(if: $d) } }
    fragment Left on Mutation {
      three: releasePhoneNumber(input: {sid: $sid, confirmPhoneNumber: "+12", dryRun: $dry}) {
        userErrors { code } } }
    query Other($null: Boolean = true) { __typename @include(if: $null) }"""
    left_out = {"sid": sid, "dry": None, "null": None, "b": True, "c": False}

    def ask(**others: bool) -> dict[str, Any]:
        asked = {"query": query, "operationName": "Chosen", "variables": left_out | others}
        headers = {"x-gateway-explain": explain} if explain else {}
        answer: dict[str, Any] = gateway.post(asked, headers=headers).json()
        return answer

    done = {"configurePhoneNumber": {"phoneNumber": {"friendlyName": "Done"}}}
    answer = ask()
    assert ("errors" in answer, answer["data"]) == (False, None if explain else done)
    gateway.sandbox.forget_requests()
    for each, argument in (("a", "$dry"), ("b", "$null"), ("c", "$dry"), ("d", "$dry")):
        [error] = ask(**{each: each in "cd"})["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": argument}
    assert gateway.sandbox.requests() == []


def test_a_fault_of_the_gateway_in_one_item_is_logged_with_the_id_of_the_request(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("a fault")

    assert gateway.parts is not None
    monkeypatch.setattr(gateway.parts.pipeline.shared.writing.keys, "once", break_down)
    query = """mutation ($items: [PurchasePhoneNumberInput!]!) { purchasePhoneNumbers(
      input: { items: $items }) { results { userErrors { code } } } }"""
    item = {"phoneNumber": fresh_number(gateway.sandbox), "idempotencyKey": "a key"}
    asked = {"query": query, "variables": {"items": [item]}}
    with capture_logs() as lines:
        answer = gateway.post(asked, headers={"X-Request-Id": "the-request"}).json()
    [result] = answer["data"]["purchasePhoneNumbers"]["results"]
    assert result["userErrors"] == [{"code": "OUTCOME_UNKNOWN"}]
    [line] = [each for each in lines if each["event"] == "mutation_failed"]
    assert (line["request_id"], line["kind"]) == ("the-request", "RuntimeError")
