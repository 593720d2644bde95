"""Changes of numbers: announced by mutations, found by polling, followed by subscribers.

    mutation ─▶ announce ─▶ log in the store ─▶ publish "there is more" ─▶ topic ─▶ subscribers
    poll of an account (poller.py) ─▶ announce

Every process has one topic per account that somebody follows in it. What is published is only a
hint to read the log, and topics look at the log now and then in any case, so a lost hint delays
events but does not lose them. What cannot be announced because the store is away is announced when
it is back.

Whoever relied on what the store has lost is told (`EVENTS_MISSED`): the log shows by itself where
it was begun anew (log.py), and the poller shows it where an account was not watched for a while.
"""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol, cast

import orjson
import structlog
from msgspec import Struct

from gateway.discreet import Discreet
from gateway.errors import (
    BadUserInput,
    EventsMissed,
    EventsUnavailable,
    GatewayError,
    SlowConsumer,
)
from gateway.events.log import Entry, EventLog, LogPlace
from gateway.mapping.records import View, view
from gateway.storage.store import Store, StoreUnavailable
from gateway.storage.time_of_day import TimeOfDay
from gateway.upstream.call import Credential
from gateway.waiting import settle
from schema.enums import PhoneNumberEventKind, Source
from schema.nodes import PhoneNumber
from schema.phone_number_event import PhoneNumberEvent

_log = structlog.get_logger(__name__)
# The first look at the log after a topic began, and all others.
_FIRST_LOOK = 0.2
_LOOK_EVERY = 5.0
_PAUSE_AFTER_FAILURE = 1.0
_LONGEST_NAME = 18
# Seconds after which to come back when the log cannot be read.
_SOME_TIME = 2.0
# Changes that wait for the store to come back, and how often it is tried.
_MOST_OWED = 1000
_TRY_EVERY = 0.5


class Change(Discreet):
    """What happened to a number; `number` is None when it left the account."""

    kind: PhoneNumberEventKind
    sid: str
    phone_number: str | None
    number: View | None


class Missed(NamedTuple):
    """An entry of the log: what happened before it was not all seen.

    Attributes:
        sight: to whom this matters (`sight_of`); None: to all.
        watch: the watch (poller.py) that began here; None: none did.
    """

    sight: str | None = None
    watch: str | None = None

    def encoded(self) -> bytes:
        """Return what the log keeps. To earlier releases it is an event that cannot be read."""
        return orjson.dumps({"missed": list(self)})


class Follower(Protocol):
    """For whom an account is followed: one client, or several that are told the same."""

    @property
    def members(self) -> int:
        """How many they are."""

    def in_force(self) -> None:
        """Hear that no change can be missed any more."""


class Subscriber:
    """One who follows an account, and what waits for it.

    Attributes:
        follower: for whom.
        sight: how it sees the account (`sight_of`).
        resumed: it goes on behind an event, from which on nothing may be missing.
    """

    def __init__(
        self,
        account: str,
        credential: Credential,
        follower: Follower,
        most: int,
        *,
        resumed: bool,
    ) -> None:
        self.credential = credential
        self.follower = follower
        self.sight = sight_of(account, credential)
        self.resumed = resumed
        self._most = most
        self._waiting: deque[PhoneNumberEvent] = deque()
        self._failure: GatewayError | None = None
        self._more = asyncio.Event()

    def give(self, event: PhoneNumberEvent) -> None:
        """Let an event wait for the subscriber; too many of them, and it is cut off."""
        if len(self._waiting) >= self._most:
            self.cut(SlowConsumer(f"More than {self._most} events waited to be taken."))
            return
        self._waiting.append(event)
        self._more.set()

    def cut(self, failure: GatewayError) -> None:
        """End the subscription with an error, at once: what waits is dropped."""
        self._failure = failure
        self._waiting.clear()
        self._more.set()

    async def next(self) -> PhoneNumberEvent:
        """Return the next event as soon as there is one.

        Raises:
            GatewayError: the subscription is over, for this reason.
        """
        while not self._waiting:
            if self._failure is not None:
                raise self._failure
            self._more.clear()
            await self._more.wait()
        return self._waiting.popleft()


class Topic:
    """The subscribers of one account in this process.

    Attributes:
        place: behind the event that was delivered last.
        watched: the watch of each sight in which it is known what the account was like, so that a
            change made elsewhere is found.
    """

    def __init__(self, account: str, place: LogPlace) -> None:
        self.account = account
        self.place = place
        self.subscribers: list[Subscriber] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.watched: dict[str, str] = {}
        self._waiting: dict[Follower, None] = {}

    def when_watched(self, follower: Follower) -> None:
        """Tell a follower as soon as no change can be missed any more."""
        if self.watched:
            follower.in_force()
        else:
            self._waiting[follower] = None

    def watch(self, sight: str, watch: str) -> None:
        """Note that changes are found from here on."""
        self.watched.setdefault(sight, watch)
        while self._waiting:
            self._waiting.popitem()[0].in_force()

    def see(self, sight: str, watch: str | None) -> None:
        """Compare the watch that is kept now with the one that subscribers rely on."""
        if self.watched.get(sight, watch) != watch:
            self._lose(sight)
        if watch is not None:
            self.watch(sight, watch)

    def miss(self, missed: Missed) -> None:
        """Tell the subscribers who rely on what was not seen."""
        if missed.sight is None or missed.watch is None:
            self.cut(EventsMissed())
            return
        for subscriber in self.subscribers:
            if subscriber.resumed and subscriber.sight == missed.sight:
                subscriber.cut(EventsMissed())
        self.see(missed.sight, missed.watch)

    def leave(self, subscriber: Subscriber) -> None:
        """Let a subscriber go; a sight that nobody has any more may end without being missed."""
        self.subscribers.remove(subscriber)
        self._waiting.pop(subscriber.follower, None)
        if len(self.watched) > 1 and subscriber.sight not in {
            each.sight for each in self.subscribers
        }:
            self.watched.pop(subscriber.sight, None)

    def cut(self, failure: GatewayError) -> None:
        """End all subscriptions."""
        for subscriber in self.subscribers:
            subscriber.cut(failure)

    def _lose(self, sight: str) -> None:
        """End the subscriptions that relied on a watch, since it has a gap."""
        del self.watched[sight]
        for subscriber in self.subscribers:
            if subscriber.sight == sight or subscriber.sight not in self.watched:
                subscriber.cut(EventsMissed())


class EventLimits(Struct, frozen=True):
    """What is kept for subscribers; see the settings of the same names."""

    event_memory: float
    subscriber_queue: int


class Events:
    """The events of all accounts, as this process sees them."""

    def __init__(self, limits: EventLimits, store: Store) -> None:
        self._store = store
        self._most = limits.subscriber_queue
        self._topics: dict[str, Topic] = {}
        self._poll: Callable[[Topic], Awaitable[None]] | None = None
        self._owed: dict[str, list[Entry]] = {}
        self._settling: asyncio.Task[None] | None = None
        # By account: what is told of next, each with who waits for that; and what does that.
        self._untold: dict[str, list[tuple[Entry, asyncio.Future[None]]]] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}
        self.log = EventLog(store, limits.event_memory)
        self._day = TimeOfDay(store)

    @property
    def subscribers(self) -> int:
        """How many follow an account in this process."""
        topics = self._topics.values()
        return sum(each.follower.members for topic in topics for each in topic.subscribers)

    def poll_with(self, poll: Callable[[Topic], Awaitable[None]]) -> None:
        """Run `poll` for each topic as long as it has subscribers."""
        self._poll = poll

    async def announce(self, account: str, change: Change) -> None:
        """Tell everybody who follows `account`. Never raises: the change itself has happened."""
        if not (self._store.is_shared or await self.log.is_begun(account)):
            return  # Nobody has followed the account, and nobody else could.
        entry = Entry(_encoded(change, await self._now()))
        if account in self._owed:
            self._owe(account, entry)
            return
        try:
            await self._tell_together(account, entry)
        except StoreUnavailable as error:
            _log.warning("event_not_announced_yet", account=account, problem=str(error))
            self._owe(account, entry)
        except Exception:  # noqa: BLE001 - see above; it is logged
            _log.exception("event_not_announced", account=account)

    async def _now(self) -> dt.datetime:
        """Return the time by the clock of all who read the log; by this machine's without it."""
        try:
            return dt.datetime.fromtimestamp(await self._day.now(), dt.UTC)
        except StoreUnavailable:
            return dt.datetime.now(dt.UTC)

    async def announce_gap(self, account: str, sight: str, watch: str) -> None:
        """Tell those who relied on an earlier watch that changes may have been missed.

        Raises:
            StoreUnavailable: it cannot be told now.
        """
        entry = Entry(Missed(sight, watch).encoded())
        try:
            await self._tell(account, entry)
        except StoreUnavailable:
            if not entry.is_kept:
                raise

    async def start(self, account: str, last_event_id: str | None) -> int:
        """Return the number behind which to follow an account: that of an event, or of the latest.

        Raises:
            BadUserInput: `last_event_id` is not the id of an event.
            EventsUnavailable: the log cannot be read.
        """
        if last_event_id is None:
            with _retryable():
                return await self.log.head(account)
        return _name_of(account, last_event_id)

    async def follow(
        self,
        account: str,
        credential: Credential,
        after: int,
        follower: Follower,
        *,
        resumed: bool = False,
    ) -> AsyncGenerator[PhoneNumberEvent, None]:
        """Yield the events of an account behind the one with id `after`, as they happen.

        `follower` is told when none can be missed any more; `resumed` says that none may be
        missing since `after`, either.

        Raises:
            EventsMissed: some were lost, or those behind `after` are not kept any more.
            SlowConsumer: too many events waited.
            UpstreamDenied: the upstream does not accept the credential any more.
            EventsUnavailable: the log cannot be read.
        """
        with _retryable():
            end = await self.log.end(account)
        topic = self._topics.setdefault(account, Topic(account, end))
        subscriber = Subscriber(account, credential, follower, self._most, resumed=resumed)
        topic.subscribers.append(subscriber)
        if not topic.tasks:
            self._start(topic)
        try:
            topic.when_watched(follower)
            told = LogPlace.named(after).number
            async for event in self.past(account, credential, after, resumed=resumed):
                told = number_of(event)
                yield event
            while True:
                event = await subscriber.next()
                if number_of(event) > told:
                    yield event
        finally:
            topic.leave(subscriber)
            if not topic.subscribers:
                self._stop(topic)

    async def past(
        self, account: str, credential: Credential, after: int, *, resumed: bool
    ) -> AsyncGenerator[PhoneNumberEvent, None]:
        """Yield the events behind the one with id `after` that have happened; see `follow`.

        Raises:
            EventsMissed: see there.
            EventsUnavailable: see there.
        """
        with _retryable():
            found = await self.log.read(account, LogPlace.named(after))
        for number, content in found:
            event = _decoded(account, number, content)
            if not isinstance(event, Missed):
                yield event
            elif resumed and event.sight in {None, sight_of(account, credential)}:
                raise EventsMissed

    async def aclose(self) -> None:
        """End all topics, and try once more to announce what could not be announced."""
        await asyncio.gather(*self._telling.values())
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
            with suppress(StoreUnavailable):
                await self._settle()
        tasks = [task for topic in self._topics.values() for task in topic.tasks]
        for topic in list(self._topics.values()):
            self._stop(topic)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, account: str, *entries: Entry) -> None:
        """Keep events in the log and say so. Those that are kept are found without that, later."""
        await self.log.append(account, *entries)
        await self._store.publish(_channel(account), b"")

    async def _tell_together(self, account: str, entry: Entry) -> None:
        """Tell of an event; where that takes a while, of all at once that come meanwhile.

        Each has the number behind the last: who wants one at the same time would have to try again.
        """
        if not self._store.is_shared:
            await self._tell(account, entry)
            return
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._untold.get(account)
        if waiting is None:
            self._untold[account] = waiting = []
            self._telling[account] = asyncio.create_task(self._tell_untold(account))
        waiting.append((entry, told))
        await told

    async def _tell_untold(self, account: str) -> None:
        outcome: BaseException | None = None
        while waiting := self._untold[account]:
            self._untold[account] = []
            # What comes behind events that are owed must not be told before them.
            if not isinstance(outcome, StoreUnavailable):
                outcome = None
                try:
                    await self._tell(account, *(entry for entry, _ in waiting))
                except Exception as error:  # noqa: BLE001 - whoever waits raises it
                    outcome = error
            for entry, told in waiting:
                settle(told, None if entry.is_kept else outcome)
        del self._untold[account], self._telling[account]

    def _owe(self, account: str, entry: Entry) -> None:
        """Keep what is to be announced for when the store is back, in the order of events."""
        if sum(map(len, self._owed.values())) < _MOST_OWED:
            self._owed.setdefault(account, []).append(entry)
        else:
            self._owed[account] = [Entry(Missed().encoded())]
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        while self._owed:
            await asyncio.sleep(_TRY_EVERY)
            with suppress(StoreUnavailable):
                await self._settle()

    async def _settle(self) -> None:
        """Announce what is owed."""
        for account, entries in list(self._owed.items()):
            while entries:
                await self._tell(account, entries[0])
                entries.pop(0)
            if not self._owed[account]:
                del self._owed[account]

    def _start(self, topic: Topic) -> None:
        work = [self._listen(topic), self._look(topic)]
        topic.tasks = [asyncio.create_task(each) for each in work]
        if self._poll is None:
            topic.watch("", "")
        else:
            topic.tasks.append(asyncio.create_task(_forever(self._poll, topic)))

    def _stop(self, topic: Topic) -> None:
        for task in topic.tasks:
            task.cancel()
        if self._topics.get(topic.account) is topic:
            del self._topics[topic.account]

    async def _listen(self, topic: Topic) -> None:
        """Read the log whenever somebody says that there is more."""
        while True:
            try:
                async for _ in self._store.follow(_channel(topic.account)):
                    await self._deliver(topic)
            except StoreUnavailable as error:
                _log.warning("events_not_followed", account=topic.account, problem=str(error))
            await asyncio.sleep(_PAUSE_AFTER_FAILURE)

    async def _look(self, topic: Topic) -> None:
        """Read the log now and then, often enough that it does not end meanwhile."""
        pause = _FIRST_LOOK
        while True:
            await asyncio.sleep(pause)
            pause = min(_LOOK_EVERY, self.log.memory)
            try:
                await self._deliver(topic)
                await self.log.hold(topic.account)
            except StoreUnavailable as error:
                _log.warning("events_not_read", account=topic.account, problem=str(error))

    async def _deliver(self, topic: Topic) -> None:
        """Give all subscribers what the log has behind the topic's place."""
        try:
            found = await self.log.read(topic.account, topic.place)
        except EventsMissed as error:
            _log.warning("events_lost", account=topic.account)
            topic.cut(error)
            # Whoever comes again begins in the log that is there now.
            self._stop(topic)
            return
        for number, content in found:
            # Somebody else may have delivered it while this read the log.
            if number > topic.place.number:
                topic.place = LogPlace.of(number, content)
                event = _decoded(topic.account, number, content)
                if isinstance(event, Missed):
                    topic.miss(event)
                    continue
                for subscriber in topic.subscribers:
                    subscriber.give(event)


async def _forever(poll: Callable[[Topic], Awaitable[None]], topic: Topic) -> None:
    while True:
        try:
            await poll(topic)
        except Exception as error:  # noqa: BLE001 - a bad round must not end the others
            _log.exception("poll_failed", account=topic.account, kind=type(error).__name__)
            await asyncio.sleep(_LOOK_EVERY)


@contextmanager
def _retryable() -> Iterator[None]:
    """Tell a subscriber that has just come to come again when the store is away."""
    try:
        yield
    except StoreUnavailable as error:
        raise EventsUnavailable(retry_after=_SOME_TIME) from error


def sight_of(account: str, credential: Credential) -> str:
    """Return how an account is seen with a credential: its own and its parent's differ.

    They are shown it by different families.
    """
    return "own" if credential.home == account else "other"


def number_of(event: PhoneNumberEvent) -> int:
    """Return the number that an event has in the log of its account."""
    return LogPlace.named(int(event.id.rpartition("-")[2])).number


def sids_in(events: Iterable[tuple[int, bytes]]) -> set[str]:
    """Return the sids that encoded events are about."""
    found = set()
    for _, content in events:
        with suppress(ValueError, TypeError, LookupError):
            found.add(orjson.loads(content)["sid"])
    return found


def _name_of(account: str, event_id: str) -> int:
    """Return the name that an event of an account has in its log.

    Ids of earlier releases do not begin with the account.

    Raises:
        BadUserInput: it is not the id of an event of the account.
    """
    name = event_id.removeprefix(f"{account}-")
    if not name.isdecimal() or len(name) > _LONGEST_NAME:
        raise BadUserInput("lastEventId", "this is not the `id` of an event of this account.")
    return int(name)


def _channel(account: str) -> str:
    return f"events:{account}"


def _encoded(change: Change, at: dt.datetime) -> bytes:
    number = change.number
    content = {
        "kind": change.kind.name,
        "at": at.isoformat(),
        "sid": change.sid,
        "phoneNumber": change.phone_number,
        "source": number and number.source.name,
        "number": number and number.written(),
    }
    return orjson.dumps(content)


def _decoded(account: str, number: int, content: bytes) -> PhoneNumberEvent | Missed:
    """Return an entry of the log; one that cannot be read is missed by all."""
    try:
        raw: dict[str, Any] = orjson.loads(content)
        if "missed" in raw:
            return Missed(*raw["missed"])
        seen = raw["number"] and view("PhoneNumber", Source[raw["source"]], raw["number"], account)
        return PhoneNumberEvent(
            id=cast("Any", f"{account}-{LogPlace.of(number, content).name}"),
            kind=PhoneNumberEventKind[raw["kind"]],
            at=dt.datetime.fromisoformat(raw["at"]),
            account_sid=cast("Any", account),
            number_id=raw["sid"],
            number=raw["phoneNumber"],
            seen=cast("PhoneNumber | None", seen),
        )
    except (ValueError, TypeError, LookupError) as error:
        _log.error("event_unreadable", account=account, id=number, problem=str(error))
        return Missed()
