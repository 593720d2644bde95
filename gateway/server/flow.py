"""Whether the system takes more for a connection, in as little memory as that takes.

uvicorn's own have an `asyncio.Event` for whoever waits, and the deque in one takes more than all
else of a connection here.
"""

import asyncio


class Gate:
    """What `asyncio.Event` is, for what nobody waits for most of the time."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = True
        self._waiting: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        """Whether it is open."""
        return self._is_set

    def set(self) -> None:
        """Open it."""
        self._is_set = True
        waiting, self._waiting = self._waiting, None
        for each in waiting or ():
            if not each.done():
                each.set_result(None)

    def clear(self) -> None:
        """Close it."""
        self._is_set = False

    async def wait(self) -> None:
        """Return as soon as it is open."""
        while not self._is_set:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if self._waiting is None:
                self._waiting = []
            self._waiting.append(waiting)
            await waiting


class Flow:
    """What uvicorn's `FlowControl` is.

    Attributes:
        read_paused: nothing is taken from the client now.
        write_paused: the system takes no more now.
    """

    __slots__ = ("_gate", "_transport", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._gate = Gate()
        self.read_paused = self.write_paused = False

    async def drain(self) -> None:
        """Return as soon as it takes more."""
        await self._gate.wait()

    def pause_reading(self) -> None:
        """Take nothing from the client."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what comes from the client."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Note that the system takes no more."""
        self.write_paused = True
        self._gate.clear()

    def resume_writing(self) -> None:
        """Note that it does again."""
        self.write_paused = False
        self._gate.set()
