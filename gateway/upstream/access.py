"""Which accounts have the catalog: found out once per account, and asked again now and then.

The catalog is a closed preview. An account without access gets 404 on the collection.
"""

import time


class CatalogAccess:
    """What was found out, process-wide.

    Having access is remembered for good; lacking it, for `memory` seconds: it may be granted.
    """

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._lacking_until: dict[str, float] = {}
        self._having: set[str] = set()

    def known(self, account: str) -> bool | None:
        """Return whether the account has the catalog; None when that must be found out."""
        if account in self._having:
            return True
        until = self._lacking_until.get(account)
        return None if until is None or until < time.monotonic() else False

    def note(self, account: str, *, has: bool) -> None:
        """Remember what was found out."""
        if has:
            self._having.add(account)
            self._lacking_until.pop(account, None)
        else:
            self._having.discard(account)
            self._lacking_until[account] = time.monotonic() + self._memory
