"""Open-loop load: requests leave at fixed times, whether or not the ones before were answered.

Each latency is from the time at which a request was to leave. So what keeps the server busy counts
for all who would have asked meanwhile; a client that waits for its answer before it asks again would
have asked less often just then ("coordinated omission").

One thread sends, another takes the answers: event loops wait in whole milliseconds.
"""

import multiprocessing
import re
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tests.benchmarks.load import AUTHORIZATION, LoadError

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
# Seconds for the answers that are still on their way at the end.
_PATIENCE: Final = 20.0
# Threads take turns within this time in place of 5 ms.
_TURN: Final = 0.0005


@dataclass(frozen=True)
class Latencies:
    """What was measured, in milliseconds.

    Attributes:
        all: of each answer, ascending.
        failed: how many answers were none, or had errors.
        late: how late a request left, of a hundred the latest but one.
    """

    all: Sequence[float]
    failed: int
    late: float

    def at(self, share: float) -> float:
        """Return the latency that this share of answers does not exceed."""
        return self.all[min(len(self.all) - 1, int(share * len(self.all)))]

    @property
    def curve(self) -> list[tuple[float, float]]:
        """Points for a plot, by share."""
        shares = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
        return [
            (each, round(self.at(each), 2)) for each in shares if (1 - each) * len(self.all) >= 1
        ]


def posts(url: str, bodies: Sequence[bytes], authorization: str = AUTHORIZATION) -> list[bytes]:
    """Return GraphQL requests as they go over the wire."""
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: {authorization}"
        "\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: "
    )
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


def gets(url: str, paths: Sequence[str]) -> list[bytes]:
    """Return requests of a plain proxy, or of the upstream itself."""
    rest = f"HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: {AUTHORIZATION}\r\n\r\n"
    return [f"GET {path} {rest}".encode() for path in paths]


def run(
    url: str, requests: Sequence[bytes], rate: float, seconds: float, warm: float = 1.0
) -> Latencies:
    """Send requests in turn, `rate` a second, for `seconds` after `warm` ones that do not count.

    Raises:
        LoadError: not one answer came.
    """
    load = _Load(url, requests, rate, seconds, warm)
    turn = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        return load.run()
    finally:
        sys.setswitchinterval(turn)


@contextmanager
def beside(url: str, requests: Sequence[bytes], rate: float) -> Iterator[None]:
    """Keep the same load going while the block runs, whatever is answered.

    From a process of its own: what it has to do must not keep the load that is measured waiting.
    """
    process = multiprocessing.get_context("fork").Process(
        target=_keep_going, args=(url, requests, rate), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _keep_going(url: str, requests: Sequence[bytes], rate: float) -> None:
    load = _Load(url, requests, rate, 1e6, 0)
    threading.Thread(target=load.take, daemon=True).start()
    load.send()


class _Load:
    def __init__(
        self, url: str, requests: Sequence[bytes], rate: float, seconds: float, warm: float
    ) -> None:
        parts = urlsplit(url)
        self._where = parts.hostname or "", parts.port or 80
        self._requests = requests
        self._rate = rate
        self._count = int(rate * (seconds + warm))
        self._uncounted = int(rate * warm)
        self._idle: deque[socket.socket] = deque()
        self._all: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        # The place of the request that is under way on each connection, when it was to leave, and
        # what has come of its answer.
        self._asked: dict[socket.socket, tuple[int, float]] = {}
        self._came: dict[socket.socket, bytes] = {}
        self._latencies: list[float] = []
        self._late: list[float] = []
        self._failed = 0
        self._sent = self._answered = 0
        self._stopped = False

    def run(self) -> Latencies:
        taking = threading.Thread(target=self.take, daemon=True)
        taking.start()
        self.send()
        give_up = time.monotonic() + _PATIENCE
        while self._answered < self._sent and time.monotonic() < give_up:
            time.sleep(0.05)
        self._stopped = True
        taking.join()
        for each in self._all:
            each.close()
        self._selector.close()
        if not self._latencies:
            raise LoadError(f"{self._where}: no answer")
        late = sorted(self._late)
        return Latencies(
            sorted(self._latencies),
            self._failed + self._sent - self._answered,
            late[int(0.99 * len(late))] * 1000,
        )

    def send(self) -> None:
        began = time.perf_counter() + 0.05
        for place in range(self._count):
            due = began + place / self._rate
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            if place >= self._uncounted:
                self._late.append(time.perf_counter() - due)
            connection = self._idle.pop() if self._idle else self._connect()
            self._asked[connection] = place, due
            self._came[connection] = b""
            self._sent += 1
            try:
                connection.sendall(self._requests[place % len(self._requests)])
            except OSError:
                self._end(connection)

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._where)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._all.append(connection)
        self._selector.register(connection, selectors.EVENT_READ)
        return connection

    def take(self) -> None:
        while not self._stopped:
            for key, _ in self._selector.select(0.05):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                try:
                    data = connection.recv(2**18)
                except OSError:
                    data = b""
                if data:
                    self._take(connection, data)
                else:
                    self._end(connection)

    def _take(self, connection: socket.socket, data: bytes) -> None:
        now = time.perf_counter()
        came = self._came[connection] = self._came[connection] + data
        end = came.find(_HEAD_END)
        if end < 0:
            return
        length = _LENGTH.search(came, 0, end + 2)
        if length is None:
            self._end(connection)
            return
        if len(came) < end + len(_HEAD_END) + int(length[1]):
            return
        place, due = self._asked.pop(connection)
        self._answered += 1
        if place >= self._uncounted:
            if came.startswith(b"HTTP/1.1 200") and b'"errors":' not in came:
                self._latencies.append((now - due) * 1000)
            else:
                self._failed += 1
        self._idle.append(connection)

    def _end(self, connection: socket.socket) -> None:
        """Give up a connection that broke, and what was under way on it."""
        try:
            self._selector.unregister(connection)
        except KeyError:
            return
        if self._asked.pop(connection, None) is not None:
            self._answered += 1
            self._failed += 1
        elif connection in self._idle:
            self._idle.remove(connection)
