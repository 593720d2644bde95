"""Reads of one request: each distinct call once, and shared with other requests in flight."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from graphql.pyutils import Path

from gateway.cache import ResponseCache
from gateway.errors import DeadlineExceeded, UpstreamTimeout
from gateway.trace import Trace
from gateway.upstream.call import Answer, Call, Credential
from gateway.upstream.client import Sent, UpstreamClient


class _Flight:
    """A call on its way, and how many requests wait for it."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: asyncio.Task[Answer]) -> None:
        self.task = task
        self.waiting = 0


class Flights:
    """Calls on their way, process-wide: identical reads with one credential are one call."""

    def __init__(self) -> None:
        self._flights: dict[tuple[str, Call], _Flight] = {}

    def is_flying(self, credential: Credential, call: Call) -> bool:
        """Whether somebody with the same credential waits for the same call."""
        return (credential.fingerprint, call) in self._flights

    async def join(
        self, credential: Credential, call: Call, send: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Return the answer to `call`; `send` is used by whoever comes first.

        A waiter that is cancelled leaves; the call itself is cancelled with its last waiter.
        """
        key = (credential.fingerprint, call)
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(asyncio.ensure_future(_await(send)))
            self._flights[key] = flight
            flight.task.add_done_callback(lambda _: self._flights.pop(key, None))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._flights.pop(key, None)
                flight.task.cancel()


async def _await(send: Callable[[], Awaitable[Answer]]) -> Answer:
    return await send()


class Reader:
    """The reads, and the writes, of one request.

    Attributes:
        credential: as whom it asks.
        deadline: time of `time.monotonic` by which the request must be answered.
        trace: what was asked and spared.
    """

    def __init__(
        self,
        client: UpstreamClient,
        flights: Flights,
        cache: ResponseCache,
        credential: Credential,
        deadline: float,
        trace: Trace,
        *,
        shares: bool = True,
    ) -> None:
        self.credential = credential
        self.deadline = deadline
        self.trace = trace
        self._client = client
        self._flights = flights
        self._cache = cache
        self._shares = shares
        self._seen: dict[Call, asyncio.Task[Answer]] = {}

    async def read(self, call: Call, asked: Sequence[Path]) -> Answer:
        """Return the answer to a read, asked for by the fields `asked`.

        Raises:
            UpstreamError: the upstream did not give it.
            DeadlineExceeded: the request's time is up.
        """
        task = self._seen.get(call)
        if task is None:
            task = asyncio.ensure_future(self._fetch(call, asked))
            self._seen[call] = task
            spared = asked[1:]
        else:
            spared = asked
        for each in spared:
            self.trace.note_spared(call, "coalesced", (each,))
        return await asyncio.shield(task)

    async def write(self, call: Call, asked: Sequence[Path], *, deadline: float) -> Answer:
        """Send a call that changes something, and forget what was read before it.

        Args:
            call: what to change.
            asked: the fields that want it.
            deadline: time of `time.monotonic` by which it must be answered; earlier than the
                request's own, so that there is time to look what became of it.

        Raises:
            UpstreamError: `processed` tells whether it may have happened all the same.
        """
        try:
            return await self._send(call, asked, deadline)
        finally:
            await self._cache.changed(call)
            self.forget()

    def alone(self) -> "Reader":
        """Return a reader for the same request that shares nothing with reads that began before.

        What it reads is true now; and it goes on when this one is cancelled.
        """
        return Reader(
            self._client,
            Flights(),
            self._cache,
            self.credential,
            self.deadline,
            self.trace,
            shares=False,
        )

    def cancel(self) -> None:
        """Give up all reads on their way, for a client that is gone."""
        for task in self._seen.values():
            task.cancel()

    def forget(self) -> None:
        """Forget all answers: the next read asks again."""
        self._seen.clear()

    async def _fetch(self, call: Call, asked: Sequence[Path]) -> Answer:
        if not self._shares or not self._cache.keeps(call):
            return await self._join(call, asked)
        key = await self._cache.key(self.credential, call)
        hit = await self._cache.find(key) if key else None
        if hit is not None and key:
            self.trace.note_spared(call, "cached", asked[:1])
            if hit.stale:
                self._cache.refresh(key, call, self._again(call))
            return hit.answer
        answer = await self._join(call, asked)
        if key:
            await self._cache.keep(key, call, answer)
        return answer

    def _again(self, call: Call) -> Callable[[], Awaitable[Answer]]:
        """Return what fetches a call anew for the cache, after this request is over."""

        async def send() -> Answer:
            patience = self._client.call_deadline
            return await self._flights.join(
                self.credential, call, lambda: self._send(call, (), time.monotonic() + patience)
            )

        return send

    async def _join(self, call: Call, asked: Sequence[Path]) -> Answer:
        coming = self._flights.join(
            self.credential, call, lambda: self._send(call, asked, self.deadline)
        )
        try:
            if not self._flights.is_flying(self.credential, call):
                return await coming
            self.trace.note_spared(call, "coalesced", asked[:1])
            # Whoever sent it may have more time than this request has.
            async with asyncio.timeout(self.deadline - time.monotonic()):
                return await coming
        except (TimeoutError, UpstreamTimeout):
            if time.monotonic() < self.deadline:
                raise
            message = "The time for this request was up before the upstream had answered."
            raise DeadlineExceeded(message) from None

    async def _send(self, call: Call, asked: Sequence[Path], deadline: float) -> Answer:
        def watch(attempt: Sent) -> None:
            self.trace.note_sent(attempt, asked)

        return await self._client.send(
            call, self.credential, deadline=deadline, owner=self, watch=watch
        )
