"""What happens to every request to the number API around its endpoint.

In order: read the body, authenticate, note it in the journal, count it against the account's
concurrency limit, see whether a fault happens to it, run the endpoint, answer (or break the
connection).
"""

import logging
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.sandbox.http import raw_answers
from gateway.sandbox.http.api_call import ApiCall, Pairs
from gateway.sandbox.http.credentials import authenticate
from gateway.sandbox.http.faults import Fault, Faults
from gateway.sandbox.http.formats import error_response
from gateway.sandbox.http.raw_answers import Answer
from gateway.sandbox.http.refusals import ApiError
from gateway.sandbox.http.request_log import Journal
from gateway.sandbox.http.spoil import spoil, stray_bytes
from gateway.sandbox.world.world import World

_LARGEST_BODY = 1024 * 1024
_FORM = "application/x-www-form-urlencoded"
_ALWAYS = {
    "X-Home-Region": "us1",
    "X-Powered-By": "AT-5000",
    "X-Shenanigans": "none",
    "Strict-Transport-Security": "max-age=31536000",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match,"
        " If-Unmodified-Since, Idempotency-Key"
    ),
    "Access-Control-Expose-Headers": "ETag",
}
_CORE = "/2010-04-01"
_SENT_BY_KIND = frozenset({"truncate", "slow-body", "huge-body", "stray-bytes"})

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Traffic:
    """Takes requests to the number API."""

    world: World
    journal: Journal
    faults: Faults
    active: Counter[str]

    async def handle(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request; `app` has the endpoints and finds the `ApiCall` in
        `scope["call"]`.
        """
        body = await _read_body(receive)
        if body is None:
            return
        call = self._call(scope, body)
        account = call.credentials.account
        sid = account.sid if account else None
        entry = self.journal.open(call.method, call.path, call.query, call.form, sid)
        started = time.perf_counter()
        self.active[sid or ""] += 1
        concurrent = self.active[sid or ""]
        fault: Fault | None = None
        answer: Answer | None = None
        try:
            if len(body) > _LARGEST_BODY:
                answer = await self._refuse(call, ApiError(20413))
            elif concurrent > self.world.switches.concurrency_limit:
                answer = await self._refuse(call, ApiError(20429))
            else:
                fault = self.faults.take(call.method, call.path, sid)
                answer = await self._process(fault, call, app, scope)
            if answer is not None and not (fault is not None and fault.is_between):
                _stamp(answer, call, concurrent, time.perf_counter() - started)
            outcome = fault.kind if fault else "answered"
            self.journal.close(entry, answer.status if answer else None, outcome)
        finally:
            # Before the answer goes out, so that a client's next request never meets its last one.
            self._done(sid or "")
        await _send(fault, answer, send, receive)

    def _done(self, sid: str) -> None:
        self.active[sid] -= 1
        if not self.active[sid]:
            del self.active[sid]

    def _call(self, scope: Scope, body: bytes) -> ApiCall:
        headers = Headers(scope=scope)
        path: str = scope["path"]
        form: Pairs = []
        if headers.get("content-type", _FORM).startswith(_FORM) and len(body) <= _LARGEST_BODY:
            form = _pairs(body.decode("utf-8", "replace"))
        return ApiCall(
            method=scope["method"],
            path=path,
            base_url=f"{scope['scheme']}://{headers.get('host', 'localhost')}",
            query=_pairs(scope["query_string"].decode("latin-1")),
            form=form,
            credentials=authenticate(self.world.store, headers.get("authorization")),
            xml=path.startswith(_CORE) and not path.endswith(".json"),
        )

    async def _refuse(self, call: ApiCall, error: ApiError) -> Answer:
        response = error_response(error, self.world.switches, xml=call.xml)
        return Answer(response.status_code, list(response.raw_headers), bytes(response.body))

    async def _process(
        self, fault: Fault | None, call: ApiCall, app: ASGIApp, scope: Scope
    ) -> Answer | None:
        """The answer to send, or None when the connection is to be reset."""
        if fault is None:
            return await self._run(call, app, scope)
        if not fault.commit:
            await fault.delay()
        real = await self._run(call, app, scope) if fault.processes(call.method) else None
        if fault.commit:
            await fault.delay()
        return spoil(fault, call, real, self.world.switches)

    async def _run(self, call: ApiCall, app: ASGIApp, scope: Scope) -> Answer:
        inner = {**scope, "path": _canonical(call.path), "call": call}
        inner["raw_path"] = inner["path"].encode()
        try:
            return await raw_answers.capture(app, inner, _no_body)
        except Exception:
            logger.exception("%s %s failed", call.method, call.path)
            return await self._refuse(call, ApiError(20500))


def _canonical(path: str) -> str:
    """The path that routes are written for: no extension; the catalog forgives a trailing slash."""
    if not path.startswith(_CORE):
        path = path.rstrip("/")
    return path.removesuffix(".json")


def _pairs(text: str) -> Pairs:
    return parse_qsl(text, keep_blank_values=True, errors="replace")


async def _read_body(receive: Receive) -> bytes | None:
    """The request's body, cut off soon after the largest size; None when the client left."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if len(body) <= _LARGEST_BODY:
            body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


async def _no_body() -> Any:  # noqa: ANN401 - an ASGI message
    """Endpoints find the form in the call; the body has been read."""
    raise ClientDisconnect


def _stamp(answer: Answer, call: ApiCall, concurrent: int, seconds: float) -> None:
    answer.header("Twilio-Request-Id", f"RQ{uuid.uuid4().hex}")
    answer.header("Twilio-Concurrent-Requests", str(concurrent))
    answer.header("Twilio-Request-Duration", f"{seconds:.3f}")
    domain = "api" if call.path.startswith(_CORE) else "preview"
    answer.header("X-API-Domain", f"{domain}.twilio.com")
    for name, value in _ALWAYS.items():
        answer.header(name, value)


async def _send(fault: Fault | None, answer: Answer | None, send: Send, receive: Receive) -> None:
    if answer is None:
        await raw_answers.reset(send, receive)
    elif fault is None or fault.kind not in _SENT_BY_KIND:
        await raw_answers.send_answer(send, answer)
    elif fault.kind == "truncate":
        await raw_answers.send_half(send, receive, answer)
    elif fault.kind == "stray-bytes":
        await raw_answers.send_more(send, answer, stray_bytes(fault))
    elif fault.kind == "slow-body":
        await raw_answers.send_slowly(send, answer, (fault.latency_ms or 2000) / 1000)
    else:
        await raw_answers.send_huge(send, answer, fault.bytes)
