"""Purchases count against the day's limit, unless they certainly were not made."""

from collections.abc import Awaitable, Callable

from gateway.auth.caller import Caller
from gateway.auth.rate_limits import Spending
from gateway.errors import GatewayError
from gateway.storage.store import StoreUnavailable
from gateway.writes.outcome import Outcome
from schema.user_errors import UserErrorCode


async def counted(
    spending: Spending, caller: Caller, account: str, buy: Callable[[], Awaitable[Outcome]]
) -> Outcome:
    """Count a purchase and make it; it is not counted when it certainly was not made.

    Raises:
        RateLimited: there were too many in the last day, or they cannot be counted now; nothing
            was sent.
    """
    await spending.purchase(caller, account)
    try:
        outcome = await buy()
    except (GatewayError, StoreUnavailable):  # They are raised only when nothing was bought.
        await spending.give_back(caller, account)
        raise
    refused = outcome.refusal
    if refused is not None and refused.code is not UserErrorCode.OUTCOME_UNKNOWN:
        await spending.give_back(caller, account)
    return outcome
