"""Which accounts have the catalog: found out once per account, and asked again now and then.

The catalog is a closed preview. An account without access gets 404 on the collection.
"""

import math
import time
from typing import Final

_UNKNOWN: Final = (False, -math.inf)


class CatalogAccess:
    """What was found out, process-wide; bounded, forgetting what was found out first.

    Having access is remembered for good; lacking it, for `memory` seconds: it may be granted.
    """

    def __init__(self, memory: float, most: int = 10_000) -> None:
        self._memory = memory
        self._most = most
        # Account → whether it has access, and until when that is believed.
        self._found: dict[str, tuple[bool, float]] = {}

    def known(self, account: str) -> bool | None:
        """Return whether the account has the catalog; None when that must be found out."""
        has, until = self._found.get(account, _UNKNOWN)
        return has if has or until >= time.monotonic() else None

    def note(self, account: str, *, has: bool) -> None:
        """Remember what was found out."""
        # What was known keeps its place: it is noted with every answer.
        self._found[account] = (has, math.inf if has else time.monotonic() + self._memory)
        if len(self._found) > self._most:
            del self._found[next(iter(self._found))]
