"""PURE: which calls answer a set of keys most cheaply.

N numbers by sid cost N calls one by one, or ⌈total/1000⌉ list pages. The total is what the gateway
has learnt from lists it has read; while it is unknown, paging goes on only as long as it cannot
cost more than twice the best choice in hindsight.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from gateway.upstream.families import MAX_PAGE_SIZE

# With an unknown account size, fewer keys than this are fetched one by one, all at once: a first
# list page may turn out to hold none of them, it is the heavier answer, and pages come in turn.
PROBE_FROM = 21

# Numbers that stand together in one list are looked for in so many pages of another, where the page
# that the number before them is in is known: a thousand reach into the page behind it.
NEAR_PAGES = 2


class Size(NamedTuple):
    """What is known of how many numbers an account owns."""

    at_least: int
    exact: bool


class CheapestCalls(NamedTuple):
    """How keys will be fetched, what that costs, and why."""

    strategy: Literal["get", "list"]
    least: int
    most: int
    reason: str


def choose(keys: int, size: Size | None, *, listed: bool = False) -> CheapestCalls:
    """Return the cheapest way to fetch `keys` distinct numbers of one account.

    Those that stand together in one list (`listed`) may well do so in another.
    """
    if keys <= 1:
        return CheapestCalls("get", keys, keys, "one key is one call")
    at_least = size.at_least if size else 0
    pages = max(1, -(-at_least // MAX_PAGE_SIZE))
    known = f"{keys} keys, {at_least}{'' if size and size.exact else ' or more'} numbers owned"
    probes = listed or keys >= PROBE_FROM
    if pages >= keys or not (probes or (size and size.exact)):
        return CheapestCalls("get", keys, keys, f"{known}: one by one is cheaper")
    if size and size.exact:
        return CheapestCalls("list", 1, pages, f"{known}: {pages} list page(s) are cheaper")
    return CheapestCalls("list", 1, 2 * keys, f"{known}: the first list page may hold them all")


def go_on_listing(pages_read: int, keys_left: int, size: Size | None) -> bool:
    """Whether the next list page is worth more than fetching the keys left one by one."""
    if size is not None and size.exact:
        pages_left = max(1, -(-size.at_least // MAX_PAGE_SIZE)) - pages_read
        return 0 < pages_left < keys_left
    return pages_read < keys_left


class Sizes:
    """What was learnt of accounts' sizes from lists read; bounded, forgetting the oldest.

    What others do upstream is not noticed before a list is read again: a size says what to expect,
    and never what is allowed.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._known: dict[str, Size] = {}
        self._most = most

    def of(self, account: str) -> Size | None:
        """Return what is known of an account."""
        return self._known.get(account)

    def exact(self, account: str) -> int | None:
        """Return the size of an account, where all of it has been listed."""
        size = self.of(account)
        return size.at_least if size is not None and size.exact else None

    def grow(self, account: str) -> None:
        """Note that an account has got one more."""
        size = self._known.get(account)
        if size is not None:
            self._known[account] = size._replace(at_least=size.at_least + 1)

    def learn(self, account: str, listed: int, *, more: bool) -> None:
        """Note that pages listed so many numbers of an account, and whether there are `more`."""
        size = Size(listed + 1, exact=False) if more else Size(listed, exact=True)
        known = self._known.pop(account, None)
        # What was exact once is so no more when the account turns out to own more.
        if more and known is not None and known.at_least >= size.at_least:
            size = known
        self._known[account] = size
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]


class ToldSizes(Sizes):
    """The sizes of those accounts alone of which one caller may learn it, told by `may_know`."""

    def __init__(self, sizes: Sizes, may_know: Callable[[str], bool]) -> None:
        super().__init__()
        self._sizes = sizes
        self._may_know = may_know

    def of(self, account: str) -> Size | None:
        """See `Sizes`."""
        return self._sizes.of(account) if self._may_know(account) else None
