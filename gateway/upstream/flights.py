"""Reads of one request, single-flight: each distinct call once, shared between requests."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from functools import cached_property, partial
from typing import Any, Final, Protocol, TypeAlias, cast

from msgspec import field

from gateway.discreet import Discreet
from gateway.errors import (
    DeadlineExceeded,
    NotOwnAccount,
    UpstreamDenied,
    UpstreamError,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamTimeout,
)
from gateway.upstream.accepted_credentials import INACTIVE
from gateway.upstream.call import Answer, Call, Credential
from gateway.upstream.call_budget import CallBudget
from gateway.upstream.call_trace import Trace
from gateway.upstream.client import Sent, UpstreamClient
from gateway.upstream.families import CORE
from gateway.upstream.hedging import Outcome
from gateway.upstream.response_cache import Kind, ResponseCache
from gateway.waiting import Shared, at_hand, outcome_of, settle, without_frames
from schema.enums import Source
from schema.info import FieldPath

# To find a member by its class takes a tenth of a microsecond.
_CATALOG: Final = Source.CATALOG
_Name: TypeAlias = tuple[str, Call, str | None]


class Coming(Protocol):
    """An answer that is on its way, or there."""

    def wait(self) -> asyncio.Future[Answer]:
        """Return a future of it; for one who waits."""

    def let_go(self) -> None:
        """Keep nothing of where its failure came through."""


class Flight(Discreet):
    """A read on its way, for all who wait for it.

    When nothing is in its way it is on the wire as soon as it begins, and is told by the connection
    itself what it came to. Otherwise, and when it must be tried again, a task does that.

    Attributes:
        aboard: how many requests wait for it.
    """

    _flights: "Flights"
    _name: _Name
    _reader: "Reader"
    _call: Call
    _asked: Sequence[FieldPath]
    _deadline: float
    # What is logged and counted later belongs to the request that began it.
    _context: Context
    aboard: int = 1
    _outcome: Answer | BaseException | None = None
    _waiting: list[asyncio.Future[Answer]] = field(default_factory=list)
    _task: asyncio.Task[Answer] | None = None
    _attempt: Sent | None = None

    def start(self) -> None:
        """Send the call."""
        attempt = self._reader.send_at_once(self._call, self._asked, self._deadline, self._told)
        if attempt is None:
            self._go_on(None)
        elif self._outcome is None:
            self._attempt = attempt

    def wait(self) -> asyncio.Future[Answer]:
        """See `Coming`."""
        waiting: asyncio.Future[Answer] = self._flights.loop.create_future()
        if self._outcome is None:
            self._waiting.append(waiting)
        else:
            settle(waiting, self._outcome)
        return waiting

    def let_go(self) -> None:
        """See `Coming`."""
        if isinstance(self._outcome, BaseException):
            without_frames(self._outcome)

    def leave(self) -> None:
        """Wait no longer: the call itself is given up with its last waiter."""
        self.aboard -= 1
        if self.aboard or self._outcome is not None:
            return
        self._flights.forget(self._name, self)
        if self._task is not None:
            self._task.cancel()
        elif self._attempt is not None:
            self._attempt.leave()
            self._land(asyncio.CancelledError())

    def _told(self, outcome: Outcome) -> None:
        """Take what the first attempt came to; see what can be done when it failed."""
        self._attempt = None
        if isinstance(outcome, UpstreamError):
            self._go_on(outcome)
        else:
            self._land(outcome)

    def _go_on(self, failed: UpstreamError | None) -> None:
        work = self._reader.send(self._call, self._asked, self._deadline, failed)
        self._task = self._flights.loop.create_task(work, context=self._context)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Answer]) -> None:
        self._task = None
        outcome = outcome_of(task)
        self._land(outcome)

    def _land(self, outcome: Answer | BaseException) -> None:
        self._flights.forget(self._name, self)
        self._outcome = outcome
        del self._reader, self._context  # The reader keeps the flight, and would be kept by it.
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            settle(each, outcome)


class Flights:
    """Calls on their way, process-wide: identical reads with one credential are one call.

    Reads that the response cache keeps under different names are not identical: something was
    changed between them, if need be by another process.
    """

    def __init__(self) -> None:
        self._flights: dict[_Name, Flight] = {}

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all of them are for."""
        return asyncio.get_running_loop()

    def board(
        self,
        reader: "Reader",
        call: Call,
        asked: Sequence[FieldPath],
        deadline: float,
        kept: str | None = None,
        *,
        shares: bool = True,
        before: Callable[[], None] | None = None,
    ) -> Flight:
        """Return the flight of `call`; whoever comes first starts it, and is alone on it.

        Args:
            reader: sends the call.
            call: what it asks.
            asked: the fields that ask for it.
            deadline: time of `time.monotonic` by which it must be answered.
            kept: the name under which the answer will be kept, if it will be.
            shares: it may be one that is under way, and others may join it.
            before: is called before a call is made; what it raises keeps it from being made.
        """
        name = (reader.credential.fingerprint, call, kept)
        flight = self._flights.get(name) if shares else None
        if flight is not None:
            flight.aboard += 1
            return flight
        if before is not None:
            before()
        flight = Flight(self, name, reader, call, asked, deadline, copy_context())
        if shares:
            self._flights[name] = flight
        flight.start()
        return flight

    def forget(self, name: _Name, done: Flight) -> None:
        """Let nobody join a flight that is over."""
        if self._flights.get(name) is done:
            del self._flights[name]

    def changed(self, write: Call) -> None:
        """Let nobody join the reads that began before a write: their answers may be old.

        Whoever waits for them already asked before the write was answered, and gets them.
        """
        if self._flights:
            accounts = write.accounts
            self._flights = {
                name: flight
                for name, flight in self._flights.items()
                if name[1].account not in accounts
            }


class Reader(Discreet):
    """The reads, and the writes, of one request.

    Attributes:
        credential: as whom it asks.
        deadline: time of `time.monotonic` by which the request must be answered.
        trace: what was asked and spared.
    """

    _client: UpstreamClient
    _flights: Flights
    _cache: ResponseCache
    credential: Credential
    deadline: float
    trace: Trace
    _calls: CallBudget | None = None
    _shares: bool = True
    _seen: dict[Call, Coming] = field(default_factory=dict)
    # How many answers to a call could not be read, though they seemed whole.
    _broken: dict[Call, int] = field(default_factory=dict)
    # What ends the waiting for each of them.
    _leave: list[Callable[[], object]] = field(default_factory=list)

    @property
    def patience(self) -> float:
        """Seconds for which an answer that is there waits for what goes beside it."""
        return self._client.attempt_timeout

    def keeps(self, kind: Kind) -> bool:
        """Whether answers about such things are kept, and may be given to this request."""
        return self._shares and self._cache.keeps_kind(kind)

    def begin(
        self, call: Call, asked: Sequence[FieldPath], others: Sequence[FieldPath] = ()
    ) -> Coming:
        """Begin a read, if nobody has; its answer may be one that is to be asked for again.

        Args:
            call: what to read.
            asked: the fields that ask for it: all but one are spared a call of their own.
            others: fields that it is read for, too, though they asked for something else.

        Raises:
            TooManyCalls: the request may make no more calls.
        """
        coming = self._seen.get(call)
        if coming is None:
            by, asked = (*asked, *others) if others else asked, asked[1:]
            owns = self._client.accepted.owns
            if call.family is _CATALOG and not owns(self.credential, call.account):
                coming = self._task(self._beside_proof(call, by))
            elif self._shares and self._cache.keeps(call):
                coming = self._kept(call, by)
            else:
                coming = self._boarded(call, by, None)
            self._seen[call] = coming
        for each in asked:
            self.trace.note_spared(call, "coalesced", (each,))
        return coming

    async def read(
        self,
        call: Call,
        asked: Sequence[FieldPath],
        others: Sequence[FieldPath] = (),
        begun: Coming | None = None,
    ) -> Answer:
        """Return the answer to a read.

        Args:
            call: what to read.
            asked: see `begin`.
            others: see `begin`.
            begun: what `begin` has returned, if that was called.

        Raises:
            UpstreamError: the upstream did not give it.
            DeadlineExceeded: the request's time is up.
            TooManyCalls: the request may make no more calls.
        """
        while True:
            coming, begun = begun or self.begin(call, asked, others), None
            try:
                answer = await coming.wait()
            except (TimeoutError, UpstreamTimeout):
                if time.monotonic() < self.deadline:
                    raise
                message = "The time for this request was up before the upstream had answered."
                raise DeadlineExceeded(message) from None
            if answer.decoded is not None or answer.is_readable:
                return answer
            # It seemed whole when it came.
            if self._seen.get(call) is coming:
                self._broken[call] = broken = self._broken.get(call, 0) + 1
                if self._client.ask_again(call, self.credential, answer, broken):
                    del self._seen[call]
                else:
                    self._seen[call] = _broken(answer)

    def owns(self, account: str) -> bool:
        """Whether the catalog, which takes the account from the credentials, takes this one."""
        return self._client.accepted.owns(self.credential, account)

    async def prove(self, account: str, asked: Sequence[FieldPath]) -> None:
        """See that the credential `owns` the account.

        That is so for an account's own name, and for an API key with which the upstream has lately
        answered a read of that account by its path. If it has not, it is asked now.

        Raises:
            NotOwnAccount: the upstream does not accept the key for the account.
            UpstreamError: it could not be asked, or the account is not active.
        """
        if self.owns(account):
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
        return self.credential.is_key and not self.owns(account)

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
        if self._calls is not None:
            self._calls.count()
        coming: asyncio.Future[Answer] = self._flights.loop.create_future()
        sent = self.send_at_once(call, asked, deadline, partial(settle, coming))
        if sent is None:
            return await self.send(call, asked, deadline)
        try:
            return await coming
        except asyncio.CancelledError:
            sent.leave()
            raise
        except UpstreamError as error:
            return await self.send(call, asked, deadline, error)

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
            _shares=False,
        )

    def cancel(self) -> None:
        """Give up all reads on their way: the request is answered, or its client is gone."""
        for leave in self._leave:
            leave()
        self._leave.clear()
        for coming in self._seen.values():
            coming.let_go()

    def forget(self) -> None:
        """Forget all answers: the next read asks again."""
        self._seen.clear()

    def _task(self, work: Coroutine[Any, Any, Answer]) -> Coming:
        """Begin work of this request's own."""
        task = asyncio.ensure_future(work)
        self._leave.append(task.cancel)
        return Shared(task)

    def _kept(self, call: Call, asked: Sequence[FieldPath]) -> Coming:
        """Begin a read of what the cache keeps."""
        key = self._cache.key_at_hand(self.credential, call)
        found = self._cache.find_at_hand(key, self.credential, call) if key else None
        if found is None:
            return self._task(self._through_cache(call, asked, key))
        self.trace.note_spared(call, "cached", asked[:1])
        return Shared(at_hand(found))

    def _check_owns(self, account: str) -> None:
        if not self.owns(account):
            message = f"It could not be proven that the credentials in use are those of {account}."
            raise NotOwnAccount(message, processed=False)

    async def _beside_proof(self, call: Call, asked: Sequence[FieldPath]) -> Answer:
        """Ask the catalog while it is proven that it will answer for the right account.

        Its answer is used only then, and is not kept.
        """
        answer = self._boarded(call, asked, None)
        await self.prove(call.account, asked)
        return await answer.wait()

    def _proof(self, account: str, asked: Sequence[FieldPath]) -> Coming:
        """Begin a read that proves whose key this is, with all who need it at once."""
        call = CORE.list_call(account, {}, 1)
        coming = self._seen.get(call)
        if coming is None:
            coming = self._seen[call] = self._boarded(call, asked, None, shares=True)
        return coming

    def _boarded(
        self,
        call: Call,
        asked: Sequence[FieldPath],
        kept: str | None,
        *,
        shares: bool = False,
    ) -> Coming:
        shares = shares or self._shares
        # A write under way must get to know what it needs to, whatever it has cost so far.
        calls = self._calls
        if self._broken and call in self._broken:
            calls = None  # As every call that is tried again, it counts once.
        before = None if calls is None else calls.take if self._shares else calls.count
        flight = self._flights.board(
            self, call, asked, self.deadline, kept, shares=shares, before=before
        )
        self._leave.append(flight.leave)
        if flight.aboard == 1:
            return flight
        self.trace.note_spared(call, "coalesced", asked[:1])
        return self._task(self._patiently(flight))

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
            flight = self._flights.board(self, call, (), time.monotonic() + patience, kept)
            try:
                return await flight.wait()
            finally:
                flight.leave()

        return send

    def send_at_once(
        self,
        call: Call,
        asked: Sequence[FieldPath],
        deadline: float,
        tell: Callable[[Outcome], None],
    ) -> Sent | None:
        """Send a call if nothing is in its way; see `UpstreamClient.begin`."""
        if self._broken and call in self._broken:
            return None  # It is not the first attempt.
        noted = self.trace, asked
        return self._client.begin(call, self.credential, deadline, noted, tell, self._calls)

    def send(
        self,
        call: Call,
        asked: Sequence[FieldPath],
        deadline: float,
        failed: UpstreamError | None = None,
    ) -> Coroutine[Any, Any, Answer]:
        """Send a call in its turn; see `UpstreamClient.send`."""
        return self._client.send(
            call,
            self.credential,
            deadline=deadline,
            owner=self,
            noted=(self.trace, asked),
            attempt=1 + self._broken.get(call, 0),
            failed=failed,
            calls=self._calls,
        )


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
