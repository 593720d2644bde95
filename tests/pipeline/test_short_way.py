"""The way of a small query stays short: what one request makes the process do is counted.

It is counted as `serve` answers, on a warm connection, in production: limits, rate limit, request
log and all. Breadth cannot creep back: whoever makes the way longer changes a number here, and says
why.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.counted_request import CountingGateway, Counts, counting_gateway
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.tokens import TOKENS_MODE, token

QUERY = """query Small($sid: ID!) {
  phoneNumber(sid: $sid) {
    sid phoneNumber friendlyName type lifecycle
    geography { isoCountry region locality }
    capabilities { voice { inboundConnectivity } sms { inboundConnectivity } }
  }
}"""

WIDE = """query Wide($first: Int!) {
  phoneNumbers(first: $first) {
    nodes {
      sid accountSid phoneNumber friendlyName type lifecycle
      capabilities {
        voice { enabled inboundConnectivity e911 fax callsPerSecond codecs }
        sms { enabled gsm7 inboundMps inboundReachability }
        mms { enabled inboundConnectivity }
      }
      regulatory { addressRequirements }
      geography { isoCountry lata rateCenter latitude longitude region locality postalCode }
      configuration {
        friendlyName statusCallbackUrl statusCallbackMethod
        voice { url method fallbackUrl applicationSid emergencyStatus callerIdLookup handler }
        sms { url method fallbackUrl applicationSid handler }
      }
    }
  }
}"""

QUERY_OF_PAGE = """query Page($first: Int!) {
  phoneNumbers(first: $first) { nodes { sid phoneNumber lifecycle } }
}"""


@pytest.fixture(scope="module")
def counting(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CountingGateway]:
    """A gateway in production that counts."""
    folder: Path = tmp_path_factory.mktemp("counting")
    with counting_gateway(
        catalog_url=shared_sandbox.url,
        core_url=shared_sandbox.url,
        production=True,
        data_dir=folder,
    ) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def counting_asgi(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CountingGateway]:
    """The same on plain ASGI."""
    with counting_gateway(
        adaptor="asgi",
        catalog_url=shared_sandbox.url,
        core_url=shared_sandbox.url,
        production=True,
        data_dir=tmp_path_factory.mktemp("counting"),
    ) as gateway:
        yield gateway


PURCHASE = """mutation Purchase($input: PurchasePhoneNumberInput!) {
  purchasePhoneNumber(input: $input) {
    phoneNumber { sid accountSid phoneNumber friendlyName } userErrors { field code message }
  }
}"""


def asked_of(account: SandboxAccount, query: str, **variables: object) -> bytes:
    """Return the request that asks a query as an account."""
    return posted(account.authorization, {"query": query, "variables": variables})


def by_hash(sid: str) -> dict[str, object]:
    """Return what asks `QUERY` of a number by its hash; the text comes beside it at first."""
    digest = hashlib.sha256(QUERY.encode()).hexdigest()
    return {
        "variables": {"sid": sid},
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}},
    }


def posted(authorization: str, asked: dict[str, object]) -> bytes:
    """Return a request."""
    body = json.dumps(asked).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nAuthorization: {authorization}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def count(counting: CountingGateway, sandbox: RunningSandbox, account: SandboxAccount) -> Counts:
    """Return what one warm query for a number of an account costs."""
    sid = sandbox.numbers(account.sid)[0]["sid"]
    counts, answer = counting.ask(asked_of(account, QUERY, sid=sid))
    assert json.loads(answer)["data"]["phoneNumber"]["sid"] == sid
    return counts


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_a_small_query_is_one_task_six_coroutines_and_few_calls(
    counting: CountingGateway, shared_sandbox: RunningSandbox, catalog: bool
) -> None:
    account = shared_sandbox.create_account(catalog=catalog, owned=1)
    counts = count(counting, shared_sandbox, account)
    # Core says nothing of where an owned number is: that is worked out from the number, in Python.
    # For each header of the upstream's answer one call.
    headers = counts.calls.pop("upstream/connections.py:Connection.on_header")
    assert headers < 20, str(counts)
    assert counts.tasks.total() == 1, str(counts)
    assert counts.coroutines.total() <= 6, str(counts)
    assert counts.calls.total() <= (121 if catalog else 126), str(counts)
    assert counts.objects.total() <= 15, str(counts)
    assert counts.futures <= 1, str(counts)


def test_on_plain_asgi_uvicorn_is_called_for_what_it_reads_alone(
    counting_asgi: CountingGateway, shared_sandbox: RunningSandbox
) -> None:
    """The body that is here is taken, and the answer written, without a message."""
    account = shared_sandbox.create_account(catalog=True, owned=1)
    counts = count(counting_asgi, shared_sandbox, account)
    counts.calls.pop("upstream/connections.py:Connection.on_header")
    of_messages = {"RequestResponseCycle.receive", "RequestResponseCycle.send"}
    assert not of_messages & counts.coroutines.keys(), str(counts)
    # Its own one, and that of the application.
    assert counts.coroutines.total() <= 8, str(counts)
    assert counts.calls.total() <= 159, str(counts)
    assert counts.objects.total() <= 15, str(counts)


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_a_number_more_on_a_page_is_no_call_more_however_much_is_selected_of_it(
    counting: CountingGateway, shared_sandbox: RunningSandbox, catalog: bool
) -> None:
    """One function projects what is selected of all of them."""
    account = shared_sandbox.create_account(catalog=catalog, owned=40)
    found = {}
    for first in (40, 10):
        found[first], answer = counting.ask(asked_of(account, WIDE, first=first))
        assert len(json.loads(answer)["data"]["phoneNumbers"]["nodes"]) == first
    many, few = found[40], found[10]
    more = many.calls - few.calls
    # A long answer begins in turn, and a short one does not; that does not grow with numbers.
    assert more.total() < 30, str(many)
    assert many.calls.total() <= 379, str(many)
    assert many.coroutines.total() <= 20, str(many)
    # Where core serves, what is known of its exchange is one for each number.
    assert many.objects.total() <= (40 if catalog else 80), str(many)
    assert many.tasks.total() == 1, str(many)


@pytest.mark.parametrize("query", [WIDE, QUERY_OF_PAGE], ids=["wide", "small"])
def test_a_number_more_on_a_page_that_is_filled_in_is_few_calls_more(
    counting: CountingGateway, shared_sandbox: RunningSandbox, query: str
) -> None:
    """What the other API tells is read once, and projected with the rest by one function."""
    account = shared_sandbox.create_account(catalog=True, owned=40)
    asked = query.replace("lifecycle", "lifecycle beta dateCreated", 1)
    found = {}
    for first in (40, 10):
        found[first], answer = counting.ask(asked_of(account, asked, first=first))
        nodes = json.loads(answer)["data"]["phoneNumbers"]["nodes"]
        assert len(nodes) == first
        assert all(each["dateCreated"] and each["lifecycle"] for each in nodes)
    more = found[40].calls - found[10].calls
    assert more.total() <= 30 * 20, str(found[40])
    assert found[40].tasks.total() == found[10].tasks.total(), str(found[40])
    assert found[40].futures == found[10].futures, str(found[40])


def purchases(sandbox: RunningSandbox, account: SandboxAccount) -> Iterator[bytes]:
    """Yield purchases of numbers that nobody has, each with a key of its own."""
    for key in itertools.count():
        number = sandbox.put_number()["phone_number"]
        given = {"phoneNumber": number, "idempotencyKey": f"{key}"}
        yield asked_of(account, PURCHASE, input=given)


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_a_purchase_is_two_tasks_and_three_steps_of_the_journal(
    counting: CountingGateway,
    shared_sandbox: RunningSandbox,
    catalog: bool,
) -> None:
    """Is it owned? The intent on disk; the purchase; its outcome on disk."""
    account = shared_sandbox.create_account(catalog=catalog)
    counts, answer = counting.ask_in_turn(purchases(shared_sandbox, account))
    assert json.loads(answer)["data"]["purchasePhoneNumber"]["userErrors"] == []
    counts.calls.pop("upstream/connections.py:Connection.on_header")
    # Who asks, and the write, which goes on whatever becomes of who asks.
    assert counts.tasks.total() == 2, str(counts)
    assert counts.calls["storage/group_commits.py:GroupCommits.ask"] == 3, str(counts)
    # One a second for all that wait for the journal.
    assert counts.timers <= 1, str(counts)
    assert counts.coroutines.total() <= 42, str(counts)
    assert counts.calls.total() <= 335, str(counts)
    assert counts.objects.total() <= 39, str(counts)


def test_a_query_that_is_named_by_its_hash_is_hardly_a_call_more(
    counting: CountingGateway, shared_sandbox: RunningSandbox
) -> None:
    account = shared_sandbox.create_account(catalog=True, owned=1)
    asked = by_hash(shared_sandbox.numbers(account.sid)[0]["sid"])
    counting.ask(posted(account.authorization, asked | {"query": QUERY}))
    counts, _ = counting.ask(posted(account.authorization, asked))
    counts.calls.pop("upstream/connections.py:Connection.on_header")
    # Who asks is known from this head, too, though another one has told it first.
    assert "auth/authentication.py:PassThrough.known" not in counts.calls, str(counts)
    assert counts.calls.total() <= 125, str(counts)


def test_nobody_waits_for_a_token_and_a_hash_that_were_seen_before(
    shared_sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = shared_sandbox.create_account(catalog=True, owned=1)
    sid = shared_sandbox.numbers(account.sid)[0]["sid"]
    asked = by_hash(sid)
    authorization = f"Bearer {token(account.sid)}"
    with counting_gateway(
        catalog_url=shared_sandbox.url,
        core_url=shared_sandbox.url,
        production=True,
        data_dir=tmp_path,
        account_sid=account.sid,
        auth_token=account.auth_token,
        **TOKENS_MODE,
    ) as gateway:
        gateway.ask(posted(authorization, asked | {"query": QUERY}))
        counts, answer = gateway.ask(posted(authorization, asked))
    assert json.loads(answer)["data"]["phoneNumber"]["sid"] == sid
    waited = {"Tokens.caller", "Pipeline.authenticate", "Pipeline.request", "Persisted.document"}
    assert not waited & counts.coroutines.keys(), str(counts)
    assert counts.tasks.total() == 1, str(counts)
