"""Webhook URLs: their form, and the hosts that they may name."""

from collections.abc import Iterator

import pytest

from gateway.writes.webhook_hosts import Webhooks
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox

LOCAL = {
    "H-01-loopback": "http://127.0.0.1/x",
    "H-02-loopback-other": "http://127.9.9.9/x",
    "H-03-loopback-v6": "http://[::1]:80/x",
    "H-04-any": "http://0.0.0.0/x",
    "H-05-any-v6": "http://[::]/x",
    "H-06-private-10": "https://10.1.2.3/x",
    "H-07-private-172": "https://172.31.0.1/x",
    "H-08-private-192": "https://192.168.0.1:8443/x",
    "H-09-link-local": "http://169.254.169.254/latest/meta-data",
    "H-10-link-local-v6": "http://[fe80::1]/x",
    "H-11-unique-local": "http://[fd00::1]/x",
    "H-12-mapped": "http://[::ffff:10.0.0.1]/x",
    "H-13-mapped-hex": "http://[::ffff:7f00:1]/x",
    "H-14-carrier-nat": "http://100.64.0.1/x",
    "H-15-decimal": "http://2130706433/x",
    "H-16-hexadecimal": "http://0x7f000001/x",
    "H-17-octal": "http://0177.0.0.1/x",
    "H-18-short": "http://127.1/x",
    "H-19-localhost": "http://localhost:9000/x",
    "H-20-localhost-dot": "http://LOCALHOST./x",
    "H-21-below-localhost": "http://a.localhost/x",
    "H-22-mdns": "http://printer.local/x",
    "H-23-internal": "http://metadata.google.internal/x",
    "H-24-single-label": "http://intranet/x",
    "H-25-full-width": "http://\uff11\uff12\uff17.0.0.1/x",
    "H-26-6to4": "http://[2002:7f00:1::]/x",
    "H-27-multicast": "http://224.0.0.1/x",
    "H-28-broadcast": "http://255.255.255.255/x",
    "H-29-documentation": "http://192.0.2.1/x",
    "H-30-home": "http://nas.home.arpa/x",
    "H-31-site-local": "http://[fec0::1]/x",
    "H-32-nat64": "http://[64:ff9b::a9fe:a9fe]/x",
    "H-33-nat64-local": "http://[64:ff9b:1::a9fe:a9fe]/x",
    "H-34-compatible": "http://[::127.0.0.1]/x",
    "H-35-translated": "http://[::ffff:0:169.254.169.254]/x",
    "H-36-unassigned": "http://[4000::1]/x",
    "H-37-corp": "http://git.corp/x",
    "H-38-home": "http://nas.home/x",
    "H-39-localdomain": "http://db.localdomain/x",
}
PUBLIC = (
    "https://example.com/voice",
    "https://hooks.example.com:8443/voice?x=1#y",
    "https://8.8.8.8/x",
    "https://[2606:4700::1111]/x",
    "https://10.example.com/x",
    "https://localhost.example.com/x",
)
_ANY = Webhooks((), private=False)


@pytest.mark.parametrize("probe", LOCAL)
def test_a_local_address_is_recognised_however_it_is_written(probe: str) -> None:
    assert _ANY.problem({"voice.url": LOCAL[probe]}) is not None
    assert Webhooks((), private=True).problem({"voice.url": LOCAL[probe]}) is None


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_host_is_allowed(url: str) -> None:
    assert _ANY.problem({"voice.url": url}) is None


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.example.com/x", True),
        ("https://HOOKS.Example.com./x", True),
        ("https://a.b.example.org/x", True),
        ("https://example.org/x", False),
        ("https://badexample.org/x", False),
        ("https://hooks.example.com.evil.net/x", False),
        ("https://example.com/x", False),
    ],
)
def test_hosts_can_be_limited_to_a_list(*, url: str, allowed: bool) -> None:
    hooks = Webhooks(("hooks.example.com", "*.example.org"), private=False)
    assert (hooks.problem({"sms.fallbackUrl": url}) is None) == allowed


def test_only_urls_are_looked_at_and_the_first_bad_one_is_named() -> None:
    given = {"friendlyName": "http://127.0.0.1", "statusCallbackUrl": None}
    assert _ANY.problem(given) is None
    given |= {"sms.fallbackUrl": "http://127.0.0.1"}
    problem = _ANY.problem(given)
    assert problem is not None
    assert problem[0] == ("sms", "fallbackUrl")


@pytest.fixture(scope="module")
def locked(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    with running_gateway(shared_sandbox, production=True) as gateway:
        yield gateway


_CONFIGURE = (
    "mutation c($sid: ID!, $c: ConfigurationInput!) {"
    " configurePhoneNumber(input: { sid: $sid, configuration: $c })"
    " { phoneNumber { sid } userErrors { field code message } } }"
)
_BUY = (
    "mutation b($n: E164!, $c: ConfigurationInput!) {"
    " purchasePhoneNumber(input: { phoneNumber: $n, configuration: $c })"
    " { phoneNumber { sid } userErrors { field code message } } }"
)


def test_production_refuses_local_webhooks_before_anything_is_sent(
    locked: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    sandbox.forget_requests()
    settings = {"voice": {"url": "http://169.254.169.254/"}}
    for query, name, number in (
        (_CONFIGURE, "configurePhoneNumber", {"sid": sid}),
        (_BUY, "purchasePhoneNumber", {"n": "+15005550006"}),
    ):
        payload = locked.query(query, {**number, "c": settings}, account=account)[name]
        [refusal] = payload["userErrors"]
        assert payload["phoneNumber"] is None
        assert refusal["code"] == "INVALID_INPUT"
        assert refusal["field"] == ["configuration", "voice", "url"]
    assert sandbox.requests() == []


def test_outside_production_local_webhooks_are_for_trying_things_out(
    gateway: RunningGateway, sandbox: RunningSandbox
) -> None:
    account = sandbox.create_account(owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    settings = {"voice": {"url": "http://localhost:9000/voice"}}
    answer = gateway.query(_CONFIGURE, {"sid": sid, "c": settings}, account=account)
    assert answer["configurePhoneNumber"]["userErrors"] == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "//example.com/x",
        "example.com",
        "https://user@example.com/x",
        "https://user:secret@example.com/x",
        "https:///x",
        "https://example.com/\r\nx: y",
        "https://example.com/ x",
        "https://[::1/x",
        "https://example.com:99999/x",
        "",
        # Each is read as another host by one program than by the next.
        "http://169.254.169.254\\.example.com/",
        "http://example.com\\@169.254.169.254/",
        "http://example.com/\\x",
        "http://%31%36%39.254.169.254/",
        "http://127%2e0.0.1/",
        "http://169\u3002254\u3002169\u3002254/",
        "http://169\uff61254\uff61169\uff61254/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://exam\u00adple.com/",
        "http://127.0.0.1\u200b/",
        "http://b\u00fccher.example/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://exam,ple.com/",
        "http://*.example.com/",
    ],
)
def test_a_webhook_is_an_http_url_without_user_or_password(
    gateway: RunningGateway, url: str
) -> None:
    variables = {"sid": "PN" + "0" * 32, "c": {"voice": {"url": url}}}
    error = gateway.error(_CONFIGURE, variables)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "secret" not in error["message"]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/voice?x=%5C#top",
        "HTTPS://Hooks_1.Example.com.:8443/b%C3%BCcher/\u4e2d",
        "https://xn--bcher-kva.example",
        "https://[2606:4700::1111]:8443/x",
        "https://8.8.8.8",
    ],
)
def test_a_webhook_may_be_any_other_http_url(gateway: RunningGateway, url: str) -> None:
    variables = {"sid": "PN" + "0" * 32, "c": {"voice": {"url": url}}}
    payload = gateway.query(_CONFIGURE, variables)["configurePhoneNumber"]
    assert [each["code"] for each in payload["userErrors"]] == ["NOT_FOUND"]
