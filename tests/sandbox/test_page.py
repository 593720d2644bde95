"""The page about the sandbox is current, complete, and its commands work as they stand."""

import re
import subprocess

import pytest
from starlette.routing import Mount, Route

from gateway.sandbox import SandboxSettings, create_sandbox
from gateway.sandbox.http.faults import FIELDS, KINDS, Fault
from gateway.sandbox.switches import Switches
from tests.support.paths import DOCS, ROOT
from tests.support.sandbox_in_thread import RunningSandbox, running_app
from tools.sandbox import documented, page

PAGE = DOCS / "sandbox.md"
TEXT = PAGE.read_text()
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_is_current() -> None:
    assert "\n".join(page()) + "\n" == TEXT, "run: python -m tools.sandbox > docs/sandbox.md"


def test_the_page_is_reached_from_the_readme() -> None:
    assert "](docs/sandbox.md)" in (ROOT / "README.md").read_text()


def test_every_control_endpoint_is_on_the_page() -> None:
    listed = re.findall(r"^\| (GET|POST|PUT|DELETE) \| `(/_sandbox/\w+)", TEXT, re.MULTILINE)

    app = create_sandbox(SandboxSettings(numbers=500))
    # It closes its database when it has been served.
    with running_app(app):
        (control,) = (route for route in app.routes if isinstance(route, Mount))
    served = [
        (method, control.path + route.path)
        for route in control.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    ]
    assert sorted(listed) == sorted(served)


def test_every_fault_and_switch_says_what_it_means() -> None:
    for name in FIELDS:
        assert re.fullmatch(r"\S.{8,}\.", documented(Fault)[name]), name
    for name in Switches.__dataclass_fields__:
        assert re.fullmatch(r"\S.{8,}\.", documented(Switches)[name]), name
    assert all(f"| `{kind}` |" in TEXT for kind in KINDS)


@pytest.mark.parametrize("block", COMMANDS)
def test_the_commands_work(sandbox: RunningSandbox, block: str) -> None:
    script = block.replace("http://127.0.0.1:8010", sandbox.url)

    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_commands() -> None:
    assert len(COMMANDS) == 3
