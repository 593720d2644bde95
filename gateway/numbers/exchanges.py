"""Rate center and LATA of owned numbers that the upstream does not tell: those of their exchange.

Fact: an exchange, the first six digits of a North American number (NPA-NXX), belongs to one rate
center, and a rate center to one LATA; blocks of a thousand numbers are shared out among carriers,
but within their rate center (Industry Numbering Committee: Thousands-Block Number Pooling
Administration Guidelines). So any number for sale in the exchange tells them. Town, postal code and
coordinates are said of a number and not of an exchange: another one's are never taken.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import takewhile
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from gateway.errors import GatewayError, UpstreamNotFound, believe_missing
from gateway.mapping import filters
from gateway.mapping.numbering_plan import EXCHANGE_LENGTH, NORTH_AMERICAN, origin
from gateway.mapping.records import View, number_type, view
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.call import Call
from gateway.upstream.families import CORE
from gateway.upstream.flights import Reader
from gateway.upstream.public_facts import PublicFacts
from gateway.waiting import Shared
from schema.enums import NumberType, Source
from schema.info import FieldPath

SHOWN_BY_EXCHANGES: Final = frozenset({"Geography.rateCenter", "Geography.lata"})
"""The fields for which exchanges are looked up, if they are selected of owned numbers."""
# Other numbers may hold the digits of an exchange farther behind: few of them, and not wanted.
_PAGE_SIZE: Final = 50
_PATH: Final = filters.CORE_SEARCH_PATHS[NumberType.LOCAL.name]
# What was not found may be for sale tomorrow.
_UNKNOWN_SECONDS: Final = 86_400.0
# Area code and prefix, without `+1`.
_DIGITS: Final = slice(2, EXCHANGE_LENGTH)


class Exchange(NamedTuple):
    """An exchange: its country, and area code and prefix of its numbers (`415555`)."""

    country: str
    digits: str


class ExchangeFacts(NamedTuple):
    """What is known of an exchange; None where it is not."""

    rate_center: str | None = None
    lata: str | None = None


Told: TypeAlias = ExchangeFacts | GatewayError | None
"""What an exchange tells of a number; why that could not be read; None when nothing is to be."""
_NOT_ASKED: Final = ExchangeFacts()
"""What is known of an exchange for which no call was left."""
_NAMED: Final = "exchange:"
_decode = msgspec.json.Decoder(ExchangeFacts).decode


@lru_cache(maxsize=4096)
def _exchange(prefix: str, kind: str | None) -> Exchange | None:
    """Return the exchange of numbers of a kind that begin so; None where they have none.

    Those outside the US and Canada, toll-free and mobile ones belong to no place.
    """
    told = origin(prefix.ljust(NORTH_AMERICAN, "0"))
    if told.country not in filters.NORTH_AMERICA or told.type is not NumberType.LOCAL:
        return None
    if number_type(kind) not in {None, NumberType.LOCAL}:
        return None
    return Exchange(told.country, prefix[_DIGITS])


def _exchanges_of(numbers: Iterable[View]) -> list[Exchange | None]:
    """Return the exchanges of numbers of which the upstream does not tell where they belong.

    None for each of which it does, or which has none.
    """
    found: list[Exchange | None] = []
    for number in numbers:
        raw, exchange = number.raw, None
        if number.source is Source.CORE and (
            raw.iso_country is None and raw.rate_center is None and raw.lata is None
        ):
            digits, kind = raw.phone_number, raw.type
            if isinstance(digits, str) and digits[:2] == "+1" and len(digits) == NORTH_AMERICAN:
                exchange = _exchange(
                    digits[:EXCHANGE_LENGTH], kind if isinstance(kind, str) else None
                )
        found.append(exchange)
    return found


class Exchanges:
    """Exchanges as one request sees them: each is looked up once, by one search for all numbers.

    Args:
        reader: makes the searches.
        facts: keeps what they found.
        calls: what is left for them.
    """

    def __init__(self, reader: Reader, facts: PublicFacts, calls: SpareCalls) -> None:
        self._reader = reader
        self._facts = facts
        self._calls = calls
        self._asked: dict[Exchange, ExchangeFacts | Shared[ExchangeFacts]] = {}

    async def of(self, numbers: Sequence[View], at: FieldPath) -> Sequence[Told]:
        """Return what the exchanges of numbers tell, all looked up at once.

        Nothing is known of those for which no call is left.
        """
        exchanges = _exchanges_of(numbers)
        found: dict[Exchange | None, Told] = dict.fromkeys(exchanges)
        wanted = [each for each in found if each is not None]
        if not wanted:
            return [None] * len(exchanges)
        self._note_at_hand(wanted, at)
        coming = [each for each in wanted if each not in self._asked]
        self._asked |= {each: self._begin(each, at) for each in coming}
        for exchange in wanted:
            known = self._asked[exchange]
            try:
                found[exchange] = known if isinstance(known, ExchangeFacts) else await known.wait()
            except GatewayError as error:
                found[exchange] = error
        return [found[each] for each in exchanges]

    async def locate_first(self, numbers: Sequence[View], at: FieldPath) -> list[View]:
        """Return numbers with what their exchanges tell: the first of them, as far as calls last.

        All, if no request has any calls for that.

        Raises:
            GatewayError: what the exchange of one of them tells could not be read.
        """
        told = await self.of(numbers, at)
        if self._calls.all:
            told = list(takewhile(lambda each: each is not _NOT_ASKED, told))
        for each in told:
            if isinstance(each, GatewayError):
                raise each
        return located(numbers[: len(told)], told)

    def _note_at_hand(self, exchanges: Iterable[Exchange], at: FieldPath) -> None:
        """Note what is known of exchanges without asking anybody."""
        names = {_NAMED + each.digits: each for each in exchanges if each not in self._asked}
        known: dict[Exchange, ExchangeFacts] = {}
        for name, fact in self._facts.at_hand(names).items():
            try:
                known[names[name]] = _decode(fact)
            except msgspec.DecodeError:
                continue  # Another release may have written it.
        self._asked |= known
        self._reader.trace.note_all_spared(map(self._call, known), len(known), "cached", at)

    def _begin(self, exchange: Exchange, at: FieldPath) -> Shared[ExchangeFacts]:
        return Shared(asyncio.ensure_future(self._look_up(exchange, at)))

    async def _look_up(self, exchange: Exchange, at: FieldPath) -> ExchangeFacts:
        call, name = self._call(exchange), _NAMED + exchange.digits
        kept = await self._facts.find(name)
        if kept is not None:
            with suppress(msgspec.DecodeError):  # Another release may have written it.
                facts = _decode(kept)
                self._reader.trace.note_spared(call, "cached", (at,))
                return facts
        if not self._calls.take(1):
            return _NOT_ASKED
        facts = _facts_of(exchange, await self._search(call, at))
        seconds = _UNKNOWN_SECONDS if None in facts else None
        await self._facts.keep(name, msgspec.json.encode(facts), seconds)
        return facts

    def _call(self, exchange: Exchange) -> Call:
        # Every grammar of patterns knows digits alone; who asks for an account may search for it.
        wanted = {"areaCode": exchange.digits[:3], "contains": exchange.digits}
        account = self._reader.credential.account
        return CORE.search_call(account, exchange.country, _PATH, wanted, _PAGE_SIZE)

    async def _search(self, call: Call, at: FieldPath) -> Iterable[object]:
        try:
            return CORE.read_search(await self._reader.read(call, (at,)))
        except UpstreamNotFound as error:
            believe_missing(error)
            return ()


def located(numbers: Sequence[View], told: Sequence[Told]) -> list[View]:
    """Return numbers with what their exchanges tell of them.

    An error is told in place of values: whoever reads one of them raises it.
    """
    found = []
    for number, each in zip(numbers, told, strict=True):
        if each is None:
            found.append(number)
            continue
        if isinstance(each, ExchangeFacts):
            raw = replace(number.raw, rate_center=each.rate_center, lata=each.lata)
        else:
            raw = replace(number.loosened(), rate_center=each, lata=each)
        found.append(replace(number, raw=raw))
    return found


def _facts_of(exchange: Exchange, found: Iterable[object]) -> ExchangeFacts:
    """Return what numbers for sale tell of an exchange; nothing where they disagree."""
    prefix = f"+1{exchange.digits}"
    places = [
        place
        for item in found
        if (number := view("AvailablePhoneNumber", Source.CORE, item))
        and str(number.phone_number).startswith(prefix)
        and (place := number.geography)
    ]
    return ExchangeFacts(
        _only(each.rate_center for each in places), _only(each.lata for each in places)
    )


def _only(values: Iterable[str | None]) -> str | None:
    told = {value for value in values if value is not None}
    return told.pop() if len(told) == 1 else None
