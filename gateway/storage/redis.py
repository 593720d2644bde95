"""The store that several processes or machines share: Redis or Valkey.

Every command has a short deadline, so that a lost server costs a request little; a server that
hangs is then left alone for a moment, so that it does not cost every request that little. What is
read or kept in one tick of the event loop goes together, and tokens for requests are taken ahead.
One connection per process carries all messages; it is made again whenever it breaks, and followers
notice nothing but a gap.
"""

import asyncio
import contextlib
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, Final, TypeVar, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from gateway.settings.store_url import StoreUrl
from gateway.storage.batches import Batches
from gateway.storage.leases import Bucket, Leases, Loan
from gateway.storage.store import Cause, Condition, Listening, StoreUnavailable
from gateway.storage.store_connections import StoreConnections
from gateway.storage.store_servers import cause_of

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_REST_AFTER_TIMEOUT: Final = 1.0
_QUIET: Final = 5.0
_PROBE_TTL: Final = 10.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0

# What processes hold of a bucket beside it (see `leases.py`) is counted by the second in which they
# took it, and is none of theirs any more when that second and the next are over. Until then the
# bucket can hold so much less.
_SHARE: Final = 64
"""A process takes no more than this part of what is left ahead."""

# The same arithmetic as `MemoryStore.take`, by the server's clock, which all processes share.
_LEVEL: Final = """
local capacity, per_second, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'level', 'at', 'second', 'lent', 'lent_before')
local level, second, lent, lent_before = capacity, math.floor(now), 0, 0
if kept[3] then
  local passed = second - tonumber(kept[3])
  if passed <= 0 then
    second, lent, lent_before = tonumber(kept[3]), tonumber(kept[4]), tonumber(kept[5])
  elseif passed == 1 then
    lent_before = tonumber(kept[4])
  end
end
if kept[1] then level = tonumber(kept[1]) + math.max(0, now - tonumber(kept[2])) * per_second end
level = math.min(capacity - lent - lent_before, level)
"""
# Numbers go back as text because a Lua number would lose its fraction on the way.
_KEEP_LEVEL: Final = """
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', now),
  'second', second, 'lent', lent, 'lent_before', lent_before)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / per_second * 1000) + 1000)
"""
_TAKE: Final = f"""{_LEVEL}
local wait = 0
if level >= amount then level = level - amount else wait = (amount - level) / per_second end
{_KEEP_LEVEL}
return string.format('%.6f', wait)
"""
_LEND: Final = f"""{_LEVEL}
local given = math.max(0, math.min(amount, math.floor(level)))
local ahead = math.min(tonumber(ARGV[4]), math.floor((level - given) / {_SHARE}))
if given < amount or ahead < 0 then ahead = 0 end
level, lent = level - given - ahead, lent + ahead
local wait = (1 - level) / per_second
{_KEEP_LEVEL}
return {{given, ahead, string.format('%.6f', wait)}}
"""
_TAKE_BACK: Final = f"""{_LEVEL}
if redis.call('HGET', KEYS[1], 'returned') == ARGV[4] then return end
redis.call('HSET', KEYS[1], 'returned', ARGV[4])
lent_before = lent_before - amount
if lent_before < 0 then lent, lent_before = math.max(0, lent + lent_before), 0 end
level = math.min(capacity - lent - lent_before, level + amount)
{_KEEP_LEVEL}
"""

_REPLACE: Final = """
local kept = redis.call('GET', KEYS[1])
if kept == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return kept == ARGV[2] and 1 or 0
"""
_REMOVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
# The server's clock, under a name that changes with the server: one that takes its place, perhaps
# at another machine, has a clock of its own. The key says which server, where there are several.
_CLOCK: Final = """
local time, info = redis.call('TIME'), redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)')
return {run or '', time[1], time[2]}
"""


class RedisStore:
    """A store over a Redis or Valkey server; see `Store` for what each method does.

    Args:
        url: see `gateway/settings/store_url.py`.
        prefix: of every key and channel, so that a server can have other users.
        timeout: seconds for one command, connecting included.
        failed: is told of every failure.
    """

    is_shared: ClassVar[bool] = True

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "number-gateway:",
        timeout: float = 0.5,
        failed: Callable[[StoreUnavailable], None] = lambda _: None,
    ) -> None:
        self._prefix = prefix
        self._failed = failed
        self._timeout = timeout
        self._hung = -math.inf
        where = StoreUrl.parse(url)
        self._connections = StoreConnections(where, timeout)
        self._client = self._connections.client
        self._reads: Batches[None, bytes | None] = Batches(self._read)
        self._writes: Batches[tuple[bytes, int], None] = Batches(self._write)
        self._leases = Leases(self)
        # All of them touch one key each, so that a cluster can run them where that key is.
        self._take = self._client.register_script(_TAKE)
        self._lend = self._client.register_script(_LEND)
        self._take_back = self._client.register_script(_TAKE_BACK)
        self._replace = self._client.register_script(_REPLACE)
        self._remove = self._client.register_script(_REMOVE)
        self._clock = self._client.register_script(_CLOCK)
        self._feed = _Feed(self._connections.listener, prefix + "idle")

    async def get(self, key: str) -> bytes | None:
        """See `Store`."""
        return await self._reads.ask(self._prefix + key, None)

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        """See `Store`."""
        await self._writes.ask(self._prefix + key, (value, _milliseconds(ttl)))

    async def add(self, key: str, value: bytes, *, ttl: float) -> bool:
        """See `Store`."""
        kept = self._client.set(self._prefix + key, value, px=_milliseconds(ttl), nx=True)
        return bool(await self._ask(kept))

    async def replace(self, key: str, old: bytes, new: bytes, *, ttl: float) -> bool:
        """See `Store`."""
        replaced = self._replace(keys=[self._prefix + key], args=[old, new, _milliseconds(ttl)])
        return bool(await self._ask(cast("Awaitable[int]", replaced)))

    async def remove(self, key: str, old: bytes) -> None:
        """See `Store`."""
        removed = self._remove(keys=[self._prefix + key], args=[old])
        await self._ask(cast("Awaitable[None]", removed))

    async def delete(self, *keys: str) -> None:
        """See `Store`."""
        if keys:
            await self._ask(self._client.delete(*(self._prefix + key for key in keys)))

    async def take(self, key: str, *, capacity: float, per_second: float, amount: float) -> float:
        """See `Store`."""
        # What this process holds of it is a part of what there is.
        await self._leases.settle(Bucket(key, capacity, per_second))
        taken = self._take(keys=[self._prefix + key], args=[capacity, per_second, amount])
        return float(await self._ask(cast("Awaitable[bytes]", taken)))

    async def take_one(self, key: str, *, capacity: float, per_second: float) -> float:
        """See `Store`."""
        return await self._leases.take(Bucket(key, capacity, per_second))

    def take_one_at_hand(self, key: str, *, capacity: float, per_second: float) -> float | None:
        """See `Store`."""
        del capacity, per_second
        return self._leases.take_at_hand(key)

    async def lend(self, bucket: Bucket, needed: int, ahead: int) -> Loan:
        """See `Lender`."""
        key, *limits = bucket
        lent = self._lend(keys=[f"{self._prefix}{key}"], args=[*limits, needed, ahead])
        given, more, wait = await self._ask(cast("Awaitable[list[Any]]", lent))
        return Loan(given, more, float(wait))

    async def take_back(self, bucket: Bucket, amount: int, name: str) -> None:
        """See `Lender`."""
        key, *limits = bucket
        returned = self._take_back(keys=[f"{self._prefix}{key}"], args=[*limits, amount, name])
        await self._ask(cast("Awaitable[None]", returned))

    async def clock(self, key: str) -> tuple[str, float]:
        """See `Store`."""
        told = cast("Awaitable[list[bytes]]", self._clock(keys=[self._prefix + key]))
        run, seconds, microseconds = await self._ask(told)
        return f"store {run.decode()}", int(seconds) + int(microseconds) / 1_000_000

    async def publish(self, channel: str, message: bytes) -> None:
        """See `Store`."""
        await self._ask(self._client.publish(self._prefix + channel, message))

    async def follow(self, channel: str) -> AsyncIterator[bytes]:
        """See `Store`; while the server is away nothing arrives, and nothing is raised."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        follower = await self._feed.join(self._prefix + channel, queue.put_nowait)
        try:
            while True:
                yield await queue.get()
        finally:
            await self._feed.leave(follower)

    async def listen(self, channel: str, heard: Callable[[bytes], None]) -> Listening:
        """See `Store`; a server that hangs is noticed after 5 to 10 seconds.

        In a cluster nobody notices when two servers of it pass no more messages on to each other.
        So what is heard there is heard, but messages may be missed at any time.
        """
        follower = await self._feed.join(self._prefix + channel, heard)
        if self._connections.tells_what_is_missed:
            return follower
        return _Follower(channel, heard, {})

    async def ping(self) -> None:
        """See `Store`."""
        await self._ask(self._client.ping())

    async def probe(self) -> None:
        """See `Store`."""
        for key in await self._ask(self._connections.everywhere(self._prefix + "probe")):
            name = key.removeprefix(self._prefix)
            await self.set(name, b"", ttl=_PROBE_TTL)
            # A server may allow commands and no scripts.
            await self.replace(name, b"", b"", ttl=_PROBE_TTL)

    async def conditions(self) -> list[Condition]:
        """See `Store`."""
        return await self._ask(self._connections.conditions())

    async def aclose(self) -> None:
        """See `Store`."""
        await self._leases.aclose()
        await self._reads.aclose()
        await self._writes.aclose()
        await self._feed.aclose()
        await self._connections.aclose()

    async def _read(self, keys: Mapping[str, None]) -> Sequence[bytes | None]:
        """Return several values; in one reply, so that none can be taken for another's."""
        if len(keys) == 1:
            return [cast("bytes | None", await self._ask(self._client.get(*keys)))]
        return cast("list[bytes | None]", await self._ask(self._connections.mget(list(keys))))

    async def _write(
        self, values: Mapping[str, tuple[bytes, int]]
    ) -> Sequence[StoreUnavailable | None]:
        """Keep several values; one that is refused keeps no other from being kept."""
        if len(values) == 1:
            [(key, (value, ttl))] = values.items()
            await self._ask(self._client.set(key, value, px=ttl))
            return [None]
        pipeline = self._client.pipeline(transaction=False)
        for key, (value, ttl) in values.items():
            pipeline.set(key, value, px=ttl)
        replies = await self._ask(pipeline.execute(raise_on_error=False))
        return [self._failure(each) if isinstance(each, RedisError) else None for each in replies]

    async def _ask(self, command: Awaitable[_T]) -> _T:
        """Run a command; nothing is awaited at all while a server that hangs is left alone."""
        # Where clocks are shifted they may go back; that is no reason to leave it alone for longer.
        if 0 <= time.monotonic() - self._hung < _REST_AFTER_TIMEOUT:
            cast("Any", command).close()
            raise self._unavailable("did not answer a moment ago.", cause="timeout")
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        cancels = task.cancelling()
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._connections.patience), self._connections.turn:
                answer = await command
        except (TimeoutError, RedisTimeout):
            self._hung = time.monotonic()
            raise self._unavailable("did not answer in time.", cause="timeout") from None
        except (RedisError, RedisClusterException, OSError, ValueError) as error:
            if time.monotonic() - began > self._timeout:
                self._hung = time.monotonic()
            # The library tells a reply that it cannot read by a ValueError, too, and has left the
            # connection then. The text may name the server, never its password.
            raise self._failure(error) from None
        # The library may go on where it was cancelled, and so would whoever asks.
        if task.cancelling() > cancels:
            raise asyncio.CancelledError
        return answer

    def _failure(self, error: Exception) -> StoreUnavailable:
        # The library takes the server's own word for it off the text.
        code = getattr(error, "status_code", None)
        what = f"failed: {code} {error}" if code else f"failed: {error}"
        return self._unavailable(what, cause=cause_of(error))

    def _unavailable(self, what: str, *, cause: Cause) -> StoreUnavailable:
        error = StoreUnavailable(f"The shared store {what}", cause=cause)
        self._failed(error)
        return error


class _Follower:
    """Who follows a channel, and how well it is heard."""

    def __init__(
        self, channel: str, heard: Callable[[bytes], None], sessions: Mapping[str, int]
    ) -> None:
        self.channel = channel
        self.heard = heard
        self._sessions = sessions

    @property
    def session(self) -> int:
        """See `Listening`."""
        return self._sessions.get(self.channel, 0)


class _Feed:
    """The messages of the store, over one connection, for all followers in this process."""

    def __init__(self, connect: Callable[[], Redis], idle: str) -> None:
        self._connect = connect
        self._idle = idle
        self._followers: defaultdict[str, set[_Follower]] = defaultdict(set)
        # The channels whose messages have been coming since the server said so.
        self._sessions: dict[str, int] = {}
        self._numbers = count(1)
        self._task: asyncio.Task[None] | None = None
        self._pubsub: PubSub | None = None
        self._is_lost = False

    async def join(self, channel: str, heard: Callable[[bytes], None]) -> _Follower:
        """Call `heard` with the channel's messages from now on."""
        follower = _Follower(channel, heard, self._sessions)
        is_first = channel not in self._followers
        self._followers[channel].add(follower)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        elif is_first and self._pubsub is not None:
            # A connection that breaks here is noticed by who reads from it, and made again.
            with contextlib.suppress(RedisError, OSError):
                await self._pubsub.subscribe(channel)
        return follower

    async def leave(self, follower: _Follower) -> None:
        """Forget a follower."""
        channel = follower.channel
        self._followers[channel].discard(follower)
        if self._followers[channel]:
            return
        del self._followers[channel]
        self._sessions.pop(channel, None)
        if self._pubsub is not None:
            with contextlib.suppress(RedisError, OSError):
                await self._pubsub.unsubscribe(channel)

    async def aclose(self) -> None:
        """Stop listening, and close the connection."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        """Listen, and begin again whenever the connection breaks."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                async with self._connect() as client, client.pubsub() as pubsub:
                    await self._listen(pubsub)
            except Exception as error:  # noqa: BLE001 - whatever it was, it begins again
                # One line for the whole time that the store is away.
                if not self._is_lost:
                    _log.warning("store_feed_lost", reason=str(error), kind=type(error).__name__)
                self._is_lost = True
            if time.monotonic() - began > _QUIET:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _listen(self, pubsub: PubSub) -> None:
        # Always subscribed to something, so that there is always a connection to read from.
        subscribed = {self._idle}
        await pubsub.subscribe(self._idle)
        while missing := self._followers.keys() - subscribed:
            await pubsub.subscribe(*missing)
            subscribed |= missing
        if self._is_lost:
            _log.info("store_feed_back")
            self._is_lost = False
        self._pubsub = pubsub
        try:
            await self._read(pubsub)
        finally:
            # From here on nothing more is asked of a connection that is given up.
            self._pubsub = None
            self._sessions.clear()

    async def _read(self, pubsub: PubSub) -> None:
        was_silent = False
        while True:
            message = await pubsub.get_message(timeout=_QUIET)
            if message is not None:
                was_silent = False
                self._deliver(message)
            elif was_silent:
                raise RedisTimeout("no answer to a ping")
            else:
                was_silent = True
                await pubsub.ping()

    def _deliver(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "message":
                for follower in tuple(self._followers.get(message["channel"].decode(), ())):
                    follower.heard(message["data"])
            case "subscribe":
                self._sessions[message["channel"].decode()] = next(self._numbers)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
