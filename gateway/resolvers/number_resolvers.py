"""Owned numbers: implements `schema.read_port.Numbers` over `gateway.numbers`."""

from collections.abc import Awaitable
from typing import Any, cast

from gateway.auth.caller import Caller
from gateway.discreet import Discreet
from gateway.errors import OfAnotherAccount
from gateway.mapping.homes import Home, needed
from gateway.mapping.records import View
from gateway.numbers.list_pages import page_of
from gateway.numbers.lookups import (
    OwnedList,
    PhoneNumberLookup,
)
from gateway.numbers.owned import OwnedNumbers
from gateway.numbers.side_reads import SHOWN_BESIDE
from gateway.resolvers.recounting import Recount
from schema.connection import (
    PhoneNumberConnection,
)
from schema.info import FieldPath
from schema.inputs import (
    PhoneNumberFilter,
    PhoneNumberIdentifier,
)
from schema.nodes import PhoneNumber
from schema.selections import SelectedFields


class NumberResolvers(Discreet):
    """Resolves fields that are owned numbers, or pages of them.

    Views stand in for the schema's types: they have their fields, but are made from tables, so the
    type checker is told with casts.

    Attributes:
        owned: the owned numbers, as the request sees them.
        caller: who asks.
        recount: is told how long lists are, where that was believed and not said.
        alone: the field that is being resolved is the only one of a query.
    """

    owned: OwnedNumbers
    caller: Caller
    recount: Recount | None
    alone: bool

    def phone_number(
        self, *, sid: str, account_sid: str | None, at: FieldPath, selected: SelectedFields
    ) -> Awaitable[PhoneNumber | None]:
        """See `schema.read_port.Numbers`."""
        asked = PhoneNumberLookup.parse(self.caller, sid=sid, account_sid=account_sid)
        if self.caller.accounts is not None or not SHOWN_BESIDE.isdisjoint(selected):
            return self._shown(asked, at, selected)
        shown: Any = self.owned.one(asked, at, needed(selected), alone=self.alone)
        coming: Awaitable[PhoneNumber | None] = shown
        return coming

    async def phone_number_by_identifier(
        self,
        identifier: PhoneNumberIdentifier,
        *,
        account_sid: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> PhoneNumber | None:
        """See `schema.read_port.Numbers`."""
        asked = PhoneNumberLookup.parse_identifier(
            self.caller, identifier=identifier, account_sid=account_sid
        )
        return await self._shown(asked, at, selected)

    async def phone_numbers(
        self,
        filter: PhoneNumberFilter | None,  # noqa: A002 - the argument's name in the schema
        *,
        account_sid: str | None,
        at: FieldPath,
        selected: SelectedFields,
        **page: Any,  # noqa: ANN401 - see `PageRequest.parse`
    ) -> PhoneNumberConnection:
        """See `schema.read_port.Numbers`."""
        asked = OwnedList.parse(self.caller, filter=filter, account_sid=account_sid, **page)
        listed = await self.owned.page(asked, at, selected)
        if self.recount is not None and asked.account == self.caller.credential.account:
            self.recount("Query.phoneNumbers", len(listed.items))
        if not SHOWN_BESIDE.isdisjoint(selected):
            listed = listed._replace(
                items=await self.owned.beside.shown(listed.items, selected, at)
            )
        return cast("PhoneNumberConnection", page_of(listed))

    async def as_read(
        self, number: PhoneNumber, *, at: FieldPath, selected: SelectedFields
    ) -> PhoneNumber:
        """See `schema.read_port.Numbers`."""
        shown = await self.owned.as_read(cast("View", number), needed(selected), at)
        if not SHOWN_BESIDE.isdisjoint(selected):
            [shown] = await self.owned.beside.shown([shown], selected, at)
        return cast("PhoneNumber", shown)

    async def one(
        self, key: PhoneNumberLookup, at: FieldPath, needs: Home, *, alone: bool = False
    ) -> View | None:
        """Return an owned number; None when the account has no such one."""
        try:
            return await self.owned.one(key, at, needs, alone=alone)
        except OfAnotherAccount:
            if self.caller.accounts is None:
                raise
            return None  # A bearer must not learn that somebody else has it.

    async def _shown(
        self, asked: PhoneNumberLookup, at: FieldPath, selected: SelectedFields
    ) -> PhoneNumber | None:
        number = await self.one(asked, at, needed(selected), alone=self.alone)
        if number is not None and not SHOWN_BESIDE.isdisjoint(selected):
            [number] = await self.owned.beside.shown([number], selected, at)
        return cast("PhoneNumber | None", number)
