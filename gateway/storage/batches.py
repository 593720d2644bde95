"""Batches the store's look-ups and writes of one event-loop tick."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

V = TypeVar("V")
R = TypeVar("R")

# While so many batches are under way, the next one waits for one of them, and grows.
_AT_ONCE: Final = 2
# A batch holds no more than this, so that its answer comes within the time that one may take.
_MOST: Final = 64


class Batches(Generic[V, R]):
    """Gathers what is asked by name, and sends it in batches.

    Args:
        send: asks for the values of several names at once, and returns what came of each, in
            order: its result, or an exception. What it raises came of all of them.
    """

    def __init__(
        self, send: Callable[[Mapping[str, V]], Awaitable[Sequence[R | Exception]]]
    ) -> None:
        self._send = send
        self._values: dict[str, V] = {}
        self._waiting: dict[str, list[asyncio.Future[R]]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def ask(self, name: str, value: V) -> asyncio.Future[R]:
        """Return a future of what comes of it; of several with one name the last value is sent."""
        loop = asyncio.get_running_loop()
        if not self._values:
            loop.call_soon(self._begin)
        answered: asyncio.Future[R] = loop.create_future()
        self._values[name] = value
        self._waiting.setdefault(name, []).append(answered)
        return answered

    async def aclose(self) -> None:
        """Return when nothing is under way any more."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _begin(self) -> None:
        """Send what has been gathered, as far as it may be sent now."""
        while self._values and len(self._under_way) < _AT_ONCE:
            values, waiting = self._values, self._waiting
            self._values, self._waiting = {}, {}
            if len(values) > _MOST:
                for name in list(islice(values, _MOST, None)):
                    self._values[name] = values.pop(name)
                    self._waiting[name] = waiting.pop(name)
            task = asyncio.get_running_loop().create_task(self._run(values, waiting))
            self._under_way.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._begin()

    async def _run(
        self, values: Mapping[str, V], waiting: Mapping[str, list[asyncio.Future[R]]]
    ) -> None:
        found: Sequence[R | Exception]
        try:
            found = await self._send(values)
        except Exception as error:  # noqa: BLE001 - it is raised to each who waits
            found = [error] * len(values)
        for futures, each in zip(waiting.values(), found, strict=True):
            for future in futures:
                if future.done():
                    continue
                if isinstance(each, Exception):
                    future.set_exception(each)
                else:
                    future.set_result(each)
