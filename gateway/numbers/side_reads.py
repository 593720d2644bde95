"""What is read beside owned numbers, where it is selected: prices, and what exchanges tell."""

from asyncio import gather
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from gateway.mapping.records import View
from gateway.numbers.country_rules import PRICE_OWNED, CountryRules
from gateway.numbers.exchanges import SHOWN_BY_EXCHANGES, Exchanges, located
from gateway.numbers.spare_calls import SpareCalls
from gateway.upstream.flights import Reader
from gateway.upstream.public_facts import PublicFacts
from schema.enums import Source
from schema.info import FieldPath
from schema.selections import SelectedFields

SHOWN_BESIDE: Final = SHOWN_BY_EXCHANGES | {PRICE_OWNED}
"""The fields of owned numbers for which something is read beside them, if they are selected."""


class SideReads:
    """The side reads of one request."""

    def __init__(self, reader: Reader, facts: PublicFacts, exchange_calls: int) -> None:
        """Make them.

        Args:
            reader: makes them.
            facts: keeps what is known of exchanges.
            exchange_calls: searches for exchanges, at most.
        """
        self._reader = reader
        self._facts = facts
        self._exchange_calls = exchange_calls

    @cached_property
    def rules(self) -> CountryRules:
        """What numbers of a country cost and what the law asks for there."""
        return CountryRules(self._reader)

    @cached_property
    def exchanges(self) -> Exchanges:
        """What exchanges tell of owned numbers."""
        return Exchanges(self._reader, self._facts, SpareCalls(self._exchange_calls))

    async def shown(
        self, numbers: Sequence[View], selected: SelectedFields, at: FieldPath
    ) -> list[View]:
        """Return owned numbers with what is selected of them and read beside them, all at once.

        What cannot be read costs the fields that it would have shown: they raise why.
        """
        # The catalog tells where its numbers are.
        told_already = Source.CORE not in {each.source for each in numbers}
        if told_already or SHOWN_BY_EXCHANGES.isdisjoint(selected):
            if PRICE_OWNED in selected:
                return await self.rules.priced(numbers, at)
            return list(numbers)
        told = self.exchanges.of(numbers, at)
        if PRICE_OWNED not in selected:
            return located(numbers, await told)
        priced, exchanges = await gather(self.rules.priced(numbers, at), told)
        return located(priced, exchanges)
