"""PURE: in which account a number was last seen: its id does not say whose it is."""

from collections.abc import Iterable

from gateway.upstream.call import Credential


class LastSeen:
    """What was seen, process-wide; bounded, forgetting what was seen first.

    It is kept by the credentials that it was seen with: nobody learns from it what others have
    seen. Of callers who share the operator's credentials some may not name each account; so whoever
    asks must still see to that.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        # Name of the credentials and sid of the number → account.
        self._known: dict[tuple[str, str], str] = {}

    def of(self, credential: Credential, sid: str) -> str | None:
        """Return the account in which a number was last seen; None when that is not known."""
        return self._known.get((credential.secret_name, sid))

    def note(self, credential: Credential, account: str, sids: Iterable[str]) -> None:
        """Note that an account has these numbers."""
        name = credential.secret_name
        for sid in sids:
            self._known.pop((name, sid), None)
            # The account that a request acts for is asked in any case.
            if account != credential.account:
                self._known[name, sid] = account
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
