"""The port: what resolvers need from whoever serves the schema.

`gateway/context.py` implements it. The schema itself knows no HTTP and no upstream.
"""

from asyncio import Future
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, NewType, Protocol

import strawberry

if TYPE_CHECKING:
    from schema.connection import AvailablePhoneNumberConnection, PhoneNumberConnection
    from schema.enums import NumberType, SimilarScope
    from schema.inputs import (
        AvailablePhoneNumberFilter,
        ConfigurePhoneNumberInput,
        PhoneNumberFilter,
        PurchasePhoneNumberInput,
        ReleasePhoneNumberInput,
        TransferPhoneNumberInput,
    )
    from schema.payloads import (
        ConfigurePhoneNumberPayload,
        PurchasePhoneNumberPayload,
        ReleasePhoneNumberPayload,
        TransferPhoneNumberPayload,
    )
    from schema.phone_number_event import PhoneNumberEvent
    from schema.types import Account, Country, Node, PhoneNumber, RateLimit

FieldPath = NewType("FieldPath", str)
"""Where a field stands in the response, without places in lists: `phoneNumbers.nodes.account`."""


class Port(Protocol):
    """Everything that resolvers ask for; `at` is the field that asks, for traces.

    Methods raise `GraphQLError` subclasses whose `extensions.code` clients can rely on; what a
    mutation's upstream refuses comes back in the payload's `user_errors` instead. So does whatever
    goes wrong with one item of a plural mutation (`…_each`): the results of the others must not be
    lost with it.
    """

    async def phone_number(
        self, *, sid: str | None, phone_number: str | None, account_sid: str | None, at: FieldPath
    ) -> "PhoneNumber | None":
        """Return one owned number by sid or by number; None when the account has no such one."""

    async def phone_numbers(
        self,
        filter: "PhoneNumberFilter | None",  # noqa: A002 - the argument's name in the schema
        *,
        first: int,
        after: str | None,
        account_sid: str | None,
        at: FieldPath,
    ) -> "PhoneNumberConnection":
        """Return a page of owned numbers."""

    async def available_phone_numbers(
        self,
        country: str,
        *,
        types: "Sequence[NumberType] | None",
        filter: "AvailablePhoneNumberFilter | None",  # noqa: A002
        first: int,
        after: str | None,
        account_sid: str | None,
        at: FieldPath,
    ) -> "AvailablePhoneNumberConnection":
        """Search numbers that can be bought."""

    async def available_in(
        self,
        country: "Country",
        *,
        type: "NumberType",  # noqa: A002 - the argument's name in the schema
        first: int,
        at: FieldPath,
    ) -> "AvailablePhoneNumberConnection | None":
        """Search numbers of a country that can be bought; None when it has none of the type."""

    def similar_available(
        self,
        number: "PhoneNumber",
        *,
        within: "SimilarScope",
        distance: int | None,
        first: int,
        at: FieldPath,
    ) -> "Future[AvailablePhoneNumberConnection | None]":
        """Begin to search numbers that can be bought and share something with `number`.

        What comes is None when it has no place that they could share.
        """

    async def countries(self, *, at: FieldPath) -> "list[Country]":
        """Return the countries in which the caller's account can buy numbers."""

    async def country(self, code: str, *, at: FieldPath) -> "Country | None":
        """Return one country; None when numbers cannot be bought there."""

    async def account(self, sid: str | None, *, at: FieldPath) -> "Account | None":
        """Return an account; the caller's own without a sid."""

    async def subaccounts(self, account: "Account", *, at: FieldPath) -> "list[Account]":
        """Return the accounts that `account` owns, itself left out."""

    async def nodes(
        self, ids: Sequence[str], *, argument: str, at: FieldPath
    ) -> "list[Node | Exception | None]":
        """Return objects by opaque id, in order; None for each that is not there.

        In the place of one that cannot be had is its error, for the executor to raise there.
        `argument` is where the ids come from.
        """

    async def rate_limit(self, account_sid: str | None) -> "RateLimit":
        """Return what is left of the caller's limits, those of purchases for an account."""

    async def purchase(
        self, wanted: "PurchasePhoneNumberInput", *, at: FieldPath
    ) -> "PurchasePhoneNumberPayload":
        """Buy a number, never twice."""

    async def purchase_each(
        self, items: "Sequence[PurchasePhoneNumberInput]", *, at: FieldPath
    ) -> "list[PurchasePhoneNumberPayload]":
        """Buy several numbers."""

    async def configure(
        self, wanted: "ConfigurePhoneNumberInput", *, at: FieldPath
    ) -> "ConfigurePhoneNumberPayload":
        """Change the settings of an owned number."""

    async def configure_each(
        self, items: "Sequence[ConfigurePhoneNumberInput]", *, at: FieldPath
    ) -> "list[ConfigurePhoneNumberPayload]":
        """Change the settings of several numbers."""

    async def transfer(
        self, wanted: "TransferPhoneNumberInput", *, at: FieldPath
    ) -> "TransferPhoneNumberPayload":
        """Move an owned number to another account."""

    async def transfer_each(
        self, items: "Sequence[TransferPhoneNumberInput]", *, at: FieldPath
    ) -> "list[TransferPhoneNumberPayload]":
        """Move several numbers."""

    async def release(
        self, wanted: "ReleasePhoneNumberInput", *, at: FieldPath
    ) -> "ReleasePhoneNumberPayload":
        """Give an owned number back."""

    async def release_each(
        self, items: "Sequence[ReleasePhoneNumberInput]", *, at: FieldPath
    ) -> "list[ReleasePhoneNumberPayload]":
        """Give several numbers back."""

    def changes(
        self, account_sid: str | None, sids: Sequence[str] | None
    ) -> "AsyncIterator[PhoneNumberEvent]":
        """Report changes of an account's numbers, of all or only of `sids`, as they happen."""


class Info(strawberry.Info[Port, None]):
    """What resolvers know of the request, and of the place that they are called for."""

    @property
    def at(self) -> FieldPath:
        """The field that is resolved."""
        return FieldPath(".".join(step for step in self.path.as_list() if isinstance(step, str)))
