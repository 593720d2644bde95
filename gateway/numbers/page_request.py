"""PURE: a connection's arguments, `first` with `after` or `last` with `before`, as one value."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

from gateway.errors import BadUserInput
from gateway.mapping import validation
from gateway.numbers import cursors
from gateway.numbers.cursors import Cursor
from schema.bounds import USUAL_FIRST


class PageRequest(NamedTuple):
    """Which page of a list is asked for.

    Attributes:
        size: how many are on it, at most.
        cursor: behind which, or before which, they stand; None for the list's start, or its end.
        backwards: they are the last ones before the cursor, not the first ones behind it.
    """

    size: int
    cursor: Cursor | None = None
    backwards: bool = False

    @classmethod
    def parse(
        cls,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Self:
        """Read the arguments.

        Raises:
            BadUserInput: one of them is malformed, or they do not go together.
        """
        if last is None:
            if before is not None:
                raise BadUserInput("before", "it goes with `last`; `first` goes with `after`.")
            size = USUAL_FIRST if first is None else first
            validation.check_count("first", size)
            return cls(size, None if after is None else cursors.decode(after))
        if first is not None:
            raise BadUserInput("last", "`first` is given too; give one of them.")
        if after is not None:
            raise BadUserInput("after", "it goes with `first`; `last` goes with `before`.")
        validation.check_count("last", last)
        cursor = None if before is None else cursors.decode(before, "before")
        return cls(last, cursor, backwards=True)

    def check_list(self, list_ids: Callable[[], Iterable[str]]) -> None:
        """Refuse a cursor that does not belong to a list, whose names are needed for cursors alone.

        Raises:
            BadUserInput: it does not.
        """
        if self.cursor is not None and self.cursor.list_id not in list_ids():
            raise self.of_another_list()

    def of_another_list(self) -> BadUserInput:
        """Return the error for a cursor of another list."""
        return cursors.of_another_list("before" if self.backwards else "after")
