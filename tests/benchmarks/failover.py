"""A store that fails over under purchases: `python -m tests.benchmarks.failover`.

Two gateways share a store behind a sentinel and buy numbers, each with a key. First the sentinel is
told to fail over, then the new primary is killed, once the old one has become its replica. Whoever
is refused asks again with the same key, at the other gateway. In the end every number is bought
once, and every key has an outcome.
"""

import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from redis import Redis

from tests.benchmarks.report import keep_chapter, table
from tests.storage.test_shared import BUY
from tests.support.gateway_in_thread import RunningGateway, running_gateway
from tests.support.sandbox_in_thread import RunningSandbox, running_sandbox
from tests.support.valkey_groups import Watched, watched_servers
from tests.support.waiting import until

_BUYERS: Final = 4
_PASSWORD: Final = "of-the-servers"
# What a refused purchase is asked for again, and how long at most.
_AGAIN: Final = frozenset({"IDEMPOTENCY_UNAVAILABLE", "IDEMPOTENCY_KEY_IN_USE", "RATE_LIMITED"})
_PATIENCE: Final = 60.0


class Buyers:
    """Clients that buy one number after the other until they are told to stop.

    Attributes:
        done: the sid that each number's buyer was told.
        waits: seconds that purchases took which were refused at first.
        wrong: what should not be.
    """

    def __init__(self, sandbox: RunningSandbox, gateways: list[RunningGateway]) -> None:
        self._sandbox = sandbox
        self._gateways = gateways
        self._stop = threading.Event()
        self.done: dict[str, str] = {}
        self.waits: list[float] = []
        self.wrong: list[str] = []

    def stop(self) -> None:
        """Let each finish what it has begun."""
        self._stop.set()

    def run(self, first: int) -> None:
        """Buy."""
        while not self._stop.is_set():
            number = str(self._sandbox.put_number()["phone_number"])
            self._buy(number, uuid4().hex, first)

    def _buy(self, number: str, key: str, turn: int) -> None:
        began = time.monotonic()
        refused = False
        while time.monotonic() < began + _PATIENCE:
            gateway = self._gateways[turn % len(self._gateways)]
            turn += 1
            answer: dict[str, Any] = gateway.post(
                {"query": BUY, "variables": {"number": number, "key": key}}
            ).json()
            if errors := answer.get("errors"):
                code = errors[0]["extensions"]["code"]
                if code not in _AGAIN:
                    self.wrong.append(f"{number}: {code}")
                    return
                refused = True
                time.sleep(0.1)
                continue
            payload = answer["data"]["purchasePhoneNumber"]
            codes = [each["code"] for each in payload["userErrors"]]
            # What the old primary had not passed on is forgotten: the number itself tells.
            if codes == ["OUTCOME_UNKNOWN"]:
                time.sleep(0.1)
                continue
            if codes and codes != ["ALREADY_OWNED"]:
                self.wrong.append(f"{number}: {codes}")
                return
            self.done[number] = (payload["phoneNumber"] or {}).get("sid", "")
            if refused:
                self.waits.append(time.monotonic() - began)
            return
        self.wrong.append(f"{number}: no outcome within {_PATIENCE:g} s")


def measure() -> tuple[dict[str, str], list[str]]:
    """Run it; return what was measured, and what was wrong."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox() as sandbox,
        watched_servers(Path(folder), password=_PASSWORD) as servers,
    ):
        account = sandbox.create_account(owned=1)
        chosen: dict[str, Any] = {
            "account": account,
            "store_url": servers.url,
            "log_requests": "none",
        }
        with running_gateway(sandbox, **chosen) as one, running_gateway(sandbox, **chosen) as two:
            buyers = Buyers(sandbox, [one, two])
            with ThreadPoolExecutor(_BUYERS) as pool:
                running = [pool.submit(buyers.run, each) for each in range(_BUYERS)]
                try:
                    _fail_over_twice(servers, one, buyers)
                finally:
                    buyers.stop()
                for each in running:
                    each.result()
        bought = [
            each["phone_number"]
            for each in sandbox.ledger()
            if (each["action"], each["account_sid"]) == ("bought", account.sid)
        ]
    wrong = list(buyers.wrong)
    if len(bought) != len(set(bought)):
        wrong.append("a number was bought twice")
    if set(bought) != set(buyers.done):
        wrong.append(f"{set(bought) ^ set(buyers.done)} was bought or told, and not both")
    if not buyers.waits:
        wrong.append("nobody was refused, so that nothing was shown")
    longest = max(buyers.waits, default=0.0)
    return {
        "purchases told": f"{len(buyers.done):,}",
        "purchases in the ledger": f"{len(bought):,}",
        "refused at first": f"{len(buyers.waits):,}",
        "longest until an outcome, s": f"{longest:.1f}",
    }, wrong


def _fail_over_twice(servers: Watched, gateway: RunningGateway, buyers: Buyers) -> None:
    def bought_some() -> None:
        before = len(buyers.done)
        until(lambda: len(buyers.done) > before + 20, seconds=_PATIENCE)

    bought_some()
    servers.fail_over()
    bought_some()
    with Redis(port=servers.primary.port, password=_PASSWORD) as demoted:
        commands: Any = demoted
        until(lambda: commands.info("replication").get("master_link_status") == "up")
    servers.replica.kill()
    until(lambda: servers.names() == servers.primary.port, seconds=_PATIENCE)
    bought_some()
    until(lambda: _is_ready(gateway), seconds=_PATIENCE)


def _is_ready(gateway: RunningGateway) -> bool:
    return httpx.get(f"{gateway.url}/readyz", trust_env=False, timeout=20).is_success


def main() -> int:
    """Run it, and say what was measured; return 1 when something was wrong."""
    measured, wrong = measure()
    text = (
        f"# Failover\n\nTwo processes and Valkey behind a sentinel; {_BUYERS} buyers, who ask again"
        " when they are refused. The sentinel is told to fail over, then the primary is killed:\n\n"
        + table(("", "measured"), [list(each) for each in measured.items()])
        + "\n"
    )
    sys.stdout.write(text)
    keep_chapter(Path(__file__).parent / "SOAK.md", text)
    for each in wrong:
        sys.stderr.write(f"WRONG: {each}\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
