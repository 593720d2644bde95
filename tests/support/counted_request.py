"""Counts what one request of a warm gateway makes the process do: calls, coroutines, objects, timers.

The gateway serves on the loop of a thread of its own, as `serve` does with uvloop; what `sys.setprofile`
tells of that thread between the request and its answer is what the request cost. It is the same
each time, whatever machine counts it.
"""

import asyncio
import gc
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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.app import create_app
from gateway.server.http_limits import protocol_class
from tests.support.bare_settings import bare_settings
from tests.support.gateway_in_thread import noting

_OURS: Final = ("gateway.", "schema.")
# The server's own clock ticks whether anybody asks or not; the rest is how this counts.
_CLOCK: Final = "uvicorn/server.py"
_NOT_COUNTED: Final = (_CLOCK, "/threading.py", "/collections/__init__.py", __file__)
# How often these are called is chance: in how many pieces an answer of the upstream comes, and
# whether the server's clock wakes up meanwhile.
_BY_CHANCE: Final = {
    "upstream/connections.py:Connection.data_received",
    "asyncio/futures.py:_set_result_unless_cancelled",
}
# Theirs are what upstream's JSON is read into, and what the response is written from.
_OF_DATA: Final = (
    "gateway.mapping.records",
    "gateway.upstream.families",
    "gateway.execution.projection_writer",
)
# The sandbox serves on a thread of the same process.
_OF_OTHERS: Final = "gateway.sandbox."

_WARMING, _COUNTED, _SHOWN = 5, 10, 2


@dataclass
class Counts:
    """What a request cost.

    Attributes:
        calls: Python functions, by file and name; a coroutine counts once, however often it waits.
        resumed: how often coroutines went on after they had waited.
        coroutines: those that began, by name.
        objects: of the project's own classes, by name; without `data`.
        data: those that hold what the upstream and the client are told.
        tasks: those that were made, by the name of their coroutine.
        futures: how many were made.
        timers: how many were set.
    """

    calls: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    coroutines: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    data: Counter[str] = field(default_factory=Counter)
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
        for name in ("coroutines", "objects", "data", "tasks", "calls"):
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
        place = Path(code.co_filename)
        name = f"{place.parent.name}/{place.name}:{code.co_qualname}"
        if name in _BY_CHANCE or _of_clock(frame):
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
        self.counts.calls[name] += 1


class _Objects:
    """Sees the objects of the project's classes that a thread makes, however it makes them.

    Structures are made in C, which tells nobody. So with each line it is looked what is new among
    the locals of the running frame, and in what these hold. What an earlier request has shown is
    kept, and so is not new.
    """

    def __init__(self) -> None:
        self.objects: Counter[str] = Counter()
        self.data: Counter[str] = Counter()
        self._known: dict[int, object] = {}

    def start(self) -> None:
        self.objects, self.data = Counter(), Counter()
        sys.settrace(self._look)

    def stop(self) -> None:
        sys.settrace(None)

    def _look(self, frame: FrameType, event: str, result: object) -> Any:
        for each in frame.f_locals.values():
            self._see(each)
        if event == "return":
            self._see(result)
        return self._look

    def _see(self, value: Any) -> None:
        kind = type(value)
        is_ours = kind.__module__.startswith(_OURS)
        if id(value) in self._known or not (is_ours or kind in {tuple, list, dict, set}):
            return
        self._known[id(value)] = value
        if is_ours and not kind.__module__.startswith(_OF_OTHERS):
            counted = self.data if kind.__module__ in _OF_DATA else self.objects
            counted[kind.__qualname__] += 1
        # The collector knows nothing of a structure that has no part in collecting.
        names = getattr(kind, "__struct_fields__", None)
        held = gc.get_referents(value) if names is None else [getattr(value, n) for n in names]
        for each in held:
            self._see(each)


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
    asked: int = _WARMING + _COUNTED + _SHOWN

    def ask(self, request: bytes) -> tuple[Counts, bytes]:
        """Send a request some times on one connection; see `ask_in_turn`."""
        return self.ask_in_turn(itertools.repeat(request))

    def ask_in_turn(self, requests: Iterator[bytes]) -> tuple[Counts, bytes]:
        """Send requests alike on one connection; return what the cheapest warm one cost.

        They differ in what is done once in a while, and in nothing else; not in how the bytes of the
        upstream's answers happen to be cut. Its objects are counted of further ones.
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
            seen = _Objects()
            for _ in range(_SHOWN):
                request = next(requests)
                self._on_loop(seen.start)
                answer = _exchange(connection, request)
                self._on_loop(seen.stop)
        cheapest = min(found, key=lambda each: each.calls.total())
        cheapest.objects, cheapest.data = seen.objects, seen.data
        return cheapest, answer

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
def counting_gateway(*, adaptor: str = "lean", **settings: Any) -> Iterator[CountingGateway]:
    """Run a gateway on a loop that counts; `settings` are fields of `Settings`.

    `adaptor` is `lean`, as `serve` has it, or `asgi`: the plain application on uvicorn.
    """
    chosen: dict[str, Any] = {"auth": "pass-through"} | settings
    settled = bare_settings(**chosen)
    app = create_app(settled)
    parts = app.state.parts
    config = uvicorn.Config(
        app,
        http=noting(HttpToolsProtocol, accesses=False)
        if adaptor == "asgi"
        else protocol_class(
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
