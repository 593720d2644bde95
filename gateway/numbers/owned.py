"""Owned numbers: one, many or a page of them, from whichever family has them, in fewest calls."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, TypeVar

from aiodataloader import DataLoader

from gateway.errors import (
    GatewayError,
    NotOwnAccount,
    OfAnotherAccount,
    UnsupportedFilters,
    UpstreamDenied,
    UpstreamError,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamRefused,
    UpstreamTimeout,
    believe_missing,
)
from gateway.mapping import filters
from gateway.mapping.filled import Part, Parts, filled, homes_with
from gateway.mapping.homes import NOWHERE, TOLD_BY_CORE, Home, needed, needed_beside_list
from gateway.mapping.records import VIEWS, Record, View, view
from gateway.numbers import lookup_strategy
from gateway.numbers.last_seen import LastSeen
from gateway.numbers.list_pages import Slice, UpstreamList, read_slice
from gateway.numbers.lookups import OwnedList, PhoneNumberLookup
from gateway.numbers.page_request import PageRequest
from gateway.numbers.side_reads import SideReads
from gateway.numbers.sifting import OWNED, Verdict
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.accepted_credentials import DENIED, INACTIVE
from gateway.upstream.call import Answer
from gateway.upstream.catalog_access import CatalogAccess
from gateway.upstream.families import (
    CATALOG,
    CORE,
    FAMILIES,
    MAX_PAGE_SIZE,
    Family,
    UpstreamPage,
)
from gateway.upstream.flights import Reader
from gateway.upstream.ownership import check_owner
from gateway.upstream.public_facts import PublicFacts
from gateway.waiting import Shared, awaited, begun, check_any, settled
from schema.enums import Source
from schema.info import FieldPath
from schema.selections import NOTHING, SelectedFields

# Core matches numbers in part: the one looked for stands among those that contain it.
_LOOK_UP_SIZE = 50
_ALL = Home.CATALOG | Home.LISTED | Home.CORE
# Places of one number, which no other one in its exchange tells.
_OF_EACH_NUMBER = frozenset({"locality", "postalCode", "latitude", "longitude"})
_EVERYTHING: Mapping[str, Any] = MappingProxyType({})


T = TypeVar("T")
_Loader: TypeAlias = DataLoader[PhoneNumberLookup, View | None]
Found: TypeAlias = dict[PhoneNumberLookup, View | BaseException | None]


class OwnedNumbers:
    """The owned numbers as one request sees them.

    Attributes:
        seen: in which accounts numbers were seen.
    """

    def __init__(
        self,
        reader: Reader,
        access: CatalogAccess,
        sizes: lookup_strategy.Sizes,
        seen: LastSeen,
        facts: PublicFacts,
        exchange_calls: int = 0,
    ) -> None:
        self.seen = seen
        self._facts = facts
        self._exchange_calls = exchange_calls
        self._reader = reader
        self._access = access
        self._sizes = sizes
        # The fields that ask for a number, of a family; None: of the usual one.
        self._asked: dict[tuple[Family | None, PhoneNumberLookup], list[FieldPath]]
        self._asked = defaultdict(list)
        self._unsorted: list[list[View]] = []
        self._read: dict[PhoneNumberLookup, View] = {}

    @cached_property
    def beside(self) -> SideReads:
        """What is read beside them."""
        return SideReads(self._reader, self._facts, self._exchange_calls)

    @cached_property
    def _failed(self) -> dict[str, GatewayError]:
        """Why the catalog could not tell this request whether it serves an account."""
        return {}

    @cached_property
    def _late(self) -> set[tuple[object, ...]]:
        """What did not come in time: an operation that is run again does not wait again."""
        return set()

    @cached_property
    def _deciding(self) -> dict[str, "_Deciding"]:
        """Reads under way that will tell whether accounts have the catalog: see `of_either`."""
        return {}

    @cached_property
    def _probes(self) -> dict[str, Shared[bool]]:
        """Calls under way that find out whether accounts have the catalog."""
        return {}

    @cached_property
    def _beside(self) -> dict[str, str]:
        """Of numbers that are found in a list for being on a page of another: `Cursor.beside`."""
        return {}

    @cached_property
    def _loader(self) -> _Loader:
        return DataLoader(self._load)  # type: ignore[arg-type]

    @cached_property
    def _loaders(self) -> Mapping[Family, _Loader]:
        """What looks numbers up in one family, whichever is the usual one."""
        return {
            family: DataLoader(partial(self._load, family=family))  # type: ignore[arg-type]
            for family in (CATALOG, CORE)
        }

    # Reading ----------------------------------------------------------------------------------

    async def one(
        self,
        key: PhoneNumberLookup,
        at: FieldPath,
        needs: Home = NOWHERE,
        *,
        alone: bool = False,
    ) -> View | None:
        """Return one number; None when the account has no such one.

        When it is known that no other field asks for one, it is asked for `alone`, without waiting
        for what could be asked together with it. It is asked for where it can be told what is
        needed, and filled in from elsewhere if need be.
        """
        number = self._already_read(key) if self._unsorted or self._read else None
        beside: asyncio.Future[Part] | None = None
        if number is not None:
            call = FAMILIES[number.source].get_call(key.account, number.sid)
            self._reader.trace.note_spared(call, "primed", (at,))
        else:
            family: Family | None = None
            if needs is not NOWHERE and needs is not Home.CATALOG:
                family, beside = self._prepare(key, needs, at)
            source = (
                family or self._known_family(key.account) if alone and key.by == "sid" else None
            )
            try:
                if source is None:
                    number = await self._looked_up(key, family, at, alone=alone)
                else:
                    call = source.get_call(key.account, key.value)
                    number = self._read_as(source, key, await self._reader.read(call, (at,)))
            except GatewayError as error:
                if source is not None and isinstance(error, UpstreamNotFound):
                    believe_missing(error)
                    return None
                if beside is None or isinstance(error, OfAnotherAccount):
                    raise
                return await self._told_by_core(beside, error)
            if number is None:
                return None
        if not self._lacks(number, needs):
            return number
        [number] = await self.complete(number.home, [number], needs, at, beside=beside)
        return number

    async def _looked_up(
        self, key: PhoneNumberLookup, family: Family | None, at: FieldPath, *, alone: bool
    ) -> View | None:
        """Look a number up in a family, or in whichever serves the account."""
        self._asked[family, key].append(at)
        if alone and key.by == "number":
            return await self._by_number(key, family)
        return await (self._loader if family is None else self._loaders[family]).load(key)

    async def _told_by_core(self, beside: Awaitable[Part], error: GatewayError) -> View:
        """Return the number that core shows where the catalog failed, whose fields raise why.

        Raises:
            GatewayError: core does not show it.
        """
        [core] = await settled([awaited(beside)])
        if not isinstance(core, View):
            raise error
        return _together({Home.CORE: core, Home.CATALOG: error, Home.LISTED: error}, _ALL)

    async def shown(self, family: Family, key: PhoneNumberLookup, *at: FieldPath) -> View | None:
        """Return the number with a sid as `family` shows it; None when the account has none."""
        call = family.get_call(key.account, key.value)
        try:
            return self._read_as(family, key, await self._reader.read(call, at))
        except UpstreamNotFound as error:
            believe_missing(error)
            return None

    async def look_for(
        self,
        account: str,
        sids: Iterable[str],
        found: dict[str, View],
        at: FieldPath,
        calls: SpareCalls,
    ) -> bool:
        """Look for numbers in an account that need not have any of them, as far as `calls` last.

        The account is none that the catalog can be asked about. What it has goes into `found`,
        also if an error ends it.

        Returns:
            Whether it has no others of those that are looked for.
        """
        left = set(sids)
        query, total, pages = "", 0, 0
        # A page may show that there is none; it tells no more of one number than asking for that.
        while len(left) > max(1, pages):
            if not calls.take(1):
                return False
            page = await self._page(CORE, account, {}, query, MAX_PAGE_SIZE, at=at)
            pages += 1
            total += len(page.items)
            numbers = [each for each in _numbers(CORE, account, page.items) if each]
            self._note_read(account, numbers)
            found |= {each.sid: each for each in numbers if each.sid in left}
            left.difference_update(each.sid for each in numbers)
            self._sizes.learn(account, total, more=page.next_query is not None)
            if page.next_query is None:
                return True
            query = page.next_query
        for each in left:
            if not calls.take(1):
                return False
            number = await self.shown(CORE, PhoneNumberLookup(account, "sid", each), at)
            if number is not None:
                found[each] = number
        return True

    async def page(
        self, asked: OwnedList, at: FieldPath, selected: SelectedFields = NOTHING
    ) -> Slice:
        """Return a page of numbers, asked for where what is selected can be told, and filled in.

        Raises:
            UnsupportedFilters: no family that the account has knows all filters.
            BadUserInput: the cursor is not of this list.
        """
        account, needs = asked.account, needed(selected)
        family, listed = await self._listed(asked, needs, at)
        self._note_read(account, listed.items)
        if family is CATALOG:
            needs = needed_beside_list(selected, listed.items)
        if listed.items and self._lacks(listed.items[0], needs):
            items = await self.complete(account, listed.items, needs, at, asked.page)
            if self._beside:
                listed.places.beside = [self._beside.get(each.sid, "") for each in items]
            return listed._replace(items=items)
        return listed

    async def _listed(self, asked: OwnedList, needs: Home, at: FieldPath) -> tuple[Family, Slice]:
        """Return a page of numbers as a family lists them; see `page`."""
        account, wanted, page = asked
        able = self.able(account, wanted, needs)
        unknown = self.must_find_family(account)
        if unknown and page.cursor is None and able == [CATALOG, CORE]:
            catalog, core = (read_slice(self._list(each, asked, at), page) for each in able)
            return await self.of_either(account, catalog, core)
        if unknown and able[0] is CORE and needs & (Home.CATALOG | Home.LISTED):
            self._probe(account, at)
        for family in asked.starts(able):
            try:
                return family, await read_slice(self._list(family, asked, at), page)
            except (UpstreamNotFound, UpstreamDenied) as error:
                if not self.lacks_catalog(family, account, error):
                    raise
        raise self._unable(account, wanted)

    async def family(self, account: str, at: FieldPath) -> Family:
        """Return the family that serves the account, found out by a call when it is not known.

        When it is the catalog, the credentials are those of the account.
        """
        if not self.may_have_catalog(account):
            return CORE
        known = self._access.known(account)
        if known:
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
        deciding = self._deciding.get(account)
        if deciding is not None:
            await asyncio.wait((deciding.decided,))
            if self._access.known(account):
                return CATALOG, await catalog
            catalog.close()
            return CORE, await beside
        decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        deciding = self._deciding[account] = _Deciding(begun(catalog), decided)
        try:
            return await self._decided(account, deciding.catalog, beside)
        finally:
            del self._deciding[account]
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

    def afresh(self) -> "OwnedNumbers":
        """Return the owned numbers as they are now: nothing read before is used."""
        fresh = OwnedNumbers(
            self._reader.alone(), self._access, self._sizes, self.seen, self._facts
        )
        fresh.beside = self.beside
        # Whether the account has the catalog is found out once, whoever asks for it.
        fresh._deciding, fresh._probes = self._deciding, self._probes
        return fresh

    def forget(self) -> None:
        """Forget what was read: something was changed."""
        for each in ("_loader", "_loaders"):
            vars(self).pop(each, None)  # They are made when they are used.
        self._unsorted.clear()
        self._read.clear()
        self._asked.clear()

    def _already_read(self, key: PhoneNumberLookup) -> View | None:
        for numbers in self._unsorted:
            for number in numbers:
                self._read |= dict.fromkeys(_names(number), number)
        self._unsorted.clear()
        return self._read.get(key)

    # Which family -----------------------------------------------------------------------------

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

    def able(self, account: str, wanted: Mapping[str, Any], needs: Home = NOWHERE) -> list[Family]:
        """Return the families that can answer all the filters, the one to try first at the front.

        Raises:
            UnsupportedFilters: none can that may be asked about the account.
        """
        families: list[Family] = [CATALOG, CORE] if self.may_ask_catalog(account) else [CORE]
        if needs is Home.CORE:
            families.reverse()
        if not wanted:
            return families
        means = {family: OWNED.means(family.source, wanted) for family in families}
        able = [family for family in families if not means[family].lacking]
        if not able:
            raise self._unable(account, wanted)
        # First who answers exactly, and leaves the least for the gateway to filter.
        return sorted(able, key=lambda family: means[family].burden)

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

    def _probe(self, account: str, at: FieldPath) -> Shared[bool]:
        """Begin to find out whether an account has the catalog."""
        probe = self._probes.get(account)
        if probe is None:
            coming = begun(self._has_catalog(account, at))
            probe = self._probes[account] = Shared(coming)
            coming.add_done_callback(lambda _: self._probes.pop(account))
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

    # Filling in -------------------------------------------------------------------------------

    async def complete(
        self,
        account: str,
        numbers: Sequence[View],
        needs: Home,
        at: FieldPath,
        page: PageRequest | None = None,
        beside: Awaitable[Part] | None = None,
    ) -> list[View]:
        """Return numbers of an account with what is needed of them and another answer tells.

        It is read for all of them together. What cannot be had costs the fields that it would
        have filled in: they raise why. The `page` that they are on tells where to look for them;
        of one number, core may be asked already (`beside`).
        """
        found = await self._answers(account, numbers, needs, at, page, beside)
        if found is None:
            return list(numbers)
        return [
            _together({home: answers[place] for home, answers in found.items()}, needs)
            for place in range(len(numbers))
        ]

    async def _answers(
        self,
        account: str,
        numbers: Sequence[View],
        needs: Home,
        at: FieldPath,
        page: PageRequest | None = None,
        beside: Awaitable[Part] | None = None,
    ) -> dict[Home, list[Part]] | None:
        """Return all that is needed of numbers, answer by answer; None without the catalog."""
        found: dict[Home, list[Part]] = {}
        homes = {Source.CORE: Home.CORE, Source.CATALOG: Home.CATALOG}
        for source in {number.source for number in numbers}:
            found[homes[source]] = [
                number if number.source is source else None for number in numbers
            ]
        try:
            has_catalog = Home.CATALOG in found or await self.family(account, at) is CATALOG
        except GatewayError as error:
            found[Home.CATALOG] = found[Home.LISTED] = [error] * len(numbers)
            return found
        if not has_catalog:
            return None
        by_sid = [PhoneNumberLookup(account, "sid", number.sid) for number in numbers]
        if needs & (Home.CATALOG | Home.LISTED):
            known = found.get(Home.CATALOG)
            found[Home.CATALOG] = await self._told(CATALOG, by_sid, known, at, page)
        if needs & Home.CORE:
            known = found.get(Home.CORE)
            if known is None and beside is not None:
                known = await settled([self._patiently(beside, CORE, by_sid[0])])
            parts = await self._told(CORE, by_sid, known, at, page)
            found[Home.CORE] = [_not_shown() if part is None else part for part in parts]
        if needs & Home.LISTED:
            found[Home.LISTED] = await self._listed_by_catalog(account, found[Home.CATALOG], at)
        return found

    async def as_read(
        self,
        number: View,
        needs: Home,
        at: FieldPath,
        agrees: Callable[[View], bool] = lambda _: True,
    ) -> View:
        """Return a number that a write or an event has shown, as a read would show it.

        `agrees` tells whether what is read shows what was written. As long as it does not, it is
        older: then what both tell is taken from core, which has written it.
        """
        account = number.home
        of_catalog = number.source is Source.CATALOG
        if needs is not NOWHERE and of_catalog and not self.may_ask_catalog(account):
            return await self._as_core_reads(number, at)
        if not self._lacks(number, needs):
            return number
        if of_catalog:
            [shown] = await self.complete(account, [number], needs, at)
            return shown
        found = await self._answers(account, [number], needs, at)
        if found is None:
            return number
        told = {home: answers[0] for home, answers in found.items()}
        catalog = told[Home.CATALOG]
        if isinstance(catalog, View) and agrees(filled(told, homes_with(frozenset()))):
            return _together(told, needs)
        return filled(told, homes_with(TOLD_BY_CORE))

    async def _as_core_reads(self, number: View, at: FieldPath) -> View:
        """Return a number that has moved to where these credentials cannot ask the catalog."""
        key = PhoneNumberLookup(number.home, "sid", number.sid)
        [core] = await self._told(CORE, [key], None, at)
        if isinstance(core, Exception):
            parts: Parts = {Home.CORE: core, Home.LISTED: number}
            return filled(parts, homes_with(TOLD_BY_CORE))
        return core or number

    def _lacks(self, number: View, needs: Home) -> bool:
        """Whether the answer that a number comes from may lack what is needed of it."""
        if number.source is Source.CATALOG:
            if needs is NOWHERE or needs is Home.CATALOG:
                return False
            return bool(needs & Home.CORE) or not _is_listed(number)
        return needs is not NOWHERE and needs is not Home.CORE and self.may_ask_catalog(number.home)

    def _prepare(
        self, key: PhoneNumberLookup, needs: Home, at: FieldPath
    ) -> tuple[Family | None, asyncio.Future[Part] | None]:
        """Return the only family to ask for what is needed of a number; None for the usual one.

        Where core is needed beside the catalog, it is asked at once, and not behind it: what comes
        of that is returned, too. While it is unknown which family serves, both are asked anyway; of
        a number, only the one that is used says its sid.
        """
        if not self.may_ask_catalog(key.account):
            return None, None
        if needs is Home.CORE:
            return CORE, None
        if not needs & Home.CORE or (key.by == "sid" and self.must_find_family(key.account)):
            return None, None
        self._asked[CORE, key].append(at)
        # Nobody waits for it when there is no such number.
        return None, begun(self._loaders[CORE].load(key))

    async def _told(
        self,
        family: Family,
        keys: Sequence[PhoneNumberLookup],
        known: Sequence[Part] | None,
        at: FieldPath,
        page: PageRequest | None = None,
    ) -> list[Part]:
        """Return what a family tells of the numbers with these keys, as far as it is not known.

        They may be on one `page` of the other family's list.
        """
        parts: list[Part] = [None] * len(keys) if known is None else list(known)
        places = [place for place, part in enumerate(parts) if part is None]
        wanted = list(dict.fromkeys(keys[place] for place in places))
        if not wanted:
            return parts
        if len(wanted) == 1:
            self._asked[family, wanted[0]].append(at)
            load = self._loaders[family].load
            found = await self._each(wanted, lambda key: self._patiently(load(key), family, key))
        else:
            for key in wanted:
                self._asked[family, key].append(at)
            work = self._look_together(family, wanted, page)
            work = self._patiently(work, family, *wanted)
            [outcome] = await settled([work])
            failed = isinstance(outcome, BaseException)
            found = dict.fromkeys(wanted, outcome) if failed else outcome
        for place in places:
            part = found[keys[place]]
            if isinstance(part, BaseException) and not isinstance(part, GatewayError):
                raise part
            parts[place] = part
        return parts

    async def _look_together(
        self, family: Family, keys: Sequence[PhoneNumberLookup], page: PageRequest | None
    ) -> Found:
        """Look numbers up that stand together in one list, so that they may well in another."""
        account, found = keys[0].account, Found()
        if page is not None and is_near(page, len(keys)):
            found = await self._near(family, keys, page)
        left = [key for key in keys if key not in found]
        if left:
            found |= await self._load_account(account, left, family, listed=True)
        return found

    async def _near(
        self, family: Family, keys: Sequence[PhoneNumberLookup], asked: PageRequest
    ) -> Found:
        """Look for numbers in the pages of a list that stand nearest to a cursor of another."""
        account, left, found = keys[0].account, dict.fromkeys(keys), Found()
        query = asked.cursor.beside if asked.cursor is not None else None
        pages = 0
        while left and query and pages < lookup_strategy.NEAR_PAGES:
            try:
                page = await self._list_page(family, account, query, left, found, family)
                pages += 1
                query = page.previous_query() if asked.backwards else page.next_query
            except (UpstreamNotFound, UpstreamRefused):
                break  # What the reference names may be gone; the numbers are looked up as usual.
        self._note_primed(family, family, found, pages)
        return found

    async def _listed_by_catalog(
        self, account: str, shown: Sequence[Part], at: FieldPath
    ) -> list[Part]:
        """Return the numbers that the catalog shows, as its lists show them."""
        keys = {
            place: PhoneNumberLookup(account, "number", each.phone_number)
            for place, each in enumerate(shown)
            if isinstance(each, View) and not _is_listed(each)
        }
        parts = list(shown)
        found = await self._told(CATALOG, list(keys.values()), None, at)
        for place, part in zip(keys, found, strict=True):
            parts[place] = part
        return parts

    # Lists ------------------------------------------------------------------------------------

    def _list(self, family: Family, asked: OwnedList, at: FieldPath) -> UpstreamList:
        account, wanted, page = asked
        keeps = judge = None
        size = page.size
        if wanted:
            _, sifted, beside, _ = OWNED.means(family.source, wanted)
            keeps = OWNED.test(family.source, wanted, sifted)
            if beside:
                verdict = OWNED.verdict(family.source, wanted, beside)
                judge = partial(self._judge, family, account, verdict, at)
            if sifted or beside:
                size = MAX_PAGE_SIZE
                here = {*sifted, *beside}
                wanted = {path: value for path, value in wanted.items() if path not in here}
        exact = family is CORE and "phoneNumber" in wanted
        whole = not wanted and page.cursor is None
        return UpstreamList(
            partial(asked.list_id, family),
            partial(self._page, family, account, wanted, at=at),
            partial(_numbers, family, account, wanted=wanted),
            size=_LOOK_UP_SIZE if exact else size,
            counts=family is CATALOG,
            single=exact,  # An account has a number once.
            keeps=keeps,
            judge=judge,
            learn=partial(self._learn, account) if whole else None,
        )

    async def _judge(
        self,
        family: Family,
        account: str,
        verdict: Verdict,
        at: FieldPath,
        numbers: Sequence[View],
    ) -> list[bool | None]:
        """Return which of listed numbers are looked for, by what the other answers tell of them.

        What the catalog does not list, core tells of all together; what core does not list,
        exchanges tell, as far as calls last.

        Raises:
            GatewayError: that could not be read.
        """
        if family is CORE:
            if await self._is_served_by_catalog(account):
                return [None] * len(numbers)  # Its own list is used: nobody is shown this one.
            located = await self.beside.exchanges.locate_first(numbers, at)
            return list(map(verdict, located))
        keys = [PhoneNumberLookup(account, "sid", number.sid) for number in numbers]
        verdicts: list[bool | None] = []
        for part in await self._told(CORE, keys, None, at):
            if isinstance(part, Exception):
                raise part
            verdicts.append(None if part is None else verdict(part))
        return verdicts

    async def _is_served_by_catalog(self, account: str) -> bool:
        """Whether the catalog answers for an account, where it is being asked for the first time.

        It is not waited for longer than one attempt takes.
        """
        asking = self._deciding.get(account)
        if asking is None:
            return False
        catalog = asking.catalog
        await asyncio.wait((catalog,), timeout=self._reader.patience)
        return catalog.done() and not catalog.cancelled() and catalog.exception() is None

    def _learn(self, account: str, listed: int, more: bool) -> None:  # noqa: FBT001 - by `learn`
        self._sizes.learn(account, listed, more=more)

    def _note_read(self, account: str, numbers: list[View]) -> None:
        """Let later look-ups find what was read; it is sorted in only if there are any."""
        self._unsorted.append(numbers)
        self._note_seen(account, numbers)

    def _note_seen(self, account: str, numbers: Iterable[View]) -> None:
        credential = self._reader.credential
        if account != credential.account:
            self.seen.note(credential, account, (number.sid for number in numbers))

    async def _page(
        self,
        family: Family,
        account: str,
        wanted: Mapping[str, Any],
        query: str,
        size: int,
        number: int = 0,
        *,
        at: FieldPath,
        others: Sequence[FieldPath] = (),
    ) -> UpstreamPage:
        call = (
            family.page_call(account, wanted, query)
            if query
            else family.list_call(account, wanted, min(size, MAX_PAGE_SIZE), number)
        )
        try:
            page = family.read_page(await self._reader.read(call, (at,), others))
        except UpstreamNotFound as error:
            # Of the catalog's it says that the account does not have it, see `lacks_catalog`.
            if family is CORE:
                believe_missing(error)
            raise
        if family is CATALOG:
            self._access.note(account, has=True)
        if page.next_query is not None and page.next_query == query:
            raise UpstreamMalformed("The upstream's next page is the page itself.")
        return page

    # Batches ----------------------------------------------------------------------------------

    async def _load(
        self, keys: list[PhoneNumberLookup], family: Family | None = None
    ) -> list[View | BaseException | None]:
        """Answer all keys that fields asked for in one step of the execution."""
        accounts: dict[str, list[PhoneNumberLookup]] = defaultdict(list)
        for key in keys:
            accounts[key.account].append(key)
        outcomes = await settled(
            [self._load_account(account, keys, family) for account, keys in accounts.items()]
        )
        found: Found = {}
        for keys_of_one, outcome in zip(accounts.values(), outcomes, strict=True):
            failed = isinstance(outcome, BaseException)
            found |= dict.fromkeys(keys_of_one, outcome) if failed else outcome
        return [found[key] for key in keys]

    async def _load_account(
        self,
        account: str,
        keys: Sequence[PhoneNumberLookup],
        family: Family | None = None,
        *,
        listed: bool = False,
    ) -> Found:
        """Look numbers of an account up; they may stand close together in its list (`listed`)."""
        serving = family or self._known_family(account)
        choice = lookup_strategy.choose(len(keys), self._sizes.of(account), listed=listed)
        if serving is None and (len(keys) > 1 or keys[0].by == "sid"):
            return await self._load_from_either(account, keys, choice.strategy)
        numbers = [key for key in keys if key.by == "number"]
        sids = [key for key in keys if key.by == "sid"]
        by_number = partial(self._by_number, family=family)
        by_sid = partial(self._by_sid, family=serving)
        found: Found = {}
        if choice.strategy == "list" and serving is not None:
            found |= await self._from_list(account, keys, serving, family)
        # Numbers first: what they find may answer a sid as well.
        if numbers:
            found |= await self._each([key for key in numbers if key not in found], by_number)
            found_sids = {
                PhoneNumberLookup(account, "sid", each.sid): each
                for each in found.values()
                if isinstance(each, View)
            }
            also = {key: found_sids[key] for key in sids if key in found_sids and key not in found}
            for key, number in also.items():
                self._note_primed(FAMILIES[number.source], family, [key], 0)
            found |= also
        return found | await self._each([key for key in sids if key not in found], by_sid)

    async def _each(
        self, keys: Sequence[PhoneNumberLookup], fetch: Callable[[PhoneNumberLookup], Any]
    ) -> Found:
        return dict(zip(keys, await settled([fetch(key) for key in keys]), strict=True))

    async def _load_from_either(
        self, account: str, keys: Sequence[PhoneNumberLookup], strategy: str
    ) -> Found:
        """Look numbers up in core, and beside it in the first page of the catalog's list.

        That page tells whether the account has the catalog, and may hold all of them: as many calls
        as when the family is known, and one more. Core is asked for each of them or for a page,
        whichever is cheaper.
        """
        pages = strategy == "list"
        catalog = self._on_first_page(CATALOG, account, keys)
        core = (
            self._on_first_page(CORE, account, keys)
            if pages
            else self._any_of(self._load_account(account, keys, CORE))
        )
        family, found = await self.of_either(account, catalog, core)
        if pages:
            self._note_primed(family, None, found, 1)
        left = [key for key in keys if key not in found]
        return found | (await self._load_account(account, left, family) if left else {})

    async def _on_first_page(
        self, family: Family, account: str, keys: Sequence[PhoneNumberLookup]
    ) -> Found:
        """Return what the first page of a list tells of numbers with these keys."""
        at, *others = self._places(keys, None)
        page = await self._page(family, account, {}, "", MAX_PAGE_SIZE, at=at, others=others)
        more = page.next_query is not None
        self._sizes.learn(account, len(page.items), more=more)
        numbers = [number for number in _numbers(family, account, page.items) if number]
        self._note_seen(account, numbers)
        there = {key: number for number in numbers for key in _names(number)}
        return {key: there.get(key) for key in keys if key in there or not more}

    @staticmethod
    async def _any_of(work: Awaitable[Found]) -> Found:
        """Return what was found of several numbers; raise why if none could be looked for."""
        found = await work
        check_any(found.values())
        return found

    async def _from_list(
        self,
        account: str,
        keys: Sequence[PhoneNumberLookup],
        family: Family,
        only: Family | None,
    ) -> Found:
        """Look for the keys in list pages, as long as that is cheaper than asking for each."""
        left = dict.fromkeys(keys)
        found: Found = {}
        query, total, pages = "", 0, 0
        while left:
            page = await self._list_page(family, account, query, left, found, only)
            pages += 1
            total += len(page.items)
            self._sizes.learn(account, total, more=page.next_query is not None)
            if page.next_query is None:
                found |= dict.fromkeys(left)
                break
            if not lookup_strategy.go_on_listing(pages, len(left), self._sizes.of(account)):
                break
            query = page.next_query
        self._note_primed(family, only, found, pages)
        return found

    async def _list_page(
        self,
        family: Family,
        account: str,
        query: str,
        left: dict[PhoneNumberLookup, None],
        found: Found,
        only: Family | None,
    ) -> UpstreamPage:
        """Read a page of a list, and move the keys of what is on it from `left` to `found`."""
        at, *others = self._places(left, only)
        page = await self._page(family, account, {}, query, MAX_PAGE_SIZE, at=at, others=others)
        numbers = [number for number in _numbers(family, account, page.items) if number]
        self._note_seen(account, numbers)
        if only is None:
            self._unsorted.append(numbers)
        for number in numbers:
            for key in _names(number) & left.keys():
                found[key] = number
                del left[key]
                if only is not None:
                    self._beside[number.sid] = query
        if only is not None and numbers and page.next_query is not None:
            self._beside[numbers[-1].sid] = page.next_query
        return page

    def _note_primed(
        self,
        family: Family,
        only: Family | None,
        found: Iterable[PhoneNumberLookup],
        calls: int,
    ) -> None:
        """Note the look-ups that were answered by `calls` calls for other things."""
        answered = ((key, place) for key in found for place in self._asked[only, key])
        for key, place in islice(answered, calls, None):
            call = family.get_call(key.account, key.value)
            self._reader.trace.note_spared(call, "primed", (place,))

    async def _by_sid(self, key: PhoneNumberLookup, family: Family | None = None) -> View | None:
        serving = family or self._known_family(key.account)
        if serving is None:
            return await self._loader.load(key)
        return await self.shown(serving, key, *self._places((key,), family))

    def _read_as(self, family: Family, key: PhoneNumberLookup, answer: Answer) -> View | None:
        """Return the number with a sid that an answer of a family shows."""
        if family is CATALOG:
            self._access.note(key.account, has=True)
        raw = family.read_one(answer)
        number = (
            VIEWS[family.source]["PhoneNumber"](raw, key.account)
            if isinstance(raw, Record)
            else view("PhoneNumber", family.source, raw, key.account)
        )
        if number is None or number.sid.lower() != key.value.lower():
            raise UpstreamMalformed("The upstream shows another number than the one asked for.")
        if number.raw.account_sid != key.account:
            check_owner(number.raw.account_sid, key.account, family.source)
        if key.account != self._reader.credential.account:
            self._note_seen(key.account, (number,))
        return number

    async def _by_number(self, key: PhoneNumberLookup, family: Family | None = None) -> View | None:
        only = OwnedList(key.account, {"phoneNumber": key.value}, PageRequest(1))
        at = self._places((key,), family)[0]
        if family is None:
            listed = await self.page(only, at)
        else:
            listed = await read_slice(self._list(family, only, at), only.page)
        return listed.items[0] if listed.items else None

    def _places(self, keys: Iterable[PhoneNumberLookup], family: Family | None) -> list[FieldPath]:
        asked = self._asked
        return [place for key in keys for place in asked[family, key] or asked[None, key]]


class _Deciding(NamedTuple):
    """A read under way that will tell whether an account has the catalog.

    Attributes:
        catalog: what the catalog answers.
        decided: is over when that is known.
    """

    catalog: asyncio.Future[Any]
    decided: asyncio.Future[None]


def _numbers(
    family: Family, account: str, items: Iterable[object], wanted: Mapping[str, Any] = _EVERYTHING
) -> list[View | None]:
    """Return the views of a list's items; None for each that is no number with a sid.

    None too for a number that core lists for containing the one `wanted`.
    """
    core = family is CORE
    exact = wanted.get("phoneNumber") if core else None
    # Lists of one type do not repeat it. Records are shared among those who read such a list.
    token = filters.token(wanted["type"]) if core and "type" in wanted else None
    kind = VIEWS[family.source]["PhoneNumber"]
    found: list[View | None] = []
    for item in items:
        number: View | None
        if isinstance(item, Record):
            number = kind(item, account)
        else:
            number = view("PhoneNumber", family.source, item, account)
        if number is not None:
            raw = number.raw
            if raw.account_sid != account:
                check_owner(raw.account_sid, account, family.source)
            if token is not None and raw.type is None:
                raw.type = token
            number = number if raw.phone_number and (raw.sid or raw.url) else None
        if number is not None and exact is not None and not _is(number, exact):
            number = None
        found.append(number)
    return found


def is_near(page: PageRequest, numbers: int) -> bool:
    """Whether it is known where to look for the numbers of a page in the other family's list."""
    known = page.cursor is not None and page.cursor.beside
    return bool(known) and numbers > lookup_strategy.NEAR_PAGES


def _together(parts: Mapping[Home, Part], needs: Home) -> View:
    """Return a number of which these answers tell what is needed."""
    telling = {home: part for home, part in parts.items() if home in needs}
    [first, *others] = telling.values()
    if isinstance(first, View) and not others:
        return first
    shown = any(isinstance(part, View) for part in telling.values())
    return filled(telling if shown else parts, homes_with(frozenset()))


def _not_shown() -> UpstreamNotFound:
    """Return why fields of a number are null that the catalog shows, and core does not."""
    return UpstreamNotFound("The 2010-04-01 API does not show this number, as others do.")


def _is_listed(number: View) -> bool:
    """Whether a number of the catalog is shown as its lists show it: they say more."""
    return number.raw.configuration is None


def _is(number: View, exact: str) -> bool:
    """Whether a number is this one, and not listed for containing it.

    Raises:
        UpstreamMalformed: it does not even contain it.
    """
    if number.phone_number == exact:
        return True
    if exact.removeprefix("+") not in (number.phone_number or ""):
        raise UpstreamMalformed("The upstream shows another number than the one asked for.")
    return False


def _names(number: View) -> set[PhoneNumberLookup]:
    return {
        PhoneNumberLookup(number.home, "sid", number.sid),
        PhoneNumberLookup(number.home, "number", number.phone_number),
    }
