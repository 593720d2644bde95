"""What happens to numbers, as subscribers see it."""

import datetime as dt

import strawberry
from strawberry import field
from strawberry.scalars import ID

from schema.enums import PhoneNumberEventKind
from schema.nodes import PhoneNumber


@strawberry.type(description="Something that happened to a number.")
class PhoneNumberEvent:
    id: ID = field(description="Id of the event; rises within one account.")
    kind: PhoneNumberEventKind = field(description="What happened.")
    at: dt.datetime = field(description="When the gateway learnt of it.")
    account_sid: ID = field(description="The account in which it happened.")
    sid: ID = field(description="The number's sid.")
    phone_number: str | None = field(
        description="The number, as `PhoneNumber.phoneNumber` writes it."
    )
    number: PhoneNumber | None = field(
        description="The number after the change; null when it left the account."
    )
