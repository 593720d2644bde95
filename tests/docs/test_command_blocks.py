"""The commands on the pages of docs run as they stand."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import __version__
from gateway.cli.main import parser
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway
from tests.support.paths import ROOT
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.valkey_process import valkey_server
from tests.support.waiting import PATIENCE

DOCS = ROOT / "docs"
PAGES = ("architecture", "command-line")
_SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
BLOCKS = {
    f"{page}-{place}": block
    for page in PAGES
    for place, block in enumerate(_SHELL.findall((ROOT / "docs" / f"{page}.md").read_text()), 1)
}


@pytest.mark.parametrize(
    ("block", "catalog"),
    [
        pytest.param(block, catalog, id=f"{name}, {kind}")
        for name, block in BLOCKS.items()
        for catalog, kind in ((False, "core alone"), (True, "catalog"))
        # What asks for nothing is the same for all accounts.
        if not catalog or re.search(r"number-gateway (?:query|export)", block)
    ],
)
def test_a_block_of_commands_works(
    block: str, catalog: bool, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    account = sandbox.create_account(catalog=catalog, owned=3)
    (tmp_path / "valkey").mkdir()
    with valkey_server(tmp_path / "valkey") as store:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TWILIO_ACCOUNT_SID": account.sid,
            "TWILIO_AUTH_TOKEN": account.auth_token,
            "GATEWAY_CATALOG_URL": sandbox.url,
            "GATEWAY_CORE_URL": sandbox.url,
            "GATEWAY_PORT": "0",
        }
        script = block.replace("127.0.0.1:6379", f"127.0.0.1:{store.port}")
        # A server is the last command of its block, and takes the shell's place.
        script = script.replace("\nnumber-gateway serve", "\nexec number-gateway serve")
        process = subprocess.Popen(  # noqa: S603 - our own pages
            ["bash", "-euc", "\n" + script],  # noqa: S607
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if "number-gateway serve" in block:
            url = process.stdout.readline().split()[-1]
            ready = loopback.get(url.replace("/graphql", "/readyz"))
            assert ready.json()["ready"] is True
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        if "number-gateway serve" not in block:
            assert out or list(tmp_path.glob("numbers.*"))


@pytest.mark.parametrize("page", ["../README", *sorted(each.stem for each in DOCS.glob("*.md"))])
def test_every_command_that_a_page_names_is_one(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text()
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([\w-]+)", text, re.MULTILINE)) <= targets
    for command in re.findall(
        r"(?:(?<![/\w-])|(?<=bin/))number-gateway ([a-z][^`\n>|#]*)", text, re.MULTILINE
    ):
        parser().parse_args(shlex.split(command))


def test_every_page_is_reached_from_another() -> None:
    pages = {each.name for each in (ROOT / "docs").glob("*.md")}
    texts = [(ROOT / "README.md").read_text()]
    texts += [(ROOT / "docs" / each).read_text() for each in pages]
    for text, folder in zip(texts, [ROOT, *[ROOT / "docs"] * len(pages)], strict=True):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / target).exists(), target


def test_each_line_of_the_threat_model_names_tests_that_there_are() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    modules = [*(ROOT / "tests").glob("test_*.py"), *(ROOT / "tests").glob("*/test_*.py")]
    tests = "".join(each.read_text() for each in modules)
    rows = re.findall(r"^\|(?! attacker |-)(.+)\|$", text, re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        *_, named = row.split(" | ")
        names = re.findall(r"`(\w+)`", named)
        assert names, row
        missing = [each for each in names if not re.search(rf"^def {each}\(", tests, re.MULTILINE)]
        assert missing == [], row


def test_the_container_runs_without_rights_and_says_whether_it_lives(
    gateway: RunningGateway,
) -> None:
    text = (ROOT / "Containerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / each).exists() for each in line.split()), line
    (arguments,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert parser().parse_args(shlex.split(re.sub(r"[\[\],]", " ", arguments))).auth
    (check,) = re.findall(r'^ +CMD \["python", "-c", "(.*)"\]$', text, re.MULTILINE)
    command = [sys.executable, "-c", check]
    port = gateway.url.rsplit(":", 1)[1]
    for number, code in ((port, 0), ("9", 1)):
        done = subprocess.run(  # noqa: S603 - as the Containerfile says
            command, env={"GATEWAY_PORT": number}, capture_output=True, check=False
        )
        assert done.returncode == code


def test_the_hooks_before_a_commit_are_the_checks_of_make_check() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    makefile = (ROOT / "Makefile").read_text()
    (recipe,) = re.findall(r"^check:.*\n((?:\t.+\n)+)", makefile, re.MULTILINE)
    for command in re.findall(r"\.venv/bin/([\w ]+?)(?: --check)?$", recipe, re.MULTILINE):
        assert f".venv/bin/{command}" in hooks


def test_the_changelog_has_the_form_that_it_names() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    unreleased, newest, *_ = re.findall(r"^## \[(.+?)\](.*)$", text, re.MULTILINE)
    assert unreleased == ("Unreleased", "")
    assert newest[0] == __version__
    assert re.fullmatch(r" - \d{4}-\d\d-\d\d", newest[1])
    kinds = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
