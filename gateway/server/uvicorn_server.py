"""uvicorn.Server with a bounded graceful shutdown.

Told to stop, uvicorn closes its port at once, resets who waits there, and then waits for every
connection, also for one that will never end. Here it takes these steps (see `gateway.draining`):

    serve on, as an end is announced ▶ close the port, but answer all who got in ▶ finish the work
    ▶ close connections ▶ cut what is left
"""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Literal, Self, cast

import uvicorn
from starlette.types import ASGIApp

from gateway.draining import Draining
from gateway.server import leaving, listening
from gateway.server._compat import HttpProtocol, forget_signal
from gateway.server.door import AT_ONCE

if TYPE_CHECKING:
    # All HTTP connections of the gateway are such; the sandbox's server has no need of it.
    from gateway.server.http_limits import GuardedProtocol

# Of the time until the exit, what is kept for sending the last answers and closing everything.
_CLOSING = 1.5
_TICK = 0.02
# Seconds in which nobody who tries to connect is made to wait, while the port is being closed.
_POLITE = 0.1
# Seconds in which who has just got in is to have asked: what asks later is refused.
_HEARING = 2.0


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then drains; a second SIGINT ends it at once."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    @classmethod
    def of(
        cls,
        app: ASGIApp,
        draining: Draining,
        http: type[asyncio.Protocol] | Literal["httptools"] = "httptools",
        ws: Callable[..., asyncio.Protocol] | Literal["websockets-sansio"] = "websockets-sansio",
        keep_alive: int = 75,
    ) -> Self:
        """Return the server of an application; by itself, with uvicorn's own protocol classes.

        Args:
            app: the application.
            draining: knows how long its end may take.
            http: makes connections.
            ws: makes those of WebSockets.
            keep_alive: seconds that a connection is kept when nobody uses it.
        """
        config = uvicorn.Config(
            app,
            http=http,
            ws=cast("type[asyncio.Protocol]", ws),  # It is only called.
            # A last bound; what is over `frame_limit`, at most the same, is told why.
            ws_max_size=2**20,
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=keep_alive,
        )
        return cls(config, draining)

    def serve_on(self, listening: socket.socket) -> int:
        """Serve until it is told to stop; return the exit code."""
        # uvloop accepts one connection in a round of the loop from each socket. Of 32 clients who
        # come while a round takes 8 ms the last would not be heard for a quarter of a second.
        self.run(sockets=[listening, *(listening.dup() for _ in range(AT_ONCE - 1))])
        return 0 if self.started else 1

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain."""
        self._draining.start()
        super().handle_exit(sig, frame)
        if sig == signal.SIGTERM:
            # It was asked to leave and will have done so: no reason to die of the signal after.
            forget_signal(self, sig)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and hear then of an end that was asked for meanwhile, if that was to wait."""
        await super().startup(sockets)
        if threading.current_thread() is threading.main_thread():
            leaving.heed()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the work at hand, let the last answers out, cut what is left, and close."""
        draining = self._draining
        draining.start()
        for connection in self._http_connections():
            connection.keep_no_longer()
        told = asyncio.get_running_loop().time()
        await self._serve_on()
        # They are one, several times.
        await self._close_port((sockets or [])[:1])
        await self._hear_out(told)
        draining.refuse()
        end = time.monotonic() + draining.left - _CLOSING
        await self._wait(lambda: not draining.busy, end)
        draining.abandon()
        await self._close_connections()
        self.config.timeout_graceful_shutdown = 1
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn would leave the application to be cancelled, and log a traceback of that.
            with suppress(TimeoutError):
                await asyncio.wait_for(self.lifespan.shutdown(), _CLOSING)

    async def _serve_on(self) -> None:
        """Serve while balancers find out; then close what was of no use to anybody meanwhile."""
        delay, told = self._draining.delay_left, asyncio.get_running_loop().time()
        if not delay:
            return
        await self._wait(lambda: self._draining.refuses, time.monotonic() + delay)
        for connection in self._http_connections():
            if connection.waits_since < told:
                connection.shutdown()

    async def _close_port(self, sockets: Sequence[socket.socket]) -> None:
        began, rounds = time.monotonic(), 0
        for each in sockets:
            # The loop accepts who waits, without telling. It may never find nobody there while many
            # go on connecting, nor accept anybody, when open files run out. On a machine that
            # stood meanwhile the time does not show that; rounds of the loop do.
            while not listening.stop(
                each,
                last_call=time.monotonic() > began + _POLITE,
                by_force=rounds > listening.BACKLOG and time.monotonic() > began + _CLOSING / 3,
            ):
                await asyncio.sleep(0)
                rounds += 1
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # The protocol hears of a connection a step after it was accepted.

    async def _hear_out(self, told: float) -> None:
        """Answer those who have got in since `told`, or were just answered, for a moment.

        The port, or their connection, was open to them. Each connection ends with its answer.
        """
        # However long the machine stood: what has arrived meanwhile is read first of all.
        await asyncio.sleep(_TICK)
        await self._wait(
            lambda: not any(each.may_ask(told) for each in self._http_connections()),
            time.monotonic() + min(_HEARING, self._draining.left / 4),
        )

    def _http_connections(self) -> "list[GuardedProtocol]":
        connections = self.server_state.connections
        return [
            cast("GuardedProtocol", each) for each in connections if isinstance(each, HttpProtocol)
        ]

    async def _close_connections(self) -> None:
        connections = self.server_state.connections
        end = time.monotonic() + _CLOSING / 3
        for connection in list(connections):
            connection.shutdown()
        await self._wait(lambda: not connections, end)
        for connection in list(connections):
            # A client that does not send the rest of its request, or does not take its answer.
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

    async def _wait(self, until: Callable[[], bool], end: float) -> None:
        """Wait until something holds, the time is up, or somebody insists on leaving."""
        # Leaving at once is a flag set by a signal handler, so there is nothing to be woken by.
        while not until() and time.monotonic() < end and not self.force_exit:
            await asyncio.sleep(_TICK)
            # What has arrived by now is read, before it is believed that nothing comes.
            await asyncio.sleep(0)
