"""What the explorer can do to the sandbox: begin anew, lose an answer, refuse a call, be slow.

The page talks to its own origin alone, so the gateway hands these few wishes on; all else of the
sandbox's control stays where it is (`docs/sandbox.md`). There is none of it with a real upstream.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

# What can be wished for, as faults of the sandbox: what has a count happens that often.
TROUBLES: Final[Mapping[str, dict[str, Any]]] = {
    "lose": {"kind": "lost-answer", "method": "POST"},
    "refuse": {"kind": "429", "retry_after": 1},
    "slow": {"kind": "latency", "latency_ms": 1000, "count": None},
}
_PATIENCE: Final = 30.0  # Seconds: beginning anew makes some 100,000 numbers.


def sandbox_routes(url: str, refuse: Callable[[Mapping[str, str]], str | None]) -> list[BaseRoute]:
    """Return the route `/explorer/sandbox`.

    GET tells which troubles are still to come: `{"troubles": ["slow"]}`. POST takes
    `{"trouble": "lose"}` (or `refuse`, `slow`), `{"calm": true}` or `{"reset": true}`, and answers
    the same; 400 for anything else, 403 to pages of other sites, 502 when the sandbox is away.

    Args:
        url: where the sandbox listens.
        refuse: tells by its headers why a request must not be heeded; None when it may.
    """
    # Each reads what is to come and adds to it: of two at once, one would be forgotten.
    in_turn = asyncio.Lock()

    async def answer(request: Request) -> Response:
        if why := refuse(request.headers):
            return JSONResponse({"error": why}, 403)
        wish: dict[str, Any] = {}
        if request.method == "POST":
            try:
                wish = await request.json()
            except ValueError:
                return JSONResponse({"error": "The body is not JSON."}, 400)
            if not _is_known(wish):
                return JSONResponse({"error": "Nobody knows how to do that."}, 400)
        async with in_turn:
            return await _carry_out(url, wish)

    return [Route("/explorer/sandbox", answer, methods=["GET", "POST"])]


def _is_known(wish: object) -> bool:
    if not isinstance(wish, dict) or len(wish) != 1:
        return False
    return wish in ({"calm": True}, {"reset": True}, *({"trouble": each} for each in TROUBLES))


async def _carry_out(url: str, wish: Mapping[str, Any]) -> Response:
    import httpx  # noqa: PLC0415 - few ever use the menu

    async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE, trust_env=False) as sandbox:
        try:
            if "reset" in wish:
                (await sandbox.post("/_sandbox/reset")).raise_for_status()
            elif "calm" in wish:
                (await sandbox.delete("/_sandbox/faults")).raise_for_status()
            read = (await sandbox.get("/_sandbox/faults")).raise_for_status()
            faults = [_wanted(each) for each in read.json()["faults"] if _is_to_come(each)]
            asked = TROUBLES.get(wish.get("trouble", ""))
            if asked and asked not in faults:
                faults.append(asked)
                put = await sandbox.put("/_sandbox/faults", json={"faults": faults})
                put.raise_for_status()
        except httpx.HTTPError:
            return JSONResponse({"error": "The sandbox does not answer."}, 502)
    names = [name for name, fault in TROUBLES.items() if fault in faults]
    return JSONResponse({"troubles": names}, headers={"Cache-Control": "no-store"})


def _wanted(fault: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fault as it was set, without what became of it."""
    return {key: value for key, value in fault.items() if key not in {"matched", "fired"}}


def _is_to_come(fault: Mapping[str, Any]) -> bool:
    count = fault.get("count", 1)
    return count is None or fault["fired"] < count
