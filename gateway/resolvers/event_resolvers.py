"""Changes as they happen: implements `schema.event_port.Events`."""

from asyncio import Event
from collections.abc import AsyncIterator, Sequence

from gateway.auth.caller import Caller
from gateway.events.feed import Events
from gateway.numbers.lookups import (
    FollowedNumbers,
)
from gateway.numbers.owned import OwnedNumbers
from gateway.upstream.call import Credential
from schema.info import FieldPath
from schema.phone_number_event import PhoneNumberEvent


class EventResolvers:
    """Resolves the subscription.

    Attributes:
        last_event_id: the event behind which it goes on; None to begin now.
        following: is set when no event can be missed any more.
    """

    def __init__(
        self, events: Events, owned: OwnedNumbers, caller: Caller, credential: Credential
    ) -> None:
        self.last_event_id: str | None = None
        self.following = Event()
        self._events = events
        self._owned = owned
        self._caller = caller
        self._credential = credential

    async def changes(
        self, account_sid: str | None, sids: Sequence[str] | None
    ) -> AsyncIterator[PhoneNumberEvent]:
        """See `schema.event_port.Events`."""
        asked = FollowedNumbers.parse(self._caller, account_sid=account_sid, sids=sids)
        account = asked.account
        start = await self._events.start(account, self.last_event_id)
        # Only who may read the account's numbers may follow them.
        await self._owned.page(asked.page, FieldPath("phoneNumberChanged"))
        resumed = self.last_event_id is not None
        async for event in self._events.follow(
            account, self._credential, start, self.following, resumed=resumed
        ):
            if asked.include(event.number_id):
                yield event
