"""Small asyncio helpers: wait for several things at once, share one future."""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Work that many wait for, none of whom ends it by waiting no longer.

    As `asyncio.shield` does, but for any number of them at the price of one.

    Attributes:
        task: the work itself.
    """

    __slots__ = ("_waiting", "task")

    def __init__(self, task: asyncio.Future[T]) -> None:
        self.task = task
        self._waiting: list[asyncio.Future[T]] = []
        task.add_done_callback(self._tell)

    def wait(self) -> asyncio.Future[T]:
        """Return a future of what becomes of it; for one who waits."""
        if self.task.done():
            return self.task
        waiting: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return waiting

    def let_go(self) -> None:
        """Keep nothing of where its failure came through; see `without_frames`."""
        if self.task.done() and not self.task.cancelled():
            without_frames(self.task.exception())

    def _tell(self, task: asyncio.Future[T]) -> None:
        outcome = outcome_of(task)
        for each in self._waiting:
            settle(each, outcome)
        self._waiting.clear()


def without_frames(error: BaseException | None) -> None:
    """Let go of the frames that an error came through, when nobody will look at them any more.

    They know the error, or what knows it: what they hold, all that a request has read, would stay
    until the garbage collector runs.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def outcome_of(done: asyncio.Future[T]) -> T | BaseException:
    """Return what came of work: its result, or why there is none."""
    if done.cancelled():
        return asyncio.CancelledError()
    error = done.exception()
    return done.result() if error is None else error


def settle(waiting: asyncio.Future[T], outcome: T | BaseException) -> None:
    """Tell one who waits what came of it, if it still waits."""
    if waiting.done():
        return
    if not isinstance(outcome, BaseException):
        waiting.set_result(outcome)
    elif isinstance(outcome, asyncio.CancelledError):
        waiting.cancel()
    else:
        waiting.set_exception(outcome)
        waiting.exception()  # Not every one must be waited for; none is worth a complaint.


def at_hand(value: T) -> asyncio.Future[T]:
    """Return a future of what is there already."""
    there: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    there.set_result(value)
    return there


def begun(work: Awaitable[T]) -> asyncio.Future[T]:
    """Begin work for which nobody may wait in the end: then its failure is no complaint."""
    coming = asyncio.ensure_future(work)
    coming.add_done_callback(lambda done: done.cancelled() or done.exception())
    return coming


async def awaited(coming: Awaitable[T]) -> T:
    """Wait for what is under way, where work to be done is asked for."""
    return await coming


async def settled(work: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Do all at once and return what came of each, in order: its result, or its exception.

    One alone is awaited in place: a task of its own would cost more than most of what it does.
    """
    if len(work) == 1:
        try:
            return [await work[0]]
        except Exception as error:  # noqa: BLE001 - as `gather` does with several
            return [error]
    return await asyncio.gather(*work, return_exceptions=True)


def check_any(outcomes: Collection[object]) -> None:
    """Raise the first error if nothing but errors came of several things."""
    errors = [each for each in outcomes if isinstance(each, BaseException)]
    if errors and len(errors) == len(outcomes):
        raise errors[0]
