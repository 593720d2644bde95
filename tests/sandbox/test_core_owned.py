"""IncomingPhoneNumbers: lists, purchases, changes, transfers and releases."""

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.api import Api, acting_as, refusal
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

SETTINGS: dict[str, tuple[str, str]] = {
    "FriendlyName": ("friendly_name", "Front desk"),
    "VoiceUrl": ("voice_url", "https://example.com/voice"),
    "VoiceMethod": ("voice_method", "GET"),
    "VoiceFallbackUrl": ("voice_fallback_url", "https://example.com/voice-fallback"),
    "VoiceFallbackMethod": ("voice_fallback_method", "GET"),
    "VoiceApplicationSid": ("voice_application_sid", "AP" + "1" * 32),
    "VoiceReceiveMode": ("voice_receive_mode", "fax"),
    "SmsUrl": ("sms_url", "https://example.com/sms"),
    "SmsMethod": ("sms_method", "GET"),
    "SmsFallbackUrl": ("sms_fallback_url", "https://example.com/sms-fallback"),
    "SmsFallbackMethod": ("sms_fallback_method", "GET"),
    "SmsApplicationSid": ("sms_application_sid", "AP" + "2" * 32),
    "StatusCallback": ("status_callback", "https://example.com/status"),
    "StatusCallbackMethod": ("status_callback_method", "GET"),
    "EmergencyAddressSid": ("emergency_address_sid", "AD" + "3" * 32),
    "AddressSid": ("address_sid", "AD" + "4" * 32),
    "IdentitySid": ("identity_sid", "RI" + "5" * 32),
    "BundleSid": ("bundle_sid", "BU" + "6" * 32),
    "ApiVersion": ("api_version", "2008-08-01"),
}
UNSET: dict[str, Any] = {
    "VoiceUrl": None,
    "VoiceMethod": "POST",
    "VoiceFallbackUrl": None,
    "VoiceFallbackMethod": "POST",
    "VoiceApplicationSid": "",
    "VoiceReceiveMode": "voice",
    "SmsUrl": "",
    "SmsMethod": "POST",
    "SmsFallbackUrl": "",
    "SmsFallbackMethod": "POST",
    "SmsApplicationSid": "",
    "StatusCallback": "",
    "StatusCallbackMethod": "POST",
    "EmergencyAddressSid": None,
    "AddressSid": None,
    "IdentitySid": None,
    "BundleSid": None,
    "ApiVersion": "2010-04-01",
}


@pytest.fixture(params=["core-only", "parent"])
def owner(sandbox: RunningSandbox, request: pytest.FixtureRequest) -> Iterator[Api]:
    """A seeded account with many numbers, without and with catalog access."""
    account = sandbox.accounts()[request.param]
    with acting_as(sandbox, account) as api:
        yield api


def unregister(sandbox: RunningSandbox, number: dict[str, Any]) -> None:
    """Take the registration of a number's emergency address back, as the console does."""
    voice = {"emergency_address_status": "unregistered"}
    resource = {"configuration": {"voice": voice}}
    sandbox.put_number(number["account_sid"], number["phone_number"], resource)


def numbers(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["incoming_phone_numbers"]
    return found


def test_the_account_without_catalog_access_has_over_sixty_numbers(
    sandbox: RunningSandbox,
) -> None:
    account = sandbox.accounts()["core-only"]
    with acting_as(sandbox, account) as api:
        owned = api.owned()

    assert len(owned) >= 60
    assert len({number["type"] for number in owned}) >= 6


def test_a_number_has_every_documented_key(owner: Api) -> None:
    number = owner.owned()[0]

    assert set(number) == {
        "sid", "account_sid", "friendly_name", "phone_number", "address_requirements",
        "address_sid", "api_version", "beta", "capabilities", "date_created", "date_updated",
        "emergency_status", "emergency_address_sid", "emergency_address_status", "identity_sid",
        "bundle_sid", "origin", "status", "type", "trunk_sid", "uri", "sms_application_sid",
        "sms_fallback_method", "sms_fallback_url", "sms_method", "sms_url", "status_callback",
        "status_callback_method", "voice_application_sid", "voice_caller_id_lookup",
        "voice_fallback_method", "voice_fallback_url", "voice_method", "voice_receive_mode",
        "voice_url",
    }  # fmt: skip
    assert set(number["capabilities"]) == {"voice", "sms", "mms", "fax"}
    assert number["date_created"].endswith(" +0000")
    assert parsedate_to_datetime(number["date_created"]).year == 2015
    assert owner.get(number["uri"]).json() == number


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_pages_hold_every_number_once(owner: Api, size: int) -> None:
    url, seen = f"{owner.base}/IncomingPhoneNumbers.json?PageSize={size}", []
    while url:
        body = owner.get(url).json()
        seen += [number["sid"] for number in body["incoming_phone_numbers"]]
        url = body["next_page_uri"]

    assert seen == [number["sid"] for number in owner.owned()]
    assert len(set(seen)) == len(seen)


def test_the_paging_keys_describe_a_page(owner: Api) -> None:
    list_uri = f"{owner.base}/IncomingPhoneNumbers.json"
    first = owner.get(f"{list_uri}?PageSize=10").json()
    second = owner.get(first["next_page_uri"]).json()

    last_sid = first.pop("incoming_phone_numbers")[-1]["sid"]
    assert first == {
        "uri": f"{list_uri}?PageSize=10",
        "first_page_uri": f"{list_uri}?PageSize=10&Page=0",
        "next_page_uri": f"{list_uri}?PageSize=10&Page=1&PageToken=PA{last_sid}",
        "previous_page_uri": None,
        "page": 0,
        "page_size": 10,
        "start": 0,
        "end": 9,
    }
    assert (second["page"], second["start"], second["end"]) == (1, 10, 19)
    back = owner.get(second["previous_page_uri"])
    assert numbers(back) == numbers(owner.get(f"{list_uri}?PageSize=10"))


def test_an_empty_list_starts_and_ends_at_zero(owner: Api) -> None:
    body = owner.get(f"{owner.base}/IncomingPhoneNumbers.json?FriendlyName=nobody").json()

    assert (body["incoming_phone_numbers"], body["start"], body["end"]) == ([], 0, 0)
    assert body["next_page_uri"] is None


def test_a_page_token_survives_the_release_of_its_number(sandbox: RunningSandbox) -> None:
    account = sandbox.create_account(owned=9)
    with acting_as(sandbox, account) as api:
        everything = [number["sid"] for number in api.owned()]
        page = api.get(f"{api.base}/IncomingPhoneNumbers.json?PageSize=4").json()
        for number in page["incoming_phone_numbers"]:
            assert api.client.delete(number["uri"]).status_code == 204

        rest = numbers(api.get(page["next_page_uri"]))

    assert [number["sid"] for number in rest] == everything[4:8]


@pytest.mark.parametrize("query", ["PageToken=PA1", "PageToken=PAPN" + "0" * 32, "PageToken=x"])
def test_an_unknown_page_token_is_refused(owner: Api, query: str) -> None:
    response = owner.get(f"{owner.base}/IncomingPhoneNumbers.json?{query}")

    assert refusal(response) == (400, 21481)


def test_page_size_is_limited(owner: Api) -> None:
    response = owner.get(f"{owner.base}/IncomingPhoneNumbers.json?PageSize=1001")

    assert refusal(response) == (400, 20007)


def test_lists_filter_by_name_number_beta_and_origin(owner: Api) -> None:
    uri, everything = f"{owner.base}/IncomingPhoneNumbers.json", owner.owned()
    some = everything[7]

    def found(**params: str) -> list[dict[str, Any]]:
        return numbers(owner.get(uri, {"PageSize": "1000", **params}))

    assert found(FriendlyName=some["friendly_name"]) == [some]
    assert found(PhoneNumber=some["phone_number"]) == [some]
    digits = some["phone_number"][4:8]
    assert found(PhoneNumber=digits) == [n for n in everything if digits in n["phone_number"]]
    assert found(PhoneNumber="+1907*******") == [
        n for n in everything if n["phone_number"].startswith("+1907")
    ]
    assert found(Beta="false") == [n for n in everything if not n["beta"]]
    assert found(Origin="twilio") == everything
    assert found(Origin="hosted") == []


def test_a_hosted_number_is_found_by_its_origin(sandbox: RunningSandbox, api: Api) -> None:
    uri = f"{api.base}/IncomingPhoneNumbers.json"
    hosted = sandbox.put_number(api.account.sid, resource={"origin": "hosted"})

    [found] = numbers(api.get(uri, {"Origin": "hosted"}))

    assert (found["sid"], found["origin"]) == (hosted["sid"], "hosted")
    assert hosted["sid"] not in [n["sid"] for n in numbers(api.get(uri, {"Origin": "twilio"}))]
    # A later change of something else leaves it hosted.
    changed = sandbox.put_number(api.account.sid, hosted["phone_number"], {"beta": True})
    assert changed["origin"] == "hosted"
    assert numbers(api.get(uri, {"Origin": "hosted", "Beta": "false"})) == []


@pytest.mark.parametrize(
    ("number", "configuration", "absent", "name"),
    [
        ("+15105551234", {"friendly_name": None}, [], "(510) 555-1234"),
        ("+15105551235", {"friendly_name": ""}, [], "(510) 555-1235"),
        ("+15105551236", {}, ["configuration.friendly_name"], "(510) 555-1236"),
        ("+15105551237", None, [], "(510) 555-1237"),
        ("+15105551238", {}, ["configuration"], "(510) 555-1238"),
        ("+4759440374", {"friendly_name": None}, [], "+4759440374"),
        ("894546", {"friendly_name": None}, [], "894546"),
    ],
)
def test_a_number_without_a_name_is_found_by_the_one_it_is_shown_with(
    sandbox: RunningSandbox,
    api: Api,
    number: str,
    configuration: dict[str, None] | None,
    absent: list[str],
    name: str,
) -> None:
    resource = {"configuration": configuration}
    sandbox.put_number(api.account.sid, number, resource, absent)

    found = numbers(api.get(f"{api.base}/IncomingPhoneNumbers.json", {"FriendlyName": name}))

    assert [(each["phone_number"], each["friendly_name"]) for each in found] == [(number, name)]


def test_a_number_with_a_name_of_its_own_is_not_found_by_its_default(
    sandbox: RunningSandbox, api: Api
) -> None:
    resource = {"configuration": {"friendly_name": "Front desk"}}
    sandbox.put_number(api.account.sid, "+15105551239", resource)
    uri = f"{api.base}/IncomingPhoneNumbers.json"

    assert numbers(api.get(uri, {"FriendlyName": "(510) 555-1239"})) == []
    assert len(numbers(api.get(uri, {"FriendlyName": "Front desk"}))) == 1


@pytest.mark.parametrize(
    ("segment", "token"), [("Local", "local"), ("TollFree", "toll_free"), ("Mobile", "mobile")]
)
def test_typed_lists_hold_their_type(owner: Api, segment: str, token: str) -> None:
    listed = numbers(owner.get(f"{owner.base}/IncomingPhoneNumbers/{segment}.json?PageSize=1000"))

    assert listed
    everything = [number for number in owner.owned() if number["type"] == token]
    assert listed == [
        {key: value for key, value in number.items() if key != "type"} for number in everything
    ]


def test_a_purchase_writes_every_setting(sandbox: RunningSandbox, api: Api) -> None:
    number = api.available(AreaCode=212)
    form = {name: value for name, (_, value) in SETTINGS.items()}

    response = api.post(
        f"{api.base}/IncomingPhoneNumbers.json",
        {"PhoneNumber": number, "VoiceCallerIdLookup": "true", **form},
    )

    assert response.status_code == 201
    bought = response.json()
    assert (bought["phone_number"], bought["account_sid"]) == (number, api.account.sid)
    assert {name: bought[key] for name, (key, _) in SETTINGS.items()} == form
    assert bought["voice_caller_id_lookup"] is True
    assert api.get(bought["uri"]).json() == bought
    [entry] = [e for e in sandbox.ledger() if e["phone_number"] == number]
    assert (entry["action"], entry["account_sid"]) == ("bought", api.account.sid)
    assert entry["price"] == "1.0" or entry["price"] is None


@pytest.mark.parametrize("name", SETTINGS)
def test_a_change_writes_one_setting_and_an_empty_value_clears_it(
    sandbox: RunningSandbox, api: Api, name: str
) -> None:
    before = api.owned()[0]
    key, value = SETTINGS[name]
    primary = {}
    if "Fallback" in name:
        primary = {name.replace("Fallback", ""): SETTINGS[name.replace("Fallback", "")][1]}

    changed = api.post(before["uri"], {**primary, name: value}).json()
    if name == "EmergencyAddressSid":
        unregister(sandbox, changed)
    cleared = api.post(before["uri"], {name: ""}).json()

    expected = {**before, key: value}
    for other, text in primary.items():
        expected[SETTINGS[other][0]] = text
    if name == "EmergencyAddressSid":
        expected["emergency_address_status"] = "registered"
    moving = {"date_updated": ""}
    assert {**changed, **moving} == {**expected, **moving}
    assert cleared[key] == UNSET.get(name, before[key])


def test_a_trunk_and_a_voice_application_exclude_each_other(api: Api) -> None:
    uri, trunk, application = api.owned()[0]["uri"], "TK" + "a" * 32, "AP" + "b" * 32

    api.post(uri, {"VoiceApplicationSid": application})
    changed = api.post(uri, {"TrunkSid": trunk}).json()
    assert (changed["trunk_sid"], changed["voice_application_sid"]) == (trunk, "")
    changed = api.post(uri, {"VoiceApplicationSid": application}).json()
    assert (changed["trunk_sid"], changed["voice_application_sid"]) == (None, application)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"FriendlyName": "x" * 65}, 20002),
        ({"VoiceUrl": "javascript:alert(1)"}, 21402),
        ({"StatusCallback": "https://exa mple.com"}, 21402),
        ({"SmsUrl": "http://[::1"}, 21402),
        ({"VoiceMethod": "DELETE"}, 21403),
        ({"VoiceFallbackUrl": "https://example.com/"}, 21405),
        ({"SmsFallbackUrl": "https://example.com/"}, 21406),
        ({"SmsApplicationSid": "AP1"}, 21420),
        ({"TrunkSid": "TK1"}, 20423),
        ({"VoiceReceiveMode": "pigeon"}, 20422),
        ({"EmergencyStatus": "active"}, 20422),
        ({"VoiceCallerIdLookup": "maybe"}, 20422),
    ],
)
def test_a_refused_setting_changes_and_buys_nothing(
    api: Api, form: dict[str, str], code: int
) -> None:
    before, number = api.owned(), api.available()
    mixed = {"VoiceReceiveMode": "fax", **form}

    assert refusal(api.post(before[0]["uri"], mixed)) == (400, code)
    bought = api.post(f"{api.base}/IncomingPhoneNumbers.json", {"PhoneNumber": number, **mixed})
    assert refusal(bought) == (400, code)
    assert api.owned() == before
    assert api.available() == number


@pytest.mark.parametrize(
    ("segment", "form", "code"),
    [
        ("", {}, 20001),
        ("", {"PhoneNumber": "33"}, 21421),
        ("", {"PhoneNumber": "+15005550006"}, 21422),
        ("", {"AreaCode": "5"}, 21451),
        ("", {"AreaCode": "999"}, 21452),
        ("/Local", {"AreaCode": "510"}, 21457),
        ("/Local", {}, 20001),
        ("/TollFree", {"PhoneNumber": "a local number"}, 21458),
        ("/Mobile", {"PhoneNumber": "a local number"}, 21458),
    ],
)
def test_an_impossible_purchase_is_refused(
    api: Api, segment: str, form: dict[str, str], code: int
) -> None:
    if form.get("PhoneNumber") == "a local number":
        form = {"PhoneNumber": api.available()}

    response = api.post(f"{api.base}/IncomingPhoneNumbers{segment}.json", form)

    assert refusal(response) == (400, code)


def test_a_number_that_somebody_else_has_is_not_available(
    sandbox: RunningSandbox, api: Api
) -> None:
    number = sandbox.numbers(sandbox.accounts()["parent"].sid)[0]["phone_number"]

    response = api.post(f"{api.base}/IncomingPhoneNumbers.json", {"PhoneNumber": number})

    assert refusal(response) == (400, 21422)
    assert response.json()["message"] == f"{number} is not available"


def test_an_area_code_buys_a_number_there(api: Api) -> None:
    bought = api.post(f"{api.base}/IncomingPhoneNumbers.json", {"AreaCode": "808"}).json()

    assert bought["phone_number"].startswith("+1808")


@pytest.mark.parametrize(("segment", "path"), [("Local", "US/Local"), ("TollFree", "US/TollFree")])
def test_typed_purchases_buy_their_type(api: Api, segment: str, path: str) -> None:
    number = api.available(path)

    response = api.post(f"{api.base}/IncomingPhoneNumbers/{segment}.json", {"PhoneNumber": number})

    assert response.status_code == 201


def test_buying_a_number_again_is_an_update_and_billed_once(
    sandbox: RunningSandbox, api: Api
) -> None:
    uri, number = f"{api.base}/IncomingPhoneNumbers.json", api.available()
    first = api.post(uri, {"PhoneNumber": number})

    again = api.post(uri, {"PhoneNumber": number, "FriendlyName": "Again"})

    assert again.status_code == 201
    assert (again.json()["sid"], again.json()["status"]) == (first.json()["sid"], "in-use")
    assert again.json()["friendly_name"] == "Again"
    actions = [e["action"] for e in sandbox.ledger() if e["phone_number"] == number]
    assert actions == ["bought", "configured"]


def test_the_rules_of_the_united_kingdom_and_ireland(api: Api) -> None:
    uri = f"{api.base}/IncomingPhoneNumbers.json"
    mobile, local, irish = (api.available(path) for path in ("GB/Mobile", "GB/Local", "IE/Local"))

    without_bundle = api.post(uri, {"PhoneNumber": mobile})
    without_address = api.post(uri, {"PhoneNumber": local})
    without_local = api.post(uri, {"PhoneNumber": irish})
    complete = api.post(uri, {"PhoneNumber": mobile, "BundleSid": "BU" + "1" * 32})

    assert refusal(without_bundle) == (400, 21649)
    assert without_bundle.json()["message"] == (
        "Bundle required and not provided for country: [GB] and numberType: [MOBILE]"
    )
    assert refusal(without_address) == (400, 21631)
    assert refusal(without_local) == (400, 21615)
    assert complete.status_code == 201


def test_a_trial_account_cannot_buy(sandbox: RunningSandbox) -> None:
    trial = sandbox.accounts()["trial"]
    with acting_as(sandbox, trial) as api:
        form = {"PhoneNumber": api.available()}
        core = api.post(f"{api.base}/IncomingPhoneNumbers.json", form)
        catalog = api.post("/Numbers/ActiveNumbers", form)

    assert refusal(core) == (400, 21404)
    assert refusal(catalog) == (400, 21404)


def test_a_trial_account_may_buy_its_first_number_when_the_switch_says_so(
    sandbox: RunningSandbox,
) -> None:
    trial = sandbox.create_account(type="Trial")
    sandbox.set_switches(trial_may_buy_first=True)
    with acting_as(sandbox, trial) as api:
        uri = f"{api.base}/IncomingPhoneNumbers.json"
        first = api.post(uri, {"PhoneNumber": api.available()})
        second = api.post(uri, {"PhoneNumber": api.available()})

    assert first.status_code == 201
    assert refusal(second) == (400, 21404)


def test_a_released_number_is_gone_and_can_be_bought_by_others(
    sandbox: RunningSandbox, api: Api
) -> None:
    number = api.owned()[0]

    response = api.client.delete(number["uri"])

    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers
    assert refusal(api.get(number["uri"])) == (404, 20404)
    assert refusal(api.client.delete(number["uri"])) == (404, 20404)
    other = sandbox.create_account()
    with acting_as(sandbox, other) as there:
        form = {"PhoneNumber": number["phone_number"]}
        bought = there.post(f"{there.base}/IncomingPhoneNumbers.json", form).json()
    assert bought["account_sid"] == other.sid
    assert bought["sid"] != number["sid"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_lists_cannot_be_deleted_or_replaced(owner: Api, method: str) -> None:
    response = owner.client.request(method, f"{owner.base}/IncomingPhoneNumbers.json")

    assert refusal(response) == (405, 20004)


@pytest.fixture
def family(sandbox: RunningSandbox) -> tuple[SandboxAccount, SandboxAccount, SandboxAccount]:
    """A parent with numbers and two subaccounts."""
    head = sandbox.create_account(owned=2)
    children = [sandbox.create_account(owner_account_sid=head.sid, owned=2) for _ in range(2)]
    return head, children[0], children[1]


@pytest.mark.parametrize("family_api", ["core", "catalog"])
@pytest.mark.parametrize(("source", "target"), [(0, 1), (1, 0), (1, 2)])
def test_a_parent_moves_numbers_within_its_family(
    sandbox: RunningSandbox,
    family: tuple[SandboxAccount, ...],
    family_api: str,
    source: int,
    target: int,
) -> None:
    owner, receiver = family[source], family[target]
    number = sandbox.numbers(owner.sid)[0]
    path = (
        f"/Numbers/ActiveNumbers/{number['sid']}"
        if family_api == "catalog"
        else f"/2010-04-01/Accounts/{owner.sid}/IncomingPhoneNumbers/{number['sid']}.json"
    )

    response = sandbox.client.post(path, data={"AccountSid": receiver.sid}, auth=family[0].auth)

    assert response.status_code == 200, response.text
    assert response.json()["account_sid"] == receiver.sid
    assert number["sid"] in [moved["sid"] for moved in sandbox.numbers(receiver.sid)]
    assert number["sid"] not in [kept["sid"] for kept in sandbox.numbers(owner.sid)]
    entry = sandbox.ledger()[-1]
    assert (entry["action"], entry["from_account_sid"], entry["account_sid"]) == (
        "transferred", owner.sid, receiver.sid,
    )  # fmt: skip


@pytest.mark.parametrize("family_api", ["catalog", "core"])
@pytest.mark.parametrize(
    ("requires", "given", "code"),
    [
        ("address", {}, 21631),
        ("local-address", {}, 21615),
        ("bundle", {}, 21649),
        ("identity", {}, 21650),
        (["address", "bundle"], {"AddressSid": "AD" + "7" * 32}, 21649),
        ("address", {"AddressSid": "AD" + "0" * 32}, 21651),
    ],
)
def test_a_regulated_number_moves_with_documents_of_the_gaining_account_only(
    sandbox: RunningSandbox,
    family: tuple[SandboxAccount, ...],
    family_api: str,
    requires: Any,
    given: dict[str, str],
    code: int,
) -> None:
    """What the losing account has given for it does not serve the gaining one."""
    head, child, _ = family
    core = {"address_sid": "AD" + "1" * 32, "bundle_sid": "BU" + "1" * 32}
    core["identity_sid"] = "RI" + "1" * 32
    resource = {"requires": requires, "configuration": {"core": core}}
    number = sandbox.put_number(head.sid, resource=resource)
    sid = number["sid"]
    base = (
        "/Numbers/ActiveNumbers" if family_api == "catalog" else f"/2010-04-01/Accounts/{head.sid}"
    )
    path = f"{base}/{sid}" if family_api == "catalog" else f"{base}/IncomingPhoneNumbers/{sid}.json"

    def move(form: dict[str, str]) -> httpx.Response:
        return sandbox.client.post(path, data={"AccountSid": child.sid, **form}, auth=head.auth)

    assert refusal(move(given)) == (400, code)
    assert sid in [kept["sid"] for kept in sandbox.numbers(head.sid)]
    form = {
        "AddressSid": "AD" + "2" * 32,
        "BundleSid": "BU" + "2" * 32,
        "IdentitySid": "RI" + "2" * 32,
    }
    moved = move(form)
    assert (moved.status_code, moved.json()["account_sid"]) == (200, child.sid)
    [kept] = [each for each in sandbox.numbers(child.sid) if each["sid"] == sid]
    assert set(kept["configuration"]["core"].values()) == set(form.values())


def test_transfers_are_refused_for_a_reason_each(
    sandbox: RunningSandbox, family: tuple[SandboxAccount, ...]
) -> None:
    head, child, sibling = family
    suspended = sandbox.create_account(owner_account_sid=head.sid, status="suspended")
    stranger = sandbox.create_account()

    def attempt(owner: SandboxAccount, who: SandboxAccount, target: str) -> tuple[int, int]:
        sid = sandbox.numbers(owner.sid)[0]["sid"]
        path = f"/2010-04-01/Accounts/{owner.sid}/IncomingPhoneNumbers/{sid}.json"
        return refusal(sandbox.client.post(path, data={"AccountSid": target}, auth=who.auth))

    assert attempt(head, head, "AC1") == (400, 21470)
    assert attempt(head, head, "AC" + "0" * 32) == (400, 21471)
    assert attempt(head, head, suspended.sid) == (400, 21472)
    assert attempt(head, head, stranger.sid) == (400, 21473)
    assert attempt(child, child, sibling.sid) == (400, 21474)
    sandbox.set_switches(unverified_error_status=403)
    assert attempt(child, child, head.sid) == (403, 21474)


def test_switches_loosen_the_rules_of_transfers(
    sandbox: RunningSandbox, family: tuple[SandboxAccount, ...]
) -> None:
    sandbox.set_switches(transfer_requires_parent=False, transfer_requires_relation=False)
    child, stranger = family[1], sandbox.create_account()
    sid = sandbox.numbers(child.sid)[0]["sid"]

    response = sandbox.client.post(
        f"/2010-04-01/Accounts/{child.sid}/IncomingPhoneNumbers/{sid}.json",
        data={"AccountSid": stranger.sid},
        auth=child.auth,
    )

    assert response.json()["account_sid"] == stranger.sid


def test_a_transfer_to_the_present_owner_changes_nothing(sandbox: RunningSandbox, api: Api) -> None:
    before = api.owned()

    response = api.post(before[0]["uri"], {"AccountSid": api.account.sid})

    assert response.json() == before[0]
    assert sandbox.ledger()[-1]["sid"] != before[0]["sid"]


def test_the_catalog_keeps_a_subaccounts_numbers_from_its_parent_but_for_transfers(
    sandbox: RunningSandbox, family: tuple[SandboxAccount, ...]
) -> None:
    head, child, _ = family
    sid = sandbox.numbers(child.sid)[0]["sid"]
    url = f"{sandbox.url}/Numbers/ActiveNumbers/{sid}"

    assert refusal(sandbox.client.get(url, auth=head.auth)) == (404, 20404)
    assert refusal(sandbox.client.delete(url, auth=head.auth)) == (404, 20404)
    sandbox.set_switches(transfer_reaches_subaccounts=False)
    response = sandbox.client.post(url, data={"AccountSid": head.sid}, auth=head.auth)
    assert refusal(response) == (404, 20404)


def test_a_list_without_extension_is_answered_in_xml(owner: Api) -> None:
    response = owner.get(f"{owner.base}/IncomingPhoneNumbers?PageSize=3")

    assert response.headers["content-type"].startswith("application/xml")
    assert response.text.count("<IncomingPhoneNumber>") == 3
    assert 'pagesize="3"' in response.text
    assert "<VoiceCallerIdLookup>false</VoiceCallerIdLookup>" in response.text
