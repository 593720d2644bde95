"""How many upstream calls one request may make."""

from gateway.errors import TooManyCalls


class CallBudget:
    """Counts the calls of one request, `most` of which it may make, and `hedges` of them twice."""

    def __init__(self, most: int, hedges: int = 0) -> None:
        self._most = most
        self._made = 0
        self._hedges = hedges

    def count(self) -> None:
        """Count a call, whether it may be made or not."""
        self._made += 1

    def take(self) -> None:
        """Count a call that may be left out.

        Raises:
            TooManyCalls: as many were made as may be; it must not be.
        """
        if self._made >= self._most:
            raise TooManyCalls(
                f"This operation has made the {self._most} upstream calls that are allowed."
                " Ask for fewer numbers, or for less about each.",
                allowed=self._most,
            )
        self.count()

    def take_hedge(self) -> bool:
        """Count a read that is sent a second time; False when it must not be."""
        self._hedges -= 1
        return self._hedges >= 0
