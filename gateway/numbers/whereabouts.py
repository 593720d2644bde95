"""Numbers by their ids alone, whichever of the caller's accounts owns them.

The account is asked in which the gateway last saw the number, then the one that the request acts
for, then the one that the credentials are of; then the others that the caller has, all at once, as
far as calls are left for that. Accounts that the caller may not name are never asked, nor those
that are suspended or closed: the upstream shows nobody what they have.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from gateway.auth.caller import Caller
from gateway.errors import (
    OfAnotherAccount,
    TooManyCalls,
    UpstreamDenied,
    UpstreamError,
    UpstreamMalformed,
    UpstreamNotFound,
)
from gateway.mapping.homes import Home
from gateway.mapping.records import View
from gateway.numbers.accounts import Accounts, is_inactive
from gateway.numbers.last_seen import LastSeen
from gateway.numbers.loader import Loader
from gateway.numbers.lookups import NumberNode, PhoneNumberLookup
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.spare_calls import SpareCalls
from gateway.waiting import settled
from schema.info import FieldPath

LookUp: TypeAlias = Callable[[PhoneNumberLookup, FieldPath, Home], Awaitable[View | None]]
"""Returns the number of an account; None when the account has no such one."""

_ENDS: Final = (UpstreamDenied, UpstreamMalformed, UpstreamNotFound)


class Whereabouts:
    """Finds numbers as one request does."""

    def __init__(
        self,
        owned: OwnedNumbers,
        accounts: Accounts,
        caller: Caller,
        look_up: LookUp,
        calls: SpareCalls,
    ) -> None:
        """Find them for `caller`.

        Args:
            owned: the owned numbers, as the request sees them.
            accounts: the accounts, as it sees them.
            caller: who asks.
            look_up: looks in one account.
            calls: what is left for looking in others.
        """
        self._owned = owned
        self._accounts = accounts
        self._caller = caller
        self._look_up = look_up
        self._calls = calls
        self._asking: defaultdict[str, list[FieldPath]] = defaultdict(list)
        self._others: set[str] = set()
        self._elsewhere: Loader[str, View | None] = Loader(self._load)

    async def find(self, asked: NumberNode, at: FieldPath, needs: Home) -> View | None:
        """Return a number, whatever goes wrong in accounts that do not have it.

        Returns None when no account has it that the caller may ask and that can be asked.

        Raises:
            UpstreamError: an account could not be asked, and it is in no other; the message names
                the account unless the request acts for it.
            TooManyCalls: there are more accounts than may be asked, and it is in none of those.
        """
        own = self._caller.credential.account
        failures: dict[str, UpstreamError] = {}
        for account in asked_first(asked, self._caller, self._owned.seen):
            try:
                key = PhoneNumberLookup(account, "sid", asked.sid)
                number = await self._look_up(key, at, needs)
            except UpstreamError as error:
                # An account in which it was seen may be closed by now. An answer about another
                # account than the request's is nothing to look past.
                if account == own and isinstance(error, _ENDS):
                    raise
                failures[account] = error if account == own else _naming(account, error)
                continue
            if number is not None:
                if account == own:
                    self._owned.seen.note(self._caller.credential, account, (asked.sid,))
                return number
        if self._calls.all and may_ask_others(self._caller):
            self._asking[asked.sid].append(at)
            number = await self._elsewhere.load(asked.sid)
            if number is not None:
                return number
        for account, failure in failures.items():
            if account not in self._others:
                raise failure
        return None

    async def _load(self, sids: Sequence[str]) -> list[View | BaseException | None]:
        """Look for numbers in the accounts that were not asked yet, in all of them at once."""
        at = self._asking[sids[0]][0]
        if not self._calls.take(1):
            return [self._not_found(0)] * len(sids)
        listed, more = await self._accounts.listed(at)
        known = {self._caller.credential.account, self._caller.credential.home}
        others = [each for each in listed if each.sid not in known]
        self._others.update(each.sid for each in others)
        asked = [
            each.sid for each in others if not is_inactive(each) and self._caller.may_see(each.sid)
        ]
        found: dict[str, View] = {}
        outcomes = await settled(
            [self._owned.look_for(each, sids, found, at, self._calls) for each in asked]
        )
        failure: BaseException | None = None
        done = 0
        for account, outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, OfAnotherAccount) and self._caller.accounts is not None:
                done += 1  # A bearer must not learn that somebody else has it.
            elif isinstance(outcome, UpstreamError):
                failure = failure or _naming(account, outcome)
            elif isinstance(outcome, BaseException):
                failure = outcome
            else:
                done += outcome
        if failure is None and (more or done < len(asked)):
            failure = self._not_found(done)
        return [found.get(sid, failure) for sid in sids]

    def _not_found(self, asked: int) -> TooManyCalls:
        return TooManyCalls(
            f"The number is not where it was looked for first, nor in {asked} other accounts; the"
            " others could not be asked with the calls that are left for it. Ask for"
            " `phoneNumber` with its `accountSid`.",
            allowed=self._calls.all,
        )


def asked_first(asked: NumberNode, caller: Caller, seen: LastSeen) -> list[str]:
    """Return the accounts that are asked for a number, one after another, before all others."""
    credential = caller.credential
    last = seen.of(credential, asked.sid) or asked.account
    places = dict.fromkeys((last or credential.account, credential.account, credential.home))
    return [each for each in places if caller.may_see(each)]


def _naming(account: str, error: UpstreamError) -> UpstreamError:
    """Return the error with the account in its message, which nothing in the request names."""
    return error.reworded(
        f"The number may be in {account}, which could not be asked: {error.message}"
    )


def may_ask_others(caller: Caller) -> bool:
    """Whether the caller may have accounts besides the one that the request acts for."""
    own = caller.credential.account
    # An API key reaches only the account that it was made in.
    return not caller.credential.is_key and (caller.accounts is None or caller.accounts > {own})
