"""The subscription: changes of an account's numbers as they happen."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Annotated

import strawberry
from strawberry import argument, field
from strawberry.scalars import ID

from schema.context import Info
from schema.directives import Scope, needs
from schema.enums import PhoneNumberEventKind
from schema.types import PhoneNumber


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


@strawberry.type(description="What can be followed.")
class Subscription:
    @strawberry.subscription(
        description="Every change of the account's numbers, made through the gateway or elsewhere.",
        directives=[needs(Scope.NUMBERS_READ)],
    )
    async def phone_number_changed(
        self,
        info: Info,
        account_sid: Annotated[
            ID | None, argument(description="The account; the caller's own when absent.")
        ] = None,
        sids: Annotated[
            list[ID] | None, argument(description="Only these numbers; all when absent.")
        ] = None,
    ) -> AsyncIterator[PhoneNumberEvent]:
        async for event in info.context.changes(account_sid, sids):
            yield event
