"""Lists of an operation that was let pass because of what is remembered of its account."""

from typing import Protocol


class Recount(Protocol):
    """Counts an operation's cost anew, now that it is known how long one of its lists is."""

    def __call__(self, field: str, length: int) -> None:
        """Count it, with at least so many objects in a list.

        Args:
            field: the list, by type and field: `Query.countries`.
            length: how many there are.

        Raises:
            LimitExceeded: it costs too much.
        """
