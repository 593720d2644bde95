"""What numbers of a country cost and what the law asks for there, as one request sees them."""

from gateway.errors import UpstreamNotFound, believe_missing
from gateway.mapping import country_answers
from gateway.upstream import country_apis
from gateway.upstream.flights import Reader
from schema.enums import EndUser, NumberType
from schema.info import FieldPath
from schema.values import NumberPrice, Requirements


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

    async def requirements(
        self, country: str, kind: NumberType, end_user: EndUser, at: FieldPath
    ) -> Requirements | None:
        """Return what is asked of who wants to own a number; None when nothing is."""
        written = country_answers.REGULATED_TYPES.get(kind)
        if written is None:
            return None
        account = self._reader.credential.home
        call = country_apis.regulations_call(account, country, written, str(end_user.value))
        found = country_apis.read_objects(await self._reader.read(call, (at,)), "results")
        for each in found:
            if each.get("end_user_type") == end_user.value:
                return country_answers.requirements(each, end_user)
        return None
