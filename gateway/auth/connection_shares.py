"""Limits on connections and unproven credentials, per caller and client address."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import SOME_TIME, RateLimited


class Share:
    """Counts what is held at once, by who holds it.

    Args:
        what: is held, as the end of a sentence.
        each: how many one may hold.
        most: how many all may hold; None for any number.
    """

    def __init__(self, what: str, each: int, most: int | None = None) -> None:
        self._what = what
        self._each = max(1, each)
        self._most = most
        self._total = 0
        self._held: Counter[str] = Counter()

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold one more.

        Raises:
            RateLimited: that would be more than a share.
        """
        full = self._most is not None and self._total >= max(1, self._most)
        if full or self._held.get(name, 0) >= self._each:
            raise RateLimited(f"There are too many {self._what}.", retry_after=SOME_TIME)
        self._total += 1
        self._held[name] += 1
        try:
            yield
        finally:
            self._total -= 1
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections there may be; see the settings of the same names."""

    connection_limit: int
    unverified_connections: int | None
    caller_connections: int | None


class Shares:
    """The shares of one process.

    Attributes:
        unverified: of WebSockets whose clients have not shown who they are, by client address.
        callers: of WebSockets and streams of subscriptions, by caller.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        quarter = max(1, limits.connection_limit // 4)
        unverified = limits.unverified_connections or quarter
        self.unverified = Share(
            "WebSockets that have not yet introduced themselves", unverified // 2, unverified
        )
        self.callers = Share(
            "WebSockets and subscriptions of this caller", limits.caller_connections or quarter
        )
