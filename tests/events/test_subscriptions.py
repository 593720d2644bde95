"""Subscriptions over server-sent events: what is reported, to whom, and what a return brings."""

import gc
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from graphql.execution.collect_fields import FieldDetails

from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES, EventStream, buy, events, mutate, number_of, socket
from tests.support.waiting import until


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(role="subscriber", catalog=True)


@pytest.fixture(scope="module")
def watching(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that looks for changes made elsewhere twice a second."""
    with running_gateway(shared_sandbox, poll_interval=0.5, keep_alive=0.3) as gateway:
        yield gateway


def lists(sandbox: RunningSandbox, account: SandboxAccount) -> int:
    """How often an account's numbers were read in pages of 1000, as polls do."""
    return sum(
        each["account"] == account.sid and "1000" in str(each["query"])
        for each in sandbox.requests()
    )


def elsewhere(
    sandbox: RunningSandbox, account: SandboxAccount, method: str, sid: str, **form: str
) -> None:
    """Change a number without the gateway."""
    path = f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers/{sid}.json"
    sandbox.client.request(method, path, data=form, auth=account.auth).raise_for_status()


def test_every_change_made_through_the_gateway_is_reported(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with events(gateway, account=account) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        number = buy(gateway, account)
        bought = stream.change()
        mutate(
            gateway,
            account,
            "configurePhoneNumber",
            sid=number["sid"],
            configuration={"friendlyName": "Front desk"},
        )
        configured = stream.change()
        mutate(
            gateway,
            account,
            "releasePhoneNumber",
            sid=number["sid"],
            confirmPhoneNumber=number["phoneNumber"],
        )
        released = stream.change()
    assert [each["kind"] for each in (bought, configured, released)] == [
        "PURCHASED",
        "CONFIGURED",
        "RELEASED",
    ]
    assert {each["numberId"] for each in (bought, configured, released)} == {number["sid"]}
    assert bought["phoneNumber"]["account"] == {"sid": account.sid}
    assert configured["phoneNumber"]["friendlyName"] == "Front desk"
    assert released["phoneNumber"] is None
    ids = [number_of(each["id"]) for each in (bought, configured, released)]
    assert ids == sorted(set(ids))


RICH = """subscription { phoneNumberChanged { id kind at phoneNumber {
  sid friendlyName capabilities { voice { enabled } sms { enabled } } account { sid }
  configuration { voice { url method } sms { url method } } geography { region locality } } } }"""


def _collected_fields() -> int:
    """Return how many selected fields graphql-core remembers in this process."""
    gc.collect()
    return sum(type(each) is FieldDetails for each in gc.get_objects())


@pytest.mark.parametrize("transport", ["events", "socket"])
def test_a_subscription_keeps_nothing_of_the_events_it_has_delivered(
    gateway: RunningGateway, account: SandboxAccount, transport: str
) -> None:
    sid = gateway.sandbox.put_number(account.sid)["sid"]
    with ExitStack() as stack:
        if transport == "events":
            stream = stack.enter_context(events(gateway, RICH, account=account))
            stream.confirmed()
            take = stream.change
        else:
            connection = stack.enter_context(socket(gateway))
            connection.init(account)
            connection.subscribe("rich", RICH)
            take = connection.receive

        def change(name: str) -> None:
            configuration = {"friendlyName": name}
            mutate(gateway, account, "configurePhoneNumber", sid=sid, configuration=configuration)

        def deliver(count: int) -> None:
            for number in range(count):
                change(str(number))
                take()

        if transport == "socket":
            begun = False
            while not begun:  # Nothing says on a socket that a subscription is in force.
                change("first")
                with suppress(TimeoutError):
                    begun = bool(connection.connection.recv(timeout=0.5))
        deliver(3)
        before = _collected_fields()
        deliver(30)
        assert _collected_fields() - before < 30


def test_a_transfer_is_reported_in_both_accounts(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    parent, child = gateway.account, sandbox.subaccounts()[0]
    number = buy(gateway, parent)
    with events(gateway, account=parent) as there, events(gateway, account=child) as here:
        mutate(gateway, parent, "transferPhoneNumber", sid=number["sid"], toAccountSid=child.sid)
        left, came = there.change(), here.change()
    assert (left["kind"], left["accountSid"], left["phoneNumber"]) == (
        "TRANSFERRED",
        parent.sid,
        None,
    )
    assert (came["kind"], came["accountSid"]) == ("TRANSFERRED", child.sid)
    assert came["phoneNumber"]["sid"] == number["sid"]


def test_nothing_is_reported_when_nothing_was_done(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with events(gateway, account=account) as stream:
        query = """mutation ($input: PurchasePhoneNumberInput!) {
          purchasePhoneNumber(input: $input) { userErrors { code } }
        }"""
        dry = {"input": {"phoneNumber": "+13025550100", "dryRun": True}}
        assert gateway.query(query, dry, account=account)
        taken = {"input": {"phoneNumber": "+10000000000"}}
        refused = gateway.query(query, taken, account=account)
        assert refused["purchasePhoneNumber"]["userErrors"]
        number = buy(gateway, account)
        assert stream.change()["numberId"] == number["sid"]


def test_only_the_numbers_asked_for_are_reported(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    first, second = buy(gateway, account), buy(gateway, account)
    with events(gateway, account=account, variables={"sids": [second["sid"]]}) as stream:
        for number in (first, second):
            name = {"friendlyName": "New"}
            mutate(gateway, account, "configurePhoneNumber", sid=number["sid"], configuration=name)
        assert stream.change()["numberId"] == second["sid"]


def test_coming_back_with_the_last_event_id_brings_what_was_missed(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with events(gateway, account=account) as stream:
        buy(gateway, account)
        last = stream.change()["id"]
    missed = [buy(gateway, account)["sid"] for _ in range(3)]
    with events(gateway, account=account, headers={"last-event-id": last}) as stream:
        assert [stream.change()["numberId"] for _ in missed] == missed
        live = buy(gateway, account)
        assert stream.change()["numberId"] == live["sid"]


def test_a_header_of_the_last_event_counts_more_than_the_extension_of_an_operation(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    """Clients that come back by themselves renew the header, but repeat the operation as it was."""
    with events(gateway, account=account) as stream:
        ids = []
        for _ in range(3):
            buy(gateway, account)
            ids.append(stream.change()["id"])
    for accept, headers, expected in [
        ("text/event-stream", {"last-event-id": ids[1]}, ids[2]),
        ("multipart/mixed;subscriptionSpec=1.0", {"last-event-id": ids[1]}, ids[2]),
        ("multipart/mixed;subscriptionSpec=1.0", {}, ids[1]),
    ]:
        with gateway.http.stream(
            "POST",
            f"{gateway.url}/graphql",
            json={"query": CHANGES, "extensions": {"lastEventId": ids[0]}},
            headers={"accept": accept, **headers},
            auth=account.auth,
        ) as response:
            line = next(line for line in response.iter_lines() if '"phoneNumberChanged"' in line)
        assert f'"id":"{expected}"' in line


@pytest.mark.parametrize(
    "last", ["abc", "-1", "9" * 30, f"AC{'0' * 32}-{'1' * 16}"], ids=lambda last: last[:4]
)
def test_a_last_event_id_that_is_none_is_refused(
    gateway: RunningGateway, account: SandboxAccount, last: str
) -> None:
    with events(gateway, account=account, headers={"last-event-id": last}) as stream:
        frame = stream.next()
        assert frame.data["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert stream.next().event == "complete"


def test_coming_back_too_late_is_an_error(gateway: RunningGateway, account: SandboxAccount) -> None:
    with events(gateway, account=account) as stream:
        buy(gateway, account)
        last = number_of(stream.change()["id"])
    with events(gateway, account=account, headers={"last-event-id": str(last - 2)}) as stream:
        assert stream.next().data["errors"][0]["extensions"]["code"] == "EVENTS_MISSED"
        assert stream.next().event == "complete"


def test_nobody_follows_an_account_that_is_not_theirs(
    gateway: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    stranger = sandbox.create_account(role="stranger")
    with events(gateway, account=stranger, variables={"account": account.sid}) as stream:
        frame = stream.next()
        assert frame.data["errors"][0]["path"] == ["phoneNumberChanged"]
        assert frame.data["errors"][0]["extensions"]["code"].startswith(("UPSTREAM", "NOT_FOUND"))
        assert stream.next().event == "complete"


def test_a_wrong_token_follows_nothing(gateway: RunningGateway, account: SandboxAccount) -> None:
    forged = SandboxAccount(
        **{**{name: getattr(account, name) for name in account.__slots__}, "auth_token": "0" * 32}
    )
    with events(gateway, account=forged) as stream:
        code = stream.next().data["errors"][0]["extensions"]["code"]
        assert code == "UPSTREAM_UNAUTHENTICATED"


def test_a_query_over_server_sent_events_is_one_answer(gateway: RunningGateway) -> None:
    with events(gateway, "{ account { sid } }", account=gateway.account) as stream:
        assert stream.next().data == {"data": {"account": {"sid": gateway.account.sid}}}
        assert stream.next().event == "complete"


def test_a_subscription_that_cannot_run_says_so_and_ends(gateway: RunningGateway) -> None:
    with events(gateway, "subscription { nothing }", account=gateway.account) as stream:
        assert list(stream.next().data) == ["errors"]
        assert stream.next().event == "complete"


def test_a_subscription_can_be_asked_for_by_get(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    with gateway.http.stream(
        "GET",
        f"{gateway.url}/graphql",
        params={"query": CHANGES},
        headers={"accept": "text/event-stream"},
        auth=account.auth,
    ) as response:
        stream = EventStream(response)
        stream.frame()
        number = buy(gateway, account)
        assert stream.change()["numberId"] == number["sid"]


def test_apollo_s_multipart_form_of_subscriptions_is_spoken(
    gateway: RunningGateway, account: SandboxAccount
) -> None:
    accept = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0, application/json"
    with gateway.http.stream(
        "POST",
        f"{gateway.url}/graphql",
        json={"query": CHANGES},
        headers={"accept": accept},
        auth=account.auth,
    ) as response:
        assert "subscriptionSpec=1.0" in response.headers["content-type"]
        lines = response.iter_lines()
        for _ in range(2):  # at once, and when the subscription is in force
            assert next(line for line in lines if line.startswith("{")) == "{}"
        number = buy(gateway, account)
        part = json.loads(next(line for line in lines if line.startswith('{"payload"')))
        assert part["payload"]["data"]["phoneNumberChanged"]["numberId"] == number["sid"]


# Changes made elsewhere ---------------------------------------------------------------------------


def test_what_changes_elsewhere_right_after_the_confirmation_is_found(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    """However long it takes to read for the first time what the account owns."""
    slow = {"kind": "latency", "account": account.sid, "skip": 1, "latency_ms": 1000, "count": 1}
    sandbox.set_faults([slow])
    with events(watching, account=account) as stream:
        stream.confirmed()
        sandbox.put_number(account.sid, "+14155550147")
        assert stream.change()["number"] == "+14155550147"


def test_a_change_made_through_the_gateway_does_not_wait_for_the_confirmation(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    slow = {"kind": "latency", "account": account.sid, "skip": 1, "latency_ms": 3000, "count": 1}
    sandbox.set_faults([slow])
    with events(watching, account=account) as stream:
        until(lambda: lists(sandbox, account))
        number = buy(watching, account)
        assert stream.change()["numberId"] == number["sid"]


def test_changes_made_elsewhere_are_found(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with events(watching, account=account) as stream:
        stream.confirmed()
        number = sandbox.put_number(account.sid, "+14155550142")
        came = stream.change()
        elsewhere(sandbox, account, "POST", number["sid"], FriendlyName="Changed elsewhere")
        changed = stream.change()
        elsewhere(sandbox, account, "DELETE", number["sid"])
        left = stream.change()
    assert [(each["kind"], each["numberId"]) for each in (came, changed, left)] == [
        ("PURCHASED", number["sid"]),
        ("CONFIGURED", number["sid"]),
        ("RELEASED", number["sid"]),
    ]
    assert changed["phoneNumber"]["friendlyName"] == "Changed elsewhere"
    assert left["number"] == "+14155550142"


def test_a_change_made_through_the_gateway_is_not_found_again(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with events(watching, account=account) as stream:
        stream.confirmed()
        polls = lists(sandbox, account)
        until(lambda: lists(sandbox, account) > polls)
        # Between two looks: one that saw the number long before it is announced would tell of it.
        number = buy(watching, account)
        assert stream.change()["kind"] == "PURCHASED"
        polls = lists(sandbox, account)
        while lists(sandbox, account) < polls + 3:
            assert stream.frame().event == ""
        elsewhere(sandbox, account, "POST", number["sid"], FriendlyName="Elsewhere")
        assert stream.change()["kind"] == "CONFIGURED"


def test_many_subscribers_of_one_account_are_one_poll(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with (
        events(watching, account=account) as one,
        events(watching, account=account) as two,
        events(watching, account=account) as three,
    ):
        until(lambda: lists(sandbox, account))
        started, before = time.monotonic(), lists(sandbox, account)
        time.sleep(2.0)
        until(lambda: lists(sandbox, account) > before)
        polls = lists(sandbox, account) - before
        sandbox.put_number(account.sid, "+14155550143")
        assert len({json.dumps(stream.change()) for stream in (one, two, three)}) == 1
    assert polls <= (time.monotonic() - started) / 0.45 + 1


def test_nobody_is_polled_for_when_all_are_gone(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with events(watching, account=account):
        until(lambda: lists(sandbox, account))
    # The gateway may take its time to notice that the client is gone.
    until(lambda: watching.parts and not watching.parts.events.subscribers)
    polls = lists(sandbox, account)
    time.sleep(2.0)
    assert lists(sandbox, account) <= polls + 1  # It may have been on its way.


def test_what_changed_elsewhere_while_nobody_looked_is_found_on_return(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with events(watching, account=account):
        until(lambda: lists(sandbox, account) >= 2)
    until(lambda: watching.parts and not watching.parts.events.subscribers)
    sandbox.put_number(account.sid, "+14155550144")
    with events(watching, account=account) as stream:
        assert stream.change()["number"] == "+14155550144"


def test_a_silent_stream_shows_signs_of_life(
    watching: RunningGateway, account: SandboxAccount
) -> None:
    with events(watching, account=account) as stream:
        for _ in range(4):
            assert stream.frame().event == ""


def test_a_subscriber_whom_the_upstream_no_longer_lets_in_is_cut_off(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with events(watching, account=account) as stream:
        refused = {"kind": "status", "status": 401, "account": account.sid, "count": None}
        sandbox.set_faults([refused])
        frame = stream.next()
        assert frame.data["errors"][0]["extensions"]["code"] == "UPSTREAM_UNAUTHENTICATED"
        assert stream.next().event == "complete"


def test_a_poll_that_fails_is_made_up_for(
    watching: RunningGateway, sandbox: RunningSandbox, account: SandboxAccount
) -> None:
    with events(watching, account=account) as stream:
        stream.confirmed()
        sandbox.set_faults([{"kind": "malformed", "account": account.sid, "count": 4}])
        sandbox.put_number(account.sid, "+14155550145")
        assert stream.change()["number"] == "+14155550145"


def test_parent_and_child_may_follow_the_child_together(
    watching: RunningGateway, sandbox: RunningSandbox
) -> None:
    """Their credentials take turns, and the upstream shows each of them something else."""
    parent = watching.account
    child = sandbox.create_account(role="child", catalog=True, owner_account_sid=parent.sid)
    number = sandbox.put_number(child.sid, "+14155550146")
    watched = {"account": child.sid}
    with (
        events(watching, account=child) as one,
        events(watching, account=parent, variables=watched) as two,
    ):
        while lists(sandbox, child) < 1 or lists(sandbox, parent) < 1:
            one.frame()
        for name in ("First", "Second"):
            elsewhere(sandbox, child, "POST", number["sid"], FriendlyName=name)
            changes = [stream.change() for stream in (one, two)]
            assert {each["kind"] for each in changes} == {"CONFIGURED"}
            assert {each["phoneNumber"]["friendlyName"] for each in changes} == {name}
