"""Clients that hang up: what only they wanted is given up; what was begun for good goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")

# Answers that take less are not worth the price of watching for the client.
_PATIENCE = 0.05


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Return what `work` returns; cancel it when the client disconnects.

    The body must have been read from `receive` before. The first moments are not watched: most
    answers are ready by then, and cost nothing more.

    Raises:
        ClientGone: the client disconnected.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is in a task
    watch = _Watch(receive, task.cancel)
    timer = asyncio.get_running_loop().call_later(_PATIENCE, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.gone:
            raise
        task.uncancel()
        raise ClientGone from None
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    def __init__(self, receive: Receive, on_gone: Callable[[], object]) -> None:
        self.gone = False
        self._receive: Callable[[], Awaitable[Any]] = receive
        self._on_gone = on_gone
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._on_gone()
