"""Reading requests, choosing types, codings and headers of answers, and framing streams."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import brotli
import pytest
from graphql import OperationType

from gateway.errors import BadRequest
from gateway.pipeline.subscriptions import Emission
from gateway.transport import compression, http_caching, multipart, negotiation, sse
from gateway.transport.browser_security import BrowserOptions, Browsers
from gateway.transport.exchange import Exchange, Head
from gateway.transport.negotiation import EVENTS, GRAPHQL, JSON, MULTIPART, Delivery


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("", None),
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0", None),
        ("*", "br"),
        ("*;q=0.1, br;q=0", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=much", None),
        ("identity", None),
    ],
)
def test_the_clients_weights_choose_the_coding(accept_encoding: str, coding: str | None) -> None:
    assert compression.coding(accept_encoding) == coding


def test_what_is_compressed_is_read_again() -> None:
    body = b'{"data":{}}' * 100
    assert brotli.decompress(compression.CODINGS["br"](body)) == body
    assert len(compression.CODINGS["gzip"](body)) < len(body)


@pytest.mark.parametrize(
    ("accept", "media_type", "single", "events"),
    [
        ("", JSON, True, False),
        ("*/*", JSON, True, False),
        (GRAPHQL, GRAPHQL, True, False),
        (f"{JSON};q=0.5, {GRAPHQL}", GRAPHQL, True, False),
        (f"{GRAPHQL}, {JSON}", GRAPHQL, True, False),
        (f"{JSON};q=0, */*", GRAPHQL, True, False),
        (EVENTS, JSON, False, True),
        (f"{EVENTS}, {GRAPHQL}", GRAPHQL, True, True),
    ],
)
def test_the_answers_type_is_what_the_client_likes_best(
    accept: str, media_type: str, single: bool, events: bool
) -> None:
    found = negotiation.accepted(accept)
    assert (found.media_type, found.single, found.events) == (media_type, single, events)


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", "image/*"])
def test_a_client_that_reads_none_of_our_types_is_refused(accept: str) -> None:
    with pytest.raises(BadRequest) as refused:
        negotiation.accepted(accept)
    assert refused.value.status == 406


@pytest.mark.parametrize(
    ("accept", "kind", "incremental", "delivery"),
    [
        (JSON, OperationType.QUERY, True, Delivery.SINGLE),
        (f"{MULTIPART}, {JSON}", OperationType.QUERY, True, Delivery.PARTS),
        (f"{MULTIPART}, {JSON}", OperationType.QUERY, False, Delivery.SINGLE),
        (EVENTS, OperationType.QUERY, False, Delivery.EVENTS),
        (EVENTS, OperationType.SUBSCRIPTION, False, Delivery.EVENTS),
        (f"{MULTIPART};subscriptionSpec=1.0", OperationType.SUBSCRIPTION, False, Delivery.PARTS),
    ],
)
def test_an_answer_leaves_in_the_way_that_suits_operation_and_client(
    accept: str, kind: OperationType, incremental: bool, delivery: Delivery
) -> None:
    assert negotiation.accepted(accept).delivery(kind, incremental=incremental) is delivery


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (b"[]", 400),
        (b'{"query": 1}', 400),
        (b'{"query": "{ a }", "variables": []}', 400),
        (b'{"query": "{ a }", "operationName": {}}', 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"query": "{ a }", "variables": ' + b'{"a":' * 40 + b"1" + b"}" * 41, 400),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        negotiation.read_post(body, batch_limit=0)
    assert refused.value.status == status


def test_a_list_holds_as_many_operations_as_it_may_and_keeps_what_is_wrong_in_its_place() -> None:
    one, two = negotiation.read_post(b'[{"query": "{ a }"}, 1]', batch_limit=2)  # type: ignore[misc]
    assert isinstance(two, BadRequest)
    assert not isinstance(one, BadRequest)
    with pytest.raises(BadRequest, match="1 to 1 operations, not 2"):
        negotiation.read_post(b'[{"query": "{ a }"}, 1]', batch_limit=1)


@pytest.mark.parametrize(
    ("proposed", "kept"),
    [("req-12345", True), ("short", False), ("a" * 129, False), ("with space", False), ("", False)],
)
def test_a_clients_request_id_is_kept_when_it_is_fit_for_headers(proposed: str, kept: bool) -> None:
    assert (negotiation.request_id(proposed) == proposed) is kept
    assert len(negotiation.request_id(proposed)) >= 8


@pytest.mark.parametrize(
    ("max_age", "persisted", "control"),
    [
        (60, False, "private, max-age=60"),
        (60, True, "private, max-age=60"),
        (0, True, "private, no-cache"),
        (0, False, None),
    ],
)
def test_caches_are_told_how_long_an_answer_holds(
    max_age: int, persisted: bool, control: str | None
) -> None:
    named = http_caching.headers(b"{}", max_age, persisted=persisted)
    assert named.get("cache-control") == control
    assert ("etag" in named) is persisted
    assert ("vary" in named) is (control is not None)


def test_an_answer_is_known_by_its_tag_weak_or_strong() -> None:
    named = http_caching.headers(b"{}", 0, persisted=True)
    tag = named["etag"]
    for said in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        assert http_caching.is_known(named, said)
    other = http_caching.headers(b"[]", 0, persisted=True)["etag"]
    for said in ("", other):
        assert not http_caching.is_known(named, said)
    assert not http_caching.is_known({}, "*")


async def emitted(*emissions: Emission) -> AsyncGenerator[Emission, None]:
    """Yield them, as a subscription does."""
    for each in emissions:
        yield each


async def all_of(frames: AsyncIterator[bytes]) -> bytes:
    """Return all bytes of a stream."""
    return b"".join([each async for each in frames])


def test_server_sent_events_carry_the_id_of_what_happened_and_an_end() -> None:
    feed = emitted(Emission(json=None), Emission(json=b'{"data":1}', id="7"), Emission(json=b"{}"))
    assert asyncio.run(all_of(sse.frames(feed))) == (
        b": following\n\n"
        b'event: next\nid: 7\ndata: {"data":1}\n\n'
        b"event: next\ndata: {}\n\n"
        b"event: complete\ndata:\n\n"
    )


def test_each_part_is_sent_with_the_boundary_behind_it() -> None:
    answer = multipart.Multipart(multipart.SUBSCRIPTION)
    feed = emitted(Emission(json=None), Emission(json=b'{"data":1}'))
    body = asyncio.run(all_of(answer.frames(multipart.payloads(feed))))
    (boundary,) = re.findall('boundary="(.+?)"; subscriptionSpec=1.0', answer.content_type)
    before, *parts, end = body.split(f"\r\n--{boundary}".encode())
    assert (before, end) == (b"", b"--\r\n")
    assert [each.split(b"\r\n\r\n")[1] for each in parts] == [
        b"{}",
        b"{}",
        b'{"payload":{"data":1}}',
    ]


# Browsers -----------------------------------------------------------------------------------------

APP = "https://app.example"


def asked_by_browser(
    options: dict[str, Any], method: str, headers: dict[str, str], *, own_pages: bool = False
) -> tuple[int, str | None]:
    """Return the status of an answer, and which pages may read it; 200 when it was passed on."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    exchange = Exchange(Head(method, b"", raw), "192.0.2.1", None)
    usual = {"auth": None, "get_requests": True, "csrf_prevention": True}
    chosen = BrowserOptions(**usual | {"cors_origins": (APP,), "cors_headers": ()} | options)
    answer = Browsers(chosen, loopback_pages=own_pages).check(exchange)
    shared = dict(exchange.head.fixed.pairs).get(b"access-control-allow-origin")
    return answer.status if answer else 200, shared.decode() if shared else None


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", {}, (400, None)),
        ("GET", {"content-type": "text/plain;charset=utf-8"}, (400, None)),
        ("GET", {"content-type": "application/json"}, (200, None)),
        ("HEAD", {"apollo-require-preflight": ""}, (400, None)),
        ("HEAD", {"apollo-require-preflight": "1"}, (200, None)),
        ("GET", {"x-apollo-operation-name": "A"}, (200, None)),
        # The endpoint takes nothing but JSON.
        ("POST", {"content-type": "text/plain"}, (200, None)),
        ("POST", {"origin": APP}, (200, APP)),
        ("POST", {"origin": "https://other.example"}, (200, None)),
        ("GET", {"origin": APP}, (400, APP)),
        ("OPTIONS", {}, (204, None)),
        ("OPTIONS", {"origin": APP, "access-control-request-method": "POST"}, (204, APP)),
        ("OPTIONS", {"origin": "https://a", "access-control-request-method": "POST"}, (403, None)),
        ("OPTIONS", {"origin": "https://other.example"}, (204, None)),
    ],
)
def test_a_page_may_do_what_its_origin_and_the_form_of_its_request_allow(
    method: str, headers: dict[str, str], expected: tuple[int, str | None]
) -> None:
    assert asked_by_browser({}, method, headers) == expected


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("gateway.example", 421),
        ("127.0.0.1.example", 421),
        ("[::1", 421),
    ],
)
def test_where_whoever_reaches_the_machine_is_trusted_only_its_own_names_are_answered(
    host: str, status: int
) -> None:
    assert asked_by_browser({"auth": "open"}, "POST", {"host": host})[0] == status
    assert asked_by_browser({"auth": "tokens"}, "POST", {"host": host})[0] == 200


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:5173", True),
        ("http://localhost.example", False),
        ("http://localhost:3000/", False),
        ("null", False),
    ],
)
def test_pages_that_this_machine_serves_are_let_in_where_that_is_wanted(
    origin: str, is_own: bool
) -> None:
    shared = asked_by_browser({}, "POST", {"origin": origin}, own_pages=True)[1]
    assert shared == (origin if is_own else None)
    assert asked_by_browser({}, "POST", {"origin": origin})[1] is None
