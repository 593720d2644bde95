"""Limits on connections and unproven credentials, per caller and client address."""

from collections import Counter
from typing import Self

from msgspec import Struct

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

    def held(self, name: str) -> "Held":
        """Hold one more, until that is ended.

        Raises:
            RateLimited: that would be more than a share.
        """
        full = self._most is not None and self._total >= max(1, self._most)
        if full or self._held.get(name, 0) >= self._each:
            raise RateLimited(f"There are too many {self._what}.", retry_after=SOME_TIME)
        self._total += 1
        self._held[name] += 1
        return Held(self, name)

    def let_go(self, name: str) -> None:
        """Hold one less."""
        self._total -= 1
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]


class Held:
    """One of a share. It is ended once, however often that is said."""

    __slots__ = ("_name", "_share")

    def __init__(self, share: Share, name: str) -> None:
        self._share: Share | None = share
        self._name = name

    def __enter__(self) -> Self:
        """Hold it until the end of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Hold it no longer."""
        share, self._share = self._share, None
        if share is not None:
            share.let_go(self._name)


class ConnectionLimits(Struct, frozen=True):
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
