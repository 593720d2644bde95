"""Reads of one request, single-flight: each distinct call once, shared between requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeAlias, cast

from gateway.errors import (
    DeadlineExceeded,
    NotOwnAccount,
    TooManyCalls,
    UpstreamDenied,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamTimeout,
)
from gateway.upstream.accepted_credentials import INACTIVE
from gateway.upstream.call import Answer, Call, Credential
from gateway.upstream.call_trace import Trace
from gateway.upstream.client import Sent, UpstreamClient
from gateway.upstream.families import CORE
from gateway.upstream.response_cache import ResponseCache
from gateway.waiting import Shared
from schema.enums import Source
from schema.info import FieldPath

_Name: TypeAlias = tuple[str, Call, str | None]


class Flight(Shared[Answer]):
    """A call on its way, and how many requests wait for it."""

    __slots__ = ("_forget", "waiting")

    def __init__(self, task: asyncio.Task[Answer], forget: Callable[["Flight"], None]) -> None:
        super().__init__(task)
        self.waiting = 1
        self._forget = forget

    def leave(self) -> None:
        """Wait no longer: the call itself is cancelled with its last waiter."""
        self.waiting -= 1
        if not self.waiting and not self.task.done():
            self._forget(self)
            self.task.cancel()

    def _tell(self, task: asyncio.Future[Answer]) -> None:
        self._forget(self)
        super()._tell(task)


class Flights:
    """Calls on their way, process-wide: identical reads with one credential are one call.

    Reads that the response cache keeps under different names are not identical: something was
    changed between them, if need be by another process.
    """

    def __init__(self) -> None:
        self._flights: dict[_Name, Flight] = {}

    def board(
        self,
        credential: Credential,
        call: Call,
        send: Callable[[], Coroutine[Any, Any, Answer]],
        kept: str | None = None,
        *,
        before: Callable[[], None] | None = None,
    ) -> Flight:
        """Return the flight of `call`; whoever comes first starts it, and is alone on it.

        Args:
            credential: as whom it asks.
            call: what it asks.
            send: makes the call.
            kept: the name under which the answer will be kept, if it will be.
            before: is called before a call is made; what it raises keeps it from being made.
        """
        name = (credential.fingerprint, call, kept)
        flight = self._flights.get(name)
        if flight is not None:
            flight.waiting += 1
            return flight
        if before is not None:
            before()

        def forget(done: Flight) -> None:
            if self._flights.get(name) is done:
                del self._flights[name]

        flight = self._flights[name] = Flight(asyncio.ensure_future(send()), forget)
        return flight

    def changed(self, write: Call) -> None:
        """Let nobody join the reads that began before a write: their answers may be old.

        Whoever waits for them already asked before the write was answered, and gets them.
        """
        accounts = write.accounts
        self._flights = {
            name: flight
            for name, flight in self._flights.items()
            if name[1].account not in accounts
        }


class CallBudget:
    """Counts the calls of one request, `most` of which it may make; None for any number."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._made = 0

    def count(self) -> None:
        """Count a call, whether it may be made or not."""
        self._made += 1

    def take(self) -> None:
        """Count a call that may be left out.

        Raises:
            TooManyCalls: as many were made as may be; it must not be.
        """
        if self._most is not None and self._made >= self._most:
            raise TooManyCalls(
                f"This operation has made the {self._most} upstream calls that are allowed."
                " Ask for fewer numbers, or for less about each.",
                allowed=self._most,
            )
        self.count()


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
        calls: CallBudget | None = None,
        *,
        shares: bool = True,
    ) -> None:
        self.credential = credential
        self.deadline = deadline
        self.trace = trace
        self._client = client
        self._flights = flights
        self._cache = cache
        self._calls = calls or CallBudget()
        self._shares = shares
        self._seen: dict[Call, Shared[Answer]] = {}
        # How many answers to a call could not be read, though they seemed whole.
        self._broken: dict[Call, int] = {}
        # What ends the waiting for each of them.
        self._leave: list[Callable[[], object]] = []

    async def read(
        self, call: Call, asked: Sequence[FieldPath], others: Sequence[FieldPath] = ()
    ) -> Answer:
        """Return the answer to a read.

        Args:
            call: what to read.
            asked: the fields that ask for it: all but one are spared a call of their own.
            others: fields that it is read for, too, though they asked for something else.

        Raises:
            UpstreamError: the upstream did not give it.
            DeadlineExceeded: the request's time is up.
            TooManyCalls: the request may make no more calls.
        """
        while True:
            coming = self._seen.get(call)
            if coming is None:
                coming = self._begun(call, (*asked, *others) if others else asked)
                spared = asked[1:]
            else:
                spared = asked
            for each in spared:
                self.trace.note_spared(call, "coalesced", (each,))
            try:
                answer = await coming.wait()
            except (TimeoutError, UpstreamTimeout):
                if time.monotonic() < self.deadline:
                    raise
                message = "The time for this request was up before the upstream had answered."
                raise DeadlineExceeded(message) from None
            if answer.is_readable:
                return answer
            # It seemed whole when it came.
            if self._seen.get(call) is coming:
                self._broken[call] = broken = self._broken.get(call, 0) + 1
                if self._client.ask_again(call, self.credential, answer, broken):
                    del self._seen[call]
                else:
                    self._seen[call] = _broken(answer)

    async def prove(self, account: str, asked: Sequence[FieldPath]) -> None:
        """See that the catalog, which takes the account from the credentials, takes `account`.

        That is so for an account's own name, and for an API key with which the upstream has lately
        answered a read of that account by its path. If it has not, it is asked now.

        Raises:
            NotOwnAccount: the upstream does not accept the key for the account.
            UpstreamError: it could not be asked, or the account is not active.
        """
        if self._owns(account):
            return
        try:
            await self._proof(account, asked).wait()
        except (UpstreamDenied, UpstreamNotFound) as error:
            if error.upstream_code == INACTIVE:
                raise
            raise NotOwnAccount(
                error.message,
                status=error.status,
                upstream_code=error.upstream_code,
                request_id=cast("str | None", error.details.get("upstreamRequestId")),
            ) from None
        self._check_owns(account)

    async def verify(self, asked: Sequence[FieldPath]) -> None:
        """See that the upstream lately accepted the credential for its account; else ask it.

        The operator's own needs no proof.

        Raises:
            NotOwnAccount: an answer came, but proves nothing.
            UpstreamError: the upstream does not accept it, or could not be asked.
            DeadlineExceeded: it did not answer in time.
        """
        credential, account = self.credential, self.credential.account
        accepts = self._client.accepted.accepts
        if credential.is_operators or accepts(credential, account):
            return
        try:
            await self._proof(account, asked).wait()
        except TimeoutError:
            raise DeadlineExceeded("The upstream did not answer in time.") from None
        if not accepts(credential, account):
            message = f"It could not be proven that the credentials in use are those of {account}."
            raise NotOwnAccount(message, processed=False)

    def must_prove(self, account: str) -> bool:
        """Whether the catalog may be asked about an account only after a proof."""
        return self.credential.is_key and not self._owns(account)

    async def write(self, call: Call, asked: Sequence[FieldPath], *, deadline: float) -> Answer:
        """Send a call that changes something; once that is settled, say that it has `changed`.

        Args:
            call: what to change.
            asked: the fields that want it.
            deadline: time of `time.monotonic` by which it must be answered; earlier than the
                request's own, so that there is time to look what became of it.

        Raises:
            NotOwnAccount: it would be done in another account, or it is not known in which.
            UpstreamError: `processed` tells whether it may have happened all the same.
        """
        if call.family is Source.CATALOG:
            self._check_owns(call.account)
        self._calls.count()
        return await self._send(call, asked, deadline)

    async def changed(self, write: Call) -> None:
        """Let nothing that was read before a write, here or elsewhere, be taken for true."""
        # In this order: an old answer must not be kept under the name that the cache then gives.
        self._flights.changed(write)
        await self._cache.changed(write)
        self.forget()

    def alone(self) -> "Reader":
        """Return a reader for the same request that shares nothing with reads that began before.

        It is for writes, so no limit of calls stops it.
        What it reads is true now; and it goes on when this one is cancelled.
        """
        return Reader(
            self._client,
            self._flights,
            self._cache,
            self.credential,
            self.deadline,
            self.trace,
            self._calls,
            shares=False,
        )

    def cancel(self) -> None:
        """Give up all reads on their way, for a client that is gone."""
        for leave in self._leave:
            leave()
        self._leave.clear()

    def forget(self) -> None:
        """Forget all answers: the next read asks again."""
        self._seen.clear()

    def _begun(self, call: Call, asked: Sequence[FieldPath]) -> Shared[Answer]:
        """Begin a read that this request has not seen yet."""
        coming: Shared[Answer]
        if call.family is Source.CATALOG and not self._owns(call.account):
            coming = Shared(asyncio.ensure_future(self._beside_proof(call, asked)))
            self._leave.append(coming.task.cancel)
        elif self._shares and self._cache.keeps(call):
            key = self._cache.key_at_hand(self.credential, call)
            found = self._cache.find_at_hand(key, self.credential, call) if key else None
            if found is not None:
                self.trace.note_spared(call, "cached", asked[:1])
                coming = _at_hand(found)
            else:
                coming = Shared(asyncio.ensure_future(self._through_cache(call, asked, key)))
                self._leave.append(coming.task.cancel)
        else:
            coming = self._boarded(call, asked, None)
        self._seen[call] = coming
        return coming

    def _owns(self, account: str) -> bool:
        return self._client.accepted.owns(self.credential, account)

    def _check_owns(self, account: str) -> None:
        if not self._owns(account):
            message = f"It could not be proven that the credentials in use are those of {account}."
            raise NotOwnAccount(message, processed=False)

    async def _beside_proof(self, call: Call, asked: Sequence[FieldPath]) -> Answer:
        """Ask the catalog while it is proven that it will answer for the right account.

        Its answer is used only then, and is not kept.
        """
        answer = self._boarded(call, asked, None)
        await self.prove(call.account, asked)
        return await answer.wait()

    def _proof(self, account: str, asked: Sequence[FieldPath]) -> Shared[Answer]:
        """Begin a read that proves whose key this is, with all who need it at once."""
        call = CORE.list_call(account, {}, 1)
        coming = self._seen.get(call)
        if coming is None:
            coming = self._seen[call] = self._boarded(call, asked, None, self._flights)
        return coming

    def _boarded(
        self,
        call: Call,
        asked: Sequence[FieldPath],
        kept: str | None,
        flights: Flights | None = None,
    ) -> Shared[Answer]:
        flights = flights or (self._flights if self._shares else Flights())
        # A write under way must get to know what it needs to, whatever it has cost so far.
        before = self._calls.take if self._shares else self._calls.count
        flight = flights.board(
            self.credential,
            call,
            lambda: self._send(call, asked, self.deadline),
            kept,
            before=before,
        )
        self._leave.append(flight.leave)
        if flight.waiting == 1:
            return flight
        self.trace.note_spared(call, "coalesced", asked[:1])
        waiting = asyncio.ensure_future(self._patiently(flight))
        self._leave.append(waiting.cancel)
        return Shared(waiting)

    async def _patiently(self, flight: Flight) -> Answer:
        """Wait for a call of another request, which may have more time than this one has."""
        async with asyncio.timeout(self.deadline - time.monotonic()):
            return await flight.wait()

    async def _through_cache(
        self, call: Call, asked: Sequence[FieldPath], key: str | None
    ) -> Answer:
        key = key or await self._cache.key(self.credential, call)
        hit = await self._cache.find(key, self.credential, call) if key else None
        if hit is not None and key:
            self.trace.note_spared(call, "cached", asked[:1])
            if hit.stale:
                self._cache.refresh(key, call, self._again(call, key))
            return hit.answer
        answer = await self._boarded(call, asked, key).wait()
        if key:
            await self._cache.keep(key, call, answer)
        return answer

    def _again(self, call: Call, kept: str) -> Callable[[], Awaitable[Answer]]:
        """Return what fetches a call anew for the cache, after this request is over."""
        patience = self._client.call_deadline

        async def send() -> Answer:
            flight = self._flights.board(
                self.credential,
                call,
                lambda: self._send(call, (), time.monotonic() + patience),
                kept,
            )
            try:
                return await flight.wait()
            finally:
                flight.leave()

        return send

    async def _send(self, call: Call, asked: Sequence[FieldPath], deadline: float) -> Answer:
        def watch(attempt: Sent) -> None:
            self.trace.note_sent(attempt, asked)

        return await self._client.send(
            call,
            self.credential,
            deadline=deadline,
            owner=self,
            watch=watch,
            attempt=1 + self._broken.get(call, 0),
        )


def _at_hand(answer: Answer) -> Shared[Answer]:
    """Return what all who ask for a call get whose answer need not be waited for."""
    found: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    found.set_result(answer)
    return Shared(found)


def _broken(answer: Answer) -> Shared[Answer]:
    """Return what all who ask for a call get whose answers cannot be read."""
    failed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    try:
        answer.json()
    except UpstreamMalformed as error:
        failed.set_exception(error)
        failed.exception()  # Not every one asks again.
    else:
        failed.set_result(answer)
    return Shared(failed)
