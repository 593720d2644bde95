"""Whether the process lives (`/healthz`) and whether it is fit for work (`/readyz`)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import __version__
from gateway.journal import Journal
from gateway.settings import Settings
from gateway.store import Store, StoreUnavailable
from gateway.upstream.client import UpstreamClient

OK: Final = "ok"
_PATIENCE: Final = 2.0


class Health:
    """Answers both questions.

    `/healthz` is 200 as long as the process answers at all: restart it when it does not.
    `/readyz` is 200 when requests will be answered well, else 503 with what is amiss: send it none.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        journal: Journal,
        client: UpstreamClient,
        is_draining: Callable[[], bool],
    ) -> None:
        self._degraded_is_ready = settings.ready_when_degraded
        self._store = store
        self._journal = journal
        self._client = client
        self._is_draining = is_draining

    def routes(self) -> list[Route]:
        """Return where they are served."""
        return [Route("/healthz", self._alive), Route("/readyz", self._ready)]

    async def _alive(self, _: Request) -> Response:
        return _answer(200, {"status": OK, "version": __version__})

    async def _ready(self, _: Request) -> Response:
        checks = {
            "process": "draining" if self._is_draining() else OK,
            "settings": OK,  # A process whose settings are unusable does not start.
            "store": await _state(self._store.ping()),
            "records": await _state(self._journal.ping()),
            "upstream": self._upstream_state(),
        }
        amiss = {name for name, state in checks.items() if state != OK}
        if self._degraded_is_ready:
            amiss &= {"process"}
        return _answer(503 if amiss else 200, {"ready": not amiss, "checks": checks})

    def _upstream_state(self) -> str:
        """Return how the upstream was found to be; nothing is asked of it for this."""
        states = self._client.breaker_states().items()
        accounts = {name.split()[-1] for name, _ in states}
        # A half-open breaker waits for a call to find out, which must then be allowed to come.
        troubled = {name.split()[-1] for name, state in states if state == "open"}
        # One account's trouble is its own.
        return "unavailable" if accounts and troubled == accounts else OK


async def _state(ping: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            await ping
    except (StoreUnavailable, TimeoutError):
        return "unavailable"
    return OK


def _answer(status: int, content: object) -> Response:
    return JSONResponse(content, status, {"cache-control": "no-store"})
