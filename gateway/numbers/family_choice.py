"""Which of an account's two APIs is asked about its numbers, and which serves the account.

Whether an account has the catalog is found out by asking it, and remembered for all requests.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from gateway.discreet import Discreet
from gateway.errors import (
    GatewayError,
    NotOwnAccount,
    OfAnotherAccount,
    UnsupportedFilters,
    UpstreamDenied,
    UpstreamError,
    UpstreamNotFound,
    UpstreamTimeout,
)
from gateway.mapping.homes import NOWHERE, OF_CATALOG, Home
from gateway.mapping.records import View
from gateway.numbers.sifting import NO_FILTERS, OWNED, Means
from gateway.upstream.accepted_credentials import DENIED, INACTIVE
from gateway.upstream.catalog_access import CatalogAccess
from gateway.upstream.families import (
    CATALOG,
    CORE,
    Family,
)
from gateway.upstream.flights import Reader
from gateway.waiting import Shared, begun
from schema.info import FieldPath

T = TypeVar("T")
# Places of one number, which no other one in its exchange tells.
_OF_EACH_NUMBER = frozenset({"locality", "postalCode", "latitude", "longitude"})


class _Deciding(NamedTuple):
    """A read under way that will tell whether an account has the catalog.

    Attributes:
        catalog: what the catalog answers.
        decided: is over when that is known.
    """

    catalog: asyncio.Future[Any]
    decided: asyncio.Future[None]


class FamilyChoice(Discreet, dict=True, weakref=True):
    """The choice of families as one request makes it."""

    _reader: Reader
    _access: CatalogAccess
    # That of the same request as it was before a write. Whether an account has the catalog is found
    # out once, whoever asks for it.
    _before: "FamilyChoice | None"

    @cached_property
    def _failed(self) -> dict[str, GatewayError]:
        """Why the catalog could not tell this request whether it serves an account."""
        return {}

    @cached_property
    def _late(self) -> set[tuple[object, ...]]:
        """What did not come in time: an operation that is run again does not wait again."""
        return set()

    @cached_property
    def deciding(self) -> dict[str, "_Deciding"]:
        """Reads under way that will tell whether accounts have the catalog: see `of_either`."""
        return {} if self._before is None else self._before.deciding

    @cached_property
    def probes(self) -> dict[str, Shared[bool]]:
        """Calls under way that find out whether accounts have the catalog."""
        return {} if self._before is None else self._before.probes

    # What is known without a call ---------------------------------------------------------------

    def may_have_catalog(self, account: str) -> bool:
        """Whether the catalog can be asked about the account at all."""
        # The catalog takes the account from the credentials: it cannot be asked about another.
        return account == self._reader.credential.home

    def may_ask_catalog(self, account: str) -> bool:
        """Whether the catalog can be asked about the account, and is not known to be closed."""
        mine = account == self._reader.credential.home
        return mine and self._access.known(account) is not False

    def _known_family(self, account: str) -> Family | None:
        """Return the family that serves an account; None while that is unknown."""
        if account != self._reader.credential.home:
            return CORE  # See `may_have_catalog`.
        known = self._access.known(account)
        return None if known is None else CATALOG if known else CORE

    def must_find_family(self, account: str) -> bool:
        """Whether a call is needed to find out which family serves the account."""
        return self._known_family(account) is None

    def must_prove(self, account: str) -> bool:
        """Whether a call more is needed before the catalog's answers about the account count."""
        return self.may_ask_catalog(account) and self._reader.must_prove(account)

    def able(
        self, account: str, wanted: Mapping[str, Any], needs: Home = NOWHERE
    ) -> dict[Family, Means]:
        """Return the families that can answer all the filters, the one to try first at the front.

        And how each of them can.

        Raises:
            UnsupportedFilters: none can that may be asked about the account.
        """
        families: list[Family] = [CATALOG, CORE] if self.may_ask_catalog(account) else [CORE]
        if needs is Home.CORE:
            families.reverse()
        if not wanted:
            return dict.fromkeys(families, NO_FILTERS)
        every = [(family, OWNED.means(family.source, wanted)) for family in families]
        able = [(family, means) for family, means in every if not means.lacking]
        if not able:
            raise self._unable(account, wanted)
        # First who answers exactly, and leaves the least for the gateway to filter.
        return dict(sorted(able, key=lambda each: each[1].burden) if len(able) > 1 else able)

    def _unable(self, account: str, wanted: Mapping[str, Any]) -> UnsupportedFilters:
        """Return the error for filters that no family knows which can be asked about an account."""
        core = OWNED.means(CORE.source, wanted).lacking
        problem = (
            f"this account's API cannot filter owned numbers by {', '.join(core)}: only the"
            f" preview catalog of numbers can, and {self.without_catalog(account)}."
        )
        if not _OF_EACH_NUMBER.isdisjoint(core):
            problem += (
                " Town, postal code and coordinates belong to a number and not to its exchange, so"
                " nothing else tells them: filter by `rateCenter`, `lata` or `region`."
            )
        return UnsupportedFilters("filter", problem)

    def note_catalog(self, account: str) -> None:
        """Remember that the catalog has answered about an account."""
        self._access.note(account, has=True)

    def lacks_catalog(self, family: Family, account: str, error: Exception) -> bool:
        """Whether `error` on the collection says that the account lacks the catalog."""
        forbidden = (
            isinstance(error, UpstreamDenied)
            and error.status == 403  # noqa: PLR2004
            # It speaks of the credentials or of the account, not of the catalog.
            and not isinstance(error, NotOwnAccount)
            and error.upstream_code not in {DENIED, INACTIVE}
        )
        if family is not CATALOG or not (forbidden or isinstance(error, UpstreamNotFound)):
            return False
        self._access.note(account, has=False)
        return True

    def without_catalog(self, account: str) -> str:
        """Return why the catalog cannot be asked about an account."""
        if self.may_have_catalog(account):
            return "this account does not have it"
        return "it is asked with an account's own credentials only, which these are not"

    def _lacks(self, number: View, needs: Home) -> bool:
        """Whether the answer that a number comes from may lack what is needed of it."""
        if number.source is CATALOG.source:
            if needs is NOWHERE or needs is OF_CATALOG:
                return False
            return bool(needs & Home.CORE) or not is_listed(number)
        return needs is not NOWHERE and needs is not Home.CORE and self.may_ask_catalog(number.home)

    # What a call finds out ----------------------------------------------------------------------

    async def family(self, account: str, at: FieldPath) -> Family:
        """Return the family that serves the account, found out by a call when it is not known.

        When it is the catalog, the credentials are those of the account.
        """
        if not self.may_have_catalog(account):
            return CORE
        known = self._access.known(account)
        if known:
            if not self._reader.owns(account):
                await self._reader.prove(account, (at,))
        elif known is None:
            known = await self._probe(account, at).wait()
        return CATALOG if known else CORE

    async def of_either(
        self,
        account: str,
        catalog: Coroutine[Any, Any, T],
        core: Coroutine[Any, Any, T],
    ) -> tuple[Family, T]:
        """Return the family that serves an account of which that is unknown, and what it tells.

        Both are read at once. Whether the catalog answers tells which it is, and is remembered;
        core is not waited for once it does. What core tells waits for the catalog no longer than
        one attempt takes: then, or when the catalog fails, core's answer counts for this request.
        Of several reads at once, one asks both; the others ask core, and the catalog if it serves.

        Args:
            account: about which both are asked.
            catalog: asks the catalog for something that every account has which has the catalog.
            core: asks core for the same.

        Raises:
            GatewayError: neither has told it.
        """
        beside = begun(core)
        if account in self._failed:
            catalog.close()
            return CORE, await beside
        deciding = self.deciding.get(account)
        if deciding is not None:
            await asyncio.wait((deciding.decided,))
            if self._access.known(account):
                return CATALOG, await catalog
            catalog.close()
            return CORE, await beside
        decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        deciding = self.deciding[account] = _Deciding(begun(catalog), decided)
        try:
            return await self._decided(account, deciding.catalog, beside)
        finally:
            del self.deciding[account]
            decided.set_result(None)

    async def _decided(
        self, account: str, first: asyncio.Future[T], beside: asyncio.Future[T]
    ) -> tuple[Family, T]:
        """Return the family that serves an account, and what it tells: see `of_either`."""
        await asyncio.wait((first, beside), return_when=asyncio.FIRST_COMPLETED)
        try:
            if not first.done() and beside.exception() is None:
                found = await self._patiently(first, account)
            else:
                found = await first
        except OfAnotherAccount:
            raise
        except UpstreamError as error:
            closed = self.lacks_catalog(CATALOG, account, error)
            try:
                told = await beside
            except GatewayError:
                if closed:
                    raise
                raise error from None
            if isinstance(error, UpstreamDenied) and not isinstance(error, NotOwnAccount):
                # Core accepts the credentials: that it is refused is about the catalog alone.
                self._access.note(account, has=False)
            elif not closed:
                self._failed[account] = error
            return CORE, told
        self._access.note(account, has=True)
        return CATALOG, found

    async def serving(
        self, account: str, at: FieldPath, read: Callable[[Family], Coroutine[Any, Any, T]]
    ) -> tuple[Family, T]:
        """Return the family that serves an account, and what is read there.

        While it is unknown, both are read at once, and what a family's list tells counts.
        """
        family = self._known_family(account)
        if family is not None:
            return family, await read(family)
        probe = self._probe(account, at)
        coming = {family: begun(read(family)) for family in (CATALOG, CORE)}
        family = CATALOG if await probe.wait() else CORE
        return family, await coming[family]

    async def _patiently(self, work: Awaitable[T], *about: object) -> T:
        """Wait for what goes beside an answer that is there, no longer than one attempt takes.

        Raises:
            UpstreamTimeout: what it is `about` has not come by then, or had not come earlier; it
                goes on, and nobody waits for it.
        """
        coming = begun(work)
        await asyncio.wait((coming,), timeout=0 if about in self._late else self._reader.patience)
        if not coming.done():
            self._late.add(about)
            raise UpstreamTimeout("The upstream did not answer in time.")
        return coming.result()

    async def _is_served_by_catalog(self, account: str) -> bool:
        """Whether the catalog answers for an account, where it is being asked for the first time.

        It is not waited for longer than one attempt takes.
        """
        asking = self.deciding.get(account)
        if asking is None:
            return False
        catalog = asking.catalog
        await asyncio.wait((catalog,), timeout=self._reader.patience)
        return catalog.done() and not catalog.cancelled() and catalog.exception() is None

    def _probe(self, account: str, at: FieldPath) -> Shared[bool]:
        """Begin to find out whether an account has the catalog."""
        probe = self.probes.get(account)
        if probe is None:
            coming = begun(self._has_catalog(account, at))
            probe = self.probes[account] = Shared(coming)
            coming.add_done_callback(lambda _: self.probes.pop(account))
        return probe

    async def _has_catalog(self, account: str, at: FieldPath) -> bool:
        if account in self._failed:
            raise self._failed[account].with_traceback(None)
        try:
            await self._reader.read(CATALOG.list_call(account, {}, 1), (at,))
        except (UpstreamNotFound, UpstreamDenied) as error:
            if not self.lacks_catalog(CATALOG, account, error):
                raise
            return False
        self._access.note(account, has=True)
        return True


def is_listed(number: View) -> bool:
    """Whether a number of the catalog is shown as its lists show it: they say more."""
    return number.raw.configuration is None
