"""The subscription: changes of an account's numbers as they happen."""

from collections.abc import AsyncIterable
from typing import Annotated

import strawberry
from strawberry import argument
from strawberry.scalars import ID

from schema.bounds import MOST_IDS
from schema.directives import Scope, needs
from schema.event_port import EventPort
from schema.info import Info
from schema.phone_number_event import PhoneNumberEvent


@strawberry.type(description="What can be followed.")
class Subscription:
    @strawberry.subscription(
        description="Every change of the account's numbers, made through the gateway or elsewhere.",
        directives=[needs(Scope.NUMBERS_READ)],
    )
    async def phone_number_changed(
        self,
        info: Info[EventPort, None],
        account_sid: Annotated[
            ID | None, argument(description="The account; the caller's own when absent.")
        ] = None,
        sids: Annotated[
            list[ID] | None,
            argument(
                description=f"Only the numbers with these sids, up to {MOST_IDS}; all when absent."
            ),
        ] = None,
    ) -> AsyncIterable[PhoneNumberEvent]:
        return await info.context.events.changes(account_sid, sids)
