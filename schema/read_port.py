"""What resolvers of reads need from whoever serves the schema.

The types of the graph need it, and it names them: with `types` and `connection` it makes the one
circle of imports that a recursive graph cannot do without. The schema itself knows no HTTP and no
upstream; `gateway/resolvers/` implements its ports.
"""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Protocol

from schema.info import FieldPath
from schema.selections import SelectedFields

if TYPE_CHECKING:
    from schema.connection import (
        AccountConnection,
        AvailablePhoneNumberConnection,
        PhoneNumberConnection,
    )
    from schema.enums import AvailablePhoneNumberOrder, EndUser, NumberType, SimilarScope
    from schema.inputs import (
        AvailablePhoneNumberFilter,
        PhoneNumberFilter,
        PhoneNumberIdentifier,
    )
    from schema.nodes import Account, Country, Node, PhoneNumber, RateLimit
    from schema.values import NumberPrice, NumberToBuy, PurchaseRequirement, Requirements


class Numbers(Protocol):
    """Owned numbers."""

    def phone_number(
        self, *, sid: str, account_sid: str | None, at: FieldPath, selected: SelectedFields
    ) -> Awaitable["PhoneNumber | None"]:
        """Return one owned number by sid; None when the account has no such one."""

    async def phone_number_by_identifier(
        self,
        identifier: "PhoneNumberIdentifier",
        *,
        account_sid: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> "PhoneNumber | None":
        """Return one owned number by sid or by number; None when the account has no such one."""

    async def phone_numbers(
        self,
        filter: "PhoneNumberFilter | None",  # noqa: A002 - the argument's name in the schema
        *,
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
        account_sid: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> "PhoneNumberConnection":
        """Return a page of owned numbers."""

    async def as_read(
        self, number: "PhoneNumber", *, at: FieldPath, selected: SelectedFields
    ) -> "PhoneNumber":
        """Return a number that an event shows, as a read would show it."""


class Objects(Protocol):
    """Objects by id."""

    async def nodes(
        self, ids: Sequence[str], *, argument: str, at: FieldPath, selected: SelectedFields
    ) -> "list[Node | Exception | None]":
        """Return objects by their ids, in order; None for each that is not there.

        In the place of one that cannot be had is its error, for the executor to raise there.
        `argument` is where the ids come from.
        """


class Search(Protocol):
    """Numbers that can be bought."""

    async def available_phone_numbers(
        self,
        country: str,
        *,
        types: "Sequence[NumberType] | None",
        filter: "AvailablePhoneNumberFilter | None",  # noqa: A002
        order_by: "AvailablePhoneNumberOrder | None",
        first: int,
        after: str | None,
        account_sid: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> "AvailablePhoneNumberConnection":
        """Search numbers that can be bought."""

    async def available_in(
        self,
        country: "Country",
        *,
        type: "NumberType",  # noqa: A002 - the argument's name in the schema
        first: int,
        after: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> "AvailablePhoneNumberConnection | None":
        """Search numbers of a country that can be bought; None when it has none of the type."""

    def similar_available(
        self,
        numbers: "Sequence[PhoneNumber]",
        *,
        within: "SimilarScope",
        within_miles: int | None,
        first: int,
        after: str | None,
        at: FieldPath,
        selected: SelectedFields,
    ) -> "Sequence[Awaitable[AvailablePhoneNumberConnection] | None]":
        """Begin to search, for each of `numbers`, others that can be bought and share something.

        Those of one place share one search; None for what has no place that they could share.
        """


class Accounts(Protocol):
    """Accounts, what is left of their limits, and countries."""

    async def account(self, sid: str | None, *, at: FieldPath) -> "Account | None":
        """Return an account; the caller's own without a sid."""

    def accounts_of(
        self, sids: Sequence[str], *, at: FieldPath
    ) -> "Sequence[Awaitable[Account | None]]":
        """Begin to read the account with each sid; the same for equal ones."""

    async def subaccounts(
        self,
        account: "Account",
        *,
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
        at: FieldPath,
    ) -> "AccountConnection":
        """Return a page of the accounts that `account` owns, itself left out."""

    async def rate_limit(self, account_sid: str | None) -> "RateLimit":
        """Return what is left of the caller's limits, those of purchases for an account."""

    async def countries(self, *, at: FieldPath) -> "list[Country]":
        """Return the countries in which the caller's account can buy numbers."""

    async def country(self, code: str, *, at: FieldPath) -> "Country | None":
        """Return one country; None when numbers cannot be bought there."""

    async def prices(self, country: "Country", *, at: FieldPath) -> "list[NumberPrice] | None":
        """Return what numbers of a country cost; None where the upstream lists no prices."""

    async def requirements(
        self,
        country: str | None,
        *,
        type: "NumberType | None",  # noqa: A002 - the argument's name in the schema
        end_user: "EndUser",
        at: FieldPath,
    ) -> "Requirements | None":
        """Return what is asked of who wants to own a kind of number in a country.

        None when nothing is, or when the country or the kind is not known.
        """

    def requirements_of(
        self,
        kinds: "Sequence[tuple[str | None, NumberType | None]]",
        *,
        end_user: "EndUser",
        at: FieldPath,
    ) -> "Sequence[Awaitable[Requirements | None]]":
        """Begin to read the `requirements` of each country and type; the same for equal ones."""

    async def to_buy(
        self, number: "NumberToBuy", *, end_user: "EndUser", at: FieldPath
    ) -> "list[PurchaseRequirement]":
        """Return what is asked of who buys a number, and whether the input has it."""


class ReadPort(Protocol):
    """All of them; `at` is the field that asks, for traces, and `selected` what it wants told.

    Methods raise errors whose `extensions.code` clients can rely on.
    """

    @property
    def numbers(self) -> Numbers:
        """Owned numbers."""

    @property
    def search(self) -> Search:
        """Numbers that can be bought."""

    @property
    def accounts(self) -> Accounts:
        """Accounts, what is left of their limits, and countries."""

    @property
    def objects(self) -> Objects:
        """Objects by id."""
