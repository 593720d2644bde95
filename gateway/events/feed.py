"""Changes of numbers: announced by mutations, found by polling, followed by subscribers.

    mutation ─▶ announce ─▶ log in the store ─▶ publish "there is more" ─▶ topic ─▶ subscribers
    poll of an account (polling.py) ─▶ announce

Every process has one topic per account that somebody follows in it. What is published is only a
hint to read the log, and topics look at the log now and then in any case, so a lost hint delays
events but does not lose them.
"""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, cast

import orjson
import structlog

from gateway.errors import (
    BadUserInput,
    EventsMissed,
    EventsUnavailable,
    GatewayError,
    SlowConsumer,
)
from gateway.events.log import EventLog
from gateway.mapping.records import View, view
from gateway.settings.model import Settings
from gateway.storage.store import Store, StoreUnavailable
from gateway.upstream.call import Credential
from schema.enums import PhoneNumberEventKind, Source
from schema.nodes import PhoneNumber
from schema.phone_number_event import PhoneNumberEvent

_log = structlog.get_logger(__name__)
# The first look at the log after a topic began, and all others.
_FIRST_LOOK = 0.2
_LOOK_EVERY = 10.0
_PAUSE_AFTER_FAILURE = 1.0
_LONGEST_ID = 18
# Seconds after which to come back when the log cannot be read.
_SOME_TIME = 2.0


class Change(NamedTuple):
    """What happened to a number; `number` is None when it left the account."""

    kind: PhoneNumberEventKind
    sid: str
    phone_number: str | None
    number: View | None


class Subscriber:
    """One who follows an account, and what waits for it."""

    def __init__(self, credential: Credential, most: int) -> None:
        self.credential = credential
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
        watched: what the account was like is known, so that a change made elsewhere is found.
    """

    def __init__(self, account: str, position: int) -> None:
        self.account = account
        self.position = position
        self.subscribers: list[Subscriber] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.watched = False
        self._waiting: list[asyncio.Event] = []

    def when_watched(self, following: asyncio.Event) -> None:
        """Set `following` as soon as no change can be missed any more."""
        if self.watched:
            following.set()
        else:
            self._waiting.append(following)

    def watch(self) -> None:
        """Note that changes are found from here on."""
        self.watched = True
        while self._waiting:
            self._waiting.pop().set()


class Events:
    """The events of all accounts, as this process sees them."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._most = settings.subscriber_queue
        self._topics: dict[str, Topic] = {}
        self._poll: Callable[[Topic], Awaitable[None]] | None = None
        self.log = EventLog(store, settings.event_memory)

    @property
    def subscribers(self) -> int:
        """How many follow an account in this process."""
        return sum(len(topic.subscribers) for topic in self._topics.values())

    def poll_with(self, poll: Callable[[Topic], Awaitable[None]]) -> None:
        """Run `poll` for each topic as long as it has subscribers."""
        self._poll = poll

    async def announce(self, account: str, change: Change) -> None:
        """Tell everybody who follows `account`. Never raises: the change itself has happened."""
        try:
            await self.log.append(account, _encoded(change))
            await self._store.publish(_channel(account), b"")
        except Exception:  # noqa: BLE001 - see above; it is logged
            _log.exception("event_not_announced", account=account)

    async def start(self, account: str, last_event_id: str | None) -> int:
        """Return the number behind which to follow an account: that of an event, or of the latest.

        Raises:
            BadUserInput: `last_event_id` is not the id of an event.
            EventsUnavailable: the log cannot be read.
        """
        if last_event_id is None:
            with _retryable():
                return await self.log.head(account)
        if not last_event_id.isdecimal() or len(last_event_id) > _LONGEST_ID:
            raise BadUserInput("lastEventId", "this is not the `id` of an event.")
        return int(last_event_id)

    async def follow(
        self, account: str, credential: Credential, after: int, following: asyncio.Event
    ) -> AsyncIterator[PhoneNumberEvent]:
        """Yield the events of an account behind number `after`, as they happen.

        `following` is set when none can be missed any more.

        Raises:
            EventsMissed: those behind `after` are not kept any more.
            SlowConsumer: too many events waited.
            UpstreamDenied: the upstream does not accept the credential any more.
            EventsUnavailable: the log cannot be read.
        """
        with _retryable():
            head = await self.log.head(account)
        topic = self._topics.setdefault(account, Topic(account, head))
        subscriber = Subscriber(credential, self._most)
        topic.subscribers.append(subscriber)
        if not topic.tasks:
            self._start(topic)
        try:
            topic.when_watched(following)
            position = min(after, head)
            with _retryable():
                past = list(await self.log.after(account, position))
            if (past[0][0] if past else head + 1) != after + 1:
                raise _missed()
            for number, event in past:
                position = number
                yield _decoded(account, number, event)
            while True:
                event_ = await subscriber.next()
                if int(event_.id) > position:
                    position = int(event_.id)
                    yield event_
        finally:
            topic.subscribers.remove(subscriber)
            if not topic.subscribers:
                self._stop(topic)

    async def aclose(self) -> None:
        """End all topics."""
        tasks = [task for topic in self._topics.values() for task in topic.tasks]
        for topic in list(self._topics.values()):
            self._stop(topic)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, topic: Topic) -> None:
        work = [self._listen(topic), self._look(topic)]
        topic.tasks = [asyncio.create_task(each) for each in work]
        if self._poll is None:
            topic.watch()
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
        """Read the log now and then."""
        pause = _FIRST_LOOK
        while True:
            await asyncio.sleep(pause)
            pause = _LOOK_EVERY
            try:
                await self._deliver(topic)
            except StoreUnavailable as error:
                _log.warning("events_not_read", account=topic.account, problem=str(error))

    async def _deliver(self, topic: Topic) -> None:
        """Give all subscribers what the log has behind the topic's position."""
        for number, content in await self.log.after(topic.account, topic.position):
            # Somebody else may have delivered it while this read the log.
            if number > topic.position:
                topic.position = number
                try:
                    event = _decoded(topic.account, number, content)
                except EventsMissed as error:
                    for subscriber in topic.subscribers:
                        subscriber.cut(error)
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


def sids_in(events: Iterable[tuple[int, bytes]]) -> set[str]:
    """Return the sids that encoded events are about."""
    found = set()
    for _, content in events:
        with suppress(ValueError, TypeError, LookupError):
            found.add(orjson.loads(content)["sid"])
    return found


def _channel(account: str) -> str:
    return f"events:{account}"


def _encoded(change: Change) -> bytes:
    number = change.number
    content = {
        "kind": change.kind.name,
        "at": dt.datetime.now(dt.UTC).isoformat(),
        "sid": change.sid,
        "phoneNumber": change.phone_number,
        "source": number and number.source.name,
        "number": number and number.to_json(),
    }
    return orjson.dumps(content)


def _decoded(account: str, number: int, content: bytes) -> PhoneNumberEvent:
    """Return an event of the log.

    Raises:
        EventsMissed: what is kept of it cannot be read.
    """
    try:
        raw: dict[str, Any] = orjson.loads(content)
        seen = raw["number"] and view("PhoneNumber", Source[raw["source"]], raw["number"], account)
        return PhoneNumberEvent(
            id=cast("Any", str(number)),
            kind=PhoneNumberEventKind[raw["kind"]],
            at=dt.datetime.fromisoformat(raw["at"]),
            account_sid=cast("Any", account),
            sid=raw["sid"],
            phone_number=raw["phoneNumber"],
            number=cast("PhoneNumber | None", seen),
        )
    except (ValueError, TypeError, LookupError) as error:
        _log.error("event_unreadable", account=account, id=number, problem=str(error))
        raise _missed() from None


def _missed() -> EventsMissed:
    return EventsMissed(
        "Events behind this one are not kept any more: follow from now on, and read the list again."
    )
