"""Emergency calling: what a registered address forbids, and what has no effect any more."""

from typing import Any

import httpx
import pytest

from tests.sandbox.api import Api, refusal
from tests.support.sandbox_in_thread import RunningSandbox

ADDRESS = "AD" + "3" * 32
FAMILIES = pytest.mark.parametrize("family", ["catalog", "core"])


def path_of(number: dict[str, Any], family: str) -> str:
    path: str = number["uri"]
    return path if family == "core" else f"/Numbers/ActiveNumbers/{number['sid']}"


def put(sandbox: RunningSandbox, number: dict[str, Any], **voice: str | None) -> None:
    resource = {"configuration": {"voice": voice}}
    sandbox.put_number(number["account_sid"], number["phone_number"], resource)


def shown(api: Api, number: dict[str, Any]) -> tuple[str, str | None, str]:
    now = api.get(number["uri"]).json()
    return now["emergency_status"], now["emergency_address_sid"], now["emergency_address_status"]


def release(api: Api, path: str) -> httpx.Response:
    return api.client.delete(path)


@FAMILIES
@pytest.mark.parametrize(
    "status",
    ["registered", "pending-registration", "pending-unregistration", "unregistration-failure"],
)
def test_a_number_with_a_registered_emergency_address_keeps_it_and_cannot_be_released(
    sandbox: RunningSandbox, api: Api, family: str, status: str
) -> None:
    number = api.owned()[0]
    path = path_of(number, family)
    name = "EmergencyAddressSid" if family == "core" else "Configurations.Voice.EmergencyAddressSid"
    assert api.post(path, {name: ADDRESS}).status_code == 200
    assert shown(api, number) == ("Inactive", ADDRESS, "registered")
    put(sandbox, number, emergency_address_status=status)

    assert refusal(release(api, path)) == (400, 21634)
    assert refusal(api.post(path, {name: ""})) == (400, 21634)
    assert shown(api, number) == ("Inactive", ADDRESS, status)

    put(sandbox, number, emergency_address_status="unregistered")
    assert api.post(path, {name: ""}).status_code == 200
    assert shown(api, number) == ("Inactive", None, "unregistered")
    assert release(api, path).status_code == 204


@pytest.mark.parametrize("status", ["unregistered", "registration-failure"])
def test_a_number_whose_emergency_address_is_not_registered_can_be_released(
    sandbox: RunningSandbox, api: Api, status: str
) -> None:
    number = api.owned()[0]
    put(sandbox, number, emergency_address_sid=ADDRESS, emergency_address_status=status)

    assert release(api, number["uri"]).status_code == 204


def test_setting_another_emergency_address_registers_that_one(
    sandbox: RunningSandbox, api: Api
) -> None:
    number = api.owned()[0]
    put(sandbox, number, emergency_address_sid=ADDRESS, emergency_address_status="unregistered")

    api.post(number["uri"], {"EmergencyAddressSid": "AD" + "4" * 32})

    assert shown(api, number) == ("Inactive", "AD" + "4" * 32, "registered")


@FAMILIES
def test_writing_the_emergency_status_has_no_effect(api: Api, family: str) -> None:
    number = api.owned()[0]
    name = "EmergencyStatus" if family == "core" else "Configurations.Voice.EmergencyStatus"

    for value in ("Active", ""):
        assert api.post(path_of(number, family), {name: value}).status_code == 200
        assert shown(api, number)[0] == "Inactive"


def test_the_catalog_does_not_say_whether_the_address_is_registered(
    sandbox: RunningSandbox, api: Api
) -> None:
    number = api.owned()[0]
    put(sandbox, number, emergency_address_sid=ADDRESS, emergency_address_status="registered")

    one = api.get(path_of(number, "catalog")).json()["items"][0]["configuration"]
    [listed] = [each for each in api.items() if each["sid"] == number["sid"]]
    for voice in (one["voice"], listed["configurations"]["voice"]):
        assert voice["emergency_address_sid"] == ADDRESS
        assert "emergency_address_status" not in voice


def test_the_code_of_these_refusals_can_be_chosen(sandbox: RunningSandbox, api: Api) -> None:
    number = api.owned()[0]
    put(sandbox, number, emergency_address_sid=ADDRESS)
    sandbox.set_switches(emergency_address_code=20409)

    assert refusal(release(api, number["uri"])) == (409, 20409)
