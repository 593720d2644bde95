"""What a subscription is told, on its way to the client: no task, while it is taken at once."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque

from gateway.pipeline.subscriptions import too_slow
from gateway.transport.unsent import Pending


class Outflow(ABC):
    """Writes what it is given, in order; keeps a few of them while the client does not read.

    Args:
        pending: is told what waits for the client.
        most: how many may be kept.
        patience: seconds in which the client is to take one that was kept.
    """

    __slots__ = ("__weakref__", "_kept", "_most", "_patience", "_pumping", "pending")

    def __init__(self, pending: Pending, most: int, patience: float) -> None:
        self.pending = pending
        self._most = most
        self._patience = patience
        self._kept: deque[bytes] | None = None
        self._pumping: asyncio.Task[None] | None = None

    @abstractmethod
    def write(self, content: bytes) -> bool:
        """Write it now; False when it is to be sent later, as the client is behind."""

    @abstractmethod
    async def send(self, content: bytes) -> None:
        """Send it as soon as the client takes it."""

    @abstractmethod
    def failed(self, error: Exception) -> None:
        """Hear that the client does not take what it is sent (TimeoutError), or is gone."""

    @abstractmethod
    def sent(self) -> None:
        """Hear that all was sent that had been kept."""

    @property
    def is_behind(self) -> bool:
        """Whether something is kept."""
        return self._pumping is not None

    def put(self, content: bytes, *, last: bool = False) -> None:
        """Write, or keep; for what comes `last` there is always room.

        Raises:
            SlowConsumer: too many are kept; they are forgotten.
        """
        if self._kept is not None:
            if len(self._kept) >= self._most and not last:
                self._kept.clear()
                raise too_slow(self._most)
            self._kept.append(content)
            return
        if self.write(content):
            self.pending.finished(len(content))
            if self.pending.is_taken():
                return
            self._kept = deque()
        else:
            self._kept = deque((content,))
        self._pumping = asyncio.create_task(self._pump(self._kept))

    def stop(self) -> None:
        """Send no more."""
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None

    async def _pump(self, kept: deque[bytes]) -> None:
        try:
            await self.pending.taken()
            while kept:
                content = kept.popleft()
                self.pending.finished(len(content))
                async with asyncio.timeout(self._patience):
                    await self.send(content)
                del content  # While it waits, it is in the connection's buffer only.
                await self.pending.taken()
        except Exception as error:  # noqa: BLE001 - it is told
            self._kept = self._pumping = None
            self.failed(error)
            return
        self._kept = self._pumping = None
        self.sent()
