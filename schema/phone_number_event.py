"""What happens to numbers, as subscribers see it."""

import datetime as dt

import strawberry
from strawberry import field
from strawberry.scalars import ID

from schema.enums import PhoneNumberEventKind
from schema.info import Info
from schema.nodes import PhoneNumber
from schema.read_port import ReadPort


@strawberry.type(description="Something that happened to a number.")
class PhoneNumberEvent:
    id: ID = field(
        description="Opaque, and no other event's, of whatever account. Send it as the header"
        " `Last-Event-ID`, or as `lastEventId` in the operation's `extensions`, to go on behind"
        " this event."
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
    seen: strawberry.Private[PhoneNumber | None]

    @field(
        description="The number after the change, as a read shows it; null when it left the"
        " account."
    )
    async def phone_number(self, info: Info[ReadPort, None]) -> PhoneNumber | None:
        if self.seen is None:
            return None
        return await info.context.numbers.as_read(self.seen, at=info.at, selected=info.selected)
