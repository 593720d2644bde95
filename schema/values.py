"""Values of several fields that stand for one thing and have no identity."""

from collections.abc import Collection
from decimal import Decimal
from typing import NamedTuple

import strawberry
from strawberry import field

from schema.directives import part
from schema.enums import (
    AddressRequirements,
    EndUser,
    NumberType,
    RegulatoryDocument,
    RequirementStatus,
)
from schema.scalars import CurrencyCode, write_decimal


@strawberry.type(description="An amount of money in a currency.", directives=[part()])
class Money:
    amount: Decimal = field(description='How much, exactly: `"1.15"`.')
    currency_code: CurrencyCode = field(description="In which currency.")

    def __str__(self) -> str:
        """Write it for people: `1.15 USD`."""
        return f"{write_decimal(self.amount)} {self.currency_code}"


@strawberry.type(description="What a kind of number costs in a country.", directives=[part()])
class NumberPrice:
    type: NumberType = field(description="The kind of number.")
    monthly_price: Money = field(description="What one costs the account a month.")
    list_price: Money = field(description="What one costs a month without discounts.")


@strawberry.type(
    description="Something to be told about who is to own a number.", directives=[part()]
)
class RequiredField:
    key: str = field(description="Its name for programs: `first_name`.")
    name: str = field(description="Its name for people: `First Name`.")


@strawberry.type(
    description="A document that will do, and what to tell of it.", directives=[part()]
)
class AcceptedDocument:
    name: str = field(description="What it is, for people: `Passport`.")
    fields: list[RequiredField] = field(description="What to tell of it.")


@strawberry.type(description="Something that must be shown by a document.", directives=[part()])
class RequiredDocument:
    key: str = field(description="Its name for programs: `proof_of_address`.")
    name: str = field(description="What is to be shown, for people: `Address`.")
    accepted: list[AcceptedDocument] = field(description="Documents that show it; one is enough.")


@strawberry.type(
    description="What the law of a country asks of who wants to own a kind of number there. The"
    " documents are put together in the upstream's console, as a regulatory bundle, an identity or"
    " an address, whose sid a purchase then names: see `RegulatoryInput`.",
    directives=[part()],
)
class Requirements:
    end_user: EndUser = field(description="For whom this is so.")
    name: str | None = field(description="Name of the regulation, for people.")
    information: list[RequiredField] = field(description="What to tell about the owner.")
    documents: list[RequiredDocument] = field(description="What to show by documents, all of it.")


class NumberToBuy(NamedTuple):
    """What a dry run of a purchase has found out; the schema does not show it.

    Attributes:
        country: the number's country, ISO 3166-1 alpha-2; None if it is not known.
        type: the kind of number; None if it is not known.
        address: the address that it requires; None if that is not known.
        given: the papers that the input names.
    """

    country: str | None
    type: NumberType | None
    address: AddressRequirements | None
    given: Collection[RegulatoryDocument]


@strawberry.type(
    description="Something that is asked of who buys a number, and whether the input of the"
    " purchase has it.",
    directives=[part()],
)
class PurchaseRequirement:
    key: str = field(
        description="Its name for programs: `address`, or as in `Requirements`:"
        " `proof_of_identity`, `first_name`."
    )
    asked: str = field(
        description="What is asked for, in words: `Identity, shown by one of: Passport;"
        " Government-issued ID`."
    )
    papers: list[RegulatoryDocument] = field(
        description="Papers of `RegulatoryInput` that can have it; one of them is enough."
    )
    status: RequirementStatus = field(description="Whether the input has it.")
    message: str = field(description="The same as a sentence for people.")
