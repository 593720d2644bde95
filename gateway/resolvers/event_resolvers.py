"""Changes as they happen: implements `schema.event_port.Events`."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from gateway.auth.caller import Caller
from gateway.events.feed import Events, Follower
from gateway.events.log import LogPlace
from gateway.numbers.lookups import FollowedNumbers
from gateway.numbers.owned import OwnedNumbers
from gateway.upstream.call import Credential
from schema.info import FieldPath
from schema.phone_number_event import PhoneNumberEvent


class Followed:
    """The changes that a subscription reports; nothing runs until somebody iterates over them.

    Attributes:
        follower: is told when no change can be missed any more; set by whoever iterates.
        after: the id of the event behind which it begins.
        resumed: it goes on behind an event that its client names: none may be missing since.
    """

    follower: Follower

    def __init__(
        self,
        events: Events,
        credential: Credential,
        asked: FollowedNumbers,
        after: int,
        *,
        resumed: bool,
    ) -> None:
        self.after = after
        self.resumed = resumed
        self._events = events
        self._credential = credential
        self._asked = asked

    @property
    def number(self) -> int:
        """Of the event behind which it begins, in the log of its account."""
        return LogPlace.named(self.after).number

    def __aiter__(self) -> AsyncIterator[PhoneNumberEvent]:
        """Report what has happened since its beginning, and what happens."""
        return self.changes()

    async def changes(self) -> AsyncGenerator[PhoneNumberEvent, None]:
        """Report what has happened since its beginning, and what happens."""
        account, after, follower = self._asked.account, self.after, self.follower
        async for event in self._events.follow(
            account, self._credential, after, follower, resumed=self.resumed
        ):
            if self._asked.include(event.number_id):
                yield event

    async def past(self) -> AsyncGenerator[PhoneNumberEvent, None]:
        """Report what has happened since its beginning, for one who joins those who follow."""
        async for event in self._events.past(
            self._asked.account, self._credential, self.after, resumed=self.resumed
        ):
            if self._asked.include(event.number_id):
                yield event


class EventResolvers:
    """Resolves the subscription.

    Attributes:
        last_event_id: the event behind which it goes on; None to begin now.
    """

    def __init__(
        self, events: Events, owned: OwnedNumbers, caller: Caller, credential: Credential
    ) -> None:
        self.last_event_id: str | None = None
        self._events = events
        self._owned = owned
        self._caller = caller
        self._credential = credential

    async def changes(self, account_sid: str | None, sids: Sequence[str] | None) -> Followed:
        """See `schema.event_port.Events`."""
        asked = FollowedNumbers.parse(self._caller, account_sid=account_sid, sids=sids)
        start = await self._events.start(asked.account, self.last_event_id)
        # Only who may read the account's numbers may follow them.
        await self._owned.page(asked.page, FieldPath("phoneNumberChanged"))
        resumed = self.last_event_id is not None
        return Followed(self._events, self._credential, asked, start, resumed=resumed)
