"""Who may call, for which account; accounts themselves; test credentials; limits and headers."""

import base64
import re
import threading
import time
from typing import Any

import httpx
import pytest

from gateway.sandbox import SandboxSettings, Switches
from tests.sandbox.api import Api, refusal
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount, running_sandbox
from tests.support.waiting import PATIENCE

PATHS = ["/Numbers/ActiveNumbers", "/Numbers/AvailableNumbers", "/2010-04-01/Accounts.json"]


@pytest.mark.parametrize("path", [*PATHS, "/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json"])
@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "No credentials provided"),
        ("Bearer abc", "No credentials provided"),
        ("Basic %%%", "No credentials provided"),
        ("Basic " + base64.b64encode(b"AC1:x").decode(), "invalid username"),
        ("Basic " + base64.b64encode(b"\xff\xfe").decode(), "No credentials provided"),
    ],
)
def test_without_valid_credentials_everything_is_401(
    sandbox: RunningSandbox, path: str, authorization: str | None, message: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    response = sandbox.client.get(path, headers=headers)

    assert refusal(response) == (401, 20003)
    assert message in response.json()["message"]
    assert response.json()["detail"] == "Your AccountSid or AuthToken was incorrect."
    assert response.headers["www-authenticate"].startswith("Basic")


def test_a_wrong_token_is_401_also_for_methods_that_do_not_exist(sandbox: RunningSandbox) -> None:
    wrong = (sandbox.accounts()["parent"].sid, "0" * 32)

    assert refusal(sandbox.client.get("/Numbers/ActiveNumbers", auth=wrong)) == (401, 20003)
    assert refusal(sandbox.client.put("/Numbers/ActiveNumbers", auth=wrong)) == (401, 20003)
    assert refusal(sandbox.client.get("/2010-04-01/Nothing.json", auth=wrong)) == (401, 20003)


@pytest.mark.parametrize("kind", ["api_key", "main_api_key"])
def test_an_api_key_acts_as_its_account(sandbox: RunningSandbox, kind: str) -> None:
    for account in (sandbox.accounts()["parent"], sandbox.subaccounts()[0]):
        key = (getattr(account, kind)["sid"], getattr(account, kind)["secret"])
        path = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"

        owned = sandbox.client.get("/Numbers/ActiveNumbers", auth=key).json()["items"]
        listed = sandbox.client.get(path, auth=key).json()["incoming_phone_numbers"]

        assert {item["account_sid"] for item in [*owned, *listed]} == {account.sid}
        wrong = (key[0], account.auth_token)
        assert refusal(sandbox.client.get("/Numbers/ActiveNumbers", auth=wrong)) == (401, 20003)


_REACHES = {
    "auth_token": (200, 200, 200),
    "main_api_key": (200, 200, 401),
    "api_key": (401, 401, 401),
}


@pytest.mark.parametrize("kind", _REACHES)
def test_what_credentials_reach_beyond_their_own_numbers(
    sandbox: RunningSandbox, kind: str
) -> None:
    """The list of accounts, their own account, and anything of a subaccount."""
    parent, child = sandbox.accounts()["parent"], sandbox.subaccounts()[0]
    key = getattr(parent, kind)
    auth = parent.auth if kind == "auth_token" else (key["sid"], key["secret"])
    accounts = "/2010-04-01/Accounts"
    paths = (f"{accounts}.json", f"{accounts}/{parent.sid}.json", f"{accounts}/{child.sid}.json")

    statuses = tuple(sandbox.client.get(path, auth=auth).status_code for path in paths)

    assert statuses == _REACHES[kind]
    keys = sandbox.client.get(f"{accounts}/{parent.sid}/Keys.json", auth=auth)
    assert keys.status_code == _REACHES[kind][1]
    if keys.is_success:
        assert [each["sid"] for each in keys.json()["keys"]] == [
            parent.api_key["sid"],
            parent.main_api_key["sid"],
        ]
    below = [
        f"{accounts}/{child.sid}/{name}.json"
        for name in ("IncomingPhoneNumbers", "AvailablePhoneNumbers", "Keys")
    ]
    found = {sandbox.client.get(path, auth=auth).status_code for path in below}
    assert found == {_REACHES[kind][2]}


def test_a_main_key_fetches_subaccounts_if_so_switched_and_reaches_nothing_below_them(
    sandbox: RunningSandbox,
) -> None:
    parent, child = sandbox.accounts()["parent"], sandbox.subaccounts()[0]
    sandbox.set_switches(main_key_fetches_subaccounts=True)
    key = (parent.main_api_key["sid"], parent.main_api_key["secret"])
    path = f"/2010-04-01/Accounts/{child.sid}"

    assert sandbox.client.get(f"{path}.json", auth=key).json()["sid"] == child.sid
    assert refusal(sandbox.client.get(f"{path}/IncomingPhoneNumbers.json", auth=key)) == (
        401,
        20003,
    )


def test_a_parents_key_moves_no_number_out_of_a_subaccount(sandbox: RunningSandbox) -> None:
    parent = sandbox.create_account(role="keys")
    child = sandbox.create_account(role="keys", owned=1, owner_account_sid=parent.sid)
    [number] = sandbox.numbers(child.sid)
    key = (parent.main_api_key["sid"], parent.main_api_key["secret"])
    form = {"AccountSid": parent.sid}

    catalog = sandbox.client.post(f"/Numbers/ActiveNumbers/{number['sid']}", data=form, auth=key)
    path = f"/2010-04-01/Accounts/{child.sid}/IncomingPhoneNumbers/{number['sid']}.json"
    core = sandbox.client.post(path, data=form, auth=key)

    assert refusal(catalog) == (404, 20404)
    assert refusal(core) == (401, 20003)


def test_an_account_without_access_finds_no_catalog(sandbox: RunningSandbox) -> None:
    account = sandbox.accounts()["core-only"]

    for path in PATHS[:2]:
        response = sandbox.client.get(path, auth=account.auth)
        assert refusal(response) == (404, 20404)
    purchase = sandbox.client.post("/Numbers/ActiveNumbers", auth=account.auth)
    assert refusal(purchase) == (404, 20404)


def test_a_parent_acts_for_its_subaccounts_and_not_the_other_way(sandbox: RunningSandbox) -> None:
    parent, child = sandbox.accounts()["parent"], sandbox.subaccounts()[0]
    stranger = sandbox.create_account()

    def numbers(owner: SandboxAccount, who: SandboxAccount) -> httpx.Response:
        path = f"/2010-04-01/Accounts/{owner.sid}/IncomingPhoneNumbers.json"
        return sandbox.client.get(path, auth=who.auth)

    owned = numbers(child, parent).json()["incoming_phone_numbers"]
    assert {number["account_sid"] for number in owned} == {child.sid}
    assert refusal(numbers(parent, child)) == (401, 20003)
    assert refusal(numbers(parent, stranger)) == (401, 20003)
    assert refusal(numbers(sandbox.subaccounts()[1], child)) == (401, 20003)


def test_the_sid_of_anothers_number_is_not_found(sandbox: RunningSandbox, api: Api) -> None:
    foreign = sandbox.numbers(sandbox.accounts()["parent"].sid)[0]["sid"]
    uri = f"{api.base}/IncomingPhoneNumbers/{foreign}.json"

    assert refusal(api.get(uri)) == (404, 20404)
    assert refusal(api.post(uri, {"FriendlyName": "mine"})) == (404, 20404)
    assert refusal(api.client.delete(uri)) == (404, 20404)


def test_a_suspended_account_can_do_nothing(sandbox: RunningSandbox) -> None:
    account = sandbox.accounts()["suspended"]

    for path in PATHS:
        assert refusal(sandbox.client.get(path, auth=account.auth)) == (403, 20005)
    sandbox.set_switches(inactive_account_code=20003)
    assert refusal(sandbox.client.get(PATHS[0], auth=account.auth)) == (401, 20003)


def test_a_parent_sees_a_suspended_subaccount_but_not_its_numbers(
    sandbox: RunningSandbox, api: Api
) -> None:
    child = sandbox.create_account(owner_account_sid=api.account.sid, status="suspended", owned=1)
    path = f"/2010-04-01/Accounts/{child.sid}"

    assert api.get(f"{path}.json").json()["status"] == "suspended"
    assert refusal(api.get(f"{path}/IncomingPhoneNumbers.json")) == (403, 20005)


def test_an_account_describes_itself(sandbox: RunningSandbox, parent: Api) -> None:
    account = parent.get(f"{parent.base}.json").json()

    assert account == {
        "sid": parent.account.sid,
        "friendly_name": "Parent",
        "status": "active",
        "type": "Full",
        "owner_account_sid": parent.account.sid,
        "auth_token": parent.account.auth_token,
        "date_created": "Thu, 30 Jul 2015 23:19:04 +0000",
        "date_updated": "Thu, 30 Jul 2015 23:19:04 +0000",
        "uri": f"{parent.base}.json",
        "subresource_uris": {
            "available_phone_numbers": f"{parent.base}/AvailablePhoneNumbers.json",
            "incoming_phone_numbers": f"{parent.base}/IncomingPhoneNumbers.json",
        },
    }
    child = sandbox.subaccounts()[0]
    found = parent.get(f"/2010-04-01/Accounts/{child.sid}.json").json()
    assert found["owner_account_sid"] == parent.account.sid


def test_the_list_of_accounts_has_the_own_and_the_subaccounts(
    sandbox: RunningSandbox, api: Api
) -> None:
    children = [
        sandbox.create_account(owner_account_sid=api.account.sid, friendly_name=name, status=status)
        for name, status in (("One", "active"), ("Two", "closed"), ("Two", "active"))
    ]

    def listed(**params: str) -> list[str]:
        body = api.get("/2010-04-01/Accounts.json", params).json()
        return [account["sid"] for account in body["accounts"]]

    assert listed() == [api.account.sid, *(child.sid for child in children)]
    assert listed(FriendlyName="Two") == [children[1].sid, children[2].sid]
    assert listed(FriendlyName="Two", Status="active") == [children[2].sid]
    assert listed(PageSize="3", Page="1") == [children[2].sid]


def test_the_list_of_accounts_is_paged_by_tokens_both_ways(
    sandbox: RunningSandbox, api: Api
) -> None:
    own = api.account.sid
    everything = [own, *(sandbox.create_account(owner_account_sid=own).sid for _ in range(4))]
    sids: list[str] = []
    url, page = "/2010-04-01/Accounts.json?PageSize=2", {}
    while url:
        page = api.get(url).json()
        sids += [account["sid"] for account in page["accounts"]]
        url = page["next_page_uri"]
    assert sids == everything
    assert page["previous_page_uri"].endswith(f"Page=1&PageToken=PB{everything[4]}")
    back = api.get(page["previous_page_uri"]).json()
    assert [account["sid"] for account in back["accounts"]] == everything[2:4]
    forged = api.get("/2010-04-01/Accounts.json", {"PageToken": "PAAC" + "0" * 32})
    assert refusal(forged) == (400, 21481)


def test_the_seed_has_two_subaccounts_with_numbers_of_their_own(
    sandbox: RunningSandbox,
) -> None:
    parent, children = sandbox.accounts()["parent"], sandbox.subaccounts()

    assert len(children) == 2
    for child in children:
        assert child.owner_account_sid == parent.sid
        items = sandbox.client.get("/Numbers/ActiveNumbers", auth=child.auth).json()["items"]
        assert {item["account_sid"] for item in items} == {child.sid}
        assert len(items) >= 3


MAGIC: list[tuple[dict[str, str], int, Any]] = [
    ({"PhoneNumber": "+15005550000"}, 400, 21422),
    ({"PhoneNumber": "+15005550001"}, 400, 21421),
    ({"PhoneNumber": "33"}, 400, 21421),
    ({"AreaCode": "533"}, 400, 21452),
    ({}, 400, 20001),
    ({"PhoneNumber": "+15005550006", "VoiceUrl": "nonsense"}, 400, 21402),
    ({"PhoneNumber": "+15005550006"}, 201, "+15005550006"),
    ({"AreaCode": "500"}, 201, "+15005550006"),
    ({"AreaCode": "5"}, 400, 21451),
    ({"AreaCode": "999"}, 400, 21452),
]


@pytest.mark.parametrize(("form", "status", "expected"), MAGIC)
def test_test_credentials_answer_the_magic_numbers_and_store_nothing(
    sandbox: RunningSandbox, form: dict[str, str], status: int, expected: object
) -> None:
    account = sandbox.accounts()["test"]
    uri = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"
    before = sandbox.ledger()

    response = sandbox.client.post(uri, data=form, auth=account.auth)

    body = response.json()
    if status == 201:
        assert (response.status_code, body["phone_number"]) == (201, expected)
        assert body["friendly_name"] == "(500) 555-0006"
    else:
        assert refusal(response) == (status, expected)
    assert sandbox.ledger() == before
    assert sandbox.numbers(account.sid) == []


@pytest.mark.parametrize(
    ("segment", "path", "form", "expected"),
    [
        ("", "GB/Mobile", {}, (400, 21649)),
        ("", "GB/Mobile", {"BundleSid": "BU" + "0" * 32}, (400, 21651)),
        ("", "GB/Mobile", {"BundleSid": "BU" + "1" * 32}, 201),
        ("", "GB/Local", {}, (400, 21631)),
        ("", "IE/Local", {}, (400, 21615)),
        ("", "ZA/Local", {}, (400, 21650)),
        ("", "US/Local", {"VoiceUrl": "nonsense"}, (400, 21402)),
        ("/TollFree", "US/Local", {}, (400, 21458)),
        ("/Local", "US/TollFree", {}, (400, 21458)),
        ("/Mobile", "GB/Mobile", {}, (400, 21649)),
        ("/Local", "US/Local", {}, 201),
        ("/Local", "US/Local", {"AreaCode": "500"}, (400, 21457)),
    ],
)
def test_test_credentials_are_refused_what_others_are(
    sandbox: RunningSandbox,
    api: Api,
    segment: str,
    path: str,
    form: dict[str, str],
    expected: int | tuple[int, int],
) -> None:
    number, test = api.available(path), sandbox.accounts()["test"]
    form = {"PhoneNumber": number, **form}

    def attempt(owner: SandboxAccount) -> int | tuple[int, int]:
        uri = f"/2010-04-01/Accounts/{owner.sid}/IncomingPhoneNumbers{segment}.json"
        response = sandbox.client.post(uri, data=form, auth=owner.auth)
        return 201 if response.status_code == 201 else refusal(response)

    # The live account last: it takes the number.
    assert (attempt(test), attempt(api.account)) == (expected, expected)


@pytest.mark.parametrize("segment", ["Local", "TollFree", "Mobile"])
def test_the_magic_number_can_be_bought_as_any_type(sandbox: RunningSandbox, segment: str) -> None:
    account = sandbox.accounts()["test"]
    uri = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers/{segment}.json"

    response = sandbox.client.post(uri, data={"PhoneNumber": "+15005550006"}, auth=account.auth)

    assert response.status_code == 201


def test_test_credentials_echo_settings(sandbox: RunningSandbox) -> None:
    account = sandbox.accounts()["test"]
    uri = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"
    form = {"PhoneNumber": "+15005550006", "VoiceUrl": "https://example.com/", "SmsMethod": "GET"}

    body = sandbox.client.post(uri, data=form, auth=account.auth).json()

    assert (body["voice_url"], body["sms_method"]) == ("https://example.com/", "GET")


def test_test_credentials_reach_nothing_else(sandbox: RunningSandbox) -> None:
    account = sandbox.accounts()["test"]
    base = f"/2010-04-01/Accounts/{account.sid}"
    paths = [
        *PATHS,
        f"{base}.json",
        f"{base}/IncomingPhoneNumbers.json",
        f"{base}/IncomingPhoneNumbers/PN1.json",
        f"{base}/AvailablePhoneNumbers.json",
        f"{base}/AvailablePhoneNumbers/US/Local.json",
    ]
    for path in paths:
        assert refusal(sandbox.client.get(path, auth=account.auth)) == (403, 20008)


def test_magic_numbers_mean_nothing_to_real_credentials(api: Api) -> None:
    uri = f"{api.base}/IncomingPhoneNumbers.json"

    assert refusal(api.post(uri, {"PhoneNumber": "+15005550001"})) == (400, 21422)
    assert refusal(api.post(uri, {"AreaCode": "500"})) == (400, 21452)


def test_refusals_of_paths_without_extension_are_xml(sandbox: RunningSandbox, api: Api) -> None:
    missing = api.get(f"{api.base}/AvailablePhoneNumbers/IN/Local")
    anonymous = sandbox.client.get(f"{api.base}/IncomingPhoneNumbers")

    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("application/xml")
    assert re.search(
        r"<TwilioResponse><RestException><Status>404</Status><Message>.*</Message>"
        r"<Code>20404</Code><MoreInfo>https://www.twilio.com/docs/errors/20404</MoreInfo>"
        r"</RestException></TwilioResponse>",
        missing.text,
    )
    assert anonymous.status_code == 401
    assert "<Code>20003</Code>" in anonymous.text


def test_unknown_paths_are_not_found(api: Api) -> None:
    assert refusal(api.get("/2010-04-01/Accounts/x/Calls.json"))[0] == 404
    assert refusal(api.get("/elsewhere")) == (404, 20404)
    assert refusal(api.get(f"{api.base}/incomingphonenumbers.json")) == (404, 20404)


def test_answers_carry_the_recorded_headers(api: Api) -> None:
    headers = api.get("/Numbers/ActiveNumbers").headers

    assert re.fullmatch("RQ[0-9a-f]{32}", headers["twilio-request-id"])
    assert headers["twilio-concurrent-requests"] == "1"
    # In seconds, with milliseconds.
    assert re.fullmatch(r"\d+\.\d{3}", headers["twilio-request-duration"])
    assert headers["content-type"] == "application/json"
    assert headers["x-home-region"] == "us1"
    assert headers["x-api-domain"] == "preview.twilio.com"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["access-control-allow-origin"] == "*"
    assert "Authorization" in headers["access-control-allow-headers"]
    core = api.get(f"{api.base}.json")
    assert core.headers["x-api-domain"] == "api.twilio.com"


def test_more_concurrent_requests_than_the_limit_are_refused_unprocessed() -> None:
    settings = SandboxSettings(numbers=500, switches=Switches(concurrency_limit=2))
    with running_sandbox(settings) as sandbox:
        account, other = sandbox.create_account(), sandbox.create_account()
        sandbox.set_faults([{"kind": "latency", "latency_ms": 3000, "path": "*/Accounts.json"}] * 2)
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(sandbox.client.get("/2010-04-01/Accounts.json", auth=account.auth))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        while sum(r["outcome"] == "pending" for r in sandbox.requests()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        form = {"AreaCode": "808"}
        uri = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json"
        refused = sandbox.client.post(uri, data=form, auth=account.auth)
        unaffected = sandbox.client.get(f"/2010-04-01/Accounts/{other.sid}.json", auth=other.auth)
        # Else it was not the limit that was looked at: the two must still be in progress.
        assert not answers
        for thread in threads:
            thread.join()

        assert refusal(refused) == (429, 20429)
        assert refused.headers["twilio-concurrent-requests"] == "3"
        assert unaffected.status_code == 200
        assert [answer.status_code for answer in answers] == [200, 200]
        assert sandbox.ledger() == []


def test_a_body_of_more_than_a_mebibyte_is_refused(api: Api) -> None:
    response = api.post("/Numbers/ActiveNumbers", {"PhoneNumber": "5" * (1024 * 1024 + 1)})

    assert refusal(response) == (413, 20413)
