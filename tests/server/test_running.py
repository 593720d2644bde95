"""Starting, stopping, and what is said when that is not possible."""

import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support import loopback
from tests.support.gateway_process import free_port, has_signal, read_until, run, started
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE, until

SMALL = ["--numbers", "2000"]


def test_one_command_runs_gateway_and_sandbox_and_its_curl_works() -> None:
    port, sandbox_port = free_port(), free_port()
    options = ["--port", str(port), "--sandbox-port", str(sandbox_port)]
    with started("serve", "--sandbox", *options, *SMALL) as process:
        printed = read_until(process, '"variables"')
        assert f"http://127.0.0.1:{port}/graphql" in printed
        assert f"Explorer  http://127.0.0.1:{port}/\n" in printed
        assert len(re.findall(r"AC[0-9a-f]{32}  token [0-9a-f]{32}", printed)) >= 3
        tries = re.findall(r"^  (curl .*?}')$", printed.replace("\\\n", " "), re.MULTILINE)
        for curl, found in zip(
            tries, ('"phoneNumber":"+1', '"phoneNumber":"+1', '"sid":"PN'), strict=True
        ):
            answer = subprocess.run(  # noqa: S603 - the command that the gateway printed
                [*shlex.split(curl), "--silent"], check=True, capture_output=True, text=True
            )
            assert answer.stdout.count(found) == 2
            assert '"errors"' not in answer.stdout
        assert loopback.get(f"http://127.0.0.1:{sandbox_port}/_sandbox/accounts").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_stops_both_cleanly(number: signal.Signals) -> None:
    port, sandbox_port = free_port(), free_port()
    options = ["--port", str(port), "--sandbox-port", str(sandbox_port)]
    with started("serve", "--sandbox", *options, *SMALL) as process:
        read_until(process, "-d '{")
        loopback.get(f"http://127.0.0.1:{port}/healthz").raise_for_status()
        process.send_signal(number)
        _, complaints = process.communicate(timeout=PATIENCE)
        assert process.returncode in {0, -number, 128 + number}
        assert "Traceback" not in complaints
    for each in (port, sandbox_port):
        with pytest.raises(httpx.ConnectError):
            loopback.get(f"http://127.0.0.1:{each}/", timeout=2)


_SIGNALLED_IMPORT = """
import importlib, os, sys
sys.path.remove({folder!r})
del sys.modules[__name__]
try:
    os.kill(os.getpid(), int(os.environ["SIGNAL"]))
    list(map(str, range(100)))
except BaseException as error:
    raise RuntimeError("an import that wraps what is raised in it") from error
importlib.import_module(__name__)
"""
_NOWHERE = ("--port", "0")


def test_a_signal_in_the_middle_of_an_import_is_obeyed_after_it(tmp_path: Path) -> None:
    """What a signal raised there would be wrapped, as Python 3.11 does it in some places."""
    told, interrupted = signal.SIGTERM, signal.SIGINT
    cases = [
        (told, 0, ["serve", "--auth", "pass-through", *_NOWHERE]),
        (interrupted, 0, ["serve", "--auth", "pass-through", *_NOWHERE, "--workers", "2"]),
        (interrupted, 130, ["serve", "--sandbox", *_NOWHERE, "--sandbox-port", "0", *SMALL]),
        (told, 0, ["sandbox", *_NOWHERE, *SMALL]),
        (interrupted, 130, ["sandbox", *_NOWHERE, *SMALL]),
        # Its gateway has left, which is the first time that it is told to stop.
        (interrupted, 130, ["sandbox", "--exit-with-stdin", *_NOWHERE, *SMALL]),
        (interrupted, 130, ["check"]),
        (interrupted, 130, ["check", "--live"]),
        (interrupted, 130, ["export", "-"]),
        (interrupted, 130, ["schema"]),
        (interrupted, 130, ["settings"]),
    ]
    # Each command imports one of these at some time.
    for name in ("uvicorn", "graphql", "msgspec"):
        (tmp_path / f"{name}.py").write_text(_SIGNALLED_IMPORT.format(folder=str(tmp_path)))
    path = f"{tmp_path}:{ROOT}"
    with ExitStack() as stack:
        processes = []
        for number, _, arguments in cases:
            variables = {"SIGNAL": f"{number:d}", "PYTHONPATH": path}
            running = started(
                *arguments, folder=tmp_path, variables=variables, stdin=subprocess.DEVNULL
            )
            processes.append(stack.enter_context(running))
        for (number, code, arguments), process in zip(cases, processes, strict=True):
            _, complaints = process.communicate(timeout=PATIENCE)
            assert "Traceback" not in complaints, complaints
            assert process.returncode == code, (number, arguments, complaints)


def test_a_signal_while_the_sandbox_is_waited_for_is_obeyed_at_once() -> None:
    with started("serve", "--sandbox", "--port", "0", "--sandbox-port", "0") as process:
        until(lambda: has_signal(process.pid, "SigCgt") and not has_signal(process.pid, "SigBlk"))
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=PATIENCE)
        assert (process.returncode, complaints) == (0, "")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_that_python_drops_while_it_loads_stops_a_gateway_all_the_same(
    workers: str,
) -> None:
    program = f"""
import signal, weakref
from gateway.cli.main import main
from gateway.server import serve

def announce(*_):
    thing = type("Thing", (), {{}})()
    watched = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
    del thing
    print("went on", flush=True)

serve._announce = announce
raise SystemExit(main(["serve", "--port", "0", "--auth", "pass-through", "--workers", "{workers}"]))
"""
    ended = subprocess.run(  # noqa: S603 - our own interpreter, our own program
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "went on\n")


def test_the_sandbox_ends_with_a_gateway_that_was_killed() -> None:
    port, sandbox_port = free_port(), free_port()
    options = ["--port", str(port), "--sandbox-port", str(sandbox_port)]
    with started("serve", "--sandbox", *options, *SMALL) as process:
        read_until(process, "-d '{")
        process.kill()
        process.wait()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            loopback.get(f"http://127.0.0.1:{sandbox_port}/_sandbox/accounts", timeout=2)
        except httpx.TransportError:
            return
        time.sleep(0.1)
    pytest.fail("the sandbox goes on without its gateway")


def test_the_halves_run_alone() -> None:
    sandbox_port, port = free_port(), free_port()
    with started("sandbox", "--port", str(sandbox_port), *SMALL) as sandbox:
        read_until(sandbox, "/_sandbox/accounts")
        url = f"http://127.0.0.1:{sandbox_port}"
        parent = _accounts(url)[0]
        options = ["--catalog-url", url, "--core-url", url, "--auth", "pass-through"]
        with started("serve", "--port", str(port), *options) as gateway:
            read_until(gateway, "GraphQL")
            answer = _post(port, auth=(parent["sid"], parent["auth_token"]))
            assert answer.json()["data"]["phoneNumbers"]["nodes"]
            assert _post(port, auth=None).status_code == 401


def _accounts(url: str) -> list[dict[str, str]]:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            accounts: list[dict[str, str]] = loopback.get(f"{url}/_sandbox/accounts").json()[
                "accounts"
            ]
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return accounts


def _post(port: int, auth: tuple[str, str] | None) -> httpx.Response:
    deadline = time.monotonic() + PATIENCE
    query = {"query": "{ phoneNumbers(first: 1) { nodes { sid } } }"}
    while True:
        try:
            return loopback.post(f"http://127.0.0.1:{port}/graphql", json=query, auth=auth)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize(
    "arguments",
    [["serve", "--auth", "pass-through", "--port"], ["sandbox", *SMALL, "--port"]],
    ids=["gateway", "sandbox"],
)
def test_a_taken_port_is_one_clear_line(tmp_path: Path, arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(tmp_path, *arguments, port, code=1)
    assert done.stderr == (
        f"number-gateway: port {port} on 127.0.0.1 is taken: choose another with --port\n"
    )


def test_a_taken_sandbox_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ("--sandbox", "--sandbox-port", port, "--port", "0")
        done = run(tmp_path, "serve", *arguments, code=1)
    assert done.stderr == (
        f"number-gateway: port {port} on 127.0.0.1 is taken: choose another with --sandbox-port\n"
    )


def test_a_folder_that_cannot_be_written_to_is_one_clear_line(tmp_path: Path) -> None:
    there = tmp_path / "missing" / "numbers.sqlite"
    done = run(tmp_path, "sandbox", "--port", "0", "--data", str(there), *SMALL, code=1)
    assert done.stderr.count("\n") == 1
    assert str(there) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "hint"),
    [
        ([], {}, "no credentials"),
        (["--auth", "open"], {}, "TWILIO_ACCOUNT_SID"),
        ([], {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x"}, "not who may use them"),
        (
            ["--auth", "open", "--host", "0.0.0.0"],  # noqa: S104 - that it is refused is the point
            {"TWILIO_ACCOUNT_SID": f"AC{0:032}", "TWILIO_AUTH_TOKEN": "x"},
            "this machine only",
        ),
        (
            ["--auth", "open"],
            {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x"},
            "account_sid: It is not the sid of an account",
        ),
    ],
)
def test_the_real_upstream_needs_credentials_and_a_choice_of_who_may_ask(
    arguments: list[str],
    variables: dict[str, str],
    hint: str,
    tmp_path: Path,
) -> None:
    done = run(tmp_path, "serve", "--port", "0", *arguments, variables=variables, code=1)
    assert done.stderr.startswith("number-gateway: ")
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr


def test_an_unusable_setting_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_ATTEMPTS=many\n")
    done = run(tmp_path, "serve", "--auth", "pass-through", "--port", "0", code=1)
    assert done.stderr.count("\n") == 1
    assert "attempts" in done.stderr
    assert "many" not in done.stderr
