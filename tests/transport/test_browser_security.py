"""Browsers: forged requests, other origins, rebound names, headers of every answer."""

from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from gateway.settings.loading import SettingsUnusable
from tests.support import loopback
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.raw_bytes import connected, head, read_reply
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.streams import socket

pytestmark = pytest.mark.both_adaptors

_APP = "https://app.example"


@pytest.fixture(scope="module")
def shared(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that pages of one origin may use."""
    with running_gateway(shared_sandbox, cors_origins=(_APP,)) as gateway:
        yield gateway


def _get(gateway: RunningGateway, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return loopback.get(
        f"{gateway.url}/graphql",
        params={"query": "{ __typename }"},
        headers=sent,
        auth=gateway.account.auth,
    )


FORGEABLE = {
    "C-01-plain-get": {},
    "C-02-empty-proof": {"apollo_require_preflight": ""},
    "C-03-text": {"content_type": "text/plain"},
    "C-04-form": {"content_type": "application/x-www-form-urlencoded"},
    "C-05-multipart": {"content_type": "multipart/form-data; boundary=x"},
    "C-06-text-in-capitals": {"content_type": "TEXT/PLAIN; charset=utf-8"},
    "C-07-text-like-json": {"content_type": "text/plain;application/json"},
    "C-08-accept-only": {"accept": "application/graphql-response+json"},
}


@pytest.mark.parametrize("probe", FORGEABLE)
def test_a_get_that_any_page_could_send_is_refused(gateway: RunningGateway, probe: str) -> None:
    answer = _get(gateway, **FORGEABLE[probe])
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "CSRF_PREVENTED"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "proof",
    [
        {"apollo_require_preflight": "true"},
        {"x_apollo_operation_name": "q"},
        {"content_type": "application/json"},
    ],
    ids=["preflight", "operation-name", "json"],
)
def test_a_get_that_was_not_simple_is_answered(
    gateway: RunningGateway, proof: dict[str, str]
) -> None:
    answer = _get(gateway, **proof)
    assert answer.status_code == 200
    assert answer.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
def test_a_form_is_never_taken_for_a_request(gateway: RunningGateway, content_type: str) -> None:
    """Not even one that is JSON: pages can post it across origins."""
    headers = {"content-type": content_type} if content_type else {}
    answer = gateway.http.post(
        f"{gateway.url}/graphql",
        content=b'{"query": "{ __typename }"}',
        headers=headers,
        auth=gateway.account.auth,
    )
    assert answer.status_code == 415
    assert "data" not in answer.json()


def test_prevention_can_be_turned_off(shared_sandbox: RunningSandbox) -> None:
    with running_gateway(shared_sandbox, csrf_prevention=False) as gateway:
        assert _get(gateway).status_code == 200


def _preflight(
    gateway: RunningGateway, origin: str, *, headers: str = "authorization,content-type"
) -> httpx.Response:
    return gateway.http.options(
        f"{gateway.url}/graphql",
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": headers,
        },
    )


def test_a_listed_origin_may_use_the_gateway(shared: RunningGateway) -> None:
    asked = _preflight(shared, _APP)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == _APP
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "authorization" in asked.headers["access-control-allow-headers"]
    answer = shared.post({"query": "{ __typename }"}, headers={"origin": _APP})
    assert answer.headers["access-control-allow-origin"] == _APP
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil.example",
        "https://evil.example/https://app.example",
        "https://APP.example",
    ],
)
def test_other_origins_may_not(shared: RunningGateway, origin: str) -> None:
    assert "access-control-allow-origin" not in _preflight(shared, origin).headers
    answer = shared.post({"query": "{ __typename }"}, headers={"origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


def test_by_default_no_origin_may_and_the_refusal_names_the_setting(
    gateway: RunningGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        answer = _preflight(gateway, "https://another.example")
        assert "access-control-allow-origin" not in answer.headers
        assert answer.status_code == 403
        assert "GATEWAY_CORS_ORIGINS" in answer.json()["errors"][0]["message"]
    logged = capsys.readouterr().out
    assert logged.count("origin_refused") == 1
    assert "cors_origins" in logged


# Of Apollo Client with client awareness, iOS and Kotlin, urql, Relay, graphql-sse, Sentry, tracing.
_SENT = (
    *("accept", "authorization", "content-type", "if-none-match", "last-event-id"),
    *("apollographql-client-name", "apollographql-client-version", "apollo-require-preflight"),
    *("x-apollo-operation-name", "x-apollo-operation-id", "x-apollo-operation-type"),
    *("sentry-trace", "baggage", "traceparent", "tracestate", "b3", "x-datadog-trace-id"),
    *("x-account-sid", "x-gateway-explain", "x-request-id"),
)


def _allowed(answer: httpx.Response) -> set[str]:
    return set(answer.headers["access-control-allow-headers"].split(", "))


def test_what_clients_and_tracing_send_is_allowed(shared: RunningGateway) -> None:
    assert set(_SENT) <= _allowed(_preflight(shared, _APP))
    answer = shared.post({"query": "{ __typename }"}, headers={"origin": _APP})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "retry-after"} <= set(exposed)


def test_other_headers_can_be_allowed(
    shared_sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Besides those that the gateway reads itself; what a page asks in vain is logged."""
    with running_gateway(
        shared_sandbox, cors_origins=(_APP,), cors_headers="X-Tenant, x-other"
    ) as gateway:
        allowed = _allowed(_preflight(gateway, _APP, headers="authorization,x-tenant,x-unknown"))
    assert {"x-tenant", "x-other", "authorization", "content-type"} <= allowed
    assert "sentry-trace" not in allowed
    assert "headers=x-unknown" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["x tenant", "x-tenant: 1", "x\r\ny", ""])
def test_what_is_no_name_of_a_header_is_no_setting(name: str) -> None:
    with pytest.raises(SettingsUnusable):
        bare_settings(cors_headers=[name])


@pytest.mark.parametrize(
    ("listed", "sent"),
    [
        ("https://App.Example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://app.example:80", "https://app.example:80"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("null", "null"),
    ],
)
def test_an_origin_may_be_listed_as_people_write_it(
    shared_sandbox: RunningSandbox, listed: str, sent: str
) -> None:
    with running_gateway(shared_sandbox, cors_origins=(listed,)) as gateway:
        assert _preflight(gateway, sent).headers["access-control-allow-origin"] == sent


@pytest.mark.parametrize(
    "name",
    ["app.example", "https://app.example/path", "https://*.example", "https://a b", "https://", ""],
)
def test_what_no_browser_sends_as_its_origin_is_no_setting(name: str) -> None:
    """It would never match, and its pages would be refused with the advice to list it."""
    with pytest.raises(SettingsUnusable):
        bare_settings(cors_origins=[name])


@pytest.fixture(scope="module")
def beside_a_sandbox(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway as `serve --sandbox` runs it."""
    parent = shared_sandbox.accounts()["parent"]
    with running_gateway(
        shared_sandbox,
        auth="open",
        account_sid=parent.sid,
        auth_token=parent.auth_token,
        sandbox_url=shared_sandbox.url,
    ) as gateway:
        yield gateway


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:5173", "http://127.0.0.1:3000", "https://[::1]:8443", "http://localhost"],
)
def test_beside_a_sandbox_pages_of_this_machine_may(
    beside_a_sandbox: RunningGateway, origin: str
) -> None:
    """So that a new app works at once: over HTTP, server-sent events and WebSockets."""
    asked = _preflight(beside_a_sandbox, origin)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == origin
    for accept in ("application/json", "text/event-stream"):
        sent = {"origin": origin, "accept": accept}
        answer = beside_a_sandbox.post({"query": "{ __typename }"}, headers=sent)
        assert answer.headers["access-control-allow-origin"] == origin
        assert "__typename" in answer.text
    with socket(beside_a_sandbox, origin=origin) as opened:
        opened.init(beside_a_sandbox.account)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://evil.example/localhost",
        "http://evil.example:5173",
        "http://127.0.0.1.evil.example",
        "http://localhost:5173.evil.example",
        "http://192.168.0.7:5173",
        "http://127.1:80",
        "ftp://localhost",
        "null",
    ],
)
def test_beside_a_sandbox_pages_of_others_may_not(
    beside_a_sandbox: RunningGateway, origin: str
) -> None:
    answer = _preflight(beside_a_sandbox, origin)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    with pytest.raises(InvalidStatus) as refused, socket(beside_a_sandbox, origin=origin):
        pass
    assert refused.value.response.status_code == 403
    assert b"GATEWAY_CORS_ORIGINS" in (refused.value.response.body or b"")


def test_without_a_sandbox_pages_of_this_machine_are_others(trusting: RunningGateway) -> None:
    """What they reach there is real, and whatever runs on this machine can serve a page."""
    answer = _preflight(trusting, "http://localhost:5173")
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [{"query": "{ __typename }"}, {"query": "{ nope }"}, {"query": 7}, [1]],
    ids=["answer", "invalid", "bad-request", "list"],
)
def test_every_answer_has_the_security_headers(gateway: RunningGateway, body: object) -> None:
    headers = gateway.post(body).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers or headers["server"] == "uvicorn"


@pytest.fixture(scope="module")
def trusting(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway in open mode: whoever reaches it acts as the parent account."""
    parent = shared_sandbox.accounts()["parent"]
    with running_gateway(
        shared_sandbox, auth="open", account_sid=parent.sid, auth_token=parent.auth_token
    ) as gateway:
        yield gateway


def _with_host(gateway: RunningGateway, host: str) -> int:
    sent = b'{"query": "{ __typename }"}'
    top = head("content-type: application/json", f"content-length: {len(sent)}")
    with connected(gateway.url) as connection:
        connection.sendall(top.replace(b"host: localhost", f"host: {host}".encode()) + sent)
        reply = read_reply(connection)
    assert reply is not None
    return reply.status


def test_open_mode_answers_to_the_machines_own_names_only(trusting: RunningGateway) -> None:
    """A page whose name was rebound to 127.0.0.1 is same-origin; only its name betrays it."""
    for host in ("localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:9", "[::1]:8000"):
        assert _with_host(trusting, host) == 200
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::", ""):
        assert _with_host(trusting, host) == 421


def test_other_modes_answer_to_any_name(gateway: RunningGateway) -> None:
    """They trust credentials, not the network; and a proxy may pass its own name on."""
    assert _with_host(gateway, "api.example.com") == 401
