"""Turns: what takes the processor for long begins one after another, each caller in its turn.

A process does one thing at a time, and what it has begun is not interrupted. If everything that one
client asks for at once began at once, whoever asks next would wait for all of it. So between two
such beginnings the loop goes round a few times, with all that is ready in the meantime; and of
those who wait, the next is of another caller.
"""

import asyncio
from collections import OrderedDict, deque
from typing import Final

_ROUNDS: Final = 3
"""How often the loop goes round between two turns: enough to read a request and to answer it."""


class Turns:
    """Those of one process. For tasks of one loop."""

    def __init__(self) -> None:
        # One queue per caller; whose turn it was goes to the end.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._taken = False

    async def turn(self, principal: str) -> None:
        """Return when a caller may begin something large; at once if nobody else just did."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            loop.call_soon(self._go_round, loop, _ROUNDS)
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._queues.setdefault(principal, deque()).append(turn)
        # Who is cancelled while it waits is passed over, and who is when it was called skips one.
        await turn

    def _go_round(self, loop: asyncio.AbstractEventLoop, left: int) -> None:
        if left:
            loop.call_soon(self._go_round, loop, left - 1)
        elif self._call():
            loop.call_soon(self._go_round, loop, _ROUNDS)
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
