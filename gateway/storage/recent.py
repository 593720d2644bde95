"""PURE: what was used last, kept as long as there is room."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
Bound: TypeAlias = tuple[Callable[[Value], int], int]
"""The size of a value by some measure, and what the sizes of all may come to."""


class Recent(OrderedDict[Key, Value]):
    """A mapping that forgets the longest unused.

    It is changed by `keep` and `forget` alone. Reading by `get` is no use.
    """

    def __init__(self, most: int, *bounds: Bound[Value]) -> None:
        """Make an empty one.

        Args:
            most: how many entries it has room for.
            bounds: what else bounds it.
        """
        super().__init__()
        self._most = most
        self._bounds = bounds
        self._sizes = [0] * len(bounds)

    def use(self, key: Key) -> Value | None:
        """Return a value, which is the last used from now on; None if it is not kept."""
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value

    def use_all(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values that are kept under any of these keys; see `use`."""
        found = {key: self[key] for key in keys if key in self}
        for key in found:
            self.move_to_end(key)
        return found

    def keep(self, key: Key, value: Value) -> None:
        """Keep a value as the last used, and forget others to make room; itself, if there is none.

        It takes the place of one that was kept under the same key.
        """
        self.forget(key)
        self[key] = value
        self._count(value, 1)
        while len(self) > self._most or any(
            size > most for size, (_, most) in zip(self._sizes, self._bounds, strict=True)
        ):
            self._count(self.popitem(last=False)[1], -1)

    def forget(self, key: Key) -> None:
        """Keep a value no longer, if it was kept."""
        if key in self:
            self._count(self.pop(key), -1)

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._sizes = [0] * len(self._bounds)

    def _count(self, value: Value, sign: int) -> None:
        for place, (size_of, _) in enumerate(self._bounds):
            self._sizes[place] += sign * size_of(value)
