"""No request, however odd, makes the sandbox fail or break its promises."""

from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sandbox.rules.attributes import PLACE_FILTERS, PROFILE_FILTERS
from gateway.sandbox.rules.configuration import SETTINGS
from tests.sandbox.api import Api, refusal

SEARCH_PARAMETERS = [
    "AreaCode", "Contains", "SmsEnabled", "MmsEnabled", "VoiceEnabled", "FaxEnabled", "Beta",
    "ExcludeAllAddressRequired", "NearNumber", "NearLatLong", "Distance", "InPostalCode",
    "InRegion", "InRateCenter", "InLata", "InLocality", "PageSize", "Page", "PageToken",
    "FriendlyName", "PhoneNumber", "Origin", "SavedSearch", "MinBaseSetupPrice",
    *PLACE_FILTERS, *PROFILE_FILTERS,
]  # fmt: skip
FORM_PARAMETERS = [
    name for setting in SETTINGS for name in (setting.core, setting.catalog) if name is not None
]
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "true",
            "nan",
            "-inf",
            "1e999",
            "+",
            "+1510",
            "*",
            "%",
            "$",
            "[a",
            "]",
            "\x00",
            "9" * 400,
        ]
    ),
)
odd = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize(
    "path",
    [
        "/Numbers/ActiveNumbers",
        "/Numbers/AvailableNumbers",
        "{base}/IncomingPhoneNumbers.json",
        "{base}/AvailablePhoneNumbers/US/Local.json",
        "{base}/AvailablePhoneNumbers/GB/Mobile",
        "/2010-04-01/Accounts.json",
    ],
)
@odd
@given(query=st.dictionaries(st.sampled_from(SEARCH_PARAMETERS), VALUES, max_size=4))
def test_any_query_is_answered_or_refused(api: Api, path: str, query: dict[str, str]) -> None:
    response = api.get(path.format(base=api.base), query)

    assert response.status_code in {200, 400}, response.text


@odd
@given(form=st.dictionaries(st.sampled_from(FORM_PARAMETERS), VALUES, max_size=4))
def test_any_change_is_made_or_refused_as_a_whole(api: Api, form: dict[str, str]) -> None:
    before = api.owned()[0]
    catalog = f"/Numbers/ActiveNumbers/{before['sid']}"

    for path in (before["uri"], catalog):
        previous = api.get(before["uri"]).json()
        response = api.post(path, form)
        assert response.status_code in {200, 400}, response.text
        if response.status_code == 400:
            assert api.get(before["uri"]).json() == previous


@odd
@given(path=st.text(max_size=30).map(lambda text: quote(text, errors="replace")))
def test_any_path_is_answered(api: Api, path: str) -> None:
    for start in ("/Numbers/", "/2010-04-01/", f"{api.base}/IncomingPhoneNumbers/"):
        response = api.get(start + path)
        assert response.status_code in {200, 404}, response.text


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data"])
def test_a_body_that_is_not_a_form_has_no_parameters(api: Api, content_type: str) -> None:
    response = api.client.post(
        "/Numbers/ActiveNumbers",
        content=b"PhoneNumber=%2B15105550100",
        headers={"Content-Type": content_type},
    )

    assert refusal(response) == (400, 20001)


def test_bytes_that_are_not_utf8_are_refused_as_values(api: Api) -> None:
    response = api.client.post(
        "/Numbers/ActiveNumbers",
        content=b"PhoneNumber=\xff%fe",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert refusal(response) == (400, 21421)


@pytest.mark.parametrize("length", [101, 50_100])
def test_a_pattern_longer_than_any_number_is_refused(api: Api, length: int) -> None:
    uri = f"{api.base}/IncomingPhoneNumbers.json"

    assert refusal(api.get(uri, {"PhoneNumber": "5" * length})) == (400, 21421)
    assert api.get(uri, {"PhoneNumber": "5" * 100}).json()["incoming_phone_numbers"] == []


def test_xml_is_well_formed_whatever_was_stored(api: Api) -> None:
    name = '\x00\x07 ]]> <&"\r\n\ufffe☎'
    uri = api.owned()[0]["uri"]
    assert api.post(uri, {"FriendlyName": name}).json()["friendly_name"] == name

    one = api.get(uri.removesuffix(".json"))
    listed = api.get(f"{api.base}/IncomingPhoneNumbers")

    for response in (one, listed):
        document = ET.fromstring(response.content)  # noqa: S314 - from our own server
        found = next(document.iter("FriendlyName"))
        assert found.text == '\ufffd\ufffd ]]> <&"\r\n\ufffd☎'


def test_a_head_request_is_answered_without_a_body(api: Api) -> None:
    response = api.client.head("/Numbers/ActiveNumbers")

    assert (response.status_code, response.content) == (200, b"")
