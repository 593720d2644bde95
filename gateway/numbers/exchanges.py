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
from typing import Final, NamedTuple, TypeAlias

import msgspec

from gateway.errors import GatewayError, UpstreamNotFound, believe_missing
from gateway.mapping import filters
from gateway.mapping.numbering_plan import origin
from gateway.mapping.records import View, view
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
_DIGITS: Final = slice(2, 8)


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
_UNKNOWN: Final = ExchangeFacts()
_decode = msgspec.json.Decoder(ExchangeFacts).decode


def exchange_of(number: View) -> Exchange | None:
    """Return the exchange of a number of which the upstream does not tell where it belongs.

    None where it does, and for numbers that belong to no place: outside the US and Canada,
    toll-free and mobile ones.
    """
    if number.source is not Source.CORE or _is_told(number):
        return None
    digits = number.phone_number
    told = origin(digits) if isinstance(digits, str) else None
    if told is None or told.country not in filters.NORTH_AMERICA:
        return None
    if told.type is not NumberType.LOCAL or number.type not in {None, NumberType.LOCAL}:
        return None
    return Exchange(told.country, digits[_DIGITS])


def _is_told(number: View) -> bool:
    raw = number.raw
    return any(each is not None for each in (raw.iso_country, raw.rate_center, raw.lata))


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
        self._asked: dict[Exchange, Shared[ExchangeFacts]] = {}

    async def of(self, numbers: Sequence[View], at: FieldPath) -> list[Told]:
        """Return what the exchanges of numbers tell, all looked up at once.

        Nothing is known of those for which no call is left.
        """
        exchanges = [exchange_of(number) for number in numbers]
        found: dict[Exchange, Told] = {}
        coming = {each: self._begin(each, at) for each in exchanges if each is not None}
        for exchange, shared in coming.items():
            try:
                found[exchange] = await shared.wait()
            except GatewayError as error:
                found[exchange] = error
        return [None if each is None else found[each] for each in exchanges]

    def _begin(self, exchange: Exchange, at: FieldPath) -> Shared[ExchangeFacts]:
        shared = self._asked.get(exchange)
        if shared is None:
            looking = asyncio.ensure_future(self._look_up(exchange, at))
            shared = self._asked[exchange] = Shared(looking)
        return shared

    async def _look_up(self, exchange: Exchange, at: FieldPath) -> ExchangeFacts:
        # Every grammar of patterns knows digits alone; who asks for an account may search for it.
        wanted = {"areaCode": exchange.digits[:3], "contains": exchange.digits}
        account = self._reader.credential.account
        call = CORE.search_call(account, exchange.country, _PATH, wanted, _PAGE_SIZE)
        name = f"exchange:{exchange.digits}"
        kept = await self._facts.find(name)
        if kept is not None:
            with suppress(msgspec.DecodeError):  # Another release may have written it.
                facts = _decode(kept)
                self._reader.trace.note_spared(call, "cached", (at,))
                return facts
        if not self._calls.take(1):
            return _UNKNOWN
        facts = _facts_of(exchange, await self._search(call, at))
        seconds = _UNKNOWN_SECONDS if None in facts else None
        await self._facts.keep(name, msgspec.json.encode(facts), seconds)
        return facts

    async def _search(self, call: Call, at: FieldPath) -> Iterable[object]:
        try:
            return CORE.read_search(await self._reader.read(call, (at,)))
        except UpstreamNotFound as error:
            believe_missing(error)
            return ()


def _facts_of(exchange: Exchange, found: Iterable[object]) -> ExchangeFacts:
    """Return what numbers for sale tell of an exchange; nothing where they disagree."""
    prefix = f"+1{exchange.digits}"
    places = [
        number.geography
        for item in found
        if (number := view("AvailablePhoneNumber", Source.CORE, item))
        and str(number.phone_number).startswith(prefix)
    ]
    return ExchangeFacts(
        _only(each.rate_center for each in places), _only(each.lata for each in places)
    )


def _only(values: Iterable[str | None]) -> str | None:
    told = {value for value in values if value is not None}
    return told.pop() if len(told) == 1 else None
