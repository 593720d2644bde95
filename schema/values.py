"""Values of several fields that stand for one thing and have no identity."""

from decimal import Decimal

import strawberry
from strawberry import field

from schema.directives import part
from schema.enums import EndUser, NumberType
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
