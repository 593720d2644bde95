"""What is asked for one by one in a step of a run, loaded together."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakMethod

from aiodataloader import DataLoader

Key = TypeVar("Key")
Value = TypeVar("Value")


class Loader(DataLoader[Key, Value]):
    """Loads what was asked for together by a method of its owner.

    It keeps no owner alive, so that both go when the request ends, without the garbage collector.
    """

    def __init__(
        self,
        load: Callable[..., Awaitable[Sequence[Value | BaseException]]],
        **named: Any,  # noqa: ANN401 - arguments of `load`
    ) -> None:
        """Load keys by `load`, a method that takes them and `named`."""
        super().__init__()
        self._load = WeakMethod(load)
        self._named = named

    async def batch_load_fn(self, keys: list[Key]) -> list[Value]:
        """Return what belongs to each key, or why there is nothing."""
        load = self._load()
        if load is None:  # Nor does anybody wait for it.
            raise LookupError
        return [*await load(keys, **self._named)]  # type: ignore[list-item] # it raises errors
