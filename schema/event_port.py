"""What the subscription's resolver needs from whoever serves the schema."""

from collections.abc import AsyncIterable, Sequence
from typing import Protocol

from schema.phone_number_event import PhoneNumberEvent


class Events(Protocol):
    """What can be followed."""

    async def changes(
        self, account_sid: str | None, sids: Sequence[str] | None
    ) -> AsyncIterable[PhoneNumberEvent]:
        """Return changes of an account's numbers, of all or only of `sids`, as they happen.

        It returns when it is known that the caller may follow them.
        """


class EventPort(Protocol):
    """What the subscription is resolved with."""

    @property
    def events(self) -> Events:
        """What can be followed."""
