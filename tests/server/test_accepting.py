"""Those who connect at once are let in together, however long a round of the loop takes."""

import asyncio
import socket
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.draining import Draining
from gateway.server import listening
from gateway.server.door import AT_ONCE
from gateway.server.uvicorn_server import Server


def test_as_many_are_accepted_in_one_round_of_the_loop_as_may_begin_in_it() -> None:
    started: Future[asyncio.AbstractEventLoop] = Future()
    all_in = threading.Event()
    rounds: list[int] = []
    now = 0

    class Newcomer(asyncio.Protocol):
        def __init__(self, **_: Any) -> None:
            pass

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            rounds.append(now)
            transport.close()
            if len(rounds) == AT_ONCE:
                all_in.set()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        """Nothing but a lifespan, which counts the rounds of the loop."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        started.set_result(asyncio.get_running_loop())
        nonlocal now
        while not all_in.is_set():
            await asyncio.sleep(0)
            now += 1
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    server = Server.of(app, Draining(0), http=Newcomer)
    bound = listening.listen("127.0.0.1", 0)
    place = bound.getsockname()
    serving = threading.Thread(target=server.serve_on, args=(bound,))
    serving.start()
    with ExitStack() as stack:
        stack.callback(serving.join)
        stack.callback(setattr, server, "should_exit", True)
        loop = started.result(60)
        blocked, go = threading.Event(), threading.Event()
        loop.call_soon_threadsafe(blocked.set)
        loop.call_soon_threadsafe(go.wait, 60)
        assert blocked.wait(60)
        for _ in range(AT_ONCE):
            stack.enter_context(socket.create_connection(place))
        go.set()
        assert all_in.wait(60)
    # The loop may have been looking for who has come just when it was blocked.
    assert max(rounds) - min(rounds) <= 1
