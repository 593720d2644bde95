"""What is written to standard error: events with fields, and no secrets."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support import loopback
from tests.support.gateway_in_thread import running_gateway
from tests.support.gateway_process import before, served
from tests.support.sandbox_in_thread import RunningSandbox

_FORM = "from gateway.observability.logs import configure; import structlog, logging; configure('info', {form!r});"


def written(form: str | None, code: str) -> str:
    """Run `code` in a process whose logs are configured, and return its standard error."""
    command = [sys.executable, "-c", _FORM.format(form=form) + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == ""
    return done.stderr


def test_away_from_a_terminal_every_line_is_a_json_object() -> None:
    text = written(
        None,
        "structlog.get_logger().info('bought', number='+1')\n"
        "logging.getLogger('some.library').warning('careful: %s', 'hot')\n"
        "structlog.get_logger().debug('too fine')\n"
        "try: secret = 'hunter2'; 1 / 0\n"
        "except ZeroDivisionError: structlog.get_logger().exception('failed')\n",
    )
    bought, careful, failed = map(json.loads, text.splitlines())
    assert bought["event"] == "bought"
    assert bought["number"] == "+1"
    assert bought["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", bought["timestamp"])
    assert careful["event"] == "careful: hot"
    assert careful["logger"] == "some.library"
    assert "ZeroDivisionError" in failed["exception"]
    assert "hunter2" not in failed["exception"].replace("secret = 'hunter2'; 1 / 0", "")


def test_for_a_terminal_lines_are_for_reading() -> None:
    text = written("terminal", "structlog.get_logger().info('bought', number='+1')")
    assert "\x1b" not in text, "no colours in a file"
    assert re.search(r"\[info +\] bought +number=\+1$", text.strip())


def serve(
    sandbox: RunningSandbox, folder: Path, *queries: dict[str, Any], **variables: str
) -> tuple[str, str]:
    """Run `serve`, ask it `queries` as the parent account; return answers' ids and the log."""
    parent = sandbox.accounts()["parent"]
    with served(folder=folder, **before(sandbox), **variables) as (url, _):
        ids = [
            loopback.post(f"{url}/graphql", json=query, auth=parent.auth).headers["x-request-id"]
            for query in queries
        ]
    return " ".join(ids), (folder / "log").read_text()


def test_each_request_is_a_line_that_says_who_asked_what_and_what_it_cost(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    query = "query Mine { phoneNumbers(first: 2) { nodes { sid } } }"
    request_id, log = serve(sandbox, tmp_path, {"query": query}, GATEWAY_LOG_REQUESTS="all")
    (line,) = [json.loads(each) for each in log.splitlines()]
    parent = sandbox.accounts()["parent"]
    assert line["event"] == "request"
    assert line["request_id"] == request_id
    assert (line["operation"], line["kind"], line["outcome"]) == ("Mine", "query", "ok")
    assert re.fullmatch(r"[0-9a-f]{16}", line["document"])
    assert line["principal"] == parent.sid
    # The second finds out whether the account has the catalog.
    assert line["upstream_calls"] in {1, 2}
    assert line["ms"] > 0
    assert parent.auth_token not in log
    assert base64.b64encode(":".join(parent.auth).encode()).decode() not in log


def test_a_request_is_logged_with_how_many_of_its_reads_were_sent_twice(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    search = '{ availablePhoneNumbers(country: "US", first: 1) { nodes { phoneNumber } } }'
    sandbox.set_faults([{"kind": "held", "path": "*AvailablePhoneNumbers*"}])
    _, log = serve(
        sandbox,
        tmp_path,
        {"query": "{ phoneNumbers(first: 2) { nodes { sid } } }"},
        {"query": search},
        GATEWAY_LOG_REQUESTS="all",
        GATEWAY_HEDGE_AFTER="0.05",
        GATEWAY_HEDGE_SHARE="1",
    )
    line = json.loads(log.splitlines()[-1])
    assert (line["upstream_calls"], line["hedged_calls"]) == (2, 1)


def test_a_request_is_logged_with_the_address_of_its_client(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    settings = before(sandbox) | {"GATEWAY_TRUSTED_PROXIES": "127.0.0.1,fd00::/8"}
    with served(folder=tmp_path, **settings) as (url, _):
        bad = {"query": "query Wrong { nothing }"}
        for said in (
            {},
            {"x-forwarded-for": "198.51.100.1, 203.0.113.7, fd00::5"},
            {"forwarded": 'for=198.51.100.1, for="[2001:db8::1]:4711"'},
        ):
            auth = sandbox.accounts()["parent"].auth
            loopback.post(f"{url}/graphql", json=bad, auth=auth, headers=said)
        # What is refused before anything is read of it, too.
        by_page = {"x-forwarded-for": "203.0.113.9"}
        refused = loopback.get(f"{url}/graphql?query={{x}}", headers=by_page)
        assert refused.json()["errors"][0]["extensions"]["code"] == "CSRF_PREVENTED"
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    clients = [line["client"] for line in lines if line["event"] == "request"]
    assert clients == ["127.0.0.1", "203.0.113.7", "2001:db8::1", "203.0.113.9"]


def test_what_fails_in_a_late_part_of_an_answer_counts(sandbox: RunningSandbox) -> None:
    sandbox.set_faults([{"kind": "status", "status": 400, "path": "*Available*", "count": 9}])
    similar = "similarAvailable(within: LATA, first: 1) { nodes { phoneNumber } }"
    query = (
        f"query Late {{ phoneNumbers(first: 1) {{ nodes {{ sid ... @defer {{ {similar} }} }} }} }}"
    )
    with (
        capture_logs() as lines,
        running_gateway(sandbox, log_requests="all") as gateway,
    ):
        gateway.post({"query": query}, headers={"accept": "multipart/mixed"})
    outcomes = [each["outcome"] for each in lines if each["event"] == "request"]
    assert outcomes == ["partial"]


def test_by_default_only_requests_that_failed_are_lines(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    good = {"query": "query Mine { phoneNumbers(first: 2) { nodes { sid } } }"}
    bad = {"query": "query Wrong { nothing }"}
    ids, log = serve(sandbox, tmp_path, good, bad)
    (line,) = [json.loads(each) for each in log.splitlines()]
    assert line["outcome"] == "GRAPHQL_VALIDATION_FAILED"
    assert line["level"] == "warning"
    assert line["request_id"] == ids.split()[1]
    (silent := tmp_path / "silent").mkdir()
    assert serve(sandbox, silent, good, bad, GATEWAY_LOG_REQUESTS="none")[1] == ""


@pytest.mark.both_adaptors
def test_what_is_asked_without_an_operation_is_no_failure(
    sandbox: RunningSandbox, adaptor: str
) -> None:
    page = "https://app.example"
    changes = {"query": "subscription { phoneNumberChanged { kind } }"}
    with (
        capture_logs() as lines,
        running_gateway(
            sandbox, adaptor=adaptor, log_requests="all", cors_origins=(page,)
        ) as gateway,
    ):
        asked = {"Origin": page, "Access-Control-Request-Method": "POST"}
        url = f"{gateway.url}/graphql"
        assert gateway.http.options(url, headers=asked).status_code == 204
        stream = {"Accept": "text/event-stream", "Apollo-Require-Preflight": "1"}
        for parameters, status in ((changes, 200), ({}, 400)):
            answer = gateway.http.head(
                url, params=parameters, headers=stream, auth=gateway.account.auth
            )
            assert answer.status_code == status
    told = [(each["log_level"], each["outcome"]) for each in lines if each["event"] == "request"]
    assert told == [("info", "ok"), ("info", "ok"), ("warning", "HTTP_400")]


@pytest.mark.both_adaptors
def test_what_is_refused_as_a_whole_is_told_by_its_code_whatever_its_status(
    sandbox: RunningSandbox, adaptor: str
) -> None:
    unknown = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    dear = {
        "query": "{ phoneNumbers(first: 1000) { nodes { similarAvailable(within: REGION) { nodes { type } } } } }"
    }
    with (
        capture_logs() as lines,
        running_gateway(sandbox, adaptor=adaptor, log_requests="all", batch_limit=2) as gateway,
    ):
        for body in (unknown, dear, [unknown, unknown]):
            assert gateway.post(body).status_code == 200
        wrong = {"query": "{ account { sid } }"}
        assert gateway.post(wrong, headers={"X-Account-Sid": "AC"}).status_code == 200
    told = [(each["log_level"], each["outcome"]) for each in lines if each["event"] == "request"]
    assert told == [
        ("warning", "PERSISTED_QUERY_NOT_FOUND"),
        ("warning", "LIMIT_EXCEEDED"),
        ("warning", "PERSISTED_QUERY_NOT_FOUND"),
        ("warning", "BAD_USER_INPUT"),
    ]


def test_a_plan_is_not_a_failure(sandbox: RunningSandbox, tmp_path: Path) -> None:
    plan = {"query": "query Mine { countries { code } }", "extensions": {"explain": "plan"}}
    _, log = serve(sandbox, tmp_path, plan, GATEWAY_LOG_REQUESTS="all")
    (line,) = [json.loads(each) for each in log.splitlines()]
    assert (line["operation"], line["outcome"], line["upstream_calls"]) == ("Mine", "ok", 0)


STEERING = (
    "'\\x1b[2J\\x9b31m\\x7f\\r\\u202egnp.exe\\u2028\\n2026-01-01T00:00:00Z [info] all is well'"
)


@pytest.mark.parametrize("form", ["terminal", "json"])
def test_what_clients_and_upstreams_wrote_is_neither_a_line_nor_a_command(form: str) -> None:
    text = written(
        form,
        f"text = {STEERING}\n"
        "structlog.get_logger().info('refused', operation=text, several=[text])\n"
        "structlog.get_logger().info(text)\n"
        "logging.getLogger('some.library').warning('careful: %s', text)\n"
        "try: raise ValueError(text)\n"
        "except ValueError: structlog.get_logger().exception('failed')\n"
        "try: raise ValueError(text)\n"
        "except ValueError: logging.getLogger('some.library').exception('failed: %s', text)\n"
        "structlog.get_logger().info('half', operation='\\ud800')\n",
    )
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
    assert not re.search(r"^2026-01-01T00:00:00Z \[info\] all is well", text, re.MULTILINE)
    assert r"\u202egnp.exe" in text
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert len(lines) == 6
        assert lines[0]["operation"] == lines[1]["event"] == eval(STEERING)  # noqa: S307 - ours
