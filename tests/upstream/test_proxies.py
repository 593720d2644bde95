"""Proxies on the way to the upstream: which way is taken, and what is true when one fails."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.safety_checks import report
from gateway.settings.loading import SettingsUnusable, load
from gateway.upstream.proxies import Origin, RouteOptions, Routes
from tests.faults.asking import OWN, document, fresh_number, in_ledger, mutate, told, writes
from tests.faults.hostile import hostile, keeping, response
from tests.support import loopback
from tests.support.bare_settings import bare_settings
from tests.support.certificates import make_certificate, server_tls
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import free_port, run, served
from tests.support.relay import Relay, relay
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.tinyproxy import Tinyproxy, tinyproxy
from tests.support.tokens import AUDIENCE, ISSUER, RSA_KEY, ask, key_set, token
from tests.support.waiting import until

# As tinyproxy knows it, and as it stands in a URL.
SECRET = "s-e.c_r-e.t"
LOGIN = "some-body:s%2De.c%5Fr-e.t"
QUICK: dict[str, Any] = {
    "attempt_timeout": 0.8,
    "call_deadline": 4.0,
    "backoff_base": 0.01,
    "breaker_pause": 0.05,
    "breaker_longest_pause": 0.1,
}


@dataclass(frozen=True)
class Upstream:
    """A sandbox that is spoken to over TLS."""

    sandbox: RunningSandbox
    front: Relay
    certificate: Path

    @property
    def settings(self) -> dict[str, Any]:
        """What leads there."""
        url = self.front.url
        return {"core_url": url, "catalog_url": url, "upstream_ca": self.certificate}

    @property
    def endpoint(self) -> str:
        """As a proxy is asked for it."""
        return f"localhost:{self.front.port}"


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no proxy, and nothing that is reached without."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all that these tests keep."""
    return tmp_path_factory.mktemp("proxies")


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    """A certificate of this machine."""
    return make_certificate(folder / "tls", "localhost")


@pytest.fixture(scope="module")
def tls(certificate: Path) -> ssl.SSLContext:
    """What shows it."""
    return server_tls(certificate)


@pytest.fixture(scope="module")
def upstream(
    shared_sandbox: RunningSandbox, certificate: Path, tls: ssl.SSLContext
) -> Iterator[Upstream]:
    """The upstream of these tests."""
    with relay(shared_sandbox.url, tls=tls) as front:
        yield Upstream(shared_sandbox, front, certificate)


@pytest.fixture(scope="module")
def proxy(folder: Path) -> Iterator[Tinyproxy]:
    """A proxy that wants to know who asks."""
    with tinyproxy(folder / "tinyproxy", f"BasicAuth some-body {SECRET}") as started:
        yield started


@pytest.fixture(scope="module")
def shared_behind(upstream: Upstream, proxy: Tinyproxy, folder: Path) -> Iterator[RunningGateway]:
    """A gateway behind it."""
    chosen = {**upstream.settings, **QUICK, "data_dir": folder / "data", "request_deadline": 3.0}
    with running_gateway(upstream.sandbox, proxy=proxy.url(LOGIN), **chosen) as gateway:
        yield gateway


@pytest.fixture
def behind(shared_behind: RunningGateway, sandbox: RunningSandbox) -> RunningGateway:
    """The gateway behind the proxy; the sandbox's request log is empty."""
    assert shared_behind.sandbox is sandbox
    return shared_behind


def known_account(gateway: RunningGateway, *, catalog: bool = False) -> SandboxAccount:
    """Make an account of which the gateway knows which API serves it."""
    account = gateway.sandbox.create_account(catalog=catalog, owned=1)
    gateway.query("{ phoneNumbers(first: 1) { nodes { sid } } }", account=account)
    gateway.sandbox.forget_requests()
    return account


def bought(gateway: RunningGateway, account: SandboxAccount) -> str:
    """Buy a number and tell what the client was told, what was sent and what happened."""
    number = fresh_number(gateway.sandbox)
    payload = mutate(gateway, "purchase", account, phoneNumber=number)
    return f"{told(payload)}; {in_ledger(gateway.sandbox, number, 'purchase')}"


# The way there ------------------------------------------------------------------------------------


@pytest.mark.parametrize("catalog", [True, False], ids=["catalog", "core"])
def test_reads_and_writes_go_through_the_proxy(
    behind: RunningGateway, upstream: Upstream, proxy: Tinyproxy, catalog: bool
) -> None:
    account = known_account(behind, catalog=catalog)
    assert bought(behind, account) == "done; 1 write, 1 in the ledger"
    assert 0 < upstream.front.opened <= proxy.asked(upstream.endpoint)


def test_an_upstream_without_tls_is_reached_by_connect_as_well(
    sandbox: RunningSandbox, proxy: Tinyproxy, tmp_path: Path
) -> None:
    chosen: dict[str, Any] = {"http_proxy": proxy.url(LOGIN), "data_dir": tmp_path}
    with running_gateway(sandbox, **chosen) as gateway:
        assert bought(gateway, known_account(gateway)) == "done; 1 write, 1 in the ledger"
    assert proxy.asked(sandbox.url.removeprefix("http://"))


def test_a_proxy_that_is_spoken_to_over_tls_leads_to_an_upstream_over_tls(
    upstream: Upstream, proxy: Tinyproxy, tls: ssl.SSLContext, sandbox: RunningSandbox
) -> None:
    with relay(proxy.url(), tls=tls) as front:
        url = front.url.replace("https://", f"https://{LOGIN}@")
        with running_gateway(sandbox, **upstream.settings, proxy=url) as gateway:
            assert gateway.query(OWN)["account"]["sid"]
        assert front.opened


ROUTES: dict[str, Any] = {
    "https_proxy": "http://secure.example",
    "http_proxy": "plain.example:3128",
    "no_proxy": (
        *("near.example", ".suffix.example", "10.0.0.0/8", "fd00::/8", "port.example:8443"),
        *("192.0.2.7", "[::1]:8080", "*.star.example", "Upper.EXAMPLE."),
    ),
}


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("https://api.example", "http://secure.example:80"),
        ("http://api.example", "http://plain.example:3128"),
        ("https://near.example", None),
        ("https://below.near.example", None),
        ("https://notnear.example", "http://secure.example:80"),
        ("https://suffix.example", None),
        ("https://a.b.suffix.example", None),
        ("https://10.255.0.1", None),
        ("https://11.0.0.1", "http://secure.example:80"),
        ("https://[fd00::7]", None),
        ("https://[fe80::7]", "http://secure.example:80"),
        ("https://port.example:8443", None),
        ("https://port.example", "http://secure.example:80"),
        ("http://192.0.2.7:9", None),
        ("http://[::1]:8080", None),
        ("http://[::1]:8081", "http://plain.example:3128"),
        ("https://x.star.example", None),
        ("https://UPPER.example", None),
        ("https://upper.example.", None),
    ],
)
def test_no_proxy_names_what_is_reached_directly(url: str, way: str | None) -> None:
    routes = Routes(bare_settings(**ROUTES).pick(RouteOptions))
    assert (routes.proxy(Origin.of(url)) and str(routes.proxy(Origin.of(url)))) == way


def _way(monkeypatch: pytest.MonkeyPatch, url: str, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Routes(bare_settings().pick(RouteOptions)).way(Origin.of(url))


@pytest.mark.parametrize(
    ("variables", "way"),
    [
        ({}, "directly"),
        ({"HTTPS_PROXY": "http://a:1"}, "through the proxy http://a:1"),
        ({"https_proxy": "http://a:1"}, "through the proxy http://a:1"),
        ({"HTTPS_PROXY": "http://b:1", "https_proxy": "a:1"}, "through the proxy http://a:1"),
        ({"https_proxy": "a:1", "HTTPS_PROXY": "http://b:1"}, "through the proxy http://a:1"),
        ({"HTTP_PROXY": "http://a:1"}, "directly"),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "*"}, "directly"),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "x, twilio.com y"}, "directly"),
        ({"HTTPS_PROXY": "a:1", "NO_PROXY": "twilio.com", "no_proxy": "x"}, "through the proxy http://a:1"),
        ({"HTTPS_PROXY": "a:1", "GATEWAY_PROXY": "https://u:p@b"}, "through the proxy https://b:443"),
        ({"HTTPS_PROXY": "a:1", "GATEWAY_PROXY": "direct"}, "directly"),
        ({"HTTPS_PROXY": "a:1", "GATEWAY_HTTPS_PROXY": "b:1"}, "through the proxy http://b:1"),
        ({"GATEWAY_PROXY": "b:1", "GATEWAY_NO_PROXY": "", "NO_PROXY": "api.twilio.com"}, "directly"),
    ],
)  # fmt: skip
def test_the_environment_says_what_other_programs_take_from_it_and_settings_come_before(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], way: str
) -> None:
    assert _way(monkeypatch, "https://api.twilio.com", **variables) == way


@pytest.mark.parametrize(
    "url",
    [
        "socks5://hush:hush@a:1",
        "http://hush:a b@:1",
        "http://hush:hush@a:hush",
        "http://hush%0d:@a",
    ],
)
def test_what_is_no_proxy_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(SettingsUnusable, match=r"cannot be used: proxy: ") as refused:
        load({"proxy": url})
    assert "hush" not in str(refused.value)


def test_the_keys_of_tokens_are_fetched_the_same_way(
    upstream: Upstream, proxy: Tinyproxy, tls: ssl.SSLContext, sandbox: RunningSandbox
) -> None:
    account = sandbox.accounts()["parent"]
    rules = {"token_algorithm": "RS256", "token_issuer": ISSUER, "token_audience": AUDIENCE}
    own = {"account_sid": account.sid, "auth_token": account.auth_token}
    with (
        hostile([response(key_set(one=RSA_KEY).encode())]) as keys,
        relay(keys.url, tls=tls) as front,
        running_gateway(
            sandbox,
            **{**upstream.settings, **rules, **own},
            auth="tokens",
            token_keys=f"{front.url}/keys",
            https_proxy=proxy.url(LOGIN),
        ) as gateway,
    ):
        bearer = token(account.sid, key=RSA_KEY, algorithm="RS256", headers={"kid": "one"})
        assert "errors" not in ask(gateway, bearer, OWN).json()
        assert proxy.asked(f"localhost:{front.port}") == 1


# What goes wrong ----------------------------------------------------------------------------------


def refused_by(upstream: Upstream, url: str, folder: Path, said: str, **settings: Any) -> None:
    """Ask and buy through a proxy that does not lead to the upstream."""
    sandbox = upstream.sandbox
    sandbox.forget_requests()
    chosen = {**upstream.settings, **QUICK, "data_dir": folder, "proxy": url, **settings}
    with running_gateway(sandbox, **chosen) as gateway:
        error = gateway.error(OWN)
        assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
        assert error["message"].removeprefix("The upstream could not be reached") == said
        account = sandbox.create_account(owned=1)
        given = {"input": {"phoneNumber": fresh_number(sandbox), "idempotencyKey": "again"}}
        again = gateway.error(document("purchase"), given, account=account)
        # It was not sent, so the key is free for another try.
        assert again["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
        assert writes(sandbox) == []
    with running_gateway(sandbox, **{**chosen, "proxy": "direct"}) as gateway:
        payload = mutate(gateway, "purchase", account, **given["input"])
        assert told(payload) == "done"


@pytest.mark.parametrize(
    ("lines", "who", "answer"),
    [
        ([f"BasicAuth some-body {SECRET}"], "", "407 Proxy Authentication Required"),
        ([f"BasicAuth some-body {SECRET}"], "some-body:hush", "401 Unauthorized"),
        (["ConnectPort 443"], "", "403 Forbidden"),
    ],
    ids=["nobody", "somebody else", "forbidden"],
)
def test_a_proxy_that_says_no_is_named_and_nothing_was_sent(
    upstream: Upstream,
    sandbox: RunningSandbox,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    lines: list[str],
    who: str,
    answer: str,
) -> None:
    assert upstream.sandbox is sandbox
    with tinyproxy(tmp_path / "proxy", *lines) as proxy:
        said = f": the proxy {proxy.url()} answered {answer}."
        refused_by(upstream, proxy.url(who), tmp_path / "data", said, upstream_ready=0)
        # What is a no now is one a moment later: it is asked once for each call.
        assert proxy.asked(upstream.endpoint) <= 3
    logged = "".join(capfd.readouterr())
    assert f"the proxy {proxy.url()} answered {answer}" in logged
    assert "hush" not in logged


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "502 Bad Gateway"),
        (b"HTTP/1.0 503 hush\n\n", "503 Service Unavailable"),
        (b"HTTP/1.1 799 hush\r\n\r\n", "799"),
        (b"SSH-2.0-hush\r\n\r\n", "something that is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nhush", "200 OK, and spoke in the upstream's place"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, "something that is no HTTP"),
    ],
    ids=["502", "503", "unknown", "no HTTP", "too much", "endless"],
)
def test_a_proxy_that_fails_is_named_and_nothing_was_sent(
    upstream: Upstream, sandbox: RunningSandbox, tmp_path: Path, bytes_: bytes, said: str
) -> None:
    assert upstream.sandbox is sandbox
    with hostile([bytes_]) as proxy:
        refused_by(upstream, proxy.url, tmp_path, f": the proxy {proxy.url} answered {said}.")
        assert proxy.requests[0].startswith(f"CONNECT {upstream.endpoint} HTTP/1.1\r\n")


def test_clients_are_not_told_of_a_proxy_in_production(
    upstream: Upstream, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    assert upstream.sandbox is sandbox
    with hostile([b"HTTP/1.1 502 Bad Gateway\r\n\r\n"]) as proxy:
        refused_by(upstream, proxy.url, tmp_path, ".", production=True)


def test_a_proxy_that_is_not_there_or_ends_the_connection_is_named_for_operators(
    upstream: Upstream,
    sandbox: RunningSandbox,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert upstream.sandbox is sandbox
    nowhere = f"http://127.0.0.1:{free_port()}"
    refused_by(upstream, nowhere, tmp_path, ".")
    with hostile([]) as proxy:
        refused_by(upstream, proxy.url, tmp_path, ".")
    logged = "".join(capfd.readouterr())
    assert f"through the proxy {nowhere}: [Errno 111]" in logged
    assert f"through the proxy {proxy.url}: it ended the connection" in logged


def test_a_proxy_that_never_answers_takes_no_longer_than_a_connection_may(
    upstream: Upstream,
    sandbox: RunningSandbox,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert upstream.sandbox is sandbox
    with keeping(lambda *_: ()) as proxy:
        refused_by(upstream, proxy.url, tmp_path, ".", connect_timeout=0.2)
        assert proxy.connections
    logged = "".join(capfd.readouterr())
    assert f"through the proxy {proxy.url}: it took longer than 0.2 s to connect" in logged


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "lost-answer"}, "done, reconciled; 1 write, 1 in the ledger"),
        ({"kind": "status", "status": 502, "commit": True}, "done, reconciled; 1 write, 1 in the ledger"),
        ({"kind": "truncate", "commit": True}, "done, reconciled; 1 write, 1 in the ledger"),
        ({"kind": "reset"}, "OUTCOME_UNKNOWN; 1 write, 0 in the ledger"),
        ({"kind": "429", "count": 1}, "done; 2 writes, 1 in the ledger"),
    ],
    ids=["lost answer", "502", "broken off", "reset", "429"],
)  # fmt: skip
def test_what_goes_wrong_behind_a_proxy_comes_to_the_same_as_without_one(
    behind: RunningGateway, fault: dict[str, Any], outcome: str
) -> None:
    account = known_account(behind)
    behind.sandbox.set_faults([{"method": "POST", "account": account.sid, **fault}])
    assert bought(behind, account) == outcome


def test_a_proxy_that_dies_behind_a_write_leaves_its_outcome_unknown(
    upstream: Upstream, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    chosen = {**upstream.settings, **QUICK, "data_dir": tmp_path, "request_deadline": 2.0}
    with (
        tinyproxy(tmp_path / "proxy") as proxy,
        running_gateway(sandbox, **chosen, proxy=proxy.url()) as gateway,
        ThreadPoolExecutor() as pool,
    ):
        account = known_account(gateway)
        fault = {"kind": "latency", "commit": True, "latency_ms": 700}
        sandbox.set_faults([{"method": "POST", "account": account.sid, **fault}])
        answer = pool.submit(bought, gateway, account)
        until(lambda: sandbox.faults()[0]["fired"])
        proxy.kill()
        assert answer.result(60).startswith("OUTCOME_UNKNOWN; 1 write")


# TLS ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def choosy(
    shared_sandbox: RunningSandbox, certificate: Path, folder: Path
) -> Iterator[tuple[Relay, Path]]:
    """An upstream that believes one client certificate alone, and where that is."""
    shown = make_certificate(folder / "client", "gateway.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(shown))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate.with_suffix(".both.pem"))
    with relay(shared_sandbox.url, tls=context) as front:
        yield front, shown


@pytest.mark.parametrize("through", [True, False], ids=["proxy", "direct"])
def test_a_client_certificate_is_shown_to_who_asks_for_one(
    choosy: tuple[Relay, Path],
    certificate: Path,
    sandbox: RunningSandbox,
    proxy: Tinyproxy,
    through: bool,
) -> None:
    front, shown = choosy
    chosen: dict[str, Any] = {"core_url": front.url, "catalog_url": front.url}
    chosen |= {"upstream_ca": certificate, "attempts": 1}
    if through:
        chosen["proxy"] = proxy.url(LOGIN)
    with running_gateway(sandbox, **chosen) as gateway:
        assert gateway.error(OWN)["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    both: dict[str, Path] = {
        "upstream_certificate": shown,
        "upstream_key": shown.with_suffix(".key"),
    }
    for files in (both, {"upstream_certificate": shown.with_suffix(".both.pem")}):
        with running_gateway(sandbox, **{**chosen, **files}) as gateway:
            assert gateway.query(OWN)["account"]["sid"]


def test_nobody_is_believed_but_whom_the_settings_or_the_environment_name(
    upstream: Upstream,
    certificate: Path,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    other = make_certificate(tmp_path, "other.example")
    chosen = {**upstream.settings, "attempts": 1}
    del chosen["upstream_ca"]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running_gateway(sandbox, **chosen) as gateway:
        assert gateway.query(OWN)["account"]["sid"]
    with running_gateway(sandbox, **chosen, upstream_ca=other) as gateway:
        assert gateway.error(OWN)["message"] == "The upstream could not be reached."
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with running_gateway(sandbox, **chosen) as gateway:
        assert gateway.error(OWN)["message"] == "The upstream could not be reached."


@pytest.mark.parametrize("name", ["upstream_ca", "upstream_certificate", "upstream_key"])
def test_a_file_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.pem").write_text("nothing of the kind")
    variables = {f"GATEWAY_{name.upper()}": "file.pem", "GATEWAY_AUTH": "pass-through"}
    done = run(tmp_path, "serve", "--port", "0", code=1, variables=variables)
    assert done.stderr.startswith(f"number-gateway: {name}")
    assert "Traceback" not in done.stderr


# For operators ------------------------------------------------------------------------------------


def _checked(upstream: Upstream, **chosen: Any) -> tuple[int, str]:
    lines: list[str] = []
    who: dict[str, Any] = {
        "auth": "pass-through",
        "production": True,
        "api_key_sid": None,
        "account_sid": None,
    }
    settings = bare_settings(**upstream.settings, **who, **chosen)
    return report(settings, lines.append), "".join(lines)


def test_check_tells_which_way_is_taken_and_tries_it(
    upstream: Upstream, proxy: Tinyproxy, tmp_path: Path
) -> None:
    folder = {"data_dir": tmp_path}
    code, said = _checked(upstream, **folder)
    assert (code, f"ok       reach {upstream.endpoint} directly: " in said) == (0, True)
    way = f"reach {upstream.endpoint} through the proxy {proxy.url()}: "
    code, said = _checked(upstream, proxy=proxy.url(LOGIN), **folder)
    assert (code, f"ok       {way}" in said) == (0, True)
    code, said = _checked(upstream, proxy=proxy.url("some-body:hush"), **folder)
    assert (code, f"failed   {way}the proxy {proxy.url()} answered 401" in said) == (1, True)
    assert "hush" not in said


def test_a_password_that_goes_to_a_proxy_in_the_open_is_named(
    upstream: Upstream, tmp_path: Path
) -> None:
    chosen = {"https_proxy": "http://u:hush@192.0.2.1:1", "no_proxy": "*", "data_dir": tmp_path}
    _, said = _checked(upstream, **chosen)
    assert "warning  https_proxy: User and password go to the proxy unencrypted." in said


def test_a_gateway_that_is_told_of_a_proxy_tells_nobody_its_password(
    upstream: Upstream, proxy: Tinyproxy, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    variables = {
        "GATEWAY_AUTH": "pass-through",
        "GATEWAY_CORE_URL": upstream.front.url,
        "GATEWAY_CATALOG_URL": upstream.front.url,
        "GATEWAY_UPSTREAM_CA": str(upstream.certificate),
        "GATEWAY_LOG_LEVEL": "debug",
        "GATEWAY_METRICS": "true",
        "https_proxy": proxy.url(LOGIN),
    }
    account = sandbox.accounts()["parent"]
    before = proxy.asked(upstream.endpoint)
    said = ""
    for login, worked in ((LOGIN, True), (LOGIN + "x", False)):
        told_of = {**variables, "https_proxy": proxy.url(login)}
        with served(folder=tmp_path, **told_of) as (url, _):
            answer = loopback.post(f"{url}/graphql", json={"query": OWN}, auth=account.auth)
            assert ("errors" not in answer.json()) == worked
            said += answer.text + loopback.get(f"{url}/metrics").text
        done = run(tmp_path, "settings", variables=told_of)
        said += done.stdout + done.stderr
    assert proxy.asked(upstream.endpoint) > before
    said += (tmp_path / "log").read_text()
    assert "environment HTTPS_PROXY" in said
    for secret in (SECRET, LOGIN, "s%2De", "Basic "):
        assert secret not in said
