"""The events of an account: the log that processes share, topics, and consumers that are too slow."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from gateway.app import compose
from gateway.draining import Draining
from gateway.errors import EventsMissed, SlowConsumer
from gateway.events.feed import Change, EventLimits, Events, Topic, _encoded
from gateway.events.log import Entry, EventLog, LogPlace
from gateway.pipeline.turns import Turns
from gateway.storage.store import MemoryStore, StoreUnavailable
from gateway.transport.asgi import send_stream
from gateway.transport.exchange import FixedHeaders, Stream
from gateway.transport.unsent import Pending, Unsent, UnsentLimits
from gateway.transport.websocket import SocketOptions, WebSockets
from gateway.upstream.call import Credential
from schema.enums import PhoneNumberEventKind
from schema.phone_number_event import PhoneNumberEvent
from tests.support.bare_settings import bare_settings

ACCOUNT = "AC" + "1" * 32
CREDENTIAL = Credential(ACCOUNT, "secret", ACCOUNT)
T = TypeVar("T")


class Alone:
    """One who follows an account for itself."""

    members = 1

    def in_force(self) -> None:
        """Hear that no change can be missed any more."""


def run(work: Awaitable[T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells when it holds
        await asyncio.sleep(0.01)


def change(number: int) -> Change:
    return Change(PhoneNumberEventKind.RELEASED, f"PN{number:032}", "+14155550100", None)


def events(store: MemoryStore, **settings: Any) -> Events:
    return Events(bare_settings(**settings).pick(EventLimits), store)


def follow(bus: Events, after: int) -> AsyncGenerator[PhoneNumberEvent, None]:
    return bus.follow(ACCOUNT, CREDENTIAL, after, Alone())


# The log ------------------------------------------------------------------------------------------


def test_numbers_rise_by_one_and_what_is_behind_a_number_can_be_read() -> None:
    async def scenario() -> None:
        log = EventLog(MemoryStore(), 60)
        start = await log.head(ACCOUNT)
        numbers = [await log.append(ACCOUNT, Entry(b"%d" % each)) for each in range(3)]
        assert numbers == [start + 1, start + 2, start + 3]
        assert list(await log.after(ACCOUNT, start + 1)) == [(start + 2, b"1"), (start + 3, b"2")]
        assert await log.head(ACCOUNT) == start + 3
        assert await log.head("AC" + "2" * 32) != start + 3

    run(scenario())


def test_two_processes_never_give_the_same_number() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        logs = [EventLog(store, 60), EventLog(store, 60)]
        appended = (logs[each % 2].append(ACCOUNT, Entry(b"%d" % each)) for each in range(40))
        numbers = await asyncio.gather(*appended)
        assert len(set(numbers)) == 40
        assert len(list(await logs[0].after(ACCOUNT, min(numbers) - 1))) == 40

    run(scenario())


def test_what_nobody_can_read_any_more_is_not_kept() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        log = EventLog(store, 60)
        numbers = [await log.append(ACCOUNT, Entry(b"%d" % each)) for each in range(1300)]
        kept = [await store.get(f"events:{ACCOUNT}:{each}") for each in numbers]
        assert 1000 < len(kept) - kept.count(None) <= 1100
        place = LogPlace.of(numbers[-1001], b"299")
        assert [event for _, event in await log.read(ACCOUNT, place)] == kept[-1000:]

    run(scenario())


def test_a_stale_hint_of_the_end_loses_nothing() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        log = EventLog(store, 60)
        start = await log.head(ACCOUNT)
        await log.append(ACCOUNT, Entry(b"a"))
        await log.append(ACCOUNT, Entry(b"b"))
        await store.set(f"events:{ACCOUNT}:head", str(start).encode(), ttl=60)
        assert await log.head(ACCOUNT) == start + 2
        assert await log.append(ACCOUNT, Entry(b"c")) == start + 3

    run(scenario())


class Between(MemoryStore):
    """A store in which another process does something while one event is kept in it."""

    other: Callable[[], Awaitable[object]] | None = None

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        added = await super().add(key, value, ttl=ttl)
        if self.other is not None and not key.endswith("head"):
            other, self.other = self.other, None
            await other()
        return added


def test_the_hint_of_the_end_stays_where_another_process_has_moved_it() -> None:
    async def scenario() -> None:
        store = Between()
        one, two = EventLog(store, 60), EventLog(store, 60)
        start = await one.head(ACCOUNT)
        first, second = Entry(b"a"), Entry(b"b")
        store.other = lambda: two.append(ACCOUNT, second)
        assert await one.append(ACCOUNT, first) == start + 1
        assert (first.number, second.number) == (start + 1, start + 2)
        assert await store.get(f"events:{ACCOUNT}:head") == str(start + 2).encode()
        # What is tried again is kept already, and moves it neither.
        assert await one.append(ACCOUNT, first) == start + 2
        await store.set(f"events:{ACCOUNT}:head", str(start).encode(), ttl=60)
        assert await one.append(ACCOUNT, second) == start + 2
        assert await store.get(f"events:{ACCOUNT}:head") == str(start + 2).encode()

    run(scenario())


def test_numbers_go_on_rising_after_everything_was_forgotten() -> None:
    async def scenario() -> None:
        log = EventLog(MemoryStore(), 0.02)
        first = await log.append(ACCOUNT, Entry(b"a"))
        await asyncio.sleep(0.1)
        assert await log.append(ACCOUNT, Entry(b"b")) > first + 1

    run(scenario())


# Topics -------------------------------------------------------------------------------------------


def test_a_subscriber_in_another_process_hears_of_it() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        here, there = events(store), events(store)
        feed = follow(there, await there.start(ACCOUNT, None))
        heard = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(0.05)
        await here.announce(ACCOUNT, change(1))
        assert (await heard).number_id == change(1).sid
        await feed.aclose()
        await there.aclose()

    run(scenario())


class Silent(MemoryStore):
    """A store whose messages get lost."""

    async def publish(self, channel: str, message: bytes) -> None:
        """Lose it."""


def test_a_lost_message_only_delays_an_event() -> None:
    async def scenario() -> None:
        bus = events(Silent())
        feed = follow(bus, await bus.start(ACCOUNT, None))
        heard = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(0.05)
        await bus.announce(ACCOUNT, change(1))
        assert (await heard).number_id == change(1).sid
        await feed.aclose()

    run(scenario())


@pytest.mark.parametrize("count", [1, 1002])
def test_coming_back_behind_what_is_kept_is_an_error(count: int) -> None:
    """More events than are read at once are as good as forgotten; so is a store begun anew."""

    async def scenario() -> None:
        bus = events(MemoryStore())
        start = await bus.start(ACCOUNT, None)
        for each in range(count):
            await bus.log.append(ACCOUNT, Entry(_encoded(change(each), dt.datetime.now(dt.UTC))))
        late = start if count > 1 else start - 1
        for after in (late, start + count + 1):
            with pytest.raises(EventsMissed):
                await anext(follow(bus, after))
        feed = follow(bus, start + count - 1)
        assert (await anext(feed)).number_id == change(count - 1).sid
        await feed.aclose()

    run(scenario())


@pytest.mark.parametrize("lost", ["one", "all"])
def test_a_reader_who_is_behind_what_the_store_lost_is_told(lost: str) -> None:
    async def scenario() -> None:
        store = Silent()
        bus = events(store)
        start = await bus.start(ACCOUNT, None)
        feed = follow(bus, start)
        heard = asyncio.ensure_future(anext(feed))
        await until(lambda: bus.subscribers == 1)
        for each in range(3):
            await bus.log.append(ACCOUNT, Entry(_encoded(change(each), dt.datetime.now(dt.UTC))))
        key = f"events:{ACCOUNT}:"
        await store.delete(f"{key}{start + 2}", *([f"{key}head"] if lost == "all" else []))
        with pytest.raises(EventsMissed):
            await heard
        await bus.aclose()

    run(scenario())


def test_a_log_that_is_followed_goes_on_though_nothing_happens_for_long() -> None:
    async def scenario() -> None:
        bus = events(MemoryStore(), event_memory=1.0)
        feed = follow(bus, await bus.start(ACCOUNT, None))
        heard = asyncio.ensure_future(anext(feed))
        await asyncio.sleep(3)
        await bus.announce(ACCOUNT, change(1))
        assert (await heard).number_id == change(1).sid
        await feed.aclose()

    run(scenario())


class Slow(MemoryStore):
    """A shared store whose answers take a moment; counts what was tried."""

    is_shared = True
    tries = 0

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Count, and let others go ahead meanwhile."""
        self.tries += 1
        await asyncio.sleep(0.001)
        return await super().add(key, value, ttl=ttl)


def test_changes_at_once_do_not_try_to_get_the_same_number() -> None:
    async def scenario() -> None:
        store = Slow()
        bus = events(store)
        start = await bus.log.head(ACCOUNT)
        store.tries = 0
        await asyncio.gather(*(bus.announce(ACCOUNT, change(each)) for each in range(30)))
        assert store.tries == 30
        told = [json.loads(event)["sid"] for _, event in await bus.log.after(ACCOUNT, start)]
        assert told == [change(each).sid for each in range(30)]
        await bus.aclose()

    run(scenario())


class Failing(MemoryStore):
    """A shared store that fails once, at the third event that is added, in one of several ways."""

    is_shared = True

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.left = 3

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep it, after some time, and perhaps fail before or after that."""
        await asyncio.sleep(0)
        self.left -= key.removeprefix(f"events:{ACCOUNT}:").isdecimal()
        if self.left or not self.fault:
            return await super().add(key, value, ttl=ttl)
        fault, self.fault = self.fault, ""
        if fault != "before":
            await super().add(key, value, ttl=ttl)
        if fault == "asked twice":
            return await super().add(key, value, ttl=ttl)
        raise StoreUnavailable(fault)


@pytest.mark.parametrize("fault", ["before", "after", "asked twice"])
def test_a_store_that_fails_among_many_changes_has_each_told_once_and_in_order(fault: str) -> None:
    async def scenario() -> None:
        bus = events(Failing(fault))
        feed = follow(bus, await bus.start(ACCOUNT, None))
        first = asyncio.ensure_future(anext(feed))
        await until(lambda: bus.subscribers == 1)
        await asyncio.gather(*(bus.announce(ACCOUNT, change(each)) for each in range(9)))
        told = [await first, *[await anext(feed) for _ in range(8)]]
        assert [each.number_id for each in told] == [change(each).sid for each in range(9)]
        await bus.announce(ACCOUNT, change(9))
        assert (await anext(feed)).number_id == change(9).sid
        await feed.aclose()
        await bus.aclose()

    run(scenario())


class Unforeseen(MemoryStore):
    """A shared store that fails at the first event that is added, in a way that nobody foresaw."""

    is_shared = True

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = False
        self.may_fail = asyncio.Event()

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """Keep it, unless it is the first event."""
        if key.removeprefix(f"events:{ACCOUNT}:").isdecimal() and not self.is_asked:
            self.is_asked = True
            await self.may_fail.wait()
            raise ValueError
        return await super().add(key, value, ttl=ttl)


def test_what_comes_while_another_change_fails_as_nobody_foresaw_is_told() -> None:
    async def scenario() -> None:
        store = Unforeseen()
        bus = events(store)
        feed = follow(bus, await bus.start(ACCOUNT, None))
        first = asyncio.ensure_future(anext(feed))
        await until(lambda: bus.subscribers == 1)
        failing = asyncio.ensure_future(bus.announce(ACCOUNT, change(0)))
        await until(lambda: store.is_asked)
        later = asyncio.ensure_future(bus.announce(ACCOUNT, change(1)))
        await until(lambda: bool(bus._untold[ACCOUNT]))
        store.may_fail.set()
        await asyncio.gather(failing, later)
        assert (await asyncio.wait_for(first, 60)).number_id == change(1).sid
        await feed.aclose()
        await bus.aclose()

    run(scenario())


def test_of_an_account_that_nobody_has_followed_nothing_is_kept() -> None:
    async def scenario() -> None:
        store = MemoryStore()
        bus = events(store)
        await bus.announce(ACCOUNT, change(1))
        assert await store.get(f"events:{ACCOUNT}:head") is None
        start = await bus.start(ACCOUNT, None)
        await bus.announce(ACCOUNT, change(2))
        assert [number for number, _ in await bus.log.after(ACCOUNT, start)] == [start + 1]

    run(scenario())


class Broken(MemoryStore):
    """A shared store that cannot be reached."""

    is_shared = True

    async def get(self, key: str) -> bytes | None:
        """Fail."""
        raise StoreUnavailable(key)


def test_a_change_stands_even_if_it_cannot_be_announced() -> None:
    run(events(Broken()).announce(ACCOUNT, change(1)))


def test_a_subscriber_that_takes_nothing_is_cut_off() -> None:
    async def scenario() -> None:
        bus = events(MemoryStore(), subscriber_queue=3)
        start = await bus.start(ACCOUNT, None)
        feed = follow(bus, start)
        await bus.announce(ACCOUNT, change(0))
        assert (await anext(feed)).number_id == change(0).sid
        for each in range(1, 9):
            await bus.announce(ACCOUNT, change(each))
            await asyncio.sleep(0.01)
        with pytest.raises(SlowConsumer):
            await anext(feed)
        await bus.aclose()

    run(scenario())


def test_no_task_is_left_when_the_last_subscriber_goes() -> None:
    async def scenario() -> None:
        bus = events(MemoryStore())
        feeds = [follow(bus, await bus.start(ACCOUNT, None)) for _ in range(3)]
        waiting = [asyncio.ensure_future(anext(feed)) for feed in feeds]
        await until(lambda: bus.subscribers == 3 and len(asyncio.all_tasks()) > 4)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    run(scenario())


def test_nobody_is_kept_who_has_left_before_the_account_was_read() -> None:
    """As when the upstream is away for long, while somebody goes on following it."""

    class Hearing(Alone):
        def in_force(self) -> None:
            heard.append(self)

    heard: list[Hearing] = []

    async def scenario() -> None:
        bus, is_read = events(MemoryStore()), asyncio.Event()

        async def poll(topic: Topic) -> None:
            await is_read.wait()
            topic.watch("own", "watch")
            await asyncio.get_running_loop().create_future()

        bus.poll_with(poll)
        after = await bus.start(ACCOUNT, None)
        staying, leaving = Hearing(), Hearing()
        tasks = [
            asyncio.ensure_future(anext(bus.follow(ACCOUNT, CREDENTIAL, after, each)))
            for each in (staying, leaving)
        ]
        await until(lambda: bus.subscribers == 2)
        tasks[1].cancel()
        await until(lambda: bus.subscribers == 1)
        is_read.set()
        await until(lambda: bool(heard))
        assert heard == [staying]
        tasks[0].cancel()

    run(scenario())


# A client that does not take what it is sent ------------------------------------------------------


def test_a_stream_whose_client_takes_nothing_is_cut_off() -> None:
    async def scenario() -> None:
        sent: list[dict[str, Any]] = []
        closed = False

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) > 3:
                # As uvicorn does when the socket's buffer is full.
                await asyncio.Event().wait()

        async def chunks() -> AsyncGenerator[bytes, None]:
            nonlocal closed
            try:
                while True:
                    yield b"x"
            finally:
                closed = True

        unsent = Unsent(bare_settings().pick(UnsentLimits), Turns())
        stream = Stream(
            headers={},
            fixed=FixedHeaders(()),
            chunks=chunks(),
            sign_of_life=b"",
            early=True,
            keep_alive=5,
            send_timeout=0.1,
            pending=Pending(unsent.outbox("somebody", None), 0),
            held=Draining(1.0),
        )
        await send_stream(stream, receive, send, request_id="", bodiless=False)
        assert closed
        assert len(sent) == 4
        assert all(message.get("more_body", True) for message in sent)

    run(scenario())


def test_a_socket_whose_client_takes_nothing_is_closed() -> None:
    async def scenario() -> None:
        sent: list[dict[str, Any]] = []
        query = {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}
        messages = [{"type": "connection_init"}, query]
        received: list[Any] = [{"type": "websocket.connect"}]
        received += [{"type": "websocket.receive", "text": json.dumps(each)} for each in messages]

        async def receive() -> Any:
            if not received:
                await asyncio.Event().wait()
            return received.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)
            if "next" in message.get("text", ""):
                await asyncio.Event().wait()

        scope = {
            "type": "websocket",
            "headers": [],
            "subprotocols": ["graphql-transport-ws"],
        }
        own = {"auth": "open", "account_sid": ACCOUNT, "auth_token": "secret"}
        settings = bare_settings(send_timeout=0.1, **own)
        parts = compose(settings)
        unsent = Unsent(settings.pick(UnsentLimits), parts.pipeline.turns)
        options = settings.pick(SocketOptions)
        async with parts.running():
            await WebSockets(
                parts.pipeline, unsent, parts.shares, parts.observation, options
            ).serve(scope, receive, send)
        assert sent[-1]["type"] == "websocket.close"
        assert sent[-1]["code"] == 4408

    run(scenario())
