"""docs/deployment.md: each of its blocks is run, with other ports, paths and host names only."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.cli.main import parser
from gateway.settings.model import Settings
from tests.docs.page import BLOCKS, PAGE, Names, block, duration
from tests.docs.two_machines import (
    Site,
    TwoMachines,
    free_port,
    haproxy,
    nginx,
    unit,
    variables,
)
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.paths import ROOT
from tests.support.programs import require
from tests.support.sandbox_in_thread import RunningSandbox, SandboxAccount
from tests.support.streams import CHANGES, buy, events
from tests.support.streams import socket as websocket
from tests.support.waiting import PATIENCE

BALANCERS = {"nginx": nginx, "haproxy": haproxy}
OTHERS = [ROOT / "tests" / "install" / "test_packaging.py"]
RUN_BY = {
    "                      clients": "test_queries_come_over_https_and_metrics_stay_inside",
    "/etc/valkey/valkey.conf": "test_a_machine_is_restarted_while_requests_go_on",
    "make wheel": "test_the_recipe_for_the_wheel_builds_the_explorer_first",
    "version=": "test_the_documented_installation_runs_on_the_systems_python",
    "/etc/number-gateway.env": "test_queries_come_over_https_and_metrics_stay_inside",
    "set -a": "test_check_finds_nothing_amiss_with_the_settings_of_the_page",
    "/etc/systemd/system/number-gateway.service": "test_systemd_takes_the_unit",
    "systemctl daemon-reload": "test_systemd_takes_the_unit",
    "/etc/nginx/conf.d/number-gateway.conf": "test_a_machine_is_restarted_while_requests_go_on",
    "/etc/haproxy/haproxy.cfg": "test_a_machine_is_restarted_while_requests_go_on",
    "curl ": "test_the_query_to_try_is_answered",
    "systemctl restart": "test_a_machine_is_restarted_while_requests_go_on",
    "ln -sfn": "test_a_version_is_installed_beside_another_and_back",
    "podman build": "test_the_container_is_run_with_options_that_it_has",
    "apiVersion: apps/v1": "test_the_pods_of_kubernetes_are_what_the_settings_and_the_image_want",
    "/etc/prometheus/prometheus.yml": "test_prometheus_takes_the_alerts_and_every_metric_in_them_is_one",
    "/etc/prometheus/number-gateway.yml": "test_prometheus_takes_the_alerts_and_every_metric_in_them_is_one",
}
LIST = "{ phoneNumbers(first: 1) { nodes { sid } } }"


class Load(threading.Thread):
    """Asks one thing after the other; it notes how often it was answered, and what was not."""

    def __init__(self, front: RunningGateway, over: threading.Event) -> None:
        super().__init__()
        self.wrong: list[object] = []
        self._account = front.sandbox.create_account(catalog=True, owned=2)
        self._front = front
        self._over = over
        self._asked = 0

    def run(self) -> None:
        """Ask until it is over."""
        while not self._over.is_set():
            self.wrong += ask(self._front, self._account)
            self._asked += 1

    def wait_for(self, more: int) -> None:
        """Return when so many more have been asked for."""
        goal = self._asked + more
        until(lambda: self._asked >= goal)


def ask(front: RunningGateway, account: SandboxAccount, query: str = LIST) -> list[object]:
    """Ask for something; return what was amiss."""
    try:
        answer = front.post({"query": query}, account=account)
    except httpx.HTTPError as error:
        return [error]
    fine = answer.status_code == 200 and "errors" not in answer.json()
    return [] if fine else [(answer.status_code, answer.text)]


def until(holds: Callable[[], bool]) -> None:
    """Return when something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def hanging_up(address: str, port: int) -> Iterator[list[bytes]]:
    """Run a machine that is ready for work, and hangs up on every POST; give these."""
    posts: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                head = connection.recv(65536)
                if head.startswith(b"POST "):
                    posts.append(head)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server((address, port)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield posts
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def shell(
    script: str,
    site: TwoMachines,
    environment: dict[str, str] | None = None,
    *,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run lines of the page with the names that hold here."""
    trust = {"CURL_CA_BUNDLE": str(site.certificate), "PATH": os.environ["PATH"]}
    return subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euc", site.names().put(script)],  # noqa: S607
        cwd=site.folder,
        env=trust | (environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=check,
    )


@pytest.fixture(scope="module")
def site(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoMachines]:
    for each in BALANCERS:
        require(each)
    folder = tmp_path_factory.mktemp("site")
    with TwoMachines(folder, shared_sandbox.url).running() as made:
        yield made


@pytest.fixture(scope="module")
def fronts(
    site: TwoMachines, shared_sandbox: RunningSandbox
) -> Iterator[dict[str, RunningGateway]]:
    """Both balancers, each as the gateway that clients believe it is."""
    with ExitStack() as stack:
        http = stack.enter_context(httpx.Client(timeout=60, trust_env=False, verify=site.trust()))
        account = shared_sandbox.create_account(catalog=True, owned=3)
        yield {
            name: RunningGateway(stack.enter_context(run(site)), shared_sandbox, account, http)
            for name, run in BALANCERS.items()
        }


@pytest.fixture(params=BALANCERS)
def front(request: pytest.FixtureRequest, fronts: dict[str, RunningGateway]) -> RunningGateway:
    return fronts[request.param]


def test_each_block_is_run_by_a_test() -> None:
    """A new block needs a test, and a line in `RUN_BY`."""
    assert [each.title for each in BLOCKS if not each.title.startswith(tuple(RUN_BY))] == []
    for title, test in RUN_BY.items():
        assert block(title)
        assert test in globals() or any(f"def {test}(" in each.read_text() for each in OTHERS)


def test_queries_come_over_https_and_metrics_stay_inside(front: RunningGateway) -> None:
    assert len(front.query(LIST)["phoneNumbers"]["nodes"]) == 1
    assert front.http.get(f"{front.url}/readyz").json()["ready"] is True
    assert front.http.get(f"{front.url}/metrics").status_code == 404


def test_the_query_to_try_is_answered(front: RunningGateway, site: TwoMachines) -> None:
    command = block("curl ").replace("https://gateway.example.com", front.url)
    secrets = dict(
        zip(("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), front.account.auth, strict=True)
    )
    done = shell(f"{command.rstrip()} --http2 --include", site, secrets)
    assert done.stdout.startswith("HTTP/2 200")
    assert '"phoneNumber":"+1' in done.stdout


def test_changes_come_by_websocket_and_by_server_sent_events(
    front: RunningGateway, site: TwoMachines
) -> None:
    account = front.sandbox.create_account(catalog=True)
    with (
        events(front, account=account) as stream,
        websocket(front, ssl=site.trust()) as other,
    ):
        stream.confirmed()
        other.init(account)
        first = buy(front, account)["phoneNumber"]
        change = stream.change()
        assert change["number"] == first
        other.connection.send(
            json.dumps(
                {
                    "type": "subscribe",
                    "id": "1",
                    "payload": {"query": CHANGES, "extensions": {"lastEventId": change["id"]}},
                }
            )
        )
        second = buy(front, account)["phoneNumber"]
        assert stream.change()["number"] == second
        received = other.receive()
        assert received["payload"]["data"]["phoneNumberChanged"]["number"] == second


def test_the_log_names_the_address_of_the_client_and_not_what_it_claims(
    front: RunningGateway, site: TwoMachines
) -> None:
    transport = httpx.HTTPTransport(verify=site.trust(), local_address="127.0.0.9")
    with httpx.Client(transport=transport, auth=front.account.auth) as http:
        claims = {"X-Forwarded-For": "127.0.0.8", "Forwarded": "for=127.0.0.8"}
        answer = http.post(f"{front.url}/graphql", json={"query": LIST}, headers=claims)
    id_ = answer.headers["x-request-id"]
    logs = [each.log for each in (site.a, site.b)]
    until(lambda: any(id_ in each.read_text() for each in logs))
    (line,) = (
        json.loads(line) for each in logs for line in each.read_text().splitlines() if id_ in line
    )
    assert line["client"] == "127.0.0.9"


@pytest.mark.parametrize("balancer", BALANCERS)
def test_a_post_that_was_sent_is_never_sent_again(balancer: str, tmp_path: Path) -> None:
    """The machine that has it hangs up without an answer; it may have bought something."""
    require(balancer)
    port = free_port("127.0.0.2", "127.0.0.3")
    with ExitStack() as stack:
        posts = [stack.enter_context(hanging_up(f"127.0.0.{each}", port)) for each in (2, 3)]
        site = Site(tmp_path, {8000: port})
        url = stack.enter_context(BALANCERS[balancer](site))
        for times in (1, 2, 3):
            answer = httpx.post(
                f"{url}/graphql", json={"query": LIST}, verify=site.trust(), trust_env=False
            )
            assert answer.status_code == 502
            assert sum(map(len, posts)) == times


def test_a_machine_is_restarted_while_requests_go_on(
    fronts: dict[str, RunningGateway], site: TwoMachines
) -> None:
    restart, *until_ready = block("systemctl restart").splitlines()
    assert restart == "systemctl restart number-gateway"
    over = threading.Event()
    loads = [Load(front, over) for front in fronts.values()]
    sandbox = fronts["nginx"].sandbox
    slow = sandbox.create_account(catalog=True, owned=4)
    sids = [each["sid"] for each in sandbox.numbers(slow.sid)]
    # A process that does not know the account asks core for the number, and the catalog for a page.
    page = {"kind": "held", "path": "*/ActiveNumbers", "account": slow.sid, "count": None}
    sandbox.set_faults([*({"kind": "held", "path": f"*/{each}*"} for each in sids), page])
    # What has begun before, and ends after the machine has stopped taking requests: of each two
    # one is there.
    with ThreadPoolExecutor() as pool:
        begun = [
            pool.submit(ask, front, slow, f'{{ phoneNumber(sid: "{sid}") {{ sid }} }}')
            for sid, front in zip(sids, (*fronts.values(), *fronts.values()), strict=True)
        ]
        for each in loads:
            each.start()
        until(lambda: all(each["fired"] for each in sandbox.faults()[: len(sids)]))
        stopping = pool.submit(site.a.stop)
        until(lambda: not site.a.listens())
        for each in loads:
            each.wait_for(5)
        sandbox.clear_faults()
        assert stopping.result() == 0
        site.a.start()
        shell("\n".join(until_ready), site)
        for each in loads:
            each.wait_for(5)
        over.set()
    assert [each.result() for each in begun] == [[]] * len(begun)
    for each in loads:
        each.join()
        assert each.wrong == []


def test_check_finds_nothing_amiss_with_the_settings_of_the_page(site: TwoMachines) -> None:
    done = shell(block("set -a"), site, check=False)
    assert done.returncode == 0, done.stdout
    assert "danger" not in done.stdout


def test_systemd_takes_the_unit(site: TwoMachines, tmp_path: Path) -> None:
    file = tmp_path / "number-gateway.service"
    file.write_text(site.names().put(block("/etc/systemd/system/")))
    assert block("systemctl daemon-reload").splitlines() == [
        "systemctl daemon-reload",
        f"systemctl enable --now {file.stem}",
    ]
    service = unit()["Service"]
    assert int(service["LimitNOFILE"]) > 2 * bare_settings().connection_limit
    data = variables(block("/etc/number-gateway.env"))["GATEWAY_DATA_DIR"]
    assert data == service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd")
    done = subprocess.run(  # noqa: S603 - a program of the system
        [program, "verify", "--man=no", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_times_fit_together() -> None:
    chosen: dict[str, Any] = {
        **{field.name: field.default for field in fields(Settings)},
        **{
            name.removeprefix("GATEWAY_").lower(): value
            for name, value in variables(block("/etc/number-gateway.env")).items()
        },
    }
    delay, limit = float(chosen["drain_delay"]), float(chosen["drain_limit"])
    proxies = block("/etc/nginx/conf.d/") + block("/etc/haproxy/")
    (inter, fall) = re.findall(r"check inter (\S+) fall (\d+)", proxies)[0]
    silence = re.findall(r"(?:proxy_read_timeout|timeout server|timeout tunnel) (\w+)", proxies)
    kills = {
        float(unit()["Service"]["TimeoutStopSec"]),
        *map(float, re.findall(r"(?:--stop-timeout |PeriodSeconds: )(\d+)", PAGE)),
    }
    assert len(kills) == 1
    told = [duration(each) for each in re.findall(r"^\|[^|]+\| (\d+ s) \|", PAGE, re.MULTILINE)]
    assert told == [
        notices := duration(inter) * int(fall),
        delay,
        chosen["request_deadline"],
        limit,
        kill := min(kills),
        chosen["keep_alive"],
        quiet := min(map(duration, silence)),
    ]
    assert notices < delay
    assert delay + chosen["request_deadline"] < limit < kill - 5
    assert 3 * chosen["keep_alive"] < quiet > chosen["request_deadline"]
    assert len(silence) == 3


def test_the_pods_of_kubernetes_are_what_the_settings_and_the_image_want(site: TwoMachines) -> None:
    deployment, service = yaml.safe_load_all(block("apiVersion: apps/v1"))
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    image = dict(re.findall(r"\b(GATEWAY_\w+)=(\S+)", (ROOT / "Containerfile").read_text()))
    environment = image | {each["name"]: each["value"] for each in container["env"]}
    fields = {key.removeprefix("GATEWAY_").lower(): value for key, value in environment.items()}
    settings = bare_settings(**fields)
    assert settings.auth == "pass-through"
    assert settings.production
    assert isinstance(parser().parse_args(container["args"]), Namespace)
    (port,) = container["ports"]
    assert port["containerPort"] == settings.port
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert spec["enableServiceLinks"] is False
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert set(mounts) == {str(settings.data_dir), "/tmp"}  # noqa: S108 - of the container
    assert {each["name"] for each in spec["volumes"]} == set(mounts.values())
    for probe in ("livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert site.a.get(asked["path"]).status_code == 200
    ready = container["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < settings.drain_delay
    assert settings.drain_delay + settings.request_deadline < settings.drain_limit
    assert settings.drain_limit < spec["terminationGracePeriodSeconds"] - 5


def test_prometheus_takes_the_alerts_and_every_metric_in_them_is_one(
    site: TwoMachines, sandbox: RunningSandbox
) -> None:
    site.put("/etc/prometheus/number-gateway.yml")
    rules = yaml.safe_load(block("/etc/prometheus/number-gateway.yml"))["groups"][0]["rules"]
    wanted = set(re.findall(r"gateway_\w+", " ".join(each["expr"] for each in rules)))
    with running_gateway(sandbox, metrics=True) as gateway:
        assert gateway.parts is not None
        gateway.query(LIST)
        gateway.parts.pipeline.draining.start()
        assert gateway.http.get(f"{gateway.url}/readyz").status_code == 503
        there = gateway.http.get(f"{gateway.url}/metrics").text
    named = set(re.findall(r"^# TYPE (\w+)", there, re.MULTILINE))
    assert {re.sub("_bucket$", "", each) for each in wanted} <= named
    labels = {
        each for rule in rules for each in re.findall(r'(\w+)!?="', rule["expr"]) if each != "job"
    }
    assert labels <= set(re.findall(r'(\w+)="', there))
    file = site.put("/etc/prometheus/prometheus.yml")
    done = subprocess.run(  # noqa: S603 - a program of the system
        [require("promtool"), "check", "config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(rules)} rules found" in done.stdout


def test_the_container_is_run_with_options_that_it_has() -> None:
    build, run = map(shlex.split, block("podman build").splitlines())
    assert build[-1] == "."
    options = [each for each in run if each.startswith("-")]
    assert options == ["-p", "--env-file", "--stop-timeout", "-v"]
    assert re.search(
        rf"^VOLUME {run[run.index('-v') + 1].split(':')[1]}$",
        (ROOT / "Containerfile").read_text(),
        re.MULTILINE,
    )


def test_a_version_is_installed_beside_another_and_back(tmp_path: Path) -> None:
    """The folder that the unit names is a link, which either version can have."""
    link, folder = tmp_path / "opt/number-gateway", tmp_path / "opt/number-gateway-0.1.0"
    folder.mkdir(parents=True)
    names = Names(tmp_path, None, {})
    for _ in range(2):
        subprocess.run(["bash", "-euc", names.put(block("ln -sfn"))], check=True)  # noqa: S603, S607
        assert link.readlink() == folder
