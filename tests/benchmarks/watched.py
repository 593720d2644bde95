"""Several gateways in one process, each set up in another way; each listens on its own port.

Two processes that run the same code can differ by a tenth in speed, by where their memory happens
to lie. What watching costs is less than that, so all ways have to share one process.
"""

import argparse
import asyncio
import os
import socket
from typing import Any, Final

import uvloop

from gateway.app import create_app
from gateway.observability.logs import configure
from gateway.server.serve import server_for
from tests.support.bare_settings import bare_settings

STORE: Final = "BENCH_STORE"
OFF: Final = "off"
WAYS: Final[dict[str, dict[str, Any]]] = {
    OFF: {"log_requests": "none"},
    "default (failed requests are logged)": {},
    "metrics": {"metrics": True},
    "traces": {"traces": True},
    "metrics and traces": {"metrics": True, "traces": True},
    "every request logged": {"log_requests": "all"},
    "off, once more": {"log_requests": "none"},
}
"""Ways of watching."""
ALONE: Final = "no store"
_MANY: Final = 100_000_000
_LIMITED: Final[dict[str, Any]] = {"store_url": os.environ.get(STORE), "requests_per_minute": _MANY}
_KEEPING: Final[dict[str, Any]] = {"cache_owned": 60.0, "cache_search": 60.0}
SHARING: Final[dict[str, dict[str, Any]]] = {
    ALONE: {},
    "limits": _LIMITED,
    "limits and cache, found": _LIMITED | _KEEPING,
    "limits and cache, not found": _LIMITED
    | {"cache_owned": 0.001, "cache_search": 0.001, "cache_stale": 0.0},
    "no store, once more": {},
}
"""Ways of using the shared store, which an environment variable names."""
TABLES: Final = {"watching": WAYS, "sharing": SHARING}


def _listening(port: int) -> socket.socket:
    listening = socket.create_server(("127.0.0.1", port), backlog=2048)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


async def serve(upstream: str, ways: dict[str, dict[str, Any]], ports: list[int]) -> None:
    """Serve every way on its port, in order, until SIGTERM."""
    servers, serving = [], []
    for port, way in zip(ports, ways.values(), strict=True):
        settings = bare_settings(
            auth="pass-through",
            production=True,
            catalog_url=upstream,
            core_url=upstream,
            **({"requests_per_minute": 0} | way),
        )
        configure(settings.log_level, settings.log_format)
        app = create_app(settings)
        server = server_for(app, app.state.parts.pipeline.draining, settings)
        servers.append(server)
        serving.append(asyncio.create_task(server.serve(sockets=[_listening(port)])))
    # The signal reaches the server that began last.
    await asyncio.wait(serving, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*serving)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="The gateway in each of several ways.")
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--ways", choices=TABLES, required=True, help="how they differ")
    parser.add_argument("--ports", required=True, help="one for each way, with commas")
    chosen = parser.parse_args()
    uvloop.run(
        serve(chosen.upstream, TABLES[chosen.ways], [int(port) for port in chosen.ports.split(",")])
    )


if __name__ == "__main__":
    main()
