"""A fair queue for CPU-heavy work: it begins one at a time, callers in turn.

A process does one thing at a time, and what it has begun is not interrupted. If everything that one
client asks for at once began at once, whoever asks next would wait for all of it. So when as much
has begun as takes `_SLICE`, the loop first goes round a few times, with all that is ready in the
meantime; and of those who wait, the next is of another caller.
"""

import asyncio
from collections import OrderedDict, deque
from time import perf_counter
from typing import Final

_SLICE: Final = 0.01
"""Seconds for which the loop may be busy with what began in turn, before others are let in."""
_ROUNDS: Final = 3
"""How often it goes round then: enough to read a request and to answer it."""


class Turns:
    """Those of one process. For tasks of one loop."""

    def __init__(self) -> None:
        # One queue per caller; whose turn it was goes to the end.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._taken = False
        self._since = 0.0

    async def turn(self, principal: str) -> None:
        """Return when a caller may begin something large; at once while that delays nobody."""
        if not self._taken:
            self._take()
            return
        if not self._queues and perf_counter() - self._since < _SLICE:
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(principal, deque()).append(turn)
        # Who is cancelled while it waits is passed over.
        await turn

    def _take(self) -> None:
        self._taken = True
        self._since = perf_counter()
        asyncio.get_running_loop().call_soon(self._go_round, _ROUNDS)

    def _go_round(self, left: int) -> None:
        if left and perf_counter() - self._since >= _SLICE:
            asyncio.get_running_loop().call_soon(self._go_round, left - 1)
        elif self._call():
            self._take()
        else:
            self._taken = False

    def _call(self) -> bool:
        """Call the next who waits, and tell whether there was one."""
        while self._queues:
            principal, queue = next(iter(self._queues.items()))
            turn = queue.popleft()
            if queue:
                self._queues.move_to_end(principal)
            else:
                del self._queues[principal]
            if not turn.done():
                turn.set_result(None)
                return True
        return False
