"""GraphQL over HTTP: what is negotiated, refused, batched, compressed and cached."""

import base64
import gzip
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import brotli
import httpx
import pytest
from graphql import get_introspection_query

from gateway.documents.documents import Documents
from gateway.errors import BadRequest
from gateway.transport.negotiation import GRAPHQL, JSON, AcceptedTypes, Delivery, accepted
from schema import build_schema
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.raw_bytes import connected, head
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.streams import credentials

pytestmark = pytest.mark.both_adaptors

COUNTRIES = "{ countries { code name } }"
DEFER = "{ phoneNumbers(first: 1) { nodes { sid ... @defer { friendlyName } } } }"
SUBSCRIPTION = "subscription { phoneNumberChanged { id } }"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", AcceptedTypes(JSON)),
        ("*/*", AcceptedTypes(JSON)),
        ("application/*", AcceptedTypes(JSON)),
        ("application/graphql-response+json", AcceptedTypes(GRAPHQL)),
        ("application/graphql-response+json, application/json", AcceptedTypes(GRAPHQL)),
        ("application/json, application/graphql-response+json", AcceptedTypes(JSON)),
        ("application/json;q=0.5, application/graphql-response+json;q=0.9", AcceptedTypes(GRAPHQL)),
        ("APPLICATION/JSON; charset=utf-8", AcceptedTypes(JSON)),
        ("application/json;q=0, application/graphql-response+json", AcceptedTypes(GRAPHQL)),
        ("application/json;q=0, */*", AcceptedTypes(GRAPHQL)),
        ("application/json;q=0.1, */*;q=0.5", AcceptedTypes(GRAPHQL)),
        ("application/json, */*", AcceptedTypes(JSON)),
        ("text/event-stream", AcceptedTypes(JSON, single=False, events=True)),
        ("text/event-stream, application/json", AcceptedTypes(JSON, events=True)),
        ("multipart/mixed, application/json", AcceptedTypes(JSON, parts=True)),
        ("multipart/mixed;deferSpec=20220824, */*", AcceptedTypes(parts=True)),
        (
            "multipart/mixed;incrementalSpec=v0.2, */*",
            AcceptedTypes(parts=True, incremental="pending"),
        ),
        (
            "multipart/mixed;boundary=graphql;subscriptionSpec=1.0, application/json",
            AcceptedTypes(JSON, parts=True, subscriptions=True),
        ),
    ],
)
def test_the_accept_header_says_what_a_client_reads(accept: str, expected: AcceptedTypes) -> None:
    assert accepted(accept) == expected


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/json;q=0",
        "application/json;q=0, application/graphql-response+json;q=0, */*",
        "image/*, text/plain",
    ],
)
def test_a_client_that_reads_nothing_of_ours_is_told_so(accept: str) -> None:
    with pytest.raises(BadRequest) as caught:
        accepted(accept)
    assert caught.value.status == 406


def test_a_query_is_no_stream_just_because_its_client_also_reads_streams() -> None:
    urql = accepted(
        "application/graphql-response+json, application/graphql+json, application/json,"
        " text/event-stream, multipart/mixed"
    )
    assert urql.delivery(None, incremental=False) is Delivery.SINGLE
    assert urql.delivery(None, incremental=True) is Delivery.PARTS


def test_urql_s_accept_header_gets_plain_json_for_a_query(gateway: RunningGateway) -> None:
    answer = gateway.post(
        {"query": COUNTRIES},
        headers={"accept": "application/json, text/event-stream, multipart/mixed"},
    )
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["data"]["countries"]


def test_repeated_headers_are_one_list(gateway: RunningGateway) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json={"query": COUNTRIES},
        headers=[("accept", GRAPHQL), ("accept", "text/html")],
        auth=gateway.account.auth,
    )
    assert answer.headers["content-type"].startswith(GRAPHQL)


def test_a_compressed_body_is_refused(gateway: RunningGateway) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        content=gzip.compress(json.dumps({"query": COUNTRIES}).encode()),
        headers={"content-type": "application/json", "content-encoding": "gzip"},
        auth=gateway.account.auth,
    )
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


def test_options_tell_the_methods(gateway: RunningGateway) -> None:
    answer = gateway.http.options(f"{gateway.url}/graphql")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


def test_a_subscription_needs_a_client_that_reads_streams(gateway: RunningGateway) -> None:
    answer = gateway.post({"query": SUBSCRIPTION}, headers={"accept": "application/json"})
    assert answer.status_code == 406
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("accept", "status"), [("application/json", 200), ("application/graphql-response+json", 400)]
)
@pytest.mark.parametrize("query", ["{", "{ nothing }", "query ($n: Int!) { __typename }"])
def test_what_cannot_run_has_errors_and_no_data(
    gateway: RunningGateway, query: str, accept: str, status: int
) -> None:
    answer = gateway.post({"query": query}, headers={"accept": accept})
    assert answer.status_code == status
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert list(answer.json()) == ["errors"]


def test_a_field_that_fails_still_gets_200(gateway: RunningGateway) -> None:
    answer = gateway.post(
        {"query": '{ phoneNumber(sid: "x") { sid } }'},
        headers={"accept": "application/graphql-response+json"},
    )
    assert answer.status_code == 200
    assert answer.json()["data"] == {"phoneNumber": None}


def get(gateway: RunningGateway, headers: dict[str, str] | None = None, **params: str) -> Any:
    return gateway.http.get(
        f"{gateway.url}/graphql", params=params, auth=gateway.account.auth, headers=headers
    )


def test_get_answers_queries_but_refuses_mutations(gateway: RunningGateway) -> None:
    assert get(gateway, query=COUNTRIES).json()["data"]["countries"]
    number = '{ phoneNumber: "+14155550100" }'
    mutation = f"mutation {{ purchasePhoneNumber(input: {number}) {{ replayed }} }}"
    refused = get(gateway, query=mutation)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert not [each for each in gateway.sandbox.requests() if each["method"] == "POST"]


def test_get_can_be_turned_off(sandbox: RunningSandbox) -> None:
    with running_gateway(sandbox, get_requests=False) as gateway:
        refused = get(gateway, query=COUNTRIES)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(gateway: RunningGateway, method: str) -> None:
    answer = gateway.http.request(method, f"{gateway.url}/graphql", auth=gateway.account.auth)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/graphql", COUNTRIES),
        ("/graphql", "{ nothing }"),
        ("/graphql", 'mutation { releasePhoneNumber(input: {sid: "x"}) { releasedId } }'),
        ("/graphql", None),
        ("/healthz", None),
        ("/readyz", None),
        ("/explorer/config.json", None),
        ("/", None),
        ("/nothing", None),
    ],
)
def test_head_gets_what_get_gets_but_the_body(
    gateway: RunningGateway, path: str, query: str | None
) -> None:
    got, headed = (
        gateway.http.request(
            method,
            gateway.url + path,
            params={"query": query} if query else {},
            headers={"x-request-id": "the-same-one"},
            auth=gateway.account.auth,
        )
        for method in ("GET", "HEAD")
    )
    assert headed.content == b""
    for answer in (got, headed):
        del answer.headers["date"]  # A second may have passed.
    assert (headed.status_code, headed.headers) == (got.status_code, got.headers)


def test_the_head_of_a_stream_is_no_stream(gateway: RunningGateway) -> None:
    """It is whole with its headers: the connection serves what comes next, and nothing follows."""
    pair = base64.b64encode(":".join(gateway.account.auth).encode()).decode()
    asked = f"authorization: Basic {pair}", "accept: text/event-stream"
    headed = head(
        *asked,
        "apollo-require-preflight: 1",
        method="HEAD",
        path="/graphql?query=" + quote(SUBSCRIPTION),
    )
    with connected(gateway.url) as connection:
        connection.sendall(headed * 2 + head("connection: close", method="GET", path="/healthz"))
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    *streams, last = received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(streams) == 2
    for each in streams:
        assert b"\r\ncontent-type: text/event-stream; charset=utf-8\r\n" in each
        assert each.index(b"\r\n\r\n") == len(each) - 4
    assert b'"status":"ok"' in last
    assert gateway.parts is not None
    assert not gateway.parts.pipeline.groups


def test_a_byte_order_mark_before_the_body_is_passed_over(gateway: RunningGateway) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        content=BOM_UTF8 + json.dumps({"query": COUNTRIES}).encode(),
        headers={"content-type": "application/json"},
        auth=gateway.account.auth,
    )
    assert "data" in answer.json()


@pytest.mark.parametrize("scheme", ["Basic  ", "basic ", "BASIC     "])
def test_blanks_and_case_of_the_scheme_do_not_matter(gateway: RunningGateway, scheme: str) -> None:
    """RFC 9110: one blank or more (11.4), in any case (11.1)."""
    sent = credentials(gateway.account)["Authorization"].removeprefix("Basic ")
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        json={"query": "{ account { sid } }"},
        headers={"authorization": scheme + sent},
    )
    assert answer.json() == {"data": {"account": {"sid": gateway.account.sid}}}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json;charset=latin1", ""],
)
def test_bodies_of_other_types_are_refused(gateway: RunningGateway, content_type: str) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        content=json.dumps({"query": COUNTRIES}),
        headers={"content-type": content_type},
        auth=gateway.account.auth,
    )
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "body", [b"", b"null", b"1", b'"x"', b"[]", b"{}", b"\xff\xfe", b"{" * 9999]
)
def test_bodies_that_are_no_request_are_refused(gateway: RunningGateway, body: bytes) -> None:
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        content=body,
        headers={"content-type": "application/json"},
        auth=gateway.account.auth,
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(gateway: RunningGateway, chunked: bool) -> None:
    body = json.dumps({"query": COUNTRIES, "extensions": {"padding": "x" * 300_000}}).encode()
    pieces = (body[at : at + 4096] for at in range(0, len(body), 4096))
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        content=pieces if chunked else body,
        headers={"content-type": "application/json"},
        auth=gateway.account.auth,
    )
    assert answer.status_code == 413


def test_a_client_s_request_id_comes_back(gateway: RunningGateway) -> None:
    answer = gateway.post({"query": COUNTRIES}, headers={"x-request-id": "trace-12345"})
    assert answer.headers["x-request-id"] == "trace-12345"


@pytest.mark.parametrize("proposed", ["", "short", "x" * 129, "with space", 'a"quote"12'])
def test_an_unfit_request_id_is_replaced(gateway: RunningGateway, proposed: str) -> None:
    answer = gateway.post({"query": COUNTRIES}, headers={"x-request-id": proposed})
    given = answer.headers["x-request-id"]
    assert given != proposed
    assert len(given) == 32


# Lists of operations ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def batching(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    with running_gateway(shared_sandbox, batch_limit=3) as gateway:
        yield gateway


def test_lists_of_operations_are_refused_unless_allowed(gateway: RunningGateway) -> None:
    answer = gateway.post([{"query": COUNTRIES}])
    assert answer.status_code == 400


def test_operations_of_a_list_are_answered_in_order(batching: RunningGateway) -> None:
    answer = batching.post(
        [{"query": "{ account { sid } }"}, {"query": "{ nothing }"}, {"query": COUNTRIES}]
    )
    account, wrong, countries = answer.json()
    assert account["data"]["account"]["sid"] == batching.account.sid
    assert wrong["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert countries["data"]["countries"]


@pytest.mark.parametrize("count", [0, 4])
def test_a_list_over_the_limit_is_refused_whole(batching: RunningGateway, count: int) -> None:
    assert batching.post([{"query": COUNTRIES}] * count).status_code == 400


def test_the_operations_of_a_list_yield_together_what_one_may_yield(
    batching: RunningGateway,
) -> None:
    def page(first: int) -> dict[str, str]:
        return {"query": f"{{ phoneNumbers(first: {first}) {{ nodes {{ sid }} }} }}"}

    introspection = {"query": get_introspection_query()}
    planned = {"X-Gateway-Explain": "plan"}
    account = batching.sandbox.create_account(owned=1)
    # Of an account of which nothing is known, a page may yield as many as it asks for.
    one, two, three = batching.post([page(900), page(1000), page(600)], account=account).json()
    assert [len(each["data"]["phoneNumbers"]["nodes"]) for each in (one, two)] == [1, 1]
    [error] = three["errors"]
    assert error["message"] == (
        "With those before it in the list this operation would yield up to 2500 objects, 2000 are"
        " allowed."
    )
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": "cost",
        "allowed": 2000,
        "actual": 2500,
    }
    # By now it is known how many it has; of another account it is not.
    other = batching.sandbox.create_account(owned=1)
    for batch, options in (
        ([page(1000)] * 3, {"account": account}),
        ([introspection, page(1000), page(1000)], {"account": other}),
        ([page(1000)] * 3, {"account": batching.sandbox.create_account(), "headers": planned}),
    ):
        answers = batching.post(batch, **options).json()
        assert ["errors" in each for each in answers] == [False, False, False]


def test_a_subscription_in_a_list_is_refused_alone(batching: RunningGateway) -> None:
    refused, countries = batching.post([{"query": SUBSCRIPTION}, {"query": COUNTRIES}]).json()
    assert "list" in refused["errors"][0]["message"]
    assert countries["data"]["countries"]


@pytest.mark.parametrize(
    "wrong",
    [
        [1],
        {"query": 7},
        {},
        {"query": COUNTRIES, "variables": {"v": json.loads("[" * 40 + "]" * 40)}},
    ],
    ids=["a list", "a number for a query", "nothing", "40 levels"],
)
def test_what_is_no_request_in_a_list_is_refused_alone(
    batching: RunningGateway, wrong: object
) -> None:
    first, refused, last = batching.post([{"query": COUNTRIES}, wrong, {"query": COUNTRIES}]).json()
    assert refused["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    assert first == last == batching.execute(COUNTRIES)


@pytest.mark.parametrize("levels", [40, 100_000])
def test_what_is_nested_too_deeply_is_told_so(gateway: RunningGateway, levels: int) -> None:
    deep = "[" * levels + "]" * levels
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        content=f'{{"query": "{{ __typename }}", "variables": {{"v": {deep}}}}}',
        headers={"content-type": "application/json"},
        auth=gateway.account.auth,
    )
    assert answer.status_code == 400
    assert "nested" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("body", "place", "said"),
    [
        (b'{"query": "{ __typename }",\n "variables": {"a": 1e400}}', "line 2", "double"),
        (b'{"query": "{ __typename }", "variables": {"a": "\\ud83d"}}', "line 1", "surrogates"),
        (b'{"query": "{ __typename }"', "line 1", "UTF-8"),
    ],
)
def test_where_a_body_cannot_be_read_and_what_is_not_taken_is_told(
    gateway: RunningGateway, body: bytes, place: str, said: str
) -> None:
    headers = {"content-type": "application/json"}
    url, auth = f"{gateway.url}/graphql", gateway.account.auth
    answer = gateway.http.post(url, content=body, headers=headers, auth=auth)
    assert answer.status_code == 400
    message = answer.json()["errors"][0]["message"]
    assert place in message
    assert said in message


# Compression --------------------------------------------------------------------------------------

LARGE = "{ phoneNumbers(first: 50) { nodes { id sid phoneNumber friendlyName } } }"


def raw(gateway: RunningGateway, query: str, encodings: str) -> httpx.Response:
    """Return an answer whose body is as it came over the wire."""
    request = gateway.http.build_request(
        "POST",
        f"{gateway.url}/graphql",
        json={"query": query},
        headers={"accept-encoding": encodings},
    )
    answer = gateway.http.send(request, auth=gateway.account.auth, stream=True)
    body = b"".join(answer.iter_raw())
    answer.close()
    return httpx.Response(
        answer.status_code, headers=answer.headers, content=None, extensions={"body": body}
    )


@pytest.mark.parametrize(
    ("encodings", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, *", "gzip"),
        ("identity", None),
        ("", None),
        ("gzip;q=nonsense", None),
    ],
)
def test_large_answers_are_compressed_as_the_client_likes(
    gateway: RunningGateway, encodings: str, coding: str | None
) -> None:
    answer = raw(gateway, LARGE, encodings)
    body = answer.extensions["body"]
    assert answer.headers.get("content-encoding") == coding
    assert "Accept-Encoding" in answer.headers["vary"]
    decoded = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding](body)
    assert len(json.loads(decoded)["data"]["phoneNumbers"]["nodes"]) == 50
    if coding:
        assert len(body) < len(decoded) / 2


def test_small_answers_are_not_compressed(gateway: RunningGateway) -> None:
    answer = raw(gateway, "{ account { sid } }", "gzip, br")
    assert "content-encoding" not in answer.headers


# Caches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (COUNTRIES, "private, max-age=3600"),
        ('{ country(code: "US") { name } }', "private, max-age=3600"),
        ("{ countries { code } account { sid } }", "no-store"),
        ("query A { countries { ...F } } fragment F on Country { name }", "private, max-age=3600"),
        ('{ phoneNumber(sid: "x") { sid } }', "no-store"),
        ("{ nothing }", "no-store"),
    ],
)
def test_answers_may_be_kept_as_long_as_the_schema_says(
    gateway: RunningGateway, query: str, expected: str
) -> None:
    assert gateway.post({"query": query}).headers["cache-control"] == expected


def test_an_answer_is_kept_no_longer_than_its_most_fleeting_field() -> None:
    documents = Documents(build_schema()._schema)
    inventory = "availablePhoneNumbers(first: 1) { nodes { phoneNumber } }"
    assert documents.get("{ countries { name } }").max_age == 3600
    assert documents.get(f"{{ countries {{ name {inventory} }} }}").max_age == 0


def test_answers_are_kept_apart_by_caller(gateway: RunningGateway) -> None:
    vary = gateway.post({"query": COUNTRIES}).headers["vary"]
    assert {"Authorization", "X-Account-Sid"} <= set(vary.split(", "))
