"""The mutations. What the upstream refuses is data (`userErrors`), not an error."""

from typing import Annotated

import strawberry
from strawberry import argument, field

from schema.directives import Cost, ListSize, Scope, needs
from schema.info import Info
from schema.inputs import (
    ConfigurePhoneNumberInput,
    ConfigurePhoneNumbersInput,
    PurchasePhoneNumberInput,
    PurchasePhoneNumbersInput,
    ReleasePhoneNumberInput,
    ReleasePhoneNumbersInput,
    TransferPhoneNumberInput,
    TransferPhoneNumbersInput,
)
from schema.payloads import (
    ConfigurePhoneNumberPayload,
    ConfigurePhoneNumbersPayload,
    PurchasePhoneNumberPayload,
    PurchasePhoneNumbersPayload,
    ReleasePhoneNumberPayload,
    ReleasePhoneNumbersPayload,
    TransferPhoneNumberPayload,
    TransferPhoneNumbersPayload,
    errors_of,
)
from schema.write_port import WritePort

_WRITE = Cost(weight="10")

_EACH = ListSize(slicing_arguments=["input.items"], sized_fields=["results", "userErrors"])


@strawberry.type(description="What can be changed. Each costs at most one upstream write.")
class Mutation:
    @field(
        description="Buy a number. Never buys twice, whatever fails on the way.",
        directives=[_WRITE, needs(Scope.NUMBERS_PURCHASE)],
    )
    async def purchase_phone_number(
        self,
        info: Info[WritePort, None],
        input: Annotated[PurchasePhoneNumberInput, argument(description="What to buy.")],  # noqa: A002
    ) -> PurchasePhoneNumberPayload:
        return await info.context.writes.purchase(input, at=info.at, selected=info.selected)

    @field(
        description="Change the settings of an owned number.",
        directives=[_WRITE, needs(Scope.NUMBERS_CONFIGURE)],
    )
    async def configure_phone_number(
        self,
        info: Info[WritePort, None],
        input: Annotated[ConfigurePhoneNumberInput, argument(description="What to set.")],  # noqa: A002
    ) -> ConfigurePhoneNumberPayload:
        return await info.context.writes.configure(input, at=info.at, selected=info.selected)

    @field(
        description="Move an owned number between a parent account and its subaccounts.",
        directives=[_WRITE, needs(Scope.NUMBERS_TRANSFER)],
    )
    async def transfer_phone_number(
        self,
        info: Info[WritePort, None],
        input: Annotated[TransferPhoneNumberInput, argument(description="What to move.")],  # noqa: A002
    ) -> TransferPhoneNumberPayload:
        return await info.context.writes.transfer(input, at=info.at, selected=info.selected)

    @field(
        description=(
            "Give an owned number back. The API has no way to undo it: Twilio's console alone gives"
            " a number back, for ten days, while nobody else has it."
        ),
        directives=[_WRITE, needs(Scope.NUMBERS_RELEASE)],
    )
    async def release_phone_number(
        self,
        info: Info[WritePort, None],
        input: Annotated[ReleasePhoneNumberInput, argument(description="What to release.")],  # noqa: A002
    ) -> ReleasePhoneNumberPayload:
        return await info.context.writes.release(input, at=info.at)

    @field(
        description="Buy several numbers, each on its own: one refusal stops no other.",
        directives=[_EACH, needs(Scope.NUMBERS_PURCHASE)],
    )
    async def purchase_phone_numbers(
        self,
        info: Info[WritePort, None],
        input: Annotated[PurchasePhoneNumbersInput, argument(description="What to buy.")],  # noqa: A002
    ) -> PurchasePhoneNumbersPayload:
        results = await info.context.writes.purchase_each(
            input.items, at=info.at, selected=info.selected
        )
        return PurchasePhoneNumbersPayload(user_errors=errors_of(results), results=results)

    @field(
        description="Change the settings of several numbers, each on its own.",
        directives=[_EACH, needs(Scope.NUMBERS_CONFIGURE)],
    )
    async def configure_phone_numbers(
        self,
        info: Info[WritePort, None],
        input: Annotated[ConfigurePhoneNumbersInput, argument(description="What to set.")],  # noqa: A002
    ) -> ConfigurePhoneNumbersPayload:
        results = await info.context.writes.configure_each(
            input.items, at=info.at, selected=info.selected
        )
        return ConfigurePhoneNumbersPayload(user_errors=errors_of(results), results=results)

    @field(
        description="Move several numbers, each on its own.",
        directives=[_EACH, needs(Scope.NUMBERS_TRANSFER)],
    )
    async def transfer_phone_numbers(
        self,
        info: Info[WritePort, None],
        input: Annotated[TransferPhoneNumbersInput, argument(description="What to move.")],  # noqa: A002
    ) -> TransferPhoneNumbersPayload:
        results = await info.context.writes.transfer_each(
            input.items, at=info.at, selected=info.selected
        )
        return TransferPhoneNumbersPayload(user_errors=errors_of(results), results=results)

    @field(
        description=(
            "Give several numbers back, each on its own. The API has no way to undo it: Twilio's"
            " console alone gives a number back, for ten days, while nobody else has it."
        ),
        directives=[_EACH, needs(Scope.NUMBERS_RELEASE)],
    )
    async def release_phone_numbers(
        self,
        info: Info[WritePort, None],
        input: Annotated[ReleasePhoneNumbersInput, argument(description="What to release.")],  # noqa: A002
    ) -> ReleasePhoneNumbersPayload:
        results = await info.context.writes.release_each(input.items, at=info.at)
        return ReleasePhoneNumbersPayload(user_errors=errors_of(results), results=results)
