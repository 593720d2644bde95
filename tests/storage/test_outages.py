"""Storage that cannot be written: what operators and clients are told, and that nothing is bought."""

import asyncio
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from resource import RLIMIT_FSIZE, prlimit
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from gateway.storage.redis import RedisStore
from gateway.storage.store import StoreUnavailable
from tests.faults.hostile import keeping
from tests.support import loopback
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.gateway_process import before, served
from tests.support.sandbox_in_thread import RunningSandbox
from tests.support.valkey_process import valkey_server
from tests.support.waiting import until

BUY = """mutation Buy($number: E164!, $key: String) {
  purchasePhoneNumber(input: { phoneNumber: $number, idempotencyKey: $key }) {
    phoneNumber { sid } userErrors { code }
  }
}"""
BUY_SEVERAL = """mutation BuySeveral($number: E164!, $key: String) {
  purchasePhoneNumbers(input: { items: [{ phoneNumber: $number, idempotencyKey: $key }] }) {
    results { phoneNumber { sid } userErrors { code } }
  }
}"""


class Shared(NamedTuple):
    """A gateway over a server, and who may make that server ill."""

    gateway: RunningGateway
    server: Any
    folder: Path


@pytest.fixture(scope="module")
def shared(
    shared_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    sandbox = shared_sandbox
    folder = tmp_path_factory.mktemp("valkey")
    account = sandbox.create_account(owned=1)
    # Snapshots and no log, so that its folder can be taken away from it.
    options = ["--appendonly", "no", "--save", "3600 100000", "--enable-protected-configs", "yes"]
    with (
        valkey_server(folder, options=options) as server,
        Redis(port=server.port) as admin,
        running_gateway(
            sandbox,
            account=account,
            store_url=server.url,
            store_timeout=3.0,
            metrics=True,
            purchases_per_day=100,
            requests_per_minute=100_000,
            log_requests="failed",
        ) as gateway,
    ):
        yield Shared(gateway, admin, folder)


def _fill(at: Shared) -> None:
    at.server.config_set("maxmemory", 1)


def _empty(at: Shared) -> None:
    at.server.config_set("maxmemory", 0)


def _demote(at: Shared) -> None:
    # Of a server that is not there.
    at.server.execute_command("REPLICAOF", "127.0.0.1", "1")


def _promote(at: Shared) -> None:
    at.server.execute_command("REPLICAOF", "NO", "ONE")


def _forbid(at: Shared) -> None:
    at.server.execute_command("ACL", "SETUSER", "default", "-set", "-evalsha")


def _allow(at: Shared) -> None:
    at.server.execute_command("ACL", "SETUSER", "default", "+@all")


def _want_replicas(at: Shared) -> None:
    at.server.config_set("min-replicas-to-write", 1)


def _want_none(at: Shared) -> None:
    at.server.config_set("min-replicas-to-write", 0)


def _lose_folder(at: Shared) -> None:
    shutil.rmtree(at.folder)
    at.server.bgsave()
    until(lambda: at.server.info("persistence")["rdb_last_bgsave_status"] != "ok")


def _find_folder(at: Shared) -> None:
    # It works in the folder that was removed, not in one of the same name.
    at.folder.mkdir()
    at.server.config_set("dir", str(at.folder))
    at.server.bgsave()
    until(lambda: at.server.info("persistence")["rdb_last_bgsave_status"] == "ok")


ILLS: dict[str, tuple[Callable[[Shared], None], Callable[[Shared], None]]] = {
    "full": (_fill, _empty),
    "read-only": (_demote, _promote),
    "denied": (_forbid, _allow),
    "too-few-replicas": (_want_replicas, _want_none),
    "not-persisting": (_lose_folder, _find_folder),
}


def _ready(gateway: RunningGateway) -> httpx.Response:
    return gateway.http.get(f"{gateway.url}/readyz")


def _counted(gateway: RunningGateway, name: str, cause: str) -> float:
    page = gateway.http.get(f"{gateway.url}/metrics").text
    found = re.search(rf'^{name}_total{{cause="{cause}"}} (\S+)$', page, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("cause", ILLS)
def test_a_store_that_cannot_be_written_is_named_to_operators_and_nothing_is_bought(
    sandbox: RunningSandbox, shared: Shared, capfd: pytest.CaptureFixture[str], cause: str
) -> None:
    gateway = shared.gateway
    number, key = sandbox.put_number()["phone_number"], uuid4().hex
    begin, end = ILLS[cause]
    until(lambda: _ready(gateway).status_code == 200)
    bought = len(sandbox.ledger())
    before = _counted(gateway, "gateway_storage_refusals", cause)
    begin(shared)
    try:
        answers = [gateway.post({"query": BUY, "variables": {"number": number, "key": key}})]
        # The failed purchase is known to readiness at once; nobody has to wait for a probe.
        ready = _ready(gateway)
        answers += [
            gateway.post({"query": BUY, "variables": {"number": number, "key": each}})
            for each in (key, None)
        ]
        several = gateway.query(BUY_SEVERAL, {"number": number, "key": key})
    finally:
        end(shared)
    assert ready.status_code == 503
    assert ready.json()["checks"]["store"] == ready.json()["checks"]["records"] == "unavailable"
    assert ready.json()["causes"] == {"store": cause, "records": cause}
    assert [each.json()["errors"][0]["extensions"]["code"] for each in answers] == [
        *["IDEMPOTENCY_UNAVAILABLE"] * 2,
        "RATE_LIMITED",
    ]
    for answer in answers:
        assert answer.json()["errors"][0]["extensions"]["retryAfterMs"] == 5000
        for secret in (cause, "store", "OOM", "valkey", str(shared.server.get_connection_kwargs())):
            assert secret not in answer.text
    [one] = several["purchasePhoneNumbers"]["results"]
    assert [each["code"] for each in one["userErrors"]] == ["NOT_DONE"]
    assert len(sandbox.ledger()) == bought
    until(lambda: _ready(gateway).status_code == 200)
    assert "causes" not in _ready(gateway).json()
    done = gateway.query(BUY, {"number": number, "key": key})["purchasePhoneNumber"]
    assert done["phoneNumber"]["sid"]
    assert done["userErrors"] == []
    assert _counted(gateway, "gateway_storage_failures", cause) >= 3
    assert _counted(gateway, "gateway_storage_refusals", cause) == before + 4
    logged = capfd.readouterr().out
    assert len(re.findall(rf"storage_failed +cause={cause} ", logged)) == 1
    assert (cause != "full") or "OOM command not allowed" in logged
    assert logged.count("storage_works_again") == 1
    assert len(re.findall(rf"blamed=.storage {cause}.", logged)) == 4


def test_a_wrong_password_is_named_as_such_and_not_shown(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with valkey_server(tmp_path, password="hunter2hunter2") as server:
        variables = before(sandbox) | {
            "GATEWAY_STORE_URL": server.url.replace("hunter2", "wr0ng!", 1)
        }
        with served(folder=tmp_path, **variables) as (url, _):
            answer = loopback.get(f"{url}/readyz")
    assert (answer.status_code, answer.json()["causes"]["store"]) == (503, "denied")
    log = (tmp_path / "log").read_text()
    assert log.count("storage_failed") == 1
    assert "hunter2" not in log
    assert "wr0ng" not in log


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("LOADING Valkey is loading the dataset in memory", "loading"),
        ("NOAUTH Authentication required.", "denied"),
        ("MISCONF Valkey is configured to save RDB snapshots", "not-persisting"),
        ("MASTERDOWN Link with MASTER is down", "unreachable"),
        ("CLUSTERDOWN The cluster is down", "unreachable"),
        # Servers before Redis 7 say it so in a script.
        ("ERR Error running script (call to f_1): @user_script: 3: -OOM command not", "full"),
        ("ERR unknown command", "failed"),
    ],
)
def test_what_a_server_refuses_with_has_a_cause(reply: str, cause: str) -> None:
    async def main(url: str) -> str:
        store = RedisStore(url, timeout=5.0)
        try:
            with pytest.raises(StoreUnavailable) as caught:
                await store.set("k", b"v", ttl=1)
            return caught.value.cause
        finally:
            await store.aclose()

    def answer(request: str, _: int) -> list[bytes]:
        # What is said at the beginning of a connection is none of it.
        return [b"+OK\r\n" * request.count("SETINFO") or f"-{reply}\r\n".encode()]

    with keeping(answer) as upstream:
        assert asyncio.run(main(upstream.url.replace("http", "redis"))) == cause


def test_however_many_ask_whether_it_is_ready_something_is_written_once_in_a_while(
    shared: Shared,
) -> None:
    until(lambda: _ready(shared.gateway).status_code == 200)
    shared.server.config_resetstat()
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: _ready(shared.gateway).status_code, range(200)))
    done = shared.server.info("commandstats")
    assert statuses == {200}
    # Once in two seconds, however long the machine has taken for it.
    assert done.get("cmdstat_set", {"calls": 0})["calls"] <= 20
    assert done["cmdstat_ping"]["calls"] <= 200


def test_a_server_that_forgets_is_no_outage_but_a_warning(
    sandbox: RunningSandbox, shared: Shared, capfd: pytest.CaptureFixture[str]
) -> None:
    shared.server.config_set("save", "")
    shared.server.config_set("maxmemory-policy", "volatile-lru")
    try:
        url = f"redis://127.0.0.1:{shared.server.get_connection_kwargs()['port']}"
        with running_gateway(sandbox, store_url=url, store_timeout=3.0) as gateway:
            until(lambda: "warnings" in _ready(gateway).json())
            ready = _ready(gateway)
    finally:
        shared.server.config_set("save", "3600 100000")
        shared.server.config_set("maxmemory-policy", "noeviction")
    assert ready.status_code == 200
    assert ready.json()["warnings"] == {"store": ["evicts", "not-persistent"]}
    logged = capfd.readouterr().out
    assert len(re.findall("storage_not_safe +about=not-persistent .*appendonly", logged)) == 1
    assert "127.0.0.1" not in ready.text


def test_a_file_that_stays_locked_is_named_until_it_is_free(
    shared_sandbox: RunningSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_gateway(shared_sandbox, data_dir=tmp_path, metrics=True) as gateway:
        assert _ready(gateway).is_success
        file = sqlite3.connect(tmp_path / "idempotency.sqlite", isolation_level=None)
        with closing(file):
            file.execute("BEGIN IMMEDIATE")
            until(lambda: _ready(gateway).status_code == 503)
            until(lambda: _counted(gateway, "gateway_storage_failures", "locked") > 1)
            told = _ready(gateway)
            file.execute("ROLLBACK")
        until(lambda: _ready(gateway).is_success)
    assert (told.status_code, told.json()["causes"]) == (503, {"records": "locked"})
    log = capsys.readouterr().out
    assert log.count("storage_failed") == log.count("storage_works_again") == 1


def test_a_full_disk_is_named_and_nothing_is_bought(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    number, auth = sandbox.put_number()["phone_number"], sandbox.accounts()["parent"].auth
    bought = len(sandbox.ledger())

    def buy(url: str, key: str) -> Any:
        body = {"query": BUY, "variables": {"number": number, "key": key}}
        return loopback.post(f"{url}/graphql", json=body, auth=auth).json()

    variables = before(sandbox) | {"GATEWAY_DATA_DIR": "data", "GATEWAY_METRICS": "true"}
    with served(folder=tmp_path, **variables) as (url, process):
        limits = prlimit(process.pid, RLIMIT_FSIZE)
        prlimit(process.pid, RLIMIT_FSIZE, (20_000, limits[1]))
        refused = [buy(url, each) for each in ("one", "two")]
        ready = loopback.get(f"{url}/readyz")
        prlimit(process.pid, RLIMIT_FSIZE, limits)
        until(lambda: loopback.get(f"{url}/readyz").is_success)
        metrics = loopback.get(f"{url}/metrics").text
        assert len(sandbox.ledger()) == bought
        assert buy(url, "one")["data"]["purchasePhoneNumber"]["phoneNumber"]["sid"]
    for answer in refused:
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "IDEMPOTENCY_UNAVAILABLE"
        assert "data" not in error["message"]
    assert (ready.status_code, ready.json()["causes"]) == (503, {"records": "full"})
    assert 'gateway_storage_refusals_total{cause="full"} 2.0' in metrics
    log = (tmp_path / "log").read_text()
    assert log.count("storage_failed") == log.count("storage_works_again") == 1
