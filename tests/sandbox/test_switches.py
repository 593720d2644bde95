"""What no documentation settles: each switch off and on, as a client meets it."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.sandbox.switches import RANGES, Switches
from tests.sandbox.api import Api, acting_as, refusal
from tests.support.sandbox_in_thread import RunningSandbox

TRUNK = "TK" + "a" * 32


def type_of_a_toll_free_number(sandbox: RunningSandbox, api: Api) -> object:
    number = sandbox.put_number(api.account.sid, resource={"type": "tollfree"})
    return next(owned["type"] for owned in api.owned() if owned["sid"] == number["sid"])


def purchase_with_an_unescaped_plus(_: RunningSandbox, api: Api) -> object:
    number = api.available().replace("+", " ")
    response = api.post(f"{api.base}/IncomingPhoneNumbers.json", {"PhoneNumber": number})
    return 201 if response.status_code == 201 else refusal(response)


def search_with_an_unescaped_plus(_: RunningSandbox, api: Api) -> object:
    response = api.get(f"{api.base}/AvailablePhoneNumbers/US/Local.json", {"Contains": " 1510"})
    return 200 if response.status_code == 200 else refusal(response)


def search_with_inner_wildcards(_: RunningSandbox, api: Api) -> object:
    answers = [
        api.get(f"{api.base}/AvailablePhoneNumbers/US/Local.json", {"Contains": pattern})
        for pattern in ("5*5", "510***", "*510*")
    ]
    return [200 if each.status_code == 200 else refusal(each) for each in answers]


def pages_of_a_search(_: RunningSandbox, api: Api) -> object:
    path = f"{api.base}/AvailablePhoneNumbers/US/Local.json"
    first = api.get(path, {"PageSize": 2}).json()
    if "next_page_uri" not in first:
        return None
    second = api.get(first["next_page_uri"]).json()
    return first["available_phone_numbers"] == second["available_phone_numbers"]


def types_of_coordinates(_: RunningSandbox, api: Api) -> object:
    found = [*api.search("US/Local"), *api.search("US/TollFree")]
    return {type(each[name]).__name__ for each in found for name in ("latitude", "longitude")}


def a_subaccount_by_a_key(sandbox: RunningSandbox, api: Api) -> object:
    below = sandbox.create_account(owner_account_sid=api.account.sid)
    path = f"/2010-04-01/Accounts/{below.sid}"
    paths = (f"{path}/IncomingPhoneNumbers.json", f"{path}.json")
    key = api.account.main_api_key
    auth = (key["sid"], key["secret"])
    answers = [api.client.get(path, auth=auth) for path in paths]
    return [200 if each.status_code == 200 else refusal(each) for each in answers]


def accounts_of_others(sandbox: RunningSandbox, api: Api) -> object:
    other = sandbox.create_account()
    below = sandbox.create_account(owner_account_sid=api.account.sid)
    with acting_as(sandbox, below) as lower:
        answers = [
            api.get(f"/2010-04-01/Accounts/{other.sid}/IncomingPhoneNumbers.json"),
            api.get(f"/2010-04-01/Accounts/AC{'0' * 32}.json"),
            lower.get(f"/2010-04-01/Accounts/{api.account.sid}/IncomingPhoneNumbers.json"),
        ]
    return [refusal(each) for each in answers]


def token_of_the_next_page(_: RunningSandbox, api: Api) -> object:
    meta = api.get("/Numbers/ActiveNumbers", {"PageSize": 1}).json()["meta"]
    assert api.get(meta["next_page_url"]).json()["meta"]["page"] == 1
    return parse_qs(urlsplit(meta["next_page_url"]).query).get("PageToken")


def page_with_the_token_of_another(_: RunningSandbox, api: Api) -> object:
    response = api.get("/Numbers/ActiveNumbers", {"PageSize": 1, "Page": 1, "PageToken": "PT2"})
    return 200 if response.status_code == 200 else refusal(response)


def method_that_is_not_supported(_: RunningSandbox, api: Api) -> object:
    return refusal(api.client.put("/Numbers/ActiveNumbers"))


def name_after_an_empty_one(_: RunningSandbox, api: Api) -> object:
    number = api.owned()[0]
    api.post(number["uri"], {"FriendlyName": "Front desk"})
    name = api.post(number["uri"], {"FriendlyName": ""}).json()["friendly_name"]
    return "default" if name == number["friendly_name"] else name


def trunk_written_in_the_catalog(_: RunningSandbox, api: Api) -> object:
    path = f"/Numbers/ActiveNumbers/{api.owned()[0]['sid']}"
    body = api.post(path, {"Configurations.Voice.TrunkSid": TRUNK}).json()
    return body["configuration"]["voice"]["trunk_sid"]


@pytest.mark.parametrize(
    ("name", "value", "ask", "before", "after"),
    [
        ("core_toll_free_token", "tollfree", type_of_a_toll_free_number, "toll_free", "tollfree"),
        ("space_as_plus", False, purchase_with_an_unescaped_plus, 201, (400, 21421)),
        ("space_as_plus", False, search_with_an_unescaped_plus, 200, (400, 21421)),
        (
            "inner_wildcards",
            "error",
            search_with_inner_wildcards,
            [200, 200, 200],
            [(400, 21421), (400, 21421), 200],
        ),
        ("search_paging", True, pages_of_a_search, None, True),
        (
            "search_coordinates",
            "number",
            types_of_coordinates,
            {"str", "NoneType"},
            {"float", "NoneType"},
        ),
        (
            "key_reaches_subaccounts",
            True,
            a_subaccount_by_a_key,
            [(401, 20003), (401, 20003)],
            [200, (401, 20003)],
        ),
        (
            "foreign_account_code",
            20404,
            accounts_of_others,
            [(401, 20003), (401, 20003), (401, 20003)],
            [(404, 20404), (404, 20404), (401, 20003)],
        ),
        ("catalog_page_token", True, token_of_the_next_page, None, ["PT1"]),
        ("catalog_page_token", True, page_with_the_token_of_another, 200, (400, 21481)),
        (
            "unsupported_method_status",
            501,
            method_that_is_not_supported,
            (405, 20004),
            (501, 20004),
        ),
        ("empty_clears", False, name_after_an_empty_one, "default", "Front desk"),
        ("readonly_configuration", "ignore", trunk_written_in_the_catalog, TRUNK, None),
    ],
)
def test_a_switch_changes_what_a_client_meets(
    sandbox: RunningSandbox,
    api: Api,
    name: str,
    value: object,
    ask: Callable[[RunningSandbox, Api], object],
    before: object,
    after: object,
) -> None:
    assert ask(sandbox, api) == before

    sandbox.set_switches(**{name: value})

    # Another account, so that nothing the first one did is seen again.
    with acting_as(sandbox, sandbox.create_account(owned=3)) as other:
        assert ask(sandbox, other) == after


def test_every_switch_is_tried_by_some_test() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]

    for switch in fields(Switches):
        forms = ("{}=", '"{}": ', '("{}", ', '"{}",\n')
        tried = [form.format(switch.name) for form in forms]
        assert any(form in text for text in texts for form in tried), switch.name


def test_every_number_has_its_range() -> None:
    hints = get_type_hints(Switches)

    numbers = {name for name, hint in hints.items() if int in (hint, *get_args(hint))}
    assert set(RANGES) == numbers
    for name, (least, most) in RANGES.items():
        for value in (least, most):
            assert getattr(Switches().updated({name: value}), name) == value
