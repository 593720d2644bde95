"""PURE: upstream calls that only make an answer better, and that are bounded apart."""


class SpareCalls:
    """How many calls one request may still make for such a thing.

    Attributes:
        all: how many it could make to begin with.
    """

    def __init__(self, calls: int) -> None:
        self.all = calls
        self._left = calls

    def take(self, calls: int) -> bool:
        """Take so many calls; False when there are not so many left."""
        if calls > self._left:
            return False
        self._left -= calls
        return True
