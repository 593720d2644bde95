"""Connections that are kept for the next request, and opened before they are needed.

Nothing is sent on a connection but requests, so whether one still leads to the upstream is known
for certain only while it answers. A read takes any that is silent: it can be sent again. A write
takes one that has just answered, or was just made: if it breaks all the same, nobody knows whether
the write was received, and that must not happen because a connection was old.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Final, NamedTuple

from gateway.upstream.connections import Connection, Headers, Response
from gateway.upstream.dialling import Dialler, NotConnected
from gateway.upstream.proxies import Origin

# Seconds after its last answer for which a connection is good for a write. The shortest time after
# which servers are known to end idle connections is 5 s, and their end needs some time to arrive.
_FRESH: Final = 4.0
# Connections that are kept ready are made anew at this share of the time for which one is kept.
_OLD: Final = 0.75
# Seconds for which it is remembered how many connections were needed at once, and how many at most.
_MEMORY: Final = 3600.0
_MOST_AHEAD: Final = 20
# Seconds before a connection is replaced that was soon lost, or could not be made; doubled each
# time.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_SOON: Final = 30.0


class _Waiting(NamedTuple):
    """Somebody who waits for the response as a future."""

    response: asyncio.Future[Response]

    def answered(self, status: int, headers: Headers, body: bytes) -> None:
        """See `Asking`."""
        if not self.response.done():
            self.response.set_result(Response(status, headers, body))

    def failed(self, error: Exception) -> None:
        """See `Asking`."""
        if not self.response.done():
            self.response.set_exception(error)


class _Wanting(NamedTuple):
    """Somebody who waits for a connection, since a time of the loop's clock."""

    connection: asyncio.Future[Connection]
    since: float


class Pool:
    """Connections to one origin, for tasks of one loop.

    Args:
        origin: where they lead.
        dialler: makes them.
        body_limit: bytes of a body, as it comes and unpacked.
        keep: seconds that a connection is kept when nobody uses it.
    """

    def __init__(self, origin: Origin, dialler: Dialler, body_limit: int, keep: float) -> None:
        self._origin = origin
        self._dialler = dialler
        self._keep = keep
        self._make = partial(Connection, self, body_limit)
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._wanting: deque[_Wanting] = deque()
        self._dials: set[asyncio.Task[None]] = set()
        self._closed = False
        # How many are to be there when nobody asks, and how many were there at once, and when.
        self._ready = 0
        self._most = 0
        self._most_at = 0.0
        self._pause = _FIRST_PAUSE
        self._replacing: asyncio.TimerHandle | None = None

    async def send(
        self,
        message: bytes,
        *,
        within: float,
        writes: bool = False,
    ) -> Response:
        """Send a request as it is and return the answer.

        It is sent once. When this is cancelled, or takes too long, its connection is closed.

        Raises:
            TimeoutError: `within` seconds were not enough for an answer.
            NotConnected: nothing was sent.
            ConnectionBroke: it may have been received.
            AnswerRefused: the answer is not one that can be used.
        """
        end = asyncio.get_running_loop().time() + within
        connection = await self.take(end, writes=writes)
        waiting = _Waiting(connection.loop.create_future())
        connection.ask(message, waiting, end)
        try:
            return await waiting.response
        except asyncio.CancelledError:
            connection.leave()
            raise

    async def take(
        self, until: float, *, writes: bool = False, may_leave: Callable[[], bool] | None = None
    ) -> Connection:
        """Return a connection that is idle, or was made for this, to be asked at once.

        Args:
            until: time of the loop's clock after which it is too late to ask.
            writes: whether what will be sent may change something.
            may_leave: whether it may still be sent, asked when there is a connection.

        Raises:
            NotConnected: there is none, or it came too late.
        """
        connection = self.fresh() if writes else self.idle()
        if connection is None:
            connection = await self._connected(until)
        # What this process slept through, it notices only now.
        if connection.loop.time() >= until or (may_leave is not None and not may_leave()):
            self.keep(connection)
            raise NotConnected("there was a connection too late")
        return connection

    async def open(self) -> None:
        """Make a connection, and keep it for a request to come.

        Raises:
            NotConnected: it could not be made.
        """
        self.keep(await self._connected(None))

    def idle(self) -> Connection | None:
        """Take the connection that was used last; close those that were idle too long.

        None when there is no idle one. What is not asked for anything is given back: `keep`.
        """
        idle = self._idle
        if idle and idle[0].idle_since < idle[0].loop.time() - self._keep:
            self._close_old()
        while idle:
            connection = idle.pop()
            if connection.is_silent:
                if len(self._all) < self._most:
                    self._open_ahead()
                return connection
            connection.close()
        return None

    def fresh(self, may_leave: Callable[[], bool] | None = None) -> Connection | None:
        """Take an idle connection that has just answered, or was just made.

        None too when what is to be sent may not leave any more: that is known last.
        """
        connection = self.idle()
        if connection is None:
            return None
        if connection.idle_since < connection.loop.time() - _FRESH:
            self._idle.append(connection)
            return None
        if may_leave is not None and not may_leave():
            self.keep(connection)
            return None
        return connection

    def keep(self, connection: Connection) -> None:
        """Keep a connection for the next request, or hand it to who waits for one."""
        wanting = self._wanting
        while wanting:
            wanted = wanting.popleft().connection
            if not wanted.done():
                wanted.set_result(connection)
                return
        connection.idle_since = connection.loop.time()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Note that a connection is gone; what it has agreed on with the upstream is kept."""
        self._all.discard(connection)
        self._dialler.trust.remember(connection.tls)
        if connection in self._idle:
            self._idle.remove(connection)
            lived = asyncio.get_running_loop().time() - connection.idle_since
            self._replace(soon=lived < _SOON)

    def keep_ready(self, count: int) -> None:
        """See from now on that so many are there when somebody asks; see also `renew`."""
        self._ready = count
        self.renew()

    def renew(self) -> None:
        """Make those anew that are kept ready and will soon be too old.

        They take the place of the old ones before these are closed: here, not when somebody asks.
        """
        now = asyncio.get_running_loop().time()
        busy = len(self._all) - len(self._idle)
        if self._most_at < now - _MEMORY:
            self._most = min(busy, _MOST_AHEAD)
        old = now - _OLD * self._keep
        young = sum(each.idle_since >= old for each in self._idle)
        self._dial(self._ready - young - busy - len(self._dials))
        self._close_old()

    def _close_old(self) -> None:
        """Close those that nobody has used for too long; the one used last is the last."""
        idle = self._idle
        while idle and idle[0].idle_since < idle[0].loop.time() - self._keep:
            idle.popleft().close()

    async def aclose(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._replacing is not None:
            self._replacing.cancel()
        for dial in self._dials:
            dial.cancel()
        for connection in list(self._all):
            connection.close()
        # Transports close in the loop's next steps; those with TLS say good-bye first.
        await asyncio.sleep(0)

    async def _connected(self, end: float | None) -> Connection:
        """Return the first connection that is made, or given back, until a time of the clock."""
        loop = asyncio.get_running_loop()
        wanted = _Wanting(loop.create_future(), loop.time())
        self._wanting.append(wanted)
        self._dial(len(self._wanting) - len(self._dials))
        try:
            async with asyncio.timeout_at(end):
                try:
                    return await wanted.connection
                except asyncio.CancelledError:
                    given = wanted.connection
                    if given.done() and not given.cancelled() and given.exception() is None:
                        self.keep(given.result())
                    raise
        except TimeoutError:
            raise NotConnected("there was no time left to connect") from None
        finally:
            with suppress(ValueError):
                self._wanting.remove(wanted)

    def _open_ahead(self) -> None:
        """Make as many as were lately needed at once: who asks now may need them next.

        They are on their way while the first call is.
        """
        if self._replacing is None:
            self._dial(self._most - len(self._all) - len(self._dials))

    def _replace(self, *, soon: bool) -> None:
        """Make those anew that are missing: now or, if these were `soon` lost, a while later."""
        if self._closed or not self._ready or self._replacing is not None:
            return
        if not soon:
            self._pause = _FIRST_PAUSE
            self.renew()
            return
        loop = asyncio.get_running_loop()
        self._replacing = loop.call_later(self._pause, self._replace_now)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _replace_now(self) -> None:
        self._replacing = None
        self.renew()

    def _dial(self, count: int) -> None:
        """Make connections, and let go of who asks for them: others may take them."""
        for _ in range(count):
            # What is read on it later belongs to many requests, and to none.
            work, context = self._dialled(), Context()
            self._dials.add(asyncio.get_running_loop().create_task(work, context=context))

    async def _dialled(self) -> None:
        loop = asyncio.get_running_loop()
        began, this = loop.time(), asyncio.current_task()
        assert this is not None  # noqa: S101 - it runs
        for known in self._all:
            self._dialler.trust.remember(known.tls)
            break
        failed: Exception | None = None
        try:
            connection = await self._dialler.dial(self._origin, self._make)
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            failed = error
        finally:
            self._dials.discard(this)
        if failed is not None:
            self._failed(failed, began)
            return
        self._all.add(connection)
        needed = len(self._all) - len(self._idle)
        if needed >= self._most:
            self._most, self._most_at = min(needed, _MOST_AHEAD), loop.time()
        self.keep(connection)

    def _failed(self, error: Exception, began: float) -> None:
        """Tell one of those who waited as long as this took; who came later is not told of it."""
        self._replace(soon=True)
        while self._wanting:
            wanted, since = self._wanting[0]
            if wanted.done():
                self._wanting.popleft()
            elif since <= began:
                self._wanting.popleft()
                wanted.set_exception(error)
                return
            else:
                self._dial(len(self._wanting) - len(self._dials))
                return


class Connections:
    """Connections to any number of origins; one such per process.

    Args:
        dialler: makes them.
        body_limit: bytes of a body, as it comes and unpacked.
        keep: seconds that a connection is kept when nobody uses it.
    """

    def __init__(self, dialler: Dialler, *, body_limit: int, keep: float = 30.0) -> None:
        self._keep = keep
        self._pools: dict[Origin, Pool] = {}
        self._make = partial(Pool, dialler=dialler, body_limit=body_limit, keep=keep)
        self._renewing: asyncio.Task[None] | None = None

    def to(self, origin: Origin) -> Pool:
        """Return those that lead to an origin."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._make(origin)
        return pool

    def keep_ready(self, origins: Iterable[Origin], count: int) -> None:
        """See that there are so many to each of some origins, before somebody asks."""
        pools = {self.to(origin) for origin in origins}
        if count:
            self._renewing = asyncio.get_running_loop().create_task(self._renew(pools, count))

    async def aclose(self) -> None:
        """Close all of them."""
        if self._renewing is not None:
            self._renewing.cancel()
        for pool in self._pools.values():
            await pool.aclose()

    async def _renew(self, pools: Iterable[Pool], count: int) -> None:
        for pool in pools:
            pool.keep_ready(count)
        while True:
            await asyncio.sleep(self._keep * (1 - _OLD) / 2)
            for pool in pools:
                pool.renew()
