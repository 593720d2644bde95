"""What each field of the schema will ask of the upstream: one function for each, listed in `RULES`.

A rule reads the field's arguments as its resolver does, into the same value (`lookups.py`,
`search_request.py`, `write_inputs.py`): what that refuses, the plan refuses. Then it adds to the
plan what is asked for, and returns where the plan goes on.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from gateway.errors import GatewayError, UnsupportedFilters
from gateway.mapping import filters
from gateway.mapping.homes import NOWHERE, Home, fields_set, needed, only_catalog_tells
from gateway.numbers import cursors
from gateway.numbers.country_rules import PRICE_FOR_SALE, PRICE_OWNED
from gateway.numbers.exchanges import SHOWN_BY_EXCHANGES
from gateway.numbers.lookups import (
    AccountLookup,
    CountryLookup,
    FollowedNumbers,
    NamedNode,
    NodeLookups,
    OwnedList,
    PhoneNumberLookup,
    RateLimitLookup,
    SubaccountList,
)
from gateway.numbers.number_for_sale import searches_for
from gateway.numbers.page_request import PageRequest
from gateway.numbers.partition import LEAST_CUT_OFF, can_split
from gateway.numbers.search_request import (
    CountrySearch,
    SearchRequest,
    SimilarSearch,
)
from gateway.numbers.sifting import MOST_SIFTED_PAGES, OWNED
from gateway.numbers.whereabouts import asked_first, may_ask_others
from gateway.planning.plan import (
    NONE,
    ONE,
    Draft,
    Identity,
    Place,
    PlannedRead,
    PlannedWrites,
    Times,
    at_most,
    named,
)
from gateway.upstream.families import CATALOG, CORE, MAX_PAGE_SIZE, MOST_PAGES, Family
from gateway.writes.user_errors import Refusal
from gateway.writes.write_inputs import Asker, Configure, Purchase, Release, Transfer, W, Write
from schema.enums import NumberType, Source
from schema.selections import SelectedFields

Arguments: TypeAlias = Mapping[str, Any]
"""A field's arguments as its resolver gets them."""
Rule: TypeAlias = Callable[[Draft, Place, str, Arguments], Place]
"""Adds to a plan what the field at a path asks for each object at a place."""

# List sizes that the operation does not say: upper bounds to plan with.
_MOST_COUNTRIES = 250
_PAGE_SIZE = re.compile(r"page_?size=([0-9]+)", re.ASCII | re.IGNORECASE)


# Owned numbers ------------------------------------------------------------------------------------


def _phone_number(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    asked = PhoneNumberLookup.parse(draft.known.caller, **arguments)
    draft.look_up_number(path, asked, place.selected)
    return Place(path, Times(0, 1), (asked,), account=asked.account)


def _phone_number_by_identifier(
    draft: Draft, place: Place, path: str, arguments: Arguments
) -> Place:
    asked = PhoneNumberLookup.parse_identifier(draft.known.caller, **arguments)
    draft.look_up_number(path, asked, place.selected)
    return Place(path, Times(0, 1), (asked,), account=asked.account)


def _node(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    ids = [arguments["id"]]
    [node] = NodeLookups.parse(draft.known.caller, "id", ids).each
    if isinstance(node, GatewayError):
        raise node
    return _objects(draft, place, path, ids, [node])


def _nodes(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    ids = arguments["ids"]
    nodes: list[NamedNode] = []
    for index, node in enumerate(NodeLookups.parse(draft.known.caller, "ids", ids).each):
        if isinstance(node, GatewayError):
            draft.fail(index, node)
        else:
            nodes.append(node)
    return _objects(draft, place, path, ids, nodes)


def _objects(
    draft: Draft, place: Place, path: str, ids: Sequence[str], nodes: Sequence[NamedNode]
) -> Place:
    """Add the look-ups of what ids name, as far as they name something."""
    caller, seen = draft.known.caller, draft.known.numbers.seen
    accounts: set[str] = set()
    others = 0
    for node in nodes:
        if isinstance(node, AccountLookup):
            _read_account(draft, place, path, ("account", node.account))
            accounts.add(node.account)
            continue
        if isinstance(node, CountryLookup):
            here = _read_country(draft, place, path, node.code)
            if len(ids) == 1:
                return here
            continue
        first, *then = asked_first(node, caller, seen)
        draft.look_up_number(path, PhoneNumberLookup(first, "sid", node.sid), place.selected)
        for each in then:
            key = PhoneNumberLookup(each, "sid", node.sid)
            draft.look_up_number(path, key, place.selected, certain=False)
        if may_ask_others(caller):
            draft.look_elsewhere(path)
            draft.look_up_exchanges(path, ("sid", node.sid), 1, None, place.selected)
            others = draft.known.elsewhere
        accounts |= {first, *then}
    only = next(iter(accounts)) if len(accounts) == 1 and not others else None
    most = max(1, min(len(ids), len(accounts) + others))
    return Place(path, Times(0, len(ids)), ("nodes", *ids), accounts=most, account=only)


def _phone_numbers(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    return _list(draft, place, path, OwnedList.parse(draft.known.caller, **arguments))


def _phone_numbers_of(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    return _list(draft, place, path, OwnedList.of(place.account or "", **arguments))


def _list(draft: Draft, place: Place, path: str, asked: OwnedList) -> Place:
    """Add a list of the numbers of an account, of which it may not be known which one it is."""
    account, wanted, page = asked
    family, cold, listing = None, False, ""
    asks: Sequence[Family] = (CATALOG, CORE)
    if account:
        able = list(draft.known.numbers.able(account, wanted, needed(place.selected)))
        cold = page.cursor is None and able == [CATALOG, CORE] and draft.known.is_cold(account)
        listing = able[0].source.name
        if able[0] is CATALOG:
            draft.proof(path, account, least=place.times.least if page.cursor is None else 0)
        family = next(asked.starts(able))
        asks = able if cold else [family]
    size = draft.known.sizes.of(account)
    owned = size.at_least if size is not None and size.exact else None
    pages, reason = _pages(page, page.size, counts=family is CATALOG, length=owned)
    means = {each: OWNED.means(each.source, wanted) for each in asks}
    beside = {each: found.beside for each, found in means.items() if found.beside}
    sifted = {path for each in means.values() for path in (*each.sifted, *each.beside)}
    if sifted and (page.cursor is not None or not page.backwards):
        # Behind the page of a cursor that is gone back from, another one may have to be read.
        pages = MOST_SIFTED_PAGES + int(page.backwards)
        reason = (
            f"pages of {MAX_PAGE_SIZE} until {page.size} match or {MOST_SIFTED_PAGES} are read: the"
            f" gateway itself filters by {named(sorted(sifted))}"
        )
    identity = ("owned", account or place.identity, listing, _frozen(wanted), page)
    draft.read(
        place,
        path,
        [identity],
        PlannedRead(
            "GET a page of owned numbers",
            "page",
            kind="owned",
            each=Times(1, pages),
            extra=pages * place.times.most if cold else 0,
            reason=reason,
        ),
    )
    draft.fill(place, path, identity, asked)
    most, bound = at_most(page.size, owned, "numbers")
    numbers, selected = place.times.most * most, place.selected
    if CATALOG in beside:
        draft.fill_to_filter(place, path, identity, account, pages, beside[CATALOG])
    if CORE in beside:
        numbers, selected = place.times.most * pages * MAX_PAGE_SIZE, SHOWN_BY_EXCHANGES
    draft.look_up_exchanges(path, identity, numbers, account, selected)
    times = place.times.per(most)
    return Place(path, times, identity, place.accounts, account or None, bound=bound)


def _pages(page: PageRequest, size: int, *, counts: bool, length: int | None) -> tuple[int, str]:
    """Return how many pages there may be to read of the upstream's list, and why.

    Args:
        page: which page of it is asked for.
        size: how many items are needed of it.
        counts: its pages are told by size and number.
        length: how long it is, if that is known.
    """
    cursor, backwards = page.cursor, page.backwards
    if cursor is None and backwards:
        reason = "the whole list: nothing else leads to its end"
        return MOST_PAGES if length is None else max(1, _whole_pages(length)), reason
    one = f"one page of {page.size}; more if the upstream's pages are smaller"
    if cursor is None:
        return _whole_pages(size), one
    place = max(0, cursor.place)
    if counts and not cursor.query:
        if backwards:
            window = cursors.window_before(place, size, MAX_PAGE_SIZE)
            return _whole_pages(max(0, window.start + size - place)) + 1, one
        window = cursors.window(place, size, MAX_PAGE_SIZE)
        return _whole_pages(place + 1 + size - window.start), one
    said = _PAGE_SIZE.search(cursor.query)
    each = max(1, int(said[1])) if said else MAX_PAGE_SIZE if not cursor.query else 1
    if backwards:
        # The page of the cursor, and those before it that are needed beside.
        needed = 1 + -(-max(0, size - place) // each) if cursor.query else 1
    else:
        needed = -(-(cursor.place + 1 + size) // each)
    pages = min(MOST_PAGES, needed)
    if pages == 1:
        return 1, one
    return pages, f"pages as small as those that the cursor comes from; at most {pages}"


def _whole_pages(count: int) -> int:
    """Return how many of the largest pages hold so many items."""
    return -(-count // MAX_PAGE_SIZE)


def _phone_number_changed(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    asked = FollowedNumbers.parse(draft.known.caller, **arguments)
    account, wanted, page = asked.page
    draft.proof(path, account)
    draft.read(
        place,
        path,
        [("owned", account, "", _frozen(wanted), page)],
        PlannedRead(
            "GET a page of owned numbers",
            "page",
            kind="owned",
            extra=int(draft.known.is_cold(account)),
            reason="one page, to see that they may be followed; what is below, for each event",
        ),
    )
    return Place(path, Times(0, 1), ("change",), account=account)


def _number_of_event(draft: Draft, place: Place, path: str, _: Arguments) -> Place:
    needs, account = needed(place.selected), place.account
    from_catalog = account is not None and draft.known.numbers.may_ask_catalog(account)
    if needs:
        draft.read(
            place,
            path,
            [("number of event", path)],
            PlannedRead(
                "GET one number",
                "fill",
                kind="owned",
                each=Times(0, 2 if from_catalog and needs & Home.LISTED else 1),
                extra=int(draft.known.is_cold(account)),
                reason="for each event: what it does not tell itself",
            ),
        )
    identity = ("number of event", path)
    draft.look_up_exchanges(path, identity, place.times.most, account, place.selected)
    return Place(path, place.times, ("number of event",), account=account)


# Numbers for sale ---------------------------------------------------------------------------------


def _available_phone_numbers(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    asked = SearchRequest.parse(draft.known.caller, **arguments).telling(place.selected)
    return _search(draft, place, path, asked, asked.country)


def _available_in(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    asked = CountrySearch.parse(**arguments)
    is_named = place.identity[:1] == ("country",)
    country = str(place.identity[1]) if is_named else ""
    account = draft.known.caller.credential.account
    try:
        search = asked.within(account, country).telling(place.selected)
        return _search(draft, place, path, search, country or place.identity)
    except UnsupportedFilters:  # No country has the type: the field is null, without an error.
        return Place(path, Times(0, 0), (path,))


def _search(
    draft: Draft,
    place: Place,
    path: str,
    asked: SearchRequest,
    country: str | tuple[object, ...],
) -> Place:
    """Add a search; `country` is what names it, if its code is not known.

    Raises:
        UnsupportedFilters: only the catalog knows the filters, and it cannot be asked.
    """
    account, branches, first, most = asked.account, asked.branches, asked.first, asked.most
    source, *others = asked.sources
    if source is Source.CATALOG and others and not draft.known.numbers.may_ask_catalog(account):
        source, others = Source.CORE, []
    wished = bool(asked.wishes) and source is Source.CATALOG
    cold = source is Source.CATALOG and draft.known.is_cold(account)
    if source is Source.CATALOG:
        _ask_catalog(draft, place, path, asked)
    identities: list[tuple[object, ...]] = [
        (
            "search",
            account,
            each.country or country,
            each.type,
            _frozen(each.wanted),
            asked.page_size(source, each),
        )
        for each in branches
    ]
    count = len(identities)
    pages = max(asked.most_pages(source, each) for each in branches)
    reason = "one search" if count == 1 else f"{count} searches, one per type and area code"
    if source is Source.CATALOG:
        reason += "; more if the upstream's pages are smaller"
        reason += f"; the preview catalog of numbers tells {named(asked.wishes)}" * wished
        reason += f"; at most {pages} pages, until enough is found" * (pages > 1)
    elif untold := only_catalog_tells(place.selected):
        reason += f"; not asked is the preview catalog of numbers, which could tell {named(untold)}"
    draft.read(
        place,
        path,
        identities,
        PlannedRead(
            "GET numbers for sale",
            "search",
            kind="search",
            each=Times(1, pages),
            extra=count * place.times.most if cold and others else 0,
            reason=reason,
        ),
    )
    if source is Source.CORE or (others and cold):
        for each in branches:
            size = asked.page_size(Source.CORE, each)
            if most <= LEAST_CUT_OFF and size != MAX_PAGE_SIZE:
                continue
            if not isinstance(country, str) or can_split(
                each.country, each.wanted, draft.known.partition
            ):
                draft.split(path)
    if PRICE_FOR_SALE in place.selected:
        where = ("country", country) if isinstance(country, str) else country
        _read_prices(draft, place, path, where, "where a number has no price of its own")
    kinds = place.times.most * len({(each.country, each.type) for each in branches})
    return Place(path, place.times.per(first), (path, *identities), kinds=kinds)


def _ask_catalog(draft: Draft, place: Place, path: str, asked: SearchRequest) -> None:
    """Note that the catalog is searched.

    Raises:
        UnsupportedFilters: it cannot be, and only it knows the filters.
    """
    numbers = draft.known.numbers
    if not numbers.may_ask_catalog(asked.account):
        raise asked.without_catalog(numbers.without_catalog(asked.account))
    draft.proof(path, asked.account, least=place.times.least)


def _similar_available(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    asked = SimilarSearch.parse(**arguments)
    identity = ("similar", place.identity, asked)
    draft.read(
        place,
        path,
        [identity],
        PlannedRead(
            "GET numbers for sale",
            "search",
            kind="search",
            reason="one search per distinct place; numbers of one place share it",
        ),
    )
    first, start, _ = asked.page
    most = first if start is None else start.place + 1 + first
    if most > LEAST_CUT_OFF and place.times.most:
        draft.split(path)
    if PRICE_FOR_SALE in place.selected:
        reason = "where a number has no price of its own"
        _read_prices(draft, place, path, identity, reason, most=len(filters.NORTH_AMERICA))
    # They are local ones.
    return Place(path, place.times.per(first), identity, kinds=len(filters.NORTH_AMERICA))


# Accounts and countries ---------------------------------------------------------------------------


def _read_account(
    draft: Draft,
    place: Place,
    path: str,
    identity: tuple[object, ...],
    *,
    most: int | None = None,
    reason: str = "one call",
) -> None:
    draft.read(
        place,
        path,
        [identity],
        PlannedRead("GET the account", "get", kind="accounts", most=most, reason=reason),
    )


def _account_of(draft: Draft, place: Place, path: str, _: Arguments) -> Place:
    identity: tuple[object, ...] = ("account", place.account or place.identity)
    reason = "numbers of one account share it"
    _read_account(draft, place, path, identity, most=place.accounts, reason=reason)
    return Place(path, place.times, identity, place.accounts, place.account)


def _account(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    account = AccountLookup.parse(draft.known.caller, **arguments).account
    _read_account(draft, place, path, ("account", account))
    return Place(path, Times(0, 1), ("account", account), account=account)


def _subaccounts(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    asked = SubaccountList.of(place.account or "", **arguments)
    caller, page = draft.known.caller, asked.page
    identity = ("subaccounts", place.identity, page)
    if place.account not in {None, caller.credential.account}:
        return Place(path, NONE, identity)  # Who is no parent has none: nothing is asked.
    size = page.size + 2 if caller.accounts is None else MAX_PAGE_SIZE
    pages, reason = _pages(page, size, counts=False, length=None)
    draft.read(
        place,
        path,
        [("accounts", page)],
        PlannedRead(
            "GET the accounts",
            "page",
            kind="accounts",
            each=Times(int(place.account is not None), pages),
            most=pages,
            reason=reason,
        ),
    )
    # Only one account that is asked about can be the parent.
    own = draft.known.counts.subaccounts.exact(caller.credential.fingerprint)
    most, bound = at_most(page.size, own, "subaccounts")
    times = Times(0, min(1, place.times.most) * most)
    return Place(path, times, identity, max(1, times.most), bound=bound)


def _countries(draft: Draft, place: Place, path: str, _: Arguments) -> Place:
    draft.read(
        place, path, [("countries",)], PlannedRead("GET the countries", "get", kind="countries")
    )
    reader = draft.known.caller.credential.fingerprint
    known = draft.known.counts.countries.exact(reader)
    most, bound = at_most(_MOST_COUNTRIES, known, "countries")
    return Place(path, place.times.per(most), ("countries",), bound=bound)


def _country(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    return _read_country(draft, place, path, arguments["code"])


def _read_country(draft: Draft, place: Place, path: str, code: str) -> Place:
    identity = ("country", code)
    draft.read(place, path, [identity], PlannedRead("GET the country", "get", kind="countries"))
    return Place(path, Times(0, 1), identity)


def _prices(draft: Draft, place: Place, path: str, _: Arguments) -> Place:
    identity = ("prices", place.identity)
    reason = "one call for each country"
    draft.read(
        place,
        path,
        [identity],
        PlannedRead("GET the country's prices", "get", kind="countries", reason=reason),
    )
    return Place(path, place.times.per(len(NumberType)), identity)


def _read_prices(
    draft: Draft,
    place: Place,
    path: str,
    where: tuple[object, ...],
    reason: str,
    most: int = _MOST_COUNTRIES,
    each: int = 1,
) -> None:
    """Add the price lists that tell `monthlyPrice`: one call for each country."""
    draft.read(
        place,
        path,
        [("prices", where)],
        PlannedRead(
            "GET the country's prices",
            "fill",
            kind="countries",
            each=Times(0, each),
            most=most,
            reason=f"monthlyPrice by the price list, {reason}: one call for each country",
        ),
    )


def price_owned(draft: Draft, numbers: Place, path: str, selected: SelectedFields) -> None:
    """Add the price lists of owned numbers that a field yields, if their prices are selected."""
    if PRICE_OWNED in selected:
        # What is not told to be of one country is of one of these.
        each = len(filters.NORTH_AMERICA)
        _read_prices(draft, numbers, path, numbers.identity, "for owned numbers", each=each)


def _requirements(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    identity = ("requirements", place.identity, arguments.get("type"))
    _read_regulations(draft, place, path, identity, place.kinds, ONE)
    return Place(path, place.times, (*identity, arguments["end_user"]))


def _requirements_to_buy(draft: Draft, place: Place, path: str, _: Arguments) -> Place:
    if place.kinds:
        # Those of the kind that the number's digits tell; then of that which it is sold as.
        identity = ("requirements", place.identity)
        _read_regulations(draft, place, path, identity, 2 * place.kinds, Times(0, 2))
    return Place(path, place.times, (*place.identity, "requirements"))


def _read_regulations(
    draft: Draft, place: Place, path: str, identity: Identity, most: int | None, each: Times
) -> None:
    draft.read(
        place,
        path,
        [identity],
        PlannedRead(
            "GET the country's regulations",
            "get",
            kind="countries",
            each=each,
            most=most,
            reason="one call for each country and kind of number",
        ),
    )


def _rate_limit(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
    RateLimitLookup.parse(draft.known.caller, **arguments)
    return Place(path, place.times, ("rateLimit",))


# Writes -------------------------------------------------------------------------------------------

Cost: TypeAlias = Callable[[Draft, W], PlannedWrites]
_NOTHING = PlannedWrites(NONE, 0)


def _parsed(draft: Draft, kind: type[W], wanted: Any) -> list[W | Refusal]:  # noqa: ANN401 - a mutation's input
    """Return what is asked for by a singular or plural mutation, item by item."""
    asker = Asker(draft.known.caller, draft.known.webhooks, draft.written)
    items = getattr(wanted, "items", None)
    return [kind.parse(wanted, asker)] if items is None else kind.parse_each(items, asker)


def _written(call: str, kind: type[W], cost: Cost[W], looks_for: str, unless: str) -> Rule:
    """Return the rule of a mutation, singular and plural, whose item costs `cost`.

    Args:
        call: the write, in words.
        kind: what an item asks for.
        cost: what one item costs.
        looks_for: what the look-ups before it are for.
        unless: when a look-up keeps it from being sent.
    """

    def rule(draft: Draft, place: Place, path: str, arguments: Arguments) -> Place:
        total = _NOTHING
        going: list[W] = []
        parsed = _parsed(draft, kind, arguments["input"])
        draft.written = True
        for each in parsed:
            if isinstance(each, Refusal):
                draft.refuse(path, each)
            else:
                going.append(each)
                total = total.plus(_one(draft, path, cost, each))
        dry = "; nothing is sent for a dry run" if any(each.dry_run for each in going) else ""
        draft.look_up(path, total.looks, looks_for + dry)
        reason = "sent once" if total.sends == 1 else f"{total.sends} of them, each sent once"
        if total.looks.least:
            reason += f", unless {unless}"
        if any(each.key is not None for each in going):
            reason += "; not sent again if its key was used before"
        identity = draft.write(path, call, total.sends, reason, conditional=total.conditional)
        for each in going:
            _fill_written(draft, path, each, place.selected)
        # A transfer shows numbers of the account that they are moved to.
        accounts = {(each.account, getattr(each, "target", None)) for each in going}
        here = (*place.identity, *identity)
        kinds = sum(each.dry_run for each in going)
        return Place(path, Times(0, len(going)), here, max(1, len(accounts)), kinds=kinds)

    return rule


def _fill_written(draft: Draft, path: str, asked: Write, selected: SelectedFields) -> None:
    """Note what a number is read for after a write, whose answer does not tell all of it."""
    numbers, owner = draft.known.numbers, getattr(asked, "target", asked.account)
    unsupported = filters.unsupported(asked.sets, CATALOG.settings)
    by_catalog = numbers.may_ask_catalog(asked.account) and not unsupported
    needs = needed(selected if by_catalog else selected - fields_set(asked.sets))
    subject = getattr(asked, "sid", None) or asked.given["phoneNumber"]
    draft.look_up_exchanges(path, ("written", subject), 1, owner, selected)
    homes = NOWHERE
    if not numbers.may_ask_catalog(owner):
        homes = Home.CORE if by_catalog and needs else NOWHERE  # It has moved out of the catalog.
    elif by_catalog:
        homes = needs & (Home.CORE | Home.LISTED)
    elif needs & (Home.CATALOG | Home.LISTED):
        homes = Home.CATALOG | needs & Home.LISTED
    if homes and not asked.dry_run:
        key = PhoneNumberLookup(owner, "sid", subject)
        draft.look_up_beside(path, owner, key, homes, selected)


def _one(draft: Draft, path: str, cost: Cost[W], asked: W) -> PlannedWrites:
    """Return what one item costs, and note that its account must be proven, if so."""
    looks, sends, _ = writes = cost(draft, asked)
    if writes != _NOTHING:
        draft.proof(path, asked.account, least=int(asked.dry_run or asked.key is None))
    if asked.dry_run:
        return PlannedWrites(looks, 0)
    if asked.key is not None:
        return PlannedWrites(Times(0, looks.most), sends, conditional=True)
    return PlannedWrites(looks, sends, conditional=looks.least > 0)


def _finding(draft: Draft, account: str) -> Times:
    """Return what it costs to find a number by its sid, in whichever family."""
    # Of core and of the catalog's list, and of the catalog if that is long.
    return Times(1, 3 if draft.known.is_cold(account) else 1)


def _serving(draft: Draft, asked: Write, settings: Mapping[str, Any], looks: Times) -> Times:
    """Return what it costs to look, as `looks` in the family that is written to.

    While it is unknown which one, that is found out, and both are looked at.
    """
    if not draft.known.is_cold(asked.account) or filters.unsupported(settings, CATALOG.settings):
        return looks
    # What is written before may have shown which one it is.
    return Times(looks.least, 1 + 2 * looks.most)


def _set(draft: Draft, asked: Configure) -> PlannedWrites:
    return PlannedWrites(_serving(draft, asked, asked.settings, ONE), 1)


def _buy(draft: Draft, asked: Purchase) -> PlannedWrites:
    apis = 1 + int(draft.known.is_cold(asked.account))  # Both, while it is unknown which serves.
    bought = PlannedWrites(Times(1, apis), 1)
    if asked.most is None and not asked.dry_run:
        return bought
    rounds = searches_for(asked.account, asked.phone_number)
    most = apis * sum(len(each.branches) for searches in rounds for each in searches)
    most += int(asked.most is not None) + int(asked.dry_run)  # Is the account on trial?
    return bought._replace(looks=bought.looks.plus(Times(0, most)))


def _transfer(draft: Draft, asked: Transfer) -> PlannedWrites:
    look_anyway = asked.dry_run or asked.target == asked.account
    unsupported = filters.unsupported(asked.documents, CATALOG.settings)
    by_catalog = not unsupported and draft.known.numbers.may_ask_catalog(asked.account)
    if look_anyway:
        found = _serving(draft, asked, asked.documents, ONE)
        if asked.dry_run:
            found = found.plus(Times(0, 1))  # May the other account be given it?
    elif by_catalog:
        # Core's path names the owner: only the catalog needs to look.
        is_cold = draft.known.is_cold(asked.account)
        found = Times(0, 2) if is_cold else ONE
    else:
        found = NONE
    if asked.target == asked.account:
        return PlannedWrites(found, 0)  # It is not sent: there, or not there, it cannot move.
    # Where it is not, it is looked for where it was to go.
    there = Times(0, _finding(draft, asked.target).most)
    return PlannedWrites(found.plus(there), 1)


def _release(draft: Draft, asked: Release) -> PlannedWrites:
    # An emergency address that the catalog shows is registered or not, as core knows.
    registered = int(draft.known.numbers.may_ask_catalog(asked.account))
    return PlannedWrites(_finding(draft, asked.account).plus(Times(0, registered)), 1)


def _frozen(values: Mapping[str, Any]) -> str:
    return repr(sorted(values.items(), key=lambda item: item[0]))


_PURCHASE = _written(
    "POST a purchase",
    Purchase,
    _buy,
    "whether the account owns it already: it is not bought twice; with a limit, what it costs; for"
    " a dry run, whether it is for sale to the account, and which address it requires",
    "the account owns it already",
)
_CONFIGURE = _written(
    "POST a change",
    Configure,
    _set,
    "whether the account owns it, and how it is set",
    "the account does not own it",
)
_TRANSFER = _written(
    "POST a change",
    Transfer,
    _transfer,
    "whether the account owns it, or which family serves the account",
    "the account does not own it",
)
_RELEASE = _written(
    "DELETE the number",
    Release,
    _release,
    "whether the account owns it, and that it is the number which was confirmed",
    "the account does not own it, or it is another number",
)
RULES: Final[Mapping[str, Rule]] = {
    "Query.phoneNumber": _phone_number,
    "Query.phoneNumberByIdentifier": _phone_number_by_identifier,
    "Query.phoneNumbers": _phone_numbers,
    "Query.availablePhoneNumbers": _available_phone_numbers,
    "Query.countries": _countries,
    "Query.country": _country,
    "Query.account": _account,
    "Query.rateLimit": _rate_limit,
    "Query.node": _node,
    "Query.nodes": _nodes,
    "Account.phoneNumbers": _phone_numbers_of,
    "Account.subaccounts": _subaccounts,
    "PhoneNumber.account": _account_of,
    "PhoneNumber.similarAvailable": _similar_available,
    "Country.availablePhoneNumbers": _available_in,
    "Country.prices": _prices,
    "Country.requirements": _requirements,
    "AvailablePhoneNumber.requirements": _requirements,
    "PurchasePhoneNumberPayload.requirements": _requirements_to_buy,
    "Mutation.purchasePhoneNumber": _PURCHASE,
    "Mutation.purchasePhoneNumbers": _PURCHASE,
    "Mutation.configurePhoneNumber": _CONFIGURE,
    "Mutation.configurePhoneNumbers": _CONFIGURE,
    "Mutation.transferPhoneNumber": _TRANSFER,
    "Mutation.transferPhoneNumbers": _TRANSFER,
    "Mutation.releasePhoneNumber": _RELEASE,
    "Mutation.releasePhoneNumbers": _RELEASE,
    "PhoneNumberEvent.phoneNumber": _number_of_event,
    "Subscription.phoneNumberChanged": _phone_number_changed,
}
"""The rule of each field, by type and name."""
FREE: Final[frozenset[str]] = frozenset()
"""Fields with a resolver that neither asks nor refuses anything: they need no rule."""
