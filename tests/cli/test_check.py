"""`number-gateway check` names what is unsafe, and says what the credentials can do."""

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from gateway.cli.safety_checks import Finding, findings, report
from gateway.settings.model import Settings
from gateway.storage.store import Condition
from gateway.storage.store_advice import advice_on
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import running_gateway
from tests.support.gateway_process import started
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.tokens import TOKENS_MODE
from tests.support.valkey_process import valkey_server
from tests.support.waiting import PATIENCE

_SAFE: dict[str, Any] = {
    "production": True,
    **TOKENS_MODE,
    "account_sid": "AC" + "0" * 32,
    "api_key_sid": "SK" + "0" * 32,
    "auth_token": "a secret",
    "webhook_hosts": ("hooks.example.com",),
}


def _settings(**chosen: Any) -> Settings:
    return bare_settings(**(_SAFE | chosen))


def _of(settings: Settings, name: str) -> list[Finding]:
    return [each for each in findings(settings) if each.setting == name]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a .env of the developer's."""
    monkeypatch.chdir(tmp_path)


def test_safe_settings_are_found_safe() -> None:
    assert findings(_settings()) == []


@pytest.mark.parametrize(
    ("chosen", "severity", "name"),
    [
        ({"auth": None}, "danger", "auth"),
        ({"auth": "open"}, "danger", "auth"),
        ({"auth": "open", "production": False, "host": "0.0.0.0"}, "danger", "auth"),  # noqa: S104
        ({"production": False}, "warning", "production"),
        ({"token_secret": "short"}, "danger", "auth"),
        (
            {"token_algorithm": "RS256", "token_keys": "http://keys.example/jwks"},
            "danger",
            "token_keys",
        ),
        ({"token_leeway": 300}, "warning", "token_leeway"),
        ({"account_sid": "SK" + "0" * 32}, "danger", "account_sid"),
        ({"account_sid": "AC" + "0" * 31}, "danger", "account_sid"),
        ({"api_key_sid": "AC" + "0" * 32}, "danger", "api_key_sid"),
        ({"core_url": "http://api.example.com"}, "danger", "core_url"),
        ({"catalog_url": "http://10.0.0.1:8010"}, "danger", "catalog_url"),
        ({"api_key_sid": None}, "warning", "api_key_sid"),
        ({"cors_origins": ("*",)}, "danger", "cors_origins"),
        ({"cors_origins": ("null",)}, "danger", "cors_origins"),
        ({"cors_origins": ("http://app.example",)}, "warning", "cors_origins"),
        ({"csrf_prevention": False}, "danger", "csrf_prevention"),
        ({"introspection": True}, "warning", "introspection"),
        ({"explain": True}, "warning", "explain"),
        ({"requests_per_minute": 0}, "warning", "requests_per_minute"),
        ({"purchases_per_day": 0}, "warning", "purchases_per_day"),
        ({"webhook_private": True}, "warning", "webhook_private"),
        ({"webhook_hosts": ()}, "warning", "webhook_hosts"),
        ({"cost_limit": 10**6}, "warning", "cost_limit"),
        ({"depth_limit": 100}, "warning", "depth_limit"),
        ({"token_limit": 10**6}, "warning", "token_limit"),
        ({"alias_limit": 10**4}, "warning", "alias_limit"),
        ({"document_limit": 10**7}, "warning", "document_limit"),
        ({"body_limit": 10**9}, "warning", "body_limit"),
        ({"directive_limit": 1000}, "warning", "directive_limit"),
        ({"root_field_limit": 1000}, "warning", "root_field_limit"),
        ({"header_limit": 10**5}, "warning", "header_limit"),
        ({"header_bytes_limit": 10**7}, "warning", "header_bytes_limit"),
        ({"batch_limit": 100}, "warning", "batch_limit"),
        ({"connection_limit": 10**6}, "warning", "connection_limit"),
        ({"socket_operations": 10**4}, "warning", "socket_operations"),
        ({"header_timeout": 3600}, "warning", "header_timeout"),
        ({"body_timeout": 3600}, "warning", "body_timeout"),
        ({"write_timeout": 3600}, "warning", "write_timeout"),
        ({"send_timeout": 3600}, "warning", "send_timeout"),
        ({"socket_init_wait": 3600}, "warning", "socket_init_wait"),
        ({"request_deadline": 3600}, "warning", "request_deadline"),
        ({"keep_alive_timeout": 3600}, "warning", "keep_alive_timeout"),
        ({"metrics": True, "host": "0.0.0.0"}, "warning", "metrics"),  # noqa: S104
        ({"store_url": "redis://:secret@redis.example"}, "warning", "store_url"),
        ({"store_url": "rediss://redis.example"}, "warning", "store_url"),
        ({"workers": 4}, "warning", "store_url"),
        ({"workers": 2}, "warning", "store_url"),
        ({"trusted_documents_only": True}, "danger", "trusted_documents"),
        ({"trusted_documents": "nowhere.json"}, "danger", "trusted_documents"),
    ],
)
def test_each_unsafe_setting_is_named(chosen: dict[str, Any], severity: str, name: str) -> None:
    assert [each.severity for each in _of(_settings(**chosen), name)][:1] == [severity]
    assert _of(_settings(), name) == []


def test_what_is_on_this_machine_needs_no_encryption() -> None:
    here = {"core_url": "http://127.0.0.1:8010", "catalog_url": "http://localhost:8010"}
    assert findings(_settings(**here)) == []


def test_a_store_on_this_machine_or_with_encryption_and_password_is_safe() -> None:
    for url in (
        "redis://127.0.0.1:6379/0",
        "valkey://localhost",
        "unix:///run/redis.sock",
        "rediss://:a%20secret@redis.example:6380/0",
        "valkeys://user:secret@10.0.0.7",
    ):
        assert findings(_settings(store_url=url, workers=4)) == []
    assert len(_of(_settings(store_url="redis://redis.example"), "store_url")) == 2


def test_metrics_for_this_machine_alone_are_safe() -> None:
    assert findings(_settings(metrics=True)) == []


def test_all_that_keeps_tokens_from_being_checked_is_named() -> None:
    nothing = {"token_issuer": None, "token_secret": "short", "account_sid": None}
    said = " ".join(each.message for each in _of(_settings(**nothing), "auth"))
    for name in ("token_issuer", "token_secret", "account_sid"):
        assert name in said


def test_secrets_in_a_settings_file_that_others_can_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "number-gateway.toml"
    file.write_text('auth_token = "a secret"\nport = 8001\n', encoding="utf-8")
    file.chmod(0o600)
    assert findings(_settings()) == []
    file.chmod(0o640)
    [named] = findings(_settings())
    assert (named.severity, named.setting) == ("warning", "auth_token")
    assert "number-gateway.toml" in named.message
    assert "a secret" not in named.message
    other = tmp_path / "other.toml"
    other.write_text('token_secret = "x"\nstore_url = "redis://127.0.0.1"\n', encoding="utf-8")
    other.chmod(0o644)
    named_twice = {each.setting for each in findings(_settings(config=other))}
    assert named_twice == {"token_secret", "store_url"}
    file.write_text("port = 8001\n", encoding="utf-8")
    assert findings(_settings()) == []


def test_an_env_file_that_others_can_read_is_named(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.touch(mode=0o600)
    assert _of(_settings(), "auth_token") == []
    env.chmod(0o644)
    assert [each.severity for each in _of(_settings(), "auth_token")] == ["warning"]


def _report(sandbox: RunningSandbox, **chosen: Any) -> tuple[int, str]:
    lines: list[str] = []
    urls = {"core_url": sandbox.url, "catalog_url": sandbox.url}
    status = report(_settings(**urls, **chosen), lines.append)
    return status, "".join(lines)


def test_the_upstream_is_asked_what_the_credentials_can_do(sandbox: RunningSandbox) -> None:
    parent = sandbox.accounts()["parent"]
    own = {"api_key_sid": None, "auth_token": parent.auth_token}
    status, said = _report(sandbox, account_sid=parent.sid, **own)
    assert status == 0, said
    assert "ok       read the account: ACTIVE, FULL, 2 subaccounts" in said
    assert "ok       read its numbers: by the catalog family" in said
    assert "ok       search numbers: in " in said
    assert "ok       act on a subaccount: by the core family" in said
    assert {each["method"] for each in sandbox.requests()} == {"GET"}
    assert parent.auth_token not in said


@pytest.mark.parametrize("kind", ["api_key", "main_api_key"])
def test_what_an_api_key_cannot_do_is_found_out_by_asking(
    sandbox: RunningSandbox, kind: str
) -> None:
    parent = sandbox.accounts()["parent"]
    key = getattr(parent, kind)
    given = {"api_key_sid": key["sid"], "auth_token": key["secret"]}
    status, said = _report(sandbox, account_sid=parent.sid, **given)
    assert status == 0, said
    assert "ok       nothing is unsafe" in said
    assert "ok       read its numbers: by the catalog family" in said
    if kind == "api_key":
        assert "cannot   read the account: The upstream does not let the API key" in said
        assert "cannot   act on a subaccount: " in said
    else:
        assert "ok       read the account: ACTIVE, FULL, 2 subaccounts" in said
        assert "cannot   act on a subaccount: The upstream does not accept the API key" in said
    assert key["secret"] not in said


def test_a_key_of_another_account_than_the_settings_name_is_a_failure(
    sandbox: RunningSandbox,
) -> None:
    parent, child = sandbox.accounts()["parent"], sandbox.subaccounts()[0]
    given = {"api_key_sid": parent.api_key["sid"], "auth_token": parent.api_key["secret"]}
    status, said = _report(sandbox, account_sid=child.sid, **given)
    assert status == 1
    assert (
        f"failed   read its numbers: The upstream does not accept the API key in use for account {child.sid}"
        in said
    )


def test_credentials_that_do_not_work_are_a_failure(sandbox: RunningSandbox) -> None:
    parent = sandbox.accounts()["parent"]
    status, said = _report(sandbox, account_sid=parent.sid, api_key_sid=None, auth_token="wrong")
    assert status == 1
    assert "failed   read the account" in said
    assert "UPSTREAM_UNAUTHENTICATED" in said
    assert "wrong" not in said


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://nowhere.invalid", r"Errno -?\d+\] (Name or service|Temporary failure|No address)"),
        ("http://127.0.0.1:9", "Errno 111"),
        ("https://127.0.0.1:{port}", "SSL"),
    ],
    ids=["DNS", "refused", "TLS"],
)
def test_why_the_upstream_cannot_be_reached_is_for_operators_alone(
    sandbox: RunningSandbox, capfd: pytest.CaptureFixture[str], url: str, cause: str
) -> None:
    url = url.format(port=urlsplit(sandbox.url).port)
    chosen: dict[str, Any] = {"core_url": url, "catalog_url": url, "attempts": 1}
    parent = sandbox.accounts()["parent"]
    with running_gateway(sandbox, **chosen) as gateway:
        errors = [gateway.error("{ account { sid } }") for _ in range(2)]
    assert [each["message"] for each in errors] == ["The upstream could not be reached."] * 2
    assert not re.search(cause, str(errors))
    logged = capfd.readouterr().out
    assert len(re.findall(f"upstream_unreachable .*{cause}", logged)) == 1
    lines: list[str] = []
    own = {"account_sid": parent.sid, "auth_token": parent.auth_token, "api_key_sid": None}
    assert report(_settings(**chosen, **own), lines.append) == 1
    assert re.search(f"failed   read the account: .*core: .*{cause}", "".join(lines))


def test_an_account_without_the_catalog_uses_the_core_family(sandbox: RunningSandbox) -> None:
    account = sandbox.accounts()["core-only"]
    own = {"account_sid": account.sid, "auth_token": account.auth_token, "api_key_sid": None}
    assert "read its numbers: by the core family" in _report(sandbox, **own)[1]


def test_the_command_prints_one_line_each_and_fails_for_a_danger(tmp_path: Path) -> None:
    with started("check", "--auth", "open", "--production", folder=tmp_path) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    assert "danger   auth: Open mode" in out
    assert "note     no credentials are set" in out
    assert isinstance(process, subprocess.Popen)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "ok       keep records: in .number-gateway"),
        ({"data_dir": "file/below"}, "failed   keep records: "),
        ({"store_url": "redis://127.0.0.1:9"}, "failed   reach the shared store: "),
    ],
)
def test_it_is_tried_whether_what_must_be_remembered_can_be(
    tmp_path: Path, chosen: dict[str, Any], said: str
) -> None:
    (tmp_path / "file").touch()
    lines: list[str] = []
    settings = _settings(account_sid=None, auth="pass-through", **chosen)
    assert report(settings, lines.append) == said.startswith("failed")
    assert said in "".join(lines)
    assert [each.name for each in tmp_path.iterdir()] == ["file"], "it changes nothing"


def test_a_store_that_answers_is_said_to(tmp_path: Path) -> None:
    with valkey_server(tmp_path) as server:
        lines: list[str] = []
        settings = _settings(account_sid=None, auth="pass-through", store_url=server.url)
        assert report(settings, lines.append) == 0
    assert "ok       reach the shared store: it answers" in "".join(lines)


def _said_of_a_store(folder: Path, *options: str, **settings: Any) -> tuple[int, str]:
    with valkey_server(folder, options=options) as server:
        chosen = {"account_sid": None, "auth": "pass-through", "store_url": server.url} | settings
        lines: list[str] = []
        return report(_settings(**chosen), lines.append), "".join(lines)


@pytest.mark.parametrize(
    ("options", "severity", "said"),
    [
        (["--appendonly", "no", "--save", ""], "warning", "writes nothing to disk .* appendonly"),
        (["--appendonly", "no", "--save", "60 1"], "warning", "writes to disk now and then"),
        (
            ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb"],
            "danger",
            r"drops entries .* \(maxmemory-policy allkeys-lru\)",
        ),
        (
            ["--maxmemory-policy", "volatile-ttl", "--maxmemory", "100mb"],
            "danger",
            r"volatile-ttl\)\. Idempotency keys end some day, so they are among",
        ),
        (["--maxmemory-policy", "allkeys-lfu"], "warning", "no limit"),
        (["--replicaof", "127.0.0.1", "1"], "danger", "is a replica"),
    ],
)
def test_a_store_that_may_forget_keys_or_cannot_be_written_is_named(
    tmp_path: Path, options: list[str], severity: str, said: str
) -> None:
    code, text = _said_of_a_store(tmp_path, *options)
    assert re.search(f"^{severity} +store_url: .*{said}", text, re.MULTILINE)
    assert code == (severity == "danger")


def test_a_store_in_good_order_is_described_and_nothing_is_said_against_it(tmp_path: Path) -> None:
    code, text = _said_of_a_store(tmp_path)
    assert code == 0
    assert "store_url" not in text
    assert re.search(r"keeps a log \(always\) on disk, maxmemory-policy noeviction, clock", text)


def test_what_a_store_may_not_be_asked_stays_unknown_and_is_no_failure(tmp_path: Path) -> None:
    with valkey_server(tmp_path) as server, Redis(port=server.port) as admin:
        admin.acl_setuser("default", enabled=True, commands=["-info", "-config"])
        lines: list[str] = []
        settings = _settings(account_sid=None, auth="pass-through", store_url=server.url)
        assert report(settings, lines.append) == 0
    [line] = [each for each in lines if "reach the shared store" in each]
    assert "keeps it does not say what on disk" not in line
    assert "does not say what it keeps on disk, maxmemory-policy unknown" in line


def test_a_store_whose_clock_is_off_is_named() -> None:
    at = Condition("127.0.0.1:6379", persistence="log", eviction="noeviction", ahead=-60.0)
    [advice] = advice_on([at, at._replace(ahead=1.0)])
    assert (advice.about, advice.danger) == ("clock", False)
    assert "60.0 s behind this machine" in advice.message
