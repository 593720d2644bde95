"""Who has just connected is heard in turn: a few in each round of the loop."""

import asyncio
from collections import deque
from typing import Final, Protocol

AT_ONCE: Final = 8
"""Connections that begin in one round: what thousands ask for first, all at once, would keep those
who are there already waiting for seconds."""


class Newcomer(Protocol):
    """A connection that was just made."""

    def begin(self) -> None:
        """Read what the client asks; it is not read before."""


class Door:
    """Lets new connections begin."""

    def __init__(self) -> None:
        self._waiting: deque[Newcomer] = deque()
        self._begun = 0

    def enter(self, new: Newcomer) -> bool:
        """Whether a connection may begin now; if not, it is told when it may."""
        if self._waiting or self._begun >= AT_ONCE:
            self._waiting.append(new)
            return False
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._go_round)
        self._begun += 1
        return True

    def _go_round(self) -> None:
        self._begun = 0
        while self._waiting and self._begun < AT_ONCE:
            self._begun += 1
            self._waiting.popleft().begin()
        if self._begun:
            asyncio.get_running_loop().call_soon(self._go_round)
