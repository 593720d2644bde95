"""Who asks, and what it may do: the value that authentication ends in, and all else goes by."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from strawberry import UNSET

from gateway.errors import Forbidden, Unauthenticated
from gateway.mapping import validation
from gateway.upstream.call import Credential

EXPIRED: Final = "The token has expired."


@dataclass(frozen=True)
class Caller:
    """Who asks, and what it may do.

    Attributes:
        credential: as whom the upstream is asked.
        principal: a name of the caller for limits and logs; never a secret.
        accounts: the accounts that it may name; None leaves that to the upstream.
        scopes: what it may do; None allows all that the upstream allows.
        expires: Unix time at which this ends, in seconds; None when it does not.
        known_as: who it is, for people; by default the principal.
    """

    credential: Credential
    principal: str
    accounts: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    expires: float | None = None
    known_as: str = ""

    @property
    def name(self) -> str:
        """Who it is, for people."""
        return self.known_as or self.principal

    @cached_property
    def principal_name(self) -> str:
        """A name of the principal that is fit for keys, whatever it is: 32 hexadecimal digits."""
        return hashlib.sha256(self.principal.encode()).hexdigest()[:32]

    @cached_property
    def requests_name(self) -> str:
        """The key under which its requests are counted."""
        return f"spending:requests:{self.principal_name}:{self.credential.account}"

    def check_time(self) -> None:
        """Refuse a caller whose time is over.

        Raises:
            Unauthenticated: it is.
        """
        if self.expires is not None and self.expires < time.time():
            raise Unauthenticated(EXPIRED)

    def at_expiry(self, act: Callable[[], None]) -> asyncio.TimerHandle | None:
        """Call `act` when this ends; return what cancels that, None when it does not end."""
        if self.expires is None:
            return None
        left = max(0.0, self.expires - time.time())
        return asyncio.get_running_loop().call_later(left, act)

    def account_named(self, sid: str | None, argument: str = "accountSid") -> str:
        """Return the account that an argument names; the caller's own without one.

        Raises:
            BadUserInput: it is no account's sid.
            Forbidden: the caller may not use that account.
        """
        if sid is None or sid is UNSET:
            return self.credential.account
        validation.check_sid(argument, sid, "AC")
        if not self.may_see(sid):
            message = f"The account {sid} is not among those that you may use."
            raise Forbidden(message, argument=argument)
        return sid

    def may_see(self, sid: str) -> bool:
        """Whether an account may be named by this caller."""
        return self.accounts is None or sid in self.accounts

    def check_scopes(self, needed: Iterable[tuple[frozenset[str], ...]]) -> None:
        """Refuse what needs scopes that the caller lacks.

        Args:
            needed: alternatives, of each of which the caller must have one.

        Raises:
            Forbidden: with the scopes that are missing, `requiredScopes`.
        """
        if self.scopes is None:
            return
        missing: set[str] = set()
        for alternatives in needed:
            if not any(each <= self.scopes for each in alternatives):
                missing |= min((each - self.scopes for each in alternatives), key=len)
        if missing:
            raise Forbidden(
                f"Your token lacks the scope {', '.join(sorted(missing))}.",
                requiredScopes=sorted(missing),
            )

    def check_scope(self, scope: str) -> None:
        """Refuse what needs a scope that the caller lacks.

        Raises:
            Forbidden: it lacks it.
        """
        self.check_scopes([(frozenset({scope}),)])
