"""What happens to numbers, as subscribers see it."""

import datetime as dt

import strawberry
from strawberry import field
from strawberry.scalars import ID

from schema.enums import PhoneNumberEventKind
from schema.nodes import PhoneNumber


@strawberry.type(description="Something that happened to a number.")
class PhoneNumberEvent:
    id: ID = field(
        description="Opaque, and no other event's, of whatever account. Send it as `Last-Event-ID`"
        " to go on behind this event."
    )
    kind: PhoneNumberEventKind = field(description="What happened.")
    at: dt.datetime = field(description="When the gateway learnt of it.")
    account_sid: ID = field(description="The account in which it happened.")
    number_id: ID = field(
        description="The number's `id`: by it a cache finds the number, or drops it when it was"
        " released."
    )
    number: str | None = field(
        description="The number itself, as `PhoneNumber.phoneNumber` writes it."
    )
    phone_number: PhoneNumber | None = field(
        description="The number after the change; null when it left the account."
    )
