"""Which answers prove that credentials are good for an account, and for how long."""

import pytest

from gateway.errors import UpstreamDenied
from gateway.upstream.accepted_credentials import Accepted
from gateway.upstream.call import Call, Credential
from gateway.upstream.families import CATALOG, CORE
from tests.upstream.test_resilience import Clock

MAIN, SUB = "AC" + "1" * 32, "AC" + "2" * 32
TOKEN = Credential(MAIN, "token", MAIN)
KEY = Credential("SK" + "1" * 32, "secret", SUB)
REFUSED = UpstreamDenied("Authenticate", status=401, upstream_code=20003)
CLOSED = UpstreamDenied("Forbidden", status=403, upstream_code=20008)


def below(account: str) -> Call:
    return CORE.list_call(account, {}, 1)


def test_a_key_is_good_for_an_account_once_something_below_it_was_read() -> None:
    accepted = Accepted()
    for proves_nothing in (
        CORE.account_call(SUB),
        CORE.subaccounts_call(SUB, ()),
        CATALOG.list_call(SUB, {}, 1),
    ):
        accepted.succeeded(proves_nothing, KEY, SUB.encode())
    accepted.succeeded(below(SUB), KEY, b'{"incoming_phone_numbers": []}')
    assert not accepted.accepts(KEY, SUB)
    accepted.succeeded(below(SUB), KEY, SUB.encode())
    assert accepted.accepts(KEY, SUB)
    assert accepted.owns(KEY, SUB)
    assert not accepted.owns(KEY, MAIN)
    # The account that it says it acts for is no part of what it is; its secret is.
    assert accepted.accepts(Credential(KEY.username, KEY.secret, MAIN), SUB)
    assert not accepted.accepts(Credential(KEY.username, "another", SUB), SUB)


def test_an_auth_token_is_accepted_for_subaccounts_and_owns_only_its_own_account() -> None:
    accepted = Accepted()
    assert accepted.owns(TOKEN, MAIN)
    assert not accepted.accepts(TOKEN, MAIN)
    # What comes with a 200 need not be the upstream's.
    for page in (b"", b"{}", b"<html>Welcome</html>"):
        accepted.succeeded(below(SUB), TOKEN, page)
        accepted.succeeded(CATALOG.list_call(MAIN, {}, 1), TOKEN, page)
    assert not accepted.accepts(TOKEN, SUB)
    assert not accepted.accepts(TOKEN, MAIN)
    accepted.succeeded(below(SUB), TOKEN, SUB.encode())
    accepted.succeeded(CATALOG.list_call(MAIN, {}, 1), TOKEN, b'{"items":[],"meta":{}}')
    assert accepted.accepts(TOKEN, SUB)
    assert accepted.accepts(TOKEN, MAIN)
    assert not accepted.owns(TOKEN, SUB)


@pytest.mark.parametrize("account", [MAIN, SUB])
def test_a_refusal_takes_the_proof_back(account: str) -> None:
    accepted = Accepted()
    accepted.note(KEY, account)
    accepted.refused(CORE.account_call(account), KEY, REFUSED)  # A standard key reads no accounts.
    accepted.refused(CATALOG.list_call(account, {}, 1), KEY, CLOSED)
    assert accepted.accepts(KEY, account)
    accepted.refused(below(account), Credential(KEY.username, "wrong", account), REFUSED)
    assert accepted.accepts(KEY, account)
    accepted.refused(below(account), KEY, REFUSED)
    assert not accepted.accepts(KEY, account)


def test_a_proof_holds_for_a_bounded_time_from_when_it_was_last_seen() -> None:
    clock = Clock()
    accepted = Accepted(memory=60.0, clock=clock)
    accepted.note(KEY, SUB)
    clock.now += 40.0
    accepted.note(KEY, SUB)
    clock.now += 40.0
    assert accepted.accepts(KEY, SUB)
    clock.now += 20.0
    assert not accepted.accepts(KEY, SUB)


def test_more_proofs_than_are_kept_push_out_the_oldest() -> None:
    accepted = Accepted(most=2)
    for account in (MAIN, SUB, "AC" + "3" * 32):
        accepted.note(TOKEN, account)
    assert not accepted.accepts(TOKEN, MAIN)
    assert accepted.accepts(TOKEN, SUB)
