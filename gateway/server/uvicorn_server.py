"""The HTTP server: uvicorn, with an end that comes in time and breaks nothing off.

Told to stop, uvicorn closes its port at once and then waits for every connection, also for one
that will never end. Here the port stays open while work is finished, so that whoever asks is told
that this process is leaving; then the connections that are left are cut.
"""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from gateway.draining import Draining

# Of the time until the exit, what is kept for sending the last answers and closing everything.
_CLOSING = 1.5
_TICK = 0.02


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then drains; a second SIGINT ends it at once."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no new work from this moment on."""
        self._draining.start()
        super().handle_exit(sig, frame)
        if sig == signal.SIGTERM:
            # It was asked to leave and will have done so: no reason to die of the signal after.
            self._captured_signals.remove(sig)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the work at hand, let the last answers out, cut what is left, and close."""
        self._draining.start()
        end = time.monotonic() + self._draining.limit - _CLOSING
        await self._wait(lambda: not self._draining.busy, end)
        self._draining.abandon()
        for server in self.servers:
            server.close()
        await self._close_connections()
        self.config.timeout_graceful_shutdown = 1
        await super().shutdown(sockets)

    async def _close_connections(self) -> None:
        connections = self.server_state.connections
        for connection in list(connections):
            connection.shutdown()
        end = time.monotonic() + _CLOSING / 3
        await self._wait(lambda: not connections, end)
        for connection in list(connections):
            # A client that does not send the rest of its request, or does not take its answer.
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

    async def _wait(self, until: Callable[[], bool], end: float) -> None:
        """Wait until something holds, the time is up, or somebody insists on leaving."""
        # Leaving at once is a flag set by a signal handler, so there is nothing to be woken by.
        while not until() and time.monotonic() < end and not self.force_exit:  # noqa: ASYNC110
            await asyncio.sleep(_TICK)
