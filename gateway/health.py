"""Whether the process lives (`/healthz`) and whether it is fit for work (`/readyz`)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import __version__
from gateway.journal import Journal
from gateway.settings import Settings
from gateway.store import Store, StoreUnavailable
from gateway.upstream.client import UpstreamClient

_log = structlog.get_logger(__name__)
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
        failed: Callable[[str], object],
    ) -> None:
        self._degraded_is_ready = settings.ready_when_degraded
        self._client = client
        self._is_draining = is_draining
        self._failed = failed
        self._pings = {"store": _Ping(store.ping), "records": _Ping(journal.ping)}
        self._reasons: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """Return where they are served."""
        return [Route("/healthz", self._alive), Route("/readyz", self._ready)]

    async def _alive(self, _: Request) -> Response:
        return _answer(200, {"status": OK, "version": __version__})

    async def _ready(self, _: Request) -> Response:
        checks = {
            "process": "draining" if self._is_draining() else OK,
            "settings": OK,  # A process whose settings are unusable does not start.
            **{name: await self._state(name) for name in self._pings},
            "upstream": self._upstream_state(),
        }
        amiss = {name for name, state in checks.items() if state != OK}
        for name in amiss:
            self._failed(name)
        if self._degraded_is_ready:
            amiss &= {"process"}
        return _answer(503 if amiss else 200, {"ready": not amiss, "checks": checks})

    async def _state(self, name: str) -> str:
        """Return a check's state; a reason is logged when it begins to hold, and never told."""
        reason = await self._pings[name].reason()
        if reason and reason != self._reasons.get(name):
            _log.error("not_ready", check=name, reason=reason)
        elif not reason and name in self._reasons:
            _log.info("ready_again", check=name)
        self._reasons.pop(name, None)
        if reason:
            self._reasons[name] = reason
        return "unavailable" if reason else OK

    def _upstream_state(self) -> str:
        """Return how the upstream was found to be; nothing is asked of it for this."""
        states = self._client.breaker_states().items()
        accounts = {name.split()[-1] for name, _ in states}
        # A half-open breaker waits for a call to find out, which must then be allowed to come.
        troubled = {name.split()[-1] for name, state in states if state == "open"}
        # One account's trouble is its own.
        return "unavailable" if accounts and troubled == accounts else OK


class _Ping:
    """Asks whether something can be used; whoever asks meanwhile waits for the same answer."""

    def __init__(self, ping: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._ping = ping
        self._asking: asyncio.Task[str] | None = None

    async def reason(self) -> str:
        """Return why it cannot be used; "" when it can."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> str:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._ping()
        except StoreUnavailable as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {_PATIENCE:g} s"
        return ""


def _answer(status: int, content: object) -> Response:
    return JSONResponse(content, status, {"cache-control": "no-store"})
