"""What numbers of a country cost and what the law asks for there, as one request sees them."""

from collections.abc import Awaitable, Collection, Iterable, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from gateway.errors import GatewayError, UpstreamNotFound, believe_missing
from gateway.mapping import country_answers, filters
from gateway.mapping.numbering_plan import origin
from gateway.mapping.records import View
from gateway.upstream import country_apis
from gateway.upstream.flights import Reader
from gateway.waiting import awaited, settled
from schema.enums import EndUser, NumberType
from schema.info import FieldPath
from schema.values import Money, NumberPrice, Requirements

PRICE_FOR_SALE: Final = "AvailablePhoneNumber.monthlyPrice"
PRICE_OWNED: Final = "PhoneNumber.monthlyPrice"
"""The fields for which lists of prices are read, if they are selected."""

_Listed: TypeAlias = list[NumberPrice] | GatewayError | None
"""What came of reading a list of prices."""


class CountryRules:
    """Prices and requirements. What is read is about a country, and kept as countries are."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def prices(self, country: str, at: FieldPath) -> list[NumberPrice] | None:
        """Return what each kind of number of a country costs; None where no prices are listed."""
        call = country_apis.prices_call(self._reader.credential.home, country)
        try:
            answer = await self._reader.read(call, (at,))
        except UpstreamNotFound as error:
            believe_missing(error)
            return None
        items = country_apis.read_objects(answer, "phone_number_prices")
        return country_answers.prices(items, answer.json().get("price_unit"))

    async def priced(
        self,
        numbers: Sequence[View],
        at: FieldPath,
        country: str = "",
        coming: Awaitable[list[NumberPrice] | None] | None = None,
    ) -> list[View]:
        """Return numbers with what one of their kind costs, where no answer tells their own price.

        A list that cannot be read costs the prices alone: they raise why.

        Args:
            numbers: the numbers, for sale or owned.
            at: the field that shows them.
            country: where they are for sale; else each tells itself where it belongs. Toll-free
                ones of North America may not: they cost what all its lists say, if they agree.
            coming: its prices, where they are asked for already.
        """
        priced = list(numbers)
        asking: dict[int, Collection[str]] = {}
        for place, number in enumerate(numbers):
            try:
                if number.monthly_price is None:
                    asking[place] = (country,) if country else _countries(number)
            except GatewayError as error:  # What would tell where it belongs could not be read.
                priced[place] = number.priced(error)
        wanted = dict.fromkeys(chain.from_iterable(asking.values()))
        reads = [self.prices(where, at) if coming is None else awaited(coming) for where in wanted]
        lists = dict(zip(wanted, await settled(reads), strict=True))
        for found in lists.values():
            if isinstance(found, BaseException) and not isinstance(found, GatewayError):
                raise found
        for place, countries in asking.items():
            number = numbers[place]
            priced[place] = number.priced(_price(number, [lists[each] for each in countries]))
        return priced

    async def requirements(
        self, country: str, kind: NumberType, end_user: EndUser, *at: FieldPath
    ) -> Requirements | None:
        """Return what is asked of who wants to own a number; None when nothing is."""
        for each in await self.regulations(country, kind, *at):
            if each.get("end_user_type") == end_user.value:
                return country_answers.requirements(each, end_user)
        return None

    async def regulations(
        self, country: str, kind: NumberType, *at: FieldPath
    ) -> list[dict[str, Any]]:
        """Return the regulations for a kind of number, one for each kind of user: one call."""
        written = country_answers.REGULATED_TYPES.get(kind)
        if written is None:
            return []
        call = country_apis.regulations_call(self._reader.credential.home, country, written)
        return country_apis.read_objects(await self._reader.read(call, at), "results")


def _countries(number: View) -> Collection[str]:
    """Return the countries of which a number is one, as far as that is known."""
    geography = number.geography
    if geography is not None and geography.iso_country:
        return (geography.iso_country,)
    is_american = number.phone_number.startswith("+1")
    is_shared = is_american and _kind(number) is NumberType.TOLL_FREE
    return sorted(filters.NORTH_AMERICA) if is_shared else ()


def _kind(number: View) -> NumberType | None:
    return number.type or origin(number.phone_number).type


def _price(number: View, lists: Iterable[_Listed]) -> Money | GatewayError | None:
    """Return what one of its kind costs by each of these lists that has it; None if they differ."""
    kind = _kind(number)
    prices: list[Money] = []
    for found in lists:
        if isinstance(found, GatewayError):
            return found
        prices += [each.monthly_price for each in found or () if each.type is kind][:1]
    return prices[0] if prices and all(each == prices[0] for each in prices) else None
