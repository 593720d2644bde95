"""What numbers of a country cost, and what is asked of who buys one."""

import pytest
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]

from gateway.sandbox.world import facts
from gateway.sandbox.world.profiles import required_documents
from tests.sandbox.api import Api, acting_as, refusal
from tests.sandbox.official import Exchanges, official_client
from tests.sandbox.openapi import find_description
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount

COUNTRIES = "/v1/PhoneNumbers/Countries"
REGULATIONS = "/v2/RegulatoryCompliance/Regulations"


def test_the_official_client_reads_the_prices_of_every_country(
    sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    exchanges = Exchanges()
    client = official_client(sandbox.url, account, exchanges).pricing.v1.phone_numbers

    listed = client.countries.list(page_size=20)
    found = client.countries("US").fetch()

    assert [each.iso_country for each in listed] == list(facts.countries())
    assert found.price_unit == "USD"
    assert found.phone_number_prices == [
        {"number_type": "local", "base_price": "1.00", "current_price": "1.00"},
        {"number_type": "toll free", "base_price": "2.00", "current_price": "2.00"},
    ]
    if description := find_description("pricing_v1_phone_numbers"):
        for exchange in exchanges.kept[:2]:  # in the others, declared numbers are written as text
            description.check(exchange)


def test_types_that_the_price_list_does_not_know_are_not_in_it(api: Api) -> None:
    prices = api.get(f"{COUNTRIES}/NL").json()["phone_number_prices"]

    assert "machine-to-machine" in facts.number_types("NL")
    assert {each["number_type"] for each in prices} <= {"local", "toll free", "mobile", "national"}


def test_a_country_without_numbers_has_no_prices(api: Api) -> None:
    assert refusal(api.get(f"{COUNTRIES}/AQ")) == (404, 20404)
    assert refusal(api.post(COUNTRIES)) == (405, 20004)


@pytest.mark.parametrize("path", [COUNTRIES, f"{COUNTRIES}/US", REGULATIONS])
def test_they_want_credentials_that_are_not_for_tests(sandbox: RunningSandbox, path: str) -> None:
    assert refusal(sandbox.client.get(path)) == (401, 20003)
    with acting_as(sandbox, sandbox.accounts()["test"]) as api:
        assert refusal(api.get(path)) == (403, 20008)


def test_the_official_client_reads_what_is_asked_of_an_individual(
    sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    exchanges = Exchanges()
    client = official_client(sandbox.url, account, exchanges)
    regulations = client.numbers.v2.regulatory_compliance.regulations

    [found] = regulations.list(iso_country="GB", number_type="local", end_user_type="individual")

    assert found.friendly_name == "United Kingdom: Local - Individual"
    assert found.requirements["end_user"][0]["fields"] == ["first_name", "last_name"]
    [together] = found.requirements["supporting_document"]
    assert [each["requirement_name"] for each in together] == [
        "proof_of_address",
        "proof_of_identity",
    ]
    assert regulations(found.sid).fetch().requirements == found.requirements
    with pytest.raises(TwilioRestException, match="was not found"):
        regulations("RN" + "0" * 32).fetch()
    if description := find_description("numbers_v2_regulatory"):
        for exchange in exchanges.kept[:2]:
            description.check(exchange)


def test_a_regulation_stands_for_each_purchase_that_is_refused_without_documents(api: Api) -> None:
    listed = api.get(REGULATIONS, {"PageSize": 1000}).json()["results"]

    regulated = {(each["iso_country"], each["number_type"]) for each in listed}

    assert regulated == {
        (country, facts.SUBRESOURCE_KEYS[kind].replace("_", "-"))
        for country in facts.countries()
        for kind in facts.number_types(country)
        if required_documents(country, kind)
    }
    assert ("US", "local") not in regulated


def test_regulations_are_paged_and_filters_go_on_to_the_next_page(api: Api) -> None:
    page = api.get(REGULATIONS, {"PageSize": 5, "EndUserType": "business"}).json()

    rest = api.get(page["meta"]["next_page_url"]).json()

    assert page["meta"]["key"] == "results"
    assert {each["end_user_type"] for each in page["results"] + rest["results"]} == {"business"}
    assert not {each["sid"] for each in page["results"]} & {each["sid"] for each in rest["results"]}
    assert refusal(api.get(REGULATIONS, {"EndUserType": "nobody"})) == (400, 20001)
