"""The commands `schema`, `query` and `export`, run as an operator runs them."""

import asyncio
import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.cli.asking import Gateway
from gateway.cli.progress import Progress
from gateway.cli.reading import read_text
from tests.support.gateway_in_thread import RunningGateway
from tests.support.gateway_process import run, start, started
from tests.support.paths import ROOT
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.waiting import PATIENCE

LIST = """query List($first: Int!, $after: String) {
  phoneNumbers(first: $first, after: $after) {
    nodes { sid phoneNumber configuration { voice { url } } }
    pageInfo { hasNextPage endCursor }
  }
}"""


RENAME = """mutation ($sid: ID!, $name: String!) { configurePhoneNumber(
  input: { sid: $sid, configuration: { friendlyName: $name } }) { reconciled } }"""
# The first connection is not the one that moves on.
OTHER = """query Other($after: String) {
  first: phoneNumbers(first: 1) { nodes { sid } pageInfo { hasNextPage endCursor } }
  other: phoneNumbers(first: 1, after: $after) { nodes { sid } }
}"""


def as_owner(sandbox: RunningSandbox, account: SandboxAccount | None = None) -> dict[str, str]:
    """Return the variables with which a command acts for an account of the sandbox."""
    account = account or sandbox.accounts()["parent"]
    return {
        "TWILIO_ACCOUNT_SID": account.sid,
        "TWILIO_AUTH_TOKEN": account.auth_token,
        "GATEWAY_CATALOG_URL": sandbox.url,
        "GATEWAY_CORE_URL": sandbox.url,
        # A busy machine takes its time for a page of a thousand numbers.
        "GATEWAY_ATTEMPT_TIMEOUT": "100",
        "GATEWAY_CALL_DEADLINE": "110",
        "GATEWAY_REQUEST_DEADLINE": "120",
    }


# schema ---------------------------------------------------------------------------------------------


def test_the_schema_is_printed_as_it_is_kept(tmp_path: Path) -> None:
    assert run(tmp_path, "schema").stdout == (ROOT / "schema" / "schema.graphql").read_text()


def test_a_schema_breaks_nobody_of_its_own(tmp_path: Path) -> None:
    file = str(ROOT / "schema" / "schema.graphql")
    assert run(tmp_path, "schema", "--check", file).stdout == f"No client of {file} breaks.\n"


def test_what_an_older_schema_had_and_this_one_lacks_is_told(tmp_path: Path) -> None:
    current = (ROOT / "schema" / "schema.graphql").read_text()
    (tmp_path / "old.graphql").write_text(
        current.replace("type Query {", "type Query {\n  gone: Int")
    )
    done = run(tmp_path, "schema", "--check", "old.graphql", code=1)
    assert re.search(r"^breaking +.*Query\.gone", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("text", ["type Query {", "type Query { a: Nothing }", "type Query"])
def test_a_file_that_is_no_schema_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "old.graphql").write_text(text)
    done = run(tmp_path, "schema", "--check", "old.graphql", code=2)
    assert "old.graphql is not a schema" in done.stderr
    assert "\\n" not in done.stderr


def test_what_comes_in_another_encoding_than_utf_8_is_not_an_operation(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "query"],
        input=b"{ \xff }",
        capture_output=True,
        cwd=tmp_path,
        env={"LC_ALL": "C"},
        check=False,
    )
    assert done.returncode == 2
    assert b"standard input cannot be read: it is not UTF-8" in done.stderr


# query ----------------------------------------------------------------------------------------------


def test_a_query_needs_no_server_when_the_settings_have_credentials(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    (tmp_path / "list.graphql").write_text(LIST)
    done = run(tmp_path, "query", "list.graphql", "--var", "first=3", variables=as_owner(sandbox))
    assert len(json.loads(done.stdout)["phoneNumbers"]["nodes"]) == 3
    assert done.stderr == ""


@pytest.mark.parametrize("where", ["a gateway that runs", "in its own process"])
def test_a_subscription_is_followed_until_it_is_broken_off(
    gateway: RunningGateway, sandbox: RunningSandbox, tmp_path: Path, where: str
) -> None:
    account = sandbox.create_account(owned=1)
    sid = sandbox.numbers(account.sid)[0]["sid"]
    changes = "subscription { phoneNumberChanged { kind phoneNumber { friendlyName } } }"
    (tmp_path / "changes.graphql").write_text(changes)
    arguments = ["query", "changes.graphql"]
    variables = as_owner(sandbox, account)
    if where == "a gateway that runs":
        arguments += ["--url", f"{gateway.url}/graphql"]
    else:
        variables["GATEWAY_POLL_INTERVAL"] = "0.1"
    with started(*arguments, folder=tmp_path, variables=variables) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == "following; Ctrl+C ends it\n"
        for name in ("One", "Two"):
            if where == "a gateway that runs":
                gateway.query(RENAME, {"sid": sid, "name": name}, account=account)
            else:
                httpx.post(
                    f"{sandbox.url}/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers/{sid}.json",
                    auth=(account.sid, account.auth_token),
                    data={"FriendlyName": name},
                ).raise_for_status()
            assert json.loads(process.stdout.readline()) == {
                "phoneNumberChanged": {
                    "kind": "CONFIGURED",
                    "phoneNumber": {"friendlyName": name},
                }
            }
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read() == ""


def test_an_event_is_one_whatever_ends_lines_in_its_text() -> None:
    """Unicode has ends of lines that are none in a stream of events."""
    event = {"data": {"name": "One\N{LINE SEPARATOR}two\N{NEXT LINE}three"}}
    text = json.dumps(event, ensure_ascii=False).encode()
    content = b": following\n\nevent: next\ndata: " + text + b"\n\nevent: complete\ndata:\n\n"
    kind = {"content-type": "text/event-stream"}
    answers = httpx.MockTransport(lambda _: httpx.Response(200, headers=kind, content=content))
    begun: list[bool] = []

    async def follow() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(transport=answers) as http:
            gateway = Gateway(http, "http://localhost/graphql")
            events = gateway.follow("subscription { a }", {}, None, lambda: begun.append(True))
            return [each async for each in events]

    assert asyncio.run(follow()) == [event]
    assert begun == [True]


def test_a_subscription_that_cannot_be_followed_is_refused(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    sound = "subscription { phoneNumberChanged { kind } }"
    for stdin, options, message in (
        (sound, ["--format", "csv"], "printed as JSON, a line for each event"),
        (sound, ["--all-pages"], "printed as JSON, a line for each event"),
        ("subscription { nothing }", [], "nothing"),
    ):
        done = run(tmp_path, "query", *options, stdin=stdin, variables=as_owner(sandbox), code=2)
        assert (done.stdout, message in done.stderr) == ("", True)


def test_a_query_from_standard_input_asks_a_gateway_that_runs(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    done = run(
        tmp_path,
        "query",
        "--url",
        f"{gateway.url}/graphql",
        stdin="{ account { sid } }",
        variables=as_owner(gateway.sandbox),
    )
    assert json.loads(done.stdout) == {"account": {"sid": gateway.account.sid}}


def test_what_a_gateway_finds_too_large_is_a_wrong_operation(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    deep = "{ phoneNumbers(first: 1000) { nodes { account { subaccounts { nodes { sid } } } } } }"
    asked = ("query", "--url", f"{gateway.url}/graphql")
    done = run(tmp_path, *asked, stdin=deep, variables=as_owner(gateway.sandbox), code=2)
    assert "LIMIT_EXCEEDED" in done.stderr


def test_headers_take_the_place_of_the_credentials(gateway: RunningGateway, tmp_path: Path) -> None:
    arguments = [
        "query",
        "--url",
        f"{gateway.url}/graphql",
        "--header",
        "Authorization: Basic eA==",
    ]
    done = run(
        tmp_path,
        *arguments,
        stdin="{ account { sid } }",
        variables=as_owner(gateway.sandbox),
        code=1,
    )
    assert "user name is neither an account sid nor an API key sid" in done.stderr


def test_all_pages_are_one_answer(sandbox: RunningSandbox, tmp_path: Path) -> None:
    account = sandbox.create_account(owned=23)
    owned = {each["sid"] for each in sandbox.numbers(account.sid)}
    (tmp_path / "variables.json").write_text('{"first": 5}')
    done = run(
        tmp_path,
        "query",
        "--all-pages",
        "--variables",
        "variables.json",
        stdin=LIST,
        variables=as_owner(sandbox, account),
    )
    found = json.loads(done.stdout)["phoneNumbers"]
    assert len(found["nodes"]) == 23
    assert {each["sid"] for each in found["nodes"]} == owned
    assert found["pageInfo"]["hasNextPage"] is False


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ account { sid } }", "needs an operation with a variable $after"),
        ("query ($after: String) { phoneNumbers(after: $after) { nodes { sid } } }", "pageInfo"),
        (OTHER, "does not use $after"),
    ],
)
def test_what_has_no_further_pages_is_not_followed(
    sandbox: RunningSandbox, tmp_path: Path, query: str, message: str
) -> None:
    done = run(
        tmp_path,
        "query",
        "--all-pages",
        stdin=query,
        variables=as_owner(sandbox),
        code=2,
    )
    assert message in done.stderr


def test_whoever_is_to_type_an_operation_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for terminal in (True, False):
        typed = io.TextIOWrapper(io.BytesIO(b"{ account { sid } }"))
        monkeypatch.setattr(typed, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr("sys.stdin", typed)
        assert read_text(None) == "{ account { sid } }"
        assert ("Ctrl-D" in capsys.readouterr().err) is terminal


def test_commands_act_for_no_account_that_is_none(sandbox: RunningSandbox, tmp_path: Path) -> None:
    who = as_owner(sandbox) | {"TWILIO_ACCOUNT_SID": "somebody"}
    done = run(tmp_path, "query", stdin="{ account { sid } }", variables=who, code=1)
    assert "account_sid: It is not the sid of an account" in done.stderr


def test_a_variable_that_json_cannot_say_is_text(sandbox: RunningSandbox, tmp_path: Path) -> None:
    for value in ("NaN", "1e999"):
        done = run(
            tmp_path,
            "query",
            "--var",
            f"first={value}",
            stdin=LIST,
            variables=as_owner(sandbox),
            code=2,
        )
        assert f"'{value}'" in done.stderr


def test_output_that_nobody_reads_to_its_end_is_no_fault(tmp_path: Path) -> None:
    process = start(tmp_path, "settings")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(PATIENCE) == 141


def test_what_limits_clients_does_not_limit_whoever_runs_a_command(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = sandbox.create_account(owned=3)
    (tmp_path / "manifest.json").write_text("{}")
    strict = {
        "GATEWAY_COST_LIMIT": "1",
        "GATEWAY_DEPTH_LIMIT": "1",
        "GATEWAY_TOKEN_LIMIT": "10",
        "GATEWAY_MOST_CALLS": "1",
        "GATEWAY_TRUSTED_DOCUMENTS": "manifest.json",
        "GATEWAY_TRUSTED_DOCUMENTS_ONLY": "true",
    }
    who = as_owner(sandbox, account) | strict
    run(tmp_path, "export", "numbers.jsonl", variables=who)
    assert len((tmp_path / "numbers.jsonl").read_text().splitlines()) == 3
    done = run(tmp_path, "query", "--var", "first=3", stdin=LIST, variables=who)
    assert len(json.loads(done.stdout)["phoneNumbers"]["nodes"]) == 3


def test_a_table_has_a_row_for_each_number(sandbox: RunningSandbox, tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "query",
        "--format",
        "table",
        "--var",
        "first=2",
        stdin=LIST,
        variables=as_owner(sandbox),
    )
    head, rule, *rows = done.stdout.splitlines()
    assert head.split() == ["sid", "phoneNumber", "configuration.voice.url"]
    assert set(rule) == {"-", " "}
    assert [bool(re.match(r"PN[0-9a-f]{32}  \+\d+", row)) for row in rows] == [True, True]


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("{ account { sid } }", 0, ""),
        ("{\n  nothing\n}", 2, "GRAPHQL_VALIDATION_FAILED 2:3: "),
        ("{ ", 2, "GRAPHQL_PARSE_FAILED 1:3: "),
        ("{ phoneNumbers(first: 0) { nodes { sid } } }", 2, "BAD_USER_INPUT phoneNumbers"),
        ("{ account { sid } n: phoneNumbers(first: 0) { nodes { sid } } }", 3, "BAD_USER_INPUT n"),
    ],
)
def test_the_exit_code_tells_how_it_went(
    sandbox: RunningSandbox, tmp_path: Path, query: str, code: int, message: str
) -> None:
    done = run(tmp_path, "query", stdin=query, variables=as_owner(sandbox), code=code)
    assert message in done.stderr


def test_a_failing_upstream_is_exit_code_1_and_a_refusal_is_3(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    who = as_owner(sandbox)
    sandbox.set_faults([{"kind": "status", "status": 500, "count": None}])
    done = run(tmp_path, "query", stdin="{ account { sid } }", variables=who, code=1)
    assert "UPSTREAM_UNAVAILABLE" in done.stderr
    sandbox.clear_faults()
    buy = """mutation { purchasePhoneNumber(input: { phoneNumber: "+15005550000" }) {
      phoneNumber { sid } userErrors { code } } }"""
    done = run(tmp_path, "query", stdin=buy, variables=who, code=3)
    assert json.loads(done.stdout)["purchasePhoneNumber"]["userErrors"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("query", "nowhere.graphql"),
            2,
            "nowhere.graphql cannot be read: No such file or directory\n",
        ),
        (("query", "bytes"), 2, "bytes cannot be read: it is not UTF-8\n"),
        (("query", "--variables", '{"first": 2}'), 2, "--variables names a file with JSON"),
        (
            ("query", "--variables", "no.json"),
            2,
            "no.json cannot be read: No such file or directory\n",
        ),
        (
            ("schema", "--check", "no.graphql"),
            2,
            "no.graphql cannot be read: No such file or directory\n",
        ),
        (("query", "--url", "localhost/graphql"), 2, "--url localhost/graphql cannot be used"),
        (("query", "--var", "x"), 2, "not of the form NAME=VALUE"),
        (("query", "--url", "http://127.0.0.1:9/graphql"), 1, "cannot be reached"),
        (("query", "--url", "http://127.0.0.1:9", "--header", "x"), 2, "not of the form"),
        (
            ("query", "--url", "http://127.0.0.1:9", "--header", "X: é"),
            2,
            "that no header can have",
        ),
        (("query", "--url", "http://[::1"), 2, "--url http://[::1 cannot be used"),
        (("query", "--url", "http://127.0.0.1:9", "--var", "a=\udcff"), 2, "cannot be sent"),
        (("serve", "--numbers", "5"), 2, "--numbers is for --sandbox"),
        (("serve", "--sandbox-port", "5"), 2, "--sandbox-port is for --sandbox"),
        (
            ("serve", "--sandbox", "--host", "192.0.2.1", "--sandbox-port", "0"),
            1,
            "this machine only",
        ),
        (("export", "."), 1, "says neither csv nor jsonl"),
        (("export", "folder.csv"), 1, "folder.csv is a folder"),
        (("query",), 1, "no credentials"),
        (("export", "numbers.txt"), 1, "says neither csv nor jsonl"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff")
    done = run(tmp_path, *arguments, stdin="{ account { sid } }", code=code)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serve", "--port", "٣"), "--port: ٣ is not a port: 0 to 65535\n"),
        (("serve", "--workers", "٣"), "--workers: ٣ is not a whole number\n"),
        (("sandbox", "--numbers", "many"), "--numbers: many is not a whole number\n"),
    ],
)
def test_what_is_no_number_is_refused_behind_the_usage(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = run(tmp_path, *arguments, code=2)
    assert done.stderr.startswith(f"usage: number-gateway {arguments[0]} ")
    assert done.stderr.endswith(message)


@pytest.mark.parametrize("command", ["serve", "sandbox", "query", "export", "schema", "settings"])
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    text = run(tmp_path, command, "--help").stdout
    assert f"usage: number-gateway {command}" in text
    options = re.findall(r"^  (-[^\n]+)$", text, re.MULTILINE)
    assert len(options) > 1
    assert command in run(tmp_path, "--help").stdout


# export ---------------------------------------------------------------------------------------------


def test_an_export_has_every_number_with_everything_known_of_it(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = sandbox.create_account(owned=12)
    who = as_owner(sandbox, account)
    run(tmp_path, "export", "numbers.csv", variables=who)
    run(tmp_path, "export", "numbers.jsonl", variables=who)
    with (tmp_path / "numbers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    objects = [json.loads(line) for line in (tmp_path / "numbers.jsonl").read_text().splitlines()]
    owned = {each["sid"] for each in sandbox.numbers(account.sid)}
    assert {each["sid"] for each in rows} == {each["sid"] for each in objects} == owned
    assert len(rows) == len(objects) == 12
    by_sid = {each["sid"]: each for each in objects}
    for row in rows:
        whole = by_sid[row["sid"]]
        assert row["phoneNumber"] == whole["phoneNumber"]
        assert row["configuration.voice.url"] == (whole["configuration"]["voice"]["url"] or "")
        assert row["capabilities.sms.enabled"] in {"true", "false", ""}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["numbers.csv", "numbers.jsonl"]


@pytest.mark.parametrize(
    # The catalog's pages count places: the page in which the cursor stands is read again, to see
    # whether it still stands there. Core's next page names the number that it begins behind.
    # To go on takes one call more: for the catalog's numbers the page of the account's other API that
    # tells the rest of them, to which the cursor leads; without the catalog one that finds out that
    # there is none.
    ("form", "catalog", "calls_of_a_page"),
    [("csv", True, 2), ("jsonl", False, 1)],
)
def test_an_export_that_was_broken_off_goes_on_where_it_was(
    sandbox: RunningSandbox,
    tmp_path: Path,
    form: str,
    catalog: bool,
    calls_of_a_page: int,
) -> None:
    account = sandbox.create_account(owned=2_300, catalog=catalog)
    # Whether an account has the catalog is asked at once, and answered with 404 where it has not.
    pages = "/Numbers/*" if catalog else "/2010-04-01/*/IncomingPhoneNumbers*"
    who = as_owner(sandbox, account) | {"GATEWAY_ATTEMPTS": "1"}
    out = f"numbers.{form}"
    sandbox.set_faults(
        [
            {
                "kind": "status",
                "status": 500,
                "path": pages,
                "skip": 1 + calls_of_a_page,
                "count": 1,
                "account": account.sid,
            }
        ]
    )
    done = run(tmp_path, "export", out, variables=who, code=1)
    assert "2000 numbers are kept" in done.stderr
    assert not (tmp_path / out).exists()
    # As if it had been killed in the middle of the next page.
    with (tmp_path / f"{out}.part").open("ab") as file:
        file.write(b"half a li")
    sandbox.clear_faults()
    sandbox.forget_requests()
    run(tmp_path, "export", out, variables=who)
    beside = ("/PhoneNumbers/Countries", "/AvailablePhoneNumbers/")  # Prices, and exchanges.
    paths = [each["path"] for each in sandbox.requests()]
    listed = [path for path in paths if not any(each in path for each in beside)]
    assert len(listed) == calls_of_a_page + 1
    text = (tmp_path / out).read_text()
    sids = re.findall(r"PN[0-9a-f]{32}", text)
    assert len(sids) == len(set(sids)) == 2_300
    assert "half a li" not in text
    assert len(text.splitlines()) == 2_300 + (form == "csv")
    assert [each.name for each in tmp_path.iterdir()] == [out]


SECOND_PAGE_FAILS = {"kind": "status", "status": 500, "path": "/Numbers/*", "skip": 1}


def test_a_part_of_something_else_is_not_continued(sandbox: RunningSandbox, tmp_path: Path) -> None:
    account = sandbox.create_account(owned=1_200)
    who = as_owner(sandbox, account) | {"GATEWAY_ATTEMPTS": "1"}
    sandbox.set_faults([SECOND_PAGE_FAILS | {"account": account.sid}])
    run(tmp_path, "export", "n.csv", variables=who, code=1)
    other = ("export", "n.csv", "--account", account.sid)
    assert "--restart" in run(tmp_path, *other, variables=who, code=1).stderr
    run(tmp_path, *other, "--restart", variables=who)
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 1_201


def test_a_part_that_lost_its_end_is_not_continued(sandbox: RunningSandbox, tmp_path: Path) -> None:
    account = sandbox.create_account(owned=1_200)
    who = as_owner(sandbox, account) | {"GATEWAY_ATTEMPTS": "1"}
    sandbox.set_faults([SECOND_PAGE_FAILS | {"account": account.sid}])
    run(tmp_path, "export", "n.csv", variables=who, code=1)
    sandbox.clear_faults()
    with (tmp_path / "n.csv.part").open("r+b") as file:
        file.truncate(100)
    done = run(tmp_path, "export", "n.csv", variables=who, code=1)
    assert "n.csv.part is shorter than" in done.stderr
    assert "--restart" in done.stderr
    run(tmp_path, "export", "n.csv", "--restart", variables=who)
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 1_201


def test_two_exports_do_not_write_one_file(sandbox: RunningSandbox, tmp_path: Path) -> None:
    account = sandbox.create_account(owned=5)
    part = (tmp_path / "n.csv.part").open("w")
    with part:
        fcntl.flock(part, fcntl.LOCK_EX)
        part.write("of the first")
        part.flush()
        for more in ((), ("--restart",)):
            done = run(
                tmp_path, "export", "n.csv", *more, variables=as_owner(sandbox, account), code=1
            )
            assert "another export works on n.csv.part" in done.stderr
        assert (tmp_path / "n.csv.part").read_text() == "of the first"
    run(tmp_path, "export", "n.csv", variables=as_owner(sandbox, account))
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 6


def test_on_a_terminal_progress_is_shown(sandbox: RunningSandbox, tmp_path: Path) -> None:
    account = sandbox.create_account(owned=1_500)
    ours, theirs = pty.openpty()
    process = start(
        tmp_path,
        *("export", "numbers.csv"),
        variables=as_owner(sandbox, account),
        stdout=None,
        stderr=theirs,
    )
    os.close(theirs)
    assert process.wait(PATIENCE) == 0
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert re.search(r"\r\[.*\] 1 page, 1,000 numbers", shown)
    assert re.search(r"\r\[.*\] 2 pages, 1,500 numbers, [\d,]+/s", shown)
    assert "1,500 numbers in numbers.csv" in shown


def test_without_a_terminal_progress_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("gateway.cli.progress.time.monotonic", lambda: now)
    shown = io.StringIO()
    progress = Progress(stream=shown)
    for _ in range(12):
        now += 1
        progress.page(1000)
    progress.end()
    assert shown.getvalue() == (
        "5 pages, 5,000 numbers, 1,000/s\n10 pages, 10,000 numbers, 1,000/s\n"
    )


# cells ----------------------------------------------------------------------------------------------

DOCS = (ROOT / "docs" / "command-line.md").read_text()
# What names of numbers may be: a spreadsheet would run most of these, or break a row at them.
NASTY = [
    '=HYPERLINK("https://example.com/?"&A1, "Front desk")',
    "+14155550100 and more",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "first\n=1+1",
    "\ufeff=1+1",
    '"=1+1',
    "\uff1d1+1",
    "Front desk;=1+1",
    "'=1+1",
    "'quoted'",
    "''",
    "-",
    "plain, with a comma; and a semicolon",
    "a\rb",
    "\\;",
    "\u001b]0;title\u0007 \u009b31m \u202egnp.exe",
    "-122.46",
    "+14155550100",
]


def named_numbers(sandbox: RunningSandbox, *names: str) -> SandboxAccount:
    """Return a new account with a number for each name."""
    account = sandbox.create_account()
    for index, name in enumerate(names):
        changes = {"configuration": {"friendly_name": name}}
        sandbox.put_number(account.sid, f"+1415555{1000 + index}", changes)
    return account


def rows_in(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_a_default_export_runs_nothing_and_reads_back_as_the_docs_say(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    who = as_owner(sandbox, named_numbers(sandbox, *NASTY))
    run(tmp_path, "export", "numbers.csv", variables=who)
    run(tmp_path, "export", "raw.csv", "--raw", variables=who)
    run(tmp_path, "export", "numbers.jsonl", variables=who)
    kept, raw = rows_in(tmp_path / "numbers.csv"), rows_in(tmp_path / "raw.csv")
    reader: dict[str, Any] = {}
    (recipe,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    exec(recipe, reader)  # noqa: S102 - the documented recipe
    assert list(reader["numbers_in"](tmp_path / "numbers.csv")) == raw
    objects = [json.loads(line) for line in (tmp_path / "numbers.jsonl").read_text().splitlines()]
    assert [each["friendlyName"] for each in raw] == [each["friendlyName"] for each in objects]
    assert {each["friendlyName"] for each in raw} == set(NASTY)
    number = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
    for cell in (cell for row in kept for cell in row.values()):
        assert cell[:1] not in {"\t", "\r", "\n"}
        for piece in re.split("[;\t\r\n]", cell):
            run_by = piece.lstrip('\ufeff" ')[:1]
            assert run_by not in set("=+-@\uff1d") or number.fullmatch(piece), cell
    assert [each["phoneNumber"] for each in kept] == [each["phoneNumber"] for each in objects]


def test_lists_are_their_elements(sandbox: RunningSandbox, tmp_path: Path) -> None:
    account = named_numbers(sandbox, "One")
    number = sandbox.numbers(account.sid)[0]["phone_number"]
    voice = {"codecs": ["g711u", "a;=b", None]}
    sandbox.put_number(account.sid, number, {"capabilities": {"voice": voice}})
    who = as_owner(sandbox, account)
    run(tmp_path, "export", "numbers.csv", variables=who)
    assert rows_in(tmp_path / "numbers.csv")[0]["capabilities.voice.codecs"] == "g711u;a\\;'=b"
    query = "{ phoneNumbers { nodes { capabilities { voice { codecs } } } } }"
    done = run(tmp_path, "query", "--format", "csv", stdin=query, variables=who)
    assert done.stdout == "capabilities.voice.codecs\ng711u;a\\;'=b\n"
    done = run(tmp_path, "query", "--format", "csv", "--raw", stdin=query, variables=who)
    assert done.stdout == "capabilities.voice.codecs\ng711u;a\\;=b\n"


@pytest.mark.parametrize("form", ["csv", "table"])
def test_columns_are_what_was_selected_whatever_is_null(
    sandbox: RunningSandbox, tmp_path: Path, form: str
) -> None:
    account = sandbox.create_account(catalog=False, owned=2)
    query = """query ($no: Boolean = false) {
      page: phoneNumbers {
        edges { node { name: friendlyName geography { region } ...More left: sid @include(if: $no) } }
        pageInfo { hasNextPage }
      }
    }
    fragment More on PhoneNumber { capabilities { voice { enabled codecs } } }"""
    arguments = ("query", "--format", form)
    done = run(tmp_path, *arguments, stdin=query, variables=as_owner(sandbox, account))
    head, *lines = done.stdout.splitlines()
    columns = "name,geography.region,capabilities.voice.enabled,capabilities.voice.codecs"
    assert re.split(r",| +", head) == columns.split(",")
    assert len(lines) == 2 + (form == "table")
    empty = sandbox.create_account(catalog=False)
    done = run(tmp_path, *arguments, stdin=query, variables=as_owner(sandbox, empty))
    assert set(columns.split(",")) <= set(re.split(r",| +", done.stdout.splitlines()[0]))


def test_the_table_of_a_mutation_is_what_it_returned(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = named_numbers(sandbox, "Old")
    sid = sandbox.numbers(account.sid)[0]["sid"]
    rename = """mutation ($sid: ID!, $url: URL) {
      configurePhoneNumber(
        input: { sid: $sid, configuration: { friendlyName: "New", voice: { url: $url } } }
      ) { userErrors { message field code } phoneNumber { friendlyName } }
    }"""
    arguments = ("query", "--format", "csv", "--var", f"sid={sid}")
    done = run(tmp_path, *arguments, stdin=rename, variables=as_owner(sandbox, account))
    assert done.stdout == "configurePhoneNumber.phoneNumber.friendlyName\nNew\n"
    gone = ("query", "--format", "csv", "--var", f"sid=PN{'0' * 32}")
    done = run(tmp_path, *gone, stdin=rename, variables=as_owner(sandbox, account), code=3)
    assert re.match(r"NOT_FOUND configurePhoneNumber\.userErrors: .* \(field: \[", done.stderr)


def test_a_part_of_a_search_that_failed_is_told_and_is_exit_code_4(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    search = """query ($after: String) {
      availablePhoneNumbers(
        country: "US", types: [LOCAL, TOLL_FREE], first: 3, after: $after, filter: { contains: "55" }
      ) {
        failed: branchErrors { type code message }
        branchErrors { type code }
        nodes { phoneNumber }
        pageInfo { hasNextPage endCursor }
      }
    }"""
    who = as_owner(sandbox, sandbox.create_account(catalog=False)) | {"GATEWAY_ATTEMPTS": "1"}
    fault = {"kind": "status", "status": 500, "count": None, "path": "*TollFree*"}
    for form in ("json", "csv", "table"):
        sandbox.set_faults([fault])
        done = run(tmp_path, "query", "--format", form, stdin=search, variables=who, code=4)
        sandbox.clear_faults()
        lines = done.stderr.splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("UPSTREAM_UNAVAILABLE availablePhoneNumbers.failed: ")
        assert lines[0].endswith('(type: "TOLL_FREE")')
        assert "branchErrors" not in done.stdout or form == "json"
        assert len(re.findall(r"\+1\d{10}", done.stdout)) == 3
    assert run(tmp_path, "query", stdin=search, variables=who).stderr == ""


# what terminals are told ----------------------------------------------------------------------------

STEERING = "\u001b[2J\u009b31m\u0008\u007f\r\u202egnp.exe\u2028line"


def on_a_terminal(folder: Path, *arguments: str, variables: Mapping[str, str]) -> str:
    """Run `number-gateway` with a terminal for its output and return all that it wrote there."""
    ours, theirs = pty.openpty()
    process = start(
        folder,
        *arguments,
        variables=variables,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # Linux says so when the other side has closed it.
        while piece := os.read(ours, 65_536):
            shown += piece
    os.close(ours)
    process.wait(PATIENCE)
    return shown.decode().replace("\r\n", "\n")


def steers(text: str) -> bool:
    """Return whether a terminal would do more with `text` than show it."""
    return bool(
        re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", text)
    )


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_names_do_not_steer_the_terminal(
    sandbox: RunningSandbox, tmp_path: Path, form: str
) -> None:
    who = as_owner(sandbox, named_numbers(sandbox, STEERING))
    (tmp_path / "names.graphql").write_text("{ phoneNumbers { nodes { friendlyName } } }")
    arguments = ("query", "names.graphql", "--format", form)
    shown = on_a_terminal(tmp_path, *arguments, variables=who)
    assert not steers(shown)
    assert r"\u001b[2J\u009b31m" in shown
    assert r"\u202egnp.exe" in shown
    if form == "json":
        assert json.loads(shown)["phoneNumbers"]["nodes"][0]["friendlyName"] == STEERING


def test_messages_do_not_steer_the_terminal(sandbox: RunningSandbox, tmp_path: Path) -> None:
    account = named_numbers(sandbox, "One")
    message = {"code": 20001, "message": STEERING + "\nnumber-gateway: all is well", "status": 400}
    fault = {"kind": "status", "status": 400, "count": None, "account": account.sid}
    sandbox.set_faults([fault | {"body": json.dumps(message)}])
    who = as_owner(sandbox, account)
    (tmp_path / "names.graphql").write_text("{ phoneNumbers { nodes { friendlyName } } }")
    for arguments in (("query", "names.graphql"), ("export", "numbers.csv"), ("check",)):
        shown = on_a_terminal(tmp_path, *arguments, variables=who)
        assert not steers(shown), arguments
        assert "\nnumber-gateway: all is well" not in shown
    sandbox.clear_faults()


# signals --------------------------------------------------------------------------------------------

# Runs a command, and tells which modules are loaded in it while signals would be obeyed.
_WATCHED = """
import atexit, signal, sys, threading
late = {}
class Watch:
    def find_spec(self, name, *_):
        if threading.current_thread() is threading.main_thread():
            if signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, []):
                late[name] = None
@atexit.register
def tell():
    here = [name for name in late if name in sys.modules]  # Some are looked for in vain.
    sys.stderr.write(f"late: {' '.join(here)}\\n")
from gateway.server.leaving import hold
hold()
sys.meta_path.insert(0, Watch())
from gateway.cli.main import main
raise SystemExit(main(sys.argv[1:]))
"""


def test_no_module_is_loaded_while_a_signal_would_be_raised_in_its_midst(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    (tmp_path / "one.graphql").write_text("{ countries { code } }")
    (tmp_path / "kinds.graphql").write_text("subscription { phoneNumberEvents { kind } }")
    local = gateway.url.replace("127.0.0.1", "localhost")
    nobody = {"GATEWAY_STORE_URL": "redis://127.0.0.1:1", "GATEWAY_PROXY": "http://localhost:1"}
    cases: list[tuple[list[str], dict[str, str]]] = [
        (["export", "-"], {}),
        (["export", "-", "--url", local], {}),
        (["query", "one.graphql", "--format", "table"], {}),
        (["query", "kinds.graphql", "--url", "http://localhost:1"], {}),
        (["check"], {}),
        (["check"], nobody),
        (["check", "--live"], {}),
        (["settings"], {}),
    ]
    with ExitStack() as stack:
        running = [
            (
                arguments,
                stack.enter_context(
                    started(
                        *arguments,
                        folder=tmp_path,
                        program=[sys.executable, "-c", _WATCHED],
                        variables=as_owner(gateway.sandbox) | more,
                        stdin=subprocess.DEVNULL,
                    )
                ),
            )
            for arguments, more in cases
        ]
        for arguments, process in running:
            _, complaints = process.communicate(timeout=PATIENCE)
            assert complaints.splitlines()[-1] == "late: ", (arguments, complaints)
