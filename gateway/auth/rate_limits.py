"""Rate limits: requests per minute and purchases per day, per principal and account.

Both are token buckets in the store, so that they hold for one process and for many. While the store
cannot be reached requests are let through, but nothing is bought.
"""

from collections.abc import Callable
from typing import NamedTuple

import structlog
from msgspec import Struct

from gateway.auth.caller import Caller
from gateway.errors import RateLimited
from gateway.storage.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)
_MINUTE, _DAY = 60.0, 86_400.0
# Limits of production where the settings say nothing: far above what people do by hand.
_REQUESTS_IN_PRODUCTION = 6000
_PURCHASES_IN_PRODUCTION = 100
# Seconds after which to come back when it cannot be said.
_SOME_TIME = 5.0


class Remaining(NamedTuple):
    """What is left of a limit.

    Attributes:
        limit: how many in `window` seconds.
        remaining: how many now.
        full_in: seconds until all are back.
    """

    limit: int
    window: float
    remaining: int
    full_in: float


class RateLimits(Struct, frozen=True):
    """How often callers may do something; see the settings of the same names."""

    production: bool
    requests_per_minute: int | None
    purchases_per_day: int | None


class Spending:
    """Counts what callers do, and says when it is too much."""

    def __init__(
        self, limits: RateLimits, store: Store, refused: Callable[[str], None] = lambda _: None
    ) -> None:
        """Count in `store`; `refused` counts purchases that are refused as it cannot be used."""
        self._store = store
        self._refused = refused
        production = limits.production
        self._requests = _limit(
            limits.requests_per_minute, _REQUESTS_IN_PRODUCTION if production else 0
        )
        self._purchases = _limit(
            limits.purchases_per_day, _PURCHASES_IN_PRODUCTION if production else 0
        )
        self._counts = True

    def request_at_hand(self, caller: Caller) -> bool:
        """Do what `request` does if nothing must be waited for; False when something must."""
        if not self._requests:
            return True
        wait = self._store.take_one_at_hand(
            caller.requests_name, capacity=self._requests, per_second=self._requests / _MINUTE
        )
        if wait is None:
            return False
        if wait or not self._counts:
            self._counted(wait)
        return True

    async def request(self, caller: Caller) -> None:
        """Count a request.

        Raises:
            RateLimited: there were too many in the last minute.
        """
        if not self._requests:
            return
        try:
            wait = await self._store.take_one(
                caller.requests_name, capacity=self._requests, per_second=self._requests / _MINUTE
            )
        except StoreUnavailable:
            # One line for the whole time that the store is away.
            if self._counts:
                _log.warning("requests_not_counted")
            self._counts = False
            return
        self._counted(wait)

    def _counted(self, wait: float) -> None:
        if not self._counts:
            _log.info("requests_counted_again")
            self._counts = True
        if wait:
            message = f"More than {self._requests} requests in a minute; wait a little."
            raise RateLimited(message, retry_after=wait)

    async def purchase(self, caller: Caller, account: str) -> None:
        """Count a purchase, before it is made.

        Raises:
            RateLimited: there were too many in the last day, or they cannot be counted now.
        """
        if not self._purchases:
            return
        try:
            wait = await self._take(_key("purchases", caller, account), self._purchases, _DAY, 1)
        except StoreUnavailable as error:
            self._refused(error.cause)
            message = (
                "Purchases cannot be counted now, so none is made. It is safe to ask again later."
            )
            raise RateLimited(message, retry_after=_SOME_TIME) from None
        if wait:
            message = f"The account may buy {self._purchases} numbers a day; nothing was bought."
            raise RateLimited(message, retry_after=wait)

    async def give_back(self, caller: Caller, account: str) -> None:
        """Take back the count of a purchase that certainly was not made."""
        if not self._purchases:
            return
        try:
            await self._take(_key("purchases", caller, account), self._purchases, _DAY, -1)
        except StoreUnavailable:
            _log.warning("purchase_not_given_back")

    async def left(self, caller: Caller, account: str) -> tuple[Remaining | None, Remaining | None]:
        """Return what is left of requests and purchases; None for what is not limited."""
        return (
            await self._left(caller.requests_name, self._requests, _MINUTE),
            await self._left(_key("purchases", caller, account), self._purchases, _DAY),
        )

    async def _left(self, key: str, limit: int, window: float) -> Remaining | None:
        if not limit:
            return None
        # More than a bucket can hold is never taken, and the wait for it tells the level.
        try:
            wait = await self._take(key, limit, window, limit + 1)
        except StoreUnavailable:
            return None
        per_second = limit / window
        level = limit + 1 - wait * per_second
        return Remaining(limit, window, int(level + 1e-6), max(0.0, (limit - level) / per_second))

    async def _take(self, key: str, limit: int, window: float, amount: float) -> float:
        return await self._store.take(key, capacity=limit, per_second=limit / window, amount=amount)


def _limit(chosen: int | None, otherwise: int) -> int:
    """Return a limit; 0 for none."""
    return otherwise if chosen is None else chosen


def _key(what: str, caller: Caller, account: str) -> str:
    return f"spending:{what}:{caller.principal_name}:{account}"
