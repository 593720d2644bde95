"""The preview catalog: `/Numbers/AvailableNumbers` and `/Numbers/ActiveNumbers`."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.api import Api, acting_as, refusal
from tests.support.sandbox_in_thread import RunningSandbox

VOICE = {
    "inbound_connectivity": False,
    "outbound_connectivity": True,
    "e911": False,
    "fax": False,
    "sip_trunking": False,
    "calls_per_second": 17,
    "concurrent_calls_limit": 23,
    "long_record_length": 99,
    "inbound_called_dtmf": False,
    "inbound_caller_dtmf": False,
    "inbound_caller_id_preservation": "domestic",
    "inbound_reachability": "foreign",
}
SMS = {
    "inbound_connectivity": False,
    "outbound_connectivity": True,
    "gsm7": False,
    "ucs2": False,
    "gsm7_concatenation": False,
    "ucs2_concatenation": False,
    "inbound_sender_id_preservation": "none",
    "inbound_reachability": "domestic",
    "inbound_mps": 7,
}
MMS = {
    "inbound_connectivity": False,
    "outbound_connectivity": True,
    "inbound_reachability": "foreign",
    "inbound_mps": 8,
}
GEOGRAPHY = {
    "iso_country": "PR",
    "lata": 820,
    "rate_center": "PONCE",
    "latitude": 18.5,
    "longitude": -66.25,
    "region": "PR",
    "locality": "PONCE",
    "postal_code": "00901",
}
PROFILE = {"type": "voip", "lifecycle": "exhausted"}


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _sections() -> dict[str, tuple[tuple[str, ...], object]]:
    """Every property with a value no ordinary number has: parameter -> path, value."""
    found: dict[str, tuple[tuple[str, ...], object]] = {
        pascal(name): ((name,), value) for name, value in PROFILE.items()
    }
    for section, values in (("voice", VOICE), ("sms", SMS), ("mms", MMS)):
        for name, value in values.items():
            parameter = f"Capabilities.{pascal(section)}.{pascal(name)}"
            found[parameter] = (("capabilities", section, name), value)
    for name, geographic in GEOGRAPHY.items():
        found[f"Geography.{pascal(name)}"] = (("geography", name), geographic)
    found["Regulatory.AddressRequirements"] = (("regulatory", "address_requirements"), "foreign")
    return found


PROPERTIES = _sections()


def nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = (document or {}).get(key)
    return document


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("parameter", PROPERTIES)
def test_every_property_can_be_set_read_and_filtered_by(
    sandbox: RunningSandbox, api: Api, parameter: str
) -> None:
    path, value = PROPERTIES[parameter]
    placed = sandbox.put_number(api.account.sid, resource=nested(path, value))

    found = api.items(params={parameter: text(value)})

    assert placed["phone_number"] in [item["phone_number"] for item in found]
    assert found == [item for item in api.items() if at(item, path) == value]
    [instance] = api.get(f"/Numbers/ActiveNumbers/{placed['sid']}").json()["items"]
    assert at(instance, path) == value


@pytest.mark.parametrize("parameter", PROPERTIES)
def test_every_property_filters_the_numbers_that_can_be_bought(
    sandbox: RunningSandbox, parent: Api, parameter: str
) -> None:
    path, value = PROPERTIES[parameter]
    placed = sandbox.put_number(resource=nested(path, value))
    query: dict[str, str | int | list[str]] = {parameter: text(value), "PageSize": 200}

    page = parent.get("/Numbers/AvailableNumbers", query).json()["items"]
    [found] = parent.items("AvailableNumbers", {**query, "PhoneNumber": placed["phone_number"]})

    assert all(at(item, path) == value for item in page)
    assert at(found, path) == value
    others = {parameter: "no such value", "PhoneNumber": placed["phone_number"]}
    assert parent.items("AvailableNumbers", others) == []


@pytest.mark.parametrize("parameter", [name for name in PROPERTIES if "Capabilities" in name])
def test_a_null_or_absent_property_meets_no_filter(
    sandbox: RunningSandbox, api: Api, parameter: str
) -> None:
    path, value = PROPERTIES[parameter]
    null = sandbox.put_number(api.account.sid, resource=nested(path, None))
    absent = sandbox.put_number(api.account.sid, absent=[".".join(path)])
    section = sandbox.put_number(api.account.sid, resource=nested(path[:2], None))

    found = [item["sid"] for item in api.items(params={parameter: text(value)})]

    assert {null["sid"], absent["sid"], section["sid"]}.isdisjoint(found)
    by_sid = {item["sid"]: item for item in api.items()}
    assert at(by_sid[null["sid"]], path) is None
    assert path[2] in by_sid[null["sid"]]["capabilities"][path[1]]
    assert path[2] not in by_sid[absent["sid"]]["capabilities"][path[1]]
    assert by_sid[section["sid"]]["capabilities"][path[1]] is None


def test_filters_combine_and_names_are_case_sensitive(parent: Api) -> None:
    both = {"Type": "tollfree", "Geography.IsoCountry": "US"}

    found = parent.items(params=both)

    assert found
    assert found == [
        item
        for item in parent.items()
        if item["type"] == "tollfree" and item["geography"]["iso_country"] == "US"
    ]
    assert parent.items(params={"type": "tollfree"}) == parent.items()


def test_a_number_is_found_by_itself_also_when_its_plus_was_not_escaped(parent: Api) -> None:
    number = parent.items()[5]["phone_number"]

    escaped = parent.get("/Numbers/ActiveNumbers", {"PhoneNumber": number}).json()["items"]
    unescaped = parent.get(f"/Numbers/ActiveNumbers?PhoneNumber={number}").json()["items"]

    assert [item["phone_number"] for item in escaped] == [number]
    assert unescaped == escaped


SAVED_SEARCHES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "twilio.use-case.verifications.sms": lambda item: (
        item["lifecycle"] == "generally-available"
        and at(item, ("capabilities", "sms", "outbound_connectivity")) is True
        and at(item, ("capabilities", "sms", "inbound_reachability")) == "global"
        and at(item, ("capabilities", "sms", "gsm7")) is True
        and at(item, ("capabilities", "sms", "ucs2")) is True
    ),
    "twilio.use-case.verifications.voice": lambda item: (
        item["lifecycle"] == "generally-available"
        and at(item, ("capabilities", "voice", "outbound_connectivity")) is True
        and at(item, ("capabilities", "voice", "inbound_reachability")) == "global"
    ),
    "twilio.use-case.lead-tracking.voice": lambda item: (
        item["lifecycle"] == "generally-available"
        and item["type"] == "local"
        and all(
            at(item, ("capabilities", "voice", key)) is True
            for key in (
                "inbound_connectivity",
                "inbound_caller_dtmf",
                "inbound_called_dtmf",
                "sip_trunking",
            )
        )
        and at(item, ("capabilities", "voice", "inbound_reachability")) == "global"
        and at(item, ("capabilities", "voice", "inbound_caller_id_preservation")) == "international"
    ),
}


@pytest.mark.parametrize("name", SAVED_SEARCHES)
def test_a_saved_search_stands_for_its_filters(parent: Api, name: str) -> None:
    limits = {"Geography.Region": "AB"}
    everything = parent.items("AvailableNumbers", limits)

    found = parent.items("AvailableNumbers", {**limits, "SavedSearch": name})

    assert found == [item for item in everything if SAVED_SEARCHES[name](item)]
    assert 0 < len(found) < len(everything)


def test_saved_searches_combine_and_ignore_case(parent: Api) -> None:
    names = ["twilio.use-case.verifications.Voice", "twilio.use-case.verifications.sms"]
    limits = {"Geography.Region": "AB"}

    found = parent.items("AvailableNumbers", {**limits, "SavedSearch": names})

    wanted = [SAVED_SEARCHES[name.lower()] for name in names]
    assert found == [
        item
        for item in parent.items("AvailableNumbers", limits)
        if all(accept(item) for accept in wanted)
    ]
    tracking = [f"twilio.use-case.{case}-tracking.voice" for case in ("call", "lead")]
    one, other = (
        parent.items("AvailableNumbers", {**limits, "SavedSearch": name}) for name in tracking
    )
    assert one == other


def test_price_bounds_are_inclusive_and_leave_out_numbers_without_a_price(
    sandbox: RunningSandbox, parent: Api
) -> None:
    limits = {"Geography.Region": "AB"}
    sandbox.put_number(
        resource={
            "geography": {"iso_country": "CA", "region": "AB"},
            "prices": {"base_recurring_price": "7.5", "base_setup_price": "3.0"},
        },
    )
    everything = parent.items("AvailableNumbers", limits)

    for kind in ("recurring", "setup"):
        key, name = f"base_{kind}_price", f"Base{kind.capitalize()}Price"
        priced = [item for item in everything if key in item]
        for bounds in (
            {f"Min{name}": "2.0"},
            {f"Max{name}": "3"},
            {f"Min{name}": 3, f"Max{name}": 8},
        ):
            found = parent.items("AvailableNumbers", {**limits, **bounds})
            low, high = (
                float(bounds.get(f"{side}{name}", edge)) for side, edge in (("Min", 0), ("Max", 99))
            )
            assert found == [item for item in priced if low <= float(item[key]) <= high]
        assert len(priced) < len(everything)


@pytest.mark.parametrize(
    "params", [{"SavedSearch": "twilio.use-case.fun"}, {"MinBaseSetupPrice": "x"}]
)
def test_a_malformed_catalog_search_is_refused(parent: Api, params: dict[str, str]) -> None:
    assert refusal(parent.get("/Numbers/AvailableNumbers", params)) == (400, 20001)


@pytest.mark.parametrize("name", ["SavedSearch", "Type", "MinBaseSetupPrice", "PhoneNumber"])
def test_an_empty_filter_is_none(api: Api, name: str) -> None:
    path = "/Numbers/AvailableNumbers"

    assert api.get(path, {name: ""}).json()["items"] == api.get(path).json()["items"]


def test_unknown_parameters_are_ignored_unless_the_switch_says_otherwise(
    sandbox: RunningSandbox, parent: Api
) -> None:
    assert parent.get("/Numbers/ActiveNumbers", {"Colour": "red"}).status_code == 200

    sandbox.set_switches(unknown_catalog_parameter="error")

    assert refusal(parent.get("/Numbers/ActiveNumbers", {"Colour": "red"})) == (400, 20001)
    assert parent.get("/Numbers/ActiveNumbers", {"Type": "local"}).status_code == 200


def test_an_available_number_has_the_documented_keys(sandbox: RunningSandbox, parent: Api) -> None:
    placed = sandbox.put_number(resource={"geography": {"iso_country": "US"}})

    [item] = parent.items("AvailableNumbers", {"PhoneNumber": placed["phone_number"]})

    assert set(item) == {
        "phone_number",
        "type",
        "lifecycle",
        "base_setup_price",
        "base_recurring_price",
        "capabilities",
        "regulatory",
        "geography",
    }
    assert item["base_recurring_price"] == "1.0"
    assert set(item["capabilities"]["voice"]) == {*VOICE, "codecs"}
    assert set(item["capabilities"]["sms"]) == set(SMS)
    assert set(item["capabilities"]["mms"]) == set(MMS)
    assert set(item["geography"]) == set(GEOGRAPHY)


def test_a_country_can_be_a_path_segment(parent: Api) -> None:
    items = parent.get("/Numbers/AvailableNumbers/CA?PageSize=20").json()["items"]

    assert {item["geography"]["iso_country"] for item in items} == {"CA"}


@pytest.mark.parametrize("size", [1, 7, 50, 249, 250, 251, 1000])
def test_pages_of_any_size_hold_every_number_once(sandbox: RunningSandbox, size: int) -> None:
    large = sandbox.accounts()["large"]
    with acting_as(sandbox, large) as api:
        numbers = [item["phone_number"] for item in api.items(params={"PageSize": size})]

    assert len(numbers) == len(set(numbers)) == 250


def test_meta_describes_the_page_with_absolute_urls_that_keep_the_filters(
    sandbox: RunningSandbox, parent: Api
) -> None:
    query: dict[str, str | int | list[str]] = {"Type": "local", "PageSize": 30, "Page": 1}

    meta = parent.get("/Numbers/ActiveNumbers", query).json()["meta"]

    start = f"{sandbox.url}/Numbers/ActiveNumbers?Type=local&PageSize=30&Page="
    assert meta == {
        "page": 1,
        "page_size": 30,
        "first_page_url": f"{start}0",
        "previous_page_url": f"{start}0",
        "url": f"{start}1",
        "next_page_url": f"{start}2",
        "key": "items",
    }
    last = parent.get("/Numbers/ActiveNumbers", {"PageSize": 1000}).json()["meta"]
    assert last["next_page_url"] is None
    assert last["previous_page_url"] is None


def test_pages_are_fifty_by_default_and_a_thousand_at_most(parent: Api) -> None:
    assert len(parent.get("/Numbers/ActiveNumbers").json()["items"]) == 50
    assert len(parent.get("/Numbers/AvailableNumbers?PageSize=1000").json()["items"]) == 1000
    assert refusal(parent.get("/Numbers/ActiveNumbers?PageSize=1001")) == (400, 20007)


def test_a_page_beyond_the_end_is_empty(parent: Api) -> None:
    body = parent.get("/Numbers/ActiveNumbers?Page=999").json()

    assert body["items"] == []
    assert body["meta"]["next_page_url"] is None


def test_the_search_answers_under_both_documented_paths(parent: Api) -> None:
    short = parent.get("/AvailableNumbers?PageSize=3").json()["items"]

    assert short == parent.get("/Numbers/AvailableNumbers?PageSize=3").json()["items"]


@pytest.mark.parametrize("suffix", ["", "/", ".json"])
def test_three_spellings_of_a_path_mean_the_same(parent: Api, suffix: str) -> None:
    sid = parent.items()[0]["sid"]

    assert parent.get(f"/Numbers/ActiveNumbers{suffix}").status_code == 200
    assert parent.get(f"/Numbers/AvailableNumbers{suffix}").status_code == 200
    assert parent.get(f"/Numbers/ActiveNumbers/{sid}{suffix}").json()["items"][0]["sid"] == sid


def test_the_instance_spells_its_configuration_differently_from_the_list(api: Api) -> None:
    listed = api.items()[0]
    sid = listed["sid"]

    body = api.get(f"/Numbers/ActiveNumbers/{sid}").json()
    changed = api.post(f"/Numbers/ActiveNumbers/{sid}").json()

    [instance] = body["items"]
    assert body["meta"]["key"] == "items"
    assert instance == changed
    assert "configuration" not in listed
    assert "configurations" not in instance
    plural, singular = listed["configurations"], instance["configuration"]
    assert set(plural) == {
        "friendly_name", "status_callback", "status_callback_method", "voice", "sms", "mms",
    }  # fmt: skip
    assert set(singular) == {
        "friendly_name", "status_callback_url", "status_callback_method", "voice", "sms",
    }  # fmt: skip
    assert plural["voice"]["receive_mode"] == "voice"
    assert "receive_mode" not in singular["voice"]
    assert (plural["voice"]["url"], singular["voice"]["url"]) == (None, "")
    assert (plural["sms"]["fallback_url"], singular["sms"]["fallback_url"]) == (None, "")
    assert singular["voice"]["fallback_url"] is None
    assert listed["url"].endswith(f"/Numbers/ActiveNumbers/{sid}")


def test_switches_change_the_envelopes(sandbox: RunningSandbox, api: Api) -> None:
    sid = api.items()[0]["sid"]
    sandbox.set_switches(instance_envelope=False, create_envelope=True, create_status=200)

    assert api.get(f"/Numbers/ActiveNumbers/{sid}").json()["sid"] == sid
    bought = api.post("/Numbers/ActiveNumbers", {"PhoneNumber": api.available()})
    assert bought.status_code == 200
    assert bought.json()["items"][0]["account_sid"] == api.account.sid


def test_a_configuration_can_be_missing_or_null(sandbox: RunningSandbox, api: Api) -> None:
    absent = sandbox.put_number(api.account.sid, absent=["configuration"])
    null = sandbox.put_number(api.account.sid, resource={"configuration": None})

    by_sid = {item["sid"]: item for item in api.items()}
    assert "configurations" not in by_sid[absent["sid"]]
    assert by_sid[null["sid"]]["configurations"] is None
    [instance] = api.get(f"/Numbers/ActiveNumbers/{absent['sid']}").json()["items"]
    assert "configuration" not in instance
    changed = api.post(
        f"/Numbers/ActiveNumbers/{absent['sid']}",
        {"Configurations.Voice.Url": "https://example.com/"},
    ).json()
    assert changed["configuration"]["voice"]["url"] == "https://example.com/"


def test_the_seeded_parent_has_numbers_in_every_state(parent: Api) -> None:
    items = parent.items()

    assert len(items) >= 120
    assert {item["type"] for item in items} >= {
        "local", "tollfree", "mobile", "national", "shared-cost", "voip", "machine-to-machine",
    }  # fmt: skip
    assert {item["lifecycle"] for item in items} >= {
        None, "developer-preview", "beta", "generally-available", "exhausted",
    }  # fmt: skip
    for section in ("voice", "sms", "mms"):
        assert any(at(item, ("capabilities", section)) is None for item in items)
    assert any(item["capabilities"] is None for item in items if "capabilities" in item)
    assert any("capabilities" not in item for item in items)
    assert any("configurations" not in item for item in items)
    assert any(item.get("configurations", 0) is None for item in items)


def test_a_number_is_bought_configured_and_released(sandbox: RunningSandbox, api: Api) -> None:
    number = api.available(AreaCode=510)
    form = {
        "PhoneNumber": number,
        "Configurations.FriendlyName": "Night line",
        "Configurations.StatusCallback": "https://example.com/status",
        "Configurations.StatusCallbackMethod": "GET",
        "Configurations.Voice.Url": "https://example.com/voice",
        "Configurations.Voice.Method": "GET",
        "Configurations.Voice.FallbackUrl": "https://example.com/voice-fallback",
        "Configurations.Voice.FallbackMethod": "GET",
        "Configurations.Sms.Url": "https://example.com/sms",
        "Configurations.Sms.Method": "GET",
        "Configurations.Sms.FallbackUrl": "https://example.com/sms-fallback",
        "Configurations.Sms.FallbackMethod": "GET",
        "Configurations.Sms.ApplicationSid": "AP" + "1" * 32,
        "Configurations.Voice.ApplicationSid": "AP" + "2" * 32,
    }

    response = api.post("/Numbers/ActiveNumbers", form)

    assert response.status_code == 201
    bought = response.json()
    assert (bought["phone_number"], bought["account_sid"]) == (number, api.account.sid)
    written = bought["configurations"]
    for parameter, value in form.items():
        if parameter.startswith("Configurations."):
            path = [_snake(part) for part in parameter.split(".")[1:]]
            assert at(written, tuple(path)) == value, parameter
    assert api.search(Contains=f"+{number[1:]}") == []

    released = api.client.delete(f"/Numbers/ActiveNumbers/{bought['sid']}")

    assert (released.status_code, released.content) == (204, b"")
    assert refusal(api.get(f"/Numbers/ActiveNumbers/{bought['sid']}")) == (404, 20404)
    assert [n["phone_number"] for n in api.search(Contains=f"+{number[1:]}")] == [number]
    entries = [e for e in sandbox.ledger() if e["phone_number"] == number]
    assert [(e["action"], e["account_sid"], e["sid"]) for e in entries] == [
        ("bought", api.account.sid, bought["sid"]),
        ("released", api.account.sid, bought["sid"]),
    ]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_")


def test_an_empty_value_clears_and_an_absent_one_leaves(api: Api) -> None:
    sid = api.items()[0]["sid"]
    path = f"/Numbers/ActiveNumbers/{sid}"
    url = "https://example.com/"
    api.post(path, {"Configurations.Voice.Url": url, "Configurations.Sms.Url": url})

    changed = api.post(path, {"Configurations.Voice.Url": ""}).json()["configuration"]

    assert (changed["voice"]["url"], changed["sms"]["url"]) == ("", url)


def test_a_trunk_and_a_voice_application_exclude_each_other(api: Api) -> None:
    path = f"/Numbers/ActiveNumbers/{api.items()[0]['sid']}"
    trunk, application = "TK" + "a" * 32, "AP" + "b" * 32

    api.post(path, {"Configurations.Voice.ApplicationSid": application})
    voice = api.post(path, {"Configurations.Voice.TrunkSid": trunk}).json()["configuration"][
        "voice"
    ]
    assert (voice["trunk_sid"], voice["application_sid"]) == (trunk, None)
    voice = api.post(path, {"Configurations.Voice.ApplicationSid": application}).json()[
        "configuration"
    ]["voice"]
    assert (voice["trunk_sid"], voice["application_sid"]) == (None, application)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Configurations.FriendlyName": "x" * 65}, 20002),
        ({"Configurations.Voice.Url": "ftp://example.com"}, 21402),
        ({"Configurations.Voice.Url": "not a url"}, 21402),
        ({"Configurations.Sms.Method": "PUT"}, 21403),
        ({"Configurations.Voice.FallbackUrl": "https://example.com/"}, 21405),
        ({"Configurations.Sms.FallbackUrl": "https://example.com/"}, 21406),
        ({"Configurations.Voice.ApplicationSid": "AP1"}, 21420),
        ({"AccountSid": "AC1"}, 21470),
        ({"AccountSid": "AC" + "0" * 32}, 21471),
    ],
)
def test_a_refused_change_changes_nothing(api: Api, form: dict[str, str], code: int) -> None:
    before = api.items()
    path = f"/Numbers/ActiveNumbers/{before[0]['sid']}"

    response = api.post(path, {"Configurations.StatusCallback": "https://example.com/", **form})

    assert refusal(response) == (400, code)
    assert api.items() == before


@pytest.mark.parametrize(
    ("number", "code"),
    [("", 20001), ("33", 21421), ("+1510", 21421), ("five", 21421), ("+15105550199999", 21452)],
)
def test_a_purchase_of_something_that_is_not_available_is_refused(
    api: Api, number: str, code: int
) -> None:
    assert refusal(api.post("/Numbers/ActiveNumbers", {"PhoneNumber": number})) == (400, code)


def test_a_number_that_somebody_else_has_is_not_found_for_purchase(
    sandbox: RunningSandbox, api: Api
) -> None:
    number = sandbox.numbers(sandbox.accounts()["parent"].sid)[0]["phone_number"]

    assert refusal(api.post("/Numbers/ActiveNumbers", {"PhoneNumber": number})) == (400, 21452)


def test_buying_a_number_again_updates_it_and_is_billed_once(
    sandbox: RunningSandbox, api: Api
) -> None:
    number = api.available()
    first = api.post("/Numbers/ActiveNumbers", {"PhoneNumber": number}).json()

    again = api.post(
        "/Numbers/ActiveNumbers", {"PhoneNumber": number, "Configurations.FriendlyName": "Again"}
    ).json()

    assert again["sid"] == first["sid"]
    assert again["configurations"]["friendly_name"] == "Again"
    bought = [e for e in sandbox.ledger() if (e["phone_number"], e["action"]) == (number, "bought")]
    assert len(bought) == 1
    sandbox.set_switches(catalog_purchase_of_own="refuse")
    assert refusal(api.post("/Numbers/ActiveNumbers", {"PhoneNumber": number})) == (400, 21452)


@pytest.mark.parametrize(
    ("requires", "given", "code"),
    [
        ("identity", {}, 21650),
        ("bundle", {}, 21649),
        ("address", {}, 21631),
        ("local-address", {}, 21615),
        (["address", "bundle"], {}, 21631),
        (["address", "bundle"], {"AddressSid": "AD" + "1" * 32}, 21649),
        ("bundle", {"BundleSid": "BU" + "0" * 32}, 21651),
    ],
)
def test_a_purchase_without_its_documents_is_refused(
    sandbox: RunningSandbox, api: Api, requires: Any, given: dict[str, str], code: int
) -> None:
    placed = sandbox.put_number(resource={"requires": requires})

    response = api.post("/Numbers/ActiveNumbers", {"PhoneNumber": placed["phone_number"], **given})

    assert refusal(response) == (400, code)
    complete = {
        "PhoneNumber": placed["phone_number"],
        "IdentitySid": "RI" + "1" * 32,
        "BundleSid": "BU" + "1" * 32,
        "AddressSid": "AD" + "1" * 32,
    }
    assert api.post("/Numbers/ActiveNumbers", complete).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/Numbers/ActiveNumbers"),
        ("PATCH", "/Numbers/ActiveNumbers"),
        ("DELETE", "/Numbers/ActiveNumbers"),
        ("PUT", "/Numbers/ActiveNumbers/PN1"),
        ("POST", "/Numbers/AvailableNumbers"),
        ("DELETE", "/Numbers/AvailableNumbers"),
    ],
)
def test_unsupported_methods_are_not_allowed(parent: Api, method: str, path: str) -> None:
    assert refusal(parent.client.request(method, path)) == (405, 20004)


def test_numbers_of_others_do_not_exist(sandbox: RunningSandbox, api: Api) -> None:
    foreign = sandbox.numbers(sandbox.accounts()["parent"].sid)[0]["sid"]

    for sid in (foreign, "PN" + "0" * 32, "nonsense"):
        path = f"/Numbers/ActiveNumbers/{sid}"
        assert refusal(api.get(path)) == (404, 20404)
        assert refusal(api.post(path, {"Configurations.FriendlyName": "x"})) == (404, 20404)
        assert refusal(api.client.delete(path)) == (404, 20404)
    sandbox.set_switches(missing_sid_status=400)
    assert refusal(api.get("/Numbers/ActiveNumbers/PN1")) == (400, 20404)
