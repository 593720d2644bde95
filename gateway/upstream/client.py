"""The HTTP side of the upstream: authentication, deadline, retry, breaker, concurrency.

What may be repeated is decided by outcome. A 429 with the upstream's own code, a refused connection
or an open breaker mean that nothing was done: any call may be sent again. Any other failure may
have come after the upstream acted: reads are sent again, writes are not; whoever asked for the
write must look what became of it.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import Final, NamedTuple, NoReturn, Protocol, TypeAlias
from urllib.parse import quote_plus

import orjson
import structlog
from msgspec import Struct

from gateway import __version__
from gateway.discreet import Discreet
from gateway.errors import (
    SOME_TIME,
    UpstreamDenied,
    UpstreamError,
    UpstreamForbidden,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamRefused,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.storage.recent import Recent
from gateway.upstream import attempts
from gateway.upstream.accepted_credentials import Accepted, takes_back, why
from gateway.upstream.attempts import ALONE, NOBODY, QUIET, Observer, Role
from gateway.upstream.call import Answer, Api, Call, Credential, Pairs
from gateway.upstream.call_budget import CallBudget
from gateway.upstream.call_trace import Trace
from gateway.upstream.connections import (
    AnswerRefused,
    Connection,
    ConnectionBroke,
    Headers,
    target,
)
from gateway.upstream.dialling import Dialler, NotConnected, ProxyRefused
from gateway.upstream.hedging import HedgeBudget, Hedged, Hedging, Outcome
from gateway.upstream.limiter import Limiter
from gateway.upstream.pools import Connections
from gateway.upstream.proxies import Origin
from gateway.upstream.resilience import Breaker, RetryBudget, backoff
from gateway.upstream.response_cache import kind_of_route
from gateway.upstream.strangers import Strangers, too_many
from gateway.waiting import settle
from schema.enums import Source
from schema.info import FieldPath

_log = structlog.get_logger(__name__)
_USER_AGENT = f"number-gateway/{__version__}"
_NEAR_LIMIT = 0.8
_OK = 200
_REDIRECTS = 300
# Characters of the upstream's messages that are read, and that are passed on.
_READ_LENGTH, _MESSAGE_LENGTH = 2000, 300
# The upstream's error dictionary begins here, and its codes must fit GraphQL's Int. What is not
# among them is not the upstream's answer, but that of something between.
_OWN_CODES = range(10_000, 2**31)
# Credentials that are good, and may not do this: the account is suspended or closed, they are for
# tests, or access is denied to them. (Where 20003 is said of such accounts nobody can tell: it is
# said of wrong ones, too.)
_FORBIDDEN = frozenset({20005, 20006, 20008, 20403})
# Accounts whose state is kept; of more than these, those at rest are forgotten.
_MOST_ACCOUNTS = 10_000
# Of credentials that were never accepted; of more than these, the ones used last are kept.
_MOST_UNPROVEN = 1000
# A retry is spread over this share of the time that the upstream asked to wait.
_SPREAD = 0.1
# A Retry-After beyond this is a mistake, and a number of milliseconds must fit GraphQL's Int.
_LONGEST_RETRY_AFTER = 1_000_000.0


# What is written for each character that is its own byte.
_ESCAPES: Final = {code: quote_plus(chr(code)) for code in range(128)}
# The share of an account's slots that calls may take which others can do without.
_SHARE_OF_OTHERS: Final = 0.8


SEARCHES: Final = "_search"
"""How the names of breakers of searches end."""
Noted: TypeAlias = tuple[Trace, Sequence[FieldPath]]
"""Where attempts of a call are noted, and for which fields."""


class Retry(Struct, frozen=True):
    """When a call is sent once more; see the settings of the same names."""

    attempts: int
    backoff_base: float
    backoff_cap: float
    retry_budget: float


class Breaking(Struct, frozen=True):
    """When calls are given up that would fail anyway; see the settings of the same names."""

    breaker_failures: int
    breaker_pause: float
    breaker_longest_pause: float


class Concurrency(Struct, frozen=True):
    """How many calls run at once; see the settings of the same names."""

    concurrency: int
    concurrency_most: int
    concurrency_limit: int
    strangers_concurrency: int


class CallLimits(Struct, frozen=True):
    """How long a call may take, and how large its answer may be.

    See the settings of the same names.
    """

    call_deadline: float
    attempt_timeout: float
    upstream_keep: float
    upstream_body_limit: int


class ClientOptions(Struct, frozen=True):
    """How the upstream is called.

    Attributes:
        urls: where each API is.
        dialler: makes connections to them.
        retry: when a call is sent once more.
        breaking: when calls are given up that would fail anyway.
        concurrency: how many calls run at once.
        hedging: when a read is sent a second time beside the first.
        limits: how long a call may take, and how large its answer may be.
        discreet: errors do not say what only operators should know.
    """

    urls: Mapping[Api, str]
    dialler: Dialler
    retry: Retry
    breaking: Breaking
    concurrency: Concurrency
    hedging: Hedging
    limits: CallLimits
    discreet: bool


def breakers_of(api: Api) -> Sequence[str]:
    """Return the names of the breakers of an API.

    Searches for numbers have one of their own: some are made only to show more of owned numbers,
    and must not take these with them when they fail.
    """
    name = api.name.lower()
    return (name, name + SEARCHES) if isinstance(api, Source) else (name,)


@lru_cache(maxsize=256)
def _guard(api: Api, route: str) -> str:
    """Return the name of the breaker that guards calls of a route."""
    name, *searches = breakers_of(api)
    return searches[0] if kind_of_route(api, route) == "search" else name


class Sent(Protocol):
    """A call on its way."""

    def leave(self) -> None:
        """Give it up: nobody waits for it any more."""


class _Lane(NamedTuple):
    """What calls of one kind of an account use, and move by how they end."""

    breaker: Breaker
    limiter: Limiter
    retries: RetryBudget
    hedges: HedgeBudget


class _Account:
    """What is known of one account's dealings with the upstream: none can use up another's.

    Nor can searches, and calls to the APIs about countries, use up all that its numbers need: often
    they only show more of them.

    Only credentials that the upstream has lately accepted for an account use and move what is the
    account's. What is known of each other credential is kept apart, and becomes the account's with
    the first that is accepted.
    """

    __slots__ = ("_lanes", "limiter")

    def __init__(self, options: ClientOptions) -> None:
        concurrency, breaking = options.concurrency, options.breaking
        self.limiter = Limiter(concurrency.concurrency, concurrency.concurrency_most)
        hedges = HedgeBudget(options.hedging.hedge_share)
        needed = self.limiter, RetryBudget(options.retry.retry_budget)
        others = self.limiter.part(_SHARE_OF_OTHERS), RetryBudget(options.retry.retry_budget)
        self._lanes = {
            name: _Lane(
                Breaker(
                    breaking.breaker_failures,
                    pause=breaking.breaker_pause,
                    longest=breaking.breaker_longest_pause,
                ),
                *(needed if isinstance(api, Source) and not name.endswith(SEARCHES) else others),
                hedges,
            )
            for api in options.urls
            for name in breakers_of(api)
        }

    def lane_of(self, call: Call) -> _Lane:
        """Return what a call uses: a slot, retries, and the breaker that it may open."""
        return self._lanes[_guard(call.family, call.route)]

    @property
    def breakers(self) -> Iterator[tuple[str, Breaker]]:
        """The breakers, by name."""
        return ((name, lane.breaker) for name, lane in self._lanes.items())

    @property
    def rests(self) -> bool:
        """Whether nothing is lost by forgetting it."""
        rest = all(breaker.rests for _, breaker in self.breakers)
        return rest and not self.limiter.running and not self.limiter.waiting


class UpstreamClient:
    """Sends calls to all APIs. One per process; safe for any number of tasks of one loop.

    Attributes:
        accepted: which credentials the upstream has accepted for which account.
        strangers: the slots of the others.
        observer: who watches attempts.
        hedging: when a read is sent a second time beside the first.
        note_hedge: is told what came of each that took so long; see `Hedged`.
        unreachable: why no connection to an API could be made at last; for operators only.
    """

    def __init__(
        self,
        options: ClientOptions,
        observer: Observer = NOBODY,
        share: Callable[[], str] = str,
        note_hedge: Callable[[str], object] = str,
    ) -> None:
        """Make it.

        Args:
            options: how it is called.
            observer: who watches attempts.
            share: tells under which name the client for whom the code runs has its share of what
                strangers may use.
            note_hedge: is told what came of each read that took long; see `Hedged`.
        """
        self.accepted = Accepted()
        self.strangers = Strangers(
            options.concurrency.strangers_concurrency, options.concurrency.concurrency
        )
        self.unreachable: dict[Api, str] = {}
        self._options = options
        self._limits = options.limits
        self._retry = options.retry
        self.observer = observer
        self.hedging = options.hedging
        self._hedges = bool(options.hedging.hedge_after)
        self.note_hedge = note_hedge
        self._share = share
        self._origins = {family: Origin.of(url) for family, url in options.urls.items()}
        self._heads = {family: usual_headers(origin) for family, origin in self._origins.items()}
        self._connections = Connections(
            options.dialler,
            body_limit=options.limits.upstream_body_limit,
            keep=options.limits.upstream_keep,
        )
        self._pools = {
            family: self._connections.to(origin) for family, origin in self._origins.items()
        }
        self._accounts: dict[str, _Account] = {}
        # By account and name of the credential, those used last behind the others.
        self._unproven: Recent[tuple[str, str], _Account] = Recent(_MOST_UNPROVEN)

    @property
    def call_deadline(self) -> float:
        """Seconds that one call may take with all its attempts."""
        return self._limits.call_deadline

    @property
    def attempt_timeout(self) -> float:
        """Seconds that one attempt of a call may take."""
        return self._limits.attempt_timeout

    def keep_ready(self, count: int) -> None:
        """Open so many connections to each API, and see that they are there from now on."""
        self._connections.keep_ready(self._origins.values(), count)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()

    async def send(
        self,
        call: Call,
        credential: Credential,
        *,
        deadline: float,
        owner: object,
        noted: Noted,
        attempt: int = 1,
        failed: UpstreamError | None = None,
        calls: CallBudget | None = None,
    ) -> Answer:
        """Send `call` and return the 2xx answer.

        It may turn out when it is decoded that an answer is not whole: see `ask_again`.

        Args:
            call: what to ask.
            credential: as whom.
            deadline: time of `time.monotonic` after which nobody waits for the answer.
            owner: the request that asks, for fairness between requests.
            noted: where each attempt is.
            attempt: how many attempts there will have been with the first of these.
            failed: what that first one came to, if it was made: see `begin`.
            calls: bounds how often it may be hedged.

        Raises:
            UpstreamError: of the kind that fits; `processed` tells whether it may have acted.
        """
        account = self._used_by(credential, call.account)
        if failed is None:
            account.lane_of(call).retries.note_call()
        deadline = min(deadline, time.monotonic() + self._limits.call_deadline)
        while True:
            if failed is None:
                role = ALONE if attempt == 1 else Role(attempt=attempt)
                try:
                    return await self._try(
                        account, call, credential, deadline, owner, noted, calls, role
                    )
                except UpstreamError as error:
                    failed = error
            wait = self._wait_before_next(account, call, failed, attempt, deadline)
            if wait is None:
                raise failed
            failed = None
            await asyncio.sleep(wait)
            attempt += 1
            account = self._used_by(credential, call.account)

    def begin(
        self,
        call: Call,
        credential: Credential,
        deadline: float,
        noted: Noted,
        tell: Callable[[Outcome], None],
        calls: CallBudget | None = None,
    ) -> Sent | None:
        """Send a call at once, as its first attempt, if nothing is in its way.

        Then `tell` is called with what it comes to; what failed can go on by `send`. None when the
        credential must prove itself, when there is no free slot or idle connection, when it may not
        leave any more, or the upstream is not to be trusted: nothing was sent, and `send` does it
        in its turn, or says why not.
        """
        account = self._accounts.get(call.account)
        known = credential.owner or self.accepted.accepts(credential, call.account)
        if account is None or not known:
            return None
        now = time.monotonic()
        within = min(deadline - now, self._limits.attempt_timeout)
        lane = account.lane_of(call)
        if within <= 0 or lane.breaker.failures or not lane.limiter.try_acquire():
            return None
        pool = self._pools[call.family]
        connection = pool.idle() if call.method == "GET" else pool.fresh(call.may_leave)
        if connection is None:
            lane.limiter.release()
            return None
        lane.retries.note_call()
        watched = self.observer.attempt(call)
        attempt = Attempt(self, lane, call, credential, noted, watched, now)
        until = connection.loop.time() + within
        if self._hedges and call.reads:
            return attempt.send_hedged(connection, until, tell, calls)
        attempt.send_on(connection, until, tell)
        return attempt

    def ask_again(self, call: Call, credential: Credential, answer: Answer, attempt: int) -> bool:
        """Note that an answer, which seemed whole, was not; return whether to ask again.

        Many may have waited for it: it counts as one failure, and for all of them the same is
        decided.

        Args:
            call: what was asked.
            credential: as whom.
            answer: what came.
            attempt: how many attempts there have been.
        """
        if not answer.is_broken:
            answer.is_broken = True
            lane = self._used_by(credential, call.account).lane_of(call)
            lane.breaker.failed()
            answer.again = lane.retries.take()
        return answer.again and attempt < self._retry.attempts

    def breaker_states(self) -> dict[str, str]:
        """Return the state of each breaker that has been used, by its name and the account's sid.

        Strangers have a say only as long as there is nobody else.
        """
        known = self._accounts.items()
        unproven = ((sid, each) for (sid, _), each in self._unproven.items())
        return {
            f"{name} {sid}": breaker.state
            for sid, account in known or unproven
            for name, breaker in account.breakers
        }

    def is_known(self, account: str, credential: Credential) -> bool:
        """Whether a credential is good for an account, so far as is known."""
        return credential.is_operators or self.accepted.accepts(credential, account)

    def limiters(self) -> Iterator[Limiter]:
        """Yield the limiter of each account that has been used."""
        for state in self._accounts.values():
            yield state.limiter

    def _used_by(self, credential: Credential, sid: str) -> _Account:
        """Return what a call of `credential` for an account uses and moves.

        That is the account's only where it is known that the credential is good for it: anybody
        can name an account, and must not harm it by that.
        """
        known = self.is_known(sid, credential)
        if known and (account := self._accounts.get(sid)) is not None:
            return account
        name = (sid, credential.secret_name)
        account = self._unproven.use(name)
        if known:
            # The answer that proved it may be here, and who waited for it not have woken up.
            self._unproven.forget(name)
            return self._account(sid, account)
        if account is None:
            account = _Account(self._options)
            self._unproven.keep(name, account)
        return account

    def _account(self, sid: str, begun: _Account | None = None) -> _Account:
        """Return the state of an account, which may have `begun` as a stranger's.

        Accounts come and go, so it is not kept for ever.
        """
        state = self._accounts.get(sid)
        if state is None:
            if len(self._accounts) >= _MOST_ACCOUNTS:
                busy = {sid: each for sid, each in self._accounts.items() if not each.rests}
                self._accounts = busy
            state = self._accounts[sid] = begun or _Account(self._options)
        return state

    def _wait_before_next(
        self, account: _Account, call: Call, error: UpstreamError, attempt: int, deadline: float
    ) -> float | None:
        """Return seconds to wait before the next attempt; None when there shall be none."""
        may = error.retryable and (call.reads or not error.processed)
        if not may or attempt >= self._retry.attempts:
            return None
        wait = error.retry_after
        if wait is None:
            wait = backoff(attempt, base=self._retry.backoff_base, cap=self._retry.backoff_cap)
        left = deadline - time.monotonic() - wait
        if left <= 0 or not account.lane_of(call).retries.take():
            return None
        # All that were told the same time must not come back in the same moment.
        return wait if error.retry_after is None else wait + min(left / 2, _spread(wait))

    async def _try(
        self,
        account: _Account,
        call: Call,
        credential: Credential,
        deadline: float,
        owner: object,
        noted: Noted,
        calls: CallBudget | None,
        role: Role,
    ) -> Answer:
        stranger = account is not self._accounts.get(call.account)
        if stranger and not await self._enter(call, credential, deadline):
            stranger = False
            account = self._account(call.account)
        try:
            return await self._in_turn(
                account, call, credential, deadline, owner, noted, calls, role
            )
        except UpstreamDenied as error:
            if stranger and takes_back(call, credential, error):
                self.strangers.refuse(credential.secret_name, call.account, error)
            raise
        finally:
            if stranger:
                self._leave(account, call, credential)

    async def _enter(self, call: Call, credential: Credential, deadline: float) -> bool:
        """Wait for a stranger's slot; False when the credential is not a stranger's by now."""
        name = credential.secret_name
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self.strangers.enter(self._share(), name, call.account)
        except TimeoutError:
            raise too_many() from None

    def _leave(self, account: _Account, call: Call, credential: Credential) -> None:
        """Give a stranger's slot back; if it is no stranger any more, so are its other calls."""
        name = credential.secret_name
        if self.is_known(call.account, credential):
            self._unproven.forget((call.account, name))
            self._account(call.account, account)
            self.strangers.accept(name, call.account)
        self.strangers.leave(self._share(), name)

    async def _in_turn(
        self,
        account: _Account,
        call: Call,
        credential: Credential,
        deadline: float,
        owner: object,
        noted: Noted,
        calls: CallBudget | None,
        role: Role,
    ) -> Answer:
        lane = account.lane_of(call)
        breaker, limiter = lane.breaker, lane.limiter
        if not limiter.try_acquire():
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await limiter.acquire(owner)
            except TimeoutError:
                message = "Too many calls of this account were waiting for the upstream."
                raise UpstreamThrottled(message, retry_after=SOME_TIME, processed=False) from None
        refused = breaker.refuses_for()
        if refused is not None:
            limiter.pass_on()
            message = "The upstream kept failing for this account, so it is left alone for a while."
            raise UpstreamUnavailable(
                message, retry_after=refused, processed=False, retryable=False
            )
        now = time.monotonic()
        left = min(self._limits.attempt_timeout, deadline - now)
        if left <= 0:
            # A write that leaves now could not even be cancelled before it is on the wire.
            breaker.failed()
            limiter.release()
            late = "There was no time left to ask the upstream."
            raise UpstreamTimeout(late, processed=False)
        until = asyncio.get_running_loop().time() + left
        watched = self.observer.attempt(call)
        attempt = Attempt(self, lane, call, credential, noted, watched, now, role)
        return await attempt.run(until, hedged=self._hedges and call.reads, calls=calls)

    # What attempts take from here ---------------------------------------------------------------

    async def connection(self, call: Call, until: float) -> Connection:
        """Return a connection to send a call on, idle or made for it; see `Pool.take`."""
        return await self._pools[call.family].take(
            until, writes=not call.reads, may_leave=call.may_leave
        )

    def take_hedging_slot(self, call: Call, lane: _Lane) -> bool:
        """Take a slot for a second attempt of a call, if nothing speaks against it.

        A write is never sent twice, and a stranger has no slot; an upstream that fails, or has had
        too much, is not asked twice.
        """
        account = self._accounts.get(call.account)
        if not call.reads or account is None or account.lane_of(call) is not lane:
            return False
        if lane.breaker.failures or lane.limiter.is_slowed:
            return False
        return lane.limiter.try_acquire()

    def read(
        self, call: Call, credential: Credential, status: int, headers: Headers, body: bytes
    ) -> Answer:
        """Return the answer that a response is, and note what it proves.

        What seems whole is decoded later, see `Answer`; the reader asks again if it is broken
        inside. The answer to a write is decoded now: nobody asks for it again.

        Raises:
            UpstreamError: it says no, or is none that can be read.
        """
        if self.unreachable:
            self._note_reached(call.family)
        if not _OK <= status < _REDIRECTS:
            self._refuse(call, credential, Answer(status, headers, body, None, credential))
        answer = Answer(status, headers, body, call.shape, credential)
        if body:
            if not _is_json(headers.get(b"content-type", b"application/json")):
                # Even if it can be read: it is somebody else's.
                message = "The upstream's answer is not JSON."
                raise UpstreamMalformed(message, status=status, request_id=answer.request_id)
            if not (call.method == "GET" and answer.seems_whole):
                answer.read()
        self.accepted.succeeded(call, credential, body)
        return answer

    def _refuse(self, call: Call, credential: Credential, answer: Answer) -> NoReturn:
        """Raise what an answer says that is no success, and note what it takes back."""
        try:
            _raise_for(answer, credential, discreet=self._options.discreet)
        except UpstreamDenied as error:
            self.accepted.refused(call, credential, error)
            reason = why(call, credential, error)
            raise error if reason is None else error.reworded(reason) from None

    def is_near_limit(self, concurrent: bytes) -> bool:
        """Whether its own limit of concurrent calls is near, by what the upstream says of them."""
        most = _NEAR_LIMIT * self._options.concurrency.concurrency_limit
        return concurrent.isdigit() and int(concurrent[:9]) >= most

    def explain(self, call: Call, error: Exception) -> UpstreamError:
        """Return why there is no response, in words for clients."""
        match error:
            case TimeoutError():
                return UpstreamTimeout("The upstream did not answer in time.")
            case NotConnected():
                self._note_unreachable(call.family, str(error))
                message = "The upstream could not be reached."
                refused = error if isinstance(error, ProxyRefused) else None
                if refused and not self._options.discreet:
                    message = f"The upstream could not be reached: {refused}."
                again = not (refused and refused.is_final)
                return UpstreamUnavailable(message, processed=False, retryable=again)
            case ConnectionBroke(status=None):
                return UpstreamUnavailable("The connection to the upstream broke.")
            case ConnectionBroke(status=status):
                return UpstreamMalformed("The upstream's answer broke off.", status=status)
            case AnswerRefused(status=status):
                return UpstreamMalformed(str(error), status=status, retryable=False)
        raise error

    def _note_unreachable(self, family: Api, reason: str) -> None:
        """Tell operators why, once; clients are not told, for it names what is inside."""
        if self.unreachable.get(family) != reason:
            host = self._origins[family].authority
            _log.warning(
                "upstream_unreachable", family=family.name.lower(), host=host, reason=reason
            )
        self.unreachable[family] = reason

    def _note_reached(self, family: Api) -> None:
        if self.unreachable.pop(family, None) is not None:
            _log.info("upstream_reached_again", family=family.name.lower())

    def message(self, call: Call, credential: Credential, context: Mapping[str, str]) -> bytes:
        """Return a request as it goes over the wire."""
        query = call.query
        if not isinstance(query, str):
            query = _encoded(query) if query else ""
        line = f"{call.method} {target(self._origins[call.family], call.path, query)} HTTP/1.1\r\n"
        head = f"{line}{self._heads[call.family]}Authorization: {credential.authorization}\r\n"
        for name, value in context.items():
            head += f"{name}: {value}\r\n"
        if call.form is None:
            return f"{head}\r\n".encode("latin-1")
        content = _encoded(call.form)
        return (
            f"{head}Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}"
        ).encode("latin-1")


def _nobody(outcome: Outcome) -> None:
    """Take what a call came to that was not sent yet."""


class Attempt(Discreet):
    """One attempt of a call: it holds a slot of its account until it is known what it came to.

    Whichever way it is sent, what is noted of it is noted here, once.
    """

    _client: UpstreamClient
    _lane: _Lane
    _call: Call
    _credential: Credential
    _noted: Noted
    _watched: attempts.Attempt
    _started: float
    _role: Role = ALONE
    _connection: Connection | None = None
    _tell: Callable[[Outcome], None] = _nobody

    async def run(
        self, until: float, *, hedged: bool = False, calls: CallBudget | None = None
    ) -> Answer:
        """Send it when there is a connection, and return the answer.

        Args:
            until: time of the loop's clock by which it must be there.
            hedged: send it a second time if it takes long; see `send_hedged`.
            calls: bounds that.

        Raises:
            UpstreamError: of the kind that fits.
        """
        try:
            connection = await self._client.connection(self._call, until)
        except NotConnected as error:
            raise self._not_answered(error) from None
        except BaseException:
            self._give_up()
            raise
        told: asyncio.Future[Answer] = connection.loop.create_future()
        sent: Sent = self
        if hedged:
            sent = self.send_hedged(connection, until, partial(settle, told), calls)
        else:
            self.send_on(connection, until, partial(settle, told))
        # What clears a refusal of the credential takes 2 ms to make: not when that has come. Calls
        # that begin together leave before it.
        connection.loop.call_soon(getattr, self._credential, "redact")
        try:
            return await told
        except asyncio.CancelledError:
            sent.leave()
            raise

    def send_on(
        self, connection: Connection, until: float, tell: Callable[[Outcome], None]
    ) -> None:
        """Send it now; `tell` is called with what it comes to, unless it is left."""
        self._connection = connection
        self._tell = tell
        message = self._client.message(self._call, self._credential, self._watched.headers)
        connection.ask(message, self, until)

    def send_hedged(
        self,
        connection: Connection,
        until: float,
        tell: Callable[[Outcome], None],
        calls: CallBudget | None,
    ) -> Hedged:
        """Send it now, and a second one beside it when it takes long, if `calls` has one left."""
        self._lane.hedges.note_read()
        hedged = Hedged(self, partial(self._second, calls), tell, self._client.note_hedge)
        hedged.send_on(connection, until, self._client.hedging.hedge_after)
        return hedged

    def _second(self, calls: CallBudget | None) -> "Attempt | None":
        """Return another attempt of a read, beside this one; None when there must be none."""
        client, lane = self._client, self._lane
        if not client.take_hedging_slot(self._call, lane):
            return None
        allowed = calls is None or calls.take_hedge()
        if not (allowed and lane.hedges.take() and lane.retries.take()):
            lane.limiter.release()
            return None
        call, watched = self._call, client.observer.attempt(self._call)
        now, role = time.monotonic(), self._role._replace(is_hedge=True)
        return Attempt(client, lane, call, self._credential, self._noted, watched, now, role)

    def overtaken(self) -> None:
        """Note that the other attempt has answered: this one will be left."""
        self._role = self._role._replace(overtaken=True)

    def leave(self) -> None:
        """Give it up, unless it has come to something: nobody waits for it any more."""
        if self._connection is not None:
            self._connection.leave()
            self._connection = None
            self._give_up()

    def answered(self, status: int, headers: Headers, body: bytes) -> None:
        """See `Asking`."""
        self._connection = None
        outcome: Outcome
        try:
            outcome = self._client.read(self._call, self._credential, status, headers, body)
            if self._lane.breaker.failures:
                outcome.read()
        except UpstreamError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            self._give_up()
            self._tell(error)
            return
        self._note(outcome, status)
        self._tell(outcome)

    def failed(self, error: Exception) -> None:
        """See `Asking`."""
        self._connection = None
        self._tell(self._not_answered(error))

    def _not_answered(self, error: Exception) -> UpstreamError:
        explained = self._client.explain(self._call, error)
        self._note(explained, getattr(error, "status", None))
        return explained

    def _note(self, outcome: Answer | UpstreamError, status: int | None) -> None:
        """Note what it came to, and give its slot back."""
        self._ended(status)
        lane, faster = self._lane, False
        breaker, limiter = lane.breaker, lane.limiter
        if isinstance(outcome, Answer):
            if breaker.failures:
                breaker.succeeded()
            concurrent = outcome.headers.get(b"twilio-concurrent-requests")
            faster = concurrent is None or not self._client.is_near_limit(concurrent)
            if not faster:
                limiter.slower()
        elif isinstance(outcome, UpstreamUnavailable | UpstreamTimeout | UpstreamMalformed):
            breaker.failed()
        else:
            breaker.succeeded()
            if isinstance(outcome, UpstreamThrottled):
                limiter.slower()
        limiter.release(faster=faster)

    def _give_up(self) -> None:
        self._ended(None)
        self._lane.breaker.abandoned()
        self._lane.limiter.release()

    def _ended(self, status: int | None) -> None:
        seconds = time.monotonic() - self._started
        if self._watched is not QUIET:
            self._watched.ended(self._call, status, seconds, self._role)
        trace, asked = self._noted
        trace.note_sent(asked, self._call, self._started, seconds, status, self._role)


def _encoded(pairs: Pairs) -> str:
    """Return pairs as `urlencode` writes them, at a fifth of the time where little is escaped.

    Names are those of the tables: in them nothing is to be escaped.
    """
    return "&".join([f"{name}={_quoted(value)}" for name, value in pairs])


def _quoted(text: str) -> str:
    return text if text.isalnum() and text.isascii() else _escaped(text)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if text.isascii() else quote_plus(text)


def usual_headers(origin: Origin) -> str:
    """Return the headers that are the same in every request to an origin."""
    return (
        f"Host: {origin.authority}\r\nAccept: application/json\r\n"
        f"Accept-Encoding: gzip\r\nUser-Agent: {_USER_AGENT}\r\n"
    )


def _raise_for(answer: Answer, credential: Credential, *, discreet: bool) -> NoReturn:
    """Raise what the status of an answer says that is no success.

    Args:
        answer: what came.
        credential: is taken out of what the upstream says.
        discreet: clients are not told what somebody between says: only the log is.
    """
    status = answer.status
    if status < 400:  # noqa: PLR2004
        message = "The upstream answered with a redirect, which is not followed."
        raise UpstreamMalformed(message, status=status, retryable=False)
    code, said = _complaint(answer.body, status)
    if said is not None:
        # Redacted before it is cut: half a secret is not recognised, and is told.
        said = credential.redact(said[:_READ_LENGTH])[:_MESSAGE_LENGTH]
        if code is None and discreet:
            _log.warning("upstream_message_masked", status=status, message=said)
            said = None
    kinds: dict[int, type[UpstreamError]] = {
        401: UpstreamDenied,
        403: UpstreamDenied,
        404: UpstreamNotFound,
        408: UpstreamTimeout,
        429: UpstreamThrottled,
    }
    kind = kinds.get(status, UpstreamUnavailable if status >= 500 else UpstreamRefused)  # noqa: PLR2004
    if kind is UpstreamDenied and code in _FORBIDDEN:
        kind = UpstreamForbidden
    error = kind(
        said or f"The upstream answered with HTTP status {status}.",
        status=status,
        upstream_code=code,
        request_id=answer.request_id,
        retry_after=_retry_after(answer.headers),
        # A 429 of something between says nothing of what the upstream behind it has done.
        processed=kind is not UpstreamThrottled or code is None,
        retryable=status == 429 or status >= 500,  # noqa: PLR2004
    )
    if status in {429, 503} and b"retry-after" not in answer.headers:
        # It is for clients: the gateway itself has waited and tried again before.
        error.details["retryAfterMs"] = math.ceil(SOME_TIME * 1000)
    raise error


@lru_cache(maxsize=64)
def _is_json(content_type: bytes) -> bool:
    """Whether an answer calls itself JSON."""
    return content_type.partition(b";")[0].strip().lower().endswith((b"/json", b"+json"))


def _complaint(body: bytes, status: int) -> tuple[int | None, str | None]:
    """Read the upstream's error code and message, if the body has them.

    A code without a message or title, or about another `status`, is not in the upstream's shape.
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    if not isinstance(said, dict):
        return None, None
    code, message = said.get("code"), said.get("message")
    own = isinstance(message or said.get("title"), str) and said.get("status", status) == status
    return (
        code if own and isinstance(code, int) and code in _OWN_CODES else None,
        message if isinstance(message, str) and message else None,
    )


def _retry_after(headers: Headers) -> float | None:
    """Read a Retry-After header: seconds, or (from proxies) a date by the clock of who sent it."""
    value = headers.get(b"retry-after", b"").decode("latin-1")
    try:
        seconds = float(value)
    except ValueError:
        until = _time_of(value)
        if until is None:
            return None
        now = _time_of(headers.get(b"date", b"").decode("latin-1"))
        seconds = max(0.0, until - (time.time() if now is None else now))
    return seconds if 0 <= seconds < _LONGEST_RETRY_AFTER else None


def _time_of(date: str) -> float | None:
    """Return the date of a header in seconds since the epoch; None when it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _spread(wait: float) -> float:
    return random.uniform(0, _SPREAD * wait)  # noqa: S311 - not a secret
