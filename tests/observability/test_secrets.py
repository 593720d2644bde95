"""What leaves: no secret in anything a gateway writes or answers, whatever fails."""

import base64
import hashlib
import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from gateway.auth.authentication import OwnAccount, PassThrough, own_credential
from gateway.auth.caller import Caller
from gateway.settings.loading import SettingsUnusable
from gateway.settings.model import Settings
from gateway.upstream.call import Credential
from tests.support import loopback
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import served
from tests.support.raw_bytes import connected, head
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.tokens import SECRET, TOKENS_MODE, token

FAULTS: list[dict[str, Any]] = [
    {"kind": "429"},
    {"kind": "429", "retry_after": 1},
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "reset"},
    {"kind": "lost-answer"},
    {"kind": "truncate"},
    {"kind": "malformed"},
    {"kind": "html"},
    {"kind": "redirect", "location": "http://127.0.0.1:9/elsewhere"},
    {"kind": "wrong-shape"},
    {"kind": "null-items"},
]
OPERATIONS = (
    "{ phoneNumbers(first: 2) { nodes { sid account { sid } } } }",
    '{ availablePhoneNumbers(country: "US", first: 2) { nodes { phoneNumber } } }',
    "{ account { subaccounts { nodes { sid } } } }",
    """mutation { purchasePhoneNumber(input: { phoneNumber: "+14155550100" }) {
    userErrors { code message } } }""",
    """mutation { releasePhoneNumber(input: { sid: "PN00000000000000000000000000000000",
    confirmPhoneNumber: "+14155550100" }) { userErrors { code message } } }""",
)


@contextmanager
def recorded(folder: Path, sandbox: RunningSandbox, **settings: str) -> Iterator[str]:
    """Run a gateway process in `folder`; all that it writes stays there."""
    variables = {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}
    variables |= {"GATEWAY_LOG_LEVEL": "debug", "GATEWAY_LOG_REQUESTS": "all"}
    variables |= {"GATEWAY_CATALOG_URL": sandbox.url, "GATEWAY_CORE_URL": sandbox.url}
    program = (sys.executable, "-X", "dev", "-m", "gateway")
    with served(folder=folder, program=program, GATEWAY_METRICS="true", **variables) as (
        url,
        process,
    ):
        yield url
        process.terminate()
        assert process.stdout is not None
        (folder / "stdout").write_text(process.stdout.read())


class Harvest:
    """All that was answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[str] = []
        self.statuses: list[int] = []

    def ask(self, body: object, authorization: str, **headers: str) -> None:
        """Send a request and keep what comes back."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["authorization"] = authorization
        url = f"{self.url}/graphql"
        self._keep(loopback.post(url, json=body, headers=sent))

    def fetch(self, path: str) -> None:
        """Get a page and keep it."""
        proof = {"apollo-require-preflight": "1"}
        self._keep(loopback.get(self.url + path, headers=proof))

    def _keep(self, answer: httpx.Response) -> None:
        self.answers.append(f"{answer.headers}\n{answer.text}")
        self.statuses.append(answer.status_code)

    def __contains__(self, secret: str) -> bool:
        return any(secret in answer for answer in self.answers)


def _fail_in_every_way(
    harvest: Harvest, sandbox: RunningSandbox, authorization: str, **headers: str
) -> None:
    for explain in ({}, {"x_gateway_explain": "trace"}, {"x_gateway_explain": "plan"}):
        for operation in OPERATIONS:
            harvest.ask({"query": operation}, authorization, **explain, **headers)
    for fault in FAULTS:
        sandbox.set_faults([{**fault, "count": 40}])
        for operation in OPERATIONS:
            harvest.ask({"query": operation}, authorization, **headers)
    sandbox.clear_faults()
    bodies: tuple[object, ...] = (None, 7, [], {"query": "{"}, {"query": "{ nope }"})
    for body in bodies:
        harvest.ask(body, authorization, **headers)
    with connected(harvest.url) as connection:  # hangs up in the middle of a body
        connection.sendall(head(f"authorization: {authorization}", "content-length: 100") + b"{")
    with connected(harvest.url) as connection:  # and in the middle of a head
        connection.sendall(f"POST /graphql HTTP/1.1\r\nauthorization: {authorization}".encode())
    with connected(harvest.url) as connection:  # a head that the parser refuses
        connection.sendall(f"POST / HTTP/9\r\nauthorization: {authorization}\r\n\r\n".encode())
        connection.recv(4096)
    for path in ("/metrics", "/healthz", "/readyz", f"/graphql?query={authorization}", "/nowhere"):
        harvest.fetch(path)


def _spellings(*secrets: str) -> list[str]:
    """Return secrets as they could be written: plain, in Base64, and their unsalted hashes."""
    found = []
    for secret in secrets:
        found += [secret, base64.b64encode(secret.encode()).decode().rstrip("=")]
        found += [hashlib.md5(secret.encode()).hexdigest()]  # noqa: S324 - to look for, not to use
    return found


def _written(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def _basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def _assert_secret(harvest: Harvest, folder: Path, secrets: list[str]) -> None:
    assert len(harvest.answers) > len(FAULTS) * len(OPERATIONS)
    assert 500 not in harvest.statuses
    for secret in secrets:
        assert secret not in harvest
        for file, content in _written(folder).items():
            assert secret.encode() not in content, f"{secret[:4]}… in {file}"


@pytest.fixture
def account(sandbox: RunningSandbox) -> SandboxAccount:
    return sandbox.create_account(role="secretive", owned=3)


def test_clients_credentials_are_in_nothing_that_is_written_or_answered(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    secret, key = account.auth_token, account.api_key
    with recorded(tmp_path, sandbox, auth="pass-through", breaker_failures="1000") as url:
        harvest = Harvest(url)
        _fail_in_every_way(harvest, sandbox, _basic(account.sid, secret))
        of_key = _basic(key["sid"], key["secret"])
        harvest.ask({"query": OPERATIONS[0]}, of_key, x_account_sid=account.sid)
        harvest.ask({"query": OPERATIONS[0]}, of_key)
        harvest.ask({"query": OPERATIONS[0]}, _basic(account.sid, "not-the-secret-of-anybody"))
        harvest.ask({"query": OPERATIONS[0]}, "Basic not-even-base64-at-all")
    guesses = ("not-the-secret-of-anybody", "not-even-base64-at-all")
    basics = [_basic(account.sid, secret)[6:], of_key[6:]]
    _assert_secret(harvest, tmp_path, [*_spellings(secret, key["secret"], *guesses), *basics])


def test_the_operators_credentials_and_tokens_are_in_nothing_that_is_written_or_answered(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path
) -> None:
    mode = {
        **TOKENS_MODE,
        "account_sid": account.sid,
        "auth_token": account.auth_token,
        "breaker_failures": "1000",
    }
    bearers = [
        token(account.sid, marker="the-good-one"),
        token(account.sid, exp=int(time.time()) - 1000),
        token(account.sid, key="another-secret-that-is-long-enough-too"),
        token(account.sid, scope=""),
        token(),
    ]
    with recorded(tmp_path, sandbox, **mode) as url:
        harvest = Harvest(url)
        _fail_in_every_way(harvest, sandbox, f"Bearer {bearers[0]}")
        for bearer in bearers:
            harvest.ask({"query": OPERATIONS[0]}, f"Bearer {bearer}")
    parts = [piece for bearer in bearers for piece in bearer.split(".")[1:]]
    _assert_secret(harvest, tmp_path, [*_spellings(account.auth_token, SECRET), *parts])


LISTED = "{ phoneNumbers(first: 1) { edges { cursor } } }"


def _echoes(user: str, secret: str) -> list[str]:
    """Return what an upstream may say that repeats credentials, whole or in part."""
    pair = f"{user}:{secret}"
    basic = base64.b64encode(pair.encode()).decode()
    escaped = "".join(f"%{ord(each):02X}" for each in secret)
    return [
        f"Not accepted: Authorization: Basic {basic}",
        f"Not accepted: {basic[20:]}",
        f"Inner {base64.urlsafe_b64encode(b'Authorization: Basic ' + basic.encode()).decode()}",
        f"No such token: {secret.upper()}",
        f"{'x' * 272}{secret}",  # of which 28 characters stand before the 300th
        f"The token {secret[:14]} … {secret[14:]} is not known",
        f"{'-'.join(secret[i : i + 4] for i in range(0, len(secret), 4))} is not known",
        f"GET https://{user}:{quote(secret)}@inner/ and ?token={escaped}",
        f"{secret.encode().hex()} {json.dumps(secret)[1:-1]}",
        "".join(f"\\u{ord(each):04x}" for each in secret),
        "".join(f"&#{ord(each)};" for each in secret),
        "".join(f"\\{ord(each):03o}" for each in secret),
        "".join(chr(0xFEE0 + ord(each)) for each in secret),  # full-width letters
    ]


def _pieces(user: str, secret: str) -> list[str]:
    """Return all pieces of eight characters of a secret, plain and as HTTP Basic has them."""
    forms = [secret, secret.encode().hex(), base64.b64encode(f"{user}:{secret}".encode()).decode()]
    # The user name is no secret: what encodes only that may show.
    forms[2] = forms[2][-len(secret) :]
    return [form[at : at + 8] for form in forms for at in range(len(form) - 7)]


@pytest.mark.parametrize("production", ["true", "false"])
def test_what_the_upstream_repeats_of_credentials_is_in_nothing(
    sandbox: RunningSandbox, account: SandboxAccount, tmp_path: Path, production: str
) -> None:
    user, secret = account.auth
    mode = {"auth": "pass-through", "breaker_failures": "1000", "production": production}
    mode |= {
        "requests_per_minute": "0",
        "purchases_per_day": "0",
        "explain": "true",
        "attempts": "1",
    }
    with recorded(tmp_path, sandbox, **mode) as url:
        harvest = Harvest(url)
        kinds = cycle(((400, 21404), (401, 20003), (400, None), (503, None), (500, 20500)))
        for echo, (status, code) in zip(_echoes(user, secret), kinds, strict=False):
            body = {"code": code, "message": echo, "more_info": echo, "detail": echo}
            fault = {"kind": "status", "status": status, "body": body, "count": None}
            sandbox.set_faults([fault])
            for operation in (OPERATIONS[0], OPERATIONS[3]):
                sent = {"query": operation}
                harvest.ask(sent, _basic(user, secret), x_gateway_explain="trace")
    sandbox.clear_faults()
    written = "".join(text.decode("utf-8", "replace") for text in _written(tmp_path).values())
    for piece in _pieces(user, secret):
        for text in (*harvest.answers, written):
            assert piece.lower() not in text.lower()
    # What it says besides is told where it is the upstream's own.
    assert any("is not known" in answer for answer in harvest.answers)


@pytest.fixture(scope="module")
def caching(shared_sandbox: RunningSandbox) -> Iterator[RunningGateway]:
    """A gateway that keeps answers for a minute."""
    with running_gateway(shared_sandbox, cache_owned=60) as gateway:
        yield gateway


@pytest.mark.parametrize("spelling", ["{secret}", "Basic%20{basic}", "{hex}", "{pieces}"])
@pytest.mark.parametrize("catalog", [True, False])
def test_no_cursor_carries_credentials_that_a_reference_to_the_next_page_repeats(
    caching: RunningGateway, sandbox: RunningSandbox, catalog: bool, spelling: str
) -> None:
    account = sandbox.create_account(owned=2, catalog=catalog)
    user, secret = account.auth
    echo = spelling.format(
        secret=secret,
        basic=base64.b64encode(f"{user}:{secret}".encode()).decode(),
        hex=secret.encode().hex(),
        pieces="-".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    )
    # Only core knows `beta`; its lists by anything go on by the upstream's own reference.
    asked = (
        LISTED
        if catalog
        else LISTED.replace("first", "filter: { lifecycle: GENERALLY_AVAILABLE }, first")
    )
    number = {"sid": "PN" + "1" * 32, "account_sid": user, "phone_number": "+12125550101"}
    reference = f"/x?PageSize=1&Page=1&PageToken={echo}"
    body = {
        "items": [number],
        "meta": {"key": "items", "next_page_url": reference},
        "incoming_phone_numbers": [number],
        "next_page_uri": reference,
    }
    if catalog:
        del body["incoming_phone_numbers"], body["next_page_uri"]
    fault = {"kind": "wrong-shape", "status": 200, "body": body, "count": None}
    sandbox.set_faults([fault | {"account": user}])
    # The second time the answer is a kept one.
    errors = [caching.error(asked, account=account) for _ in range(2)]
    sandbox.clear_faults()
    told = {error["message"] for error in errors}
    assert told == {"The upstream's reference to its next page repeats credentials."}


@pytest.mark.parametrize("production", [True, False])
def test_in_production_only_the_log_has_what_something_between_says(
    sandbox: RunningSandbox, production: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    account = sandbox.create_account(owned=1)
    inner = {"message": "no route to http://admin:hunter2@10.9.8.7:8080", "more_info": "10.9.8.7"}
    with running_gateway(sandbox, account=account, production=production, attempts=1) as gateway:
        for status in (400, 403, 500):
            for code in (None, 7, "20003", True):
                body = inner | {"code": code}
                sandbox.set_faults([{"kind": "status", "status": status, "body": body}])
                error = gateway.error(OPERATIONS[2], account=account)
                assert ("10.9.8.7" in json.dumps(error)) is not production
                assert "hunter2" not in json.dumps(error)
        own = {"code": 20003, "message": "Said by 10.9.8.7"}
        sandbox.set_faults([{"kind": "status", "status": 401, "body": own}])
        assert gateway.error(OPERATIONS[2], account=account)["message"] == "Said by 10.9.8.7"
    sandbox.clear_faults()
    logged = "".join(capfd.readouterr())
    assert ("10.9.8.7" in logged) is production
    assert "hunter2" not in logged


def test_a_run_that_would_leak_is_caught(tmp_path: Path) -> None:
    """The check itself must be able to fail."""
    (tmp_path / "log").write_text("authorization=Basic c2VjcmV0", encoding="utf-8")
    harvest = Harvest("http://127.0.0.1:9")
    harvest.answers = ["fine"] * 1000
    with pytest.raises(AssertionError, match="log"):
        _assert_secret(harvest, tmp_path, _spellings("secret"))


_CREDENTIAL = Credential("AC" + "0" * 32, "the-secret-itself", "AC" + "0" * 32)


def _settings() -> Settings:
    secrets = {"auth_token": "the-secret-itself", "token_secret": "the-secret-itself"}
    chosen: dict[str, Any] = {"account_sid": "AC" + "0" * 32} | secrets
    return bare_settings(**chosen)


@pytest.mark.parametrize(
    "thing",
    [
        _CREDENTIAL,
        Caller(_CREDENTIAL, "somebody"),
        _settings(),
        own_credential(_settings().pick(OwnAccount)),
        PassThrough(),
    ],
    ids=["credential", "caller", "settings", "own-credential", "authenticator"],
)
def test_no_repr_shows_a_secret(thing: object) -> None:
    for text in (repr(thing), str(thing), f"{thing}", f"{[thing]}"):
        assert "the-secret-itself" not in text


def test_no_name_of_a_credential_shows_its_secret() -> None:
    """Fingerprints are keys of caches and limits, shared with other machines."""
    fingerprint = _CREDENTIAL.fingerprint
    assert "the-secret-itself" not in fingerprint
    assert hashlib.sha256(b"the-secret-itself").hexdigest()[:32] != fingerprint
    other = Credential(_CREDENTIAL.username, "another-secret", _CREDENTIAL.account)
    assert other.fingerprint != fingerprint


def test_settings_that_are_wrong_do_not_show_their_values() -> None:
    wrong: dict[str, Any] = {"auth_token": ["the-secret-itself"], "auth": "no"}
    with pytest.raises(SettingsUnusable, match="auth") as caught:
        bare_settings(**wrong)
    assert "the-secret-itself" not in "".join(traceback.format_exception(caught.value))
