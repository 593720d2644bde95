"""Look-ups of owned numbers, answered together: all that fields ask for in one step of a run."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from typing import Any, TypeAlias

from msgspec import field

from gateway.errors import UpstreamDenied, UpstreamNotFound
from gateway.mapping.homes import NOWHERE
from gateway.mapping.records import View
from gateway.numbers import lookup_strategy
from gateway.numbers.list_pages import read_slice
from gateway.numbers.loader import Loader
from gateway.numbers.lookups import OwnedList, PhoneNumberLookup
from gateway.numbers.owned_calls import views_of
from gateway.numbers.owned_lists import LOOK_UP_SIZE, OwnedLists
from gateway.numbers.page_request import PageRequest
from gateway.numbers.sifting import OWNED
from gateway.upstream.families import (
    CATALOG,
    CORE,
    FAMILIES,
    MAX_PAGE_SIZE,
    Family,
    UpstreamPage,
)
from gateway.waiting import check_any, settled
from schema.info import FieldPath

_Loader: TypeAlias = Loader[PhoneNumberLookup, View | None]
Found: TypeAlias = dict[PhoneNumberLookup, View | BaseException | None]


class LookupBatches(OwnedLists):
    """The look-ups of one request."""

    # What was read, before it is sorted in and behind that.
    _unsorted: list[list[View]] = field(default_factory=list)
    _read: dict[PhoneNumberLookup, View] = field(default_factory=dict)

    @cached_property
    def _asked(self) -> defaultdict[tuple[Family | None, PhoneNumberLookup], list[FieldPath]]:
        """The fields that ask for a number, of a family; None: of the usual one."""
        return defaultdict(list)

    @cached_property
    def _beside(self) -> dict[str, str]:
        """Of numbers that are found in a list for being on a page of another: `Cursor.beside`."""
        return {}

    @cached_property
    def _loader(self) -> _Loader:
        return Loader(self._load)

    @cached_property
    def _loaders(self) -> Mapping[Family, _Loader]:
        """What looks numbers up in one family, whichever is the usual one."""
        return {family: Loader(self._load, family=family) for family in (CATALOG, CORE)}

    def _already_read(self, key: PhoneNumberLookup) -> View | None:
        for numbers in self._unsorted:
            for number in numbers:
                self._read |= dict.fromkeys(_names(number), number)
        self._unsorted.clear()
        return self._read.get(key)

    def _note_read(self, account: str, numbers: list[View]) -> None:
        """Let later look-ups find what was read; it is sorted in only if there are any."""
        self._unsorted.append(numbers)
        self._note_seen(account, numbers)

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
        numbers = [number for number in views_of(family, account, page.items) if number]
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
        numbers = [number for number in views_of(family, account, page.items) if number]
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
        places: dict[FieldPath, list[PhoneNumberLookup]] = defaultdict(list)
        answered = ((key, place) for key in found for place in self._asked[only, key])
        for key, place in islice(answered, calls, None):
            places[place].append(key)
        for place, keys in places.items():
            spared = (family.get_call(each.account, each.value) for each in keys)
            self._reader.trace.note_all_spared(spared, len(keys), "primed", place)

    async def _by_sid(self, key: PhoneNumberLookup, family: Family | None = None) -> View | None:
        serving = family or self._known_family(key.account)
        if serving is None:
            return await self._loader.load(key)
        return await self.shown(serving, key, *self._places((key,), family))

    async def _by_number(
        self, key: PhoneNumberLookup, family: Family | None = None, at: FieldPath | None = None
    ) -> View | None:
        """Look a number up for the field `at`, or else for those that were noted to ask for it."""
        at = at or self._places((key,), family)[0]
        serving = family or self._known_family(key.account)
        if serving is None:
            _, listed = await self._listed(_only(key), NOWHERE, at)
            found = listed.items
        else:
            try:
                found = await self._at_the_front(serving, key, at)
            except (UpstreamNotFound, UpstreamDenied) as error:
                if family is not None or not self.lacks_catalog(serving, key.account, error):
                    raise
                found = await self._at_the_front(CORE, key, at)
        if family is None:
            self._note_read(key.account, found)
        return found[0] if found else None

    async def _at_the_front(
        self, family: Family, key: PhoneNumberLookup, at: FieldPath
    ) -> list[View]:
        """Return what is asked for, which mostly stands at the front of a family's list."""
        wanted = {"phoneNumber": key.value}
        size = 1 if family is CATALOG else LOOK_UP_SIZE
        first = await self._page(family, key.account, wanted, "", size, at=at)
        found = [each for each in views_of(family, key.account, first.items, wanted) if each]
        if found or first.next_query is None:
            return found[:1]
        only, means = _only(key), OWNED.means(family.source, wanted)
        return (await read_slice(self._list(family, only, means, at), only.page)).items

    def _places(self, keys: Iterable[PhoneNumberLookup], family: Family | None) -> list[FieldPath]:
        asked = self._asked
        return [place for key in keys for place in asked[family, key] or asked[None, key]]


def _only(key: PhoneNumberLookup) -> OwnedList:
    """Return the list in which a number, looked up by itself, stands alone."""
    return OwnedList(key.account, {"phoneNumber": key.value}, PageRequest(1))


def _names(number: View) -> set[PhoneNumberLookup]:
    return {
        PhoneNumberLookup(number.home, "sid", number.sid),
        PhoneNumberLookup(number.home, "number", number.phone_number),
    }
