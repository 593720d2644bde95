"""Pages of a list, forwards or backwards, over upstream pages of whatever size.

The upstream's pages lead to each other by references; cursors (`cursors.py`) lead into them. The
order is the upstream's.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, partial
from itertools import compress
from typing import NamedTuple, Protocol, TypeVar, cast

from gateway.errors import (
    BadUserInput,
    DeadlineExceeded,
    UpstreamMalformed,
    UpstreamNotFound,
    UpstreamRefused,
    UpstreamTimeout,
)
from gateway.mapping.records import View
from gateway.numbers import cursors
from gateway.numbers.page_request import PageRequest
from gateway.numbers.relay_pages import ConnectionPage, Places, Standing
from gateway.numbers.sifting import MOST_SIFTED_PAGES
from gateway.upstream.families import MAX_PAGE_SIZE, MOST_PAGES, UpstreamPage

T = TypeVar("T")


class Slice(NamedTuple):
    """A page of a list.

    Attributes:
        items: what is on it.
        places: the place of each of them.
        earlier: there is something before them.
        more: there is something behind them.
        backwards: they were looked for towards the list's start.
        stopped: from where to look on for others, if that was stopped before the page was full.
        unsure: of some that were left out, on the way to its end, it is not known whether they are
            looked for.
    """

    items: list[View]
    places: Places
    earlier: bool
    more: bool
    backwards: bool = False
    stopped: cursors.Cursor | None = None
    unsure: bool = False


def page_of(listed: Slice) -> ConnectionPage:
    """Return what stands in for a connection of the schema."""
    items, places, earlier, more, backwards, stopped, unsure = listed
    start, end = (stopped, None) if backwards else (None, stopped)
    page = ConnectionPage(items, partial(Standing, places, more, earlier, start, end))
    page.exhaustive = not (unsure or (earlier if backwards else more))
    return page


class _Placed(NamedTuple):
    """What a page shows, and where each of it stands in the page."""

    places: Sequence[int]
    items: list[View]

    def part(self, which: slice) -> "_Placed":
        """Return some of it."""
        return _Placed(self.places[which], self.items[which])

    def first(self, count: int) -> "_Placed":
        """Return the first of it, at most so many."""
        return self if len(self.items) <= count else self.part(slice(count))


class ReadPage(Protocol):
    """Reads one of the upstream's pages."""

    def __call__(self, query: str, size: int, number: int = 0) -> Awaitable[UpstreamPage]:
        """Return the page of a query; without one, that of a size and number."""


class Judge(Protocol):
    """Tells of items, by what is read beside them, whether they are looked for."""

    def __call__(self, items: Sequence[View]) -> Awaitable[Sequence[bool | None]]:
        """Return what is known of the first of them; None for one of which nothing can be.

        Of fewer than asked about, if no more can be read for now.
        """


class UpstreamList(NamedTuple):
    """A list of the upstream.

    Attributes:
        name: returns the name that its cursors have, see `cursors.list_id`.
        read: reads one of its pages.
        show: returns the views of a page's items; None for each that is not shown.
        size: how many items are needed of it at first.
        counts: its pages are told by size and number: so many items from its start.
        single: it shows one item at most.
        gaps: a page may show nothing although it has items.
        keeps: tells whether an item is one of those that are looked for; None for all. They are
            looked for in `MOST_SIFTED_PAGES`, or as many as come in time.
        judge: tells the same of those that are kept; None for all. The others are looked for only
            as far as it goes at once.
        learn: is told how many items there are from its start, and whether there are more; None
            where only a part of it is read.
    """

    name: Callable[[], str]
    read: ReadPage
    show: Callable[[Sequence[object]], list[View | None]]
    size: int
    counts: bool = False
    single: bool = False
    gaps: bool = False
    keeps: Callable[[View], bool] | None = None
    judge: Judge | None = None
    learn: Callable[[int, bool], None] | None = None

    @property
    def sifts(self) -> bool:
        """Whether some of its items are not looked for."""
        return self.keeps is not None or self.judge is not None

    @property
    def most_pages(self) -> int:
        """In how many of its pages is looked for what a page shows."""
        return MOST_SIFTED_PAGES if self.sifts else MOST_PAGES

    def note_length(self, total: int, page: UpstreamPage) -> None:
        """Note how many items there are up to the end of a page, from the list's start."""
        if self.learn is not None:
            self.learn(total, page.next_query is not None)

    async def in_time(self, work: Awaitable[T]) -> T | None:
        """Read a further page; None if it does not come in time, where items are looked for.

        Then what was found is shown, and from where to look on.
        """
        try:
            return await work
        except (DeadlineExceeded, UpstreamTimeout):
            if not self.sifts:
                raise
            return None

    def placed(
        self, page: UpstreamPage, seen: set[str], start: int = 0, end: int | None = None
    ) -> _Placed:
        """Return what a page shows between two places of it, but for what was seen already."""
        shown, keeps = self.show(page.items[start:end]), self.keeps
        places: Sequence[int] = range(start, start + len(shown))
        if seen or keeps is not None or not all(shown):
            places = [
                place
                for place, item in zip(places, shown, strict=True)
                if item is not None
                and not (seen and item.sid in seen)
                and (keeps is None or keeps(item))
            ]
            shown = [shown[place - start] for place in places]
        placed = _Placed(places, cast("list[View]", shown))
        return placed.first(1) if self.single else placed

    async def judged(self, placed: _Placed) -> "_Judged":
        """Return those of what a page shows that are looked for, in the order of looking."""
        places, items = placed
        if self.judge is None or not items:
            return _Judged(placed)
        verdicts = await self.judge(items)
        return _Judged(
            _Placed(list(compress(places, verdicts)), list(compress(items, verdicts))),
            places[len(verdicts)] if len(verdicts) < len(places) else None,
            unsure=None in verdicts,
        )

    def names(self, page: UpstreamPage, start: int = 0, end: int | None = None) -> list[str]:
        """Return the sids of what stands between two places of a page; "" for what is not shown."""
        shown = self.show(page.items[start:end])
        return [item.sid if item is not None else "" for item in shown]

    def trail(self, page: UpstreamPage, place: int, before: str) -> str:
        """Return the trail of a cursor at a place of a page, behind the trail `before` the page."""
        names = self.names(page, max(0, place + 1 - cursors.TRAIL), place + 1)
        return cursors.extended(before, [name for name in names if name])


class _Judged(NamedTuple):
    """What of a page is looked for.

    Attributes:
        placed: that, with the places in the page.
        stop: place of the first item of which that is yet to be found out; None if there is none.
        unsure: of some items it cannot be known; they are left out.
    """

    placed: _Placed
    stop: int | None = None
    unsure: bool = False


async def read_slice(listing: UpstreamList, asked: PageRequest) -> Slice:
    """Return a page of a list.

    Raises:
        BadUserInput: its end is asked for, and is too far away.
        UpstreamMalformed: so many of the upstream's pages show nothing.
    """
    read = _read_backwards if asked.backwards else _read_forwards
    return await read(listing, asked)


class _Found(NamedTuple):
    """What was come by in one page.

    Attributes:
        page: the page.
        places: where each of it stands in the page.
        query: see `_Spot`.
        base: see `_Spot`.
        begin: of each of it, see `cursors.Seen.start`.
    """

    page: UpstreamPage
    places: Sequence[int]
    query: str
    base: int | None
    begin: int


class _Walked:
    """What was come by, in order, and what cursors behind each tell to find their place again.

    Args:
        listing: the list.
        before: marks of what stands before the first of them.
        behind: marks of what stands behind the last of them, if they are read backwards.
        unsure: see `Slice`.
    """

    def __init__(
        self, listing: UpstreamList, before: str, behind: str | None = None, *, unsure: bool
    ) -> None:
        self.unsure = unsure
        self.items: list[View] = []
        self._found: list[_Found] = []
        self._following = ""  # Query of the page right behind the last of them.
        self._listing = listing
        self._before = before
        self._behind = behind

    def add(
        self, page: UpstreamPage, placed: _Placed, query: str, base: int | None, begin: int
    ) -> None:
        """Add the next of a page, with where each of them stands in it."""
        self.items += placed.items
        self._found.append(_Found(page, placed.places, query, base, begin))

    def places(self) -> Places:
        """Return their places, also of those that are yet to be added."""
        places = Places(self._listing.name, self._marks)
        places.tell = self._tell
        return places

    def lead_on(self, query: str) -> None:
        """Let the cursor behind the last of them lead straight to the next page."""
        self._following = query

    @cached_property
    def _each(self) -> list[tuple[_Found, int]]:
        """In which page each of them was found, and where; once all were added."""
        return [(found, place) for found in self._found for place in found.places]

    def _marks(self) -> list[tuple[str, int]]:
        marks = [
            (found.query, place) if found.base is None else ("", found.base + place)
            for found, place in self._each
        ]
        if self._following:
            marks[-1] = (self._following, -1)
        return marks

    def stopped(
        self, page: UpstreamPage, query: str, base: int | None, begin: int
    ) -> cursors.Cursor | None:
        """Return the cursor behind the last page that was looked through, before that of `query`.

        None where nothing was looked for: it is behind the last item.

        Raises:
            UpstreamMalformed: there is none.
        """
        if not self._listing.sifts:
            _check_shown(self.items)
            return None
        mark = (query, -1) if base is None else ("", max(0, base - 1))
        return self._cursor(mark, page, len(page.items) - 1, begin)

    def stopped_at(
        self, page: UpstreamPage, stop: int, query: str, base: int | None, begin: int
    ) -> cursors.Cursor:
        """Return the cursor right before a place of a page, from where to look on."""
        mark = (query, stop - 1) if base is None else ("", base + stop - 1)
        return self._cursor(mark, page, stop - 1, begin)

    def _cursor(
        self, mark: tuple[str, int], page: UpstreamPage, last: int, begin: int
    ) -> cursors.Cursor:
        seen = cursors.Seen(begin, self._listing.trail(page, last, self._before))
        return cursors.Cursor(self._listing.name(), *mark, (seen,), int(self.unsure))

    def _tell(self, at: int) -> tuple[tuple[cursors.Seen, ...], int]:
        found, place = self._each[at]
        leads_on = self._following and at == len(self._each) - 1
        begin = 0 if leads_on else found.begin
        if self._listing.sifts:
            trail = self._listing.trail(found.page, place, self._before)
        else:
            last = self.items[max(0, at + 1 - cursors.TRAIL) : at + 1]
            trail = cursors.extended(self._before, [item.sid for item in last])
        unsure = int(self._listing.sifts and self.unsure)
        if self._behind is None:
            return (cursors.Seen(begin, trail),), unsure
        following = [item.sid for item in self.items[at + 1 : at + 1 + cursors.TRAIL]]
        ahead = cursors.Seen(0, cursors.preceded(following, self._behind))
        return (cursors.Seen(begin, trail), ahead), unsure


# Forwards -----------------------------------------------------------------------------------------


class _Spot(NamedTuple):
    """Where a walk through a list begins.

    Attributes:
        query: of the upstream's page; "" for one that is asked for by its size and number.
        skip: items of the page that stand before it.
        base: place of the page's first item in the whole list; None where pages do not count.
    """

    query: str
    size: int
    number: int = 0
    skip: int = 0
    base: int | None = None


async def _read_forwards(listing: UpstreamList, asked: PageRequest) -> Slice:
    """Follow the upstream's pages until the page is full."""
    start, count = asked.cursor, asked.size
    query, size, number, skip, base = await _begin(listing, start)
    began = skip + (base or 0)
    earlier = bool(query) or began > 0
    before = start.seen[0].trail if start is not None and start.seen else ""
    walked = _Walked(listing, before, unsure=_is_unsure(asked))
    items, places = walked.items, walked.places()
    seen: set[str] = set()
    total = 0
    page = UpstreamPage((), None)
    for further in range(listing.most_pages):
        coming = listing.read(query, size, number)
        following = await (listing.in_time(coming) if further else coming)
        if following is None:
            break
        page = following
        total += len(page.items)
        # Something may move from page to page while they are read, but not within one page.
        if page.next_query or seen or query:
            seen.update(item.sid for item in items)
        fresh, stop, unsure = await listing.judged(listing.placed(page, seen, skip))
        walked.unsure |= unsure
        begin = skip if base is None else began
        room = count - len(items)
        walked.add(page, fresh.first(room), query, base, begin)
        if len(fresh.items) > room or (listing.single and fresh.items):
            return Slice(items, places, earlier, more=not listing.single)
        if stop is not None:
            here = walked.stopped_at(page, stop, query, base, begin)
            return Slice(items, places, earlier, more=True, stopped=here)
        listing.note_length(total, page)
        if page.next_query is None:
            return Slice(items, places, earlier, more=False, unsure=walked.unsure)
        if base is not None:
            base += len(page.items)
        elif len(items) == count:
            walked.lead_on(page.next_query)
        if len(items) == count and not listing.gaps:
            return Slice(items, places, earlier, more=True)
        query, skip, number = page.next_query, 0, 0
    stopped = walked.stopped(page, query, base, began)
    return Slice(items, places, earlier, more=True, stopped=stopped)


def _is_unsure(asked: PageRequest) -> bool:
    """Whether something that may be looked for was left out before the cursor of a page."""
    return asked.cursor is not None and asked.cursor.turn > 0


def _check_shown(items: Sequence[View]) -> None:
    if not items:
        message = f"{MOST_PAGES} pages of the upstream's list hold no number or account to show."
        raise UpstreamMalformed(message)


async def _begin(listing: UpstreamList, start: cursors.Cursor | None) -> _Spot:
    """Return where a walk begins: at the start of a list, or behind a cursor."""
    if start is None:
        return _Spot("", listing.size, base=0 if listing.counts else None)
    # References of pages that count, too, were put into cursors by older releases.
    counted = listing.counts and not start.query
    return await (_resume_counted if counted else _resume)(listing, start)


async def _resume(listing: UpstreamList, start: cursors.Cursor) -> _Spot:
    """Return where a list goes on whose pages have names of their own."""
    # A place in the first page is found again only in a page that reaches beyond it.
    spot = _Spot(start.query, start.place + 1 + listing.size, skip=start.place + 1)
    if not start.seen or start.place < 0:
        return spot
    seen, names = start.seen[0], listing.names(await listing.read(spot.query, spot.size))
    behind = seen.behind(names, start.place)
    return spot._replace(skip=min(seen.start, len(names)) if behind is None else behind)


async def _resume_counted(listing: UpstreamList, start: cursors.Cursor) -> _Spot:
    """Return where a list goes on whose pages are so many items from its start."""
    place = max(0, start.place)
    window = cursors.window(place, listing.size, MAX_PAGE_SIZE)
    window, page = await _read_window(listing, window, place)
    spot = _Spot("", *window, start.place + 1 - window.start, window.start)
    if not start.seen:
        return spot
    seen, names = start.seen[0], listing.names(page)
    behind = seen.behind(names, place - window.start)
    if behind is not None:
        return spot._replace(skip=behind)
    if not window.number and page.next_query is None:
        return spot._replace(skip=min(seen.start, len(names)))
    pages, names = await _look_for(listing, seen)
    behind = seen.behind(names)
    behind = min(seen.start, len(names)) if behind is None else behind
    query, base = _page_of(behind, pages)
    return _Spot(query, MAX_PAGE_SIZE, skip=behind - base, base=base)


async def _read_window(
    listing: UpstreamList, window: cursors.Window, place: int
) -> tuple[cursors.Window, UpstreamPage]:
    """Return a page of a list that counts, or the smaller one that holds a place of it."""
    try:
        page = await listing.read("", *window)
    except (UpstreamNotFound, UpstreamRefused):
        if not window.number:
            raise
        page = UpstreamPage((), None)  # The list has become too short to have this page.
    if page.next_query is not None and 0 < len(page.items) < window.size:
        # The upstream's pages are smaller than what was asked for.
        window = cursors.Window(len(page.items), place // len(page.items))
        page = await listing.read("", *window)
    return window, page


async def _look_for(
    listing: UpstreamList, seen: cursors.Seen
) -> tuple[list[tuple[str, int]], list[str]]:
    """Look for the last items seen through a whole list.

    Returns:
        The queries of its pages, with the places at which they begin; and its names so far.
    """
    pages: list[tuple[str, int]] = []
    names: list[str] = []
    query: str | None = ""
    while query is not None and len(pages) < MOST_PAGES:
        page = await listing.read(query, MAX_PAGE_SIZE)
        found = listing.names(page)
        pages.append((query, len(names)))
        names += found
        query = None if seen.ends_among(found) else page.next_query
    return pages, names


def _page_of(place: int, pages: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """Return the page that holds a place, and where it begins."""
    return next(each for each in reversed(pages) if each[1] <= place)


# Backwards ----------------------------------------------------------------------------------------


class _Opened(NamedTuple):
    """A page that was read.

    Attributes:
        query: see `_Spot`.
        base: see `_Spot`.
    """

    page: UpstreamPage
    query: str
    base: int | None


_BACKWARDS = slice(None, None, -1)


class _End(NamedTuple):
    """Where a walk towards the start of a list begins.

    Attributes:
        opened: the page in which it begins, at the end, and pages before it that are open already.
        place: how many items of that page stand before it.
    """

    opened: list[_Opened]
    place: int


async def _read_backwards(listing: UpstreamList, asked: PageRequest) -> Slice:
    """Follow the upstream's pages towards the list's start until the page is full."""
    count, cursor = asked.size, asked.cursor
    opened, place = await (
        _open_end(listing, count) if cursor is None else _open_before(listing, cursor, count)
    )
    at = opened.pop()
    more = place < len(at.page.items) or at.page.next_query is not None
    pieces: list[tuple[_Placed, _Opened]] = []
    seen: set[str] = set()
    full, previous = False, None
    stop: int | None = None
    unsure = _is_unsure(asked)
    for _ in range(listing.most_pages + len(opened)):
        if previous is not None:
            reading = _open_previous(listing, opened, at, previous)
            before = await listing.in_time(reading)
            if before is None:
                break
            at = before
            place = len(at.page.items)
        backwards = listing.placed(at.page, seen, 0, place).part(_BACKWARDS)
        placed, stop, unknown = await listing.judged(backwards)
        unsure |= unknown
        seen.update(item.sid for item in placed.items)
        pieces.insert(0, (placed.part(_BACKWARDS), at))
        previous = at.page.previous_query()
        full = len(seen) > count or (len(seen) == count and not listing.gaps)
        if full or stop is not None or previous is None:
            break
    stopped = None
    if stop is not None and len(seen) <= count:
        stopped = _stopped_behind(listing, [at for _, at in pieces], stop, unsure=unsure) or cursor
    elif previous is not None and listing.sifts and not full:
        stopped = _stopped_before(listing, pieces[0][1], 0, unsure=unsure)
    elif previous is not None:
        _check_shown([item for placed, _ in pieces for item in placed.items])
    # Only the first of the pages can show too much.
    placed, at = pieces[0]
    surplus = max(0, len(seen) - count)
    pieces[0] = placed.part(slice(surplus, None)), at
    left_out = cursors.trail([item.sid for item in placed.items[:surplus]])
    behind = "" if cursor is None else cursor.rest
    walked = _Walked(listing, left_out, behind, unsure=unsure)
    began = next((placed.places[0] + (at.base or 0) for placed, at in pieces if placed.items), 0)
    for placed, at in pieces:
        if placed.items:
            begin = placed.places[0] if at.base is None else began
            walked.add(at.page, placed, at.query, at.base, begin)
    earlier = surplus > 0 or stop is not None or previous is not None
    return Slice(
        walked.items, walked.places(), earlier, more, backwards=True, stopped=stopped, unsure=unsure
    )


def _stopped_before(
    listing: UpstreamList, at: _Opened, place: int, *, unsure: bool
) -> cursors.Cursor:
    """Return the cursor of an item of a page, before which nothing was looked for."""
    mark = (at.query, place) if at.base is None else ("", at.base + place)
    following = filter(None, listing.names(at.page, place + 1, place + 1 + cursors.TRAIL))
    seen = (
        cursors.Seen(mark[1], listing.trail(at.page, place, "")),
        cursors.Seen(0, cursors.preceded(list(following), "")),
    )
    return cursors.Cursor(listing.name(), *mark, seen, int(unsure))


def _stopped_behind(
    listing: UpstreamList, opened: Sequence[_Opened], stop: int, *, unsure: bool
) -> cursors.Cursor | None:
    """Return the cursor of the item behind a place of the first of these pages; None at the end."""
    for at in opened:
        for place, name in enumerate(listing.names(at.page)):
            if name and place > stop:
                return _stopped_before(listing, at, place, unsure=unsure)
        stop = -1
    return None


async def _open_previous(
    listing: UpstreamList, opened: list[_Opened], at: _Opened, query: str
) -> _Opened:
    """Return the page before one: the last of those that are open already, if there are any."""
    if opened:
        return opened.pop()
    page = await listing.read(query, listing.size)
    base = None if at.base is None else max(0, at.base - len(page.items))
    return _Opened(page, query, base)


async def _open_before(listing: UpstreamList, cursor: cursors.Cursor, count: int) -> _End:
    """Return where a cursor stands."""
    query, place = cursor.query, cursor.place
    if listing.counts and not query:
        place = max(0, place)
        window = cursors.window_before(place, max(count, listing.size), MAX_PAGE_SIZE)
        window, page = await _read_window(listing, window, place)
        at, place = _Opened(page, "", window.start), place - window.start
    else:
        at = _Opened(await listing.read(query, max(0, place) + 1), query, None)
        if place < 0:
            previous = at.page.previous_query()
            if previous is None:
                return _End([at], 0)
            at = await _open_previous(listing, [], at, previous)
            place = len(at.page.items) - bool(cursor.seen)
    names = listing.names(at.page)
    if not cursor.seen:
        return _End([at], min(place, len(names)))
    first, *behind = cursor.seen
    found = first.before(names, place)
    if found is None and behind:
        # At the start of a page it tells nothing: the number itself may be on the page before.
        found = behind[0].ahead(names) or None
    if found is not None:
        return _End([at], found)
    pages, every = await _look_for(listing, first)
    found = first.before(every)
    if found is None and behind:
        found = behind[0].ahead(every)
    if found is None:
        # Rather an item twice than one left out.
        return _End([at], len(names))
    query, base = _page_of(found, pages)
    page = await listing.read(query, MAX_PAGE_SIZE)
    return _End([_Opened(page, query, base if listing.counts else None)], found - base)


async def _open_end(listing: UpstreamList, count: int) -> _End:
    """Return the end of a list, to which only its whole length leads."""
    opened: list[_Opened] = []
    query, total = "", 0
    for _ in range(MOST_PAGES):
        page = await listing.read(query, MAX_PAGE_SIZE)
        opened.append(_Opened(page, query, total if listing.counts else None))
        total += len(page.items)
        listing.note_length(total, page)
        if page.next_query is None:
            return _End(opened, len(page.items))
        # Who filters may need all of them.
        if not listing.sifts and sum(len(each.page.items) for each in opened[1:]) >= count:
            del opened[0]
        query = page.next_query
    message = f"the upstream's list is longer than {MOST_PAGES} pages: read it with `first`."
    raise BadUserInput("last", message)
