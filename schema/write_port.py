"""What resolvers of mutations need from whoever serves the schema."""

from collections.abc import Sequence
from typing import Protocol

from schema.info import FieldPath
from schema.inputs import (
    ConfigurePhoneNumberInput,
    PurchasePhoneNumberInput,
    ReleasePhoneNumberInput,
    TransferPhoneNumberInput,
)
from schema.payloads import (
    ConfigurePhoneNumberPayload,
    PurchasePhoneNumberPayload,
    ReleasePhoneNumberPayload,
    TransferPhoneNumberPayload,
)
from schema.selections import SelectedFields


class Writes(Protocol):
    """All mutations; `at` is the field that asks, for traces, `selected` what it wants told.

    What the upstream refuses comes back in the payload's `user_errors`. So does whatever goes wrong
    with one item of a plural mutation (`…_each`): the results of the others must not be lost with
    it.
    """

    async def purchase(
        self, wanted: PurchasePhoneNumberInput, *, at: FieldPath, selected: SelectedFields
    ) -> PurchasePhoneNumberPayload:
        """Buy a number, never twice."""

    async def purchase_each(
        self,
        items: Sequence[PurchasePhoneNumberInput],
        *,
        at: FieldPath,
        selected: SelectedFields,
    ) -> list[PurchasePhoneNumberPayload]:
        """Buy several numbers."""

    async def configure(
        self, wanted: ConfigurePhoneNumberInput, *, at: FieldPath, selected: SelectedFields
    ) -> ConfigurePhoneNumberPayload:
        """Change the settings of an owned number."""

    async def configure_each(
        self,
        items: Sequence[ConfigurePhoneNumberInput],
        *,
        at: FieldPath,
        selected: SelectedFields,
    ) -> list[ConfigurePhoneNumberPayload]:
        """Change the settings of several numbers."""

    async def transfer(
        self, wanted: TransferPhoneNumberInput, *, at: FieldPath, selected: SelectedFields
    ) -> TransferPhoneNumberPayload:
        """Move an owned number to another account."""

    async def transfer_each(
        self,
        items: Sequence[TransferPhoneNumberInput],
        *,
        at: FieldPath,
        selected: SelectedFields,
    ) -> list[TransferPhoneNumberPayload]:
        """Move several numbers."""

    async def release(
        self, wanted: ReleasePhoneNumberInput, *, at: FieldPath
    ) -> ReleasePhoneNumberPayload:
        """Give an owned number back."""

    async def release_each(
        self, items: Sequence[ReleasePhoneNumberInput], *, at: FieldPath
    ) -> list[ReleasePhoneNumberPayload]:
        """Give several numbers back."""


class WritePort(Protocol):
    """What mutations are resolved with."""

    @property
    def writes(self) -> Writes:
        """All mutations."""
