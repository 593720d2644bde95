"""What the subscription's resolver needs from whoever serves the schema."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from schema.phone_number_event import PhoneNumberEvent


class Events(Protocol):
    """What can be followed."""

    def changes(
        self, account_sid: str | None, sids: Sequence[str] | None
    ) -> AsyncIterator[PhoneNumberEvent]:
        """Report changes of an account's numbers, of all or only of `sids`, as they happen."""


class EventPort(Protocol):
    """What the subscription is resolved with."""

    @property
    def events(self) -> Events:
        """What can be followed."""
