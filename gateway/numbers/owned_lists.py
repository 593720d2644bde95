"""Lists of owned numbers: a page of one, in whichever family can answer the filters."""

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Final, Protocol

from gateway.errors import (
    UpstreamDenied,
    UpstreamNotFound,
)
from gateway.mapping.homes import Home
from gateway.mapping.records import View
from gateway.numbers import lookup_strategy
from gateway.numbers.list_pages import Slice, UpstreamList, read_slice
from gateway.numbers.lookups import OwnedList
from gateway.numbers.owned_calls import OwnedCalls, views_of
from gateway.numbers.sifting import OWNED, Means, Verdict
from gateway.upstream.families import (
    CATALOG,
    CORE,
    MAX_PAGE_SIZE,
    Family,
)
from schema.info import FieldPath

LOOK_UP_SIZE: Final = 50
"""Core matches numbers in part: the one looked for stands among those that contain it."""


class Judge(Protocol):
    """Finds out which of listed numbers are looked for, by what is read beside them."""

    def __call__(
        self, family: Family, account: str, verdict: Verdict, at: FieldPath, numbers: Sequence[View]
    ) -> Awaitable[Sequence[bool | None]]:
        """See `list_pages.Judge`; `verdict` tells it, once what is needed was read."""


class OwnedLists(OwnedCalls):
    """The lists as one request sees them."""

    _sizes: lookup_strategy.Sizes

    async def _listed(
        self, asked: OwnedList, needs: Home, at: FieldPath, judge: Judge | None = None
    ) -> tuple[Family, Slice]:
        """Return a page of numbers as a family lists them, where what is needed is told if it can.

        `judge` tells of filters what lists do not, if there may be such.

        Raises:
            UnsupportedFilters: no family that the account has knows all filters.
            BadUserInput: the cursor is not of this list.
        """
        account, wanted, page = asked
        means = self.able(account, wanted, needs)
        able = list(means)
        unknown = self.must_find_family(account)
        if unknown and page.cursor is None and able == [CATALOG, CORE]:
            lists = [self._list(each, asked, means[each], at, judge) for each in able]
            catalog, core = (read_slice(each, page) for each in lists)
            return await self.of_either(account, catalog, core)
        if unknown and able[0] is CORE and needs & (Home.CATALOG | Home.LISTED):
            self._probe(account, at)
        for family in asked.starts(able):
            try:
                listing = self._list(family, asked, means[family], at, judge)
                return family, await read_slice(listing, page)
            except (UpstreamNotFound, UpstreamDenied) as error:
                if not self.lacks_catalog(family, account, error):
                    raise
        raise self._unable(account, wanted)

    def _list(
        self,
        family: Family,
        asked: OwnedList,
        means: Means,
        at: FieldPath,
        judge: Judge | None = None,
    ) -> UpstreamList:
        """Return a family's list of the numbers that are asked for; see `_listed`.

        `means`: how it can answer the filters.
        """
        account, wanted, page = asked
        _, sifted, beside, _ = means
        keeps = judged = None
        size = page.size
        if sifted or beside:
            keeps = OWNED.test(family.source, wanted, sifted)
            if beside and judge is not None:
                verdict = OWNED.verdict(family.source, wanted, beside)
                judged = partial(judge, family, account, verdict, at)
            size = MAX_PAGE_SIZE
            here = {*sifted, *beside}
            wanted = {path: value for path, value in wanted.items() if path not in here}
        exact = family is CORE and "phoneNumber" in wanted
        whole = not wanted and page.cursor is None
        return UpstreamList(
            partial(asked.list_id, family),
            partial(self._page, family, account, wanted, at=at),
            partial(views_of, family, account, wanted=wanted),
            size=LOOK_UP_SIZE if exact else size,
            counts=family is CATALOG,
            single=exact,  # An account has a number once.
            keeps=keeps,
            judge=judged,
            learn=partial(self._learn, account) if whole else None,
        )

    def _learn(self, account: str, listed: int, more: bool) -> None:  # noqa: FBT001 - by `learn`
        self._sizes.learn(account, listed, more=more)
