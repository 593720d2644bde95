"""Every number operation of the official client works against the sandbox as against Twilio.

Each exchange is validated against Twilio's OpenAPI description where that is at hand.
"""

import datetime as dt
import inspect
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException  # type: ignore[import-untyped]
from twilio.base.page import Page  # type: ignore[import-untyped]
from twilio.rest.api.v2010.account.available_phone_number_country.local import (  # type: ignore[import-untyped]
    LocalList,
)
from twilio.rest.api.v2010.account.incoming_phone_number import (  # type: ignore[import-untyped]
    IncomingPhoneNumberContext,
    IncomingPhoneNumberList,
)

from tests.sandbox.official import Exchanges, official_client
from tests.sandbox.openapi import Description, find_description
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

TYPES = {
    "local": "US",
    "toll_free": "US",
    "mobile": "GB",
    "national": "FR",
    "shared_cost": "AT",
    "voip": "FR",
    "machine_to_machine": "NL",
}
FILTERS: dict[str, Any] = {
    "area_code": 510,
    "contains": "STORM",
    "sms_enabled": True,
    "mms_enabled": False,
    "voice_enabled": True,
    "exclude_all_address_required": True,
    "exclude_local_address_required": True,
    "exclude_foreign_address_required": True,
    "beta": False,
    "near_number": "+15105550100",
    "near_lat_long": "37.840699,-122.461853",
    "distance": 50,
    "in_postal_code": "94612",
    "in_region": "CA",
    "in_rate_center": "OKLD MN-PD",
    "in_lata": "722",
    "in_locality": "Oakland",
    "fax_enabled": True,
}
SETTINGS: dict[str, Any] = {
    "api_version": "2010-04-01",
    "friendly_name": "Front desk",
    "sms_application_sid": "AP" + "1" * 32,
    "sms_fallback_method": "GET",
    "sms_fallback_url": "https://example.com/sms-fallback",
    "sms_method": "GET",
    "sms_url": "https://example.com/sms",
    "status_callback": "https://example.com/status",
    "status_callback_method": "GET",
    "voice_application_sid": "AP" + "2" * 32,
    "voice_caller_id_lookup": True,
    "voice_fallback_method": "GET",
    "voice_fallback_url": "https://example.com/voice-fallback",
    "voice_method": "GET",
    "voice_url": "https://example.com/voice",
    "emergency_status": "Inactive",  # Whatever is written.
    "emergency_address_sid": "AD" + "3" * 32,
    "identity_sid": "RI" + "4" * 32,
    "address_sid": "AD" + "5" * 32,
    "voice_receive_mode": "fax",
    "bundle_sid": "BU" + "6" * 32,
}


@pytest.fixture(scope="session")
def description() -> Description | None:
    return find_description()


@pytest.fixture
def exchanges(description: Description | None) -> Iterator[Exchanges]:
    """The exchanges of a test, validated at its end."""
    found = Exchanges()
    yield found
    for exchange in found.kept:
        if description is not None:
            description.check(exchange)


@pytest.fixture
def client(sandbox: RunningSandbox, account: SandboxAccount, exchanges: Exchanges) -> Any:
    return official_client(sandbox.url, account, exchanges)


def test_the_openapi_description_is_at_hand(description: Description | None) -> None:
    if description is None:
        pytest.skip(
            "openapi_2010_numbers.json is not beside this checkout: exchanges of the official "
            "client are not validated against it"
        )
    assert len(description.operations) >= 20


def test_the_tests_name_every_parameter_of_the_client() -> None:
    def parameters(function: Any, *without: str) -> set[str]:
        return set(inspect.signature(function).parameters) - {"self", *without}

    assert parameters(LocalList.list, "limit", "page_size") == set(FILTERS)
    writable = {*SETTINGS, "trunk_sid"}
    assert parameters(IncomingPhoneNumberContext.update, "account_sid") == writable
    assert parameters(IncomingPhoneNumberList.create, "phone_number", "area_code") == writable


@pytest.mark.parametrize("kind", TYPES)
def test_it_searches_every_type(client: Any, kind: str) -> None:
    numbers = getattr(client.available_phone_numbers(TYPES[kind]), kind).list(limit=5)

    assert len(numbers) == 5
    assert {number.iso_country for number in numbers} == {TYPES[kind]}
    assert isinstance(numbers[0].capabilities["voice"], bool)


@pytest.mark.parametrize("name", FILTERS)
def test_it_searches_with_every_filter(client: Any, exchanges: Exchanges, name: str) -> None:
    filters = {name: FILTERS[name]}
    if name == "in_rate_center":
        filters["in_lata"] = FILTERS["in_lata"]
    if name == "distance":
        filters["near_number"] = FILTERS["near_number"]

    numbers = client.available_phone_numbers("US").local.list(limit=20, **filters)

    assert len(numbers) == 20
    parameter = "".join(part.capitalize() for part in name.split("_"))
    assert exchanges.kept[-1].query[parameter] == str(FILTERS[name]).replace(
        "True", "true"
    ).replace("False", "false")


def test_it_reads_numbers_with_its_own_types(client: Any) -> None:
    number = client.available_phone_numbers("US").local.list(in_locality="Hilo", limit=1)[0]

    assert (number.latitude, number.longitude) == (Decimal("19.726933"), Decimal("-155.091794"))
    assert (number.lata, number.rate_center, number.postal_code) == ("834", "HILO", "96720")


def test_it_lists_and_fetches_countries(client: Any) -> None:
    countries = {country.country_code: country for country in client.available_phone_numbers.list()}
    brazil = client.available_phone_numbers("BR").fetch()

    assert len(countries) == 40
    assert (brazil.country, brazil.beta) == ("Brazil", True)
    assert brazil.subresource_uris == countries["BR"].subresource_uris


def test_it_buys_fetches_changes_and_deletes(sandbox: RunningSandbox, client: Any) -> None:
    found = client.available_phone_numbers("US").local.list(area_code=415, limit=1)[0]

    bought = client.incoming_phone_numbers.create(phone_number=found.phone_number, **SETTINGS)
    fetched = client.incoming_phone_numbers(bought.sid).fetch()

    assert {name: getattr(bought, name) for name in SETTINGS} == SETTINGS
    assert {name: getattr(fetched, name) for name in SETTINGS} == SETTINGS
    assert (fetched.phone_number, fetched.status, fetched.type) == (
        found.phone_number, "in-use", "local",
    )  # fmt: skip
    assert isinstance(fetched.date_created, dt.datetime)
    trunk = "TK" + "7" * 32
    changed = bought.update(trunk_sid=trunk, friendly_name="Night line")
    assert (changed.trunk_sid, changed.voice_application_sid) == (trunk, "")
    assert changed.friendly_name == "Night line"
    with pytest.raises(TwilioRestException) as caught:
        bought.delete()
    assert (caught.value.status, caught.value.code) == (400, 21634)
    unregistered = {"voice": {"emergency_address_status": "unregistered"}}
    sandbox.put_number(bought.account_sid, bought.phone_number, {"configuration": unregistered})
    assert bought.delete() is True
    with pytest.raises(TwilioRestException) as caught:
        client.incoming_phone_numbers(bought.sid).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


@pytest.mark.parametrize("name", SETTINGS)
def test_it_updates_every_field(client: Any, name: str) -> None:
    number = client.incoming_phone_numbers.list(limit=1)[0]
    primary = name.replace("_fallback", "")
    changes = {primary: SETTINGS[primary], name: SETTINGS[name]}

    changed = client.incoming_phone_numbers(number.sid).update(**changes)

    assert getattr(changed, name) == SETTINGS[name]
    assert getattr(client.incoming_phone_numbers(number.sid).fetch(), name) == SETTINGS[name]


def test_it_buys_by_area_code_and_by_type(client: Any) -> None:
    by_area = client.incoming_phone_numbers.create(area_code="808")
    toll_free = client.available_phone_numbers("US").toll_free.list(limit=1)[0].phone_number
    local = client.available_phone_numbers("US").local.list(limit=1)[0].phone_number
    mobile = client.available_phone_numbers("DK").mobile.list(limit=1)[0].phone_number

    assert by_area.phone_number.startswith("+1808")
    assert client.incoming_phone_numbers.toll_free.create(toll_free).phone_number == toll_free
    assert client.incoming_phone_numbers.local.create(local).phone_number == local
    assert client.incoming_phone_numbers.mobile.create(mobile).phone_number == mobile
    for kind, number in (("toll_free", toll_free), ("local", local), ("mobile", mobile)):
        listed = getattr(client.incoming_phone_numbers, kind).list()
        assert number in [found.phone_number for found in listed]


@pytest.mark.parametrize("page_size", [None, 7, 100])
def test_it_lists_through_all_pages(
    sandbox: RunningSandbox, exchanges: Exchanges, page_size: int | None
) -> None:
    large = sandbox.accounts()["large"]
    client = official_client(sandbox.url, large, exchanges)

    numbers = [n.sid for n in client.incoming_phone_numbers.stream(page_size=page_size)]

    assert len(numbers) == len(set(numbers)) == 250
    assert len(exchanges.kept) == -(-250 // (page_size or 50))


def test_it_walks_pages_both_ways(client: Any) -> None:
    first = client.incoming_phone_numbers.page(page_size=2)
    second = first.next_page()

    sids = [number.sid for number in first]
    assert len(sids) == 2
    assert [number.sid for number in second.previous_page()] == sids
    assert len(list(second)) == 1
    assert second.next_page() is None


def test_it_filters_its_numbers(
    sandbox: RunningSandbox, account: SandboxAccount, client: Any
) -> None:
    number = client.incoming_phone_numbers.list()[1]

    def listed(**filters: Any) -> list[str]:
        return [found.sid for found in client.incoming_phone_numbers.list(**filters)]

    assert listed(phone_number=number.phone_number) == [number.sid]
    assert listed(friendly_name=number.friendly_name) == [number.sid]
    hosted, beta = (
        sandbox.put_number(account.sid, resource={"origin": "hosted", "beta": beta})["sid"]
        for beta in (False, True)
    )
    assert listed(origin="hosted") == [hosted, beta]
    assert listed(origin="hosted", beta=False) == [hosted]


def test_it_transfers_to_a_subaccount_and_back(
    sandbox: RunningSandbox, account: SandboxAccount, exchanges: Exchanges, client: Any
) -> None:
    child = sandbox.create_account(owner_account_sid=account.sid)
    number = client.incoming_phone_numbers.list(limit=1)[0]

    moved = number.update(account_sid=child.sid)
    for_child = official_client(sandbox.url, account, exchanges, acting_for=child.sid)
    back = for_child.incoming_phone_numbers(number.sid).update(account_sid=account.sid)

    assert (moved.account_sid, back.account_sid) == (child.sid, account.sid)
    assert back.sid == number.sid


def test_it_reads_accounts(sandbox: RunningSandbox, account: SandboxAccount, client: Any) -> None:
    child = sandbox.create_account(owner_account_sid=account.sid, friendly_name="Child")

    fetched = client.api.accounts(child.sid).fetch()

    assert (fetched.friendly_name, fetched.owner_account_sid) == ("Child", account.sid)
    assert [a.sid for a in client.api.accounts.list()] == [account.sid, child.sid]
    assert [a.sid for a in client.api.accounts.list(friendly_name="Child")] == [child.sid]


def test_it_works_with_an_api_key(
    sandbox: RunningSandbox, account: SandboxAccount, exchanges: Exchanges
) -> None:
    key = (account.api_key["sid"], account.api_key["secret"])
    client = official_client(sandbox.url, account, exchanges, auth=key)

    assert len(client.incoming_phone_numbers.list()) == 3


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"phone_number": "+15005550000"}, 21422),
        ({"phone_number": "+15005550001"}, 21421),
        ({"area_code": "533"}, 21452),
    ],
)
def test_it_raises_the_errors_of_test_credentials(
    sandbox: RunningSandbox, exchanges: Exchanges, form: dict[str, str], code: int
) -> None:
    client = official_client(sandbox.url, sandbox.accounts()["test"], exchanges)

    with pytest.raises(TwilioRestException) as caught:
        client.incoming_phone_numbers.create(**form)

    assert (caught.value.status, caught.value.code) == (400, code)
    assert caught.value.msg.startswith("Unable to create record: ")


def test_it_raises_errors_as_it_does(client: Any) -> None:
    with pytest.raises(TwilioException) as searched:
        client.available_phone_numbers("IN").local.list()
    # Lists raise the bare exception, without status or code.
    assert type(searched.value) is TwilioException
    with pytest.raises(TwilioRestException) as fetched:
        client.available_phone_numbers("IN").fetch()
    assert (fetched.value.status, fetched.value.code) == (404, 20404)
    number = client.incoming_phone_numbers.list(limit=1)[0]
    with pytest.raises(TwilioRestException) as updated:
        number.update(voice_url="nonsense")
    assert (updated.value.status, updated.value.code) == (400, 21402)
    with pytest.raises(TwilioRestException) as deleted:
        client.incoming_phone_numbers("PN" + "0" * 32).delete()
    assert deleted.value.status == 404


def test_wrong_credentials_raise_20003(
    sandbox: RunningSandbox, account: SandboxAccount, exchanges: Exchanges
) -> None:
    client = official_client(sandbox.url, account, exchanges, auth=(account.sid, "0" * 32))

    with pytest.raises(TwilioRestException) as caught:
        client.incoming_phone_numbers("PN" + "0" * 32).fetch()

    assert (caught.value.status, caught.value.code) == (401, 20003)


def test_its_page_reader_understands_the_catalogs_envelope(client: Any) -> None:
    response = client.request("GET", "https://preview.twilio.com/Numbers/ActiveNumbers")

    payload = Page(client, response)._payload
    records = Page(client, response).load_page(payload)

    assert response.status_code == 200
    assert [type(record["sid"]) for record in records] == [str, str, str]
