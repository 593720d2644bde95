"""Where settings come from, which win, and what is said when they are wrong."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.auth.authentication import OwnAccount, own_credential
from gateway.cli.main import main
from gateway.settings import loading
from gateway.settings.fields import rule_of
from gateway.settings.model import Settings
from tests.support.bare_settings import bare_settings
from tests.support.gateway_process import run
from tests.support.paths import ROOT


def in_force(folder: Path, *arguments: str, **variables: str) -> dict[str, tuple[str, str]]:
    """Return each setting's value and origin, as the command tells them."""
    told = json.loads(run(folder, "settings", "--json", *arguments, variables=variables).stdout)
    return {each["name"]: (each["value"], each["origin"]) for each in told}


def test_every_value_is_shown_with_where_it_came_from(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_ATTEMPTS=4\nGATEWAY_HOST=from-dotenv\nOTHER=x\n")
    (tmp_path / "number-gateway.toml").write_text(
        'host = "from-toml"\nattempts = 5\nconcurrency = 7\naccount_sid = "ACtoml"\n'
    )
    told = in_force(tmp_path, GATEWAY_HOST="from-environment", TWILIO_ACCOUNT_SID="ACtwilio")
    assert told["host"] == ("from-environment", "environment GATEWAY_HOST")
    assert told["attempts"] == ("4", ".env GATEWAY_ATTEMPTS")
    assert told["concurrency"] == ("7", "number-gateway.toml")
    assert told["account_sid"] == ("ACtwilio", "environment TWILIO_ACCOUNT_SID")
    assert told["port"] == ("8000", "default")
    assert list(told) == [field.name for field in fields(Settings)]


def test_what_is_said_of_an_origin_is_what_the_settings_really_do(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('host = "from-file"\n')
    assert in_force(tmp_path, "--config", str(file))["host"] == ("from-file", str(file))
    assert in_force(tmp_path, GATEWAY_CONFIG=str(file))["host"] == ("from-file", str(file))
    (tmp_path / ".env").write_text(f"GATEWAY_CONFIG={file}\n")
    assert in_force(tmp_path)["host"] == ("from-file", str(file))


def test_gateway_variables_win_over_those_of_other_tools(tmp_path: Path) -> None:
    told = in_force(tmp_path, GATEWAY_ACCOUNT_SID="ACours", TWILIO_ACCOUNT_SID="ACtheirs")
    assert told["account_sid"] == ("ACours", "environment GATEWAY_ACCOUNT_SID")


def test_secrets_are_printed_nowhere(tmp_path: Path) -> None:
    secrets = {
        "TWILIO_AUTH_TOKEN": "sekrit-token",
        "GATEWAY_STORE_URL": "redis://:sekrit-password@h",
    }
    for form in ([], ["--json"]):
        done = run(tmp_path, "settings", *form, variables=secrets)
        assert "sekrit" not in done.stdout + done.stderr
        assert "*****" in done.stdout
        if not form:  # What may be long comes last.
            assert re.search(
                r"^auth_token +environment TWILIO_AUTH_TOKEN +\*+$", done.stdout, re.MULTILINE
            )


@pytest.mark.parametrize(
    ("file", "text", "variables", "message"),
    [
        (".env", "", {"GATEWAY_PROT": "sekrit"}, "GATEWAY_PROT is not a setting; did you mean"),
        (".env", "GATEWAY_AUTH_TOKN=sekrit", {}, "did you mean GATEWAY_AUTH_TOKEN?"),
        (".env", "GATEWAY_AUTH_TOKN", {}, "did you mean GATEWAY_AUTH_TOKEN?"),
        ("number-gateway.toml", "hots = 'sekrit'", {}, "hots is not a setting; did you mean host?"),
        (
            "number-gateway.toml",
            "port = 'sekrit'",
            {},
            "port: Input should be a valid integer (number-gateway.toml)",
        ),
        (".env", "", {"TWILIO_AUTH_TOKEN": "sekrit\udce9"}, "auth_token: Input should be text in"),
        ("number-gateway.toml", r'data_dir = "a\u0000"', {}, "data_dir: Input is not a valid path"),
        ("number-gateway.toml", "port = true", {}, "port: Input should be a valid integer"),
        (
            "number-gateway.toml",
            "poll_interval = inf",
            {},
            "poll_interval: Input should be a valid",
        ),
        (".env", "GATEWAY_CACHE_SEARCH=1e999", {}, "cache_search: Input should be a valid number"),
        (".env", "", {"GATEWAY_PORT": "٣"}, "port: Input should be written with the digits 0 to 9"),
        (".env", "", {"GATEWAY_POLL_INTERVAL": "٣"}, "Input should be written with the digits"),
        (".env", "", {"GATEWAY_STORE_URL": "redis://localhost/٣"}, "store_url: it must be a URL"),
        ("number-gateway.toml", "port = ", {}, "cannot be read: number-gateway.toml: "),
        (".env", "", {"GATEWAY_CONFIG": "nowhere.toml"}, "no settings file 'nowhere.toml'"),
        (".env", "", {"GATEWAY_PORT": "70000"}, "to 65535 (environment GATEWAY_PORT)"),
        (".env", "TWILIO_AUTH_TOKEN=x\nGATEWAY_PORT=sekrit", {}, "integer (.env GATEWAY_PORT)"),
        ("number-gateway.toml", "GATEWAY_PORT = 1", {}, "its name there is port"),
        (".env", "GATEWAY_WEBHOOK_HOSTS=['sekrit']", {}, "webhook_hosts: it begins as a JSON list"),
        (".env", "GATEWAY_CORE_URL=sekrit", {}, "core_url: it must be a URL that begins with http"),
        (".env", "GATEWAY_CATALOG_URL=ftp://sekrit", {}, "catalog_url: it must be a URL"),
        (".env", "GATEWAY_SANDBOX_URL=http://[::sekrit", {}, "sandbox_url: it must be a URL"),
        *(
            (".env", "", {"GATEWAY_STORE_URL": url}, "store_url: it must be a URL such as redis://")
            for url in (
                "redis://:sekrit/pass@127.0.0.1:6379",
                "redis://:sekrit#pass@127.0.0.1:6379",
                "http://sekrit",
                "127.0.0.1:6379",
                "redis://:sekrit@",
                "unix://",
                "redis://sek rit",
                "redis://sek|rit",
                "redis+sentinel://host,sek<rit/service",
            )
        ),
        *(
            (".env", "", {"GATEWAY_PROXY": url}, "proxy: it must be a URL such as http://user")
            for url in ("http://sek rit:3128", "http://me:sekrit@host\\x", "sek^rit:3128")
        ),
        *(
            (".env", "", {f"GATEWAY_{name}_URL": url}, f"{name.lower()}_url: it must be a base URL")
            for name in ("CATALOG", "CORE", "PRICING", "REGULATIONS", "SANDBOX")
            for url in (
                "https://sek rit.example",
                "https://host.example/sek rit",
                "https://host.example/sek\nrit",
                "https://user:sekrit@host.example",
                "https://host.example?sekrit=1",
                "https://host.example#sekrit",
                'https://host.example/"sekrit"',
                "https://host.example/{sekrit}",
                "https://host.example/sekrit%2",
                "https://host.example\\sekrit",
                "https://sek|rit.example",
                f"https://{'sekrit' * 20}.example",
            )
        ),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    tmp_path: Path,
    file: str,
    text: str,
    variables: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / file).write_text(text)
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["settings"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert "sekrit" not in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("file", [".env", "number-gateway.toml"])
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"GATEWAY_HOST = '\xff\xfe'")
    done = run(tmp_path, "settings", code=1)
    assert ".env or the TOML file is not UTF-8" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["a.example, *.b.example", '["a.example", "*.b.example"]'])
def test_a_list_is_written_with_commas_or_as_json(tmp_path: Path, text: str) -> None:
    expected = "a.example, *.b.example"
    told = in_force(tmp_path, GATEWAY_WEBHOOK_HOSTS=text)
    assert told["webhook_hosts"] == (expected, "environment GATEWAY_WEBHOOK_HOSTS")
    (tmp_path / ".env").write_text(f"GATEWAY_WEBHOOK_HOSTS='{text}'\n")
    assert in_force(tmp_path)["webhook_hosts"] == (expected, ".env GATEWAY_WEBHOOK_HOSTS")
    (tmp_path / ".env").unlink()
    (tmp_path / "number-gateway.toml").write_text('webhook_hosts = ["a.example", "*.b.example"]\n')
    assert in_force(tmp_path)["webhook_hosts"] == (expected, "number-gateway.toml")


def test_a_name_of_another_tool_may_stand_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "number-gateway.toml").write_text('TWILIO_ACCOUNT_SID = "ACtoml"\n')
    assert in_force(tmp_path)["account_sid"] == ("ACtoml", "number-gateway.toml")


def test_names_in_the_file_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "number-gateway.toml").write_text('PORT = 9000\ntwilio_account_sid = "ACtoml"\n')
    told = in_force(tmp_path)
    assert told["port"] == ("9000", "number-gateway.toml")
    assert told["account_sid"] == ("ACtoml", "number-gateway.toml")


def test_names_that_are_given_may_be_those_of_the_file() -> None:
    settings = bare_settings(PORT=9000, TWILIO_ACCOUNT_SID="ACgiven")
    assert (settings.port, settings.account_sid) == (9000, "ACgiven")
    with pytest.raises(loading.SettingsUnusable, match="prot is not a setting"):
        bare_settings(prot=9000)


def test_a_settings_file_does_not_say_which_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "number-gateway.toml").write_text('port = 9000\nconfig = "nowhere.toml"\n')
    told = in_force(tmp_path)
    assert told["port"] == ("9000", "number-gateway.toml")
    assert told["config"] == ("-", "default")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = true\nhost = 5", "host: Input should be a valid string"),
        ("cors_origins = [1]", "cors_origins: Input should be a list of texts"),
        (
            "log_level = 'sekrit'",
            "log_level: Input should be 'debug', 'info', 'warning' or 'error'",
        ),
        ("backoff_cap = nan", "backoff_cap: Input should be greater than 0"),
        ("metrics = 'sekrit'", "metrics: Input should be a valid boolean"),
        ("retry_budget = 1.5", "retry_budget: Input should be less than or equal to 1"),
        ("workers = 0\ndata_dir = 5", "data_dir: Input is not a valid path"),
        ("workers = 0\ndata_dir = 5", "workers: Input should be greater than or equal to 1"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "number-gateway.toml"
    file.write_text(text)
    with pytest.raises(loading.SettingsUnusable) as caught:
        loading.load({"config": file}, dotenv=None)
    assert message in str(caught.value)
    assert "sekrit" not in str(caught.value)


def test_the_password_in_a_url_is_not_printed(tmp_path: Path) -> None:
    told = in_force(tmp_path, GATEWAY_TOKEN_KEYS="https://me:sekrit/part@keys.example/jwks")
    assert told["token_keys"][0] == "https://*****@keys.example/jwks"


def test_an_api_key_goes_by_the_names_of_other_tools_with_its_own_secret(tmp_path: Path) -> None:
    sid, key = "AC" + "0" * 32, "SK" + "0" * 32
    given = {"account_sid": sid, "auth_token": "token", "api_key_sid": key}
    both = own_credential(bare_settings(**given, api_key_secret="secret").pick(OwnAccount))
    assert both is not None
    assert (both.username, both.secret, both.account) == (key, "secret", sid)
    without = own_credential(bare_settings(**given).pick(OwnAccount))
    assert without is not None
    assert (without.username, without.secret) == (key, "token")
    told = in_force(tmp_path, TWILIO_API_KEY=key, TWILIO_API_SECRET="sekrit")
    assert told["api_key_sid"] == (key, "environment TWILIO_API_KEY")
    assert told["api_key_secret"] == ("**********", "environment TWILIO_API_SECRET")


SOMEBODY = {"GATEWAY_AUTH": "pass-through", "GATEWAY_PORT": "0"}


@pytest.mark.parametrize(
    ("workers", "variables", "message"),
    [
        ("1", {"GATEWAY_TRUSTED_DOCUMENTS_ONLY": "1"}, "trusted_documents_only needs"),
        ("1", {"GATEWAY_TRUSTED_DOCUMENTS": "no.json"}, "no.json cannot be read: No such file"),
        ("2", {"GATEWAY_TRUSTED_DOCUMENTS": ".env"}, ".env is no manifest: it is not JSON"),
        ("1", {"GATEWAY_STORE_URL": "redis://:sekrit@h?db=sekrit"}, "store_url: the server's name"),
        ("2", {"GATEWAY_STORE_URL": "redis://:sekrit@h?sekrit=1"}, "store_url: the server's name"),
    ],
)
def test_what_prevents_a_start_is_said_without_a_traceback(
    tmp_path: Path, workers: str, variables: dict[str, str], message: str
) -> None:
    (tmp_path / ".env").write_text("OTHER=1\n")
    done = run(
        tmp_path, "serve", variables=SOMEBODY | variables | {"GATEWAY_WORKERS": workers}, code=1
    )
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "sekrit" not in done.stderr
    if workers == "1":
        assert done.stderr.count("\n") == 1


def test_serving_refuses_what_printing_refuses(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", variables={"GATEWAY_PROT": "1"}, code=1)
    assert "GATEWAY_PROT is not a setting" in done.stderr


def test_a_bare_name_in_the_environment_is_not_ours(tmp_path: Path) -> None:
    told = in_force(tmp_path, ACCOUNT_SID="ACother", PORT="1")
    assert told["account_sid"][1] == told["port"][1] == "default"


def test_the_page_of_settings_is_current() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == loading.reference(), "number-gateway settings --reference > docs/settings.md"


def test_every_setting_says_what_it_means_in_a_sentence() -> None:
    for field in fields(Settings):
        assert re.fullmatch(r"\S.{10,}\.", rule_of(field).description, re.DOTALL), field.name


def test_a_delay_before_draining_leaves_time_to_drain(tmp_path: Path) -> None:
    times = {"GATEWAY_DRAIN_LIMIT": "10", "GATEWAY_DRAIN_DELAY": "9"}
    done = run(tmp_path, "settings", variables=times, code=1)
    assert "drain_delay: it is part of drain_limit, and must be 2 s less than that" in done.stderr
    run(tmp_path, "settings", variables=times | {"GATEWAY_DRAIN_DELAY": "8"})


def test_the_apis_about_countries_are_where_the_core_family_is_unless_that_is_twilios_own() -> None:
    real = loading.load({}).urls
    local = loading.load({"core_url": "http://127.0.0.1:1"}).urls
    chosen = loading.load(
        {"core_url": "http://127.0.0.1:1", "pricing_url": "http://127.0.0.1:2"}
    ).urls

    assert real["pricing_url"] == "https://pricing.twilio.com"
    assert real["regulations_url"] == "https://numbers.twilio.com"
    assert local["pricing_url"] == local["regulations_url"] == "http://127.0.0.1:1"
    assert chosen["pricing_url"] == "http://127.0.0.1:2"
