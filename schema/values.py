"""Values of several fields that stand for one thing and have no identity."""

from decimal import Decimal

import strawberry
from strawberry import field

from schema.directives import part
from schema.scalars import CurrencyCode


@strawberry.type(description="An amount of money in a currency.", directives=[part()])
class Money:
    amount: Decimal = field(description='How much, exactly: `"1.15"`.')
    currency_code: CurrencyCode = field(description="In which currency.")
