"""Instructions of one request: `python -m tests.benchmarks.instructions purchase [--server proxy]`.

They are the same within half a percent however busy the machine is. The server runs in one process under
callgrind (Debian's valgrind), on transports that do no input and output: what sockets take is the
same for all, and is not counted. 32 clients ask at once. The thread of the loop is the first; that of
the journal, if there is one, the second.
"""

import argparse
import asyncio
import itertools
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.app import create_app
from gateway.server.http_limits import protocol_class
from gateway.upstream.dialling import Dialler
from tests.benchmarks.load import AUTHORIZATION, CONNECTIONS
from tests.benchmarks.operations import FRESH_KEY, OPERATIONS, PURCHASE, Operation
from tests.benchmarks.peers import passthrough
from tests.benchmarks.servers import RECORDS
from tests.benchmarks.upstream import StaticUpstream
from tests.support.bare_settings import bare_settings

_UPSTREAM: Final = "http://127.0.0.1:9"
_WARM, _COUNTED = 400, 800
_OPERATIONS: Final = {each.name: each for each in (*OPERATIONS, PURCHASE)}
SERVERS: Final = ("gateway", "proxy")


class _Transport:
    """A transport whose other end is a function."""

    def __init__(self, answer: Callable[[bytes], object]) -> None:
        self.write = answer
        self._socket = socket.socketpair()

    def writelines(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def get_extra_info(self, name: str) -> object:
        known = {
            "socket": self._socket[0],
            "peername": ("127.0.0.1", 1),
            "sockname": ("127.0.0.1", 2),
        }
        return known.get(name)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

    abort = pause_reading = resume_reading = close

    def set_write_buffer_limits(self, *_: object, **__: object) -> None:
        """Nothing waits."""


_KEPT: Final[dict[bytes, bytes]] = {}


async def _dial(_dialler: object, _origin: object, make: Callable[[], Any]) -> Any:
    """Connect to a static upstream in this process."""
    upstream, loop = StaticUpstream(), asyncio.get_running_loop()
    made = make()

    def asked(message: bytes) -> None:
        answer = _KEPT.get(message)
        if answer is None:
            head, _, form = message.decode().partition("\r\n\r\n")
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            answer = _KEPT[message] = upstream.answer(method, target, form)
        loop.call_soon(made.data_received, answer)

    made.connection_made(_Transport(asked))
    return made


def _requests(operation: Operation, server: str) -> Iterator[bytes]:
    """Yield requests as the load generator writes them, each with a fresh key."""
    head = f"Host: 127.0.0.1:8000\r\nAccept: application/json\r\nAuthorization: {AUTHORIZATION}\r\n"
    samples = operation.samples(_WARM // 2)
    for number in itertools.count():
        variables = samples[number % len(samples)]
        if server == "proxy":
            assert operation.plain_path is not None
            yield f"GET {operation.plain_path(variables)} HTTP/1.1\r\n{head}\r\n".encode()
            continue
        body = operation.body(variables).replace(FRESH_KEY.encode(), b"k-%012d" % number)
        typed = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        yield f"POST /graphql HTTP/1.1\r\n{typed}".encode() + body


def _protocol(server: str, folder: str) -> tuple[Any, Any]:
    """Return the application and its protocol class."""
    if server == "proxy":
        os.environ |= {"BENCH_UPSTREAM": _UPSTREAM, RECORDS: folder}
        return passthrough.create_app(), HttpToolsProtocol
    chosen: dict[str, Any] = {"auth": "pass-through", "production": True, "data_dir": Path(folder)}
    chosen |= {"catalog_url": _UPSTREAM, "core_url": _UPSTREAM}
    chosen |= {"requests_per_minute": 0, "purchases_per_day": 0}
    settings = bare_settings(**chosen)
    app = create_app(settings)
    parts = app.state.parts
    return app, protocol_class(
        settings, parts.pipeline.draining, parts.observation.refused, app.state.endpoint
    )


async def _serve(
    operation: Operation, server: str, folder: str, count: Callable[[str], object]
) -> None:
    """Ask some to warm up, then `count` them."""
    app, protocol = _protocol(server, folder)
    config = uvicorn.Config(app, access_log=False, log_config=None, lifespan="on", http=protocol)
    config.proxy_headers = config.server_header = config.date_header = False
    config.load()
    lifespan = config.lifespan_class(config)
    if server == "gateway":
        await lifespan.startup()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    requests = iter(
        [*itertools.islice(_requests(operation, server), _WARM + _COUNTED + CONNECTIONS)]
    )
    done = loop.create_future()
    answered, until = 0, _WARM
    quiet: list[Callable[[], None]] = []

    def client() -> None:
        connection = protocol(config=config, server_state=state, app_state={}, _loop=loop)
        head = b""

        def ask() -> None:
            connection.data_received(next(requests))

        def told(piece: bytes) -> None:
            nonlocal answered, head
            head += piece
            if not piece.endswith(b"}"):
                return
            assert head.startswith(b"HTTP/1.1 2"), head
            assert b'rrors":[{' not in head, head
            head = b""
            answered += 1
            if answered < until:
                loop.call_soon(ask)
                return
            quiet.append(ask)
            if len(quiet) == CONNECTIONS:
                done.set_result(None)

        connection.connection_made(_Transport(told))
        loop.call_soon(ask)

    for _ in range(CONNECTIONS):
        client()
    await done
    done = loop.create_future()
    until = answered + _COUNTED - CONNECTIONS + 1
    count("on")
    begun, before = quiet.copy(), answered
    quiet.clear()
    for ask in begun:
        loop.call_soon(ask)
    await done
    count("off")
    sys.stderr.write(f"counted {answered - before}\n")
    os._exit(0)  # The rest would be to wait for.


def _switch(state: str) -> None:
    command = ["callgrind_control", "-i", state, str(os.getpid())]
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    """Count, under callgrind: this starts itself there."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions")
    parser.add_argument("operation", choices=_OPERATIONS)
    parser.add_argument("--server", choices=SERVERS, default="gateway")
    parser.add_argument("--keep", type=Path, help="folder to keep callgrind's files in")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.inside:
            Dialler.dial = _dial  # type: ignore[assignment, method-assign] # no input and output
            work = _serve(_OPERATIONS[chosen.operation], chosen.server, folder, _switch)
            uvloop.run(work)
        out = chosen.keep or Path(folder)
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"]
        command += [f"--callgrind-out-file={out}/callgrind.out", sys.executable, "-m"]
        command += ["tests.benchmarks.instructions", *sys.argv[1:], "--inside"]
        env = os.environ | {"PYTHONHASHSEED": "1"}
        ran = subprocess.run(command, env=env, check=False, stderr=subprocess.PIPE, text=True)
        counted = re.search(r"counted (\d+)", ran.stderr)
        if counted is None:
            sys.exit(ran.stderr)
        for file in sorted(out.glob("callgrind.out*-*")):
            total = re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE)
            if total is not None:
                each = round(int(total[1]) / int(counted[1]))
                sys.stdout.write(f"thread {file.name[-2:]}: {each:,}\n")


if __name__ == "__main__":
    main()
