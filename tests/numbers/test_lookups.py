"""Arguments of fields that read: what each is parsed into, and what is refused."""

import base64
from typing import Any, Literal

import pytest

from gateway.auth.caller import Caller
from gateway.errors import BadUserInput, Forbidden
from gateway.numbers.lookups import (
    AccountLookup,
    CountryLookup,
    FollowedNumbers,
    NodeLookups,
    NumberNode,
    OwnedList,
    PhoneNumberLookup,
    SubaccountList,
)
from gateway.upstream.call import Credential
from schema.inputs import PhoneNumberIdentifier

OWN, OTHER = "AC" + "1" * 32, "AC" + "2" * 32
SID = "PN" + "a" * 32
CALLER = Caller(Credential(OWN, "secret", OWN), "me", accounts=frozenset({OWN}))


def identified(**given: str) -> PhoneNumberIdentifier:
    return PhoneNumberIdentifier(**given)  # type: ignore[arg-type] # scalars are read before


@pytest.mark.parametrize(
    ("identifier", "found"),
    [
        (identified(sid=SID), (OWN, "sid", SID)),
        (identified(phone_number="+14155550100"), (OWN, "number", "+14155550100")),
    ],
)
def test_a_number_is_looked_up_by_what_it_is_identified_by(
    identifier: PhoneNumberIdentifier, found: tuple[str, Literal["sid", "number"], str]
) -> None:
    asked = PhoneNumberLookup.parse_identifier(CALLER, identifier=identifier)
    assert asked == PhoneNumberLookup(*found)


def test_no_more_sids_are_followed_than_ids_are_looked_up() -> None:
    sids = [f"PN{number:032x}" for number in range(1001)]
    assert FollowedNumbers.parse(CALLER, sids=sids[1:]).include(sids[1000])
    with pytest.raises(BadUserInput, match="1001 are too many: at most 1000"):
        FollowedNumbers.parse(CALLER, sids=sids)


@pytest.mark.parametrize("sid", ["", "PN", SID.replace("a", "g"), OWN, SID + "a", f" {SID}"])
def test_what_is_no_sid_of_a_number_is_refused(sid: str) -> None:
    for parse in (
        lambda: PhoneNumberLookup.parse(CALLER, sid=sid),
        lambda: PhoneNumberLookup.parse_identifier(CALLER, identifier=identified(sid=sid)),
        lambda: FollowedNumbers.parse(CALLER, sids=[SID, sid]),
    ):
        with pytest.raises(BadUserInput):
            parse()


@pytest.mark.parametrize(
    "parse",
    [
        lambda account: PhoneNumberLookup.parse(CALLER, sid=SID, account_sid=account),
        lambda account: OwnedList.parse(CALLER, account_sid=account),
        lambda account: AccountLookup.parse(CALLER, sid=account),
        lambda account: FollowedNumbers.parse(CALLER, account_sid=account),
    ],
    ids=["number", "list", "account", "changes"],
)
def test_an_account_is_one_that_the_caller_may_name_and_its_own_without_one(parse: Any) -> None:
    assert parse(None).account == parse(OWN).account == OWN
    with pytest.raises(Forbidden):
        parse(OTHER)
    with pytest.raises(BadUserInput):
        parse("AC")


def test_each_id_names_something_or_says_why_it_names_nothing() -> None:
    ids = [SID, OWN, "US", OTHER, "PN1", "XX1"]
    number, account, country, foreign, *nothing = NodeLookups.parse(CALLER, "ids", ids).each
    assert (number, account) == (NumberNode(SID), AccountLookup(OWN))
    assert isinstance(country, CountryLookup)
    assert isinstance(foreign, Forbidden)
    assert [type(each) for each in nothing] == [BadUserInput] * 2


def test_an_id_of_an_earlier_release_tells_the_account() -> None:
    earlier = base64.urlsafe_b64encode(f"PhoneNumber:{OTHER}:{SID}".encode()).decode().rstrip("=")
    assert NodeLookups.parse(CALLER, "ids", [earlier]).each == [NumberNode(SID, OTHER)]


def test_numbers_are_followed_all_or_those_with_these_sids() -> None:
    assert FollowedNumbers.parse(CALLER).include(SID)
    assert FollowedNumbers.parse(CALLER, sids=[SID]).include(SID)
    assert not FollowedNumbers.parse(CALLER, sids=[]).include(SID)


def test_lists_of_other_accounts_have_other_names() -> None:
    names = {SubaccountList.of(each).list_id() for each in (OWN, OTHER)}
    assert len(names) == 2
