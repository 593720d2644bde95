"""What the first operation costs beside a warm one.

The upstream is a sandbox over TLS behind a relay that takes 20 ms each way, so a round trip takes
40 ms and a connection 80 ms and more. Asked are the first operation of a process, one after a pause in
which all connections have become too old, and warm ones: with connections kept ready, and without.

The sandbox has a pause, too, and its own first answers take it milliseconds longer than others. So it is
asked by itself just before: what is measured is what the gateway has not ready.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.benchmarks.latency.page import Bound, Part
from tests.faults.asking import document
from tests.support import loopback
from tests.support.certificates import make_certificate, server_tls
from tests.support.gateway_process import served
from tests.support.relay import Relay, relay
from tests.support.sandbox_in_thread import RunningSandbox, running_sandbox

_EACH_WAY: Final = 0.02
# In place of the default of 240 s, and of five minutes without a request.
_KEEP, _PAUSE = 2.0, 4.0
_WARM: Final = 10
_ROUSING: Final = 3
# Not as a fork, whose memory is copied when it is first touched.
_PROGRAM: Final = (sys.executable, "-m", "gateway")
_MOST: Final = 1.1
_READS: Final = {
    "one call": "{ account { status } }",
    "a list": "{ phoneNumbers(first: 20) { nodes { phoneNumber friendlyName } } }",
    "a list with prices, two waves": "{ phoneNumbers(first: 20)"
    " { nodes { phoneNumber monthlyPrice { amount } } } }",
}
_PURCHASE: Final = "a purchase"


class _Gateway:
    """A gateway that was just started, and whoever asks it."""

    def __init__(self, url: str, sandbox: RunningSandbox) -> None:
        self._url = f"{url}/graphql"
        self._sandbox = sandbox
        self._http = loopback.Client(timeout=60)
        self._account = sandbox.create_account(catalog=False, owned=20)
        self._http.get(f"{url}/healthz")

    def rouse_sandbox(self) -> None:
        """Have the sandbox answer about the account, past the gateway."""
        path = f"/2010-04-01/Accounts/{self._account.sid}/IncomingPhoneNumbers.json?PageSize=20"
        for _ in range(_ROUSING):
            self._sandbox.client.get(path, auth=self._account.auth)

    def milliseconds(self, name: str) -> float:
        """Return how long an operation takes."""
        body: dict[str, Any] = {"query": _READS.get(name, document("purchase"))}
        if name == _PURCHASE:
            number = self._sandbox.put_number()["phone_number"]
            body["variables"] = {"input": {"phoneNumber": number, "idempotencyKey": number}}
        began = time.perf_counter()
        answer = self._http.post(self._url, json=body, auth=self._account.auth).json()
        took = time.perf_counter() - began
        assert "errors" not in answer, answer
        return took * 1000


@contextmanager
def _started(
    sandbox: RunningSandbox, front: Relay, certificate: Path, ready: int
) -> Iterator[_Gateway]:
    with TemporaryDirectory() as folder:
        url = front.url.replace("http://", "https://")
        variables = {
            "GATEWAY_AUTH": "pass-through",
            "GATEWAY_CORE_URL": url,
            "GATEWAY_CATALOG_URL": url,
            "GATEWAY_UPSTREAM_CA": str(certificate),
            "GATEWAY_UPSTREAM_READY": str(ready),
            "GATEWAY_UPSTREAM_KEEP": str(_KEEP),
            "GATEWAY_CACHE_COUNTRIES": "0",
            # Where records are kept is there before, as on a machine that serves for long.
            "GATEWAY_DATA_DIR": folder,
        }
        with served(folder=Path(folder), program=_PROGRAM, **variables) as (gateway, _):
            yield _Gateway(gateway, sandbox)


def _measured(start: Callable[[], Any], name: str, times: int) -> tuple[float, float, float]:
    """Return the milliseconds of the first operation, of one after a pause, and of a warm one.

    Of each the median: of `times` processes, and of their warm ones all together.
    """
    first, idle, warm = [], [], []
    for _ in range(times):
        with start() as gateway:
            time.sleep(0.5)  # A process that was just started is not asked in the same moment.
            gateway.rouse_sandbox()
            first.append(gateway.milliseconds(name))
            # What the gateway learns of an account makes the next ones other operations.
            warm += [gateway.milliseconds(name) for _ in range(_WARM)][2:]
            time.sleep(_PAUSE)
            gateway.rouse_sandbox()
            idle.append(gateway.milliseconds(name))
    return median(first), median(idle), median(warm)


def measure(*, short: bool) -> Part:
    """Measure all operations, with connections kept ready and without."""
    times = 3 if short else 5
    rows, bounds = [], []
    with TemporaryDirectory() as folder, running_sandbox() as sandbox:
        certificate = make_certificate(Path(folder), "localhost")
        with (
            relay(sandbox.url, tls=server_tls(certificate)) as there,
            relay(there.url, delay=_EACH_WAY) as front,
        ):
            for name in (*_READS, _PURCHASE):
                for ready in (4, 0):
                    first, idle, warm = _measured(
                        partial(_started, sandbox, front, certificate, ready), name, times
                    )
                    cells = [f"{each:.0f} ({each / warm:.2f})" for each in (first, idle)]
                    rows.append((name, str(ready), *cells, f"{warm:.0f}"))
                    sys.stderr.write(f"  {' | '.join(rows[-1])}\n")
                    if ready:
                        bounds += [
                            Bound(f"{name}, first", first / warm, _MOST),
                            Bound(f"{name}, after a pause", idle / warm, _MOST),
                        ]
    return Part(
        "first",
        "The first operation, and one after a pause",
        f"Milliseconds, the median of {times} processes, and the share of a warm one; TLS, a round trip of"
        f" {2000 * _EACH_WAY:.0f} ms. After the pause all connections are too old. The upstream, which had a"
        " pause as well, is asked by itself just before.",
        ("Operation", "Connections kept ready", "First of a process", "After a pause", "Warm"),
        rows,
        bounds,
    )
