"""Whether the process lives (`/healthz`) and whether it is fit for work (`/readyz`)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway import __version__
from gateway.storage.outages import Outages
from gateway.upstream.client import SEARCHES, UpstreamClient

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

OK: Final = "ok"
_AWAY: Final = "unavailable"


class Health:
    """Answers both questions.

    `/healthz` is 200 as long as the process answers at all: restart it when it does not.
    `/readyz` is 200 when requests will be answered well, else 503 with what is amiss: send it none.

    Why storage cannot be used is told in a word of a closed set; more about it is in the log.
    """

    def __init__(
        self,
        outages: Outages,
        client: UpstreamClient,
        is_draining: Callable[[], bool],
        failed: Callable[[str], object],
        *,
        degraded_is_ready: bool,
        has_shared_store: bool,
    ) -> None:
        self._degraded_is_ready = degraded_is_ready
        # Without a shared store only the records can be amiss; with one they are kept in it.
        self._kept_in = ("store", "records") if has_shared_store else ("records",)
        self._outages = outages
        self._client = client
        self._is_draining = is_draining
        self._failed = failed

    def routes(self) -> "list[Route]":
        """Return where they are served."""
        from starlette.routing import Route  # noqa: PLC0415 - nobody asks at the start

        return [Route("/healthz", self._alive), Route("/readyz", self._ready)]

    async def _alive(self, _: "Request") -> "Response":
        return _answer(200, {"status": OK, "version": __version__})

    async def _ready(self, _: "Request") -> "Response":
        cause = await self._outages.look()
        checks = {
            "process": "draining" if self._is_draining() else OK,
            "settings": OK,  # A process whose settings are unusable does not start.
            "store": OK,
            "records": OK,
            "upstream": self._upstream_state(),
        }
        content: dict[str, object] = {"ready": True, "checks": checks}
        if cause is not None:
            checks |= dict.fromkeys(self._kept_in, _AWAY)
            content["causes"] = dict.fromkeys(self._kept_in, cause)
        if warnings := [each.about for each in self._outages.advice]:
            content["warnings"] = {self._kept_in[0]: warnings}
        amiss = {name for name, state in checks.items() if state != OK}
        for name in amiss:
            self._failed(name)
        if self._degraded_is_ready:
            amiss &= {"process"}
        content["ready"] = not amiss
        return _answer(503 if amiss else 200, content)

    def _upstream_state(self) -> str:
        """Return how the upstream was found to be; nothing is asked of it for this."""
        found = ((*name.split(), state) for name, state in self._client.breaker_states().items())
        # Owned numbers can be read while no search is answered.
        states = [(sid, state) for name, sid, state in found if not name.endswith(SEARCHES)]
        accounts = {sid for sid, _ in states}
        # A half-open breaker waits for a call to find out, which must then be allowed to come.
        troubled = {sid for sid, state in states if state == "open"}
        # One account's trouble is its own.
        return _AWAY if accounts and troubled == accounts else OK


def _answer(status: int, content: object) -> "Response":
    from starlette.responses import JSONResponse  # noqa: PLC0415 - nobody asks at the start

    return JSONResponse(content, status, {"cache-control": "no-store"})
