"""How many calls run at once per account: adaptive, and fair between requests.

The upstream limits concurrent requests per account, at a figure it does not publish. So the limit
here falls by a third when a call is refused (429) or the upstream reports that it nears its own
figure, and rises again by one for every full round of calls that went well.

Calls that only show more have a part of the slots: those which hang leave some to the others.
"""

import asyncio
import math
from collections import OrderedDict, deque

_DECREASE = 2 / 3


class Limiter:
    """The slots of one account.

    Attributes:
        limit: how many calls may run at once now.
        running: how many do.
    """

    def __init__(self, start: int, most: int) -> None:
        self.limit = float(start)
        self._start = start
        self.running = 0
        self._most = most
        # One queue per request, served in turn, so that a request with 200 calls waiting does not
        # hold up another's only one.
        self._queues: OrderedDict[object, deque[asyncio.Future[None]]] = OrderedDict()
        self._passing = False
        self._parts: list[Part] = []

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot, of it or of a part."""
        own = sum(len(queue) for queue in self._queues.values())
        return own + sum(part.waiting for part in self._parts)

    def part(self, share: float) -> "Part":
        """Return a part of its slots, for calls that must never have them all."""
        part = Part(self, share)
        self._parts.append(part)
        return part

    @property
    def is_slowed(self) -> bool:
        """Whether the upstream lately had too much of us: the limit is below the first one."""
        return self.limit < self._start

    def try_acquire(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self.running + 1 > self.limit or self._queues:
            return False
        self.running += 1
        return True

    async def acquire(self, owner: object) -> None:
        """Wait for a slot; `owner` is the request that asks, for fairness."""
        if not self.try_acquire():
            await self._wait(owner)

    def release(self, *, faster: bool = False) -> None:
        """Give a slot back; `faster` after a call that went well."""
        if faster and self.limit < self._most:
            self.limit = min(float(self._most), self.limit + 1 / self.limit)
        self.running -= 1
        if self._queues:
            self._wake()

    def pass_on(self) -> None:
        """Give a slot back that was not used, because nothing is sent now.

        Hundreds may wait that will not use theirs either. One of them gets one in each step of the
        loop: what comes of all of them at once would keep the loop from everybody else.
        """
        self.running -= 1
        if not self._passing:
            self._pass_on_soon()

    def slower(self) -> None:
        """Note that the upstream has too much of us."""
        self.limit = max(1.0, self.limit * _DECREASE)

    async def _wait(self, owner: object) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # The slot was handed over in the same moment: pass it on.
                self.running -= 1
            else:
                self._forget(owner, turn)
            self._wake()
            raise

    def _forget(self, owner: object, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(owner)
        # Somebody else's turn may have come in the meantime, and found this one given up.
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[owner]

    def _pass_on_soon(self) -> None:
        self._passing = bool(self._queues) and self.running < int(self.limit)
        if self._passing:
            asyncio.get_running_loop().call_soon(self._pass_on)

    def _pass_on(self) -> None:
        self._wake(most=1)
        self._pass_on_soon()  # Several may have been given back in one step.

    def _wake(self, most: float = math.inf) -> None:
        while most and self._queues and self.running < int(self.limit):
            owner, queue = next(iter(self._queues.items()))
            turn = queue.popleft()
            if queue:
                self._queues.move_to_end(owner)
            else:
                del self._queues[owner]
            if not turn.done():
                self.running += 1
                most -= 1
                turn.set_result(None)


class Part(Limiter):
    """A share of the slots of another limiter, which decides how many there are."""

    def __init__(self, whole: Limiter, share: float) -> None:
        super().__init__(1, 1)
        self._whole = whole
        self._share = share

    @property
    def is_slowed(self) -> bool:
        """See `Limiter`."""
        return self._whole.is_slowed

    def try_acquire(self) -> bool:
        """See `Limiter`."""
        if not self._enter():
            return False
        if self._whole.try_acquire():
            return True
        self.running -= 1
        return False

    async def acquire(self, owner: object) -> None:
        """See `Limiter`."""
        if not self._enter():
            await self._wait(owner)
        try:
            await self._whole.acquire(owner)
        except BaseException:
            super().release()
            raise

    def release(self, *, faster: bool = False) -> None:
        """See `Limiter`."""
        self._whole.release(faster=faster)
        self._measure()
        super().release()

    def pass_on(self) -> None:
        """See `Limiter`."""
        self._whole.pass_on()
        super().pass_on()

    def slower(self) -> None:
        """See `Limiter`."""
        self._whole.slower()

    def _enter(self) -> bool:
        self._measure()
        return super().try_acquire()

    def _measure(self) -> None:
        self.limit = max(1.0, self._share * self._whole.limit)
