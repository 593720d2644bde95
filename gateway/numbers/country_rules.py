"""What numbers of a country cost and what the law asks for there, as one request sees them."""

from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Final

from gateway.errors import GatewayError, UpstreamNotFound, believe_missing
from gateway.mapping import country_answers
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
            country: where they are for sale; else each tells itself where it belongs.
            coming: its prices, where they are asked for already.
        """
        priced = list(numbers)
        asking: dict[str, list[int]] = defaultdict(list)
        for place, number in enumerate(numbers):
            try:
                if number.monthly_price is None and (where := country or _country(number)):
                    asking[where].append(place)
            except GatewayError as error:  # What would tell where it belongs could not be read.
                priced[place] = number.priced(error)
        reads = [self.prices(where, at) if coming is None else awaited(coming) for where in asking]
        lists = await settled(reads)
        for found, places in zip(lists, asking.values(), strict=True):
            if isinstance(found, BaseException) and not isinstance(found, GatewayError):
                raise found
            for place in places:
                number = numbers[place]
                failed = isinstance(found, GatewayError)
                priced[place] = number.priced(found if failed else _price(number, found or ()))
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


def _country(number: View) -> str | None:
    geography = number.geography
    return geography.iso_country if geography is not None else None


def _price(number: View, prices: Iterable[NumberPrice]) -> Money | None:
    kind = number.type or origin(number.phone_number).type
    return next((each.monthly_price for each in prices if each.type is kind), None)
