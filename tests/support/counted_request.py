"""Counts what one request of a warm gateway makes the process do: calls, coroutines, objects, timers.

The gateway serves on the loop of a thread of its own, as `serve` does with uvloop; what `sys.setprofile`
tells of that thread between the request and its answer is what the request cost. It is the same
each time, whatever machine counts it.
"""

import asyncio
import inspect
import itertools
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
import uvloop

from gateway.app import create_app
from gateway.server.http_limits import protocol_class
from tests.support.bare_settings import bare_settings

_OURS: Final = ("gateway.", "schema.")
# The server's own clock ticks whether anybody asks or not; the rest is how this counts.
_CLOCK: Final = "uvicorn/server.py"
_NOT_COUNTED: Final = (_CLOCK, "/threading.py", "/collections/__init__.py", __file__)


_WARMING, _COUNTED = 5, 10


@dataclass
class Counts:
    """What a request cost.

    Attributes:
        calls: Python functions, by file and name; a coroutine counts once, however often it waits.
        resumed: how often coroutines went on after they had waited.
        coroutines: those that began, by name.
        objects: of the project's own classes, by name; without structures, which are made in C.
        tasks: those that were made, by the name of their coroutine.
        futures: how many were made.
        timers: how many were set.
    """

    calls: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    coroutines: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    futures: int = 0
    timers: int = 0

    def __str__(self) -> str:
        """Show all, the most frequent first."""
        lines = [
            (
                f"{self.calls.total()} calls, {self.coroutines.total()} coroutines, "
                f"{self.objects.total()} objects, {self.tasks.total()} tasks, "
                f"{self.futures} futures, {self.timers} timers"
            )
        ]
        for name in ("coroutines", "objects", "tasks", "calls"):
            found = getattr(self, name).most_common()
            lines.append(f"{name}: " + ", ".join(f"{each} {n}" for each, n in found))
        return "\n".join(lines)


class _Counter:
    """Counts on one thread while it is switched on."""

    def __init__(self) -> None:
        self.counts = self.counted = Counts()
        self._frames: set[FrameType] = set()

    def start(self) -> None:
        self.counts = Counts()
        self._frames.clear()
        sys.setprofile(self._look)

    def stop(self) -> None:
        sys.setprofile(None)
        self._frames.clear()
        # What comes later is not this request's.
        self.counted, self.counts = self.counts, Counts()

    def _look(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_filename.endswith(_NOT_COUNTED):
            return
        if _of_clock(frame):
            return
        if code.co_flags & (
            inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
        ):
            if frame in self._frames:
                self.counts.resumed += 1
                return
            self._frames.add(frame)
            if code.co_flags & inspect.CO_COROUTINE:
                self.counts.coroutines[code.co_qualname] += 1
        place = Path(code.co_filename)
        self.counts.calls[f"{place.parent.name}/{place.name}:{code.co_qualname}"] += 1
        made = self._made(frame)
        if made is not None and made.__module__.startswith(_OURS):
            self.counts.objects[made.__name__] += 1

    @staticmethod
    def _made(frame: FrameType) -> type | None:
        """Return the class of which a call makes an object; None when it makes none."""
        code = frame.f_code
        if not code.co_varnames:
            return None
        first: Any = frame.f_locals.get(code.co_varnames[0])
        if code.co_varnames[0] == "_cls" and isinstance(first, type):
            return first  # A named tuple.
        kind = type(first)
        own = getattr(kind.__init__, "__code__", None)
        return kind if code.co_name == "__init__" and own is code else None


def _of_clock(frame: FrameType) -> bool:
    """Whether the server's clock has called this."""
    caller = frame.f_back
    return caller is not None and caller.f_code.co_filename.endswith(_CLOCK)


class _Loop(uvloop.Loop):
    counter: _Counter

    def create_future(self) -> asyncio.Future[Any]:
        self.counter.counts.futures += not _of_clock(sys._getframe(1))
        return super().create_future()

    def call_later(self, *args: Any, **options: Any) -> asyncio.TimerHandle:  # type: ignore[override] # passed on
        self.counter.counts.timers += not _of_clock(sys._getframe(1))
        return super().call_later(*args, **options)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        self.counter.counts.tasks[coro.__qualname__] += 1
        return super().create_task(coro, **options)


@dataclass(frozen=True)
class CountingGateway:
    """A gateway that counts what its requests cost.

    Attributes:
        asked: how often it is asked to count once.
    """

    port: int
    loop: asyncio.AbstractEventLoop
    counter: _Counter
    asked: int = _WARMING + _COUNTED

    def ask(self, request: bytes) -> tuple[Counts, bytes]:
        """Send a request some times on one connection; see `ask_in_turn`."""
        return self.ask_in_turn(itertools.repeat(request))

    def ask_in_turn(self, requests: Iterator[bytes]) -> tuple[Counts, bytes]:
        """Send requests alike on one connection; return what the cheapest warm one cost.

        They differ in how bytes happen to arrive, in one piece or in several, and in nothing else.
        Also returns the body of the last answer.
        """
        found: list[Counts] = []
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(_WARMING):
                _exchange(connection, next(requests))
            for _ in range(_COUNTED):
                request = next(requests)
                self._on_loop(self.counter.start)
                answer = _exchange(connection, request)
                self._on_loop(self.counter.stop)
                found.append(self.counter.counted)
        return min(found, key=lambda each: each.calls.total()), answer

    def _on_loop(self, call: Any) -> None:
        done = threading.Event()

        def run() -> None:
            call()
            done.set()

        self.loop.call_soon_threadsafe(run)
        assert done.wait(10)


def _exchange(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        if end:
            assert head.startswith(b"HTTP/1.1 200"), received
            lines = dict(each.lower().split(b": ", 1) for each in head.split(b"\r\n")[1:])
            if len(body) >= int(lines[b"content-length"]):
                return body
        received += connection.recv(65536)


@contextmanager
def counting_gateway(**settings: Any) -> Iterator[CountingGateway]:
    """Run a gateway on a loop that counts; `settings` are fields of `Settings`."""
    chosen: dict[str, Any] = {"auth": "pass-through"} | settings
    settled = bare_settings(**chosen)
    app = create_app(settled)
    parts = app.state.parts
    config = uvicorn.Config(
        app,
        http=protocol_class(
            settled, parts.pipeline.draining, parts.observation.refused, app.state.endpoint
        ),
        access_log=False,
        log_config=None,
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)
    loop = _Loop()
    counter = loop.counter = _Counter()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve(sockets=[listener]))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                threading.Event().wait(0.005)
            yield CountingGateway(listener.getsockname()[1], loop, counter)
        finally:
            server.should_exit = True
            thread.join(10)
