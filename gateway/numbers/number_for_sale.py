"""One number that is for sale: what it is and costs is seen before it is bought."""

from collections.abc import Sequence
from typing import Final

from gateway.errors import UpstreamNotFound
from gateway.mapping import filters
from gateway.mapping.numbering_plan import origin
from gateway.mapping.records import View
from gateway.numbers.country_rules import PRICE_FOR_SALE, CountryRules
from gateway.numbers.page_request import PageRequest
from gateway.numbers.search import Result, Search
from gateway.numbers.search_request import SearchRequest
from gateway.waiting import begun, settled
from schema.enums import NumberType
from schema.info import FieldPath
from schema.selections import SelectedFields

_SEARCHED: Final = tuple(NumberType[name] for name in filters.CORE_SEARCH_PATHS)
PRICED: Final[SelectedFields] = frozenset({PRICE_FOR_SALE})
"""What is selected of a number whose price is wanted."""


class NumberForSale:
    """Finds numbers for sale by their digits."""

    def __init__(self, search: Search, rules: CountryRules) -> None:
        self._search = search
        self._rules = rules

    async def find(
        self, account: str, number: str, selected: SelectedFields, at: FieldPath
    ) -> View | None:
        """Return a number as it is for sale to an account, with what is selected of it.

        None: it is not for sale where it belongs, or it does not tell where it belongs.

        Raises:
            GatewayError: it could not be looked for everywhere, and was not found elsewhere.
        """
        for together in searches_for(account, number):
            found = await self._find(together, number, selected, at)
            if found is not None:
                return found
        return None

    async def _find(
        self,
        searches: Sequence[SearchRequest],
        number: str,
        selected: SelectedFields,
        at: FieldPath,
    ) -> View | None:
        failure: BaseException | None = None
        searches = [each.telling(selected) for each in searches]
        prices = {
            each.country: begun(self._rules.prices(each.country, at))
            for each in searches
            if PRICE_FOR_SALE in selected and self._search.may_ask_core(each)
        }
        outcomes = await settled([self._search.run(each, at) for each in searches])
        for asked, outcome in zip(searches, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failure = _stronger(failure, outcome)
                continue
            for error in (each.error for each in outcome.failures):
                failure = _stronger(failure, error)
            if (found := _shown(outcome, number)) is not None:
                if PRICE_FOR_SALE not in selected:
                    return found
                [priced] = await self._rules.priced(
                    [found], at, asked.country, prices.get(asked.country)
                )
                return priced
        if failure is not None:
            raise failure
        return None


def searches_for(account: str, number: str) -> list[list[SearchRequest]]:
    """Return the searches that show a number if it is for sale, one round after the other.

    The first is for the kind that the number tells, which may be sold as another one. There are
    none if it tells no country; toll-free ones, and what else begins as those of North America do
    and tells none, the US and Canada may have.
    """
    country, kind, _ = origin(number)
    countries: Sequence[str] = [country] if country else []
    if not country and (kind is NumberType.TOLL_FREE or number.startswith("+1")):
        countries = sorted(filters.NORTH_AMERICA, reverse=True)
    others = tuple(each for each in _SEARCHED if each is not kind)
    rounds = [others] if kind is None else [(kind,), others]
    wanted = {"phoneNumber": number}
    return [
        [SearchRequest.of(account, each, kinds, wanted, PageRequest(1)) for each in countries]
        for kinds in rounds
        if countries
    ]


def _stronger(one: BaseException | None, other: BaseException) -> BaseException | None:
    """Return what keeps a number from being looked for; a country without such ones does not."""
    return one if isinstance(other, UpstreamNotFound) else one or other


def _shown(result: Result, number: str) -> View | None:
    return next((each for each in result.numbers if each.phone_number == number), None)
